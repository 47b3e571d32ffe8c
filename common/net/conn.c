/* conn.c - the life of a connection; reading is conn_read.c, writing is conn_write.c.
 *
 *   DIALLING --connected--> OPEN --finish--> FINISHING --output left, peer closed--> CLOSED
 *                           OPEN --move--> MOVING --other actor--> OPEN
 *   any --close, failure--> CLOSED --end of turn--> freed
 *
 *   dial -> dial_conn           connected -> dial_ready, conn_opened    frame -> conn_read
 *   send -> net_send            end of turn -> end_turn, conn_flush     failure -> conn_fail
 *   move -> net_move, depart (here), arrive (there)                     finish -> net_finish
 *
 * What the event loop watches is recomputed from the state in one place, conn_want; what is due at
 * the end of the turn is found on the loop's `turn` list (at_turn_end).  The struct outlives its
 * closing until the end of the turn, so that callers up the stack may look at its state. */
#include "common/net/internal.h"
#include "common/base/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static void at_turn_end(struct conn *);
static void on_readable(evutil_socket_t, short, void *);
static void on_writable(evutil_socket_t, short, void *);
static void on_patience(void *);
static void detach(struct conn *);
static void bury(struct conn *);
static void end_turn(struct conn *);
static void after_flush(struct conn *);
static void discard_input(struct conn *);
static void depart(struct conn *);
static void arrive(struct mail *);

struct conn *conn_new(struct loop *l, int fd, enum conn_state state)
{
	struct conn *c = mem_alloc(sizeof(*c));
	c->loop = l;
	c->state = state;
	c->frame_max = CONN_FRAME_MAX;
	c->fd = -1;
	list_init(&c->in_all);
	list_init(&c->in_again);
	list_init(&c->in_turn);
	timer_init(&c->patience, on_patience, c);
	list_push_back(&l->all, &c->in_all);
	atomic_fetch_add_explicit(&l->n_conns, 1, memory_order_relaxed);
	if (fd >= 0)
		conn_attach(c, fd);
	return c;
}

/* Dialling tries one socket after the other; the last one stays. */
void conn_attach(struct conn *c, int fd)
{
	ASSERT(c->fd < 0 && !c->reading && !c->writing);
	c->fd = fd;
	event_assign(&c->read_event, c->loop->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->write_event, c->loop->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
}

/* libevent is told only of changes: event_add and event_del are not free. */
static void watch(struct event *ev, bool *is, bool want)
{
	if (*is == want)
		return;
	*is = want;
	int code = want ? event_add(ev, NULL) : event_del(ev);
	ASSERT(code == 0);
}

/* Read while open and not paused; while finishing only to see the peer close.  Write only while the
 * kernel's buffer is full: until then sending is tried directly. */
void conn_want(struct conn *c)
{
	if (c->fd < 0)
		return;
	bool read = (c->state == CONN_OPEN && !c->paused && !c->failure) ||
		    (c->state == CONN_FINISHING && c->shut);
	bool write = c->state == CONN_DIALLING ||
		     ((c->state == CONN_OPEN || c->state == CONN_FINISHING) && c->blocked);
	watch(&c->read_event, &c->reading, read);
	watch(&c->write_event, &c->writing, write);
}

/* Idempotent: a conn is on the list once, whatever asked for it. */
static void at_turn_end(struct conn *c)
{
	if (list_empty(&c->in_turn))
		list_push_back(&c->loop->turn, &c->in_turn);
}

/* What was sent while dialling leaves at the end of this turn. */
void conn_opened(struct conn *c)
{
	ASSERT(c->state == CONN_DIALLING);
	c->state = CONN_OPEN;
	if (c->out_n > 0)
		at_turn_end(c);
	if (c->on->up)
		c->on->up(c->arg, c);
	conn_want(c);
}

void conn_fail_later(struct conn *c, enum err why)
{
	ASSERT(why != ERR_OK);
	c->failure = why;
	at_turn_end(c);
	conn_want(c);
}

/* No down event for a conn in FINISHING: its owner has given it away. */
void conn_fail(struct conn *c, enum err why)
{
	ASSERT(why != ERR_OK);
	if (c->state == CONN_CLOSED)
		return;
	bool tell = c->state != CONN_FINISHING && c->on;
	c->state = CONN_CLOSED;
	detach(c);
	if (tell)
		c->on->down(c->arg, c, why);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct conn *c = arg;
	if (c->state == CONN_FINISHING)
		discard_input(c);
	else if (list_empty(&c->in_again)) /* otherwise it has its share of this turn to come */
		conn_read(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct conn *c = arg;
	if (c->state == CONN_DIALLING) {
		dial_ready(c);
		return;
	}
	c->blocked = false;
	at_turn_end(c);
	conn_want(c);
}

/* Either a frame stopped in the middle, or the peer does not take what conn_finish left. */
static void on_patience(void *arg)
{
	struct conn *c = arg;
	struct env *env = &c->loop->env;
	int64_t limit_ms = LINGER_MS;
	if (c->state == CONN_OPEN)
		limit_ms = c->loop->group->options.frame_timeout_ms;
	else if (c->shut)
		limit_ms = 0;
	int64_t until = c->progress_us + limit_ms * 1000;
	if (c->paused && c->state == CONN_OPEN)
		timer_after_ms(env, &c->patience, limit_ms);
	else if (until > env_mono_us(env))
		env->ops->timer_set(env, &c->patience, until);
	else
		conn_fail(c, ERR_TIMEOUT);
}

/* The peer gets to read our last words before the kernel answers its bytes with a reset. */
static void discard_input(struct conn *c)
{
	for (int i = 0; i < FRAMES_PER_TURN; i++) {
		ssize_t n = recv(c->fd, c->loop->scratch->at, READ_AHEAD, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_fail(c, ERR_CLOSED);
			return;
		}
	}
}

/* ---- the end of a turn ----------------------------------------------------------------------- */

/* The list is taken first: a conn that asks for another round (budget used up, or a send from
 * inside drained) gets it in the next turn, after the sockets were looked at. */
void conns_end_turn(struct loop *l)
{
	struct list now;
	list_init(&now);
	while (!list_empty(&l->turn)) {
		struct list *n = l->turn.next;
		list_remove(n);
		list_push_back(&now, n);
	}
	while (!list_empty(&now)) {
		struct conn *c = CONTAINER_OF(now.next, struct conn, in_turn);
		list_remove(&c->in_turn);
		end_turn(c);
	}
	while (!list_empty(&l->dead))
		bury(CONTAINER_OF(l->dead.next, struct conn, in_all));
}

/* Failure, move, flush: in this order, because a failed conn must not be moved or written to. */
static void end_turn(struct conn *c)
{
	if (c->failure != ERR_OK) {
		/* Replies to the good frames before the bad one, as far as the socket takes them.
		 */
		bool ignored;
		enum err e =
			c->state == CONN_OPEN && !c->blocked ? conn_flush(c, &ignored) : ERR_OK;
		conn_fail(c, e ? e : c->failure);
		return;
	}
	if (c->state == CONN_MOVING) {
		depart(c);
		return;
	}
	if (c->state != CONN_OPEN && c->state != CONN_FINISHING)
		return;
	bool more = false;
	enum err e = c->blocked ? ERR_OK : conn_flush(c, &more);
	if (e) {
		conn_fail(c, e);
		return;
	}
	if (more)
		at_turn_end(c);
	after_flush(c);
}

/* FINISHING with nothing left: say so with a FIN and give the peer a second to close its side. */
static void after_flush(struct conn *c)
{
	if (c->out_n == 0 && c->state == CONN_FINISHING && !c->shut) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
		timer_after_ms(&c->loop->env, &c->patience, 1000);
	}
	conn_want(c);
	if (c->out_n == 0 && c->state == CONN_OPEN && c->on->drained)
		c->on->drained(c->arg, c);
}

/* Lets go of everything but the memory of the struct, which stays until the end of the turn. */
static void detach(struct conn *c)
{
	struct loop *l = c->loop;
	dial_fini(c);
	if (c->fd >= 0) {
		watch(&c->read_event, &c->reading, false);
		watch(&c->write_event, &c->writing, false);
		close(c->fd);
		c->fd = -1;
	}
	timer_clear(&l->env, &c->patience);
	conn_read_fini(c);
	conn_write_fini(c);
	list_remove(&c->in_again);
	list_remove(&c->in_turn);
	list_remove(&c->in_all);
	list_push_back(&l->dead, &c->in_all);
	atomic_fetch_sub_explicit(&l->n_conns, 1, memory_order_relaxed);
}

static void bury(struct conn *c)
{
	list_remove(&c->in_all);
	mem_free(c);
}

void conns_fini(struct loop *l)
{
	LIST_FOR (c, &l->all, struct conn, in_all) {
		c->state = CONN_CLOSED;
		detach(c);
	}
	while (!list_empty(&l->dead))
		bury(CONTAINER_OF(l->dead.next, struct conn, in_all));
}

/* ---- what the owner calls -------------------------------------------------------------------- */

static void net_bind(struct conn *c, const struct conn_events *on, void *arg, uint32_t frame_max)
{
	ASSERT(on->frame && on->down && frame_max <= CONN_FRAME_MAX);
	c->on = on;
	c->arg = arg;
	c->frame_max = frame_max;
}

static void net_send(struct conn *c, const struct span *v, int n)
{
	ASSERT(c->state != CONN_MOVING && c->state != CONN_FINISHING);
	if (c->state == CONN_CLOSED) {
		for (int i = 0; i < n; i++) {
			buf_put(v[i].buf);
			file_put(v[i].file);
		}
		return;
	}
	conn_push(c, v, n);
	if (c->state == CONN_OPEN && !c->blocked)
		at_turn_end(c);
}

static void net_pause(struct conn *c, bool paused)
{
	ASSERT(c->state != CONN_MOVING);
	if (c->paused == paused || c->state == CONN_CLOSED)
		return;
	c->paused = paused;
	if (!paused)
		conn_read_again(c);
	conn_want(c);
}

/* Input is dropped from here on; what is queued still leaves, for LINGER_MS without progress at
 * most. */
static void net_finish(struct conn *c)
{
	ASSERT(c->state != CONN_MOVING);
	if (c->state == CONN_DIALLING) {
		c->state = CONN_CLOSED;
		detach(c);
	}
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_FINISHING;
	conn_read_fini(c);
	list_remove(&c->in_again);
	c->progress_us = env_mono_us(&c->loop->env);
	timer_after_ms(&c->loop->env, &c->patience, LINGER_MS);
	at_turn_end(c);
	conn_want(c);
}

static void net_close(struct conn *c)
{
	ASSERT(c->state != CONN_MOVING);
	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	detach(c);
}

static int64_t net_pending(const struct conn *c)
{
	return c->out_bytes;
}

static void net_name(const struct conn *c, char *out, size_t cap)
{
	struct peer_addr a;
	addr_of_sock(&c->peer, &a);
	snprintf(out, cap, strchr(a.host, ':') ? "[%s]:%d" : "%s:%d", a.host, (int)a.port);
}

static void net_local_addr(const struct conn *c, struct peer_addr *out)
{
	struct sockaddr_storage s = { 0 };
	socklen_t n = sizeof(s);
	if (c->fd >= 0)
		(void)getsockname(c->fd, (struct sockaddr *)&s, &n);
	addr_of_sock(&s, out);
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* Leaves at the end of the turn: the caller may be a frame event that conn_read is about to
 * return to, and the other actor's thread would already be using the conn. */
static void net_move(struct conn *c, struct env *to, void (*moved)(void *arg, struct conn *))
{
	ASSERT(c->state == CONN_OPEN && loop_of(to)->group == c->loop->group);
	c->state = CONN_MOVING;
	c->move_to = loop_of(to);
	c->moved = moved;
	timer_clear(&c->loop->env, &c->patience);
	list_remove(&c->in_again);
	conn_want(c);
	at_turn_end(c);
}

/* The count of the target grows at once, so that listeners do not pile onto it meanwhile. */
static void depart(struct conn *c)
{
	list_remove(&c->in_all);
	atomic_fetch_sub_explicit(&c->loop->n_conns, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->move_to->n_conns, 1, memory_order_relaxed);
	c->moving.fn = arrive;
	env_post(&c->move_to->env, &c->moving);
}

/* On the new actor's thread: new events on the new base, then whatever was in hand. */
static void arrive(struct mail *m)
{
	struct conn *c = CONTAINER_OF(m, struct conn, moving);
	int fd = c->fd;
	c->loop = c->move_to;
	c->state = CONN_OPEN;
	c->fd = -1;
	conn_attach(c, fd);
	list_push_back(&c->loop->all, &c->in_all);
	conn_read_again(c);
	if (c->out_n > 0)
		at_turn_end(c);
	c->moved(c->arg, c);
	conn_want(c);
}

const struct peers_ops net_peers = {
	.listen = listener_open,
	.unlisten = listener_close,
	.listen_for_peers = listener_for_peers,
	.dial = dial_conn,
	.bind = net_bind,
	.send = net_send,
	.pause = net_pause,
	.move = net_move,
	.finish = net_finish,
	.close = net_close,
	.pending = net_pending,
	.name = net_name,
	.local_addr = net_local_addr,
};
