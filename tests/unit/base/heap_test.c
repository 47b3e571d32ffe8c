#include "common/base/heap.h"

#include "common/base/list.h"
#include "common/base/prng.h"
#include "tests/lib/test.h"

#define N 300

TEST(leaves_in_order_of_key_and_then_of_arrival)
{
	struct heap_node nodes[N];
	struct heap h;
	struct prng p;

	prng_seed(&p, 1);
	heap_init(&h);
	for (int i = 0; i < N; i++) {
		heap_node_init(&nodes[i]);
		heap_push(&h, &nodes[i], (int64_t)prng_below(&p, 20) - 10);
	}
	for (struct heap_node *last = NULL, *n; (n = heap_top(&h)); last = n) {
		heap_remove(&h, n);
		EXPECT(!heap_has(n));
		EXPECT(!last || last->key < n->key || (last->key == n->key && last < n));
	}
	heap_fini(&h);
}

TEST(any_node_may_be_removed_at_any_time)
{
	struct heap_node nodes[N];
	struct heap h;
	struct prng p;

	prng_seed(&p, 2);
	heap_init(&h);
	for (int i = 0; i < N; i++)
		heap_node_init(&nodes[i]);
	for (int step = 0; step < 5000; step++) {
		struct heap_node *n = &nodes[prng_below(&p, N)], *top;
		int64_t min = INT64_MAX;

		if (heap_has(n))
			heap_remove(&h, n);
		else
			heap_push(&h, n, (int64_t)prng_below(&p, 1000));
		for (int i = 0; i < N; i++)
			if (heap_has(&nodes[i]))
				min = i64_min(min, nodes[i].key);
		top = heap_top(&h);
		EXPECT_EQ(top ? top->key : INT64_MAX, min);
	}
	heap_fini(&h);
}

struct item {
	int value;
	struct list link;
};

TEST(lists_keep_their_order_and_allow_removal_while_walking)
{
	struct item items[4] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } };
	struct list l;
	int seen = 0;

	list_init(&l);
	EXPECT(LIST_FIRST(&l, struct item, link) == NULL);
	for (int i = 1; i < 4; i++)
		list_push_back(&l, &items[i].link);
	list_push_front(&l, &items[0].link);
	LIST_FOR (it, &l, struct item, link) {
		EXPECT_EQ(it->value, seen++);
		list_remove(&it->link);
		list_remove(&it->link);
	}
	EXPECT_EQ(seen, 4);
	EXPECT(list_empty(&l));
}
