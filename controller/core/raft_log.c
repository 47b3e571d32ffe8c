/* raft_log.c - a list of runs.  It is searched from its end, where all the work is. */
#include "controller/core/raft_log.h"

static int32_t run_of(const struct raft_log *, int64_t record);

void raft_log_init(struct raft_log *l, int64_t start, int64_t start_term)
{
	ASSERT(start >= 0 && start_term >= 0);
	*l = (struct raft_log){ .start = start, .start_term = start_term, .end = start };
}

void raft_log_fini(struct raft_log *l)
{
	mem_free(l->runs);
	*l = (struct raft_log){ 0 };
}

/* Terms never go down along a log: a leader appends in its own term only, and what a follower takes
 * has been checked against its leader's (raft_append.c, is_sound). */
void raft_log_append(struct raft_log *l, int64_t term, int64_t new_end)
{
	ASSERT(new_end > l->end);
	ASSERT(term >= raft_log_end_term(l));
	if (l->n == 0 || l->runs[l->n - 1].term != term) {
		if (l->n == l->cap) {
			l->cap = i32_max(8, 2 * l->cap);
			l->runs = mem_grow(l->runs, (size_t)l->cap * sizeof(l->runs[0]));
		}
		l->runs[l->n++] = (struct raft_run){ term, l->end };
	}
	l->end = new_end;
}

void raft_log_cut(struct raft_log *l, int64_t end)
{
	ASSERT(l->start <= end && end <= l->end);
	while (l->n > 0 && l->runs[l->n - 1].first >= end)
		l->n--;
	l->end = end;
}

/* A run that the new start lies in keeps its rest; the term of what was dropped last is kept, for
 * the next append's prev may be just there (5.1). */
void raft_log_drop(struct raft_log *l, int64_t start)
{
	int32_t gone = 0;

	ASSERT(l->start <= start && start <= l->end);
	l->start_term = raft_log_term(l, start);
	l->start = start;
	while (gone < l->n && (gone + 1 < l->n ? l->runs[gone + 1].first : l->end) <= start)
		gone++;
	l->n -= gone;
	if (l->n > 0) {
		memmove(l->runs, l->runs + gone, (size_t)l->n * sizeof(l->runs[0]));
		l->runs[0].first = i64_max(l->runs[0].first, start);
	}
}

int64_t raft_log_term(const struct raft_log *l, int64_t position)
{
	int32_t at;

	if (position < l->start || position > l->end)
		return RAFT_NO_TERM;
	/* Before the first record there is nothing to disagree about: every log has term 0
	 * there. */
	if (position == 0)
		return 0;
	at = run_of(l, position - 1);
	return at < 0 ? l->start_term : l->runs[at].term;
}

int64_t raft_log_end_term(const struct raft_log *l)
{
	return raft_log_term(l, l->end);
}

int64_t raft_log_run(const struct raft_log *l, int64_t record, int64_t *run_end)
{
	int32_t at = run_of(l, record);

	ASSERT(at >= 0 && record < l->end);
	*run_end = at + 1 < l->n ? l->runs[at + 1].first : l->end;
	return l->runs[at].term;
}

int32_t raft_log_runs(const struct raft_log *l, int64_t from, int64_t *to, struct raft_run *runs,
		      int32_t cap)
{
	int32_t n = 0;

	ASSERT(l->start <= from && from <= *to && *to <= l->end);
	if (from == *to)
		return 0;
	for (int32_t at = run_of(l, from); at < l->n && l->runs[at].first < *to; at++) {
		/* What does not fit goes with the next append. */
		if (n == cap) {
			*to = l->runs[at].first;
			break;
		}
		runs[n++] = (struct raft_run){ l->runs[at].term, i64_max(from, l->runs[at].first) };
	}
	return n;
}

/* Terms grow, so the last run that is not too late ends where they part. */
int64_t raft_log_back(const struct raft_log *l, int64_t at, int64_t term)
{
	int64_t p = i64_min(at, l->end);

	for (int32_t i = l->n - 1; i >= 0 && p > l->start; i--) {
		if (l->runs[i].first >= p)
			continue;
		if (l->runs[i].term <= term)
			return p;
		p = l->runs[i].first;
	}
	/* All runs that are here are of later terms.  The snapshot's end is the last place that can
	 * be vouched for; below it only a snapshot helps, unless the log has its very beginning. */
	if (p == l->start && l->start_term <= term)
		return p;
	return l->start == 0 ? 0 : -1;
}

void raft_log_check(const struct raft_log *l)
{
	ASSERT(0 <= l->start && l->start <= l->end);
	ASSERT((l->n == 0) == (l->start == l->end));
	if (l->n == 0)
		return;
	ASSERT(l->runs[0].first == l->start && l->runs[0].term >= l->start_term);
	ASSERT(l->runs[l->n - 1].first < l->end);
	/* Between two checks only the last ones change. */
	for (int32_t i = i32_max(1, l->n - 4); i < l->n; i++) {
		ASSERT(l->runs[i].first > l->runs[i - 1].first);
		ASSERT(l->runs[i].term > l->runs[i - 1].term);
	}
}

/* -1: before the first */
static int32_t run_of(const struct raft_log *l, int64_t record)
{
	int32_t at = l->n - 1;

	while (at >= 0 && l->runs[at].first > record)
		at--;
	return at;
}
