/* epoch_cache.h - which leader epoch wrote which offsets of one partition (KIP-101, KIP-279).
 *
 * An ordered list of (epoch, start offset), both strictly increasing.  Pure data: the partition
 * persists it to leader-epoch-checkpoint whenever `version` has changed.  Owned by the partition;
 * after a crash it is rebuilt from the checkpoint and the batches scanned. */
#pragma once
#include "common/base/base.h"

struct epoch_entry {
	int32_t epoch;
	int64_t start_offset;
};
struct epoch_cache {
	struct epoch_entry *v;   /* heap, owned */
	int32_t n, cap;
	uint32_t version;        /* grows with every change */
	int64_t changed_from;    /* lowest offset that one concerned; the owner sets it back */
};
#define EPOCH_NONE  (-1)
#define OFFSET_NONE (-1)

void epoch_cache_init(struct epoch_cache *);
void epoch_cache_fini(struct epoch_cache *);
/* A leader's start or a batch seen by a follower.  An epoch not above the latest is ignored;
 * entries at or after start_offset are replaced.  True when something changed. */
bool epoch_cache_assign(struct epoch_cache *, int32_t epoch, int64_t start_offset);
int32_t epoch_cache_latest(const struct epoch_cache *);          /* EPOCH_NONE when empty */
/* The largest epoch <= `epoch` and the offset where it ends, as OffsetForLeaderEpoch answers:
 * {-1,-1} when undefined. */
struct epoch_entry epoch_cache_end_of(const struct epoch_cache *, int32_t epoch, int64_t log_end);
/* The epoch that wrote `offset` (or will, at the log end); EPOCH_NONE below the first entry. */
int32_t epoch_cache_at(const struct epoch_cache *, int64_t offset);
/* A truncation to the log end is one too: it drops empty epochs that the leader never had
 * (KAFKA-10706).  Offset 0 empties the cache. */
/* entries starting at or after it */
void epoch_cache_truncate_end(struct epoch_cache *, int64_t offset);
/* keep the entry that covers it, moved up */
void epoch_cache_truncate_start(struct epoch_cache *, int64_t offset);
/* The follower's answer to a diverging epoch: the offset to truncate to (KIP-595's Fetch). */
int64_t epoch_cache_truncation_point(const struct epoch_cache *, struct epoch_entry leader_end,
				     int64_t high_watermark, int64_t log_end);
void epoch_cache_check(const struct epoch_cache *);
