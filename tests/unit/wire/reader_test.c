#include "common/wire/reader.h"
#include "tests/lib/test.h"

static struct reader over(const void *at, size_t n)
{
	struct reader r;

	reader_init(&r, at, n);
	return r;
}
#define OVER(...) over((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

TEST(numbers_are_big_endian)
{
	struct reader r = OVER(0xff, 0xff, 0xfe, 0x12, 0x34, 0x56, 0x78, 0x80, 0, 0, 0, 0, 0, 0, 1);

	EXPECT_EQ(reader_i8(&r), -1);
	EXPECT_EQ(reader_i16(&r), -2);
	EXPECT_EQ(reader_i32(&r), 0x12345678);
	EXPECT_EQ(reader_i64(&r), INT64_MIN + 1);
	EXPECT_EQ(reader_left(&r), 0);
	EXPECT(!r.bad);
}

TEST(an_overrun_sticks_and_moves_nothing)
{
	struct reader r = OVER(1, 2, 3);

	EXPECT_EQ(reader_u8(&r), 1);
	EXPECT_EQ(reader_u32(&r), 0);
	EXPECT(r.bad);
	EXPECT_EQ(reader_left(&r), 0);
	EXPECT_EQ(reader_u8(&r), 0);
	EXPECT_EQ(reader_uvarint(&r), 0);
	EXPECT(str_null(reader_take(&r, 0)));
	EXPECT_EQ(r.end - r.at, 2);
}

TEST(varints)
{
	struct reader r = OVER(0, 0x7f, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2);

	EXPECT_EQ(reader_uvarint(&r), 0);
	EXPECT_EQ(reader_uvarint(&r), 127);
	EXPECT_EQ(reader_uvarint(&r), 128);
	EXPECT_EQ(reader_uvarint(&r), UINT32_MAX);
	EXPECT_EQ(reader_varint(&r), -1);
	EXPECT_EQ(reader_varlong(&r), 1);
	EXPECT(!r.bad);
}

TEST(varints_that_are_too_long_are_refused)
{
	struct reader wide = OVER(0xff, 0xff, 0xff, 0xff, 0x1f);
	struct reader endless = OVER(0x80, 0x80, 0x80, 0x80, 0x80, 0);
	struct reader cut = OVER(0x80);

	reader_uvarint(&wide);
	reader_uvarint(&endless);
	reader_varlong(&cut);
	EXPECT(wide.bad && endless.bad && cut.bad);
}

TEST(texts_in_both_forms)
{
	struct reader r = OVER(0, 2, 'a', 'b', 0xff, 0xff, 3, 'c', 'd', 0, 1);

	EXPECT_STR(reader_str(&r, false), "ab");
	EXPECT(str_null(reader_str(&r, false)));
	EXPECT_STR(reader_str(&r, true), "cd");
	EXPECT(str_null(reader_str(&r, true)));
	EXPECT_STR(reader_str(&r, true), "");
	EXPECT(!r.bad);
}

TEST(lengths_that_lie_are_refused)
{
	struct reader below = OVER(0xff, 0xfe, 0, 0), beyond = OVER(0, 9, 'a');
	struct reader bytes = OVER(0x7f, 0xff, 0xff, 0xff),
		      huge = OVER(0x80, 0x80, 0x80, 0x80, 0x08);
	static const uint8_t long_text[40000] = { 0x81, 0x80, 0x02 }; /* 32768 bytes */
	struct reader text = over(long_text, sizeof(long_text));

	reader_str(&below, false);
	reader_str(&beyond, false);
	reader_bytes(&bytes, false);
	reader_bytes(&huge, true);
	reader_str(&text, true);
	EXPECT(below.bad && beyond.bad && bytes.bad && huge.bad && text.bad);
}
