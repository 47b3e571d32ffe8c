/* varint.c - base-128 numbers, seven bits per byte, the low ones first, the top bit says "more".
 *
 * Decoding is one loop for all widths; narrower types check the range afterwards.  Encodings longer
 * than they need be are taken (Kafka takes them), those that do not fit the type are not. */
#include "common/base/varint.h"

static size_t put(uint8_t *to, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = (uint8_t)(v | 0x80);
	to[n++] = (uint8_t)v;
	return n;
}

/* The tenth byte has room for one bit of the 64. */
size_t uvarlong_get(const uint8_t *at, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n && i < VARLONG_MAX; i++) {
		if (i == VARLONG_MAX - 1 && at[i] > 1)
			return 0;
		v |= (uint64_t)(at[i] & 0x7f) << (7 * i);
		if (at[i] < 0x80) {
			*out = v;
			return i + 1;
		}
	}
	return 0;
}

/* ceil(bits / 7), with one bit for 0. */
size_t uvarlong_size(uint64_t v)
{
	return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

size_t uvarint_put(uint8_t *to, uint32_t v)
{
	return put(to, v);
}

size_t uvarint_get(const uint8_t *at, size_t n, uint32_t *out)
{
	uint64_t v;
	size_t used = uvarlong_get(at, size_min(n, VARINT_MAX), &v);

	if (!used || v > UINT32_MAX)
		return 0;
	*out = (uint32_t)v;
	return used;
}

size_t uvarint_size(uint32_t v)
{
	return uvarlong_size(v);
}

size_t varint_put(uint8_t *to, int32_t v)
{
	return put(to, zigzag(v));
}

size_t varint_get(const uint8_t *at, size_t n, int32_t *out)
{
	uint32_t u;
	size_t used = uvarint_get(at, n, &u);

	if (used)
		*out = (int32_t)unzigzag(u);
	return used;
}

size_t varint_size(int32_t v)
{
	return uvarlong_size(zigzag(v));
}

size_t varlong_put(uint8_t *to, int64_t v)
{
	return put(to, zigzag(v));
}

size_t varlong_get(const uint8_t *at, size_t n, int64_t *out)
{
	uint64_t u;
	size_t used = uvarlong_get(at, n, &u);

	if (used)
		*out = unzigzag(u);
	return used;
}

size_t varlong_size(int64_t v)
{
	return uvarlong_size(zigzag(v));
}
