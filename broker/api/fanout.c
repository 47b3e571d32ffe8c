/* fanout.c - one ask_call per shard; the last that comes back ends the request. */
#include "broker/api/fanout.h"

struct fanout {
	struct req *q;
	int32_t n_out;
	struct ask_call *calls; /* by shard */
	void (*done)(struct req *, struct ask_op *);
};

static void call_done(struct call *);

struct fanout *fanout_new(struct req *q)
{
	struct fanout *f = ARENA_NEW(q, struct fanout, 1);

	f->q = q;
	f->calls = ARENA_NEW(q, struct ask_call, q->shard->broker->n_shards);
	return f;
}

struct ask_op *fanout_add(struct fanout *f, struct uuid topic_id, int32_t partition, void *slot)
{
	struct ask_call *c = &f->calls[broker_shard(f->q->shard->broker, topic_id, partition)->id];

	struct ask_op *op = ARENA_NEW(f->q, struct ask_op, 1);

	*op = (struct ask_op){
		.topic_id = topic_id, .partition = partition, .leader_epoch = -1, .slot = slot
	};
	ask_call_add(c, op);
	return op;
}

/* n_out counts this function too: a shard that is our own answers inside call_send. */
enum api_ret fanout_go(struct fanout *f, void (*answer)(struct ask_op *, struct partition *),
		       void (*done)(struct req *, struct ask_op *))
{
	struct broker *b = f->q->shard->broker;

	f->done = done;
	f->n_out = 1;
	for (int i = 0; i < b->n_shards; i++) {
		struct ask_call *c = &f->calls[i];
		if (c->n == 0)
			continue;
		c->call = (struct call){ .from = f->q->shard,
					 .to = b->shards[i],
					 .work = ask_call_work,
					 .done = call_done };
		c->answer = answer;
		c->arg = f;
		f->n_out++;
		call_send(&c->call);
	}
	return --f->n_out == 0 ? API_DONE : API_WAIT;
}

static void call_done(struct call *call)
{
	struct ask_call *c = CONTAINER_OF(call, struct ask_call, call);
	struct fanout *f = c->arg;

	for (struct ask_op *op = c->ops; op; op = op->next)
		f->done(f->q, op);
	if (--f->n_out == 0)
		req_done(f->q);
}
