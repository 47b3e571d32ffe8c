/* syncing.c - a file beside the log, "sync-under-way", from before its files are synced until the
 * device said yes.
 *
 * A sync that fails leaves pages that the kernel calls clean though the device never got them
 * (fsyncgate).  A failed log stops its directory, which then vouches for nothing; but who is killed
 * between the two has told nobody, and what the next process syncs there succeeds without being
 * written.  So a log that finds this name writes what it scans again, and only then may its
 * recovery point pass it.  The name itself is never synced: with the power the page cache goes, and
 * the doubt.  Kafka ignores the file. */
#include <stdio.h>

#include "broker/log/segment.h"
#include "broker/log/state.h"

#define FILE_NAME "sync-under-way"

static void path_of(char out[SEGMENT_PATH_MAX], const char *dir);

/* A full disk must not stop a sync, which is how it gets rid of what it has. */
enum err log_sync_begins(struct env *env, const char *dir)
{
	char path[SEGMENT_PATH_MAX];
	struct file *file;
	enum err e;

	path_of(path, dir);
	e = env->files->open(env, path, FILE_WRITE | FILE_CREATE, &file);
	if (e == ERR_OK)
		file_put(file);
	return e == ERR_NOSPACE ? ERR_OK : e;
}

enum err log_sync_ended(struct env *env, const char *dir)
{
	char path[SEGMENT_PATH_MAX];
	enum err e;

	path_of(path, dir);
	e = env->files->unlink(env, path);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

bool log_sync_is_name(const char *name)
{
	return strcmp(name, FILE_NAME) == 0;
}

static void path_of(char out[SEGMENT_PATH_MAX], const char *dir)
{
	int n = snprintf(out, SEGMENT_PATH_MAX, "%s/" FILE_NAME, dir);

	ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}
