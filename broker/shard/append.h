/* append.h - the leader's append of one batch of a produce request, and the call that carries
 * the batches of one request to one shard.
 *
 * All memory is the request's (arena and frame); the owning shard has it between call_send and
 * call_return.  Order of checks: kafka-behaviour 2.1, steps 7 to 14. */
#pragma once
#include "broker/shard/call.h"
#include "broker/shard/wait.h"
#include "common/base/arena.h"
#include "common/wire/validate.h"

struct append_call;
struct append_op {
	/* what is asked */
	struct uuid topic_id;
	int32_t partition;
	struct str records; /* exactly one batch, in the frame */
	void *slot;         /* the asker's: where the answer goes */
	/* the answer */
	enum kerr error;
	struct validate_result *refused; /* what validation found; NULL: it passed */
	int64_t base_offset, append_time_ms, log_start;
	int32_t leader,
		leader_epoch; /* with NOT_LEADER_OR_FOLLOWER: who leads, as far as we know */
	/* while parked */
	struct wait wait;
	struct append_call *call;
};
struct append_call {
	struct call call;
	int16_t acks;
	bool zstd_allowed;
	struct arena *arena; /* of this call alone, for `refused` */
	int32_t timeout_ms;
	struct append_op *ops;
	int32_t n, n_left;
	void *arg; /* the asker's */
};

void append_call_work(struct call *); /* the work of append_call.call */
