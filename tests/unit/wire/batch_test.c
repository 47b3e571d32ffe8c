#include "common/base/endian.h"
#include "common/base/prng.h"
#include "common/wire/batch.h"
#include "tests/lib/test.h"

static uint8_t bytes[4096];

static size_t three_records(void)
{
	static const uint8_t header[] = { 2, 'h', 1 }; /* key "h", null value */
	struct batch_builder w;

	batch_builder_init(&w, bytes, sizeof(bytes));
	w.head.producer_id = 77;
	w.head.producer_epoch = 3;
	w.head.base_sequence = INT32_MAX - 1;
	EXPECT(batch_builder_add(
		&w,
		&(struct record){ .timestamp_ms = 1000, .key = STR("k"), .value = STR("one") }));
	EXPECT(batch_builder_add(&w, &(struct record){ .timestamp_ms = 990, .value = STR("") }));
	EXPECT(batch_builder_add(&w, &(struct record){ .timestamp_ms = 1005,
						       .key = STR("k"),
						       .n_headers = 1,
						       .headers = header,
						       .headers_end = header + 3 }));
	return batch_builder_finish(&w);
}

TEST(header_fields)
{
	size_t n = three_records();
	struct batch b;

	EXPECT_EQ(batch_view(&b, bytes, (int64_t)n), BATCH_OK);
	EXPECT_EQ(b.size, n);
	EXPECT_EQ(b.magic, 2);
	EXPECT_EQ(b.n_records, 3);
	EXPECT_EQ(b.last_offset_delta, 2);
	EXPECT_EQ(b.base_timestamp_ms, 1000);
	EXPECT_EQ(b.max_timestamp_ms, 1005);
	EXPECT_EQ(b.producer_id, 77);
	EXPECT_EQ(b.producer_epoch, 3);
	EXPECT_EQ(batch_last_sequence(&b), 0);
	EXPECT_EQ(batch_last_offset(&b), 2);
	EXPECT(batch_crc_ok(&b));
}

TEST(walk_gives_back_what_was_written)
{
	size_t n = three_records();
	struct batch b;
	struct record r;
	struct record_walk w;
	struct header_walk h;
	struct str key, value;

	EXPECT_EQ(batch_view(&b, bytes, (int64_t)n), BATCH_OK);
	record_walk_init(&w, &b, bytes + BATCH_HEADER_BYTES, n - BATCH_HEADER_BYTES);
	EXPECT(record_walk_next(&w, &r));
	EXPECT_STR(r.key, "k");
	EXPECT_STR(r.value, "one");
	EXPECT_EQ(r.timestamp_ms, 1000);
	EXPECT(record_walk_next(&w, &r));
	EXPECT(str_null(r.key));
	EXPECT(!str_null(r.value) && r.value.n == 0);
	EXPECT_EQ(r.timestamp_ms, 990);
	EXPECT_EQ(r.offset, 1);
	EXPECT(record_walk_next(&w, &r));
	EXPECT(str_null(r.value));
	header_walk_init(&h, &r);
	EXPECT(header_walk_next(&h, &key, &value));
	EXPECT_STR(key, "h");
	EXPECT(str_null(value));
	EXPECT(!header_walk_next(&h, &key, &value));
	EXPECT(!h.bad);
	EXPECT(!record_walk_next(&w, &r));
	EXPECT(!w.bad);
}

/* A leader stamps without touching the CRC. */
TEST(stamp_keeps_the_crc)
{
	size_t n = three_records();
	uint8_t head[BATCH_HEADER_BYTES];
	struct batch b;

	batch_stamp(head, bytes, 1234567890123LL, 9);
	memcpy(bytes, head, sizeof(head));
	EXPECT_EQ(batch_view(&b, bytes, (int64_t)n), BATCH_OK);
	EXPECT_EQ(b.base_offset, 1234567890123LL);
	EXPECT_EQ(b.leader_epoch, 9);
	EXPECT(batch_crc_ok(&b));
}

TEST(bad_headers_are_refused)
{
	size_t n = three_records();
	struct batch b;
	static const struct {
		int at, width;
		uint64_t value;
	} bad[] = {
		{ 16, 1, 1 },          { 8, 4, 48 },          { 8, 4, 0 },
		{ 8, 4, UINT32_MAX },  { 0, 8, UINT64_MAX },  { 0, 8, INT64_MAX },
		{ 23, 4, UINT32_MAX }, { 57, 4, UINT32_MAX },
	};

	EXPECT_EQ(batch_view(&b, bytes, BATCH_HEADER_BYTES - 1), BATCH_SHORT);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t head[BATCH_HEADER_BYTES];

		memcpy(head, bytes, sizeof(head));
		if (bad[i].width == 1)
			head[bad[i].at] = (uint8_t)bad[i].value;
		else if (bad[i].width == 4)
			store_be32(head + bad[i].at, (uint32_t)bad[i].value);
		else
			store_be64(head + bad[i].at, bad[i].value);
		EXPECT_EQ(batch_view(&b, head, (int64_t)n), BATCH_BAD);
	}
}

TEST(crc_sees_every_bit_it_covers)
{
	size_t n = three_records();
	struct batch b;

	for (size_t bit = 21 * 8; bit < n * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)batch_view(&b, bytes, (int64_t)n);
		if (batch_crc_ok(&b))
			FAIL("bit %zu goes unnoticed", bit);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Cut at every byte, and every byte set to every value: the walk ends, in bounds. */
TEST(walk_survives_damage)
{
	size_t n = three_records() - BATCH_HEADER_BYTES;
	uint8_t copy[256];
	struct batch b;
	struct record r;
	struct record_walk w;

	EXPECT(n <= sizeof(copy));
	(void)batch_view(&b, bytes, BATCH_HEADER_BYTES);
	for (size_t cut = 0; cut < n; cut++) {
		record_walk_init(&w, &b, bytes + BATCH_HEADER_BYTES, cut);
		while (record_walk_next(&w, &r))
			;
		EXPECT(w.bad);
	}
	for (size_t i = 0; i < n; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(copy, bytes + BATCH_HEADER_BYTES, n);
			copy[i] = (uint8_t)v;
			record_walk_init(&w, &b, copy, n);
			while (record_walk_next(&w, &r)) {
				struct header_walk h;
				struct str key, value;

				header_walk_init(&h, &r);
				while (header_walk_next(&h, &key, &value))
					;
			}
		}
}

TEST(log_append_time_is_the_time_of_all_records)
{
	size_t n = three_records();
	struct batch b;
	struct record r;
	struct record_walk w;

	(void)batch_view(&b, bytes, (int64_t)n);
	b.attributes |= BATCH_LOG_APPEND_TIME;
	b.max_timestamp_ms = 5;
	record_walk_init(&w, &b, bytes + BATCH_HEADER_BYTES, n - BATCH_HEADER_BYTES);
	while (record_walk_next(&w, &r))
		EXPECT_EQ(r.timestamp_ms, 5);
	EXPECT(!w.bad);
}

TEST(builder_reports_overflow)
{
	struct batch_builder w;
	struct record r = { .value = STR("0123456789") };

	batch_builder_init(&w, bytes, BATCH_HEADER_BYTES + 20);
	EXPECT_EQ(batch_builder_finish(&w), 0);
	EXPECT(!batch_builder_add(&w, &r) || !batch_builder_add(&w, &r));
	EXPECT(w.full);
	EXPECT_EQ(batch_builder_finish(&w), 0);
}

TEST(random_batches_round_trip)
{
	struct prng p;
	char text[64];

	prng_seed(&p, 3);
	memset(text, 'x', sizeof(text));
	for (int run = 0; run < 500; run++) {
		struct record in[8], out;
		struct batch_builder w;
		struct record_walk walk;
		struct batch b;
		int n = 1 + (int)prng_below(&p, 8), got = 0;
		size_t size;

		batch_builder_init(&w, bytes, sizeof(bytes));
		for (int i = 0; i < n; i++) {
			in[i] = (struct record){ .timestamp_ms = (int64_t)prng_u64(&p) };
			if (prng_chance(&p, 2, 3))
				in[i].key = (struct str){ text, prng_below(&p, sizeof(text)) };
			if (prng_chance(&p, 2, 3))
				in[i].value = (struct str){ text, prng_below(&p, sizeof(text)) };
			size = w.n;
			EXPECT(batch_builder_add(&w, &in[i]));
			EXPECT(w.n - size <= record_size_max(&in[i]));
		}
		size = batch_builder_finish(&w);
		EXPECT_EQ(batch_view(&b, bytes, (int64_t)size), BATCH_OK);
		EXPECT(batch_crc_ok(&b));
		record_walk_init(&walk, &b, bytes + BATCH_HEADER_BYTES, size - BATCH_HEADER_BYTES);
		while (record_walk_next(&walk, &out)) {
			EXPECT_EQ(out.timestamp_ms, in[got].timestamp_ms);
			EXPECT_STR_EQ(out.key, in[got].key);
			EXPECT_STR_EQ(out.value, in[got].value);
			got++;
		}
		EXPECT_EQ(got, n);
		EXPECT(!walk.bad);
	}
}
