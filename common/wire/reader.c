/* reader.c - one bounds check per value, in has(); everything else is decoding.
 *
 * The sticky `bad` makes every later read fail through the same check, so decoders need no branch
 * of their own between fields. */
#include "common/wire/reader.h"

#include "common/base/endian.h"
#include "common/base/varint.h"

static int32_t length16(struct reader *, bool compact);
static bool has(struct reader *, size_t n);
static bool skip(struct reader *, size_t n);

void reader_init(struct reader *r, const void *at, size_t n)
{
	r->at = at;
	r->end = r->at + n;
	r->bad = false;
}

size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

bool reader_fail(struct reader *r)
{
	r->bad = true;
	return false;
}

uint8_t reader_u8(struct reader *r)
{
	return has(r, 1) ? *r->at++ : 0;
}

int8_t reader_i8(struct reader *r)
{
	return (int8_t)reader_u8(r);
}

uint16_t reader_u16(struct reader *r)
{
	return has(r, 2) ? load_be16((r->at += 2) - 2) : 0;
}

int16_t reader_i16(struct reader *r)
{
	return (int16_t)reader_u16(r);
}

uint32_t reader_u32(struct reader *r)
{
	return has(r, 4) ? load_be32((r->at += 4) - 4) : 0;
}

int32_t reader_i32(struct reader *r)
{
	return (int32_t)reader_u32(r);
}

uint64_t reader_u64(struct reader *r)
{
	return has(r, 8) ? load_be64((r->at += 8) - 8) : 0;
}

int64_t reader_i64(struct reader *r)
{
	return (int64_t)reader_u64(r);
}

double reader_f64(struct reader *r)
{
	uint64_t bits = reader_u64(r);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

struct uuid reader_uuid(struct reader *r)
{
	struct uuid id = { { 0 } };

	if (has(r, sizeof(id.b))) {
		memcpy(id.b, r->at, sizeof(id.b));
		r->at += sizeof(id.b);
	}
	return id;
}

uint32_t reader_uvarint(struct reader *r)
{
	uint32_t v = 0;

	return skip(r, uvarint_get(r->at, reader_left(r), &v)) ? v : 0;
}

int32_t reader_varint(struct reader *r)
{
	int32_t v = 0;

	return skip(r, varint_get(r->at, reader_left(r), &v)) ? v : 0;
}

int64_t reader_varlong(struct reader *r)
{
	int64_t v = 0;

	return skip(r, varlong_get(r->at, reader_left(r), &v)) ? v : 0;
}

struct str reader_take(struct reader *r, size_t n)
{
	struct str s = { NULL, 0 };

	if (has(r, n)) {
		s = (struct str){ (const char *)r->at, n };
		r->at += n;
	}
	return s;
}

/* Lengths of strings: int16, or a uvarint when compact; arrays and bytes have 32 bits (below). */
static int32_t length16(struct reader *r, bool compact)
{
	return compact ? reader_length32(r, true) : reader_i16(r);
}

/* Compact lengths are stored plus one, so that 0 is null. */
int32_t reader_length32(struct reader *r, bool compact)
{
	uint32_t n;

	if (!compact)
		return reader_i32(r);
	n = reader_uvarint(r);
	if (n > INT32_MAX)
		reader_fail(r);
	return r->bad ? 0 : (int32_t)n - 1;
}

/* A compact string could say more than 32767, but no field of the protocol may. */
struct str reader_str(struct reader *r, bool compact)
{
	int32_t n = length16(r, compact);

	if (n < -1 || n > INT16_MAX)
		reader_fail(r);
	return n < 0 || r->bad ? (struct str){ NULL, 0 } : reader_take(r, (size_t)n);
}

struct str reader_bytes(struct reader *r, bool compact)
{
	int32_t n = reader_length32(r, compact);

	if (n < -1)
		reader_fail(r);
	return n < 0 || r->bad ? (struct str){ NULL, 0 } : reader_take(r, (size_t)n);
}

static bool has(struct reader *r, size_t n)
{
	if (__builtin_expect(!r->bad && (size_t)(r->end - r->at) >= n, 1))
		return true;
	return reader_fail(r);
}

/* Past a varint; its decoder gives 0 bytes for a malformed one. */
static bool skip(struct reader *r, size_t n)
{
	r->at += n;
	return n > 0 || reader_fail(r);
}
