/* append.h - the leader's append of one batch of a produce request, and the call that carries
 * the batches of one request to one shard.
 *
 * All memory is the request's (arena and frame); the owning shard has it between call_send and
 * call_return.  The order of the checks is Kafka's: leadership, min.insync.replicas, the
 * batch, the producer, and only then the log. */
#pragma once
#include "broker/shard/call.h"
#include "broker/shard/wait.h"
#include "common/wire/validate.h"

struct append_call;
struct append_op {
	struct append_op *next; /* of the call */
	/* what is asked */
	struct uuid topic_id;
	int32_t partition;
	struct str records; /* exactly one batch, in the frame */
	/* A batch before it was refused with this, without asking us: the topic was not known. */
	enum kerr before;
	void *slot;         /* the asker's: where the answer goes */
	/* the answer */
	enum kerr error;
	/* What validation found, on the heap, the asker's to free; NULL: nothing. */
	struct validate_result *refused;
	int64_t base_offset, append_time_ms, log_start;
	/* It is in our log whatever the error says; stored again elsewhere it would be a duplicate
	 * that nobody can recognise. */
	bool is_unsure;
	/* It is in our log, but where is forgotten: once it is committed that is told as
	 * DUPLICATE_SEQUENCE_NUMBER, which clients take for a success without an offset. */
	bool is_long_ago;
	/* With NOT_LEADER_OR_FOLLOWER: who leads, as far as we know. */
	int32_t leader, leader_epoch;
	/* while parked */
	struct wait wait;
	struct append_call *call;
};
struct append_call {
	struct call call;
	int16_t acks;
	bool zstd_allowed;
	int32_t timeout_ms;
	struct append_op *ops, *last; /* in the order asked */
	int32_t n, n_left;
	void *arg; /* the asker's */
};

void append_call_work(struct call *); /* the work of append_call.call */
/* Puts a further op on the call; not once it was sent. */
void append_call_add(struct append_call *, struct append_op *);
