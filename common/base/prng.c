/* prng.c - see prng.h.  xoshiro256** by Blackman and Vigna, seeded through splitmix64. */
#include "common/base/prng.h"

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void prng_seed(struct prng *p, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		p->s[i] = z ^ z >> 31;
	}
}

uint64_t prng_u64(struct prng *p)
{
	uint64_t *s = p->s;
	uint64_t out = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

/* Rejection sampling: a plain modulo would favour small numbers, and the simulator's odds would
 * lie. */
uint64_t prng_below(struct prng *p, uint64_t n)
{
	uint64_t skip, r;

	ASSERT(n > 0);
	skip = (UINT64_MAX - n + 1) % n; /* 2^64 mod n: the part of the range that would bias */
	do
		r = prng_u64(p);
	while (r < skip);
	return r % n;
}

bool prng_chance(struct prng *p, uint32_t num, uint32_t den)
{
	return prng_below(p, den) < num;
}

/* RFC 9562 version 4: six bits say so, the rest is random.  Half native order is fine,
 * it is random. */
/* Never one whose text begins with '-': tools would take it for an option, and Kafka makes none. */
struct uuid prng_uuid(struct prng *p)
{
	uint64_t half[2] = { prng_u64(p), prng_u64(p) };
	struct uuid u;

	memcpy(u.b, half, sizeof(u.b));
	u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
	u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
	if (u.b[0] >> 2 == 62)
		u.b[0] ^= 0x80;
	return u;
}
