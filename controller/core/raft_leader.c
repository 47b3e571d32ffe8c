/* raft_leader.c - a leader and its peers: what it sends, what it counts (3.5, 3.6.2, 6.2).
 *
 *   PROBE      one append at a time from `next`; refused -> next moves back; fits -> REPLICATE
 *   REPLICATE  up to RAFT_WINDOW appends at once; refused, lost, or the connection closed -> PROBE
 *   SNAPSHOT   the log no longer has `next`; one chunk at a time; installed -> PROBE
 *
 * Records go out before they are on the leader's own disk; a leader counts itself, like anybody
 * else, only when they are (10.2.1).  A heartbeat's prev is what the peer has already matched, so
 * it is always answered. */
#include "controller/core/raft_impl.h"

static void heartbeat(struct raft *, struct raft_peer *, struct raft_effects *);
static bool has_majority(const struct raft *);
static void send_append(struct raft *, struct raft_peer *, int64_t prev, int64_t end,
			struct raft_effects *);
static void send_records(struct raft *, struct raft_peer *, struct raft_effects *);
static void take_refusal(struct raft *, struct raft_peer *, const struct raft_msg *);
static int64_t majority_match(const struct raft *);

/* The shell's first batch of the term follows at once, so the first probe carries it. */
void raft_lead(struct raft *r, struct raft_effects *out)
{
	ASSERT(r->role == RAFT_CANDIDATE);
	r->role = RAFT_LEADER;
	r->leader = r->o.self.id;
	r->attempts = 0;
	r->is_transfer = false;
	r->term_start = r->log.end;
	r->stalled_ms = RAFT_NEVER;
	r->heartbeat_due_ms = r->now_ms + r->o.heartbeat_ms;
	for (int32_t i = 0; i < r->n_peers; i++) {
		struct raft_peer *p = &r->peers[i];

		/* What an earlier leadership of this node knew is void: the peer's log may have
		 * been cut since.  Only contact is assumed, for one election timeout, or
		 * has_majority would end this term at once. */
		*p = (struct raft_peer){ .who = p->who,
					 .is_voter = p->is_voter,
					 .contact_ms = r->now_ms,
					 .progress_ms = r->now_ms,
					 .caught_up_ms = RAFT_NEVER,
					 .sent_ms = RAFT_NEVER };
		raft_peer_probe(p, r->log.end);
	}
	out->activate = true;
}

void raft_on_appended(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	int64_t from = r->log.end;

	ASSERT(r->role == RAFT_LEADER && ev->end > from);
	raft_log_append(&r->log, r->term, ev->end);
	raft_log_changed(r, out);
	raft_take_sets(r, ev->sets, ev->n_sets, from, ev->end);
	for (int32_t i = 0; i < r->n_peers; i++)
		raft_feed(r, &r->peers[i], out);
}

void raft_leader_tick(struct raft *r, struct raft_effects *out)
{
	if (!has_majority(r)) {
		raft_follow(r, out, r->term, -1);
		return;
	}
	/* The others could go on without this disk. */
	if (r->stalled_ms != RAFT_NEVER && r->now_ms - r->stalled_ms >= r->o.election_max_ms) {
		raft_hand_over(r, out);
		raft_follow(r, out, r->term, -1);
		return;
	}
	if (r->transfer_to >= 0 && r->now_ms >= r->transfer_until_ms) {
		r->transfer_to = -1;
		out->role_changed = true;
	}
	if (r->now_ms < r->heartbeat_due_ms)
		return;
	r->heartbeat_due_ms = r->now_ms + r->o.heartbeat_ms;
	raft_forget_observers(r, false);
	for (int32_t i = 0; i < r->n_peers; i++)
		heartbeat(r, &r->peers[i], out);
	raft_try_transfer(r, out);
}

void raft_on_append_reply(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	struct raft_peer *p = raft_peer_of(r, m->from);

	if (r->role != RAFT_LEADER || p == NULL)
		return;
	p->contact_ms = r->now_ms;
	if (m->appended.rejected) {
		take_refusal(r, p, m);
	} else if (m->appended.match <= r->log.end) {
		/* The answer to the probe, not to something older that happens to fit. */
		if (p->state == RAFT_PROBE && m->appended.prev == p->next) {
			p->state = RAFT_REPLICATE;
			p->is_waiting = false;
		}
		raft_peer_matched(r, p, m->appended.match);
	}
	raft_feed(r, p, out);
	raft_leader_commit(r, out);
	raft_try_transfer(r, out);
}

/* "If there exists an N such that N > commitIndex, a majority of matchIndex[i] >= N, and
 * log[N].term == currentTerm: set commitIndex = N."  Terms grow, so all from term_start on is of
 * this term. */
void raft_leader_commit(struct raft *r, struct raft_effects *out)
{
	int64_t match = majority_match(r);

	if (match > r->term_start)
		raft_advance_commit(r, match);
	else
		raft_advance_commit(r, r->known_commit);
	if (r->commit == r->known_commit)
		r->stalled_ms = RAFT_NEVER;
	else if (r->stalled_ms == RAFT_NEVER)
		r->stalled_ms = r->now_ms;
	/* Both of the following change who votes, which needs a commit of this term and the set
	 * before it committed. */
	if (r->commit <= r->term_start || r->voters.end > r->commit)
		return;
	/* "a leader that is removed from the configuration steps down once the Cnew entry is
	 * committed" (4.2.2); whoever is best need not wait for a timeout. */
	if (!raft_is_voter(r)) {
		raft_hand_over(r, out);
		raft_follow(r, out, r->term, -1);
		return;
	}
	raft_write_directories(r, out);
}

void raft_feed(struct raft *r, struct raft_peer *p, struct raft_effects *out)
{
	/* The log was cut off in front (SNAPSHOT_SAVED) beyond what this peer needs next. */
	if (p->state != RAFT_SENDING_SNAPSHOT && raft_log_term(&r->log, p->next) == RAFT_NO_TERM) {
		p->state = RAFT_SENDING_SNAPSHOT;
		p->is_waiting = false;
		p->snapshot = 0;
	}
	if (p->state == RAFT_SENDING_SNAPSHOT) {
		if (!p->is_waiting)
			raft_send_chunk(r, p, out);
		return;
	}
	if (p->next == r->log.end)
		return;
	if (p->state == RAFT_PROBE) {
		if (!p->is_waiting)
			send_records(r, p, out);
		p->is_waiting = true;
		return;
	}
	/* Two at a time: each answer makes room for more. */
	for (int32_t i = 0; i < 2 && p->n_flight < RAFT_WINDOW && p->next < r->log.end; i++) {
		send_records(r, p, out);
		p->next = out->sent[out->n - 1].msg.append.end;
		p->flight[p->n_flight++] = p->next;
	}
}

void raft_peer_probe(struct raft_peer *p, int64_t next)
{
	ASSERT(p->match <= next);
	p->state = RAFT_PROBE;
	p->next = next;
	p->is_waiting = false;
	p->n_flight = 0;
}

/* match = prev + n of the message that is answered: never the peer's own end, which may hold
 * records that are not ours. */
void raft_peer_matched(struct raft *r, struct raft_peer *p, int64_t match)
{
	int32_t done = 0;

	if (match > p->match) {
		p->match = match;
		p->progress_ms = r->now_ms;
	}
	if (p->match > p->next && p->state == RAFT_PROBE)
		raft_peer_probe(p, p->match);
	p->next = i64_max(p->next, p->match);
	while (done < p->n_flight && p->flight[done] <= p->match)
		done++;
	p->n_flight -= done;
	memmove(p->flight, p->flight + done, (size_t)p->n_flight * sizeof(p->flight[0]));
	if (p->match == r->log.end)
		p->caught_up_ms = r->now_ms;
}

/* What was lost on the way is sent again; otherwise only a sign of life. */
static void heartbeat(struct raft *r, struct raft_peer *p, struct raft_effects *out)
{
	bool is_late = r->now_ms - i64_max(p->sent_ms, p->progress_ms) >= r->o.election_min_ms;

	if (p->state == RAFT_REPLICATE && p->n_flight > 0 && is_late)
		raft_peer_probe(p, p->match);
	if (p->state == RAFT_PROBE && raft_log_term(&r->log, p->next) != RAFT_NO_TERM) {
		p->is_waiting = true;
		send_append(r, p, p->next, p->next, out);
		return;
	}
	/* The chunk, or its answer, was lost. */
	if (p->state == RAFT_SENDING_SNAPSHOT && is_late)
		p->is_waiting = false;
	raft_feed(r, p, out);
	if (raft_log_term(&r->log, p->match) != RAFT_NO_TERM)
		send_append(r, p, p->match, p->match, out);
	else
		/* Its match lies before our log, so there is no term to name.  Position 0 fits
		 * every log: a sign of life and no more. */
		send_append(r, p, 0, 0, out);
}

/* "A leader steps down if an election timeout elapses without a successful round of heartbeats to
 * a majority of its cluster" (6.2). */
static bool has_majority(const struct raft *r)
{
	int32_t n = raft_is_voter(r);

	for (int32_t i = 0; i < r->n_peers; i++)
		n += r->peers[i].is_voter &&
		     r->now_ms - r->peers[i].contact_ms < r->o.election_min_ms;
	return n >= raft_majority(r);
}

static void send_append(struct raft *r, struct raft_peer *p, int64_t prev, int64_t end,
			struct raft_effects *out)
{
	struct raft_msg *m = raft_send(r, out, RAFT_APPEND, p->who);

	m->append.prev = prev;
	m->append.prev_term = prev == 0 ? 0 : raft_log_term(&r->log, prev);
	/* Not `commit`: a follower need not wait for the leader's own disk to apply what a majority
	 * has. */
	m->append.commit = r->known_commit;
	if (end > prev)
		m->append.n_runs =
			raft_log_runs(&r->log, prev, &end, m->append.runs, RAFT_RUNS_SENT);
	m->append.end = end;
}

static void send_records(struct raft *r, struct raft_peer *p, struct raft_effects *out)
{
	int64_t end = r->log.end;

	if (r->o.fit != NULL)
		end = r->o.fit(r->o.arg, p->next, end);
	ASSERT(p->next < end && end <= r->log.end);
	send_append(r, p, p->next, end, out);
	p->sent_ms = r->now_ms;
}

/* A late refusal, of what has been matched since, says nothing. */
static void take_refusal(struct raft *r, struct raft_peer *p, const struct raft_msg *m)
{
	int64_t next;

	if (p->state == RAFT_SENDING_SNAPSHOT)
		return;
	if (p->state == RAFT_PROBE ? m->appended.prev != p->next : m->appended.prev <= p->match)
		return;
	next = raft_log_back(&r->log, m->appended.hint, m->appended.hint_term);
	raft_peer_probe(p, i64_max(next, p->match));
}

/* The position that a majority of the voters have on disk. */
static int64_t majority_match(const struct raft *r)
{
	int64_t v[RAFT_PEERS_MAX + 1];
	int32_t n = 0;

	if (raft_is_voter(r))
		v[n++] = r->durable;
	for (int32_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].is_voter)
			v[n++] = r->peers[i].match;
	ASSERT(n == r->voters.set.n);
	for (int32_t i = 1; i < n; i++) {
		int64_t x = v[i];
		int32_t at = i;

		for (; at > 0 && v[at - 1] < x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
	return v[raft_majority(r) - 1];
}
