/* Index lookups against a linear scan, in the file and in the tail. */
#include "broker/log/index.h"
#include "common/base/prng.h"
#include "tests/lib/fakefiles.h"
#include "tests/lib/test.h"

enum { ENTRIES = 3000, BASE = 1000 };

struct fixture {
	struct fakefs fs;
	struct prng prng;
	struct index ix;
	struct index_tail tail;
	struct index_entry v[ENTRIES];
	int32_t n;
};

static void init(struct fixture *f, enum index_kind kind, uint64_t seed)
{
	*f = (struct fixture){ 0 };
	fakefs_init(&f->fs, seed);
	prng_seed(&f->prng, seed);
	index_init(&f->ix, kind, BASE);
	f->ix.tail = &f->tail;
	EXPECT_OK(index_open(&f->ix, &f->fs.env, "/x", true));
}

static void fini(struct fixture *f)
{
	index_close(&f->ix);
	fakefs_fini(&f->fs);
}

/* Mostly even steps, now and then a leap: what guessing gets wrong. */
static void add(struct fixture *f, int64_t leap)
{
	struct index_entry e = { BASE, 0 };

	if (f->n > 0)
		e = f->v[f->n - 1];
	e.offset += 1 + (int64_t)prng_below(&f->prng, 50);
	e.value += 1 + (int64_t)prng_below(&f->prng, 100);
	if (prng_chance(&f->prng, 1, 100))
		e.value += (int64_t)prng_below(&f->prng, (uint64_t)leap);
	if (index_tail_full(&f->ix))
		EXPECT_OK(index_write_tail(&f->ix));
	index_add(&f->ix, &e);
	f->v[f->n++] = e;
}

static void expect_floor(struct fixture *f, enum index_field by, int64_t key)
{
	struct index_entry got;
	int32_t at, want = -1;

	for (int32_t i = 0; i < f->n; i++)
		if ((by == INDEX_BY_OFFSET ? f->v[i].offset : f->v[i].value) <= key)
			want = i;
	EXPECT_OK(index_floor(&f->ix, by, key, &got, &at));
	if (EXPECT_EQ(at, want) && want >= 0)
		EXPECT(got.offset == f->v[want].offset && got.value == f->v[want].value);
}

TEST(floor_is_that_of_a_linear_scan)
{
	for (uint64_t seed = 1; seed <= 40 && !test_failed(); seed++) {
		struct fixture *f = mem_alloc(sizeof(*f));
		bool time = seed % 2;

		init(f, time ? INDEX_TIME : INDEX_OFFSET, seed);
		for (int i = 0, n = (int)prng_below(&f->prng, ENTRIES); i < n; i++)
			add(f, time ? INT64_C(1) << 50 : 1 << 19);
		for (int i = 0; i < 300 && !test_failed(); i++) {
			int64_t of = f->n > 0 ? (int64_t)prng_below(&f->prng, (uint64_t)f->n) : 0;
			int64_t slack = (int64_t)prng_below(&f->prng, 7) - 3;

			expect_floor(f, INDEX_BY_OFFSET, f->v[of].offset + slack);
			expect_floor(f, INDEX_BY_VALUE, f->v[of].value + slack);
			expect_floor(f, INDEX_BY_VALUE, (int64_t)prng_u64(&f->prng));
		}
		expect_floor(f, INDEX_BY_OFFSET, INT64_MAX);
		expect_floor(f, INDEX_BY_VALUE, INT64_MIN);
		fini(f);
		mem_free(f);
	}
}

TEST(a_search_in_a_large_file_costs_a_few_reads)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct index_entry got;
	int64_t reads;
	int32_t at;

	init(f, INDEX_OFFSET, 7);
	for (int i = 0; i < ENTRIES; i++)
		add(f, 1);
	EXPECT_OK(index_write_tail(&f->ix));
	reads = f->fs.reads;
	for (int i = 0; i < ENTRIES; i += 256) /* as a reader of large spans goes through */
		EXPECT_OK(index_floor(&f->ix, INDEX_BY_VALUE, f->v[i].value, &got, &at));
	EXPECT(f->fs.reads - reads <= 3 * (ENTRIES / 256 + 1));
	fini(f);
	mem_free(f);
}

TEST(keeping_a_prefix_forgets_file_and_tail)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	init(f, INDEX_TIME, 8);
	for (int i = 0; i < 200; i++)
		add(f, 1000);
	EXPECT(f->ix.n_file > 0 && f->tail.n > 0);
	for (int32_t n = 200; n >= 0; n -= 13) {
		EXPECT_OK(index_keep(&f->ix, n));
		f->n = n;
		EXPECT_EQ(index_count(&f->ix), n);
		expect_floor(f, INDEX_BY_VALUE, INT64_MAX);
	}
	fini(f);
	mem_free(f);
}

/* No order, no promise; but it ends, and within the file. */
TEST(garbage_is_searched_without_harm)
{
	uint8_t junk[12 * 500];
	struct fixture *f = mem_alloc(sizeof(*f));
	bool sane;

	init(f, INDEX_TIME, 9);
	index_close(&f->ix);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (uint8_t)prng_u64(&f->prng);
		fakefs_put(&f->fs, "/x", junk, (int64_t)(sizeof(junk) - prng_below(&f->prng, 30)));
		EXPECT_OK(index_open(&f->ix, &f->fs.env, "/x", false));
		for (int i = 0; i < 50; i++) {
			struct index_entry got;
			int32_t at;

			EXPECT_OK(index_floor(&f->ix, i % 2 ? INDEX_BY_VALUE : INDEX_BY_OFFSET,
					      (int64_t)prng_u64(&f->prng), &got, &at));
			EXPECT(at >= -1 && at < 500);
		}
		EXPECT_OK(index_sane(&f->ix, INT64_MAX, &sane));
		EXPECT(!sane);
		index_close(&f->ix);
	}
	fini(f);
	mem_free(f);
}
