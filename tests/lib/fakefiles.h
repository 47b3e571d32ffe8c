/* fakefiles.h - a disk in memory behind files_ops, that can fill up, fail and lose its power.
 *
 * What was written but not synced is at the mercy of fakefs_power_loss.  Names change as in a
 * journal: of the changes since the last sync_dir, of whatever directory, a prefix survives.  One
 * thread.  The disk's env has files and randomness and nothing else. */
#pragma once
#include "common/env/env.h"

struct fake_inode;
struct fake_name {
	char *path;
	struct fake_inode *inode; /* NULL: a directory */
};
struct fake_names {
	struct fake_name *v;
	int n, cap;
};
struct fake_change {
	char *path;
	struct fake_inode *inode;
	int64_t call; /* a rename is one call and several changes */
	bool added;   /* or removed */
};
struct fake_changes {
	struct fake_change *v;
	int n, cap;
	int64_t calls;
};
struct fakefs {
	struct env env;            /* files and prng only */
	struct fake_names names;
	struct fake_changes changes; /* of names since the last sync_dir */
	int n_open, n_open_max; /* what needs another one answers ERR_NOFILES, */
	int64_t opens_left;     /* and so does what comes after so many more; -1: any number */
	int64_t bytes, bytes_max; /* of all files; writes past the maximum answer ERR_NOSPACE */
	/* Faults: after `fail_after` more calls of a kind in fail_kinds each one fails; -1: never.
	 */
	int64_t fail_after;
	unsigned fail_kinds;
	uint8_t n_power_losses;
	/* Counts since fakefs_init. */
	int64_t opens, reads, writes, syncs, read_bytes;
};
enum fake_kind {
	FAKE_OPEN = 1,
	FAKE_READ = 2,
	FAKE_WRITE = 4,
	FAKE_SYNC = 8,
	FAKE_TRUNCATE = 16,
	FAKE_NAME = 32,
	FAKE_ANY = 63,
};

extern const struct files_ops fakefs_ops;
void fakefs_init(struct fakefs *, uint64_t seed);
void fakefs_fini(struct fakefs *); /* asserts that no file is open */
/* Open files stay usable by those who hold them, as after a crash of the process alone. */
/* Unsynced writes survive in part, unsynced names or not. */
void fakefs_power_loss(struct fakefs *);
/* Contents for tests; at stays valid until the file is written again.  False when it is missing. */
bool fakefs_get(struct fakefs *, const char *path, const uint8_t **at, int64_t *n);
void fakefs_put(struct fakefs *, const char *path, const void *at, int64_t n);
void fakefs_copy(const struct fakefs *from, struct fakefs *to); /* all files, synced */
