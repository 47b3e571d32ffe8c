/* operator.c - changes topics while they are at work: records deleted, configs changed, partitions
 * added, and one topic, where there is one for it, deleted and created again under its name
 * (KAFKA-12257).  One request at a time, to any broker or, for records, to the leader.  When the
 * work ends it puts back what the end of a run needs: the topic, and min.insync.replicas. */
#include <stdio.h>

#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/create_partitions.h"
#include "kafka/delete_records.h"
#include "kafka/delete_topics.h"
#include "kafka/incremental_alter_configs.h"
#include "tests/sim/client.h"
#include "tests/sim/rules.h"

#define ASK_MS 2000
#define LATE_MS 10000 /* so long a broker may still carry a request that nobody waits for */
#define DELETE_RECORDS_VERSION 2
#define DELETE_TOPICS_VERSION 5
#define CREATE_PARTITIONS_VERSION 3
#define CONFIGS_VERSION 1
#define RESOURCE_TOPIC 2
#define VALUE_BYTES 24

struct operator
{
	struct client client;
	int64_t every_us;
	struct timer next;
	bool is_asking;
	int topic, partition; /* of what is asked */
	int64_t offset;
	bool is_gone[SIM_TOPICS_MAX];    /* deleted, and not yet created again */
	int64_t late_ms;                 /* until then an unanswered delete may still happen */
	bool is_changed[SIM_TOPICS_MAX]; /* min.insync.replicas is not what it was */
};

static void on_start(void *operator, void * unused);
static void on_next(void *operator);
static bool is_idle(const void *operator, char * why, size_t cap);
static void act(struct operator*);
static void restore(struct operator*);
static void delete_records(struct operator*);
static void change_config(struct operator*);
static void set_config(struct operator*, const char *name, const char *value, asked *);
static void grow(struct operator*);
static void delete_topic(struct operator*);
static void on_records_deleted(void *operator, enum err, const void *reply);
static void on_deleted(void *operator, enum err, const void *reply);
static void on_created(void *operator, enum err, const void *reply);
static void on_restored(void *operator, enum err, const void *reply);
static void on_done(void *operator, enum err, const void *reply);

struct client *operator_new(struct cluster *cluster, const char *name, int64_t every_us)
{
	struct operator* o = mem_alloc(sizeof(*o));

	o->every_us = every_us;
	client_init(&o->client, cluster, name);
	o->client.arg = o;
	o->client.is_idle = is_idle;
	timer_init(&o->next, on_next, o);
	actor_do(&o->client.machine->actor[0], on_start, o, NULL);
	return &o->client;
}

static void on_start(void *arg, void *unused)
{
	struct operator* o = arg;

	(void)unused;
	client_start(&o->client);
	timer_after_ms(o->client.env, &o->next, 1000);
}

static bool is_idle(const void *arg, char *why, size_t cap)
{
	const struct operator* o = arg;

	for (int t = 0; t < o->client.cluster->n_topics; t++)
		if (o->is_gone[t] || o->is_changed[t]) {
			snprintf(why, cap, "the operator has not restored %s",
				 o->client.cluster->topic[t].name);
			return false;
		}
	return !o->is_asking;
}

static void on_next(void *arg)
{
	struct operator* o = arg;
	struct env *env = o->client.env;
	bool is_over = o->client.cluster->is_quiet;

	if (!o->is_asking && is_over)
		restore(o);
	else if (!o->is_asking)
		act(o);
	env->ops->timer_set(
		env, &o->next,
		env_mono_us(env) +
			(is_over ? RETRY_MS * 1000
				 : (int64_t)prng_below(&env->prng, (uint64_t)o->every_us * 2)));
}

static int64_t any(struct operator* o, int64_t below)
{
	return below > 0 ? (int64_t)prng_below(&o->client.env->prng, (uint64_t)below) : 0;
}

static void act(struct operator* o)
{
	struct cluster *c = o->client.cluster;

	o->topic = (int)any(o, c->n_topics);
	if (uuid_is_zero(c->topic[o->topic].id))
		return;
	o->partition = (int)any(o, c->topic[o->topic].n_partitions);
	if (o->is_gone[o->topic]) {
		o->is_asking = true;
		admin_create(&o->client, &c->topic[o->topic], -1, on_created, o);
		return;
	}
	switch (any(o, 4)) {
	case 0: delete_records(o); break;
	case 1: change_config(o); break;
	case 2: grow(o); break;
	case 3: delete_topic(o); break;
	}
}

static void ask(struct operator* o, enum api_key key, int version, const void *request, asked *done)
{
	o->is_asking = true;
	client_ask(&o->client, (int)any(o, o->client.cluster->n_brokers), key, version, request,
		   done, o);
}

static void restore(struct operator* o)
{
	struct cluster *c = o->client.cluster;
	char value[VALUE_BYTES];

	for (o->topic = 0; o->topic < c->n_topics; o->topic++) {
		if (o->is_gone[o->topic]) {
			o->is_asking = true;
			admin_create(&o->client, &c->topic[o->topic], -1, on_created, o);
			return;
		}
		if (!o->is_changed[o->topic])
			continue;
		snprintf(value, sizeof(value), "%d", c->topic[o->topic].min_isr);
		set_config(o, "min.insync.replicas", value, on_restored);
		return;
	}
}

/* ---- records -------------------------------------------------------------------------------- */

/* Up to the high watermark, or to some offset below it. */
static void delete_records(struct operator* o)
{
	struct sim_topic *t = &o->client.cluster->topic[o->topic];
	const struct truth *truth = &t->truth[o->partition];
	int broker = o->client.leader[o->topic][o->partition];
	struct delete_records_request q;
	struct delete_records_request_topic topic;
	struct delete_records_request_partition part;

	if (broker < 0)
		return;
	o->offset = any(o, 3) == 0 ? -1
				   : truth->log_start +
					     any(o, truth->high_watermark - truth->log_start + 1);
	schema_init(&delete_records_request_schema, &q);
	schema_init(&delete_records_request_topic_schema, &topic);
	schema_init(&delete_records_request_partition_schema, &part);
	part.partition_index = o->partition;
	part.offset = o->offset;
	topic.name = str_of(t->name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = ASK_MS;
	o->is_asking = true;
	client_ask(&o->client, broker, API_DELETE_RECORDS, DELETE_RECORDS_VERSION, &q,
		   on_records_deleted, o);
}

static void on_records_deleted(void *arg, enum err e, const void *reply)
{
	struct operator* o = arg;
	const struct sim_topic *t = &o->client.cluster->topic[o->topic];
	const struct delete_records_response *r = reply;

	o->is_asking = false;
	client_refresh(&o->client);
	if (e || r->topics[0].partitions[0].error_code != KERR_NONE || t->is_unclean)
		return;
	if (r->topics[0].partitions[0].low_watermark < o->offset)
		rule_broken(14, "%s-%d: deleted below %lld, the low watermark is %lld", t->name,
			    o->partition, (long long)o->offset,
			    (long long)r->topics[0].partitions[0].low_watermark);
}

/* ---- configs -------------------------------------------------------------------------------- */

static void change_config(struct operator* o)
{
	static const char *const choices[][5] = {
		{ "retention.ms", "-1", "1000", "5000", "3600000" },
		{ "segment.ms", "100", "1000", "3600000", "3600000" },
		{ "compression.type", "producer", "gzip", "zstd", "uncompressed" },
		{ "message.timestamp.type", "CreateTime", "LogAppendTime", "CreateTime",
		  "CreateTime" },
		{ "unclean.leader.election.enable", "true", "false", "true", "true" },
	};
	const struct sim_topic *t = &o->client.cluster->topic[o->topic];
	size_t which = (size_t)any(o, ARRAY_LEN(choices) + 2);
	char value[VALUE_BYTES];

	if (which >= ARRAY_LEN(choices)) { /* never below what the run promises */
		snprintf(value, sizeof(value), "%lld",
			 (long long)t->min_isr + (long long)any(o, t->rf - t->min_isr + 1));
		o->is_changed[o->topic] = true;
		set_config(o, "min.insync.replicas", value, on_done);
	} else if (t->is_unclean || which < ARRAY_LEN(choices) - 1) {
		set_config(o, choices[which][0], choices[which][1 + any(o, 4)], on_done);
	}
}

static void set_config(struct operator* o, const char *name, const char *value, asked *done)
{
	struct incremental_alter_configs_request q;
	struct incremental_alter_configs_request_resource resource;
	struct incremental_alter_configs_request_config config;

	schema_init(&incremental_alter_configs_request_schema, &q);
	schema_init(&incremental_alter_configs_request_resource_schema, &resource);
	schema_init(&incremental_alter_configs_request_config_schema, &config);
	config.name = str_of(name);
	config.value = str_of(value);
	resource.resource_type = RESOURCE_TOPIC;
	resource.resource_name = str_of(o->client.cluster->topic[o->topic].name);
	resource.configs = &config;
	resource.n_configs = 1;
	q.resources = &resource;
	q.n_resources = 1;
	story_tell(o->client.cluster->world, "---- %s: %s=%s ----",
		   o->client.cluster->topic[o->topic].name, name, value);
	ask(o, API_INCREMENTAL_ALTER_CONFIGS, CONFIGS_VERSION, &q, done);
}

static void on_restored(void *arg, enum err e, const void *reply)
{
	struct operator* o = arg;
	const struct incremental_alter_configs_response *r = reply;

	o->is_asking = false;
	if (!e && r->n_responses == 1 && r->responses[0].error_code == KERR_NONE)
		o->is_changed[o->topic] = false;
}

/* ---- partitions and topics ------------------------------------------------------------------ */

static void grow(struct operator* o)
{
	const struct sim_topic *t = &o->client.cluster->topic[o->topic];
	struct create_partitions_request q;
	struct create_partitions_request_topic topic;

	if (t->n_partitions == SIM_PARTITIONS_MAX || t->may_go)
		return;
	schema_init(&create_partitions_request_schema, &q);
	schema_init(&create_partitions_request_topic_schema, &topic);
	topic.name = str_of(t->name);
	topic.count = t->n_partitions + 1;
	topic.n_assignments = -1;
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = ASK_MS;
	story_tell(o->client.cluster->world, "---- %s grows ----", t->name);
	ask(o, API_CREATE_PARTITIONS, CREATE_PARTITIONS_VERSION, &q, on_done);
}

static void delete_topic(struct operator* o)
{
	const struct sim_topic *t = &o->client.cluster->topic[o->topic];
	struct delete_topics_request q;
	struct str name = str_of(t->name);

	if (!t->may_go)
		return;
	schema_init(&delete_topics_request_schema, &q);
	q.topic_names = &name;
	q.n_topic_names = 1;
	q.timeout_ms = ASK_MS;
	o->is_gone[o->topic] = true; /* or will be, whatever the answer is */
	story_tell(o->client.cluster->world, "---- %s is deleted ----", t->name);
	ask(o, API_DELETE_TOPICS, DELETE_TOPICS_VERSION, &q, on_deleted);
}

static void on_deleted(void *arg, enum err e, const void *reply)
{
	struct operator* o = arg;

	(void)reply;
	o->is_asking = false;
	if (e)
		o->late_ms = env_mono_ms(o->client.env) + LATE_MS;
	client_refresh(&o->client);
}

/* It exists: created by this request, by one that was not answered, or not deleted at all. */
static void on_created(void *arg, enum err e, const void *reply)
{
	struct operator* o = arg;

	o->is_asking = false;
	if (admin_is_created(e, reply) && env_mono_ms(o->client.env) >= o->late_ms)
		o->is_gone[o->topic] = false;
}

static void on_done(void *arg, enum err e, const void *reply)
{
	(void)e;
	(void)reply;
	((struct operator*)arg)->is_asking = false;
}
