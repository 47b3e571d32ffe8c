/* throttle.c - virtual scheduling: one number, the time until which the rate is used up. */
#include "broker/core/throttle.h"

#include <stdatomic.h>

#define PIECE_MIN 16384

int64_t throttle_wait_us(const struct throttle *t, int64_t rate, int64_t now_us)
{
	ASSERT(rate > 0);
	return rate == THROTTLE_NONE ? 0 : i64_max(0, atomic_load(&t->booked_us) - now_us);
}

/* In floating point: bytes times a million overflows nothing there; a microsecond is nothing. */
void throttle_take(struct throttle *t, int64_t rate, int64_t now_us, int64_t bytes)
{
	int64_t was = atomic_load(&t->booked_us), to;

	ASSERT(rate > 0 && bytes >= 0);
	if (rate == THROTTLE_NONE)
		return;
	do
		to = i64_max(was, now_us - THROTTLE_BURST_US) +
		     (int64_t)((double)bytes * 1e6 / (double)rate);
	while (!atomic_compare_exchange_weak(&t->booked_us, &was, to));
}

void throttle_reset(struct throttle *t)
{
	atomic_store(&t->booked_us, 0);
}

int32_t throttle_piece(int64_t rate, int32_t max)
{
	return (int32_t)i64_min(max, i64_max(PIECE_MIN, rate / 10));
}
