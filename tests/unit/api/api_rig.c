#include "tests/unit/api/api_rig.h"

#include "kafka/apis.h"

void api_rig_begin(struct api_rig *r)
{
	*r = (struct api_rig){ 0 };
	fake_env_init(&r->fake);
	r->conf.n_listeners = 1;
	r->conf.listener[0].bind.port = 9092;
	r->conf.queued_bytes_max = r->conf.conn_bytes_max = r->conf.request_bytes_max = 1 << 20;
	r->conf.connections_max = r->conf.connections_per_ip_max = INT32_MAX;
	r->broker.conf = &r->conf;
	r->broker.limits = client_limits_new(&r->conf, 1);
	r->broker.n_shards = 1;
	r->broker.shards[0] = &r->shard;
	r->shard.broker = &r->broker;
	r->shard.env = &r->fake.env;
	r->shard.api = api_shard_new(&r->shard);
	api_accept(&r->broker, &r->fake.env, &r->conn);
}

void api_rig_end(struct api_rig *r)
{
	for (int i = 0; i < r->conn.n_sent; i++)
		buf_put(r->conn.sent[i]);
	api_shard_stop(r->shard.api);
	api_shard_free(r->shard.api);
	client_limits_free(r->broker.limits);
	image_put(r->shard.image);
	fake_env_fini(&r->fake);
}

void api_rig_ask(struct api_rig *r, int key, int version, int32_t correlation,
		 const struct schema *schema, const void *request)
{
	struct request_header h = { (int16_t)key, (int16_t)version, correlation, STR("test") };
	struct writer w;
	struct buf *b, *frame;

	writer_init(&w, r->fake.env.bufs, 64);
	request_begin(&w, &h);
	schema_encode(schema, version, request, &w);
	b = writer_take(&w);
	writer_fini(&w);
	frame = buf_new(r->fake.env.bufs, b->len);
	frame->len = b->len - 4;
	memcpy(frame->at, b->at + 4, frame->len);
	buf_put(b);
	r->conn.events->frame(r->conn.arg, &r->conn, frame);
}
