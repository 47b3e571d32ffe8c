/* fetch_session.h - incremental fetch sessions (KIP-227): what a fetcher asked before and what it
 * was told, so that an unchanged partition costs nothing on the wire.
 *
 * Pure; owned by one shard; memory is the cache's.  A session remembers per partition the fetch
 * parameters and the high watermark and log start last sent. */
#pragma once
#include "common/base/base.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/base/prng.h"

struct fetch_partition {
	struct list node; /* in the session's order: partitions that got data move to the end */
	struct uuid topic_id;
	struct str topic;                /* copied into the session; used below version 13 */
	int32_t partition;
	int32_t current_leader_epoch, last_fetched_epoch, max_bytes;
	int64_t fetch_offset, log_start;
	int64_t sent_high_watermark, sent_log_start;     /* -1: send again */
	void *user;                      /* the shard's own handle */
};
struct fetch_session {
	int32_t id, epoch;               /* epoch: the one expected next */
	bool by_id, is_follower;
	struct list order;               /* of fetch_partition */
	struct map by_key;
	int32_t n;
	int64_t created_ms, used_ms;
	struct list lru;
};
struct fetch_sessions;

struct fetch_sessions *fetch_sessions_new(int32_t slots_max, uint64_t seed);
void fetch_sessions_free(struct fetch_sessions *);
