/* recovery.c - M1 to M4 on X, Y and Z: what survives a leader's end, and what must not. */
#include "tests/sim/scene.h"

/* X alone has M3 when its power fails (the kernel of a killed process would still deliver what it
 * had been given, so Y or Z might get it after all).  M3 was acknowledged by X alone, so losing it
 * is what acks=1 means; that X must give it up when it returns, so that all three agree, is what
 * replication means. */
static void m3_with_acks_1_is_lost(struct stage *s)
{
	int next;

	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	cut_off(s, X, Y);
	cut_off(s, X, Z);
	acked(s, "M3", 1);
	power_off_node(s, X);
	mend_all(s);
	next = wait_new_leader(s, X);
	acked(s, "M4", 1);
	expect_log(s, next, "M1 M2 M4");
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M4");
}

/* The same with acks=all: nobody was told that M3 is safe, so nobody misses it. */
static void m3_with_acks_all_is_never_acknowledged(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	cut_off(s, X, Y);
	cut_off(s, X, Z);
	unanswered(s, "M3", ALL, X);
	power_off_node(s, X);
	mend_all(s);
	(void)wait_new_leader(s, X);
	acked(s, "M4", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M4");
}

/* M3 was acknowledged by all in sync, so it outlives X, whoever leads next. */
static void m3_acknowledged_by_all_survives(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	acked(s, "M3", ALL);
	kill_node(s, X);
	(void)wait_new_leader(s, X);
	acked(s, "M4", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3 M4");
}

/* A leader that everybody but the clients has lost goes on taking acks=1 records; they go when it
 * hears of its successor.  acks=all records it can never acknowledge. */
static void a_stale_leader_returns(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	isolate(s, X);
	(void)wait_new_leader(s, X);
	acked_by(s, "S1", 1, X);
	unanswered(s, "S2", ALL, X);
	acked(s, "M2", ALL);
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* One record in each of three epochs, each failover before the followers heard of the one before
 * (KAFKA-6361): logs must not fork. */
static void three_leaders_in_a_row(struct stage *s)
{
	int second, third;

	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	second = wait_new_leader(s, X);
	acked(s, "M2", 1);
	kill_node(s, second);
	third = wait_new_leader(s, second);
	start_node(s, X);
	acked(s, "M3", 1);
	start_node(s, second);
	wait_whole(s);
	acked(s, "M4", ALL);
	wait_whole(s);
	kill_node(s, third);
	(void)wait_new_leader(s, third);
	acked(s, "M5", ALL);
	start_node(s, third);
	wait_whole(s);
}

/* X is back before its session ended and before the grace for its connection is over.  Its new
 * life must not lead on the word of the old one: a new epoch comes first. */
static void a_killed_leader_is_back_at_once(struct stage *s)
{
	int32_t before;

	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	before = leader_epoch(s);
	kill_node(s, X);
	start_node(s, X);
	wait_whole(s);
	expect(s, leader_epoch(s) > before, "a new leader epoch after the restart");
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* The same after a power loss that took the log: the controller must not count X's old place in
 * the ISR, however short the absence. */
static void a_leader_that_lost_its_log_is_back_at_once(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 3000 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	power_off_node(s, X);
	start_node(s, X);
	(void)wait_new_leader(s, X);
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene recovery_scenes[] = {
	{ "m3_with_acks_1_is_lost", m3_with_acks_1_is_lost },
	{ "m3_with_acks_all_is_never_acknowledged", m3_with_acks_all_is_never_acknowledged },
	{ "m3_acknowledged_by_all_survives", m3_acknowledged_by_all_survives },
	{ "a_stale_leader_returns", a_stale_leader_returns },
	{ "three_leaders_in_a_row", three_leaders_in_a_row },
	{ "a_killed_leader_is_back_at_once", a_killed_leader_is_back_at_once },
	{ "a_leader_that_lost_its_log_is_back_at_once",
	  a_leader_that_lost_its_log_is_back_at_once },
	{ NULL, NULL },
};
