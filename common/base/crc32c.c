/* crc32c.c - see crc32c.h.
 *
 * The CRC instruction has a latency of three cycles and a throughput of one, so one stream uses a
 * third of it.  Three neighbouring lanes of L bytes run at once; then lane A is moved over the 2L
 * bytes behind it and lane B over L: crc(ABC) = A x^16L + B x^8L + C.  The product with the
 * constant x^(8L-33) is taken without carries (PCLMUL), and the CRC instruction itself reduces it.
 *
 * Tables and constants are computed once, before main, and never written again. */
#include "common/base/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define POLY 0x82f63b78u /* reflected */
/* Lane lengths in bytes. The merge of three lanes costs two multiplications, some 10 cycles: little
 * against 12 KiB, and short lanes take what is left of it. */
#define LANE_LONG 4096
#define LANE_SHORT 256

struct shift {
	uint64_t one, two; /* constants that move a CRC over one and over two lanes */
};

/* Written by prepare() before main and read-only from then on; not state. */
static struct {
	uint32_t slice[8][256];
	struct shift over_long, over_short;
	bool has_instruction;
} k;

/* x^n modulo the polynomial, in the reflected order of bits that the instruction uses. */
static uint32_t x_to(uint32_t n)
{
	uint32_t c = 0x80000000u; /* x^0 */

	while (n--)
		c = c >> 1 ^ (c & 1 ? POLY : 0);
	return c;
}

__attribute__((constructor)) static void prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? POLY : 0);
		k.slice[0][i] = c;
	}
	for (int s = 1; s < 8; s++)
		for (uint32_t i = 0; i < 256; i++)
			k.slice[s][i] =
				k.slice[s - 1][i] >> 8 ^ k.slice[0][k.slice[s - 1][i] & 255];
	k.over_long = (struct shift){ x_to(8 * LANE_LONG - 33), x_to(16 * LANE_LONG - 33) };
	k.over_short = (struct shift){ x_to(8 * LANE_SHORT - 33), x_to(16 * LANE_SHORT - 33) };
#if defined(__x86_64__)
	__builtin_cpu_init();
	k.has_instruction = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
#endif
}

static uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* Slicing by eight (Kounavis, Berry). */
uint32_t crc32c_portable(uint32_t crc, const void *at, size_t n)
{
	const uint8_t *p = at;
	uint32_t c = ~crc;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v = load_le64(p) ^ c;

		c = k.slice[7][v & 255] ^ k.slice[6][v >> 8 & 255] ^ k.slice[5][v >> 16 & 255] ^
		    k.slice[4][v >> 24 & 255] ^ k.slice[3][v >> 32 & 255] ^
		    k.slice[2][v >> 40 & 255] ^ k.slice[1][v >> 48 & 255] ^ k.slice[0][v >> 56];
	}
	for (; n; n--, p++)
		c = c >> 8 ^ k.slice[0][(c ^ *p) & 255];
	return ~c;
}

#if defined(__x86_64__)
#define WITH_SSE42 __attribute__((target("sse4.2,pclmul")))

/* Appends zeros to what crc covers, as many as the constant was made for. */
WITH_SSE42 static uint64_t moved(uint64_t crc, uint64_t constant)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
					       _mm_cvtsi64_si128((long long)constant), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

/* 3 * lane bytes at p; lane A goes on from the crc so far, B and C begin at 0. */
WITH_SSE42 static uint64_t three_lanes(uint64_t a, const uint8_t *p, size_t lane, struct shift over)
{
	uint64_t b = 0, c = 0;

	for (size_t i = 0; i < lane; i += 8) {
		a = _mm_crc32_u64(a, load_le64(p + i));
		b = _mm_crc32_u64(b, load_le64(p + lane + i));
		c = _mm_crc32_u64(c, load_le64(p + 2 * lane + i));
	}
	return _mm_crc32_u64(0, moved(a, over.two) ^ moved(b, over.one)) ^ c;
}

/* Triples of long lanes, of short lanes, words, bytes: each takes what the one before left. */
WITH_SSE42 static uint32_t with_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = ~crc;

	for (; n >= 3 * LANE_LONG; n -= 3 * LANE_LONG, p += 3 * LANE_LONG)
		c = three_lanes(c, p, LANE_LONG, k.over_long);
	for (; n >= 3 * LANE_SHORT; n -= 3 * LANE_SHORT, p += 3 * LANE_SHORT)
		c = three_lanes(c, p, LANE_SHORT, k.over_short);
	for (; n >= 8; n -= 8, p += 8)
		c = _mm_crc32_u64(c, load_le64(p));
	for (; n; n--, p++)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return ~(uint32_t)c;
}
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t with_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint32_t c = ~crc;

	for (; n >= 8; n -= 8, p += 8)
		c = __crc32cd(c, load_le64(p));
	for (; n; n--, p++)
		c = __crc32cb(c, *p);
	return ~c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *at, size_t n)
{
#if defined(__x86_64__)
	if (k.has_instruction)
		return with_instruction(crc, at, n);
#elif defined(__ARM_FEATURE_CRC32)
	return with_instruction(crc, at, n);
#endif
	return crc32c_portable(crc, at, n);
}
