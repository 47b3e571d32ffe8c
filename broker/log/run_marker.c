/* run_marker.c - see the header for what it proves. */
#include "broker/log/run_marker.h"

#include <stdio.h>

#define FILE_NAME ".weir_running"
#define TEXT_MAX 4096
#define MARKER_BYTES 160

static struct uuid boot_id(struct env *);
static struct uuid file_id(struct env *, const char *path);

/* In place and always as long: a full disk must not stand between a restart and its proof, and one
 * write of so few bytes is whole or not there, whatever kills the process. */
enum err run_marker_write(struct env *env, const char *dir, int64_t broker_epoch)
{
	struct uuid boot = boot_id(env);
	char path[SMALL_PATH_MAX], id[UUID_TEXT], file_text[UUID_TEXT], buf[MARKER_BYTES + 1];
	struct file_iov iov = { buf, MARKER_BYTES };
	struct file *file;
	struct text t;
	enum err e;

	if (broker_epoch < 0 || uuid_is_zero(boot))
		return run_marker_remove(env, dir);
	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	if ((e = env->files->open(env, path, FILE_WRITE | FILE_CREATE, &file)))
		return e;
	uuid_text(boot, id);
	uuid_text(file_id(env, path), file_text);
	text_init(&t, buf, sizeof(buf));
	text_printf(&t, "{\"version\":0,\"brokerEpoch\":%lld,\"bootId\":\"%s\",\"file\":\"%s\"}\n",
		    (long long)broker_epoch, id, file_text);
	ASSERT(!t.cut);
	memset(buf + t.n, ' ', MARKER_BYTES - t.n);
	e = file->ops->writev(file, &iov, 1, 0);
	file_put(file);
	return e;
}

enum err run_marker_read(struct env *env, const char *dir, int64_t *broker_epoch)
{
	struct uuid boot = boot_id(env), was, file, self;
	char path[SMALL_PATH_MAX];
	int64_t epoch;
	char *text;
	size_t n;
	enum err e = small_file_read(env, dir, FILE_NAME, TEXT_MAX, &text, &n);
	struct str all, id;

	*broker_epoch = -1;
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND || e == ERR_LIMIT ? ERR_OK : e;
	all = (struct str){ text, n };
	id = small_file_value(all, "\"bootId\"");
	snprintf(path, sizeof(path), "%s/" FILE_NAME, dir);
	self = file_id(env, path);
	if (!uuid_is_zero(boot) && uuid_parse(id, &was) == ERR_OK && uuid_eq(boot, was) &&
	    uuid_parse(small_file_value(all, "\"file\""), &file) == ERR_OK && uuid_eq(file, self) &&
	    parse_i64(small_file_value(all, "\"brokerEpoch\""), &epoch) == ERR_OK)
		*broker_epoch = epoch;
	mem_free(text);
	return ERR_OK;
}

enum err run_marker_remove(struct env *env, const char *dir)
{
	return small_file_remove(env, dir, FILE_NAME);
}

static struct uuid boot_id(struct env *env)
{
	struct uuid id = { { 0 } };

	if (env->files->boot_id)
		env->files->boot_id(env, &id);
	return id;
}

static struct uuid file_id(struct env *env, const char *path)
{
	struct uuid id = { { 0 } };

	if (env->files->file_id)
		env->files->file_id(env, path, &id);
	return id;
}
