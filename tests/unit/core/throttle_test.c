/* A shared rate: the average is kept, whoever takes and however large the pieces are. */
#include "broker/core/throttle.h"

#include "tests/lib/test.h"

#define SECOND 1000000

/* Takes whenever it may; bytes that went through in a time. */
static int64_t pump(struct throttle *t, int64_t rate, int64_t piece, int64_t until_us)
{
	int64_t now_us = SECOND, sum = 0;

	while (now_us < SECOND + until_us) {
		int64_t wait_us = throttle_wait_us(t, rate, now_us);

		if (wait_us > 0) {
			now_us += wait_us;
			continue;
		}
		throttle_take(t, rate, now_us, piece);
		sum += piece;
		now_us += 10;
	}
	return sum;
}

TEST(the_average_is_the_rate)
{
	static const int64_t pieces[] = { 100, 16384, 1 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct throttle t = { 0 };
		int64_t got = pump(&t, 1000000, pieces[i], 20 * SECOND);

		EXPECT(got >= 19000000 && got <= 20000000 + 100000 + pieces[i]);
	}
}

TEST(without_a_limit_nothing_waits)
{
	struct throttle t = { 0 };

	throttle_take(&t, THROTTLE_NONE, SECOND, 1 << 30);
	EXPECT_EQ(throttle_wait_us(&t, THROTTLE_NONE, SECOND), 0);
}

TEST(a_large_piece_is_waited_for_and_a_new_rate_forgets_it)
{
	struct throttle t = { 0 };

	throttle_take(&t, 1000, SECOND, 10000);
	EXPECT_EQ(throttle_wait_us(&t, 1000, SECOND), 10 * SECOND - THROTTLE_BURST_US);
	throttle_reset(&t);
	EXPECT_EQ(throttle_wait_us(&t, 1000, SECOND), 0);
}

TEST(pieces_fit_the_rate)
{
	EXPECT_EQ(throttle_piece(THROTTLE_NONE, 1 << 20), 1 << 20);
	EXPECT_EQ(throttle_piece(1000000, 1 << 20), 100000);
	EXPECT_EQ(throttle_piece(1, 1 << 20), 16384);
	EXPECT_EQ(throttle_piece(1, 1000), 1000);
}
