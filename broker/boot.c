/* boot.c - the order in which a broker comes up and goes down.
 *
 *   up     options, directories (locked, scanned), shards, checkpoints, listeners, controller link
 *   down   leaders move away (controlled shutdown), listeners close, every shard lets go of its
 *          clients, loops end, logs close, checkpoints, and last the clean marker
 *
 * Listening comes before the link: once registered, others will connect. */
#include "broker/boot.h"

#include <stdatomic.h>
#include <stdio.h>

#include "broker/api/api.h"
#include "broker/api/client_limits.h"
#include "broker/shard/checkpoints.h"
#include "broker/shard/ctllink.h"
#include "broker/shard/dirs.h"
#include "broker/shard/space.h"
#include "common/base/log.h"

static enum err listen_all(struct boot *, char *why, size_t cap);
static void stop_shards(void *arg);
static void nobody_waits(void *arg);
static void stop_shard(struct call *);
static void drained(void *call);
static void shard_stopped(struct call *);
static void close_shards(struct boot *, bool is_clean);

/* ---- options --------------------------------------------------------------------------------- */

void boot_init(struct boot *b)
{
	*b = (struct boot){ 0 };
	b->n_rows = broker_conf_rows(b->rows);
	b->store = conf_new(b->rows, b->n_rows, &b->conf);
}

enum err boot_conf(struct boot *b, struct str text, const char *path, char *why, size_t cap)
{
	return conf_parse(b->store, text, path, why, cap);
}

enum err boot_override(struct boot *b, const char *assignment, char *why, size_t cap)
{
	struct str value = str_of(assignment), key;

	if (!str_cut(&value, '=', &key) || str_null(value)) {
		snprintf(why, cap, "--override '%s' is not KEY=VALUE", assignment);
		return ERR_INVALID;
	}
	return conf_set(b->store, key, value, "--override", why, cap);
}

enum err boot_conf_finish(struct boot *b, char *why, size_t cap)
{
	return broker_conf_finish(&b->conf, b->store, b->rows, b->n_rows, why, cap);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* The incarnation is drawn here: it is what tells this process from an earlier one with the same
 * id. */
enum err boot_start(struct boot *p, struct env *const *env, int n_envs, char *why, size_t cap)
{
	struct broker *b = &p->broker;
	uint64_t seed;
	enum err e;

	ASSERT(n_envs > 0 && n_envs <= BROKER_SHARDS_MAX);
	memcpy(p->env, env, sizeof(*env) * (size_t)n_envs);
	b->conf = &p->conf;
	b->store = p->store;
	b->rows = p->rows;
	b->n_rows = p->n_rows;
	b->n_shards = n_envs;
	b->incarnation = prng_uuid(&env[0]->prng);
	memcpy(&seed, b->incarnation.b, sizeof(seed));
	b->limits = client_limits_new(b->conf, seed);
	if ((e = dirs_open(env[0], &p->conf, &b->dirs, why, cap)))
		return e;
	if (b->dirs->has_namesakes) /* until the checkpoints are written anew */
		atomic_store(&b->dropped_ms, i64_max(env_mono_ms(env[0]), 1));
	for (int i = 0; i < n_envs; i++) {
		b->shards[i] = shard_new(b, env[i], i);
		b->shards[i]->api = api_shard_new(b->shards[i]);
		shard_start(b->shards[i]);
	}
	b->shards[0]->link = ctllink_new(b->shards[0]);
	p->checkpoints = checkpoints_new(b);
	p->space = space_new(b);
	if ((e = listen_all(p, why, cap))) /* before there are jobs, for which nobody would wait */
		return e;
	checkpoints_start(p->checkpoints);
	space_start(p->space);
	ctllink_start(b->shards[0]->link);
	log_info("broker", "started", F_I64("node_id", p->conf.node_id),
		 F_I64("shards", b->n_shards), F_Z("host", p->conf.listener[0].advertised.host),
		 F_I64("port", p->conf.listener[0].advertised.port));
	return ERR_OK;
}

/* Port 0 is for tests: the port that was bound is then the one that is advertised. */
static enum err listen_all(struct boot *p, char *why, size_t cap)
{
	struct env *env = p->env[0];

	for (int32_t i = 0; i < p->conf.n_listeners; i++) {
		struct broker_listener *l = &p->conf.listener[i];
		int32_t port = 0;
		enum err e = env->peers->listen(env, &l->bind, api_accept, &p->broker,
						&p->listeners[i], &port);
		if (e) {
			snprintf(why, cap, "cannot listen on %s:%d: %s", l->bind.host, l->bind.port,
				 listen_text(e));
			return e;
		}
		/* Alone it cannot tell brokers from clients, and keeps both out of the reserve. */
		if (p->conf.n_listeners > 1 && i == p->conf.inter_broker &&
		    env->peers->listen_for_peers)
			env->peers->listen_for_peers(p->listeners[i]);
		l->bind.port = port;
		if (l->advertised.port == 0)
			l->advertised.port = port;
	}
	return ERR_OK;
}

/* ---- stopping: leaders move away, every shard lets go, logs close and are marked clean ------- */

void boot_stop(struct boot *p, void (*stopped)(void *arg), void *arg)
{
	p->stopped = stopped;
	p->arg = arg;
	ctllink_shutdown(p->broker.shards[0]->link, stop_shards, p);
}

/* Shard 0 last, since it answers for the others; stopping twice is harmless. */
static void stop_shards(void *arg)
{
	struct boot *p = arg;
	struct broker *b = &p->broker;

	if (p->is_stopping)
		return;
	p->is_stopping = true;
	for (int32_t i = 0; i < p->conf.n_listeners; i++)
		b->shards[0]->env->peers->unlisten(p->listeners[i]);
	ctllink_stop(b->shards[0]->link);
	p->n_stopping = b->n_shards;
	for (int i = b->n_shards - 1; i >= 0; i--) {
		p->stops[i] = (struct call){ .from = b->shards[0],
					     .to = b->shards[i],
					     .work = stop_shard,
					     .done = shard_stopped };
		call_send(&p->stops[i]);
	}
}

void boot_stop_now(struct boot *p)
{
	p->stopped = nobody_waits;
	stop_shards(p);
}

static void nobody_waits(void *arg)
{
	(void)arg;
}

static void stop_shard(struct call *c)
{
	api_shard_drain(c->to->api, drained, c);
}

static void drained(void *call)
{
	struct call *c = call;

	shard_stop(c->to);
	api_shard_stop(c->to->api);
	call_return(c);
}

static void shard_stopped(struct call *c)
{
	struct boot *p = CONTAINER_OF(c, struct boot, stops[c->to->id]);

	if (--p->n_stopping == 0)
		p->stopped(p->arg);
}

void boot_free(struct boot *p, bool is_clean)
{
	if (p->checkpoints)
		close_shards(p, is_clean);
	client_limits_free(p->broker.limits);
	if (p->broker.dirs)
		dirs_free(p->broker.dirs);
	conf_free(p->store);
}

/* Only a stop that ran its course closes the logs as clean; otherwise the next start scans. */
static void close_shards(struct boot *p, bool is_clean)
{
	struct broker *b = &p->broker;
	int64_t epoch = ctllink_broker_epoch(b->shards[0]->link);

	checkpoints_stop(p->checkpoints);
	space_stop(p->space);
	ctllink_free(b->shards[0]->link);
	for (int i = 0; i < b->n_shards; i++) {
		shard_stop(b->shards[i]);
		api_shard_stop(b->shards[i]->api);
		api_shard_free(b->shards[i]->api);
		if (is_clean)
			shard_close_logs(b->shards[i]);
	}
	if (is_clean) {
		checkpoints_finish(p->checkpoints);
		dirs_mark_clean(b->shards[0]->env, b->dirs, epoch);
	}
	checkpoints_free(p->checkpoints);
	space_free(p->space);
	for (int i = 0; i < b->n_shards; i++)
		shard_free(b->shards[i]);
	log_info("broker", "stopped", F_I64("broker_epoch", epoch), F_I64("clean", is_clean));
}
