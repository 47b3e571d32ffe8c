/* world.c - the queue of events, and the machines. */
#include "tests/sim/world.h"

#include "tests/sim/disk.h"

#define START_US 1000000
#define WALL_BASE_MS 1700000000000

struct event {
	struct heap_node node;
	struct list held;
	struct machine *machine; /* NULL: the world's */
	uint32_t life;
	happen *fn;
	void *a, *b;
};

static void schedule(struct world *, struct machine *, int64_t at_us, happen *, void *a, void *b);
static void end_life(struct machine *, enum machine_state);

/* ---- time and chance ------------------------------------------------------------------------ */

struct world *world_new(uint64_t seed)
{
	struct world *w = mem_alloc(sizeof(*w));
	struct prng all;

	prng_seed(&all, seed);
	for (int i = 0; i < WORLD_STREAMS; i++)
		prng_seed(&w->stream[i], prng_u64(&all));
	heap_init(&w->queue);
	list_init(&w->conns);
	w->now_us = START_US;
	w->wall_base_ms = WALL_BASE_MS;
	w->job_us_max = 2000;
	for (int a = 0; a < WORLD_MACHINES_MAX; a++)
		for (int b = 0; b < WORLD_MACHINES_MAX; b++)
			w->route[a][b] = (struct route){ .latency_us = 50, .jitter_us = 100 };
	return w;
}

void world_free(struct world *w)
{
	struct heap_node *n;

	for (int i = 0; i < w->n_machines; i++) {
		if (machine_runs(w->machine[i]))
			machine_kill(w->machine[i]);
		disk_free(w->machine[i]->disk);
	}
	while ((n = heap_top(&w->queue))) {
		heap_remove(&w->queue, n);
		mem_free(CONTAINER_OF(n, struct event, node));
	}
	heap_fini(&w->queue);
	net_free(w);
	for (int i = 0; i < w->n_machines; i++)
		mem_free(w->machine[i]);
	mem_free(w);
}

uint64_t world_chance(struct world *w, enum world_stream s, uint64_t below)
{
	return below > 0 ? prng_below(&w->stream[s], below) : 0;
}

bool world_odds(struct world *w, enum world_stream s, uint32_t num, uint32_t den)
{
	return prng_chance(&w->stream[s], num, den);
}

void world_fold(struct world *w, uint64_t v)
{
	w->hash = (w->hash ^ v) * 0x100000001b3;
	w->hash ^= w->hash >> 29;
}

static void schedule(struct world *w, struct machine *m, int64_t at_us, happen *fn, void *a,
		     void *b)
{
	struct event *e = mem_alloc(sizeof(*e));

	heap_node_init(&e->node);
	list_init(&e->held);
	e->machine = m;
	e->life = m ? m->life : 0;
	e->fn = fn;
	e->a = a;
	e->b = b;
	heap_push(&w->queue, &e->node, i64_max(at_us, w->now_us));
}

void world_at(struct world *w, int64_t at_us, happen *fn, void *a, void *b)
{
	schedule(w, NULL, at_us, fn, a, b);
}

void machine_at(struct machine *m, int64_t at_us, happen *fn, void *a, void *b)
{
	schedule(m->world, m, at_us, fn, a, b);
}

bool world_step(struct world *w, int64_t until_us)
{
	struct heap_node *n = heap_top(&w->queue);
	struct event *e;
	struct machine *m;

	if (!n || n->key > until_us) {
		w->now_us = i64_max(w->now_us, until_us);
		return false;
	}
	heap_remove(&w->queue, n);
	e = CONTAINER_OF(n, struct event, node);
	m = e->machine;
	w->now_us = i64_max(w->now_us, n->key);
	if (m && e->life == m->life && m->state == MACHINE_PAUSED) {
		list_push_back(&m->held, &e->held);
		return true;
	}
	if (!m || e->life == m->life) {
		w->n_events++;
		world_fold(w, (uint64_t)w->now_us * 32 + (m ? (uint64_t)m->id + 1 : 0));
		w->last = m;
		e->fn(e->a, e->b);
		w->is_watched = true;
		if (w->after)
			w->after(w->arg);
		w->is_watched = false;
	}
	mem_free(e);
	return true;
}

void world_run(struct world *w, int64_t for_us)
{
	int64_t until = w->now_us + for_us;

	while (world_step(w, until))
		;
}

/* ---- machines ------------------------------------------------------------------------------- */

struct machine *machine_new(struct world *w, const char *name, int n_actors)
{
	struct machine *m = mem_alloc(sizeof(*m));

	ASSERT(w->n_machines < WORLD_MACHINES_MAX && n_actors <= WORLD_ACTORS_MAX);
	m->world = w;
	m->id = w->n_machines;
	m->n_actors = n_actors;
	m->turn_us_max = 20;
	memcpy(m->name, name, size_min(strlen(name), sizeof(m->name) - 1));
	m->disk = disk_new(w);
	list_init(&m->conns);
	list_init(&m->listeners);
	list_init(&m->held);
	prng_seed(&m->prng, prng_u64(&w->stream[STREAM_TOPOLOGY]));
	w->machine[w->n_machines++] = m;
	return m;
}

struct machine *machine_named(const struct world *w, const char *name)
{
	for (int i = 0; i < w->n_machines; i++)
		if (strcmp(w->machine[i]->name, name) == 0)
			return w->machine[i];
	return NULL;
}

bool machine_runs(const struct machine *m)
{
	return m->state == MACHINE_UP || m->state == MACHINE_PAUSED;
}

void machine_start(struct machine *m)
{
	ASSERT(!machine_runs(m));
	m->state = MACHINE_UP;
	m->life++;
	m->n_jobs = m->n_mail = 0;
	for (int i = 0; i < m->n_actors; i++)
		actor_init(&m->actor[i], m, i);
}

static void end_life(struct machine *m, enum machine_state state)
{
	m->life++;
	m->state = state;
	for (int i = 0; i < m->n_actors; i++)
		actor_fini(&m->actor[i]);
	while (!list_empty(&m->held)) {
		struct event *e = LIST_FIRST(&m->held, struct event, held);

		list_remove(&e->held);
		mem_free(e);
	}
}

void machine_kill(struct machine *m)
{
	ASSERT(machine_runs(m));
	end_life(m, MACHINE_DOWN);
	net_end(m, false);
}

void machine_power_off(struct machine *m)
{
	if (machine_runs(m))
		end_life(m, MACHINE_OFF);
	m->state = MACHINE_OFF;
	m->losses++;
	net_end(m, true);
	disk_power_loss(m->disk);
}

void machine_pause(struct machine *m)
{
	ASSERT(m->state == MACHINE_UP);
	m->state = MACHINE_PAUSED;
}

void machine_resume(struct machine *m)
{
	ASSERT(m->state == MACHINE_PAUSED);
	m->state = MACHINE_UP;
	while (!list_empty(&m->held)) {
		struct event *e = LIST_FIRST(&m->held, struct event, held);

		list_remove(&e->held);
		schedule(m->world, m, m->world->now_us, e->fn, e->a, e->b);
		mem_free(e);
	}
}
