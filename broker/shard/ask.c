/* ask.c - small questions answered from a partition's state: offsets by time, ends of epochs.
 *
 * What ListOffsets may see depends on who asks: consumers up to the high watermark, followers up to
 * the log end, REPLICA_DEBUGGER whatever this replica has. */
#include "broker/shard/ask.h"

#include "broker/shard/shard.h"

enum {
	AT_LATEST = -1,
	AT_EARLIEST = -2,
	AT_MAX_TIME = -3,
	AT_EARLIEST_LOCAL = -4,
	AT_TIERED = -5,
	AT_PENDING = -6
};
#define REPLICA_DEBUGGER (-2) /* Kafka's word: any replica answers, for what it holds itself */

static void at_latest(struct ask_op *, const struct partition *, int64_t bound);
static void by_time(struct ask_op *, struct partition *, int64_t bound);

void ask_call_work(struct call *call)
{
	struct ask_call *c = CONTAINER_OF(call, struct ask_call, call);

	for (struct ask_op *op = c->ops; op; op = op->next) {
		struct partition *p = partition_find(call->to, op->topic_id, op->partition);
		c->answer(op, p && p->state != PARTITION_OPENING ? p : NULL);
	}
	call_return(call);
}

/* KIP-320: an older epoch is FENCED, a newer one UNKNOWN; only then does it matter
 * whether we lead. */
enum kerr ask_leader(const struct ask_op *op, const struct partition *p)
{
	if (!p)
		return KERR_NOT_LEADER_OR_FOLLOWER;
	if (op->leader_epoch >= 0 && op->leader_epoch < p->replica.leader_epoch)
		return KERR_FENCED_LEADER_EPOCH;
	if (op->leader_epoch >= 0 && op->leader_epoch > p->replica.leader_epoch)
		return KERR_UNKNOWN_LEADER_EPOCH;
	return partition_refusal(p);
}

/* Kafka's special timestamps; the ones of tiered storage find nothing here. */
void ask_offset(struct ask_op *op, struct partition *p)
{
	bool any_replica =
		op->in[ASK_REPLICA] == REPLICA_DEBUGGER && p && p->state == PARTITION_OPEN;
	int64_t bound;

	op->out[ASK_OFFSET] = op->out[ASK_FOUND_MS] = op->out[ASK_EPOCH] = -1;
	op->error = any_replica ? KERR_NONE : ask_leader(op, p);
	if (op->error != KERR_NONE)
		return;
	bound = any_replica || op->in[ASK_REPLICA] >= 0 ? p->replica.log_end
							: p->replica.high_watermark;
	switch (op->in[ASK_TIMESTAMP]) {
	case AT_LATEST: at_latest(op, p, bound); break;
	case AT_EARLIEST:
	case AT_EARLIEST_LOCAL:
		op->out[ASK_OFFSET] = p->replica.log_start;
		op->out[ASK_EPOCH] = epoch_cache_at(&p->epochs, p->replica.log_start);
		break;
	case AT_TIERED:
	case AT_PENDING: break;
	default: by_time(op, p, bound); break;
	}
}

/* A new leader's high watermark may lie behind what its predecessor showed; until it has caught up
 * with the start of its own epoch nobody shall see it go back (KIP-207). */
static void at_latest(struct ask_op *op, const struct partition *p, int64_t bound)
{
	if (op->in[ASK_REPLICA] == -1 && p->replica.high_watermark < p->replica.epoch_start) {
		op->error = KERR_OFFSET_NOT_AVAILABLE;
		return;
	}
	op->out[ASK_OFFSET] = bound;
	op->out[ASK_EPOCH] = p->replica.leader_epoch;
}

/* Nothing found is an answer (-1), except on a new leader that may not know the truth yet. */
static void by_time(struct ask_op *op, struct partition *p, int64_t bound)
{
	struct log_time found;
	enum err e;

	if (op->in[ASK_TIMESTAMP] == AT_MAX_TIME)
		e = log_find_max_time(p->log, bound, &found);
	else
		e = log_find_time(p->log, op->in[ASK_TIMESTAMP], bound, &found);
	if (e) {
		op->error = KERR_KAFKA_STORAGE_ERROR;
		return;
	}
	if (found.offset < 0 || found.offset >= bound) {
		if (op->in[ASK_REPLICA] < 0 && p->replica.high_watermark < p->replica.epoch_start)
			op->error = KERR_OFFSET_NOT_AVAILABLE;
		return;
	}
	op->out[ASK_OFFSET] = found.offset;
	op->out[ASK_FOUND_MS] = found.timestamp_ms;
	op->out[ASK_EPOCH] = found.leader_epoch;
}

/* OffsetForLeaderEpoch: what a follower of an older version, or a consumer, checks
 * its log against. */
void ask_epoch_end(struct ask_op *op, struct partition *p)
{
	struct epoch_entry end;

	op->out[ASK_OFFSET] = op->out[ASK_EPOCH] = -1;
	if ((op->error = ask_leader(op, p)) != KERR_NONE)
		return;
	end = epoch_cache_end_of(&p->epochs, (int32_t)op->in[0], p->replica.log_end);
	op->out[ASK_EPOCH] = end.epoch;
	op->out[ASK_OFFSET] = end.start_offset;
}

void ask_call_add(struct ask_call *c, struct ask_op *op)
{
	op->next = NULL;
	if (c->last)
		c->last->next = op;
	else
		c->ops = op;
	c->last = op;
	c->n++;
}
