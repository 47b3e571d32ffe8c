/* floor.c - what this machine charges for acks=all on three replicas, with no broker in the way.
 *
 * Four processes do only what nobody can leave out: the producer sends batches with a window, the
 * leader receives, checks the CRC, writes to the page cache and sendfiles to two followers, each
 * follower receives, checks, writes and acknowledges, the leader acknowledges what both have.  No
 * protocol, no metadata, no index.  What Weir reaches is stated as a share of this figure,
 * measured in the same run.
 *
 *   floor [-s SECONDS] [-b BATCH_BYTES] [-w WINDOW] [-d DIR]
 *
 * Prints one line of key=value: mb_s, p50_us, p99_us, cpu_ns_per_byte over all four processes,
 * and the prices of single passes over the data in ns per byte: copy, crc, page-cache write. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/base.h"
#include "common/base/crc32c.h"

#define FOLLOWERS 2
#define SAMPLES_MAX 1000000
#define FILE_MAX (256LL << 20) /* then cut to nothing: a log appends, it does not overwrite */
#define ACK "acknowl"          /* eight bytes with the NUL */

struct options {
	double seconds;
	size_t batch_bytes;
	int window;
	const char *dir;
};

struct result {
	int64_t batches, wall_us;
	int32_t *us; /* one sample a batch, SAMPLES_MAX at most */
};

static no_return void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A connected pair of TCP sockets on loopback: what brokers pay, unlike a socketpair. */
static void tcp_pair(int pair[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int one = 1, lst = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (lst < 0 || bind(lst, (struct sockaddr *)&sa, sizeof(sa)) || listen(lst, 1) ||
	    getsockname(lst, (struct sockaddr *)&sa, &len))
		die("listen");
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	pair[1] = accept(lst, NULL, NULL);
	if (pair[1] < 0)
		die("accept");
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(lst);
}

static bool read_full(int fd, void *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = recv(fd, (char *)to + got, n - got, 0);

		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return true;
}

static bool send_full(int fd, const void *from, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = send(fd, (const char *)from + done, n - done, MSG_NOSIGNAL);

		if (r <= 0)
			return false;
		done += (size_t)r;
	}
	return true;
}

static int scratch_file(const char *dir, int who)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/floor-%d-%d", dir, (int)getpid(), who);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	unlink(path);
	return fd;
}

static int64_t append(int file, const void *from, size_t n, int64_t at)
{
	if (at >= FILE_MAX) {
		if (ftruncate(file, 0))
			die("ftruncate");
		at = 0;
	}
	if (pwrite(file, from, n, at) != (ssize_t)n)
		die("pwrite");
	return at + (int64_t)n;
}

/* The part that leader and follower share: receive, check, write.  Returns the new end of the
 * file, -1 when the peer is gone. */
static int64_t take_batch(const struct options *o, int from, uint8_t *frame, int file, int64_t at)
{
	static volatile uint32_t crc;

	if (!read_full(from, frame, o->batch_bytes))
		return -1;
	crc = crc32c(0, frame, o->batch_bytes);
	(void)crc;
	return append(file, frame, o->batch_bytes, at);
}

static no_return void run_follower(const struct options *o, int leader, int who)
{
	uint8_t *frame = mem_alloc(o->batch_bytes);
	int file = scratch_file(o->dir, who);

	for (int64_t at = 0; (at = take_batch(o, leader, frame, file, at)) >= 0;)
		if (!send_full(leader, ACK, sizeof(ACK)))
			break;
	_exit(0);
}

static bool replicate(const struct options *o, int file, int64_t at, const int *followers)
{
	for (int i = 0; i < FOLLOWERS; i++) {
		off_t from = (off_t)at;

		for (size_t left = o->batch_bytes; left > 0;) {
			ssize_t r = sendfile(followers[i], file, &from, left);

			if (r <= 0)
				return false;
			left -= (size_t)r;
		}
	}
	return true;
}

static void lead(const struct options *o, int producer, const int *followers)
{
	uint8_t *frame = mem_alloc(o->batch_bytes);
	int file = scratch_file(o->dir, FOLLOWERS);
	int64_t at = 0, acked[FOLLOWERS] = { 0 }, answered = 0;
	struct pollfd p[1 + FOLLOWERS] = { { .fd = producer, .events = POLLIN } };
	char ack[sizeof(ACK)];

	for (int i = 0; i < FOLLOWERS; i++)
		p[1 + i] = (struct pollfd){ .fd = followers[i], .events = POLLIN };
	while (poll(p, 1 + FOLLOWERS, -1) > 0) {
		for (int i = 0; i < FOLLOWERS; i++)
			if (p[1 + i].revents && read_full(followers[i], ack, sizeof(ack)))
				acked[i]++;
		for (; answered < i64_min(acked[0], acked[1]); answered++)
			if (!send_full(producer, ACK, sizeof(ACK)))
				return;
		if (!p[0].revents)
			continue;
		at = take_batch(o, producer, frame, file, at);
		if (at < 0 || !replicate(o, file, at - (int64_t)o->batch_bytes, followers))
			return;
	}
}

/* The leader's process forks the followers, so that their CPU is counted with its own. */
static no_return void run_leader(const struct options *o, int producer)
{
	int pair[2], followers[FOLLOWERS];

	for (int i = 0; i < FOLLOWERS; i++) {
		tcp_pair(pair);
		if (fork() == 0) {
			close(producer);
			close(pair[0]);
			for (int j = 0; j < i; j++)
				close(followers[j]);
			run_follower(o, pair[1], i);
		}
		close(pair[1]);
		followers[i] = pair[0];
	}
	lead(o, producer, followers);
	for (int i = 0; i < FOLLOWERS; i++)
		close(followers[i]);
	while (wait(NULL) > 0)
		;
	_exit(0);
}

static void run_producer(const struct options *o, int leader, struct result *res)
{
	uint8_t *batch = mem_alloc(o->batch_bytes);
	int64_t *sent_us = mem_alloc(sizeof(int64_t) * (size_t)o->window);
	int64_t start = now_us(), end = start + (int64_t)(o->seconds * 1e6), sent = 0;
	char ack[sizeof(ACK)];

	for (size_t i = 0; i < o->batch_bytes; i++)
		batch[i] = (uint8_t)(i * 31 + i / 251);
	res->us = mem_alloc(sizeof(int32_t) * SAMPLES_MAX);
	while (res->batches < sent || now_us() < end) {
		while (sent - res->batches < o->window && now_us() < end) {
			sent_us[sent++ % o->window] = now_us();
			if (!send_full(leader, batch, o->batch_bytes))
				die("send");
		}
		if (res->batches == sent)
			break;
		if (!read_full(leader, ack, sizeof(ack)))
			die("recv");
		if (res->batches < SAMPLES_MAX)
			res->us[res->batches] =
				(int32_t)(now_us() - sent_us[res->batches % o->window]);
		res->batches++;
	}
	res->wall_us = now_us() - start;
	mem_free(batch);
	mem_free(sent_us);
}

static double cpu_s(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int compare_i32(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static void measure_pipeline(const struct options *o)
{
	struct result r = { 0 };
	double cpu = cpu_s(RUSAGE_SELF), bytes;
	int pair[2];
	pid_t leader;
	int64_t n;

	tcp_pair(pair);
	leader = fork();
	if (leader == 0) {
		close(pair[0]);
		run_leader(o, pair[1]);
	}
	close(pair[1]);
	run_producer(o, pair[0], &r);
	close(pair[0]);
	waitpid(leader, NULL, 0);
	cpu = cpu_s(RUSAGE_SELF) - cpu + cpu_s(RUSAGE_CHILDREN);
	bytes = (double)r.batches * (double)o->batch_bytes;
	n = i64_min(r.batches, SAMPLES_MAX);
	qsort(r.us, (size_t)n, sizeof(int32_t), compare_i32);
	printf("mb_s=%.1f p50_us=%d p99_us=%d cpu_ns_per_byte=%.3f ", bytes / (double)r.wall_us,
	       n ? r.us[n / 2] : 0, n ? r.us[n * 99 / 100] : 0, cpu * 1e9 / bytes);
	mem_free(r.us);
}

static void pass_copy(uint8_t *a, uint8_t *b, size_t n, int fd)
{
	(void)fd;
	memcpy(a, b, n);
	__asm__ volatile("" : : "r"(a) : "memory");
}

static void pass_crc(uint8_t *a, uint8_t *b, size_t n, int fd)
{
	(void)b;
	(void)fd;
	a[0] = (uint8_t)crc32c(0, a, n);
}

static void pass_write(uint8_t *a, uint8_t *b, size_t n, int fd)
{
	static int64_t at;

	(void)b;
	at = append(fd, a, n, at);
}

/* Nanoseconds per byte of one pass, repeated for a fifth of a second. */
static double price(void (*pass)(uint8_t *, uint8_t *, size_t, int), size_t n, int fd)
{
	uint8_t *a = mem_alloc(n), *b = mem_alloc(n);
	int64_t start = now_us(), bytes = 0;
	double ns;

	for (; now_us() - start < 200000; bytes += (int64_t)n)
		pass(a, b, n, fd);
	ns = (double)(now_us() - start) * 1000.0 / (double)bytes;
	mem_free(a);
	mem_free(b);
	return ns;
}

int main(int argc, char **argv)
{
	struct options o = { .seconds = 3, .batch_bytes = 65536, .window = 5, .dir = "/tmp" };
	int c, file;

	while ((c = getopt(argc, argv, "s:b:w:d:")) != -1) {
		switch (c) {
		case 's': o.seconds = strtod(optarg, NULL); break;
		case 'b': o.batch_bytes = (size_t)strtoul(optarg, NULL, 10); break;
		case 'w': o.window = (int)strtol(optarg, NULL, 10); break;
		case 'd': o.dir = optarg; break;
		default:
			fprintf(stderr, "usage: floor [-s SECONDS] [-b BATCH_BYTES] [-w WINDOW] "
					"[-d DIR]\n");
			return 2;
		}
	}
	if (o.seconds <= 0 || o.batch_bytes < 64 || o.window < 1) {
		fprintf(stderr,
			"floor: seconds and window must be positive, a batch at least 64 bytes\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	file = scratch_file(o.dir, 9);
	measure_pipeline(&o);
	printf("copy_ns=%.3f crc_ns=%.3f write_ns=%.3f\n", price(pass_copy, o.batch_bytes, -1),
	       price(pass_crc, o.batch_bytes, -1), price(pass_write, o.batch_bytes, file));
	return 0;
}
