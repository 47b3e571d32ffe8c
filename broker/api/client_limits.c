/* client_limits.c - a count of all, and one for each address that has any. */
#include "broker/api/client_limits.h"

#include <stdatomic.h>

#include "common/base/log.h"
#include "common/base/map.h"

#define WARN_EVERY_MS 1000

struct client_ip {
	int32_t n;
	struct str name; /* its text */
	char text[];
};
struct client_limits {
	const struct broker_conf *conf;
	atomic_flag busy;
	int32_t n;
	int64_t warned_ms;
	struct strmap ips; /* name -> struct client_ip */
};

static struct str name_ip(const struct client *, char *buf, size_t cap);
static const char *over_limit(const struct client_limits *, const struct client *, int32_t of_ip);
static struct client_ip *ip_new(struct str name);
static void lock(struct client_limits *);
static void unlock(struct client_limits *);

struct client_limits *client_limits_new(const struct broker_conf *conf, uint64_t seed)
{
	struct client_limits *l = mem_alloc(sizeof(*l));

	l->conf = conf;
	atomic_flag_clear(&l->busy);
	strmap_init(&l->ips, seed);
	return l;
}

void client_limits_free(struct client_limits *l)
{
	if (!l)
		return;
	strmap_fini(&l->ips);
	mem_free(l);
}

bool client_limits_enter(struct client_limits *l, struct client *c)
{
	int64_t now_ms = env_mono_ms(c->api->shard->env);
	bool may_warn = false;
	const char *limit;
	struct client_ip *ip;
	struct str name;
	char buf[80];

	name = name_ip(c, buf, sizeof(buf));
	lock(l);
	ip = strmap_find(&l->ips, name);
	limit = over_limit(l, c, ip ? ip->n : 0);
	if (!limit) {
		if (!ip) {
			ip = ip_new(name);
			strmap_put(&l->ips, ip->name, ip);
		}
		l->n++;
		ip->n++;
		c->ip = ip;
	} else if (l->warned_ms == 0 || now_ms - l->warned_ms > WARN_EVERY_MS) {
		l->warned_ms = now_ms;
		may_warn = true;
	}
	unlock(l);
	if (may_warn)
		log_warn("client", "turned a connection away: raise the limit or have fewer",
			 F_Z("limit", limit), F_STR("address", name));
	return limit == NULL;
}

void client_limits_leave(struct client_limits *l, struct client *c)
{
	lock(l);
	l->n--;
	if (--c->ip->n == 0) {
		strmap_remove(&l->ips, c->ip->name);
		mem_free(c->ip);
	}
	unlock(l);
	c->ip = NULL;
}

/* Without the port, which the last colon separates. */
static struct str name_ip(const struct client *c, char *buf, size_t cap)
{
	char *colon;

	c->api->shard->env->peers->name(c->conn, buf, cap);
	colon = strrchr(buf, ':');
	return (struct str){ buf, colon ? (size_t)(colon - buf) : strlen(buf) };
}

/* The name of the limit that it would pass, or NULL. */
static const char *over_limit(const struct client_limits *l, const struct client *c, int32_t of_ip)
{
	const struct broker_conf *conf = l->conf;
	bool is_peer = conf->n_listeners > 1 && c->listener == conf->inter_broker;

	if (l->n >= conf->connections_max && !is_peer)
		return "max.connections";
	return of_ip >= conf->connections_per_ip_max ? "max.connections.per.ip" : NULL;
}

static struct client_ip *ip_new(struct str name)
{
	struct client_ip *ip = mem_alloc(sizeof(*ip) + name.n);

	memcpy(ip->text, name.at, name.n);
	ip->name = (struct str){ ip->text, name.n };
	return ip;
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
