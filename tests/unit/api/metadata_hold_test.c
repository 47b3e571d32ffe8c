/* metadata_hold_test.c - whose leader was just killed gets the new one, not the old one. */
#include "kafka/apis.h"
#include "kafka/metadata.h"
#include "tests/lib/test.h"
#include "tests/unit/api/api_rig.h"

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

static void begin(struct api_rig *r)
{
	api_rig_begin(r);
	r->shard.image = two_brokers(false);
}

static void ask(struct api_rig *r)
{
	struct metadata_request in;

	schema_init(&metadata_request_schema, &in);
	api_rig_ask(r, API_METADATA, 1, 1, &metadata_request_schema, &in);
}

TEST(the_first_question_is_answered_at_once_a_later_one_gives_news_a_moment)
{
	struct api_rig r;

	begin(&r);
	ask(&r);
	EXPECT_EQ(r.conn.n_sent, 1);
	ask(&r);
	EXPECT_EQ(r.conn.n_sent, 1);
	fake_env_pass(&r.fake, 2);
	EXPECT_EQ(r.conn.n_sent, 2);
	api_rig_end(&r);
}

TEST(while_a_broker_is_lost_the_answer_waits_for_the_controllers_word)
{
	struct api_rig r;

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
	api_rig_end(&r);
}

TEST(without_a_word_of_the_controller_the_answer_comes_all_the_same)
{
	struct api_rig r;

	begin(&r);
	lost_tell(&r.shard, 2);
	ask(&r);
	fake_env_pass(&r.fake, LOST_MS / 2);
	EXPECT_EQ(r.conn.n_sent, 0);
	fake_env_pass(&r.fake, LOST_MS);
	EXPECT_EQ(r.conn.n_sent, 1);
	api_rig_end(&r);
}

TEST(a_broker_that_takes_a_connection_again_is_not_lost)
{
	struct api_rig r;

	begin(&r);
	lost_tell(&r.shard, 2);
	EXPECT(lost_any(&r.shard));
	lost_found(&r.shard, 2);
	EXPECT(!lost_any(&r.shard));
	lost_tell(&r.shard, 7); /* nobody knows it */
	EXPECT(!lost_any(&r.shard));
	api_rig_end(&r);
}

TEST(a_connection_that_closes_takes_its_held_question_along)
{
	struct api_rig r;

	begin(&r);
	ask(&r);
	ask(&r);
	r.conn.events->down(r.conn.arg, &r.conn, ERR_CLOSED);
	EXPECT(list_empty(&r.shard.api->clients));
	EXPECT_EQ(r.shard.api->bytes, 0);
	fake_env_pass(&r.fake, 10);
	api_rig_end(&r);
}
