/* offsets.h - where replicas stand: high watermark and log end, asked of the brokers themselves.
 *
 * A leader is asked as a consumer for the high watermark and the start; every replica is asked as
 * a debugging consumer (replica id -2) for its own log end.  -1: no answer. */
#pragma once
#include "controller/cli/view.h"

struct replica_offsets {
	int64_t hw, start;               /* as the leader says */
	int64_t end[IMAGE_REPLICAS_MAX]; /* by place in image_partition.replicas */
};
struct offsets {
	struct partition_offsets {
		const struct image_topic *topic;
		int32_t number;
		struct replica_offsets at;
	} * v; /* by topic and number, topics by name */
	int n;
};

/* For the partitions of the named topics (all when none is named); in the walk's order. */
void offsets_load(struct cli *, const struct view *, const char *const *names, int n_names,
		  struct offsets *);
const struct replica_offsets *offsets_find(const struct offsets *, const struct image_topic *,
					   int32_t number);
struct out;
/* Two columns of the replica in place i: its log end, and what it lacks of the leader's. */
void offsets_end_and_lag(struct out *, const struct image_partition *,
			 const struct replica_offsets *, int32_t i);
