#include "tests/sim/swarm.h"

#include <stdio.h>

#include "tests/sim/fuzz.h"
#include "tests/sim/voters.h"

#define SECOND 1000000
#define WHY_BYTES 160
#define SETTLED_CHECK_US 100000
#define REST_SEEDS 4 /* one seed in so many is watched at rest */
#define REST_US (10 * SECOND)

static int64_t between(struct prng *p, int64_t low, int64_t high)
{
	return low + (int64_t)prng_below(p, (uint64_t)(high - low + 1));
}

/* A rate over two orders of magnitude, or never. */
static int64_t maybe(struct prng *p, int64_t low_us)
{
	static const int scale[] = { 1, 3, 10, 30 };

	return prng_chance(p, 1, 2) ? 0 : low_us * scale[prng_below(p, ARRAY_LEN(scale))];
}

static void draw_controllers(struct swarm *, uint64_t seed);
static void draw_rare(struct swarm *, uint64_t seed);
static void draw_dirs(struct swarm *, uint64_t seed);
static void draw_voters(struct swarm *, uint64_t seed);

void swarm_draw(struct swarm *s, uint64_t seed)
{
	static const int scale[] = { 1, 5, 10, 10, 10, 30, 100 };
	static const int lag_scale[] = { 1, 10, 10, 10, 100 };
	struct prng prng, *p = &prng;

	prng_seed(p, seed ^ 0x5eed);
	*s = (struct swarm){ .seed = seed };
	s->brokers = (int)between(p, 2, 5);
	s->shards = (int)between(p, 1, 3);
	s->topics = (int)between(p, 1, 2);
	s->partitions = (int)between(p, 1, 3);
	s->rf = (int)between(p, 2, s->brokers < 4 ? s->brokers : 4);
	s->min_isr = (int)between(p, 1, s->rf < 3 ? s->rf : 2);
	s->producers = (int)between(p, 2, 4);
	s->batches = (int)between(p, 50, 400);
	s->safety_us = between(p, 3, 12) * SECOND;
	s->liveness_us = 120 * SECOND;
	s->pause_us = s->safety_us / s->batches;
	s->operate_us = maybe(p, SECOND / 10);
	s->has_passing = prng_chance(p, 1, 4);
	s->is_unclean = prng_chance(p, 1, 10);
	s->heartbeat_ms = 10 * scale[prng_below(p, ARRAY_LEN(scale))];
	s->session_ms = i64_max(100, s->heartbeat_ms * between(p, 4, 18));
	s->lag_ms = between(p, 2, 12) * 25 * lag_scale[prng_below(p, ARRAY_LEN(lag_scale))];
	s->roll_ms = prng_chance(p, 1, 2) ? between(p, 50, 2000) : 3600000;
	s->retention_ms = prng_chance(p, 1, 4) ? between(p, 500, 5000) : -1;
	s->latency_us = between(p, 20, 300);
	s->jitter_us = prng_chance(p, 1, 4) ? between(p, 1, 20000) : between(p, 1, 300);
	s->turn_us = prng_chance(p, 1, 4) ? between(p, 20, 3000) : 20;
	s->job_us = prng_chance(p, 1, 4) ? between(p, 2000, 50000) : 2000;
	s->every_us[FAULT_KILL] = maybe(p, SECOND / 2);
	s->every_us[FAULT_PAUSE] = maybe(p, SECOND);
	s->every_us[FAULT_POWER] = maybe(p, SECOND);
	s->every_us[FAULT_CUT] = maybe(p, SECOND / 2);
	s->every_us[FAULT_CLOG] = maybe(p, SECOND / 10);
	s->every_us[FAULT_STOP] = maybe(p, SECOND);
	s->every_us[FAULT_SLOW] = maybe(p, SECOND / 2);
	s->every_us[FAULT_FULL] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_WRITE] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_SYNC] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_EVICT] = maybe(p, SECOND / 2);
	s->every_us[FAULT_ROT] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_MISDIRECT] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_READ] = maybe(p, 2 * SECOND);
	s->every_us[FAULT_DRAG] = maybe(p, SECOND);
	s->every_us[FAULT_HANG] = maybe(p, SECOND);
	s->every_us[FAULT_RESET] = maybe(p, SECOND / 4);
	s->every_us[FAULT_LOSE] = maybe(p, SECOND / 2);
	s->every_us[FAULT_SIP] = maybe(p, SECOND);
	s->every_us[FAULT_DEAF] = maybe(p, SECOND);
	s->every_us[FAULT_CLOCK] = maybe(p, SECOND);
	fuzz_draw(s, p);
	draw_controllers(s, seed);
	draw_rare(s, seed);
	draw_dirs(s, seed);
	draw_voters(s, seed);
}

/* A stream of its own: the number of controllers, and moves, change nothing else. */
static void draw_controllers(struct swarm *s, uint64_t seed)
{
	static const int often[] = { 1, 1, 1, 1, 3, 3, 3, 3, 5, 2 };
	struct prng prng, *p = &prng;

	prng_seed(p, seed ^ 0xc0);
	s->controllers = often[prng_below(p, ARRAY_LEN(often))];
	s->patience_ms = between(p, 100, 1000);
	s->snapshot_bytes = prng_chance(p, 1, 2) ? between(p, 500, 5000) : 20 << 20;
	s->move_us = prng_chance(p, 1, 2) ? maybe(p, SECOND / 4) : 0;
}

/* Likewise: what most seeds are without. */
static void draw_rare(struct swarm *s, uint64_t seed)
{
	struct prng prng, *p = &prng;

	prng_seed(p, seed ^ 0x4a4e);
	if (prng_chance(p, 1, 8))
		s->every_us[FAULT_UNREGISTER] = maybe(p, SECOND);
	if (prng_chance(p, 1, 6))
		past_draw(&s->past, p);
}

static void draw_dirs(struct swarm *s, uint64_t seed)
{
	struct prng prng, *p = &prng;

	prng_seed(p, seed ^ 0xd125);
	s->log_dirs = 1;
	if (!prng_chance(p, 1, 5))
		return;
	s->log_dirs = (int)between(p, 2, SIM_LOG_DIRS_MAX);
	s->dir_move_us = maybe(p, SECOND / 20);
	s->every_us[FAULT_DIR] = maybe(p, SECOND / 2);
}

static void draw_voters(struct swarm *s, uint64_t seed)
{
	struct prng prng, *p = &prng;

	prng_seed(p, seed ^ 0x707e);
	s->every_us[FAULT_WIPE] = maybe(p, SECOND);
	s->every_us[FAULT_VOTER] = maybe(p, SECOND / 5);
}

void swarm_plain(struct swarm *s)
{
	memset(s->every_us, 0, sizeof(s->every_us));
	s->past = (struct past){ 0 };
	s->log_dirs = 1;
	s->dir_move_us = 0;
	s->n_conf = 0;
}

/* ---- the cluster ---------------------------------------------------------------------------- */

static void set_up_controller(const struct swarm *s, struct sim_node *n)
{
	sim_node_option(n, "broker.session.timeout.ms=%lld", (long long)s->session_ms);
	sim_node_option(n, "leader.imbalance.check.interval.seconds=5");
	sim_node_option(n, "unclean.leader.election.interval.ms=2000");
	sim_node_option(n, "controller.quorum.fetch.timeout.ms=%lld", (long long)s->patience_ms);
	sim_node_option(n, "metadata.log.max.record.bytes.between.snapshots=%lld",
			(long long)s->snapshot_bytes);
	for (int i = 0; fuzz_at(s, "controller", i); i++)
		sim_node_option(n, "%s", fuzz_at(s, "controller", i));
}

static void set_up_broker(const struct swarm *s, struct sim_node *n)
{
	sim_node_option(n, "broker.heartbeat.interval.ms=%lld", (long long)s->heartbeat_ms);
	sim_node_option(n, "broker.session.timeout.ms=%lld", (long long)s->session_ms);
	sim_node_option(n, "replica.lag.time.max.ms=%lld", (long long)s->lag_ms);
	sim_node_option(n, "log.roll.ms=%lld", (long long)s->roll_ms);
	sim_node_log_dirs(n, s->log_dirs);
	sim_node_option(n, "log.index.interval.bytes=1024");
	sim_node_option(n, "log.retention.check.interval.ms=500");
	sim_node_option(n, "replica.high.watermark.checkpoint.interval.ms=500");
	for (int i = 0; fuzz_at(s, "broker", i); i++)
		sim_node_option(n, "%s", fuzz_at(s, "broker", i));
}

static void after_event(void *arg)
{
	struct cluster *c = arg;

	if (c->world->last)
		check_machine(c, c->world->last);
}

static void add_clients(const struct swarm *s, struct cluster *c)
{
	struct prng prng;

	prng_seed(&prng, s->seed ^ 0xc11e);
	(void)admin_new(c, "admin", s->move_us);
	for (int i = 0; i < s->producers; i++) {
		struct producer_options o = { .n_batches = s->batches,
					      .acks = -1,
					      .pause_us = s->pause_us,
					      .topic = i % s->topics };
		char name[16];

		o.is_idempotent = prng_chance(&prng, 1, 2) && !s->is_unclean;
		if (!o.is_idempotent && prng_chance(&prng, 1, 3))
			o.acks = prng_chance(&prng, 1, 3) ? 0 : 1;
		o.is_mixed = !o.is_idempotent && prng_chance(&prng, 1, 3);
		snprintf(name, sizeof(name), "p%d", i);
		(void)producer_new(c, name, &o);
	}
	if (s->has_passing)
		(void)producer_new(c, "passing",
				   &(struct producer_options){ .n_batches = s->batches,
							       .acks = -1,
							       .is_mixed = true,
							       .pause_us = s->pause_us,
							       .topic = s->topics });
	if (s->operate_us > 0)
		(void)operator_new(c, "operator", s->operate_us);
	(void)consumer_new(c, "reader");
	(void)asker_new(c, "asker");
	if (s->dir_move_us > 0 && s->log_dirs > 1)
		(void)mover_new(c, "mover", s->log_dirs, s->dir_move_us);
}

struct cluster *swarm_build(const struct swarm *s)
{
	struct cluster *c = cluster_new(s->seed);
	struct world *w = c->world;

	w->job_us_max = s->job_us;
	for (int a = 0; a < WORLD_MACHINES_MAX; a++)
		for (int b = 0; b < WORLD_MACHINES_MAX; b++) {
			w->route[a][b].latency_us = s->latency_us;
			w->route[a][b].jitter_us = s->jitter_us;
		}
	cluster_add_controllers(c, s->controllers);
	for (int i = 0; i < s->controllers; i++)
		set_up_controller(s, c->controllers[i]);
	for (int i = 0; fuzz_at(s, "topic", i) && i < SIM_CONF_MAX; i++)
		c->topic_conf[i] = fuzz_at(s, "topic", i);
	c->n_brokers = s->brokers;
	for (int i = 0; i < s->brokers; i++) {
		c->broker[i] = sim_node_add(w, i + 1, false, s->shards);
		set_up_broker(s, c->broker[i]);
		cluster_tell_controllers(c, c->broker[i]);
		c->broker[i]->machine->turn_us_max = s->turn_us;
	}
	for (int i = 0; i < s->topics; i++)
		cluster_topic(c, s->partitions, s->rf, s->min_isr, s->is_unclean)->retention_ms =
			s->retention_ms;
	if (s->has_passing)
		cluster_topic(c, s->partitions, s->rf, s->min_isr, s->is_unclean)->may_go = true;
	w->after = after_event;
	w->arg = c;
	return c;
}

void swarm_tell(const struct swarm *s, const struct cluster *c)
{
	printf("seed %llu: %d controller%s, %d broker%s of %d shard%s, %d x %d partitions, rf %d, "
	       "min.isr %d%s; "
	       "%llu events, %.1f s, %lld faults, %lld acked, %lld read, %lld refused, hash "
	       "%016llx\n",
	       (unsigned long long)s->seed, s->controllers, s->controllers == 1 ? "" : "s",
	       s->brokers, s->brokers == 1 ? "" : "s", s->shards, s->shards == 1 ? "" : "s",
	       s->topics, s->partitions, s->rf, s->min_isr, s->is_unclean ? ", unclean" : "",
	       (unsigned long long)c->world->n_events, (double)c->world->now_us / SECOND,
	       (long long)c->n_faults, (long long)c->n_acked, (long long)c->n_consumed,
	       (long long)c->n_refused, (unsigned long long)c->world->hash);
}

/* ---- the two phases ------------------------------------------------------------------------- */

static bool is_done(struct cluster *c, char *why, size_t cap)
{
	for (int i = 0; i < c->n_clients; i++)
		if (!c->client[i]->is_idle(c->client[i]->arg, why, cap))
			return false;
	return cluster_is_whole(c, why, cap) && voters_are_whole(c, why, cap) &&
	       !cluster_waits(c, why, cap);
}

static void come_together(const struct swarm *s, struct cluster *c)
{
	int64_t until = c->world->now_us + s->liveness_us;
	char why[WHY_BYTES] = "";

	while (!is_done(c, why, sizeof(why))) {
		if (c->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "after %.0f s without faults: %s",
				   (double)s->liveness_us / SECOND, why);
		voters_mend(c);
		world_run(c->world, SETTLED_CHECK_US);
	}
}

/* One that begins now reads everything; after that nothing moves any more. */
static void come_to_rest(const struct swarm *s, struct cluster *c)
{
	struct rest rest;

	(void)consumer_new(c, "fresh");
	come_together(s, c);
	if (s->seed % REST_SEEDS > 0)
		return;
	c->is_at_rest = true;
	net_tell_lost(c->world); /* or what is sent into them piles up until a keepalive ends */
	world_run(c->world, REST_US);
	rest = rest_measure(c);
	world_run(c->world, REST_US);
	rest_compare(c, rest);
	c->is_at_rest = false;
}

void swarm_run(const struct swarm *s, const struct schedule *faults, struct cluster *c)
{
	past_write(s, c);
	cluster_start_all(c);
	add_clients(s, c);
	world_run(c->world, SECOND);
	ASSERT(c->world->now_us == SWARM_FAULTS_FROM_US);
	nemesis_begin(s, faults, c);
	world_run(c->world, s->safety_us);
	story_tell(c->world, "---- the faults end; everything must come together ----");
	nemesis_heal(c);
	c->is_quiet = true;
	come_together(s, c);
	come_to_rest(s, c);
	check_end(c);
}
