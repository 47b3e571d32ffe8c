/* schema_fuzz.c - all messages of all apis against arbitrary bytes.
 *
 * The first byte picks the table row, the second the side and version; the rest is the message.
 * What decodes must encode to bytes that decode to the same message, and must print. */
#include "common/wire/header.h"
#include "common/wire/schema.h"
#include "kafka/apis.h"

enum { ARENA_BYTES = 8 << 20, TEXT_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);
static void check_header(const uint8_t *at, size_t n, struct bufpool *);
static void check_message(const struct schema *, int version, struct reader *, struct bufpool *);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	static struct bufpool *pool;
	const struct kafka_api *api;
	const struct schema *schema;
	struct reader r;

	if (!pool)
		pool = bufpool_new(1 << 20);
	if (n < 2)
		return 0;
	api = &kafka_apis[at[0] % KAFKA_APIS];
	schema = at[1] & 1 ? api->response : api->request;
	reader_init(&r, at + 2, n - 2);
	check_message(schema, api->min + (at[1] >> 1) % (api->max - api->min + 1), &r, pool);
	check_header(at, n, pool);
	return 0;
}

/* The whole input once more as a frame of the network: header first, then what it announces. */
static void check_header(const uint8_t *at, size_t n, struct bufpool *pool)
{
	struct request_header head;
	struct reader r;

	reader_init(&r, at, n);
	if (request_header_decode(&r, &head) == ERR_OK)
		check_message(api_find(head.api_key)->request, head.api_version, &r, pool);
}

static void check_message(const struct schema *s, int version, struct reader *r,
			  struct bufpool *pool)
{
	static char room[TEXT_BYTES];
	struct arena arena;
	struct writer w;
	struct reader again;
	struct text text;
	struct buf *bytes;
	void *first, *second;
	enum err e;

	arena_init(&arena, ARENA_BYTES);
	first = arena_must(&arena, s->size);
	second = arena_must(&arena, s->size);
	if (schema_decode(s, version, r, &arena, first) == ERR_OK) {
		writer_init(&w, pool, 0);
		schema_encode(s, version, first, &w);
		bytes = writer_take(&w);
		ASSERT(bytes);
		reader_init(&again, bytes->at, bytes->len);
		e = schema_decode(s, version, &again, &arena, second);
		ASSERT(e == ERR_LIMIT || (e == ERR_OK && schema_equal(s, version, first, second)));
		text_init(&text, room, sizeof(room));
		schema_print(s, version, first, &text);
		buf_put(bytes);
		writer_fini(&w);
	}
	arena_fini(&arena);
}
