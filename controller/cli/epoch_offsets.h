/* epoch_offsets.h - where leader epochs begin in a partition's log, asked of its leader. */
#pragma once
#include "controller/cli/kafka_client.h"
#include "controller/cli/view.h"

struct epoch_offsets {
	struct kafka conn; /* fd -1: nobody to ask */
	struct str topic;
	int32_t partition, newest; /* the leader's epoch */
	int64_t deadline_ms;
};

/* Never fails: without an answer every offset is -1. */
void epoch_offsets_open(struct epoch_offsets *, struct cli *, const struct view *,
			const struct image_topic *, int32_t partition);
void epoch_offsets_close(struct epoch_offsets *);
/* The first offset that a leader of this epoch wrote, or would have written; -1: not known. */
int64_t epoch_offsets_start(struct epoch_offsets *, int32_t leader_epoch);
