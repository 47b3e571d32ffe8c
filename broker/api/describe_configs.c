/* DescribeConfigs(32): topics and brokers, with the source of every value and what stands behind
 * it. A broker knows the options file of itself alone; the name "" asks for what all brokers are
 * told. ListConfigResources(74): what there is to describe. */
#include "broker/api/describe_configs.h"

#include "broker/api/config_values.h"
#include "broker/api/topic_names.h"
#include "common/base/text.h"
#include "kafka/describe_configs.h"
#include "kafka/list_config_resources.h"

#define REPLY_BYTES_MAX ((size_t)64 << 20) /* of memory; a list of resources may repeat one */

enum { LOGGER = 8, CLIENT_METRICS = 16, GROUP = 32 }; /* further resource types: nothing to tell */
enum { TYPE_BOOLEAN = 1, TYPE_STRING, TYPE_INT, TYPE_LONG = 5, TYPE_DOUBLE, TYPE_LIST };

static void describe(struct req *, const struct describe_configs_request_resource *,
		     struct describe_configs_response_result *);
static void describe_topic(struct req *, const struct describe_configs_request_resource *,
			   struct describe_configs_response_result *);
static void describe_broker(struct req *, const struct describe_configs_request_resource *,
			    struct describe_configs_response_result *);
static void describe_cluster_default(struct req *, const struct describe_configs_request_resource *,
				     struct describe_configs_response_result *);
static void describe_unknown(struct req *, const struct describe_configs_request_resource *,
			     struct describe_configs_response_result *);
static void refuse(struct describe_configs_response_result *, enum kerr, struct str message);
static bool is_wanted(const struct describe_configs_request_resource *, struct str name);
static void add(struct req *, struct describe_configs_response_result *, const struct conf_row *,
		const struct config_level *, int n);
static int8_t wire_type(const struct conf_row *);

enum api_ret handle_describe_configs(struct req *q)
{
	const struct describe_configs_request *in = q->in;
	struct describe_configs_response *out = q->out;

	out->n_results = in->n_resources;
	out->results =
		schema_new(&describe_configs_response_result_schema, &q->arena, in->n_resources);
	for (int32_t i = 0; i < in->n_resources; i++)
		describe(q, &in->resources[i], &out->results[i]);
	return API_DONE;
}

/* Each resource is bounded by the same budget of memory, so a long list ends in a clear error. */
static void describe(struct req *q, const struct describe_configs_request_resource *in,
		     struct describe_configs_response_result *out)
{
	out->resource_type = in->resource_type;
	out->resource_name = in->resource_name;
	out->error_message = STR(""); /* as Kafka: some clients take null for a failure */
	if (q->arena.used_bytes > REPLY_BYTES_MAX)
		refuse(out, KERR_INVALID_REQUEST,
		       STR("This would be too large a reply: ask for fewer resources at once."));
	else if (in->resource_type == IMAGE_TOPIC)
		describe_topic(q, in, out);
	else if (in->resource_type == IMAGE_BROKER && in->resource_name.n == 0)
		describe_cluster_default(q, in, out);
	else if (in->resource_type == IMAGE_BROKER)
		describe_broker(q, in, out);
	else
		refuse(out, KERR_INVALID_REQUEST,
		       arena_printf(
			       &q->arena,
			       "Resource type %d has no configs here; 2 is topic, 4 is broker.",
			       in->resource_type));
}

static void describe_topic(struct req *q, const struct describe_configs_request_resource *in,
			   struct describe_configs_response_result *out)
{
	const struct image_topic *t = api_topic(q, in->resource_name, (struct uuid){ { 0 } });
	struct config_level v[CONFIG_LEVELS_MAX];

	if (!topic_name_ok(in->resource_name)) {
		refuse(out, KERR_INVALID_TOPIC_EXCEPTION,
		       str_of(kerr_text(KERR_INVALID_TOPIC_EXCEPTION)));
		return;
	}
	if (!t) {
		refuse(out, KERR_UNKNOWN_TOPIC_OR_PARTITION,
		       arena_printf(&q->arena, "There is no topic '%.*s'.",
				    (int)in->resource_name.n, in->resource_name.at));
		return;
	}
	out->configs =
		schema_new(&describe_configs_response_config_schema, &q->arena, topic_conf_n_rows);
	for (int i = 0; i < topic_conf_n_rows; i++) {
		const struct conf_row *row = &topic_conf_rows[i];
		if (!config_is_internal(row) && is_wanted(in, str_of(row->name)))
			add(q, out, row, v, config_topic_levels(q, t, row, v));
	}
}

/* The options file is known to its own broker only. */
static void describe_broker(struct req *q, const struct describe_configs_request_resource *in,
			    struct describe_configs_response_result *out)
{
	const struct broker *b = q->shard->broker;
	struct config_level v[CONFIG_LEVELS_MAX];
	int32_t id;

	if (parse_i32(in->resource_name, &id) || id != b->conf->node_id) {
		refuse(out, KERR_INVALID_REQUEST,
		       arena_printf(&q->arena,
				    "This is broker %d, which cannot tell the options of broker "
				    "'%.*s'; ask that broker.",
				    b->conf->node_id, (int)in->resource_name.n,
				    in->resource_name.at));
		return;
	}
	const struct image_broker *self = config_self(q);
	int32_t n_unknown =
		(self ? self->n_configs : 0) + (q->image ? q->image->n_broker_configs : 0);
	out->configs = schema_new(&describe_configs_response_config_schema, &q->arena,
				  b->n_rows + n_unknown);
	for (int32_t i = 0; i < b->n_rows; i++)
		if (!config_is_internal(&b->rows[i]) && is_wanted(in, str_of(b->rows[i].name)))
			add(q, out, &b->rows[i], v, config_broker_levels(q, &b->rows[i], v));
	describe_unknown(q, in, out);
}

/* Dynamic configs that this broker has no option for: told, so that they can be found and removed.
 */
static void describe_unknown(struct req *q, const struct describe_configs_request_resource *in,
			     struct describe_configs_response_result *out)
{
	const struct broker *b = q->shard->broker;
	const struct image_broker *self = config_self(q);

	for (int32_t i = 0; self && i < self->n_configs; i++) {
		struct config_level v = { self->configs[i].name, self->configs[i].value,
					  CONFIG_OF_BROKER };
		if (!conf_find(b->rows, b->n_rows, v.name) && is_wanted(in, v.name))
			add(q, out, NULL, &v, 1);
	}
	for (int32_t i = 0; q->image && i < q->image->n_broker_configs; i++) {
		struct config_level v = { q->image->broker_configs[i].name,
					  q->image->broker_configs[i].value, CONFIG_OF_CLUSTER };
		if (!conf_find(b->rows, b->n_rows, v.name) && is_wanted(in, v.name))
			add(q, out, NULL, &v, 1);
	}
}

static void describe_cluster_default(struct req *q,
				     const struct describe_configs_request_resource *in,
				     struct describe_configs_response_result *out)
{
	const struct broker *b = q->shard->broker;
	int32_t n = q->image ? q->image->n_broker_configs : 0;

	out->configs = schema_new(&describe_configs_response_config_schema, &q->arena, n);
	for (int32_t i = 0; i < n; i++) {
		struct config_level v = { q->image->broker_configs[i].name,
					  q->image->broker_configs[i].value, CONFIG_OF_CLUSTER };
		if (is_wanted(in, v.name))
			add(q, out, conf_find(b->rows, b->n_rows, v.name), &v, 1);
	}
}

static void refuse(struct describe_configs_response_result *out, enum kerr e, struct str message)
{
	out->error_code = (int16_t)e;
	out->error_message = message;
}

/* No list of names, or an empty one: all. */
static bool is_wanted(const struct describe_configs_request_resource *in, struct str name)
{
	for (int32_t i = 0; i < in->n_configuration_keys; i++)
		if (str_eq(in->configuration_keys[i], name))
			return true;
	return in->n_configuration_keys <= 0;
}

static void add(struct req *q, struct describe_configs_response_result *out,
		const struct conf_row *row, const struct config_level *v, int n)
{
	const struct describe_configs_request *in = q->in;
	struct describe_configs_response_config *c = &out->configs[out->n_configs++];
	bool is_topic = out->resource_type == IMAGE_TOPIC;

	c->name = row ? str_of(row->name) : v[0].name;
	c->value = v[0].value;
	c->read_only = row && !row->dynamic;
	c->config_source = v[0].source;
	c->is_default = is_topic ? v[0].source != CONFIG_OF_TOPIC : v[0].source == CONFIG_DEFAULT;
	c->config_type = row ? wire_type(row) : TYPE_STRING;
	if (in->include_documentation && row)
		c->documentation = str_of(row->doc);
	if (!in->include_synonyms || (n == 1 && str_null(v[0].value)))
		return;
	c->synonyms = schema_new(&describe_configs_response_synonym_schema, &q->arena, n);
	for (; c->n_synonyms < n; c->n_synonyms++)
		c->synonyms[c->n_synonyms] = (struct describe_configs_response_synonym){
			v[c->n_synonyms].name, v[c->n_synonyms].value, v[c->n_synonyms].source
		};
}

/* Kafka's numbers; lists are texts here, so those are named. */
static int8_t wire_type(const struct conf_row *row)
{
	static const char *const lists[] = { "cleanup.policy",
					     "log.cleanup.policy",
					     "log.dirs",
					     "listeners",
					     "leader.replication.throttled.replicas",
					     "follower.replication.throttled.replicas" };

	switch (row->type) {
	case CONF_BOOL: return TYPE_BOOLEAN;
	case CONF_I32: return TYPE_INT;
	case CONF_I64: return TYPE_LONG;
	case CONF_F64: return TYPE_DOUBLE;
	case CONF_ENUM: return TYPE_STRING;
	case CONF_STR: break;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (strcmp(lists[i], row->name) == 0)
			return TYPE_LIST;
	return TYPE_STRING;
}

/* ---- ListConfigResources --------------------------------------------------------------------- */

static bool is_asked(const struct list_config_resources_request *in, int8_t type)
{
	for (int32_t i = 0; i < in->n_resource_types; i++)
		if (in->resource_types[i] == type)
			return true;
	return in->n_resource_types <= 0;
}

static void list(struct list_config_resources_response *out, struct str name, int8_t type)
{
	out->config_resources[out->n_config_resources++] =
		(struct list_config_resources_response_config_resource){ name, type };
}

/* Version 0 asks for client metrics, of which there are none. */
enum api_ret handle_list_config_resources(struct req *q)
{
	const struct list_config_resources_request *in = q->in;
	struct list_config_resources_response *out = q->out;
	const struct image *im = q->image;

	for (int32_t i = 0; i < in->n_resource_types; i++) {
		int8_t t = in->resource_types[i];
		if (t != IMAGE_TOPIC && t != IMAGE_BROKER && t != LOGGER && t != CLIENT_METRICS &&
		    t != GROUP) {
			out->error_code = KERR_UNSUPPORTED_VERSION;
			return API_DONE;
		}
	}
	if (q->head.api_version == 0 || !im)
		return API_DONE;
	out->config_resources = schema_new(&list_config_resources_response_config_resource_schema,
					   &q->arena, im->n_topics + im->n_brokers);
	for (int32_t i = 0; is_asked(in, IMAGE_TOPIC) && i < im->n_topics; i++)
		list(out, im->topics[i]->name, IMAGE_TOPIC);
	for (int32_t i = 0; is_asked(in, IMAGE_BROKER) && i < im->n_brokers; i++)
		list(out, arena_printf(&q->arena, "%d", im->brokers[i]->id), IMAGE_BROKER);
	return API_DONE;
}
