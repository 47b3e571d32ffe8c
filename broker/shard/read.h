/* read.h - reading partitions for fetches, and the watches of a long poll.
 *
 * A read_call carries the partitions of one fetch that one shard owns; its memory is the
 * request's.  With `threshold` bytes (or an error, or a diverging epoch) in hand it returns at
 * once.  Otherwise, if it may wait, it stays: each op watches its partition and the call comes
 * back when the partitions that moved have been read again and that is enough, or when the asker
 * sends read_call_cancel.  Watches are one-shot and looked at once per turn of the loop
 * (shard_ready), so a burst of appends makes one answer.
 * Fencing by leader epoch: KIP-320; diverging epochs: KIP-595. */
#pragma once
#include "broker/core/epoch_cache.h"
#include "broker/log/log.h"
#include "broker/shard/call.h"
#include "common/wire/kerr.h"

struct partition;
struct read_call;
enum read_wake {
	READ_ASLEEP,
	READ_MOVED, /* the log end or the high watermark */
	READ_NEWS,  /* a follower shall hear of the high watermark */
	READ_LOST,  /* leadership, epoch, the partition itself */
};
struct read_op {
	struct read_op *next; /* of the call */
	/* what is asked */
	struct uuid topic_id;
	int32_t partition, index; /* index: place in the fetch, for the asker */
	int32_t leader_epoch, last_fetched_epoch, max_bytes;
	int64_t offset, log_start_of_follower;
	bool wants_news; /* a follower with a session: it shall know the high watermark */
	int64_t told_high_watermark; /* what it was told last; -1: nothing yet */
	/* the answer */
	enum kerr error;
	int64_t high_watermark, last_stable, log_start;
	struct epoch_entry diverging; /* epoch EPOCH_NONE: none */
	int32_t leader, leader_epoch_now;
	struct log_read data; /* a reference to the file, the asker's to put */
	/* while parked */
	struct list watch;
	struct partition *at; /* NULL: not watching */
	enum read_wake woken;
	struct read_call *call;
};
struct read_call {
	struct call call;
	struct mail cancel;         /* read_call_cancel: there and back */
	struct read_op *ops, *last; /* in the order asked */
	int32_t n;
	int32_t replica; /* -1 consumer, >= 0 follower */
	int64_t replica_epoch;
	bool any_replica;        /* a consumer that may read from a follower (KIP-392) */
	bool may_wait, is_first; /* is_first: a follower's progress is taken from it */
	int64_t bytes_max, threshold, bytes;
	bool is_urgent; /* an error, a diverging epoch or news: answer now */
	bool is_enough; /* that, or threshold bytes */
	bool is_parked;
	bool is_out, is_cancelling; /* the asker's view */
	struct list ready;
	void (*cancelled)(struct read_call *); /* on the asker: the cancel mail is back */
	void *arg;
};

void read_call_work(struct call *);
/* The asker wants the call back now; it comes back as usual, and `cancelled` runs as well. */
void read_call_cancel(struct read_call *);
void read_op_release(struct read_op *); /* drops the file */

/* On the owner: something moved; wakes the watches it concerns. */
void read_wake(struct partition *, enum read_wake why);
void read_ready(struct shard *); /* end of turn: woken calls are read again */
/* Puts a further op on the call; not once it was sent. */
void read_call_add(struct read_call *, struct read_op *);
