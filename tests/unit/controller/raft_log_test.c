#include "controller/core/raft_log.h"
#include "tests/lib/test.h"

/* Records 0-2 of term 1, 3-4 of term 2, 5-9 of term 5. */
static void make(struct raft_log *l)
{
	raft_log_init(l, 0, 0);
	raft_log_append(l, 1, 1);
	raft_log_append(l, 1, 3);
	raft_log_append(l, 2, 5);
	raft_log_append(l, 5, 10);
	raft_log_check(l);
}

TEST(a_position_has_the_term_of_the_record_before_it)
{
	struct raft_log l;
	static const int64_t term[] = { 0, 1, 1, 1, 2, 2, 5, 5, 5, 5, 5 };

	make(&l);
	EXPECT_EQ(l.n, 3);
	for (int64_t i = 0; i <= 10; i++)
		EXPECT_EQ(raft_log_term(&l, i), term[i]);
	EXPECT_EQ(raft_log_term(&l, 11), RAFT_NO_TERM);
	EXPECT_EQ(raft_log_end_term(&l), 5);
	raft_log_fini(&l);
}

TEST(a_cut_and_a_drop_keep_what_is_between)
{
	struct raft_log l;

	make(&l);
	raft_log_cut(&l, 5);
	EXPECT_EQ(l.n, 2);
	EXPECT_EQ(raft_log_end_term(&l), 2);
	raft_log_append(&l, 7, 6);
	raft_log_drop(&l, 4);
	raft_log_check(&l);
	EXPECT_EQ(raft_log_term(&l, 3), RAFT_NO_TERM);
	EXPECT_EQ(raft_log_term(&l, 4), 2);
	EXPECT_EQ(raft_log_term(&l, 6), 7);
	raft_log_drop(&l, 6);
	raft_log_check(&l);
	EXPECT_EQ(l.n, 0);
	EXPECT_EQ(raft_log_end_term(&l), 7);
	raft_log_fini(&l);
}

TEST(runs_of_a_range_are_at_most_what_fits)
{
	struct raft_log l;
	struct raft_run runs[3];
	int64_t to = 7, end;

	make(&l);
	EXPECT_EQ(raft_log_runs(&l, 1, &to, runs, 3), 3);
	EXPECT_EQ(to, 7);
	EXPECT_EQ(runs[0].first, 1);
	EXPECT_EQ(runs[2].first, 5);
	EXPECT_EQ(runs[2].term, 5);
	EXPECT_EQ(raft_log_runs(&l, 1, &to, runs, 2), 2);
	EXPECT_EQ(to, 5);
	EXPECT_EQ(raft_log_runs(&l, 5, &to, runs, 2), 0);
	EXPECT_EQ(raft_log_run(&l, 4, &end), 2);
	EXPECT_EQ(end, 5);
	raft_log_fini(&l);
}

TEST(going_back_skips_whole_terms)
{
	struct raft_log l;

	make(&l);
	EXPECT_EQ(raft_log_back(&l, 10, 5), 10);
	EXPECT_EQ(raft_log_back(&l, 99, 9), 10);
	EXPECT_EQ(raft_log_back(&l, 9, 4), 5);
	EXPECT_EQ(raft_log_back(&l, 9, 1), 3);
	EXPECT_EQ(raft_log_back(&l, 2, 1), 2);
	EXPECT_EQ(raft_log_back(&l, 2, 0), 0);
	raft_log_drop(&l, 4);
	EXPECT_EQ(raft_log_back(&l, 9, 2), 5);
	EXPECT_EQ(raft_log_back(&l, 4, 2), 4);
	EXPECT_EQ(raft_log_back(&l, 9, 1), -1);
	EXPECT_EQ(raft_log_back(&l, 3, 2), -1);
	raft_log_fini(&l);
}
