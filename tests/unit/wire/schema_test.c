/* What the random round trips of tests/wire do not say: hostile input, defaults, splices, text. */
#include "common/wire/schema.h"
#include "kafka/api_versions.h"
#include "kafka/describe_topic_partitions.h"
#include "kafka/fetch.h"
#include "kafka/metadata.h"
#include "kafka/offset_fetch.h"
#include "kafka/produce.h"
#include "tests/lib/test.h"

enum { ARENA_BYTES = 1 << 20 };

static struct bufpool *pool;
static struct arena arena;
static struct writer w;

static void begin(void)
{
	pool = bufpool_new(1 << 20);
	arena_init(&arena, ARENA_BYTES);
	writer_init(&w, pool, 0);
}

static void end(void)
{
	writer_fini(&w);
	arena_fini(&arena);
	bufpool_free(pool);
}

#define DECODE(schema, version, out, ...)                                                          \
	decode(schema, version, (const uint8_t[]){ __VA_ARGS__ },                                  \
	       sizeof((const uint8_t[]){ __VA_ARGS__ }), out)
static enum err decode(const struct schema *s, int version, const uint8_t *at, size_t n, void *out)
{
	struct reader r;

	reader_init(&r, at, n);
	return schema_decode(s, version, &r, &arena, out);
}

TEST(a_hostile_count_costs_no_memory)
{
	struct metadata_request q;

	begin();
	EXPECT_EQ(DECODE(&metadata_request_schema, 1, &q, 0x7f, 0xff, 0xff, 0xff, 0, 0),
		  ERR_CORRUPT);
	EXPECT_EQ(DECODE(&metadata_request_schema, 1, &q, 0xff, 0xff, 0xff, 0xfe), ERR_CORRUPT);
	EXPECT_EQ(DECODE(&metadata_request_schema, 9, &q, 0xff, 0xff, 0xff, 0xff, 0x0f),
		  ERR_CORRUPT);
	EXPECT_EQ(DECODE(&metadata_request_schema, 9, &q, 4, 1, 0), ERR_CORRUPT);
	EXPECT_EQ(arena.used_bytes, 0);
	end();
}

TEST(a_null_where_the_version_has_none_is_refused)
{
	struct metadata_request q;

	begin();
	EXPECT_EQ(DECODE(&metadata_request_schema, 0, &q, 0xff, 0xff, 0xff, 0xff), ERR_CORRUPT);
	EXPECT_OK(DECODE(&metadata_request_schema, 1, &q, 0xff, 0xff, 0xff, 0xff));
	EXPECT_EQ(q.n_topics, -1);
	EXPECT_EQ(DECODE(&metadata_request_schema, 1, &q, 0, 0, 0, 1, 0xff, 0xff), ERR_CORRUPT);
	end();
}

TEST(the_arena_has_the_last_word)
{
	static uint8_t frame[65536] = { 0, 0, 0x7f, 0 }; /* 32512 empty topics of 2 bytes each */
	struct metadata_request q;

	begin();
	arena.max_bytes = 100000;
	EXPECT_EQ(decode(&metadata_request_schema, 1, frame, sizeof(frame), &q), ERR_LIMIT);
	end();
}

TEST(tags)
{
	struct api_versions_response a;

	begin();
	EXPECT_OK(DECODE(&api_versions_response_schema, 3, &a, 0, 0, 1, 0, 0, 0, 0, /* body */
			 2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5,                           /* epoch 5 */
			 0x63, 2, 0xab, 0xcd));                                     /* unknown */
	EXPECT_EQ(a.finalized_features_epoch, 5);
	EXPECT_EQ(a.n_supported_features, 0);
	EXPECT_EQ(DECODE(&api_versions_response_schema, 3, &a, 0, 0, 1, 0, 0, 0, 0, /* body */
			 1, 1, 4, 0, 0, 0, 0),                                      /* too short */
		  ERR_CORRUPT);
	EXPECT_EQ(DECODE(&api_versions_response_schema, 3, &a, 0, 0, 1, 0, 0, 0, 0, /* body */
			 1, 0x63, 9, 0xab), /* beyond the end */
		  ERR_CORRUPT);
	end();
}

TEST(absent_fields_have_their_defaults)
{
	struct fetch_request q;
	struct metadata_request m;

	begin();
	schema_init(&fetch_request_schema, &q);
	EXPECT_EQ(q.replica_id, -1);
	EXPECT_EQ(q.max_bytes, INT32_MAX);
	EXPECT_EQ(q.replica_state.replica_id, -1);
	EXPECT(str_null(q.cluster_id) && !str_null(q.rack_id));
	memset(&m, 0x55, sizeof(m));
	EXPECT_OK(DECODE(&metadata_request_schema, 3, &m, 0, 0, 0, 0));
	EXPECT(m.allow_auto_topic_creation && !m.include_topic_authorized_operations);
	EXPECT_EQ(m.n_topics, 0);
	end();
}

TEST(new_arrays_start_from_defaults)
{
	struct produce_response_partition *p;

	begin();
	p = schema_new(&produce_response_partition_schema, &arena, 3);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(p[i].log_append_time_ms, -1);
		EXPECT_EQ(p[i].current_leader.leader_epoch, -1);
		EXPECT(str_null(p[i].error_message));
	}
	end();
}

/* The default of a tagged field is not sent, anything else is. */
TEST(only_what_differs_is_tagged)
{
	struct produce_response a;
	uint32_t plain;

	begin();
	schema_init(&produce_response_schema, &a);
	schema_encode(&produce_response_schema, 10, &a, &w);
	plain = writer_at(&w);
	a.n_node_endpoints = 1;
	a.node_endpoints = schema_new(&produce_response_node_endpoint_schema, &arena, 1);
	schema_encode(&produce_response_schema, 10, &a, &w);
	EXPECT_EQ(writer_at(&w), plain + plain + 2 + 1 + 4 + 1 + 4 + 1 + 1);
	end();
}

TEST(a_null_that_cannot_be_said_goes_out_as_empty)
{
	struct metadata_response a, b;

	begin();
	schema_init(&metadata_response_schema, &a);
	a.n_topics = 1;
	a.topics = schema_new(&metadata_response_topic_schema, &arena, 1);
	a.topics[0].name = (struct str){ NULL, 0 };
	a.topics[0].n_partitions = -1;
	schema_encode(&metadata_response_schema, 1, &a, &w);
	EXPECT_OK(decode(&metadata_response_schema, 1, w.out->at, w.out->len, &b));
	EXPECT_STR(b.topics[0].name, "");
	EXPECT_EQ(b.topics[0].n_partitions, 0);
	end();
}

TEST(records_in_a_file_are_not_copied)
{
	struct fetch_response a, b;
	struct fetch_response_partition *p;

	begin();
	schema_init(&fetch_response_schema, &a);
	a.n_responses = 1;
	a.responses = schema_new(&fetch_response_topic_schema, &arena, 1);
	a.responses[0].n_partitions = 2;
	a.responses[0].partitions = p = schema_new(&fetch_response_partition_schema, &arena, 2);
	p[0].records = (struct records){ .n = 70000, .file = (struct file *)0x10, .file_at = 61 };
	p[1].records = (struct records){ .n = 3, .at = (const uint8_t *)"abc" };
	schema_encode(&fetch_response_schema, 12, &a, &w);
	EXPECT_EQ(w.n_splices, 1);
	EXPECT_EQ(w.splice_bytes, 70000);
	EXPECT_EQ(writer_splices(&w)[0].file_at, 61);
	EXPECT(writer_at(&w) < 200);
	EXPECT_EQ(decode(&fetch_response_schema, 12, w.out->at, w.out->len, &b), ERR_CORRUPT);
	end();
}

TEST(a_nullable_struct_is_a_pointer)
{
	struct describe_topic_partitions_request a, b;
	struct describe_topic_partitions_request_cursor cursor = { .topic_name = STR("t"),
								   .partition_index = 4 };

	begin();
	schema_init(&describe_topic_partitions_request_schema, &a);
	EXPECT(!a.cursor);
	EXPECT_EQ(a.response_partition_limit, 2000);
	a.cursor = &cursor;
	schema_encode(&describe_topic_partitions_request_schema, 0, &a, &w);
	EXPECT_OK(decode(&describe_topic_partitions_request_schema, 0, w.out->at, w.out->len, &b));
	if (EXPECT(b.cursor))
		EXPECT_EQ(b.cursor->partition_index, 4);
	EXPECT(schema_equal(&describe_topic_partitions_request_schema, 0, &a, &b));
	cursor.partition_index = 5;
	EXPECT(!schema_equal(&describe_topic_partitions_request_schema, 0, &a, &b));
	end();
}

TEST(printing_stays_within_its_room)
{
	struct offset_fetch_request q;
	char room[64], small[16];
	struct text text;

	begin();
	schema_init(&offset_fetch_request_schema, &q);
	q.group_id = STR("g\"1");
	text_init(&text, room, sizeof(room));
	schema_print(&offset_fetch_request_schema, 1, &q, &text);
	EXPECT_Z(text.at, "{\"group_id\":\"g\\\"1\",\"topics\":[]}");
	text_init(&text, small, sizeof(small));
	schema_print(&offset_fetch_request_schema, 1, &q, &text);
	EXPECT(text.cut && text.n < sizeof(small));
	end();
}

/* The budget of a request: no heap once arena and pool are warm. */
TEST(decode_and_encode_reach_no_heap)
{
	struct produce_request q, got;
	uint64_t before = 0;
	struct buf *frame;

	begin();
	schema_init(&produce_request_schema, &q);
	q.n_topic_data = 1;
	q.topic_data = schema_new(&produce_request_topic_schema, &arena, 1);
	schema_encode(&produce_request_schema, 9, &q, &w);
	frame = writer_take(&w);
	for (int i = 0; i < 50; i++) {
		if (i == 5)
			before = mem_calls();
		arena_reset(&arena);
		EXPECT_OK(decode(&produce_request_schema, 9, frame->at, frame->len, &got));
		writer_fini(&w);
		writer_init(&w, pool, 0);
		schema_encode(&produce_request_schema, 9, &got, &w);
	}
	EXPECT_EQ(mem_calls(), before);
	buf_put(frame);
	end();
}
