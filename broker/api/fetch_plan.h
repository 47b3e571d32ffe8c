/* fetch_plan.h - which partitions a fetch reads: those it names, or those its session remembers
 * (KIP-227), in the order in which they are read. */
#pragma once
#include "broker/api/api.h"
#include "broker/core/fetch_session.h"

struct read_op;
struct fetch_slot {
	struct fetch_ask ask;
	struct uuid topic_id;           /* resolved, also when asked by name */
	enum kerr error;                /* known before any shard was asked */
	struct read_op *op;             /* with KERR_NONE */
	struct fetch_partition *member; /* of the session; NULL: none */
};
struct fetch_plan {
	struct fetch_slot *slots;
	int32_t n;
	int32_t replica; /* -1: a consumer */
	int64_t replica_epoch;
	struct fetch_session *session; /* pinned until fetch_plan_close; NULL: none */
	int32_t session_id;            /* for the answer */
	bool is_incremental;           /* the answer leaves out what did not change */
};

enum kerr fetch_plan_open(struct fetch_plan *, struct req *);
void fetch_plan_close(struct fetch_plan *);
