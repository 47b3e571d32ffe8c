#include "common/base/conf.h"

#include "common/base/log.h"
#include "tests/lib/test.h"

struct options {
	int32_t node_id;
	int64_t segment_bytes;
	bool auto_create;
	struct str log_dirs, rack;
	double ratio;
	int32_t cleanup;
};

static const struct conf_row rows[] = {
	{ .name = "node.id",
	  .alias = "broker.id",
	  .type = CONF_I32,
	  .at = offsetof(struct options, node_id),
	  .max = 1000,
	  .def = "0" },
	{ .name = "log.segment.bytes",
	  .type = CONF_I64,
	  .at = offsetof(struct options, segment_bytes),
	  .min = 14,
	  .max = INT32_MAX,
	  .def = "1073741824" },
	{ .name = "auto.create.topics.enable",
	  .type = CONF_BOOL,
	  .at = offsetof(struct options, auto_create),
	  .def = "true" },
	{ .name = "log.dirs",
	  .type = CONF_STR,
	  .at = offsetof(struct options, log_dirs),
	  .def = "/var/lib/weir" },
	{ .name = "broker.rack", .type = CONF_STR, .at = offsetof(struct options, rack) },
	{ .name = "log.cleaner.min.cleanable.ratio",
	  .type = CONF_F64,
	  .at = offsetof(struct options, ratio),
	  .def = "0.5" },
	{ .name = "log.cleanup.policy",
	  .type = CONF_ENUM,
	  .at = offsetof(struct options, cleanup),
	  .def = "delete",
	  .values = "compact,delete" },
};

static struct options o;
static char why[256];

static struct conf_store *fresh(void)
{
	memset(&o, 0, sizeof(o));
	why[0] = '\0';
	return conf_new(rows, ARRAY_LEN(rows), &o);
}

static enum err parse(struct conf_store *c, const char *text)
{
	return conf_parse(c, str_of(text), "server.properties", why, sizeof(why));
}

TEST(defaults)
{
	struct conf_store *c = fresh();
	char tmp[64];

	EXPECT_EQ(o.segment_bytes, 1073741824);
	EXPECT(o.auto_create);
	EXPECT_STR(o.log_dirs, "/var/lib/weir");
	EXPECT(str_null(o.rack));
	EXPECT(o.ratio == 0.5);
	EXPECT_EQ(o.cleanup, 1);
	EXPECT_STR(conf_value(c, &rows[1], tmp, sizeof(tmp)), "1073741824");
	EXPECT(str_null(conf_value(c, &rows[4], tmp, sizeof(tmp))));
	EXPECT(!conf_is_set(c, &rows[1]));
	conf_free(c);
}

TEST(java_properties)
{
	struct conf_store *c = fresh();

	EXPECT_OK(parse(c, "# comment \\\n"
			   "! another\n"
			   "\n"
			   "  broker.id = 3  \r\n"
			   "log.dirs:/a,\\\n"
			   "         /b\n"
			   "log.segment.bytes 1000\n"
			   "broker.rack=caf\\u00e9\\t\\=\\\\\n"
			   "node.id=4\n"
			   "log.cleanup.policy=compact\\"));
	EXPECT_EQ(o.node_id, 4);
	EXPECT_STR(o.log_dirs, "/a,/b");
	EXPECT_EQ(o.segment_bytes, 1000);
	EXPECT_STR(o.rack, "café\t=\\");
	EXPECT_EQ(o.cleanup, 0);
	EXPECT(conf_is_set(c, &rows[1]));
	conf_free(c);
}

TEST(a_bad_value_gets_one_sentence_with_its_line)
{
	struct conf_store *c = fresh();

	EXPECT_EQ(parse(c, "\n\nlog.segment.bytes=12\n"), ERR_LIMIT);
	EXPECT_Z(why,
		 "server.properties:3: log.segment.bytes=12: must be between 14 and 2147483647");
	EXPECT_EQ(parse(c, "log.segment.bytes=1g"), ERR_INVALID);
	EXPECT_Z(why, "server.properties:1: log.segment.bytes=1g: must be a whole number");
	EXPECT_EQ(parse(c, "auto.create.topics.enable=yes"), ERR_INVALID);
	EXPECT_Z(why, "server.properties:1: auto.create.topics.enable=yes: must be true or false");
	EXPECT_EQ(parse(c, "log.cleanup.policy=drop"), ERR_INVALID);
	EXPECT_Z(why,
		 "server.properties:1: log.cleanup.policy=drop: must be one of compact,delete");
	EXPECT_EQ(parse(c, "log.cleaner.min.cleanable.ratio="), ERR_INVALID);
	EXPECT_Z(why, "server.properties:1: log.cleaner.min.cleanable.ratio=: must be a number");
	EXPECT_EQ(parse(c, "a=1\nlog.dirs=\\\n \\u12"), ERR_INVALID);
	EXPECT_Z(why, "server.properties:2: \\u must be followed by four hexadecimal digits");
	EXPECT_EQ(o.segment_bytes, 1073741824);
	conf_free(c);
}

static void remember(void *arg, const char *line, size_t n)
{
	memcpy(arg, line, size_min(n, 255));
}

TEST(an_unknown_key_names_the_nearest_one)
{
	struct conf_store *c = fresh();
	char line[256] = "";

	EXPECT_EQ(conf_set(c, STR("log.segmen.bytes"), STR("1"), "--override", why, sizeof(why)),
		  ERR_NOT_FOUND);
	EXPECT_Z(why,
		 "--override: log.segmen.bytes: no such option; did you mean log.segment.bytes?");
	EXPECT_EQ(conf_set(c, STR("zookeeper.connect"), STR("1"), "--override", why, sizeof(why)),
		  ERR_NOT_FOUND);
	EXPECT_Z(why, "--override: zookeeper.connect: no such option");
	log_set_sink(remember, line);
	EXPECT_OK(parse(c, "log.dir=/x\nnode.id=9"));
	log_set_sink(NULL, NULL);
	EXPECT_Z(line,
		 "WARN  conf option ignored why=\"server.properties:1: log.dir: no such option; "
		 "did you mean log.dirs?\"\n");
	EXPECT_EQ(o.node_id, 9);
	conf_free(c);
}

TEST(a_value_is_checked_without_being_stored)
{
	const struct conf_row *r = conf_find(rows, ARRAY_LEN(rows), STR("broker.id"));

	EXPECT(r == &rows[0]);
	EXPECT_OK(conf_check(r, STR(" 7 "), why, sizeof(why)));
	EXPECT_EQ(conf_check(r, STR("-7"), why, sizeof(why)), ERR_LIMIT);
	EXPECT_Z(why, "node.id=-7: must be between 0 and 1000");
}

TEST(any_bytes_are_parsed_or_refused)
{
	static const char alphabet[] = "ab=:# !\\u0\n\r\t";
	char text[13] = "";
	uint32_t state = 1;

	log_set_level(LOG_ERROR);
	for (int i = 0; i < 3000; i++) {
		struct conf_store *c = fresh();

		for (size_t k = 0; k + 1 < sizeof(text); k++) {
			state = state * 1664525 + 1013904223;
			text[k] = alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
		}
		if (parse(c, text))
			EXPECT(strlen(why) > 10);
		conf_free(c);
	}
	log_set_level(LOG_INFO);
}
