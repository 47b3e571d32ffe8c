#include "tests/story/world.h"

#include "tests/lib/test.h"

#include <stdarg.h>
#include <stdio.h>

static void tell(struct world *, const char *fmt, ...) printf_like(2, 3);
static void step(struct world *, struct world_node *, struct replica_event, const char *fmt, ...)
	printf_like(4, 5);
static void tell_effects(const struct world_node *, const struct replica_effects *, int64_t hw,
			 struct text *);
static void tell_holders(const struct world_node *, struct text *);
static void text_ids(struct text *, const int32_t *, int32_t n);
static void carry_out(struct world_node *, const struct replica_effects *);
static void truncate_log(struct world *, struct world_node *);
static void set_isr(struct world *, uint32_t isr, const char *why);
static void set_leader(struct world *, int32_t leader);
static void tell_controller(struct world *, const char *why);
static enum replica_verdict decide(struct world *, const struct world_proposal *);
static const char *verdict_text(enum replica_verdict);

static inline uint32_t bit(int32_t id)
{
	return 1u << id;
}

void world_init(struct world *w, int32_t n, int32_t min_isr, int64_t lag_max_ms)
{
	*w = (struct world){ .n = n,
			     .lag_max_ms = lag_max_ms,
			     .leader = 1,
			     .min_isr = min_isr,
			     .next_broker_epoch = 1 };
	for (int32_t id = 1; id <= n; id++) {
		w->isr |= bit(id);
		w->nodes[id].id = id;
		epoch_cache_init(&w->nodes[id].epochs);
		EXPECT(world_start(w, id));
	}
	w->now_ms = 1;
}

void world_fini(struct world *w)
{
	for (int32_t id = 1; id <= w->n; id++)
		epoch_cache_fini(&w->nodes[id].epochs);
}

bool world_append(struct world *w, int32_t id, int64_t n)
{
	struct world_node *b = &w->nodes[id];
	int64_t from = b->r.log_end;

	if (!b->is_up || b->r.role != REPLICA_LEADER || from + n > WORLD_LOG)
		return false;
	for (int64_t i = 0; i < n; i++)
		b->log[from + i] = b->r.leader_epoch;
	step(w, b,
	     (struct replica_event){ .kind = REPLICA_EV_APPENDED,
				     .appended = { from + n, -1, -1 } },
	     "appended %lld..%lld", (long long)from, (long long)(from + n - 1));
	return true;
}

bool world_send(struct world *w, int32_t id)
{
	struct world_node *b = &w->nodes[id];

	if (!b->is_up || b->r.role != REPLICA_FOLLOWER || b->r.leader < 0 ||
	    b->fetch.state != FETCH_NONE)
		return false;
	b->fetch.state = FETCH_SENT;
	b->fetch.to = b->r.leader;
	b->fetch.leader_epoch = b->r.leader_epoch;
	b->fetch.last_epoch = epoch_cache_latest(&b->epochs);
	b->fetch.broker_epoch = b->broker_epoch;
	b->fetch.offset = b->r.log_end;
	return true;
}

/* As a leader serves it: fence by epoch, look for divergence, and only then count the fetch. */
bool world_arrive(struct world *w, int32_t id, int64_t max)
{
	struct world_fetch *f = &w->nodes[id].fetch;
	struct world_node *l = &w->nodes[f->to];
	struct epoch_entry end;

	if (f->state != FETCH_SENT || !l->is_up)
		return false;
	if (l->r.role != REPLICA_LEADER || l->r.leader_epoch != f->leader_epoch ||
	    replica_admits(&l->r, id, f->broker_epoch) != REPLICA_ADMIT) {
		tell(w, "%d > refuses the fetch of %d, epoch %d", l->id, id, f->leader_epoch);
		f->state = FETCH_NONE;
		return true;
	}
	f->state = FETCH_ANSWERED;
	f->diverging.epoch = EPOCH_NONE;
	end = epoch_cache_end_of(&l->epochs, f->last_epoch, l->r.log_end);
	if (f->last_epoch >= 0 && (end.epoch < f->last_epoch || end.start_offset < f->offset)) {
		f->diverging = end;
		tell(w, "%d > tells %d to diverge: epoch %d ends at %lld", l->id, id, end.epoch,
		     (long long)end.start_offset);
		return true;
	}
	ASSERT(f->offset <= l->r.log_end);
	step(w, l,
	     (struct replica_event){ .kind = REPLICA_EV_FETCHED_BY,
				     .fetched = { id, f->broker_epoch, f->offset, 0 } },
	     "fetched by %d up to %lld", id, (long long)f->offset);
	f->n = i64_min(max, l->r.log_end - f->offset);
	memcpy(f->records, l->log + f->offset, (size_t)f->n * sizeof(f->records[0]));
	f->high_watermark = l->r.high_watermark;
	f->log_start = l->r.log_start;
	return true;
}

bool world_reply(struct world *w, int32_t id)
{
	struct world_node *b = &w->nodes[id];
	struct world_fetch *f = &b->fetch;

	if (f->state != FETCH_ANSWERED || !b->is_up)
		return false;
	f->state = FETCH_NONE;
	if (f->broker_epoch != b->broker_epoch || b->r.role != REPLICA_FOLLOWER ||
	    b->r.leader_epoch != f->leader_epoch || b->r.log_end != f->offset)
		return true; /* an answer of another time */
	if (f->diverging.epoch != EPOCH_NONE) {
		truncate_log(w, b);
		return true;
	}
	for (int64_t i = 0; i < f->n; i++) {
		b->log[f->offset + i] = f->records[i];
		epoch_cache_assign(&b->epochs, f->records[i], f->offset + i);
	}
	step(w, b,
	     (struct replica_event){
		     .kind = REPLICA_EV_APPENDED,
		     .appended = { f->offset + f->n, f->high_watermark, f->log_start } },
	     "has %lld records", (long long)(f->offset + f->n));
	return true;
}

bool world_lose(struct world *w, int32_t id)
{
	bool was = w->nodes[id].fetch.state != FETCH_NONE;

	w->nodes[id].fetch.state = FETCH_NONE;
	return was;
}

bool world_tick(struct world *w, int32_t id)
{
	if (!w->nodes[id].is_up)
		return false;
	step(w, &w->nodes[id], (struct replica_event){ .kind = REPLICA_EV_TICK },
	     "looks at its isr");
	return true;
}

bool world_news(struct world *w, int32_t id)
{
	struct world_node *b = &w->nodes[id];
	int32_t ids[WORLD_BROKERS], isr[WORLD_BROKERS], n_isr = 0;
	struct replica_peer known[WORLD_BROKERS];

	if (!b->is_up)
		return false;
	for (int32_t i = 0; i < w->n; i++) {
		ids[i] = i + 1;
		known[i] = (struct replica_peer){ .id = i + 1,
						  .alive_epoch = w->alive[i + 1],
						  .eligible = ((w->fenced | w->leaving) &
							       bit(i + 1)) == 0 };
		if (w->isr & bit(i + 1))
			isr[n_isr++] = i + 1;
	}
	step(w, b,
	     (struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
				     .assigned = { .leader = w->leader,
						   .leader_epoch = w->leader_epoch,
						   .partition_epoch = w->partition_epoch,
						   .replicas = ids,
						   .n_replicas = w->n,
						   .isr = isr,
						   .n_isr = n_isr,
						   .is_recovering = w->is_recovering,
						   .known = known } },
	     "hears of partition epoch %d", w->partition_epoch);
	if (b->r.min_isr != w->min_isr)
		step(w, b,
		     (struct replica_event){ .kind = REPLICA_EV_MIN_ISR, .min_isr = w->min_isr },
		     "hears of min.insync.replicas %d", w->min_isr);
	return true;
}

/* A lost answer is one the leader gives up waiting for and asks again. */
bool world_alter(struct world *w, int32_t id, enum world_loss loss)
{
	struct world_node *b = &w->nodes[id];
	struct world_proposal p = b->proposal;
	enum replica_verdict v = ISR_RETRY;

	if (!p.is_out || !b->is_up)
		return false;
	b->proposal.is_out = false;
	if (loss != LOSE_REQUEST)
		v = decide(w, &p);
	if (loss == LOSE_ANSWER)
		v = ISR_RETRY;
	step(w, b,
	     (struct replica_event){ .kind = REPLICA_EV_ISR_ANSWER,
				     .answer = { v, p.number, w->partition_epoch,
						 replica_mask_of(&b->r, p.isr, p.n) } },
	     "%s", verdict_text(v));
	return true;
}

/* The last member of the isr keeps its place: only it is known to have everything. */
bool world_fence(struct world *w, int32_t id)
{
	if (w->fenced & bit(id))
		return false;
	w->fenced |= bit(id);
	w->leaving &= ~bit(id);
	if (w->isr != bit(id) && (w->isr & bit(id))) {
		w->isr &= ~bit(id);
		w->partition_epoch++;
	}
	if (w->leader == id)
		set_leader(w, w->isr & ~w->fenced ? __builtin_ctz(w->isr & ~w->fenced) : -1);
	tell_controller(w, "fences a broker");
	return true;
}

bool world_unfence(struct world *w, int32_t id)
{
	if (!w->nodes[id].is_up || (w->fenced & bit(id)) == 0)
		return false;
	w->fenced &= ~bit(id);
	if (w->leader < 0 && (w->isr & bit(id)))
		set_leader(w, id);
	tell_controller(w, "unfences a broker");
	return true;
}

bool world_leave(struct world *w, int32_t id)
{
	uint32_t others = w->isr & ~bit(id) & ~w->fenced;

	if ((w->fenced | w->leaving) & bit(id) || others == 0)
		return false;
	w->leaving |= bit(id);
	w->isr &= ~bit(id);
	if (w->leader == id)
		set_leader(w, __builtin_ctz(others));
	else
		w->partition_epoch++;
	tell_controller(w, "lets a broker go");
	return true;
}

bool world_crash(struct world *w, int32_t id)
{
	struct world_node *b = &w->nodes[id];

	if (!b->is_up)
		return false;
	b->is_up = false;
	b->proposal.is_out = false;
	tell(w, "%d > dies with %lld records, hw %lld", id, (long long)b->r.log_end,
	     (long long)b->r.high_watermark);
	return true;
}

/* A leader's empty epoch is on disk before it leads: the cache survives as it is. */
bool world_start(struct world *w, int32_t id)
{
	struct world_node *b = &w->nodes[id];
	int64_t end = b->r.log_end;

	if (b->is_up)
		return false;
	b->is_up = true;
	b->broker_epoch = w->alive[id] = w->next_broker_epoch++;
	if (w->now_ms > 0)
		(void)world_fence(w, id);
	replica_init(&b->r, id, w->lag_max_ms);
	replica_load(&b->r, 0, b->checkpoint, end);
	if (w->now_ms > 0)
		tell(w, "%d > starts with %lld records, hw %lld", id, (long long)end,
		     (long long)b->r.high_watermark);
	return true;
}

bool world_elect(struct world *w, int32_t id)
{
	if ((w->isr & ~w->fenced & bit(id)) == 0)
		return false;
	set_leader(w, id);
	tell_controller(w, "elects");
	return true;
}

bool world_elect_unclean(struct world *w, int32_t id)
{
	if (w->fenced & bit(id) || (w->isr & ~w->fenced) != 0)
		return false;
	w->isr = bit(id);
	w->is_recovering = true;
	set_leader(w, id);
	tell_controller(w, "elects uncleanly");
	return true;
}

bool world_min_isr(struct world *w, int32_t n)
{
	w->min_isr = n;
	w->partition_epoch++;
	tell_controller(w, "changes min.insync.replicas");
	return true;
}

void world_show(struct world *w)
{
	for (int32_t id = 1; id <= w->n; id++) {
		const struct world_node *b = &w->nodes[id];
		char line[256];
		struct text t;
		int64_t from = 0;

		text_init(&t, line, sizeof(line));
		for (int64_t i = 1; i <= b->r.log_end; i++)
			if (i == b->r.log_end || b->log[i] != b->log[from]) {
				text_printf(&t, " %lldx%d", (long long)(i - from), b->log[from]);
				from = i;
			}
		tell(w, "%d = hw %lld, log%s", id, (long long)b->r.high_watermark,
		     t.n > 0 ? line : " empty");
	}
}

static void tell(struct world *w, const char *fmt, ...)
{
	char line[512];
	va_list args;

	if (w->tale == NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	text_printf(w->tale, "[%6lld] %s\n", (long long)w->now_ms, line);
}

static void step(struct world *w, struct world_node *b, struct replica_event ev, const char *fmt,
		 ...)
{
	struct replica_effects fx = { 0 };
	char line[512], what[128];
	int64_t hw = b->r.high_watermark;
	struct text t;
	va_list args;

	ev.now_ms = w->now_ms;
	replica_step(&b->r, &ev, &fx);
	carry_out(b, &fx);
	if (w->tale == NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	text_init(&t, line, sizeof(line));
	text_printf(&t, "%d > %s", b->id, what);
	tell_effects(b, &fx, hw, &t);
	tell(w, "%s", line);
}

static void tell_effects(const struct world_node *b, const struct replica_effects *fx, int64_t hw,
			 struct text *t)
{
	int32_t ids[REPLICAS_MAX];
	const struct replica *r = &b->r;

	if (fx->became_leader)
		text_printf(t, ", leads epoch %d from %lld", r->leader_epoch,
			    (long long)r->epoch_start);
	if (fx->became_follower)
		text_printf(t, ", follows %d in epoch %d", r->leader, r->leader_epoch);
	if (fx->isr_changed && r->role == REPLICA_LEADER) {
		text_printf(t, ", isr ");
		text_ids(t, ids, replica_ids_of(r, r->isr, ids));
	}
	if (fx->propose_isr) {
		text_printf(t, ", asks for isr ");
		text_ids(t, ids, replica_ids_of(r, fx->isr, ids));
	}
	if (r->high_watermark != hw)
		text_printf(t, ", hw %lld -> %lld", (long long)hw, (long long)r->high_watermark);
	else if (r->role == REPLICA_LEADER && hw < r->log_end)
		tell_holders(b, t);
}

static void tell_holders(const struct world_node *b, struct text *t)
{
	const struct replica *r = &b->r;
	int32_t ids[REPLICAS_MAX], n = 0;

	text_printf(t, ", hw held at %lld", (long long)r->high_watermark);
	if (!replica_has_enough(r)) {
		text_printf(t, ": %d in sync, %d needed", replica_isr_count(r), replica_min_isr(r));
		return;
	}
	for (int32_t i = 0; i < r->n_peers; i++)
		if ((replica_maximal_isr(r) & bit(i)) != 0 && r->peers[i].id != r->self &&
		    r->peers[i].log_end <= r->high_watermark)
			ids[n++] = r->peers[i].id;
	if (n == 0) {
		text_printf(t, " by a joiner");
		return;
	}
	text_printf(t, " by ");
	text_ids(t, ids, n);
}

static void text_ids(struct text *t, const int32_t *ids, int32_t n)
{
	text_printf(t, "{");
	for (int32_t i = 0; i < n; i++)
		text_printf(t, i ? ",%d" : "%d", ids[i]);
	text_printf(t, "}");
}

/* What a partition does with the effects: a leader's epoch is noted before anything is written;
 * the checkpoint lags behind the watermark, here by one record. */
static void carry_out(struct world_node *b, const struct replica_effects *fx)
{
	const struct replica *r = &b->r;
	struct world_proposal *p = &b->proposal;

	if (fx->became_leader)
		epoch_cache_assign(&b->epochs, r->leader_epoch, r->log_end);
	if (fx->hw_moved)
		b->checkpoint = i64_max(0, r->high_watermark - 1);
	if (!fx->propose_isr)
		return;
	*p = (struct world_proposal){ .is_out = true,
				      .number = fx->proposal,
				      .leader_epoch = r->leader_epoch,
				      .partition_epoch = r->partition_epoch };
	p->n = replica_ids_of(r, fx->isr, p->isr);
	for (int32_t i = 0; i < p->n; i++)
		p->broker_epochs[i] = p->isr[i] == b->id
					      ? b->broker_epoch
					      : replica_peer_of(r, p->isr[i])->broker_epoch;
}

static void truncate_log(struct world *w, struct world_node *b)
{
	int64_t from = b->r.log_end;
	int64_t to = epoch_cache_truncation_point(&b->epochs, b->fetch.diverging,
						  b->r.high_watermark, from);

	epoch_cache_truncate_end(&b->epochs, to);
	step(w, b,
	     (struct replica_event){ .kind = REPLICA_EV_TRUNCATED,
				     .truncated = { i64_min(b->r.log_start, to), to } },
	     "truncates %lld -> %lld", (long long)from, (long long)to);
}

static void set_isr(struct world *w, uint32_t isr, const char *why)
{
	w->isr = isr;
	w->partition_epoch++;
	tell_controller(w, why);
}

static void set_leader(struct world *w, int32_t leader)
{
	w->leader = leader;
	w->leader_epoch++;
	w->partition_epoch++;
}

static void tell_controller(struct world *w, const char *why)
{
	int32_t ids[WORLD_BROKERS], n = 0;
	char isr[64];
	struct text t;

	for (int32_t id = 1; id <= w->n; id++)
		if (w->isr & bit(id))
			ids[n++] = id;
	text_init(&t, isr, sizeof(isr));
	text_ids(&t, ids, n);
	tell(w, "c > %s: partition epoch %d, leader %d in epoch %d, isr %s", why,
	     w->partition_epoch, w->leader, w->leader_epoch, isr);
}

/* The controller's checks of AlterPartition, in its order. */
static enum replica_verdict decide(struct world *w, const struct world_proposal *p)
{
	uint32_t isr = 0;

	if (p->leader_epoch != w->leader_epoch || p->partition_epoch != w->partition_epoch)
		return ISR_WAIT_METADATA;
	for (int32_t i = 0; i < p->n; i++) {
		int32_t id = p->isr[i];

		if ((w->fenced | w->leaving) & bit(id) ||
		    (p->broker_epochs[i] >= 0 && p->broker_epochs[i] != w->alive[id]))
			return ISR_ROLL_BACK;
		isr |= bit(id);
	}
	w->is_recovering = false;
	set_isr(w, isr, "grants");
	return ISR_ADOPTED;
}

static const char *verdict_text(enum replica_verdict v)
{
	switch (v) {
	case ISR_ADOPTED: return "is granted its isr";
	case ISR_ROLL_BACK: return "is refused its isr";
	case ISR_WAIT_METADATA: return "asked with old epochs, waits for metadata";
	case ISR_RETRY: return "hears nothing";
	}
	UNREACHABLE();
}
