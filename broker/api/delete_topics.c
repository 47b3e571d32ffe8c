/* DeleteTopics(20): by name, from version 6 also by id.  A topic asked for by id is answered with
 * its name, too. */
#include "broker/api/delete_topics.h"

#include "broker/api/forward.h"
#include "kafka/delete_topics.h"

static void add(struct req *, Weir__DeleteTopics *, struct str name, struct uuid id);
static void answer(struct forward *);

enum api_ret handle_delete_topics(struct req *q)
{
	const struct delete_topics_request *in = q->in;
	struct delete_topics_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_DELETE_TOPICS, in->timeout_ms);
	Weir__DeleteTopics *m = f->request->delete_topics = ARENA_NEW(q, Weir__DeleteTopics, 1);
	bool by_id = q->head.api_version >= 6;

	out->n_responses = by_id ? in->n_topics : in->n_topic_names;
	out->responses =
		schema_new(&delete_topics_response_result_schema, &q->arena, out->n_responses);
	weir__delete_topics__init(m);
	m->has_timeout_ms = true;
	m->timeout_ms = f->wait_ms;
	m->topics = ARENA_NEW(q, Weir__DeleteTopic *, out->n_responses);
	for (int32_t i = 0; i < out->n_responses; i++) {
		struct delete_topics_response_result *slot = &out->responses[i];
		slot->name = by_id ? in->topics[i].name : in->topic_names[i];
		if (by_id)
			slot->topic_id = in->topics[i].topic_id;
		if (str_null(slot->name) == uuid_is_zero(slot->topic_id)) {
			slot->error_code = KERR_INVALID_REQUEST;
			slot->error_message = STR(
				"A topic is deleted by its name or by its id: give one of them.");
			continue;
		}
		add(q, m, slot->name, slot->topic_id);
	}
	return m->n_topics > 0 ? forward_go(f, answer) : API_DONE;
}

static void add(struct req *q, Weir__DeleteTopics *m, struct str name, struct uuid id)
{
	Weir__DeleteTopic *t = m->topics[m->n_topics++] = ARENA_NEW(q, Weir__DeleteTopic, 1);

	weir__delete_topic__init(t);
	t->name = forward_z(q, name);
	t->has_id = str_null(name);
	if (!t->has_id)
		return;
	t->id.len = sizeof(id.b);
	t->id.data = ARENA_NEW(q, uint8_t, sizeof(id.b));
	memcpy(t->id.data, id.b, sizeof(id.b));
}

static void answer(struct forward *f)
{
	struct req *q = f->q;
	struct delete_topics_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_TOPICS);
	size_t at = 0;

	for (int32_t i = 0; i < out->n_responses; i++) {
		struct delete_topics_response_result *slot = &out->responses[i];
		const Weir__TopicResult *one = NULL;
		if (slot->error_code != KERR_NONE)
			continue;
		if (r && at < r->topics->n_topics)
			one = r->topics->topics[at++];
		slot->error_code = (int16_t)(one ? one->code
					     : r ? KERR_UNKNOWN_SERVER_ERROR
						 : f->call.code);
		slot->error_message =
			one ? forward_message(q, one->code, one->message) : f->call.message;
		if (!one || one->code != KERR_NONE)
			continue;
		if (one->name)
			slot->name = arena_str(&q->arena, str_of(one->name));
		if (one->has_id && one->id.len == sizeof(slot->topic_id.b))
			memcpy(slot->topic_id.b, one->id.data, sizeof(slot->topic_id.b));
	}
}
