/* dial.c - listening and dialling on the simulated network; a host is the name of a machine. */
#include <stdio.h>

#include "tests/sim/net.h"

#define FIRST_FREE_PORT 40000

static void on_syn(void *conn, void *unused);
static void accept_one(struct listener *, struct conn *dialler);
static struct listener *listener_at(const struct machine *, int32_t port);

/* ---- listening ------------------------------------------------------------------------------ */

enum err sim_listen(struct env *env, const struct peer_addr *addr,
		    void (*accept)(void *arg, struct env *, struct conn *), void *arg,
		    struct listener **out, int32_t *port)
{
	struct machine *m = actor_of(env)->machine;
	struct listener *l;
	int32_t at = addr->port;

	if (at == 0)
		for (at = FIRST_FREE_PORT; listener_at(m, at);)
			at++;
	if (listener_at(m, at))
		return ERR_REFUSED;
	l = mem_alloc(sizeof(*l));
	*l = (struct listener){ .machine = m, .port = at, .accept = accept, .arg = arg };
	list_push_back(&m->listeners, &l->in_machine);
	*port = at;
	*out = l;
	return ERR_OK;
}

/* The memory stays: an accept may be on its way to another actor. */
void sim_unlisten(struct listener *l)
{
	l->is_closed = true;
	list_remove(&l->in_machine);
}

static struct listener *listener_at(const struct machine *m, int32_t port)
{
	LIST_FOR (l, &m->listeners, struct listener, in_machine)
		if (l->port == port)
			return l;
	return NULL;
}

static void on_accept(void *x, void *y)
{
	struct listener *l = x;
	struct conn *c = y;

	if (c->state == CONN_OPEN)
		l->accept(l->arg, &c->actor->env, c);
}

/* ---- dialling ------------------------------------------------------------------------------- */

struct conn *sim_dial(struct env *env, const struct peer_addr *addr, const struct conn_events *on,
		      void *arg)
{
	struct conn *c = conn_new(actor_of(env), CONN_DIALLING);
	struct world *w = c->machine->world;
	struct machine *to = machine_named(w, addr->host);

	c->on = on;
	c->arg = arg;
	c->remote = *addr;
	c->dialled_us = w->now_us;
	world_at(w, w->now_us + (to ? route_us(w, c->machine->id, to->id) : 1), on_syn, c, NULL);
	return c;
}

static void in_turn(struct conn *c, happen *fn, void *x)
{
	if (c->state != CONN_CLOSED)
		actor_do(c->actor, fn, c, x);
}

static void on_fail(void *x, void *why)
{
	in_turn(x, conn_fail, why);
}

static void fail_at(struct conn *c, int64_t after_us, enum err why)
{
	struct world *w = c->machine->world;

	world_at(w, w->now_us + after_us, on_fail, c, (void *)(uintptr_t)why);
}

static void up(void *x, void *unused)
{
	struct conn *c = x;

	(void)unused;
	if (c->state != CONN_DIALLING)
		return;
	c->state = CONN_OPEN;
	conn_flush_soon(c);
	if (c->on->up)
		c->on->up(c->arg, c);
}

static void on_ack(void *x, void *unused)
{
	(void)unused;
	in_turn(x, up, NULL);
}

static void on_syn(void *x, void *unused)
{
	struct conn *c = x;
	struct world *w = c->machine->world;
	struct machine *to = machine_named(w, c->remote.host);
	struct listener *l;

	(void)unused;
	if (c->state != CONN_DIALLING)
		return;
	if (!to) {
		fail_at(c, 1, ERR_NOT_FOUND);
		return;
	}
	if (to->state == MACHINE_OFF || to->deaf_until_us > w->now_us ||
	    w->route[c->machine->id][to->id].is_cut || w->route[to->id][c->machine->id].is_cut) {
		int64_t wait = i64_max(SYN_US, w->now_us - c->dialled_us); /* doubles */

		if (w->now_us - c->dialled_us + wait > DIAL_US)
			fail_at(c, c->dialled_us + DIAL_US - w->now_us, ERR_TIMEOUT);
		else
			world_at(w, w->now_us + wait, on_syn, c, NULL);
		return;
	}
	l = listener_at(to, c->remote.port);
	if (!l) {
		fail_at(c, route_us(w, to->id, c->machine->id), ERR_REFUSED);
		return;
	}
	accept_one(l, c);
	c->peer->due_us = w->now_us + route_us(w, to->id, c->machine->id);
	world_at(w, c->peer->due_us, on_ack, c, NULL);
}

static void accept_one(struct listener *l, struct conn *dialler)
{
	struct machine *m = l->machine;
	uint64_t n = world_chance(m->world, STREAM_NET, (uint64_t)m->n_actors);
	struct conn *c = conn_new(&m->actor[n], CONN_OPEN);

	c->peer = dialler;
	dialler->peer = c;
	c->local = dialler->remote;
	c->remote = dialler->local;
	actor_do(c->actor, on_accept, l, c);
}
