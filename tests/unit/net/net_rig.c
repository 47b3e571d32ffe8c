/* net_rig.c - see net_rig.h. */
#include "tests/unit/net/net_rig.h"
#include "common/base/endian.h"
#include "tests/lib/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void echo_frame(void *arg, struct conn *c, struct buf *b)
{
	struct rig_echo *e = arg;
	e->rig->frames++;
	e->env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
}

static void echo_down(void *arg, struct conn *c, enum err why)
{
	struct rig_echo *e = arg;
	(void)c;
	e->rig->last_down = (int)why;
	e->rig->downs++;
}

const struct conn_events rig_echo_events = { .frame = echo_frame, .down = echo_down };

void rig_echo_accept(void *arg, struct env *env, struct conn *c)
{
	struct net_rig *r = arg;
	struct rig_echo *e = &r->echo[env->id];
	e->rig = r;
	e->env = env;
	r->accepted++;
	env->peers->bind(c, &rig_echo_events, e, r->frame_max);
}

void rig_new(struct net_rig *r, int n_actors)
{
	ASSERT(n_actors <= RIG_ACTORS_MAX);
	*r = (struct net_rig){ .frame_max = 64 << 20 };
	struct loops_options o = { .n_actors = n_actors, .n_io_threads = 2, .seed = 7 };
	EXPECT_OK(loops_new(&o, &r->loops));
}

void rig_listen(struct net_rig *r, void (*accept_fn)(void *arg, struct env *, struct conn *))
{
	struct env *env = loops_env(r->loops, 0);
	struct peer_addr a = { .host = "127.0.0.1" };
	EXPECT_OK(env->peers->listen(env, &a, accept_fn, r, &r->listener, &r->port));
	EXPECT(r->port > 0);
}

static void *client_main(void *arg)
{
	struct net_rig *r = arg;
	r->client(r);
	loops_stop(r->loops);
	return NULL;
}

void rig_run(struct net_rig *r, void (*client)(struct net_rig *))
{
	pthread_t t;
	r->client = client;
	EXPECT_EQ(pthread_create(&t, NULL, client_main, r), 0);
	loops_run(r->loops);
	pthread_join(t, NULL);
}

void rig_free(struct net_rig *r)
{
	loops_free(r->loops);
}

int rig_connect(struct net_rig *r)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)r->port) };
	struct timeval wait = { .tv_sec = 20 };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	int on = 1; /* or a frame in two sends waits 40 ms for a delayed acknowledgement */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	EXPECT_EQ(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

void rig_write(int fd, const void *at, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = send(fd, (const char *)at + done, n - done, MSG_NOSIGNAL);
		if (!EXPECT(k > 0))
			return;
		done += (size_t)k;
	}
}

bool rig_read(int fd, void *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = recv(fd, (char *)to + done, n - done, 0);
		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	return true;
}

void rig_send_frame(int fd, const void *at, size_t n)
{
	uint8_t size[4];
	store_be32(size, (uint32_t)n);
	rig_write(fd, size, 4);
	rig_write(fd, at, n);
}

bool rig_read_frame(int fd, void *to, size_t cap, size_t *n)
{
	uint8_t size[4];
	if (!rig_read(fd, size, 4))
		return false;
	*n = load_be32(size);
	return EXPECT(*n <= cap) && rig_read(fd, to, *n);
}

void rig_fill(uint8_t *at, size_t n, uint64_t seed)
{
	struct prng p;
	prng_seed(&p, seed);
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)prng_u64(&p);
}
