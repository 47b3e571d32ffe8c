/* iopool.h - the threads that run what may block: fsync, deletes, recovery scans, name lookups.
 *
 * Jobs start in the order they were submitted, on whichever thread is free.  A job's done() is
 * posted to the actor that submitted it.  The queue is bounded by its submitters: each has a
 * fixed number of jobs it owns. */
#pragma once
#include "common/env/env.h"

struct iopool;
must_check enum err iopool_new(int n_threads, struct iopool **out);
void iopool_free(struct iopool *); /* runs what is queued, then joins */
void iopool_submit(struct iopool *, struct env *home, struct job *);
/* Jobs without done(), a list by `next`; returns when they are over. */
void iopool_work_all(struct iopool *, struct env *home, struct job *first);
void iopool_settle(struct iopool *); /* returns when nothing is queued or running */
