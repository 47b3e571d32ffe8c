/* client.c - one connection: frames become requests, requests run in order, replies leave in order.
 *
 *   on_frame -> parse -> waiting -> pump: start (phase 1: handler) -> started ... req_done
 *   (phase 2) -> reply
 *
 *   pump sends what is done at the head of `started` and starts what may start (may_start): alone,
 *   or together with others that overlap.  A request that waits behind a long poll ends it (hurry).
 *
 *   admit decides whether the connection is read: bytes of requests in flight on the connection and
 *   on the shard, output not yet taken by the kernel, and whether it is ending.
 *
 * A connection that closes lets its running requests go on without a client: their parts may be on
 * other shards, and their memory is theirs until req_done. */
#include "broker/api/client.h"

#include <stdatomic.h>

#include "broker/api/client_limits.h"
#include "broker/api/producer_ids.h"
#include "broker/api/relay.h"
#include "broker/api/versions.h"
#include "broker/core/fetch_session.h"
#include "common/base/log.h"
#include "kafka/apis.h"

/* Unsent output beyond this stops new requests.  The others: what a client's request may become
 * when decoded; with the reply; how many finished requests a shard keeps for reuse. */
#define OUTPUT_BYTES_MAX ((int64_t)64 << 20)
#define DECODED_BYTES_MAX ((size_t)16 << 20)
#define ARENA_BYTES_MAX ((size_t)1 << 30) /* what a handler makes of DECODED_BYTES_MAX fits */
#define FREE_REQS_MAX 256
#define DRAIN_MS 300 /* what is unanswered then is cut off */
#define BUSY_MS 30   /* since it asked: it will soon ask again */

static void on_frame(void *arg, struct conn *, struct buf *);
static void on_down(void *arg, struct conn *, enum err why);
static void on_drained(void *arg, struct conn *);
static struct req *req_new(struct client *, struct buf *frame);
static void req_free(struct req *);
static enum err parse(struct req *);
static void refuse(struct client *, enum err why, const struct request_header *);
static void pump(struct client *);
static void hurry(struct req *);
static bool may_start(const struct client *, const struct req *);
static void start(struct req *);
static void reply(struct client *, struct req *);
static void send_reply(struct client *, struct req *, struct writer *);
static void admit(struct client *);
static void client_free(struct client *);
static struct req *first_of(const struct list *);
static void on_drain(void *arg);

static const struct conn_events events = { .frame = on_frame,
					   .down = on_down,
					   .drained = on_drained };

/* By port: it decides which of a broker's addresses this client is told (advertised.listeners). */
static int32_t listener_of(const struct shard *s, struct conn *conn)
{
	const struct broker_conf *c = s->broker->conf;
	struct peer_addr at;

	s->env->peers->local_addr(conn, &at);
	for (int32_t i = 0; i < c->n_listeners; i++)
		if (c->listener[i].bind.port == at.port ||
		    c->listener[i].advertised.port == at.port)
			return i;
	return 0;
}

void api_accept(void *arg, struct env *env, struct conn *conn)
{
	struct broker *b = arg;
	struct shard *s = b->shards[env->id];
	struct client *c;

	if (s->api->is_stopping) {
		env->peers->close(conn);
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->api = s->api;
	c->conn = conn;
	c->heard_ms = env_mono_ms(env);
	c->listener = listener_of(s, conn);
	list_init(&c->started);
	list_init(&c->waiting);
	list_init(&c->paused);
	if (!client_limits_enter(b->limits, c)) {
		env->peers->close(conn);
		mem_free(c);
		return;
	}
	list_push_back(&s->api->clients, &c->node);
	env->peers->bind(conn, &events, c, (uint32_t)b->conf->request_bytes_max);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void on_frame(void *arg, struct conn *conn, struct buf *frame)
{
	struct client *c = arg;
	struct req *q;
	enum err e;

	(void)conn;
	c->heard_ms = env_mono_ms(c->api->shard->env);
	if (c->is_ending) {
		buf_put(frame);
		return;
	}
	q = req_new(c, frame);
	if ((e = parse(q))) {
		struct request_header head = q->head;
		req_free(q);
		refuse(c, e, &head);
		return;
	}
	list_push_back(&c->waiting, &q->node);
	pump(c);
}

/* Header and body; ERR_OK also for versions that are answered with an error (ApiVersions). */
static enum err parse(struct req *q)
{
	struct reader r;
	enum err e;

	reader_init(&r, q->frame->at, q->frame->len);
	e = request_header_decode(&r, &q->head);
	if (e == ERR_UNSUPPORTED && q->head.api_key == API_API_VERSIONS)
		return versions_unsupported(q);
	if (e)
		return e;
	q->api = api_row(q->head.api_key);
	q->wire = api_find(q->head.api_key);
	if (!q->api || q->head.api_version < q->api->min || q->head.api_version > q->api->max)
		return q->head.api_key == API_API_VERSIONS ? versions_unsupported(q)
							   : ERR_UNSUPPORTED;
	/* What a client sends is held to less than what we may need to answer it. */
	q->arena.max_bytes = DECODED_BYTES_MAX;
	q->in = arena_alloc(&q->arena, q->wire->request->size);
	q->out = arena_alloc(&q->arena, q->wire->response->size);
	if (!q->in || !q->out)
		return ERR_LIMIT;
	schema_init(q->wire->response, q->out);
	e = schema_decode(q->wire->request, q->head.api_version, &r, &q->arena, q->in);
	q->arena.max_bytes = ARENA_BYTES_MAX;
	return e;
}

/* What was asked before it is still answered; then the connection goes. */
static void refuse(struct client *c, enum err why, const struct request_header *h)
{
	char name[80];

	c->api->shard->env->peers->name(c->conn, name, sizeof(name));
	log_warn("client", "a request cannot be read, closing the connection", F_Z("peer", name),
		 F_Z("why", err_text(why)), F_I64("api_key", h->api_key),
		 F_I64("version", h->api_version));
	c->is_ending = true;
	pump(c);
}

static void on_down(void *arg, struct conn *conn, enum err why)
{
	struct client *c = arg;

	(void)conn;
	(void)why;
	client_free(c);
}

/* The connection is gone already.  Running requests go on without a client. */
static void client_free(struct client *c)
{
	struct req *q;

	client_limits_leave(c->api->shard->broker->limits, c);
	list_remove(&c->node);
	list_remove(&c->paused);
	while ((q = first_of(&c->started)) || (q = first_of(&c->waiting))) {
		list_remove(&q->node);
		if (q->state == REQ_RUNNING) {
			c->api->bytes -= q->frame->len;
			q->client = NULL;
			hurry(q);
		} else {
			req_free(q);
		}
	}
	mem_free(c);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* From the shard's free list: a steady state makes no request from the heap. */
static struct req *req_new(struct client *c, struct buf *frame)
{
	struct api_shard *a = c->api;
	struct req *q = LIST_FIRST(&a->free_reqs, struct req, node);

	if (q) {
		list_remove(&q->node);
		a->n_free--;
	} else {
		q = mem_alloc(sizeof(*q));
		arena_init(&q->arena, ARENA_BYTES_MAX);
	}
	list_init(&q->node);
	q->client = c;
	q->shard = a->shard;
	q->frame = frame;
	q->head = (struct request_header){ .api_key = -1 };
	q->state = REQ_QUEUED;
	q->is_silent = q->is_closing = false;
	q->in = q->out = q->work = NULL;
	q->image = NULL;
	q->hurry = q->release = NULL;
	a->bytes += frame->len;
	c->bytes += frame->len;
	return q;
}

static void req_free(struct req *q)
{
	struct api_shard *a = q->shard->api;

	if (q->release)
		q->release(q);
	if (q->client) {
		q->client->bytes -= q->frame->len;
		a->bytes -= q->frame->len;
	}
	buf_put(q->frame);
	image_put(q->image);
	arena_reset(&q->arena);
	if (a->n_free < FREE_REQS_MAX) {
		list_push_front(&a->free_reqs, &q->node);
		a->n_free++;
		return;
	}
	arena_fini(&q->arena);
	mem_free(q);
}

/* A request without a client has nobody to answer. */
void req_done(struct req *q)
{
	struct client *c = q->client;

	ASSERT(q->state == REQ_RUNNING);
	q->state = REQ_DONE;
	if (!c)
		req_free(q);
	else
		pump(c);
}

/* Starts what may start and sends what may leave, until neither moves.  Handlers that answer at
 * once come back here through their return value, never by recursion. */
static void pump(struct client *c)
{
	struct req *head, *q;

	if (c->is_pumping)
		return;
	c->is_pumping = true;
	for (bool moved = true; moved && !c->is_clogged;) {
		moved = false;
		while ((head = first_of(&c->started)) && head->state == REQ_DONE) {
			list_remove(&head->node);
			reply(c, head);
			moved = true;
		}
		while ((q = first_of(&c->waiting)) && may_start(c, q)) {
			list_remove(&q->node);
			list_push_back(&c->started, &q->node);
			start(q);
			moved = true;
		}
		if (q && (head = first_of(&c->started))) {
			hurry(head);
			moved |= head->state == REQ_DONE;
		}
		c->is_clogged = c->api->shard->env->peers->pending(c->conn) > OUTPUT_BYTES_MAX;
	}
	c->is_pumping = false;
	if (c->is_ending && !first_of(&c->started) && !first_of(&c->waiting)) {
		c->api->shard->env->peers->finish(c->conn);
		client_free(c);
		return;
	}
	if (c->move_to && !c->is_ending && !c->is_clogged && list_empty(&c->started)) {
		client_move(c);
		return;
	}
	admit(c);
}

void client_arrived(struct client *c)
{
	if (!c->api->is_stopping) {
		pump(c);
		return;
	}
	client_close(c);
}

/* Until the first image nobody knows anything here; clients wait for it rather than be told that
 * the cluster is empty. */
static void image_adopted(struct shard *s)
{
	LIST_FOR (c, &s->api->clients, struct client, node)
		pump(c);
}

/* A long poll holds up what its client sent after it: end it, as far as it can be. */
static void hurry(struct req *q)
{
	void (*fn)(struct req *) = q->hurry;

	q->hurry = NULL;
	if (fn && q->state == REQ_RUNNING)
		fn(q);
}

/* Kafka runs one request of a connection at a time.  Produces may overlap, because their batches
 * keep their order by themselves (call.h); nothing runs while the connection is moving. */
static bool may_start(const struct client *c, const struct req *q)
{
	const struct req *before = first_of(&c->started);

	if (c->move_to || (!c->api->shard->image && q->head.api_key != API_API_VERSIONS))
		return false;
	/* One that does not overlap runs alone, so the first that runs speaks for all. */
	return !before || (q->api->flags == API_OVERLAPS && before->api->flags == API_OVERLAPS);
}

static struct req *first_of(const struct list *l)
{
	return LIST_FIRST(l, struct req, node);
}

/* The image is taken here, so one request sees one state of the cluster from beginning to end. */
static void start(struct req *q)
{
	struct client *c = q->client;
	bool is_greeting = q->head.api_key == API_API_VERSIONS;

	q->state = REQ_RUNNING;
	req_new_image(q);
	if (q->api->handle(q) == API_DONE)
		q->state = REQ_DONE;
	c->is_settled |= !is_greeting;
}

void req_new_image(struct req *q)
{
	image_put(q->image);
	q->image = q->shard->image ? image_get(q->shard->image) : NULL;
}

/* acks=0 leaves in silence; a refused one closes the connection, as in Kafka. */
static void reply(struct client *c, struct req *q)
{
	struct writer w;

	if (q->is_closing) {
		c->is_ending = c->is_mute = true;
	} else if (!q->is_silent && !c->is_mute) {
		writer_init(&w, c->api->shard->env->bufs, 256);
		response_begin(&w, q->head.api_key, q->head.api_version, q->head.correlation_id);
		schema_encode(q->wire->response, q->head.api_version, q->out, &w);
		send_reply(c, q, &w);
		writer_fini(&w);
	}
	req_free(q);
}

/* Header bytes and file ranges in turn; the seam puts the size in front, so ours is left out. */
static void send_reply(struct client *c, struct req *q, struct writer *w)
{
	const struct splice *cut = writer_splices(w);
	struct span *v = ARENA_NEW(q, struct span, 2 * w->n_splices + 1);
	uint32_t at = sizeof(int32_t), end = writer_at(w);
	struct buf *b = writer_take(w);
	int n = 0;

	if (!b) {
		log_warn("client", "a reply is too large to be sent, closing the connection",
			 F_I64("api_key", q->head.api_key), F_I64("version", q->head.api_version));
		c->is_ending = c->is_mute = true;
		return;
	}
	for (uint32_t i = 0; i < w->n_splices; i++) {
		if (cut[i].at > at)
			v[n++] = (struct span){ .buf = buf_get(b), .at = at, .n = cut[i].at - at };
		v[n++] = (struct span){ .file = file_get(cut[i].file),
					.at = cut[i].file_at,
					.n = cut[i].n };
		at = cut[i].at;
	}
	if (end > at)
		v[n++] = (struct span){ .buf = buf_get(b), .at = at, .n = end - at };
	buf_put(b);
	c->api->shard->env->peers->send(c->conn, v, n);
}

/* ---- admission ------------------------------------------------------------------------------- */

/* Bytes are counted when a frame is read and given back when its request is freed; clients that
 * were stopped because the shard was full are looked at again by whoever frees some. */
static void admit(struct client *c)
{
	const struct broker_conf *conf = c->api->shard->broker->conf;
	bool shard_full = c->api->bytes > conf->queued_bytes_max;
	bool pause = shard_full || c->bytes > conf->conn_bytes_max || c->is_clogged || c->is_ending;

	if (!shard_full)
		while (!list_empty(&c->api->paused)) {
			struct client *other =
				CONTAINER_OF(c->api->paused.next, struct client, paused);
			list_remove(&other->paused);
			if (other != c)
				admit(other);
		}
	if (shard_full && list_empty(&c->paused))
		list_push_back(&c->api->paused, &c->paused);
	if (pause != c->is_paused) {
		c->is_paused = pause;
		c->api->shard->env->peers->pause(c->conn, pause);
	}
}

static void on_drained(void *arg, struct conn *conn)
{
	struct client *c = arg;

	(void)conn;
	if (!c->is_clogged)
		return;
	c->is_clogged = false;
	pump(c);
}

/* ---- the shard's part ------------------------------------------------------------------------ */

struct api_shard *api_shard_new(struct shard *s)
{
	struct api_shard *a = mem_alloc(sizeof(*a));

	a->shard = s;
	list_init(&a->clients);
	list_init(&a->paused);
	list_init(&a->free_reqs);
	a->producer_ids = producer_ids_new(s);
	a->relays = relays_new(s);
	timer_init(&a->drain, on_drain, a);
	s->image_adopted = image_adopted;
	a->sessions = fetch_sessions_new(s->broker->conf->session_slots, prng_u64(&s->env->prng));
	client_idle_start(a);
	return a;
}

/* Not at once: a client that is busy has perhaps sent already what it would lose.  The best moment
 * is right behind an answer, so its next question is waited for; and not in the turn that brought
 * the answer, which may have begun before the client sent more: a timer runs when all that had
 * arrived has been read. */
void api_shard_drain(struct api_shard *a, void (*done)(void *arg), void *arg)
{
	a->drained = done;
	a->drained_arg = arg;
	a->drain_from_ms = env_mono_ms(a->shard->env);
	timer_after_ms(a->shard->env, &a->drain, list_empty(&a->clients) ? 0 : 1);
}

static void on_drain(void *arg)
{
	struct api_shard *a = arg;
	int64_t waited_ms = env_mono_ms(a->shard->env) - a->drain_from_ms;

	LIST_FOR (c, &a->clients, struct client, node) {
		struct req *head = first_of(&c->started);
		bool is_answered = c->heard_ms >= a->drain_from_ms;
		bool is_busy = c->heard_ms >= a->drain_from_ms - BUSY_MS && !is_answered;

		if (head)
			hurry(head);
		else if (list_empty(&c->waiting) && (!is_busy || waited_ms > BUSY_MS))
			client_close(c);
	}
	if (!list_empty(&a->clients) && waited_ms < DRAIN_MS)
		timer_after_ms(a->shard->env, &a->drain, 1);
	else
		a->drained(a->drained_arg);
}

void api_shard_stop(struct api_shard *a)
{
	a->is_stopping = true;
	timer_clear(a->shard->env, &a->drain);
	client_idle_stop(a);
	while (!list_empty(&a->clients))
		client_close(CONTAINER_OF(a->clients.next, struct client, node));
	relays_free(a->relays);
	a->relays = NULL;
}

void client_close(struct client *c)
{
	c->api->shard->env->peers->finish(c->conn);
	client_free(c);
}

void api_shard_free(struct api_shard *a)
{
	struct req *q;

	ASSERT(list_empty(&a->clients));
	while ((q = LIST_FIRST(&a->free_reqs, struct req, node))) {
		list_remove(&q->node);
		arena_fini(&q->arena);
		mem_free(q);
	}
	fetch_sessions_free(a->sessions);
	producer_ids_free(a->producer_ids);
	mem_free(a);
}
