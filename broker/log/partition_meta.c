/* partition_meta.c - lines of "key: value"; the first two must be there. */
#include "broker/log/partition_meta.h"

#define FILE_NAME "partition.metadata"
#define TEXT_MAX 4096
#define CONTENT_MAX 128

static struct text content(struct uuid topic_id, char *buf, size_t cap);
static bool value_of(struct str line, const char *key, struct str *value);

enum err partition_meta_write(struct env *env, const char *dir, struct uuid topic_id)
{
	char buf[CONTENT_MAX];
	struct text t = content(topic_id, buf, sizeof(buf));

	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

enum err partition_meta_place(struct env *env, const char *dir, struct uuid topic_id,
			      struct placement at)
{
	char buf[CONTENT_MAX];
	struct text t = content(topic_id, buf, sizeof(buf));

	text_printf(&t, "placed: %lld %lld\n", (long long)at.broker_epoch, (long long)at.n);
	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

struct placement partition_meta_placement(struct env *env, const char *dir)
{
	struct placement at = { 0, 0 };
	struct str rest, line, value, epoch;
	char *text;
	size_t n;

	if (small_file_read(env, dir, FILE_NAME, TEXT_MAX, &text, &n) != ERR_OK)
		return at;
	rest = (struct str){ text, n };
	while (small_file_line(&rest, &line))
		if (value_of(line, "placed", &value) &&
		    (!str_cut(&value, ' ', &epoch) || parse_i64(epoch, &at.broker_epoch) ||
		     parse_i64(value, &at.n)))
			at = (struct placement){ 0, 0 };
	mem_free(text);
	return at;
}

bool placement_is_later(struct placement a, struct placement than)
{
	return a.broker_epoch > than.broker_epoch ||
	       (a.broker_epoch == than.broker_epoch && a.n > than.n);
}

enum err partition_meta_put(struct env *env, const char *dir, struct uuid topic_id)
{
	char buf[CONTENT_MAX];
	struct text t = content(topic_id, buf, sizeof(buf));

	return small_file_put(env, dir, FILE_NAME, t.at, t.n);
}

enum err partition_meta_sync(struct env *env, const char *dir)
{
	enum err e = small_file_sync(env, dir, FILE_NAME);

	return e == ERR_NOT_FOUND ? env->files->sync_dir(env, dir) : e;
}

static struct text content(struct uuid topic_id, char *buf, size_t cap)
{
	char id[UUID_TEXT];
	struct text t;

	uuid_text(topic_id, id);
	text_init(&t, buf, cap);
	text_printf(&t, "version: 0\ntopic_id: %s\n", id);
	return t;
}

enum err partition_meta_read(struct env *env, const char *dir, struct uuid *topic_id)
{
	struct str rest, line, value;
	bool version = false, id = false;
	char *text;
	size_t n;
	enum err e = small_file_read(env, dir, FILE_NAME, TEXT_MAX, &text, &n);

	if (e != ERR_OK)
		return e == ERR_LIMIT ? ERR_CORRUPT : e;
	rest = (struct str){ text, n };
	while (small_file_line(&rest, &line)) {
		if (value_of(line, "version", &value))
			version = str_eq(value, STR("0"));
		else if (value_of(line, "topic_id", &value))
			id = uuid_parse(value, topic_id) == ERR_OK;
	}
	mem_free(text);
	return version && id ? ERR_OK : ERR_CORRUPT;
}

static bool value_of(struct str line, const char *key, struct str *value)
{
	struct str head;

	if (!str_cut(&line, ':', &head) || !str_eq(str_trim(head), str_of(key)))
		return false;
	*value = str_trim(line);
	return true;
}
