/* A connection's requests in order: what waits, what leaves, what closes it. */
#include "kafka/api_versions.h"
#include "kafka/apis.h"
#include "kafka/metadata.h"
#include "tests/lib/test.h"
#include "tests/unit/api/api_rig.h"

static void take_first_image(struct api_rig *r)
{
	r->shard.image = image_new();
	r->shard.image_adopted(&r->shard);
}

static void ask(struct api_rig *r, int key, int version, int32_t correlation)
{
	struct metadata_request metadata;
	struct api_versions_request versions;

	schema_init(&metadata_request_schema, &metadata);
	schema_init(&api_versions_request_schema, &versions);
	versions.client_software_name = versions.client_software_version = STR("x");
	if (key == API_METADATA)
		api_rig_ask(r, key, version, correlation, &metadata_request_schema, &metadata);
	else
		api_rig_ask(r, key, version, correlation, &api_versions_request_schema, &versions);
}

static int32_t correlation_of(const struct buf *b)
{
	struct reader r;

	reader_init(&r, b->at, b->len);
	return reader_i32(&r);
}

TEST(replies_leave_in_the_order_of_the_requests)
{
	struct api_rig r;

	api_rig_begin(&r);
	ask(&r, API_METADATA, 1, 1); /* waits for the first image */
	ask(&r, API_API_VERSIONS, 3, 2);
	ask(&r, API_METADATA, 12, 3);
	EXPECT_EQ(r.conn.n_sent, 0);
	take_first_image(&r);
	EXPECT_EQ(r.conn.n_sent, 3);
	for (int i = 0; i < r.conn.n_sent; i++)
		EXPECT_EQ(correlation_of(r.conn.sent[i]), i + 1);
	EXPECT(!r.conn.is_closed && !r.conn.is_finished);
	api_rig_end(&r);
}

TEST(versions_are_told_before_anything_else_is_known)
{
	struct api_rig r;

	api_rig_begin(&r);
	ask(&r, API_API_VERSIONS, 4, 7);
	EXPECT_EQ(r.conn.n_sent, 1);
	EXPECT_EQ(correlation_of(r.conn.sent[0]), 7);
	api_rig_end(&r);
}

TEST(an_unknown_version_of_api_versions_is_answered_in_version_0)
{
	struct api_rig r;
	struct reader in;

	api_rig_begin(&r);
	ask(&r, API_API_VERSIONS, 99, 7);
	if (EXPECT_EQ(r.conn.n_sent, 1)) {
		reader_init(&in, r.conn.sent[0]->at, r.conn.sent[0]->len);
		EXPECT_EQ(reader_i32(&in), 7);
		EXPECT_EQ(reader_i16(&in), KERR_UNSUPPORTED_VERSION);
		EXPECT(reader_i32(&in) > 5);
	}
	api_rig_end(&r);
}

TEST(what_cannot_be_read_ends_the_connection_after_what_could)
{
	struct api_rig r;
	struct buf *bad;

	api_rig_begin(&r);
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
	api_rig_end(&r);
}

TEST(too_many_bytes_in_flight_stop_the_reading)
{
	struct api_rig r;

	api_rig_begin(&r);
	r.conf.conn_bytes_max = 40;
	for (int i = 0; i < 5; i++)
		ask(&r, API_METADATA, 1, i);
	EXPECT(r.conn.is_paused);
	take_first_image(&r);
	EXPECT(!r.conn.is_paused);
	EXPECT_EQ(r.shard.api->bytes, 0);
	api_rig_end(&r);
}

TEST(a_client_that_goes_takes_its_waiting_requests_along)
{
	struct api_rig r;

	api_rig_begin(&r);
	ask(&r, API_METADATA, 1, 1);
	ask(&r, API_METADATA, 1, 2);
	r.conn.events->down(r.conn.arg, &r.conn, ERR_CLOSED);
	EXPECT_EQ(r.shard.api->bytes, 0);
	EXPECT(list_empty(&r.shard.api->clients));
	api_rig_end(&r);
}
