/* raft_vote.c - who may become leader: pre-vote (9.6), vote (3.4, 3.6.1), stickiness (4.2.3).
 *
 * A pre-vote asks "would you vote for me in the next term?" and changes nothing, so a node that
 * was cut off, or removed, cannot disturb a working leader by coming back.  Votes are counted per
 * peer and only of the voter set in force; a node grants without looking at the set, because it
 * may not yet have the one that counts. */
#include "controller/core/raft_impl.h"

/* After so many campaigns the voters in this log may be none any more. */
#define IN_VAIN 3

static bool is_sticky(const struct raft *);
static bool is_up_to_date(const struct raft *, const struct raft_msg *);
static void ask(struct raft *, enum raft_msg_kind, int64_t term, struct raft_effects *);
static void answer(struct raft *, const struct raft_msg *, bool granted, struct raft_effects *);
static void pause_before_next(struct raft *);

/* "A server that is not part of its own latest configuration should still start new elections, as
 * it might still be needed until the Cnew entry is committed" (4.2.2). */
bool raft_may_campaign(const struct raft *r)
{
	if (r->is_installing)
		return false;
	return raft_is_voter(r) || (r->voters.end > r->known_commit &&
				    raft_voters_find(&r->voters_before.set, r->o.self) >= 0);
}

void raft_pre_campaign(struct raft *r, struct raft_effects *out)
{
	ASSERT(r->role != RAFT_LEADER && raft_may_campaign(r));
	raft_follow(r, out, r->term, -1);
	r->role = RAFT_PRE_CANDIDATE;
	r->attempts++;
	pause_before_next(r);
	ask(r, RAFT_PRE_VOTE, r->term + 1, out);
	if (r->attempts > IN_VAIN)
		raft_say_hello(r, out);
	raft_count_votes(r, out);
}

/* "Increment currentTerm, vote for self, send RequestVote to all other servers." */
void raft_campaign(struct raft *r, struct raft_effects *out)
{
	ASSERT(r->role != RAFT_LEADER && raft_may_campaign(r));
	raft_set_term(r, out, r->term + 1, r->o.self);
	r->chunk_end = 0;
	r->role = RAFT_CANDIDATE;
	r->leader = -1;
	r->leader_ms = RAFT_NEVER;
	pause_before_next(r);
	ask(r, RAFT_VOTE, r->term, out);
}

/* A candidate's own vote counts like any other: when it is on disk, and the log that it was
 * given for with it. */
void raft_count_votes(struct raft *r, struct raft_effects *out)
{
	int32_t granted = 0;

	if (raft_is_voter(r) && (r->role == RAFT_PRE_CANDIDATE || r->persisted >= r->hard_seq))
		granted++;
	for (int32_t i = 0; i < r->n_peers; i++)
		granted += r->peers[i].is_voter && r->peers[i].granted;
	if (granted < raft_majority(r))
		return;
	if (r->role == RAFT_PRE_CANDIDATE)
		raft_campaign(r, out);
	else
		raft_lead(r, out);
}

void raft_on_pre_vote(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	bool granted =
		(m->vote.is_transfer || !is_sticky(r)) && m->term > r->term && is_up_to_date(r, m);

	/* Removed, and nobody told it: it hears so by following. */
	if (r->role == RAFT_LEADER && raft_peer_of(r, m->from) == NULL)
		raft_on_hello(r, m, out);
	answer(r, m, granted, out);
	/* Two that ask each other at the same time would split the votes. */
	if (granted && r->role == RAFT_PRE_CANDIDATE && m->from.id < r->o.self.id)
		raft_follow(r, out, r->term, -1);
}

/* "If votedFor is null or candidateId, and candidate's log is at least as up-to-date as receiver's
 * log, grant vote" (figure 3.1).  "If a server receives a RequestVote request within the minimum
 * election timeout of hearing from a current leader, it does not update its term or grant its vote"
 * (4.2.3), unless that leader itself wants to hand over. */
void raft_on_vote(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	bool granted;

	if ((!m->vote.is_transfer && is_sticky(r)) || m->term < r->term) {
		answer(r, m, false, out);
		return;
	}
	if (m->term > r->term)
		raft_follow(r, out, m->term, -1);
	granted = (raft_voter_none(r->voted) || raft_voter_eq(r->voted, m->from)) &&
		  is_up_to_date(r, m);
	if (granted) {
		if (raft_voter_none(r->voted))
			raft_set_term(r, out, r->term, m->from);
		raft_be_patient(r);
	}
	answer(r, m, granted, out);
}

void raft_on_vote_reply(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	bool is_pre = m->kind == RAFT_PRE_VOTE_REPLY;
	struct raft_peer *p = raft_peer_of(r, m->from);

	if (r->role != (is_pre ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE))
		return;
	if (m->voted.for_term != (is_pre ? r->term + 1 : r->term) || p == NULL || !p->is_voter)
		return;
	p->granted |= m->voted.granted;
	raft_count_votes(r, out);
}

/* A leader is, as long as a majority answers it. */
static bool is_sticky(const struct raft *r)
{
	return r->role == RAFT_LEADER ||
	       (r->leader >= 0 && r->now_ms - r->leader_ms < r->o.election_min_ms);
}

/* "If the logs have last entries with different terms, then the log with the later term is more
 * up-to-date.  If the logs end with the same term, then whichever log is longer" (3.6.1). */
static bool is_up_to_date(const struct raft *r, const struct raft_msg *m)
{
	int64_t own = raft_log_end_term(&r->log);

	return m->vote.end_term > own || (m->vote.end_term == own && m->vote.end >= r->log.end);
}

/* The log is a credential: all of it must be on disk before a request leaves. */
static void ask(struct raft *r, enum raft_msg_kind kind, int64_t term, struct raft_effects *out)
{
	for (int32_t i = 0; i < r->n_peers; i++) {
		struct raft_msg *m;

		r->peers[i].granted = false;
		if (!r->peers[i].is_voter || r->peers[i].who.id == r->o.self.id)
			continue;
		m = raft_send(r, out, kind, r->peers[i].who);
		m->term = term;
		m->vote.end = r->log.end;
		m->vote.end_term = raft_log_end_term(&r->log);
		m->vote.is_transfer = r->is_transfer;
		raft_send_after(out, r->seq);
	}
}

static void answer(struct raft *r, const struct raft_msg *m, bool granted, struct raft_effects *out)
{
	struct raft_msg *a = raft_send(
		r, out, m->kind == RAFT_VOTE ? RAFT_VOTE_REPLY : RAFT_PRE_VOTE_REPLY, m->from);

	a->voted.for_term = m->term;
	a->voted.granted = granted;
}

/* Short at first, because nobody leads; longer each time, so that somebody comes through. */
static void pause_before_next(struct raft *r)
{
	int64_t ms = r->o.heartbeat_ms << i32_min(i32_max(r->attempts - 1, 0), 16);

	ms = i64_min(ms, r->o.election_min_ms);
	r->deadline_ms = r->now_ms + raft_random(r, ms, 2 * ms);
}
