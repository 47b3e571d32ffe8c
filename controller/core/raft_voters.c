/* raft_voters.c - voter sets (4), the peers that follow from them, transfer (3.10).
 *
 * One voter at a time: the majorities of two sets that differ by one voter overlap, so no joint
 * sets are needed (4.1).  A change starts only when the one before it is committed and something
 * of this term is (the erratum of 2015).  So whoever has a set in its log knows the set before it
 * to be committed, and two sets are all there is to remember. */
#include "controller/core/raft_impl.h"

static enum raft_verdict begin_change(struct raft *, enum raft_voters_op, struct raft_voter,
				      struct raft_voters *);
static enum raft_verdict begin_transfer(struct raft *, int32_t to);
static bool could_decide(const struct raft *, const struct raft_voters *);
static bool has_caught_up(const struct raft *, const struct raft_peer *);
static struct raft_peer *best_voter(struct raft *);
static bool is_silent(const struct raft *, const struct raft_peer *);
static struct raft_peer *add_peer(struct raft *, struct raft_voter);
static bool is_same(struct raft_voter, struct raft_voter);

bool raft_is_voter(const struct raft *r)
{
	return raft_voters_find(&r->voters.set, r->o.self) >= 0;
}

const struct raft_voters *raft_voters(const struct raft *r)
{
	return &r->voters.set;
}

int32_t raft_majority(const struct raft *r)
{
	return r->voters.set.n / 2 + 1;
}

struct raft_peer *raft_peer_of(struct raft *r, struct raft_voter who)
{
	for (int32_t i = 0; i < r->n_peers; i++) {
		struct raft_peer *p = &r->peers[i];

		if (!is_same(p->who, who))
			continue;
		/* Until a leader writes it down, the first disk that is heard of is the one. */
		if (uuid_is_zero(p->who.directory))
			p->who = who;
		return p;
	}
	return NULL;
}

/* "A server always uses the latest configuration in its log, regardless of whether the entry is
 * committed" (4.1). */
void raft_take_sets(struct raft *r, const struct raft_voters_at *sets, int32_t n, int64_t from,
		    int64_t to)
{
	for (int32_t i = 0; i < n; i++)
		if (sets[i].end > from && sets[i].end <= to)
			raft_use_set(r, &sets[i], &r->voters);
}

void raft_use_set(struct raft *r, const struct raft_voters_at *at,
		  const struct raft_voters_at *before)
{
	struct raft_voters_at older = *before;

	ASSERT(at->set.n > 0 && at->set.n <= RAFT_VOTERS_MAX);
	r->voters = *at;
	r->voters_before = older;
	/* A peer that has no vote any more stays a peer of a leader: it must still get the record
	 * that says so, or it would go on to campaign (4.2.2, 4.2.3). */
	for (int32_t i = 0; i < r->n_peers; i++)
		r->peers[i].is_voter = false;
	for (int32_t i = 0; i < r->voters.set.n; i++) {
		struct raft_voter who = r->voters.set.v[i];
		struct raft_peer *p = raft_peer_of(r, who);

		if (is_same(who, r->o.self))
			continue;
		if (p == NULL)
			p = add_peer(r, who);
		p->is_voter = true;
	}
	if (r->role != RAFT_LEADER)
		raft_forget_observers(r, true);
}

/* An uncommitted change whose batch is cut never happened (4.1).  One step back is enough: a second
 * change starts only when the first is committed, and what is committed is not cut. */
void raft_roll_back_sets(struct raft *r, int64_t cut)
{
	struct raft_voters_at before = r->voters_before;

	if (r->voters.end <= cut)
		return;
	ASSERT(before.end <= cut);
	raft_use_set(r, &before, &before);
}

/* Those that have been silent for long; or all, when leading ends. */
void raft_forget_observers(struct raft *r, bool all)
{
	int64_t patience = 20 * r->o.election_max_ms;
	int32_t n = 0;

	for (int32_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].is_voter || (!all && r->now_ms - r->peers[i].contact_ms < patience))
			r->peers[n++] = r->peers[i];
	r->n_peers = n;
}

/* To everybody: the voters may all be others than the ones in this log. */
void raft_say_hello(struct raft *r, struct raft_effects *out)
{
	raft_send(r, out, RAFT_HELLO, (struct raft_voter){ .id = -1 });
}

void raft_on_hello(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	struct raft_peer *p;

	/* A stranger becomes an observer: it gets records from here on and may be given a vote
	 * later.  The append below carries nothing; it tells who leads, and its answer where the
	 * stranger's log ends. */
	if (r->role != RAFT_LEADER || raft_peer_of(r, m->from) != NULL)
		return;
	/* A set of other voters may come any time, and must find room. */
	if (r->n_peers == RAFT_PEERS_MAX - RAFT_VOTERS_MAX)
		return;
	p = add_peer(r, m->from);
	p->is_waiting = true;
	raft_send(r, out, RAFT_APPEND, p->who);
	out->sent[out->n - 1].msg.append.prev = p->next;
	out->sent[out->n - 1].msg.append.end = p->next;
	out->sent[out->n - 1].msg.append.prev_term = raft_log_end_term(&r->log);
}

void raft_on_change(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	out->voters = r->voters.set;
	out->verdict = begin_change(r, ev->change.op, ev->change.voter, &out->voters);
	out->append_voters = out->verdict == RAFT_OK;
}

/* Zero directories were good enough to begin with; now a new disk must not pass for the old. */
void raft_write_directories(struct raft *r, struct raft_effects *out)
{
	struct raft_voters set = r->voters.set;
	bool is_new = false;

	if (r->voters.end > r->commit || out->append_voters)
		return;
	for (int32_t i = 0; i < set.n; i++) {
		if (!uuid_is_zero(set.v[i].directory))
			continue;
		for (int32_t k = 0; k < r->n_peers; k++)
			if (r->peers[k].who.id == set.v[i].id && r->peers[k].is_voter)
				set.v[i] = r->peers[k].who;
		if (r->o.self.id == set.v[i].id)
			set.v[i] = r->o.self;
		is_new |= !uuid_is_zero(set.v[i].directory);
	}
	if (is_new) {
		out->voters = set;
		out->append_voters = true;
	}
}

/* The target must have everything, so appending pauses (raft_can_append) until it has. */
void raft_on_transfer(struct raft *r, int32_t to, struct raft_effects *out)
{
	out->verdict = begin_transfer(r, to);
	if (out->verdict == RAFT_OK)
		raft_try_transfer(r, out);
}

/* Called whenever the target may have come closer: a TIMEOUT_NOW that comes too early would end in
 * a campaign that the target's shorter log cannot win. */
void raft_try_transfer(struct raft *r, struct raft_effects *out)
{
	for (int32_t i = 0; i < r->n_peers && r->transfer_to >= 0; i++) {
		struct raft_peer *p = &r->peers[i];

		/* Sent again with each heartbeat until a vote of a later term is heard: it may get
		 * lost. */
		if (p->is_voter && p->who.id == r->transfer_to && p->match == r->log.end)
			raft_send(r, out, RAFT_TIMEOUT_NOW, p->who);
	}
}

void raft_hand_over(struct raft *r, struct raft_effects *out)
{
	struct raft_peer *p = best_voter(r);

	if (p != NULL)
		raft_send(r, out, RAFT_TIMEOUT_NOW, p->who);
}

const char *raft_verdict_text(enum raft_verdict v)
{
	switch (v) {
	case RAFT_OK: return "under way";
	case RAFT_NOT_LEADER: return "this controller does not lead";
	case RAFT_TOO_EARLY: return "the leader has not committed anything in its term yet";
	case RAFT_BUSY: return "another change of the quorum is under way";
	case RAFT_BEHIND: return "the new voter has not caught up";
	case RAFT_UNKNOWN: return "no controller with this id and directory is in sight";
	case RAFT_EXISTS: return "a controller with this id votes already";
	case RAFT_LIMIT: return "too many voters, or the last one";
	case RAFT_TOO_FEW:
		return "of the voters that would remain no majority is there: nothing could be "
		       "decided any more";
	}
	UNREACHABLE();
}

static enum raft_verdict begin_change(struct raft *r, enum raft_voters_op op,
				      struct raft_voter voter, struct raft_voters *set)
{
	int at = raft_voters_find(set, voter);

	if (r->role != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	/* The erratum of 2015: without a record of its own term committed, a leader may count as
	 * committed a set that the next leader cuts, and then two sets that differ by two voters
	 * could both decide. */
	if (r->commit <= r->term_start)
		return RAFT_TOO_EARLY;
	if (r->voters.end > r->commit || r->transfer_to >= 0)
		return RAFT_BUSY;
	if (op == RAFT_REMOVE) {
		if (at < 0)
			return RAFT_UNKNOWN;
		if (set->n == 1)
			return RAFT_LIMIT;
		set->v[at] = set->v[--set->n];
		return could_decide(r, set) ? RAFT_OK : RAFT_TOO_FEW;
	}
	/* By id alone, whatever its disk: two disks with one id could not be told apart by who
	 * dials them.  The old one must lose its vote first. */
	for (int32_t i = 0; i < set->n; i++)
		if (set->v[i].id == voter.id)
			return RAFT_EXISTS;
	if (set->n == RAFT_VOTERS_MAX)
		return RAFT_LIMIT;
	for (int32_t i = 0; i < r->n_peers; i++) {
		if (!raft_voter_eq(r->peers[i].who, voter))
			continue;
		set->v[set->n++] = voter;
		return has_caught_up(r, &r->peers[i]) ? RAFT_OK : RAFT_BEHIND;
	}
	return RAFT_UNKNOWN;
}

/* The set counts at once: if its majority is dead, nobody can ever take it back. */
static bool could_decide(const struct raft *r, const struct raft_voters *set)
{
	int32_t n = raft_voters_find(set, r->o.self) >= 0;

	for (int32_t i = 0; i < r->n_peers; i++)
		n += raft_voters_find(set, r->peers[i].who) >= 0 && !is_silent(r, &r->peers[i]);
	return n > set->n / 2;
}

/* "Catching up new servers" (4.2.1): with it the cluster must be able to commit at once. */
static bool has_caught_up(const struct raft *r, const struct raft_peer *p)
{
	return p->match >= r->commit && !is_silent(r, p);
}

static enum raft_verdict begin_transfer(struct raft *r, int32_t to)
{
	struct raft_peer *p = best_voter(r);

	if (r->role != RAFT_LEADER)
		return RAFT_NOT_LEADER;
	if (r->transfer_to >= 0 || r->voters.end > r->commit)
		return RAFT_BUSY;
	for (int32_t i = 0; i < r->n_peers && to >= 0; i++)
		if (r->peers[i].who.id == to && r->peers[i].is_voter)
			p = &r->peers[i];
	if (p == NULL || (to >= 0 && p->who.id != to))
		return RAFT_UNKNOWN;
	if (is_silent(r, p))
		return RAFT_BEHIND;
	r->transfer_to = p->who.id;
	/* Appending pauses meanwhile, so a transfer that does not come about within an election
	 * timeout is given up (3.10). */
	r->transfer_until_ms = r->now_ms + r->o.election_min_ms;
	return RAFT_OK;
}

/* Of those that are there the one with the longest log. */
static struct raft_peer *best_voter(struct raft *r)
{
	struct raft_peer *best = NULL;

	for (int32_t i = 0; i < r->n_peers; i++) {
		struct raft_peer *p = &r->peers[i];

		if (!p->is_voter)
			continue;
		if (best == NULL || is_silent(r, p) < is_silent(r, best) ||
		    (is_silent(r, p) == is_silent(r, best) && p->match > best->match))
			best = p;
	}
	return best;
}

static bool is_silent(const struct raft *r, const struct raft_peer *p)
{
	/* The same patience with which a leader counts its own majority. */
	return r->now_ms - p->contact_ms >= r->o.election_min_ms;
}

static struct raft_peer *add_peer(struct raft *r, struct raft_voter who)
{
	struct raft_peer *p = &r->peers[r->n_peers];

	ASSERT(r->n_peers < RAFT_PEERS_MAX);
	r->n_peers++;
	*p = (struct raft_peer){ .who = who,
				 .contact_ms = r->now_ms,
				 .progress_ms = r->now_ms,
				 .sent_ms = RAFT_NEVER,
				 .caught_up_ms = RAFT_NEVER };
	/* Optimistic, as 3.3 has nextIndex: mostly it has everything; a refusal says where to
	 * begin. */
	raft_peer_probe(p, r->log.end);
	return p;
}

static bool is_same(struct raft_voter a, struct raft_voter b)
{
	return a.id == b.id && (uuid_eq(a.directory, b.directory) || uuid_is_zero(a.directory) ||
				uuid_is_zero(b.directory));
}
