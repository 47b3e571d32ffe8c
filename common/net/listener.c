/* listener.c - accepting, and handing each connection to the actor that has the fewest.
 *
 * One socket and one queue per address, not SO_REUSEPORT: a log broker has few, long-lived and
 * unequal connections, and hashing them onto queues leaves actors idle.
 *
 * The last descriptors are not for callers: files and what this process dials need them more.  The
 * kernel hands out the lowest free number, so the number of a new connection says how many are
 * left: one from the reserve is closed at once.  A listener for peers may use half of the reserve.
 *
 *   on_readable: accept4 -> hand_over: mail to the least loaded -> take_over: conn_new, accept()
 *
 * A handoff holds a reference of the listener, because the listener may be closed while it
 * travels. */
#include "common/net/internal.h"
#include "common/base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

/* Accepts before other events get their turn; the kernel's queue; how long not to look after
 * running out of descriptors; at most one warning a second about that.  The reserve is an eighth of
 * the limit, within bounds. */
enum { ACCEPTS_PER_TURN = 64, BACKLOG = 1024, RETRY_MS = 100, WARN_EVERY_US = 1000000 };
enum { RESERVE_PART = 8, RESERVE_MIN = 16, RESERVE_MAX = 1024 };

struct listener {
	struct loop *loop;
	_Atomic uint32_t refs; /* one for the owner, one for each handoff on its way */
	_Atomic bool closed;
	int fd, spare_fd; /* the spare makes room to turn a caller away when none is left */
	struct event event;
	struct timer retry;
	struct list in_loop;
	uint32_t next; /* where the search for the least loaded begins */
	bool is_for_peers;
	int64_t warned_us, n_turned_away; /* since the last warning */
	void (*accept)(void *arg, struct env *, struct conn *);
	void *arg;
};

struct handoff {
	struct mail mail;
	struct listener *listener;
	struct loop *to;
	int fd;
};

static enum err open_any(const struct peer_addr *, int *fd);
static enum err open_socket(const struct sockaddr_storage *, socklen_t, int *fd);
static void on_readable(evutil_socket_t, short, void *);
static bool is_reserved(const struct listener *, int fd);
static void turn_away(struct listener *, int fd);
static bool may_warn(struct listener *);
static void hand_over(struct listener *, int fd);
static struct loop *least_loaded(struct listener *);
static void take_over(struct mail *);
static void out_of_files(struct listener *);
static void on_retry(void *);
static void unref(struct listener *);

/* The spare descriptor is opened now, while there are some. */
enum err listener_open(struct env *env, const struct peer_addr *addr,
		       void (*accept_fn)(void *arg, struct env *, struct conn *), void *arg,
		       struct listener **out, int32_t *port)
{
	int fd = -1;
	if (addr->port < 0 || addr->port > UINT16_MAX)
		return ERR_INVALID;
	enum err e = open_any(addr, &fd);
	if (e)
		return e;
	struct listener *l = mem_alloc(sizeof(*l));
	l->loop = loop_of(env);
	atomic_init(&l->refs, 1);
	l->fd = fd;
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->accept = accept_fn;
	l->arg = arg;
	timer_init(&l->retry, on_retry, l);
	list_push_back(&l->loop->listeners, &l->in_loop);
	event_assign(&l->event, l->loop->base, fd, EV_READ | EV_PERSIST, on_readable, l);
	event_add(&l->event, NULL);
	struct sockaddr_storage bound = { 0 };
	struct peer_addr name;
	socklen_t n = sizeof(bound);
	(void)getsockname(fd, (struct sockaddr *)&bound, &n);
	addr_of_sock(&bound, &name);
	if (port)
		*port = name.port;
	*out = l;
	return ERR_OK;
}

/* No host means every address of both families, by one dual-stack socket where there is IPv6.  A
 * name means its first IPv4 address if it has one: "localhost" must be where clients look first. */
static enum err open_any(const struct peer_addr *addr, int *fd)
{
	struct sockaddr_storage v[ADDRS_MAX];
	socklen_t len[ADDRS_MAX];
	int n = addr_resolve(addr, true, v, len);
	sa_family_t families[2] = { AF_INET, AF_INET6 };
	enum err e = ERR_NOT_FOUND;
	if (!addr->host[0])
		families[0] = AF_INET6, families[1] = AF_INET;
	for (int f = 0; f < 2; f++) {
		for (int i = 0; i < n; i++) {
			if (v[i].ss_family != families[f])
				continue;
			e = open_socket(&v[i], len[i], fd);
			if (!e || e == ERR_REFUSED || e == ERR_DENIED)
				return e; /* in use: not a reason to go elsewhere */
		}
	}
	return e;
}

/* SO_REUSEADDR: a restart must not wait for TIME_WAIT. V6ONLY off makes one socket serve both. */
static enum err open_socket(const struct sockaddr_storage *s, socklen_t n, int *out)
{
	int on = 1, off = 0;
	int fd = socket(s->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return sock_err(errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)s, n) != 0 || listen(fd, BACKLOG) != 0) {
		enum err e = errno == EADDRNOTAVAIL ? ERR_NOT_FOUND
			     : errno == EACCES      ? ERR_DENIED
						    : sock_err(errno);
		close(fd);
		return e;
	}
	*out = fd;
	return ERR_OK;
}

void listener_for_peers(struct listener *l)
{
	l->is_for_peers = true;
}

void listener_close(struct listener *l)
{
	ASSERT(!atomic_load(&l->closed));
	atomic_store(&l->closed, true);
	event_del(&l->event);
	timer_clear(&l->loop->env, &l->retry);
	close(l->fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	list_remove(&l->in_loop);
	unref(l);
}

void listeners_fini(struct loop *loop)
{
	LIST_FOR (l, &loop->listeners, struct listener, in_loop)
		listener_close(l);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct listener *l = arg;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			if (is_reserved(l, got))
				turn_away(l, got);
			else
				hand_over(l, got);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			out_of_files(l);
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* Asked each time: the limit of a running process may be changed from outside (prlimit). */
static bool is_reserved(const struct listener *l, int fd)
{
	struct rlimit r;
	rlim_t kept;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
		return false;
	kept = r.rlim_cur / RESERVE_PART;
	kept = kept < RESERVE_MIN ? RESERVE_MIN : kept > RESERVE_MAX ? RESERVE_MAX : kept;
	if (kept > r.rlim_cur / 2)
		kept = r.rlim_cur / 2;
	if (l->is_for_peers)
		kept /= 2;
	return (rlim_t)fd >= r.rlim_cur - kept;
}

static void turn_away(struct listener *l, int fd)
{
	close(fd);
	l->n_turned_away++;
	if (!may_warn(l))
		return;
	log_warn("net",
		 "turned callers away: the last file descriptors are kept for files and peers; "
		 "raise LimitNOFILE (ulimit -n) or have fewer clients",
		 F_I64("descriptor", fd), F_I64("connections", l->n_turned_away));
	l->n_turned_away = 0;
}

static bool may_warn(struct listener *l)
{
	int64_t now = env_mono_us(&l->loop->env);
	if (l->warned_us != 0 && now - l->warned_us <= WARN_EVERY_US)
		return false;
	l->warned_us = now;
	return true;
}

/* The target's count grows now and not on arrival, or a burst would all go to one actor. */
static void hand_over(struct listener *l, int fd)
{
	struct handoff *h = mem_alloc(sizeof(*h));
	h->listener = l;
	h->to = least_loaded(l);
	h->fd = fd;
	h->mail.fn = take_over;
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->to->n_conns, 1, memory_order_relaxed);
	env_post(&h->to->env, &h->mail);
}

/* The search starts one further each time, which is round robin among equals. */
static struct loop *least_loaded(struct listener *l)
{
	const struct loops *g = l->loop->group;
	uint32_t n = (uint32_t)g->n;
	struct loop *best = NULL;
	int least = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct loop *x = g->v[(l->next + i) % n];
		int conns = atomic_load_explicit(&x->n_conns, memory_order_relaxed);
		if (!best || conns < least) {
			best = x;
			least = conns;
		}
	}
	l->next++;
	return best;
}

/* On the actor that was chosen. */
static void take_over(struct mail *m)
{
	struct handoff *h = CONTAINER_OF(m, struct handoff, mail);
	struct listener *l = h->listener;
	atomic_fetch_sub_explicit(&h->to->n_conns, 1, memory_order_relaxed);
	if (atomic_load(&l->closed)) {
		close(h->fd);
	} else {
		struct conn *c = conn_new(h->to, h->fd, CONN_OPEN);
		socklen_t n = sizeof(c->peer);
		(void)getpeername(h->fd, (struct sockaddr *)&c->peer, &n);
		sock_tune(h->fd, &c->peer);
		l->accept(l->arg, &h->to->env, c);
		ASSERT(c->on || c->state != CONN_OPEN);
		conn_want(c);
	}
	unref(l);
	mem_free(h);
}

/* The caller in the queue is accepted with the spare descriptor and closed, so that it learns of
 * it and the listening socket does not stay readable; if even that fails, look away for a while. */
static void out_of_files(struct listener *l)
{
	int code = errno;
	if (may_warn(l))
		log_warn("net",
			 "cannot accept: out of file descriptors or memory; raise LimitNOFILE "
			 "(ulimit -n) or have fewer clients",
			 F_I64("errno", code));
	int turned_away = -1;
	if (l->spare_fd >= 0) {
		close(l->spare_fd);
		turned_away = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (turned_away >= 0)
			close(turned_away);
	}
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (turned_away < 0) {
		event_del(&l->event);
		timer_after_ms(&l->loop->env, &l->retry, RETRY_MS);
	}
	errno = code;
}

static void on_retry(void *arg)
{
	struct listener *l = arg;
	if (l->spare_fd < 0)
		l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	event_add(&l->event, NULL);
}

static void unref(struct listener *l)
{
	if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
		mem_free(l);
}
