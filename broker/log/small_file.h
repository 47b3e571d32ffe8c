/* small_file.h - whole files of text or a few kilobytes, replaced so that a crash at any moment
 * leaves the old or the new content: write <name>.tmp, sync, rename, sync the directory
 * (KAFKA-1539, KAFKA-16541).  Everything here blocks: call it from a job. */
#pragma once
#include "common/base/text.h"
#include "common/env/env.h"

#define SMALL_PATH_MAX 1024

must_check enum err small_file_write(struct env *, const char *dir, const char *name,
				     const void *at, size_t n);
/* The same in two halves, for files that may wait: put is whole after a kill, and durable (with its
 * name) once sync has returned. */
must_check enum err small_file_put(struct env *, const char *dir, const char *name, const void *at,
				   size_t n);
must_check enum err small_file_sync(struct env *, const char *dir, const char *name);
/* *at: heap, NUL terminated, the caller's; *n without the NUL.  ERR_NOT_FOUND; ERR_LIMIT. */
must_check enum err small_file_read(struct env *, const char *dir, const char *name, size_t max,
				    char **at, size_t *n);
must_check enum err small_file_remove(struct env *, const char *dir, const char *name);
/* What stands behind a key of a small JSON object, without quotes; empty: nothing. */
struct str small_file_value(struct str text, const char *quoted_key);
/* The next line without its end; false when none is left.  A last line needs no '\n'. */
bool small_file_line(struct str *rest, struct str *line);
