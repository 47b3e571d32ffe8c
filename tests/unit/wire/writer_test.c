#include "common/wire/writer.h"
#include "common/wire/reader.h"
#include "tests/lib/test.h"

static struct bufpool *pool;

static void begin(struct writer *w)
{
	pool = bufpool_new(1 << 20);
	writer_init(w, pool, 0);
}

static void end(struct writer *w)
{
	writer_fini(w);
	bufpool_free(pool); /* asserts that nothing is left */
}

TEST(what_is_written_reads_back)
{
	struct writer w;
	struct reader r;

	begin(&w);
	writer_u8(&w, 0xff);
	writer_u16(&w, 0x1234);
	writer_u64(&w, UINT64_MAX - 1);
	writer_f64(&w, -0.5);
	writer_varint(&w, INT32_MIN);
	writer_varlong(&w, INT64_MAX);
	writer_str(&w, STR("text"), true);
	writer_bytes(&w, (struct str){ NULL, 0 }, false);
	reader_init(&r, w.out->at, w.out->len);
	EXPECT_EQ(reader_u8(&r), 0xff);
	EXPECT_EQ(reader_u16(&r), 0x1234);
	EXPECT_EQ(reader_u64(&r), UINT64_MAX - 1);
	EXPECT(reader_f64(&r) == -0.5);
	EXPECT_EQ(reader_varint(&r), INT32_MIN);
	EXPECT_EQ(reader_varlong(&r), INT64_MAX);
	EXPECT_STR(reader_str(&r, true), "text");
	EXPECT(str_null(reader_bytes(&r, false)));
	EXPECT_EQ(reader_left(&r), 0);
	end(&w);
}

TEST(it_grows_and_keeps_what_it_has)
{
	struct writer w;

	begin(&w);
	for (uint32_t i = 0; i < 100000; i++)
		writer_u32(&w, i);
	EXPECT_EQ(writer_at(&w), 400000);
	for (uint32_t i = 0; i < 100000; i++) {
		struct reader r;

		reader_init(&r, w.out->at + 4 * (size_t)i, 4);
		if (reader_u32(&r) != i)
			FAIL("number %u", i);
	}
	end(&w);
}

TEST(splices_remember_their_place)
{
	struct file *const a = (struct file *)0x10,
			   *const b = (struct file *)0x20; /* never followed */
	struct writer w;
	struct buf *out;

	begin(&w);
	writer_u32(&w, 0);
	writer_splice(&w, a, 100, 5000);
	writer_splice(&w, a, 100, 0); /* nothing to send: no splice */
	writer_u16(&w, 7);
	for (int i = 0; i < 50; i++)
		writer_splice(&w, b, i, 1);
	out = writer_take(&w);
	EXPECT_EQ(out->len, 6);
	EXPECT_EQ(w.n_splices, 51);
	EXPECT_EQ(w.splice_bytes, 5050);
	EXPECT_EQ(writer_splices(&w)[0].at, 4);
	EXPECT(writer_splices(&w)[0].file == a);
	EXPECT_EQ(writer_splices(&w)[0].file_at, 100);
	EXPECT_EQ(writer_splices(&w)[50].at, 6);
	EXPECT_EQ(writer_splices(&w)[50].file_at, 49);
	buf_put(out);
	end(&w);
}

TEST(a_prefix_opens_the_room_that_it_needs)
{
	struct writer w;
	struct reader r;

	begin(&w);
	writer_u8(&w, 1);
	for (int i = 0; i < 300; i++)
		writer_u8(&w, (uint8_t)i);
	writer_prefix_uvarint(&w, 1);
	reader_init(&r, w.out->at, w.out->len);
	EXPECT_EQ(reader_u8(&r), 1);
	EXPECT_EQ(reader_uvarint(&r), 300);
	EXPECT_EQ(reader_u8(&r), 0);
	EXPECT_EQ(reader_u8(&r), 1);
	EXPECT_EQ(reader_left(&r), 298);
	end(&w);
}

TEST(what_cannot_be_said_makes_it_bad)
{
	static const char text[40000];
	struct writer w;

	begin(&w);
	writer_str(&w, (struct str){ text, sizeof(text) }, true);
	writer_u32(&w, 1);
	EXPECT(w.bad);
	EXPECT(writer_take(&w) == NULL);
	end(&w);
}

TEST(a_steady_state_reaches_no_heap)
{
	struct writer w;
	uint64_t before = 0;

	begin(&w);
	for (int i = 0; i < 100; i++) {
		if (i == 10)
			before = mem_calls();
		writer_fini(&w);
		writer_init(&w, pool, 200);
		for (int k = 0; k < 2000; k++)
			writer_u64(&w, 1);
		writer_splice(&w, (struct file *)0x10, 0, 1);
		buf_put(writer_take(&w));
	}
	EXPECT_EQ(mem_calls(), before);
	end(&w);
}
