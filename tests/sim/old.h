/* old.h - a cluster that has run for long: where its numbers stand when the run begins.
 *
 * The disks hold what a cluster of that age would have: controllers a snapshot of the metadata with
 * the topics in it, brokers the partitions' logs.  Every replica but the one in sync may have lost
 * its log and must begin at the leader's start.  Nobody has registered yet: all of it is read by
 * the code that reads it after any restart. */
#pragma once
#include "tests/sim/cluster.h"

struct swarm;
struct past {
	int64_t record; /* of the metadata log, and so broker epochs; 0: a new cluster */
	int64_t term;
	int64_t producer_id;
	int64_t epoch;  /* of leaders and of partitions */
	int64_t offset; /* where logs begin */
	int64_t base;   /* of the segment before it: up to 2^31 - 1 less */
};

void past_draw(struct past *, struct prng *);
void past_fit(struct past *); /* what was set by hand, so that it makes sense */
/* Before anything is started. */
void past_write(const struct swarm *, struct cluster *);
