/* brokers_say.c - Metadata, DescribeCluster and DescribeConfigs of one broker, made records.
 *
 * So that every command that looks works on one kind of state, wherever it comes from: from a
 * controller, a file, a broker without a controller, Apache Kafka's brokers.  What Kafka's protocol
 * does not tell stays at its default: epochs of brokers and partitions, ELR, log directories. */
#include "controller/cli/brokers_say.h"
#include "common/meta/image.h"
#include "controller/cli/kafka_client.h"
#include "kafka/apis.h"
#include "kafka/describe_cluster.h"
#include "kafka/describe_configs.h"
#include "kafka/metadata.h"

#include <stdlib.h>

#define ANSWER_MS 2000
enum { METADATA_VERSION = 12, CLUSTER_VERSION = 2, CONFIGS_VERSION = 4 };
enum { SOURCE_TOPIC = 1 };

struct saying {
	struct cli *cli;
	struct kafka conn;
	int64_t deadline_ms;
	Weir__Snapshot *to;
	size_t cap;
};

static enum err say_brokers(struct saying *, Weir__ControllerState *);
static enum err say_topics(struct saying *);
static enum err say_configs(struct saying *);

static void *make(struct saying *s, size_t n)
{
	return arena_must(&s->cli->mem, n);
}

static char *text(struct saying *s, struct str from)
{
	return (char *)(uintptr_t)cli_z(s->cli, from);
}

static Weir__MetadataRecord *add(struct saying *s, Weir__MetadataRecord__BodyCase kind)
{
	Weir__Snapshot *to = s->to;
	Weir__MetadataRecord *r = make(s, sizeof(*r));

	if (to->n_records == s->cap) {
		Weir__MetadataRecord **old = to->records;

		s->cap = s->cap ? 2 * s->cap : 256;
		to->records = make(s, s->cap * sizeof(*to->records));
		if (old)
			memcpy(to->records, old, to->n_records * sizeof(*old));
	}
	weir__metadata_record__init(r);
	r->body_case = kind;
	to->records[to->n_records++] = r;
	return r;
}

enum err brokers_say_snapshot(struct cli *cli, struct addr broker, Weir__Snapshot **snapshot,
			      Weir__ControllerState **controller)
{
	struct saying s = { .cli = cli, .deadline_ms = cli_now_ms() + ANSWER_MS };
	Weir__ControllerState *c = arena_must(&cli->mem, sizeof(*c));
	enum err e;

	*snapshot = s.to = arena_must(&cli->mem, sizeof(*s.to));
	*controller = c;
	weir__snapshot__init(s.to);
	weir__controller_state__init(c);
	/* How the rest of the command knows that no controller has spoken: see health.c. */
	c->id = -1;
	c->epoch = -1;
	if ((e = kafka_open(&s.conn, cli, broker, s.deadline_ms)))
		return e;
	if (!(e = say_brokers(&s, c)) && !(e = say_topics(&s)))
		e = say_configs(&s);
	kafka_close(&s.conn);
	return e;
}

static void say_broker(struct saying *s, const struct describe_cluster_response_broker *b)
{
	Weir__BrokerRecord *r = make(s, sizeof(*r));
	Weir__Endpoint *e = make(s, sizeof(*e));

	weir__broker_record__init(r);
	weir__endpoint__init(e);
	r->id = b->broker_id;
	/* Zeros: the record needs sixteen bytes, and brokers do not say theirs. */
	r->incarnation = (ProtobufCBinaryData){ sizeof(struct uuid), make(s, sizeof(struct uuid)) };
	e->name = e->protocol = text(s, STR("PLAINTEXT"));
	e->host = text(s, b->host);
	e->port = b->port;
	r->endpoints = make(s, sizeof(*r->endpoints));
	r->endpoints[r->n_endpoints++] = e;
	r->rack = str_null(b->rack) ? NULL : text(s, b->rack);
	r->has_fenced = true;
	r->fenced = b->is_fenced;
	add(s, WEIR__METADATA_RECORD__BODY_BROKER)->broker = r;
}

static enum err say_brokers(struct saying *s, Weir__ControllerState *c)
{
	struct describe_cluster_request in;
	struct describe_cluster_response out;
	enum err e;

	schema_init(&describe_cluster_request_schema, &in);
	in.include_fenced_brokers = true;
	e = kafka_exchange(&s->conn,
			   &(struct kafka_call){ API_DESCRIBE_CLUSTER, CLUSTER_VERSION,
						 &describe_cluster_request_schema,
						 &describe_cluster_response_schema, &in, &out },
			   s->deadline_ms);
	if (e)
		return e;
	if (out.error_code)
		return ERR_REFUSED;
	c->cluster_id = text(s, out.cluster_id);
	for (int32_t i = 0; i < out.n_brokers; i++)
		say_broker(s, &out.brokers[i]);
	return ERR_OK;
}

static int32_t *ids(struct saying *s, const int32_t *from, int32_t n, size_t *n_out)
{
	int32_t *to = make(s, (size_t)(n + 1) * sizeof(*to));

	*n_out = (size_t)i32_min(n, IMAGE_REPLICAS_MAX);
	for (size_t i = 0; i < *n_out; i++)
		to[i] = from[i];
	return to;
}

static void say_partition(struct saying *s, ProtobufCBinaryData id,
			  const struct metadata_response_partition *p)
{
	Weir__PartitionRecord *r = make(s, sizeof(*r));

	weir__partition_record__init(r);
	r->topic_id = id;
	r->partition = p->partition_index;
	r->replicas = ids(s, p->replica_nodes, p->n_replica_nodes, &r->n_replicas);
	r->isr = ids(s, p->isr_nodes, p->n_isr_nodes, &r->n_isr);
	r->leader = p->leader_id;
	r->leader_epoch = p->leader_epoch;
	add(s, WEIR__METADATA_RECORD__BODY_PARTITION)->partition = r;
}

static int by_index(const void *a, const void *b)
{
	const struct metadata_response_partition *x = a, *y = b;

	return (x->partition_index > y->partition_index) -
	       (x->partition_index < y->partition_index);
}

static enum err say_topics(struct saying *s)
{
	struct metadata_request in;
	struct metadata_response out;
	enum err e;

	schema_init(&metadata_request_schema, &in);
	in.n_topics = -1;
	in.allow_auto_topic_creation = false;
	e = kafka_exchange(&s->conn,
			   &(struct kafka_call){ API_METADATA, METADATA_VERSION,
						 &metadata_request_schema,
						 &metadata_response_schema, &in, &out },
			   s->deadline_ms);
	for (int32_t i = 0; !e && i < out.n_topics; i++) {
		const struct metadata_response_topic *t = &out.topics[i];
		Weir__TopicRecord *r = make(s, sizeof(*r));

		if (str_null(t->name) || t->error_code)
			continue;
		weir__topic_record__init(r);
		r->name = text(s, t->name);
		r->id = (ProtobufCBinaryData){ sizeof(t->topic_id), make(s, sizeof(t->topic_id)) };
		memcpy(r->id.data, t->topic_id.b, sizeof(t->topic_id));
		add(s, WEIR__METADATA_RECORD__BODY_TOPIC)->topic = r;
		/* A broker may answer in any order, an image takes partitions by number
		 * (apply_partition). */
		qsort(t->partitions, (size_t)t->n_partitions, sizeof(*t->partitions), by_index);
		for (int32_t p = 0; p < t->n_partitions; p++)
			say_partition(s, r->id, &t->partitions[p]);
	}
	return e;
}

static void say_config(struct saying *s, struct str topic,
		       const struct describe_configs_response_config *c)
{
	Weir__ConfigRecord *r = make(s, sizeof(*r));

	weir__config_record__init(r);
	r->resource_type = IMAGE_TOPIC;
	r->resource = text(s, topic);
	r->name = text(s, c->name);
	r->value = text(s, c->value);
	add(s, WEIR__METADATA_RECORD__BODY_CONFIG)->config = r;
}

/* Only what somebody has set for the topic. */
static enum err say_configs(struct saying *s)
{
	struct describe_configs_request in;
	struct describe_configs_response out;
	size_t n = s->to->n_records;
	enum err e;

	schema_init(&describe_configs_request_schema, &in);
	in.resources =
		schema_new(&describe_configs_request_resource_schema, &s->cli->mem, (int32_t)n);
	/* One request for all topics: a cluster of thousands is still one round trip. */
	for (size_t i = 0; i < n; i++) {
		struct describe_configs_request_resource *r = &in.resources[in.n_resources];

		if (s->to->records[i]->body_case != WEIR__METADATA_RECORD__BODY_TOPIC)
			continue;
		r->resource_type = IMAGE_TOPIC;
		r->resource_name = str_of(s->to->records[i]->topic->name);
		r->n_configuration_keys = -1;
		in.n_resources++;
	}
	if (in.n_resources == 0)
		return ERR_OK;
	e = kafka_exchange(&s->conn,
			   &(struct kafka_call){ API_DESCRIBE_CONFIGS, CONFIGS_VERSION,
						 &describe_configs_request_schema,
						 &describe_configs_response_schema, &in, &out },
			   s->deadline_ms);
	for (int32_t i = 0; !e && i < out.n_results; i++)
		for (int32_t c = 0; c < out.results[i].n_configs; c++)
			if (out.results[i].configs[c].config_source == SOURCE_TOPIC)
				say_config(s, out.results[i].resource_name,
					   &out.results[i].configs[c]);
	return e;
}
