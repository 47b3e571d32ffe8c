/* names.h - the directories of a simulated disk, and its inodes; for disk.c and names.c only.
 *
 * Two name spaces: `seen` by processes, and `durable`.  Changes that no directory sync has made
 * durable yet wait in order as `pending`; a power loss takes some of them along. */
#pragma once
#include "tests/sim/world.h"

#define SECTOR 512
#define DEVICE_BYTES 16 /* the first part of a path */

struct handle;
struct inode {
	uint8_t *at, *durable;
	int64_t n, cap, n_durable;
	int64_t dirty_from, dirty_to; /* differs from the device at most here; from > to: nowhere */
	int refs;
	int64_t lost_from, lost_to; /* a sync of it failed: clean, and not on the device */
	struct handle *locked_by;
	char device[DEVICE_BYTES];
};
struct name {
	char *path;
	struct inode *inode; /* NULL: a directory */
};
struct names {
	struct name *v; /* in the order they came */
	int n, cap;
};
struct change {
	enum { NAME_CREATE, NAME_RENAME, NAME_REMOVE, NAME_REMOVE_TREE } kind;
	char *path, *to;
	struct inode *inode;
};
struct disk {
	struct world *world;
	struct names seen, durable;
	struct change *pending;
	int n_pending, cap_pending;
	int64_t bytes, bytes_max;
	int64_t n_open; /* those that dead processes left, too */
	int64_t opens_left; /* files that may be opened yet; below 0: any number */
	unsigned faults;
	uint32_t fault_den;
	char dead[DEVICE_BYTES]; /* a device that answers nothing; empty: none */
	uint8_t n_power_losses;
};
struct handle {
	struct file file;
	struct disk *disk;
	struct inode *inode;
	struct machine *machine;
	uint32_t life;
};

struct name *names_find(struct names *, const char *path);
bool name_is_in(const char *path, const char *dir);
struct name *names_create(struct disk *, const char *path, struct inode *);
bool names_rename(struct disk *, const char *from, const char *to);
bool names_remove(struct disk *, const char *path, bool is_tree);
void names_sync(struct disk *, const char *dir);
void names_free(struct disk *);

/* disk.c */
void inode_put(struct disk *, struct inode *);
void inode_power_loss(struct disk *, struct inode *);
