/* wait.h - where an acks=all produce waits: on its partition, in the order of the offsets needed.
 *
 * What wakes it: the high watermark reaching `required` (wait_wake from partition_step, fed by a
 * follower's fetch or an ISR change), the ISR falling below min.insync.replicas, the leadership
 * or the log lost, its own deadline.  Belongs to the partition's shard. */
#pragma once
#include "common/env/env.h"
#include "common/wire/kerr.h"

struct partition;
struct wait {
	struct list node;
	struct timer deadline;
	struct partition *partition;
	int64_t required;                       /* high watermark that makes it done */
	void (*done)(struct wait *, enum kerr); /* once; off the list by then */
};

void wait_park(struct wait *, struct partition *, int64_t required, int64_t timeout_ms);
void wait_wake(struct partition *);            /* all up to the high watermark */
void wait_fail(struct partition *, enum kerr); /* all */
