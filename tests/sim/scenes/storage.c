/* storage.c - what disks and clocks do to replication. */
#include "tests/sim/scene.h"

/* M2 to M5 are above the high watermark and older than retention.ms.  They must not be deleted
 * while they are not committed: the log would begin above the high watermark (KAFKA-5634). */
static void retention_stops_at_the_watermark(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .roll_ms = 1, .retention_ms = 300 });
	acked(s, "M1", ALL);
	wait_whole(s);
	kill_node(s, Y);
	kill_node(s, Z);
	wait_isr(s, "X");
	acked(s, "M2", 1);
	pass_ms(s, 10);
	acked(s, "M3", 1);
	pass_ms(s, 2000);
	expect(s, first_offset(s, X) == 1, "M1 to be deleted, and nothing that is not committed");
	expect_log(s, X, "M2 M3");
	start_node(s, Y);
	start_node(s, Z);
	wait_whole(s);
	pass_ms(s, 2000);
	expect(s, first_offset(s, X) == 3, "M2 and M3 to be deleted when they are committed");
	acked(s, "M4", ALL);
	expect_everywhere(s, "M4");
}

/* The leader's disk is full: it says so, serves what it has, and goes on when there is room. */
static void a_full_disk_refuses_and_serves(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	fill_disk(s, X);
	pass_ms(s, 1500);
	refused(s, "S1", ALL, KERR_KAFKA_STORAGE_ERROR);
	read_on(s, X);
	wait_read(s, "M1");
	mend_disk(s, X);
	pass_ms(s, 1500);
	acked(s, "M2", ALL);
	expect_everywhere(s, "M1 M2");
}

/* A follower without room takes nothing, falls out of the ISR, and keeps its log whole. */
static void a_full_follower_falls_behind(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .lag_ms = 500 });
	acked(s, "M1", ALL);
	wait_whole(s);
	fill_disk(s, Z);
	pass_ms(s, 1500);
	acked(s, "M2", ALL);
	wait_isr(s, "XY");
	expect_log(s, Z, "M1");
	mend_disk(s, Z);
	wait_isr(s, "XYZ");
	expect_everywhere(s, "M1 M2");
}

/* The first failed write takes X's log directory out of service, and the leadership with it. */
static void a_leader_with_a_failing_disk_is_succeeded(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	break_disk(s, X);
	unanswered(s, "S1", ALL, X);
	wait_leader(s, Y);
	acked(s, "M2", ALL);
	wait_ended(s, X);
	mend_disk(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

static void a_follower_with_a_failing_disk_is_left_behind(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	break_disk(s, Z);
	acked(s, "M2", ALL);
	wait_isr(s, "XY");
	wait_ended(s, Z);
	mend_disk(s, Z);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2");
}

/* Z's copy of M2 rots while it is down.  Recovery finds it, keeps what is before it, and the rest
 * comes from the leader. */
static void rot_in_a_follower_is_fetched_again(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	acked(s, "M3", ALL);
	wait_whole(s);
	kill_node(s, Z);
	flip_byte(s, Z, "M2");
	start_node(s, Z);
	expect_everywhere(s, "M1 M2 M3");
}

/* Y is eligible, and alone when it comes back: but its copy of M2 has rotted, what came after is
 * set aside, and so it waits for X like everybody else. */
static void rot_in_an_eligible_replica_keeps_it_from_leading(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	acked(s, "M2", ALL);
	acked(s, "M3", ALL);
	wait_whole(s);
	kill_node(s, Z);
	wait_isr(s, "XY");
	kill_node(s, Y);
	wait_isr(s, "X");
	expect_elr(s, "Y");
	kill_node(s, X);
	wait_no_leader(s);
	flip_byte(s, Y, "M2");
	start_node(s, Y);
	pass_ms(s, 2000);
	wait_no_leader(s);
	expect_elr(s, "X");
	start_node(s, X);
	wait_leader(s, X);
	start_node(s, Z);
	expect_everywhere(s, "M1 M2 M3");
}

/* X's copy of M2 rots while X leads.  Z, which was away, must not take it; when Y leads it gets
 * the good one, and so does X, once it has looked at its log. */
static void rot_in_a_leader_does_not_spread(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	stop_node(s, Z);
	acked(s, "M2", ALL);
	flip_byte(s, X, "M2");
	start_node(s, Z);
	pass_ms(s, 1000);
	expect_log(s, Z, "M1");
	expect_isr(s, "XY");
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	expect_everywhere(s, "M1 M2");
}

/* The records' times are two days ago, and producer.id.expiration.ms is one: a mirror of the past
 * sends M1 again, because it heard no answer. */
static void who_writes_old_records_is_not_forgotten(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2 });
	for (int broker = X; broker <= Z; broker++)
		skew_clock(s, broker, 2 * 86400000);
	acked_as(s, "M1", 0);
	pass_ms(s, 2000);
	acked_as(s, "M1", 0);
	kill_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	wait_isr(s, "XYZ");
	pass_ms(s, 2000);
	acked_as(s, "M1", 0);
	acked_as(s, "M2", 1);
	expect_everywhere(s, "M1 M2");
}

/* The time of day differs by hours and jumps: order, leadership and the ISR do not depend on it. */
static void clocks_that_disagree(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .lag_ms = 500 });
	skew_clock(s, X, -3600000);
	skew_clock(s, Z, 7200000);
	acked(s, "M1", ALL);
	skew_clock(s, CONTROLLER, -86400000);
	skew_clock(s, Y, 3600000);
	acked(s, "M2", ALL);
	pass_ms(s, 2000);
	expect_isr(s, "XYZ");
	kill_node(s, X);
	wait_leader(s, Y);
	acked(s, "M3", ALL);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
}

/* One log directory of two fails: what X leads in it goes to others, the rest stays with X. */
static void one_directory_of_two_fails(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 2, .partitions = 2, .log_dirs = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	break_dir_of(s, X, 0);
	refused(s, "S1", ALL, KERR_KAFKA_STORAGE_ERROR);
	(void)wait_new_leader(s, X);
	acked(s, "M2", ALL);
	pass_ms(s, 2000);
	expect(s, is_led_by(s, X, 1), "X to lead what is in its other directory");
	expect_isr(s, "YZ");
	mend_disk(s, X);
	kill_node(s, X);
	start_node(s, X);
	acked(s, "M3", ALL);
	expect_everywhere(s, "M1 M2 M3");
}

/* X is taken off the replicas while its directory cannot be written to, called back into the other
 * one, and starts when both are good: what lies in the first is of long ago. */
static void a_copy_of_long_ago_is_not_taken(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 4, .min_isr = 2, .log_dirs = 2 });
	acked(s, "M1", ALL);
	wait_whole(s);
	break_dir_of(s, X, 0);
	refused(s, "S1", ALL, KERR_KAFKA_STORAGE_ERROR);
	(void)wait_new_leader(s, X);
	acked(s, "M2", ALL);
	reassign(s, "YZW");
	wait_replicas(s, "YZW");
	pass_ms(s, 1000);
	acked(s, "M3", ALL);
	reassign(s, "YZX");
	wait_replicas(s, "YZX");
	wait_log(s, X, "M1 M2 M3");
	kill_node(s, X);
	mend_disk(s, X);
	start_node(s, X);
	wait_log(s, X, "M1 M2 M3");
	expect_everywhere(s, "M1 M2 M3");
	expect_one_place(s, X);
}

/* The snapshot that belongs to a roll finds no descriptor, and the segment that knew the producer
 * goes: it is written before that. */
static void a_snapshot_is_made_up_for(struct stage *s)
{
	open_stage(s, &(struct staging){ .brokers = 1,
					 .rf = 1,
					 .min_isr = 1,
					 .roll_ms = 500,
					 .retention_ms = 20000 });
	acked_as(s, "M1", 0);
	pass_ms(s, 12000);
	slow_jobs(s, 50);
	acked(s, "M2", ALL);
	starve(s, X, 0);
	pass_ms(s, 500);
	mend_disk(s, X);
	slow_jobs(s, 0);
	pass_ms(s, 14000);
	expect(s, first_offset(s, X) == 1, "M1 alone to be deleted");
	kill_node(s, X);
	start_node(s, X);
	wait_whole(s);
	acked_as(s, "M1", 0);
	expect(s, watermark(s, X) == 2, "that nothing was appended");
	acked_as(s, "M3", 1);
	expect_everywhere(s, "M2 M3");
}

/* Wherever among the old segments the descriptors end: the replica's start is where its log's is.
 */
static void retention_is_put_off_half_way(struct stage *s)
{
	open_stage(
		s,
		&(struct staging){
			.brokers = 1, .rf = 1, .min_isr = 1, .roll_ms = 1, .retention_ms = 3000 });
	for (int64_t opens = 0; opens < 8; opens++) {
		for (int i = 0; i < 4; i++) {
			acked(s, "M", ALL);
			pass_ms(s, 5);
		}
		starve(s, X, opens);
		for (int i = 0; i < 120; i++) {
			pass_ms(s, 50);
			expect(s, first_offset(s, X) == kept_offset(s, X), "the start to be told");
		}
		mend_disk(s, X);
	}
}

const struct scene storage_scenes[] = {
	{ "one_directory_of_two_fails", one_directory_of_two_fails },
	{ "a_copy_of_long_ago_is_not_taken", a_copy_of_long_ago_is_not_taken },
	{ "retention_stops_at_the_watermark", retention_stops_at_the_watermark },
	{ "a_full_disk_refuses_and_serves", a_full_disk_refuses_and_serves },
	{ "a_full_follower_falls_behind", a_full_follower_falls_behind },
	{ "a_leader_with_a_failing_disk_is_succeeded", a_leader_with_a_failing_disk_is_succeeded },
	{ "a_follower_with_a_failing_disk_is_left_behind",
	  a_follower_with_a_failing_disk_is_left_behind },
	{ "rot_in_a_follower_is_fetched_again", rot_in_a_follower_is_fetched_again },
	{ "rot_in_an_eligible_replica_keeps_it_from_leading",
	  rot_in_an_eligible_replica_keeps_it_from_leading },
	{ "rot_in_a_leader_does_not_spread", rot_in_a_leader_does_not_spread },
	{ "clocks_that_disagree", clocks_that_disagree },
	{ "a_snapshot_is_made_up_for", a_snapshot_is_made_up_for },
	{ "who_writes_old_records_is_not_forgotten", who_writes_old_records_is_not_forgotten },
	{ "retention_is_put_off_half_way", retention_is_put_off_half_way },
	{ NULL, NULL },
};
