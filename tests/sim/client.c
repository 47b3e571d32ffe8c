#include "tests/sim/client.h"

#include <stdio.h>

#include "common/wire/header.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/metadata.h"

#define TICK_MS 50
#define REPLY_BYTES_MAX ((size_t)16 << 20)
#define METADATA_VERSION 12
#define PRODUCE_VERSION_MIN 3
#define PRODUCE_VERSION_MAX 13
#define FETCH_VERSION_MIN 10 /* the first that may be given zstd */
#define FETCH_VERSION_MAX 18

struct ask {
	struct list node;
	const struct kafka_api *api;
	int version;
	int32_t correlation;
	int64_t since_us;
	asked *done;
	void *arg;
};

static void on_tick(void *client);
static void on_frame(void *conn, struct conn *, struct buf *);
static void on_down(void *conn, struct conn *, enum err);
static void fail_all(struct client_conn *, enum err);
static void on_metadata(void *client, enum err, const void *reply);

static const struct conn_events conn_events = { .frame = on_frame, .down = on_down };

void client_init(struct client *c, struct cluster *cluster, const char *name)
{
	ASSERT(cluster->n_clients < SIM_CLIENTS_MAX);
	cluster->client[cluster->n_clients++] = c;
	c->cluster = cluster;
	c->machine = machine_new(cluster->world, name, 1);
	machine_start(c->machine);
	c->env = &c->machine->actor[0].env;
	c->produce_version =
		PRODUCE_VERSION_MIN +
		(int)prng_below(&c->env->prng, PRODUCE_VERSION_MAX - PRODUCE_VERSION_MIN + 1);
	c->fetch_version =
		FETCH_VERSION_MIN +
		(int)prng_below(&c->env->prng, FETCH_VERSION_MAX - FETCH_VERSION_MIN + 1);
	c->is_stale = true;
	memset(c->leader, -1, sizeof(c->leader));
	for (int i = 0; i < SIM_BROKERS_MAX; i++) {
		c->to[i] = (struct client_conn){ .client = c, .broker = i };
		list_init(&c->to[i].asks);
	}
	timer_init(&c->tick, on_tick, c);
}

void client_start(struct client *c)
{
	timer_after_ms(c->env, &c->tick, 1);
}

static void on_tick(void *arg)
{
	struct client *c = arg;
	int64_t now = env_mono_us(c->env);

	timer_after_ms(c->env, &c->tick, TICK_MS);
	for (int i = 0; i < c->cluster->n_brokers; i++) {
		struct client_conn *to = &c->to[i];
		struct ask *oldest = LIST_FIRST(&to->asks, struct ask, node);

		if (oldest && now - oldest->since_us > ASK_TIMEOUT_US) {
			c->env->peers->close(to->conn);
			to->conn = NULL;
			fail_all(to, ERR_TIMEOUT);
			client_refresh(c);
		}
	}
	for (int t = 0; t < c->cluster->n_topics; t++)
		for (int i = 0; i < c->cluster->topic[t].n_partitions; i++)
			c->is_stale |= c->leader[t][i] < 0;
	if (c->is_stale && !c->is_asking) {
		struct metadata_request q;
		int broker = (int)prng_below(&c->env->prng, (uint64_t)c->cluster->n_brokers);

		schema_init(&metadata_request_schema, &q);
		q.n_topics = -1;
		q.allow_auto_topic_creation = false;
		c->is_asking = true;
		client_ask(c, broker, API_METADATA, METADATA_VERSION, &q, on_metadata, c);
	}
}

void client_refresh(struct client *c)
{
	c->is_stale = true;
}

/* Another topic under that name begins with epoch 0 again (KAFKA-12257). */
static void learn_id(struct client *c, int t, struct uuid id)
{
	bool is_new = !uuid_is_zero(c->id[t]) && !uuid_eq(c->id[t], id);

	if (is_new && uuid_eq(id, c->cluster->topic[t].id)) {
		for (int i = 0; i < SIM_PARTITIONS_MAX; i++) {
			c->leader[t][i] = -1;
			c->epoch[t][i] = 0;
		}
		if (c->on_topic)
			c->on_topic(c->arg, t);
		c->id[t] = id;
	}
	if (uuid_is_zero(c->id[t]))
		c->id[t] = id;
}

static void learn(struct client *c, int t, const struct metadata_response_topic *topic)
{
	learn_id(c, t, topic->topic_id);
	if (!uuid_eq(c->id[t], topic->topic_id))
		return; /* an old one, from a broker that does not know yet */
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		const struct metadata_response_partition *p = &topic->partitions[i];

		int32_t n = p->partition_index;

		if (n >= SIM_PARTITIONS_MAX || p->leader_epoch < c->epoch[t][n])
			continue;
		c->epoch[t][n] = p->leader_epoch;
		c->leader[t][n] = p->leader_id > 0 ? p->leader_id - 1 : -1;
	}
}

static void on_metadata(void *arg, enum err e, const void *reply)
{
	struct client *c = arg;
	const struct metadata_response *r = reply;
	int n_known = 0;

	c->is_asking = false;
	if (e)
		return;
	for (int32_t k = 0; k < r->n_topics; k++)
		for (int t = 0; t < c->cluster->n_topics; t++)
			if (str_eq(r->topics[k].name, str_of(c->cluster->topic[t].name))) {
				learn(c, t, &r->topics[k]);
				n_known++;
			}
	c->is_stale = n_known < c->cluster->n_topics;
	for (int t = 0; t < c->cluster->n_topics; t++)
		for (int i = 0; i < c->cluster->topic[t].n_partitions; i++)
			c->is_stale |= c->leader[t][i] < 0;
	if (c->on_news)
		c->on_news(c->arg);
}

bool client_retries(int16_t code)
{
	return code == KERR_NOT_LEADER_OR_FOLLOWER || code == KERR_LEADER_NOT_AVAILABLE ||
	       code == KERR_UNKNOWN_TOPIC_OR_PARTITION || code == KERR_NOT_ENOUGH_REPLICAS ||
	       code == KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND || code == KERR_REQUEST_TIMED_OUT ||
	       code == KERR_KAFKA_STORAGE_ERROR || code == KERR_FENCED_LEADER_EPOCH ||
	       code == KERR_UNKNOWN_LEADER_EPOCH || code == KERR_BROKER_NOT_AVAILABLE ||
	       code == KERR_UNKNOWN_TOPIC_ID || code == KERR_INCONSISTENT_TOPIC_ID ||
	       code == KERR_OFFSET_NOT_AVAILABLE || code == KERR_REPLICA_NOT_AVAILABLE;
}

/* ---- questions ------------------------------------------------------------------------------ */

static struct conn *connect(struct client *c, struct client_conn *to)
{
	struct peer_addr addr = { .port = KAFKA_PORT };

	snprintf(addr.host, sizeof(addr.host), "b%d", to->broker + 1);
	return c->env->peers->dial(c->env, &addr, &conn_events, to);
}

void client_ask(struct client *c, int broker, enum api_key key, int version, const void *request,
		asked *done, void *arg)
{
	struct client_conn *to = &c->to[broker];
	struct ask *q = mem_alloc(sizeof(*q));
	struct request_header head = { .api_key = (int16_t)key,
				       .api_version = (int16_t)version,
				       .correlation_id = ++c->next_correlation,
				       .client_id = str_of(c->machine->name) };
	struct writer w;
	struct span span = { 0 };

	*q = (struct ask){ .api = api_find(key),
			   .version = version,
			   .correlation = head.correlation_id,
			   .since_us = env_mono_us(c->env),
			   .done = done,
			   .arg = arg };
	writer_init(&w, c->env->bufs, 0);
	request_begin(&w, &head);
	schema_encode(q->api->request, version, request, &w);
	frame_end(&w);
	span.buf = writer_take(&w);
	writer_fini(&w);
	ASSERT(span.buf);
	span.at = 4; /* the seam writes the size */
	span.n = span.buf->len - span.at;
	if (!to->conn)
		to->conn = connect(c, to);
	c->env->peers->send(to->conn, &span, 1);
	if (done)
		list_push_back(&to->asks, &q->node);
	else
		mem_free(q);
}

static void on_frame(void *arg, struct conn *conn, struct buf *frame)
{
	struct client_conn *to = arg;
	struct ask *q = LIST_FIRST(&to->asks, struct ask, node);
	struct arena arena;
	struct reader r;
	int32_t correlation;
	void *reply;
	enum err e;

	(void)conn;
	if (!q)
		story_fail(EXIT_SAFETY, "broker %d answered what nobody asked", to->broker + 1);
	list_remove(&q->node);
	arena_init(&arena, REPLY_BYTES_MAX);
	reader_init(&r, frame->at, frame->len);
	e = response_header_decode(&r, q->api->key, q->version, &correlation);
	reply = arena_must(&arena, q->api->response->size);
	if (!e)
		e = schema_decode(q->api->response, q->version, &r, &arena, reply);
	if (e || correlation != q->correlation || reader_left(&r) > 0)
		story_fail(EXIT_SAFETY, "broker %d: a reply to %s version %d is malformed",
			   to->broker + 1, q->api->name, q->version);
	q->done(q->arg, ERR_OK, reply);
	mem_free(q);
	arena_fini(&arena);
	buf_put(frame);
}

static void on_down(void *arg, struct conn *conn, enum err why)
{
	struct client_conn *to = arg;

	(void)conn;
	to->conn = NULL;
	client_refresh(to->client);
	fail_all(to, why);
}

/* Whoever is told may ask again at once: not these. */
static void fail_all(struct client_conn *to, enum err why)
{
	struct list failed;

	list_init(&failed);
	while (!list_empty(&to->asks)) {
		struct list *n = to->asks.next;

		list_remove(n);
		list_push_back(&failed, n);
	}
	while (!list_empty(&failed)) {
		struct ask *q = LIST_FIRST(&failed, struct ask, node);

		list_remove(&q->node);
		q->done(q->arg, why, NULL);
		mem_free(q);
	}
}
