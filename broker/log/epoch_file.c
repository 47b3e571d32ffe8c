/* epoch_file.c - leader-epoch-checkpoint as text; the format is in epoch_file.h.  A file that is
 * damaged or missing is not fatal: the batches carry their epochs, the partition rebuilds the
 * cache. */
#include "broker/log/epoch_file.h"

#define TEXT_MAX ((size_t)16 << 20)
#define LINE_ROOM 40

static enum err parse(struct str rest, struct epoch_row **v, int32_t *n);

enum err epoch_file_write(struct env *env, const char *dir, const struct epoch_row *v, int32_t n)
{
	size_t cap = ((size_t)n + 1) * LINE_ROOM;
	char *at = mem_alloc(cap);
	struct text t;
	enum err e;

	text_init(&t, at, cap);
	text_printf(&t, "0\n%d\n", n);
	for (int32_t i = 0; i < n; i++)
		text_printf(&t, "%d %lld\n", v[i].epoch, (long long)v[i].start_offset);
	ASSERT(!t.cut);
	e = small_file_write(env, dir, EPOCH_FILE, t.at, t.n);
	mem_free(at);
	return e;
}

enum err epoch_file_read(struct env *env, const char *dir, struct epoch_row **v, int32_t *n)
{
	char *text;
	size_t bytes;
	enum err e;

	*v = NULL;
	*n = 0;
	e = small_file_read(env, dir, EPOCH_FILE, TEXT_MAX, &text, &bytes);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK)
		e = parse((struct str){ text, bytes }, v, n);
	if (e != ERR_OK) {
		mem_free(*v);
		*v = NULL;
		*n = 0;
	}
	mem_free(text);
	return e == ERR_LIMIT ? ERR_CORRUPT : e;
}

static enum err parse(struct str rest, struct epoch_row **v, int32_t *n)
{
	int32_t version, count;
	struct str line, epoch;

	if (!small_file_line(&rest, &line) || parse_i32(line, &version) != ERR_OK || version != 0)
		return ERR_CORRUPT;
	if (!small_file_line(&rest, &line) || parse_i32(line, &count) != ERR_OK || count < 0)
		return ERR_CORRUPT;
	if ((size_t)count > rest.n / 3) /* "0 0" */
		return ERR_CORRUPT;
	*v = mem_alloc((size_t)count * sizeof(**v) + 1);
	for (; *n < count; (*n)++) {
		struct epoch_row *row = &(*v)[*n];

		if (!small_file_line(&rest, &line) || !str_cut(&line, ' ', &epoch) ||
		    parse_i32(epoch, &row->epoch) != ERR_OK ||
		    parse_i64(line, &row->start_offset) != ERR_OK)
			return ERR_CORRUPT;
		if (row->epoch < 0 || row->start_offset < 0)
			return ERR_CORRUPT;
		if (*n > 0 &&
		    (row->epoch <= row[-1].epoch || row->start_offset <= row[-1].start_offset))
			return ERR_CORRUPT;
	}
	return rest.n == 0 ? ERR_OK : ERR_CORRUPT;
}
