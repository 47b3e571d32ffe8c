/* Dialling: names and addresses, refusals, deadlines, and closing while it is under way. */
#include "common/net/loop.h"
#include "tests/lib/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct dialler {
	struct loops *loops;
	struct env *env;
	struct conn *conn;
	int ups, downs, frames, accepted, expected;
	enum err why;
	int64_t took_us, begun_us;
	struct timer watchdog;
};

static void stop(struct dialler *d)
{
	d->took_us = env_mono_us(d->env) - d->begun_us;
	d->env->ops->stop(d->env);
}

static void on_up(void *arg, struct conn *c)
{
	struct dialler *d = arg;
	struct peer_addr local;
	char name[80];
	EXPECT(c == d->conn);
	d->env->peers->local_addr(c, &local);
	EXPECT(local.port > 0);
	d->env->peers->name(c, name, sizeof(name));
	EXPECT(strchr(name, ':') != NULL);
	d->ups++;
}

static void on_frame(void *arg, struct conn *c, struct buf *b)
{
	struct dialler *d = arg;
	EXPECT(c == d->conn);
	EXPECT_EQ(b->len, 5);
	EXPECT_MEM(b->at, "early", 5);
	buf_put(b);
	d->frames++;
	stop(d);
}

static void on_down(void *arg, struct conn *c, enum err why)
{
	struct dialler *d = arg;
	EXPECT(c == d->conn);
	d->conn = NULL;
	d->why = why;
	if (++d->downs == d->expected)
		stop(d);
}

static const struct conn_events events = { on_up, on_frame, on_down, NULL };

static void echo_frame(void *arg, struct conn *c, struct buf *b)
{
	struct dialler *d = arg;
	d->env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
}

static void echo_down(void *arg, struct conn *c, enum err why)
{
	(void)arg, (void)c, (void)why;
}

static const struct conn_events echo_events = { .frame = echo_frame, .down = echo_down };

static void on_accept(void *arg, struct env *env, struct conn *c)
{
	struct dialler *d = arg;
	d->accepted++;
	env->peers->bind(c, &echo_events, d, 1000);
}

static void on_watchdog(void *arg)
{
	FAIL("nothing happened for 10 s");
	stop(arg);
}

static void dialler_new(struct dialler *d)
{
	struct loops_options o = {
		.n_actors = 1, .n_io_threads = 1, .seed = 1, .dial_timeout_ms = 100
	};
	*d = (struct dialler){ .expected = 1 };
	EXPECT_OK(loops_new(&o, &d->loops));
	d->env = loops_env(d->loops, 0);
	d->begun_us = env_mono_us(d->env);
	timer_init(&d->watchdog, on_watchdog, d);
	timer_after_ms(d->env, &d->watchdog, 10000);
}

static void dial(struct dialler *d, const char *host, int32_t port)
{
	struct peer_addr a = { .port = port };
	snprintf(a.host, sizeof(a.host), "%s", host);
	d->conn = d->env->peers->dial(d->env, &a, &events, d);
	EXPECT(d->conn != NULL);
	EXPECT_EQ(d->ups + d->downs, 0);
}

static void dialler_run(struct dialler *d)
{
	loops_run(d->loops);
	loops_free(d->loops);
}

static int32_t listen_here(struct dialler *d, const char *host)
{
	struct peer_addr a = { .port = 0 };
	struct listener *l;
	int32_t port = 0;
	snprintf(a.host, sizeof(a.host), "%s", host);
	EXPECT_OK(d->env->peers->listen(d->env, &a, on_accept, d, &l, &port));
	return port;
}

static void send_early(struct dialler *d)
{
	struct buf *b = buf_new(d->env->bufs, 5);
	memcpy(b->at, "early", 5);
	b->len = 5;
	d->env->peers->send(d->conn, &(struct span){ .buf = b, .n = 5 }, 1);
}

static void expect_conversation(const char *listen_at, const char *host)
{
	struct dialler d;
	dialler_new(&d);
	dial(&d, host, listen_here(&d, listen_at));
	send_early(&d); /* before it is up */
	dialler_run(&d);
	EXPECT_EQ(d.ups, 1);
	EXPECT_EQ(d.frames, 1);
	EXPECT_EQ(d.accepted, 1);
	EXPECT_EQ(d.downs, 0);
}

TEST(an_address_is_dialled)
{
	expect_conversation("127.0.0.1", "127.0.0.1");
}

TEST(a_name_is_looked_up_and_its_addresses_tried)
{
	expect_conversation("127.0.0.1", "localhost");
	expect_conversation("localhost", "localhost");
}

TEST(any_address_may_be_listened_on)
{
	expect_conversation("", "127.0.0.1");
	expect_conversation("0.0.0.0", "localhost");
}

static void expect_failure(const char *host, int32_t port, enum err why)
{
	struct dialler d;
	dialler_new(&d);
	dial(&d, host, port);
	dialler_run(&d);
	EXPECT_EQ(d.ups, 0);
	EXPECT_EQ(d.downs, 1);
	EXPECT_EQ(d.why, why);
}

TEST(failures_are_told_by_down)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT_EQ(bind(fd, (struct sockaddr *)&a, n), 0); /* bound, not listening: refuses */
	getsockname(fd, (struct sockaddr *)&a, &n);
	expect_failure("127.0.0.1", ntohs(a.sin_port), ERR_REFUSED);
	expect_failure("localhost", ntohs(a.sin_port), ERR_REFUSED);
	expect_failure("127.0.0.1", 0, ERR_INVALID);
	expect_failure("127.0.0.1", 70000, ERR_INVALID);
	expect_failure("no such host", 9092, ERR_NOT_FOUND);
	close(fd);
}

TEST(where_nobody_can_listen_it_is_said_why)
{
	struct dialler d;
	struct listener *l;
	struct peer_addr a = { .host = "127.0.0.1" };
	int32_t port;
	dialler_new(&d);
	a.port = listen_here(&d, "127.0.0.1");
	EXPECT_EQ(d.env->peers->listen(d.env, &a, on_accept, &d, &l, &port), ERR_REFUSED);
	a.port = 70000;
	EXPECT_EQ(d.env->peers->listen(d.env, &a, on_accept, &d, &l, &port), ERR_INVALID);
	a = (struct peer_addr){ .host = "192.0.2.1" }; /* of documentation: nobody has it */
	EXPECT_EQ(d.env->peers->listen(d.env, &a, on_accept, &d, &l, &port), ERR_NOT_FOUND);
	if (geteuid() != 0) {
		a = (struct peer_addr){ .host = "127.0.0.1", .port = 1 };
		EXPECT_EQ(d.env->peers->listen(d.env, &a, on_accept, &d, &l, &port), ERR_DENIED);
	}
	EXPECT_STR(str_of(listen_text(ERR_NOT_FOUND)), "that is no address of this machine");
	d.env->ops->stop(d.env);
	dialler_run(&d);
}

/* A listening socket whose queue is full does not answer: the deadline must. */
TEST(silence_ends_at_the_deadline)
{
	struct dialler d;
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[8];
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT_EQ(bind(fd, (struct sockaddr *)&a, n), 0);
	EXPECT_EQ(listen(fd, 0), 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	for (int i = 0; i < 8; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&a, sizeof(a));
	}
	dialler_new(&d);
	dial(&d, "127.0.0.1", ntohs(a.sin_port));
	dialler_run(&d);
	EXPECT_EQ(d.why, ERR_TIMEOUT);
	EXPECT(d.took_us >= 100000 && d.took_us < 5000000);
	for (int i = 0; i < 8; i++)
		close(filler[i]);
	close(fd);
}

static void close_it(void *arg)
{
	struct dialler *d = arg;
	stop(d);
}

TEST(closing_while_dialling_is_silent)
{
	struct dialler d;
	struct timer t;
	dialler_new(&d);
	dial(&d, "localhost", 1); /* the lookup is on its way */
	d.env->peers->close(d.conn);
	dial(&d, "127.0.0.1", 1);
	send_early(&d);
	d.env->peers->close(d.conn);
	dial(&d, "127.0.0.1", 1);
	send_early(&d);
	d.env->peers->finish(d.conn);
	timer_init(&t, close_it, &d);
	timer_after_ms(d.env, &t, 50);
	dialler_run(&d);
	EXPECT_EQ(d.ups + d.downs, 0);
}
