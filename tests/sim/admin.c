/* admin.c - creates the cluster's topics, asking the controller as the `weir` command does. */
#include <stdio.h>

#include "cluster/rpc.pb-c.h"
#include "common/rpc/rpc.h"
#include "common/wire/kerr.h"
#include "tests/sim/client.h"

#define CALL_MS 2000

struct admin {
	struct client client;
	struct rpc *rpc;
	struct timer retry;
	int n_created;
	bool is_asking;
};

static void on_start(void *admin, void *unused);
static void on_retry(void *admin);
static void on_down(void *admin, struct rpc *, enum err);
static void on_created(void *admin, enum err, const ProtobufCMessage *reply);
static bool is_idle(const void *admin, char *why, size_t cap);

static const struct rpc_events rpc_events = { .down = on_down };

struct client *admin_new(struct cluster *cluster, const char *name)
{
	struct admin *a = mem_alloc(sizeof(*a));

	client_init(&a->client, cluster, name);
	a->client.arg = a;
	a->client.is_idle = is_idle;
	timer_init(&a->retry, on_retry, a);
	actor_do(&a->client.machine->actor[0], on_start, a, NULL);
	return &a->client;
}

static void on_start(void *arg, void *unused)
{
	(void)unused;
	on_retry(arg);
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

static void create(struct admin *a)
{
	const struct sim_topic *t = &a->client.cluster->topic[a->n_created];
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__CreateTopics all = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic one = WEIR__CREATE_TOPIC__INIT, *ones[] = { &one };
	Weir__Config min_isr = WEIR__CONFIG__INIT, unclean = WEIR__CONFIG__INIT,
		     *configs[] = { &min_isr, &unclean };
	Weir__BrokerIds places[SIM_PARTITIONS_MAX], *assignments[SIM_PARTITIONS_MAX];
	int32_t ids[SIM_BROKERS_MAX] = { 1, 2, 3, 4, 5, 6 };
	char number[16];

	snprintf(number, sizeof(number), "%d", t->min_isr);
	min_isr.name = (char *)(uintptr_t) "min.insync.replicas";
	min_isr.value = number;
	unclean.name = (char *)(uintptr_t) "unclean.leader.election.enable";
	unclean.value = (char *)(uintptr_t)(t->is_unclean ? "true" : "false");
	one.name = (char *)(uintptr_t)t->name;
	one.has_partitions = one.has_replication_factor = !t->is_placed;
	one.partitions = t->n_partitions;
	one.replication_factor = t->rf;
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++) {
		weir__broker_ids__init(&places[i]);
		places[i].n_id = (size_t)t->rf;
		places[i].id = ids;
		assignments[i] = &places[i];
	}
	one.n_assignments = t->is_placed ? (size_t)t->n_partitions : 0;
	one.assignments = assignments;
	one.configs = configs;
	one.n_configs = ARRAY_LEN(configs);
	all.topics = ones;
	all.n_topics = 1;
	q.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	q.create_topics = &all;
	a->is_asking = true;
	rpc_call(a->rpc, &q.base, CALL_MS, on_created, a);
}

static void on_retry(void *arg)
{
	struct admin *a = arg;
	struct peer_addr addr = { .port = CONTROLLER_PORT };

	if (a->n_created == a->client.cluster->n_topics || a->is_asking)
		return;
	snprintf(addr.host, sizeof(addr.host), "%s", a->client.cluster->controller->machine->name);
	if (!a->rpc)
		a->rpc =
			rpc_dial(a->client.env, &addr, &weir__response__descriptor, &rpc_events, a);
	create(a);
}

static void on_down(void *arg, struct rpc *rpc, enum err why)
{
	struct admin *a = arg;

	(void)rpc;
	(void)why;
	a->rpc = NULL;
	a->is_asking = false;
	timer_after_ms(a->client.env, &a->retry, RETRY_MS);
}

static void on_created(void *arg, enum err e, const ProtobufCMessage *reply)
{
	struct admin *a = arg;
	const Weir__Response *r = (const Weir__Response *)(const void *)reply;
	int32_t code = KERR_REQUEST_TIMED_OUT;

	a->is_asking = false;
	if (!e && r->status)
		code = r->status->code;
	if (!e && !code && r->body_case == WEIR__RESPONSE__BODY_TOPICS && r->topics->n_topics == 1)
		code = r->topics->topics[0]->code;
	if (code == KERR_NONE || code == KERR_TOPIC_ALREADY_EXISTS)
		a->n_created++;
	timer_after_ms(a->client.env, &a->retry, RETRY_MS);
}
