/* fetch_session.h - incremental fetch sessions (KIP-227): what a fetcher asked before and what it
 * was told, so that an unchanged partition costs nothing on the wire.
 *
 * Pure; owned by one shard; memory is the cache's, bounded by its slots and by partitions per
 * slot on average.  A session remembers per partition the fetch parameters and the high watermark
 * and log start last sent.  The life of a Fetch, v7 and up:
 *
 *   fetch_session_open       judges (id, epoch); closes what the request closes
 *     error                  top-level error; the fetcher begins anew
 *     no session             read what was asked.  With `may_create`, when the answer is known:
 *                            fetch_session_create, fetch_session_add for every partition asked,
 *                            fetch_partition_sent for every one answered; answer with its id
 *     a session              fetch_session_add and _forget for what changed, read the partitions
 *                            in s->order, answer those that are fetch_partition_due
 *
 * While a fetch waits its session is pinned: eviction may close it, the fetcher's next request may
 * forget partitions, but neither is freed before the last pin is gone. */
#pragma once
#include "common/base/base.h"
#include "common/base/list.h"
#include "common/base/map.h"
#include "common/wire/kerr.h"

#define FETCH_SESSION_NONE 0  /* id */
#define FETCH_EPOCH_FIRST 0   /* a full fetch that wants a session */
#define FETCH_EPOCH_LAST (-1) /* a full fetch that wants none, and closes the one it names */
#define FETCH_EVICTION_MS 120000

/* One partition as asked. */
struct fetch_ask {
	struct uuid topic_id; /* zero below version 13 */
	struct str topic;     /* null from version 13 on */
	int32_t partition;
	int32_t current_leader_epoch, last_fetched_epoch, max_bytes;
	int64_t fetch_offset, log_start;
};

struct fetch_partition {
	struct list node;     /* in the session's order: partitions that got data move to the end */
	struct fetch_ask ask; /* topic: the session's copy */
	int64_t sent_high_watermark, sent_log_start; /* -1: send again */
	void *user;                                  /* the shard's own handle */
	bool is_gone;                                /* forgotten; kept for a pin */
	struct str key;
	uint8_t bytes[]; /* of the key: partition, then topic id or name */
};

struct fetch_session {
	int32_t id, epoch; /* epoch: the one expected next */
	bool by_id, is_follower;
	bool is_closed; /* out of the cache; freed with the last pin */
	int32_t pins;
	struct list order, gone; /* of fetch_partition */
	struct strmap by_key;
	int32_t n;
	int64_t created_ms, used_ms;
	struct list lru;
	struct fetch_sessions *home;
};

struct fetch_sessions;
struct fetch_sessions *fetch_sessions_new(int32_t slots_max, uint64_t seed);
void fetch_sessions_free(struct fetch_sessions *); /* asserts that none is pinned */
int32_t fetch_sessions_count(const struct fetch_sessions *);
int64_t fetch_sessions_partitions(const struct fetch_sessions *);
int64_t fetch_sessions_evicted(const struct fetch_sessions *);

struct fetch_opening {
	int32_t id, epoch; /* from the request */
	bool by_id;        /* version 13 and up */
	int64_t now_ms;
	struct fetch_session *session; /* out: incremental fetch of it, epoch moved on */
	bool may_create;               /* out */
};
enum kerr fetch_session_open(struct fetch_sessions *, struct fetch_opening *);
/* NULL: no slot, answer with id 0.  `n`: partitions to come; bigger sessions displace smaller. */
struct fetch_session *fetch_session_create(struct fetch_sessions *, bool by_id, bool is_follower,
					   int32_t n, int64_t now_ms);
/* Adds a partition or changes what is asked of it.  NULL: over the
 * maximum, or closed: give the session up. */
struct fetch_partition *fetch_session_add(struct fetch_session *, const struct fetch_ask *);
/* By topic and partition. */
void fetch_session_forget(struct fetch_session *, const struct fetch_ask *);
struct fetch_partition *fetch_session_find(struct fetch_session *, const struct fetch_ask *);
void fetch_session_close(struct fetch_session *);
void fetch_session_pin(struct fetch_session *);
void fetch_session_unpin(struct fetch_session *);

/* What an answer would say of a partition. */
struct fetch_news {
	bool has_records;
	bool must_tell; /* an error, a diverging epoch, a preferred replica */
	bool is_error;
	int64_t high_watermark, log_start;
};
bool fetch_partition_due(const struct fetch_partition *, const struct fetch_news *);
/* It was put into an answer.  After an error everything is sent again; who got records goes to
 * the end of the order, so that a small max_bytes starves nobody. */
void fetch_partition_sent(struct fetch_session *, struct fetch_partition *,
			  const struct fetch_news *);
