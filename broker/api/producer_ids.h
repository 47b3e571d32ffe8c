/* producer_ids.h - ids for idempotent producers, unique in the cluster: the controller gives out
 * blocks, each shard hands out its own and fetches the next block before it runs out.
 *
 * Belongs to one shard.  A broker that starts again takes a new block; what was left of the old one
 * is never used. */
#pragma once
#include "broker/shard/ctllink.h"

struct producer_ids;
struct producer_ids *producer_ids_new(struct shard *);
void producer_ids_free(struct producer_ids *);

/* A caller that has to wait for a block; its memory stays until done has run. */
struct producer_id_wait {
	struct list node;
	void (*done)(struct producer_id_wait *, int64_t id);     /* -1: there is none to be had */
};
/* True: *id is the next one.  False: w->done tells later. */
bool producer_ids_next(struct producer_ids *, struct producer_id_wait *w, int64_t *id);
