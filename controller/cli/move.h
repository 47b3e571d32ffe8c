/* move.h - plans carried out: asked for, throttled, waited for, taken back. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/plan.h"
#include "controller/cli/view.h"

/* Asks for the plan; for its partitions' moves to be cancelled when `cancel`.  One result per item,
 * in its order.  An exit code: refusals are in the results. */
must_check int move_submit(struct cli *, const struct plan *, bool cancel,
			   const Weir__ReassignResults **);
/* Bytes per second between brokers for what the plan moves (KIP-73); below 0 takes the throttle
 * away again.  An exit code. */
must_check int move_throttle(struct cli *, const struct view *, const struct plan *,
			     int64_t bytes_per_s);
/* Partitions of the plan that are still moving in this image. */
int move_count(const struct image *, const struct plan *);
/* The plan as what would be: a ReassignmentList. */
void move_print_plan(struct cli *, const struct plan *);
