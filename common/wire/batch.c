/* batch.c - record batches, version 2 of the message format (magic 2; KIP-98, KIP-32).
 *
 * The header's layout is in batch.h.  A record, after its zigzag length:
 *
 *   i8      attributes, 0                      varint  key length, key
 *   varlong timestamp delta, ms from base      varint  value length, value
 *   varint  offset delta, from base            varint  header count, then per header:
 *                                                      varint length, key, varint length, value
 *
 * All integers are zigzag varints; length -1 is null, which a header's key cannot be.
 *
 * Two readers: record_scan makes the one pass of the produce path over framing, timestamps and
 * keys; record_walk hands records out and serves everything off it.  Both take nothing on trust. */
#include "common/wire/batch.h"

#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/varint.h"

#define CRC_FROM 21 /* the CRC covers attributes to end */

/* What is left of a record; every take_ returns false at the first byte that does not fit. */
struct cursor {
	const uint8_t *at, *end;
};
static inline bool take_varint(struct cursor *, int32_t *);
static inline bool take_varlong(struct cursor *, int64_t *);
static bool take_bytes(struct cursor *, struct str *);
static bool take_record(struct cursor *, const struct batch *, struct record *);
static inline bool scan_one(struct cursor *, const struct batch *, int32_t i, struct record_scan *);
static inline bool skip_bytes(struct cursor *, bool *is_null);
static uint8_t *put_bytes(uint8_t *to, struct str);
static void put_header(uint8_t *to, const struct batch *);

/* The largest base offset leaves room for base + delta without overflow, so batch_last_offset needs
 * no check.  Fields are filled before the verdict, because the refusal names them. */
enum batch_state batch_view(struct batch *b, const uint8_t *at, int64_t n)
{
	*b = (struct batch){ .at = at };
	if (n < BATCH_HEADER_BYTES)
		return BATCH_SHORT;
	b->base_offset = (int64_t)load_be64(at);
	b->size = (int64_t)(int32_t)load_be32(at + 8) + BATCH_OVERHEAD;
	b->leader_epoch = (int32_t)load_be32(at + 12);
	b->magic = (int8_t)at[16];
	b->crc = load_be32(at + 17);
	b->attributes = load_be16(at + 21);
	b->last_offset_delta = (int32_t)load_be32(at + 23);
	b->base_timestamp_ms = (int64_t)load_be64(at + 27);
	b->max_timestamp_ms = (int64_t)load_be64(at + 35);
	b->producer_id = (int64_t)load_be64(at + 43);
	b->producer_epoch = (int16_t)load_be16(at + 51);
	b->base_sequence = (int32_t)load_be32(at + 53);
	b->n_records = (int32_t)load_be32(at + 57);
	if (b->magic != 2 || b->size < BATCH_HEADER_BYTES)
		return BATCH_BAD;
	if (b->base_offset < 0 || b->base_offset > INT64_MAX - INT32_MAX - 1)
		return BATCH_BAD;
	if (b->last_offset_delta < 0 || b->n_records < 0)
		return BATCH_BAD;
	return BATCH_OK;
}

/* Called once per hop: by validate_frame for what a producer sent, by follow_apply for what a
 * follower fetched.  Recovery extends the CRC over chunks instead (broker/log/scan.c). */
bool batch_crc_ok(const struct batch *b)
{
	ASSERT(b->size >= BATCH_HEADER_BYTES);
	return crc32c(0, b->at + CRC_FROM, (size_t)b->size - CRC_FROM) == b->crc;
}

int64_t batch_last_offset(const struct batch *b)
{
	return b->base_offset + b->last_offset_delta;
}

/* Sequences count from 0 to 2^31 - 1 and begin again (KIP-98), so the sum wraps in 31 bits. */
int32_t batch_last_sequence(const struct batch *b)
{
	if (b->base_sequence < 0)
		return -1;
	return (int32_t)(((int64_t)b->base_sequence + b->last_offset_delta) & INT32_MAX);
}

void batch_stamp(uint8_t out[BATCH_HEADER_BYTES], const uint8_t *header, int64_t base_offset,
		 int32_t leader_epoch)
{
	memcpy(out, header, BATCH_HEADER_BYTES);
	store_be64(out, (uint64_t)base_offset);
	store_be32(out + 12, (uint32_t)leader_epoch);
}

/* Two crc32c calls, since header and body are not neighbours in memory. */
void batch_seal(uint8_t out[BATCH_HEADER_BYTES], const struct batch *b, const uint8_t *body,
		size_t n)
{
	uint32_t crc;

	ASSERT(n <= INT32_MAX - BATCH_HEADER_BYTES);
	put_header(out, b);
	store_be32(out + 8, (uint32_t)(n + BATCH_HEADER_BYTES - BATCH_OVERHEAD));
	crc = crc32c(0, out + CRC_FROM, BATCH_HEADER_BYTES - CRC_FROM);
	store_be32(out + 17, crc32c(crc, body, n));
}

void record_walk_init(struct record_walk *w, const struct batch *b, const uint8_t *records,
		      size_t n)
{
	static const uint8_t nothing[1];

	*w = (struct record_walk){ .batch = b,
				   .at = n > 0 ? records : nothing,
				   .left = b->n_records };
	w->end = w->at + n;
}

/* The cursor's end is moved to the record's own, so that no field can reach into
 * the next record. */
bool record_walk_next(struct record_walk *w, struct record *out)
{
	struct cursor c = { w->at, w->end };
	int32_t length;

	if (w->bad || w->left <= 0) {
		w->bad = w->bad || w->at != w->end; /* bytes after the last record are nobody's */
		return false;
	}
	if (!take_varint(&c, &length) || length < 0 || length > c.end - c.at) {
		w->bad = true;
		return false;
	}
	c.end = c.at + length;
	if (!take_record(&c, w->batch, out)) {
		w->bad = true;
		return false;
	}
	w->at = c.end;
	w->left--;
	return true;
}

/* The loop behind every produced record: no allocation, nothing stored, each byte of framing looked
 * at once. */
bool record_scan(const struct batch *b, const uint8_t *records, size_t n, struct record_scan *out)
{
	struct cursor c = { records, records };
	int32_t length;

	*out = (struct record_scan){ .min_timestamp_ms = INT64_MAX, .max_timestamp_ms = -1 };
	if (n == 0)
		return b->n_records == 0;
	for (int32_t i = 0; i < b->n_records; i++) {
		c.end = records + n;
		if (!take_varint(&c, &length) || length < 0 || length > c.end - c.at)
			return false;
		c.end = c.at + length;
		if (!scan_one(&c, b, i, out))
			return false;
		c.at = c.end;
	}
	return c.at == records + n;
}

void header_walk_init(struct header_walk *w, const struct record *r)
{
	*w = (struct header_walk){ .at = r->headers, .end = r->headers_end, .left = r->n_headers };
}

bool header_walk_next(struct header_walk *w, struct str *key, struct str *value)
{
	struct cursor c = { w->at, w->end };

	if (w->bad || w->left <= 0) {
		w->bad = w->bad || w->at != w->end;
		return false;
	}
	if (!take_bytes(&c, key) || str_null(*key) || !take_bytes(&c, value)) {
		w->bad = true;
		return false;
	}
	w->at = c.at;
	w->left--;
	return true;
}

void batch_builder_init(struct batch_builder *w, uint8_t *at, size_t cap)
{
	*w = (struct batch_builder){ .at = at, .n = BATCH_HEADER_BYTES, .cap = cap };
	w->head = (struct batch){ .at = at,
				  .magic = 2,
				  .leader_epoch = -1,
				  .producer_id = -1,
				  .producer_epoch = -1,
				  .base_sequence = -1,
				  .max_timestamp_ms = -1 };
	w->full = cap < BATCH_HEADER_BYTES;
}

/* The record's length stands in front of it, so what precedes the key goes into `small` first.  The
 * subtraction is unsigned: timestamps are the client's and may be anything. */
bool batch_builder_add(struct batch_builder *w, const struct record *r)
{
	uint8_t small[4 * VARINT_MAX + VARLONG_MAX], *p = small;
	size_t n_headers = r->n_headers > 0 ? (size_t)(r->headers_end - r->headers) : 0, length,
	       fixed;

	if (w->head.n_records == 0)
		w->head.base_timestamp_ms = r->timestamp_ms;
	*p++ = 0;
	p += varlong_put(
		p, (int64_t)((uint64_t)r->timestamp_ms - (uint64_t)w->head.base_timestamp_ms));
	p += varint_put(p, w->head.n_records);
	fixed = (size_t)(p - small);
	length = fixed + varint_size(str_null(r->key) ? -1 : (int32_t)r->key.n) + r->key.n +
		 varint_size(str_null(r->value) ? -1 : (int32_t)r->value.n) + r->value.n +
		 varint_size(r->n_headers) + n_headers;
	w->full = w->full || length > INT32_MAX / 2 || w->cap - w->n < length + VARINT_MAX;
	if (w->full)
		return false;
	p = w->at + w->n;
	p += varint_put(p, (int32_t)length);
	memcpy(p, small, fixed);
	p = put_bytes(p + fixed, r->key);
	p = put_bytes(p, r->value);
	p += varint_put(p, r->n_headers);
	if (n_headers > 0)
		memcpy(p, r->headers, n_headers);
	w->n = (size_t)(p - w->at) + n_headers;
	w->head.max_timestamp_ms = i64_max(w->head.max_timestamp_ms, r->timestamp_ms);
	w->head.last_offset_delta = w->head.n_records++;
	return true;
}

size_t batch_builder_finish(struct batch_builder *w)
{
	if (w->full || w->head.n_records == 0)
		return 0;
	w->head.size = (int64_t)w->n;
	batch_seal(w->at, &w->head, w->at + BATCH_HEADER_BYTES, w->n - BATCH_HEADER_BYTES);
	w->head.crc = load_be32(w->at + 17);
	return w->n;
}

size_t record_size_max(const struct record *r)
{
	size_t n_headers = r->n_headers > 0 ? (size_t)(r->headers_end - r->headers) : 0;

	return 1 + 5 * VARINT_MAX + VARLONG_MAX + r->key.n + r->value.n + n_headers;
}

/* One or two bytes nearly always: lengths below 8192, deltas of neighbours. */
static inline bool take_short(struct cursor *c, int64_t *out)
{
	if (c->end - c->at >= 2 && c->at[0] >= 0x80 && c->at[1] < 0x80) {
		*out = unzigzag((uint64_t)(c->at[0] & 0x7f) | (uint64_t)c->at[1] << 7);
		c->at += 2;
		return true;
	}
	if (c->at < c->end && c->at[0] < 0x80) {
		*out = unzigzag(*c->at++);
		return true;
	}
	return false;
}

static inline bool take_varint(struct cursor *c, int32_t *out)
{
	int64_t v;
	size_t n;

	if (__builtin_expect(take_short(c, &v), 1)) {
		*out = (int32_t)v;
		return true;
	}
	n = varint_get(c->at, (size_t)(c->end - c->at), out);
	c->at += n;
	return n > 0;
}

static inline bool take_varlong(struct cursor *c, int64_t *out)
{
	size_t n;

	if (__builtin_expect(take_short(c, out), 1))
		return true;
	n = varlong_get(c->at, (size_t)(c->end - c->at), out);
	c->at += n;
	return n > 0;
}

/* Null and empty keep their difference: at is NULL only for length -1. */
static bool take_bytes(struct cursor *c, struct str *out)
{
	int32_t n;

	if (!take_varint(c, &n) || n < -1 || n > c->end - c->at)
		return false;
	*out = (struct str){ n < 0 ? NULL : (const char *)c->at, n < 0 ? 0 : (size_t)n };
	c->at += out->n;
	return true;
}

/* The headers are only skipped: a walk over them checks that they end where the record does. */
static bool take_record(struct cursor *c, const struct batch *b, struct record *out)
{
	int64_t timestamp_delta;
	int32_t offset_delta;

	if (c->at == c->end)
		return false;
	c->at++; /* attributes: unused */
	if (!take_varlong(c, &timestamp_delta) || !take_varint(c, &offset_delta))
		return false;
	if (!take_bytes(c, &out->key) || !take_bytes(c, &out->value))
		return false;
	if (!take_varint(c, &out->n_headers) || out->n_headers < 0)
		return false;
	if (out->n_headers == 0 && c->at != c->end)
		return false;
	if (out->n_headers > (c->end - c->at) / 2)
		return false;
	out->headers = c->at;
	out->headers_end = c->end;
	out->offset = b->base_offset + offset_delta;
	out->timestamp_ms =
		b->attributes & BATCH_LOG_APPEND_TIME
			? b->max_timestamp_ms
			: (int64_t)((uint64_t)b->base_timestamp_ms + (uint64_t)timestamp_delta);
	return true;
}

/* A header takes two bytes at least (key length, value length), which bounds their count before any
 * is looked at.  A timestamp of -1 means "none" and is held against nobody. */
static inline bool scan_one(struct cursor *c, const struct batch *b, int32_t i,
			    struct record_scan *out)
{
	int64_t delta, timestamp_ms;
	int32_t offset, n_headers;
	bool no_key, no_value;

	if (c->at == c->end)
		return false;
	c->at++;
	if (!take_varlong(c, &delta) || !take_varint(c, &offset) || !skip_bytes(c, &no_key) ||
	    !skip_bytes(c, &no_value) || !take_varint(c, &n_headers))
		return false;
	if (n_headers < 0 || n_headers > (c->end - c->at) / 2 ||
	    (n_headers == 0 && c->at != c->end))
		return false;
	timestamp_ms = (int64_t)((uint64_t)b->base_timestamp_ms + (uint64_t)delta);
	if (timestamp_ms != -1)
		out->min_timestamp_ms = i64_min(out->min_timestamp_ms, timestamp_ms);
	out->max_timestamp_ms = i64_max(out->max_timestamp_ms, timestamp_ms);
	out->n_without_key += no_key;
	out->offsets_wrong |= offset != i;
	return true;
}

static inline bool skip_bytes(struct cursor *c, bool *is_null)
{
	int32_t n;

	if (!take_varint(c, &n) || n < -1 || n > c->end - c->at)
		return false;
	*is_null = n < 0;
	c->at += n < 0 ? 0 : n;
	return true;
}

static uint8_t *put_bytes(uint8_t *to, struct str s)
{
	to += varint_put(to, str_null(s) ? -1 : (int32_t)s.n);
	if (s.n > 0)
		memcpy(to, s.at, s.n);
	return to + s.n;
}

/* All fields but batchLength and the CRC, which batch_seal knows. */
static void put_header(uint8_t *to, const struct batch *b)
{
	store_be64(to, (uint64_t)b->base_offset);
	store_be32(to + 12, (uint32_t)b->leader_epoch);
	to[16] = 2;
	store_be16(to + 21, b->attributes);
	store_be32(to + 23, (uint32_t)b->last_offset_delta);
	store_be64(to + 27, (uint64_t)b->base_timestamp_ms);
	store_be64(to + 35, (uint64_t)b->max_timestamp_ms);
	store_be64(to + 43, (uint64_t)b->producer_id);
	store_be16(to + 51, (uint16_t)b->producer_epoch);
	store_be32(to + 53, (uint32_t)b->base_sequence);
	store_be32(to + 57, (uint32_t)b->n_records);
}
