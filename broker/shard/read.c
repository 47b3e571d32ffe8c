/* read.c - reading for fetches, and who waits for what.
 *
 *   read_call_work -> read_all -> one op after the other: fencing, divergence, log_read
 *     enough or an error    call_return
 *     else, if it may wait  each op watches its partition (p->watches)
 *   read_wake (append, high watermark, role) -> shard->ready -> read_ready at the end of the turn
 *
 * A follower's fetch is also an event of the replica: FETCHED_BY moves the high watermark and the
 * ISR. */
#include "broker/shard/read.h"

#include "broker/shard/partition.h"
#include "broker/shard/shard.h"
#include "common/base/mark.h"

static void read_all(struct read_call *, bool only_woken);
static void read_one(struct read_call *, struct read_op *, bool min_one, int64_t budget);
static bool is_throttled(const struct read_call *, struct partition *, int64_t *max);
static enum kerr check(const struct read_call *, struct read_op *, const struct partition *);
static enum kerr check_follower(const struct read_call *, const struct partition *);
static bool diverges(struct read_op *, const struct partition *);
static void park(struct read_call *);
static bool lacks_news(const struct read_op *);
static void unpark(struct read_call *);
static void cancel_arrives(struct mail *);
static void cancel_returns(struct mail *);

void read_call_work(struct call *call)
{
	struct read_call *c = CONTAINER_OF(call, struct read_call, call);

	read_all(c, false);
	c->is_first = false;
	if (c->is_enough || !c->may_wait)
		call_return(call);
	else
		park(c);
}

void read_op_release(struct read_op *op)
{
	file_put(op->data.file);
	op->data = (struct log_read){ 0 };
}

/* Reads in the order asked: each partition gets what the ones before it left of bytes_max, and
 * the first batch of the first partition that has one is given however large it is. */
static void read_all(struct read_call *c, bool only_woken)
{
	int64_t bytes = 0;

	c->is_urgent = false;
	for (struct read_op *op = c->ops; op; op = op->next) {
		if (!only_woken || op->woken) {
			read_op_release(op);
			read_one(c, op, bytes == 0, c->bytes_max - bytes);
			c->is_urgent |= op->woken == READ_NEWS;
		}
		op->woken = READ_ASLEEP;
		bytes += op->data.n;
		c->is_urgent |= op->error != KERR_NONE || op->diverging.epoch != EPOCH_NONE;
	}
	c->bytes = bytes;
	c->is_enough = c->is_urgent || bytes >= c->threshold;
}

static void read_one(struct read_call *c, struct read_op *op, bool min_one, int64_t budget)
{
	struct partition *p = partition_find(c->call.to, op->topic_id, op->partition);
	struct replica *r;

	op->high_watermark = op->last_stable = op->log_start = -1;
	op->diverging = (struct epoch_entry){ EPOCH_NONE, OFFSET_NONE };
	op->leader = op->leader_epoch_now = -1;
	if (p)
		(void)partition_is_lost(p); /* check says so */
	if ((op->error = check(c, op, p)) != KERR_NONE)
		return;
	r = &p->replica;
	if (op->last_fetched_epoch >= 0 && diverges(op, p)) {
		op->high_watermark = r->high_watermark;
		op->last_stable = partition_last_stable(p);
		op->log_start = r->log_start;
		return;
	}
	if (op->error == KERR_NONE && (op->offset < r->log_start || op->offset > r->log_end))
		op->error = KERR_OFFSET_OUT_OF_RANGE;
	if (op->error != KERR_NONE)
		return;
	/* A fetch at N proves that the follower holds everything below N: count it before reading,
	 * and never a fetch that was told to diverge (KAFKA-13141) or that does not know our epoch.
	 */
	if (c->is_first && c->replica >= 0 && op->leader_epoch == r->leader_epoch)
		partition_step(p, &(struct replica_event){
					  .kind = REPLICA_EV_FETCHED_BY,
					  .now_ms = env_mono_ms(c->call.to->env),
					  .fetched = { c->replica, c->replica_epoch, op->offset,
						       op->log_start_of_follower } });
	int64_t bound = c->replica >= 0 ? r->log_end : r->high_watermark;
	op->high_watermark = r->high_watermark;
	op->last_stable = partition_last_stable(p);
	op->log_start = r->log_start;
	int64_t max = i64_min(op->max_bytes, budget);
	if (op->offset >= bound || (max <= 0 && !min_one) || is_throttled(c, p, &max))
		return;
	enum err e = log_read(p->log, op->offset, bound, max, min_one, &op->data);
	if (e == ERR_NOT_FOUND)
		op->error = KERR_OFFSET_OUT_OF_RANGE;
	else if (e)
		op->error = KERR_KAFKA_STORAGE_ERROR;
	if (op->error == KERR_KAFKA_STORAGE_ERROR && e != ERR_NOFILES)
		partition_fail(p, e);
	else if (c->replica >= 0 && partition_throttles(p, c->replica))
		throttle_take(&p->shard->broker->leader_throttle, p->shard->dynamic.leader_throttle,
			      env_mono_us(p->shard->env), op->data.n);
}

/* A follower that catches up waits for its turn (KIP-73), and is given small pieces. */
static bool is_throttled(const struct read_call *c, struct partition *p, int64_t *max)
{
	struct shard *s = p->shard;
	int64_t rate = s->dynamic.leader_throttle, wait_us;

	if (c->replica < 0 || rate == THROTTLE_NONE || !partition_throttles(p, c->replica))
		return false;
	*max = throttle_piece(rate, (int32_t)i64_min(*max, INT32_MAX));
	wait_us = throttle_wait_us(&s->broker->leader_throttle, rate, env_mono_us(s->env));
	if (wait_us > 0)
		shard_note_throttled(s, &p->throttled, wait_us);
	return wait_us > 0;
}

/* Whether we may serve this reader at all. */
static enum kerr check(const struct read_call *c, struct read_op *op, const struct partition *p)
{
	enum kerr e;

	if (!p || p->state == PARTITION_OPENING)
		return KERR_NOT_LEADER_OR_FOLLOWER;
	op->leader = p->replica.leader;
	op->leader_epoch_now = p->replica.leader_epoch;
	if (p->state == PARTITION_OFFLINE)
		return KERR_KAFKA_STORAGE_ERROR;
	if (op->leader_epoch >= 0 && op->leader_epoch < p->replica.leader_epoch)
		return KERR_FENCED_LEADER_EPOCH;
	if (op->leader_epoch >= 0 && op->leader_epoch > p->replica.leader_epoch)
		return KERR_UNKNOWN_LEADER_EPOCH;
	if (!partition_is_leader(p) && !(c->any_replica && p->replica.role == REPLICA_FOLLOWER))
		return KERR_NOT_LEADER_OR_FOLLOWER;
	if (c->replica >= 0 && (e = check_follower(c, p)) != KERR_NONE)
		return e;
	return KERR_NONE;
}

static enum kerr check_follower(const struct read_call *c, const struct partition *p)
{
	switch (replica_admits(&p->replica, c->replica, c->replica_epoch)) {
	case REPLICA_UNASSIGNED: return KERR_UNKNOWN_LEADER_EPOCH;
	case REPLICA_STALE:
		return KERR_NOT_LEADER_OR_FOLLOWER; /* an earlier life of that broker (KIP-903) */
	case REPLICA_ADMIT: break;
	}
	return KERR_NONE;
}

/* True: the answer is a diverging epoch, or an error, and carries no records (KIP-595). */
static bool diverges(struct read_op *op, const struct partition *p)
{
	struct epoch_entry end =
		epoch_cache_end_of(&p->epochs, op->last_fetched_epoch, p->replica.log_end);

	if (end.epoch == EPOCH_NONE || op->offset < p->replica.log_start) {
		op->error = KERR_OFFSET_OUT_OF_RANGE;
		return false;
	}
	if (end.epoch < op->last_fetched_epoch || end.start_offset < op->offset) {
		MARK(follower_told_to_diverge);
		op->diverging = end;
		return true;
	}
	return false;
}

/* ---- the long poll ------------------------------------------------------------------------- */

static void park(struct read_call *c)
{
	ASSERT(!c->is_parked);
	c->is_parked = true;
	list_init(&c->ready);
	for (struct read_op *op = c->ops; op; op = op->next) {
		op->at = partition_find(c->call.to, op->topic_id, op->partition);
		op->call = c;
		ASSERT(op->at);
		list_push_back(&op->at->watches, &op->watch);
		if (lacks_news(op))
			shard_note_hw(op->at->shard, &op->at->hw_lagging);
	}
}

/* A follower that becomes the leader should know what is committed, so it is told within some
 * milliseconds even when there is nothing else to tell. */
static bool lacks_news(const struct read_op *op)
{
	return op->wants_news && op->told_high_watermark != op->at->replica.high_watermark;
}

static void unpark(struct read_call *c)
{
	ASSERT(c->is_parked);
	c->is_parked = false;
	list_remove(&c->ready);
	for (struct read_op *op = c->ops; op; op = op->next) {
		list_remove(&op->watch);
		op->at = NULL;
	}
}

/* Only watches that the news concerns: a consumer does not wake for a log end it may not read. */
void read_wake(struct partition *p, enum read_wake why)
{
	struct replica *r = &p->replica;

	LIST_FOR (op, &p->watches, struct read_op, watch) {
		int64_t bound = op->call->replica >= 0 ? r->log_end : r->high_watermark;
		if ((why == READ_MOVED && bound <= op->offset) ||
		    (why == READ_NEWS && !lacks_news(op)))
			continue;
		if (op->woken < why)
			op->woken = why;
		list_remove(&op->call->ready);
		list_push_back(&p->shard->ready, &op->call->ready);
		shard_want_ready(p->shard);
	}
}

void read_ready(struct shard *s)
{
	struct list now;
	struct read_call *c;

	/* What is woken by the answers we give below is looked at in the next round. */
	list_init(&now);
	while (!list_empty(&s->ready)) {
		struct list *n = s->ready.next;
		list_remove(n);
		list_push_back(&now, n);
	}
	while ((c = LIST_FIRST(&now, struct read_call, ready))) {
		unpark(c);
		read_all(c, true);
		if (c->is_enough)
			call_return(&c->call);
		else
			park(c);
	}
}

/* ---- calling it back ------------------------------------------------------------------------- */

void read_call_cancel(struct read_call *c)
{
	ASSERT(c->is_out && !c->is_cancelling);
	c->is_cancelling = true;
	c->cancel.fn = cancel_arrives;
	if (c->call.to == c->call.from)
		cancel_arrives(&c->cancel);
	else
		env_post(c->call.to->env, &c->cancel);
}

/* The call may have left already; its own way back and ours keep their order. */
static void cancel_arrives(struct mail *m)
{
	struct read_call *c = CONTAINER_OF(m, struct read_call, cancel);

	if (c->is_parked) {
		unpark(c);
		for (struct read_op *op = c->ops; op; op = op->next)
			op->woken = READ_MOVED;
		read_all(c, true);
		call_return(&c->call);
	}
	c->cancel.fn = cancel_returns;
	if (c->call.to == c->call.from)
		cancel_returns(&c->cancel);
	else
		env_post(c->call.from->env, &c->cancel);
}

static void cancel_returns(struct mail *m)
{
	struct read_call *c = CONTAINER_OF(m, struct read_call, cancel);

	c->is_cancelling = false;
	c->cancelled(c);
}

void read_call_add(struct read_call *c, struct read_op *op)
{
	op->next = NULL;
	if (c->last)
		c->last->next = op;
	else
		c->ops = op;
	c->last = op;
	c->n++;
}
