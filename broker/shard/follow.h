/* follow.h - the follower's side of replication: one fetcher per (shard, leading broker).
 *
 * One connection to the leader's inter-broker listener and an incremental fetch session over all
 * partitions this shard follows there; normally one Fetch in flight, a second one when a partition
 * was just added (the leader then ends the long poll of the first).
 *
 *   IDLE -> DIALLING -> UP        a fetcher without partitions closes and forgets itself
 *   any failure -> RESTING (10 ms, doubling to 1 s) -> DIALLING
 *
 * Divergence is found by the leader, from the epoch of our last record in each fetch; the answer
 * is worked in follow_apply.c.  Sessions: KIP-227; divergence: KIP-595. */
#pragma once
#include "broker/shard/partition.h"

/* Also after a new leader epoch of the same leader. */
void follow_start(struct partition *, int32_t leader);
void follow_stop(struct partition *);
void follow_refresh_brokers(struct shard *); /* the image's endpoints changed */
