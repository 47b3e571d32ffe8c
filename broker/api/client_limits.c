/* client_limits.c - a count of all, and per address lists of its connections in a small hash: a
 * walk ends at the limit, and nobody walks where there is none. */
#include "broker/api/client_limits.h"

#include <stdatomic.h>

#include "common/base/log.h"

#define BUCKETS 256
#define WARN_EVERY_MS 1000

struct client_limits {
	const struct broker_conf *conf;
	atomic_flag busy;
	int32_t n;
	int64_t warned_ms;
	struct list by_ip[BUCKETS]; /* struct client.same_ip */
};

static void name_ip(struct client *);
static struct list *bucket_of(struct client_limits *, const struct client *);
static const char *over_limit(struct client_limits *, const struct client *);
static void lock(struct client_limits *);
static void unlock(struct client_limits *);

struct client_limits *client_limits_new(const struct broker_conf *conf)
{
	struct client_limits *l = mem_alloc(sizeof(*l));

	l->conf = conf;
	atomic_flag_clear(&l->busy);
	for (int i = 0; i < BUCKETS; i++)
		list_init(&l->by_ip[i]);
	return l;
}

void client_limits_free(struct client_limits *l)
{
	mem_free(l);
}

bool client_limits_enter(struct client_limits *l, struct client *c)
{
	int64_t now_ms = env_mono_ms(c->api->shard->env);
	bool may_warn = false;
	const char *limit;

	name_ip(c);
	lock(l);
	limit = over_limit(l, c);
	if (!limit) {
		l->n++;
		list_push_back(bucket_of(l, c), &c->same_ip);
	} else if (l->warned_ms == 0 || now_ms - l->warned_ms > WARN_EVERY_MS) {
		l->warned_ms = now_ms;
		may_warn = true;
	}
	unlock(l);
	if (may_warn)
		log_warn("client", "turned a connection away: raise the limit or have fewer",
			 F_Z("limit", limit), F_Z("address", c->ip));
	return limit == NULL;
}

void client_limits_leave(struct client_limits *l, struct client *c)
{
	lock(l);
	l->n--;
	list_remove(&c->same_ip);
	unlock(l);
}

/* Without the port, which the last colon separates. */
static void name_ip(struct client *c)
{
	char *colon;

	c->api->shard->env->peers->name(c->conn, c->ip, sizeof(c->ip));
	colon = strrchr(c->ip, ':');
	if (colon)
		*colon = '\0';
}

static struct list *bucket_of(struct client_limits *l, const struct client *c)
{
	uint32_t h = 2166136261u;

	for (const char *at = c->ip; *at; at++)
		h = (h ^ (uint8_t)*at) * 16777619u;
	return &l->by_ip[h % BUCKETS];
}

/* The name of the limit that it would pass, or NULL. */
static const char *over_limit(struct client_limits *l, const struct client *c)
{
	const struct broker_conf *conf = l->conf;
	bool is_peer = conf->n_listeners > 1 && c->listener == conf->inter_broker;
	int32_t n = 0;

	if (l->n >= conf->connections_max && !is_peer)
		return "max.connections";
	if (conf->connections_per_ip_max == INT32_MAX)
		return NULL;
	LIST_FOR (other, bucket_of(l, c), struct client, same_ip) {
		if (n >= conf->connections_per_ip_max)
			break;
		n += strcmp(other->ip, c->ip) == 0;
	}
	return n >= conf->connections_per_ip_max ? "max.connections.per.ip" : NULL;
}

static void lock(struct client_limits *l)
{
	while (atomic_flag_test_and_set_explicit(&l->busy, memory_order_acquire))
		;
}

static void unlock(struct client_limits *l)
{
	atomic_flag_clear_explicit(&l->busy, memory_order_release);
}
