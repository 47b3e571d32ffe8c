/* logdir.h - one directory of log.dirs: its lock and the partition directories in it.
 *
 *   <topic>-<partition>                     a partition
 *   <topic>-<partition>.<32 hex>-delete     a deleted one, waiting to be removed
 *   <topic>-<partition>.<32 hex>-stray      one that metadata does not know: kept, never served
 *   <topic>-<partition>.<32 hex>-future     on its way here from another directory
 *
 * Everything here blocks. */
#pragma once
#include "broker/log/small_file.h"

#define LOGDIR_NAME_MAX 256

/* Takes .lock in dir (made when missing) until *lock is put.  ERR_LOCKED: it is taken elsewhere. */
must_check enum err logdir_lock(struct env *, const char *dir, struct file **lock);
/* "a-b-7" -> topic "a-b", partition 7. */
bool logdir_parse(struct str name, struct str *topic, int32_t *partition);
/* The name of a future directory, and the partition directory's that it will become; false: it is
 * none, or its name was cut. */
void logdir_future_name(const char *name, struct uuid unique, char out[LOGDIR_NAME_MAX]);
bool logdir_future_parse(struct str future, struct str *name);
/* Calls each(arg, name) for every partition directory, future ones too, name valid during the call
 * only.  Removes
 * what a deletion left half done; a -stray is counted and logged. */
must_check enum err logdir_scan(struct env *, const char *dir,
				void (*each)(void *arg, const char *name), void *arg);

enum logdir_fate { LOGDIR_DELETE, LOGDIR_STRAY };
/* Renames a partition's directory out of the way, durably if a descriptor is free; `out` gets its
 * new name.  The unique part comes from `id`. */
must_check enum err logdir_retire(struct env *, const char *dir, const char *name, struct uuid id,
				  enum logdir_fate, char out[LOGDIR_NAME_MAX]);
/* Removes a directory that logdir_retire named -delete. */
must_check enum err logdir_remove(struct env *, const char *dir, const char *name);
