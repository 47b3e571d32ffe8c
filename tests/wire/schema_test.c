/* Every (api, version, side) of the wire: random round trips, cuts at every byte, bit flips. */
#include "common/wire/header.h"
#include "common/wire/schema.h"
#include "kafka/apis.h"
#include "tests/lib/test.h"

enum { ROUNDS = 24, FLIPS = 200, ARENA_BYTES = 1 << 24, TEXT_BYTES = 1 << 17 };

struct bench {
	struct bufpool *pool;
	struct arena arena;
	struct prng prng;
	const struct schema *schema;
	int version;
};
typedef void check_fn(struct bench *);

static void each_message(check_fn *);
static void *random_message(struct bench *);
static struct buf *encode(struct bench *, const void *message);
static enum err decode(struct bench *, const void *at, size_t n, void **message);

static void round_trip(struct bench *b)
{
	for (int i = 0; i < ROUNDS && !test_failed(); i++) {
		void *sent = random_message(b), *got;
		struct buf *bytes = encode(b, sent), *again;

		EXPECT_OK(decode(b, bytes->at, bytes->len, &got));
		EXPECT(schema_equal(b->schema, b->version, sent, got));
		again = encode(b, got);
		EXPECT_EQ(again->len, bytes->len);
		EXPECT_MEM(again->at, bytes->at, bytes->len);
		buf_put(bytes);
		buf_put(again);
		arena_reset(&b->arena);
	}
}

TEST(every_message_comes_back_as_it_was_sent)
{
	each_message(round_trip);
}

/* The bytes lie at the end of an exact heap block, so that ASan sees a read past them. */
static enum err decode_exact(struct bench *b, const uint8_t *at, size_t n)
{
	uint8_t *exact = mem_alloc(size_max(n, 1));
	void *got;
	enum err e;

	memcpy(exact, at, n);
	e = decode(b, exact, n, &got);
	mem_free(exact);
	return e;
}

static void cut_everywhere(struct bench *b)
{
	struct buf *bytes = encode(b, random_message(b));

	for (uint32_t n = 0; n < bytes->len && !test_failed(); n++)
		EXPECT_EQ(decode_exact(b, bytes->at, n), ERR_CORRUPT);
	buf_put(bytes);
}

TEST(a_message_cut_anywhere_is_refused)
{
	each_message(cut_everywhere);
}

/* A flipped bit may still be a message; whatever is accepted can be encoded and printed. */
static void flip_bits(struct bench *b)
{
	struct buf *bytes = encode(b, random_message(b));
	char *room = mem_alloc(TEXT_BYTES);

	for (int i = 0; i < FLIPS && bytes->len > 0; i++) {
		uint8_t *at = &bytes->at[prng_below(&b->prng, bytes->len)];
		uint8_t was = *at;
		struct text text;
		void *got;

		*at ^= (uint8_t)(1u << prng_below(&b->prng, 8));
		if (decode(b, bytes->at, bytes->len, &got) == ERR_OK) {
			buf_put(encode(b, got));
			text_init(&text, room, TEXT_BYTES);
			schema_print(b->schema, b->version, got, &text);
			EXPECT(schema_equal(b->schema, b->version, got, got));
		}
		*at = was;
	}
	mem_free(room);
	buf_put(bytes);
}

TEST(flipped_bits_do_no_harm)
{
	each_message(flip_bits);
}

static void defaults(struct bench *b)
{
	void *a = arena_must(&b->arena, b->schema->size), *got;
	struct buf *bytes;

	schema_init(b->schema, a);
	bytes = encode(b, a);
	EXPECT_OK(decode(b, bytes->at, bytes->len, &got));
	EXPECT(schema_equal(b->schema, b->version, a, got));
	EXPECT(bytes->len >= b->schema->wire_min);
	buf_put(bytes);
}

TEST(a_message_of_defaults_is_the_smallest)
{
	each_message(defaults);
}

static void each_message(check_fn *check)
{
	struct bench b = { .pool = bufpool_new(1 << 20) };

	for (int i = 0; i < 2 * KAFKA_APIS; i++) {
		const struct kafka_api *api = &kafka_apis[i / 2];

		b.schema = i % 2 ? api->response : api->request;
		for (b.version = api->min; b.version <= api->max; b.version++) {
			bool was_failed = test_failed();

			prng_seed(&b.prng, (uint64_t)api->key * 1000 + (uint64_t)b.version);
			arena_init(&b.arena, ARENA_BYTES);
			check(&b);
			arena_fini(&b.arena);
			if (test_failed() && !was_failed)
				FAIL("%s version %d", b.schema->name, b.version);
		}
	}
	bufpool_free(b.pool);
}

static void *random_message(struct bench *b)
{
	void *message = arena_must(&b->arena, b->schema->size);

	schema_random(b->schema, b->version, message, &b->prng, &b->arena);
	return message;
}

static struct buf *encode(struct bench *b, const void *message)
{
	struct writer w;
	struct buf *bytes;

	writer_init(&w, b->pool, 0);
	schema_encode(b->schema, b->version, message, &w);
	bytes = writer_take(&w);
	writer_fini(&w);
	ASSERT(bytes);
	return bytes;
}

static enum err decode(struct bench *b, const void *at, size_t n, void **message)
{
	struct reader r;

	reader_init(&r, at, n);
	*message = arena_must(&b->arena, b->schema->size);
	return schema_decode(b->schema, b->version, &r, &b->arena, *message);
}
