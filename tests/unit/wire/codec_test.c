#include "common/base/prng.h"
#include "common/wire/codec.h"
#include "tests/lib/test.h"

#include <zstd.h>

#define TEXT_MAX 300000
static char text[TEXT_MAX];

/* Between all zeros and noise, by seed. */
static struct str some_text(struct prng *p, size_t n)
{
	uint64_t alphabet = 1 + prng_below(p, 256);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)prng_below(p, alphabet);
	return (struct str){ text, n };
}

TEST(round_trip_of_every_codec)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed, out;
	struct prng p;

	prng_seed(&p, 1);
	codec_buf_init(&packed, 1 << 20);
	codec_buf_init(&out, TEXT_MAX);
	for (int run = 0; run < 60; run++)
		for (int c = 0; c < CODECS; c++) {
			struct str in = some_text(&p, run == 0 ? TEXT_MAX : prng_below(&p, 100000));

			EXPECT_OK(codec_compress(s, c, CODEC_LEVEL_DEFAULT, in, &packed));
			EXPECT_OK(codec_decompress(
				s, c, (struct str){ (char *)packed.at, packed.n }, &out));
			EXPECT_STR_EQ(((struct str){ (char *)out.at, out.n }), in);
		}
	codec_buf_fini(&packed);
	codec_buf_fini(&out);
	codec_state_free(s);
}

TEST(limit_holds_to_the_byte)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed, fits, less;

	memset(text, 0, sizeof(text));
	codec_buf_init(&packed, 1 << 20);
	codec_buf_init(&fits, TEXT_MAX);
	codec_buf_init(&less, TEXT_MAX - 1);
	for (int c = 0; c < CODECS; c++) {
		struct str in = { text, TEXT_MAX }, bytes;

		EXPECT_OK(codec_compress(s, c, CODEC_LEVEL_DEFAULT, in, &packed));
		bytes = (struct str){ (char *)packed.at, packed.n };
		EXPECT_OK(codec_decompress(s, c, bytes, &fits));
		EXPECT_EQ(codec_decompress(s, c, bytes, &less), ERR_LIMIT);
		EXPECT(less.cap <= less.max);
	}
	codec_buf_fini(&packed);
	codec_buf_fini(&fits);
	codec_buf_fini(&less);
	codec_state_free(s);
}

TEST(cut_input_is_corrupt)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed, out;
	struct prng p;

	prng_seed(&p, 2);
	codec_buf_init(&packed, 1 << 20);
	codec_buf_init(&out, 1 << 20);
	for (int c = CODEC_GZIP; c < CODECS; c++) {
		EXPECT_OK(codec_compress(s, c, CODEC_LEVEL_DEFAULT, some_text(&p, 3000), &packed));
		for (size_t n = 0; n < packed.n; n++) {
			enum err e =
				codec_decompress(s, c, (struct str){ (char *)packed.at, n }, &out);

			/* an xerial stream may end after its header and after any block */
			if (e == ERR_OK && !(c == CODEC_SNAPPY && n == 16))
				FAIL("%s cut at %zu of %zu passes", codec_name(c), n, packed.n);
		}
	}
	codec_buf_fini(&packed);
	codec_buf_fini(&out);
	codec_state_free(s);
}

TEST(damaged_input_ends_in_an_answer)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed, out;
	struct prng p;

	prng_seed(&p, 3);
	codec_buf_init(&packed, 1 << 20);
	codec_buf_init(&out, 1 << 16);
	for (int run = 0; run < 4000; run++) {
		int c = CODEC_GZIP + run % 4;
		enum err e;

		EXPECT_OK(codec_compress(s, c, CODEC_LEVEL_DEFAULT, some_text(&p, 500), &packed));
		for (uint64_t i = 1 + prng_below(&p, 4); i > 0; i--)
			packed.at[prng_below(&p, packed.n)] = (uint8_t)prng_u64(&p);
		e = codec_decompress(s, c, (struct str){ (char *)packed.at, packed.n }, &out);
		EXPECT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_LIMIT);
		EXPECT(out.cap <= out.max);
	}
	codec_buf_fini(&packed);
	codec_buf_fini(&out);
	codec_state_free(s);
}

TEST(raw_snappy_and_foreign_gzip_are_read)
{
	static const uint8_t raw[] = { 5, 4 << 2, 'h', 'e', 'l', 'l', 'o' }; /* one literal */
	static const uint8_t gz[] = { 0x1f, 0x8b, 8,    0,    0,    0,    0, 0, 0,
				      3,    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86,
				      0xa6, 0x10, 0x36, 5,    0,    0,    0 };
	uint8_t twice[2 * sizeof(gz)];
	struct codec_state *s = codec_state_new();
	struct codec_buf out;

	codec_buf_init(&out, 100);
	EXPECT_OK(codec_decompress(s, CODEC_SNAPPY, (struct str){ (const char *)raw, sizeof(raw) },
				   &out));
	EXPECT_STR(((struct str){ (char *)out.at, out.n }), "hello");
	memcpy(twice, gz, sizeof(gz));
	memcpy(twice + sizeof(gz), gz, sizeof(gz));
	EXPECT_OK(codec_decompress(s, CODEC_GZIP,
				   (struct str){ (const char *)twice, sizeof(twice) }, &out));
	EXPECT_STR(((struct str){ (char *)out.at, out.n }), "hellohello");
	codec_buf_fini(&out);
	codec_state_free(s);
}

/* A stream that does not say its size, as streaming writers produce. */
TEST(zstd_of_unknown_size)
{
	struct codec_state *s = codec_state_new();
	ZSTD_CCtx *c = ZSTD_createCCtx();
	uint8_t packed[4096];
	ZSTD_outBuffer o = { packed, sizeof(packed), 0 };
	ZSTD_inBuffer i = { text, TEXT_MAX, 0 }, none = { text, 0, 0 };
	struct codec_buf out;

	memset(text, 0, sizeof(text));
	while (i.pos < i.size)
		EXPECT(!ZSTD_isError(ZSTD_compressStream2(c, &o, &i, ZSTD_e_continue)));
	EXPECT_EQ(ZSTD_compressStream2(c, &o, &none, ZSTD_e_end), 0);
	codec_buf_init(&out, TEXT_MAX);
	EXPECT_OK(codec_decompress(s, CODEC_ZSTD, (struct str){ (char *)packed, o.pos }, &out));
	EXPECT_EQ(out.n, TEXT_MAX);
	codec_buf_fini(&out);
	codec_buf_init(&out, TEXT_MAX - 1);
	EXPECT_EQ(codec_decompress(s, CODEC_ZSTD, (struct str){ (char *)packed, o.pos }, &out),
		  ERR_LIMIT);
	codec_buf_fini(&out);
	ZSTD_freeCCtx(c);
	codec_state_free(s);
}

TEST(steady_state_grows_nothing)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed, out;
	uint64_t calls = 0;

	memset(text, 'x', 5000);
	codec_buf_init(&packed, 1 << 20);
	codec_buf_init(&out, 1 << 20);
	for (int run = 0; run < 3; run++) {
		calls = mem_calls();
		for (int c = 0; c < CODECS; c++) {
			EXPECT_OK(codec_compress(s, c, CODEC_LEVEL_DEFAULT,
						 (struct str){ text, 5000 }, &packed));
			EXPECT_OK(codec_decompress(
				s, c, (struct str){ (char *)packed.at, packed.n }, &out));
		}
	}
	EXPECT_EQ(mem_calls() - calls, 0);
	codec_buf_trim(&out, 100);
	EXPECT_EQ(out.cap, 0);
	codec_buf_fini(&packed);
	codec_buf_fini(&out);
	codec_state_free(s);
}

TEST(levels_and_names)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf a, b;
	struct prng p;
	int codec = -1;

	prng_seed(&p, 5);
	codec_buf_init(&a, 1 << 20);
	codec_buf_init(&b, 1 << 20);
	for (int c = CODEC_GZIP; c < CODECS; c++) {
		struct str in = some_text(&p, 2000);

		EXPECT_OK(codec_compress(s, c, 1, in, &a));
		EXPECT_OK(codec_compress(s, c, 9, in, &a));
		EXPECT_OK(codec_decompress(s, c, (struct str){ (char *)a.at, a.n }, &b));
		EXPECT_STR_EQ(((struct str){ (char *)b.at, b.n }), in);
	}
	EXPECT_EQ(codec_compress(s, 5, 1, STR("x"), &a), ERR_UNSUPPORTED);
	EXPECT(codec_parse(STR("zstd"), &codec));
	EXPECT_EQ(codec, CODEC_ZSTD);
	EXPECT(codec_parse(STR("uncompressed"), &codec));
	EXPECT_EQ(codec, CODEC_NONE);
	EXPECT(!codec_parse(STR("producer"), &codec));
	codec_buf_fini(&a);
	codec_buf_fini(&b);
	codec_state_free(s);
}
