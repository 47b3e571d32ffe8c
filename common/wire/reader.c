#include "common/wire/reader.h"

static bool has(struct reader *, size_t n);
static uint64_t unzigzag(struct reader *, int bits);

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
	uint16_t v;

	if (!has(r, sizeof(v)))
		return 0;
	memcpy(&v, r->at, sizeof(v));
	r->at += sizeof(v);
	return __builtin_bswap16(v);
}

int16_t reader_i16(struct reader *r)
{
	return (int16_t)reader_u16(r);
}

uint32_t reader_u32(struct reader *r)
{
	uint32_t v;

	if (!has(r, sizeof(v)))
		return 0;
	memcpy(&v, r->at, sizeof(v));
	r->at += sizeof(v);
	return __builtin_bswap32(v);
}

int32_t reader_i32(struct reader *r)
{
	return (int32_t)reader_u32(r);
}

static uint64_t take_u64(struct reader *r)
{
	uint64_t v;

	if (!has(r, sizeof(v)))
		return 0;
	memcpy(&v, r->at, sizeof(v));
	r->at += sizeof(v);
	return __builtin_bswap64(v);
}

int64_t reader_i64(struct reader *r)
{
	return (int64_t)take_u64(r);
}

double reader_f64(struct reader *r)
{
	uint64_t bits = take_u64(r);
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

	for (uint32_t shift = 0; shift < 35; shift += 7) {
		uint32_t byte = reader_u8(r);

		if (shift == 28 && byte > 0x0f)
			break; /* a sixth byte, or bits above the 32nd */
		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return r->bad ? 0 : v;
	}
	reader_fail(r);
	return 0;
}

int32_t reader_varint(struct reader *r)
{
	return (int32_t)unzigzag(r, 32);
}

int64_t reader_varlong(struct reader *r)
{
	return (int64_t)unzigzag(r, 64);
}

static uint64_t unzigzag(struct reader *r, int bits)
{
	uint64_t v = 0;

	for (int shift = 0; shift < bits; shift += 7) {
		uint64_t byte = reader_u8(r);

		if (bits - shift < 7 && byte >> (bits - shift))
			break; /* bits that the type does not have */
		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return r->bad ? 0 : (v >> 1) ^ (0 - (v & 1));
	}
	reader_fail(r);
	return 0;
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

int32_t reader_length16(struct reader *r, bool compact)
{
	return compact ? reader_length32(r, true) : reader_i16(r);
}

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

struct str reader_str(struct reader *r, bool compact)
{
	int32_t n = reader_length16(r, compact);

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
