/* dial.c - connecting: look the name up in a job, then try its addresses one after the other, all
 * within one deadline.
 *
 *   dial_conn -> look_up (job) -> looked_up -> try_next -> start -> dial_ready -> conn_opened
 *                                                 ^----- refused ------'
 *
 * Every outcome is told from the loop, never from inside dial: callers need not expect to be called
 * back before they have stored the conn.  A conn closed during the lookup leaves the struct dial to
 * looked_up. */
#include "common/net/internal.h"
#include "common/base/log.h"
#include <errno.h>
#include <unistd.h>

struct dial {
	struct job lookup;
	struct conn *conn; /* NULL: closed while the lookup was on its way */
	bool looking_up;
	struct peer_addr addr;
	struct sockaddr_storage v[ADDRS_MAX];
	socklen_t len[ADDRS_MAX];
	int n, at;
	enum err last;
	struct timer deadline;
};

static void look_up(struct job *);
static void looked_up(struct job *);
static void try_next(struct conn *);
static enum err start(struct conn *);
static bool is_self(int fd);
static void on_deadline(void *);

/* A numeric address needs no job, so dialling it begins in this turn. */
struct conn *dial_conn(struct env *env, const struct peer_addr *addr, const struct conn_events *on,
		       void *arg)
{
	ASSERT(on->frame && on->down);
	struct conn *c = conn_new(loop_of(env), -1, CONN_DIALLING);
	struct dial *d = mem_alloc(sizeof(*d));
	c->on = on;
	c->arg = arg;
	c->dial = d;
	d->conn = c;
	d->addr = *addr;
	d->last = ERR_NOT_FOUND;
	timer_init(&d->deadline, on_deadline, c);
	timer_after_ms(env, &d->deadline, c->loop->group->options.dial_timeout_ms);
	if (addr->port <= 0 || addr->port > UINT16_MAX) {
		conn_fail_later(c, ERR_INVALID);
	} else if (addr_numeric(addr, &d->v[0], &d->len[0])) {
		d->n = 1;
		try_next(c);
	} else {
		d->looking_up = true;
		d->lookup.work = look_up;
		d->lookup.done = looked_up;
		env_submit(env, &d->lookup);
	}
	return c;
}

/* On a thread of the pool: touches nothing but the dial. */
static void look_up(struct job *j)
{
	struct dial *d = CONTAINER_OF(j, struct dial, lookup);
	d->n = addr_resolve(&d->addr, false, d->v, d->len);
}

static void looked_up(struct job *j)
{
	struct dial *d = CONTAINER_OF(j, struct dial, lookup);
	d->looking_up = false;
	if (d->conn)
		try_next(d->conn);
	else
		mem_free(d);
}

/* Skips addresses that fail at once (no route); the last error is the one told. */
static void try_next(struct conn *c)
{
	struct dial *d = c->dial;
	for (; d->at < d->n; d->at++) {
		d->last = start(c);
		if (!d->last)
			return;
	}
	conn_fail_later(c, d->last);
}

static enum err start(struct conn *c)
{
	struct dial *d = c->dial;
	const struct sockaddr_storage *to = &d->v[d->at];
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sock_err(errno);
	sock_tune(fd, to);
	if (connect(fd, (const struct sockaddr *)to, d->len[d->at]) != 0 && errno != EINPROGRESS) {
		enum err e = sock_err(errno);
		close(fd);
		return e;
	}
	c->peer = *to;
	conn_attach(c, fd);
	conn_want(c);
	return ERR_OK;
}

/* Writable means decided: SO_ERROR says how. */
void dial_ready(struct conn *c)
{
	struct dial *d = c->dial;
	int code = 0;
	socklen_t n = sizeof(code);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &n);
	if (code == 0 && is_self(c->fd))
		code = ECONNREFUSED;
	if (code == 0) {
		dial_fini(c);
		conn_opened(c);
		return;
	}
	d->last = sock_err(code);
	event_del(&c->write_event);
	c->writing = false;
	close(c->fd);
	c->fd = -1;
	d->at++;
	try_next(c);
}

/* Dialling a dead port in the ephemeral range of one's own host can meet itself: the kernel picks
 * the very port as source and the two ends of the handshake are one socket. */
static bool is_self(int fd)
{
	struct sockaddr_storage a, b;
	socklen_t na = sizeof(a), nb = sizeof(b);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	return getsockname(fd, (struct sockaddr *)&a, &na) == 0 &&
	       getpeername(fd, (struct sockaddr *)&b, &nb) == 0 && na == nb &&
	       memcmp(&a, &b, na) == 0;
}

static void on_deadline(void *arg)
{
	conn_fail(arg, ERR_TIMEOUT);
}

void dial_fini(struct conn *c)
{
	struct dial *d = c->dial;
	if (!d)
		return;
	c->dial = NULL;
	d->conn = NULL;
	timer_clear(&c->loop->env, &d->deadline);
	if (!d->looking_up)
		mem_free(d);
}
