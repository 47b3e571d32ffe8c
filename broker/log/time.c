/* time.c - offsets by timestamp (ListOffsets): the time index leads to the batch, the batch's
 * records to the record.  Off the hot path: allocates and decompresses. */
#include "broker/log/state.h"
#include "common/base/log.h"
#include "common/wire/codec.h"

/* Bound on one batch decompressed; it is our own log, checked when it was appended. */
#define RECORDS_BYTES_MAX ((size_t)1 << 30)

/* Which record of a batch is wanted. */
struct wanted {
	int64_t timestamp_ms; /* at least this */
	int64_t from_offset;
};

static enum err search_segment(struct log *, struct segment *, const struct wanted *,
			       struct log_time *);
static enum err seek_time(struct log *, struct segment *, const struct wanted *, struct hop *);
static enum err search_batch(const struct hop *, const struct wanted *, struct log_time *);
static enum err load_records(const struct hop *, uint8_t *raw, struct codec_buf *,
			     struct str *records);
static enum err largest(struct log *, int64_t *max_time_ms);

static const struct log_time nothing = { .offset = -1,
					 .timestamp_ms = TIME_NONE,
					 .leader_epoch = -1 };

/* Segments whose youngest record is too old are skipped by one number each. */
enum err log_find_time(struct log *l, int64_t timestamp_ms, int64_t bound, struct log_time *out)
{
	struct wanted wanted = { timestamp_ms, l->start };
	enum err e = ERR_OK;

	*out = nothing;
	if (l->failed)
		return ERR_IO;
	for (int32_t i = log_segment_of(l, l->start); i < l->n && out->offset < 0; i++) {
		if ((e = segment_max_time(&l->home, &l->v[i])) != ERR_OK)
			return log_fail(l, e);
		if (l->v[i].max_time_ms < timestamp_ms)
			continue;
		e = log_use(l, i);
		if (e == ERR_OK)
			e = search_segment(l, &l->v[i], &wanted, out);
		if (e != ERR_OK)
			return log_fail(l, e);
	}
	if (out->offset >= bound)
		*out = nothing;
	return ERR_OK;
}

enum err log_find_max_time(struct log *l, int64_t bound, struct log_time *out)
{
	int64_t max_time_ms;
	enum err e;

	*out = nothing;
	if (l->failed)
		return ERR_IO;
	if ((e = largest(l, &max_time_ms)) != ERR_OK)
		return log_fail(l, e);
	return max_time_ms < 0 ? ERR_OK : log_find_time(l, max_time_ms, bound, out);
}

static enum err largest(struct log *l, int64_t *max_time_ms)
{
	*max_time_ms = TIME_NONE;
	for (int32_t i = log_segment_of(l, l->start); i < l->n; i++) {
		enum err e = segment_max_time(&l->home, &l->v[i]);

		if (e != ERR_OK)
			return e;
		*max_time_ms = i64_max(*max_time_ms, l->v[i].max_time_ms);
	}
	return ERR_OK;
}

static enum err search_segment(struct log *l, struct segment *s, const struct wanted *wanted,
			       struct log_time *out)
{
	struct hop hop;
	enum err e = seek_time(l, s, wanted, &hop);

	for (; e == ERR_OK && out->offset < 0;
	     e = hop_next(&hop) == HOP_BATCH ? ERR_OK : ERR_NOT_FOUND)
		if (hop.batch.max_timestamp_ms >= wanted->timestamp_ms &&
		    batch_last_offset(&hop.batch) >= wanted->from_offset)
			if ((e = search_batch(&hop, wanted, out)) != ERR_OK)
				return e;
	if (e == ERR_NOT_FOUND)
		e = hop.err;
	return e;
}

/* To the first batch that may hold it: nothing up to the time entry's offset is younger. */
static enum err seek_time(struct log *l, struct segment *s, const struct wanted *wanted,
			  struct hop *hop)
{
	struct index_entry entry = { s->base, TIME_NONE };
	int32_t at;
	enum err e = segment_open_index(&l->home, s, INDEX_TIME);

	if (e == ERR_OK)
		e = index_floor(&s->index[INDEX_TIME], INDEX_BY_VALUE, wanted->timestamp_ms, &entry,
				&at);
	if (e == ERR_OK)
		e = segment_seek(&l->home, s, i64_max(entry.offset, wanted->from_offset), hop);
	return e;
}

/* Header timestamps say only that some record of the batch qualifies; the records say which. */
static enum err search_batch(const struct hop *hop, const struct wanted *wanted,
			     struct log_time *out)
{
	uint8_t *raw = mem_alloc((size_t)hop->batch.size);
	struct codec_buf plain;
	struct record_walk walk;
	struct record record;
	struct str records;
	enum err e;

	codec_buf_init(&plain, RECORDS_BYTES_MAX);
	if ((e = load_records(hop, raw, &plain, &records)) == ERR_OK) {
		record_walk_init(&walk, &hop->batch, (const uint8_t *)records.at, records.n);
		while (out->offset < 0 && record_walk_next(&walk, &record))
			if (record.timestamp_ms >= wanted->timestamp_ms &&
			    record.offset >= wanted->from_offset)
				*out = (struct log_time){ record.offset, record.timestamp_ms,
							  hop->batch.leader_epoch };
		if (walk.bad)
			e = ERR_CORRUPT;
	}
	if (e == ERR_CORRUPT)
		log_error("log", "a batch's records cannot be read",
			  F_I64("offset", hop->batch.base_offset), F_I64("bytes", hop->batch.size));
	codec_buf_fini(&plain);
	mem_free(raw);
	return e;
}

static enum err load_records(const struct hop *hop, uint8_t *raw, struct codec_buf *plain,
			     struct str *records)
{
	struct codec_state *codecs;
	size_t n = (size_t)hop->batch.size, got;
	enum err e;

	if ((e = hop->file->ops->read(hop->file, raw, n, hop->at, &got)) != ERR_OK)
		return e;
	if (got < n)
		return ERR_CORRUPT;
	*records = (struct str){ (const char *)raw + BATCH_HEADER_BYTES, n - BATCH_HEADER_BYTES };
	if ((hop->batch.attributes & BATCH_CODEC_MASK) == CODEC_NONE)
		return ERR_OK;
	codecs = codec_state_new();
	e = codec_decompress(codecs, hop->batch.attributes & BATCH_CODEC_MASK, *records, plain);
	codec_state_free(codecs);
	*records = plain->n > 0 ? (struct str){ (const char *)plain->at, plain->n } : STR("");
	return e == ERR_OK ? ERR_OK : ERR_CORRUPT;
}
