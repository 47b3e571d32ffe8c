/* segment_fuzz.c - opening a log whose files hold arbitrary bytes.
 *
 * Two segments and the first one's indexes are cut out of the input.  Half of the inputs are
 * mended first (magic, offset and CRC where a length looks possible), so that what lies behind the
 * checks is reached.  Whatever is there: opening must end in a log that reads from start to end,
 * takes an append, and opens again, cleanly, as the same log. */
#include "broker/log/checkpoint.h"
#include "broker/log/epoch_file.h"
#include "broker/log/log.h"
#include "broker/log/meta_properties.h"
#include "broker/log/producer_file.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include "tests/lib/fakefiles.h"

#define DIR_PATH "/d/t-0"
enum { SECOND_BASE = 5, CRC_FROM = 21 };

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static void swallow(void *arg, const char *line, size_t n)
{
	(void)arg;
	(void)line;
	(void)n;
}

static void mend(uint8_t *at, size_t n, int64_t base)
{
	while (n >= BATCH_HEADER_BYTES) {
		size_t size = BATCH_HEADER_BYTES + at[11] % 64;
		uint32_t delta = at[26] % 4;

		if (size > n)
			return;
		store_be64(at, (uint64_t)base);
		store_be32(at + 8, (uint32_t)(size - BATCH_OVERHEAD));
		store_be32(at + 12, 0);
		at[16] = 2;
		store_be32(at + 23, delta);
		store_be32(at + 57, 1);
		store_be32(at + 17, crc32c(0, at + CRC_FROM, size - CRC_FROM));
		base += delta + 1;
		at += size;
		n -= size;
	}
}

static void read_through(struct log *l)
{
	int64_t at = log_start(l);

	while (at < log_end(l)) {
		struct log_read out;
		enum err e = log_read(l, at, INT64_MAX, 100, true, &out);

		ASSERT(e == ERR_OK || e == ERR_CORRUPT);
		if (e != ERR_OK || out.n == 0)
			return;
		ASSERT(out.next_offset > at);
		file_put(out.file);
		at = out.next_offset;
	}
}

static void append_one(struct log *l)
{
	uint8_t bytes[128];
	struct batch_builder builder;
	struct log_batch in = { bytes, bytes + BATCH_HEADER_BYTES, { 0 } };
	struct record record = { .timestamp_ms = 5, .value = STR("v") };
	struct log_appended out;
	size_t n;

	batch_builder_init(&builder, bytes, sizeof(bytes));
	builder.head.base_offset = log_end(l);
	if (!batch_builder_add(&builder, &record))
		return;
	n = batch_builder_finish(&builder);
	if (batch_view(&in.view, bytes, (int64_t)n) == BATCH_OK)
		ASSERT(log_append(l, &in, 1, 1, &out) == ERR_OK);
}

static void open_twice(struct fakefs *fs, const struct log_options *first)
{
	struct log_options o = *first;
	struct log_recovery rec;
	struct log_time time;
	struct log *l;
	int64_t end;
	enum err e;

	if (log_open(&fs->env, &o, &l, &rec) != ERR_OK)
		return;
	read_through(l);
	(void)!log_find_time(l, 3, log_end(l), &time);
	append_one(l);
	end = log_end(l);
	if (log_close(l) != ERR_OK)
		return;
	o.clean = true;
	ASSERT(log_open(&fs->env, &o, &l, &rec) == ERR_OK);
	ASSERT(log_end(l) == end);
	read_through(l);
	e = log_truncate(l, end / 2);
	ASSERT(e == ERR_OK || e == ERR_CORRUPT || log_failed(l));
	if (log_close(l) != ERR_OK)
		return;
}

/* The other parsers of the directory see the same bytes. */
static void small_files(struct fakefs *fs, const uint8_t *at, size_t n)
{
	struct producer_row *producers;
	struct meta_properties meta;
	struct epoch_row *epochs;
	struct checkpoint c;
	int32_t rows;

	fakefs_put(fs, DIR_PATH "/f", at, (int64_t)n);
	fakefs_put(fs, DIR_PATH "/" EPOCH_FILE, at, (int64_t)n);
	fakefs_put(fs, DIR_PATH "/meta.properties", at, (int64_t)n);
	fakefs_put(fs, DIR_PATH "/00000000000000000003.snapshot", at, (int64_t)n);
	if (checkpoint_read(&fs->env, DIR_PATH, "f", &c) == ERR_OK)
		checkpoint_fini(&c);
	if (epoch_file_read(&fs->env, DIR_PATH, &epochs, &rows) == ERR_OK)
		mem_free(epochs);
	if (producer_file_read(&fs->env, DIR_PATH, 3, &producers, &rows) == ERR_OK)
		mem_free(producers);
	(void)!meta_properties_read(&fs->env, DIR_PATH, &meta);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n)
{
	struct log_options o = { .dir = DIR_PATH };
	size_t part = n / 4;
	struct fakefs fs;
	uint8_t *copy;

	if (n < 4)
		return 0;
	log_set_sink(swallow, NULL);
	o.config = (struct log_config){ .segment_bytes = 1000,
					.segment_ms = INT64_MAX,
					.segment_index_bytes = 4096,
					.flush_ms = INT64_MAX,
					.retention_ms = -1,
					.retention_bytes = -1 };
	o.clean = at[0] & 1;
	o.config.compacted = at[0] & 4;
	o.recovery_point = at[1];
	o.start_offset = at[2] % 16;
	fakefs_init(&fs, 1);
	copy = mem_alloc(n);
	memcpy(copy, at, n);
	if (at[0] & 2) {
		mend(copy, 2 * part, 0);
		mend(copy + 2 * part, part, SECOND_BASE);
	}
	fakefs_put(&fs, DIR_PATH "/00000000000000000000.log", copy, (int64_t)(2 * part));
	fakefs_put(&fs, DIR_PATH "/00000000000000000005.log", copy + 2 * part, (int64_t)part);
	fakefs_put(&fs, DIR_PATH "/00000000000000000000.index", copy + 3 * part, (int64_t)part / 2);
	fakefs_put(&fs, DIR_PATH "/00000000000000000000.timeindex", copy + 3 * part + part / 2,
		   (int64_t)part / 2);
	if (at[0] & 8)
		fakefs_put(&fs, DIR_PATH "/00000000000000000005.log.swap", copy, (int64_t)part);
	open_twice(&fs, &o);
	small_files(&fs, at, n);
	mem_free(copy);
	fakefs_fini(&fs);
	return 0;
}
