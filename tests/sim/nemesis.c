/* nemesis.c - lets the faults of a schedule happen.
 *
 * A fault strikes at its time if it makes sense then (a process that is down cannot be killed), and
 * goes away by itself.  What was acknowledged must survive all of it.  So at most
 * min.insync.replicas - 1 brokers at a time may be without what they had, by their power or their
 * disk; until one of them is in every ISR again it counts as such.  That is what eligible leader
 * replicas promise (KIP-966), whatever else happens meanwhile. */
#include <stdio.h>

#include "broker/shard/partition.h"
#include "tests/sim/disk.h"
#include "tests/sim/swarm.h"
#include "tests/sim/voters.h"

#define STOP_POLL_US 300000
#define USUAL_TURN_US 20

struct nemesis {
	const struct swarm *swarm;
	struct cluster *cluster;
	int64_t cut_until_us[WORLD_MACHINES_MAX][WORLD_MACHINES_MAX];
	/* The broker epoch in which it lost what it had; -1: all is there, or was fetched again. */
	int64_t lost_in[SIM_BROKERS_MAX];
	bool is_over;
};
struct strike { /* one fault, with names resolved */
	struct nemesis *nemesis;
	const struct fault *fault;
	struct sim_node *node;        /* NULL: a client */
	struct machine *machine, *to; /* to: NULL for everybody */
};
typedef bool strikes(struct strike *); /* false: it makes no sense now */

static void on_fault(void *nemesis, void *fault);
static bool find(struct strike *);
static bool may_lose(struct nemesis *, const struct sim_node *);
static strikes kill_it, stop_it, power_it, pause_it, slow_it, shift_it;
static strikes cut_it, clog_it, reset_it, lose_it, sip_it, deafen_it;
static strikes fill_it, break_it, drag_it, hang_it, evict_it, damage_it;
static strikes unregister_it, wipe_it, vote_it, break_dir_of;

static strikes *const by_kind[FAULT_KINDS] = {
	[FAULT_KILL] = kill_it,        [FAULT_STOP] = stop_it,
	[FAULT_POWER] = power_it,      [FAULT_PAUSE] = pause_it,
	[FAULT_SLOW] = slow_it,        [FAULT_CUT] = cut_it,
	[FAULT_CLOG] = clog_it,        [FAULT_RESET] = reset_it,
	[FAULT_LOSE] = lose_it,        [FAULT_SIP] = sip_it,
	[FAULT_DEAF] = deafen_it,      [FAULT_CLOCK] = shift_it,
	[FAULT_FULL] = fill_it,        [FAULT_WRITE] = break_it,
	[FAULT_SYNC] = break_it,       [FAULT_ROT] = damage_it,
	[FAULT_MISDIRECT] = damage_it, [FAULT_EVICT] = evict_it,
	[FAULT_READ] = break_it,       [FAULT_DRAG] = drag_it,
	[FAULT_HANG] = hang_it,        [FAULT_UNREGISTER] = unregister_it,
	[FAULT_WIPE] = wipe_it,        [FAULT_VOTER] = vote_it,
	[FAULT_DIR] = break_dir_of,
};

static struct nemesis *nemesis_of_run(void)
{
	static struct nemesis n;
	return &n;
}

void nemesis_begin(const struct swarm *s, const struct schedule *faults, struct cluster *c)
{
	struct nemesis *n = nemesis_of_run();

	*n = (struct nemesis){ .swarm = s, .cluster = c };
	for (int i = 0; i < c->n_brokers; i++)
		n->lost_in[i] = -1;
	for (int i = 0; i < faults->n; i++)
		world_at(c->world, c->world->now_us + faults->v[i].at_us, on_fault, n,
			 &faults->v[i]);
}

static void on_fault(void *x, void *fault)
{
	struct strike k = { .nemesis = x, .fault = fault };
	struct nemesis *n = x;

	if (n->is_over || !find(&k))
		return;
	if (by_kind[k.fault->kind](&k))
		n->cluster->n_faults++;
}

/* False: a machine that this run does not have. */
static bool find(struct strike *k)
{
	const struct cluster *c = k->nemesis->cluster;

	k->machine = machine_named(c->world, k->fault->node);
	k->to = machine_named(c->world, k->fault->to);
	if (!k->machine || (k->fault->to[0] && !k->to))
		return false;
	k->node = NULL;
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i]->machine == k->machine)
			k->node = c->controllers[i];
	for (int i = 0; i < c->n_brokers; i++)
		if (c->broker[i]->machine == k->machine)
			k->node = c->broker[i];
	return k->node || k->to; /* what happens to links may happen to a client's */
}

static bool is_everywhere_in_sync(const struct image *im, int32_t broker)
{
	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			const struct image_partition *at = &im->topics[i]->partitions[p];

			if (image_ids_has(&at->replicas, broker) &&
			    !image_ids_has(&at->isr, broker))
				return false;
		}
	return true;
}

/* In a new life, with a good disk, and in every ISR. */
static bool has_recovered(const struct nemesis *n, int i)
{
	const struct image *im = n->cluster->decided;
	const struct image_broker *b = im ? image_broker(im, n->cluster->broker[i]->id) : NULL;

	return b && b->epoch > n->lost_in[i] && is_everywhere_in_sync(im, b->id) &&
	       disk_is_sound(n->cluster->broker[i]->machine->disk);
}

/* May this broker lose records, too?  If so it counts as having lost them. */
static bool may_lose(struct nemesis *n, const struct sim_node *node)
{
	const struct image *im = n->cluster->decided;
	const struct image_broker *b = im ? image_broker(im, node->id) : NULL;
	int n_lossy = 0, at = -1;

	for (int i = 0; i < n->cluster->n_brokers; i++) {
		if (n->lost_in[i] >= 0 && has_recovered(n, i))
			n->lost_in[i] = -1;
		if (n->cluster->broker[i] == node)
			at = i;
		else
			n_lossy += n->lost_in[i] >= 0;
	}
	if (!b || n_lossy >= n->swarm->min_isr - 1)
		return false;
	n->lost_in[at] = b->epoch;
	return true;
}

static void after(const struct strike *k, happen *fn, void *a, void *b)
{
	struct world *w = k->machine->world;

	world_at(w, w->now_us + k->fault->for_us, fn, a, b);
}

static void tell(const struct machine *m, const char *what)
{
	story_tell(m->world, "---- %s %s ----", m->name, what);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void bring_up(void *x, void *unused)
{
	struct sim_node *node = x;

	(void)unused;
	if (sim_node_runs(node))
		return;
	tell(node->machine, "starts");
	sim_node_start(node);
}

static bool kill_it(struct strike *k)
{
	if (k->machine->state != MACHINE_UP)
		return false;
	tell(k->machine, "is killed");
	sim_node_kill(k->node);
	after(k, bring_up, k->node, NULL);
	return true;
}

static void bring_up_when_stopped(void *x, void *y)
{
	struct sim_node *node = x;
	struct world *w = y;

	if (!node->is_stopping)
		return;
	if (sim_node_runs(node))
		world_at(w, w->now_us + STOP_POLL_US, bring_up_when_stopped, node, w);
	else
		bring_up(node, NULL);
}

static bool stop_it(struct strike *k)
{
	if (k->machine->state != MACHINE_UP || k->node->is_stopping)
		return false;
	tell(k->machine, "is asked to stop");
	sim_node_stop(k->node);
	after(k, bring_up_when_stopped, k->node, k->machine->world);
	return true;
}

static bool power_it(struct strike *k)
{
	if (!sim_node_runs(k->node))
		return false;
	if (!k->node->is_controller && !may_lose(k->nemesis, k->node))
		return false;
	tell(k->machine, "loses its power");
	sim_node_power_off(k->node);
	after(k, bring_up, k->node, NULL);
	return true;
}

static void resume(void *x, void *life)
{
	struct machine *m = x;

	if (m->state == MACHINE_PAUSED && m->life == (uint32_t)(uintptr_t)life)
		machine_resume(m);
}

static bool pause_it(struct strike *k)
{
	if (k->machine->state != MACHINE_UP)
		return false;
	tell(k->machine, "is paused");
	machine_pause(k->machine);
	after(k, resume, k->machine, (void *)(uintptr_t)k->machine->life);
	return true;
}

static void quicken(void *x, void *us)
{
	struct machine *m = x;

	m->turn_us_max = (intptr_t)us;
}

static bool slow_it(struct strike *k)
{
	tell(k->machine, "is slow");
	k->machine->turn_us_max = k->fault->n;
	after(k, quicken, k->machine, (void *)(intptr_t)k->nemesis->swarm->turn_us);
	return true;
}

static void set_right(void *x, void *unused)
{
	struct machine *m = x;

	(void)unused;
	m->wall_skew_ms = 0;
}

static bool shift_it(struct strike *k)
{
	story_tell(k->machine->world, "---- %s's clock is %lld ms off ----", k->machine->name,
		   (long long)k->fault->n);
	k->machine->wall_skew_ms = k->fault->n;
	after(k, set_right, k->machine, NULL);
	return true;
}

/* ---- network -------------------------------------------------------------------------------- */

/* The last cut of a route heals it. */
static void mend(void *x, void *y)
{
	struct machine *from = x, *to = y;
	struct world *w = from->world;

	if (w->now_us < nemesis_of_run()->cut_until_us[from->id][to->id])
		return;
	w->route[from->id][to->id].is_cut = false;
	net_heal(w, from->id, to->id);
}

static void cut(const struct strike *k, struct machine *from, struct machine *to)
{
	struct world *w = from->world;
	int64_t *until = &k->nemesis->cut_until_us[from->id][to->id];

	if (from == to)
		return;
	*until = i64_max(*until, w->now_us + k->fault->for_us);
	w->route[from->id][to->id].is_cut = true;
	after(k, mend, from, to);
}

static bool cut_it(struct strike *k)
{
	struct world *w = k->machine->world;

	story_tell(w, "---- %s cannot reach %s%s for %lld ms ----", k->machine->name,
		   k->to ? k->to->name : "anybody", k->fault->n ? "" : ", nor back",
		   (long long)k->fault->for_us / 1000);
	for (int i = 0; i < w->n_machines; i++) {
		if (k->to && w->machine[i] != k->to)
			continue;
		cut(k, k->machine, w->machine[i]);
		if (k->fault->n == 0)
			cut(k, w->machine[i], k->machine);
	}
	return true;
}

static bool clog_it(struct strike *k)
{
	struct world *w = k->machine->world;

	if (!k->to)
		return false;
	w->route[k->machine->id][k->to->id].clog_until_us = w->now_us + k->fault->for_us;
	return true;
}

static bool reset_it(struct strike *k)
{
	if (!k->to)
		return false;
	net_break(k->machine, k->to, false);
	return true;
}

static bool lose_it(struct strike *k)
{
	if (!k->to)
		return false;
	story_tell(k->machine->world, "---- connections of %s and %s are lost ----",
		   k->machine->name, k->to->name);
	net_break(k->machine, k->to, true);
	return true;
}

static void gulp(void *x, void *unused)
{
	struct machine *m = x;

	(void)unused;
	m->sip_us = 0;
}

static bool sip_it(struct strike *k)
{
	tell(k->machine, "hardly reads");
	k->machine->sip_us = k->fault->n;
	after(k, gulp, k->machine, NULL);
	return true;
}

static bool deafen_it(struct strike *k)
{
	tell(k->machine, "accepts no connection");
	k->machine->deaf_until_us = k->machine->world->now_us + k->fault->for_us;
	return true;
}

/* ---- disks ---------------------------------------------------------------------------------- */

static void repair(struct machine *m)
{
	disk_fail(m->disk, 0, 0);
	disk_limit(m->disk, INT64_MAX);
	disk_fail_below(m->disk, "");
}

/* The life that now ends is still the one that met it, whatever was decided meanwhile. */
static void lost_until_now(struct nemesis *n, const struct sim_node *node)
{
	const struct image *im = n->cluster->decided;
	const struct image_broker *b = im ? image_broker(im, node->id) : NULL;

	for (int i = 0; b && i < n->cluster->n_brokers; i++)
		if (n->cluster->broker[i] == node && n->lost_in[i] >= 0)
			n->lost_in[i] = i64_max(n->lost_in[i], b->epoch);
}

/* Whoever met a failing disk serves nothing from it until it is started again. */
static void on_repair(void *x, void *unused)
{
	struct sim_node *node = x;

	(void)unused;
	lost_until_now(nemesis_of_run(), node);
	repair(node->machine);
	if (machine_runs(node->machine)) {
		tell(node->machine, "gets a new disk controller, and is killed");
		sim_node_kill(node);
	}
	bring_up(node, NULL);
}

static bool fill_it(struct strike *k)
{
	if (k->machine->state != MACHINE_UP)
		return false;
	tell(k->machine, "has a full disk");
	disk_limit(k->machine->disk, disk_bytes(k->machine->disk) + k->fault->n);
	after(k, on_repair, k->node, NULL);
	return true;
}

static bool break_it(struct strike *k)
{
	static const struct {
		enum disk_fault fault;
		const char *what;
	} how[FAULT_KINDS] = {
		[FAULT_WRITE] = { DISK_WRITE, "has a disk that fails to write" },
		[FAULT_SYNC] = { DISK_SYNC, "has a disk that fails to sync" },
		[FAULT_READ] = { DISK_READ, "has a disk that fails to read" },
	};

	if (k->machine->state != MACHINE_UP)
		return false;
	/* Where one in sync is enough to commit the last leader is waited for, see election.c. */
	if (!k->node->is_controller && k->nemesis->swarm->min_isr > 1 &&
	    !may_lose(k->nemesis, k->node))
		return false;
	tell(k->machine, how[k->fault->kind].what);
	disk_fail(k->machine->disk, how[k->fault->kind].fault, (uint32_t)k->fault->n);
	after(k, on_repair, k->node, NULL);
	return true;
}

/* Its other directories serve on. */
static bool break_dir_of(struct strike *k)
{
	const struct swarm *s = k->nemesis->swarm;
	const char *dir = sim_log_dir((int)((k->fault->n - 1) % s->log_dirs));

	if (k->node->is_controller || k->machine->state != MACHINE_UP || s->log_dirs < 2 ||
	    (s->min_isr > 1 && !may_lose(k->nemesis, k->node)))
		return false;
	story_tell(k->machine->world, "---- %s's directory %s fails ----", k->machine->name, dir);
	disk_fail_below(k->machine->disk, dir);
	after(k, on_repair, k->node, NULL);
	return true;
}

static bool evict_it(struct strike *k)
{
	if (!k->node->is_controller && disk_has_lost(k->machine->disk) &&
	    !may_lose(k->nemesis, k->node))
		return false;
	disk_evict(k->machine->disk);
	return true;
}

/* Where a start looks after a kill: nothing reads again what lies below the recovery point until
 * somebody asks for it. */
static struct partition *any_unsynced(const struct strike *k, struct log_read *where)
{
	const struct cluster *c = k->nemesis->cluster;
	struct partition *found = NULL;
	int n = 0;

	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < c->topic[t].n_partitions; i++) {
			struct partition *p = cluster_replica(c, k->node->id - 1, &c->topic[t], i);
			struct log_read part;

			if (!p || log_failed(p->log) || n++ > k->fault->n % 3 ||
			    log_read(p->log, log_recovery_point(p->log), log_end(p->log), INT32_MAX,
				     true, &part) ||
			    part.n == 0)
				continue;
			if (found)
				file_put(where->file);
			found = p;
			*where = part;
		}
	return found;
}

static bool damage_it(struct strike *k)
{
	bool is_misdirected = k->fault->kind == FAULT_MISDIRECT;
	struct world *w = k->machine->world;
	struct partition *p = NULL;
	struct log_read where;

	if (k->node->is_controller || k->machine->state != MACHINE_UP)
		return false;
	w->is_watched = true;
	p = any_unsynced(k, &where);
	w->is_watched = false;
	if (!p)
		return false;
	if (may_lose(k->nemesis, k->node)) {
		story_tell(w, "---- %s is killed, and a sector of %s %s ----", k->machine->name,
			   p->dir_name, is_misdirected ? "has another one's bytes" : "is bad");
		disk_damage(where.file, where.at, where.at + where.n, (uint64_t)k->fault->n,
			    is_misdirected);
		k->machine->losses++; /* as with the power: only what was synced must be there */
		sim_node_kill(k->node);
		after(k, bring_up, k->node, NULL);
	}
	file_put(where.file);
	return k->machine->state != MACHINE_UP;
}

static void hurry(void *x, void *unused)
{
	struct machine *m = x;

	(void)unused;
	m->job_us_more = 0;
}

static bool drag_it(struct strike *k)
{
	tell(k->machine, "has a slow disk");
	k->machine->job_us_more = k->fault->n;
	after(k, hurry, k->machine, NULL);
	return true;
}

static bool hang_it(struct strike *k)
{
	tell(k->machine, "has a disk that does not answer");
	k->machine->hung_until_us = k->machine->world->now_us + k->fault->for_us;
	return true;
}

/* ---- operators ------------------------------------------------------------------------------ */

static void unregister(void *x, void *y)
{
	struct node *active = x;
	const struct sim_node *gone = y;
	Weir__UnregisterBroker m = WEIR__UNREGISTER_BROKER__INIT;
	struct ctl_cmd cmd = { .kind = CTL_UNREGISTER, .unregister = &m };
	struct asked nobody = { 0 };

	m.id = gone->id;
	(void)node_submit(active, &cmd, &nobody);
}

/* Nobody counts any more on what it has, and so it is one that lost it.  Decided at once: a request
 * that is late would strike while another broker is the one that may lose. */
static bool unregister_it(struct strike *k)
{
	struct sim_node *by = cluster_active(k->nemesis->cluster);

	if (k->node->is_controller || !by || by->machine->state != MACHINE_UP ||
	    !may_lose(k->nemesis, k->node))
		return false;
	tell(k->machine, "is unregistered");
	actor_run(&by->machine->actor[0], unregister, by->controller->node, k->node);
	return true;
}

static bool vote_it(struct strike *k)
{
	return k->node->is_controller && voters_change(k->nemesis->cluster, k->node);
}

static bool wipe_it(struct strike *k)
{
	if (!k->node->is_controller || !voters_may_wipe(k->nemesis->cluster, k->node))
		return false;
	tell(k->machine, "loses its disk");
	if (sim_node_runs(k->node))
		sim_node_kill(k->node);
	voters_wipe(k->nemesis->cluster, k->node);
	after(k, bring_up, k->node, NULL);
	return true;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void heal_node(struct sim_node *node)
{
	bool is_hurt = !disk_is_sound(node->machine->disk);

	repair(node->machine);
	node->machine->turn_us_max = USUAL_TURN_US;
	node->machine->wall_skew_ms = node->machine->sip_us = node->machine->job_us_more = 0;
	node->machine->deaf_until_us = node->machine->hung_until_us = 0;
	if (node->machine->state == MACHINE_PAUSED)
		machine_resume(node->machine);
	/* What is on its way down is waited for; what met a bad disk must begin anew. */
	if (sim_node_runs(node) && node->is_stopping) {
		bring_up_when_stopped(node, node->machine->world);
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
	memset(n->cut_until_us, 0, sizeof(n->cut_until_us));
	for (int a = 0; a < w->n_machines; a++)
		for (int b = 0; b < w->n_machines; b++) {
			w->route[a][b].clog_until_us = 0;
			w->route[a][b].latency_us = 50;
			w->route[a][b].jitter_us = 100;
			if (w->route[a][b].is_cut)
				mend(w->machine[a], w->machine[b]);
		}
	for (int i = 0; i < c->n_controllers; i++)
		heal_node(c->controllers[i]);
	for (int i = 0; i < c->n_brokers; i++)
		heal_node(c->broker[i]);
}
