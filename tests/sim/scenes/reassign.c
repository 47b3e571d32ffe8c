/* reassign.c - replicas that move from X to W while records come in. */
#include "tests/sim/scene.h"

static void a_replica_moves(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2 });
	acked(s, "M1", ALL);
	reassign(s, "YZW");
	wait_replicas(s, "YZW");
	(void)wait_new_leader(s, X);
	acked(s, "M2", ALL);
	wait_gone(s, X);
	expect_everywhere(s, "M1 M2");
}

/* It was taken away while X was down: what X has is nobody's any more. */
static void who_was_away_lets_go(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	(void)wait_new_leader(s, X);
	reassign(s, "YZW");
	wait_replicas(s, "YZW");
	start_node(s, X);
	wait_gone(s, X);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* KIP-73: W catches up slowly, one record and then the next after a minute and more; those in sync
 * are not slowed, for produces wait for them. */
static void slows_only_who_catches_up(struct stage *s, const char *side)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2, .lag_ms = 500 });
	acked(s, "M1", ALL);
	throttle(s, side, "1");
	hold(s, ANSWERS, X, W);
	reassign(s, "YZW");
	wait_held(s, ANSWERS);
	acked(s, "M2", ALL);
	let_go(s);
	wait_log(s, W, "M1");
	pass_ms(s, 3000);
	expect_log(s, W, "M1");
	expect_isr(s, "XYZ");
	send_on(s, "M3", ALL);
	pass_ms(s, 300);
	expect(s, watermark(s, X) == 3, "those in sync to be as fast as ever");
	throttle(s, side, NULL);
	wait_replicas(s, "YZW");
	expect_everywhere(s, "M1 M2 M3");
}

static void a_leader_slows_only_who_catches_up(struct stage *s)
{
	slows_only_who_catches_up(s, "leader");
}

static void a_follower_is_slow_only_to_catch_up(struct stage *s)
{
	slows_only_who_catches_up(s, "follower");
}

/* W dies before it has caught up.  The move is not done, X stays, and the ISR has nobody who is not
 * a replica; it goes on when W is back (KAFKA-15665, KAFKA-9672). */
static void a_target_dies_on_the_way(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2 });
	acked(s, "M1", ALL);
	hold(s, ANSWERS, X, W);
	reassign(s, "YZW");
	wait_held(s, ANSWERS);
	acked(s, "M2", ALL);
	expect_isr(s, "XYZ");
	kill_node(s, W);
	let_go(s);
	pass_ms(s, 2000);
	expect_isr(s, "XYZ");
	expect(s, leader(s) == X, "X to lead on");
	acked(s, "M3", ALL);
	start_node(s, W);
	wait_replicas(s, "YZW");
	(void)wait_new_leader(s, X);
	acked(s, "M4", ALL);
	expect_everywhere(s, "M1 M2 M3 M4");
}

/* All targets but one are in sync: not done (KAFKA-15665). */
static void one_target_of_two_is_not_enough(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 5, .min_isr = 2 });
	acked(s, "M1", ALL);
	hold(s, ANSWERS, X, W);
	reassign(s, "YWV");
	wait_isr(s, "XYZV");
	acked(s, "M2", ALL);
	pass_ms(s, 1000);
	expect_isr(s, "XYZV");
	let_go(s);
	wait_replicas(s, "YWV");
	(void)wait_new_leader(s, X);
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M2 M3");
}

/* Taken back half-way: W, which is in sync by then, is no replica any more, and nobody waits for
 * it (KAFKA-9672). */
static void a_move_is_taken_back(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 5, .min_isr = 2 });
	acked(s, "M1", ALL);
	hold(s, ANSWERS, X, V);
	reassign(s, "YWV");
	wait_isr(s, "XYZW");
	reassign(s, NULL);
	wait_replicas(s, "XYZ");
	wait_isr(s, "XYZ");
	acked(s, "M2", ALL);
	let_go(s);
	expect_everywhere(s, "M1 M2");
}

/* The leader dies in the middle of a move: its successor carries it on. */
static void the_leader_dies_during_a_move(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2 });
	acked(s, "M1", ALL);
	hold(s, ANSWERS, X, W);
	reassign(s, "YZW");
	wait_held(s, ANSWERS);
	acked(s, "M2", ALL);
	kill_node(s, X);
	(void)wait_new_leader(s, X);
	acked(s, "M3", ALL);
	let_go(s);
	wait_replicas(s, "YZW");
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene reassign_scenes[] = {
	{ "a_replica_moves", a_replica_moves },
	{ "a_target_dies_on_the_way", a_target_dies_on_the_way },
	{ "one_target_of_two_is_not_enough", one_target_of_two_is_not_enough },
	{ "a_move_is_taken_back", a_move_is_taken_back },
	{ "the_leader_dies_during_a_move", the_leader_dies_during_a_move },
	{ "who_was_away_lets_go", who_was_away_lets_go },
	{ "a_leader_slows_only_who_catches_up", a_leader_slows_only_who_catches_up },
	{ "a_follower_is_slow_only_to_catch_up", a_follower_is_slow_only_to_catch_up },
	{ NULL, NULL },
};
