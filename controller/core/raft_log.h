/* raft_log.h - which term wrote which records: all that raft knows of its log.
 *
 * The log is records [start, end).  What is before start is in a snapshot, of which only the term
 * of its last record is kept.  One row per term, not per record.  Owned by struct raft; the rows
 * are on the heap. */
#pragma once
#include "controller/core/raft_msg.h"

struct raft_log {
	int64_t start, start_term;       /* the term of record start - 1 */
	int64_t end;
	int32_t n, cap;
	struct raft_run *runs;           /* term and first grow; the first's first is >= start */
};

void raft_log_init(struct raft_log *, int64_t start, int64_t start_term);
void raft_log_fini(struct raft_log *);
void raft_log_append(struct raft_log *, int64_t term, int64_t new_end);
void raft_log_cut(struct raft_log *, int64_t end);               /* the records from end on go */
void raft_log_drop(struct raft_log *, int64_t start);            /* the records before start go */
/* The term of a position in [start, end]; RAFT_NO_TERM outside. */
#define RAFT_NO_TERM (-1)
int64_t raft_log_term(const struct raft_log *, int64_t position);
int64_t raft_log_end_term(const struct raft_log *);
/* The term of a record in [start, end), and where its run ends. */
int64_t raft_log_run(const struct raft_log *, int64_t record, int64_t *run_end);
/* The runs of [from, to); how many.  At most `cap`: *to is lowered to what they cover. */
int32_t raft_log_runs(const struct raft_log *, int64_t from, int64_t *to, struct raft_run *,
		      int32_t cap);
/* The largest position p <= at with term(p) <= term; -1: all that is known is of later terms. */
int64_t raft_log_back(const struct raft_log *, int64_t at, int64_t term);
void raft_log_check(const struct raft_log *);
