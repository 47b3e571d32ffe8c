/* run.h - runs of the simulator, each in a process of its own, so that a crash is only that run's;
 * several at a time. */
#pragma once
#include "tests/sim/swarm.h"

struct run {
	const char *scene; /* NULL: the swarm and its faults */
	struct swarm swarm;
	struct schedule faults;
	bool is_loud, is_twice, is_brief;
	bool is_silent; /* only the outcome counts */
};

/* Hits of the marks of common/base/mark.h, in all runs that ended well so far. */
void run_marks(void (*each)(void *arg, const char *name, const char *file, uint64_t n_runs),
	       void *arg);

/* The next run to start; false: no more.  Its schedule is freed after `done`. */
typedef bool run_next(void *arg, struct run *);
/* In the order in which they were started.  False: enough, start no more. */
typedef bool run_done(void *arg, const struct run *, const struct outcome *);

void run_all(int jobs, run_next *, run_done *, void *arg);
void run_one(struct run *, struct outcome *); /* keeps the schedule */
