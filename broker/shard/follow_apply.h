/* follow_apply.h - what one partition's part of a fetch answer does to a follower's log. */
#pragma once
#include "broker/shard/partition.h"
#include "kafka/fetch.h"

enum follow_verdict {
	FOLLOW_GO_ON,     /* fetch again from the log end */
	FOLLOW_REST,      /* refused: after replica.fetch.backoff.ms */
	FOLLOW_WAIT,      /* throttled: when follower.replication.throttled.rate allows */
	FOLLOW_ASK_RANGE, /* our offset is outside the leader's log */
	FOLLOW_GIVE_UP,   /* fenced in our own epoch: wait for metadata */
	FOLLOW_DEAD,      /* the log failed: the partition is offline */
};
enum follow_verdict follow_apply(struct partition *, const struct fetch_response_partition *);
/* The leader's log start and end, after FOLLOW_ASK_RANGE. */
enum follow_verdict follow_fit_range(struct partition *, int64_t leader_start, int64_t leader_end);
