/* story.h - what the metadata log tells of one partition: who led, who was in sync when, and why.
 *
 * Every PartitionChange carries a time and a reason; the records of one partition, in order, are
 * its story.  Where the log no longer reaches back to the partition's creation, the story begins
 * with what is known: leader epochs are counted back from today's. */
#pragma once
#include "controller/cli/view.h"

/* The partition after one record about it. */
struct story_event {
	int64_t offset, time_ms; /* time -1: not recorded */
	const char *reason;
	bool is_creation, sets_leader, sets_isr, knows_isr;
	int32_t leader, leader_epoch;
	struct image_ids isr;
};

struct story {
	const struct image_topic *topic;
	int32_t partition;
	struct story_event *events;
	int n;
	int64_t log_start;
	bool is_whole; /* from its creation */
};

/* The story of the partition that cli->args[0] names, and the cluster as it is; an exit code.  The
 * view is the caller's to end, whatever came of it. */
must_check int story_load(struct cli *, struct view *, struct story *);
/* On stderr, when the story has no beginning. */
void story_note_beginning(const struct story *);
