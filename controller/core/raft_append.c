/* raft_append.c - a follower and its leader's records (3.5, 3.6.2).
 *
 * Log matching: two logs with the same term at a position are equal up to it.  An append says which
 * term its `prev` has; where that does not fit the follower refuses, with a hint that skips a whole
 * term at once (3.5, end).  Records are cut only where terms really differ, so a late or repeated
 * append takes nothing away. */
#include "controller/core/raft_impl.h"

static bool is_sound(const struct raft_msg *);
static bool fits(const struct raft *, const struct raft_msg *);
static int64_t conflict(const struct raft *, const struct raft_msg *);
static void write_records(struct raft *, const struct raft_event *, struct raft_effects *);
static void acknowledge(struct raft *, const struct raft_msg *, int64_t match,
			struct raft_effects *);

void raft_hear_leader(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	ASSERT(r->role != RAFT_LEADER); /* election safety: one leader in a term */
	ASSERT(r->leader < 0 || r->leader == m->from.id);
	raft_follow(r, out, r->term, m->from.id);
	r->attempts = 0;
}

void raft_on_append(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	const struct raft_msg *m = ev->msg;
	int64_t prev = m->append.prev, end = m->append.end;

	if (!is_sound(m))
		return;
	raft_hear_leader(r, m, out);
	/* The log is about to be replaced.  The answer keeps the leader's majority and claims no
	 * more than what the snapshot will have, too. */
	if (r->is_installing) {
		acknowledge(r, m, r->commit, out);
		return;
	}
	if (!fits(r, m)) {
		raft_refuse(r, m, out);
		return;
	}
	if (end > prev)
		write_records(r, ev, out);
	raft_advance_commit(r, i64_min(m->append.commit, end));
	/* A heartbeat is answered at once, whatever the disk does: it only claims what is there. */
	acknowledge(r, m, end > prev ? end : i64_min(end, r->durable), out);
}

/* The message is of an earlier term, or its prev does not fit. */
void raft_refuse(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	bool is_append = m->kind == RAFT_APPEND;
	/* What is committed here fits any later leader, so it need never look below. */
	int64_t hint = r->commit;
	struct raft_msg *a = raft_send(r, out, RAFT_APPEND_REPLY, m->from);

	if (is_append && m->term == r->term)
		hint = i64_max(hint, raft_log_back(&r->log, m->append.prev, m->append.prev_term));
	a->appended.prev = is_append ? m->append.prev : 0;
	a->appended.rejected = true;
	a->appended.hint = hint;
	a->appended.hint_term = raft_log_term(&r->log, hint);
}

/* The wire is not trusted with the shape of a message. */
static bool is_sound(const struct raft_msg *m)
{
	const struct raft_run *run = m->append.runs;
	int32_t n = m->append.n_runs;

	if (m->append.prev < 0 || m->append.prev_term < 0 || m->append.end < m->append.prev)
		return false;
	if (n < 0 || n > RAFT_RUNS_SENT || (n == 0) != (m->append.end == m->append.prev))
		return false;
	if (n == 0)
		return true;
	if (run[0].first != m->append.prev || run[0].term < m->append.prev_term)
		return false;
	for (int32_t i = 1; i < n; i++)
		if (run[i].first <= run[i - 1].first || run[i].term <= run[i - 1].term)
			return false;
	return run[n - 1].first < m->append.end && run[n - 1].term <= m->term;
}

/* What is committed is the same everywhere (leader completeness). */
static bool fits(const struct raft *r, const struct raft_msg *m)
{
	int64_t own = raft_log_term(&r->log, m->append.prev);

	if (m->append.prev <= r->known_commit) {
		ASSERT(own == RAFT_NO_TERM || own == m->append.prev_term);
		return true;
	}
	return own == m->append.prev_term;
}

/* "If an existing entry conflicts with a new one (same index but different terms), delete the
 * existing entry and all that follow it.  Append any new entries not already in the log." */
static void write_records(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	const struct raft_msg *m = ev->msg;
	int64_t at = conflict(r, m), end = m->append.end;

	/* A real conflict: these records were never committed, or leader completeness is broken. */
	if (at < i64_min(end, r->log.end)) {
		ASSERT(at >= r->known_commit);
		raft_log_cut(&r->log, at);
		raft_roll_back_sets(r, at);
		out->cut = at;
	}
	if (end <= r->log.end)
		return;
	at = r->log.end;
	for (int32_t i = 0; i < m->append.n_runs; i++) {
		bool is_last = i + 1 == m->append.n_runs;
		int64_t to = is_last ? end : m->append.runs[i + 1].first;

		if (to > r->log.end)
			raft_log_append(&r->log, m->append.runs[i].term, to);
	}
	out->append_from = at;
	raft_log_changed(r, out);
	raft_take_sets(r, ev->sets, ev->n_sets, at, end);
}

/* The first record that both have and that differs; else where the shorter one ends. */
static int64_t conflict(const struct raft *r, const struct raft_msg *m)
{
	int64_t end = i64_min(m->append.end, r->log.end);
	int64_t at = i64_min(end, i64_max(m->append.prev, r->known_commit));

	for (int32_t i = 0; i < m->append.n_runs; i++) {
		bool is_last = i + 1 == m->append.n_runs;
		int64_t to = i64_min(end, is_last ? end : m->append.runs[i + 1].first);

		while (at < to) {
			int64_t run_end;

			if (raft_log_run(&r->log, at, &run_end) != m->append.runs[i].term)
				return at;
			at = i64_min(to, run_end);
		}
	}
	return end;
}

static void acknowledge(struct raft *r, const struct raft_msg *m, int64_t match,
			struct raft_effects *out)
{
	struct raft_msg *a = raft_send(r, out, RAFT_APPEND_REPLY, m->from);

	a->appended.prev = m->append.prev;
	a->appended.match = match;
	/* Persist before promise: the leader counts this towards its majority. */
	raft_send_after(out, raft_seq_of(r, match));
}
