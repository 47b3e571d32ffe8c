/* ask.h - small questions to partitions, answered at once by the shard that owns each: ListOffsets,
 * OffsetForLeaderEpoch, DescribeProducers, DescribeLogDirs.
 *
 * An ask_call carries the questions of one request to one shard.  `answer` runs there for each
 * op; the partition is NULL when this shard does not host it. */
#pragma once
#include "broker/shard/call.h"
#include "broker/shard/partition.h"

struct ask_op {
	struct ask_op *next; /* of the call */
	struct uuid topic_id;
	int32_t partition;
	int32_t leader_epoch; /* the asker's; -1: not checked */
	int64_t in[3];
	enum kerr error;
	int64_t out[3];
	void *data; /* further answers: memory given by the asker */
	void *slot; /* the asker's */
};
struct ask_call {
	struct call call;
	void (*answer)(struct ask_op *, struct partition *);
	struct ask_op *ops, *last; /* in the order asked */
	int32_t n;
	void *arg;
};

void ask_call_work(struct call *);

/* NONE when `op` comes from somebody who knows our epoch and we lead. */
enum kerr ask_leader(const struct ask_op *, const struct partition *);

enum { ASK_REPLICA = 0, ASK_TIMESTAMP = 1 }; /* in[] of ask_offset */
/* Where ask_offset and ask_epoch_end leave their answers in out[]. */
enum { ASK_OFFSET = 0, ASK_FOUND_MS = 1, ASK_EPOCH = 2 };
void ask_offset(struct ask_op *, struct partition *); /* ListOffsets */
/* OffsetForLeaderEpoch; in[0] is the epoch. */
void ask_epoch_end(struct ask_op *, struct partition *);
/* Puts a further op on the call; not once it was sent. */
void ask_call_add(struct ask_call *, struct ask_op *);
