/* Appends, reads, rolls and truncations against a list of batches. */
#include "broker/log/log.h"
#include "tests/lib/test.h"
#include "tests/unit/log/logkit.h"

TEST(random_histories_read_as_the_model)
{
	for (uint64_t seed = 1; seed <= 60 && !test_failed(); seed++) {
		struct kit k;

		kit_init(&k, seed);
		k.o.config.segment_bytes = 500 + (int64_t)prng_below(&k.prng, 20000);
		k.o.config.index_interval_bytes = (int64_t)prng_below(&k.prng, 1000);
		EXPECT_OK(kit_open(&k));
		for (int step = 0; step < 60 && !test_failed(); step++) {
			uint64_t what = prng_below(&k.prng, 20);

			if (what == 0 && k.end > 0) {
				int64_t to = (int64_t)prng_below(&k.prng, (uint64_t)k.end);

				EXPECT_OK(log_truncate(k.l, to));
				kit_forget_from(&k, to);
			} else if (what == 1) {
				kit_close(&k);
				kit_check_files(&k);
				EXPECT_OK(kit_open(&k));
				EXPECT_EQ(k.rec.bytes_scanned, 0);
			} else if (what == 2) {
				kit_crash(&k);
				EXPECT_OK(kit_open(&k));
				EXPECT_EQ(k.rec.corrupt_offset, -1);
				EXPECT_EQ(k.rec.bytes_cut, 0);
			} else if (what == 3) {
				kit_flush(&k);
				EXPECT_EQ(log_recovery_point(k.l), k.end);
			} else {
				EXPECT_OK(kit_append(&k, 1 + (int)prng_below(&k.prng, 8)));
			}
			if (what < 4 || step % 8 == 0)
				kit_check(&k, 20);
		}
		kit_check(&k, 200);
		if (test_failed())
			FAIL("seed %llu", (unsigned long long)seed);
		kit_fini(&k);
	}
}

TEST(a_steady_state_allocates_nothing_and_tail_reads_do_no_io)
{
	uint64_t calls = 0;
	int64_t reads = 0;
	struct kit k;

	kit_init(&k, 1);
	k.o.config = (struct log_config){ .segment_bytes = 1 << 30,
					  .segment_ms = INT64_MAX,
					  .index_interval_bytes = 4096,
					  .segment_index_bytes = 10 << 20,
					  .retention_ms = -1,
					  .retention_bytes = -1 };
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 1));
	for (int i = 0; i < 600; i++) {
		struct log_batch in = { k.v[0].bytes, k.v[0].bytes + BATCH_HEADER_BYTES,
					k.v[0].view };
		uint8_t header[BATCH_HEADER_BYTES];
		struct log_appended out;
		struct log_read span;

		if (i ==
		    300) { /* the disk has grown its arrays by now, and the index files are open */
			calls = mem_calls();
			reads = k.fs.reads;
		}
		batch_stamp(header, k.v[0].bytes, log_end(k.l), 0);
		in.header = header;
		in.view.base_offset = log_end(k.l);
		k.fs.bytes_max = INT64_MAX;
		EXPECT_OK(log_append(k.l, &in, 1, 5, &out));
		EXPECT_OK(log_read(k.l, out.first_offset, INT64_MAX, 1 << 20, true, &span));
		EXPECT_EQ(span.n, in.view.size);
		EXPECT(!span.cold);
		file_put(span.file);
		EXPECT_OK(log_read(k.l, out.first_offset, out.first_offset, 1 << 20, true, &span));
		EXPECT_EQ(span.n, 0);
	}
	EXPECT_EQ(k.fs.reads, reads);
	EXPECT(mem_calls() - calls <= 1);
	kit_fini(&k);
}

TEST(a_large_read_costs_a_bounded_number_of_file_reads)
{
	struct log_read out;
	struct kit k;
	int64_t reads;

	kit_init(&k, 3);
	k.o.config.segment_bytes = 1 << 30;
	k.o.config.index_interval_bytes = 4096;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 400; i++)
		EXPECT_OK(kit_append(&k, 16));
	reads = k.fs.reads;
	EXPECT_OK(log_read(k.l, 5000, k.end - 2000, 500000, true, &out));
	EXPECT(out.n > 400000);
	EXPECT(k.fs.reads - reads < 20);
	file_put(out.file);
	reads = k.fs.reads;
	EXPECT_OK(log_read(k.l, out.next_offset, k.end, 1 << 30, true,
			   &out)); /* where the last one stopped, to the end */
	EXPECT(k.fs.reads - reads <= 1);
	EXPECT_EQ(out.next_offset, k.end);
	file_put(out.file);
	kit_fini(&k);
}

TEST(rolls_by_bytes_age_and_index_size)
{
	struct kit k;

	kit_init(&k, 4);
	k.o.config.segment_ms = 1000;
	k.o.config.segment_bytes = 300;
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append_one(&k, 0, 1, 100, 5000));
	EXPECT_OK(kit_append_one(&k, 1, 1, 50, 6000));  /* 1000 ms is not over 1000 ms */
	EXPECT_OK(kit_append_one(&k, 2, 1, 1, 6001));   /* age */
	EXPECT_OK(kit_append_one(&k, 3, 1, 900, 6001)); /* bytes, and larger than a segment */
	EXPECT_OK(kit_append_one(&k, 4, 1, 1, 6001));
	kit_check(&k, 50);
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.segments, 4);
	k.o.config.segment_bytes = 1 << 20;
	k.o.config.index_interval_bytes = 0;
	k.o.config.segment_index_bytes = 12 * 6; /* 5 time entries, one slot reserved */
	log_set_config(k.l, &k.o.config);
	for (int i = 0; i < 40; i++)
		EXPECT_OK(kit_append_one(&k, k.end, 1, 10, 6002));
	kit_check(&k, 50);
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT(k.rec.segments > 7);
	kit_check(&k, 50);
	kit_fini(&k);
}

/* Without timestamps a segment ages by the clock (and only when something is appended). */
TEST(rolls_by_the_clock_when_records_have_no_time)
{
	struct log_appended out;
	struct kit k;

	kit_init(&k, 5);
	k.o.config.segment_ms = 1000;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(kit_append_one(&k, i, 1, 10, -1));
		k.now_ms += 400;
	}
	EXPECT_EQ(log_end(k.l), 3);
	{
		uint8_t header[BATCH_HEADER_BYTES];
		struct log_batch in = { header, k.v[0].bytes + BATCH_HEADER_BYTES, k.v[0].view };

		batch_stamp(header, k.v[0].bytes, 3, 0);
		in.view.base_offset = 3;
		EXPECT_OK(log_append(k.l, &in, 1, k.now_ms, &out));
	}
	EXPECT(out.rolled);
	EXPECT_EQ(out.roll_offset, 3);
	kit_fini(&k);
}

TEST(offsets_far_from_the_base_roll)
{
	int64_t far = ((int64_t)1 << 31) + 5;
	struct log_batch in[2];
	struct log_appended out;
	struct kit k;

	kit_init(&k, 6);
	k.o.config.compacted = true; /* a follower of a compacted log meets holes */
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append_one(&k, 0, 1, 10, 1));
	EXPECT_OK(kit_append_one(&k, INT32_MAX, 1, 10, 2)); /* the largest relative offset */
	EXPECT_OK(kit_append_one(&k, far, 1, 10, 3));
	EXPECT_OK(kit_append_one(&k, far + 1, 3, 10, 4));
	for (int64_t offset = 0; offset < k.end; offset += 1 << 28)
		kit_check(&k, 20);
	/* Two batches that no segment can hold together. */
	in[0] = (struct log_batch){ k.v[0].bytes, k.v[0].bytes + BATCH_HEADER_BYTES, k.v[0].view };
	in[1] = in[0];
	in[0].view.base_offset = far + 10;
	in[1].view.base_offset = 3 * far;
	EXPECT_EQ(log_append(k.l, in, 2, 1, &out), ERR_LIMIT);
	EXPECT_EQ(log_append(k.l, in + 1, 1, 1, &out), ERR_OK);
	in[1].view.base_offset = 0;
	EXPECT_EQ(log_append(k.l, in + 1, 1, 1, &out), ERR_INVALID);
	EXPECT_OK(log_truncate(k.l, far + 4));
	kit_check(&k, 20);
	kit_crash(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.corrupt_offset, -1);
	kit_check(&k, 20);
	kit_fini(&k);
}

TEST(reads_outside_the_log_are_not_found)
{
	struct log_read out;
	struct kit k;

	kit_init(&k, 7);
	k.o.start_offset = 100;
	k.end = 100;
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(log_start(k.l), 100);
	EXPECT_EQ(log_end(k.l), 100);
	EXPECT_EQ(log_read(k.l, 99, INT64_MAX, 100, true, &out), ERR_NOT_FOUND);
	EXPECT_EQ(log_read(k.l, 101, INT64_MAX, 100, true, &out), ERR_NOT_FOUND);
	EXPECT_OK(log_read(k.l, 100, INT64_MAX, 100, true, &out));
	EXPECT_EQ(out.n, 0);
	EXPECT_OK(kit_append(&k, 4));
	kit_check(&k, 30);
	EXPECT_OK(log_advance_start(k.l, 102));
	EXPECT_EQ(log_read(k.l, 101, INT64_MAX, 100, true, &out), ERR_NOT_FOUND);
	EXPECT_EQ(log_advance_start(k.l, k.end + 1), ERR_NOT_FOUND);
	EXPECT_OK(log_restart(k.l, 5));
	kit_forget_from(&k, 0);
	k.end = 5;
	EXPECT_EQ(log_start(k.l), 5);
	EXPECT_OK(kit_append(&k, 4));
	kit_check(&k, 30);
	kit_fini(&k);
}

TEST(bytes_between_is_exact_for_the_tail_and_sane_elsewhere)
{
	struct kit k;

	kit_init(&k, 8);
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 30; i++)
		EXPECT_OK(kit_append(&k, 4));
	EXPECT_EQ(log_bytes_between(k.l, 0, k.end), log_bytes(k.l));
	EXPECT_EQ(log_bytes_between(k.l, k.end, k.end), 0);
	EXPECT_EQ(log_bytes_between(k.l, k.v[k.n - 1].view.base_offset, k.end),
		  k.v[k.n - 1].view.size);
	for (int i = 1; i < k.n; i++)
		EXPECT(log_bytes_between(k.l, k.v[i].view.base_offset, k.end) > 0);
	kit_fini(&k);
}

TEST(retention_deletes_a_prefix_and_never_past_the_bound)
{
	int32_t n;
	struct kit k;

	kit_init(&k, 9);
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 30; i++)
		EXPECT_OK(kit_append(&k, 4));
	k.o.config.retention_bytes = 9000;
	log_set_config(k.l, &k.o.config);
	EXPECT_OK(log_retain(k.l, 0, k.now_ms, &n));
	EXPECT_EQ(n, 0);
	EXPECT_OK(log_retain(k.l, k.end, k.now_ms, &n));
	EXPECT(n > 0);
	EXPECT(log_bytes(k.l) >= 9000 && log_bytes(k.l) < 9000 + 4000);
	EXPECT(log_start(k.l) > 0);
	kit_check(&k, 100);
	EXPECT_OK(log_advance_start(k.l, k.end - 1));
	EXPECT_OK(log_retain(k.l, k.end, k.now_ms, &n));
	EXPECT_EQ(log_start(k.l), k.end - 1);
	k.o.config.retention_ms = 100;
	k.o.config.retention_bytes = -1;
	log_set_config(k.l, &k.o.config);
	EXPECT_OK(log_retain(k.l, k.end, k.now_ms + 5000,
			     &n)); /* all of it: an empty segment remains */
	EXPECT_EQ(n, 1);
	EXPECT_EQ(log_start(k.l), k.end);
	EXPECT_EQ(log_bytes(k.l), 0);
	EXPECT_OK(log_retain(k.l, k.end, k.now_ms + 5000, &n));
	EXPECT_EQ(n, 0);
	EXPECT_OK(kit_append(&k, 4));
	kit_check(&k, 20);
	log_purge(k.l, k.now_ms + 6000);
	EXPECT(k.fs.names.n <= 6);
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	kit_check(&k, 20);
	kit_fini(&k);
}

TEST(retention_by_time_looks_at_the_newest_record_of_each_segment)
{
	int32_t n;
	struct kit k;

	kit_init(&k, 10);
	k.o.config.segment_bytes = 200;
	k.o.config.retention_ms = 1000;
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append_one(&k, 0, 1, 100, 9000));
	EXPECT_OK(kit_append_one(&k, 1, 1, 100, 5000));
	EXPECT_OK(kit_append_one(&k, 2, 1, 100, 9000));
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(log_retain(k.l, 3, 9500,
			     &n)); /* the first is young, so the old one behind it stays */
	EXPECT_EQ(n, 0);
	EXPECT_OK(log_retain(k.l, 2, 10500, &n));
	EXPECT_EQ(n, 2);
	EXPECT_EQ(log_start(k.l), 2);
	EXPECT_OK(log_retain(k.l, 3, 10500, &n));
	EXPECT_EQ(n, 1);
	kit_fini(&k);
}

TEST(finds_offsets_by_time_as_a_linear_scan_does)
{
	struct log_time found;
	struct kit k;

	kit_init(&k, 11);
	k.o.config.segment_bytes = 1500;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 40; i++)
		EXPECT_OK(kit_append(&k, 3));
	for (int i = 0; i < 400 && !test_failed(); i++) {
		int64_t target = 999000 +
				 (int64_t)prng_below(&k.prng, (uint64_t)(k.now_ms - 998000)),
			want = -1;
		int64_t max = -1, max_at = -1;

		for (int b = 0; b < k.n; b++) {
			const struct batch *v = &k.v[b].view;

			for (int r = 0; r < v->n_records; r++) {
				int64_t ts = v->base_timestamp_ms + r;

				if (want < 0 && ts >= target)
					want = v->base_offset + r;
				if (ts > max) {
					max = ts;
					max_at = v->base_offset + r;
				}
			}
		}
		EXPECT_OK(log_find_time(k.l, target, k.end, &found));
		EXPECT_EQ(found.offset, want);
		EXPECT_OK(log_find_time(k.l, target, want, &found));
		EXPECT_EQ(found.offset, -1);
		EXPECT_OK(log_find_max_time(k.l, k.end, &found));
		EXPECT_EQ(found.offset, max_at);
		EXPECT_EQ(found.timestamp_ms, max);
		if (i == 200) {
			kit_close(&k);
			EXPECT_OK(kit_open(&k));
		}
	}
	kit_fini(&k);
}
