#include "common/base/crc32c.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"

static uint32_t bitwise(uint32_t crc, const uint8_t *p, size_t n)
{
	uint32_t c = ~crc;

	for (; n; n--, p++) {
		c ^= *p;
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
	}
	return ~c;
}

TEST(known_values)
{
	uint8_t ff[32];

	memset(ff, 0xff, sizeof(ff));
	EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
	EXPECT_EQ(crc32c(0, ff, sizeof(ff)), 0x62a8ab43u); /* RFC 3720 B.4 */
	EXPECT_EQ(crc32c(0, "", 0), 0);
}

TEST(equals_the_definition_for_any_seed_offset_and_length)
{
	enum { SIZE = 70000 };
	uint8_t *bytes = mem_alloc(SIZE);
	struct prng p;

	prng_seed(&p, 1);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)prng_u64(&p);
	for (int i = 0; i < 400; i++) {
		uint32_t seed = (uint32_t)prng_u64(&p);
		size_t at = prng_below(&p, 64);
		size_t n = prng_below(&p, prng_chance(&p, 1, 8) ? SIZE - 64 : 2000);
		uint32_t want = bitwise(seed, bytes + at, n);

		if (crc32c(seed, bytes + at, n) != want ||
		    crc32c_portable(seed, bytes + at, n) != want)
			FAIL("seed %u, offset %zu, length %zu", seed, at, n);
	}
	mem_free(bytes);
}

TEST(extends)
{
	uint8_t bytes[30000];
	uint32_t whole;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	whole = crc32c(0, bytes, sizeof(bytes));
	for (size_t cut = 0; cut < sizeof(bytes); cut += 997)
		EXPECT_EQ(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
}
