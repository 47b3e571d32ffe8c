/* Output, back-pressure, moves, endings and limits of connections. */
#include "common/base/endian.h"
#include "common/env/files_posix.h"
#include "tests/lib/test.h"
#include "tests/unit/net/net_rig.h"
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILE_BYTES = 3 << 20 };

/* ---- file spans ------------------------------------------------------------------------------ */

/* The request says how the reply is cut: pairs of u32 (from the file?, bytes). */
static struct file *source;
static uint8_t source_bytes[FILE_BYTES], reply[8 << 20];

static void cut_frame(void *arg, struct conn *c, struct buf *b)
{
	struct env *env = arg;
	struct span v[64];
	int n = 0;
	int64_t at = 0;
	for (uint32_t i = 0; i + 8 <= b->len; i += 8, n++) {
		int64_t k = load_be32(b->at + i + 4);
		v[n] = (struct span){ .at = at, .n = k };
		if (load_be32(b->at + i)) {
			v[n].file = file_get(source);
		} else {
			v[n].buf = buf_new(env->bufs, (size_t)k + (size_t)at);
			memcpy(v[n].buf->at + at, source_bytes + at, (size_t)k);
			v[n].buf->len = (uint32_t)(k + at);
		}
		at += k;
	}
	buf_put(b);
	env->peers->send(c, v, n);
}

static void ignore_down(void *arg, struct conn *c, enum err why)
{
	(void)arg, (void)c, (void)why;
}

static const struct conn_events cut_events = { .frame = cut_frame, .down = ignore_down };

static void cut_accept(void *arg, struct env *env, struct conn *c)
{
	(void)arg;
	env->peers->bind(c, &cut_events, env, 1 << 20);
}

static size_t make_cut(struct prng *p, uint8_t *request, size_t *total)
{
	size_t n = prng_below(p, 40), at = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t dice = prng_below(p, 10);
		uint64_t max = dice < 6 ? 300 : dice < 8 ? 60000 : dice < 9 ? 66000 : 600000;
		size_t k = size_min(prng_below(p, max), FILE_BYTES - at);
		store_be32(request + 8 * i, (uint32_t)prng_below(p, 2));
		store_be32(request + 8 * i + 4, (uint32_t)k);
		at += k;
	}
	*total = at;
	return 8 * n;
}

static void ask_for_cuts(struct net_rig *r)
{
	int fd = rig_connect(r);
	struct prng p;
	prng_seed(&p, 11);
	for (int round = 0; round < 400 && !test_failed(); round += 4) {
		size_t total[4], got = 0;
		uint8_t request[400];
		for (int i = 0; i < 4; i++) {
			size_t n = make_cut(&p, request, &total[i]);
			rig_send_frame(fd, request, n);
		}
		for (int i = 0; i < 4 && !test_failed(); i++) {
			EXPECT(rig_read_frame(fd, reply, sizeof(reply), &got));
			EXPECT_EQ(got, total[i]);
			if (got == total[i] && memcmp(reply, source_bytes, got) != 0)
				FAIL("reply %d of %zu bytes differs", round + i, got);
		}
	}
	close(fd);
}

TEST(frames_of_memory_and_file_spans_arrive_exactly)
{
	struct net_rig r;
	char path[512];
	snprintf(path, sizeof(path), "%s/source", test_tmpdir());
	rig_fill(source_bytes, FILE_BYTES, 9);
	EXPECT_OK(files_posix.open(NULL, path, FILE_READ | FILE_WRITE | FILE_CREATE, &source));
	EXPECT_OK(files_posix.writev(source, &(struct file_iov){ source_bytes, FILE_BYTES }, 1, 0));
	rig_new(&r, 1);
	rig_listen(&r, cut_accept);
	rig_run(&r, ask_for_cuts);
	rig_free(&r);
	EXPECT_EQ(source->refs, 1);
	file_put(source);
}

static void ask_past_the_end(struct net_rig *r)
{
	uint8_t request[8] = { 0, 0, 0, 1, 0, 0, 0, 200 };
	for (int i = 0; i < 2; i++) {
		int fd = rig_connect(r);
		size_t got;
		rig_send_frame(fd, request, 8);
		EXPECT(!rig_read_frame(fd, reply, sizeof(reply), &got));
		close(fd);
		store_be32(request + 4, 100 << 10); /* now by sendfile */
	}
}

TEST(a_file_shorter_than_its_span_breaks_the_connection_not_the_frame)
{
	struct net_rig r;
	char path[512];
	snprintf(path, sizeof(path), "%s/short", test_tmpdir());
	EXPECT_OK(files_posix.open(NULL, path, FILE_READ | FILE_WRITE | FILE_CREATE, &source));
	EXPECT_OK(files_posix.writev(source, &(struct file_iov){ "x", 1 }, 1, 0));
	rig_new(&r, 1);
	rig_listen(&r, cut_accept);
	rig_run(&r, ask_past_the_end);
	rig_free(&r);
	file_put(source);
}

/* ---- a peer that does not read --------------------------------------------------------------- */

struct flood {
	struct env *env;
	_Atomic int64_t pending;
	_Atomic int drained, downs;
	enum err why;
};
static struct flood flood;

enum { FLOOD_FRAMES = 32, FLOOD_BYTES = 1 << 20 };

static void flood_frame(void *arg, struct conn *c, struct buf *b)
{
	struct flood *f = arg;
	buf_put(b);
	for (int i = 0; i < FLOOD_FRAMES; i++) {
		struct buf *big = buf_new(f->env->bufs, FLOOD_BYTES);
		memset(big->at, i, FLOOD_BYTES);
		big->len = FLOOD_BYTES;
		f->env->peers->send(c, &(struct span){ .buf = big, .n = FLOOD_BYTES }, 1);
	}
	f->pending = f->env->peers->pending(c);
}

static void flood_drained(void *arg, struct conn *c)
{
	struct flood *f = arg;
	EXPECT_EQ(f->env->peers->pending(c), 0);
	f->pending = 0;
	f->drained++;
}

static void flood_down(void *arg, struct conn *c, enum err why)
{
	struct flood *f = arg;
	(void)c;
	f->why = why;
	f->downs++;
}

static const struct conn_events flood_events = { .frame = flood_frame,
						 .down = flood_down,
						 .drained = flood_drained };

static void flood_accept(void *arg, struct env *env, struct conn *c)
{
	struct net_rig *r = arg;
	if (r->accepted++ > 0) {
		rig_echo_accept(r, env, c);
		return;
	}
	flood.env = env;
	env->peers->bind(c, &flood_events, &flood, 100);
}

static void read_slowly(struct net_rig *r)
{
	int slow = rig_connect(r);
	size_t n = 0;
	rig_send_frame(slow, "go", 2);
	for (int i = 0; i < 2000 && flood.pending == 0; i++)
		usleep(1000);
	EXPECT(flood.pending > 16 << 20);
	int other = rig_connect(r); /* is served meanwhile */
	for (int i = 0; i < 50; i++) {
		rig_send_frame(other, "hello", 5);
		EXPECT(rig_read_frame(other, reply, sizeof(reply), &n) && n == 5);
	}
	EXPECT_EQ(flood.drained, 0);
	for (int i = 0; i < FLOOD_FRAMES && !test_failed(); i++) {
		EXPECT(rig_read_frame(slow, reply, sizeof(reply), &n));
		EXPECT_EQ(n, FLOOD_BYTES);
		EXPECT(reply[0] == i && reply[FLOOD_BYTES - 1] == i);
	}
	for (int i = 0; i < 2000 && flood.drained == 0; i++)
		usleep(1000);
	EXPECT_EQ(flood.drained, 1);
	close(slow);
	close(other);
}

TEST(a_slow_reader_holds_up_nobody_else)
{
	struct net_rig r;
	rig_new(&r, 1);
	r.frame_max = 100;
	rig_listen(&r, flood_accept);
	rig_run(&r, read_slowly);
	rig_free(&r);
}

/* ---- pause ----------------------------------------------------------------------------------- */

struct gate {
	struct env *env;
	struct conn *conn;
	struct timer timer;
	int frames;
	bool shut;
};
static struct gate gate;

static void gate_open(void *arg)
{
	struct gate *g = arg;
	g->shut = false;
	g->env->peers->pause(g->conn, false);
}

/* Shuts after every frame for 2 ms: frames must wait though they are in hand already. */
static void gate_frame(void *arg, struct conn *c, struct buf *b)
{
	struct gate *g = arg;
	EXPECT(!g->shut);
	g->frames++;
	g->shut = true;
	g->env->peers->pause(c, true);
	timer_after_ms(g->env, &g->timer, 2);
	g->env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
}

static void gate_down(void *arg, struct conn *c, enum err why)
{
	struct gate *g = arg;
	(void)c, (void)why;
	timer_clear(g->env, &g->timer);
}

static const struct conn_events gate_events = { .frame = gate_frame, .down = gate_down };

static void gate_accept(void *arg, struct env *env, struct conn *c)
{
	(void)arg;
	gate = (struct gate){ .env = env, .conn = c };
	timer_init(&gate.timer, gate_open, &gate);
	env->peers->bind(c, &gate_events, &gate, 100);
}

static void send_to_gate(struct net_rig *r)
{
	int fd = rig_connect(r);
	uint8_t stream[30 * 7], got[8];
	size_t n = 0;
	for (uint8_t i = 0; i < 30; i++)
		memcpy(stream + 7 * i, (uint8_t[]){ 0, 0, 0, 3, i, 'a', 'b' }, 7);
	rig_write(fd, stream, sizeof(stream));
	for (int i = 0; i < 30 && !test_failed(); i++)
		EXPECT(rig_read_frame(fd, got, sizeof(got), &n) && n == 3 && got[0] == i);
	close(fd);
}

TEST(a_paused_connection_delivers_nothing)
{
	struct net_rig r;
	rig_new(&r, 1);
	rig_listen(&r, gate_accept);
	rig_run(&r, send_to_gate);
	EXPECT_EQ(gate.frames, 30);
	rig_free(&r);
}

/* ---- moves ----------------------------------------------------------------------------------- */

struct nomad {
	struct net_rig *rig;
	struct env *env;
	int moves;
};

static void nomad_moved(void *arg, struct conn *c)
{
	struct nomad *n = arg;
	(void)c;
	n->env = loops_env(n->rig->loops, !n->env->id);
	n->moves++;
}

/* Replies and moves to the other actor at every frame, with more frames already in hand. */
static void nomad_frame(void *arg, struct conn *c, struct buf *b)
{
	struct nomad *n = arg;
	struct env *env = n->env;
	env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
	env->peers->move(c, loops_env(n->rig->loops, !env->id), nomad_moved);
}

static void nomad_down(void *arg, struct conn *c, enum err why)
{
	struct nomad *n = arg;
	(void)c, (void)why;
	n->rig->frames = n->moves;
	n->rig->downs++;
	mem_free(n);
}

static const struct conn_events nomad_events = { .frame = nomad_frame, .down = nomad_down };

static void nomad_accept(void *arg, struct env *env, struct conn *c)
{
	struct nomad *n = mem_alloc(sizeof(*n));
	n->rig = arg;
	n->env = env;
	env->peers->bind(c, &nomad_events, n, 1 << 20);
}

static void talk_to_nomad(struct net_rig *r)
{
	int fd = rig_connect(r);
	size_t n = 0;
	rig_fill(source_bytes, 200000, 4);
	for (int i = 0; i < 300; i++)
		rig_send_frame(fd, source_bytes + i, (size_t)i * 300);
	for (int i = 0; i < 300 && !test_failed(); i++) {
		EXPECT(rig_read_frame(fd, reply, sizeof(reply), &n));
		EXPECT_EQ(n, i * 300);
		EXPECT_MEM(reply, source_bytes + i, n);
	}
	close(fd);
	for (int i = 0; i < 2000 && r->downs == 0; i++)
		usleep(1000);
	EXPECT_EQ(r->downs, 1);
}

TEST(a_connection_moves_between_actors_with_frames_in_hand)
{
	struct net_rig r;
	rig_new(&r, 2);
	rig_listen(&r, nomad_accept);
	rig_run(&r, talk_to_nomad);
	EXPECT_EQ(r.frames, 300);
	rig_free(&r);
}

/* ---- endings --------------------------------------------------------------------------------- */

static void last_frame(void *arg, struct conn *c, struct buf *b)
{
	struct env *env = arg;
	int64_t n = 4 << 20;
	struct buf *big = buf_new(env->bufs, (size_t)n);
	memset(big->at, 7, (size_t)n);
	big->len = (uint32_t)n;
	env->peers->send(c, &(struct span){ .buf = big, .n = n }, 1);
	env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
	env->peers->finish(c);
}

static void no_down(void *arg, struct conn *c, enum err why)
{
	(void)arg, (void)c;
	FAIL("down (%s) after finish or close", err_text(why));
}

static const struct conn_events last_events = { .frame = last_frame, .down = no_down };

static void last_accept(void *arg, struct env *env, struct conn *c)
{
	(void)arg;
	env->peers->bind(c, &last_events, env, 1 << 20);
}

static void expect_last_words(struct net_rig *r)
{
	int fd = rig_connect(r);
	size_t n = 0;
	rig_send_frame(fd, "bye", 3);
	rig_send_frame(fd, "not looked at", 13);
	EXPECT(rig_read_frame(fd, reply, sizeof(reply), &n) && n == 4 << 20);
	EXPECT(rig_read_frame(fd, reply, sizeof(reply), &n) && n == 3);
	EXPECT(!rig_read(fd, reply, 1));
	close(fd);
}

TEST(finish_sends_what_is_left_and_closes)
{
	struct net_rig r;
	rig_new(&r, 1);
	rig_listen(&r, last_accept);
	rig_run(&r, expect_last_words);
	rig_free(&r);
}

static void close_frame(void *arg, struct conn *c, struct buf *b)
{
	struct env *env = arg;
	buf_put(b);
	env->peers->close(c);
	struct buf *late = buf_new(env->bufs, 10);
	late->len = 10;
	env->peers->send(c, &(struct span){ .buf = late, .n = 10 }, 1); /* let go of */
}

static const struct conn_events close_events = { .frame = close_frame, .down = no_down };

static void close_accept(void *arg, struct env *env, struct conn *c)
{
	struct net_rig *r = arg;
	if (r->accepted++ == 0)
		env->peers->close(c); /* instead of binding it */
	else
		env->peers->bind(c, &close_events, env, 1 << 20);
}

static void expect_close(struct net_rig *r)
{
	for (int i = 0; i < 2; i++) {
		int fd = rig_connect(r);
		if (i > 0)
			rig_send_frame(fd, "x", 1);
		EXPECT(!rig_read(fd, reply, 1));
		close(fd);
	}
}

TEST(close_inside_an_event_is_the_end)
{
	struct net_rig r;
	rig_new(&r, 1);
	rig_listen(&r, close_accept);
	rig_run(&r, expect_close);
	rig_free(&r);
}

static void stall_in_a_frame(struct net_rig *r)
{
	int fd = rig_connect(r);
	rig_send_frame(fd, "ok", 2);
	size_t n;
	EXPECT(rig_read_frame(fd, reply, sizeof(reply), &n));
	rig_write(fd, "\0\0", 2);
	EXPECT(!rig_read(fd, reply, 1));
	for (int i = 0; i < 2000 && r->downs == 0; i++)
		usleep(1000);
	EXPECT_EQ(r->last_down, ERR_TIMEOUT);
	close(fd);
}

TEST(a_frame_that_makes_no_progress_times_out)
{
	struct net_rig r = { .frame_max = 1 << 20 };
	struct loops_options o = {
		.n_actors = 1, .n_io_threads = 1, .seed = 1, .frame_timeout_ms = 100
	};
	EXPECT_OK(loops_new(&o, &r.loops));
	rig_listen(&r, rig_echo_accept);
	rig_run(&r, stall_in_a_frame);
	rig_free(&r);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void use_up_descriptors(struct net_rig *r)
{
	int kept = rig_connect(r), fd[64], n = 0;
	size_t got;
	struct rlimit old, tight;
	rig_send_frame(kept, "hello", 5);
	EXPECT(rig_read_frame(kept, reply, sizeof(reply), &got) && got == 5);
	getrlimit(RLIMIT_NOFILE, &old);
	while (n < 20)
		fd[n++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tight = old;
	tight.rlim_cur = (rlim_t)fd[n - 1] + 1; /* nothing above what is open now */
	setrlimit(RLIMIT_NOFILE, &tight);
	close(fd[--n]); /* room for one: the client's end; none for the server's */
	int turned_away = rig_connect(r);
	EXPECT(!rig_read(turned_away, reply, 1));
	rig_send_frame(kept, "still here", 10);
	EXPECT(rig_read_frame(kept, reply, sizeof(reply), &got) && got == 10);
	setrlimit(RLIMIT_NOFILE, &old);
	int again = rig_connect(r);
	rig_send_frame(again, "back", 4);
	EXPECT(rig_read_frame(again, reply, sizeof(reply), &got) && got == 4);
	while (n > 0)
		close(fd[--n]);
	close(turned_away);
	close(again);
	close(kept);
}

/* True if the server answers on a new connection. */
static bool is_served(struct net_rig *r, int *fd)
{
	size_t got;

	*fd = rig_connect(r);
	(void)send(*fd, "\0\0\0\5hello", 9, MSG_NOSIGNAL); /* it may be closed already */
	return rig_read_frame(*fd, reply, sizeof(reply), &got) && got == 5;
}

static bool is_for_peers;

/* The numbers of both ends lie in the reserve of a client, and below the one of a peer. */
static void come_near_the_limit(struct net_rig *r)
{
	int first = dup(0), fd[16], n = 0;
	struct rlimit old, tight;

	close(first);
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = (rlim_t)first + 10;
	setrlimit(RLIMIT_NOFILE, &tight);
	while (n < 5 && is_served(r, &fd[n]))
		n++;
	EXPECT_EQ(n > 0, is_for_peers);
	EXPECT(n < 5);
	setrlimit(RLIMIT_NOFILE, &old);
	EXPECT(is_served(r, &fd[n + 1]));
	close(fd[n + 1]);
	for (int i = 0; i <= n; i++)
		close(fd[i]);
}

TEST(the_last_descriptors_are_kept_from_clients)
{
	struct net_rig r;

	for (int i = 0; i < 2; i++) {
		is_for_peers = i == 1;
		rig_new(&r, 1);
		rig_listen(&r, rig_echo_accept);
		if (is_for_peers)
			loops_env(r.loops, 0)->peers->listen_for_peers(r.listener);
		rig_run(&r, come_near_the_limit);
		rig_free(&r);
	}
}

TEST(without_descriptors_callers_are_turned_away_and_service_goes_on)
{
	struct net_rig r;
	rig_new(&r, 1);
	rig_listen(&r, rig_echo_accept);
	rig_run(&r, use_up_descriptors);
	rig_free(&r);
}

/* In lockstep: how many frames are in hand at once is then not a matter of timing. */
static void echo_steadily(struct net_rig *r)
{
	int fd = rig_connect(r);
	static const size_t sizes[] = { 100, 5000, 70000, 300000, 0 };
	size_t n = 0;
	uint64_t before = 0;
	for (int i = 0; i < 600; i++) {
		if (i == 50)
			before = mem_calls();
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			rig_send_frame(fd, source_bytes, sizes[k]);
			EXPECT(rig_read_frame(fd, reply, sizeof(reply), &n) && n == sizes[k]);
		}
	}
	EXPECT_EQ(mem_calls() - before, 0);
	close(fd);
}

TEST(a_steady_echo_allocates_nothing)
{
	struct net_rig r;
	rig_new(&r, 1);
	rig_listen(&r, rig_echo_accept);
	rig_run(&r, echo_steadily);
	rig_free(&r);
}
