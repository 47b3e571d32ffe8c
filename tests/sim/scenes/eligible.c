/* eligible.c - eligible leader replicas (KIP-966): who left the ISR while nothing more could be
 * committed still has everything that was. */
#include "tests/sim/scene.h"

/* X is the last in sync, and loses its power, and with it what was not on its device.  Without
 * eligible replicas it would be waited for, and would make the others give up what it lost
 * (KAFKA-15583).  Z has M1 and M2; Y left before M2 and may not lead. */
static void the_last_replica_standing_loses_its_power(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "XZ");
	acked(s, "M2", ALL);
	expect_elr(s, "");
	kill_node(s, Z);
	wait_isr(s, "X");
	expect_elr(s, "Z");
	acked(s, "M3", 1);
	power_off_node(s, X);
	wait_no_leader(s);
	start_node(s, Y);
	pass_ms(s, 2000);
	wait_no_leader(s);
	start_node(s, Z);
	wait_leader(s, Z);
	acked(s, "M4", 1);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M4");
}

/* Z is eligible until its own power fails: then nobody knows what it has.  X, which was killed and
 * lost nothing, is waited for. */
static void an_eligible_replica_loses_its_power(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "XZ");
	acked(s, "M2", ALL);
	power_off_node(s, Z);
	wait_isr(s, "X");
	expect_elr(s, "Z");
	hold(s, QUESTIONS, Z, X); /* its fetch might say that nothing was lost */
	start_node(s, Z);
	wait_held(s, QUESTIONS);
	expect_elr(s, "");
	kill_node(s, X);
	wait_no_leader(s);
	let_go(s);
	start_node(s, Y);
	pass_ms(s, 2000);
	wait_no_leader(s);
	start_node(s, X);
	wait_leader(s, X);
	acked(s, "M3", 1);
	expect_everywhere(s, "M1 M2 M3");
}

/* All are killed, one after the other, none loses anything: the first one back that is in sync or
 * eligible leads, and it need not be the last that was there. */
static void the_first_one_back_leads(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "XZ");
	kill_node(s, X);
	wait_isr(s, "Z");
	expect_elr(s, "X");
	kill_node(s, Z);
	wait_no_leader(s);
	start_node(s, X);
	wait_leader(s, X);
	acked(s, "M2", 1);
	start_node(s, Y);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* Enough are in sync again: more is committed, and nobody beside them is eligible any more. */
static void the_eligible_lose_their_place(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "XZ");
	kill_node(s, Z);
	wait_isr(s, "X");
	expect_elr(s, "Z");
	start_node(s, Y);
	wait_isr(s, "XY");
	expect_elr(s, "");
	acked(s, "M2", ALL);
	power_off_node(s, X);
	wait_isr(s, "Y");
	expect_elr(s, "X");
	kill_node(s, Y);
	wait_no_leader(s);
	start_node(s, Z);
	pass_ms(s, 2000);
	wait_no_leader(s);
	start_node(s, Y);
	wait_leader(s, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* min.insync.replicas of two out of two: the one who is left commits nothing, so the other may lead
 * in its place at once. */
static void two_take_turns(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 2 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "X");
	expect_elr(s, "Y");
	acked(s, "S1", 1);
	kill_node(s, X);
	wait_no_leader(s);
	start_node(s, Y);
	wait_leader(s, Y);
	acked(s, "M2", 1);
	start_node(s, X);
	wait_isr(s, "XY");
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M2 M3");
}

/* All are stopped in good order, and the one that was left in sync does not come back.  Y, which
 * stopped before it while nothing more could be committed, may lead. */
static void all_stop_and_the_last_one_stays_away(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	stop_node(s, Z);
	wait_isr(s, "XY");
	acked(s, "M2", ALL);
	stop_node(s, Y);
	wait_isr(s, "X");
	expect_elr(s, "Y");
	stop_node(s, X);
	wait_no_leader(s);
	start_node(s, Z);
	pass_ms(s, 1000);
	wait_no_leader(s);
	start_node(s, Y);
	wait_leader(s, Y);
	wait_isr(s, "YZ");
	acked(s, "M3", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene eligible_scenes[] = {
	{ "the_last_replica_standing_loses_its_power", the_last_replica_standing_loses_its_power },
	{ "an_eligible_replica_loses_its_power", an_eligible_replica_loses_its_power },
	{ "the_first_one_back_leads", the_first_one_back_leads },
	{ "the_eligible_lose_their_place", the_eligible_lose_their_place },
	{ "two_take_turns", two_take_turns },
	{ "all_stop_and_the_last_one_stays_away", all_stop_and_the_last_one_stays_away },
	{ NULL, NULL },
};
