/* CreateTopics(19): the controller decides; from version 5 the reply also tells what was made. */
#include "broker/api/create_topics.h"

#include "broker/api/config_values.h"
#include "broker/api/forward.h"
#include "kafka/create_topics.h"

#define REPLY_BYTES_MAX ((size_t)96 << 20) /* of memory; past it configs are left out */

static Weir__CreateTopic *ask_topic(struct req *, const struct create_topics_request_topic *);
static bool take_assignments(struct req *, const struct create_topics_request_topic *,
			     Weir__CreateTopic *);
static void refuse(struct create_topics_response_topic *, int32_t code, struct str message);
static void answer(struct forward *);
static void take_result(struct req *, const Weir__TopicResult *,
			struct create_topics_response_topic *);
static void fill_configs(struct req *, const struct create_topics_request_topic *,
			 struct create_topics_response_topic *);
static struct image_topic *as_asked(struct req *, const struct create_topics_request_topic *);

/* Topics that cannot even be asked for are refused here; their slots hold an error from the start.
 */
enum api_ret handle_create_topics(struct req *q)
{
	const struct create_topics_request *in = q->in;
	struct create_topics_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_CREATE_TOPICS, in->timeout_ms);
	Weir__CreateTopics *m = f->request->create_topics = ARENA_NEW(q, Weir__CreateTopics, 1);

	out->n_topics = in->n_topics;
	out->topics = schema_new(&create_topics_response_topic_schema, &q->arena, in->n_topics);
	weir__create_topics__init(m);
	m->topics = ARENA_NEW(q, Weir__CreateTopic *, in->n_topics);
	m->has_validate_only = m->has_timeout_ms = true;
	m->validate_only = in->validate_only;
	m->timeout_ms = f->wait_ms;
	for (int32_t i = 0; i < in->n_topics; i++) {
		struct create_topics_response_topic *slot = &out->topics[i];
		Weir__CreateTopic *t = ask_topic(q, &in->topics[i]);
		slot->name = in->topics[i].name;
		if (t)
			m->topics[m->n_topics++] = t;
		else
			refuse(slot, KERR_INVALID_REPLICA_ASSIGNMENT,
			       STR("The partitions of a manual assignment must be numbered from 0, "
				   "each once."));
	}
	return m->n_topics > 0 ? forward_go(f, answer) : API_DONE;
}

static Weir__CreateTopic *ask_topic(struct req *q, const struct create_topics_request_topic *in)
{
	Weir__CreateTopic *t = ARENA_NEW(q, Weir__CreateTopic, 1);

	weir__create_topic__init(t);
	t->name = forward_z(q, in->name);
	t->has_partitions = t->has_replication_factor = true;
	t->partitions = in->num_partitions;
	t->replication_factor = in->replication_factor;
	t->configs = ARENA_NEW(q, Weir__Config *, in->n_configs);
	for (int32_t i = 0; i < in->n_configs; i++) {
		Weir__Config *c = t->configs[t->n_configs++] = ARENA_NEW(q, Weir__Config, 1);
		weir__config__init(c);
		c->name = forward_z(q, in->configs[i].name);
		c->value = forward_z(q, in->configs[i].value);
	}
	return take_assignments(q, in, t) ? t : NULL;
}

/* By partition number, wherever in the request each stands. */
static bool take_assignments(struct req *q, const struct create_topics_request_topic *in,
			     Weir__CreateTopic *t)
{
	t->assignments = ARENA_NEW(q, Weir__BrokerIds *, in->n_assignments);
	t->n_assignments = (size_t)i32_max(in->n_assignments, 0);
	for (int32_t i = 0; i < in->n_assignments; i++) {
		const struct create_topics_request_assignment *a = &in->assignments[i];
		if (a->partition_index < 0 || a->partition_index >= in->n_assignments ||
		    t->assignments[a->partition_index])
			return false;
		t->assignments[a->partition_index] = forward_ids(q, a->broker_ids, a->n_broker_ids);
	}
	return true;
}

static void refuse(struct create_topics_response_topic *slot, int32_t code, struct str message)
{
	slot->error_code = (int16_t)code;
	slot->error_message = message;
}

/* Results come in the order in which topics were asked; slots that were refused here are passed
 * over. */
static void answer(struct forward *f)
{
	struct req *q = f->q;
	const struct create_topics_request *in = q->in;
	struct create_topics_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_TOPICS);
	size_t at = 0;

	for (int32_t i = 0; i < out->n_topics; i++) {
		struct create_topics_response_topic *slot = &out->topics[i];
		if (slot->error_code != KERR_NONE)
			continue;
		if (!r || at >= r->topics->n_topics) {
			refuse(slot, r ? KERR_UNKNOWN_SERVER_ERROR : f->call.code, f->call.message);
			continue;
		}
		take_result(q, r->topics->topics[at++], slot);
		if (slot->error_code == KERR_NONE && q->head.api_version >= 5 &&
		    q->arena.used_bytes < REPLY_BYTES_MAX)
			fill_configs(q, &in->topics[i], slot);
	}
}

static void take_result(struct req *q, const Weir__TopicResult *r,
			struct create_topics_response_topic *slot)
{
	slot->error_code = (int16_t)r->code;
	slot->error_message = forward_message(q, r->code, r->message);
	if (r->code != KERR_NONE)
		return;
	slot->num_partitions = r->has_partitions ? r->partitions : -1;
	slot->replication_factor =
		(int16_t)(r->has_replication_factor ? r->replication_factor : -1);
	if (r->has_id && r->id.len == sizeof(slot->topic_id.b))
		memcpy(slot->topic_id.b, r->id.data, sizeof(slot->topic_id.b));
}

/* From version 5 (KIP-525): what the topic runs on, with the source of each value. */
static void fill_configs(struct req *q, const struct create_topics_request_topic *in,
			 struct create_topics_response_topic *slot)
{
	const struct image_topic *t = q->image ? image_topic_named(q->image, in->name) : NULL;
	struct config_level v[CONFIG_LEVELS_MAX];

	if (!t)
		t = as_asked(q, in);
	slot->configs =
		schema_new(&create_topics_response_config_schema, &q->arena, topic_conf_n_rows);
	for (int i = 0; i < topic_conf_n_rows; i++) {
		if (config_is_internal(&topic_conf_rows[i]))
			continue;
		(void)config_topic_levels(q, t, &topic_conf_rows[i], v);
		slot->configs[slot->n_configs++] = (struct create_topics_response_config){
			.name = str_of(topic_conf_rows[i].name),
			.value = v[0].value,
			.config_source = v[0].source
		};
	}
}

/* The topic that was only validated, or is not yet in this broker's image. */
static struct image_topic *as_asked(struct req *q, const struct create_topics_request_topic *in)
{
	struct image_topic *t = ARENA_NEW(q, struct image_topic, 1);

	t->name = in->name;
	t->configs = ARENA_NEW(q, struct image_config, in->n_configs);
	for (int32_t i = 0; i < in->n_configs; i++)
		t->configs[t->n_configs++] =
			(struct image_config){ in->configs[i].name, in->configs[i].value };
	return t;
}
