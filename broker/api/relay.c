/* relay.c - a queue and a connection for each leader that something is taken to.
 *
 *   relay_produce -> queue -> ask (its head) -> on_frame -> not yet: ask again after a pause
 *                                                       -> answered: the next one
 *   no connection, a bad answer, too late: everything that waits is given back */
#include "broker/api/relay.h"

#include "broker/shard/broker.h"
#include "kafka/produce.h"

#define RELAY_MS 500 /* of patience, for each request */
#define AGAIN_MS 2   /* metadata reaches all brokers within about a millisecond */

struct relay {
	struct list node;
	struct relays *all;
	int32_t leader;
	struct conn *conn;
	struct list queue; /* struct waiting, oldest first; the head has been sent */
	struct timer timer;
	bool is_asking; /* false: pausing before the head is sent again */
};
struct relays {
	struct shard *shard;
	struct list relays;
};
struct waiting { /* in the request's arena */
	struct list node;
	struct req *q;
	int64_t until_ms;
};

static struct relay *relay_to(struct relays *, int32_t leader);
static void ask(struct relay *);
static void on_frame(void *arg, struct conn *, struct buf *);
static enum err read_answer(const struct req *, struct buf *, struct produce_response **);
static bool is_refused(const struct produce_response *);
static void answered(struct relay *, struct produce_response *);
static void on_down(void *arg, struct conn *, enum err why);
static void on_timer(void *arg);
static void give_back(struct relay *);

static const struct conn_events events = { .frame = on_frame, .down = on_down };

struct relays *relays_new(struct shard *s)
{
	struct relays *a = mem_alloc(sizeof(*a));

	a->shard = s;
	list_init(&a->relays);
	return a;
}

void relays_free(struct relays *a)
{
	if (!a)
		return;
	LIST_FOR (r, &a->relays, struct relay, node) {
		if (r->conn)
			a->shard->env->peers->close(r->conn);
		r->conn = NULL;
		give_back(r);
		list_remove(&r->node);
		mem_free(r);
	}
	mem_free(a);
}

bool relay_produce(struct relays *a, struct req *q, int32_t leader)
{
	/* The last answers of a broker that ends come when its relays have gone. */
	struct relay *r = a ? relay_to(a, leader) : NULL;
	struct waiting *w;

	if (!r)
		return false;
	w = ARENA_NEW(q, struct waiting, 1);
	w->q = q;
	w->until_ms = env_mono_ms(a->shard->env) + RELAY_MS;
	list_push_back(&r->queue, &w->node);
	if (r->queue.next == &w->node)
		ask(r);
	return true;
}

static struct relay *relay_to(struct relays *a, int32_t leader)
{
	struct shard *s = a->shard;
	struct peer_addr at;
	struct relay *r;

	LIST_FOR (have, &a->relays, struct relay, node)
		if (have->leader == leader && have->conn)
			return have;
	if (!broker_addr(s->broker, s->image, leader, &at))
		return NULL;
	r = mem_alloc(sizeof(*r));
	r->all = a;
	r->leader = leader;
	list_init(&r->queue);
	timer_init(&r->timer, on_timer, r);
	list_push_back(&a->relays, &r->node);
	r->conn = s->env->peers->dial(s->env, &at, &events, r);
	return r;
}

static struct waiting *head_of(const struct relay *r)
{
	return LIST_FIRST(&r->queue, struct waiting, node);
}

/* The frame holds no word of who sent it but the client id, so it needs no change. */
static void ask(struct relay *r)
{
	const struct waiting *w = head_of(r);
	struct env *env = r->all->shard->env;
	struct span span;

	if (!w)
		return;
	span = (struct span){ .buf = buf_get(w->q->frame), .n = w->q->frame->len };
	env->peers->send(r->conn, &span, 1);
	r->is_asking = true;
	timer_after_ms(env, &r->timer, i64_max(w->until_ms - env_mono_ms(env), 1));
}

static void on_frame(void *arg, struct conn *conn, struct buf *frame)
{
	struct relay *r = arg;
	const struct waiting *w = head_of(r);
	struct env *env = r->all->shard->env;
	struct produce_response *out;
	enum err e = w && r->is_asking ? read_answer(w->q, frame, &out) : ERR_CORRUPT;

	buf_put(frame);
	if (e) {
		r->conn = NULL;
		env->peers->close(conn);
		give_back(r);
	} else if (is_refused(out) && env_mono_ms(env) < w->until_ms) {
		r->is_asking = false;
		timer_after_ms(env, &r->timer, AGAIN_MS);
	} else {
		answered(r, out);
	}
}

/* Into the request's arena: the reply points into it. */
static enum err read_answer(const struct req *q, struct buf *frame, struct produce_response **out)
{
	struct arena *a = (struct arena *)(uintptr_t)&q->arena;
	uint8_t *copy = arena_alloc(a, frame->len + 1);
	int32_t correlation;
	struct reader r;
	enum err e;

	if (!copy)
		return ERR_LIMIT;
	memcpy(copy, frame->at, frame->len);
	reader_init(&r, copy, frame->len);
	e = response_header_decode(&r, q->head.api_key, q->head.api_version, &correlation);
	if (e)
		return e;
	if (correlation != q->head.correlation_id)
		return ERR_CORRUPT;
	*out = schema_new(&produce_response_schema, a, 1);
	return schema_decode(&produce_response_schema, q->head.api_version, &r, a, *out);
}

/* It does not lead yet, or leads no more. */
static bool is_refused(const struct produce_response *out)
{
	for (int32_t i = 0; i < out->n_responses; i++)
		for (int32_t j = 0; j < out->responses[i].n_partition_responses; j++)
			if (out->responses[i].partition_responses[j].error_code ==
			    KERR_NOT_LEADER_OR_FOLLOWER)
				return true;
	return false;
}

static void answered(struct relay *r, struct produce_response *out)
{
	struct waiting *w = head_of(r);
	struct req *q = w->q;

	timer_clear(r->all->shard->env, &r->timer);
	list_remove(&w->node);
	q->out = out;
	ask(r);
	req_done(q);
}

static void on_down(void *arg, struct conn *conn, enum err why)
{
	struct relay *r = arg;

	(void)conn;
	(void)why;
	r->conn = NULL;
	give_back(r);
}

/* Either the pause is over or the answer did not come: then it might come for the wrong request. */
static void on_timer(void *arg)
{
	struct relay *r = arg;

	if (!r->is_asking) {
		ask(r);
		return;
	}
	r->all->shard->env->peers->close(r->conn);
	r->conn = NULL;
	give_back(r);
}

/* A relay without a connection is not used again; relays_free frees it. */
static void give_back(struct relay *r)
{
	struct waiting *w;

	timer_clear(r->all->shard->env, &r->timer);
	while ((w = head_of(r))) {
		list_remove(&w->node);
		req_done(w->q);
	}
}
