/* deletes.c - DeleteRecords (KIP-107) on the leader.
 *
 *   begin: check, raise our own log start -> wait on p->deletes for the others
 *   deletes_look: a follower's fetch told its log start (partition_step) -> low_watermark
 *
 * Followers learn the new start from the answers to their fetches. */
#include "broker/shard/deletes.h"

#include "broker/shard/partition.h"
#include "broker/shard/shard.h"

static void begin(struct delete_op *, struct partition *);
static int64_t low_watermark(const struct partition *);
static void expired(void *arg);
static void finish(struct delete_op *, enum kerr);
static void op_done(struct delete_call *);

void delete_call_work(struct call *call)
{
	struct delete_call *c = CONTAINER_OF(call, struct delete_call, call);

	c->n_left = c->n + 1;
	for (struct delete_op *op = c->ops; op; op = op->next) {
		op->call = c;
		op->low_watermark = -1;
		list_init(&op->node);
		begin(op, partition_find(call->to, op->topic_id, op->partition));
	}
	op_done(c);
}

/* Only below the high watermark, and only where cleanup.policy has delete. */
static void begin(struct delete_op *op, struct partition *p)
{
	op->error = !p || p->state == PARTITION_OPENING ? KERR_NOT_LEADER_OR_FOLLOWER
							: partition_refusal(p);
	if (op->error == KERR_NONE && !p->conf.is_deleted)
		op->error = KERR_POLICY_VIOLATION;
	if (op->error == KERR_NONE) {
		if (op->offset == -1)
			op->offset = p->replica.high_watermark;
		if (op->offset < 0 || op->offset > p->replica.high_watermark)
			op->error = KERR_OFFSET_OUT_OF_RANGE;
	}
	if (op->error == KERR_NONE && op->offset > p->replica.log_start &&
	    partition_raise_start(p, op->offset))
		op->error = KERR_KAFKA_STORAGE_ERROR;
	if (op->error != KERR_NONE || low_watermark(p) >= op->offset) {
		op->low_watermark = op->error == KERR_NONE ? low_watermark(p) : -1;
		op_done(op->call);
		return;
	}
	op->at = p;
	list_push_back(&p->deletes, &op->node);
	timer_init(&op->deadline, expired, op);
	timer_after_ms(p->shard->env, &op->deadline, i64_max(op->call->timeout_ms, 0));
}

/* Over the replicas that are alive; one never heard of holds everything back. */
static int64_t low_watermark(const struct partition *p)
{
	int64_t low = p->replica.log_start;

	for (int32_t i = 0; i < p->replica.n_peers; i++) {
		const struct replica_peer *peer = &p->replica.peers[i];
		if (peer->id != p->replica.self && peer->eligible)
			low = i64_min(low, peer->log_start);
	}
	return low;
}

void deletes_look(struct partition *p)
{
	int64_t low = low_watermark(p);

	LIST_FOR (op, &p->deletes, struct delete_op, node)
		if (low >= op->offset) {
			op->low_watermark = low;
			finish(op, KERR_NONE);
		}
}

void deletes_fail(struct partition *p, enum kerr e)
{
	struct delete_op *op;

	while ((op = LIST_FIRST(&p->deletes, struct delete_op, node)))
		finish(op, e);
}

static void expired(void *arg)
{
	finish(arg, KERR_REQUEST_TIMED_OUT);
}

static void finish(struct delete_op *op, enum kerr e)
{
	op->error = e;
	timer_clear(op->at->shard->env, &op->deadline);
	list_remove(&op->node);
	op_done(op->call);
}

static void op_done(struct delete_call *c)
{
	if (--c->n_left == 0)
		call_return(&c->call);
}

void delete_call_add(struct delete_call *c, struct delete_op *op)
{
	op->next = NULL;
	if (c->last)
		c->last->next = op;
	else
		c->ops = op;
	c->last = op;
	c->n++;
}
