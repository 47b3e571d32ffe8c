/* producer_file.c - producer snapshots; the format is in producer_file.h. */
#include "broker/log/producer_file.h"
#include "broker/log/segment.h"
#include "broker/log/small_file.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include <stdio.h>

/* The CRC lies within the head and covers what is behind it. */
#define HEAD_BYTES 10
#define CRC_FROM 6
#define ROW_BYTES 46
#define FILE_MAX ((size_t)1 << 30)
#define NAME_MAX_N 40

static void store_row(uint8_t *, const struct producer_row *);
static void load_row(const uint8_t *, struct producer_row *);
static enum err parse(const uint8_t *at, size_t size, struct producer_row **v, int32_t *n);

/* Looks for the largest offset at or below a limit, or removes all above it. */
struct search {
	int64_t limit, best;
};
static void note_name(void *arg, const struct file_name *);
static void note_above(void *arg, const struct file_name *);
static void name_of(char out[NAME_MAX_N], int64_t offset);

enum err producer_file_write(struct env *env, const char *dir, int64_t offset,
			     const struct producer_row *v, int32_t n)
{
	size_t size = HEAD_BYTES + (size_t)n * ROW_BYTES;
	uint8_t *at = mem_alloc(size);
	char name[NAME_MAX_N];
	enum err e;

	store_be16(at, 1);
	store_be32(at + 6, (uint32_t)n);
	for (int32_t i = 0; i < n; i++)
		store_row(at + HEAD_BYTES + i * ROW_BYTES, &v[i]);
	store_be32(at + 2, crc32c(0, at + CRC_FROM, size - CRC_FROM));
	name_of(name, offset);
	e = small_file_write(env, dir, name, at, size);
	mem_free(at);
	return e;
}

enum err producer_file_read(struct env *env, const char *dir, int64_t offset,
			    struct producer_row **v, int32_t *n)
{
	char name[NAME_MAX_N], *at;
	size_t size;
	enum err e;

	*v = NULL;
	*n = 0;
	name_of(name, offset);
	if ((e = small_file_read(env, dir, name, FILE_MAX, &at, &size)) != ERR_OK)
		return e;
	e = parse((const uint8_t *)at, size, v, n);
	mem_free(at);
	return e;
}

/* Listed anew after each corrupt one, which is removed: rare enough to be simple. */
enum err producer_file_newest(struct env *env, const char *dir, int64_t offset,
			      struct producer_row **v, int32_t *n, int64_t *at)
{
	for (;;) {
		struct search search = { offset, -1 };
		char name[NAME_MAX_N];
		enum err e = env->files->list(env, dir, note_name, &search);

		*v = NULL;
		*n = 0;
		*at = search.best;
		if ((e != ERR_OK && e != ERR_NOT_FOUND) || search.best < 0)
			return e == ERR_NOT_FOUND ? ERR_OK : e;
		if ((e = producer_file_read(env, dir, search.best, v, n)) != ERR_CORRUPT)
			return e;
		log_warn("log", "a producer snapshot is corrupt and is dropped", F_Z("dir", dir),
			 F_I64("offset", search.best));
		name_of(name, search.best);
		if ((e = small_file_remove(env, dir, name)) != ERR_OK)
			return e;
	}
}

enum err producer_file_drop_above(struct env *env, const char *dir, int64_t offset)
{
	for (;;) {
		struct search search = { offset, -1 };
		char name[NAME_MAX_N];
		enum err e = env->files->list(env, dir, note_above, &search);

		if (e != ERR_OK || search.best < 0)
			return e == ERR_NOT_FOUND ? ERR_OK : e;
		name_of(name, search.best);
		if ((e = small_file_remove(env, dir, name)) != ERR_OK)
			return e;
	}
}

static void note_name(void *arg, const struct file_name *name)
{
	struct search *search = arg;
	const char *suffix;
	int64_t offset;

	if (segment_name(name->name, &offset, &suffix) && strcmp(suffix, ".snapshot") == 0 &&
	    offset <= search->limit)
		search->best = i64_max(search->best, offset);
}

static void note_above(void *arg, const struct file_name *name)
{
	struct search *search = arg;
	const char *suffix;
	int64_t offset;

	if (segment_name(name->name, &offset, &suffix) && strcmp(suffix, ".snapshot") == 0 &&
	    offset > search->limit)
		search->best = i64_max(search->best, offset);
}

static void name_of(char out[NAME_MAX_N], int64_t offset)
{
	snprintf(out, NAME_MAX_N, "%020lld.snapshot", (long long)offset);
}

static enum err parse(const uint8_t *at, size_t size, struct producer_row **v, int32_t *n)
{
	uint32_t rows;

	if (size < HEAD_BYTES || load_be16(at) != 1)
		return ERR_CORRUPT;
	rows = load_be32(at + 6);
	if (rows != (size - HEAD_BYTES) / ROW_BYTES || (size - HEAD_BYTES) % ROW_BYTES != 0)
		return ERR_CORRUPT;
	if (load_be32(at + 2) != crc32c(0, at + CRC_FROM, size - CRC_FROM))
		return ERR_CORRUPT;
	*v = mem_alloc(rows * sizeof(**v) + 1);
	*n = (int32_t)rows;
	for (uint32_t i = 0; i < rows; i++)
		load_row(at + HEAD_BYTES + (size_t)i * ROW_BYTES, &(*v)[i]);
	return ERR_OK;
}

static void store_row(uint8_t *at, const struct producer_row *row)
{
	store_be64(at, (uint64_t)row->id);
	store_be16(at + 8, (uint16_t)row->epoch);
	store_be32(at + 10, (uint32_t)row->last_sequence);
	store_be64(at + 14, (uint64_t)row->last_offset);
	store_be32(at + 22, (uint32_t)row->offset_delta);
	store_be64(at + 26, (uint64_t)row->timestamp_ms);
	store_be32(at + 34, (uint32_t)row->coordinator_epoch);
	store_be64(at + 38, (uint64_t)row->txn_first_offset);
}

static void load_row(const uint8_t *at, struct producer_row *row)
{
	row->id = (int64_t)load_be64(at);
	row->epoch = (int16_t)load_be16(at + 8);
	row->last_sequence = (int32_t)load_be32(at + 10);
	row->last_offset = (int64_t)load_be64(at + 14);
	row->offset_delta = (int32_t)load_be32(at + 22);
	row->timestamp_ms = (int64_t)load_be64(at + 26);
	row->coordinator_epoch = (int32_t)load_be32(at + 34);
	row->txn_first_offset = (int64_t)load_be64(at + 38);
}
