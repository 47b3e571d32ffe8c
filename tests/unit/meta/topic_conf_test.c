#include "common/meta/topic_conf.h"

#include "tests/lib/test.h"

static bool fits(const char *name, const char *value)
{
	char why[256] = "";
	enum err e = topic_conf_check(str_of(name), str_of(value), why, sizeof(why));

	EXPECT(e == ERR_OK || why[0] != 0);
	return e == ERR_OK;
}

static void config(struct image *im, int type, const char *resource, const char *name,
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
	EXPECT_OK(image_apply(im, &m));
}

static struct image *one_topic(int32_t replicas)
{
	struct image *im = image_new();
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__TopicRecord t = WEIR__TOPIC_RECORD__INIT;
	Weir__PartitionRecord p = WEIR__PARTITION_RECORD__INIT;
	int32_t ids[] = { 1, 2, 3 };
	uint8_t id[16] = { 1 };

	t.name = (char[]){ "t" };
	t.id = p.topic_id = (ProtobufCBinaryData){ 16, id };
	m.body_case = WEIR__METADATA_RECORD__BODY_TOPIC;
	m.topic = &t;
	EXPECT_OK(image_apply(im, &m));
	p.replicas = ids;
	p.n_replicas = (size_t)replicas;
	p.leader = -1;
	m.body_case = WEIR__METADATA_RECORD__BODY_PARTITION;
	m.partition = &p;
	EXPECT_OK(image_apply(im, &m));
	return im;
}

TEST(defaults_are_kafkas)
{
	struct topic_conf c;
	char tmp[64];

	topic_conf_defaults(&c);
	EXPECT_EQ(c.retention_ms, 604800000);
	EXPECT_EQ(c.retention_bytes, -1);
	EXPECT_EQ(c.segment_bytes, 1073741824);
	EXPECT_EQ(c.max_message_bytes, 1048588);
	EXPECT_EQ(c.flush_messages, INT64_MAX);
	EXPECT_EQ(c.compression, TOPIC_PRODUCER);
	EXPECT(c.is_deleted && !c.is_compacted && !c.unclean_election);
	EXPECT_STR(topic_conf_text(&c, topic_conf_row(STR("compression.type")), tmp, sizeof(tmp)),
		   "producer");
	EXPECT_STR(topic_conf_text(&c, topic_conf_row(STR("cleanup.policy")), tmp, sizeof(tmp)),
		   "delete");
	EXPECT_STR(topic_conf_text(&c, topic_conf_row(STR("min.cleanable.dirty.ratio")), tmp,
				   sizeof(tmp)),
		   "0.5");
	EXPECT_STR(topic_conf_text(&c, topic_conf_row(STR("preallocate")), tmp, sizeof(tmp)),
		   "false");
}

TEST(values_are_checked_against_their_rows)
{
	char why[256];

	EXPECT(fits("retention.ms", "-1") && !fits("retention.ms", "-2") &&
	       !fits("retention.ms", "x"));
	EXPECT(fits("cleanup.policy", "compact,delete") && !fits("cleanup.policy", "shred"));
	EXPECT(fits("min.cleanable.dirty.ratio", "0.25") &&
	       !fits("min.cleanable.dirty.ratio", "1.5"));
	EXPECT(fits("compression.type", "zstd") && !fits("compression.type", "lzma"));
	EXPECT(!fits("min.insync.replicas", "0") && !fits("segment.bytes", "100"));
	EXPECT(fits("internal.segment.bytes", "1000"));
	EXPECT(fits("remote.storage.enable", "false") && !fits("remote.storage.enable", "true"));
	EXPECT(!fits("log.retention.ms", "5"));
	EXPECT(!fits("compression.gzip.level", "0"));
	EXPECT_EQ(topic_conf_check(STR("retention.mss"), STR("5"), why, sizeof(why)),
		  ERR_NOT_FOUND);
	EXPECT_Z(why, "Unknown topic config name: retention.mss; did you mean retention.ms?");
}

TEST(an_override_beats_the_cluster_which_beats_the_file)
{
	struct image *im = one_topic(2);
	const struct image_topic *t = image_topic_named(im, STR("t"));
	struct topic_conf fixed, c;

	topic_conf_defaults(&fixed);
	fixed.retention_ms = 1;
	topic_conf_of(&fixed, im, -1, t, &c);
	EXPECT_EQ(c.retention_ms, 1);
	config(im, IMAGE_BROKER, "", "log.retention.ms", "2");
	topic_conf_of(&fixed, im, -1, t, &c);
	EXPECT_EQ(c.retention_ms, 2);
	config(im, IMAGE_TOPIC, "t", "retention.ms", "3");
	config(im, IMAGE_TOPIC, "t", "cleanup.policy", "compact");
	t = image_topic_named(im, STR("t"));
	topic_conf_of(&fixed, im, -1, t, &c);
	EXPECT_EQ(c.retention_ms, 3);
	EXPECT(c.is_compacted && !c.is_deleted);
	topic_conf_of(&fixed, im, -1, NULL, &c);
	EXPECT_EQ(c.retention_ms, 2);
	image_put(im);
}

/* Leader and controller must mean the same by it. */
TEST(min_isr_comes_from_the_records_alone)
{
	struct image *im = one_topic(2);
	struct topic_conf fixed, c;

	topic_conf_defaults(&fixed);
	fixed.min_insync_replicas = 3;
	topic_conf_of(&fixed, im, -1, image_topic_named(im, STR("t")), &c);
	EXPECT_EQ(c.min_insync_replicas, 1);
	config(im, IMAGE_BROKER, "", "min.insync.replicas", "2");
	topic_conf_of(&fixed, im, -1, image_topic_named(im, STR("t")), &c);
	EXPECT_EQ(c.min_insync_replicas, 2);
	image_put(im);
}

TEST(a_brokers_file_fills_the_same_fields)
{
	struct options {
		int32_t other;
		struct topic_conf topic;
	} o = { 0 };
	struct conf_row *rows = mem_alloc((size_t)topic_conf_n_rows * sizeof(*rows));
	int n = topic_conf_broker_rows(rows, offsetof(struct options, topic));
	struct conf_store *c = conf_new(rows, n, &o);
	char why[256];

	EXPECT_OK(conf_set(c, STR("log.retention.ms"), STR("7"), "t", why, sizeof(why)));
	EXPECT_OK(conf_set(c, STR("log.cleanup.policy"), STR("compact"), "t", why, sizeof(why)));
	topic_conf_settle(&o.topic);
	EXPECT_EQ(o.topic.retention_ms, 7);
	EXPECT_EQ(o.topic.min_insync_replicas, 1);
	EXPECT(o.topic.is_compacted && !o.topic.is_deleted);
	EXPECT_EQ(o.topic.segment_bytes, 1073741824);
	conf_free(c);
	mem_free(rows);
}
