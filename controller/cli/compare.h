/* compare.h - are the replicas of a partition the same, byte by byte, below a bound? */
#pragma once
#include "controller/cli/cli.h"

#define COMPARE_REPLICAS_MAX 16

struct compare_result {
	int64_t bytes, batches, records;
	int64_t from, to; /* offsets that all of them hold and that were compared */
	bool same;
	char why[512]; /* when not the same: what differs, where, in which directory */
};

/* dirs: one partition directory per replica; bound: compare batches that end below it.  Replicas
 * may begin at different offsets (retention): what all hold is compared. */
must_check enum err compare_replicas(struct cli *, const char *const *dirs, int n_dirs,
				     int64_t bound, struct compare_result *);
