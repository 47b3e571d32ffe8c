/* kafka_client.c - one request, one answer, blocking, on the wire code that the brokers use. */
#include "controller/cli/kafka_client.h"
#include "common/wire/header.h"

#include <unistd.h>

#define REQUEST_HINT_BYTES 512

static enum err send_request(struct kafka *, const struct kafka_call *, int64_t deadline_ms);

enum err kafka_open(struct kafka *k, struct cli *cli, struct addr to, int64_t deadline_ms)
{
	*k = (struct kafka){ .cli = cli, .fd = -1 };
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
	struct str frame;
	struct reader r;
	int32_t id;
	enum err e;

	ASSERT(k->fd >= 0);
	if ((e = send_request(k, c, deadline_ms)))
		return e;
	if ((e = sock_recv_frame(k->fd, &k->cli->mem, deadline_ms, &frame)))
		return e;
	reader_init(&r, frame.at, frame.n);
	if ((e = response_header_decode(&r, c->key, c->version, &id)))
		return e;
	if (id != k->correlation_id)
		return ERR_CORRUPT;
	return schema_decode(c->out_schema, c->version, &r, &k->cli->mem, c->out);
}

static enum err send_request(struct kafka *k, const struct kafka_call *c, int64_t deadline_ms)
{
	struct request_header h = { .api_key = (int16_t)c->key,
				    .api_version = (int16_t)c->version,
				    .correlation_id = ++k->correlation_id,
				    .client_id = STR("weir") };
	struct writer w;
	struct buf *frame;
	enum err e;

	writer_init(&w, k->cli->bufs, REQUEST_HINT_BYTES);
	request_begin(&w, &h);
	schema_encode(c->in_schema, c->version, c->in, &w);
	frame_end(&w);
	frame = writer_take(&w);
	writer_fini(&w);
	if (!frame)
		return ERR_LIMIT;
	e = sock_send(k->fd, frame->at, frame->len, deadline_ms);
	buf_put(frame);
	return e;
}
