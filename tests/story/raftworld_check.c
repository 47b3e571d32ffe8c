/* raftworld_check.c - what must hold, seen by somebody who sees everything.  The numbers are those
 * of the list of invariants that the comments below spell out. */
#include "tests/story/raftworld.h"

#include <stdarg.h>
#include <stdio.h>

static void check_leader(struct raftworld *, const struct rw_node *);
static void check_commit(struct raftworld *, const struct rw_node *, const struct raft *before);
static void check_set(struct raftworld *, const struct rw_node *, const struct raft *before,
		      const struct raft_effects *);
static void note_vote(struct raftworld *, int64_t term, struct raft_voter by,
		      struct raft_voter whom);
static const struct rw_batch *disk_batch(const struct raftworld *, const struct rw_node *,
					 int64_t end);
static int32_t majority_has(const struct raft_voters *a, const struct raft_voters *b);

void raftworld_wrong(struct raftworld *w, const char *fmt, ...)
{
	va_list ap;

	if (w->wrong[0] != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(w->wrong, sizeof(w->wrong), fmt, ap);
	va_end(ap);
}

void raftworld_check_step(struct raftworld *w, struct rw_node *d, const struct raft *before,
			  const struct raft_effects *out)
{
	ASSERT(d->r.term < RW_TERMS);
	w->max_term = i64_max(w->max_term, d->r.term);
	if (d->r.role == RAFT_LEADER && before->role != RAFT_LEADER)
		check_leader(w, d);
	check_commit(w, d, before);
	if (d->r.voters.end > before->voters.end && d->r.role == RAFT_LEADER)
		check_set(w, d, before, out);
	/* 36: nothing at or below commit is cut. */
	if (out->cut >= 0 && out->cut < before->commit)
		raftworld_wrong(w, "%d cuts at %lld, below its commit %lld", d->id,
				(long long)out->cut, (long long)before->commit);
}

/* 29: one leader per term.  34: it has all that was ever committed.  41: it is a voter, or was one
 * until a set that is not yet committed.  A restart ends a leadership for good. */
static void check_leader(struct raftworld *w, const struct rw_node *d)
{
	struct raft_voter self = raftworld_voter(w, d->id);
	struct raft_voter *seat = &w->leaders[d->r.term];
	int32_t last = w->n_committed > 0 ? w->committed[w->n_committed - 1] : -1;
	/* Votes may come so late that a later term has come and gone. */
	bool has = last < 0 || d->log.before == last || d->r.term <= w->committed_in;

	if (seat->id > 0)
		raftworld_wrong(w, "%d and %d led term %lld", seat->id, d->id,
				(long long)d->r.term);
	*seat = self;
	if (last >= 0 && w->batches[last].end <= d->log.start)
		has = true;
	for (int32_t i = d->log.n - 1; i >= 0 && !has; i--)
		has = d->log.v[i] == last;
	if (!has)
		raftworld_wrong(w, "%d leads term %lld without what is committed up to %lld", d->id,
				(long long)d->r.term, (long long)w->batches[last].end);
	if (raft_voters_find(&d->r.voters.set, self) < 0 &&
	    raft_voters_find(&d->r.voters_before.set, self) < 0)
		raftworld_wrong(w, "%d won without being a voter", d->id);
}

/* 32: commit only grows, and what it covers is on this disk.  37: a leader learns of commits only
 * by counting records of its own term. */
static void check_commit(struct raftworld *w, const struct rw_node *d, const struct raft *before)
{
	int64_t end = d->r.commit;

	if (end < before->commit)
		raftworld_wrong(w, "%d: commit goes back", d->id);
	if (end > d->disk.log.end && end > d->disk.snapshot.end)
		raftworld_wrong(w, "%d: commit %lld is not on its disk, which has %lld", d->id,
				(long long)end, (long long)d->disk.log.end);
	if (before->role == RAFT_LEADER && d->r.role == RAFT_LEADER &&
	    d->r.known_commit > before->known_commit &&
	    raft_log_term(&d->r.log, d->r.known_commit) != d->r.term)
		raftworld_wrong(w, "%d commits %lld of an earlier term by counting", d->id,
				(long long)d->r.known_commit);
}

/* 40: one change at a time, and any two majorities of neighbours meet. */
static void check_set(struct raftworld *w, const struct rw_node *d, const struct raft *before,
		      const struct raft_effects *out)
{
	const struct raft_voters *a = &before->voters.set, *b = &d->r.voters.set;

	(void)out;
	if (before->voters.end > before->commit)
		raftworld_wrong(w, "%d changes voters while a change is not committed", d->id);
	if (before->commit <= before->term_start)
		raftworld_wrong(w, "%d changes voters with nothing committed in its term", d->id);
	if (majority_has(a, b) + majority_has(b, a) > 1)
		raftworld_wrong(w, "%d changes more than one voter", d->id);
}

/* How many of a are not in b. */
static int32_t majority_has(const struct raft_voters *a, const struct raft_voters *b)
{
	int32_t n = 0;

	for (int32_t i = 0; i < a->n; i++) {
		bool is_in = false;

		for (int32_t k = 0; k < b->n; k++)
			is_in |= a->v[i].id == b->v[k].id;
		n += !is_in;
	}
	return n;
}

/* 33, first half: a position has one batch of a term, because the term has one leader. */
void raftworld_check_batch(struct raftworld *w, int32_t batch)
{
	const struct rw_batch *b = &w->batches[batch];

	for (int32_t i = w->n_batches - 2; i >= 0 && w->batches[i].term >= b->term - 1; i--)
		if (w->batches[i].term == b->term && w->batches[i].base < b->end &&
		    b->base < w->batches[i].end)
			raftworld_wrong(w, "two batches of term %lld at %lld", (long long)b->term,
					(long long)b->base);
}

/* 33, second half: before a batch there is in every log what was before it in the first. */
void raftworld_check_place(struct raftworld *w, const struct rw_node *d, int32_t batch)
{
	const struct rw_batch *b = &w->batches[batch];
	int32_t before = d->log.n > 0 ? d->log.v[d->log.n - 1] : d->log.before;

	if (b->before != before || b->base != d->log.end)
		raftworld_wrong(w, "%d: the batch at %lld follows another than on its leader",
				d->id, (long long)b->base);
}

/* What is committed is never cut, whether the node knows or not. */
void raftworld_check_cut(struct raftworld *w, struct rw_node *d, int64_t at)
{
	for (int32_t i = d->log.n - 1; i >= 0 && w->batches[d->log.v[i]].base >= at; i--)
		for (int32_t k = w->n_committed - 1;
		     k >= 0 && w->batches[w->committed[k]].base >= at; k--)
			if (w->committed[k] == d->log.v[i])
				raftworld_wrong(w, "%d cuts at %lld what is committed", d->id,
						(long long)at);
}

/* 35: everybody applies the same. */
void raftworld_check_applied(struct raftworld *w, const struct rw_node *d, int32_t batch)
{
	int64_t base = w->batches[batch].base, end = 0;
	int32_t at = w->n_committed;

	if (at > 0)
		end = w->batches[w->committed[at - 1]].end;
	if (base == end) {
		w->committed[w->n_committed++] = (int16_t)batch;
		w->committed_in = i64_max(w->committed_in, d->r.term);
		return;
	}
	while (at > 0 && w->batches[w->committed[at - 1]].base > base)
		at--;
	if (base > end || at == 0 || w->committed[at - 1] != batch)
		raftworld_wrong(w, "%d applies at %lld what others did not", d->id,
				(long long)base);
}

/* 30, 31: on a disk the term only grows, and a term has one vote. */
void raftworld_check_disk(struct raftworld *w, const struct rw_node *d, const struct rw_op *op)
{
	if (op->kind != RW_HARD)
		return;
	if (op->term < d->disk.term)
		raftworld_wrong(w, "%d: the term on disk goes back", d->id);
	if (op->voted.id >= 0)
		note_vote(w, op->term, raftworld_voter(w, d->id), op->voted);
	else if (op->term == d->disk.term && d->disk.voted.id >= 0)
		raftworld_wrong(w, "%d: its vote is taken back", d->id);
}

/* 38: what a message claims is on the disk of whoever sends it. */
void raftworld_check_leaves(struct raftworld *w, const struct rw_node *d, const struct raft_msg *m)
{
	bool is_pre = m->kind == RAFT_PRE_VOTE || m->kind == RAFT_PRE_VOTE_REPLY;
	int64_t disk_term = d->disk.term;

	/* A last record tells its term as well as the hard state does. */
	if (d->disk.log.n > 0)
		disk_term = i64_max(disk_term, w->batches[d->disk.log.v[d->disk.log.n - 1]].term);
	if (!is_pre && m->term > disk_term)
		raftworld_wrong(w, "%d says %s in term %lld, its disk has %lld", d->id,
				raft_msg_name(m->kind), (long long)m->term, (long long)disk_term);
	if (m->kind == RAFT_VOTE_REPLY && m->voted.granted) {
		note_vote(w, m->voted.for_term, m->from, m->to);
		if (d->disk.term == m->voted.for_term && !raft_voter_eq(d->disk.voted, m->to))
			raftworld_wrong(w, "%d promises a vote that is not on its disk", d->id);
	}
	if (m->kind == RAFT_VOTE)
		note_vote(w, m->term, m->from, m->from);
	if ((m->kind == RAFT_VOTE || m->kind == RAFT_PRE_VOTE) && d->r.term == m->term &&
	    disk_batch(w, d, m->vote.end) == NULL && m->vote.end > d->disk.snapshot.end)
		raftworld_wrong(w, "%d asks for votes with a log that is not on its disk", d->id);
	if (m->kind == RAFT_APPEND_REPLY && !m->appended.rejected && d->r.term == m->term &&
	    m->appended.match > d->disk.log.start && disk_batch(w, d, m->appended.match) == NULL)
		raftworld_wrong(w, "%d acknowledges %lld, its disk has %lld", d->id,
				(long long)m->appended.match, (long long)d->disk.log.end);
}

/* 39: a snapshot is what was committed. */
void raftworld_check_snapshot(struct raftworld *w, const struct rw_node *d,
			      const struct rw_snapshot *s)
{
	int32_t at = w->n_committed;

	while (at > 0 && w->batches[w->committed[at - 1]].end > s->end)
		at--;
	if (at == 0 || w->committed[at - 1] != s->last || w->batches[s->last].end != s->end)
		raftworld_wrong(w, "%d: a snapshot of %lld is not what was committed", d->id,
				(long long)s->end);
}

void raftworld_check_end(struct raftworld *w)
{
	int32_t leader = raftworld_leader(w);
	const struct rw_node *l = &w->nodes[leader];

	if (leader == 0 || l->r.commit != l->r.log.end) {
		raftworld_wrong(w, "nothing is wrong any more, and still nobody leads");
		return;
	}
	if (!raft_is_voter(&l->r))
		raftworld_wrong(w, "%d leads and has been removed", leader);
	for (int32_t i = 0; i < l->r.voters.set.n; i++) {
		const struct rw_node *d = &w->nodes[l->r.voters.set.v[i].id];

		if (!d->is_up || raft_voters_find(&l->r.voters.set, raftworld_voter(w, d->id)) < 0)
			continue;
		if (d->applied != l->applied || d->r.leader != leader)
			raftworld_wrong(w, "%d stays behind: %lld of %lld", d->id,
					(long long)d->applied, (long long)l->applied);
	}
}

/* Also across a crash: what was promised must be remembered. */
static void note_vote(struct raftworld *w, int64_t term, struct raft_voter by,
		      struct raft_voter whom)
{
	ASSERT(term < RW_TERMS);
	for (int32_t i = 0; i < RW_NODES; i++) {
		if (w->votes[term][i].by.id == 0) {
			w->votes[term][i].by = by;
			w->votes[term][i].whom = whom;
			return;
		}
		if (!raft_voter_eq(w->votes[term][i].by, by))
			continue;
		if (!raft_voter_eq(w->votes[term][i].whom, whom))
			raftworld_wrong(w, "%d votes for %d and %d in term %lld", by.id,
					w->votes[term][i].whom.id, whom.id, (long long)term);
		return;
	}
}

/* The batch on its disk that ends there, when memory agrees. */
static const struct rw_batch *disk_batch(const struct raftworld *w, const struct rw_node *d,
					 int64_t end)
{
	for (int32_t i = d->disk.log.n - 1; i >= 0; i--)
		if (w->batches[d->disk.log.v[i]].end == end)
			return &w->batches[d->disk.log.v[i]];
	return NULL;
}
