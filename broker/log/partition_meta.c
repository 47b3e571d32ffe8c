/* partition_meta.c - two lines of "key: value"; both must be there. */
#include "broker/log/partition_meta.h"

#define FILE_NAME "partition.metadata"
#define TEXT_MAX 4096

static struct text content(struct uuid topic_id, char *buf, size_t cap);
static bool value_of(struct str line, const char *key, struct str *value);

enum err partition_meta_write(struct env *env, const char *dir, struct uuid topic_id)
{
	char buf[64];
	struct text t = content(topic_id, buf, sizeof(buf));

	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

enum err partition_meta_put(struct env *env, const char *dir, struct uuid topic_id)
{
	char buf[64];
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
