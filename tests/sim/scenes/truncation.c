/* truncation.c - a replica that has what its leader does not have gives up exactly that. */
#include "tests/sim/scene.h"

/* Y has M2, but has not heard that it is committed, when it dies.  A follower that cut its log to
 * its own high watermark would lose M2, and could lead without it (KIP-101). */
static void a_follower_restarts_behind_the_watermark(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	send_on(s, "M2", ALL);
	wait_log(s, Y, "M1 M2");
	hold(s, ANSWERS, X, Y);
	then_acked(s, "M2");
	expect(s, watermark(s, Y) == 1, "Y not to know that M2 is committed");
	kill_node(s, Y);
	start_node(s, Y);
	wait_log(s, Y, "M1 M2");
	kill_node(s, X);
	pass_ms(s, 3000);
	expect_log(s, Y, "M1 M2");
	let_go(s);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* X, Y and Z each led alone, each wrote at offset 1, and none had heard of the epochs after its
 * own.  Asking only where the last epoch ends does not find where such logs part (KIP-279). */
static void each_leader_wrote_for_itself(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	hold(s, ANSWERS, Y, Z);
	acked_by(s, "S2", 1, Y);
	acked_by(s, "S3", 1, Y);
	isolate(s, Y);
	wait_leader(s, Z);
	acked(s, "M2", ALL);
	expect_log(s, X, "M1 S1");
	expect_log(s, Y, "M1 S2 S3");
	expect_log(s, Z, "M1 M2");
	let_go(s);
	mend_all(s);
	expect_everywhere(s, "M1 M2");
	kill_node(s, Z);
	(void)wait_new_leader(s, Z);
	acked(s, "M3", ALL);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2 M3");
}

/* X and Y lead in turns, neither has what the other wrote (the topic allows that).  In the end Y
 * has epochs between those of X: what it says of X's last epoch is about one that X never had, and
 * X must cut where its own history leaves that, or be told the same for ever (KIP-279). */
static void histories_with_epochs_in_turns(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 2, .rf = 2, .is_unclean = true });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, X);
	wait_leader(s, Y);
	acked(s, "Y1", 1);
	kill_node(s, Y);
	start_node(s, X);
	wait_leader(s, X);
	acked(s, "X1", 1);
	acked(s, "X2", 1);
	kill_node(s, X);
	start_node(s, Y);
	wait_leader(s, Y);
	acked(s, "Y2", 1);
	expect_log(s, Y, "M1 Y1 Y2");
	start_node(s, X);
	expect_everywhere(s, "M1 Y1 Y2");
}

/* Z has S1 of X and sleeps.  X leads again when it wakes, so nothing seems to have changed; but
 * X has given S1 up in between (KAFKA-7164). */
static void a_follower_sleeps_through_two_leaders(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	cut_off(s, X, Y);
	acked_by(s, "S1", 1, X);
	wait_log(s, Z, "M1 S1");
	pause_node(s, Z);
	isolate(s, X);
	wait_leader(s, Y);
	acked(s, "M2", ALL);
	mend_all(s);
	wait_isr(s, "XY");
	expect_log(s, X, "M1 M2");
	kill_node(s, Y);
	wait_leader(s, X);
	acked(s, "M3", ALL);
	expect_log(s, Z, "M1 S1");
	resume_node(s, Z);
	start_node(s, Y);
	expect_everywhere(s, "M1 M2 M3");
}

/* X returns with S1 where Y has M2, and hears a high watermark above both in the same answer that
 * tells it to truncate.  Its readers must never get S1 (KAFKA-14704). */
static void a_reader_never_gets_what_is_truncated(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	read_on(s, X);
	wait_read(s, "M1");
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	acked(s, "M2", ALL);
	expect_unread(s, "S1");
	mend_all(s);
	wait_read(s, "M2");
	expect_unread(s, "S1");
	expect_everywhere(s, "M1 M2");
}

/* X asks for offset 3 of a history that Y does not share.  Y tells it so, and must not count the
 * fetch as "X has everything below 3": M2 would be committed, and X in sync, without having it
 * (KAFKA-13141). */
static void a_diverging_fetch_counts_for_nothing(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	isolate(s, X);
	wait_leader(s, Y);
	wait_isr(s, "YZ");
	acked_by(s, "S1", 1, X);
	acked_by(s, "S2", 1, X);
	hold(s, QUESTIONS, X, Y);
	mend_all(s);
	pass_ms(s, 500); /* in service again, so it might join */
	cut_off(s, Y, Z);
	send_on(s, "M2", ALL);
	hold(s, ANSWERS, Y, X);
	let_go_of(s, QUESTIONS);
	wait_held(s, ANSWERS);
	pass_ms(s, 20);
	expect_isr(s, "YZ");
	kill_node(s, Z);
	wait_isr(s, "Y");
	not_yet_acked(s, "M2");
	expect_isr(s, "Y");
	expect_log(s, X, "M1 S1 S2");
	let_go(s);
	wait_isr(s, "XY");
	mend_all(s);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* Y tells Z to give S1 up, and that answer is held while X takes over and writes M2. */
static void hold_a_truncation(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1, .partitions = 4 });
	acked(s, "M1", ALL);
	wait_whole(s);
	cut_off(s, X, Y);
	acked(s, "S1", 1);
	wait_log(s, Z, "M1 S1");
	hold(s, ANSWERS, Y, Z);
	isolate(s, X);
	wait_leader(s, Y);
	wait_held(s, ANSWERS);
	pass_ms(s, 50);
	mend_all(s);
	wait_isr(s, "XYZ");
	elect_preferred(s);
	acked(s, "M2", ALL);
}

/* Y tells Z to give S1 up, and that answer is on its way when X takes over.  Z still follows Y
 * elsewhere, so the connection lives and the answer arrives late: for a partition that Z follows
 * at X, where it has cut its log and taken M2.  M2 must not be cut (KAFKA-13207). */
static void an_answer_of_the_leader_before_is_void(struct stage *s)
{
	hold_a_truncation(s);
	expect_log(s, Z, "M1 M2");
	let_go(s);
	pass_ms(s, 5);
	expect_log(s, Z, "M1 M2");
	expect_everywhere(s, "M1 M2");
}

/* The same, but Y leads again, in a third epoch, when its answer of the first arrives
 * (KAFKA-18723, KAFKA-7786). */
static void an_answer_of_an_epoch_before_is_void(struct stage *s)
{
	hold_a_truncation(s);
	isolate(s, X);
	wait_leader(s, Y);
	pass_ms(s, 50);
	cut_off(s, Y, Z); /* what Z cuts stays cut */
	let_go(s);
	pass_ms(s, 5);
	expect_log(s, Z, "M1 M2");
	mend_all(s);
	expect_everywhere(s, "M1 M2");
}

/* While X was away with S1 and S2, its leader's log moved on and lost its beginning: there is no
 * offset at which the two could meet (KAFKA-12996). */
static void the_common_part_was_deleted(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	acked_by(s, "S2", 1, X);
	acked(s, "M2", ALL);
	acked(s, "M3", ALL);
	acked(s, "M4", ALL);
	acked(s, "M5", ALL);
	delete_below(s, 4);
	mend_all(s);
	expect_everywhere(s, "M5");
	acked(s, "M6", ALL);
	expect_everywhere(s, "M5 M6");
}

/* X's log is longer than that of its new leader, so what it asks for is out of range there.  It
 * keeps what is committed (KAFKA-2143). */
static void a_longer_log_keeps_the_common_part(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	wait_whole(s);
	isolate(s, X);
	wait_leader(s, Y);
	acked_by(s, "S1", 1, X);
	acked_by(s, "S2", 1, X);
	acked_by(s, "S3", 1, X);
	hold(s, ANSWERS, Y, X);
	mend_all(s);
	wait_held(s, ANSWERS);
	expect_log(s, X, "M1 S1 S2 S3");
	let_go(s);
	wait_log(s, X, "M1");
	expect_everywhere(s, "M1");
}

/* M3 reached Y and nobody else, and X died before anybody was told.  Y leads, so M3 is kept: a
 * record that was never acknowledged may live. */
static void m3_on_y_alone_is_kept_when_y_leads(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	wait_whole(s);
	cut_off(s, X, Z);
	send_on(s, "M3", ALL);
	wait_log(s, Y, "M1 M2 M3");
	not_yet_acked(s, "M3");
	kill_node(s, X);
	mend_all(s);
	wait_leader(s, Y);
	acked(s, "M4", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3 M4");
}

/* The same, but Z leads: Y gives M3 up, and so does X. */
static void m3_on_y_alone_is_lost_when_z_leads(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	wait_whole(s);
	cut_off(s, X, Z);
	send_on(s, "M3", ALL);
	wait_log(s, Y, "M1 M2 M3");
	not_yet_acked(s, "M3");
	pause_node(s, Y);
	power_off_node(s, X);
	mend_all(s);
	wait_leader(s, Z);
	acked(s, "M4", ALL);
	start_node(s, X);
	resume_node(s, Y);
	expect_everywhere(s, "M1 M2 M4");
}

/* Everything before an acknowledged record lives as long as it does, acks=1 or not. */
static void what_acks_all_follows_survives(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", 1);
	acked(s, "M2", 1);
	acked(s, "M3", ALL);
	kill_node(s, X);
	(void)wait_new_leader(s, X);
	acked(s, "M4", 1);
	acked(s, "M5", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3 M4 M5");
}

/* X gives up what it wrote alone, again and again, and runs out of descriptors a step later each
 * time: it waits for them, and loses its replica for none of it. */
static void a_truncation_waits_for_descriptors(struct stage *s)
{
	static const char *const alone[] = { "S1", "S2", "S3", "S4",  "S5",  "S6",
					     "S7", "S8", "S9", "S10", "S11", "S12" };
	static const char *const kept[] = { "M1", "M2", "M3", "M4",  "M5",  "M6",
					    "M7", "M8", "M9", "M10", "M11", "M12" };
	char all[64];
	struct text t;

	open_stage(s, &(struct staging){ .min_isr = 1, .roll_ms = 1 });
	acked(s, "M0", ALL);
	text_init(&t, all, sizeof(all));
	text_printf(&t, "M0");
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		wait_whole(s);
		isolate(s, X);
		acked_by(s, alone[i], 1, X);
		wait_leader(s, Y);
		acked_by(s, kept[i], 1, Y);
		starve(s, X, (int64_t)i);
		mend_all(s);
		pass_ms(s, 3000);
		mend_disk(s, X);
		text_printf(&t, " %s", kept[i]);
		wait_log(s, X, all);
		wait_whole(s);
		elect_preferred(s);
	}
	expect_everywhere(s, all);
}

/* X cut S1 off and had no descriptor to read its producers again: it may not take S1, which comes
 * again while too few replicas are in sync, for what it has. */
static void a_record_that_was_cut_off_is_not_there(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	isolate(s, X);
	send_on_as(s, "S1", 0);
	wait_log(s, X, "M1 S1");
	wait_leader(s, Y);
	starve(s, X, 0);
	mend_all(s);
	wait_log(s, X, "M1");
	wait_whole(s);
	kill_node(s, Z);
	wait_isr(s, "XY");
	kill_node(s, Y);
	wait_leader(s, X);
	mend_disk(s, X);
	refused_as_by(s, "S1", 0, KERR_NOT_ENOUGH_REPLICAS, X);
	start_node(s, Y);
	start_node(s, Z);
	wait_whole(s);
	acked_as(s, "S1", 0);
	expect_everywhere(s, "M1 S1");
}

const struct scene truncation_scenes[] = {
	{ "a_follower_restarts_behind_the_watermark", a_follower_restarts_behind_the_watermark },
	{ "each_leader_wrote_for_itself", each_leader_wrote_for_itself },
	{ "histories_with_epochs_in_turns", histories_with_epochs_in_turns },
	{ "a_follower_sleeps_through_two_leaders", a_follower_sleeps_through_two_leaders },
	{ "a_reader_never_gets_what_is_truncated", a_reader_never_gets_what_is_truncated },
	{ "a_diverging_fetch_counts_for_nothing", a_diverging_fetch_counts_for_nothing },
	{ "an_answer_of_the_leader_before_is_void", an_answer_of_the_leader_before_is_void },
	{ "an_answer_of_an_epoch_before_is_void", an_answer_of_an_epoch_before_is_void },
	{ "the_common_part_was_deleted", the_common_part_was_deleted },
	{ "a_longer_log_keeps_the_common_part", a_longer_log_keeps_the_common_part },
	{ "m3_on_y_alone_is_kept_when_y_leads", m3_on_y_alone_is_kept_when_y_leads },
	{ "m3_on_y_alone_is_lost_when_z_leads", m3_on_y_alone_is_lost_when_z_leads },
	{ "what_acks_all_follows_survives", what_acks_all_follows_survives },
	{ "a_truncation_waits_for_descriptors", a_truncation_waits_for_descriptors },
	{ "a_record_that_was_cut_off_is_not_there", a_record_that_was_cut_off_is_not_there },
	{ NULL, NULL },
};
