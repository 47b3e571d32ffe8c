/* header.c - sizes and headers of requests and responses; the layouts are in header.h.
 *
 * kafka_apis is generated from proto/kafka, sorted by key, with the versions that can be decoded;
 * which of them a broker serves is another table (broker/api/table.c). */
#include "common/wire/header.h"

#include "kafka/apis.h"

static void skip_tags(struct reader *);

const struct kafka_api *api_find(int key)
{
	int lo = 0, hi = KAFKA_APIS;

	if (key >= 0 && key < KAFKA_APIS && kafka_apis[key].key == key)
		return &kafka_apis[key]; /* the common ones stand at their own index */
	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (kafka_apis[mid].key == key)
			return &kafka_apis[mid];
		if (kafka_apis[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool api_decodable(int key, int version)
{
	const struct kafka_api *api = api_find(key);

	return api && version >= api->min && version <= api->max;
}

bool api_flexible(int key, int version)
{
	const struct kafka_api *api = api_find(key);

	return api && version >= api->flexible_from;
}

/* The client id keeps its two-byte length in flexible headers too: a broker must be able to read it
 * before it knows whether it knows the version (KIP-482).  What api_flexible is asked about an
 * unknown version does not matter, since that is refused above. */
enum err request_header_decode(struct reader *r, struct request_header *h)
{
	h->api_key = reader_i16(r);
	h->api_version = reader_i16(r);
	h->correlation_id = reader_i32(r);
	h->client_id = reader_str(r, false);
	if (!r->bad && !api_decodable(h->api_key, h->api_version))
		return ERR_UNSUPPORTED;
	if (api_flexible(h->api_key, h->api_version))
		skip_tags(r);
	return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* An ApiVersions response has header version 0 in every version (KIP-511). */
enum err response_header_decode(struct reader *r, int key, int version, int32_t *correlation_id)
{
	*correlation_id = reader_i32(r);
	if (key != API_API_VERSIONS && api_flexible(key, version))
		skip_tags(r);
	return r->bad ? ERR_CORRUPT : ERR_OK;
}

void request_begin(struct writer *w, const struct request_header *h)
{
	ASSERT(writer_at(w) == 0);
	writer_u32(w, 0);
	writer_u16(w, (uint16_t)h->api_key);
	writer_u16(w, (uint16_t)h->api_version);
	writer_u32(w, (uint32_t)h->correlation_id);
	writer_str(w, h->client_id, false);
	if (api_flexible(h->api_key, h->api_version))
		writer_uvarint(w, 0);
}

void response_begin(struct writer *w, int key, int version, int32_t correlation_id)
{
	ASSERT(writer_at(w) == 0);
	writer_u32(w, 0);
	writer_u32(w, (uint32_t)correlation_id);
	if (key != API_API_VERSIONS && api_flexible(key, version))
		writer_uvarint(w, 0);
}

/* A frame whose size does not fit its own prefix cannot be sent; the writer turns bad and the
 * connection is closed. */
void frame_end(struct writer *w)
{
	int64_t size = frame_bytes(w) - (int64_t)sizeof(int32_t);

	if (size > INT32_MAX)
		w->bad = true;
	writer_patch_u32(w, 0, (uint32_t)size);
}

int64_t frame_bytes(const struct writer *w)
{
	return (int64_t)writer_at(w) + w->splice_bytes;
}

/* No header tag has a meaning yet.  A hostile count ends at the first read past the frame. */
static void skip_tags(struct reader *r)
{
	uint32_t n = reader_uvarint(r);

	for (uint32_t i = 0; i < n && !r->bad; i++) {
		reader_uvarint(r);
		reader_take(r, reader_uvarint(r));
	}
}
