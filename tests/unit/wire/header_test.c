#include "common/wire/header.h"
#include "kafka/apis.h"
#include "tests/lib/test.h"

static struct bufpool *pool;

static struct buf *request(int key, int version, struct str client_id)
{
	const struct request_header head = { .api_key = (int16_t)key,
					     .api_version = (int16_t)version,
					     .correlation_id = 77,
					     .client_id = client_id };
	struct writer w;
	struct buf *out;

	pool = bufpool_new(1 << 20);
	writer_init(&w, pool, 0);
	request_begin(&w, &head);
	frame_end(&w);
	out = writer_take(&w);
	writer_fini(&w);
	return out;
}

static void release(struct buf *b)
{
	buf_put(b);
	bufpool_free(pool);
}

TEST(the_table_of_apis)
{
	EXPECT_EQ(api_find(API_PRODUCE)->max, 13);
	EXPECT_EQ(api_find(API_PRODUCE)->advertised_min, 0);
	EXPECT_EQ(api_find(API_DESCRIBE_TOPIC_PARTITIONS)->key, 75);
	EXPECT_EQ(api_find(API_WEIR_CONTROL)->key, 10000);
	EXPECT(api_find(API_WEIR_CONTROL)->advertised_max <
	       api_find(API_WEIR_CONTROL)->advertised_min);
	EXPECT(!api_find(-1) && !api_find(4) && !api_find(9999) && !api_find(32767));
	EXPECT(api_decodable(API_PRODUCE, 3) && !api_decodable(API_PRODUCE, 2));
	EXPECT(api_flexible(API_PRODUCE, 9) && !api_flexible(API_PRODUCE, 8));
	EXPECT(!api_flexible(API_SASL_HANDSHAKE, 1));
	for (int i = 0; i < KAFKA_APIS; i++)
		EXPECT(api_find(kafka_apis[i].key) == &kafka_apis[i]);
}

TEST(request_headers_come_back)
{
	for (int version = 8; version <= 9; version++) {
		struct buf *b = request(API_PRODUCE, version, STR("me"));
		struct request_header head;
		struct reader r;

		reader_init(&r, b->at, b->len);
		EXPECT_EQ(reader_i32(&r), b->len - 4);
		EXPECT_OK(request_header_decode(&r, &head));
		EXPECT_EQ(head.api_key, API_PRODUCE);
		EXPECT_EQ(head.api_version, version);
		EXPECT_EQ(head.correlation_id, 77);
		EXPECT_STR(head.client_id, "me");
		EXPECT_EQ(reader_left(&r), 0);
		release(b);
	}
}

/* A client newer than we are asks for ApiVersions 99: the reply needs its correlation id. */
TEST(an_unknown_version_still_tells_whom_to_answer)
{
	struct buf *b = request(API_API_VERSIONS, 99, (struct str){ NULL, 0 });
	struct request_header head;
	struct reader r;

	reader_init(&r, b->at + 4, b->len - 4);
	EXPECT_EQ(request_header_decode(&r, &head), ERR_UNSUPPORTED);
	EXPECT_EQ(head.api_key, API_API_VERSIONS);
	EXPECT_EQ(head.correlation_id, 77);
	EXPECT(str_null(head.client_id));
	for (uint32_t n = 0; n < 10; n++) {
		reader_init(&r, b->at + 4, n);
		EXPECT_EQ(request_header_decode(&r, &head), ERR_CORRUPT);
	}
	release(b);
}

TEST(the_size_counts_what_is_spliced)
{
	struct writer w;
	struct reader r;
	int32_t id;

	pool = bufpool_new(1 << 20);
	writer_init(&w, pool, 0);
	response_begin(&w, API_FETCH, 12, 9);
	writer_splice(&w, (struct file *)0x10, 0, 1000);
	frame_end(&w);
	EXPECT_EQ(frame_bytes(&w), 4 + 4 + 1 + 1000);
	reader_init(&r, w.out->at, w.out->len);
	EXPECT_EQ(reader_i32(&r), 1005);
	EXPECT_OK(response_header_decode(&r, API_FETCH, 12, &id));
	EXPECT_EQ(id, 9);
	EXPECT_EQ(reader_left(&r), 0);
	writer_fini(&w);
	bufpool_free(pool);
}

TEST(an_api_versions_response_never_has_header_tags)
{
	struct writer w;

	pool = bufpool_new(1 << 20);
	writer_init(&w, pool, 0);
	response_begin(&w, API_API_VERSIONS, 4, 9);
	EXPECT_EQ(writer_at(&w), 8);
	writer_fini(&w);
	bufpool_free(pool);
}
