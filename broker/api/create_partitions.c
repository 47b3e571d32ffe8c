/* CreatePartitions(37): a topic grows; the controller places what is new. */
#include "broker/api/create_partitions.h"

#include "broker/api/forward.h"
#include "kafka/create_partitions.h"

static Weir__CreatePartitionsTopic *ask_topic(struct req *,
					      const struct create_partitions_request_topic *);
static void answer(struct forward *);

enum api_ret handle_create_partitions(struct req *q)
{
	const struct create_partitions_request *in = q->in;
	struct create_partitions_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_CREATE_PARTITIONS, in->timeout_ms);
	Weir__CreatePartitions *m = f->request->create_partitions =
		ARENA_NEW(q, Weir__CreatePartitions, 1);

	out->n_results = in->n_topics;
	out->results =
		schema_new(&create_partitions_response_result_schema, &q->arena, in->n_topics);
	weir__create_partitions__init(m);
	m->has_validate_only = m->has_timeout_ms = true;
	m->validate_only = in->validate_only;
	m->timeout_ms = f->wait_ms;
	m->topics = ARENA_NEW(q, Weir__CreatePartitionsTopic *, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		out->results[i].name = in->topics[i].name;
		m->topics[m->n_topics++] = ask_topic(q, &in->topics[i]);
	}
	return m->n_topics > 0 ? forward_go(f, answer) : API_DONE;
}

static Weir__CreatePartitionsTopic *ask_topic(struct req *q,
					      const struct create_partitions_request_topic *in)
{
	Weir__CreatePartitionsTopic *t = ARENA_NEW(q, Weir__CreatePartitionsTopic, 1);

	weir__create_partitions_topic__init(t);
	t->name = forward_z(q, in->name);
	t->count = in->count;
	t->assignments = ARENA_NEW(q, Weir__BrokerIds *, in->n_assignments);
	for (int32_t i = 0; i < in->n_assignments; i++)
		t->assignments[t->n_assignments++] = forward_ids(q, in->assignments[i].broker_ids,
								 in->assignments[i].n_broker_ids);
	return t;
}

static void answer(struct forward *f)
{
	struct create_partitions_response *out = f->q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_TOPICS);

	for (int32_t i = 0; i < out->n_results; i++) {
		struct create_partitions_response_result *slot = &out->results[i];
		const Weir__TopicResult *one = NULL;
		if (r && (size_t)i < r->topics->n_topics)
			one = r->topics->topics[i];
		slot->error_code = (int16_t)(one ? one->code
					     : r ? KERR_UNKNOWN_SERVER_ERROR
						 : f->call.code);
		slot->error_message =
			one ? forward_message(f->q, one->code, one->message) : f->call.message;
	}
}
