#include "common/meta/dynamic_conf.h"

#include "common/meta/topic_conf.h"
#include "tests/lib/test.h"

static void config(struct image *im, const char *broker, const char *name, const char *value)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__ConfigRecord r = WEIR__CONFIG_RECORD__INIT;

	r.resource_type = IMAGE_BROKER;
	r.resource = (char *)(uintptr_t)broker;
	r.name = (char *)(uintptr_t)name;
	r.value = (char *)(uintptr_t)value;
	m.body_case = WEIR__METADATA_RECORD__BODY_CONFIG;
	m.config = &r;
	EXPECT_OK(image_apply(im, &m));
}

static void broker(struct image *im, int32_t id)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__BrokerRecord r = WEIR__BROKER_RECORD__INIT;
	uint8_t incarnation[16] = { 1 };

	r.id = id;
	r.incarnation = (ProtobufCBinaryData){ 16, incarnation };
	m.body_case = WEIR__METADATA_RECORD__BODY_BROKER;
	m.broker = &r;
	EXPECT_OK(image_apply(im, &m));
}

TEST(the_strongest_level_wins_and_goes_again)
{
	struct dynamic_conf file = { .leader_throttle = 7, .free_bytes_min = 8 }, c;
	struct image *im = image_new();
	const char *name = "leader.replication.throttled.rate";

	broker(im, 1);
	dynamic_conf_of(&file, im, 1, &c);
	EXPECT_EQ(c.leader_throttle, 7);
	config(im, "", name, "100");
	dynamic_conf_of(&file, im, 1, &c);
	EXPECT_EQ(c.leader_throttle, 100);
	config(im, "1", name, " 200 ");
	dynamic_conf_of(&file, im, 1, &c);
	EXPECT_EQ(c.leader_throttle, 200);
	dynamic_conf_of(&file, im, 2, &c);
	EXPECT_EQ(c.leader_throttle, 100);
	config(im, "1", name, "nonsense");
	dynamic_conf_of(&file, im, 1, &c);
	EXPECT_EQ(c.leader_throttle, 100);
	config(im, "", name, NULL);
	dynamic_conf_of(&file, im, 2, &c);
	EXPECT_EQ(c.leader_throttle, 7);
	EXPECT_EQ(c.free_bytes_min, 8);
	image_put(im);
}

TEST(only_what_can_change_has_a_row)
{
	EXPECT(dynamic_conf_row(STR("follower.replication.throttled.rate")) != NULL);
	EXPECT(dynamic_conf_row(STR("listeners")) == NULL);
	for (int i = 0; i < dynamic_conf_n_rows; i++)
		EXPECT(dynamic_conf_rows[i].dynamic && dynamic_conf_rows[i].doc[0] != 0);
}

TEST(lists_of_throttled_replicas)
{
	char why[256];
	struct str name = STR("leader.replication.throttled.replicas");

	EXPECT(topic_conf_throttles(STR("*"), 3, 1));
	EXPECT(topic_conf_throttles(STR("0:1, 3:1"), 3, 1));
	EXPECT(!topic_conf_throttles(STR("0:1,3:2"), 3, 1));
	EXPECT(!topic_conf_throttles(STR(""), 0, 1));
	EXPECT(!topic_conf_throttles((struct str){ NULL, 0 }, 0, 1));
	EXPECT_OK(topic_conf_check(name, STR("0:1,0:2"), why, sizeof(why)));
	EXPECT_OK(topic_conf_check(name, STR("*"), why, sizeof(why)));
	EXPECT_OK(topic_conf_check(name, STR(""), why, sizeof(why)));
	EXPECT_EQ(topic_conf_check(name, STR("0-1"), why, sizeof(why)), ERR_INVALID);
	EXPECT_EQ(topic_conf_check(name, STR("0:x"), why, sizeof(why)), ERR_INVALID);
}
