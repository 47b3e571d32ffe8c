/* segment_check.c - one pass over the log with a finger in each index.
 *
 * Entries of both indexes come in the order of the batches they name, so one entry per index in
 * hand is enough: each batch is compared with the entries that point at it (match_offset,
 * match_time), and what is left at the end points past the log.
 *
 *   .index      i32 offset - base, i32 position            8 bytes, big-endian
 *   .timeindex  i64 timestamp ms, i32 offset - base        12 bytes
 *
 * Memory is one chunk, whatever the size of a batch. */
#include "common/wire/segment_check.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"

#define CHUNK_BYTES 16384
#define CRC_FROM 21
#define OFFSET_ENTRY 8
#define TIME_ENTRY 12

/* The entry in hand of one index. */
struct index_walk {
	enum segment_file file;
	int64_t at; /* where it lies; -1: none is left */
	int64_t offset, value;
};
struct check {
	const struct segment_source *from;
	struct segment_facts *facts;
	struct index_walk offsets, times;
};

static void problem(struct check *, enum segment_file, int64_t at, const char *what);
static bool next_batch(struct check *, struct batch *);
static bool crc_holds(struct check *, int64_t at, const struct batch *);
static void walk_begin(struct check *, struct index_walk *, enum segment_file);
static void walk_next(struct check *, struct index_walk *);
static void match_offset(struct check *, const struct batch *, int64_t at);
static void match_time(struct check *, const struct batch *);

void segment_check(const struct segment_source *from, struct segment_facts *facts)
{
	struct check c = { .from = from, .facts = facts };
	struct batch b;

	*facts = (struct segment_facts){ .next_offset = from->base_offset, .max_timestamp_ms = -1 };
	walk_begin(&c, &c.offsets, SEGMENT_INDEX);
	walk_begin(&c, &c.times, SEGMENT_TIMEINDEX);
	while (facts->valid_bytes < from->size[SEGMENT_LOG] && next_batch(&c, &b)) {
		match_offset(&c, &b, facts->valid_bytes);
		match_time(&c, &b);
		facts->batches++;
		facts->records += b.n_records;
		facts->valid_bytes += b.size;
		facts->next_offset = batch_last_offset(&b) + 1;
	}
	if (c.offsets.at >= 0)
		problem(&c, SEGMENT_INDEX, c.offsets.at, "points past the last batch");
	if (c.times.at >= 0)
		problem(&c, SEGMENT_TIMEINDEX, c.times.at, "names an offset past the last batch");
}

/* The first bad batch ends the pass: without its length nothing behind it has a known place. */
static bool next_batch(struct check *c, struct batch *b)
{
	int64_t at = c->facts->valid_bytes, left = c->from->size[SEGMENT_LOG] - at;
	uint8_t head[BATCH_HEADER_BYTES];
	const char *what = NULL;

	if (left < BATCH_HEADER_BYTES)
		what = "less than a batch header is left";
	else if (!c->from->read(c->from->arg, SEGMENT_LOG, at, head, sizeof(head)))
		what = "cannot be read";
	else if (batch_view(b, head, sizeof(head)) != BATCH_OK)
		what = "no batch header of version 2";
	else if (b->size > left)
		what = "the batch is longer than the file";
	else if (b->base_offset < c->facts->next_offset)
		what = "the offset does not ascend";
	else if (batch_last_offset(b) - c->from->base_offset > INT32_MAX)
		what = "the offset is too far from the segment's base";
	else if (!crc_holds(c, at, b))
		what = "the CRC does not match";
	if (what)
		problem(c, SEGMENT_LOG, at, what);
	return !what;
}

/* Batches can be larger than any buffer we would take for a check, so the CRC is extended by
 * chunks. */
static bool crc_holds(struct check *c, int64_t at, const struct batch *b)
{
	int64_t end = at + b->size;
	uint8_t chunk[CHUNK_BYTES];
	uint32_t crc = 0;

	for (at += CRC_FROM; at < end; at += CHUNK_BYTES) {
		size_t n = (size_t)i64_min(CHUNK_BYTES, end - at);

		if (!c->from->read(c->from->arg, SEGMENT_LOG, at, chunk, n))
			return false;
		crc = crc32c(crc, chunk, n);
	}
	return crc == b->crc;
}

/* Entries are sparse (index.interval.bytes), so most batches have none. */
static void match_offset(struct check *c, const struct batch *b, int64_t at)
{
	struct index_walk *w = &c->offsets;

	while (w->at >= 0 && w->value <= at) {
		if (w->value < at)
			problem(c, SEGMENT_INDEX, w->at, "points into the middle of a batch");
		else if (w->offset != batch_last_offset(b))
			problem(c, SEGMENT_INDEX, w->at,
				"names another offset than the batch it points to");
		walk_next(c, w);
	}
}

/* An entry says "up to this offset nothing is younger than this": it must be
 * the running maximum. */
static void match_time(struct check *c, const struct batch *b)
{
	struct index_walk *w = &c->times;
	int64_t last = batch_last_offset(b);

	c->facts->max_timestamp_ms = i64_max(c->facts->max_timestamp_ms, b->max_timestamp_ms);
	while (w->at >= 0 && w->offset <= last) {
		if (w->offset < last)
			problem(c, SEGMENT_TIMEINDEX, w->at, "names an offset that ends no batch");
		else if (w->value != b->max_timestamp_ms)
			problem(c, SEGMENT_TIMEINDEX, w->at,
				"is not the batch's largest timestamp");
		else if (w->value < c->facts->max_timestamp_ms)
			problem(c, SEGMENT_TIMEINDEX, w->at, "an earlier batch is younger");
		walk_next(c, w);
	}
}

static void walk_begin(struct check *c, struct index_walk *w, enum segment_file file)
{
	int64_t size = c->from->size[file],
		each = file == SEGMENT_INDEX ? OFFSET_ENTRY : TIME_ENTRY;

	*w = (struct index_walk){ .file = file, .at = -each, .offset = -1, .value = -1 };
	if (size > 0 && size % each != 0)
		problem(c, file, size - size % each, "ends within an entry");
	walk_next(c, w);
}

static void walk_next(struct check *c, struct index_walk *w)
{
	int64_t each = w->file == SEGMENT_INDEX ? OFFSET_ENTRY : TIME_ENTRY;
	int64_t offset = w->offset, value = w->value, at = w->at + each;
	uint8_t raw[TIME_ENTRY];

	w->at = -1;
	if (at + each > c->from->size[w->file])
		return;
	if (!c->from->read(c->from->arg, w->file, at, raw, (size_t)each)) {
		problem(c, w->file, at, "cannot be read");
		return;
	}
	w->at = at;
	if (w->file == SEGMENT_INDEX) {
		w->offset = c->from->base_offset + (int32_t)load_be32(raw);
		w->value = (int32_t)load_be32(raw + 4);
		c->facts->index_entries++;
	} else {
		w->value = (int64_t)load_be64(raw);
		w->offset = c->from->base_offset + (int32_t)load_be32(raw + 8);
		c->facts->timeindex_entries++;
	}
	if (w->offset <= offset || w->value <= value) {
		problem(c, w->file, at, "does not ascend");
		w->at = -1; /* nothing behind it can be matched */
	}
}

static void problem(struct check *c, enum segment_file file, int64_t at, const char *what)
{
	c->facts->problems++;
	c->from->problem(c->from->arg, file, at, what);
}
