/* quorum.c - several controllers: one decides, a majority must agree, the data path minds
 * neither. */
#include "tests/sim/scene_admin.h"

static const struct staging three = { .controllers = 3, .min_isr = 2 };

/* It was carried out, and whoever asked for it was not told. */
static void dies_before_it_answers(struct stage *s, void (*ask)(struct stage *, int broker))
{
	int old = wait_active(s, -1);

	hold(s, METADATA, old, X);
	ask(s, X);
	wait_held(s, METADATA);
	kill_node(s, old);
	lose_held(s);
	then_done(s);
	start_node(s, old);
	pass_ms(s, 1000);
}

/* As for topics; of the two that are left both are needed, so the dead one comes back first. */
static void a_vote_that_was_taken_is_not_missed(struct stage *s)
{
	int old, loses;

	open_stage(s, &three);
	wait_whole(s);
	old = wait_active(s, -1);
	loses = standby(s, old);
	hold(s, METADATA, old, X);
	begin_take_vote(s, X, loses);
	wait_held(s, METADATA);
	kill_node(s, old);
	lose_held(s);
	start_node(s, old);
	then_done(s);
	expect(s, !has_vote(s, loses), "its vote is taken");
	give_vote(s, loses);
	acked(s, "M1", ALL);
	expect_everywhere(s, "M1");
}

/* With it two of three are left, which elect without the dead one. */
static void a_vote_that_was_given_is_no_reason_to_refuse_it(struct stage *s)
{
	int old, gains;

	open_stage(s, &three);
	wait_whole(s);
	old = wait_active(s, -1);
	gains = standby(s, old);
	take_vote(s, gains);
	hold(s, METADATA, old, X);
	begin_give_vote(s, X, gains);
	wait_held(s, METADATA);
	kill_node(s, old);
	lose_held(s);
	then_done(s);
	expect(s, has_vote(s, gains), "its vote is given");
	start_node(s, old);
	wait_whole(s);
	acked(s, "M1", ALL);
	expect_everywhere(s, "M1");
}

/* X asks the next controller again, which must not refuse what was done for the same request. */
static void what_was_done_is_no_reason_to_refuse_it(struct stage *s)
{
	open_stage(s, &three);
	wait_whole(s);
	dies_before_it_answers(s, begin_grow);
	dies_before_it_answers(s, begin_delete);
	dies_before_it_answers(s, begin_create);
	acked(s, "M1", ALL);
	expect_everywhere(s, "M1");
}

static void the_active_controller_dies(struct stage *s)
{
	int old;

	open_stage(s, &three);
	old = active(s);
	acked(s, "M1", ALL);
	kill_node(s, old);
	acked_by(s, "M2", ALL, X);
	(void)wait_active(s, old);
	kill_node(s, X);
	wait_leader(s, Y);
	acked(s, "M3", ALL);
	start_node(s, X);
	start_node(s, old);
	expect_everywhere(s, "M1 M2 M3");
}

/* Nothing is decided, everything that was decided goes on; the second one's return is enough. */
static void two_of_three_are_dead(struct stage *s)
{
	int first, second;

	open_stage(s, &three);
	first = active(s);
	second = standby(s, -1);
	acked(s, "M1", ALL);
	kill_node(s, first);
	kill_node(s, second);
	acked_by(s, "M2", ALL, X);
	kill_node(s, X);
	pass_ms(s, 3000);
	wait_inactive(s);
	start_node(s, second);
	(void)wait_active(s, -1);
	wait_leader(s, Y);
	acked(s, "M3", ALL);
	start_node(s, X);
	start_node(s, first);
	expect_everywhere(s, "M1 M2 M3");
}

/* It has the number of the one that voted, and has promised nothing of what that one promised. */
static void an_empty_disk_does_not_vote(struct stage *s)
{
	int wiped, other;

	open_stage(s, &three);
	wiped = standby(s, -1);
	other = standby(s, wiped);
	acked(s, "M1", ALL);
	kill_node(s, wiped);
	lose_metadata(s, wiped);
	start_node(s, wiped);
	wait_whole(s); /* it follows */
	expect(s, !has_vote(s, wiped), "the new disk without a vote");
	kill_node(s, other);
	wait_inactive(s); /* one voter of three */
	acked_by(s, "M2", ALL, X);
	start_node(s, other);
	(void)wait_active(s, -1);
	expect_everywhere(s, "M1 M2");
}

/* KIP-853: the dead disk's vote is taken, the new disk is given one, and it counts. */
static void a_lost_disk_is_replaced(struct stage *s)
{
	int wiped, other;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wiped = standby(s, -1);
	other = standby(s, wiped);
	kill_node(s, wiped);
	lose_metadata(s, wiped);
	start_node(s, wiped);
	wait_whole(s);
	take_vote(s, wiped);
	give_vote(s, wiped);
	kill_node(s, other);
	kill_node(s, X);
	wait_leader(s, Y);
	acked(s, "M2", ALL);
	start_node(s, X);
	start_node(s, other);
	expect_everywhere(s, "M1 M2");
}

/* It was away while the voters became others, and none of those it knows leads: it must find the
 * one that does. */
static void who_was_away_finds_voters_that_it_never_knew(struct stage *s)
{
	int old, next, away;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wait_whole(s);
	old = active(s);
	next = standby(s, -1);
	away = standby(s, next);
	take_vote(s, away);
	take_vote(s, next);
	wait_whole(s);
	kill_node(s, away);
	give_vote(s, next);
	take_vote(s, old);
	expect(s, wait_active(s, old) == next, "the only voter to lead");
	start_node(s, away);
	wait_whole(s);
	give_vote(s, old);
	give_vote(s, away);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* A set of voters counts from the moment it is in a log: with a dead majority it could never be
 * taken back. */
static void the_vote_of_the_living_is_not_taken(struct stage *s)
{
	int dead, other;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wait_whole(s);
	dead = standby(s, -1);
	other = standby(s, dead);
	kill_node(s, dead);
	pass_ms(s, 5000);
	expect(s, !may_take_vote(s, other), "one of two that live to stay");
	take_vote(s, dead);
	take_vote(s, other);
	start_node(s, dead);
	wait_whole(s);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* It does not end before another one leads, so nothing that was asked waits for a timeout. */
static void an_active_controller_that_stops_hands_over(struct stage *s)
{
	int32_t epoch;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wait_whole(s);
	epoch = partition_epoch(s);
	for (int i = 0; i < 3; i++) {
		int old = active(s);

		ask_to_stop(s, old);
		wait_led_by_other(s, old);
		expect(s, is_running(s, old), "the old one to be there until another leads");
		(void)wait_active(s, old);
		wait_end(s, old);
		start_node(s, old);
		wait_whole(s);
	}
	expect(s, partition_epoch(s) == epoch, "the partition as it was");
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* Nobody is there to take over: it ends all the same. */
static void the_last_controller_stops(struct stage *s)
{
	int old;

	open_stage(s, &three);
	old = active(s);
	acked(s, "M1", ALL);
	for (int i = C; i <= E; i++)
		if (i != old)
			kill_node(s, i);
	stop_node(s, old);
	acked_by(s, "M2", ALL, X);
	for (int i = C; i <= E; i++)
		start_node(s, i);
	expect_everywhere(s, "M1 M2");
}

/* KAFKA-14154, KAFKA-1096: it stood still for longer than it may lead.  What it decides when it
 * goes on, before it has heard of its successor, must not reach anybody. */
static void a_leader_that_stood_still(struct stage *s)
{
	int old;

	open_stage(s, &three);
	old = active(s);
	acked(s, "M1", ALL);
	pause_node(s, old);
	(void)wait_active(s, old);
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	resume_node(s, old);
	pass_ms(s, 3000);
	expect(s, active(s) != old, "the successor to stay");
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* The brokers still hear it, and it hears them; only its peers do not.  It must give up by
 * itself. */
static void a_leader_without_a_majority_gives_up(struct stage *s)
{
	int old;

	open_stage(s, &three);
	old = active(s);
	acked(s, "M1", ALL);
	cut_among_controllers(s, old);
	(void)wait_active(s, old);
	kill_node(s, X);
	wait_leader(s, Y);
	acked(s, "M2", ALL);
	mend_all(s);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* All at once, with everything that is not on disk: who comes back knows what was promised. */
static void all_controllers_lose_their_power(struct stage *s)
{
	open_stage(s, &three);
	acked(s, "M1", ALL);
	kill_node(s, X);
	wait_leader(s, Y);
	for (int i = C; i <= E; i++)
		power_off_node(s, i);
	acked_by(s, "M2", ALL, Y);
	for (int i = C; i <= E; i++)
		start_node(s, i);
	(void)wait_active(s, -1);
	wait_leader(s, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* The same with X as the only broker that it still has.  X asks for another ISR; that cannot be
 * committed, so it must not be granted. */
static void a_leader_without_a_majority_grants_nothing(struct stage *s)
{
	int old;

	open_stage(s, &(struct staging){ .controllers = 3, .min_isr = 2, .lag_ms = 500 });
	acked(s, "M1", ALL);
	wait_whole(s);
	old = active(s);
	cut_among_controllers(s, old);
	cut_off(s, old, Y);
	cut_off(s, old, Z);
	cut_off(s, X, Z);
	send_on(s, "M2", ALL);
	not_yet_acked(s, "M2");
	(void)wait_active(s, old);
	pass_ms(s, 5000);
	mend_all(s);
	wait_whole(s);
	acked(s, "M3", ALL);
	wait_whole(s);
}

/* It is gone without a word: no connection ends, and who dials it hears nothing.  The brokers find
 * its successor within their session, so nobody is fenced. */
static void the_active_controller_loses_its_power(struct stage *s)
{
	int old;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wait_whole(s);
	old = active(s);
	power_off_node(s, old);
	(void)wait_active(s, old);
	pass_ms(s, 1500);
	expect_isr(s, "XYZ");
	acked(s, "M2", ALL);
	start_node(s, old);
	expect_everywhere(s, "M1 M2");
}

/* It granted X another ISR and died with its answer.  The successor knows of it, for it was
 * committed; X hears of it from there. */
static void the_yes_dies_with_its_controller(struct stage *s)
{
	int old;

	open_stage(s, &(struct staging){
			      .controllers = 3, .min_isr = 2, .lag_ms = 500, .session_ms = 10000 });
	acked(s, "M1", ALL);
	wait_whole(s);
	old = active(s);
	hold(s, ALTERED, old, X);
	cut_off(s, X, Z);
	acked(s, "M2", 1);
	wait_held(s, ALTERED);
	expect_isr(s, "XY");
	kill_node(s, old);
	let_go(s);
	(void)wait_active(s, old);
	wait_isr(s, "XY");
	wait_watermark(s, X, 2);
	acked(s, "M3", ALL);
	mend_all(s);
	start_node(s, old);
	expect_everywhere(s, "M1 M2 M3");
}

/* C is away while D and E decide that Z is out; then one of those goes, too.  C has to decide with
 * the other, and learns first what was committed without it. */
static void a_controller_that_was_away_learns_first(struct stage *s)
{
	int next;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, C);
	kill_node(s, Z);
	wait_isr(s, "XY");
	acked(s, "M2", ALL);
	next = active(s);
	kill_node(s, next);
	start_node(s, C);
	wait_isr(s, "XY");
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	start_node(s, Z);
	wait_isr(s, "XYZ");
	acked(s, "M3", ALL);
	start_node(s, next);
	expect_everywhere(s, "M1 M2 M3");
}

/* KAFKA-16952: a broker that meets the new controller is the one that the old one knew. */
static void a_change_of_controllers_fences_nobody(struct stage *s)
{
	int32_t epoch;

	open_stage(s, &three);
	acked(s, "M1", ALL);
	epoch = partition_epoch(s);
	for (int i = 0; i < 5; i++) {
		int old = active(s);

		kill_node(s, old);
		(void)wait_active(s, old);
		start_node(s, old);
		wait_whole(s);
	}
	expect(s, partition_epoch(s) == epoch, "the partition as it was");
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

const struct scene quorum_scenes[] = {
	{ "what_was_done_is_no_reason_to_refuse_it", what_was_done_is_no_reason_to_refuse_it },
	{ "a_vote_that_was_given_is_no_reason_to_refuse_it",
	  a_vote_that_was_given_is_no_reason_to_refuse_it },
	{ "a_vote_that_was_taken_is_not_missed", a_vote_that_was_taken_is_not_missed },
	{ "the_active_controller_dies", the_active_controller_dies },
	{ "two_of_three_are_dead", two_of_three_are_dead },
	{ "an_empty_disk_does_not_vote", an_empty_disk_does_not_vote },
	{ "an_active_controller_that_stops_hands_over",
	  an_active_controller_that_stops_hands_over },
	{ "the_last_controller_stops", the_last_controller_stops },
	{ "a_lost_disk_is_replaced", a_lost_disk_is_replaced },
	{ "who_was_away_finds_voters_that_it_never_knew",
	  who_was_away_finds_voters_that_it_never_knew },
	{ "the_vote_of_the_living_is_not_taken", the_vote_of_the_living_is_not_taken },
	{ "a_leader_that_stood_still", a_leader_that_stood_still },
	{ "a_leader_without_a_majority_gives_up", a_leader_without_a_majority_gives_up },
	{ "a_leader_without_a_majority_grants_nothing",
	  a_leader_without_a_majority_grants_nothing },
	{ "the_active_controller_loses_its_power", the_active_controller_loses_its_power },
	{ "the_yes_dies_with_its_controller", the_yes_dies_with_its_controller },
	{ "a_controller_that_was_away_learns_first", a_controller_that_was_away_learns_first },
	{ "all_controllers_lose_their_power", all_controllers_lose_their_power },
	{ "a_change_of_controllers_fences_nobody", a_change_of_controllers_fences_nobody },
	{ 0 },
};
