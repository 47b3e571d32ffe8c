/* header.h - what stands before a message: the size, the request header, the response header.
 *
 *   request   i32 size | i16 api key | i16 version | i32 correlation id | str client id [| tags]
 *   response  i32 size | i32 correlation id [| tags]
 *
 * The tags are there exactly when the body is flexible (client id keeps its long form), except
 * that an ApiVersions response never has them: its reader does not know yet what we speak.
 * The size does not count itself, and counts spliced records.  One frame per writer.
 * Source: KIP-482, KIP-511. */
#pragma once
#include "common/base/base.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

struct kafka_api;
struct request_header {
	int16_t api_key, api_version;
	int32_t correlation_id;
	struct str client_id; /* a view into the frame; may be null */
};

const struct kafka_api *api_find(int key); /* NULL: the wire does not know it */
bool api_decodable(int key, int version);  /* min..max of kafka_apis, not what is advertised */
bool api_flexible(int key, int version);   /* false for unknown keys */

/* The reader starts behind the size.  ERR_UNSUPPORTED: key or version unknown, the four fields are
 * set all the same and the body must not be read; ERR_CORRUPT: close the connection. */
must_check enum err request_header_decode(struct reader *, struct request_header *);
must_check enum err response_header_decode(struct reader *, int key, int version,
					   int32_t *correlation_id);

/* Begin writes the size's place and the header; frame_end, after the body, patches the size. */
void request_begin(struct writer *, const struct request_header *);
void response_begin(struct writer *, int key, int version, int32_t correlation_id);
void frame_end(struct writer *);
int64_t frame_bytes(const struct writer *); /* on the wire, with size prefix and splices */
