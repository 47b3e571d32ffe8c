/* Turns: timers in order and on time, mail between threads and to oneself, jobs, signals. */
#include "common/net/loop.h"
#include "common/net/mailbox.h"
#include "tests/lib/test.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- the mailbox by itself ------------------------------------------------------------------- */

enum { PRODUCERS = 4, LETTERS = 20000 };

struct letter {
	struct mail mail;
	int producer, n;
};
struct producer {
	struct mailbox *box;
	struct letter *v;
	int id;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	for (int i = 0; i < LETTERS; i++) {
		p->v[i].producer = p->id;
		p->v[i].n = i;
		mailbox_push(p->box, &p->v[i].mail);
	}
	return NULL;
}

TEST(mail_of_each_producer_arrives_in_order)
{
	struct mailbox box;
	struct producer p[PRODUCERS];
	pthread_t t[PRODUCERS];
	int next[PRODUCERS] = { 0 }, total = 0;
	EXPECT_OK(mailbox_init(&box));
	for (int i = 0; i < PRODUCERS; i++) {
		p[i] = (struct producer){ &box, mem_alloc(LETTERS * sizeof(struct letter)), i };
		pthread_create(&t[i], NULL, produce, &p[i]);
	}
	while (total < PRODUCERS * LETTERS && !test_failed()) {
		if (mailbox_sleep(&box))
			usleep(50);
		for (struct mail *m = mailbox_take(&box); m; m = m->next, total++) {
			struct letter *l = CONTAINER_OF(m, struct letter, mail);
			if (l->n != next[l->producer]++)
				FAIL("producer %d: letter %d out of order", l->producer, l->n);
		}
	}
	for (int i = 0; i < PRODUCERS; i++) {
		pthread_join(t[i], NULL);
		mem_free(p[i].v);
	}
	EXPECT(mailbox_take(&box) == NULL);
	mailbox_fini(&box);
}

static int64_t wakes(struct mailbox *b)
{
	uint64_t n = 0;
	return read(b->wake_fd, &n, sizeof(n)) == sizeof(n) ? (int64_t)n : 0;
}

TEST(only_a_sleeping_mailbox_is_woken)
{
	struct mailbox box;
	struct mail a = { 0 }, b = { 0 };
	EXPECT_OK(mailbox_init(&box));
	mailbox_push(&box, &a);
	EXPECT_EQ(wakes(&box), 0);
	EXPECT(!mailbox_sleep(&box));
	EXPECT(mailbox_take(&box) == &a);
	EXPECT(mailbox_sleep(&box));
	mailbox_push(&box, &a);
	mailbox_push(&box, &b);
	EXPECT_EQ(wakes(&box), 1);
	EXPECT(mailbox_take(&box) == &a && a.next == &b && !b.next);
	mailbox_fini(&box);
}

/* ---- timers ---------------------------------------------------------------------------------- */

enum { ALARMS = 200 };
struct alarms;
struct alarm_clock {
	struct alarms *all;
	struct timer timer;
	int64_t due_us;
};
struct alarms {
	struct env *env;
	struct alarm_clock v[ALARMS];
	int rang, expected;
	int64_t last_due_us, best_us;
};

static void ring(void *arg)
{
	struct alarm_clock *a = arg;
	struct alarms *all = a->all;
	int64_t late = env_mono_us(all->env) - a->due_us;
	EXPECT(late >= 0);
	EXPECT(a->due_us >= all->last_due_us);
	EXPECT(!a->timer.set);
	all->last_due_us = a->due_us;
	all->best_us = i64_min(all->best_us, late);
	if (++all->rang == all->expected)
		all->env->ops->stop(all->env);
}

static struct loops *one_actor(void)
{
	struct loops *g;
	struct loops_options o = { .n_actors = 1, .n_io_threads = 2, .seed = 1 };
	EXPECT_OK(loops_new(&o, &g));
	return g;
}

TEST(timers_ring_in_order_and_to_the_microsecond)
{
	struct loops *g = one_actor();
	struct alarms *all = mem_alloc(sizeof(*all));
	struct prng p;
	prng_seed(&p, 5);
	all->env = loops_env(g, 0);
	all->expected = ALARMS / 2;
	all->best_us = INT64_MAX;
	int64_t now = env_mono_us(all->env);
	for (int i = 0; i < ALARMS; i++) {
		struct alarm_clock *a = &all->v[i];
		a->all = all;
		a->due_us = now + 1000 + (int64_t)prng_below(&p, 300000);
		timer_init(&a->timer, ring, a);
		all->env->ops->timer_set(all->env, &a->timer, now + 500);
		all->env->ops->timer_set(all->env, &a->timer, a->due_us); /* moves it */
	}
	for (int i = 0; i < ALARMS; i += 2)
		timer_clear(all->env, &all->v[i].timer);
	timer_clear(all->env, &all->v[0].timer);
	loops_run(g);
	EXPECT_EQ(all->rang, ALARMS / 2);
	EXPECT(all->best_us < 1000); /* how late the latest is says how busy the machine is */
	mem_free(all);
	loops_free(g);
}

struct ticker {
	struct env *env;
	struct timer timer;
	int n;
	int64_t best_us, due_us;
};

static void tick(void *arg)
{
	struct ticker *t = arg;
	int64_t now = env_mono_us(t->env);
	t->best_us = i64_min(t->best_us, now - t->due_us);
	if (++t->n == 50) {
		t->env->ops->stop(t->env);
		return;
	}
	t->due_us = now + 300;
	t->env->ops->timer_set(t->env, &t->timer, t->due_us);
}

TEST(a_timer_of_300_us_is_not_rounded_to_a_millisecond)
{
	struct loops *g = one_actor();
	struct ticker t = { .env = loops_env(g, 0), .best_us = INT64_MAX };
	timer_init(&t.timer, tick, &t);
	t.due_us = env_mono_us(t.env);
	int64_t begin = t.due_us;
	t.env->ops->timer_set(t.env, &t.timer, t.due_us - 5); /* the past is now */
	loops_run(g);
	EXPECT(t.best_us < 300);
	EXPECT(env_mono_us(t.env) - begin >= 49 * 300);
	loops_free(g);
}

/* ---- mail between actors --------------------------------------------------------------------- */

struct ball {
	struct mail mail;
	struct env *sides[2];
	int at, bounces;
};

static void bounce(struct mail *m)
{
	struct ball *b = CONTAINER_OF(m, struct ball, mail);
	if (++b->bounces == 20000) {
		b->sides[0]->ops->stop(b->sides[b->at]);
		if (b->at != 0)
			b->sides[0]->ops->post(b->sides[0], m); /* runs once more there */
		return;
	}
	if (b->bounces > 20000) {
		b->sides[0]->ops->stop(b->sides[0]);
		return;
	}
	b->at = !b->at;
	env_post(b->sides[b->at], m);
}

TEST(mail_bounces_between_two_actors)
{
	struct loops *g;
	struct loops_options o = { .n_actors = 2, .n_io_threads = 1, .seed = 1 };
	EXPECT_OK(loops_new(&o, &g));
	struct ball b = { .sides = { loops_env(g, 0), loops_env(g, 1) } };
	b.mail.fn = bounce;
	env_post(b.sides[0], &b.mail);
	loops_run(g);
	EXPECT(b.bounces >= 20000);
	loops_free(g);
}

struct self_mail {
	struct mail first, second, third;
	struct env *env;
	int order[3], n;
};

static void second(struct mail *m)
{
	struct self_mail *s = CONTAINER_OF(m, struct self_mail, second);
	s->order[s->n++] = 2;
}

static void third(struct mail *m)
{
	struct self_mail *s = CONTAINER_OF(m, struct self_mail, third);
	s->order[s->n++] = 3;
	s->env->ops->stop(s->env);
}

static void first(struct mail *m)
{
	struct self_mail *s = CONTAINER_OF(m, struct self_mail, first);
	s->second.fn = second;
	s->third.fn = third;
	env_post(s->env, &s->second);
	env_post(s->env, &s->third);
	s->order[s->n++] = 1; /* posting never runs anything at once */
}

TEST(mail_to_oneself_runs_after_the_poster_in_order)
{
	struct loops *g = one_actor();
	struct self_mail s = { .env = loops_env(g, 0) };
	s.first.fn = first;
	env_post(s.env, &s.first);
	loops_run(g);
	EXPECT_EQ(s.n, 3);
	EXPECT(s.order[0] == 1 && s.order[1] == 2 && s.order[2] == 3);
	loops_free(g);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

struct task {
	struct job job;
	pthread_t worked_on;
	bool worked;
	int *done, expected;
	pthread_t home;
};

static void work(struct job *j)
{
	struct task *t = CONTAINER_OF(j, struct task, job);
	t->worked = true;
	t->worked_on = pthread_self();
}

static void done(struct job *j)
{
	struct task *t = CONTAINER_OF(j, struct task, job);
	EXPECT(t->worked);
	EXPECT(pthread_equal(t->home, pthread_self()));
	EXPECT(!pthread_equal(t->worked_on, pthread_self()));
	if (++*t->done == t->expected)
		j->home->ops->stop(j->home);
}

TEST(jobs_work_elsewhere_and_are_done_at_home)
{
	struct loops *g = one_actor();
	struct task v[50];
	int n = 0;
	for (int i = 0; i < 50; i++) {
		v[i] = (struct task){ .job = { .work = work, .done = done },
				      .done = &n,
				      .expected = 50,
				      .home = pthread_self() };
		env_submit(loops_env(g, 0), &v[i].job);
	}
	loops_run(g);
	EXPECT_EQ(n, 50);
	loops_free(g);
}

static void slow_work(struct job *j)
{
	usleep(30000);
	work(j);
}

TEST(jobs_under_way_at_the_stop_are_still_done)
{
	struct loops *g = one_actor();
	int n = 0;
	struct task t = { .job = { .work = slow_work, .done = done },
			  .done = &n,
			  .expected = 1,
			  .home = pthread_self() };
	env_submit(loops_env(g, 0), &t.job);
	loops_stop(g);
	loops_run(g);
	EXPECT_EQ(n, 1);
	loops_free(g);
}

struct counted {
	struct job job;
	_Atomic int *n;
};

static void count_work(struct job *j)
{
	usleep(1000);
	atomic_fetch_add(CONTAINER_OF(j, struct counted, job)->n, 1);
}

TEST(work_for_the_end_of_a_process_needs_no_loop)
{
	struct loops *g = one_actor();
	struct counted v[40];
	struct job *first = NULL;
	_Atomic int n = 0;

	loops_stop(g);
	loops_run(g);
	for (int i = 0; i < 40; i++) {
		v[i] = (struct counted){ .job = { .work = count_work, .next = first }, .n = &n };
		first = &v[i].job;
	}
	env_work_all(loops_env(g, 0), first);
	EXPECT_EQ(atomic_load(&n), 40);
	env_work_all(loops_env(g, 0), NULL);
	loops_free(g);
}

/* ---- signals --------------------------------------------------------------------------------- */

static void on_signal(void *arg, int signo)
{
	struct loops **g = arg;
	EXPECT_EQ(signo, SIGTERM);
	loops_stop(*g);
}

TEST(sigterm_is_told_to_actor_0)
{
	struct loops *g;
	struct loops_options o = {
		.n_actors = 2, .n_io_threads = 1, .seed = 1, .on_signal = on_signal, .arg = &g
	};
	EXPECT_OK(loops_new(&o, &g));
	kill(getpid(), SIGTERM);
	loops_run(g);
	loops_free(g);
}

TEST(a_group_without_work_can_be_freed)
{
	loops_free(one_actor());
}
