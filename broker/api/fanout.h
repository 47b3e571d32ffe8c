/* fanout.h - one question per partition to the shards that own them, for the small APIs.
 *
 *   f = fanout_new(q)  ->  fanout_add for each partition  ->  return fanout_go(...)
 *
 * `done` runs for each op when its answer is in, and fills the reply at the op's slot. */
#pragma once
#include "broker/api/api.h"
#include "broker/shard/ask.h"

struct fanout;
struct fanout *fanout_new(struct req *);
struct ask_op *fanout_add(struct fanout *, struct uuid topic_id, int32_t partition, void *slot);
enum api_ret fanout_go(struct fanout *, void (*answer)(struct ask_op *, struct partition *),
		       void (*done)(struct req *, struct ask_op *));
