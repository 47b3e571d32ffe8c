/* watermark.c - the high watermark: what moves it, what must not, and who may read up to it. */
#include "tests/sim/scene.h"

/* M2 waits for Y, which is paused.  When Y has left the ISR nothing else happens, no produce and
 * no fetch: the end of the wait alone must acknowledge M2 (KAFKA-13091). */
static void a_shrink_frees_who_waits(struct stage *s)
{
	open_stage(s,
		   &(struct staging){ .brokers = 2, .rf = 2, .lag_ms = 500, .session_ms = 10000 });
	acked(s, "M1", ALL);
	wait_whole(s);
	pause_node(s, Y);
	send_on(s, "M2", ALL);
	not_yet_acked(s, "M2");
	then_acked(s, "M2");
	expect_isr(s, "X");
	resume_node(s, Y);
	expect_everywhere(s, "M1 M2");
}

/* The same when the controller fenced Y unasked: the news of it must do. */
static void a_fencing_frees_who_waits(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	pause_node(s, Y);
	send_on(s, "M2", ALL);
	not_yet_acked(s, "M2");
	then_acked(s, "M2");
	resume_node(s, Y);
	expect_everywhere(s, "M1 M2");
}

/* X alone is in sync where two must be.  It takes M2 with acks=1, but does not commit it and shows
 * it to nobody: whoever is elected next could lack it (KAFKA-15583). */
static void below_min_isr_nothing_is_committed(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	read_on(s, X);
	kill_node(s, Y);
	kill_node(s, Z);
	wait_isr(s, "X");
	acked(s, "M2", 1);
	expect_unread(s, "M2");
	expect(s, watermark(s, X) == 1, "M2 not to be committed");
	start_node(s, Y);
	wait_isr(s, "XY");
	wait_read(s, "M2");
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* M2 was acknowledged to one producer with acks=1, M3 waits for all.  Readers see neither before
 * both followers have them, and M2 no sooner than M3. */
static void readers_wait_for_all(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	read_on(s, X);
	wait_read(s, "M1");
	cut_off(s, X, Z);
	acked(s, "M2", 1);
	send_on(s, "M3", ALL);
	wait_log(s, Y, "M1 M2 M3");
	expect_unread(s, "M2");
	expect_unread(s, "M3");
	mend_all(s);
	then_acked(s, "M3");
	wait_read(s, "M2");
	wait_read(s, "M3");
	expect_everywhere(s, "M1 M2 M3");
}

/* S1 was acknowledged with acks=1, so it may be lost; but what a consumer has read never changes,
 * so it must not have been read. */
static void what_may_be_lost_is_not_read(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	read_on(s, X);
	cut_off(s, X, Y);
	cut_off(s, X, Z);
	acked(s, "S1", 1);
	expect_unread(s, "S1");
	power_off_node(s, X);
	mend_all(s);
	wait_leader(s, Y);
	read_on(s, Y);
	acked(s, "M2", ALL);
	wait_read(s, "M2");
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
	expect_unread(s, "S1");
}

/* Every record begins a segment.  The high watermark stands exactly where one ends: what is in
 * the next one is not committed, and nobody may read it (KAFKA-9196, KAFKA-3159). */
static void the_watermark_at_the_end_of_a_segment(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .roll_ms = 1 });
	acked(s, "M1", ALL);
	pass_ms(s, 10);
	acked(s, "M2", ALL);
	wait_whole(s);
	read_on(s, X);
	wait_read(s, "M2");
	cut_off(s, X, Z);
	pass_ms(s, 10);
	acked(s, "M3", 1);
	pass_ms(s, 10);
	acked(s, "M4", 1);
	expect_unread(s, "M3");
	expect(s, watermark(s, X) == 2, "the high watermark to be at the end of M2");
	mend_all(s);
	wait_read(s, "M4");
	expect_everywhere(s, "M1 M2 M3 M4");
}

/* A follower that was stopped cleanly knows its high watermark when it is back, before it hears
 * from anybody (KAFKA-3978, and its like before). */
static void clean_restarts_keep_the_watermark(struct stage *s)
{
	static const char *const records[] = { "M1", "M2", "M3" };

	open_stage(s, &(struct staging){ .min_isr = 2 });
	for (int i = 0; i < 3; i++) {
		acked(s, records[i], ALL);
		wait_whole(s);
		stop_node(s, Y);
		hold(s, ANSWERS, X, Y);
		start_node(s, Y);
		wait_watermark(s, Y, i + 1);
		expect(s, watermark(s, Y) == i + 1, "Y's own high watermark");
		let_go(s);
		wait_whole(s);
	}
	expect_everywhere(s, "M1 M2 M3");
}

/* Everything stops, everything starts: as it was. */
static void the_whole_cluster_is_stopped(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	wait_whole(s);
	for (int i = X; i <= Z; i++)
		stop_node(s, i);
	for (int i = X; i <= Z; i++)
		start_node(s, i);
	wait_isr(s, "XYZ");
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M2 M3");
}

const struct scene watermark_scenes[] = {
	{ "a_shrink_frees_who_waits", a_shrink_frees_who_waits },
	{ "a_fencing_frees_who_waits", a_fencing_frees_who_waits },
	{ "below_min_isr_nothing_is_committed", below_min_isr_nothing_is_committed },
	{ "readers_wait_for_all", readers_wait_for_all },
	{ "what_may_be_lost_is_not_read", what_may_be_lost_is_not_read },
	{ "the_watermark_at_the_end_of_a_segment", the_watermark_at_the_end_of_a_segment },
	{ "clean_restarts_keep_the_watermark", clean_restarts_keep_the_watermark },
	{ "the_whole_cluster_is_stopped", the_whole_cluster_is_stopped },
	{ NULL, NULL },
};
