/* regression.c - bugs that seeds found, told as short as they can be. */
#include "tests/sim/scene.h"

/* Y learns of a leader epoch with the first record of it, and dies before its checkpoint is
 * written.  The scan of its log teaches the epoch again; that must be written down, for a clean
 * stop later nothing is scanned, and a follower that has forgotten an epoch is told to truncate. */
static void the_scan_teaches_epochs(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1 });
	acked(s, "M1", ALL);
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	wait_whole(s);
	slow_jobs(s, 500);
	acked(s, "M2", ALL);
	kill_node(s, X);
	slow_jobs(s, 2);
	start_node(s, X);
	wait_whole(s);
	stop_node(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* X is back after a power loss, but cannot reach the controller; then it is asked to stop.  It has
 * opened no log, so it cannot know that they are whole: the next start must recover them. */
static void stopped_before_it_could_register(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 5000, .roll_ms = 100 });
	acked(s, "M1", ALL);
	pass_ms(s, 200);
	acked(s, "M2", ALL); /* a new segment: the first one is flushed, with the directory */
	pass_ms(s, 100);
	power_off_node(s, X);
	isolate(s, X);
	start_node(s, X);
	pass_ms(s, 50);
	stop_node(s, X);
	expect_no_clean_mark(s, X);
	mend_all(s);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* A partition is made without a sync.  Its directory is durable with the first records that are: X
 * finds them after the power is back, without a word from the others. */
static void a_new_directory_outlives_the_power(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .session_ms = 5000, .roll_ms = 100 });
	acked(s, "M1", ALL);
	pass_ms(s, 200);
	acked(s, "M2", ALL);
	pass_ms(s, 200);
	power_off_node(s, X);
	wait_new_leader(s, X);
	cut_off(s, X, Y);
	cut_off(s, X, Z);
	start_node(s, X);
	pass_ms(s, 200);
	expect(s, end_offset(s, X) >= 1, "M1 to be there");
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* X returns with a record that nobody else has, and with an old high watermark.  It truncates, and
 * is then level with its leader, which has nothing new to send: X must hear the high watermark all
 * the same. */
static void level_after_truncation(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1 });
	acked(s, "M1", ALL);
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	pass_ms(s, 20000); /* what X had sent to Y is given up */
	kill_node(s, X);
	mend_all(s);
	start_node(s, X);
	expect_everywhere(s, "M1");
}

/* All that was written is past its time and deleted.  The producer that did not hear its answer
 * sends again, after both replicas died: it is a duplicate still, and only a snapshot says so. */
static void retention_forgets_no_producer(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2,
					 .rf = 2,
					 .min_isr = 1,
					 .roll_ms = 500,
					 .retention_ms = 1000 });
	acked_as(s, "M1", 0);
	acked_as(s, "M2", 1);
	pass_ms(s, 5000);
	expect(s, first_offset(s, X) == 2 && first_offset(s, Y) == 2, "both to be deleted");
	kill_node(s, X);
	kill_node(s, Y);
	start_node(s, X);
	start_node(s, Y);
	wait_whole(s);
	acked_as(s, "M2", 1);
	expect(s, watermark(s, X) == 2, "that nothing was appended");
	acked_as(s, "M3", 2);
	expect_everywhere(s, "M3");
}

/* Checkpoints go by name (KAFKA-12257): what they say of the deleted topic must not be taken for
 * the new one's, which has fewer records. */
static void a_new_topic_of_an_old_name(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 1 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	acked(s, "M3", ALL);
	delete_below(s, 3);
	pass_ms(s, 61000); /* the checkpoints are written */
	replace_topic(s);
	acked(s, "N1", ALL);
	kill_node(s, X);
	kill_node(s, Y);
	start_node(s, X);
	start_node(s, Y);
	expect_everywhere(s, "N1");
}

const struct scene regression_scenes[] = {
	{ "the_scan_teaches_epochs", the_scan_teaches_epochs },
	{ "stopped_before_it_could_register", stopped_before_it_could_register },
	{ "a_new_directory_outlives_the_power", a_new_directory_outlives_the_power },
	{ "level_after_truncation", level_after_truncation },
	{ "retention_forgets_no_producer", retention_forgets_no_producer },
	{ "a_new_topic_of_an_old_name", a_new_topic_of_an_old_name },
	{ NULL, NULL },
};
