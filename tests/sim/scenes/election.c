/* election.c - who may lead when the last replica in sync is gone. */
#include "tests/sim/scene.h"

/* Z fell out of the ISR with M1; X alone has M2.  By default the partition waits for X. */
static void the_last_in_sync_is_waited_for(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1 });
	acked(s, "M1", ALL);
	kill_node(s, Y);
	wait_isr(s, "X");
	acked(s, "M2", ALL);
	kill_node(s, X);
	wait_no_leader(s);
	start_node(s, Y);
	pass_ms(s, 5000);
	wait_no_leader(s);
	start_node(s, X);
	wait_leader(s, X);
	expect_everywhere(s, "M1 M2");
}

/* Where the topic allows it, availability goes first: Y leads, and M2 is gone for good. */
static void an_unclean_election_loses_m2(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1, .is_unclean = true });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, Y);
	wait_isr(s, "X");
	acked(s, "M2", ALL);
	kill_node(s, X);
	wait_no_leader(s);
	start_node(s, Y);
	wait_leader(s, Y);
	acked(s, "M3", ALL);
	expect_log(s, Y, "M1 M3");
	start_node(s, X);
	expect_everywhere(s, "M1 M3");
}

/* A follower that stands still leaves the ISR after replica.lag.time.max.ms; acks=all goes on
 * without it, and it catches up later. */
static void a_follower_that_lags_leaves_and_returns(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .lag_ms = 500 });
	acked(s, "M1", ALL);
	cut_off(s, X, Z);
	acked(s, "M2", ALL);
	wait_isr(s, "XY");
	acked(s, "M3", ALL);
	mend_all(s);
	wait_isr(s, "XYZ");
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene election_scenes[] = {
	{ "the_last_in_sync_is_waited_for", the_last_in_sync_is_waited_for },
	{ "an_unclean_election_loses_m2", an_unclean_election_loses_m2 },
	{ "a_follower_that_lags_leaves_and_returns", a_follower_that_lags_leaves_and_returns },
	{ NULL, NULL },
};
