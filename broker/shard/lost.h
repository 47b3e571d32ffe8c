/* lost.h - brokers whose connection to us just broke, and whose end the controller has not told
 * yet.
 *
 * When a leader is killed its clients ask another broker for Metadata within a millisecond, while
 * the controller gives the dead one a short grace to come back.  An answer with the old leader
 * costs them dearly: librdkafka believes it and looks again after up to a second.  Followers see
 * the close as early as clients do, so answers can wait for the controller's word (metadata.c).
 *
 * It ends with that word (the image has the broker fenced, or registered anew), with a new
 * connection to it, or by itself.  Each shard keeps its own list; who notices tells the others. */
#pragma once
#include "common/base/base.h"

#define LOST_MAX 8
#define LOST_MS 500 /* the controller's grace and a slow fsync; less than the second of above */

struct shard;
struct lost {
	struct lost_broker {
		int32_t broker;
		int64_t epoch;    /* of the broker that was lost */
		int64_t until_ms; /* monotonic; past: the place is free */
	} v[LOST_MAX];
};

void lost_tell(struct shard *, int32_t broker);  /* its connection closed */
void lost_found(struct shard *, int32_t broker); /* it took a connection again */
bool lost_any(const struct shard *);             /* somebody is lost at this moment */
