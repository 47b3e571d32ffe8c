/* disk.h - a machine's disk: what processes see, and what the device has.
 *
 * Bytes that were written but not synced, and names whose directory was not synced, are at the
 * mercy of disk_power_loss: each dirty sector is lost, kept or torn by itself, each change of a
 * name is lost or kept by itself.  A killed process loses nothing: the page cache is the kernel's.
 * Files that a dead process left open cost memory only; its locks are gone with it. */
#pragma once
#include "tests/sim/world.h"

enum disk_fault { DISK_WRITE = 1, DISK_SYNC = 2, DISK_READ = 4 };

extern const struct files_ops disk_files;
struct disk *disk_new(struct world *);
void disk_free(struct disk *);
void disk_power_loss(struct disk *);
/* From now on calls of these kinds fail with the odds of one in `den`; 0: none does.  As on Linux,
 * what a failed sync was to bring to the device is clean from then on: later syncs succeed without
 * it, reads still see it, until it is evicted. */
void disk_fail(struct disk *, unsigned faults, uint32_t den);
/* From now on nothing below that directory, "/data2", can be read or written; "": all can. */
void disk_fail_below(struct disk *, const char *dir);
/* A sector of [from, to) goes bad, on the device and in the cache: it has the bytes of the file's
 * first sectors, or no bytes that make sense. */
void disk_damage(struct file *, int64_t from, int64_t to, uint64_t place, bool is_misdirected);
bool disk_has_lost(const struct disk *); /* something that an eviction takes */
void disk_evict(struct disk *); /* clean pages: what comes back is what the device has */
void disk_limit(struct disk *, int64_t bytes_max); /* beyond it: ERR_NOSPACE */
void disk_starve(struct disk *, int64_t opens); /* after so many more: ERR_NOFILES; -1: never */
int64_t disk_files_open(const struct disk *);
bool disk_is_sound(const struct disk *); /* none of these */
int64_t disk_bytes(const struct disk *);
bool disk_has(struct disk *, const char *path);
bool disk_has_below(const struct disk *, const char *dir); /* any file */
/* For a conn that sends a part of a file: false when the file is shorter. */
bool disk_copy_out(struct file *, int64_t at, size_t n, void *to);
