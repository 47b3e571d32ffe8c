/* admin.c - creates the cluster's topics, asking any broker, until all are there; then moves
 * replicas about. */
#include <stdio.h>

#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/alter_partition_reassignments.h"
#include "kafka/create_topics.h"
#include "tests/sim/client.h"
#include "tests/sim/rules.h"

#define CREATE_VERSION_MAX 7
#define CREATE_MS 2000
#define CONFIGS 3

struct admin {
	struct client client;
	struct timer retry;
	int n_created;
	bool may_exist; /* the next one: asked for before, or of an old cluster */
	int64_t move_us;
};

static void on_start(void *admin, void *unused);
static void on_retry(void *admin);
static void on_created(void *admin, enum err, const void *reply);
static void move(struct admin *);
static void on_moved(void *admin, enum err, const void *reply);
static bool is_idle(const void *admin, char *why, size_t cap);

struct client *admin_new(struct cluster *cluster, const char *name, int64_t move_us)
{
	struct admin *a = mem_alloc(sizeof(*a));

	client_init(&a->client, cluster, name);
	a->client.arg = a;
	a->move_us = move_us;
	a->client.is_idle = is_idle;
	timer_init(&a->retry, on_retry, a);
	actor_do(&a->client.machine->actor[0], on_start, a, NULL);
	return &a->client;
}

static void on_start(void *arg, void *unused)
{
	struct admin *a = arg;

	(void)unused;
	client_start(&a->client);
	on_retry(a);
}

static bool is_idle(const void *arg, char *why, size_t cap)
{
	const struct admin *a = arg;
	bool is_done = a->n_created == a->client.cluster->n_topics;

	if (!is_done)
		snprintf(why, cap, "%s has created %d topics", a->client.machine->name,
			 a->n_created);
	return is_done;
}

static void place(const struct sim_topic *t, struct create_topics_request_topic *topic,
		  struct create_topics_request_assignment *assignments, int32_t *ids)
{
	topic->num_partitions = t->is_placed ? -1 : t->n_partitions;
	topic->replication_factor = (int16_t)(t->is_placed ? -1 : t->rf);
	topic->assignments = assignments;
	topic->n_assignments = t->is_placed ? t->n_partitions : 0;
	for (int i = 0; i < t->rf; i++)
		ids[i] = i + 1;
	for (int i = 0; i < topic->n_assignments; i++) {
		schema_init(&create_topics_request_assignment_schema, &assignments[i]);
		assignments[i].partition_index = i;
		assignments[i].broker_ids = ids;
		assignments[i].n_broker_ids = t->rf;
	}
}

static void on_retry(void *arg)
{
	struct admin *a = arg;
	struct cluster *c = a->client.cluster;

	if (a->n_created < c->n_topics) {
		a->may_exist |= !uuid_is_zero(c->topic[a->n_created].id);
		admin_create(&a->client, &c->topic[a->n_created], -1, on_created, a);
	} else {
		move(a);
	}
}

void admin_create(struct client *client, const struct sim_topic *t, int broker, asked *done,
		  void *arg)
{
	const struct cluster *c = client->cluster;
	struct create_topics_request q;
	struct create_topics_request_topic topic;
	struct create_topics_request_assignment assignments[SIM_PARTITIONS_MAX];
	int32_t ids[SIM_BROKERS_MAX];
	struct create_topics_request_config configs[CONFIGS + SIM_CONF_MAX];
	int n_configs = CONFIGS;
	char min_isr[16], retention[24];

	snprintf(min_isr, sizeof(min_isr), "%d", t->min_isr);
	snprintf(retention, sizeof(retention), "%lld", (long long)t->retention_ms);
	for (int i = 0; i < CONFIGS + SIM_CONF_MAX; i++)
		schema_init(&create_topics_request_config_schema, &configs[i]);
	configs[0].name = STR("min.insync.replicas");
	configs[0].value = str_of(min_isr);
	configs[1].name = STR("unclean.leader.election.enable");
	configs[1].value = t->is_unclean ? STR("true") : STR("false");
	configs[2].name = STR("retention.ms");
	configs[2].value = str_of(retention);
	schema_init(&create_topics_request_schema, &q);
	schema_init(&create_topics_request_topic_schema, &topic);
	topic.name = str_of(t->name);
	topic.configs = configs;
	for (; n_configs < CONFIGS + SIM_CONF_MAX && c->topic_conf[n_configs - CONFIGS];
	     n_configs++) {
		configs[n_configs].value = str_of(c->topic_conf[n_configs - CONFIGS]);
		(void)str_cut(&configs[n_configs].value, '=', &configs[n_configs].name);
	}
	topic.n_configs = n_configs;
	place(t, &topic, assignments, ids);
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = CREATE_MS;
	if (broker < 0)
		broker = (int)prng_below(&client->env->prng, (uint64_t)c->n_brokers);
	client_ask(client, broker, API_CREATE_TOPICS, CREATE_VERSION_MAX, &q, done, arg);
}

static enum kerr code_of(enum err e, const void *reply)
{
	const struct create_topics_response *r = reply;

	return !e && r->n_topics == 1 ? (enum kerr)r->topics[0].error_code : KERR_REQUEST_TIMED_OUT;
}

bool admin_is_created(enum err e, const void *reply)
{
	enum kerr code = code_of(e, reply);

	return code == KERR_NONE || code == KERR_TOPIC_ALREADY_EXISTS;
}

/* Nobody else creates a topic that none may delete: it is there by this request, or by one before
 * that was not answered. */
static void on_created(void *arg, enum err e, const void *reply)
{
	struct admin *a = arg;
	const struct sim_topic *t = &a->client.cluster->topic[a->n_created];

	if (!a->may_exist && !t->may_go && code_of(e, reply) == KERR_TOPIC_ALREADY_EXISTS)
		rule_broken(57, "%s", t->name);
	a->may_exist = !admin_is_created(e, reply);
	a->n_created += admin_is_created(e, reply);
	timer_after_ms(a->client.env, &a->retry, RETRY_MS);
}

/* Any partition to any brokers, as many as its topic wants or more; one in four is called back
 * instead.  Not to one alone: what it has not synced would be gone with its power, however many had
 * it before.  What is refused is refused: nothing depends on it. */
static void move(struct admin *a)
{
	const struct cluster *c = a->client.cluster;
	struct prng *p = &a->client.env->prng;
	const struct sim_topic *t = &c->topic[prng_below(p, (uint64_t)c->n_topics)];
	struct alter_partition_reassignments_request q;
	struct alter_partition_reassignments_request_topic topic;
	struct alter_partition_reassignments_request_partition part;
	int32_t ids[SIM_BROKERS_MAX];
	int first = (int)prng_below(p, (uint64_t)c->n_brokers);

	if (a->move_us == 0 || c->is_quiet)
		return;
	schema_init(&alter_partition_reassignments_request_schema, &q);
	schema_init(&alter_partition_reassignments_request_topic_schema, &topic);
	schema_init(&alter_partition_reassignments_request_partition_schema, &part);
	part.partition_index = (int32_t)prng_below(p, (uint64_t)t->n_partitions);
	part.n_replicas =
		prng_chance(p, 1, 4)
			? -1
			: (int32_t)i64_min(c->n_brokers,
					   i64_max(2, t->min_isr) + (int64_t)prng_below(p, 3));
	part.replicas = part.n_replicas < 0 ? NULL : ids;
	for (int i = 0; i < part.n_replicas; i++)
		ids[i] = (first + i) % c->n_brokers + 1;
	topic.name = str_of(t->name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = CREATE_MS;
	client_ask(&a->client, (int)prng_below(p, (uint64_t)c->n_brokers),
		   API_ALTER_PARTITION_REASSIGNMENTS, 1, &q, on_moved, a);
}

static void on_moved(void *arg, enum err e, const void *reply)
{
	struct admin *a = arg;

	(void)e;
	(void)reply;
	if (!a->client.cluster->is_quiet)
		timer_after_ms(
			a->client.env, &a->retry,
			1 + (int64_t)prng_below(&a->client.env->prng, (uint64_t)a->move_us / 500));
}
