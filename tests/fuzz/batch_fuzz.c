/* batch_fuzz.c - any bytes as record batches and compressed blocks.
 *
 * The first byte picks the topic's rules, the second what happens: bit 0 patches magic, length,
 * counts and checksum so that the rest of the checks is reached; from 200 on the bytes go to a
 * codec directly.  What passes validation must be a whole batch that passes again unchanged. */
#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/wire/codec.h"
#include "common/wire/validate.h"

#define NOW 1700000000000LL
#define IN_MAX 65536
#define OUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static struct validate_rules rules_of(uint8_t pick)
{
	return (struct validate_rules){ .is_compacted = pick & 1,
					.log_append_time = pick & 2,
					.zstd_allowed = true,
					.crc_only = pick & 4,
					.codec = (int8_t)(pick >> 3 & 7) < CODECS
							 ? (int8_t)(pick >> 3 & 7)
							 : -1,
					.codec_level = CODEC_LEVEL_DEFAULT,
					.message_bytes_max = OUT_MAX,
					.before_max_ms = INT64_MAX,
					.after_max_ms = pick & 64 ? 3600000 : INT64_MAX };
}

static void unpack(uint8_t pick, struct str in)
{
	struct codec_state *s = codec_state_new();
	struct codec_buf out;
	enum err e;

	codec_buf_init(&out, OUT_MAX);
	e = codec_decompress(s, pick % CODECS, in, &out);
	ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_LIMIT);
	ASSERT(out.n <= out.max && out.cap <= out.max);
	codec_buf_fini(&out);
	codec_state_free(s);
}

/* Everything a reader of logs does, on bytes that nobody checked. */
static void walk(const uint8_t *at, size_t n)
{
	struct batch b;
	struct record_walk w;
	struct record r;
	size_t sum = 0;

	if (batch_view(&b, at, (int64_t)n) != BATCH_OK || b.size > (int64_t)n)
		return;
	(void)batch_crc_ok(&b);
	ASSERT(batch_last_offset(&b) >= b.base_offset);
	record_walk_init(&w, &b, at + BATCH_HEADER_BYTES, (size_t)b.size - BATCH_HEADER_BYTES);
	while (record_walk_next(&w, &r)) {
		struct header_walk h;
		struct str key, value;

		header_walk_init(&h, &r);
		while (header_walk_next(&h, &key, &value))
			sum += key.n + value.n;
		sum += r.key.n + r.value.n;
	}
	ASSERT(sum <= n);
}

static void patch(uint8_t *at, size_t n)
{
	uint32_t n_records = load_be32(at + 57);

	store_be64(at, 0);
	store_be32(at + 8, (uint32_t)n - BATCH_OVERHEAD);
	at[16] = 2;
	store_be16(at + 21, load_be16(at + 21) & (BATCH_CODEC_MASK | BATCH_TRANSACTIONAL));
	store_be32(at + 23, n_records - 1);
	store_be32(at + 17, crc32c(0, at + 21, n - 21));
}

static void validate(uint8_t pick, const uint8_t *at, size_t n)
{
	static uint8_t whole[5 * OUT_MAX];
	struct validator *v = validator_new(OUT_MAX);
	struct validate_rules rules = rules_of(pick);
	struct validate_result out, again;
	struct batch b;

	validate_batch(v, &rules, (struct str){ (const char *)at, n }, NOW, &out);
	ASSERT((out.kerr == KERR_NONE) == (out.text[0] == 0));
	if (out.kerr == KERR_NONE) {
		size_t size = (size_t)out.batch.size;

		ASSERT(size <= sizeof(whole));
		memcpy(whole, out.header, BATCH_HEADER_BYTES);
		memcpy(whole + BATCH_HEADER_BYTES, out.body, size - BATCH_HEADER_BYTES);
		ASSERT(batch_view(&b, whole, (int64_t)size) == BATCH_OK);
		ASSERT(b.size == (int64_t)size && batch_crc_ok(&b));
		rules.log_append_time = false;
		if (b.attributes & BATCH_LOG_APPEND_TIME)
			goto out; /* a producer must not say so */
		validate_batch(v, &rules, (struct str){ (const char *)whole, size }, NOW, &again);
		ASSERT(again.kerr == KERR_NONE && !again.is_rebuilt && !again.is_header_new);
	}
out:
	validator_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	static uint8_t copy[IN_MAX];

	if (n < 2 || n - 2 > sizeof(copy))
		return 0;
	if (at[1] >= 200) {
		unpack(at[0], (struct str){ (const char *)at + 2, n - 2 });
		return 0;
	}
	memcpy(copy, at + 2, n - 2);
	if ((at[1] & 1) && n - 2 >= BATCH_HEADER_BYTES)
		patch(copy, n - 2);
	walk(copy, n - 2);
	validate(at[0], copy, n - 2);
	return 0;
}
