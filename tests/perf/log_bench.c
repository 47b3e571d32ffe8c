/* log_bench.c - what a partition's log charges: `log_bench [DIR]`, default a new one below /tmp.
 *
 * Appends 64 KiB and 1 KiB batches beside the same bytes written by bare pwritev, taking turns, so
 * that both meet the same neighbours; then reads at the tail, in sequence and at random, and opens
 * a log of many segments cleanly and after a crash.  CPU time is this thread's, system included.
 * Prints one line each; figures to compare are the ratio and the ns per call. */
#include "broker/log/log.h"
#include "common/base/log.h"
#include "common/env/files_posix.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BIG_BYTES = 64 << 10, SMALL_BYTES = 1 << 10, TURN_BYTES = 8 << 20, READS = 20000 };
#define VOLUME_BYTES ((int64_t)256 << 20)
#define SEGMENTS 2000

struct bench {
	struct env env;
	const char *dir;
	uint8_t *batch; /* BIG_BYTES, sealed */
	struct log *l;
	struct log_options o;
	char path[256];
};

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "log_bench: %s failed\n", what);
	exit(1);
}

static struct log_config config(int64_t segment_bytes)
{
	return (struct log_config){ .segment_bytes = segment_bytes,
				    .segment_ms = INT64_MAX,
				    .segment_index_bytes = 10 << 20,
				    .index_interval_bytes = 4096,
				    .flush_messages = INT64_MAX,
				    .flush_ms = INT64_MAX,
				    .retention_ms = -1,
				    .retention_bytes = -1 };
}

static void open_log(struct bench *b, const char *name, int64_t segment_bytes)
{
	struct log_recovery rec;

	snprintf(b->path, sizeof(b->path), "%s/%s", b->dir, name);
	b->o = (struct log_options){ .dir = b->path,
				     .config = config(segment_bytes),
				     .clean = true };
	check(log_open(&b->env, &b->o, &b->l, &rec) == ERR_OK, "open");
}

/* One batch of that size, its first bytes a header that holds. */
static void append(struct bench *b, int64_t size)
{
	uint8_t header[BATCH_HEADER_BYTES];
	struct log_batch in = { header, b->batch + BATCH_HEADER_BYTES, { 0 } };
	struct batch view = { .size = size,
			      .base_offset = log_end(b->l),
			      .magic = 2,
			      .max_timestamp_ms = 1,
			      .n_records = 1 };
	struct log_appended out;

	batch_seal(header, &view, b->batch + BATCH_HEADER_BYTES, (size_t)size - BATCH_HEADER_BYTES);
	check(batch_view(&in.view, header, BATCH_HEADER_BYTES) == BATCH_OK, "header");
	check(log_append(b->l, &in, 1, 1, &out) == ERR_OK, "append");
}

static void write_raw(struct bench *b, int fd, int64_t size, int64_t at)
{
	const struct iovec iov[2] = { { b->batch, BATCH_HEADER_BYTES },
				      { b->batch + BATCH_HEADER_BYTES,
					(size_t)size - BATCH_HEADER_BYTES } };

	check(pwritev(fd, iov, 2, at) == size, "pwritev");
}

/* The CRC that sealing costs belongs to whoever makes the batch. */
static int64_t seal_ns(struct bench *b, int64_t size)
{
	uint8_t header[BATCH_HEADER_BYTES];
	struct batch view = { .size = size, .magic = 2, .n_records = 1 };
	int64_t begin = cpu_ns();

	for (int i = 0; i < 1000; i++) {
		view.base_offset = i;
		batch_seal(header, &view, b->batch + BATCH_HEADER_BYTES,
			   (size_t)size - BATCH_HEADER_BYTES);
	}
	return (cpu_ns() - begin) / 1000;
}

static void bench_append(struct bench *b, int64_t size)
{
	int64_t raw_ns = 0, log_ns = 0, done = 0, n = VOLUME_BYTES / size;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/raw", b->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	check(fd >= 0, "open raw");
	open_log(b, size == BIG_BYTES ? "big-0" : "small-0", 1 << 30);
	for (; done < VOLUME_BYTES; done += TURN_BYTES) {
		int64_t begin = cpu_ns();

		for (int64_t at = done; at < done + TURN_BYTES; at += size)
			write_raw(b, fd, size, at);
		raw_ns += cpu_ns() - begin;
		begin = cpu_ns();
		for (int64_t at = done; at < done + TURN_BYTES; at += size)
			append(b, size);
		log_ns += cpu_ns() - begin;
	}
	log_ns -= seal_ns(b, size) * n;
	printf("append %lld KiB: raw pwritev %.3f ns/B (%.0f MB/s), log %.3f ns/B (%.0f MB/s), "
	       "ratio "
	       "%.2f, log adds %.0f ns a batch\n",
	       (long long)size >> 10, (double)raw_ns / (double)done,
	       1000.0 * (double)done / (double)raw_ns, (double)log_ns / (double)done,
	       1000.0 * (double)done / (double)log_ns, (double)log_ns / (double)raw_ns,
	       (double)(log_ns - raw_ns) / (double)n);
	close(fd);
	check(unlink(path) == 0, "unlink");
}

static void read_once(struct bench *b, int64_t offset, int64_t bound, int64_t max, int64_t *next)
{
	struct log_read out;

	check(log_read(b->l, offset, bound, max, true, &out) == ERR_OK && out.n > 0, "read");
	*next = out.next_offset;
	file_put(out.file);
}

static void bench_read(struct bench *b)
{
	int64_t end = log_end(b->l), next = 0, begin, n = 0;
	struct prng prng;

	prng_seed(&prng, 1);
	begin = cpu_ns();
	for (int i = 0; i < READS; i++)
		read_once(b, end - 1 - i % 8, end, 1 << 20, &next);
	printf("read at the tail: %.0f ns\n", (double)(cpu_ns() - begin) / (double)READS);
	begin = cpu_ns();
	for (int64_t at = 0; at < end - 1; at = next, n++)
		read_once(b, at, end - 1, 1 << 20, &next);
	printf("read 1 MiB spans in sequence: %.0f ns\n", (double)(cpu_ns() - begin) / (double)n);
	begin = cpu_ns();
	for (int i = 0; i < READS; i++)
		read_once(b, (int64_t)prng_below(&prng, (uint64_t)end - 1), end - 1, 1 << 20,
			  &next);
	printf("read 1 MiB spans at random: %.0f ns\n", (double)(cpu_ns() - begin) / (double)READS);
	check(log_close(b->l) == ERR_OK, "close");
}

static void bench_open(struct bench *b)
{
	struct log_recovery rec;
	int64_t begin;

	open_log(b, "many-0", 2 * SMALL_BYTES);
	for (int i = 0; i < 2 * SEGMENTS; i++)
		append(b, SMALL_BYTES);
	check(log_close(b->l) == ERR_OK, "close");
	begin = cpu_ns();
	check(log_open(&b->env, &b->o, &b->l, &rec) == ERR_OK, "open");
	printf("open %lld segments cleanly: %.1f ms\n", (long long)rec.segments,
	       (double)(cpu_ns() - begin) / 1e6);
	b->o.clean = false;
	b->o.recovery_point = log_end(b->l) - 1;
	log_drop(b->l);
	begin = cpu_ns();
	check(log_open(&b->env, &b->o, &b->l, &rec) == ERR_OK, "open");
	printf("open %lld segments after a crash: %.1f ms, %lld scanned\n", (long long)rec.segments,
	       (double)(cpu_ns() - begin) / 1e6, (long long)rec.segments_scanned);
	log_drop(b->l);
}

int main(int argc, char **argv)
{
	char made[] = "/tmp/log_bench.XXXXXX";
	struct bench b = { .dir = argc > 1 ? argv[1] : mkdtemp(made) };

	check(b.dir != NULL, "mkdtemp");
	b.env.files = &files_posix;
	prng_seed(&b.env.prng, 1);
	b.batch = mem_alloc(BIG_BYTES);
	bench_append(&b, BIG_BYTES);
	check(log_close(b.l) == ERR_OK, "close");
	bench_append(&b, SMALL_BYTES);
	bench_read(&b);
	bench_open(&b);
	mem_free(b.batch);
	return files_posix.rmdir(&b.env, b.dir) == ERR_OK ? 0 : 1;
}
