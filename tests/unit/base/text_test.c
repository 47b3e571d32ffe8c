#include "common/base/text.h"

#include "common/base/endian.h"
#include "common/base/prng.h"
#include "common/base/varint.h"
#include "tests/lib/test.h"

TEST(a_builder_never_overruns)
{
	char at[8];
	struct text t;

	text_init(&t, at, sizeof(at));
	text_printf(&t, "%d-", 12);
	EXPECT(!t.cut);
	text_str(&t, STR("abcdefgh"));
	EXPECT(t.cut);
	EXPECT_Z(at, "12-abcd");
	text_printf(&t, "%s", "more");
	EXPECT_Z(at, "12-abcd");
	EXPECT_EQ(t.n, 7);
}

TEST(json_escapes)
{
	char at[100];
	struct text t;

	text_init(&t, at, sizeof(at));
	text_json(&t, STR("a\"b\\c\n\x01/é"));
	text_json(&t, (struct str){ 0 });
	text_json(&t, STR(""));
	EXPECT_Z(at, "\"a\\\"b\\\\c\\n\\u0001/é\"null\"\"");
}

TEST(numbers_are_parsed_whole_or_not_at_all)
{
	int64_t v = 0;
	int32_t w = 0;
	double d = 0;

	EXPECT_OK(parse_i64(STR("9223372036854775807"), &v));
	EXPECT_EQ(v, INT64_MAX);
	EXPECT_OK(parse_i64(STR("-9223372036854775808"), &v));
	EXPECT_EQ(v, INT64_MIN);
	EXPECT_OK(parse_i64(STR("+5"), &v));
	EXPECT_EQ(parse_i64(STR("9223372036854775808"), &v), ERR_LIMIT);
	EXPECT_EQ(parse_i64(STR("-9223372036854775809"), &v), ERR_LIMIT);
	EXPECT_EQ(parse_i64(STR(""), &v), ERR_INVALID);
	EXPECT_EQ(parse_i64(STR("-"), &v), ERR_INVALID);
	EXPECT_EQ(parse_i64(STR("1 "), &v), ERR_INVALID);
	EXPECT_EQ(parse_i64(STR("0x10"), &v), ERR_INVALID);
	EXPECT_EQ(v, 5);
	EXPECT_OK(parse_i32(STR("-2147483648"), &w));
	EXPECT_EQ(parse_i32(STR("2147483648"), &w), ERR_LIMIT);
	EXPECT_OK(parse_f64(STR("0.5"), &d));
	EXPECT(d == 0.5);
	EXPECT_EQ(parse_f64(STR("nan"), &d), ERR_INVALID);
	EXPECT_EQ(parse_f64(STR("1.0x"), &d), ERR_INVALID);
	EXPECT_EQ(parse_f64(STR("1e999"), &d), ERR_LIMIT);
}

TEST(booleans_in_any_case)
{
	bool b = false;

	EXPECT_OK(parse_bool(STR("TRUE"), &b));
	EXPECT(b);
	EXPECT_OK(parse_bool(STR("False"), &b));
	EXPECT(!b);
	EXPECT_EQ(parse_bool(STR("yes"), &b), ERR_INVALID);
}

TEST(fields_are_cut_one_by_one)
{
	struct str rest = STR("a,,b,"), one;
	char seen[32];
	struct text t;

	text_init(&t, seen, sizeof(seen));
	while (str_cut(&rest, ',', &one))
		text_printf(&t, "[%.*s]", (int)one.n, one.at);
	EXPECT_Z(seen, "[a][][b][]");
	EXPECT_STR(str_trim(STR(" \t a b\r\n")), "a b");
	EXPECT_STR(str_trim(STR("  ")), "");
}

TEST(distance)
{
	EXPECT_EQ(text_distance(STR("kitten"), STR("sitting")), 3);
	EXPECT_EQ(text_distance(STR(""), STR("abc")), 3);
	EXPECT_EQ(text_distance(STR("same"), STR("same")), 0);
}

TEST(text_views_compare)
{
	EXPECT(str_eq(STR("a"), STR("a")));
	EXPECT(!str_eq(STR(""), (struct str){ 0 }));
	EXPECT(str_eq((struct str){ 0 }, (struct str){ 0 }));
	EXPECT(str_cmp(STR("a"), STR("ab")) < 0);
	EXPECT(str_cmp(STR("b"), STR("ab")) > 0);
	EXPECT_EQ(str_cmp(STR("ab"), STR("ab")), 0);
}

TEST(a_drawn_uuid_is_never_taken_for_an_option)
{
	struct prng p;
	char text[UUID_TEXT];

	prng_seed(&p, 7);
	for (int i = 0; i < 1000; i++) {
		uuid_text(prng_uuid(&p), text);
		EXPECT(text[0] != '-');
	}
}

TEST(uuids_have_kafkas_text)
{
	struct uuid u = { { 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 1, 2, 3, 4, 5, 6, 7,
			    8 } };
	struct uuid back;
	char text[UUID_TEXT];
	struct prng p;

	uuid_text(u, text);
	EXPECT_Z(text, "_-7dzLuqmYgBAgMEBQYHCA");
	EXPECT_OK(uuid_parse(str_of(text), &back));
	EXPECT(uuid_eq(u, back));
	EXPECT_EQ(uuid_parse(STR("_-7dzLuqmYgBAgMEBQYHC"), &back), ERR_INVALID);
	EXPECT_EQ(uuid_parse(STR("_-7dzLuqmYgBAgMEBQYHC="), &back), ERR_INVALID);
	EXPECT_EQ(uuid_parse(STR("_-7dzLuqmYgBAgMEBQYHCB"), &back), ERR_INVALID);
	EXPECT(uuid_is_zero((struct uuid){ 0 }));
	prng_seed(&p, 3);
	for (int i = 0; i < 100; i++) {
		u = prng_uuid(&p);
		uuid_text(u, text);
		EXPECT_OK(uuid_parse(str_of(text), &back));
		EXPECT(uuid_eq(u, back));
	}
}

TEST(errors_have_words)
{
	for (enum err e = ERR_OK; e <= ERR_LOCKED; e++)
		EXPECT(strlen(err_text(e)) > 1);
	EXPECT_EQ(err_of_errno(28), ERR_NOSPACE);
	EXPECT_EQ(err_of_errno(5), ERR_IO);
	EXPECT_EQ(err_of_errno(0), ERR_OK);
}

TEST(varints_round_trip_at_every_length)
{
	uint8_t at[VARLONG_MAX];
	struct prng p;

	prng_seed(&p, 4);
	for (int i = 0; i < 20000; i++) {
		int64_t v = (int64_t)(prng_u64(&p) >> prng_below(&p, 64)), back = 0;
		size_t n = varlong_put(at, prng_chance(&p, 1, 2) ? v : (v = -v));

		EXPECT_EQ(varlong_size(v), n);
		EXPECT_EQ(varlong_get(at, n, &back), n);
		EXPECT_EQ(back, v);
		EXPECT_EQ(varlong_get(at, n - 1, &back), 0);
		if (v >= INT32_MIN && v <= INT32_MAX) {
			int32_t narrow = 0;

			EXPECT_EQ(varint_size((int32_t)v), varint_put(at, (int32_t)v));
			EXPECT_EQ(varint_get(at, n, &narrow), n);
			EXPECT_EQ(narrow, v);
		}
	}
}

TEST(varints_that_do_not_fit_are_refused)
{
	static const uint8_t wide[] = { 0xff, 0xff, 0xff, 0xff, 0x1f };
	static const uint8_t endless[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t minus_one[] = { 1 };
	uint32_t u = 0;
	uint64_t w;
	int32_t v = 0;

	EXPECT_EQ(uvarint_get(wide, sizeof(wide), &u), 0);
	EXPECT_EQ(uvarlong_get(endless, sizeof(endless), &w), 0);
	EXPECT_EQ(uvarint_get(endless, sizeof(endless), &u), 0);
	EXPECT_EQ(uvarint_get(NULL, 0, &u), 0);
	EXPECT_EQ(varint_get(minus_one, 1, &v), 1);
	EXPECT_EQ(v, -1);
	EXPECT_EQ(uvarint_size(127), 1);
	EXPECT_EQ(uvarint_size(128), 2);
	EXPECT_EQ(uvarint_size(UINT32_MAX), 5);
	EXPECT_EQ(uvarlong_size(UINT64_MAX), 10);
	EXPECT_EQ(uvarint_put((uint8_t[VARLONG_MAX]){ 0 }, 300), 2);
	EXPECT_EQ(uvarlong_size(0), 1);
}

TEST(big_endian_at_any_alignment)
{
	uint8_t at[16] = { 0 };

	store_be16(at + 1, 0x0102);
	store_be32(at + 3, 0x03040506);
	store_be64(at + 7, 0x0708090a0b0c0d0eu);
	for (uint8_t i = 1; i < 15; i++)
		EXPECT_EQ(at[i], i);
	EXPECT_EQ(load_be16(at + 1), 0x0102);
	EXPECT_EQ(load_be32(at + 3), 0x03040506);
	EXPECT_EQ(load_be64(at + 7), 0x0708090a0b0c0d0e);
}

TEST(random_numbers_are_reproducible_and_fair)
{
	int seen[7] = { 0 };
	struct prng a, b;

	prng_seed(&a, 42);
	prng_seed(&b, 42);
	for (int i = 0; i < 7000; i++) {
		EXPECT_EQ(prng_u64(&a), prng_u64(&b));
		seen[prng_below(&a, 7)]++;
		prng_below(&b, 7);
	}
	for (int i = 0; i < 7; i++)
		EXPECT(seen[i] > 850 && seen[i] < 1150);
	EXPECT(prng_chance(&a, 1, 1));
	EXPECT(!prng_chance(&a, 0, 1));
}
