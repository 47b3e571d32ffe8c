/* A connection's requests in order: what waits, what leaves, what closes it. */
#include "broker/api/client_limits.h"

#include "kafka/api_versions.h"
#include "kafka/apis.h"
#include "kafka/metadata.h"
#include "tests/lib/test.h"
#include "tests/unit/shard/fake_env.h"

struct rig {
	struct fake_env fake;
	struct broker_conf conf;
	struct broker broker;
	struct shard shard;
	struct conn conn;
};

static void begin(struct rig *r)
{
	*r = (struct rig){ 0 };
	fake_env_init(&r->fake);
	r->conf.n_listeners = 1;
	r->conf.listener[0].bind.port = 9092;
	r->conf.queued_bytes_max = r->conf.conn_bytes_max = 1 << 20;
	r->conf.request_bytes_max = 1 << 20;
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

static void end(struct rig *r)
{
	for (int i = 0; i < r->conn.n_sent; i++)
		buf_put(r->conn.sent[i]);
	api_shard_stop(r->shard.api);
	api_shard_free(r->shard.api);
	client_limits_free(r->broker.limits);
	image_put(r->shard.image);
	fake_env_fini(&r->fake);
}

static void take_first_image(struct rig *r)
{
	r->shard.image = image_new();
	r->shard.image_adopted(&r->shard);
}

static void ask(struct rig *r, int key, int version, int32_t correlation)
{
	struct request_header h = { (int16_t)key, (int16_t)version, correlation, STR("test") };
	struct writer w;
	struct buf *b, *frame;

	writer_init(&w, r->fake.env.bufs, 64);
	request_begin(&w, &h);
	if (key == API_METADATA) {
		struct metadata_request in;
		schema_init(&metadata_request_schema, &in);
		schema_encode(&metadata_request_schema, version, &in, &w);
	} else {
		struct api_versions_request in;
		schema_init(&api_versions_request_schema, &in);
		in.client_software_name = in.client_software_version = STR("x");
		schema_encode(&api_versions_request_schema, version, &in, &w);
	}
	b = writer_take(&w);
	writer_fini(&w);
	frame = buf_new(r->fake.env.bufs, b->len);
	frame->len = b->len - 4;
	memcpy(frame->at, b->at + 4, frame->len);
	buf_put(b);
	r->conn.events->frame(r->conn.arg, &r->conn, frame);
}

static int32_t correlation_of(const struct buf *b)
{
	struct reader r;

	reader_init(&r, b->at, b->len);
	return reader_i32(&r);
}

TEST(replies_leave_in_the_order_of_the_requests)
{
	struct rig r;

	begin(&r);
	ask(&r, API_METADATA, 1, 1); /* waits for the first image */
	ask(&r, API_API_VERSIONS, 3, 2);
	ask(&r, API_METADATA, 12, 3);
	EXPECT_EQ(r.conn.n_sent, 0);
	take_first_image(&r);
	EXPECT_EQ(r.conn.n_sent, 3);
	for (int i = 0; i < r.conn.n_sent; i++)
		EXPECT_EQ(correlation_of(r.conn.sent[i]), i + 1);
	EXPECT(!r.conn.is_closed && !r.conn.is_finished);
	end(&r);
}

TEST(versions_are_told_before_anything_else_is_known)
{
	struct rig r;

	begin(&r);
	ask(&r, API_API_VERSIONS, 4, 7);
	EXPECT_EQ(r.conn.n_sent, 1);
	EXPECT_EQ(correlation_of(r.conn.sent[0]), 7);
	end(&r);
}

TEST(an_unknown_version_of_api_versions_is_answered_in_version_0)
{
	struct rig r;
	struct reader in;

	begin(&r);
	ask(&r, API_API_VERSIONS, 99, 7);
	if (EXPECT_EQ(r.conn.n_sent, 1)) {
		reader_init(&in, r.conn.sent[0]->at, r.conn.sent[0]->len);
		EXPECT_EQ(reader_i32(&in), 7);
		EXPECT_EQ(reader_i16(&in), KERR_UNSUPPORTED_VERSION);
		EXPECT(reader_i32(&in) > 5);
	}
	end(&r);
}

TEST(what_cannot_be_read_ends_the_connection_after_what_could)
{
	struct rig r;
	struct buf *bad;

	begin(&r);
	ask(&r, API_METADATA, 1, 1);
	bad = buf_new(r.fake.env.bufs, 3);
	bad->len = 3;
	memset(bad->at, 0xff, 3);
	r.conn.events->frame(r.conn.arg, &r.conn, bad);
	EXPECT(!r.conn.is_finished);
	EXPECT(r.conn.is_paused);
	take_first_image(&r);
	EXPECT_EQ(r.conn.n_sent, 1);
	EXPECT(r.conn.is_finished);
	end(&r);
}

TEST(too_many_bytes_in_flight_stop_the_reading)
{
	struct rig r;

	begin(&r);
	r.conf.conn_bytes_max = 40;
	for (int i = 0; i < 5; i++)
		ask(&r, API_METADATA, 1, i);
	EXPECT(r.conn.is_paused);
	take_first_image(&r);
	EXPECT(!r.conn.is_paused);
	EXPECT_EQ(r.shard.api->bytes, 0);
	end(&r);
}

TEST(a_client_that_goes_takes_its_waiting_requests_along)
{
	struct rig r;

	begin(&r);
	ask(&r, API_METADATA, 1, 1);
	ask(&r, API_METADATA, 1, 2);
	r.conn.events->down(r.conn.arg, &r.conn, ERR_CLOSED);
	EXPECT_EQ(r.shard.api->bytes, 0);
	EXPECT(list_empty(&r.shard.api->clients));
	end(&r);
}
