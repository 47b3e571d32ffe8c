/* compare_test.c - replicas are the same exactly when every byte below the bound is. */
#include "controller/cli/compare.h"
#include "common/wire/batch.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <sys/stat.h>

#define BATCH_CAP 512

struct fixture {
	struct cli cli;
	const char *dirs[2];
};

static void set_up(struct fixture *f)
{
	const char *root = test_tmpdir();

	*f = (struct fixture){ 0 };
	arena_init(&f->cli.mem, 1 << 20);
	for (int i = 0; i < 2; i++) {
		f->dirs[i] = arena_printf(&f->cli.mem, "%s/%d", root, i).at;
		EXPECT_EQ(mkdir(f->dirs[i], 0700), 0);
	}
}

static void tear_down(struct fixture *f)
{
	arena_fini(&f->cli.mem);
}

/* One batch of one record at the end of a segment. */
static void append(struct fixture *f, int replica, int64_t segment, int64_t offset,
		   const char *value)
{
	const char *path =
		arena_printf(&f->cli.mem, "%s/%020lld.log", f->dirs[replica], (long long)segment)
			.at;
	uint8_t bytes[BATCH_CAP];
	struct batch_builder b;
	FILE *file = fopen(path, "a");
	size_t n;

	batch_builder_init(&b, bytes, sizeof(bytes));
	b.head.base_offset = offset;
	b.head.producer_id = -1;
	batch_builder_add(&b, &(struct record){ .value = str_of(value) });
	n = batch_builder_finish(&b);
	EXPECT(n > 0 && file);
	EXPECT_EQ(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

static struct compare_result compare(struct fixture *f, int64_t bound)
{
	struct compare_result r;

	EXPECT_OK(compare_replicas(&f->cli, f->dirs, 2, bound, &r));
	return r;
}

TEST(equal_replicas_with_different_segments)
{
	struct fixture f;
	struct compare_result r;

	set_up(&f);
	append(&f, 0, 0, 0, "a");
	append(&f, 0, 0, 1, "b");
	append(&f, 1, 0, 0, "a");
	append(&f, 1, 1, 1, "b");
	r = compare(&f, 2);
	EXPECT(r.same);
	EXPECT_EQ(r.batches, 2);
	EXPECT_EQ(r.to, 2);
	tear_down(&f);
}

TEST(a_byte_below_the_bound_differs)
{
	struct fixture f;
	struct compare_result r;

	set_up(&f);
	append(&f, 0, 0, 0, "a");
	append(&f, 1, 0, 0, "b");
	r = compare(&f, 1);
	EXPECT(!r.same);
	EXPECT(strstr(r.why, "differs"));
	tear_down(&f);
}

TEST(what_lies_above_the_bound_may_differ)
{
	struct fixture f;

	set_up(&f);
	append(&f, 0, 0, 0, "a");
	append(&f, 1, 0, 0, "a");
	append(&f, 0, 0, 1, "never committed");
	append(&f, 1, 0, 1, "something else");
	EXPECT(compare(&f, 1).same);
	EXPECT(!compare(&f, 2).same);
	tear_down(&f);
}

TEST(a_replica_that_lacks_a_committed_batch)
{
	struct fixture f;

	set_up(&f);
	append(&f, 0, 0, 0, "a");
	append(&f, 0, 0, 1, "b");
	append(&f, 1, 0, 0, "a");
	EXPECT(!compare(&f, 2).same);
	EXPECT(compare(&f, 1).same);
	tear_down(&f);
}

TEST(replicas_that_begin_at_different_offsets)
{
	struct fixture f;
	struct compare_result r;

	set_up(&f);
	append(&f, 0, 0, 0, "gone elsewhere");
	append(&f, 0, 1, 1, "b");
	append(&f, 1, 1, 1, "b");
	r = compare(&f, 2);
	EXPECT(r.same);
	EXPECT_EQ(r.from, 1);
	tear_down(&f);
}

TEST(an_empty_replica_lacks_everything)
{
	struct fixture f;

	set_up(&f);
	append(&f, 1, 0, 0, "a");
	EXPECT(!compare(&f, 1).same);
	EXPECT(compare(&f, 0).same);
	tear_down(&f);
}
