/* prng.h - seeded pseudo-random numbers (xoshiro256**); the only randomness above the seam. */
#pragma once
#include "common/base/base.h"

struct prng {
	uint64_t s[4];
};

void prng_seed(struct prng *, uint64_t seed);
uint64_t prng_u64(struct prng *);
uint64_t prng_below(struct prng *, uint64_t n);          /* uniform in [0, n); n > 0 */
bool prng_chance(struct prng *, uint32_t num, uint32_t den);
struct uuid prng_uuid(struct prng *);                    /* version 4 */
