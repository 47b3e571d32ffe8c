#include "broker/shard/wait.h"

#include "broker/shard/partition.h"
#include "broker/shard/shard.h"
#include "tests/lib/test.h"
#include "tests/unit/shard/fake_env.h"

struct parked {
	struct wait wait;
	int n_done;
	enum kerr error;
};
struct rig {
	struct fake_env fake;
	struct shard shard;
	struct partition p;
	struct parked v[3];
};

static void done(struct wait *w, enum kerr e)
{
	struct parked *k = CONTAINER_OF(w, struct parked, wait);

	k->n_done++;
	k->error = e;
}

/* Three produces wait for offsets 10, 20 and 30, with 100, 200 and 300 ms of patience. */
static void begin(struct rig *r)
{
	*r = (struct rig){ 0 };
	fake_env_init(&r->fake);
	r->shard.env = &r->fake.env;
	r->p.shard = &r->shard;
	list_init(&r->p.waits);
	replica_init(&r->p.replica, 1, 10000);
	r->p.replica.n_peers = 3;
	r->p.replica.isr = 7;
	r->p.replica.min_isr = 2;
	for (int i = 0; i < 3; i++) {
		r->v[i].wait.done = done;
		wait_park(&r->v[i].wait, &r->p, 10 * (i + 1), 100 * (i + 1));
	}
}

static void end(struct rig *r)
{
	wait_fail(&r->p, KERR_NONE);
	fake_env_fini(&r->fake);
}

TEST(the_high_watermark_wakes_all_that_it_covers)
{
	struct rig r;

	begin(&r);
	r.p.replica.high_watermark = 9;
	wait_wake(&r.p);
	EXPECT_EQ(r.v[0].n_done, 0);
	r.p.replica.high_watermark = 20;
	wait_wake(&r.p);
	EXPECT_EQ(r.v[0].n_done, 1);
	EXPECT_EQ(r.v[1].n_done, 1);
	EXPECT_EQ(r.v[1].error, KERR_NONE);
	EXPECT_EQ(r.v[2].n_done, 0);
	end(&r);
}

/* A duplicate is parked behind later batches and needs less than they do. */
TEST(a_duplicate_does_not_wait_for_what_came_after_its_first_copy)
{
	struct parked late = { .wait.done = done };
	struct rig r;

	begin(&r);
	wait_park(&late.wait, &r.p, 10, 100);
	r.p.replica.high_watermark = 10;
	wait_wake(&r.p);
	EXPECT_EQ(late.n_done, 1);
	EXPECT_EQ(late.error, KERR_NONE);
	EXPECT_EQ(r.v[1].n_done, 0);
	end(&r);
}

TEST(an_isr_below_the_minimum_is_told_although_the_offset_was_reached)
{
	struct rig r;

	begin(&r);
	r.p.replica.isr = 1;
	r.p.replica.high_watermark = 10;
	wait_wake(&r.p);
	EXPECT_EQ(r.v[0].error, KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
	end(&r);
}

TEST(time_runs_out_for_each_on_its_own)
{
	struct rig r;

	begin(&r);
	fake_env_pass(&r.fake, 150);
	EXPECT_EQ(r.v[0].n_done, 1);
	EXPECT_EQ(r.v[0].error, KERR_REQUEST_TIMED_OUT);
	EXPECT_EQ(r.v[1].n_done, 0);
	r.p.replica.high_watermark = 30;
	wait_wake(&r.p);
	fake_env_pass(&r.fake, 1000);
	EXPECT_EQ(r.v[0].n_done, 1);
	EXPECT_EQ(r.v[2].n_done, 1);
	EXPECT_EQ(r.v[2].error, KERR_NONE);
	end(&r);
}

TEST(lost_leadership_answers_everybody_once)
{
	struct rig r;

	begin(&r);
	wait_fail(&r.p, KERR_NOT_LEADER_OR_FOLLOWER);
	fake_env_pass(&r.fake, 1000);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(r.v[i].n_done, 1);
		EXPECT_EQ(r.v[i].error, KERR_NOT_LEADER_OR_FOLLOWER);
	}
	EXPECT(list_empty(&r.p.waits));
	end(&r);
}
