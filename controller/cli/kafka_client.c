/* kafka_client.c - one request, one answer, blocking, on the wire code that the brokers use.
 *
 * Each call names its version, one that Weir's brokers and the Kafka of today have; so nothing is
 * negotiated, which saves a round trip for each broker that is asked. */
#include "controller/cli/kafka_client.h"
#include "common/wire/header.h"
#include "kafka/apis.h"

#include <stdio.h>
#include <unistd.h>

#define REQUEST_HINT_BYTES 512

static void explain(struct kafka *, const struct kafka_call *, const char *arrow, size_t bytes);

enum err kafka_open(struct kafka *k, struct cli *cli, struct addr to, int64_t deadline_ms)
{
	*k = (struct kafka){ .cli = cli, .fd = -1, .to = to };
	return sock_dial(to, deadline_ms, &k->fd);
}

void kafka_close(struct kafka *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

enum err kafka_exchange(struct kafka *k, const struct kafka_call *c, int64_t deadline_ms)
{
	enum err e = kafka_send(k, c, deadline_ms);

	return e ? e : kafka_receive(k, c, deadline_ms);
}

enum err kafka_receive(struct kafka *k, const struct kafka_call *c, int64_t deadline_ms)
{
	struct str frame;
	struct reader r;
	int32_t id;
	enum err e;

	ASSERT(k->fd >= 0 && k->answered_id < k->correlation_id);
	if ((e = sock_recv_frame(k->fd, &k->cli->mem, deadline_ms, &frame)))
		return e;
	explain(k, c, "<-", frame.n);
	reader_init(&r, frame.at, frame.n);
	if ((e = response_header_decode(&r, c->key, c->version, &id)))
		return e;
	/* Kafka answers a connection's requests in order, so two can be under way without a table
	 * of them. */
	if (id != ++k->answered_id)
		return ERR_CORRUPT;
	return schema_decode(c->out_schema, c->version, &r, &k->cli->mem, c->out);
}

enum err kafka_send(struct kafka *k, const struct kafka_call *c, int64_t deadline_ms)
{
	struct request_header h = { .api_key = (int16_t)c->key,
				    .api_version = (int16_t)c->version,
				    .correlation_id = ++k->correlation_id,
				    .client_id = STR("weir") };
	struct writer w;
	struct buf *frame;
	enum err e;

	ASSERT(k->fd >= 0);
	writer_init(&w, k->cli->bufs, REQUEST_HINT_BYTES);
	request_begin(&w, &h);
	schema_encode(c->in_schema, c->version, c->in, &w);
	frame_end(&w);
	frame = writer_take(&w);
	writer_fini(&w);
	if (!frame)
		return ERR_LIMIT;
	explain(k, c, "->", frame->len);
	e = sock_send(k->fd, frame->at, frame->len, deadline_ms);
	buf_put(frame);
	return e;
}

/* --explain: what goes over the wire, one line each. */
static void explain(struct kafka *k, const struct kafka_call *c, const char *arrow, size_t bytes)
{
	const char *name = "?";

	if (!cli_switch(k->cli, "explain"))
		return;
	for (int i = 0; i < KAFKA_APIS; i++)
		if (kafka_apis[i].key == c->key)
			name = kafka_apis[i].name;
	fprintf(stderr, "%s %s:%d   %s v%d   %zu bytes\n", arrow, k->to.host, k->to.port, name,
		c->version, bytes);
}
