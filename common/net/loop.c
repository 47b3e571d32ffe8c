/* loop.c - the turns of an actor, its timers and mail, and the life of the group.
 *
 * A turn (see turn()): libevent hands out socket events, then mail from other threads, due timers,
 * conns with frames in hand, mail to oneself, and last all output of the turn.  The order is what
 * makes batching work: ten requests read in a turn leave as one sendmsg, and a mail to oneself runs
 * once for all of them.
 *
 * libevent is used for sockets alone.  Timers are our heap behind one timerfd, so that equal
 * deadlines fire in the order they were set, here and in every other world behind the seam.
 * Sleeping and waking is the mailbox's business (mailbox.h). */
#include "common/net/internal.h"
#include "common/base/log.h"
#include "common/env/files_posix.h"
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Rounds of mail to oneself in a turn, and of the last settling at the end; both are far above what
 * happens, and bound what a bug could do.  Four io threads are about what one disk keeps busy. */
enum { LOCAL_ROUNDS = 64, SETTLE_ROUNDS = 10000, DEFAULT_IO_THREADS = 4 };

static bool is_current(struct loop *);
static const struct env_ops env_ops_of_loops;
static void tune_process(void);
static void raise_file_limit(void);
static enum err loop_new(struct loops *, int id, uint64_t seed, struct loop **out);
static void loop_free(struct loop *);
static enum err watch_signals(struct loops *);
static void run(struct loop *);
static void *thread_main(void *);
static void turn(struct loop *);
static void settle(struct loops *);
static bool run_mail(struct mail *);
static bool run_local_mail(struct loop *);
static void run_timers(struct loop *);
static void run_again(struct loop *);
static void arm(struct loop *);
static void on_edge(evutil_socket_t, short, void *);
static void on_timer(evutil_socket_t, short, void *);
static void on_signal(evutil_socket_t, short, void *);
static void stop_here(struct mail *);

/* ---- the group ------------------------------------------------------------------------------- */

/* On failure everything made so far is taken down again by loops_free. */
enum err loops_new(const struct loops_options *options, struct loops **out)
{
	ASSERT(options->n_actors > 0);
	struct loops *g = mem_alloc(sizeof(*g));
	g->options = *options;
	g->n = options->n_actors;
	g->signal_fd = -1;
	g->v = mem_alloc((size_t)g->n * sizeof(g->v[0]));
	g->threads = mem_alloc((size_t)g->n * sizeof(g->threads[0]));
	struct loops_options *o = &g->options;
	o->bufs_keep_bytes = o->bufs_keep_bytes ? o->bufs_keep_bytes : (size_t)32 << 20;
	o->dial_timeout_ms = o->dial_timeout_ms ? o->dial_timeout_ms : 10000;
	o->frame_timeout_ms = o->frame_timeout_ms ? o->frame_timeout_ms : 60000;
	if (o->seed == 0 && getrandom(&o->seed, sizeof(o->seed), 0) != sizeof(o->seed))
		o->seed = (uint64_t)getpid();
	tune_process();
	struct prng seeds;
	prng_seed(&seeds, o->seed);
	enum err e = ERR_OK;
	for (int i = 0; i < g->n && !e; i++)
		e = loop_new(g, i, prng_u64(&seeds), &g->v[i]);
	if (!e && o->on_signal)
		e = watch_signals(g);
	if (!e) /* last: its threads inherit the signal mask */
		e = iopool_new(o->n_io_threads ? o->n_io_threads : DEFAULT_IO_THREADS, &g->pool);
	if (e) {
		loops_free(g);
		return e;
	}
	*out = g;
	return ERR_OK;
}

void loops_free(struct loops *g)
{
	iopool_free(g->pool);
	for (int i = 0; i < g->n; i++) {
		if (g->v[i])
			loop_free(g->v[i]);
	}
	/* Only now: a frame may lie in a buf that is at home with another actor. */
	for (int i = 0; i < g->n; i++) {
		if (!g->v[i])
			continue;
		bufpool_free(g->v[i]->env.bufs);
		mem_free(g->v[i]);
	}
	if (g->signal_fd >= 0) {
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGINT);
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		close(g->signal_fd);
	}
	mem_free(g->threads);
	mem_free(g->v);
	mem_free(g);
}

struct env *loops_env(struct loops *g, int actor)
{
	ASSERT(actor >= 0 && actor < g->n);
	return &g->v[actor]->env;
}

/* Actor 0 is the calling thread; it decides when the process ends. */
void loops_run(struct loops *g)
{
	for (int i = 1; i < g->n; i++) {
		pthread_t t;
		int code = pthread_create(&t, NULL, thread_main, g->v[i]);
		ASSERT(code == 0);
		g->threads[i] = (uintptr_t)t;
	}
	run(g->v[0]);
	loops_stop(g);
	for (int i = 1; i < g->n; i++)
		pthread_join((pthread_t)g->threads[i], NULL);
	settle(g);
}

/* Once: a second signal while stopping changes nothing. */
void loops_stop(struct loops *g)
{
	if (atomic_exchange(&g->stopping, true))
		return;
	for (int i = 0; i < g->n; i++) {
		g->v[i]->stop_mail.fn = stop_here;
		env_post(&g->v[i]->env, &g->v[i]->stop_mail);
	}
}

/* After the threads are gone: jobs finish and their mail, and the mail that causes, is run here. */
static void settle(struct loops *g)
{
	bool ran = true;
	for (int i = 0; i < g->n; i++)
		atomic_store(&g->v[i]->owner, (uintptr_t)pthread_self());
	for (int round = 0; ran && round < SETTLE_ROUNDS; round++) {
		iopool_settle(g->pool);
		ran = false;
		for (int i = 0; i < g->n; i++) {
			ran |= run_mail(mailbox_take(&g->v[i]->box));
			ran |= run_local_mail(g->v[i]);
			ran |= !list_empty(&g->v[i]->turn);
			conns_end_turn(g->v[i]);
		}
	}
}

/* Frames come and go by the hundred KiB: without this every one is an mmap, a page fault per
 * 4 KiB and a munmap.  32 MiB is glibc's own ceiling for the threshold. */
static void tune_process(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
}

/* To what the administrator allows: the soft limit is low for the sake of programs that select. */
static void raise_file_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		log_warn("net", "the limit of open files stays low", F_I64("errno", errno));
}

/* A signalfd instead of handlers: a signal becomes an event of actor 0 like any other. */
static enum err watch_signals(struct loops *g)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	g->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (g->signal_fd < 0)
		return err_of_errno(errno);
	struct loop *l = g->v[0];
	event_assign(&l->signal_event, l->base, g->signal_fd, EV_READ | EV_PERSIST, on_signal, l);
	event_add(&l->signal_event, NULL);
	return ERR_OK;
}

/* ---- one loop -------------------------------------------------------------------------------- */

/* Two descriptors besides epoll's: the mailbox's eventfd and one timerfd for all timers. */
static enum err loop_new(struct loops *g, int id, uint64_t seed, struct loop **out)
{
	struct loop *l = mem_alloc(sizeof(*l));
	*out = l;
	l->group = g;
	l->env = (struct env){ .ops = &env_ops_of_loops,
			       .files = &files_posix,
			       .peers = &net_peers };
	l->env.bufs = bufpool_new(g->options.bufs_keep_bytes);
	l->env.id = id;
	prng_seed(&l->env.prng, seed);
	list_init(&l->all);
	list_init(&l->again);
	list_init(&l->turn);
	list_init(&l->dead);
	list_init(&l->listeners);
	l->local.last = &l->local.first;
	heap_init(&l->timers);
	l->scratch = buf_new(l->env.bufs, READ_AHEAD);
	l->stage = mem_alloc(STAGE_BYTES);
	l->box.wake_fd = l->timer_fd = -1;
	struct event_config *c = event_config_new();
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(c, EVENT_BASE_FLAG_NO_CACHE_TIME);
	l->base = event_base_new_with_config(c);
	event_config_free(c);
	if (!l->base)
		return ERR_IO;
	enum err e = mailbox_init(&l->box);
	if (e)
		return e;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return err_of_errno(errno);
	/* Edge triggered, so that neither descriptor has to be read. */
	event_assign(&l->wake_event, l->base, l->box.wake_fd, EV_READ | EV_PERSIST | EV_ET, on_edge,
		     l);
	event_add(&l->wake_event, NULL);
	event_assign(&l->timer_event, l->base, l->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer,
		     l);
	event_add(&l->timer_event, NULL);
	return ERR_OK;
}

/* Leaves the buf pool and the struct to loops_free. */
static void loop_free(struct loop *l)
{
	listeners_fini(l);
	conns_fini(l);
	if (l->base)
		event_base_free(l->base);
	if (l->box.wake_fd >= 0)
		mailbox_fini(&l->box);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	heap_fini(&l->timers);
	buf_put(l->scratch);
	mem_free(l->stage);
}

static void *thread_main(void *arg)
{
	struct loop *l = arg;
	char name[16];
	snprintf(name, sizeof(name), "actor-%d", l->env.id % 10000);
	pthread_setname_np(pthread_self(), name);
	run(l);
	return NULL;
}

static void run(struct loop *l)
{
	atomic_store(&l->owner, (uintptr_t)pthread_self());
	while (!l->stop)
		turn(l);
}

/* Things that wait for no descriptor: then the turn must not sleep. */
static bool has_work(const struct loop *l)
{
	return l->local.first || !list_empty(&l->again) || !list_empty(&l->turn);
}

/* mailbox_sleep says whether mail came since the last look; only if not may epoll block. */
static void turn(struct loop *l)
{
	int flags = EVLOOP_ONCE;
	arm(l);
	if (has_work(l) || !mailbox_sleep(&l->box))
		flags |= EVLOOP_NONBLOCK;
	event_base_loop(l->base, flags);
	run_mail(mailbox_take(&l->box));
	run_timers(l);
	run_again(l);
	run_local_mail(l);
	conns_end_turn(l);
}

/* Which decides between the local list (no atomics) and the mailbox. */
static bool is_current(struct loop *l)
{
	uintptr_t owner = atomic_load_explicit(&l->owner, memory_order_relaxed);
	return owner == (uintptr_t)pthread_self();
}

/* ---- mail ------------------------------------------------------------------------------------ */

/* Same-actor mail skips the mailbox and its eventfd; it runs at the end of this turn. */
static void loop_post(struct env *to, struct mail *m)
{
	struct loop *l = loop_of(to);
	ASSERT(m->fn);
	if (!is_current(l)) {
		mailbox_push(&l->box, m);
		return;
	}
	m->next = NULL;
	*l->local.last = m;
	l->local.last = &m->next;
}

static bool run_mail(struct mail *m)
{
	bool any = m != NULL;
	while (m) {
		struct mail *next = m->next; /* fn may free m or post it again */
		m->fn(m);
		m = next;
	}
	return any;
}

/* Mail that posts mail is followed for some rounds; an endless exchange must not starve sockets. */
static bool run_local_mail(struct loop *l)
{
	bool any = false;
	for (int i = 0; i < LOCAL_ROUNDS && l->local.first; i++) {
		struct mail *m = l->local.first;
		l->local.first = NULL;
		l->local.last = &l->local.first;
		any |= run_mail(m);
	}
	return any;
}

static void stop_here(struct mail *m)
{
	CONTAINER_OF(m, struct loop, stop_mail)->stop = true;
}

static void loop_stop(struct env *e)
{
	loop_of(e)->stop = true;
}

static void on_edge(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg; /* the turn looks at the mailbox anyway */
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct loop *l = arg;
	struct signalfd_siginfo s;
	while (read(fd, &s, sizeof(s)) == sizeof(s))
		l->group->options.on_signal(l->group->options.arg, (int)s.ssi_signo);
}

/* Frames that were left in hand when their conn had used up its share of a turn. */
static void run_again(struct loop *l)
{
	struct list now;
	list_init(&now);
	while (!list_empty(&l->again)) {
		struct list *n = l->again.next;
		list_remove(n);
		list_push_back(&now, n);
	}
	while (!list_empty(&now)) {
		struct conn *c = CONTAINER_OF(now.next, struct conn, in_again);
		list_remove(&c->in_again);
		conn_read(c);
	}
}

/* ---- jobs and time --------------------------------------------------------------------------- */

static void loop_submit(struct env *e, struct job *j)
{
	iopool_submit(loop_of(e)->group->pool, e, j);
}

static void loop_work_all(struct env *e, struct job *first)
{
	iopool_work_all(loop_of(e)->group->pool, e, first);
}

static int64_t loop_mono_us(struct env *e)
{
	(void)e;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t loop_wall_ms(struct env *e)
{
	(void)e;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void loop_timer_set(struct env *e, struct timer *t, int64_t at_us)
{
	struct loop *l = loop_of(e);
	ASSERT(t->fn);
	if (t->set)
		heap_remove(&l->timers, &t->node);
	t->set = true;
	t->at_us = at_us;
	heap_push(&l->timers, &t->node, at_us);
}

static void loop_timer_clear(struct env *e, struct timer *t)
{
	if (!t->set)
		return;
	t->set = false;
	heap_remove(&loop_of(e)->timers, &t->node);
}

/* One look at the clock per turn. */
static void run_timers(struct loop *l)
{
	struct heap_node *top = heap_top(&l->timers);
	if (!top)
		return;
	int64_t now = loop_mono_us(&l->env);
	uint64_t first_new =
		l->timers.seq; /* what a timer sets while it runs waits for the next turn */
	while (top && top->key <= now && top->seq < first_new) {
		struct timer *t = CONTAINER_OF(top, struct timer, node);
		heap_remove(&l->timers, top);
		t->set = false;
		t->fn(t->arg);
		top = heap_top(&l->timers);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	((struct loop *)arg)->armed_us = 0;
}

/* Set the descriptor only for an earlier deadline: deadlines that were cleared or moved back cost
 * one idle turn when they pass instead of a system call each time. */
static void arm(struct loop *l)
{
	struct heap_node *top = heap_top(&l->timers);
	if (!top || (l->armed_us != 0 && l->armed_us <= top->key))
		return;
	int64_t at = i64_max(top->key, 1);
	struct itimerspec when = { .it_value = { at / 1000000, at % 1000000 * 1000 } };
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
	l->armed_us = at;
}

static const struct env_ops env_ops_of_loops = {
	.mono_us = loop_mono_us,
	.wall_ms = loop_wall_ms,
	.timer_set = loop_timer_set,
	.timer_clear = loop_timer_clear,
	.post = loop_post,
	.submit = loop_submit,
	.work_all = loop_work_all,
	.stop = loop_stop,
};
