/* validate_bench.c - what it costs to look into a producer's batch: ns per record and per byte of
 * records, by codec and value size, with record.validation=records and =crc. */
#include "common/wire/codec.h"
#include "common/wire/validate.h"

#include <stdio.h>
#include <time.h>

#define NOW 1700000000000LL
#define BYTES 16000
#define TURNS 2000

static uint8_t bytes[2 * BYTES];

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Returns the number of records; *size is the batch's after compression. */
static int make_batch(size_t value, int codec, size_t *size)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf packed;
	struct batch_builder w;
	char text[1024];
	int n = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + (i * 7919 >> 3) % 26);
	batch_builder_init(&w, bytes, sizeof(bytes));
	while (w.n < BYTES)
		ASSERT(batch_builder_add(&w, &(struct record){ .timestamp_ms = NOW + n++,
							       .key = STR("key12345"),
							       .value = { text, value } }));
	*size = batch_builder_finish(&w);
	codec_buf_init(&packed, 1 << 20);
	ASSERT(codec_compress(s, codec, CODEC_LEVEL_DEFAULT,
			      (struct str){ (char *)bytes + BATCH_HEADER_BYTES,
					    *size - BATCH_HEADER_BYTES },
			      &packed) == ERR_OK);
	memcpy(bytes + BATCH_HEADER_BYTES, packed.at, packed.n);
	w.head.attributes = (uint16_t)codec;
	batch_seal(bytes, &w.head, packed.at, packed.n);
	*size = packed.n + BATCH_HEADER_BYTES;
	codec_buf_fini(&packed);
	codec_state_free(s);
	return n;
}

static double batch_ns(struct validator *v, bool crc_only, size_t size)
{
	struct validate_rules rules = { .zstd_allowed = true,
					.crc_only = crc_only,
					.codec = -1,
					.message_bytes_max = 1 << 20,
					.before_max_ms = INT64_MAX,
					.after_max_ms = 3600000 };
	struct validate_result out;
	int64_t best = INT64_MAX;

	for (int round = 0; round < 7; round++) {
		int64_t from = now_ns();

		for (int i = 0; i < TURNS; i++) {
			validate_batch(v, &rules, (struct str){ (char *)bytes, size }, NOW, &out);
			ASSERT(out.kerr == KERR_NONE);
		}
		best = i64_min(best, now_ns() - from);
	}
	return (double)best / TURNS;
}

int main(void)
{
	static const size_t values[] = { 10, 100, 1000 };
	struct validator *v = validator_new(1 << 20);

	printf("value  codec   records  records: ns/record  ns/byte   crc: ns/record  ns/byte\n");
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		for (int codec = 0; codec < CODECS; codec++) {
			size_t size;
			int n = make_batch(values[i], codec, &size);
			double all = batch_ns(v, false, size), crc = batch_ns(v, true, size);

			printf("%5zu  %-6s  %7d  %18.1f  %7.3f  %15.1f  %7.3f\n", values[i],
			       codec_name(codec), n, all / n, all / BYTES, crc / n, crc / BYTES);
		}
	validator_free(v);
	return 0;
}
