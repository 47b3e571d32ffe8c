/* raftworld_log.h - the logs of raftworld.h: lists of batches, which are rows of one table. */
#pragma once
#include "controller/core/raft_msg.h"

enum { RW_BATCHES = 3000 };              /* in all logs together, ever */

struct rw_batch {
	int64_t base, end, term;
	int32_t before;                  /* the batch before it; -1 none */
	bool has_set;
	struct raft_voters set;
};
/* A log from `start` on; what is before it ends with batch `before`. */
struct rw_log {
	int64_t start, start_term, end;
	int32_t before, n;
	int16_t v[RW_BATCHES];
};

void rw_log_add(const struct rw_batch *, struct rw_log *, int32_t batch);
bool rw_log_cut(const struct rw_batch *, struct rw_log *, int64_t end);  /* false: inside one */
void rw_log_drop(const struct rw_batch *, struct rw_log *, int64_t start);
/* Where the batch is that begins at base; n when none does. */
int32_t rw_log_find(const struct rw_batch *, const struct rw_log *, int64_t base);
void rw_log_copy(struct rw_log *, const struct rw_log *);
