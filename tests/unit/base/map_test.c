#include "common/base/map.h"

#include "common/base/prng.h"
#include "tests/lib/test.h"

#define KEYS 64

static int values[KEYS];

TEST(map_does_what_an_array_does)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		void *model[KEYS] = { NULL };
		struct prng p;
		struct map m;
		uint32_t n = 0;

		prng_seed(&p, seed);
		map_init(&m, seed);
		for (int step = 0; step < 400; step++) {
			uint64_t key = prng_below(&p, KEYS);
			void *value = &values[prng_below(&p, KEYS)];

			if (prng_chance(&p, 1, 2)) {
				map_put(&m, key, value);
				n += model[key] == NULL;
				model[key] = value;
			} else {
				EXPECT(map_remove(&m, key) == model[key]);
				n -= model[key] != NULL;
				model[key] = NULL;
			}
			EXPECT_EQ(m.n, n);
			for (uint64_t k = 0; k < KEYS; k++)
				if (map_find(&m, k) != model[k])
					FAIL("seed %d, step %d", (int)seed, step);
		}
		map_fini(&m);
	}
}

TEST(iteration_meets_every_entry_once_and_depends_on_the_seed_only)
{
	struct map a, b;
	uint64_t sum = 0;
	uint32_t n = 0;

	map_init(&a, 7);
	map_init(&b, 7);
	for (uint64_t k = 0; k < 1000; k++) {
		map_put(&a, k * k, &values[0]);
		map_put(&b, k * k, &values[1]);
	}
	MAP_FOR (slot, &a) {
		EXPECT_EQ(b.v[slot - a.v].key, slot->key);
		sum += slot->key;
		n++;
	}
	EXPECT_EQ(n, 1000);
	EXPECT_EQ(sum, 332833500);
	map_fini(&a);
	map_fini(&b);
}

TEST(strmap_does_what_an_array_does)
{
	static const char *const names[] = { "",          "a",        "b", "orders",
					     "orders-1",  "orders-2", "x", "12345678",
					     "123456789", "a b",      "é", "zz" };
	enum { N = ARRAY_LEN(names) };

	for (uint64_t seed = 1; seed <= 50; seed++) {
		void *model[N] = { NULL };
		struct strmap m;
		struct prng p;

		prng_seed(&p, seed);
		strmap_init(&m, seed);
		for (int step = 0; step < 200; step++) {
			size_t i = prng_below(&p, N);

			if (prng_chance(&p, 1, 2)) {
				model[i] = &values[prng_below(&p, KEYS)];
				strmap_put(&m, str_of(names[i]), model[i]);
			} else {
				EXPECT(strmap_remove(&m, str_of(names[i])) == model[i]);
				model[i] = NULL;
			}
			for (size_t k = 0; k < N; k++)
				EXPECT(strmap_find(&m, str_of(names[k])) == model[k]);
		}
		strmap_fini(&m);
	}
}

TEST(strmap_compares_bytes_not_addresses)
{
	char text[] = "orders orders";
	struct strmap m;

	strmap_init(&m, 1);
	strmap_put(&m, (struct str){ text, 6 }, &values[3]);
	EXPECT(strmap_find(&m, (struct str){ text + 7, 6 }) == &values[3]);
	EXPECT(strmap_find(&m, (struct str){ text + 7, 5 }) == NULL);
	STRMAP_FOR (slot, &m)
		EXPECT_STR(slot->key, "orders");
	strmap_fini(&m);
}
