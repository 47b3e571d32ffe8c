/* batch.h - record batch v2: a view of its header, its check, a walk over its records.
 *
 *   off len field                    off len field
 *     0   8 baseOffset                27   8 baseTimestamp (delete horizon when attribute bit 6)
 *     8   4 batchLength (total - 12)  35   8 maxTimestamp
 *    12   4 partitionLeaderEpoch      43   8 producerId
 *    16   1 magic = 2                 51   2 producerEpoch
 *    17   4 crc32c of 21..end         53   4 baseSequence
 *    21   2 attributes                57   4 record count
 *    23   4 lastOffsetDelta           61     records, compressed as one block
 *
 * Base offset and leader epoch lie outside the CRC: a leader stamps them without touching it.
 * Records are decoded only off the hot path (recompression, time lookup, compaction).
 * Pure; views borrow the caller's bytes. */
#pragma once
#include "common/base/base.h"

#define BATCH_HEADER_BYTES 61
#define BATCH_OVERHEAD 12 /* bytes that batchLength does not count */

enum batch_attr {
	BATCH_CODEC_MASK = 7,
	BATCH_LOG_APPEND_TIME = 8,
	BATCH_TRANSACTIONAL = 16,
	BATCH_CONTROL = 32,
	BATCH_DELETE_HORIZON = 64,
};

struct batch {
	const uint8_t *at; /* the batch's first byte */
	int64_t size;      /* total bytes: batchLength + 12 */
	int64_t base_offset;
	int32_t leader_epoch;
	int8_t magic;
	uint32_t crc;
	uint16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp_ms, max_timestamp_ms;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t n_records;
};

enum batch_state { BATCH_OK, BATCH_SHORT, BATCH_BAD }; /* SHORT: more bytes are needed */
/* Parses a header; needs at least BATCH_HEADER_BYTES of n and does not need the body.  BAD: not a
 * v2 batch, or numbers no writer produces; the fields are filled all the same, to say why. */
enum batch_state batch_view(struct batch *, const uint8_t *at, int64_t n);
bool batch_crc_ok(const struct batch *); /* needs the whole batch at `at` */
int64_t batch_last_offset(const struct batch *);
int32_t batch_last_sequence(const struct batch *); /* wraps at 2^31; -1 without sequence */
/* Copies the header with base offset and leader epoch replaced. */
void batch_stamp(uint8_t out[BATCH_HEADER_BYTES], const uint8_t *header, int64_t base_offset,
		 int32_t leader_epoch);

struct record {
	int64_t offset, timestamp_ms;
	struct str key, value; /* null: at == NULL */
	int32_t n_headers;
	const uint8_t *headers, *headers_end; /* raw, n_headers of them */
};
/* Walks the records in `records` (decompressed) of a batch; sticky: bad is set on the first
 * malformed byte and the walk ends. */
struct record_walk {
	const struct batch *batch;
	const uint8_t *at, *end;
	int32_t left;
	bool bad;
};
void record_walk_init(struct record_walk *, const struct batch *, const uint8_t *records, size_t n);
bool record_walk_next(struct record_walk *, struct record *);
struct header_walk {
	const uint8_t *at, *end;
	int32_t left;
	bool bad;
};
void header_walk_init(struct header_walk *, const struct record *);
bool header_walk_next(struct header_walk *, struct str *key, struct str *value);

/* One pass over the framing of all records, for the produce path: no record is looked at twice
 * and none is handed out.  False: malformed, fewer or more than the header says. */
struct record_scan {
	int64_t min_timestamp_ms, max_timestamp_ms; /* of those that have one (not -1) */
	int32_t n_without_key;
	bool offsets_wrong; /* deltas other than 0, 1, 2 ... */
};
bool record_scan(const struct batch *, const uint8_t *records, size_t n, struct record_scan *);

/* Writes one uncompressed batch into memory of the caller: control batches, the records of the
 * coordinators, rebuilt client batches, tests.  Offset deltas are 0, 1, 2 ... */
struct batch_builder {
	uint8_t *at;
	size_t n, cap;
	bool full;         /* a record did not fit; sticky */
	struct batch head; /* the caller's: attributes, producer, base offset and epoch */
};
void batch_builder_init(struct batch_builder *, uint8_t *at, size_t cap);
/* `r`: timestamp, key, value, raw headers; its offset is ignored. */
bool batch_builder_add(struct batch_builder *, const struct record *);
/* The finished batch's size, CRC and all; 0 when it did not fit or holds no record. */
size_t batch_builder_finish(struct batch_builder *);
/* Bytes that a record takes at this place; an upper bound for sizing buffers. */
size_t record_size_max(const struct record *);
/* Rewrites a header from its view, with the CRC over it and the body that follows at `body`. */
void batch_seal(uint8_t out[BATCH_HEADER_BYTES], const struct batch *, const uint8_t *body,
		size_t n);
