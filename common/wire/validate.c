/* The order of checks is the order in which a client may rely on the errors:
 *
 *   one whole batch, magic 2    INVALID_RECORD           validate_shape
 *   zstd below Produce 7        UNSUPPORTED_COMPRESSION
 *   base offset 0               INVALID_RECORD           validate_frame
 *   size                        MESSAGE_TOO_LARGE
 *   checksum                    CORRUPT_MESSAGE
 *   counts, control, sequence   INVALID_RECORD           validate_header
 *   says LogAppendTime          INVALID_TIMESTAMP
 *   each record                 both                     validate_records
 */
#include "common/wire/validate.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/wire/codec.h"

#define NO_TIMESTAMP (-1)
#define GROWTH 20            /* bytes by which rewriting can make a record longer */
#define KEEP_BYTES (1 << 20) /* buffers above this are given back after use */

struct validator {
	struct codec_state *codecs;
	struct codec_buf inflated, recoded, packed;
};

/* What the records said that the header must agree with. */
struct findings {
	struct str records; /* decompressed */
	int64_t max_timestamp_ms;
	bool offsets_wrong; /* other than 0, 1, 2 ... */
};

static bool validate_shape(const struct validate_rules *, struct str, struct validate_result *);
static bool validate_frame(const struct validate_rules *, struct validate_result *);
static bool validate_header(struct validate_result *);
static bool validate_records(struct validator *, const struct validate_rules *, int64_t now_ms,
			     struct validate_result *, struct findings *);
static bool inflate_records(struct validator *, struct validate_result *, struct findings *);
static bool is_fine(const struct validate_rules *, const struct record_scan *, int64_t now_ms);
static bool refuse_records(const struct validate_rules *, int64_t now_ms, struct str records,
			   struct validate_result *);
static const char *record_fault(const struct validate_rules *, const struct record *,
				int64_t now_ms);
static bool is_far_off(const struct validate_rules *, int64_t timestamp_ms, int64_t now_ms);
static void note_fault(struct validate_result *, int32_t index, const char *text);
static bool refuse_faults(const struct validate_rules *, struct validate_result *);
static void finish_header(const struct validate_rules *, int64_t now_ms, const struct findings *,
			  struct validate_result *);
static void rebuild(struct validator *, const struct validate_rules *, const struct findings *,
		    struct validate_result *);
static bool recode_records(struct validator *, struct batch *, struct findings *);
static bool refuse(struct validate_result *, enum kerr, const char *fmt, ...) printf_like(3, 4);

static const char fault_key[] = "a record of a compacted topic needs a key";
static const char fault_time[] = "the timestamp is too far from the broker's clock";

static int codec_of(const struct batch *b)
{
	return b->attributes & BATCH_CODEC_MASK;
}

/* Rewriting a record adds at most GROWTH bytes and a record takes at least 7, so four times the
 * input holds any batch; packed has room for a codec that makes it larger still. */
struct validator *validator_new(size_t inflated_max)
{
	struct validator *v = mem_alloc(sizeof(*v));

	v->codecs = codec_state_new();
	codec_buf_init(&v->inflated, inflated_max);
	codec_buf_init(&v->recoded, 4 * inflated_max);
	codec_buf_init(&v->packed, 5 * inflated_max + KEEP_BYTES);
	return v;
}

void validator_free(struct validator *v)
{
	codec_state_free(v->codecs);
	codec_buf_fini(&v->inflated);
	codec_buf_fini(&v->recoded);
	codec_buf_fini(&v->packed);
	mem_free(v);
}

/* The checks run from cheap to dear and stop at the first that fails.  Three ways to pass:
 *    nothing changed          header and body are the frame's bytes
 *    header fields changed    a new header, sealed with a new CRC; the body is the frame's
 *    codec or offsets wrong   rebuild: everything is written again into the validator's memory */
void validate_batch(struct validator *v, const struct validate_rules *rules, struct str records,
		    int64_t now_ms, struct validate_result *out)
{
	struct findings found = { .max_timestamp_ms = NO_TIMESTAMP };
	int want;

	out->kerr = KERR_NONE;
	out->text[0] = 0;
	out->n_errors = 0;
	out->is_header_new = out->is_rebuilt = false;
	codec_buf_trim(&v->inflated, KEEP_BYTES);
	codec_buf_trim(&v->recoded, KEEP_BYTES);
	codec_buf_trim(&v->packed, KEEP_BYTES);
	if (!validate_shape(rules, records, out) || !validate_frame(rules, out) ||
	    !validate_header(out))
		return;
	want = rules->codec < 0 ? codec_of(&out->batch) : rules->codec;
	found.max_timestamp_ms = out->batch.max_timestamp_ms;
	if (!rules->crc_only || rules->is_compacted || want != codec_of(&out->batch))
		if (!validate_records(v, rules, now_ms, out, &found))
			return;
	finish_header(rules, now_ms, &found, out);
	if (want != codec_of(&out->batch) || found.offsets_wrong) {
		rebuild(v, rules, &found, out);
		return;
	}
	out->body = out->batch.at + BATCH_HEADER_BYTES;
	if (out->is_header_new)
		batch_seal(out->header, &out->batch, out->body,
			   (size_t)out->batch.size - BATCH_HEADER_BYTES);
	else
		memcpy(out->header, out->batch.at, BATCH_HEADER_BYTES);
}

/* Anything that cannot be one whole v2 batch.  The magic is looked at before the size, because old
 * formats have something else there. */
static bool validate_shape(const struct validate_rules *rules, struct str records,
			   struct validate_result *out)
{
	struct batch *b = &out->batch;
	enum batch_state state = batch_view(b, (const uint8_t *)records.at, (int64_t)records.n);

	if (records.n == 0)
		return refuse(out, KERR_INVALID_RECORD,
			      "the record set is empty: send exactly one batch");
	if (records.n > 16 && records.at[16] != 2)
		return refuse(out, KERR_INVALID_RECORD,
			      "magic %d: only record batches of version 2 are taken",
			      records.at[16]);
	if (state == BATCH_SHORT || b->size < BATCH_HEADER_BYTES || b->size > (int64_t)records.n)
		return refuse(out, KERR_CORRUPT_MESSAGE, "the batch says %lld bytes, %zu came",
			      (long long)b->size, records.n);
	if (b->size < (int64_t)records.n)
		return refuse(out, KERR_INVALID_RECORD,
			      "%lld bytes follow the first batch: send exactly one batch",
			      (long long)records.n - (long long)b->size);
	if (codec_of(b) == CODEC_ZSTD && !rules->zstd_allowed)
		return refuse(out, KERR_UNSUPPORTED_COMPRESSION_TYPE,
			      "zstd needs Produce version 7 or later");
	return true;
}

/* The CRC of a produced batch is checked here and nowhere else on this broker; followers check it
 * again when they fetch, and recovery when it reads the file. */
static bool validate_frame(const struct validate_rules *rules, struct validate_result *out)
{
	const struct batch *b = &out->batch;

	if (b->base_offset != 0)
		return refuse(out, KERR_INVALID_RECORD,
			      "base offset %lld: a producer's batch begins at 0",
			      (long long)b->base_offset);
	if (b->size > rules->message_bytes_max)
		return refuse(out, KERR_MESSAGE_TOO_LARGE,
			      "the batch has %lld bytes, max.message.bytes allows %d: raise it for "
			      "the topic, "
			      "or lower the producer's batch.size",
			      (long long)b->size, rules->message_bytes_max);
	if (!batch_crc_ok(b))
		return refuse(out, KERR_CORRUPT_MESSAGE,
			      "the checksum does not match the batch's bytes");
	return true;
}

/* A producer id without epoch and sequence would slip past the duplicate check; a control batch or
 * a delete horizon from a client would be obeyed by every reader. */
static bool validate_header(struct validate_result *out)
{
	const struct batch *b = &out->batch;

	if (b->n_records <= 0 || b->last_offset_delta != b->n_records - 1)
		return refuse(out, KERR_INVALID_RECORD,
			      "%d records, but the last offset delta is %d", b->n_records,
			      b->last_offset_delta);
	if (b->attributes & BATCH_CONTROL)
		return refuse(out, KERR_INVALID_RECORD, "only brokers write control batches");
	if (b->attributes & BATCH_DELETE_HORIZON)
		return refuse(out, KERR_INVALID_RECORD, "only brokers set a delete horizon");
	if (b->producer_id >= 0 && (b->base_sequence < 0 || b->producer_epoch < 0))
		return refuse(out, KERR_INVALID_RECORD,
			      "producer id %lld with sequence %d, epoch %d",
			      (long long)b->producer_id, b->base_sequence, b->producer_epoch);
	if (b->producer_id < 0 && (b->attributes & BATCH_TRANSACTIONAL))
		return refuse(out, KERR_INVALID_RECORD,
			      "a transactional batch needs a producer id");
	if (b->attributes & BATCH_LOG_APPEND_TIME)
		return refuse(out, KERR_INVALID_TIMESTAMP, "a producer must not say LogAppendTime");
	if (codec_of(b) >= CODECS)
		return refuse(out, KERR_UNSUPPORTED_COMPRESSION_TYPE, "codec %d is unknown",
			      codec_of(b));
	return true;
}

/* One cheap pass answers whether anything is wrong; who is to blame is asked only then. */
static bool validate_records(struct validator *v, const struct validate_rules *rules,
			     int64_t now_ms, struct validate_result *out, struct findings *found)
{
	struct record_scan scan;

	if (!inflate_records(v, out, found))
		return false;
	if (!record_scan(&out->batch, (const uint8_t *)found->records.at, found->records.n, &scan))
		return refuse(out, KERR_INVALID_RECORD,
			      "the records are malformed, or not the %d that the header says",
			      out->batch.n_records);
	found->max_timestamp_ms = scan.max_timestamp_ms;
	found->offsets_wrong = scan.offsets_wrong;
	if (is_fine(rules, &scan, now_ms))
		return true;
	return refuse_records(rules, now_ms, found->records, out);
}

static bool is_fine(const struct validate_rules *rules, const struct record_scan *scan,
		    int64_t now_ms)
{
	if (rules->is_compacted && scan->n_without_key > 0)
		return false;
	if (rules->log_append_time || scan->min_timestamp_ms == INT64_MAX)
		return true;
	return !is_far_off(rules, scan->min_timestamp_ms, now_ms) &&
	       !is_far_off(rules, scan->max_timestamp_ms, now_ms);
}

/* The slow second pass that names up to VALIDATE_ERRORS_MAX records (KIP-467). */
static bool refuse_records(const struct validate_rules *rules, int64_t now_ms, struct str records,
			   struct validate_result *out)
{
	struct record_walk walk;
	struct record r;

	record_walk_init(&walk, &out->batch, (const uint8_t *)records.at, records.n);
	for (int32_t i = 0; record_walk_next(&walk, &r); i++) {
		const char *fault = record_fault(rules, &r, now_ms);

		if (fault != NULL)
			note_fault(out, i, fault);
	}
	ASSERT(out->n_errors > 0);
	return refuse_faults(rules, out);
}

static bool inflate_records(struct validator *v, struct validate_result *out,
			    struct findings *found)
{
	const struct batch *b = &out->batch;
	struct str body = { (const char *)b->at + BATCH_HEADER_BYTES,
			    (size_t)b->size - BATCH_HEADER_BYTES };
	enum err e;

	found->records = body;
	if (codec_of(b) == CODEC_NONE)
		return true;
	e = codec_decompress(v->codecs, codec_of(b), body, &v->inflated);
	if (e == ERR_LIMIT)
		return refuse(out, KERR_MESSAGE_TOO_LARGE,
			      "decompressed, the batch passes %zu bytes", v->inflated.max);
	if (e != ERR_OK)
		return refuse(out, KERR_CORRUPT_MESSAGE, "the records are not valid %s",
			      codec_name(codec_of(b)));
	found->records = (struct str){ (const char *)v->inflated.at, v->inflated.n };
	return true;
}

static const char *record_fault(const struct validate_rules *rules, const struct record *r,
				int64_t now_ms)
{
	if (rules->is_compacted && str_null(r->key))
		return fault_key;
	if (!rules->log_append_time && r->timestamp_ms != NO_TIMESTAMP &&
	    is_far_off(rules, r->timestamp_ms, now_ms))
		return fault_time;
	return NULL;
}

/* The limits default to the largest number: compare without overflow. */
static bool is_far_off(const struct validate_rules *rules, int64_t timestamp_ms, int64_t now_ms)
{
	int64_t apart;

	if (__builtin_sub_overflow(timestamp_ms, now_ms, &apart))
		return true;
	return apart > rules->after_max_ms || apart < -rules->before_max_ms;
}

static void note_fault(struct validate_result *out, int32_t index, const char *text)
{
	if (out->n_errors < VALIDATE_ERRORS_MAX)
		out->errors[out->n_errors++] = (struct validate_error){ index, text };
}

static bool refuse_faults(const struct validate_rules *rules, struct validate_result *out)
{
	const struct validate_error *first = &out->errors[0];

	if (first->text == fault_key)
		return refuse(out, KERR_INVALID_RECORD, "record %d: %s", first->index, first->text);
	return refuse(out, KERR_INVALID_TIMESTAMP,
		      "record %d: %s: message.timestamp.before.max.ms is %lld, after.max.ms %lld",
		      first->index, first->text, (long long)rules->before_max_ms,
		      (long long)rules->after_max_ms);
}

/* With LogAppendTime the base timestamp stays: readers take the maximum for every record. */
static void finish_header(const struct validate_rules *rules, int64_t now_ms,
			  const struct findings *found, struct validate_result *out)
{
	struct batch *b = &out->batch;
	int64_t max = rules->log_append_time ? now_ms : found->max_timestamp_ms;

	out->is_header_new = rules->log_append_time || b->max_timestamp_ms != max;
	b->max_timestamp_ms = max;
	if (rules->log_append_time)
		b->attributes |= BATCH_LOG_APPEND_TIME;
}

/* Recompression or wrong offsets: the only two reasons to write a producer's records anew. */
static void rebuild(struct validator *v, const struct validate_rules *rules,
		    const struct findings *seen, struct validate_result *out)
{
	struct findings found = *seen;
	struct batch *b = &out->batch;
	int codec = rules->codec < 0 ? codec_of(b) : rules->codec;
	int32_t level = rules->codec < 0 ? CODEC_LEVEL_DEFAULT : rules->codec_level;
	enum err e;

	if (found.offsets_wrong && !recode_records(v, b, &found)) {
		(void)refuse(out, KERR_MESSAGE_TOO_LARGE,
			     "with its offsets put right, the batch is too large");
		return;
	}
	e = codec_compress(v->codecs, codec, level, found.records, &v->packed);
	if (e != ERR_OK ||
	    v->packed.n > (size_t)i32_max(0, rules->message_bytes_max - BATCH_HEADER_BYTES)) {
		(void)refuse(out, KERR_MESSAGE_TOO_LARGE,
			     "as %s the batch has %zu bytes, max.message.bytes allows %d",
			     codec_name(codec), v->packed.n + BATCH_HEADER_BYTES,
			     rules->message_bytes_max);
		return;
	}
	b->attributes = (uint16_t)((b->attributes & ~BATCH_CODEC_MASK) | codec);
	b->size = (int64_t)v->packed.n + BATCH_HEADER_BYTES;
	batch_seal(out->header, b, v->packed.at, v->packed.n);
	out->body = v->packed.at;
	out->is_header_new = out->is_rebuilt = true;
}

/* Writes the records anew with the offset deltas 0, 1, 2 ...  A wrong delta takes up to five bytes,
 * its right one too, and timestamps get the first record's as their base. */
static bool recode_records(struct validator *v, struct batch *b, struct findings *found)
{
	struct batch plain = *b;
	struct batch_builder to;
	struct record_walk walk;
	struct record r;

	v->recoded.n = 0;
	if (!codec_buf_room(&v->recoded,
			    BATCH_HEADER_BYTES + found->records.n + (size_t)b->n_records * GROWTH))
		return false;
	batch_builder_init(&to, v->recoded.at, v->recoded.cap);
	plain.attributes = 0; /* the records' own timestamps, not the log's */
	record_walk_init(&walk, &plain, (const uint8_t *)found->records.at, found->records.n);
	while (record_walk_next(&walk, &r))
		if (!batch_builder_add(&to, &r))
			return false;
	b->base_timestamp_ms = to.head.base_timestamp_ms;
	found->records =
		(struct str){ (const char *)to.at + BATCH_HEADER_BYTES, to.n - BATCH_HEADER_BYTES };
	return true;
}

static bool refuse(struct validate_result *out, enum kerr kerr, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out->text, sizeof(out->text), fmt, args);
	va_end(args);
	out->kerr = kerr;
	return false;
}
