/* epoch.c - leader epochs: whose word counts, and what a leader of no records leaves behind. */
#include "tests/sim/scene.h"

/* Z told X in its first epoch that it has everything below 2.  That word arrives when X leads
 * again, in its second epoch, and another record has offset 1: it must not count
 * (KAFKA-7395, KIP-320 and its first try). */
static void a_fetch_of_an_earlier_epoch_does_not_count(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	cut_off(s, X, Y);
	send_on(s, "S1", 1);
	wait_log(s, Z, "M1 S1");
	hold(s, QUESTIONS, Z, X);
	then_acked(s, "S1");
	cut_off(s, X, CONTROLLER);
	wait_leader(s, Y);
	wait_log(s, Z, "M1");
	mend_all(s);
	wait_isr(s, "XYZ");
	elect_preferred(s);
	send_on(s, "M2", ALL);
	wait_log(s, Y, "M1 M2");
	pause_node(s, Z);
	let_go(s);
	not_yet_acked(s, "M2");
	expect(s, watermark(s, X) == 1, "M2 to wait for Z");
	resume_node(s, Z);
	then_acked(s, "M2");
	expect_everywhere(s, "M1 M2");
}

/* Y led, gave way to X, and leads again without having heard of that: it still has S1, which Z had
 * told it of and has given up under X.  No divergence gives that word away when it arrives, only
 * its epoch does (KAFKA-7395, KIP-320 and its first try). */
static void an_earlier_fetch_of_the_same_log_does_not_count(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	wait_isr(s, "XYZ");
	cut_off(s, X, Y);
	hold(s, QUESTIONS, Z, Y);
	send_on(s, "S1", 1); /* the answer to what Z asked before */
	wait_log(s, Z, "M1 S1");
	wait_held(s, QUESTIONS);
	hold(s, METADATA, CONTROLLER, Y);
	then_acked(s, "S1");
	begin_preferred(s);
	wait_leader(s, X);
	wait_log(s, Z, "M1");
	pause_node(s, Z);
	kill_node(s, X);
	pass_ms(s, 100);
	let_go_of(s, METADATA);
	wait_leader(s, Y);
	let_go_of(s, QUESTIONS);
	pass_ms(s, 300);
	expect_log(s, Y, "M1 S1");
	expect(s, watermark(s, Y) == 1, "S1 to wait for Z");
	resume_node(s, Z);
	mend_all(s);
	start_node(s, X);
	expect_everywhere(s, "M1 S1");
}

/* A leader notes where its epoch begins, records or not: whoever asks about that epoch later is
 * told a wrong end otherwise (KAFKA-7415).  It still knows after it was killed. */
static void a_leader_without_records_notes_its_epoch(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, X);
	wait_leader(s, Y);
	expect(s, known_epoch(s, Y) == leader_epoch(s), "Y to know the epoch that it leads");
	start_node(s, X);
	wait_whole(s);
	kill_node(s, Y);
	(void)wait_new_leader(s, Y);
	expect(s, known_epoch(s, leader(s)) == leader_epoch(s),
	       "the next leader to know its epoch");
	start_node(s, Y);
	wait_whole(s);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* Leaders come and go, and none writes anything.  Epochs that begin and end at the log's end are
 * not a reason to truncate for ever (KAFKA-10706). */
static void leaders_that_write_nothing(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	for (int i = 0; i < 5; i++) {
		int old = leader(s);

		kill_node(s, old);
		(void)wait_new_leader(s, old);
		start_node(s, old);
		wait_whole(s);
	}
	isolate(s, leader(s));
	pass_ms(s, 1500);
	isolate(s, leader(s));
	pass_ms(s, 1500);
	mend_all(s);
	wait_whole(s);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* Partition 0 leaves Y and returns to it in a later epoch, while another partition keeps Z's fetch
 * session with Y alive.  The session must not remember the epoch (KAFKA-9338, KAFKA-8052). */
static void a_session_outlives_an_epoch(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .partitions = 4 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	wait_whole(s);
	acked(s, "M2", ALL);
	elect_preferred(s);
	acked(s, "M3", ALL);
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	acked(s, "M4", ALL);
	mend_all(s);
	wait_whole(s);
	elect_preferred(s);
	acked(s, "M5", ALL);
	expect_everywhere(s, "M1 M2 M3 M4 M5");
}

/* X is back while the controller still takes it for the leader that it was: nothing told it that X
 * was gone.  X has its old metadata and its old log, and must lead on neither: it is not registered
 * (Kafka 4.3.1 breaks this, and tears transactions with it). */
static void a_restarted_leader_waits_to_be_registered(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 3000 });
	acked(s, "M1", ALL);
	cut_off(s, X, CONTROLLER);
	kill_node(s, X);
	start_node(s, X);
	unanswered(s, "S1", 1, X);
	expect(s, leader(s) == X, "the controller to believe in X");
	wait_leader(s, Y);
	acked(s, "M2", ALL);
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* The same with the metadata held: X is registered anew, and told nothing yet. */
static void a_restarted_leader_waits_for_its_metadata(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 10000 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	hold(s, METADATA, CONTROLLER, X);
	start_node(s, X);
	wait_held(s, METADATA);
	unanswered(s, "S1", 1, X);
	let_go(s);
	wait_whole(s);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

const struct scene epoch_scenes[] = {
	{ "a_fetch_of_an_earlier_epoch_does_not_count",
	  a_fetch_of_an_earlier_epoch_does_not_count },
	{ "an_earlier_fetch_of_the_same_log_does_not_count",
	  an_earlier_fetch_of_the_same_log_does_not_count },
	{ "a_leader_without_records_notes_its_epoch", a_leader_without_records_notes_its_epoch },
	{ "leaders_that_write_nothing", leaders_that_write_nothing },
	{ "a_session_outlives_an_epoch", a_session_outlives_an_epoch },
	{ "a_restarted_leader_waits_to_be_registered", a_restarted_leader_waits_to_be_registered },
	{ "a_restarted_leader_waits_for_its_metadata", a_restarted_leader_waits_for_its_metadata },
	{ NULL, NULL },
};
