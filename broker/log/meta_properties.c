/* meta_properties.c - a java.util.Properties file of four lines, read leniently: unknown keys are
 * skipped, so that a newer version's file can be read; wrong values are ERR_CORRUPT. */
#include "broker/log/meta_properties.h"

#define FILE_NAME "meta.properties"
#define TEXT_MAX 65536

static enum err take(struct meta_properties *, struct str key, struct str value, int32_t *version);

enum err meta_properties_write(struct env *env, const char *dir, const struct meta_properties *m)
{
	char id[UUID_TEXT], buf[256];
	struct text t;

	uuid_text(m->directory_id, id);
	text_init(&t, buf, sizeof(buf));
	text_printf(&t, "version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", m->cluster_id,
		    m->node_id, id);
	ASSERT(!t.cut);
	return small_file_write(env, dir, FILE_NAME, t.at, t.n);
}

enum err meta_properties_read(struct env *env, const char *dir, struct meta_properties *m)
{
	struct str rest, line, key;
	int32_t version = -1;
	char *text;
	size_t n;
	enum err e = small_file_read(env, dir, FILE_NAME, TEXT_MAX, &text, &n);

	if (e != ERR_OK)
		return e == ERR_LIMIT ? ERR_CORRUPT : e;
	*m = (struct meta_properties){ .node_id = -1 };
	rest = (struct str){ text, n };
	while (e == ERR_OK && small_file_line(&rest, &line)) {
		line = str_trim(line);
		if (line.n == 0 || line.at[0] == '#' || line.at[0] == '!')
			continue;
		if (str_cut(&line, '=', &key))
			e = take(m, str_trim(key), str_trim(line), &version);
	}
	mem_free(text);
	if (e == ERR_OK && (version < 0 || version > 1 || m->node_id < 0))
		e = ERR_CORRUPT;
	return e;
}

static enum err take(struct meta_properties *m, struct str key, struct str value, int32_t *version)
{
	enum err e = ERR_OK;

	if (str_eq(key, STR("version"))) {
		e = parse_i32(value, version);
	} else if (str_eq(key, STR("node.id")) || str_eq(key, STR("broker.id"))) {
		e = parse_i32(value, &m->node_id);
	} else if (str_eq(key, STR("directory.id"))) {
		e = uuid_parse(value, &m->directory_id);
	} else if (str_eq(key, STR("cluster.id"))) {
		if (value.n >= sizeof(m->cluster_id))
			return ERR_CORRUPT;
		if (value.n > 0)
			memcpy(m->cluster_id, value.at, value.n);
		m->cluster_id[value.n] = '\0';
	}
	return e == ERR_OK ? ERR_OK : ERR_CORRUPT;
}
