/* shutdown.c - a controlled shutdown: leaders move away, clients lose neither records nor time. */
#include "tests/sim/scene.h"

/* The client has not heard yet that X gave its leadership away; X takes its records there. */
static void a_leader_that_stops_passes_produces_on(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	ask_to_stop(s, X);
	(void)wait_new_leader(s, X);
	wait_follower(s, X);
	acked_by(s, "M2", ALL, X);
	wait_end(s, X);
	acked(s, "M3", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

static void what_asks_the_leader_alone_is_passed_on_too(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	ask_to_stop(s, X);
	(void)wait_new_leader(s, X);
	wait_follower(s, X);
	acked_by(s, "M2", 1, X);
	wait_end(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* A client has records on their way through X when it hears of the new leader, and sends the next
 * one there itself.  It is not told that something was lost: M2 could be acknowledged before that
 * answer arrives. */
static void what_overtakes_a_passed_record_is_asked_for_again(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked_as(s, "M1", 0);
	ask_to_stop(s, X);
	(void)wait_new_leader(s, X);
	wait_follower(s, X);
	refused_as(s, "M3", 2, KERR_LEADER_NOT_AVAILABLE);
	acked_as_by(s, "M2", 1, X);
	acked_as(s, "M3", 2);
	wait_end(s, X);
	pass_ms(s, 31000);
	refused_as(s, "M5", 4, KERR_LEADER_NOT_AVAILABLE);
	pass_ms(s, 30000); /* nothing that X passed on comes so late */
	refused_as(s, "M5", 4, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

/* The next leader has not heard yet that it is: it is asked again. */
static void the_next_leader_hears_of_it_late(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	hold(s, METADATA, CONTROLLER, Y);
	ask_to_stop(s, X);
	wait_follower(s, X);
	send_on_to(s, "M2", 1, X);
	not_yet_acked(s, "M2");
	let_go(s);
	then_acked(s, "M2");
	wait_end(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* The next leader has the record and its answer does not come: who asks again would append it
 * twice.  The client is told what it was told before, and may ask again by itself. */
static void what_was_passed_on_is_passed_on_once(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	ask_to_stop(s, X);
	(void)wait_new_leader(s, X);
	wait_follower(s, X);
	hold(s, ANSWERS, Y, X);
	send_on_to(s, "M2", 1, X);
	wait_log(s, Y, "M1 M2");
	pass_ms(s, 1500);
	let_go(s);
	wait_end(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

const struct scene shutdown_scenes[] = {
	{ "a_leader_that_stops_passes_produces_on", a_leader_that_stops_passes_produces_on },
	{ "what_asks_the_leader_alone_is_passed_on_too",
	  what_asks_the_leader_alone_is_passed_on_too },
	{ "what_overtakes_a_passed_record_is_asked_for_again",
	  what_overtakes_a_passed_record_is_asked_for_again },
	{ "the_next_leader_hears_of_it_late", the_next_leader_hears_of_it_late },
	{ "what_was_passed_on_is_passed_on_once", what_was_passed_on_is_passed_on_once },
	{ 0 },
};
