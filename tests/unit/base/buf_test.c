#include "common/base/buf.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/prng.h"
#include "tests/lib/test.h"

TEST(gives_what_was_asked_and_wastes_a_quarter_at_most)
{
	struct bufpool *p = bufpool_new(1 << 20);

	for (size_t cap = 0; cap < 3000000; cap += cap / 7 + 1) {
		struct buf *b = buf_new(p, cap);

		EXPECT(b->cap >= cap);
		EXPECT(b->cap <= size_max(cap + cap / 4, 512));
		EXPECT_EQ(b->len, 0);
		memset(b->at, 1, b->cap);
		EXPECT_EQ(bufpool_live_bytes(p), b->cap);
		buf_put(b);
	}
	EXPECT_EQ(bufpool_live_bytes(p), 0);
	bufpool_free(p);
}

TEST(the_largest_frame_has_a_class)
{
	struct bufpool *p = bufpool_new(0);
	struct buf *b = buf_new(p, 128u << 20);

	EXPECT_EQ(b->cap, 128u << 20);
	buf_put(b);
	bufpool_free(p);
}

TEST(a_steady_state_allocates_nothing)
{
	struct bufpool *p = bufpool_new(1 << 20);
	uint64_t before = 0;

	for (int i = 0; i < 100; i++) {
		struct buf *a = buf_new(p, 70000), *b = buf_new(p, 600);

		if (i == 1)
			before = mem_calls();
		buf_put(a);
		buf_put(b);
	}
	EXPECT_EQ(mem_calls(), before);
	bufpool_free(p);
}

/* Sizes that nobody asks for any more must not keep the pool from caching the new ones. */
TEST(a_full_pool_forgets_the_sizes_out_of_use)
{
	struct bufpool *p = bufpool_new(100000);
	uint64_t before;

	for (int i = 0; i < 10; i++)
		buf_put(buf_new(p, 40000 + (size_t)i * 5000));
	buf_put(buf_new(p, 30000));
	before = mem_calls();
	buf_put(buf_new(p, 30000));
	EXPECT_EQ(mem_calls(), before);
	bufpool_free(p);
}

TEST(the_last_reference_sends_it_home)
{
	struct bufpool *p = bufpool_new(1 << 20);
	struct buf *b = buf_new(p, 100);

	EXPECT(buf_get(b) == b);
	buf_put(b);
	EXPECT(bufpool_live_bytes(p) > 0);
	buf_put(b);
	EXPECT_EQ(bufpool_live_bytes(p), 0);
	buf_put(NULL);
	bufpool_free(p);
}

#define ROUNDS 20000

struct line {
	_Atomic(struct buf *) slot[16];
};

static void *other_thread(void *arg)
{
	struct line *line = arg;
	int taken = 0;

	while (taken < ROUNDS) {
		struct buf *b = atomic_exchange(&line->slot[taken % 16], NULL);

		if (!b)
			continue;
		EXPECT_EQ(b->at[0], (uint8_t)taken);
		taken++;
		buf_put(b);
	}
	return NULL;
}

TEST(returns_from_another_thread_are_used_again)
{
	struct bufpool *p = bufpool_new(1 << 20);
	uint64_t before = mem_calls();
	struct line line = { .slot = { NULL } };
	pthread_t thread;

	EXPECT_EQ(pthread_create(&thread, NULL, other_thread, &line), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct buf *b = buf_new(p, 1000);

		b->at[0] = (uint8_t)i;
		while (atomic_load(&line.slot[i % 16]))
			;
		atomic_store(&line.slot[i % 16], b);
	}
	pthread_join(thread, NULL);
	EXPECT(mem_calls() - before < 64);
	bufpool_free(p);
}
