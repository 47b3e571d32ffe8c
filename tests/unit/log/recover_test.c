/* Opening what a crash, a power cut or a bad disk left behind. */
#include "broker/log/log.h"
#include "tests/lib/test.h"
#include "tests/unit/log/logkit.h"
#include <stdio.h>

#define SEGMENT0 KIT_DIR "/00000000000000000000.log"
#define INDEX0 KIT_DIR "/00000000000000000000.index"
#define TIME0 KIT_DIR "/00000000000000000000.timeindex"

/* The names of `from` in a new kit, at the point of being opened. */
static void copy_kit(struct kit *to, const struct kit *from, uint64_t seed)
{
	kit_init(to, seed);
	to->o = from->o;
	to->now_ms = from->now_ms;
	fakefs_copy(&from->fs, &to->fs);
}

static int64_t count_names(const struct kit *k, const char *tail)
{
	int64_t n = 0;

	for (int i = 0; i < k->fs.names.n; i++) {
		size_t len = strlen(k->fs.names.v[i].path), t = strlen(tail);

		n += len >= t && strcmp(k->fs.names.v[i].path + len - t, tail) == 0;
	}
	return n;
}

/* Does the log hold exactly the first batches of `from`, as many as fit in n bytes? */
static void expect_prefix(struct kit *k, const struct kit *from, int64_t n)
{
	int64_t want = 0, got;
	uint8_t *all = kit_read_all(k, &got);
	int i = 0;

	for (; i < from->n && want + from->v[i].view.size <= n; want += from->v[i++].view.size)
		;
	if (EXPECT_EQ(got, want))
		for (int64_t at = 0, j = 0; j < i; at += from->v[j++].view.size)
			EXPECT_MEM(all + at, from->v[j].bytes, (size_t)from->v[j].view.size);
	EXPECT_EQ(log_end(k->l), i > 0 ? batch_last_offset(&from->v[i - 1].view) + 1 : 0);
	mem_free(all);
}

TEST(a_log_cut_at_any_byte_is_its_valid_prefix)
{
	const uint8_t *at;
	struct kit whole;
	int64_t n;

	kit_init(&whole, 1);
	whole.o.config.segment_bytes = 1 << 20;
	EXPECT_OK(kit_open(&whole));
	for (int i = 0; i < 6; i++)
		EXPECT_OK(kit_append(&whole, 3));
	kit_crash(&whole);
	whole.o.recovery_point = 0;
	EXPECT(fakefs_get(&whole.fs, SEGMENT0, &at, &n));
	for (int64_t cut = 0; cut <= n && !test_failed(); cut++) {
		struct kit k;

		copy_kit(&k, &whole, 2);
		fakefs_put(&k.fs, SEGMENT0, at, cut);
		EXPECT_OK(kit_open(&k));
		expect_prefix(&k, &whole, cut);
		EXPECT_EQ(k.rec.corrupt_offset, -1);
		EXPECT_EQ(k.rec.bytes_cut + log_bytes(k.l), cut);
		k.end = log_end(k.l);
		if (cut % 16 == 0) { /* and it goes on from there */
			EXPECT_OK(kit_append(&k, 3));
			EXPECT_EQ(log_end(k.l), k.end);
			kit_close(&k);
			EXPECT_OK(kit_open(&k));
			EXPECT_EQ(log_end(k.l), k.end);
		}
		kit_fini(&k);
	}
	kit_fini(&whole);
}

/* The leader epoch lies outside the CRC; only its order is checked. */
static bool is_epoch_byte(const struct kit *k, int64_t at)
{
	for (int i = 0; i < k->n && at >= 0; at -= k->v[i++].view.size)
		if (at >= 12 && at < 16)
			return true;
	return false;
}

TEST(a_flipped_byte_in_the_middle_is_corruption_and_nothing_is_thrown_away)
{
	const uint8_t *at;
	struct kit whole;
	int64_t n;

	kit_init(&whole, 3);
	whole.o.config.segment_bytes = 1200;
	EXPECT_OK(kit_open(&whole));
	for (int i = 0; i < 6; i++)
		EXPECT_OK(kit_append(&whole, 3));
	kit_crash(&whole);
	whole.o.recovery_point = 0;
	EXPECT(fakefs_get(&whole.fs, SEGMENT0, &at, &n));
	for (int64_t bad = 0; bad < n && !test_failed(); bad++) {
		const uint8_t *kept;
		char path[64];
		int64_t n_kept;
		uint8_t *copy = mem_alloc((size_t)n);
		struct kit k;

		if (is_epoch_byte(&whole, bad)) {
			mem_free(copy);
			continue;
		}
		copy_kit(&k, &whole, 4);
		memcpy(copy, at, (size_t)n);
		copy[bad] ^= 0x5a;
		fakefs_put(&k.fs, SEGMENT0, copy, n);
		EXPECT_OK(kit_open(&k));
		if (k.rec.corrupt_offset >= 0) {
			expect_prefix(&k, &whole, bad);
			EXPECT_EQ(k.rec.corrupt_offset, log_end(k.l));
			snprintf(path, sizeof(path), KIT_DIR "/%020lld.log.corrupt",
				 (long long)log_end(k.l));
			EXPECT(fakefs_get(&k.fs, path, &kept, &n_kept));
			EXPECT_EQ(n_kept + log_bytes(k.l), n);
			EXPECT_MEM(kept, copy + n - n_kept, (size_t)n_kept);
			EXPECT(count_names(&k, ".log.corrupt") >= count_names(&whole, ".log"));
		} else {
			EXPECT_EQ(log_end(k.l), whole.end);
		}
		mem_free(copy);
		kit_fini(&k);
	}
	kit_fini(&whole);
}

TEST(only_what_lies_behind_the_recovery_point_is_scanned)
{
	struct kit k;

	kit_init(&k, 5);
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 100; i++)
		EXPECT_OK(kit_append(&k, 4));
	kit_flush(&k);
	EXPECT_EQ(log_recovery_point(k.l), k.end);
	EXPECT_OK(kit_append(&k, 1));
	kit_crash(&k);
	k.fs.opens = 0;
	EXPECT_OK(kit_open(&k));
	EXPECT(k.rec.segments > 10);
	EXPECT(k.rec.segments_scanned <= 2);
	EXPECT(k.rec.bytes_scanned <= k.v[k.n - 1].view.size);
	EXPECT(k.fs.opens < 10);
	kit_check(&k, 300);
	kit_fini(&k);
}

TEST(a_clean_open_of_many_segments_opens_only_the_last)
{
	struct kit k;

	kit_init(&k, 6);
	k.o.config.segment_bytes = 300;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 300; i++)
		EXPECT_OK(kit_append(&k, 4));
	kit_close(&k);
	EXPECT_EQ(k.fs.n_open, 0);
	k.fs.opens = k.fs.read_bytes = 0;
	EXPECT_OK(kit_open(&k));
	EXPECT(k.rec.segments > 200);
	EXPECT_EQ(k.rec.bytes_scanned, 0);
	EXPECT(k.fs.opens <= 5);
	EXPECT(k.fs.read_bytes < 20000);
	EXPECT_EQ(k.fs.n_open, 1);
	kit_check(&k, 300);
	EXPECT(k.fs.n_open < 20);
	kit_fini(&k);
}

TEST(lost_and_mangled_indexes_are_made_anew)
{
	static const char *const victims[] = { INDEX0, TIME0 };

	for (int victim = 0; victim < 2; victim++)
		for (int how = 0; how < 4; how++)
			for (int clean = 0; clean < 2 && !test_failed(); clean++) {
				const uint8_t *at;
				struct log_time found;
				struct kit k;
				int64_t n;

				kit_init(&k, 7);
				EXPECT_OK(kit_open(&k));
				for (int i = 0; i < 20; i++)
					EXPECT_OK(kit_append(&k, 3));
				kit_close(&k);
				EXPECT(fakefs_get(&k.fs, victims[victim], &at, &n));
				if (how == 0)
					EXPECT_OK(
						k.fs.env.files->unlink(&k.fs.env, victims[victim]));
				if (how == 1)
					fakefs_put(&k.fs, victims[victim], "short", 5);
				if (how == 2)
					fakefs_put(&k.fs, victims[victim], "", 0);
				if (how == 3)
					memset((uint8_t *)(uintptr_t)at, 0, (size_t)n / 2);
				k.o.clean = clean;
				k.o.recovery_point = 0;
				EXPECT_OK(kit_open(&k));
				if (how < 2 || !clean)
					EXPECT(k.rec.indexes_rebuilt > 0);
				kit_check(&k, 200);
				EXPECT_OK(log_find_time(k.l, 1000000, k.end, &found));
				kit_fini(&k);
			}
}

TEST(after_a_power_cut_nothing_synced_is_missing)
{
	for (uint64_t seed = 1; seed <= 300 && !test_failed(); seed++) {
		int64_t synced = 0, got;
		uint8_t *all;
		struct kit k;

		kit_init(&k, seed);
		k.o.config.segment_bytes = 300 + (int64_t)prng_below(&k.prng, 3000);
		EXPECT_OK(kit_open(&k));
		for (int i = 0; i < 40; i++) {
			EXPECT_OK(kit_append(&k, 1 + (int)prng_below(&k.prng, 4)));
			if (prng_chance(&k.prng, 1, 6))
				kit_flush(&k);
		}
		synced = log_recovery_point(k.l);
		kit_crash(&k);
		fakefs_power_loss(&k.fs);
		EXPECT_OK(kit_open(&k));
		EXPECT(log_end(k.l) >= synced);
		EXPECT(log_end(k.l) <= k.end);
		EXPECT(k.rec.corrupt_offset < 0 || k.rec.corrupt_offset >= synced);
		kit_forget_from(&k, log_end(k.l));
		kit_check(&k, 50);
		all = kit_read_all(&k, &got);
		mem_free(all);
		EXPECT_OK(kit_append(&k, 3));
		kit_check(&k, 20);
		if (test_failed())
			FAIL("seed %llu", (unsigned long long)seed);
		kit_fini(&k);
	}
}

TEST(a_full_disk_refuses_and_the_log_goes_on_when_there_is_room)
{
	struct kit k;
	int refused = 0;

	kit_init(&k, 8);
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 200; i++) {
		enum err e;

		k.fs.bytes_max = k.fs.bytes + (int64_t)prng_below(&k.prng, 900);
		e = kit_append(&k, 3);
		EXPECT(e == ERR_OK || e == ERR_NOSPACE);
		refused += e == ERR_NOSPACE;
		EXPECT_EQ(log_end(k.l), k.end);
	}
	EXPECT(refused > 20 && refused < 180);
	EXPECT(!log_failed(k.l));
	kit_check(&k, 300);
	k.fs.bytes_max = INT64_MAX;
	kit_crash(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.bytes_cut, 0);
	EXPECT_EQ(k.rec.corrupt_offset, -1);
	kit_check(&k, 300);
	kit_fini(&k);
}

/* One step of a busy log; what has not worked must have changed nothing. */
static enum err step_of_log(struct kit *k)
{
	uint64_t dice = prng_below(&k->prng, 20);
	struct log_flush *f;
	struct log_read out;
	int64_t to;
	enum err e;

	if (dice < 12)
		return kit_append(k, 3);
	if (dice < 15) {
		if ((f = log_flush_begin(k->l)) == NULL)
			return ERR_OK;
		log_flush_work(f);
		return log_flush_end(k->l, f);
	}
	to = k->end > 0 ? (int64_t)prng_below(&k->prng, (uint64_t)k->end) : 0;
	if (dice < 19) {
		e = log_read(k->l, to, k->end, 1000, true, &out);
		if (e == ERR_OK)
			file_put(out.file);
		return e;
	}
	e = log_truncate(k->l, i64_max(to, k->end - 60));
	if (e == ERR_OK)
		kit_forget_from(k, log_end(k->l));
	return e;
}

TEST(without_descriptors_work_is_put_off_and_nothing_is_lost)
{
	struct kit k;
	int put_off = 0;

	for (uint64_t seed = 1; seed <= 20 && !test_failed(); seed++) {
		kit_init(&k, seed);
		EXPECT_OK(kit_open(&k));
		for (int i = 0; i < 400 && !test_failed(); i++) {
			enum err e;

			k.fs.n_open_max = k.fs.n_open + (int)prng_below(&k.prng, 4);
			e = step_of_log(&k);
			EXPECT(e == ERR_OK || e == ERR_NOFILES);
			put_off += e == ERR_NOFILES;
			EXPECT_EQ(log_end(k.l), k.end);
			EXPECT(!log_failed(k.l));
		}
		k.fs.n_open_max = INT32_MAX;
		kit_check(&k, 100);
		kit_flush(&k);
		kit_crash(&k);
		EXPECT_OK(kit_open(&k));
		EXPECT_EQ(k.rec.corrupt_offset, -1);
		kit_check(&k, 100);
		kit_close(&k);
		kit_check_files(&k);
		kit_fini(&k);
	}
	EXPECT(put_off > 400);
}

/* Wherever on its way a roll or a cut is when the last descriptor goes, to whichever thread. */
TEST(without_descriptors_a_roll_or_cut_is_put_off_at_any_step)
{
	int put_off = 0;

	for (uint64_t seed = 1; seed <= 20 && !test_failed(); seed++) {
		struct kit k;

		kit_init(&k, seed);
		EXPECT_OK(kit_open(&k));
		for (int i = 0; i < 300 && !test_failed(); i++) {
			struct log_flush *f = NULL;
			enum err e;

			k.fs.opens_left = (int64_t)prng_below(&k.prng, 6);
			e = kit_append(&k, 3);
			EXPECT(e == ERR_OK || e == ERR_NOFILES);
			put_off += e == ERR_NOFILES;
			if (prng_below(&k.prng, 4) == 0)
				f = log_flush_begin(k.l);
			if (f) {
				log_flush_work(f);
				e = log_flush_end(k.l, f);
				EXPECT(e == ERR_OK || e == ERR_NOFILES);
			}
			if (prng_below(&k.prng, 10) == 0) {
				e = log_truncate(k.l, i64_max(k.end - 60, 0));
				EXPECT(e == ERR_OK || e == ERR_NOFILES);
				if (e == ERR_OK)
					kit_forget_from(&k, log_end(k.l));
			}
			k.fs.opens_left = -1;
			EXPECT_EQ(log_end(k.l), k.end);
			EXPECT(!log_failed(k.l));
			EXPECT_OK(kit_append(&k, 1));
		}
		kit_check(&k, 100);
		kit_flush(&k);
		kit_close(&k);
		kit_check_files(&k);
		EXPECT_OK(kit_open(&k));
		kit_check(&k, 100);
		kit_fini(&k);
	}
	EXPECT(put_off > 200);
}

TEST(the_first_error_of_the_device_is_final)
{
	for (int after = 0; after < 12; after++) {
		struct log_read out;
		struct kit k;
		enum err e = ERR_OK;

		kit_init(&k, 9);
		EXPECT_OK(kit_open(&k));
		EXPECT_OK(kit_append(&k, 3));
		k.fs.fail_kinds = FAKE_WRITE;
		k.fs.fail_after = after;
		for (int i = 0; i < 20 && !e; i++)
			e = kit_append(&k, 3);
		EXPECT_EQ(e, ERR_IO);
		k.fs.fail_after = -1;
		EXPECT(log_failed(k.l));
		EXPECT_EQ(kit_append(&k, 1), ERR_IO);
		EXPECT_EQ(log_read(k.l, 0, INT64_MAX, 100, true, &out), ERR_IO);
		EXPECT_EQ(log_truncate(k.l, 0), ERR_IO);
		EXPECT_EQ(log_close(k.l), ERR_IO);
		k.l = NULL;
		k.o.clean = false;
		EXPECT_OK(kit_open(&k));
		EXPECT(log_end(k.l) >= k.end);
		kit_fini(&k);
	}
}

TEST(a_failed_sync_is_not_tried_again)
{
	struct log_flush *f;
	struct kit k;

	kit_init(&k, 10);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 3));
	k.fs.fail_kinds = FAKE_SYNC;
	k.fs.fail_after = 0;
	f = log_flush_begin(k.l);
	EXPECT(f && !log_flush_begin(k.l));
	log_flush_work(f);
	EXPECT_EQ(log_flush_end(k.l, f), ERR_IO);
	k.fs.fail_after = -1;
	EXPECT_EQ(log_recovery_point(k.l), 0);
	EXPECT(log_failed(k.l) && !log_flush_begin(k.l));
	kit_fini(&k);
}

/* The kernel calls clean what the device never got. */
TEST(a_process_that_dies_before_it_hears_of_a_failed_sync)
{
	struct log_flush *f;
	struct kit k;

	kit_init(&k, 20);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 3));
	kit_flush(&k);
	EXPECT_EQ(count_names(&k, "sync-under-way"), 0);
	EXPECT_OK(kit_append(&k, 3));
	k.fs.fail_kinds = FAKE_SYNC;
	k.fs.fail_after = 0;
	f = log_flush_begin(k.l);
	ASSERT(f);
	log_flush_work(f);
	k.fs.fail_after = -1;
	EXPECT_EQ(count_names(&k, "sync-under-way"), 1);
	EXPECT_EQ(log_flush_end(k.l, f), ERR_IO); /* closes its files; nobody hears of it */
	kit_crash(&k);
	k.o.is_vouched = true;
	k.fs.writes = 0;
	EXPECT_OK(kit_open(&k));
	EXPECT(k.fs.writes > 0); /* again, what lies behind the recovery point */
	EXPECT_EQ(count_names(&k, "sync-under-way"), 0);
	kit_flush(&k);
	kit_crash(&k);
	k.fs.writes = 0;
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.fs.writes, 0);
	kit_check(&k, 30);
	kit_fini(&k);
}

TEST(a_flush_overtaken_by_a_truncation_promises_nothing)
{
	struct log_flush *f;
	struct kit k;

	kit_init(&k, 11);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 10));
	f = log_flush_begin(k.l);
	log_flush_work(f);
	EXPECT_OK(log_truncate(k.l, 5));
	kit_forget_from(&k, 5);
	EXPECT_OK(kit_append(&k, 10));
	EXPECT_OK(log_flush_end(k.l, f));
	EXPECT(log_recovery_point(k.l) <= 5);
	kit_flush(&k);
	EXPECT_EQ(log_recovery_point(k.l), k.end);
	kit_fini(&k);
}

static void count_replayed(void *arg, const struct batch *b)
{
	int64_t *n = arg;

	EXPECT(b->base_offset >= 0);
	*n += b->n_records;
}

/* The flush began while the segment was the active one, so it did not sync the indexes, which the
 * roll finished: another flush must, before a restart may trust them. */
TEST(a_roll_during_a_flush_leaves_the_indexes_to_the_next)
{
	struct log_time found;
	struct log_flush *f;
	struct kit k;

	kit_init(&k, 21);
	EXPECT_OK(kit_open(&k));
	for (int64_t i = 0; i < 20; i++)
		EXPECT_OK(kit_append_one(&k, i, 1, 100, 1000 + i));
	f = log_flush_begin(k.l);
	EXPECT(f != NULL);
	EXPECT_OK(kit_append_one(&k, 20, 1, 3900, 2000)); /* rolls */
	log_flush_work(f);
	EXPECT_OK(log_flush_end(k.l, f));
	EXPECT(log_flush_due(k.l, k.now_ms));
	kit_flush(&k);
	kit_crash(&k);
	for (int i = 0; i < 3; i++)
		fakefs_power_loss(&k.fs);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(log_find_time(k.l, 1010, k.end, &found));
	EXPECT_EQ(found.offset, 10);
	kit_fini(&k);
}

/* Of 99 entries the offset index has written 96, the time index 64 of 80: the latest time lies
 * between the two. */
TEST(times_that_only_one_index_had_written_are_found)
{
	struct log_time found;
	struct kit k;

	kit_init(&k, 21);
	k.o.config.segment_bytes = 1 << 20;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 100; i++)
		EXPECT_OK(kit_append_one(&k, i, 1, 60, i == 80 ? 5000 : 1000 + i));
	kit_flush(&k);
	kit_crash(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(log_find_time(k.l, 5000, k.end, &found));
	EXPECT_EQ(found.offset, 80);
	kit_fini(&k);
}

TEST(opening_replays_the_batches_asked_for)
{
	int64_t records = 0, want = 0, from;
	struct kit k;

	kit_init(&k, 12);
	k.o.config.segment_bytes = 500;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 20; i++)
		EXPECT_OK(kit_append(&k, 3));
	from = k.v[k.n / 2].view.base_offset;
	for (int i = k.n / 2; i < k.n; i++)
		want += k.v[i].view.n_records;
	kit_close(&k);
	k.o.replay_from = from;
	k.o.replay = count_replayed;
	k.o.arg = &records;
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(records, want);
	kit_fini(&k);
}

TEST(leftovers_of_a_crash_are_cleared)
{
	const uint8_t *at;
	struct kit k;
	int64_t n;

	kit_init(&k, 13);
	k.o.config.segment_bytes = 500;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 10; i++)
		EXPECT_OK(kit_append(&k, 3));
	kit_close(&k);
	EXPECT(fakefs_get(&k.fs, SEGMENT0, &at, &n));
	/* A compaction that was done but for the renames, and one that was not done. */
	fakefs_put(&k.fs, SEGMENT0 ".swap", at, n);
	fakefs_put(&k.fs, INDEX0 ".swap", "", 0);
	fakefs_put(&k.fs, TIME0 ".swap", "", 0);
	EXPECT_OK(k.fs.env.files->unlink(&k.fs.env, SEGMENT0));
	fakefs_put(&k.fs, KIT_DIR "/00000000000000009999.log.cleaned", "x", 1);
	fakefs_put(&k.fs, KIT_DIR "/00000000000000009999.log.swap", "x", 1);
	fakefs_put(&k.fs, KIT_DIR "/00000000000000000777.log.deleted", "x", 1);
	fakefs_put(&k.fs, KIT_DIR "/00000000000000000777.index", "x", 1);
	fakefs_put(&k.fs, KIT_DIR "/00000000000000000777.txnindex", "x", 1);
	fakefs_put(&k.fs, KIT_DIR "/00000000000000000777.log.corrupt", "x", 1);
	EXPECT_OK(kit_open(&k));
	kit_check(&k, 100);
	EXPECT_EQ(count_names(&k, ".swap") + count_names(&k, ".cleaned") +
			  count_names(&k, ".deleted"),
		  0);
	EXPECT_EQ(count_names(&k, "777.index") + count_names(&k, ".txnindex"), 0);
	EXPECT_EQ(count_names(&k, ".corrupt"), 1);
	kit_fini(&k);
}

TEST(a_segment_missing_from_the_middle_is_noticed)
{
	struct kit k;
	char victim[64];
	int32_t mid;

	kit_init(&k, 14);
	k.o.config.segment_bytes = 500;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 10; i++)
		EXPECT_OK(kit_append_one(&k, i, 1, 400, 1));
	kit_crash(&k);
	k.o.recovery_point = 0;
	mid = 5;
	snprintf(victim, sizeof(victim), KIT_DIR "/%020d.log", mid);
	EXPECT_OK(k.fs.env.files->unlink(&k.fs.env, victim));
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(log_end(k.l), 5);
	EXPECT_EQ(k.rec.corrupt_offset, 5);
	EXPECT_EQ(count_names(&k, ".log.corrupt"), 4);
	kit_forget_from(&k, 5);
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.corrupt_offset, 5); /* a restart does not make it whole */
	for (int i = 5; i < 10; i++)
		EXPECT_OK(kit_append_one(&k, i, 1, 400, 1));
	kit_check(&k, 50);
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.corrupt_offset, -1);
	kit_fini(&k);
}

TEST(a_start_above_the_end_begins_a_new_log)
{
	struct kit k;

	kit_init(&k, 15);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 4));
	kit_crash(&k);
	k.o.start_offset = 1000;
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(log_start(k.l), 1000);
	EXPECT_EQ(log_end(k.l), 1000);
	EXPECT_EQ(log_bytes(k.l), 0);
	kit_fini(&k);
}

/* It is in the way of whoever reads from the start: the power must not leave holes there. */
TEST(what_lies_below_the_start_is_checked_until_it_was_synced)
{
	const uint8_t zeros[8] = { 0 };
	const struct file_iov iov = { zeros, sizeof(zeros) };
	struct file *file;
	struct kit k;

	kit_init(&k, 18);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(kit_append(&k, 6));
	EXPECT_OK(log_advance_start(k.l, k.v[3].view.base_offset));
	k.o.start_offset = log_start(k.l);
	k.o.recovery_point = log_recovery_point(k.l);
	EXPECT_EQ(k.o.recovery_point, 0);
	kit_crash(&k);
	EXPECT_OK(k.fs.env.files->open(&k.fs.env, KIT_DIR "/00000000000000000000.log", FILE_WRITE,
				       &file));
	EXPECT_OK(file->ops->writev(file, &iov, 1, k.v[0].view.size));
	file_put(file);
	EXPECT_OK(kit_open(&k));
	EXPECT(k.rec.corrupt_offset >= 0);
	EXPECT_EQ(log_start(k.l), k.o.start_offset);
	EXPECT_EQ(log_end(k.l), k.o.start_offset);
	kit_forget_from(&k, 0);
	kit_fini(&k);
}

/* It is about to be far behind its recovery point; whatever is left of it then is no damage. */
TEST(a_new_beginning_that_fails_half_way_is_no_damage)
{
	for (int after = 0; after < 12; after++) {
		struct kit k;
		enum err e;

		kit_init(&k, 19);
		k.o.config.segment_bytes = 500;
		EXPECT_OK(kit_open(&k));
		for (int i = 0; i < 5; i++)
			EXPECT_OK(kit_append_one(&k, i, 1, 400, 1));
		kit_flush(&k);
		k.o.recovery_point = log_recovery_point(k.l);
		EXPECT_EQ(k.o.recovery_point, 5);
		k.fs.fail_kinds = FAKE_NAME | FAKE_SYNC;
		k.fs.fail_after = after;
		e = log_restart(k.l, 1000);
		k.fs.fail_after = -1;
		kit_crash(&k);
		k.o.clean = false;
		EXPECT_OK(kit_open(&k));
		EXPECT_EQ(k.rec.corrupt_offset, -1);
		EXPECT(e || log_end(k.l) == 1000);
		kit_forget_from(&k, 0);
		kit_fini(&k);
	}
}

/* The checkpoint of the directory still names the old recovery point. */
TEST(a_truncation_caps_the_recovery_point_until_a_clean_close)
{
	struct kit k;
	int64_t to;

	kit_init(&k, 16);
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 10; i++)
		EXPECT_OK(kit_append(&k, 3));
	kit_flush(&k);
	EXPECT_OK(kit_append(&k, 2));
	to = k.v[k.n / 2].view.base_offset + 1; /* within a batch, maybe */
	EXPECT_OK(log_truncate(k.l, to));
	kit_forget_from(&k, to);
	EXPECT_EQ(count_names(&k, "recovery-point-lowered"), 1);
	kit_crash(&k);
	k.o.recovery_point = 1000000;
	EXPECT_OK(kit_open(&k));
	EXPECT_EQ(k.rec.corrupt_offset, -1);
	EXPECT(log_recovery_point(k.l) <= k.end);
	EXPECT_OK(kit_append(&k, 3));
	kit_flush(&k);
	EXPECT_EQ(count_names(&k, "recovery-point-lowered"), 1);
	k.now_ms += 100000;
	EXPECT_OK(kit_append(&k, 3));
	kit_flush(&k);
	EXPECT_EQ(count_names(&k, "recovery-point-lowered"), 0);
	EXPECT_OK(log_truncate(k.l, to));
	kit_forget_from(&k, to);
	EXPECT_EQ(count_names(&k, "recovery-point-lowered"), 1);
	kit_close(&k);
	EXPECT_EQ(count_names(&k, "recovery-point-lowered"), 0);
	EXPECT_OK(kit_open(&k));
	kit_check(&k, 30);
	kit_fini(&k);
}
