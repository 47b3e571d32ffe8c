#include "tests/unit/shard/fake_env.h"

#include <stdio.h>

static struct fake_env *of(struct env *e)
{
	return CONTAINER_OF(e, struct fake_env, env);
}

static int64_t mono_us(struct env *e)
{
	return of(e)->now_us;
}

static int64_t wall_ms(struct env *e)
{
	return 1700000000000 + of(e)->now_us / 1000;
}

static void unset(struct env *e, struct timer *t)
{
	if (t->set)
		heap_remove(&of(e)->timers, &t->node);
	t->set = false;
}

static void set(struct env *e, struct timer *t, int64_t at_us)
{
	unset(e, t);
	t->at_us = at_us;
	t->set = true;
	heap_push(&of(e)->timers, &t->node, at_us);
}

static void post(struct env *e, struct mail *m)
{
	m->next = NULL;
	*of(e)->last = m;
	of(e)->last = &m->next;
}

static void conn_bind(struct conn *c, const struct conn_events *events, void *arg, uint32_t max)
{
	(void)max;
	c->events = events;
	c->arg = arg;
}

static void conn_send(struct conn *c, const struct span *v, int n)
{
	struct bufpool *pool = v[0].buf->home;
	int64_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += v[i].n;
	struct buf *b = buf_new(pool, (size_t)bytes);
	for (int i = 0; i < n; i++) {
		ASSERT(v[i].buf);
		memcpy(b->at + b->len, v[i].buf->at + v[i].at, (size_t)v[i].n);
		b->len += (uint32_t)v[i].n;
		buf_put(v[i].buf);
	}
	ASSERT(c->n_sent < (int)ARRAY_LEN(c->sent));
	c->sent[c->n_sent++] = b;
}

static void conn_pause(struct conn *c, bool pause)
{
	c->is_paused = pause;
}

static void conn_close(struct conn *c)
{
	c->is_closed = true;
}

static void conn_finish(struct conn *c)
{
	c->is_finished = true;
}

static int64_t conn_pending(const struct conn *c)
{
	return c->pending;
}

static void conn_name(const struct conn *c, char *out, size_t cap)
{
	(void)c;
	snprintf(out, cap, "test:1");
}

static void conn_local(const struct conn *c, struct peer_addr *at)
{
	(void)c;
	*at = (struct peer_addr){ "127.0.0.1", 9092 };
}

static const struct env_ops ops = {
	.mono_us = mono_us, .wall_ms = wall_ms, .timer_set = set, .timer_clear = unset, .post = post
};
static const struct peers_ops peers = { .bind = conn_bind,
					.send = conn_send,
					.pause = conn_pause,
					.close = conn_close,
					.finish = conn_finish,
					.pending = conn_pending,
					.name = conn_name,
					.local_addr = conn_local };

void fake_env_init(struct fake_env *f)
{
	*f = (struct fake_env){ .env = { .ops = &ops, .peers = &peers } };
	f->env.bufs = bufpool_new(1 << 20);
	prng_seed(&f->env.prng, 7);
	heap_init(&f->timers);
	f->last = &f->first;
}

void fake_env_fini(struct fake_env *f)
{
	fake_env_mail(f);
	heap_fini(&f->timers);
	bufpool_free(f->env.bufs);
}

void fake_env_pass(struct fake_env *f, int64_t ms)
{
	int64_t until = f->now_us + ms * 1000;
	struct heap_node *n;

	while ((n = heap_top(&f->timers)) && n->key <= until) {
		struct timer *t = CONTAINER_OF(n, struct timer, node);
		f->now_us = i64_max(f->now_us, n->key);
		unset(&f->env, t);
		t->fn(t->arg);
	}
	f->now_us = until;
}

void fake_env_mail(struct fake_env *f)
{
	while (f->first) {
		struct mail *m = f->first;
		f->first = m->next;
		if (!f->first)
			f->last = &f->first;
		m->fn(m);
	}
}
