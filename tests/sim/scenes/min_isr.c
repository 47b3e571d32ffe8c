/* min_isr.c - min.insync.replicas: while enough replicas are in sync acks=all is acknowledged,
 * below that it is refused before anything is written; acks=1 asks the leader alone. */
#include "tests/sim/scene.h"

static void two_replicas_one_must_be_in_sync(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "X");
	acked(s, "M2", ALL);
	start_node(s, Y);
	expect_everywhere(s, "M1 M2");
}

static void two_replicas_both_must_be_in_sync(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "X");
	pass_ms(s, 100);
	refused(s, "M2", ALL, KERR_NOT_ENOUGH_REPLICAS);
	acked(s, "M3", 1);
	expect_log(s, X, "M1 M3");
	start_node(s, Y);
	wait_isr(s, "XY");
	acked(s, "M4", ALL);
	expect_everywhere(s, "M1 M3 M4");
}

static void three_replicas_two_must_be_in_sync(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Z);
	wait_isr(s, "XY");
	acked(s, "M2", ALL);
	kill_node(s, Y);
	wait_isr(s, "X");
	pass_ms(s, 100);
	refused(s, "M3", ALL, KERR_NOT_ENOUGH_REPLICAS);
	acked(s, "M4", 1);
	start_node(s, Y);
	wait_isr(s, "XY");
	acked(s, "M5", ALL);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2 M4 M5");
}

static void three_replicas_all_must_be_in_sync(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 3 });
	acked(s, "M1", ALL);
	kill_node(s, Z);
	wait_isr(s, "XY");
	pass_ms(s, 100);
	refused(s, "M2", ALL, KERR_NOT_ENOUGH_REPLICAS);
	start_node(s, Z);
	wait_isr(s, "XYZ");
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M3");
}

/* X was cut off, alone in sync and below the minimum.  It hears in one moment that one is enough
 * now and that Y leads: S1 was never committed, and is not now. */
static void a_lower_minimum_is_the_next_leaders(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, Z);
	wait_isr(s, "XY");
	kill_node(s, Y);
	wait_isr(s, "X");
	acked(s, "S1", 1);
	isolate(s, X);
	start_node(s, Y);
	wait_leader(s, Y);
	set_min_isr(s, "1");
	read_on(s, X);
	mend_all(s);
	start_node(s, Z);
	expect_everywhere(s, "M1");
}

/* M2 is in X's log and Y is gone.  Refused as if it were not there, a producer that meanwhile has
 * to begin a new epoch would send it as another record. */
static void a_retry_of_what_is_there_waits(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 2 });
	acked_as(s, "M1", 0);
	hold(s, QUESTIONS, Y, X);
	send_on_as(s, "M2", 1);
	kill_node(s, Y);
	wait_isr(s, "X");
	then_refused(s, "M2", KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
	refused_as(s, "M3", 2, KERR_NOT_ENOUGH_REPLICAS);
	send_on_as(s, "M2", 1);
	not_yet_acked(s, "M2");
	let_go(s);
	start_node(s, Y);
	then_acked(s, "M2");
	acked_as(s, "M3", 2);
	expect_everywhere(s, "M1 M2 M3");
}

/* A client has M1 and M2 on their way.  M1 is refused; when M2 is looked at, enough replicas are in
 * sync again.  Taken, it would tell librdkafka that M1 is written too. */
static void a_second_batch_does_not_overtake_a_refused_first(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 2 });
	kill_node(s, Y);
	wait_isr(s, "X");
	pass_ms(s, 100);
	refused_as(s, "M1", 0, KERR_NOT_ENOUGH_REPLICAS);
	start_node(s, Y);
	wait_isr(s, "XY");
	refused_as(s, "M2", 1, KERR_NOT_ENOUGH_REPLICAS);
	refused_as(s, "M3", 2, KERR_NOT_ENOUGH_REPLICAS);
	acked_as(s, "M1", 0);
	acked_as(s, "M2", 1);
	acked_as(s, "M3", 2);
	expect_everywhere(s, "M1 M2 M3");
}

/* Y leads and has not heard of it when M1 comes; it has when M2 does. */
static void a_second_batch_does_not_overtake_at_a_new_leader(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	wait_whole(s);
	refused_as_by(s, "M1", 0, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	kill_node(s, X);
	wait_leader(s, Y);
	refused_as_by(s, "M2", 1, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	acked_as_by(s, "M1", 0, Y);
	acked_as_by(s, "M2", 1, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* M1 is written by X, and Y has it, but the client does not know.  Y refuses it and M2 because it
 * does not lead yet.  Told that M3 is out of order, librdkafka would begin a new epoch and write M1
 * again. */
static void what_follows_a_refused_batch_is_not_out_of_order(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	wait_whole(s);
	acked_as(s, "M1", 0);
	refused_as_by(s, "M1", 0, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	refused_as_by(s, "M2", 1, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	kill_node(s, X);
	wait_leader(s, Y);
	refused_as_by(s, "M3", 2, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	acked_as_by(s, "M1", 0, Y);
	acked_as_by(s, "M2", 1, Y);
	acked_as_by(s, "M3", 2, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

/* M2 is refused by X in its last moments, M3 is on its way to Y already. */
static void what_follows_the_leader_of_before_is_not_out_of_order(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	wait_whole(s);
	acked_as(s, "M1", 0);
	kill_node(s, X);
	wait_leader(s, Y);
	refused_as_by(s, "M3", 2, KERR_LEADER_NOT_AVAILABLE, Y);
	acked_as_by(s, "M2", 1, Y);
	acked_as_by(s, "M3", 2, Y);
	pass_ms(s, 31000);
	refused_as_by(s, "M5", 4, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

/* What Y refused is written by X; Y, when it leads, takes what comes next. */
static void what_another_leader_took_is_not_refused_any_more(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	wait_whole(s);
	refused_as_by(s, "M1", 0, KERR_NOT_LEADER_OR_FOLLOWER, Y);
	acked_as(s, "M1", 0);
	acked_as(s, "M2", 1);
	kill_node(s, X);
	wait_leader(s, Y);
	acked_as_by(s, "M3", 2, Y);
	acked_as_by(s, "M4", 3, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3 M4");
}

/* The Java client has M1 on its way to X, which is cut off, when it learns that Y leads. */
static void a_second_batch_does_not_overtake_the_leader_of_before(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	wait_whole(s);
	kill_node(s, X);
	wait_leader(s, Y);
	refused_as_by(s, "M2", 1, KERR_LEADER_NOT_AVAILABLE, Y);
	acked_as_by(s, "M1", 0, Y);
	acked_as_by(s, "M2", 1, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* The Java client had M1 to M5 on their way to X, sent M6 to M9 to Y, and hears only then that X
 * does not lead. */
static void what_was_written_long_ago_is_not_out_of_order(struct stage *s)
{
	static const char *const m[] = { "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9" };

	open_stage(s, &(struct staging){ .min_isr = 2, .roll_ms = 1 });
	wait_whole(s);
	for (int i = 0; i < 9; i++)
		acked_as(s, m[i], i);
	kill_node(s, X);
	wait_leader(s, Y);
	refused_as_by(s, "M1", 0, KERR_DUPLICATE_SEQUENCE_NUMBER, Y);
	start_node(s, X);
	wait_isr(s, "XYZ");
	kill_node(s, Z);
	wait_isr(s, "XY");
	kill_node(s, Y);
	wait_leader(s, X);
	start_node(s, Y);
	wait_isr(s, "XY");
	refused_as_by(s, "M1", 0, KERR_DUPLICATE_SEQUENCE_NUMBER, X);
	acked_as_by(s, "M5", 4, X);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2 M3 M4 M5 M6 M7 M8 M9");
}

const struct scene min_isr_scenes[] = {
	{ "two_replicas_one_must_be_in_sync", two_replicas_one_must_be_in_sync },
	{ "two_replicas_both_must_be_in_sync", two_replicas_both_must_be_in_sync },
	{ "three_replicas_two_must_be_in_sync", three_replicas_two_must_be_in_sync },
	{ "three_replicas_all_must_be_in_sync", three_replicas_all_must_be_in_sync },
	{ "a_lower_minimum_is_the_next_leaders", a_lower_minimum_is_the_next_leaders },
	{ "a_retry_of_what_is_there_waits", a_retry_of_what_is_there_waits },
	{ "a_second_batch_does_not_overtake_a_refused_first",
	  a_second_batch_does_not_overtake_a_refused_first },
	{ "a_second_batch_does_not_overtake_at_a_new_leader",
	  a_second_batch_does_not_overtake_at_a_new_leader },
	{ "what_follows_a_refused_batch_is_not_out_of_order",
	  what_follows_a_refused_batch_is_not_out_of_order },
	{ "what_follows_the_leader_of_before_is_not_out_of_order",
	  what_follows_the_leader_of_before_is_not_out_of_order },
	{ "what_another_leader_took_is_not_refused_any_more",
	  what_another_leader_took_is_not_refused_any_more },
	{ "a_second_batch_does_not_overtake_the_leader_of_before",
	  a_second_batch_does_not_overtake_the_leader_of_before },
	{ "what_was_written_long_ago_is_not_out_of_order",
	  what_was_written_long_ago_is_not_out_of_order },
	{ NULL, NULL },
};
