/* raw.h - the little that our own load generators share: requests and records built by hand, so
 * that a client costs next to nothing. */
#pragma once
#include "common/base/arena.h"
#include "common/env/env.h"
#include "common/wire/schema.h"
#include "kafka/metadata.h"

#define RAW_SIZE_BYTES 4 /* the conn writes the size: what is encoded before it is skipped */

/* One record without key and headers, `delta` the place in its batch; returns its bytes, at most
 * n + 32. */
size_t raw_record(uint8_t *to, int32_t delta, const void *value, int32_t n);
/* The 61 bytes in front of `records` that reach to `end`; without a producer id, which the caller
 * puts in before raw_batch_crc. */
void raw_batch(uint8_t *batch, size_t end, int32_t n_records, int64_t now_ms);
void raw_batch_crc(uint8_t *batch, size_t end);

/* A frame, size included; the caller's reference. */
struct buf *raw_encode(struct env *, int key, int version, const struct schema *, const void *);
/* False: not an answer of that kind.  The arena is reset. */
bool raw_decode(struct arena *, int key, int version, const struct buf *frame,
		const struct schema *, void *out);
bool raw_leader_addr(const struct metadata_response *, int32_t id, struct peer_addr *out);
