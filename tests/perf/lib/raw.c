/* raw.c - see raw.h. */
#include "tests/perf/lib/raw.h"

#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/varint.h"
#include "common/wire/batch.h"
#include "common/wire/header.h"

size_t raw_record(uint8_t *to, int32_t delta, const void *value, int32_t n)
{
	uint8_t body[32];
	size_t at = 0, head;

	body[at++] = 0; /* attributes */
	body[at++] = 0; /* timestamp delta */
	at += varint_put(body + at, delta);
	at += varint_put(body + at, -1); /* no key */
	at += varint_put(body + at, n);
	head = varint_put(to, (int32_t)at + n + 1);
	memcpy(to + head, body, at);
	memcpy(to + head + at, value, (size_t)n);
	to[head + at + (size_t)n] = 0; /* no headers */
	return head + at + (size_t)n + 1;
}

void raw_batch(uint8_t *batch, size_t end, int32_t n_records, int64_t now_ms)
{
	memset(batch, 0, BATCH_HEADER_BYTES);
	store_be32(batch + 8, (uint32_t)(end - BATCH_OVERHEAD));
	store_be32(batch + 12, UINT32_MAX);
	batch[16] = 2;
	store_be32(batch + 23, (uint32_t)n_records - 1);
	store_be64(batch + 27, (uint64_t)now_ms);
	store_be64(batch + 35, (uint64_t)now_ms);
	memset(batch + 43, 0xff, 14); /* no producer id, epoch, sequence */
	store_be32(batch + 57, (uint32_t)n_records);
}

void raw_batch_crc(uint8_t *batch, size_t end)
{
	store_be32(batch + 17, crc32c(0, batch + 21, end - 21));
}

struct buf *raw_encode(struct env *env, int key, int version, const struct schema *schema,
		       const void *body)
{
	struct request_header h = { .api_key = (int16_t)key,
				    .api_version = (int16_t)version,
				    .client_id = STR("load") };
	struct writer w;
	struct buf *out;

	writer_init(&w, env->bufs, 512);
	request_begin(&w, &h);
	schema_encode(schema, version, body, &w);
	frame_end(&w);
	out = writer_take(&w);
	writer_fini(&w);
	ASSERT(out);
	return out;
}

bool raw_decode(struct arena *a, int key, int version, const struct buf *frame,
		const struct schema *schema, void *out)
{
	struct reader r;
	int32_t correlation;

	arena_reset(a);
	reader_init(&r, frame->at, frame->len);
	return response_header_decode(&r, key, version, &correlation) == ERR_OK &&
	       schema_decode(schema, version, &r, a, out) == ERR_OK;
}

bool raw_leader_addr(const struct metadata_response *r, int32_t id, struct peer_addr *out)
{
	for (int32_t i = 0; i < r->n_brokers; i++) {
		if (r->brokers[i].node_id != id || r->brokers[i].host.n >= sizeof(out->host))
			continue;
		memcpy(out->host, r->brokers[i].host.at, r->brokers[i].host.n);
		out->host[r->brokers[i].host.n] = 0;
		out->port = r->brokers[i].port;
		return true;
	}
	return false;
}
