#include "common/base/arena.h"

#include "tests/lib/test.h"

TEST(memory_is_zeroed_and_aligned)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t n = 0; n < 3000; n += 37) {
		uint8_t *p = arena_alloc(&a, n);

		EXPECT_EQ((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			EXPECT_EQ(p[i], 0);
		memset(p, 0xff, n);
	}
	arena_fini(&a);
}

TEST(the_maximum_is_refused_not_passed)
{
	struct arena a;

	arena_init(&a, 1000);
	EXPECT(arena_alloc(&a, 600) != NULL);
	EXPECT(arena_alloc(&a, 600) == NULL);
	EXPECT(arena_alloc(&a, SIZE_MAX) == NULL);
	EXPECT(arena_alloc(&a, 300) != NULL);
	arena_reset(&a);
	EXPECT(arena_alloc(&a, 1000) != NULL);
	EXPECT(arena_alloc(&a, 1) == NULL);
	arena_fini(&a);
}

TEST(equal_requests_reach_the_heap_only_at_first)
{
	uint64_t before = 0;
	struct arena a;

	arena_init(&a, 1 << 20);
	for (int request = 0; request < 50; request++) {
		if (request == 2)
			before = mem_calls();
		for (int i = 0; i < 100; i++)
			arena_must(&a, 1000);
		arena_reset(&a);
		EXPECT_EQ(a.used_bytes, 0);
	}
	EXPECT_EQ(mem_calls(), before);
	arena_fini(&a);
}

TEST(text_is_copied)
{
	char source[] = "orders";
	struct arena a;
	struct str s;

	arena_init(&a, 1 << 16);
	s = arena_str(&a, str_of(source));
	source[0] = 'x';
	EXPECT_STR(s, "orders");
	EXPECT(str_null(arena_str(&a, (struct str){ 0 })));
	EXPECT(!str_null(arena_str(&a, STR(""))));
	EXPECT_STR(arena_printf(&a, "%s-%d", "orders", 7), "orders-7");
	arena_fini(&a);
}
