/* clean_marker.c - the file whose presence says that every log was closed and synced.
 *
 * Parsed leniently: what matters is that it is there, and it is taken away either way. */
#include "broker/log/clean_marker.h"

#define FILE_NAME ".kafka_cleanshutdown"
#define TEXT_MAX 4096

enum err clean_marker_write(struct env *env, const char *dir, int64_t broker_epoch)
{
	char buf[96];
	struct text t;

	text_init(&t, buf, sizeof(buf));
	text_printf(&t, "{\"version\":0,\"brokerEpoch\":%lld}", (long long)broker_epoch);
	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

enum err clean_marker_take(struct env *env, const char *dir, bool *found, int64_t *broker_epoch)
{
	char *text;
	size_t n;
	enum err e = small_file_read(env, dir, FILE_NAME, TEXT_MAX, &text, &n);

	*found = e != ERR_NOT_FOUND;
	*broker_epoch = -1;
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e != ERR_OK && e != ERR_LIMIT)
		return e;
	if (e != ERR_OK || parse_i64(small_file_value((struct str){ text, n }, "\"brokerEpoch\""),
				     broker_epoch) != ERR_OK)
		*broker_epoch = -1;
	mem_free(text);
	e = small_file_remove(env, dir, FILE_NAME);
	return e == ERR_OK ? env->files->sync_dir(env, dir) : e;
}
