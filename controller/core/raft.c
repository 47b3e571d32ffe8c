/* raft.c - events, hard state, what is on disk, roles, time.
 *
 *   FOLLOWER       deadline, or the leader's connection closed -> PRE_CANDIDATE
 *                  TIMEOUT_NOW                                 -> CANDIDATE
 *   PRE_CANDIDATE  a majority would vote for it                -> CANDIDATE of the next term
 *   CANDIDATE      a majority did, and its own vote is on disk -> LEADER
 *   both           deadline                                    -> PRE_CANDIDATE again
 *   LEADER         no majority in sight; removed; its disk
 *                  is the only one that does not keep up       -> FOLLOWER
 *   each           a later term; an append of this one         -> FOLLOWER
 *   each           its disk failed                             -> FAILED
 *
 * A restart begins as follower, and a campaign raises the term: nobody leads a term twice. */
#include "controller/core/raft_impl.h"

static void dispatch(struct raft *, const struct raft_event *, struct raft_effects *);
static void take_message(struct raft *, const struct raft_event *, struct raft_effects *);
static bool is_of_this_term(struct raft *, const struct raft_msg *, struct raft_effects *);
static void take_persisted(struct raft *, int64_t seq, struct raft_effects *);
static void take_closed(struct raft *, int32_t peer, struct raft_effects *);
static void take_tick(struct raft *, struct raft_effects *);
static void fail(struct raft *, struct raft_effects *);
static void number(struct raft *, struct raft_effects *);

void raft_init(struct raft *r, const struct raft_options *o, const struct raft_found *f,
	       int64_t now_ms)
{
	ASSERT(0 <= f->start && f->start <= f->end && f->n_sets > 0);
	ASSERT(f->snapshot == 0 ? f->start == 0 : f->start <= f->snapshot && f->snapshot <= f->end);
	*r = (struct raft){ .o = *o,
			    .now_ms = now_ms,
			    .term = f->term,
			    .voted = f->voted,
			    .commit = f->snapshot,
			    .known_commit = f->snapshot,
			    .durable = f->end,
			    .snapshot = f->snapshot,
			    .leader = -1,
			    .leader_ms = RAFT_NEVER,
			    .transfer_to = -1 };
	prng_seed(&r->prng, o->seed);
	raft_log_init(&r->log, f->start, f->start_term);
	for (int32_t i = 0; i < f->n_runs; i++)
		raft_log_append(&r->log, f->runs[i].term,
				i + 1 < f->n_runs ? f->runs[i + 1].first : f->end);
	ASSERT(r->log.end == f->end);
	/* A term that only a record tells of: whatever was promised in it would have been written
	 * down before it was said, so this disk has no vote in it. */
	if (raft_log_end_term(&r->log) > r->term) {
		r->term = raft_log_end_term(&r->log);
		r->voted = (struct raft_voter){ .id = -1 };
	}
	raft_use_set(r, &f->sets[f->n_sets - 1], &f->sets[i32_max(0, f->n_sets - 2)]);
	/* Nobody is lost yet: whoever leads is heard of soon, and a pre-vote disturbs no leader. */
	r->deadline_ms = now_ms + raft_random(r, o->heartbeat_ms, 3 * o->heartbeat_ms);
	/* Alone there is nobody to hear of, and a restart should not cost an election timeout. */
	if (raft_is_voter(r) && r->voters.set.n == 1)
		r->deadline_ms = now_ms;
	raft_check(r);
}

void raft_fini(struct raft *r)
{
	raft_log_fini(&r->log);
}

void raft_step(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	enum raft_role role = r->role;
	int64_t term = r->term, commit = r->commit;
	int32_t leader = r->leader;

	/* The messages are left as they are: they are large. */
	memset(out, 0, offsetof(struct raft_effects, sent));
	out->cut = out->append_from = -1;
	raft_check(r);
	r->now_ms = i64_max(r->now_ms, ev->now_ms);
	if (r->role != RAFT_FAILED)
		dispatch(r, ev, out);
	/* Whatever is said in a term tells that term, and maybe a vote. */
	for (int32_t i = 0; i < out->n; i++)
		out->sent[i].after = i64_max(out->sent[i].after, r->hard_seq);
	out->commit_moved = r->commit != commit && ev->kind != RAFT_EV_INSTALLED;
	out->role_changed |= r->role != role || r->term != term || r->leader != leader;
	out->wake_ms = r->role == RAFT_FAILED   ? INT64_MAX
		       : r->role == RAFT_LEADER ? r->heartbeat_due_ms
						: r->deadline_ms;
	ASSERT(r->term >= term && r->commit >= commit);
	ASSERT(r->role != RAFT_FAILED || out->n == 0);
	raft_check(r);
}

void raft_check(const struct raft *r)
{
	raft_log_check(&r->log);
	ASSERT(r->log.start <= r->snapshot && r->snapshot <= r->commit);
	ASSERT(r->commit <= r->durable && r->durable <= r->log.end);
	ASSERT(r->commit <= r->known_commit && r->known_commit <= r->log.end);
	ASSERT(raft_log_end_term(&r->log) <= r->term);
	ASSERT(r->hard_seq <= r->seq && r->persisted <= r->seq);
	ASSERT(r->voters_before.end <= r->voters.end && r->voters.end <= r->log.end);
	ASSERT(0 < r->voters.set.n && r->voters.set.n <= RAFT_VOTERS_MAX);
	ASSERT((r->role == RAFT_LEADER) == (r->leader == r->o.self.id));
	ASSERT(r->transfer_to < 0 || r->role == RAFT_LEADER);
	ASSERT(!r->is_installing || r->role == RAFT_FOLLOWER || r->role == RAFT_FAILED);
	if (r->role == RAFT_CANDIDATE || r->role == RAFT_LEADER)
		ASSERT(raft_voter_eq(r->voted, r->o.self));
	if (r->role != RAFT_LEADER)
		return;
	ASSERT(r->term_start <= r->log.end && r->hard_seq <= r->persisted);
	for (int32_t i = 0; i < r->n_peers; i++) {
		ASSERT(r->peers[i].match <= r->peers[i].next);
		ASSERT(r->peers[i].next <= r->log.end);
	}
}

bool raft_can_append(const struct raft *r)
{
	return r->role == RAFT_LEADER && r->transfer_to < 0;
}

static void dispatch(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	switch (ev->kind) {
	case RAFT_EV_TICK: take_tick(r, out); break;
	case RAFT_EV_MESSAGE: take_message(r, ev, out); break;
	case RAFT_EV_PERSISTED: take_persisted(r, ev->seq, out); break;
	case RAFT_EV_APPENDED: raft_on_appended(r, ev, out); break;
	case RAFT_EV_CLOSED: take_closed(r, ev->peer, out); break;
	case RAFT_EV_SNAPSHOT_SAVED: raft_on_saved(r, ev); break;
	case RAFT_EV_CHUNK_STORED: raft_on_stored(r, ev, out); break;
	case RAFT_EV_INSTALLED: raft_on_installed(r, ev, out); break;
	case RAFT_EV_TRANSFER: raft_on_transfer(r, ev->peer, out); break;
	case RAFT_EV_VOTERS: raft_on_change(r, ev, out); break;
	case RAFT_EV_DISK_FAILED: fail(r, out); break;
	}
}

static void take_message(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	const struct raft_msg *m = ev->msg;

	/* Meant for a disk that this node no longer has, or misdirected. */
	if (m->to.id != r->o.self.id ||
	    (!uuid_is_zero(m->to.directory) && !uuid_eq(m->to.directory, r->o.self.directory)))
		return;
	/* A second process with our id: nothing good can come of it. */
	if (m->from.id == r->o.self.id || !is_of_this_term(r, m, out))
		return;
	switch (m->kind) {
	case RAFT_PRE_VOTE: raft_on_pre_vote(r, m, out); break;
	case RAFT_VOTE: raft_on_vote(r, m, out); break;
	case RAFT_PRE_VOTE_REPLY:
	case RAFT_VOTE_REPLY: raft_on_vote_reply(r, m, out); break;
	case RAFT_APPEND: raft_on_append(r, ev, out); break;
	case RAFT_APPEND_REPLY: raft_on_append_reply(r, m, out); break;
	case RAFT_SNAPSHOT: raft_on_snapshot(r, m, out); break;
	case RAFT_SNAPSHOT_REPLY: raft_on_snapshot_reply(r, m, out); break;
	case RAFT_TIMEOUT_NOW:
		if (r->role == RAFT_FOLLOWER && raft_may_campaign(r)) {
			/* The vote says so, that voters who have just heard the leader do not
			 * refuse (4.2.3). */
			r->is_transfer = true;
			raft_campaign(r, out);
		}
		break;
	case RAFT_HELLO: raft_on_hello(r, m, out); break;
	}
}

/* "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to
 * follower" (figure 3.1).  Requests for votes are weighed first (4.2.3), and a hello's term means
 * nothing: whoever cannot win must not disturb. */
static bool is_of_this_term(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	bool is_request = m->kind == RAFT_APPEND || m->kind == RAFT_SNAPSHOT;

	if (m->kind == RAFT_PRE_VOTE || m->kind == RAFT_VOTE || m->kind == RAFT_HELLO)
		return true;
	if (m->term > r->term)
		raft_follow(r, out, m->term, -1);
	/* Whoever leads an old term must hear of the new one, or it would go on to believe in
	 * itself until its majority is silent for an election timeout. */
	if (m->term < r->term && is_request)
		raft_refuse(r, m, out);
	return m->term == r->term || m->kind == RAFT_PRE_VOTE_REPLY || m->kind == RAFT_VOTE_REPLY;
}

static void take_persisted(struct raft *r, int64_t seq, struct raft_effects *out)
{
	int32_t gone = 0;

	ASSERT(seq <= r->seq);
	r->persisted = i64_max(r->persisted, seq);
	while (gone < r->n_pending && r->pending[gone].seq <= r->persisted)
		r->durable = i64_max(r->durable, r->pending[gone++].end);
	r->n_pending -= gone;
	memmove(r->pending, r->pending + gone, (size_t)r->n_pending * sizeof(r->pending[0]));
	if (r->role == RAFT_CANDIDATE)
		raft_count_votes(r, out);
	else if (r->role == RAFT_LEADER)
		raft_leader_commit(r, out);
	else
		raft_advance_commit(r, r->known_commit);
}

static void take_closed(struct raft *r, int32_t peer, struct raft_effects *out)
{
	/* What was on its way is lost: where to go on is found by a probe, not by waiting for the
	 * timeout. */
	for (int32_t i = 0; i < r->n_peers && r->role == RAFT_LEADER; i++)
		if (r->peers[i].who.id == peer && r->peers[i].state != RAFT_PROBE)
			raft_peer_probe(&r->peers[i], r->peers[i].match);
	/* Whoever should lead next is gone; if it campaigns all the same, that does no harm. */
	if (r->transfer_to == peer) {
		r->transfer_to = -1;
		out->role_changed = true;
	}
	if (r->role != RAFT_FOLLOWER || r->leader != peer)
		return;
	raft_follow(r, out, r->term, -1);
	r->deadline_ms = r->now_ms + raft_random(r, 0, r->o.closed_ms);
}

static void take_tick(struct raft *r, struct raft_effects *out)
{
	if (r->role == RAFT_LEADER) {
		raft_leader_tick(r, out);
		return;
	}
	if (r->now_ms < r->deadline_ms)
		return;
	/* Its log is being replaced: it could neither win nor answer for what it has. */
	if (r->is_installing) {
		r->deadline_ms = r->now_ms + r->o.election_min_ms;
		return;
	}
	if (raft_may_campaign(r)) {
		raft_pre_campaign(r, out);
		return;
	}
	/* No vote and no leader in sight: it does not campaign, it asks to be told of the
	 * leader. */
	raft_follow(r, out, r->term, -1);
	raft_be_patient(r);
	raft_say_hello(r, out);
}

static void fail(struct raft *r, struct raft_effects *out)
{
	r->role = RAFT_FAILED;
	r->leader = -1;
	r->transfer_to = -1;
	out->role_changed = true;
}

struct raft_msg *raft_send(struct raft *r, struct raft_effects *out, enum raft_msg_kind kind,
			   struct raft_voter to)
{
	struct raft_out *o = &out->sent[out->n];

	ASSERT(out->n < RAFT_SENT_MAX);
	out->n++;
	memset(o, 0, sizeof(*o)); /* all of the union */
	o->msg.kind = kind;
	o->msg.from = r->o.self;
	o->msg.to = to;
	o->msg.term = r->term;
	return &o->msg;
}

void raft_send_after(struct raft_effects *out, int64_t seq)
{
	out->sent[out->n - 1].after = seq;
}

void raft_set_term(struct raft *r, struct raft_effects *out, int64_t term, struct raft_voter voted)
{
	ASSERT(term > r->term || (term == r->term && raft_voter_none(r->voted)));
	r->term = term;
	r->voted = voted;
	number(r, out);
	r->hard_seq = out->persist;
	out->hard_state = true;
}

void raft_log_changed(struct raft *r, struct raft_effects *out)
{
	int32_t n = r->n_pending;

	/* Numbers are given in order and a round syncs all up to its own, so a pending row that was
	 * cut still counts when its number is on disk, for no more than what is left of it. */
	r->durable = i64_min(r->durable, r->log.end);
	if (out->cut >= 0) {
		r->durable = i64_min(r->durable, out->cut);
		for (int32_t i = 0; i < n; i++)
			r->pending[i].end = i64_min(r->pending[i].end, out->cut);
	}
	number(r, out);
	/* A full table waits with its last row for the later number. */
	if (n == RAFT_PENDING_MAX || (n > 0 && r->pending[n - 1].seq == out->persist))
		n--;
	r->pending[n].seq = out->persist;
	r->pending[n].end = r->log.end;
	r->n_pending = n + 1;
}

int64_t raft_seq_of(const struct raft *r, int64_t end)
{
	for (int32_t i = 0; end > r->durable && i < r->n_pending; i++)
		if (r->pending[i].end >= end)
			return r->pending[i].seq;
	ASSERT(end <= r->durable);
	return 0;
}

void raft_follow(struct raft *r, struct raft_effects *out, int64_t term, int32_t leader)
{
	ASSERT(term >= r->term && leader != r->o.self.id);
	if (term > r->term) {
		raft_set_term(r, out, term, (struct raft_voter){ .id = -1 });
		/* Another leader's chunks may differ. */
		if (!r->is_installing)
			r->chunk_end = 0;
	}
	/* A candidate that cannot win must not use up our patience. */
	if (r->role != RAFT_FOLLOWER || leader >= 0)
		raft_be_patient(r);
	if (r->role == RAFT_LEADER)
		raft_forget_observers(r, true);
	r->role = RAFT_FOLLOWER;
	r->leader = leader;
	r->leader_ms = leader < 0 ? RAFT_NEVER : r->now_ms;
	r->is_transfer = false;
	r->transfer_to = -1;
}

void raft_be_patient(struct raft *r)
{
	r->deadline_ms = r->now_ms + raft_random(r, r->o.election_min_ms, r->o.election_max_ms);
}

int64_t raft_random(struct raft *r, int64_t min, int64_t max)
{
	return min + (int64_t)prng_below(&r->prng, (uint64_t)(max - min + 1));
}

/* "commitIndex = min(leaderCommit, index of last new entry)", never back; and applied only once
 * it is on this disk, so that what was applied can be read again after a crash. */
void raft_advance_commit(struct raft *r, int64_t known)
{
	r->known_commit = i64_max(r->known_commit, known);
	r->commit = i64_max(r->commit, i64_min(r->known_commit, r->durable));
}

static void number(struct raft *r, struct raft_effects *out)
{
	if (out->persist == 0)
		out->persist = ++r->seq;
}
