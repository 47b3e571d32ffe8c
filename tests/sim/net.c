/* net.c - struct peers_ops on a simulated network: streams of frames; output is net_send.c. */
#include "tests/sim/net.h"

#include <stdio.h>

#define FRAMES_PER_TURN 16

static void on_packet(void *conn, void *packet);
static void arrive(struct conn *, struct packet *);
static void read_frames(void *conn, void *unused);
static void reset_back(struct conn *);
static void on_sip(void *conn, void *unused);
static void on_give_up(void *conn, void *unused);
static void drop_packets(struct list *);

/* ---- ends ----------------------------------------------------------------------------------- */

struct conn *conn_new(struct actor *a, enum conn_state state)
{
	struct conn *c = mem_alloc(sizeof(*c));

	c->actor = a;
	c->machine = a->machine;
	c->state = state;
	c->frame_max = CONN_FRAME_MAX;
	list_init(&c->in_turn);
	list_init(&c->out);
	list_init(&c->in);
	list_init(&c->stalled);
	list_push_back(&a->machine->conns, &c->in_machine);
	list_push_back(&a->machine->world->conns, &c->in_world);
	snprintf(c->local.host, sizeof(c->local.host), "%s", a->machine->name);
	c->local.port = 50000 + (int32_t)(prng_u64(&a->machine->prng) % 10000);
	return c;
}

struct machine *conn_far(const struct conn *c)
{
	return c->peer ? c->peer->machine : machine_named(c->machine->world, c->remote.host);
}

int64_t route_us(struct world *w, int from, int to)
{
	const struct route *r = &w->route[from][to];

	if (from == to)
		return 1 + (int64_t)world_chance(w, STREAM_NET, 20);
	return i64_max(r->latency_us +
			       (int64_t)world_chance(w, STREAM_NET, (uint64_t)r->jitter_us + 1),
		       r->clog_until_us - w->now_us);
}

/* The process lets go; what the kernel has on its way stays on its way. */
void conn_detach(struct conn *c)
{
	c->state = CONN_CLOSED;
	drop_packets(&c->out);
	drop_packets(&c->in);
	drop_packets(&c->stalled);
	c->out_bytes = 0;
	list_remove(&c->in_turn);
	list_remove(&c->in_machine);
}

static void drop_packets(struct list *l)
{
	LIST_FOR (p, l, struct packet, node) {
		list_remove(&p->node);
		mem_free(p);
	}
}

void conn_fail(void *x, void *why)
{
	struct conn *c = x;
	bool is_told = c->state != CONN_FINISHING && c->on;

	if (c->state == CONN_CLOSED)
		return;
	conn_detach(c);
	if (is_told)
		c->on->down(c->arg, c, (enum err)(uintptr_t)why);
}

void conn_tell(struct conn *c, int kind)
{
	struct packet *p = mem_alloc(sizeof(*p));

	p->kind = kind;
	list_init(&p->node);
	conn_send_packet(c, p);
}

void net_end(struct machine *m, bool is_silent)
{
	LIST_FOR (l, &m->listeners, struct listener, in_machine)
		list_remove(&l->in_machine);
	LIST_FOR (c, &m->conns, struct conn, in_machine) {
		conn_detach(c);
		c->is_silent = is_silent;
		if (!is_silent) {
			conn_tell(c, world_odds(m->world, STREAM_NET, 1, 2) ? PACKET_END
									    : PACKET_RESET);
		} else if (c->peer && c->peer->state != CONN_CLOSED) {
			drop_packets(&c->peer->stalled); /* there is nobody to send them again */
			world_at(m->world, m->world->now_us + KEEPALIVE_US, on_give_up, c->peer,
				 NULL);
		}
	}
}

void net_free(struct world *w)
{
	LIST_FOR (c, &w->conns, struct conn, in_world) {
		if (c->state != CONN_CLOSED)
			conn_detach(c);
		list_remove(&c->in_world);
		mem_free(c);
	}
}

/* ---- the way -------------------------------------------------------------------------------- */

void conn_send_packet(struct conn *c, struct packet *p)
{
	struct world *w = c->machine->world;

	if (!c->peer || !conn_far(c)) {
		mem_free(p);
		return;
	}
	c->due_us = i64_max(c->due_us, w->now_us + route_us(w, c->machine->id, conn_far(c)->id));
	world_at(w, c->due_us, on_packet, c->peer, p);
}

static void on_packet(void *x, void *y)
{
	struct conn *c = x;
	struct packet *p = y;
	struct world *w = c->machine->world;

	if (!list_empty(&c->stalled) || c->is_lost ||
	    w->route[c->peer->machine->id][c->machine->id].is_cut ||
	    (w->is_held && w->is_held(w->held_arg, c, p))) {
		list_push_back(&c->stalled, &p->node);
		if (!c->peer->is_giving_up)
			world_at(w, w->now_us + GIVE_UP_US, on_give_up, c->peer, NULL);
		c->peer->is_giving_up = true;
		return;
	}
	arrive(c, p);
}

static void arrive(struct conn *c, struct packet *p)
{
	world_fold(c->machine->world, p->n);
	if (c->state == CONN_CLOSED || c->state == CONN_FINISHING) {
		if (p->kind == PACKET_FRAME && c->state == CONN_CLOSED)
			reset_back(c);
		c->peer->on_way -= p->n;
		mem_free(p);
		return;
	}
	if (p->kind == PACKET_RESET)
		drop_packets(&c->in);
	list_push_back(&c->in, &p->node);
	conn_read_soon(c);
}

/* Bytes for a process that is gone: its kernel says so, if it has power. */
static void reset_back(struct conn *c)
{
	struct world *w = c->machine->world;

	if (c->is_silent && c->machine->state == MACHINE_OFF) {
		if (!c->peer->is_giving_up)
			world_at(w, w->now_us + GIVE_UP_US, on_give_up, c->peer, NULL);
		c->peer->is_giving_up = true;
		return;
	}
	conn_tell(c, PACKET_RESET);
}

static void fail_stuck(void *x, void *unused)
{
	(void)unused;
	conn_fail(x, (void *)(uintptr_t)ERR_TIMEOUT);
}

/* Nothing got through for too long, or the keepalive found nobody. */
static void on_give_up(void *x, void *unused)
{
	struct conn *c = x;
	struct world *w = c->machine->world;
	bool is_through = c->peer && c->peer->state != CONN_CLOSED && !c->peer->is_lost &&
			  list_empty(&c->peer->stalled);

	(void)unused;
	c->is_giving_up = false;
	if (c->state == CONN_CLOSED || is_through)
		return;
	if (c->peer) {
		drop_packets(&c->peer->stalled);
		world_at(w, w->now_us + KEEPALIVE_US, on_give_up, c->peer, NULL);
	}
	actor_do(c->actor, fail_stuck, c, NULL);
}

void net_heal(struct world *w, int from, int to)
{
	LIST_FOR (c, &w->conns, struct conn, in_world) {
		if (c->machine->id != to || c->is_lost || !c->peer || c->peer->machine->id != from)
			continue;
		while (!list_empty(&c->stalled)) {
			struct packet *p = LIST_FIRST(&c->stalled, struct packet, node);

			list_remove(&p->node);
			arrive(c, p);
		}
	}
}

static void fail_reset(void *x, void *unused)
{
	(void)unused;
	conn_fail(x, (void *)(uintptr_t)ERR_CLOSED);
}

void net_tell_lost(struct world *w)
{
	LIST_FOR (c, &w->conns, struct conn, in_world)
		if (c->is_lost && c->state != CONN_CLOSED)
			actor_do(c->actor, fail_reset, c, NULL);
}

void net_break(struct machine *a, struct machine *b, bool is_silent)
{
	struct world *w = a->world;

	LIST_FOR (c, &w->conns, struct conn, in_world) {
		if (c->state == CONN_CLOSED || !c->peer || c->machine == c->peer->machine)
			continue;
		if ((c->machine != a || c->peer->machine != b) &&
		    (c->machine != b || c->peer->machine != a))
			continue;
		if (is_silent) {
			c->is_lost = true;
			world_at(w, w->now_us + KEEPALIVE_US, on_give_up, c, NULL);
		} else {
			actor_do(c->actor, fail_reset, c, NULL);
		}
	}
}

/* ---- reading -------------------------------------------------------------------------------- */

void conn_read_soon(struct conn *c)
{
	struct machine *m = c->machine;

	if (c->is_read_due || c->paused || list_empty(&c->in) || c->state != CONN_OPEN)
		return;
	c->is_read_due = true;
	if (m->sip_us > 0)
		machine_at(m, m->world->now_us + m->sip_us, on_sip, c, NULL);
	else
		actor_do(c->actor, read_frames, c, NULL);
}

static void on_sip(void *x, void *unused)
{
	struct conn *c = x;

	(void)unused;
	actor_do(c->actor, read_frames, c, NULL);
}

static void take_frame(struct conn *c, struct packet *p)
{
	struct buf *b = buf_new(c->actor->env.bufs, p->n ? p->n : 1);

	memcpy(b->at, p->at, p->n);
	b->len = p->n;
	mem_free(p);
	c->on->frame(c->arg, c, b);
}

static void read_frames(void *x, void *unused)
{
	struct conn *c = x;

	(void)unused;
	c->is_read_due = false;
	for (int i = 0; i < (c->machine->sip_us > 0 ? 1 : FRAMES_PER_TURN); i++) {
		struct packet *p = LIST_FIRST(&c->in, struct packet, node);

		if (!p || c->paused || c->state != CONN_OPEN)
			break;
		list_remove(&p->node);
		if (p->kind != PACKET_FRAME || p->n > c->frame_max) {
			enum err why = p->kind == PACKET_FRAME ? ERR_LIMIT : ERR_CLOSED;

			mem_free(p);
			conn_fail(c, (void *)(uintptr_t)why);
			return;
		}
		c->peer->on_way -= p->n;
		conn_flush_soon(c->peer);
		take_frame(c, p);
	}
	conn_read_soon(c);
}

/* ---- what the owner calls ------------------------------------------------------------------- */

static void sim_bind(struct conn *c, const struct conn_events *on, void *arg, uint32_t frame_max)
{
	ASSERT(on->frame && on->down);
	c->on = on;
	c->arg = arg;
	c->frame_max = frame_max;
}

static void sim_pause(struct conn *c, bool paused)
{
	c->paused = paused;
	if (c->state == CONN_OPEN)
		conn_read_soon(c);
}

static void sim_move(struct conn *c, struct env *to, void (*moved)(void *arg, struct conn *))
{
	ASSERT(c->state == CONN_OPEN && actor_of(to)->machine == c->machine);
	c->state = CONN_MOVING;
	c->move_to = actor_of(to);
	c->moved = moved;
	if (list_empty(&c->in_turn))
		list_push_back(&c->actor->dirty, &c->in_turn);
}

static void sim_close(struct conn *c)
{
	ASSERT(c->state != CONN_MOVING);
	if (c->state == CONN_CLOSED)
		return;
	conn_detach(c);
	conn_tell(c, PACKET_END);
}

static void sim_finish(struct conn *c)
{
	ASSERT(c->state != CONN_MOVING);
	if (c->state != CONN_OPEN || list_empty(&c->out)) {
		sim_close(c);
		return;
	}
	c->state = CONN_FINISHING;
	drop_packets(&c->in);
	conn_flush_soon(c);
}

static int64_t sim_pending(const struct conn *c)
{
	return c->out_bytes;
}

static void sim_name(const struct conn *c, char *out, size_t cap)
{
	snprintf(out, cap, "%.64s:%d", c->remote.host, c->remote.port);
}

static void sim_local_addr(const struct conn *c, struct peer_addr *out)
{
	*out = c->local;
}

const struct peers_ops sim_peers = {
	.listen = sim_listen,
	.unlisten = sim_unlisten,
	.dial = sim_dial,
	.bind = sim_bind,
	.send = sim_send,
	.pause = sim_pause,
	.move = sim_move,
	.finish = sim_finish,
	.close = sim_close,
	.pending = sim_pending,
	.name = sim_name,
	.local_addr = sim_local_addr,
};
