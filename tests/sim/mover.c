/* mover.c - moves replicas between the log directories of their broker, and some of them back
 * before they are there.  Brokers without the replica refuse: what is refused is refused. */
#include "common/wire/schema.h"
#include "kafka/alter_replica_log_dirs.h"
#include "tests/sim/client.h"

#define MOVE_VERSION 2
#define FIRST_MS 1000

struct mover {
	struct client client;
	int n_dirs;
	int64_t every_us;
	struct timer next;
	bool is_asking;
};

static void on_start(void *mover, void *unused);
static void on_next(void *mover);
static void move(struct mover *);
static void on_moved(void *mover, enum err, const void *reply);
static bool is_idle(const void *mover, char *why, size_t cap);

struct client *mover_new(struct cluster *cluster, const char *name, int n_dirs, int64_t every_us)
{
	struct mover *m = mem_alloc(sizeof(*m));

	m->n_dirs = n_dirs;
	m->every_us = every_us;
	client_init(&m->client, cluster, name);
	m->client.arg = m;
	m->client.is_idle = is_idle;
	timer_init(&m->next, on_next, m);
	actor_do(&m->client.machine->actor[0], on_start, m, NULL);
	return &m->client;
}

static void on_start(void *arg, void *unused)
{
	struct mover *m = arg;

	(void)unused;
	client_start(&m->client);
	timer_after_ms(m->client.env, &m->next, FIRST_MS);
}

/* It asks for nothing more then; what moves is waited for, see cluster_waits. */
static bool is_idle(const void *mover, char *why, size_t cap)
{
	(void)mover;
	(void)why;
	(void)cap;
	return true;
}

static void on_next(void *arg)
{
	struct mover *m = arg;
	struct env *env = m->client.env;

	if (m->client.cluster->is_quiet)
		return;
	if (!m->is_asking)
		move(m);
	env->ops->timer_set(env, &m->next,
			    env_mono_us(env) +
				    (int64_t)prng_below(&env->prng, (uint64_t)m->every_us * 2));
}

static void move(struct mover *m)
{
	const struct cluster *c = m->client.cluster;
	struct prng *p = &m->client.env->prng;
	const struct sim_topic *t = &c->topic[prng_below(p, (uint64_t)c->n_topics)];
	int32_t number = (int32_t)prng_below(p, (uint64_t)t->n_partitions);
	struct alter_replica_log_dirs_request q;
	struct alter_replica_log_dirs_request_dir dir;
	struct alter_replica_log_dirs_request_topic topic;

	schema_init(&alter_replica_log_dirs_request_schema, &q);
	schema_init(&alter_replica_log_dirs_request_dir_schema, &dir);
	schema_init(&alter_replica_log_dirs_request_topic_schema, &topic);
	topic.name = str_of(t->name);
	topic.partitions = &number;
	topic.n_partitions = 1;
	dir.path = str_of(sim_log_dir((int)prng_below(p, (uint64_t)m->n_dirs)));
	dir.topics = &topic;
	dir.n_topics = 1;
	q.dirs = &dir;
	q.n_dirs = 1;
	m->is_asking = true;
	client_ask(&m->client, (int)prng_below(p, (uint64_t)c->n_brokers),
		   API_ALTER_REPLICA_LOG_DIRS, MOVE_VERSION, &q, on_moved, m);
}

static void on_moved(void *arg, enum err e, const void *reply)
{
	(void)e;
	(void)reply;
	((struct mover *)arg)->is_asking = false;
}
