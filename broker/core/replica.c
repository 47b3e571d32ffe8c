/* replica.c - the rules of one replica: the ISR (KIP-497), the high watermark (KIP-966), roles.
 *
 * All branching on role and event kind is in replica_step; the helpers below are straight lines.
 *
 *   role       ASSIGNED, leader is self, epoch newer   -> LEADER: peers forgotten, epoch_start set
 *              ASSIGNED, somebody else or nobody leads -> FOLLOWER
 *              ASSIGNED, self not among the replicas   -> OFFLINE
 *   proposal   fetch or tick finds a change            -> pending, number n
 *              answer n ADOPTED                        -> committed
 *              answer n ROLL_BACK                      -> as if never proposed
 *              answer n WAIT_METADATA                  -> pending until a higher partition epoch
 *              answer n RETRY                          -> the same isr again as n + 1
 *              metadata with a higher partition epoch  -> settled whatever the answer says
 *
 *   who joins the ISR      expand                   at a fetch that has reached the leader's start
 *   who leaves it          take_tick                not caught up for replica.lag.time.max.ms
 *   what is committed      advance_high_watermark   the least log end of the maximal ISR
 *   may a produce begin    replica_has_enough       committed ISR against min.insync.replicas */
#include "broker/core/replica.h"

#include "common/base/mark.h"

/* A controller that refuses a joiner knows more than our metadata; fetches come far faster than
 * its news. */
#define REFUSED_PAUSE_MS 200

static void take_assignment(struct replica *, const struct replica_event *,
			    struct replica_effects *);
static bool is_stale(const struct replica *, const struct replica_event *);
static void take_peers(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_isr(struct replica *, uint32_t was, uint32_t isr, struct replica_effects *);
static void take_role(struct replica *, const struct replica_event *, struct replica_effects *);
static void begin_leading(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_brokers(struct replica *, const struct replica_peer *known, int32_t n);
static void take_append(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_cut(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_fetch(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_answer(struct replica *, const struct replica_event *, struct replica_effects *);
static void take_tick(struct replica *, const struct replica_event *, struct replica_effects *);
static void propose(struct replica *, uint32_t isr, struct replica_effects *);
static void expand(struct replica *, int64_t now_ms, int fetcher, struct replica_effects *);
static void advance_high_watermark(struct replica *, int64_t now_ms, struct replica_effects *);
static bool counts(const struct replica *, int at, int64_t now_ms);
static bool is_eligible(const struct replica_peer *);
static bool is_caught_up(const struct replica *, const struct replica_peer *, int64_t now_ms);
static uint32_t everybody(const struct replica *);
static int at_of(const struct replica *, int32_t id);

static inline uint32_t bit(int at)
{
	return 1u << at;
}

void replica_init(struct replica *r, int32_t self, int64_t lag_max_ms)
{
	*r = (struct replica){ .role = REPLICA_OFFLINE,
			       .self = self,
			       .leader = -1,
			       .leader_epoch = -1,
			       .partition_epoch = -1,
			       .min_isr = 1,
			       .lag_max_ms = lag_max_ms,
			       .expand_after_ms = TIME_NEVER };
}

/* The checkpoint may be older or newer than the log that survived. */
void replica_load(struct replica *r, int64_t log_start, int64_t high_watermark, int64_t log_end)
{
	ASSERT(r->role == REPLICA_OFFLINE);
	ASSERT(0 <= log_start && log_start <= log_end);
	r->log_start = log_start;
	r->log_end = log_end;
	r->high_watermark = i64_max(log_start, i64_min(high_watermark, log_end));
}

/* The marks are asserted before and after: a wrong transition stops here, not in
 * a client's data. */
void replica_step(struct replica *r, const struct replica_event *ev, struct replica_effects *out)
{
	int64_t was = r->high_watermark;

	*out = (struct replica_effects){ 0 };
	replica_check(r);
	switch (ev->kind) {
	case REPLICA_EV_ASSIGNED: take_assignment(r, ev, out); break;
	case REPLICA_EV_BROKERS: take_brokers(r, ev->brokers.known, ev->brokers.n); break;
	case REPLICA_EV_MIN_ISR: r->min_isr = i32_max(1, ev->min_isr); break;
	case REPLICA_EV_APPENDED: take_append(r, ev, out); break;
	case REPLICA_EV_TRUNCATED: take_cut(r, ev, out); break;
	case REPLICA_EV_FETCHED_BY: take_fetch(r, ev, out); break;
	case REPLICA_EV_ISR_ANSWER: take_answer(r, ev, out); break;
	case REPLICA_EV_TICK: take_tick(r, ev, out); break;
	}
	if (r->role == REPLICA_LEADER)
		advance_high_watermark(r, ev->now_ms, out);
	ASSERT(r->role != REPLICA_LEADER || ev->kind == REPLICA_EV_TRUNCATED ||
	       r->high_watermark >= was);
	replica_check(r);
}

/* Cheap enough to run around every step in production. */
void replica_check(const struct replica *r)
{
	uint32_t all = everybody(r);
	int self = at_of(r, r->self);

	ASSERT(0 <= r->log_start && r->log_start <= r->high_watermark);
	ASSERT(r->high_watermark <= r->log_end);
	ASSERT(0 <= r->n_peers && r->n_peers <= REPLICAS_MAX);
	ASSERT((replica_maximal_isr(r) & ~all) == 0);
	ASSERT((r->isr & ~replica_maximal_isr(r)) == 0);
	if (r->role == REPLICA_LEADER) {
		ASSERT(self >= 0 && (r->isr & bit(self)) != 0 && r->leader == r->self);
		ASSERT(!r->is_pending || (r->isr_pending & bit(self)) != 0);
		ASSERT(r->epoch_start <= r->log_end);
	} else {
		ASSERT(!r->is_pending && r->leader != r->self);
	}
}

int32_t replica_isr_count(const struct replica *r)
{
	return __builtin_popcount(r->isr);
}

int32_t replica_min_isr(const struct replica *r)
{
	return i32_min(r->min_isr, r->n_peers);
}

uint32_t replica_maximal_isr(const struct replica *r)
{
	return r->is_pending ? r->isr | r->isr_pending : r->isr;
}

const struct replica_peer *replica_peer_of(const struct replica *r, int32_t id)
{
	int at = at_of(r, id);

	return at < 0 ? NULL : &r->peers[at];
}

uint32_t replica_mask_of(const struct replica *r, const int32_t *ids, int32_t n)
{
	uint32_t mask = 0;

	for (int32_t i = 0; i < n; i++) {
		int at = at_of(r, ids[i]);

		mask |= at < 0 ? 0 : bit(at);
	}
	return mask;
}

int32_t replica_ids_of(const struct replica *r, uint32_t mask, int32_t ids[REPLICAS_MAX])
{
	int32_t n = 0;

	for (int i = 0; i < r->n_peers; i++)
		if (mask & bit(i))
			ids[n++] = r->peers[i].id;
	return n;
}

bool replica_has_enough(const struct replica *r)
{
	return replica_isr_count(r) >= replica_min_isr(r);
}

bool replica_kept_enough(const struct replica *r)
{
	return __builtin_popcount(replica_maximal_isr(r)) >= replica_min_isr(r);
}

/* KIP-903: a fetch sent before its broker restarted must not speak for the log it has now. */
enum replica_admission replica_admits(const struct replica *r, int32_t peer, int64_t broker_epoch)
{
	const struct replica_peer *p = replica_peer_of(r, peer);

	if (p == NULL || peer == r->self)
		return REPLICA_UNASSIGNED;
	if (broker_epoch >= 0 &&
	    (broker_epoch < p->alive_epoch || broker_epoch < p->broker_epoch)) {
		MARK(fetch_of_an_earlier_life_KIP_903);
		return REPLICA_STALE;
	}
	return REPLICA_ADMIT;
}

static void take_assignment(struct replica *r, const struct replica_event *ev,
			    struct replica_effects *out)
{
	ASSERT(ev->assigned.n_replicas > 0 && ev->assigned.n_replicas <= REPLICAS_MAX);
	if (ev->assigned.min_isr > 0)
		r->min_isr = ev->assigned.min_isr;
	if (is_stale(r, ev))
		return;
	take_peers(r, ev, out);
	if (ev->assigned.partition_epoch > r->partition_epoch)
		r->is_pending = false;
	r->partition_epoch = ev->assigned.partition_epoch;
	r->is_recovering = ev->assigned.is_recovering;
	take_role(r, ev, out);
}

/* The same epochs again are accepted: a restarted metadata stream repeats itself.  Older ones are
 * what no controller sends: images only grow, and what an AlterPartition led to is pushed before
 * its answer.  That is the controller's promise, and a follower's log is too much to bet on it. */
static bool is_stale(const struct replica *r, const struct replica_event *ev)
{
	return ev->assigned.partition_epoch < r->partition_epoch ||
	       ev->assigned.leader_epoch < r->leader_epoch;
}

/* Peers that stay keep what we know of them; bits follow them to their new places.  The isr is
 * taken as a subset of the assignment whatever was sent (KAFKA-9672). */
static void take_peers(struct replica *r, const struct replica_event *ev,
		       struct replica_effects *out)
{
	struct replica_peer old[REPLICAS_MAX];
	int32_t isr[REPLICAS_MAX], pending[REPLICAS_MAX], n_old = r->n_peers;
	int32_t n_isr = replica_ids_of(r, r->isr, isr);
	int32_t n_pending = replica_ids_of(r, r->isr_pending, pending);

	memcpy(old, r->peers, sizeof(old));
	r->n_peers = ev->assigned.n_replicas;
	for (int32_t i = 0; i < r->n_peers; i++) {
		r->peers[i] = (struct replica_peer){
			.id = ev->assigned.replicas[i],
			.broker_epoch = -1,
			.log_end = -1,
			.log_start = -1,
			.leader_end_at_fetch = -1,
			.last_fetch_ms = TIME_NEVER,
			.caught_up_ms = TIME_NEVER,
			.began_ms = TIME_NEVER,
			.left_epoch = -1,
			.alive_epoch = -1,
		};
		for (int32_t k = 0; k < n_old; k++)
			if (old[k].id == r->peers[i].id)
				r->peers[i] = old[k];
	}
	r->isr_pending = replica_mask_of(r, pending, n_pending);
	take_isr(r, replica_mask_of(r, isr, n_isr),
		 replica_mask_of(r, ev->assigned.isr, ev->assigned.n_isr), out);
	out->isr_changed = out->isr_changed || replica_isr_count(r) != n_isr;
	if (ev->assigned.known != NULL)
		take_brokers(r, ev->assigned.known, ev->assigned.n_replicas);
}

/* Who left must come back by fetching: the high watermark does not wait for it meanwhile. */
static void take_isr(struct replica *r, uint32_t was, uint32_t isr, struct replica_effects *out)
{
	for (int i = 0; i < r->n_peers; i++) {
		struct replica_peer *p = &r->peers[i];

		if ((was & ~isr & bit(i)) == 0)
			continue;
		p->log_end = p->leader_end_at_fetch = -1;
		p->caught_up_ms = p->began_ms = TIME_NEVER;
		p->left_epoch = p->broker_epoch;
	}
	r->isr = isr;
	out->isr_changed = was != isr;
}

/* A leader outside its own isr is nothing we can act on: wait for better news as a follower. */
static void take_role(struct replica *r, const struct replica_event *ev,
		      struct replica_effects *out)
{
	int self = at_of(r, r->self);
	bool is_new = ev->assigned.leader_epoch > r->leader_epoch, led = r->role == REPLICA_LEADER;
	bool leads = self >= 0 && ev->assigned.leader == r->self && (r->isr & bit(self)) != 0;
	int32_t was = r->leader;

	r->leader_epoch = ev->assigned.leader_epoch;
	r->leader = ev->assigned.leader == r->self && !leads ? -1 : ev->assigned.leader;
	if (leads) {
		if (is_new || !led)
			begin_leading(r, ev, out);
		r->role = REPLICA_LEADER;
		if (r->is_recovering && !r->is_pending)
			propose(r, r->isr, out); /* says RECOVERED */
		return;
	}
	out->lost_leadership = led;
	out->became_follower =
		self >= 0 && (is_new || r->role != REPLICA_FOLLOWER || was != r->leader);
	r->role = self >= 0 ? REPLICA_FOLLOWER : REPLICA_OFFLINE;
	r->is_pending = false;
}

/* What peers fetched in an earlier epoch proves nothing now: they may still have to truncate
 * (the first try of KIP-320).  Members of the isr get a full lag_max_ms to show up. */
static void begin_leading(struct replica *r, const struct replica_event *ev,
			  struct replica_effects *out)
{
	for (int32_t i = 0; i < r->n_peers; i++) {
		struct replica_peer *p = &r->peers[i];

		p->broker_epoch = p->log_end = p->log_start = p->leader_end_at_fetch = -1;
		p->left_epoch = -1;
		p->last_fetch_ms = p->began_ms = TIME_NEVER;
		p->caught_up_ms = r->isr & bit(i) ? ev->now_ms : TIME_NEVER;
	}
	r->epoch_start = r->log_end;
	r->is_pending = false;
	out->became_leader = true;
}

/* What a broker stored in an earlier life may be gone (KIP-903): wait for its first fetch. */
static void take_brokers(struct replica *r, const struct replica_peer *known, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		int at = at_of(r, known[i].id);

		if (at < 0)
			continue;
		r->peers[at].eligible = known[i].eligible;
		r->peers[at].alive_epoch = known[i].alive_epoch;
		if (r->peers[at].broker_epoch >= 0 &&
		    r->peers[at].broker_epoch < known[i].alive_epoch)
			r->peers[at].log_end = r->peers[at].leader_end_at_fetch = -1;
	}
	r->expand_after_ms = TIME_NEVER;
}

/* A follower learns the high watermark here only, after its fetch was found not to diverge
 * (KAFKA-14704).  It does not go back when a new leader still knows less: what was committed stays
 * committed, and its readers must not see it vanish. */
static void take_append(struct replica *r, const struct replica_event *ev,
			struct replica_effects *out)
{
	int64_t high, start;

	ASSERT(ev->appended.log_end >= r->log_end);
	r->log_end = ev->appended.log_end;
	if (r->role == REPLICA_LEADER)
		return;
	high = i64_min(ev->appended.leader_high_watermark, r->log_end);
	out->hw_moved = high > r->high_watermark;
	r->high_watermark = i64_max(high, r->high_watermark);
	start = i64_min(ev->appended.leader_log_start, r->high_watermark);
	out->log_start_moved = start > r->log_start;
	r->log_start = i64_max(start, r->log_start);
}

/* KAFKA-9491: a cut moves the high watermark with the log, at either end. */
static void take_cut(struct replica *r, const struct replica_event *ev, struct replica_effects *out)
{
	int64_t was = r->high_watermark;

	ASSERT(0 <= ev->truncated.log_start && ev->truncated.log_start <= ev->truncated.log_end);
	ASSERT(r->role != REPLICA_LEADER || ev->truncated.log_end == r->log_end);
	ASSERT(r->role != REPLICA_LEADER || ev->truncated.log_start <= r->high_watermark);
	r->log_start = ev->truncated.log_start;
	r->log_end = ev->truncated.log_end;
	r->high_watermark = i64_max(r->log_start, i64_min(r->high_watermark, r->log_end));
	out->hw_moved = r->high_watermark != was;
}

/* A fetch at N proves that everything below N is stored.  Having had our whole log at the time of
 * its previous fetch counts as caught up since then, so that steady appends shut nobody out. */
static void take_fetch(struct replica *r, const struct replica_event *ev,
		       struct replica_effects *out)
{
	int at = at_of(r, ev->fetched.peer);
	struct replica_peer *p;

	if (r->role != REPLICA_LEADER ||
	    replica_admits(r, ev->fetched.peer, ev->fetched.broker_epoch) != REPLICA_ADMIT)
		return;
	p = &r->peers[at];
	if (ev->fetched.offset >= r->log_end)
		p->caught_up_ms = i64_max(p->caught_up_ms, ev->now_ms);
	else if (p->leader_end_at_fetch >= 0 && ev->fetched.offset >= p->leader_end_at_fetch)
		p->caught_up_ms = i64_max(p->caught_up_ms, p->last_fetch_ms);
	if (p->began_ms == TIME_NEVER)
		p->began_ms = ev->now_ms;
	p->log_end = ev->fetched.offset;
	p->log_start = ev->fetched.log_start;
	p->broker_epoch = ev->fetched.broker_epoch;
	p->leader_end_at_fetch = r->log_end;
	p->last_fetch_ms = ev->now_ms;
	expand(r, ev->now_ms, at, out);
}

/* Only the answer to the newest proposal counts; metadata may have overtaken the others. */
static void take_answer(struct replica *r, const struct replica_event *ev,
			struct replica_effects *out)
{
	if (r->role != REPLICA_LEADER || !r->is_pending || ev->answer.proposal != r->proposal)
		return;
	switch (ev->answer.verdict) {
	case ISR_ADOPTED:
		if (ev->answer.partition_epoch < r->partition_epoch ||
		    (ev->answer.isr & bit(at_of(r, r->self))) == 0)
			return; /* not an answer to what we asked: metadata will tell */
		r->partition_epoch = ev->answer.partition_epoch;
		take_isr(r, r->isr, ev->answer.isr & everybody(r), out);
		r->is_pending = false;
		r->is_recovering = false;
		expand(r, ev->now_ms, -1, out);
		break;
	case ISR_ROLL_BACK:
		MARK(isr_proposal_refused);
		r->is_pending = false;
		r->expand_after_ms = ev->now_ms + REFUSED_PAUSE_MS;
		break;
	case ISR_WAIT_METADATA: break;
	case ISR_RETRY:
		MARK(isr_proposal_again);
		propose(r, r->isr_pending, out);
		break;
	}
}

/* Shrinking only asks: the high watermark keeps waiting for the laggard until the controller
 * agreed. */
static void take_tick(struct replica *r, const struct replica_event *ev,
		      struct replica_effects *out)
{
	uint32_t isr = r->isr;

	if (r->role != REPLICA_LEADER || r->is_pending)
		return;
	for (int i = 0; i < r->n_peers; i++)
		if (r->peers[i].id != r->self && !is_caught_up(r, &r->peers[i], ev->now_ms))
			isr &= ~bit(i);
	if (isr != r->isr)
		MARK(isr_shrinks);
	if (isr != r->isr || r->is_recovering)
		propose(r, isr, out);
}

/* One proposal at a time; is_pending makes its additions count for the high watermark at once. */
static void propose(struct replica *r, uint32_t isr, struct replica_effects *out)
{
	ASSERT(r->role == REPLICA_LEADER);
	r->isr_pending = isr;
	r->is_pending = true;
	r->proposal++;
	out->propose_isr = true;
	out->isr = isr;
	out->proposal = r->proposal;
}

/* A joiner must have what is committed and what was there when this leader began: its own high
 * watermark may be behind the truth (KAFKA-7128).  The one that fetches just now need not be
 * caught up; others that waited for an answer must be, or they would leave again. */
static void expand(struct replica *r, int64_t now_ms, int fetcher, struct replica_effects *out)
{
	uint32_t isr = r->isr;
	int64_t floor = i64_max(r->high_watermark, r->epoch_start);

	if (r->is_pending || now_ms < r->expand_after_ms)
		return;
	for (int i = 0; i < r->n_peers; i++) {
		const struct replica_peer *p = &r->peers[i];

		if (p->id != r->self && p->log_end >= floor && is_eligible(p) &&
		    (i == fetcher || is_caught_up(r, p, now_ms)))
			isr |= bit(i);
	}
	if (isr != r->isr)
		propose(r, isr, out);
}

/* Too few in sync: what the controller may elect could lack it, so nothing more is committed
 * (strict min ISR, KAFKA-15583). */
static void advance_high_watermark(struct replica *r, int64_t now_ms, struct replica_effects *out)
{
	int64_t high = r->log_end;

	if (!replica_has_enough(r)) {
		MARK(high_watermark_held_below_min_isr);
		return;
	}
	for (int i = 0; i < r->n_peers && high > r->high_watermark; i++)
		if (counts(r, i, now_ms))
			high = i64_min(high, r->peers[i].log_end);
	if (high <= r->high_watermark)
		return;
	r->high_watermark = high;
	out->hw_moved = true;
}

/* Besides the maximal isr, wait for whoever is about to join: else a leader alone in its isr runs
 * ahead of it for ever.  One that may not join must not hold us (KAFKA-15021). */
static bool counts(const struct replica *r, int at, int64_t now_ms)
{
	const struct replica_peer *p = &r->peers[at];

	if (p->id == r->self)
		return false;
	return (replica_maximal_isr(r) & bit(at)) != 0 ||
	       (is_eligible(p) && is_caught_up(r, p, now_ms));
}

/* A fenced broker, one shutting down, or one whose fetches are of an earlier life must not join. */
static bool is_eligible(const struct replica_peer *p)
{
	return p->eligible && (p->broker_epoch == -1 || p->broker_epoch == p->alive_epoch);
}

static bool is_caught_up(const struct replica *r, const struct replica_peer *p, int64_t now_ms)
{
	return p->log_end == r->log_end || now_ms - p->caught_up_ms <= r->lag_max_ms;
}

static uint32_t everybody(const struct replica *r)
{
	return bit(r->n_peers) - 1;
}

static int at_of(const struct replica *r, int32_t id)
{
	for (int i = 0; i < r->n_peers; i++)
		if (r->peers[i].id == id)
			return i;
	return -1;
}
