#include "common/meta/image.h"

#include <stdio.h>

#include "tests/lib/test.h"

/* ---- records by hand ------------------------------------------------------------------------- */

static uint8_t id_bytes[256][16];

static ProtobufCBinaryData id16(int n)
{
	id_bytes[n][0] = (uint8_t)n;
	id_bytes[n][15] = 7;
	return (ProtobufCBinaryData){ 16, id_bytes[n] };
}

static struct uuid uuid_n(int n)
{
	struct uuid u = { { 0 } };

	u.b[0] = (uint8_t)n;
	u.b[15] = 7;
	return u;
}

static enum err put_broker(struct image *im, int32_t id, int64_t epoch)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__BrokerRecord r = WEIR__BROKER_RECORD__INIT;
	Weir__Endpoint end = WEIR__ENDPOINT__INIT, *ends[] = { &end };
	ProtobufCBinaryData dirs[] = { id16(100 + id) };

	end.name = end.protocol = (char[]){ "PLAINTEXT" };
	end.host = (char[]){ "localhost" };
	end.port = 9092 + id;
	r.id = id;
	r.epoch = epoch;
	r.incarnation = id16((int)epoch);
	r.endpoints = ends;
	r.n_endpoints = 1;
	r.rack = (char[]){ "r1" };
	r.log_dirs = dirs;
	r.n_log_dirs = 1;
	m.body_case = WEIR__METADATA_RECORD__BODY_BROKER;
	m.broker = &r;
	return image_apply(im, &m);
}

static enum err change_broker(struct image *im, int32_t id, int64_t epoch, bool fenced)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__BrokerChangeRecord r = WEIR__BROKER_CHANGE_RECORD__INIT;

	r.id = id;
	r.epoch = epoch;
	r.has_fenced = true;
	r.fenced = fenced;
	m.body_case = WEIR__METADATA_RECORD__BODY_BROKER_CHANGE;
	m.broker_change = &r;
	return image_apply(im, &m);
}

static enum err put_topic(struct image *im, const char *name, int id)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__TopicRecord r = WEIR__TOPIC_RECORD__INIT;

	r.name = (char *)(uintptr_t)name;
	r.id = id16(id);
	m.body_case = WEIR__METADATA_RECORD__BODY_TOPIC;
	m.topic = &r;
	return image_apply(im, &m);
}

static enum err remove_topic(struct image *im, int id)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__TopicRemoveRecord r = WEIR__TOPIC_REMOVE_RECORD__INIT;

	r.id = id16(id);
	m.body_case = WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE;
	m.topic_remove = &r;
	return image_apply(im, &m);
}

static enum err put_partition(struct image *im, int topic, int32_t partition, int32_t leader)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__PartitionRecord r = WEIR__PARTITION_RECORD__INIT;
	int32_t replicas[] = { 1, 2, 3 };

	r.topic_id = id16(topic);
	r.partition = partition;
	r.replicas = r.isr = replicas;
	r.n_replicas = r.n_isr = 3;
	r.leader = leader;
	m.body_case = WEIR__METADATA_RECORD__BODY_PARTITION;
	m.partition = &r;
	return image_apply(im, &m);
}

static enum err change_partition(struct image *im, int topic, int32_t partition, int32_t isr,
				 int32_t leader)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__PartitionChangeRecord r = WEIR__PARTITION_CHANGE_RECORD__INIT;
	Weir__BrokerIds ids = WEIR__BROKER_IDS__INIT;

	ids.id = &isr;
	ids.n_id = 1;
	r.topic_id = id16(topic);
	r.partition = partition;
	r.isr = &ids;
	r.has_leader = leader >= -1;
	r.leader = leader;
	m.body_case = WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE;
	m.partition_change = &r;
	return image_apply(im, &m);
}

static enum err put_config(struct image *im, int type, const char *resource, const char *name,
			   const char *value)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__ConfigRecord r = WEIR__CONFIG_RECORD__INIT;

	r.resource_type = type;
	r.resource = (char *)(uintptr_t)resource;
	r.name = (char *)(uintptr_t)name;
	r.value = (char *)(uintptr_t)value;
	m.body_case = WEIR__METADATA_RECORD__BODY_CONFIG;
	m.config = &r;
	return image_apply(im, &m);
}

static void fold(void *im, const Weir__MetadataRecord *r)
{
	EXPECT_OK(image_apply(im, r));
}

static struct image *small_cluster(void)
{
	struct image *im = image_new();

	for (int32_t id = 3; id >= 1; id--) {
		EXPECT_OK(put_broker(im, id, 10 + id));
		EXPECT_OK(change_broker(im, id, 10 + id, false));
	}
	EXPECT_OK(put_topic(im, "orders", 50));
	EXPECT_OK(put_partition(im, 50, 0, 1));
	EXPECT_OK(put_partition(im, 50, 1, 2));
	image_check(im);
	return im;
}

/* ---- tests ----------------------------------------------------------------------------------- */

TEST(a_registered_broker_starts_fenced)
{
	struct image *im = image_new();
	const struct image_broker *b;

	EXPECT_OK(put_broker(im, 2, 14));
	b = image_broker(im, 2);
	if (!EXPECT(b != NULL))
		return;
	EXPECT(b->is_fenced && !image_broker_active(im, 2));
	EXPECT_EQ(b->epoch, 14);
	EXPECT_EQ(b->endpoints[0].port, 9094);
	EXPECT_STR(b->endpoints[0].host, "localhost");
	EXPECT_STR(b->rack, "r1");
	EXPECT(uuid_eq(b->log_dirs[0], uuid_n(102)));
	EXPECT_OK(change_broker(im, 2, 14, false));
	EXPECT(image_broker_active(im, 2));
	EXPECT(image_broker(im, 3) == NULL && !image_broker_active(im, 3));
	image_put(im);
}

TEST(a_change_for_an_older_epoch_changes_nothing)
{
	struct image *im = image_new();

	EXPECT_OK(put_broker(im, 2, 14));
	EXPECT_EQ(change_broker(im, 2, 13, false), ERR_NOT_FOUND);
	EXPECT(image_broker(im, 2)->is_fenced);
	image_put(im);
}

TEST(topics_are_found_by_name_and_by_id)
{
	struct image *im = small_cluster();

	EXPECT_OK(put_topic(im, "a", 90));
	EXPECT_OK(put_topic(im, "z", 20));
	EXPECT(image_topic_named(im, STR("z")) == image_topic_by_id(im, uuid_n(20)));
	EXPECT(image_topic_named(im, STR("orders")) == image_topic_by_id(im, uuid_n(50)));
	EXPECT(image_topic_named(im, STR("order")) == NULL);
	EXPECT_EQ(put_topic(im, "a", 91), ERR_INVALID);
	EXPECT_OK(remove_topic(im, 50));
	EXPECT(image_topic_named(im, STR("orders")) == NULL);
	EXPECT(image_topic_by_id(im, uuid_n(50)) == NULL);
	EXPECT_EQ(remove_topic(im, 50), ERR_NOT_FOUND);
	EXPECT_EQ(im->n_topics, 2);
	image_check(im);
	image_put(im);
}

TEST(a_partition_change_moves_the_epochs)
{
	struct image *im = small_cluster();
	const struct image_partition *p;

	EXPECT_OK(change_partition(im, 50, 0, 1, -2));
	p = image_partition(image_topic_named(im, STR("orders")), 0);
	EXPECT_EQ(p->partition_epoch, 1);
	EXPECT_EQ(p->leader_epoch, 0);
	EXPECT_EQ(p->isr.n, 1);
	EXPECT_OK(change_partition(im, 50, 0, 2, 2));
	p = image_partition(image_topic_named(im, STR("orders")), 0);
	EXPECT_EQ(p->partition_epoch, 2);
	EXPECT_EQ(p->leader_epoch, 1);
	EXPECT_EQ(p->leader, 2);
	EXPECT_EQ(change_partition(im, 50, 2, 2, 2), ERR_NOT_FOUND);
	EXPECT_EQ(change_partition(im, 51, 0, 2, 2), ERR_NOT_FOUND);
	EXPECT_EQ(put_partition(im, 50, 3, 1), ERR_INVALID);
	image_check(im);
	image_put(im);
}

TEST(configs_override_and_go_back)
{
	struct image *im = small_cluster();

	EXPECT_OK(put_config(im, IMAGE_TOPIC, "orders", "retention.ms", "5"));
	EXPECT_OK(put_config(im, IMAGE_TOPIC, "orders", "min.insync.replicas", "2"));
	EXPECT_OK(put_config(im, IMAGE_TOPIC, "orders", "retention.ms", "6"));
	EXPECT_STR(image_topic_config(image_topic_named(im, STR("orders")), STR("retention.ms")),
		   "6");
	EXPECT_OK(put_config(im, IMAGE_TOPIC, "orders", "retention.ms", NULL));
	EXPECT(str_null(
		image_topic_config(image_topic_named(im, STR("orders")), STR("retention.ms"))));
	EXPECT_EQ(put_config(im, IMAGE_TOPIC, "none", "retention.ms", "6"), ERR_NOT_FOUND);
	EXPECT_OK(put_config(im, IMAGE_BROKER, "", "retention.ms", "9"));
	EXPECT_EQ(im->n_broker_configs, 1);
	EXPECT_OK(put_config(im, IMAGE_BROKER, "2", "log.cleaner.threads", "1"));
	EXPECT_EQ(image_broker(im, 2)->n_configs, 1);
	EXPECT_OK(put_broker(im, 2, 77));
	EXPECT_EQ(image_broker(im, 2)->n_configs, 1);
	EXPECT_EQ(put_config(im, 32, "g", "x", "1"), ERR_NOT_FOUND);
	image_put(im);
}

TEST(a_clone_shares_until_it_changes)
{
	struct image *a = small_cluster(), *b;
	const struct image_topic *orders = image_topic_named(a, STR("orders"));

	EXPECT_OK(put_topic(a, "other", 60));
	b = image_clone(a);
	EXPECT(image_equal(a, b));
	EXPECT(image_topic_named(b, STR("orders")) == orders);
	EXPECT_OK(change_partition(b, 50, 0, 3, 3));
	EXPECT_OK(change_broker(b, 1, 11, true));
	EXPECT_OK(put_config(b, IMAGE_BROKER, "", "retention.ms", "9"));
	EXPECT(image_topic_named(b, STR("orders")) != orders);
	EXPECT(image_topic_named(b, STR("other")) == image_topic_named(a, STR("other")));
	EXPECT_EQ(image_partition(image_topic_named(a, STR("orders")), 0)->leader, 1);
	EXPECT_EQ(image_partition(image_topic_named(b, STR("orders")), 0)->leader, 3);
	EXPECT(!image_broker(a, 1)->is_fenced && image_broker(b, 1)->is_fenced);
	EXPECT(!image_equal(a, b));
	image_put(a);
	EXPECT_EQ(image_topic_named(b, STR("other"))->n_partitions, 0);
	EXPECT_EQ(image_partition(image_topic_named(b, STR("orders")), 1)->leader, 2);
	image_put(b);
}

TEST(a_shared_row_is_copied_once)
{
	struct image *a = small_cluster(), *b = image_clone(a);
	const struct image_topic *mine;

	EXPECT_OK(change_partition(b, 50, 0, 3, 3));
	mine = image_topic_named(b, STR("orders"));
	EXPECT_OK(change_partition(b, 50, 1, 3, 3));
	EXPECT(image_topic_named(b, STR("orders")) == mine);
	image_put(b);
	image_put(a);
}

TEST(unknown_and_malformed_records_change_nothing)
{
	struct image *im = small_cluster(), *before = image_clone(im);
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__TopicRecord r = WEIR__TOPIC_RECORD__INIT;
	uint8_t newer[] = { 0xa2, 0x06, 0x02, 0x08, 0x01 }; /* field 100, a message */
	Weir__MetadataRecord *got = weir__metadata_record__unpack(NULL, sizeof(newer), newer);

	if (!EXPECT(got != NULL))
		return;
	EXPECT_EQ(image_apply(im, got), ERR_NOT_FOUND);
	weir__metadata_record__free_unpacked(got, NULL);
	r.name = (char[]){ "short" };
	r.id = (ProtobufCBinaryData){ 3, id_bytes[0] };
	m.body_case = WEIR__METADATA_RECORD__BODY_TOPIC;
	m.topic = &r;
	EXPECT_EQ(image_apply(im, &m), ERR_INVALID);
	EXPECT(image_equal(im, before));
	image_put(before);
	image_put(im);
}

TEST(a_dump_folds_to_the_same_state)
{
	struct image *a = small_cluster(), *b = image_new();
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__FeatureRecord f = WEIR__FEATURE_RECORD__INIT;
	Weir__ProducerIdsRecord ids = WEIR__PRODUCER_IDS_RECORD__INIT;
	Weir__LeaderRecord leader = WEIR__LEADER_RECORD__INIT;

	EXPECT_OK(put_config(a, IMAGE_TOPIC, "orders", "retention.ms", "5"));
	EXPECT_OK(put_config(a, IMAGE_BROKER, "", "retention.ms", "9"));
	EXPECT_OK(put_config(a, IMAGE_BROKER, "3", "x", "1"));
	EXPECT_OK(change_partition(a, 50, 1, 3, 3));
	f.name = (char[]){ "metadata.version" };
	f.level = 3;
	m.feature = &f;
	m.body_case = WEIR__METADATA_RECORD__BODY_FEATURE;
	EXPECT_OK(image_apply(a, &m));
	ids.next_producer_id = 3000;
	m.producer_ids = &ids;
	m.body_case = WEIR__METADATA_RECORD__BODY_PRODUCER_IDS;
	EXPECT_OK(image_apply(a, &m));
	leader.controller = 4;
	leader.epoch = 2;
	m.leader = &leader;
	m.body_case = WEIR__METADATA_RECORD__BODY_LEADER;
	EXPECT_OK(image_apply(a, &m));
	EXPECT_EQ(image_feature(a, STR("metadata.version")), 3);
	EXPECT_EQ(image_feature(a, STR("other")), 0);
	image_dump(a, fold, b);
	EXPECT(image_equal(a, b));
	image_check(b);
	EXPECT_EQ(b->next_producer_id, 3000);
	EXPECT_EQ(b->controller, 4);
	image_put(a);
	image_put(b);
}

TEST(many_topics_stay_sorted)
{
	struct image *im = image_new();
	char name[16];

	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "t%03d", (i * 37) % 200);
		EXPECT_OK(put_topic(im, name, (i * 71) % 200));
	}
	image_check(im);
	EXPECT_EQ(im->n_topics, 200);
	for (int i = 0; i < 200; i += 2)
		EXPECT_OK(remove_topic(im, i));
	image_check(im);
	EXPECT_EQ(im->n_topics, 100);
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(image_topic_by_id(im, uuid_n(i)) != NULL, i % 2);
	image_put(im);
}
