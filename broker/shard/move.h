/* move.h - a replica moves from one log directory of its broker to another (KIP-113).
 *
 * A second log, the future one, grows in a directory named -future beside whatever the replica
 * does; when it has caught up it takes the place of the present one within one turn of the shard,
 * and the old directory goes the way of a deleted one.  A start finds it by its name and goes on.
 *
 *   move_request -> OPENING (job) -> COPYING: read (job), append -> flushed once (job) -> swapped
 *   failure, cancel, drop: the future directory is removed
 *
 * Truncations of the replica reach the future log, too: what it holds is always a prefix of the
 * replica's log.  Owned by the partition; its jobs count among the partition's (n_jobs). */
#pragma once
#include "broker/shard/partition.h"

struct move;
/* Asked for: move to that directory; to where it is already: cancel. */
void move_request(struct partition *, int dir);
/* The partition has opened: was a move under way before the start? */
void move_resume(struct partition *);
/* The partition is going or has failed: the future log, too. */
void move_end(struct partition *);
/* Process end: move_stop lets go of the timer, move_close of the log, once no job runs. */
void move_stop(struct partition *);
void move_close(struct partition *);
/* The replica's log was cut: keep nothing from offset on. */
void move_truncated(struct partition *, int64_t offset);

void move_refresh_conf(struct partition *, const struct log_config *);

struct move_state {
	int dir; /* -1: none under way */
	int64_t bytes, lag;
};
struct move_state move_state_of(const struct partition *);
