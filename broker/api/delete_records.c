/* DeleteRecords(21): each partition's leader raises its log start and waits for the replicas
 * (shard/deletes.c); one call per shard. */
#include "broker/api/delete_records.h"

#include "broker/api/topic_names.h"
#include "broker/shard/deletes.h"
#include "kafka/delete_records.h"

struct delete_work {
	int32_t n_out;             /* calls not yet back, and one for phase 1 */
	struct delete_call *calls; /* by shard */
};

static void route(struct req *, const struct delete_records_request *,
		  struct delete_records_response *);
static void send_calls(struct req *);
static void call_done(struct call *);

enum api_ret handle_delete_records(struct req *q)
{
	const struct delete_records_request *in = q->in;
	struct delete_records_response *out = q->out;
	struct delete_work *w = q->work = ARENA_NEW(q, struct delete_work, 1);

	out->n_topics = in->n_topics;
	out->topics = schema_new(&delete_records_response_topic_schema, &q->arena, in->n_topics);
	w->n_out = 1;
	route(q, in, out);
	send_calls(q);
	return --w->n_out == 0 ? API_DONE : API_WAIT;
}

/* Internal topics are refused: their records are the coordinators'. */
static void route(struct req *q, const struct delete_records_request *in,
		  struct delete_records_response *out)
{
	struct delete_work *w = q->work;
	struct broker *b = q->shard->broker;

	w->calls = ARENA_NEW(q, struct delete_call, b->n_shards);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct delete_records_request_topic *t = &in->topics[i];
		const struct image_topic *topic = api_topic(q, t->name, (struct uuid){ { 0 } });
		out->topics[i].name = t->name;
		out->topics[i].n_partitions = t->n_partitions;
		out->topics[i].partitions = schema_new(&delete_records_response_partition_schema,
						       &q->arena, t->n_partitions);
		for (int32_t j = 0; j < t->n_partitions; j++) {
			struct delete_records_response_partition *slot =
				&out->topics[i].partitions[j];
			enum kerr e =
				api_partition_known(topic, t->partitions[j].partition_index, false);
			if (e == KERR_NONE && topic_name_internal(t->name))
				e = KERR_INVALID_TOPIC_EXCEPTION;
			slot->partition_index = t->partitions[j].partition_index;
			slot->low_watermark = -1;
			slot->error_code = (int16_t)e;
			if (e != KERR_NONE)
				continue;
			struct delete_call *c =
				&w->calls[broker_shard(b, topic->id, slot->partition_index)->id];
			struct delete_op *op = ARENA_NEW(q, struct delete_op, 1);
			*op = (struct delete_op){ .topic_id = topic->id,
						  .partition = slot->partition_index,
						  .offset = t->partitions[j].offset,
						  .slot = slot };
			delete_call_add(c, op);
		}
	}
}

static void send_calls(struct req *q)
{
	const struct delete_records_request *in = q->in;
	struct delete_work *w = q->work;
	struct broker *b = q->shard->broker;

	for (int i = 0; i < b->n_shards; i++) {
		struct delete_call *c = &w->calls[i];
		if (c->n == 0)
			continue;
		c->call = (struct call){ .from = q->shard,
					 .to = b->shards[i],
					 .work = delete_call_work,
					 .done = call_done };
		c->timeout_ms = in->timeout_ms;
		c->arg = q;
		w->n_out++;
		call_send(&c->call);
	}
}

static void call_done(struct call *call)
{
	struct delete_call *c = CONTAINER_OF(call, struct delete_call, call);
	struct req *q = c->arg;
	struct delete_work *w = q->work;

	for (const struct delete_op *op = c->ops; op; op = op->next) {
		struct delete_records_response_partition *slot = op->slot;
		slot->error_code = (int16_t)op->error;
		slot->low_watermark = op->low_watermark;
	}
	if (--w->n_out == 0)
		req_done(q);
}
