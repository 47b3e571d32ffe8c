/* The small files beside the segments, byte for byte. */
#include "broker/log/checkpoint.h"
#include "broker/log/clean_marker.h"
#include "broker/log/epoch_file.h"
#include "broker/log/log.h"
#include "broker/log/logdir.h"
#include "broker/log/meta_properties.h"
#include "broker/log/partition_meta.h"
#include "broker/log/producer_file.h"
#include "broker/log/run_marker.h"
#include "tests/lib/fakefiles.h"
#include "tests/lib/test.h"
#include "tests/unit/log/logkit.h"
#include <stdio.h>

#define DIR_PATH "/data"

static bool content_is(struct fakefs *fs, const char *path, const char *text)
{
	const uint8_t *at;
	int64_t n;

	return fakefs_get(fs, path, &at, &n) && (size_t)n == strlen(text) &&
	       memcmp(at, text, (size_t)n) == 0;
}

TEST(checkpoints_have_kafkas_text)
{
	const struct checkpoint_row rows[] = { { STR("orders"), 0, 1234 },
					       { STR("a.b_c-d"), 12, 0 } };
	struct checkpoint c;
	struct fakefs fs;

	fakefs_init(&fs, 1);
	EXPECT_OK(checkpoint_read(&fs.env, DIR_PATH, CHECKPOINT_LOG_START, &c));
	EXPECT_EQ(c.n, 0);
	EXPECT_OK(checkpoint_write(&fs.env, DIR_PATH, CHECKPOINT_LOG_START, rows, 2));
	EXPECT(content_is(&fs, DIR_PATH "/" CHECKPOINT_LOG_START,
			  "0\n2\norders 0 1234\na.b_c-d 12 0\n"));
	EXPECT_OK(checkpoint_read(&fs.env, DIR_PATH, CHECKPOINT_LOG_START, &c));
	if (EXPECT_EQ(c.n, 2)) {
		EXPECT_STR(c.v[1].topic, "a.b_c-d");
		EXPECT_EQ(c.v[1].partition, 12);
		EXPECT_EQ(c.v[0].offset, 1234);
	}
	checkpoint_fini(&c);
	EXPECT_OK(checkpoint_write(&fs.env, DIR_PATH, CHECKPOINT_LOG_START, rows, 0));
	EXPECT(content_is(&fs, DIR_PATH "/" CHECKPOINT_LOG_START, "0\n0\n"));
	fakefs_fini(&fs);
}

TEST(broken_checkpoints_are_corrupt_and_empty)
{
	static const char *const texts[] = {
		"",
		"0",
		"1\n0\n",
		"0\n-1\n",
		"0\n1\n",
		"0\nx\n",
		"0\n1\nt 0\n",
		"0\n1\nt 0 x\n",
		"0\n1\nt 0 -5\n",
		"0\n1\nt 0 5\nmore\n",
		"0\n999999999\nt 0 5\n",
		"0\n1\n 0 5\n",
		"0\n1\nt 0 5 6\n",
	};
	struct checkpoint c;
	struct fakefs fs;

	fakefs_init(&fs, 1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		fakefs_put(&fs, DIR_PATH "/x", texts[i], (int64_t)strlen(texts[i]));
		EXPECT_EQ(checkpoint_read(&fs.env, DIR_PATH, "x", &c), ERR_CORRUPT);
		EXPECT(c.n == 0 && !c.v && !c.text);
	}
	fakefs_put(&fs, DIR_PATH "/x", "0\n1\nt 0 5", 9); /* the last line may lack its end */
	EXPECT_OK(checkpoint_read(&fs.env, DIR_PATH, "x", &c));
	EXPECT_EQ(c.n, 1);
	checkpoint_fini(&c);
	fakefs_fini(&fs);
}

/* At every failing call the file has the old text or the new one. */
TEST(a_small_file_is_replaced_or_not)
{
	for (int after = 0; after < 8; after++) {
		struct fakefs fs;
		enum err e;

		fakefs_init(&fs, (uint64_t)after + 1);
		EXPECT_OK(small_file_write(&fs.env, DIR_PATH, "x", "old", 3));
		fs.fail_after = after;
		e = small_file_write(&fs.env, DIR_PATH, "x", "newer", 5);
		fs.fail_after = -1;
		EXPECT((e == ERR_OK) == (after >= 5));
		fakefs_power_loss(&fs);
		if (e == ERR_OK)
			EXPECT(content_is(&fs, DIR_PATH "/x", "newer"));
		else
			EXPECT(content_is(&fs, DIR_PATH "/x", "old") ||
			       content_is(&fs, DIR_PATH "/x", "newer"));
		fakefs_fini(&fs);
	}
}

TEST(epoch_files)
{
	const struct epoch_row rows[] = { { 0, 0 }, { 3, 1200 } };
	static const char *const bad[] = { "0\n2\n3 5\n3 6\n", "0\n2\n3 5\n4 5\n", "0\n1\n-1 0\n",
					   "1\n0\n", "0\n2\n0 0\n" };
	struct epoch_row *v;
	struct fakefs fs;
	int32_t n;

	fakefs_init(&fs, 1);
	EXPECT_OK(epoch_file_read(&fs.env, DIR_PATH, &v, &n));
	EXPECT(n == 0 && !v);
	EXPECT_OK(epoch_file_write(&fs.env, DIR_PATH, rows, 2));
	EXPECT(content_is(&fs, DIR_PATH "/leader-epoch-checkpoint", "0\n2\n0 0\n3 1200\n"));
	EXPECT_OK(epoch_file_read(&fs.env, DIR_PATH, &v, &n));
	EXPECT(n == 2 && v[1].epoch == 3 && v[1].start_offset == 1200);
	mem_free(v);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		fakefs_put(&fs, DIR_PATH "/leader-epoch-checkpoint", bad[i],
			   (int64_t)strlen(bad[i]));
		EXPECT_EQ(epoch_file_read(&fs.env, DIR_PATH, &v, &n), ERR_CORRUPT);
		EXPECT(n == 0 && !v);
	}
	fakefs_fini(&fs);
}

TEST(producer_snapshots)
{
	const struct producer_row rows[] = { { 7, 1, 41, 99, 3, 1000, -1, -1 },
					     { 9000000001, 32767, INT32_MAX, 1LL << 40, 0, -1, 5,
					       77 } };
	struct producer_row *v;
	const uint8_t *at;
	struct fakefs fs;
	int64_t size, found;
	int32_t n;

	fakefs_init(&fs, 1);
	EXPECT_OK(producer_file_write(&fs.env, DIR_PATH, 100, rows, 2));
	EXPECT(fakefs_get(&fs, DIR_PATH "/00000000000000000100.snapshot", &at, &size));
	EXPECT_EQ(size, 10 + 2 * 46);
	EXPECT_MEM(at, "\0\1", 2);
	EXPECT_OK(producer_file_read(&fs.env, DIR_PATH, 100, &v, &n));
	EXPECT_EQ(n, 2);
	EXPECT_MEM(&v[1].id, &rows[1].id, 8);
	EXPECT(v[1].epoch == 32767 && v[1].last_sequence == INT32_MAX &&
	       v[1].last_offset == 1LL << 40);
	EXPECT(v[1].txn_first_offset == 77 && v[1].coordinator_epoch == 5 &&
	       v[0].offset_delta == 3);
	mem_free(v);
	EXPECT_OK(producer_file_write(&fs.env, DIR_PATH, 200, rows, 1));
	EXPECT_OK(producer_file_write(&fs.env, DIR_PATH, 300, rows, 0));
	EXPECT_OK(producer_file_newest(&fs.env, DIR_PATH, 250, &v, &n, &found));
	EXPECT(found == 200 && n == 1);
	mem_free(v);
	EXPECT(fakefs_get(&fs, DIR_PATH "/00000000000000000200.snapshot", &at, &size));
	((uint8_t *)(uintptr_t)at)[20] ^= 1;
	EXPECT_EQ(producer_file_read(&fs.env, DIR_PATH, 200, &v, &n), ERR_CORRUPT);
	EXPECT_OK(producer_file_newest(&fs.env, DIR_PATH, 250, &v, &n, &found));
	EXPECT(found == 100 && n == 2); /* the corrupt one was passed over, and removed */
	mem_free(v);
	EXPECT_EQ(producer_file_read(&fs.env, DIR_PATH, 200, &v, &n), ERR_NOT_FOUND);
	EXPECT_OK(producer_file_drop_above(&fs.env, DIR_PATH, 50));
	EXPECT_OK(producer_file_newest(&fs.env, DIR_PATH, 1000, &v, &n, &found));
	EXPECT(found == -1 && n == 0);
	fakefs_fini(&fs);
}

/* Cut or flipped anywhere, a snapshot is corrupt: never half believed. */
TEST(a_damaged_producer_snapshot_is_never_believed)
{
	const struct producer_row row = { 7, 1, 41, 99, 3, 1000, -1, -1 };
	const char *path = DIR_PATH "/00000000000000000100.snapshot";
	uint8_t whole[56], bad[56];
	struct producer_row *v;
	const uint8_t *at;
	struct fakefs fs;
	int64_t size;
	int32_t n;

	fakefs_init(&fs, 1);
	EXPECT_OK(producer_file_write(&fs.env, DIR_PATH, 100, &row, 1));
	EXPECT(fakefs_get(&fs, path, &at, &size) && size == 56);
	memcpy(whole, at, 56);
	for (int i = 0; i < 56; i++) {
		fakefs_put(&fs, path, whole, i);
		EXPECT_EQ(producer_file_read(&fs.env, DIR_PATH, 100, &v, &n), ERR_CORRUPT);
		memcpy(bad, whole, 56);
		bad[i] ^= 0x10;
		fakefs_put(&fs, path, bad, 56);
		EXPECT_EQ(producer_file_read(&fs.env, DIR_PATH, 100, &v, &n), ERR_CORRUPT);
	}
	fakefs_fini(&fs);
}

TEST(of_two_copies_the_one_placed_later)
{
	struct placement first = { 7, 1 }, got;
	struct uuid id, back;
	struct fakefs fs;

	fakefs_init(&fs, 1);
	id = prng_uuid(&fs.env.prng);
	got = partition_meta_placement(&fs.env, DIR_PATH);
	EXPECT(got.broker_epoch == 0 && got.n == 0);
	EXPECT_OK(partition_meta_write(&fs.env, DIR_PATH, id));
	got = partition_meta_placement(&fs.env, DIR_PATH);
	EXPECT(got.broker_epoch == 0 && got.n == 0);
	EXPECT_OK(partition_meta_place(&fs.env, DIR_PATH, id, first));
	EXPECT_OK(partition_meta_read(&fs.env, DIR_PATH, &back));
	EXPECT(uuid_eq(id, back));
	got = partition_meta_placement(&fs.env, DIR_PATH);
	EXPECT(got.broker_epoch == 7 && got.n == 1);
	EXPECT(placement_is_later(first, (struct placement){ 0, 0 }));
	EXPECT(placement_is_later((struct placement){ 7, 2 }, first));
	EXPECT(placement_is_later((struct placement){ 8, 1 }, (struct placement){ 7, 2 }));
	EXPECT(!placement_is_later(first, first));
	fakefs_fini(&fs);
}

TEST(partition_metadata_and_meta_properties)
{
	struct meta_properties m = { "c1", 3, { { 0 } } }, got;
	struct uuid id, back;
	struct fakefs fs;
	char text[UUID_TEXT], want[128];

	fakefs_init(&fs, 1);
	id = prng_uuid(&fs.env.prng);
	uuid_text(id, text);
	EXPECT_EQ(partition_meta_read(&fs.env, DIR_PATH, &back), ERR_NOT_FOUND);
	EXPECT_OK(partition_meta_write(&fs.env, DIR_PATH, id));
	snprintf(want, sizeof(want), "version: 0\ntopic_id: %s\n", text);
	EXPECT(content_is(&fs, DIR_PATH "/partition.metadata", want));
	EXPECT_OK(partition_meta_read(&fs.env, DIR_PATH, &back));
	EXPECT(uuid_eq(id, back));
	fakefs_put(&fs, DIR_PATH "/partition.metadata", "version: 0\n", 11);
	EXPECT_EQ(partition_meta_read(&fs.env, DIR_PATH, &back), ERR_CORRUPT);

	m.directory_id = id;
	EXPECT_OK(meta_properties_write(&fs.env, DIR_PATH, &m));
	EXPECT_OK(meta_properties_read(&fs.env, DIR_PATH, &got));
	EXPECT_Z(got.cluster_id, "c1");
	EXPECT_EQ(got.node_id, 3);
	EXPECT(uuid_eq(got.directory_id, id));
	fakefs_put(&fs, DIR_PATH "/meta.properties", "#by Kafka\n#Mon\nbroker.id=7\nversion=0\n",
		   37);
	EXPECT_OK(meta_properties_read(&fs.env, DIR_PATH, &got));
	EXPECT(got.node_id == 7 && uuid_is_zero(got.directory_id));
	fakefs_put(&fs, DIR_PATH "/meta.properties", "version=9\nnode.id=1\n", 20);
	EXPECT_EQ(meta_properties_read(&fs.env, DIR_PATH, &got), ERR_CORRUPT);
	fakefs_fini(&fs);
}

TEST(the_clean_marker_is_taken_once)
{
	struct fakefs fs;
	int64_t epoch;
	bool found;

	fakefs_init(&fs, 1);
	EXPECT_OK(clean_marker_take(&fs.env, DIR_PATH, &found, &epoch));
	EXPECT(!found);
	EXPECT_OK(clean_marker_write(&fs.env, DIR_PATH, 17));
	EXPECT(content_is(&fs, DIR_PATH "/.kafka_cleanshutdown",
			  "{\"version\":0,\"brokerEpoch\":17}"));
	EXPECT_OK(clean_marker_take(&fs.env, DIR_PATH, &found, &epoch));
	EXPECT(found && epoch == 17);
	fakefs_power_loss(&fs);
	EXPECT_OK(clean_marker_take(&fs.env, DIR_PATH, &found, &epoch));
	EXPECT(!found && epoch == -1);
	fakefs_put(&fs, DIR_PATH "/.kafka_cleanshutdown", "", 0);
	EXPECT_OK(clean_marker_take(&fs.env, DIR_PATH, &found, &epoch));
	EXPECT(found && epoch == -1);
	fakefs_fini(&fs);
}

/* After a kill everything is there; with the kernel a tail may go. */
TEST(the_run_marker_counts_within_one_run_of_the_kernel)
{
	struct fakefs fs;
	int64_t epoch;

	fakefs_init(&fs, 1);
	EXPECT_OK(run_marker_read(&fs.env, DIR_PATH, &epoch));
	EXPECT_EQ(epoch, -1);
	EXPECT_OK(run_marker_write(&fs.env, DIR_PATH, 17));
	EXPECT_OK(run_marker_write(&fs.env, DIR_PATH, 18));
	EXPECT_OK(run_marker_read(&fs.env, DIR_PATH, &epoch));
	EXPECT_EQ(epoch, 18);
	EXPECT_OK(fs.env.files->sync_dir(&fs.env, DIR_PATH));
	fakefs_power_loss(&fs);
	EXPECT_OK(run_marker_read(&fs.env, DIR_PATH, &epoch));
	EXPECT_EQ(epoch, -1);
	EXPECT_OK(run_marker_write(&fs.env, DIR_PATH, 19));
	EXPECT_OK(run_marker_write(&fs.env, DIR_PATH, -1));
	EXPECT_OK(run_marker_read(&fs.env, DIR_PATH, &epoch));
	EXPECT_EQ(epoch, -1);
	fakefs_put(&fs, DIR_PATH "/.weir_running", "{\"brokerEpoch\":7", 16);
	EXPECT_OK(run_marker_read(&fs.env, DIR_PATH, &epoch));
	EXPECT_EQ(epoch, -1);
	fakefs_fini(&fs);
}

static void count_dir(void *arg, const char *name)
{
	int *n = arg;

	EXPECT(strcmp(name, "t-0") == 0 || strcmp(name, "a-b-12") == 0);
	(*n)++;
}

TEST(log_directories)
{
	static const char *const not_partitions[] = {
		"", "-0", "t", "t-", "t-x", "7", "t-99999999999", "t-0.x-delete"
	};
	struct file *lock, *second;
	char name[LOGDIR_NAME_MAX], longest[LOGDIR_NAME_MAX];
	struct str topic;
	struct fakefs fs;
	int32_t partition;
	int n = 0;

	fakefs_init(&fs, 1);
	EXPECT(logdir_parse(STR("a-b-12"), &topic, &partition));
	EXPECT_STR(topic, "a-b");
	EXPECT_EQ(partition, 12);
	for (size_t i = 0; i < ARRAY_LEN(not_partitions); i++)
		EXPECT(!logdir_parse(str_of(not_partitions[i]), &topic, &partition));
	EXPECT_OK(logdir_lock(&fs.env, DIR_PATH, &lock));
	EXPECT_EQ(logdir_lock(&fs.env, DIR_PATH, &second), ERR_LOCKED);
	fakefs_put(&fs, DIR_PATH "/t-0/x", "", 0);
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/t-0"));
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/a-b-12"));
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/lost+found"));
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/old-1"));
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/gone-1"));
	EXPECT_OK(logdir_retire(&fs.env, DIR_PATH, "gone-1", (struct uuid){ { 1 } }, LOGDIR_DELETE,
				name));
	EXPECT_Z(name, "gone-1.01000000000000000000000000000000-delete");
	EXPECT_OK(logdir_retire(&fs.env, DIR_PATH, "old-1", (struct uuid){ { 1 } }, LOGDIR_STRAY,
				name));
	EXPECT_OK(logdir_scan(&fs.env, DIR_PATH, count_dir, &n));
	EXPECT_EQ(n, 2);
	for (int i = 0; i < fs.names.n; i++)
		EXPECT(!strstr(fs.names.v[i].path, "gone"));
	memset(longest, 'x', sizeof(longest));
	snprintf(longest + 249, 5, "-100");
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/x"));
	fakefs_put(&fs, DIR_PATH "/x/y", "", 0);
	{
		char path[300];

		snprintf(path, sizeof(path), DIR_PATH "/%s", longest);
		EXPECT_OK(fs.env.files->mkdir(&fs.env, path));
	}
	EXPECT_OK(logdir_retire(&fs.env, DIR_PATH, longest, (struct uuid){ { 1 } }, LOGDIR_DELETE,
				name));
	EXPECT_EQ(strlen(name), 255);
	EXPECT_OK(logdir_remove(&fs.env, DIR_PATH, name));
	file_put(lock);
	fakefs_fini(&fs);
}

TEST(opening_a_log_drops_snapshots_of_no_segment_but_the_newest)
{
	struct kit k;
	struct producer_row *v;
	int32_t n;

	kit_init(&k, 1);
	k.o.config.segment_bytes = 600;
	EXPECT_OK(kit_open(&k));
	for (int i = 0; i < 9; i++)
		EXPECT_OK(kit_append_one(&k, i, 1, 200, 1));
	EXPECT_OK(producer_file_write(&k.fs.env, KIT_DIR, 0, NULL, 0)); /* of a segment */
	EXPECT_OK(producer_file_write(&k.fs.env, KIT_DIR, 5, NULL, 0)); /* stray */
	EXPECT_OK(producer_file_write(&k.fs.env, KIT_DIR, 9, NULL, 0)); /* newest */
	kit_close(&k);
	EXPECT_OK(kit_open(&k));
	EXPECT_OK(producer_file_read(&k.fs.env, KIT_DIR, 0, &v, &n));
	mem_free(v);
	EXPECT_EQ(producer_file_read(&k.fs.env, KIT_DIR, 5, &v, &n), ERR_NOT_FOUND);
	EXPECT_OK(producer_file_read(&k.fs.env, KIT_DIR, 9, &v, &n));
	mem_free(v);
	kit_fini(&k);
}

TEST(a_future_directory_names_what_it_will_be)
{
	char name[LOGDIR_NAME_MAX], longest[LOGDIR_NAME_MAX];
	struct str is;

	logdir_future_name("a-b-12", (struct uuid){ { 1 } }, name);
	EXPECT_Z(name, "a-b-12.01000000000000000000000000000000-future");
	EXPECT(logdir_future_parse(str_of(name), &is));
	EXPECT_STR(is, "a-b-12");
	EXPECT(!logdir_future_parse(STR("a-b-12"), &is));
	EXPECT(!logdir_future_parse(STR("-future"), &is));
	memset(longest, 'x', sizeof(longest));
	snprintf(longest + 240, 5, "-100");
	logdir_future_name(longest, (struct uuid){ { 1 } }, name);
	EXPECT_EQ(strlen(name), 255);
	EXPECT(!logdir_future_parse(str_of(name), &is));
}

TEST(a_log_that_begins_says_that_the_checkpoints_do_not_mean_it)
{
	struct fakefs fs;

	fakefs_init(&fs, 1);
	EXPECT_OK(fs.env.files->mkdir(&fs.env, DIR_PATH "/t-0"));
	EXPECT(!log_point_is_void(&fs.env, DIR_PATH "/t-0"));
	EXPECT_OK(log_void_point(&fs.env, DIR_PATH "/t-0"));
	EXPECT(log_point_is_void(&fs.env, DIR_PATH "/t-0"));
	fakefs_put(&fs, DIR_PATH "/t-0/recovery-point-lowered", "0\n7\n", 4);
	EXPECT(!log_point_is_void(&fs.env, DIR_PATH "/t-0"));
	fakefs_fini(&fs);
}
