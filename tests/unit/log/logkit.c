#include "tests/unit/log/logkit.h"
#include "common/base/log.h"
#include "tests/lib/test.h"

#include "common/wire/segment_check.h"
#include <stdio.h>
#include <stdlib.h>

#define BATCH_BYTES_MAX 70000

static void read_one(struct kit *, int64_t offset, int64_t bound, int64_t max_bytes, bool min_one);
static int find_batch(const struct kit *, int64_t offset);

struct log_config kit_config(void)
{
	return (struct log_config){
		.segment_bytes = 4000,
		.segment_ms = INT64_MAX,
		.segment_index_bytes = 10 << 20,
		.index_interval_bytes = 100,
		.flush_messages = INT64_MAX,
		.flush_ms = INT64_MAX,
		.retention_ms = -1,
		.retention_bytes = -1,
		.file_delete_delay_ms = 1000,
	};
}

/* What the log says of torn tails and full disks is of no interest here. */
static void swallow(void *arg, const char *line, size_t n)
{
	(void)arg;
	(void)line;
	(void)n;
}

void kit_init(struct kit *k, uint64_t seed)
{
	log_set_sink(swallow, NULL);
	*k = (struct kit){ .now_ms = 1000000 };
	fakefs_init(&k->fs, seed);
	prng_seed(&k->prng, seed ^ 77);
	k->o = (struct log_options){ .dir = KIT_DIR, .config = kit_config(), .clean = true };
}

void kit_fini(struct kit *k)
{
	if (k->l)
		log_drop(k->l);
	kit_forget_from(k, 0);
	mem_free(k->v);
	fakefs_fini(&k->fs);
}

enum err kit_open(struct kit *k)
{
	return log_open(&k->fs.env, &k->o, &k->l, &k->rec);
}

void kit_crash(struct kit *k)
{
	k->o.recovery_point = log_recovery_point(k->l);
	k->o.clean = false;
	log_drop(k->l);
	k->l = NULL;
}

void kit_close(struct kit *k)
{
	k->o.recovery_point = log_end(k->l);
	k->o.clean = true;
	EXPECT_OK(log_close(k->l));
	k->l = NULL;
}

static struct kit_batch make_batch(struct kit *k, int64_t base, int records, int value_bytes,
				   int64_t timestamp_ms)
{
	static char value[BATCH_BYTES_MAX];
	uint8_t *at = mem_alloc(BATCH_BYTES_MAX);
	struct batch_builder builder;
	struct kit_batch b;
	size_t n;

	for (int i = 0; i < value_bytes; i++)
		value[i] = (char)prng_below(&k->prng, 256);
	batch_builder_init(&builder, at, BATCH_BYTES_MAX);
	builder.head.base_offset = base;
	builder.head.leader_epoch = k->epoch;
	for (int i = 0; i < records; i++) {
		struct record r = { .timestamp_ms = timestamp_ms + i,
				    .value = { value, (size_t)value_bytes } };

		ASSERT(batch_builder_add(&builder, &r));
	}
	n = batch_builder_finish(&builder);
	ASSERT(n > 0 && batch_view(&b.view, at, (int64_t)n) == BATCH_OK && batch_crc_ok(&b.view));
	b.bytes = at;
	return b;
}

static void take(struct kit *k, struct kit_batch b)
{
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 64;
		k->v = mem_grow(k->v, (size_t)k->cap * sizeof(*k->v));
	}
	k->v[k->n++] = b;
	k->end = batch_last_offset(&b.view) + 1;
}

static enum err append_made(struct kit *k, struct kit_batch *made, int n)
{
	struct log_batch in[16] = { 0 };
	struct log_appended out;
	enum err e;

	ASSERT(n <= 16);
	for (int i = 0; i < n; i++)
		in[i] = (struct log_batch){ made[i].bytes, made[i].bytes + BATCH_HEADER_BYTES,
					    made[i].view };
	e = log_append(k->l, in, n, k->now_ms, &out);
	for (int i = 0; i < n; i++) {
		if (e == ERR_OK)
			take(k, made[i]);
		else
			mem_free(made[i].bytes);
	}
	return e;
}

enum err kit_append(struct kit *k, int n)
{
	struct kit_batch made[16];
	int64_t base = k->end;

	for (int i = 0; i < n; i++) {
		int records = 1 + (int)prng_below(&k->prng, 5);

		k->now_ms += (int64_t)prng_below(&k->prng, 50);
		made[i] = make_batch(k, base, records, (int)prng_below(&k->prng, 120),
				     k->now_ms - (int64_t)prng_below(&k->prng, 500));
		base = batch_last_offset(&made[i].view) + 1;
	}
	return append_made(k, made, n);
}

enum err kit_append_one(struct kit *k, int64_t base, int records, int value_bytes,
			int64_t timestamp_ms)
{
	struct kit_batch made = make_batch(k, base, records, value_bytes, timestamp_ms);

	return append_made(k, &made, 1);
}

void kit_forget_from(struct kit *k, int64_t offset)
{
	while (k->n > 0 && batch_last_offset(&k->v[k->n - 1].view) >= offset) {
		k->end = k->v[k->n - 1].view.base_offset;
		mem_free(k->v[--k->n].bytes);
	}
	k->end = k->n > 0 ? batch_last_offset(&k->v[k->n - 1].view) + 1 : k->end;
}

void kit_flush(struct kit *k)
{
	struct log_flush *f = log_flush_begin(k->l);

	if (!f)
		return;
	log_flush_work(f);
	EXPECT_OK(log_flush_end(k->l, f));
}

void kit_check(struct kit *k, int n_reads)
{
	int64_t start = log_start(k->l), at = start;

	EXPECT_EQ(log_end(k->l), k->end);
	for (int i = 0; i < n_reads && !test_failed(); i++) {
		int64_t offset =
			start + (int64_t)prng_below(&k->prng, (uint64_t)(k->end - start + 1));
		int64_t bound =
			start + (int64_t)prng_below(&k->prng, (uint64_t)(k->end - start + 3));

		if (prng_chance(&k->prng, 1, 2))
			bound = INT64_MAX;
		read_one(k, offset, bound, (int64_t)prng_below(&k->prng, 3000),
			 prng_chance(&k->prng, 1, 2));
	}
	while (at < k->end && !test_failed()) {
		struct log_read out;

		read_one(k, at, INT64_MAX, 700, true);
		EXPECT_OK(log_read(k->l, at, INT64_MAX, 700, true, &out));
		if (!EXPECT(out.n > 0 && out.next_offset > at))
			break;
		file_put(out.file);
		at = out.next_offset;
	}
}

/* One read against the list of batches. */
static void read_one(struct kit *k, int64_t offset, int64_t bound, int64_t max_bytes, bool min_one)
{
	int i = find_batch(k, offset), j;
	struct log_read out;
	int64_t n = 0, file_bytes, next;
	uint8_t *bytes;
	size_t got;

	if (!EXPECT_OK(log_read(k->l, offset, bound, max_bytes, min_one, &out)))
		return;
	if (offset >= i64_min(bound, k->end) || i == k->n ||
	    batch_last_offset(&k->v[i].view) >= bound ||
	    (k->v[i].view.size > max_bytes && !min_one)) {
		EXPECT_EQ(out.n, 0);
		EXPECT(out.file == NULL);
		return;
	}
	if (!EXPECT(out.n > 0))
		return;
	EXPECT_EQ(out.first_offset, k->v[i].view.base_offset);
	bytes = mem_alloc((size_t)out.n);
	EXPECT_OK(out.file->ops->read(out.file, bytes, (size_t)out.n, out.at, &got));
	EXPECT_EQ(got, out.n);
	for (j = i; j < k->n && n < out.n; n += k->v[j++].view.size)
		EXPECT_MEM(bytes + n, k->v[j].bytes, (size_t)k->v[j].view.size);
	EXPECT_EQ(n, out.n);
	next = batch_last_offset(&k->v[j - 1].view) + 1;
	EXPECT(next <= bound);
	EXPECT(out.next_offset >= next &&
	       (j == k->n || out.next_offset <= k->v[j].view.base_offset));
	EXPECT(n <= max_bytes || j == i + 1);
	/* As much as is allowed, but for the end of the segment's file. */
	EXPECT_OK(out.file->ops->size(out.file, &file_bytes));
	if (j < k->n && batch_last_offset(&k->v[j].view) < bound &&
	    n + k->v[j].view.size <= max_bytes)
		EXPECT_EQ(out.at + out.n, file_bytes);
	mem_free(bytes);
	file_put(out.file);
}

static int find_batch(const struct kit *k, int64_t offset)
{
	int i = 0;

	while (i < k->n && batch_last_offset(&k->v[i].view) < offset)
		i++;
	return i;
}

uint8_t *kit_read_all(struct kit *k, int64_t *n)
{
	uint8_t *all = mem_alloc((size_t)log_bytes(k->l) + 1);
	int64_t at = log_start(k->l);

	*n = 0;
	while (at < log_end(k->l)) {
		struct log_read out;
		size_t got;

		if (!EXPECT_OK(log_read(k->l, at, INT64_MAX, 1 << 20, true, &out)) ||
		    !EXPECT(out.n > 0))
			break;
		EXPECT_OK(out.file->ops->read(out.file, all + *n, (size_t)out.n, out.at, &got));
		*n += out.n;
		at = out.next_offset;
		file_put(out.file);
	}
	return all;
}

static const char *const suffixes[SEGMENT_FILES] = { ".log", ".index", ".timeindex" };

/* A segment's files on the kit's disk. */
struct files_of {
	struct kit *k;
	const char *path; /* of the .log file */
};

static bool get_file(const struct files_of *f, enum segment_file file, const uint8_t **at,
		     int64_t *n)
{
	char path[256];

	snprintf(path, sizeof(path), "%.*s%s", (int)(strlen(f->path) - 4), f->path, suffixes[file]);
	return fakefs_get(&f->k->fs, path, at, n);
}

static bool read_file(void *arg, enum segment_file file, int64_t at, void *to, size_t n)
{
	const uint8_t *bytes;
	int64_t size;

	if (!get_file(arg, file, &bytes, &size) || at + (int64_t)n > size)
		return false;
	memcpy(to, bytes + at, n);
	return true;
}

static void found_problem(void *arg, enum segment_file file, int64_t at, const char *what)
{
	const struct files_of *f = arg;

	FAIL("%s%s at %lld: %s", f->path, suffixes[file], (long long)at, what);
}

void kit_check_files(struct kit *k)
{
	for (int i = 0; i < k->fs.names.n; i++) {
		struct files_of f = { k, k->fs.names.v[i].path };
		struct segment_source from = { .arg = &f,
					       .read = read_file,
					       .problem = found_problem };
		size_t n = strlen(f.path);
		struct segment_facts facts;
		const uint8_t *at;

		if (n < 24 || strcmp(f.path + n - 4, ".log") != 0)
			continue;
		from.base_offset = strtoll(f.path + n - 24, NULL, 10);
		for (int file = 0; file < SEGMENT_FILES; file++)
			if (!get_file(&f, (enum segment_file)file, &at, &from.size[file]))
				from.size[file] = -1;
		segment_check(&from, &facts);
		EXPECT(from.size[SEGMENT_INDEX] >= 0 && from.size[SEGMENT_TIMEINDEX] >= 0);
		EXPECT_EQ(facts.valid_bytes, from.size[SEGMENT_LOG]);
		EXPECT(facts.batches == 0 || facts.max_timestamp_ms < 0 ||
		       facts.timeindex_entries > 0);
	}
}
