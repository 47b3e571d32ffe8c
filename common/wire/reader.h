/* reader.h - big-endian values out of untrusted bytes, with a sticky error.
 *
 * Read everything, then look at `bad` once: after the first overrun or malformed value every read
 * gives 0 or null, reads nothing, and the position stays.  Strings are views into the bytes and
 * live as long as they do.  Pure; a reader belongs to one stack frame.
 * Source: "Protocol Primitive Types" of the Kafka protocol guide; KIP-482 for the compact forms. */
#pragma once
#include "common/base/base.h"

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

void reader_init(struct reader *, const void *at, size_t n);
size_t reader_left(const struct reader *); /* 0 once bad */
bool reader_fail(struct reader *);         /* marks it bad, gives false */

uint8_t reader_u8(struct reader *);
int8_t reader_i8(struct reader *);
int16_t reader_i16(struct reader *);
uint16_t reader_u16(struct reader *);
int32_t reader_i32(struct reader *);
uint32_t reader_u32(struct reader *);
int64_t reader_i64(struct reader *);
uint64_t reader_u64(struct reader *);
double reader_f64(struct reader *);
struct uuid reader_uuid(struct reader *);
uint32_t reader_uvarint(struct reader *); /* at most 5 bytes */
int32_t reader_varint(struct reader *);   /* zigzag, as in records */
int64_t reader_varlong(struct reader *);  /* zigzag, at most 10 bytes */

struct str reader_take(struct reader *, size_t n); /* a view of n bytes */
/* A length in its two forms (compact: uvarint of n + 1), -1 for null; below -1 is bad. */
int32_t reader_length32(struct reader *, bool compact);
struct str reader_str(struct reader *, bool compact); /* null when the length says so; <= 32767 */
struct str reader_bytes(struct reader *, bool compact);
