/* nemesis.c - the faults of a seed.
 *
 * Each kind comes at its own pace from the stream of faults, strikes a node or a route, and goes
 * away by itself after a while.  What was acknowledged must survive all of it, so the power of a
 * broker fails only where min.insync.replicas promises that another one has the record, and alone:
 * with every broker in service and every replica in sync, and nothing else breaks until that is so
 * again.  (Without eligible leader replicas, KIP-966, a broker that lost its tail could be left as
 * the only one in sync.  With them this restriction goes.) */
#include <stdio.h>

#include "tests/sim/disk.h"
#include "tests/sim/swarm.h"

#define DOWN_US_MAX 3000000
#define CUT_US_MAX 5000000
#define SPELL_US_MAX 1000000
#define WHY_BYTES 160
#define USUAL_TURN_US 20

struct nemesis {
	const struct swarm *swarm;
	struct cluster *cluster;
	bool is_lossy; /* a broker's disk may lack what it had; until all is whole again */
	bool is_over;
};

static void strike(struct nemesis *, int64_t mean_us, happen *);
static void on_kill(void *nemesis, void *mean);
static void on_stop(void *nemesis, void *mean);
static void on_power(void *nemesis, void *mean);
static void on_pause(void *nemesis, void *mean);
static void on_cut(void *nemesis, void *mean);
static void on_clog(void *nemesis, void *mean);
static void on_disk(void *nemesis, void *mean);
static void on_slow(void *nemesis, void *mean);

static struct nemesis *nemesis_of_run(void)
{
	static struct nemesis n;
	return &n;
}

void nemesis_begin(const struct swarm *s, struct cluster *c)
{
	struct nemesis *n = nemesis_of_run();

	*n = (struct nemesis){ .swarm = s, .cluster = c };
	strike(n, s->kill_us, on_kill);
	strike(n, s->stop_us, on_stop);
	strike(n, s->power_us, on_power);
	strike(n, s->pause_node_us, on_pause);
	strike(n, s->cut_us, on_cut);
	strike(n, s->clog_us, on_clog);
	strike(n, s->disk_us, on_disk);
	strike(n, s->slow_us, on_slow);
}

static uint64_t chance(struct nemesis *n, int64_t below)
{
	return world_chance(n->cluster->world, STREAM_FAULT, (uint64_t)below);
}

/* The next of a kind: on average after mean_us. */
static void strike(struct nemesis *n, int64_t mean_us, happen *fn)
{
	if (mean_us > 0)
		world_at(n->cluster->world,
			 n->cluster->world->now_us + (int64_t)chance(n, 2 * mean_us), fn, n,
			 (void *)(intptr_t)mean_us);
}

/* No fault at work, and none to be repaired from. */
static bool is_sound(const struct nemesis *n)
{
	const struct cluster *c = n->cluster;
	const struct world *w = c->world;
	char why[WHY_BYTES];

	for (int a = 0; a < w->n_machines; a++) {
		if (w->machine[a]->state != MACHINE_UP || !disk_is_sound(w->machine[a]->disk) ||
		    w->machine[a]->turn_us_max > i64_max(n->swarm->turn_us, USUAL_TURN_US))
			return false;
		for (int b = 0; b < w->n_machines; b++)
			if (w->route[a][b].is_cut || w->route[a][b].clog_until_us > w->now_us)
				return false;
	}
	for (int i = 0; i < c->n_brokers; i++)
		if (c->broker[i]->is_stopping)
			return false;
	return !c->controller->is_stopping && cluster_is_whole(c, why, sizeof(why));
}

/* Whether this one may happen; the one after it is arranged. */
static bool comes(struct nemesis *n, int64_t mean_us, happen *fn)
{
	if (n->is_over)
		return false;
	strike(n, mean_us, fn);
	n->is_lossy = n->is_lossy && !is_sound(n);
	return !n->is_lossy;
}

static struct sim_node *any_node(struct nemesis *n)
{
	uint64_t i = chance(n, n->cluster->n_brokers + 1);

	return i == 0 ? n->cluster->controller : n->cluster->broker[i - 1];
}

static void after(struct nemesis *n, int64_t max_us, happen *fn, void *a, void *b)
{
	n->cluster->n_faults++;
	world_at(n->cluster->world, n->cluster->world->now_us + 1 + (int64_t)chance(n, max_us), fn,
		 a, b);
}

static void tell(struct nemesis *n, const char *what, const struct machine *m)
{
	story_tell(n->cluster->world, "---- %s %s ----", m->name, what);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void bring_up(void *x, void *unused)
{
	struct sim_node *node = x;

	(void)unused;
	if (sim_node_runs(node))
		return;
	story_tell(node->machine->world, "---- %s starts ----", node->machine->name);
	sim_node_start(node);
}

/* Sometimes back before anybody noticed. */
static int64_t down_us(struct nemesis *n)
{
	return chance(n, 2) ? DOWN_US_MAX : 5000;
}

static void on_kill(void *x, void *mean)
{
	struct nemesis *n = x;
	struct sim_node *node = any_node(n);

	if (!comes(n, (intptr_t)mean, on_kill))
		return;
	if (node->machine->state != MACHINE_UP)
		return;
	tell(n, "is killed", node->machine);
	sim_node_kill(node);
	after(n, down_us(n), bring_up, node, NULL);
}

static void bring_up_when_stopped(void *x, void *y)
{
	struct sim_node *node = x;
	struct nemesis *n = y;

	if (!node->is_stopping)
		return;
	if (sim_node_runs(node))
		world_at(n->cluster->world, n->cluster->world->now_us + DOWN_US_MAX / 10,
			 bring_up_when_stopped, node, n);
	else
		bring_up(node, NULL);
}

static void on_stop(void *x, void *mean)
{
	struct nemesis *n = x;
	struct sim_node *node = any_node(n);

	if (!comes(n, (intptr_t)mean, on_stop))
		return;
	if (node->machine->state != MACHINE_UP || node->is_stopping)
		return;
	tell(n, "is asked to stop", node->machine);
	sim_node_stop(node);
	after(n, DOWN_US_MAX, bring_up_when_stopped, node, n);
}

static void on_power(void *x, void *mean)
{
	struct nemesis *n = x;
	struct sim_node *node = any_node(n);

	if (!comes(n, (intptr_t)mean, on_power) || !sim_node_runs(node))
		return;
	if (!node->is_controller && (n->swarm->min_isr < 2 || !is_sound(n)))
		return;
	n->is_lossy = !node->is_controller;
	tell(n, "loses its power", node->machine);
	sim_node_power_off(node);
	after(n, down_us(n), bring_up, node, NULL);
}

static void resume(void *x, void *y)
{
	struct machine *m = x;

	if (m->state == MACHINE_PAUSED && m->life == (uint32_t)(uintptr_t)y)
		machine_resume(m);
}

static void on_pause(void *x, void *mean)
{
	struct nemesis *n = x;
	struct machine *m = any_node(n)->machine;

	if (!comes(n, (intptr_t)mean, on_pause))
		return;
	if (m->state != MACHINE_UP)
		return;
	tell(n, "is paused", m);
	machine_pause(m);
	after(n, DOWN_US_MAX, resume, m, (void *)(uintptr_t)m->life);
}

static void quicken(void *x, void *us)
{
	struct machine *m = x;

	m->turn_us_max = (intptr_t)us;
}

static void on_slow(void *x, void *mean)
{
	struct nemesis *n = x;
	struct machine *m = any_node(n)->machine;

	if (!comes(n, (intptr_t)mean, on_slow))
		return;
	m->turn_us_max = 1 + (int64_t)chance(n, 50000);
	after(n, SPELL_US_MAX, quicken, m, (void *)(intptr_t)n->swarm->turn_us);
}

/* ---- network -------------------------------------------------------------------------------- */

static void mend(void *x, void *y)
{
	struct machine *from = x, *to = y;

	from->world->route[from->id][to->id].is_cut = false;
	net_heal(from->world, from->id, to->id);
}

static void cut(struct nemesis *n, struct machine *from, struct machine *to, int64_t us)
{
	struct world *w = n->cluster->world;

	if (from == to)
		return;
	w->route[from->id][to->id].is_cut = true;
	world_at(w, w->now_us + us, mend, from, to);
}

/* A node from everybody, or one pair; both ways or one way. */
static void on_cut(void *x, void *mean)
{
	struct nemesis *n = x;
	struct world *w = n->cluster->world;
	struct machine *a = any_node(n)->machine, *b = any_node(n)->machine;
	bool is_alone = chance(n, 2), is_one_way = chance(n, 3) == 0;
	int64_t us = 1 + (int64_t)chance(n, CUT_US_MAX);

	if (!comes(n, (intptr_t)mean, on_cut))
		return;
	n->cluster->n_faults++;
	story_tell(w, "---- %s cannot reach %s%s for %lld ms ----", a->name,
		   is_alone ? "anybody" : b->name, is_one_way ? "" : ", nor back",
		   (long long)us / 1000);
	for (int i = 0; i < w->n_machines; i++) {
		if (!is_alone && w->machine[i] != b)
			continue;
		cut(n, a, w->machine[i], us);
		if (!is_one_way)
			cut(n, w->machine[i], a, us);
	}
}

static void on_clog(void *x, void *mean)
{
	struct nemesis *n = x;
	struct world *w = n->cluster->world;
	int from = (int)chance(n, w->n_machines), to = (int)chance(n, w->n_machines);

	if (!comes(n, (intptr_t)mean, on_clog))
		return;
	n->cluster->n_faults++;
	w->route[from][to].clog_until_us = w->now_us + (int64_t)chance(n, SPELL_US_MAX);
}

/* ---- disks ---------------------------------------------------------------------------------- */

static void repair(struct machine *m)
{
	disk_fail(m->disk, 0, 0);
	disk_limit(m->disk, INT64_MAX);
}

/* Whoever met a failing disk serves nothing from it until it is started again. */
static void on_repair(void *x, void *y)
{
	struct sim_node *node = x;
	struct nemesis *n = y;

	repair(node->machine);
	if (machine_runs(node->machine)) {
		tell(n, "gets a new disk controller, and is killed", node->machine);
		sim_node_kill(node);
	}
	bring_up(node, NULL);
}

static void on_disk(void *x, void *mean)
{
	struct nemesis *n = x;
	struct sim_node *node = any_node(n);
	unsigned kinds = 1 + (unsigned)chance(n, 3);

	if (!comes(n, (intptr_t)mean, on_disk))
		return;
	if (node->machine->state != MACHINE_UP)
		return;
	if (chance(n, 2)) {
		tell(n, "has a full disk", node->machine);
		disk_limit(node->machine->disk, disk_bytes(node->machine->disk) + 1000);
	} else {
		tell(n, "has a failing disk", node->machine);
		disk_fail(node->machine->disk, kinds, 1 + (uint32_t)chance(n, 20));
	}
	after(n, SPELL_US_MAX, on_repair, node, n);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void heal_node(struct nemesis *n, struct sim_node *node)
{
	bool is_hurt = !disk_is_sound(node->machine->disk);

	repair(node->machine);
	node->machine->turn_us_max = USUAL_TURN_US;
	if (node->machine->state == MACHINE_PAUSED)
		machine_resume(node->machine);
	/* What is on its way down is waited for; what met a bad disk must begin anew. */
	if (sim_node_runs(node) && node->is_stopping) {
		world_at(n->cluster->world, n->cluster->world->now_us + DOWN_US_MAX / 10,
			 bring_up_when_stopped, node, n);
		return;
	}
	if (sim_node_runs(node) && is_hurt)
		sim_node_kill(node);
	bring_up(node, NULL);
}

void nemesis_heal(struct cluster *c)
{
	struct nemesis *n = nemesis_of_run();
	struct world *w = c->world;

	n->is_over = true;
	for (int a = 0; a < w->n_machines; a++)
		for (int b = 0; b < w->n_machines; b++) {
			w->route[a][b].clog_until_us = 0;
			w->route[a][b].latency_us = 50;
			w->route[a][b].jitter_us = 100;
			if (w->route[a][b].is_cut)
				mend(w->machine[a], w->machine[b]);
		}
	heal_node(n, c->controller);
	for (int i = 0; i < c->n_brokers; i++)
		heal_node(n, c->broker[i]);
}
