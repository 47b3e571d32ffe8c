/* moves.c - a replica moves between the log directories of its broker (KIP-113), and what befalls
 * it on the way.  Every record has a segment of its own, so that a slow copy takes them one by
 * one. */
#include "tests/sim/scene_move.h"

#define OTHER(s, broker) (1 - dir_of(s, broker))
#define SLOW "10" /* bytes a second: some seconds for each record */

static void open_with_two_dirs(struct stage *s)
{
	open_stage(s, &(struct staging){ .min_isr = 1, .log_dirs = 2, .roll_ms = 1 });
}

static void acked_apart(struct stage *s, const char *record, int acks, int broker)
{
	acked_by(s, record, acks, broker);
	pass_ms(s, 5);
}

/* X has them on the device: it synced them when it stopped. */
static void open_with_three_synced(struct stage *s)
{
	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	acked_apart(s, "M2", ALL, X);
	acked_apart(s, "M3", ALL, X);
	stop_node(s, X);
	start_node(s, X);
	wait_whole(s);
}

/* The power takes what was not synced, and X comes back where nobody is to fetch from. */
static void expect_synced_in_one_place(struct stage *s)
{
	power_off_node(s, X);
	cut_off(s, X, Y);
	cut_off(s, X, Z);
	start_node(s, X);
	wait_log(s, X, "M1 M2 M3");
	mend_all(s);
	expect_everywhere(s, "M1 M2 M3");
	expect_one_place(s, X);
}

/* The second of its leaders, which wrote M2. */
static void open_led_by_y(struct stage *s)
{
	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	stop_node(s, X);
	wait_leader(s, Y);
	start_node(s, X);
	wait_whole(s);
	acked_apart(s, "M2", ALL, Y);
}

/* X's copy has S2, which X has given up for what Y wrote there, and more than there was: by its
 * length alone the copy would not know. */
static int move_what_is_given_up(struct stage *s)
{
	int to;

	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	wait_whole(s);
	to = OTHER(s, X);
	slow_moves(s, SLOW);
	isolate(s, X);
	acked_apart(s, "S2", 1, X);
	acked_apart(s, "S3", 1, X);
	begin_dir_move(s, X, to);
	wait_leader(s, Y);
	acked_apart(s, "M2", 1, Y);
	acked_apart(s, "M3", 1, Y);
	acked_apart(s, "M4", 1, Y);
	wait_copied(s, X, 2);
	mend_all(s);
	wait_log(s, X, "M1 M2 M3 M4");
	return to;
}

static void a_truncation_reaches_the_copy(struct stage *s)
{
	int to = move_what_is_given_up(s);

	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_log(s, X, "M1 M2 M3 M4");
	wait_whole(s);
	elect_preferred(s);
	acked(s, "M5", ALL);
	expect_everywhere(s, "M1 M2 M3 M4 M5");
	expect_one_place(s, X);
}

/* What lay on the device lies there after the move, too: the power goes as soon as the copy has
 * taken the replica's place, and nobody is there to fetch from. */
static void what_was_synced_stays_so(struct stage *s)
{
	int to;

	open_with_three_synced(s);
	to = OTHER(s, X);
	begin_dir_move(s, X, to);
	wait_moved(s, X, to);
	expect_synced_in_one_place(s);
}

/* Likewise of a copy that an earlier life of the process began. */
static void a_move_goes_on_after_a_kill(struct stage *s)
{
	int to;

	open_with_three_synced(s);
	to = OTHER(s, X);
	slow_moves(s, SLOW);
	begin_dir_move(s, X, to);
	wait_copied(s, X, 2);
	kill_node(s, X);
	start_node(s, X);
	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_synced_in_one_place(s);
}

/* Three leaders wrote the log whose place X's copy takes.  After a clean end no batch is read
 * again: X knows the epochs by the copy's file, or not at all.  It leads, and must tell Y, which
 * went on by itself after M2, that its epoch ended there. */
static void epochs_move_with_the_log(struct stage *s)
{
	int to;

	open_led_by_y(s);
	isolate(s, Y);
	acked_apart(s, "S3", 1, Y);
	acked_apart(s, "S4", 1, Y);
	wait_leader(s, X);
	acked_apart(s, "M3", ALL, X);
	acked_apart(s, "M4", ALL, X);
	to = OTHER(s, X);
	begin_dir_move(s, X, to);
	wait_moved(s, X, to);
	expect(s, has_file(s, X, to, "leader-epoch-checkpoint"), "its epochs beside the copy");
	stop_node(s, X);
	wait_leader(s, Z);
	start_node(s, X);
	wait_isr(s, "XZ");
	elect_preferred(s);
	mend_all(s);
	expect_everywhere(s, "M1 M2 M3 M4");
	acked(s, "M5", ALL);
	expect_everywhere(s, "M1 M2 M3 M4 M5");
}

/* Killed as soon as the copy has its place, X is elected and must tell Z, which was led by X when
 * it left, where that ended. */
static void who_moved_and_was_killed_leads(struct stage *s)
{
	int to;

	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	wait_whole(s);
	isolate(s, Z);
	acked_apart(s, "M2", 1, X);
	to = OTHER(s, X);
	begin_dir_move(s, X, to);
	wait_moved(s, X, to);
	kill_node(s, X);
	wait_leader(s, Y);
	acked_apart(s, "M3", 1, Y);
	start_node(s, X);
	wait_isr(s, "XY");
	elect_preferred(s);
	acked_apart(s, "M4", 1, X);
	mend_all(s);
	expect_everywhere(s, "M1 M2 M3 M4");
	expect_one_place(s, X);
}

/* The leader changes twice, by X's own doing and against it, while the copy is on its way: it goes
 * on all the same (KAFKA-9654). */
static void leaders_change_during_a_move(struct stage *s)
{
	int to;

	open_led_by_y(s);
	acked_apart(s, "M3", ALL, Y);
	to = OTHER(s, X);
	slow_moves(s, SLOW);
	begin_dir_move(s, X, to);
	wait_copied(s, X, 1);
	elect_preferred(s);
	acked_apart(s, "M4", ALL, X);
	wait_copied(s, X, 2);
	isolate(s, X);
	wait_leader(s, Y);
	acked_apart(s, "M5", 1, Y);
	mend_all(s);
	wait_whole(s);
	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_log(s, X, "M1 M2 M3 M4 M5");
	elect_preferred(s);
	acked(s, "M6", ALL);
	expect_everywhere(s, "M1 M2 M3 M4 M5 M6");
	expect_one_place(s, X);
}

/* The directory that X's replica leaves fails before it can be taken off there: at the next start
 * it lies in two, and the one of before counts for nothing. */
static void the_directory_of_before_fails(struct stage *s)
{
	int to;

	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	acked_apart(s, "M2", ALL, X);
	wait_whole(s);
	to = OTHER(s, X);
	begin_dir_move(s, X, to);
	wait_copied(s, X, 2); /* and is being synced */
	break_dir_of(s, X, 0);
	wait_moved(s, X, to);
	acked_apart(s, "M3", ALL, X);
	kill_node(s, X);
	(void)wait_new_leader(s, X);
	mend_disk(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3");
	expect_one_place(s, X);
	expect(s, dir_of(s, X) == to, "the replica to be where it was moved to");
}

/* X's copy was synced on the way, had to give up S2 and what followed, and took M2 instead: what a
 * power loss then brings back of the copy need not be what X's log has there. */
static void a_copy_that_lost_its_power_is_not_believed(struct stage *s)
{
	static const char *const alone[] = { "S2", "S3", "S4",  "S5",  "S6", "S7",
					     "S8", "S9", "S10", "S11", "S12" };
	static const char *const kept[] = { "M2", "M3", "M4", "M5", "M6", "M7", "M8" };
	int to;

	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	wait_whole(s);
	to = OTHER(s, X);
	slow_moves(s, "100");
	isolate(s, X);
	for (size_t i = 0; i < ARRAY_LEN(alone); i++)
		acked_apart(s, alone[i], 1, X);
	begin_dir_move(s, X, to);
	wait_leader(s, Y);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		acked_apart(s, kept[i], 1, Y);
	wait_copied(s, X, 11);
	mend_all(s);
	wait_log(s, X, "M1 M2 M3 M4 M5 M6 M7 M8");
	wait_copied(s, X, 3);
	power_off_node(s, X);
	start_node(s, X);
	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_everywhere(s, "M1 M2 M3 M4 M5 M6 M7 M8");
	expect_one_place(s, X);
}

/* X is killed when its log has given S2 up for what Y wrote, and its copy has not. */
static void a_kill_before_the_copy_is_cut(struct stage *s)
{
	int to = move_what_is_given_up(s);

	kill_node(s, X);
	start_node(s, X);
	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_everywhere(s, "M1 M2 M3 M4");
	expect_one_place(s, X);
}

/* All that was written is deleted, and X dies as soon as the copy has its place: its producers are
 * known by a snapshot beside the copy, or not at all. */
static void producers_move_with_the_log(struct stage *s)
{
	int to;

	open_stage(s, &(struct staging){ .brokers = 1,
					 .rf = 1,
					 .min_isr = 1,
					 .log_dirs = 2,
					 .roll_ms = 500,
					 .retention_ms = 1000 });
	acked_as(s, "M1", 0);
	acked_as(s, "M2", 1);
	pass_ms(s, 5000);
	expect(s, first_offset(s, X) == 2, "all to be deleted");
	slow_jobs(s, 50);
	to = OTHER(s, X);
	begin_dir_move(s, X, to);
	wait_moved(s, X, to);
	kill_node(s, X);
	start_node(s, X);
	wait_whole(s);
	acked_as(s, "M2", 1);
	expect(s, watermark(s, X) == 2, "that nothing was appended");
	acked_as(s, "M3", 2);
	expect_everywhere(s, "M3");
	expect_one_place(s, X);
}

/* Wherever on its way the move is when the descriptors go: it waits for them. */
static void a_move_waits_for_descriptors(struct stage *s)
{
	open_with_two_dirs(s);
	acked_apart(s, "M1", ALL, X);
	acked_apart(s, "M2", ALL, X);
	acked_apart(s, "M3", ALL, X);
	wait_whole(s);
	for (int64_t opens = 0; opens < 40; opens++) {
		int to = OTHER(s, X);

		starve(s, X, opens);
		begin_dir_move(s, X, to);
		pass_ms(s, 2000);
		mend_disk(s, X);
		wait_moved(s, X, to);
		expect_log(s, X, "M1 M2 M3");
	}
	acked(s, "M4", ALL);
	kill_node(s, X);
	start_node(s, X);
	expect_everywhere(s, "M1 M2 M3 M4");
	expect_one_place(s, X);
}

/* What was copied is given up, without descriptors again and again. */
static void a_copy_is_cut_without_descriptors(struct stage *s)
{
	int to = move_what_is_given_up(s);

	for (int64_t opens = 0; opens < 20; opens++) {
		starve(s, X, opens);
		pass_ms(s, 700);
	}
	mend_disk(s, X);
	slow_moves(s, NULL);
	wait_moved(s, X, to);
	expect_everywhere(s, "M1 M2 M3 M4");
	expect_one_place(s, X);
}

const struct scene moves_scenes[] = {
	{ "a_truncation_reaches_the_copy", a_truncation_reaches_the_copy },
	{ "what_was_synced_stays_so", what_was_synced_stays_so },
	{ "a_move_goes_on_after_a_kill", a_move_goes_on_after_a_kill },
	{ "epochs_move_with_the_log", epochs_move_with_the_log },
	{ "who_moved_and_was_killed_leads", who_moved_and_was_killed_leads },
	{ "leaders_change_during_a_move", leaders_change_during_a_move },
	{ "the_directory_of_before_fails", the_directory_of_before_fails },
	{ "a_copy_that_lost_its_power_is_not_believed",
	  a_copy_that_lost_its_power_is_not_believed },
	{ "a_kill_before_the_copy_is_cut", a_kill_before_the_copy_is_cut },
	{ "producers_move_with_the_log", producers_move_with_the_log },
	{ "a_move_waits_for_descriptors", a_move_waits_for_descriptors },
	{ "a_copy_is_cut_without_descriptors", a_copy_is_cut_without_descriptors },
	{ NULL, NULL },
};
