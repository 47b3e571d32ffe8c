/* net_bench.c - what the loop charges: `net_bench [SECONDS]`, default 1 s for each line.
 *
 * One actor serves on the main thread, blocking clients load it from threads of their own.  Rates
 * depend on the machine's neighbours; the CPU time of the actor's thread per byte or per request
 * is what to compare, with a recv of 0.14-0.18 ns/B, a sendfile of 0.04-0.06 ns/B and about 1.9 us
 * for a small pipelined request on the machine where the design was measured. */
#include "common/base/endian.h"
#include "common/base/text.h"
#include "common/env/files_posix.h"
#include "common/net/loop.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 8, CHUNK_MAX = 1 << 20, WINDOW_MAX = 64, SAMPLES = 1 << 20 };

/* A case: every client keeps `window` requests of `request` bytes in flight. */
struct load {
	const char *name;
	int clients, window;
	size_t request, reply;
	bool from_file; /* the reply is a span of a file, else of memory */
	bool latency;
};

static const struct load loads[] = {
	{ "produce 64 KiB, 4 conns x 5", 4, 5, 64 << 10, 40, false, false },
	{ "produce 1 MiB, 4 conns x 2", 4, 2, 1 << 20, 40, false, false },
	{ "fetch 16 KiB of file, 1 conn x 4", 1, 4, 60, 16 << 10, true, false },
	{ "fetch 64 KiB of file, 1 conn x 4", 1, 4, 60, 64 << 10, true, false },
	{ "fetch 1 MiB of file, 1 conn x 2", 1, 2, 60, 1 << 20, true, false },
	{ "echo 100 B, 8 conns x 8", 8, 8, 100, 100, false, false },
	{ "echo 100 B, 1 conn x 64", 1, 64, 100, 100, false, false },
	{ "echo 100 B, 1 in flight", 1, 1, 100, 100, false, true },
};

struct bench {
	struct loops *loops;
	struct env *env;
	const struct load *load;
	struct file *file;
	struct buf *answer;
	int32_t port;
	int32_t seconds;
	pthread_t server;
	_Atomic bool stop;
	_Atomic int64_t requests;
	uint32_t *rtt_ns;
	uint32_t n_rtt;
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void on_frame(void *arg, struct conn *c, struct buf *b)
{
	struct bench *s = arg;
	struct span v = { .n = (int64_t)s->load->reply };
	buf_put(b);
	if (s->load->from_file)
		v.file = file_get(s->file);
	else
		v.buf = buf_get(s->answer);
	s->env->peers->send(c, &v, 1);
}

static void on_down(void *arg, struct conn *c, enum err why)
{
	(void)arg, (void)c, (void)why;
}

static const struct conn_events events = { .frame = on_frame, .down = on_down };

static void on_accept(void *arg, struct env *env, struct conn *c)
{
	env->peers->bind(c, &events, arg, 4 << 20);
}

/* ---- the clients ----------------------------------------------------------------------------- */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static int dial(int32_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
	return fd;
}

static void send_all(int fd, const uint8_t *at, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t k = send(fd, at + done, n - done, MSG_NOSIGNAL);
		must(k > 0, "send");
		done += (size_t)k;
	}
}

static void recv_all(int fd, uint8_t *to, size_t cap, size_t n)
{
	while (n > 0) {
		ssize_t k = recv(fd, to, size_min(cap, n), 0);
		must(k > 0, "recv");
		n -= (size_t)k;
	}
}

/* Small windows are sent by one send and their replies received together, so that the client's
 * own system calls do not set the pace. */
static void *client(void *arg)
{
	struct bench *s = arg;
	const struct load *l = s->load;
	size_t one = l->request + 4;
	size_t at_once = l->request > 4096 ? 1 : (size_t)l->window;
	uint8_t *out = mem_alloc(one * at_once), *in = mem_alloc(CHUNK_MAX);
	int fd = dial(s->port);
	for (size_t i = 0; i < at_once; i++)
		store_be32(out + i * one, (uint32_t)l->request);
	for (size_t i = 0; i < (size_t)l->window; i += at_once)
		send_all(fd, out, one * at_once);
	while (!s->stop) {
		int64_t begin = l->latency ? now_ns(CLOCK_MONOTONIC) : 0;
		recv_all(fd, in, CHUNK_MAX, (l->reply + 4) * at_once);
		s->requests += (int64_t)at_once;
		send_all(fd, out, one * at_once);
		if (l->latency && s->n_rtt < SAMPLES)
			s->rtt_ns[s->n_rtt++] = (uint32_t)(now_ns(CLOCK_MONOTONIC) - begin);
	}
	recv_all(fd, in, CHUNK_MAX, (l->reply + 4) * (size_t)l->window);
	close(fd);
	mem_free(out);
	mem_free(in);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void report(struct bench *s, int64_t wall, int64_t cpu, int64_t requests)
{
	const struct load *l = s->load;
	double bytes = (double)requests * (double)(l->request + l->reply + 8);
	printf("%-34s %9.0f req/s %8.0f MB/s   server CPU %6.2f us/req %6.3f ns/B\n", l->name,
	       (double)requests * 1e9 / (double)wall, bytes * 1e3 / (double)wall,
	       (double)cpu / 1e3 / (double)requests, (double)cpu / bytes);
	if (!l->latency || s->n_rtt == 0)
		return;
	qsort(s->rtt_ns, s->n_rtt, sizeof(s->rtt_ns[0]), by_size);
	printf("%-34s p50 %.1f us, p99 %.1f us, p99.9 %.1f us\n", "", s->rtt_ns[s->n_rtt / 2] / 1e3,
	       s->rtt_ns[(uint64_t)s->n_rtt * 99 / 100] / 1e3,
	       s->rtt_ns[(uint64_t)s->n_rtt * 999 / 1000] / 1e3);
}

static void run_load(struct bench *s)
{
	pthread_t t[CLIENTS_MAX];
	clockid_t cpu_clock;
	pthread_getcpuclockid(s->server, &cpu_clock);
	s->stop = false;
	s->n_rtt = 0;
	for (int i = 0; i < s->load->clients; i++)
		pthread_create(&t[i], NULL, client, s);
	usleep(200000);
	int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(cpu_clock), n = s->requests;
	sleep((unsigned)s->seconds);
	n = s->requests - n;
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	cpu = now_ns(cpu_clock) - cpu;
	s->stop = true;
	for (int i = 0; i < s->load->clients; i++)
		pthread_join(t[i], NULL);
	report(s, wall, cpu, n);
}

static void *run_loads(void *arg)
{
	struct bench *s = arg;
	for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
		s->load = &loads[i];
		run_load(s);
	}
	loops_stop(s->loops);
	return NULL;
}

static void make_file(struct bench *s)
{
	char path[] = "/tmp/weir-net-bench-XXXXXX";
	uint8_t *bytes = mem_alloc(CHUNK_MAX);
	int fd = mkstemp(path);
	must(fd >= 0, "mkstemp");
	close(fd);
	must(!files_posix.open(NULL, path, FILE_READ | FILE_WRITE, &s->file), "open");
	must(!files_posix.writev(s->file, &(struct file_iov){ bytes, CHUNK_MAX }, 1, 0), "write");
	unlink(path);
	mem_free(bytes);
}

int main(int argc, char **argv)
{
	struct bench s = { .seconds = 1, .server = pthread_self() };
	struct loops_options o = { .n_actors = 1, .n_io_threads = 1, .seed = 1 };
	struct peer_addr a = { .host = "127.0.0.1" };
	struct listener *l;
	pthread_t driver;
	if (argc > 1 && parse_i32(str_of(argv[1]), &s.seconds))
		return 2;
	must(!loops_new(&o, &s.loops), "loops_new");
	s.env = loops_env(s.loops, 0);
	s.answer = buf_new(s.env->bufs, 4096);
	s.answer->len = 4096;
	s.rtt_ns = mem_alloc(SAMPLES * sizeof(s.rtt_ns[0]));
	make_file(&s);
	must(!s.env->peers->listen(s.env, &a, on_accept, &s, &l, &s.port), "listen");
	pthread_create(&driver, NULL, run_loads, &s);
	loops_run(s.loops);
	pthread_join(driver, NULL);
	buf_put(s.answer);
	file_put(s.file);
	mem_free(s.rtt_ns);
	loops_free(s.loops);
	return 0;
}
