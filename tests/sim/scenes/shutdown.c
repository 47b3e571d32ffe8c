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

const struct scene shutdown_scenes[] = {
	{ "a_leader_that_stops_passes_produces_on", a_leader_that_stops_passes_produces_on },
	{ "what_asks_the_leader_alone_is_passed_on_too",
	  what_asks_the_leader_alone_is_passed_on_too },
	{ 0 },
};
