/* read.c - where the bytes of a range of offsets lie.
 *
 * Finding the beginning: the ring of recent batches (tail readers, no I/O), the cursors (a
 * sequential reader goes on where it stopped), else the offset index and a hop.
 * Finding the end: the end of the segment when all of it is wanted, else the ring, else the index
 * and a hop over the last few batches only. */
#include "broker/log/state.h"

/* How much of the newest part is taken to be in the page cache without asking. */
#define HOT_BYTES (INT64_C(64) << 20)

/* The first batch of a read. */
struct spot {
	int32_t segment;
	int64_t at, size;
	int64_t base_offset, next_offset;
};
struct limits {
	int64_t bound;   /* no batch that reaches it */
	int64_t at_most; /* position past which nothing is given */
};
struct boundary {
	int64_t at, next_offset;
};

static const struct recent_batch *recent(const struct log *, uint32_t k);
static int64_t recent_size(const struct log *, uint32_t k);
static enum err find_spot(struct log *, int64_t offset, struct spot *);
static bool recent_spot(const struct log *, int64_t offset, struct spot *);
static bool cursor_spot(struct log *, int64_t offset, struct spot *);
static void keep_cursor(struct log *, int64_t offset, int64_t next_offset, int32_t segment,
			int64_t at);
static enum err find_end(struct log *, const struct spot *, const struct limits *,
			 struct boundary *);
static bool recent_end(const struct log *, const struct spot *, const struct limits *,
		       struct boundary *);
static enum err hop_from(struct log *, const struct spot *, const struct limits *,
			 struct boundary *);
static enum err indexed_start(struct log *, const struct spot *, const struct limits *,
			      int64_t *from);
static bool is_cold(const struct log *, const struct log_read *, int32_t segment);
static int64_t guess_position(const struct log *, int32_t segment, int64_t offset);

/* No record byte is touched: the answer is a file and a range, which the connection sends. */
enum err log_read(struct log *l, int64_t offset, int64_t bound, int64_t max_bytes, bool min_one,
		  struct log_read *out)
{
	struct limits limits = { i64_min(bound, l->end), 0 };
	struct boundary end;
	struct spot spot;
	enum err e;

	*out = (struct log_read){ .first_offset = offset, .next_offset = offset };
	if (l->failed)
		return ERR_IO;
	if (offset < l->start || offset > l->end)
		return ERR_NOT_FOUND;
	if (offset >= limits.bound)
		return ERR_OK;
	if ((e = find_spot(l, offset, &spot)) != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : log_fail(l, e);
	if (spot.next_offset > limits.bound || (spot.size > max_bytes && !min_one))
		return ERR_OK;
	limits.at_most = spot.at + i64_min(i64_max(max_bytes, spot.size), INT32_MAX);
	if ((e = find_end(l, &spot, &limits, &end)) != ERR_OK)
		return log_fail(l, e);
	ASSERT(end.at >= spot.at + spot.size && end.at <= l->v[spot.segment].bytes);
	*out = (struct log_read){
		.file = file_get(l->v[spot.segment].file),
		.at = spot.at,
		.n = end.at - spot.at,
		.first_offset = spot.base_offset,
		.next_offset = end.next_offset,
	};
	out->cold = is_cold(l, out, spot.segment);
	keep_cursor(l, offset, end.next_offset, spot.segment, end.at);
	return ERR_OK;
}

int64_t log_bytes_between(const struct log *l, int64_t from, int64_t to)
{
	int32_t first, last;
	int64_t bytes;

	from = i64_max(from, l->start);
	to = i64_min(to, l->end);
	if (from >= to)
		return 0;
	first = log_segment_of(l, from);
	last = log_segment_of(l, to);
	bytes = guess_position(l, last, to) - guess_position(l, first, from);
	for (int32_t i = first; i < last; i++)
		bytes += l->v[i].bytes;
	return i64_max(bytes, 1);
}

static enum err find_spot(struct log *l, int64_t offset, struct spot *spot)
{
	if (recent_spot(l, offset, spot) || cursor_spot(l, offset, spot))
		return ERR_OK;
	for (int32_t i = log_segment_of(l, offset); i < l->n; i++) {
		struct hop hop;
		enum err e = log_use(l, i);

		if (e == ERR_OK)
			e = segment_seek(&l->home, &l->v[i], offset, &hop);
		if (e == ERR_NOT_FOUND)
			continue; /* a hole up to the next segment, left by compaction */
		*spot = (struct spot){ i, hop.at, hop.batch.size, hop.batch.base_offset,
				       hop.next_offset };
		return e;
	}
	return ERR_NOT_FOUND;
}

/* Newest first: tail readers want the last batch or the one before. */
static bool recent_spot(const struct log *l, int64_t offset, struct spot *spot)
{
	uint32_t k = l->n_recent;

	if (k == 0 || offset < recent(l, 0)->base_offset || offset >= l->end)
		return false;
	while (k > 0 && recent(l, k - 1)->next_offset > offset)
		k--;
	*spot = (struct spot){ l->n - 1, recent(l, k)->at, recent_size(l, k),
			       recent(l, k)->base_offset, recent(l, k)->next_offset };
	return true;
}

/* A cursor names the offset where some reader's last range ended; nearly always
 * he continues there. */
static bool cursor_spot(struct log *l, int64_t offset, struct spot *spot)
{
	for (int i = 0; i < CURSORS_MAX; i++) {
		const struct read_cursor *c = &l->cursors[i];
		struct hop hop;
		int32_t k;

		if (c->offset != offset)
			continue;
		k = log_segment_of(l, offset);
		if (l->v[k].base != c->segment_base || log_use(l, k) != ERR_OK)
			return false;
		hop_init(&hop, l->v[k].file, c->at, l->v[k].bytes, l->v[k].base);
		if (hop_next(&hop) != HOP_BATCH)
			return false;
		*spot = (struct spot){ k, hop.at, hop.batch.size, hop.batch.base_offset,
				       hop.next_offset };
		return true;
	}
	return false;
}

/* Moves the reader's cursor on, or takes the one least recently made. */
static void keep_cursor(struct log *l, int64_t offset, int64_t next_offset, int32_t segment,
			int64_t at)
{
	struct read_cursor *c = NULL;

	for (int i = 0; i < CURSORS_MAX && !c; i++)
		if (l->cursors[i].offset == offset)
			c = &l->cursors[i];
	if (!c)
		c = &l->cursors[l->next_cursor++ % CURSORS_MAX];
	*c = (struct read_cursor){ next_offset, l->v[segment].base, at };
}

/* Cheapest first: the segment's own end, the ring, an index entry and a few hops. */
static enum err find_end(struct log *l, const struct spot *spot, const struct limits *limits,
			 struct boundary *end)
{
	const struct segment *s = &l->v[spot->segment];
	int64_t segment_end = log_segment_end(l, spot->segment);

	if (limits->at_most >= s->bytes && limits->bound >= segment_end) {
		*end = (struct boundary){ s->bytes, segment_end };
		return ERR_OK;
	}
	if (recent_end(l, spot, limits, end))
		return ERR_OK;
	return hop_from(l, spot, limits, end);
}

/* The last batch of the ring that is within both limits. */
static bool recent_end(const struct log *l, const struct spot *spot, const struct limits *limits,
		       struct boundary *end)
{
	uint32_t k = l->n_recent;

	if (spot->segment != l->n - 1)
		return false;
	for (; k > 0 && recent(l, k - 1)->at >= spot->at; k--) {
		const struct recent_batch *b = recent(l, k - 1);
		int64_t batch_end = b->at + recent_size(l, k - 1);

		if (batch_end <= limits->at_most && b->next_offset <= limits->bound) {
			*end = (struct boundary){ batch_end, b->next_offset };
			return true;
		}
	}
	return false;
}

/* From the last index entry that is surely within the limits; the first batch always is. */
static enum err hop_from(struct log *l, const struct spot *spot, const struct limits *limits,
			 struct boundary *end)
{
	struct segment *s = &l->v[spot->segment];
	struct hop hop;
	int64_t from;
	enum err e;

	*end = (struct boundary){ spot->at + spot->size, spot->next_offset };
	if ((e = indexed_start(l, spot, limits, &from)) != ERR_OK)
		return e;
	hop_init(&hop, s->file, i64_max(from, end->at), s->bytes, s->base);
	while (hop_next(&hop) == HOP_BATCH) {
		*end = (struct boundary){ hop.at, i64_min(hop.batch.base_offset, limits->bound) };
		if (hop.next > limits->at_most || hop.next_offset > limits->bound)
			break;
		*end = (struct boundary){ hop.next, hop.next_offset };
	}
	return hop.err;
}

/* A position from the index that begins a batch at or before the end to be found, or 0.  Only the
 * limits that lie within the segment are looked up. */
static enum err indexed_start(struct log *l, const struct spot *spot, const struct limits *limits,
			      int64_t *from)
{
	struct segment *s = &l->v[spot->segment];
	struct index *ix = &s->index[INDEX_OFFSET];
	struct index_entry first = { -1, INT64_MAX }, entry;
	bool by_offset = limits->bound < log_segment_end(l, spot->segment);
	int32_t at = 0;
	enum err e;

	*from = 0;
	e = segment_open_index(&l->home, s, INDEX_OFFSET);
	if (e == ERR_OK && limits->at_most < s->bytes)
		e = index_floor(ix, INDEX_BY_VALUE, limits->at_most - 1, &first, &at);
	if (e == ERR_OK && at >= 0 && by_offset) {
		e = index_floor(ix, INDEX_BY_OFFSET, limits->bound - 1, &entry, &at);
		if (e == ERR_OK && at >= 0 && entry.value < first.value)
			first = entry;
	}
	if (e != ERR_OK)
		return e == ERR_CORRUPT ? ERR_OK : e;
	if (at >= 0 && segment_entry_ok(s, &first))
		*from = first.value;
	return ERR_OK;
}

/* Bytes of the last 64 MiB that this process wrote itself are in the page cache, or the machine
 * has worse problems; of others the kernel is asked. */
static bool is_cold(const struct log *l, const struct log_read *span, int32_t segment)
{
	int64_t from_end = -span->at;

	for (int32_t i = segment; i < l->n && from_end <= HOT_BYTES; i++)
		from_end += l->v[i].bytes;
	if (from_end <= i64_min(l->fresh_bytes, HOT_BYTES))
		return false;
	return span->file->ops->is_warm && !span->file->ops->is_warm(span->file, span->at, span->n);
}

/* Exact near the end, in proportion elsewhere: no I/O. */
static int64_t guess_position(const struct log *l, int32_t segment, int64_t offset)
{
	const struct segment *s = &l->v[segment];
	int64_t end = log_segment_end(l, segment);
	struct spot spot;

	if (offset >= end)
		return s->bytes;
	if (segment == l->n - 1 && recent_spot(l, offset, &spot))
		return spot.at;
	return (int64_t)((double)s->bytes * (double)i64_max(0, offset - s->base) /
			 (double)(end - s->base));
}

static const struct recent_batch *recent(const struct log *l, uint32_t k)
{
	return &l->recent[(l->recent_head + k) % RECENT_MAX];
}

static int64_t recent_size(const struct log *l, uint32_t k)
{
	int64_t end = k + 1 < l->n_recent ? recent(l, k + 1)->at : l->v[l->n - 1].bytes;

	return end - recent(l, k)->at;
}
