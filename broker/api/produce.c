/* Produce(0).  Phase 1 checks what needs no log and sends each partition's batch to its shard, all
 * of one shard in one call; phase 2 begins when the last call is back.  The appends themselves are
 * in shard/append.c, the wait of acks=all in shard/wait.c. */
#include "broker/api/produce.h"

#include "broker/api/client.h"
#include "broker/api/leader_hints.h"
#include "broker/api/relay.h"
#include "broker/shard/append.h"
#include "broker/shard/refusals.h"
#include "common/base/crc32c.h"
#include "kafka/produce.h"

#define MOVED_NOWHERE (-2)

struct produce_work {
	int32_t n_out; /* calls not yet back, and one for phase 1 */
	bool has_error;
	bool is_final;    /* some batch was appended here, or refused for what it is */
	int32_t moved_to; /* who leads the others now; -1: nobody that we know, or several */
	struct append_call *calls; /* by shard */
};

static void route(struct req *, const struct produce_request *, struct produce_response *);
static void refuse_all(struct req *, const struct produce_request *, struct produce_response *,
		       enum kerr);
static enum kerr topic_refusal(struct req *, const struct produce_request_topic *,
			       const struct image_topic *, const struct produce_request_partition *,
			       enum kerr *before);
static struct str records_of(const struct produce_request_partition *);
static void send_calls(struct req *);
static void call_done(struct call *);
static void answer(struct req *, struct append_op *);
static void name_records(struct req *, struct produce_response_partition *,
			 const struct validate_result *);
static void note_move(struct produce_work *, const struct append_op *);
static enum api_ret finish(struct req *);
static bool is_late(const struct req *);

enum api_ret handle_produce(struct req *q)
{
	const struct produce_request *in = q->in;
	struct produce_response *out = q->out;
	struct produce_work *w = q->work = ARENA_NEW(q, struct produce_work, 1);

	out->n_responses = in->n_topic_data;
	out->responses = schema_new(&produce_response_topic_schema, &q->arena, in->n_topic_data);
	for (int32_t i = 0; i < in->n_topic_data; i++) {
		struct produce_response_topic *t = &out->responses[i];
		t->name = in->topic_data[i].name;
		t->topic_id = in->topic_data[i].topic_id;
		t->n_partition_responses = in->topic_data[i].n_partition_data;
		t->partition_responses = schema_new(&produce_response_partition_schema, &q->arena,
						    t->n_partition_responses);
	}
	w->n_out = 1;
	w->moved_to = MOVED_NOWHERE;
	if (in->acks < -1 || in->acks > 1)
		refuse_all(q, in, out, KERR_INVALID_REQUIRED_ACKS);
	else if (!str_null(in->transactional_id))
		refuse_all(q, in, out, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	else {
		route(q, in, out);
		send_calls(q);
	}
	return --w->n_out == 0 ? finish(q) : API_WAIT;
}

static void refuse_all(struct req *q, const struct produce_request *in,
		       struct produce_response *out, enum kerr e)
{
	struct produce_work *w = q->work;

	for (int32_t i = 0; i < in->n_topic_data; i++)
		for (int32_t j = 0; j < in->topic_data[i].n_partition_data; j++) {
			struct produce_response_partition *slot =
				&out->responses[i].partition_responses[j];
			slot->index = in->topic_data[i].partition_data[j].index;
			slot->error_code = (int16_t)e;
			slot->base_offset = -1;
			w->has_error = true;
		}
}

/* Groups the batches by owning shard. */
static void route(struct req *q, const struct produce_request *in, struct produce_response *out)
{
	struct produce_work *w = q->work;
	struct broker *b = q->shard->broker;

	w->calls = ARENA_NEW(q, struct append_call, b->n_shards);
	for (int32_t i = 0; i < in->n_topic_data; i++) {
		const struct produce_request_topic *t = &in->topic_data[i];
		const struct image_topic *topic = api_topic(q, t->name, t->topic_id);
		for (int32_t j = 0; j < t->n_partition_data; j++) {
			const struct produce_request_partition *p = &t->partition_data[j];
			struct produce_response_partition *slot =
				&out->responses[i].partition_responses[j];
			enum kerr before, e = topic_refusal(q, t, topic, p, &before);
			slot->index = p->index;
			slot->base_offset = -1;
			slot->error_code = (int16_t)e;
			w->has_error |= e != KERR_NONE;
			w->is_final |= e != KERR_NONE;
			if (e != KERR_NONE)
				continue;
			struct append_call *c = &w->calls[broker_shard(b, topic->id, p->index)->id];
			struct append_op *op = ARENA_NEW(q, struct append_op, 1);
			*op = (struct append_op){ .topic_id = topic->id,
						  .partition = p->index,
						  .records = records_of(p),
						  .before = before,
						  .slot = slot };
			append_call_add(c, op);
		}
	}
}

/* A new topic may become known here between two batches of one producer. */
static enum kerr topic_refusal(struct req *q, const struct produce_request_topic *t,
			       const struct image_topic *topic,
			       const struct produce_request_partition *p, enum kerr *before)
{
	uint32_t name =
		crc32c(crc32c(0, t->name.at, t->name.n), t->topic_id.b, sizeof(t->topic_id.b));
	uint64_t where = (uint64_t)name << 32 | (uint32_t)p->index;
	enum kerr e = api_partition_known(topic, p->index, q->head.api_version >= 13);

	*before = KERR_NONE;
	if (e == KERR_NONE)
		*before = refusals_before(q->shard, where, records_of(p));
	else
		refusals_note(q->shard, where, records_of(p), e);
	return e;
}

static struct str records_of(const struct produce_request_partition *p)
{
	return (struct str){ (const char *)p->records.at,
			     p->records.n > 0 ? (size_t)p->records.n : 0 };
}

/* All calls are counted before the first is sent: one to our own shard is answered inside
 * call_send. */
static void send_calls(struct req *q)
{
	const struct produce_request *in = q->in;
	struct produce_work *w = q->work;
	struct broker *b = q->shard->broker;
	int n_calls = 0;

	for (int i = 0; i < b->n_shards; i++)
		n_calls += w->calls[i].n > 0;
	for (int i = 0; i < b->n_shards; i++) {
		struct append_call *c = &w->calls[i];
		if (c->n == 0)
			continue;
		c->call = (struct call){ .from = q->shard,
					 .to = b->shards[i],
					 .work = append_call_work,
					 .done = call_done };
		c->acks = in->acks;
		c->zstd_allowed = q->head.api_version >= 7;
		c->timeout_ms = in->timeout_ms;
		c->arg = q;
		w->n_out++;
		if (n_calls == 1)
			client_note_owner(q, b->shards[i]);
		call_send(&c->call);
	}
}

static void call_done(struct call *call)
{
	struct append_call *c = CONTAINER_OF(call, struct append_call, call);
	struct req *q = c->arg;
	struct produce_work *w = q->work;

	for (struct append_op *op = c->ops; op; op = op->next)
		answer(q, op);
	if (--w->n_out == 0 && finish(q) == API_DONE)
		req_done(q);
}

/* The slot is filled on the connection's shard, in the reply that it lies in. */
static void answer(struct req *q, struct append_op *op)
{
	struct produce_work *w = q->work;
	struct produce_response_partition *slot = op->slot;

	slot->error_code = (int16_t)op->error;
	slot->base_offset = op->base_offset;
	slot->log_append_time_ms = op->append_time_ms;
	slot->log_start_offset = op->log_start;
	note_move(w, op);
	if (op->error == KERR_NONE)
		return;
	w->has_error = true;
	slot->error_message = str_of(kerr_text(op->error));
	if (op->refused)
		name_records(q, slot, op->refused);
	mem_free(op->refused);
	op->refused = NULL;
	if (op->error == KERR_NOT_LEADER_OR_FOLLOWER && op->leader >= 0) {
		slot->current_leader.leader_id = op->leader;
		slot->current_leader.leader_epoch = op->leader_epoch;
		produce_hint(q, q->out, op->leader);
	}
}

/* KIP-467: which records, and why. */
static void name_records(struct req *q, struct produce_response_partition *slot,
			 const struct validate_result *r)
{
	if (r->text[0])
		slot->error_message = arena_str(&q->arena, str_of(r->text));
	slot->n_record_errors = r->n_errors;
	slot->record_errors =
		schema_new(&produce_response_record_error_schema, &q->arena, r->n_errors);
	for (int32_t i = 0; i < r->n_errors; i++) {
		slot->record_errors[i].batch_index = r->errors[i].index;
		slot->record_errors[i].batch_index_error_message = str_of(r->errors[i].text);
	}
}

static void note_move(struct produce_work *w, const struct append_op *op)
{
	if (op->error != KERR_NOT_LEADER_OR_FOLLOWER || op->is_unsure)
		w->is_final = true;
	else
		w->moved_to =
			w->moved_to == MOVED_NOWHERE || w->moved_to == op->leader ? op->leader : -1;
}

/* acks=0 gets no answer; an error is told by closing the connection. */
static enum api_ret finish(struct req *q)
{
	const struct produce_request *in = q->in;
	const struct produce_work *w = q->work;

	q->is_silent = in->acks == 0;
	q->is_closing = in->acks == 0 && w->has_error;
	return is_late(q) && relay_produce(q->shard->api->relays, q, w->moved_to) ? API_WAIT
										  : API_DONE;
}

/* All of it belongs to one other leader, because we are shutting down.  What a produce that went
 * well pays for the question is one comparison. */
static bool is_late(const struct req *q)
{
	const struct produce_request *in = q->in;
	const struct produce_work *w = q->work;
	const struct shard *s = q->shard;
	const struct image_broker *self;

	if (w->moved_to < 0 || w->is_final || in->acks == 0)
		return false;
	self = image_broker(s->image, s->broker->conf->node_id);
	return self && self->in_controlled_shutdown && w->moved_to != self->id;
}
