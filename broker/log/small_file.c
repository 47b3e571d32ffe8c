/* small_file.c - write beside, sync, rename, sync the directory: the order is the whole point. */
#include "broker/log/small_file.h"
#include <stdio.h>

static enum err put(struct env *, const char *dir, const char *name, struct file_iov,
		    bool is_synced);
static void join(char out[SMALL_PATH_MAX], const char *dir, const char *name, const char *suffix);

/* A crash leaves the old file, the new one, or the old one and a .tmp that the
 * next write replaces. */
enum err small_file_write(struct env *env, const char *dir, const char *name, const void *at,
			  size_t n)
{
	enum err e = put(env, dir, name, (struct file_iov){ at, n }, true);

	return e == ERR_OK ? env->files->sync_dir(env, dir) : e;
}

enum err small_file_put(struct env *env, const char *dir, const char *name, const void *at,
			size_t n)
{
	return put(env, dir, name, (struct file_iov){ at, n }, false);
}

static enum err put(struct env *env, const char *dir, const char *name, struct file_iov iov,
		    bool is_synced)
{
	char path[SMALL_PATH_MAX], tmp[SMALL_PATH_MAX];
	struct file *file;
	enum err e;

	join(path, dir, name, "");
	join(tmp, dir, name, ".tmp");
	e = env->files->open(env, tmp, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &file);
	if (e != ERR_OK)
		return e;
	e = file->ops->writev(file, &iov, 1, 0);
	if (e == ERR_OK && is_synced)
		e = file->ops->sync(file);
	file_put(file);
	return e == ERR_OK ? env->files->rename(env, tmp, path) : e;
}

enum err small_file_sync(struct env *env, const char *dir, const char *name)
{
	char path[SMALL_PATH_MAX];
	struct file *file;
	enum err e;

	join(path, dir, name, "");
	if ((e = env->files->open(env, path, FILE_READ, &file)) != ERR_OK)
		return e;
	e = file->ops->sync(file);
	file_put(file);
	return e == ERR_OK ? env->files->sync_dir(env, dir) : e;
}

enum err small_file_read(struct env *env, const char *dir, const char *name, size_t max, char **at,
			 size_t *n)
{
	char path[SMALL_PATH_MAX];
	struct file *file;
	int64_t bytes;
	enum err e;

	*at = NULL;
	join(path, dir, name, "");
	if ((e = env->files->open(env, path, FILE_READ, &file)) != ERR_OK)
		return e;
	if ((e = file->ops->size(file, &bytes)) != ERR_OK)
		goto out;
	if (bytes > (int64_t)max) {
		e = ERR_LIMIT;
		goto out;
	}
	*at = mem_alloc((size_t)bytes + 1);
	e = file->ops->read(file, *at, (size_t)bytes, 0, n);
	if (e != ERR_OK) {
		mem_free(*at);
		*at = NULL;
	}
out:
	file_put(file);
	return e;
}

enum err small_file_remove(struct env *env, const char *dir, const char *name)
{
	char path[SMALL_PATH_MAX];
	enum err e;

	join(path, dir, name, "");
	e = env->files->unlink(env, path);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

bool small_file_line(struct str *rest, struct str *line)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->at, '\n', rest->n);
	line->at = rest->at;
	line->n = end ? (size_t)(end - rest->at) : rest->n;
	rest->at += line->n + (end ? 1 : 0);
	rest->n -= line->n + (end ? 1 : 0);
	if (line->n > 0 && line->at[line->n - 1] == '\r')
		line->n--;
	return true;
}

/* No parser for one field: the writer is this program, or Kafka. */
struct str small_file_value(struct str text, const char *quoted_key)
{
	size_t n_key = strlen(quoted_key);
	const char *at = memmem(text.at, text.n, quoted_key, n_key), *end = text.at + text.n;
	const char *from;

	if (!at)
		return (struct str){ "", 0 };
	for (at += n_key; at < end && strchr(" :\"", *at); at++)
		;
	for (from = at; at < end && !strchr(",}\" ", *at); at++)
		;
	return (struct str){ from, (size_t)(at - from) };
}

static void join(char out[SMALL_PATH_MAX], const char *dir, const char *name, const char *suffix)
{
	int n = snprintf(out, SMALL_PATH_MAX, "%s/%s%s", dir, name, suffix);

	ASSERT(n > 0 && n < SMALL_PATH_MAX);
}
