/* deletes.h - DeleteRecords on the leader: raises the log start, and waits until every live
 * replica has raised its own.  Memory is the request's. */
#pragma once
#include "broker/shard/call.h"
#include "common/wire/kerr.h"

struct partition;
struct delete_call;
struct delete_op {
	struct delete_op *next; /* of the call */
	struct uuid topic_id;
	int32_t partition;
	int64_t offset; /* -1: the high watermark */
	enum kerr error;
	int64_t low_watermark;
	void *slot;       /* the asker's */
	struct list node; /* on partition->deletes */
	struct timer deadline;
	struct partition *at;
	struct delete_call *call;
};
struct delete_call {
	struct call call;
	int32_t timeout_ms;
	struct delete_op *ops, *last; /* in the order asked */
	int32_t n, n_left;
	void *arg;
};

void delete_call_work(struct call *);
void deletes_look(struct partition *); /* a replica's log start moved */
void deletes_fail(struct partition *, enum kerr);
/* Puts a further op on the call; not once it was sent. */
void delete_call_add(struct delete_call *, struct delete_op *);
