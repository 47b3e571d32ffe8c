/* shard.h - one actor of a broker: a thread in production, a turn of the queue in the simulator.
 *
 * Owns its partitions, the fetchers of those it follows, and the connections accepted on it (the
 * api module's, behind `api`).  Everything here runs on the shard's own thread; other shards
 * reach it by mail only.  The image it holds is the newest published one. */
#pragma once
#include "broker/core/refused.h"
#include "broker/shard/broker.h"
#include "broker/shard/call.h"
#include "broker/shard/lost.h"
#include "common/base/map.h"
#include "common/env/env.h"
#include "common/meta/image.h"

struct ctllink;
struct api_shard;

struct shard {
	struct broker *broker;
	struct env *env;
	int id;
	struct image *image;   /* NULL before the first */
	struct dynamic_conf dynamic; /* in force here */
	struct map partitions; /* partition_key -> struct partition */
	struct map follows;    /* broker id + 1 -> struct follow */
	struct lost lost;      /* leaders that were there a moment ago */
	struct refused refused; /* batches, see refusals.h */
	struct list openings;  /* partitions whose logs are being opened, oldest first */
	struct list ready;     /* woken read_calls */
	struct mail ready_mail;
	bool is_ready_posted;
	/* Partitions whose parked followers have not heard the high watermark. */
	struct list hw_lagging;
	struct timer hw_timer;
	/* Partitions with parked followers that the leader's throttle holds back. */
	struct list throttled;
	struct timer throttle_timer;
	struct timer lag_timer;  /* REPLICA_EV_TICK, every replica.lag.time.max.ms / 2 */
	struct timer care_timer; /* flush.ms, retention, producer expiry */
	int64_t next_retention_ms;
	struct list deletions;    /* directories of deleted partitions on their way out */
	struct map leaving;       /* partition_key of those whose directory has its name still */
	int64_t image_before;     /* offset of the image before this one */
	bool has_no_strays;       /* directories of topics that are no more were put aside */
	struct mail applied_mail; /* to shard 0: `applied` moved */
	_Atomic bool is_applied_posted;
	bool is_stopping;
	struct validator *validator;           /* of producers' batches */
	struct ctllink *link;                  /* shard 0 only */
	struct api_shard *api;                 /* the api module's part */
	void (*image_adopted)(struct shard *); /* the api module's, after the first image */
	_Atomic int64_t applied; /* image offset in force here, logs open; read by shard 0 */
};

struct shard *shard_new(struct broker *, struct env *, int id);
/* Process end, the loops have ended: first the logs, then the rest. */
void shard_close_logs(struct shard *);
void shard_free(struct shard *);
void shard_start(struct shard *);
/* Lets go of clients and leaders: whoever waits is answered, timers and fetchers end.  Twice is
 * fine. */
void shard_stop(struct shard *);
/* Mail from shard 0: adopt this image (moves the reference). */
void shard_publish(struct shard *, struct image *);
/* A partition finished opening, or was dropped: `applied` may move. */
void shard_note_applied(struct shard *);
/* Runs read_ready at the end of this turn. */
void shard_want_ready(struct shard *);
/* Tell parked followers within some ms. */
void shard_note_hw(struct shard *, struct list *partition_node);
/* The leader's throttle has room for its followers again in so many microseconds. */
void shard_note_throttled(struct shard *, struct list *partition_node, int64_t wait_us);
