#include "broker/core/refused.h"
#include "tests/lib/test.h"

enum { ERROR = 19, OTHER_ERROR = 6 };

static struct refused_batch batch(int64_t id, int32_t seq)
{
	return (struct refused_batch){
		.where = 77, .producer_id = id, .epoch = 1, .first_seq = seq, .error = ERROR
	};
}

static void note(struct refused *r, struct refused_batch b, int64_t now_ms)
{
	refused_note(r, &b, now_ms);
}

static int before(struct refused *r, struct refused_batch b, int64_t now_ms)
{
	return refused_before(r, &b, now_ms);
}

TEST(what_follows_a_refused_batch_is_refused_until_that_comes_again)
{
	struct refused r;

	refused_init(&r, 1);
	EXPECT(!refused_any(&r));
	note(&r, batch(7, 5), 0);
	EXPECT(refused_any(&r));
	EXPECT_EQ(before(&r, batch(7, 6), 0), ERROR);
	EXPECT_EQ(before(&r, batch(7, 900), 0), ERROR);
	EXPECT_EQ(before(&r, batch(7, 4), 0), 0);
	EXPECT_EQ(before(&r, batch(7, 5), 0), 0);
	EXPECT_EQ(before(&r, batch(7, 6), 0), 0);
	EXPECT(!refused_any(&r));
	refused_fini(&r);
}

TEST(of_several_the_first_is_remembered)
{
	struct refused r;
	struct refused_batch later = batch(7, 9);

	later.error = OTHER_ERROR;
	refused_init(&r, 1);
	note(&r, batch(7, 5), 0);
	note(&r, later, 0);
	EXPECT_EQ(before(&r, batch(7, 9), 0), ERROR);
	note(&r, batch(7, 3), 0);
	EXPECT_EQ(before(&r, batch(7, 5), 0), ERROR);
	EXPECT_EQ(before(&r, batch(7, 3), 0), 0);
	refused_fini(&r);
}

TEST(others_are_not_concerned)
{
	struct refused r;
	struct refused_batch other = batch(7, 6);

	refused_init(&r, 1);
	note(&r, batch(7, 5), 0);
	EXPECT_EQ(before(&r, batch(8, 6), 0), 0);
	other.where++;
	EXPECT_EQ(before(&r, other, 0), 0);
	other.where--;
	other.epoch++;
	EXPECT_EQ(before(&r, other, 0), 0);
	EXPECT_EQ(before(&r, batch(7, 6), 0), ERROR);
	refused_fini(&r);
}

TEST(what_is_written_ends_what_was_refused_before_it)
{
	struct refused r;
	struct refused_batch b = batch(7, 4);

	refused_init(&r, 1);
	note(&r, batch(7, 5), 0);
	refused_over(&r, &b);
	EXPECT_EQ(before(&r, batch(7, 6), 0), ERROR);
	b = batch(7, 50);
	refused_over(&r, &b);
	EXPECT_EQ(before(&r, batch(7, 51), 0), 0);
	EXPECT(!refused_any(&r));
	refused_fini(&r);
}

TEST(sequences_wrap)
{
	struct refused r;

	refused_init(&r, 1);
	note(&r, batch(7, INT32_MAX), 0);
	EXPECT_EQ(before(&r, batch(7, 0), 0), ERROR);
	EXPECT_EQ(before(&r, batch(7, INT32_MAX - 1), 0), 0);
	refused_fini(&r);
}

TEST(it_is_forgotten_in_time)
{
	struct refused r;

	refused_init(&r, 1);
	note(&r, batch(7, 5), 1000);
	EXPECT_EQ(before(&r, batch(7, 6), 1000 + REFUSED_MS), ERROR);
	EXPECT_EQ(before(&r, batch(7, 6), 1000 + 2 * REFUSED_MS - 1), ERROR);
	EXPECT_EQ(before(&r, batch(7, 6), 1000 + 2 * REFUSED_MS), 0);
	EXPECT(!refused_any(&r));
	refused_fini(&r);
}

TEST(there_are_never_more_than_twice_the_limit)
{
	struct refused r;

	refused_init(&r, 1);
	for (int64_t id = 0; id < 5 * REFUSED_MAX; id++) {
		note(&r, batch(id, 5), 0);
		ASSERT(r.now.n <= REFUSED_MAX && r.before.n <= REFUSED_MAX);
	}
	EXPECT_EQ(before(&r, batch(5 * REFUSED_MAX - 1, 6), 0), ERROR);
	EXPECT_EQ(before(&r, batch(4 * REFUSED_MAX, 6), 0), ERROR);
	EXPECT_EQ(before(&r, batch(0, 6), 0), 0);
	refused_fini(&r);
}
