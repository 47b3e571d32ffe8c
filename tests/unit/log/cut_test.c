/* What is beside a log (offset and time indexes) is cut with it, and what lies behind a bound is
 * never given, wherever segments end. */
#include "broker/log/log.h"
#include "tests/lib/test.h"
#include "tests/unit/log/logkit.h"

static void kit_open_small(struct kit *k, uint64_t seed)
{
	kit_init(k, seed);
	k->o.config.segment_bytes = 700;
	k->o.config.index_interval_bytes = 1; /* every batch */
	EXPECT_OK(kit_open(k));
}

static void append(struct kit *k, int n)
{
	while (n-- > 0)
		EXPECT_OK(kit_append(k, 1));
}

/* By the definition: the first record at or after the time. */
static int64_t first_at(const struct kit *k, int64_t time_ms)
{
	for (int b = 0; b < k->n; b++)
		for (int r = 0; r < k->v[b].view.n_records; r++)
			if (k->v[b].view.base_timestamp_ms + r >= time_ms)
				return k->v[b].view.base_offset + r;
	return -1;
}

static void check_times(struct kit *k)
{
	struct log_time found;

	for (int64_t t = 999990; t < k->now_ms + 20; t += 7) {
		EXPECT_OK(log_find_time(k->l, t, k->end, &found));
		EXPECT_EQ(found.offset, first_at(k, t));
	}
}

/* Redpanda 29849: cut at every offset, go on, and no index knows of what was cut. */
TEST(indexes_are_cut_with_the_log)
{
	for (int64_t cut = 0; cut < 60 && !test_failed(); cut++) {
		struct kit k;

		kit_open_small(&k, 3);
		append(&k, 20);
		if (cut <= k.end) {
			EXPECT_OK(log_truncate(k.l, cut));
			kit_forget_from(&k, cut);
		}
		check_times(&k);
		k.epoch++;
		append(&k, 6);
		kit_check(&k, 30);
		check_times(&k);
		if (cut % 2)
			kit_crash(&k);
		else
			kit_close(&k);
		EXPECT_OK(kit_open(&k));
		kit_check(&k, 30);
		check_times(&k);
		kit_close(&k);
		kit_check_files(&k);
		EXPECT_OK(kit_open(&k));
		if (test_failed())
			FAIL("cut at %lld", (long long)cut);
		kit_fini(&k);
	}
}

/* KAFKA-9196, KAFKA-3159: the bound (a high watermark) at every offset, so also exactly where a
 * segment ends: all whole batches before it are given, and not one that ends behind it. */
TEST(reads_end_at_their_bound_wherever_segments_end)
{
	struct kit k;

	kit_open_small(&k, 4);
	append(&k, 25);
	for (int64_t bound = 0; bound <= k.end && !test_failed(); bound++) {
		int64_t at = 0, want = 0;

		for (int b = 0; b < k.n && batch_last_offset(&k.v[b].view) < bound; b++)
			want = batch_last_offset(&k.v[b].view) + 1;
		while (at < bound) {
			struct log_read out;

			EXPECT_OK(log_read(k.l, at, bound, INT64_MAX, true, &out));
			file_put(out.file);
			if (out.n == 0)
				break;
			EXPECT(out.next_offset > at && out.next_offset <= bound);
			at = out.next_offset;
		}
		EXPECT_EQ(at, want);
	}
	kit_fini(&k);
}

/* KAFKA-5634: whatever the bound, retention leaves it in the log. */
TEST(retention_never_passes_its_bound)
{
	for (int64_t bound = 0; bound <= 40 && !test_failed(); bound++) {
		int32_t n = 0;
		struct kit k;

		kit_open_small(&k, 5);
		k.o.config.retention_ms = 1;
		log_set_config(k.l, &k.o.config);
		append(&k, 25);
		if (bound <= k.end) {
			EXPECT_OK(log_retain(k.l, bound, k.now_ms + 1000000, &n));
			EXPECT(log_start(k.l) <= bound);
		}
		kit_fini(&k);
	}
}
