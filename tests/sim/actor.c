/* actor.c - struct env for one actor of a simulated machine: timers, mail, jobs, turns. */
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

#define MAIL_US_MAX 60 /* another thread's mail arrives within */
#define SELF_ROUNDS 8
#define KEEP_BYTES (1 << 20)

static void wake(struct actor *);
static void turn(void *actor, void *unused);
static void run_timers(struct actor *);
static void run_self_mail(struct actor *);
static void arm(struct actor *);
static void run_mail(void *mail, void *unused);
static void deliver(struct actor *, struct mail *, int sender, int64_t delay_us);

static const struct env_ops sim_env;

/* ---- turns ---------------------------------------------------------------------------------- */

void actor_init(struct actor *a, struct machine *m, int number)
{
	*a = (struct actor){ .machine = m, .armed_us = INT64_MAX };
	a->last = &a->first;
	a->self_last = &a->self_first;
	heap_init(&a->timers);
	list_init(&a->dirty);
	a->env = (struct env){
		.ops = &sim_env, .files = &disk_files, .peers = &sim_peers, .id = number
	};
	a->env.bufs = bufpool_new(KEEP_BYTES);
	prng_seed(&a->env.prng, prng_u64(&m->prng));
}

void actor_fini(struct actor *a)
{
	while (a->first) {
		struct item *i = a->first;

		a->first = i->next;
		mem_free(i);
	}
	a->last = &a->first;
}

struct actor *actor_of(struct env *e)
{
	return CONTAINER_OF(e, struct actor, env);
}

void actor_do(struct actor *a, happen *fn, void *x, void *y)
{
	struct item *i = mem_alloc(sizeof(*i));

	*i = (struct item){ NULL, fn, x, y };
	*a->last = i;
	a->last = &i->next;
	wake(a);
}

static void wake(struct actor *a)
{
	struct machine *m = a->machine;

	if (a->is_turn_due)
		return;
	a->is_turn_due = true;
	machine_at(m, m->world->now_us + (int64_t)prng_below(&m->prng, (uint64_t)m->turn_us_max),
		   turn, a, NULL);
}

static void turn(void *x, void *unused)
{
	struct actor *a = x;
	struct item *i = a->first;

	(void)unused;
	a->is_turn_due = false;
	a->first = NULL;
	a->last = &a->first;
	a->machine->world->running = a;
	while (i) {
		struct item *next = i->next;

		i->fn(i->a, i->b);
		mem_free(i);
		i = next;
	}
	run_timers(a);
	run_self_mail(a);
	net_flush(a);
	a->machine->world->running = NULL;
	if (a->first || a->self_first)
		wake(a);
	arm(a);
}

void actor_run(struct actor *a, happen *fn, void *x, void *y)
{
	ASSERT(!a->machine->world->running);
	a->machine->world->running = a;
	fn(x, y);
	run_self_mail(a);
	net_flush(a);
	a->machine->world->running = NULL;
	arm(a);
}

static void run_timers(struct actor *a)
{
	int64_t now = a->machine->world->now_us;
	struct heap_node *n;

	while ((n = heap_top(&a->timers)) && n->key <= now) {
		struct timer *t = CONTAINER_OF(n, struct timer, node);

		heap_remove(&a->timers, n);
		t->set = false;
		t->fn(t->arg);
	}
}

static void run_self_mail(struct actor *a)
{
	for (int i = 0; i < SELF_ROUNDS && a->self_first; i++) {
		struct mail *m = a->self_first;

		a->self_first = NULL;
		a->self_last = &a->self_first;
		while (m) {
			struct mail *next = m->next;

			m->fn(m);
			m = next;
		}
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

static void on_armed(void *x, void *unused)
{
	struct actor *a = x;

	(void)unused;
	a->armed_us = INT64_MAX;
	wake(a);
}

static void arm(struct actor *a)
{
	struct heap_node *n = heap_top(&a->timers);

	if (!n || n->key >= a->armed_us)
		return;
	a->armed_us = n->key;
	machine_at(a->machine, n->key, on_armed, a, NULL);
}

static int64_t sim_mono_us(struct env *e)
{
	return actor_of(e)->machine->world->now_us;
}

static int64_t sim_wall_ms(struct env *e)
{
	struct machine *m = actor_of(e)->machine;

	return m->world->wall_base_ms + m->world->now_us / 1000 + m->wall_skew_ms;
}

static void sim_timer_clear(struct env *e, struct timer *t)
{
	if (!t->set)
		return;
	heap_remove(&actor_of(e)->timers, &t->node);
	t->set = false;
}

static void sim_timer_set(struct env *e, struct timer *t, int64_t at_us)
{
	struct actor *a = actor_of(e);

	sim_timer_clear(e, t);
	t->at_us = at_us;
	t->set = true;
	heap_push(&a->timers, &t->node, at_us);
	if (a->machine->world->running != a)
		arm(a);
}

/* ---- mail and jobs -------------------------------------------------------------------------- */

static void run_mail(void *x, void *unused)
{
	struct mail *m = x;

	(void)unused;
	m->fn(m);
}

static void on_mail(void *x, void *mail)
{
	struct actor *to = x;

	to->machine->n_mail--;
	actor_do(to, run_mail, mail, NULL);
}

static void deliver(struct actor *to, struct mail *m, int sender, int64_t delay_us)
{
	int64_t at = to->machine->world->now_us + delay_us;

	to->mail_at_us[sender] = i64_max(to->mail_at_us[sender], at);
	to->machine->n_mail++;
	machine_at(to->machine, to->mail_at_us[sender], on_mail, to, m);
}

static void sim_post(struct env *e, struct mail *m)
{
	struct actor *to = actor_of(e), *from = to->machine->world->running;

	ASSERT(m->fn && (!from || from->machine == to->machine));
	m->next = NULL;
	if (from != to) {
		deliver(to, m, from ? from->env.id : 0,
			1 + (int64_t)prng_below(&to->machine->prng, MAIL_US_MAX));
		return;
	}
	*to->self_last = m;
	to->self_last = &m->next;
}

static void job_done(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, mail);

	actor_of(j->home)->machine->n_jobs--;
	j->done(j);
}

/* On a thread of the pool: not within any actor's turn. */
static void on_job(void *x, void *unused)
{
	struct job *j = x;
	struct actor *home = actor_of(j->home);

	(void)unused;
	if (home->machine->world->now_us < home->machine->hung_until_us) {
		machine_at(home->machine, home->machine->hung_until_us, on_job, j, NULL);
		return;
	}
	j->work(j);
	j->mail.fn = job_done;
	home->machine->n_mail++;
	machine_at(home->machine, home->machine->world->now_us + 1, on_mail, home, &j->mail);
}

static void sim_submit(struct env *e, struct job *j)
{
	struct machine *m = actor_of(e)->machine;
	struct world *w = m->world;
	uint64_t us_max = (uint64_t)(w->job_us_max + m->job_us_more);

	j->home = e;
	m->n_jobs++;
	machine_at(m, w->now_us + 1 + (int64_t)world_chance(w, STREAM_DISK, us_max), on_job, j,
		   NULL);
}

/* Only main functions stop an actor's loop, and those stay outside. */
static void sim_stop(struct env *e)
{
	(void)e;
	UNREACHABLE();
}

static const struct env_ops sim_env = { sim_mono_us, sim_wall_ms, sim_timer_set, sim_timer_clear,
					sim_post,    sim_submit,  sim_stop,      NULL };
