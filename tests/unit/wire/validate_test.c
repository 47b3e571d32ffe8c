#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/prng.h"
#include "common/wire/codec.h"
#include "common/wire/validate.h"
#include "tests/lib/test.h"

#define NOW 1700000000000LL
static uint8_t bytes[1 << 17];
static struct validator *v;
static struct validate_result out;

static struct validate_rules rules_of_a_plain_topic(void)
{
	return (struct validate_rules){ .zstd_allowed = true,
					.codec = -1,
					.codec_level = CODEC_LEVEL_DEFAULT,
					.message_bytes_max = 1048588,
					.before_max_ms = INT64_MAX,
					.after_max_ms = 3600000 };
}

static void reseal(size_t n)
{
	store_be32(bytes + 17, crc32c(0, bytes + 21, n - 21));
}

/* n records "k0".. with values, a second apart; keyless when asked. */
static struct str make_batch(int n, bool keys)
{
	struct batch_builder w;
	size_t size;

	batch_builder_init(&w, bytes, sizeof(bytes));
	w.head.producer_id = 9;
	w.head.producer_epoch = 0;
	w.head.base_sequence = 0;
	for (int i = 0; i < n; i++)
		EXPECT(batch_builder_add(
			&w, &(struct record){ .timestamp_ms = NOW + i,
					      .key = keys ? STR("key") : (struct str){ 0 },
					      .value = STR("some value, some value") }));
	size = batch_builder_finish(&w);
	EXPECT(size > 0);
	return (struct str){ (char *)bytes, size };
}

/* The same batch, its records compressed. */
static struct str pack(struct str in, int codec)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed;
	struct batch b;

	codec_buf_init(&packed, sizeof(bytes));
	EXPECT_EQ(batch_view(&b, bytes, (int64_t)in.n), BATCH_OK);
	EXPECT_OK(codec_compress(s, codec, CODEC_LEVEL_DEFAULT,
				 (struct str){ in.at + 61, in.n - 61 }, &packed));
	memcpy(bytes + 61, packed.at, packed.n);
	b.attributes |= (uint16_t)codec;
	batch_seal(bytes, &b, bytes + 61, packed.n);
	in.n = packed.n + 61;
	codec_buf_fini(&packed);
	codec_state_free(s);
	return in;
}

static enum kerr run(struct validate_rules rules, struct str in)
{
	if (v == NULL)
		v = validator_new(1 << 20);
	validate_batch(v, &rules, in, NOW, &out);
	if (out.kerr == KERR_NONE) { /* what is to be appended is whole */
		static uint8_t whole[1 << 20];
		struct batch b;

		memcpy(whole, out.header, 61);
		memcpy(whole + 61, out.body, (size_t)out.batch.size - 61);
		EXPECT_EQ(batch_view(&b, whole, out.batch.size), BATCH_OK);
		EXPECT_EQ(b.size, out.batch.size);
		EXPECT(batch_crc_ok(&b));
	} else {
		EXPECT(out.text[0] != 0);
	}
	return out.kerr;
}

static void done(void)
{
	validator_free(v);
	v = NULL;
}

TEST(plain_batch_passes_untouched)
{
	struct str in = make_batch(10, true);

	EXPECT_EQ(run(rules_of_a_plain_topic(), in), KERR_NONE);
	EXPECT(!out.is_header_new && !out.is_rebuilt);
	EXPECT(out.body == bytes + 61);
	EXPECT_MEM(out.header, bytes, 61);
	done();
}

TEST(every_codec_passes_untouched)
{
	for (int c = CODEC_NONE; c < CODECS; c++) {
		struct str in = pack(make_batch(100, true), c);

		EXPECT_EQ(run(rules_of_a_plain_topic(), in), KERR_NONE);
		EXPECT(!out.is_rebuilt && !out.is_header_new);
	}
	done();
}

/* A header field, its value, whether to restore the checksum, and the verdict. */
TEST(header_faults)
{
	static const struct {
		int at, width;
		int64_t value;
		bool seal;
		enum kerr want;
	} rows[] = {
		{ 16, 1, 1, true, KERR_INVALID_RECORD },
		{ 16, 1, 3, true, KERR_INVALID_RECORD },
		{ 8, 4, 10, true, KERR_CORRUPT_MESSAGE },
		{ 8, 4, 1 << 20, true, KERR_CORRUPT_MESSAGE },
		{ 0, 8, 5, false, KERR_INVALID_RECORD },
		{ 0, 8, -5, false, KERR_INVALID_RECORD },
		{ 12, 4, 77, false, KERR_NONE }, /* the leader epoch is ours to write */
		{ 17, 4, 0, false, KERR_CORRUPT_MESSAGE },
		{ 21, 2, 32, true, KERR_INVALID_RECORD },
		{ 21, 2, 64, true, KERR_INVALID_RECORD },
		{ 21, 2, 8, true, KERR_INVALID_TIMESTAMP },
		{ 21, 2, 5, true, KERR_UNSUPPORTED_COMPRESSION_TYPE },
		{ 21, 2, 1, true, KERR_CORRUPT_MESSAGE }, /* not gzip */
		{ 23, 4, 8, true, KERR_INVALID_RECORD },
		{ 23, 4, -1, true, KERR_INVALID_RECORD },
		{ 57, 4, 0, true, KERR_INVALID_RECORD },
		{ 57, 4, -3, true, KERR_INVALID_RECORD },
		{ 53, 4, -1, true, KERR_INVALID_RECORD },
		{ 51, 2, -1, true, KERR_INVALID_RECORD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str in = make_batch(10, true);

		for (int k = 0; k < rows[i].width; k++)
			bytes[rows[i].at + k] =
				(uint8_t)(rows[i].value >> 8 * (rows[i].width - 1 - k));
		if (rows[i].seal)
			reseal(in.n);
		if (run(rules_of_a_plain_topic(), in) != rows[i].want)
			FAIL("row %zu: %s, want %s: %s", i, kerr_name(out.kerr),
			     kerr_name(rows[i].want), out.text);
	}
	done();
}

TEST(exactly_one_whole_batch)
{
	struct str in = make_batch(3, true);

	EXPECT_EQ(run(rules_of_a_plain_topic(), (struct str){ 0 }), KERR_INVALID_RECORD);
	for (size_t n = 1; n < in.n; n++)
		EXPECT(run(rules_of_a_plain_topic(), (struct str){ in.at, n }) != KERR_NONE);
	memcpy(bytes + in.n, bytes, in.n);
	EXPECT_EQ(run(rules_of_a_plain_topic(), (struct str){ in.at, 2 * in.n }),
		  KERR_INVALID_RECORD);
	done();
}

TEST(size_and_zstd_rules)
{
	struct validate_rules rules = rules_of_a_plain_topic();
	struct str in = make_batch(10, true);

	rules.message_bytes_max = (int32_t)in.n;
	EXPECT_EQ(run(rules, in), KERR_NONE);
	rules.message_bytes_max--;
	EXPECT_EQ(run(rules, in), KERR_MESSAGE_TOO_LARGE);
	rules = rules_of_a_plain_topic();
	rules.zstd_allowed = false;
	EXPECT_EQ(run(rules, pack(make_batch(10, true), CODEC_ZSTD)),
		  KERR_UNSUPPORTED_COMPRESSION_TYPE);
	done();
}

TEST(compacted_topic_wants_keys)
{
	struct validate_rules rules = rules_of_a_plain_topic();

	rules.is_compacted = true;
	EXPECT_EQ(run(rules, make_batch(3, true)), KERR_NONE);
	EXPECT_EQ(run(rules, pack(make_batch(30, false), CODEC_LZ4)), KERR_INVALID_RECORD);
	EXPECT_EQ(out.n_errors, VALIDATE_ERRORS_MAX);
	EXPECT_EQ(out.errors[2].index, 2);
	rules.crc_only = true;
	EXPECT_EQ(run(rules, make_batch(3, false)), KERR_INVALID_RECORD);
	done();
}

TEST(timestamps_far_off_are_refused)
{
	struct validate_rules rules = rules_of_a_plain_topic();

	rules.after_max_ms = 5;
	EXPECT_EQ(run(rules, make_batch(6, true)), KERR_NONE);
	EXPECT_EQ(run(rules, make_batch(8, true)), KERR_INVALID_TIMESTAMP);
	EXPECT_EQ(out.n_errors, 2);
	EXPECT_EQ(out.errors[0].index, 6);
	rules.log_append_time = true;
	EXPECT_EQ(run(rules, make_batch(8, true)), KERR_NONE);
	rules = rules_of_a_plain_topic();
	rules.before_max_ms = 0;
	EXPECT_EQ(run(rules, make_batch(2, true)), KERR_NONE);
	done();
}

TEST(log_append_time_is_stamped)
{
	struct validate_rules rules = rules_of_a_plain_topic();
	struct str in = make_batch(5, true);

	rules.log_append_time = true;
	EXPECT_EQ(run(rules, in), KERR_NONE);
	EXPECT(out.is_header_new && !out.is_rebuilt);
	EXPECT_EQ(load_be16(out.header + 21), BATCH_LOG_APPEND_TIME);
	EXPECT_EQ(load_be64(out.header + 35), NOW);
	EXPECT_EQ(load_be64(out.header + 27), NOW);
	EXPECT_EQ(out.batch.max_timestamp_ms, NOW);
	done();
}

TEST(wrong_max_timestamp_is_put_right)
{
	struct str in = make_batch(5, true);

	store_be64(bytes + 35, 12);
	reseal(in.n);
	EXPECT_EQ(run(rules_of_a_plain_topic(), in), KERR_NONE);
	EXPECT(out.is_header_new && !out.is_rebuilt);
	EXPECT_EQ(out.batch.max_timestamp_ms, NOW + 4);
	done();
}

static void expect_records(int n)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf plain;
	struct record_walk w;
	struct record r;
	int got = 0;

	codec_buf_init(&plain, 1 << 20);
	EXPECT_OK(codec_decompress(
		s, out.batch.attributes & BATCH_CODEC_MASK,
		(struct str){ (const char *)out.body, (size_t)out.batch.size - 61 }, &plain));
	record_walk_init(&w, &out.batch, plain.at, plain.n);
	while (record_walk_next(&w, &r)) {
		EXPECT_EQ(r.offset, got);
		EXPECT_EQ(r.timestamp_ms, NOW + got);
		EXPECT_STR(r.value, "some value, some value");
		got++;
	}
	EXPECT(!w.bad);
	EXPECT_EQ(got, n);
	codec_buf_fini(&plain);
	codec_state_free(s);
}

TEST(other_codec_means_a_rebuild)
{
	for (int from = 0; from < CODECS; from++)
		for (int to = 0; to < CODECS; to++) {
			struct validate_rules rules = rules_of_a_plain_topic();
			struct str in = pack(make_batch(50, true), from);

			rules.codec = (int8_t)to;
			rules.crc_only = (from + to) % 2;
			EXPECT_EQ(run(rules, in), KERR_NONE);
			EXPECT_EQ(out.is_rebuilt, from != to);
			EXPECT_EQ(out.batch.attributes & BATCH_CODEC_MASK, to);
			EXPECT_EQ(out.batch.producer_id, 9);
			expect_records(50);
		}
	done();
}

TEST(rebuilt_batch_is_measured_again)
{
	struct validate_rules rules = rules_of_a_plain_topic();
	struct str in = pack(make_batch(50, true), CODEC_ZSTD);

	rules.codec = CODEC_NONE;
	rules.message_bytes_max = (int32_t)in.n;
	EXPECT_EQ(run(rules, in), KERR_MESSAGE_TOO_LARGE);
	done();
}

TEST(wrong_offset_deltas_are_rewritten)
{
	struct str in = make_batch(50, true);
	struct batch b;
	struct record_walk w;
	struct record r;

	EXPECT_EQ(batch_view(&b, bytes, (int64_t)in.n), BATCH_OK);
	record_walk_init(&w, &b, bytes + 61, in.n - 61);
	for (int i = 0; i < 3; i++) { /* the third byte of a short record is its offset delta */
		bytes[w.at - bytes + 3] = 2 * 9;
		EXPECT(record_walk_next(&w, &r));
		EXPECT_EQ(r.offset, 9);
	}
	reseal(in.n);
	EXPECT_EQ(run(rules_of_a_plain_topic(), in), KERR_NONE);
	EXPECT(out.is_rebuilt);
	expect_records(50);
	done();
}

TEST(bomb_costs_its_limit_only)
{
	static char zeros[3 << 20];
	struct codec_state *s = codec_state_new();
	struct codec_buf packed;
	struct str in = make_batch(1, true);
	struct batch b;

	codec_buf_init(&packed, sizeof(bytes) - 61);
	EXPECT_EQ(batch_view(&b, bytes, (int64_t)in.n), BATCH_OK);
	packed.max = 4 << 20;
	EXPECT_OK(codec_compress(s, CODEC_ZSTD, CODEC_LEVEL_DEFAULT,
				 (struct str){ zeros, sizeof(zeros) }, &packed));
	memcpy(bytes + 61, packed.at, packed.n);
	b.attributes |= CODEC_ZSTD;
	batch_seal(bytes, &b, bytes + 61, packed.n);
	EXPECT_EQ(run(rules_of_a_plain_topic(), (struct str){ (char *)bytes, packed.n + 61 }),
		  KERR_MESSAGE_TOO_LARGE);
	codec_buf_fini(&packed);
	codec_state_free(s);
	done();
}

TEST(steady_state_allocates_nothing)
{
	uint64_t before = 0;

	for (int run_at = 0; run_at < 3; run_at++) {
		before = mem_calls();
		for (int c = 0; c < 2; c++) {
			struct str in = make_batch(50, true);
			struct validate_rules rules = rules_of_a_plain_topic();

			rules.codec = (int8_t)(c ? CODEC_LZ4 : -1);
			EXPECT_EQ(run(rules, in), KERR_NONE);
		}
	}
	EXPECT_EQ(mem_calls() - before, 0);
	done();
}
