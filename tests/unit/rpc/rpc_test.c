/* Calls, replies and pushes between two ends in one actor, over a real socket. */
#include "common/net/loop.h"
#include "common/rpc/rpc.h"
#include "cluster/rpc.pb-c.h"
#include "tests/lib/test.h"

struct world {
	struct loops *loops;
	struct env *env;
	struct peer_addr addr;
	struct rpc *server, *client;
	int ups, calls, pushes, answers, downs, server_downs;
	int64_t rounds;
	enum err answer, down, server_down;
	int64_t answered; /* the log offset of the last answer */
	bool silent;      /* the server does not answer */
	uint64_t allocs;
	struct timer timer, watchdog;
	void (*then)(struct world *);
};

static void server_call(void *arg, struct rpc *r, uint64_t id, const ProtobufCMessage *m)
{
	struct world *w = arg;
	const Weir__Request *q = (const Weir__Request *)m;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__LogEntries log = WEIR__LOG_ENTRIES__INIT;
	Weir__Response reply = WEIR__RESPONSE__INIT;
	w->calls++;
	EXPECT_EQ(q->body_case, WEIR__REQUEST__BODY_READ_LOG);
	if (w->silent)
		return;
	log.start = q->read_log->from;
	log.end = q->read_log->from + 1;
	reply.status = &status;
	reply.body_case = WEIR__RESPONSE__BODY_LOG;
	reply.log = &log;
	EXPECT_OK(rpc_reply(r, id, &reply.base));
}

static void server_push(void *arg, struct rpc *r, const ProtobufCMessage *m)
{
	struct world *w = arg;
	const Weir__Request *q = (const Weir__Request *)m;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__HeartbeatAnswer answer = WEIR__HEARTBEAT_ANSWER__INIT;
	Weir__Response back = WEIR__RESPONSE__INIT;
	EXPECT_EQ(q->body_case, WEIR__REQUEST__BODY_HEARTBEAT);
	EXPECT_EQ(q->heartbeat->broker_epoch, 77);
	w->pushes++;
	back.status = &status;
	back.body_case = WEIR__RESPONSE__BODY_HEARTBEAT;
	back.heartbeat = &answer;
	EXPECT_OK(rpc_push(r, &back.base));
}

static void server_down(void *arg, struct rpc *r, enum err why)
{
	struct world *w = arg;
	(void)r;
	w->server = NULL;
	w->server_down = why;
	w->server_downs++;
}

static const struct rpc_events server_events = {
	.call = server_call,
	.push = server_push,
	.down = server_down,
};

static void accept_one(void *arg, struct env *env, struct conn *c)
{
	struct world *w = arg;
	w->server = rpc_accept(env, c, &weir__request__descriptor, &server_events, w);
}

static void client_up(void *arg, struct rpc *r)
{
	(void)r;
	((struct world *)arg)->ups++;
}

static void client_push(void *arg, struct rpc *r, const ProtobufCMessage *m)
{
	struct world *w = arg;
	(void)r;
	EXPECT_EQ(((const Weir__Response *)m)->body_case, WEIR__RESPONSE__BODY_HEARTBEAT);
	w->answers++;
	w->then(w);
}

static void client_down(void *arg, struct rpc *r, enum err why)
{
	struct world *w = arg;
	(void)r;
	w->client = NULL;
	w->down = why;
	w->downs++;
	w->then(w);
}

static const struct rpc_events client_events = {
	.up = client_up,
	.push = client_push,
	.down = client_down,
};

static void call(struct world *w, int64_t from, int64_t timeout_ms, rpc_done *done)
{
	Weir__ReadLog read = WEIR__READ_LOG__INIT;
	Weir__Request q = WEIR__REQUEST__INIT;
	read.from = from;
	q.body_case = WEIR__REQUEST__BODY_READ_LOG;
	q.read_log = &read;
	rpc_call(w->client, &q.base, timeout_ms, done, w);
}

static void on_answer(void *arg, enum err e, const ProtobufCMessage *m)
{
	struct world *w = arg;
	const Weir__Response *r = (const Weir__Response *)m;
	EXPECT_EQ(e == ERR_OK, m != NULL);
	w->answers++;
	w->answer = e;
	w->answered = r && r->body_case == WEIR__RESPONSE__BODY_LOG ? r->log->start : -1;
	w->then(w);
}

static void stop(struct world *w)
{
	w->env->ops->stop(w->env);
}

static void on_watchdog(void *arg)
{
	struct world *w = arg;
	FAIL("nothing happened for 10 s");
	stop(w);
}

static void world_without_client(struct world *w)
{
	struct loops_options o = { .n_actors = 1, .n_io_threads = 1, .seed = 3 };
	struct listener *l;
	*w = (struct world){ .addr = { .host = "127.0.0.1" } };
	EXPECT_OK(loops_new(&o, &w->loops));
	w->env = loops_env(w->loops, 0);
	EXPECT_OK(w->env->peers->listen(w->env, &w->addr, accept_one, w, &l, &w->addr.port));
	timer_init(&w->watchdog, on_watchdog, w);
	timer_after_ms(w->env, &w->watchdog, 10000);
}

static void world_new(struct world *w)
{
	world_without_client(w);
	w->client = rpc_dial(w->env, &w->addr, &weir__response__descriptor, &client_events, w);
}

static void world_run(struct world *w, void (*then)(struct world *))
{
	w->then = then;
	loops_run(w->loops);
	rpc_close(w->client);
	rpc_close(w->server);
	loops_free(w->loops);
}

static void next_of_100(struct world *w)
{
	EXPECT_OK(w->answer);
	EXPECT_EQ(w->answered, w->answers - 1);
	if (w->answers == 100)
		stop(w);
}

TEST(a_hundred_calls_at_once_are_answered_in_order)
{
	struct world w;
	world_new(&w);
	for (int i = 0; i < 100; i++)
		call(&w, i, 5000, on_answer);
	world_run(&w, next_of_100);
	EXPECT_EQ(w.ups, 1);
	EXPECT_EQ(w.calls, 100);
	EXPECT_EQ(w.answers, 100);
	EXPECT_EQ(w.downs, 0);
}

TEST(pushes_go_both_ways)
{
	struct world w;
	Weir__Heartbeat beat = WEIR__HEARTBEAT__INIT;
	Weir__Request q = WEIR__REQUEST__INIT;
	world_new(&w);
	beat.broker_epoch = 77;
	q.body_case = WEIR__REQUEST__BODY_HEARTBEAT;
	q.heartbeat = &beat;
	EXPECT_OK(rpc_push(w.client, &q.base));
	world_run(&w, stop);
	EXPECT_EQ(w.pushes, 1);
	EXPECT_EQ(w.answers, 1);
}

static void after_timeout(struct world *w)
{
	EXPECT_EQ(w->answer, ERR_TIMEOUT);
	stop(w);
}

TEST(a_call_without_answer_times_out)
{
	struct world w;
	world_new(&w);
	w.silent = true;
	call(&w, 1, 30, on_answer);
	world_run(&w, after_timeout);
	EXPECT_EQ(w.answers, 1);
	EXPECT_EQ(w.calls, 1);
}

static void cut_server(void *arg)
{
	struct world *w = arg;
	rpc_close(w->server);
	w->server = NULL;
}

static void after_cut(struct world *w)
{
	if (w->answers == 1 && w->downs == 0) {
		EXPECT_EQ(w->answer, ERR_CLOSED);
		call(w, 2, 5000, on_answer); /* on a dead rpc: fails, later */
		EXPECT_EQ(w->answers, 1);
	} else if (w->answers == 2) {
		EXPECT_EQ(w->answer, ERR_CLOSED);
		EXPECT_EQ(w->downs, 1);
		EXPECT_EQ(w->down, ERR_CLOSED);
		stop(w);
	}
}

TEST(calls_fail_when_the_connection_does_and_down_comes_last)
{
	struct world w;
	world_new(&w);
	w.silent = true;
	call(&w, 1, 5000, on_answer);
	timer_init(&w.timer, cut_server, &w);
	timer_after_ms(w.env, &w.timer, 50);
	world_run(&w, after_cut);
	EXPECT_EQ(w.answers, 2);
}

TEST(dialling_nobody_is_refused)
{
	struct world w;
	world_without_client(&w);
	struct listener *l;
	int32_t port;
	struct peer_addr nobody = { .host = "127.0.0.1" };
	EXPECT_OK(w.env->peers->listen(w.env, &nobody, accept_one, &w, &l, &port));
	w.env->peers->unlisten(l);
	nobody.port = port;
	w.client = rpc_dial(w.env, &nobody, &weir__response__descriptor, &client_events, &w);
	world_run(&w, stop);
	EXPECT_EQ(w.downs, 1);
	EXPECT_EQ(w.down, ERR_REFUSED);
	EXPECT_EQ(w.ups, 0);
}

/* A peer that speaks frames but not rpc. */
struct liar {
	struct world *w;
	struct conn *conn;
	const char *bytes;
	size_t n;
};

static void liar_up(void *arg, struct conn *c)
{
	struct liar *l = arg;
	struct env *env = l->w->env;
	struct buf *b = buf_new(env->bufs, l->n);
	memcpy(b->at, l->bytes, l->n);
	b->len = (uint32_t)l->n;
	env->peers->send(c, &(struct span){ .buf = b, .n = b->len }, 1);
}

static void liar_frame(void *arg, struct conn *c, struct buf *b)
{
	(void)arg, (void)c;
	buf_put(b);
}

static void liar_down(void *arg, struct conn *c, enum err why)
{
	struct liar *l = arg;
	(void)c, (void)why;
	stop(l->w);
}

static const struct conn_events liar_events = { liar_up, liar_frame, liar_down, NULL };

static void expect_cut_off(const char *bytes, size_t n, enum err why)
{
	struct world w;
	world_without_client(&w);
	struct liar liar = { .w = &w, .bytes = bytes, .n = n };
	liar.conn = w.env->peers->dial(w.env, &w.addr, &liar_events, &liar);
	world_run(&w, stop);
	EXPECT_EQ(w.server_downs, 1);
	EXPECT_EQ(w.server_down, why);
}

TEST(nonsense_cuts_the_connection)
{
	expect_cut_off("", 0, ERR_CORRUPT);
	expect_cut_off("\1\0\0\0\0\0\0\0", 8, ERR_CORRUPT);
	expect_cut_off("\1\0\0\0\0\0\0\0\1\xff\xff\xff", 12, ERR_CORRUPT);
	expect_cut_off("\2\0\0\0\0\0\0\0\1", 9, ERR_CORRUPT);
	expect_cut_off("\1\0\0\0\0\0\0\0\0", 9, ERR_UNSUPPORTED);
	expect_cut_off("\7\0\0\0\0\0\0\0\1", 9, ERR_UNSUPPORTED);
}

TEST(replying_to_a_peer_that_left_does_nothing)
{
	struct world w;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__Response reply = WEIR__RESPONSE__INIT;
	reply.status = &status;
	world_new(&w);
	struct rpc *kept = rpc_get(w.client);
	rpc_close(w.client);
	w.client = NULL;
	EXPECT(rpc_is_down(kept));
	EXPECT_EQ(rpc_reply(kept, 1, &reply.base), ERR_CLOSED);
	EXPECT_EQ(rpc_pending(kept), 0);
	rpc_put(kept);
	stop(&w);
	world_run(&w, stop);
}

static void ping_pong(struct world *w)
{
	EXPECT_OK(w->answer);
	if (++w->rounds == 200)
		w->allocs = mem_calls();
	if (w->rounds == 2200) {
		EXPECT_EQ(mem_calls() - w->allocs, 0);
		stop(w);
		return;
	}
	call(w, w->rounds, 5000, on_answer);
}

TEST(a_steady_stream_of_calls_allocates_nothing)
{
	struct world w;
	world_new(&w);
	call(&w, 0, 5000, on_answer);
	world_run(&w, ping_pong);
	EXPECT_EQ(w.rounds, 2200);
}

TEST(backoff_doubles_up_to_its_maximum)
{
	struct prng p;
	prng_seed(&p, 1);
	for (int n = 0; n < 40; n++) {
		int64_t full = n < 5 ? 50 << n : 1000;
		int64_t ms = rpc_backoff_ms(&p, n, 50, 1000);
		EXPECT(ms <= full && ms >= full / 2);
	}
}
