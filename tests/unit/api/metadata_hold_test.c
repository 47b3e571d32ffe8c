/* metadata_hold_test.c - whose leader was just killed gets the new one, not the old one. */
#include "broker/api/client_limits.h"

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

static void add_broker(struct image *im, int32_t id, int64_t epoch, bool is_fenced)
{
	Weir__MetadataRecord record = WEIR__METADATA_RECORD__INIT;
	Weir__BrokerRecord broker = WEIR__BROKER_RECORD__INIT;
	uint8_t incarnation[16] = { (uint8_t)id, (uint8_t)epoch };

	broker.id = id;
	broker.epoch = epoch;
	broker.incarnation = (ProtobufCBinaryData){ sizeof(incarnation), incarnation };
	broker.has_fenced = true;
	broker.fenced = is_fenced;
	record.body_case = WEIR__METADATA_RECORD__BODY_BROKER;
	record.broker = &broker;
	EXPECT_OK(image_apply(im, &record));
}

static struct image *two_brokers(bool is_second_fenced)
{
	struct image *im = image_new();

	add_broker(im, 1, 1, false);
	add_broker(im, 2, 2, is_second_fenced);
	return im;
}

static void begin(struct rig *r)
{
	*r = (struct rig){ 0 };
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
	r->shard.image = two_brokers(false);
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

static void ask(struct rig *r)
{
	struct request_header h = { API_METADATA, 1, 1, STR("test") };
	struct metadata_request in;
	struct writer w;
	struct buf *b, *frame;

	schema_init(&metadata_request_schema, &in);
	writer_init(&w, r->fake.env.bufs, 64);
	request_begin(&w, &h);
	schema_encode(&metadata_request_schema, 1, &in, &w);
	b = writer_take(&w);
	writer_fini(&w);
	frame = buf_new(r->fake.env.bufs, b->len);
	frame->len = b->len - 4;
	memcpy(frame->at, b->at + 4, frame->len);
	buf_put(b);
	r->conn.events->frame(r->conn.arg, &r->conn, frame);
}

TEST(the_first_question_is_answered_at_once_a_later_one_gives_news_a_moment)
{
	struct rig r;

	begin(&r);
	ask(&r);
	EXPECT_EQ(r.conn.n_sent, 1);
	ask(&r);
	EXPECT_EQ(r.conn.n_sent, 1);
	fake_env_pass(&r.fake, 2);
	EXPECT_EQ(r.conn.n_sent, 2);
	end(&r);
}

TEST(while_a_broker_is_lost_the_answer_waits_for_the_controllers_word)
{
	struct rig r;

	begin(&r);
	ask(&r);
	ask(&r);
	lost_tell(&r.shard, 2); /* the close is seen after the client's question */
	fake_env_pass(&r.fake, 30);
	EXPECT_EQ(r.conn.n_sent, 1);
	image_put(r.shard.image);
	r.shard.image = two_brokers(true);
	fake_env_pass(&r.fake, 2);
	EXPECT_EQ(r.conn.n_sent, 2);
	end(&r);
}

TEST(without_a_word_of_the_controller_the_answer_comes_all_the_same)
{
	struct rig r;

	begin(&r);
	lost_tell(&r.shard, 2);
	ask(&r);
	fake_env_pass(&r.fake, LOST_MS / 2);
	EXPECT_EQ(r.conn.n_sent, 0);
	fake_env_pass(&r.fake, LOST_MS);
	EXPECT_EQ(r.conn.n_sent, 1);
	end(&r);
}

TEST(a_broker_that_takes_a_connection_again_is_not_lost)
{
	struct rig r;

	begin(&r);
	lost_tell(&r.shard, 2);
	EXPECT(lost_any(&r.shard));
	lost_found(&r.shard, 2);
	EXPECT(!lost_any(&r.shard));
	lost_tell(&r.shard, 7); /* nobody knows it */
	EXPECT(!lost_any(&r.shard));
	end(&r);
}

TEST(a_connection_that_closes_takes_its_held_question_along)
{
	struct rig r;

	begin(&r);
	ask(&r);
	ask(&r);
	r.conn.events->down(r.conn.arg, &r.conn, ERR_CLOSED);
	EXPECT(list_empty(&r.shard.api->clients));
	EXPECT_EQ(r.shard.api->bytes, 0);
	fake_env_pass(&r.fake, 10);
	end(&r);
}
