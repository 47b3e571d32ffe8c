/* quorum_admin.c - voters come and go, leadership moves, and somebody looks at it.
 *
 * A change is tried until raft takes it or its time is up: an observer may still be catching up.
 * It is answered when the new set is committed.  A broker that lost the leader in between asks the
 * next one again: what raft refuses then, because it is so already, was made for this very request
 * if the log says so. */
#include "controller/server/quorum_priv.h"

#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/server/node.h"

#define AGAIN_MS 20
#define SILENCE_MS 1000

struct change {
	struct list in_quorum;
	struct quorum *quorum;
	struct rpc *rpc;
	uint64_t id;
	enum raft_voters_op op;
	struct raft_voter voter;
	struct ctl_asker asker;
	bool any_directory;
	int64_t until_ms;
	int64_t end, term; /* of its record; 0: raft has not taken it */
	struct timer again;
};

static void transfer(struct change *, int32_t to);
static void try_change(void *arg);
static bool is_so(enum raft_verdict);
static bool is_committed(const struct quorum *, const struct change *);
static void finish(struct change *, int32_t code, const char *message);
static int32_t code_of(enum raft_verdict, enum raft_voters_op);

void quorum_change(struct quorum *q, struct rpc *rpc, uint64_t id, const Weir__Request *m,
		   const struct ctl_asker *asker)
{
	struct change *c = mem_alloc(sizeof(*c));
	bool is_add = m->body_case == WEIR__REQUEST__BODY_ADD_VOTER;
	ProtobufCBinaryData none = { 0, NULL }, directory = none;
	int32_t timeout_ms = 0;

	c->quorum = q;
	c->rpc = rpc_get(rpc);
	c->id = id;
	c->asker = *asker;
	timer_init(&c->again, try_change, c);
	list_push_back(&q->changes, &c->in_quorum);
	if (m->body_case == WEIR__REQUEST__BODY_TRANSFER_LEADER) {
		transfer(c, m->transfer_leader->to);
		return;
	}
	if (is_add) {
		c->op = RAFT_ADD;
		c->voter.id = m->add_voter->id;
		directory = m->add_voter->has_directory_id ? m->add_voter->directory_id : none;
		timeout_ms = m->add_voter->timeout_ms;
	} else {
		c->op = RAFT_REMOVE;
		c->voter.id = m->remove_voter->id;
		directory =
			m->remove_voter->has_directory_id ? m->remove_voter->directory_id : none;
		timeout_ms = m->remove_voter->timeout_ms;
	}
	c->any_directory = !quorum_uuid(&directory, &c->voter.directory);
	c->until_ms = env_mono_ms(q->env) + timeout_ms;
	try_change(c);
}

static void transfer(struct change *c, int32_t to)
{
	struct raft_event ev = { .kind = RAFT_EV_TRANSFER, .peer = to };
	enum raft_verdict verdict;

	list_remove(&c->in_quorum);
	verdict = quorum_step(c->quorum, &ev);
	if (verdict == RAFT_OK)
		finish(c, KERR_NONE, NULL);
	else
		finish(c, KERR_INVALID_REQUEST, raft_verdict_text(verdict));
}

bool quorum_hand_over(struct quorum *q)
{
	const struct raft_voters *set = &q->raft.voters.set;
	struct raft_event ev = { .kind = RAFT_EV_TRANSFER, .peer = -1 };
	enum raft_verdict verdict;
	bool is_alone = true;

	if (!quorum_leads(q))
		return false;
	for (int32_t i = 0; i < set->n; i++)
		is_alone &= set->v[i].id == q->o->id || quorum_heard(q, set->v[i].id) == NULL;
	/* Nobody is there to take over; waiting for it would only make the stop slow. */
	if (is_alone)
		return false;
	verdict = quorum_step(q, &ev);
	return verdict == RAFT_OK || verdict == RAFT_BUSY;
}

/* The disk that is there now: an observer's to add, the voter's to remove. */
static void find_directory(struct change *c)
{
	const struct raft *r = &c->quorum->raft;
	const struct hello *h = quorum_heard(c->quorum, c->voter.id);

	if (!c->any_directory)
		return;
	/* Without a directory, the disk that says hello now.  It is looked up at each try: who
	 * waits for a controller to appear means the one that will. */
	if (c->op == RAFT_ADD && h != NULL)
		c->voter.directory = h->self.who.directory;
	for (int32_t i = 0; c->op == RAFT_REMOVE && i < r->voters.set.n; i++)
		if (r->voters.set.v[i].id == c->voter.id)
			c->voter.directory = r->voters.set.v[i].directory;
}

/* A controller to add may still come in sight, one to remove is a voter or is not. */
static bool is_passing(enum raft_verdict v, enum raft_voters_op op)
{
	return v == RAFT_TOO_EARLY || v == RAFT_BUSY || v == RAFT_BEHIND ||
	       (v == RAFT_UNKNOWN && op == RAFT_ADD);
}

static void try_change(void *arg)
{
	struct change *c = arg;
	struct quorum *q = c->quorum;
	struct raft_event ev = { .kind = RAFT_EV_VOTERS };
	enum raft_verdict verdict;

	/* The timer, and raft has taken it long ago: an old set cannot be put back, only the
	 * waiting ends. */
	if (c->end > 0) {
		finish(c, KERR_REQUEST_TIMED_OUT,
		       "the change is in the log, and not yet on a majority");
		return;
	}
	if (!quorum_leads(q)) {
		finish(c, KERR_NOT_CONTROLLER, "this controller stopped to lead");
		return;
	}
	find_directory(c);
	ev.change.op = c->op;
	ev.change.voter = c->voter;
	list_remove(&c->in_quorum); /* the step settles the changes that are there */
	q->asker = &c->asker;
	verdict = quorum_step(q, &ev);
	q->asker = NULL;
	list_push_back(&q->changes, &c->in_quorum);
	if (verdict == RAFT_OK) {
		c->end = mlog_end(q->log);
		c->term = q->raft.term;
		timer_after_ms(q->env, &c->again, i64_max(0, c->until_ms - env_mono_ms(q->env)));
		quorum_settle_changes(q);
		return;
	}
	if (is_passing(verdict, c->op) && env_mono_ms(q->env) < c->until_ms) {
		timer_after_ms(q->env, &c->again, AGAIN_MS);
		return;
	}
	if (is_so(verdict) && q->on->has_done(q->arg, &c->asker))
		finish(c, KERR_NONE, NULL);
	else
		finish(c, code_of(verdict, c->op), raft_verdict_text(verdict));
}

/* Raft says this when no change is under way: what it speaks of is committed. */
static bool is_so(enum raft_verdict v)
{
	return v == RAFT_UNKNOWN || v == RAFT_EXISTS;
}

/* Kafka's codes (KIP-853): a change that is under way or a voter that lags is a matter of time. */
static int32_t code_of(enum raft_verdict v, enum raft_voters_op op)
{
	switch (v) {
	case RAFT_OK: return KERR_NONE;
	case RAFT_NOT_LEADER: return KERR_NOT_CONTROLLER;
	case RAFT_TOO_EARLY:
	case RAFT_BUSY:
	case RAFT_BEHIND: return KERR_REQUEST_TIMED_OUT;
	case RAFT_UNKNOWN: return op == RAFT_ADD ? KERR_INVALID_REQUEST : KERR_VOTER_NOT_FOUND;
	case RAFT_EXISTS: return KERR_DUPLICATE_VOTER;
	case RAFT_LIMIT:
	case RAFT_TOO_FEW: return KERR_INVALID_REQUEST;
	}
	UNREACHABLE();
}

void quorum_settle_changes(struct quorum *q)
{
	LIST_FOR (c, &q->changes, struct change, in_quorum)
		if (is_committed(q, c))
			finish(c, KERR_NONE, NULL);
		else if (!quorum_leads(q))
			finish(c, KERR_NOT_CONTROLLER,
			       "this controller stopped to lead; the change may or may not happen");
}

/* Perhaps by who leads no more: its own vote was taken.  A record of this term at that place is the
 * one. */
static bool is_committed(const struct quorum *q, const struct change *c)
{
	return c->end > 0 && q->raft.commit >= c->end &&
	       raft_log_term(&q->raft.log, c->end) == c->term;
}

static void finish(struct change *c, int32_t code, const char *message)
{
	node_reply_error(c->rpc, c->id, code, message);
	timer_clear(c->quorum->env, &c->again);
	rpc_put(c->rpc);
	list_remove(&c->in_quorum);
	mem_free(c);
}

void quorum_drop_changes(struct quorum *q)
{
	LIST_FOR (c, &q->changes, struct change, in_quorum)
		finish(c, KERR_NOT_CONTROLLER, "this controller is stopping");
}

/* ---- looking --------------------------------------------------------------------------------- */

static void fill_member(struct quorum *q, struct arena *a, struct raft_voter who, bool is_voter,
			Weir__QuorumMember *m)
{
	struct peer_addr addr;
	struct uuid *directory = arena_must(a, sizeof(*directory));

	weir__quorum_member__init(m);
	*directory = who.directory;
	m->id = who.id;
	m->directory_id = quorum_bytes(directory);
	m->has_is_voter = true;
	m->is_voter = is_voter;
	if (quorum_address(q, who.id, &addr)) {
		struct str host = str_of(addr.host);

		m->host = arena_must(a, host.n + 1);
		memcpy(m->host, host.at, host.n);
		m->has_port = true;
		m->port = addr.port;
	}
}

/* Raft counts on a steady clock, DescribeQuorum answers with timestamps (KIP-836): what is stored
 * are never wall times, which may jump. */
static int64_t wall_of(struct quorum *q, int64_t mono_ms)
{
	return mono_ms <= RAFT_NEVER ? -1 : env_wall_ms(q->env) - (env_mono_ms(q->env) - mono_ms);
}

static void fill_progress(struct quorum *q, struct raft_voter who, Weir__QuorumMember *m)
{
	const struct raft *r = &q->raft;

	m->has_log_end = m->has_last_fetch_ms = m->has_last_caught_up_ms = true;
	if (who.id == q->o->id) {
		m->log_end = mlog_end(q->log);
		m->last_fetch_ms = m->last_caught_up_ms =
			quorum_leads(q) ? env_wall_ms(q->env) : -1;
		return;
	}
	m->log_end = m->last_fetch_ms = m->last_caught_up_ms = -1;
	for (int32_t i = 0; quorum_leads(q) && i < r->n_peers; i++) {
		const struct raft_peer *p = &r->peers[i];

		if (!raft_voter_eq(p->who, who))
			continue;
		m->log_end = p->match;
		m->last_fetch_ms = wall_of(q, p->contact_ms);
		/* A peer that has everything is caught up as of its last answer, however long ago
		 * the last record came. */
		m->last_caught_up_ms = p->match == r->log.end && p->contact_ms > RAFT_NEVER
					       ? m->last_fetch_ms
					       : wall_of(q, p->caught_up_ms);
	}
}

static const struct raft_voter *voter_of(const struct quorum *q, int32_t id)
{
	const struct raft_voters *set = &q->raft.voters.set;

	for (int32_t i = 0; q->has_raft && i < set->n; i++)
		if (set->v[i].id == id)
			return &set->v[i];
	return NULL;
}

bool quorum_is_replaced(const struct quorum *q, int32_t id)
{
	const struct hello *h = id == q->o->id ? NULL : quorum_heard(q, id);
	const struct raft_voter *who = voter_of(q, id);

	return h != NULL && who != NULL && !uuid_eq(h->self.who.directory, who->directory);
}

/* A process that stands still keeps its connection, but answers no leader.  Raft remembers a lost
 * disk for a while beside the one that came after it: the voter's is the one that counts. */
bool quorum_hears_of(const struct quorum *q, int32_t id)
{
	const struct raft_voter *who = voter_of(q, id);
	const struct raft *r = &q->raft;

	if (id == q->o->id)
		return true;
	if (quorum_heard(q, id) == NULL || quorum_is_replaced(q, id))
		return false;
	for (int32_t i = 0; who != NULL && quorum_leads(q) && i < r->n_peers; i++)
		if (raft_voter_eq(r->peers[i].who, *who))
			return env_mono_ms(q->env) - r->peers[i].contact_ms < SILENCE_MS;
	return true;
}

void quorum_why(struct quorum *q, struct text *t)
{
	const struct raft_voters *set = &q->raft.voters.set;
	int32_t here = 0;

	if (!q->has_raft) {
		text_printf(t,
			    "controller %d is new and waits for the other configured controllers, "
			    "or for one that knows the cluster",
			    q->o->id);
		return;
	}
	for (int32_t i = 0; i < set->n; i++)
		here += quorum_hears_of(q, set->v[i].id);
	text_printf(t, "no controller is active: controller %d sees %d of %d voters", q->o->id,
		    here, set->n);
	if (here > set->n / 2) {
		text_printf(t, ", an election is under way");
		return;
	}
	text_printf(t, ", a majority is needed; not there:");
	for (int32_t i = 0; i < set->n; i++)
		if (!quorum_hears_of(q, set->v[i].id))
			text_printf(t, " %d", set->v[i].id);
}

/* Raft remembers observers for a while that are gone. */
static bool is_here(const struct quorum *q, struct raft_voter who)
{
	const struct hello *h = quorum_heard(q, who.id);

	return h != NULL && uuid_eq(h->self.who.directory, who.directory);
}

/* Voters first, then who watches; progress is known by the leader alone. */
void quorum_describe(struct quorum *q, struct arena *a, Weir__Response *out)
{
	Weir__Quorum *m = arena_must(a, sizeof(*m));
	const struct raft *r = &q->raft;

	weir__quorum__init(m);
	m->leader = quorum_leader(q);
	m->epoch = quorum_term(q);
	m->high_watermark = quorum_committed(q);
	m->answered_by = q->o->id;
	m->members = arena_must(a, (RAFT_VOTERS_MAX + RAFT_PEERS_MAX) * sizeof(*m->members));
	for (int32_t i = 0; q->has_raft && i < r->voters.set.n; i++) {
		Weir__QuorumMember *row = arena_must(a, sizeof(*row));

		fill_member(q, a, r->voters.set.v[i], true, row);
		fill_progress(q, r->voters.set.v[i], row);
		m->members[m->n_members++] = row;
	}
	for (int32_t i = 0; q->has_raft && i < r->n_peers; i++) {
		Weir__QuorumMember *row = arena_must(a, sizeof(*row));

		if (r->peers[i].is_voter || !is_here(q, r->peers[i].who))
			continue;
		fill_member(q, a, r->peers[i].who, false, row);
		fill_progress(q, r->peers[i].who, row);
		m->members[m->n_members++] = row;
	}
	out->body_case = WEIR__RESPONSE__BODY_QUORUM;
	out->quorum = m;
}
