/* checkpoint.c - text of one line per partition; the format is in checkpoint.h.
 *
 * Strict on reading: a count that does not match or a line that does not parse spoils the whole
 * file, since half of a checkpoint would be worse than none. */
#include "broker/log/checkpoint.h"

/* Half a million partitions with the longest names; two numbers and a newline per line. */
#define TEXT_MAX ((size_t)64 << 20)
#define NUMBERS_ROOM 48

static enum err parse(struct str rest, struct checkpoint *);
static enum err parse_row(struct str line, struct checkpoint_row *);

enum err checkpoint_write(struct env *env, const char *dir, const char *name,
			  const struct checkpoint_row *v, int32_t n)
{
	size_t cap = NUMBERS_ROOM;
	struct text t;
	char *at;
	enum err e;

	for (int32_t i = 0; i < n; i++)
		cap += v[i].topic.n + NUMBERS_ROOM;
	at = mem_alloc(cap);
	text_init(&t, at, cap);
	text_printf(&t, "0\n%d\n", n);
	for (int32_t i = 0; i < n; i++)
		text_printf(&t, "%.*s %d %lld\n", (int)v[i].topic.n, v[i].topic.at, v[i].partition,
			    (long long)v[i].offset);
	ASSERT(!t.cut);
	e = small_file_write(env, dir, name, t.at, t.n);
	mem_free(at);
	return e;
}

enum err checkpoint_read(struct env *env, const char *dir, const char *name, struct checkpoint *c)
{
	size_t n;
	enum err e;

	*c = (struct checkpoint){ 0 };
	e = small_file_read(env, dir, name, TEXT_MAX, &c->text, &n);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK)
		e = parse((struct str){ c->text, n }, c);
	if (e != ERR_OK)
		checkpoint_fini(c);
	return e == ERR_LIMIT ? ERR_CORRUPT : e;
}

void checkpoint_fini(struct checkpoint *c)
{
	mem_free(c->v);
	mem_free(c->text);
	*c = (struct checkpoint){ 0 };
}

static enum err parse(struct str rest, struct checkpoint *c)
{
	int32_t version, n;
	struct str line;
	enum err e;

	if (!small_file_line(&rest, &line) || parse_i32(line, &version) != ERR_OK || version != 0)
		return ERR_CORRUPT;
	if (!small_file_line(&rest, &line) || parse_i32(line, &n) != ERR_OK || n < 0)
		return ERR_CORRUPT;
	if ((size_t)n > rest.n / 5) /* "t 0 0" */
		return ERR_CORRUPT;
	c->v = mem_alloc((size_t)n * sizeof(*c->v) + 1);
	for (; c->n < n; c->n++) {
		if (!small_file_line(&rest, &line))
			return ERR_CORRUPT;
		if ((e = parse_row(line, &c->v[c->n])) != ERR_OK)
			return e;
	}
	return rest.n == 0 ? ERR_OK : ERR_CORRUPT;
}

static enum err parse_row(struct str line, struct checkpoint_row *row)
{
	struct str partition;

	if (!str_cut(&line, ' ', &row->topic) || !str_cut(&line, ' ', &partition))
		return ERR_CORRUPT;
	if (row->topic.n == 0 || parse_i32(partition, &row->partition) != ERR_OK ||
	    parse_i64(line, &row->offset) != ERR_OK || row->partition < 0 || row->offset < 0)
		return ERR_CORRUPT;
	return ERR_OK;
}
