/* isr.c - who is in sync: the leader proposes, the controller disposes, and between the two the
 * leader counts whoever may be. */
#include "tests/sim/scene.h"

/* Y leads with a high watermark behind the truth: it never heard that M2 is committed.  Z has as
 * much as that high watermark says, but not M2, so it may not join (KAFKA-7128). */
static void a_joiner_needs_what_was_there_when_the_epoch_began(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, Z);
	wait_isr(s, "XY");
	pass_ms(s, 100);
	send_on(s, "M2", ALL);
	wait_log(s, Y, "M1 M2");
	hold(s, ANSWERS, X, Y);
	then_acked(s, "M2");
	kill_node(s, X);
	wait_leader(s, Y);
	expect(s, watermark(s, Y) == 1, "Y not to know that M2 is committed");
	let_go(s);
	hold(s, QUESTIONS, Z, Y);
	start_node(s, Z);
	pass_ms(s, 500); /* in service again, so it might join */
	hold(s, ANSWERS, Y, Z);
	let_go_of(s, QUESTIONS);
	pass_ms(s, 1000);
	expect_isr(s, "Y");
	let_go(s);
	wait_isr(s, "YZ");
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* X asks to let Z in; before the controller hears it, Z dies.  A dead broker must not be in the
 * ISR, where it could be elected (KAFKA-13916, KIP-841). */
static void a_dead_broker_is_not_let_in(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	kill_node(s, Z);
	wait_isr(s, "XY");
	hold(s, ALTER_PARTITION, X, CONTROLLER);
	start_node(s, Z);
	wait_held(s, ALTER_PARTITION);
	kill_node(s, Z);
	pass_ms(s, 200);
	let_go(s);
	pass_ms(s, 1000);
	expect_isr(s, "XY");
	acked(s, "M2", ALL);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* X asks to let Z in for what it fetched in a life that is over when the controller hears it.
 * Nobody knows what the new Z still has (KIP-903). */
static void an_earlier_life_is_not_let_in(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	kill_node(s, Z);
	wait_isr(s, "XY");
	hold(s, ALTER_PARTITION, X, CONTROLLER);
	start_node(s, Z);
	wait_held(s, ALTER_PARTITION);
	kill_node(s, Z);
	hold(s, QUESTIONS, Z, X);
	start_node(s, Z);
	wait_held(s, QUESTIONS);
	pass_ms(s, 500);
	let_go_of(s, ALTER_PARTITION);
	pass_ms(s, 1000);
	expect_isr(s, "XY");
	acked(s, "M2", ALL);
	let_go(s);
	expect_everywhere(s, "M1 M2");
}

static void lose_word_of_an_isr(struct stage *s, enum held word, int from, int to)
{
	open_stage(s, &(struct staging){ .min_isr = 1, .lag_ms = 500, .grace_ms = 3000 });
	acked(s, "M1", ALL);
	hold(s, word, from, to);
	cut_off(s, X, Z);
	send_on(s, "M2", ALL);
	wait_held(s, word);
	lose_held(s);
	then_acked(s, "M2");
	expect_isr(s, "XY");
	mend_all(s);
	wait_isr(s, "XYZ");
	expect_everywhere(s, "M1 M2");
}

/* Z lags and X asks to go on without it.  The controller's yes is lost with the connection: X
 * must find out what was decided, and neither wait for ever nor be fenced for old epochs
 * (KAFKA-14144, KAFKA-12367). */
static void a_lost_yes(struct stage *s)
{
	lose_word_of_an_isr(s, ALTERED, CONTROLLER, X);
}

/* The same, but the question is lost. */
static void a_lost_question(struct stage *s)
{
	lose_word_of_an_isr(s, ALTER_PARTITION, X, CONTROLLER);
}

/* A leader that goes on without Z before the controller agreed could be succeeded by Z, which
 * lacks what was acknowledged meanwhile (KAFKA-8836, KIP-497). */
static void a_shrink_counts_when_it_is_granted(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1, .lag_ms = 500, .session_ms = 10000 });
	acked(s, "M1", ALL);
	hold(s, ALTER_PARTITION, X, CONTROLLER);
	cut_off(s, X, Z);
	send_on(s, "M2", ALL);
	wait_held(s, ALTER_PARTITION);
	not_yet_acked(s, "M2");
	let_go(s);
	then_acked(s, "M2");
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* From the moment X asks to let Z in, Z may be elected by X's next breath: X waits for it
 * although nobody said yes. */
static void an_addition_counts_from_the_question_on(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000, .lag_ms = 500 });
	acked(s, "M1", ALL);
	kill_node(s, Z);
	wait_isr(s, "XY");
	hold(s, ALTER_PARTITION, X, CONTROLLER);
	start_node(s, Z);
	wait_held(s, ALTER_PARTITION);
	cut_off(s, X, Z);
	pass_ms(s, 1000); /* so that Z does not count for being caught up */
	send_on(s, "M2", ALL);
	wait_log(s, Y, "M1 M2");
	not_yet_acked(s, "M2");
	let_go(s);
	then_acked(s, "M2");
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* Nothing is produced for ten times the lag: a follower that has everything is in sync however
 * little it fetches, and the ISR stays as it is (KAFKA-7152, KAFKA-4485, KAFKA-4313). */
static void an_idle_follower_stays_in_sync(struct stage *s)
{
	int32_t epoch;

	open_stage(s, &(struct staging){ .min_isr = 2, .lag_ms = 500 });
	acked(s, "M1", ALL);
	wait_whole(s);
	epoch = partition_epoch(s);
	pass_ms(s, 5000);
	expect(s, partition_epoch(s) == epoch, "nothing to change while nothing happens");
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* Z is caught up, but on its way out, and may not join the ISR: so nobody waits for it either
 * (KAFKA-15021). */
static void a_follower_on_its_way_out_holds_nobody(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	wait_whole(s);
	ask_to_stop(s, Z);
	wait_isr(s, "XY");
	pause_node(s, Z);
	acked(s, "M2", ALL);
	resume_node(s, Z);
	stop_node(s, Z);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* Z loses its power and comes back with an empty log before anybody missed it.  It was in sync,
 * and is not: its place in the ISR must go with its old life (KAFKA-14617). */
static void a_follower_that_lost_its_log_is_out(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 3000 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	wait_whole(s);
	power_off_node(s, Z);
	hold(s, ANSWERS, X, Z);
	start_node(s, Z);
	wait_isr(s, "XY");
	acked(s, "M3", ALL);
	let_go(s);
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene isr_scenes[] = {
	{ "a_joiner_needs_what_was_there_when_the_epoch_began",
	  a_joiner_needs_what_was_there_when_the_epoch_began },
	{ "a_dead_broker_is_not_let_in", a_dead_broker_is_not_let_in },
	{ "an_earlier_life_is_not_let_in", an_earlier_life_is_not_let_in },
	{ "a_lost_yes", a_lost_yes },
	{ "a_lost_question", a_lost_question },
	{ "a_shrink_counts_when_it_is_granted", a_shrink_counts_when_it_is_granted },
	{ "an_addition_counts_from_the_question_on", an_addition_counts_from_the_question_on },
	{ "an_idle_follower_stays_in_sync", an_idle_follower_stays_in_sync },
	{ "a_follower_on_its_way_out_holds_nobody", a_follower_on_its_way_out_holds_nobody },
	{ "a_follower_that_lost_its_log_is_out", a_follower_that_lost_its_log_is_out },
	{ NULL, NULL },
};
