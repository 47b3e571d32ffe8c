/* world.h - a partition's replicas, their logs and a controller, without network or disk: the
 * stage for stories (scripts with golden narratives) and for random walks over replica.h.
 *
 * Nothing happens by itself: every delivery is a call, so a story decides the order and a random
 * walk may choose any.  A log is the leader epoch of each record.  Brokers are 1 .. n. */
#pragma once
#include "broker/core/epoch_cache.h"
#include "broker/core/replica.h"
#include "common/base/text.h"

#define WORLD_BROKERS 5
#define WORLD_LOG 512

struct world_fetch {
	enum { FETCH_NONE, FETCH_SENT, FETCH_ANSWERED } state;
	int32_t to, leader_epoch, last_epoch;
	int64_t broker_epoch, offset;
	/* the answer */
	struct epoch_entry diverging; /* EPOCH_NONE: records */
	int64_t n, high_watermark, log_start;
	int32_t records[WORLD_LOG];
};

struct world_proposal {
	bool is_out;
	uint32_t number;
	int32_t leader_epoch, partition_epoch, n;
	int32_t isr[REPLICAS_MAX];
	int64_t broker_epochs[REPLICAS_MAX];
};

struct world_node {
	int32_t id;
	bool is_up;
	int64_t broker_epoch, checkpoint;
	struct replica r;
	struct epoch_cache epochs;
	int32_t log[WORLD_LOG];
	struct world_fetch fetch;
	struct world_proposal proposal;
};

struct world {
	int32_t n;
	int64_t now_ms, lag_max_ms;
	struct world_node nodes[WORLD_BROKERS + 1]; /* by id; 0 is unused */
	/* the controller's view; masks are of ids */
	int32_t leader, leader_epoch, partition_epoch, min_isr;
	uint32_t isr, fenced, leaving;
	bool is_recovering;
	int64_t next_broker_epoch, alive[WORLD_BROKERS + 1];
	struct text *tale; /* NULL: silent */
};

/* All in sync, 1 leads, nobody has heard of it. */
void world_init(struct world *, int32_t n, int32_t min_isr, int64_t lag_max_ms);
void world_fini(struct world *);

/* Each is ignored (false) when it cannot happen now. */
bool world_append(struct world *, int32_t id, int64_t n);
bool world_send(struct world *, int32_t id);                /* a follower's fetch leaves */
bool world_arrive(struct world *, int32_t id, int64_t max); /* ... is served */
bool world_reply(struct world *, int32_t id);               /* ... its answer comes back */
bool world_lose(struct world *, int32_t id);                /* ... it or its answer is lost */
bool world_tick(struct world *, int32_t id);
bool world_news(struct world *, int32_t id); /* metadata arrives */
enum world_loss { LOSE_NOTHING, LOSE_REQUEST, LOSE_ANSWER };
bool world_alter(struct world *, int32_t id, enum world_loss);
bool world_fence(struct world *, int32_t id);
bool world_unfence(struct world *, int32_t id);
bool world_leave(struct world *, int32_t id); /* controlled shutdown begins */
bool world_crash(struct world *, int32_t id); /* the log survives */
bool world_start(struct world *, int32_t id); /* registers anew, fenced */
bool world_elect(struct world *, int32_t id); /* from the isr */
bool world_elect_unclean(struct world *, int32_t id);
bool world_min_isr(struct world *, int32_t n);
void world_show(struct world *);
