/* index.c - reading by pread in blocks of 64 entries, appending through a tail in memory. */
#include "broker/log/index.h"
#include "common/base/endian.h"

#define BLOCK_ENTRIES 64
#define ENTRY_BYTES_MAX 12

static void load_entry(const struct index *, const uint8_t *, struct index_entry *);
static void store_entry(const struct index *, uint8_t *, const struct index_entry *);
static int64_t field_of(const struct index_entry *, enum index_field);
static int32_t tail_count(const struct index *);
static enum err read_entries(const struct index *, int32_t first, int32_t n, uint8_t *to);
static enum err narrow(const struct index *, enum index_field, int64_t key, int32_t *lo,
		       int32_t *hi);

void index_init(struct index *ix, enum index_kind kind, int64_t base)
{
	*ix = (struct index){ .kind = kind, .base = base };
}

int32_t index_entry_bytes(enum index_kind kind)
{
	return kind == INDEX_OFFSET ? 8 : 12;
}

enum err index_open(struct index *ix, struct env *env, const char *path, bool create)
{
	unsigned flags = FILE_READ | FILE_WRITE | (create ? FILE_CREATE : 0u);
	int64_t bytes;
	enum err e;

	if (ix->file)
		return ERR_OK;
	if ((e = env->files->open(env, path, flags, &ix->file)) != ERR_OK) {
		ix->file = NULL;
		return e;
	}
	if ((e = ix->file->ops->size(ix->file, &bytes)) != ERR_OK) {
		index_close(ix);
		return e;
	}
	ix->n_file = (int32_t)i64_min(bytes / index_entry_bytes(ix->kind), INT32_MAX);
	return ERR_OK;
}

void index_close(struct index *ix)
{
	file_put(ix->file);
	ix->file = NULL;
}

int32_t index_count(const struct index *ix)
{
	return ix->n_file + tail_count(ix);
}

bool index_tail_full(const struct index *ix)
{
	return (tail_count(ix) + 1) * index_entry_bytes(ix->kind) > INDEX_TAIL_BYTES;
}

void index_add(struct index *ix, const struct index_entry *entry)
{
	ASSERT(ix->tail && !index_tail_full(ix));
	ASSERT(entry->offset >= ix->base && entry->offset - ix->base <= INT32_MAX);
	store_entry(ix, ix->tail->at + ix->tail->n * (uint32_t)index_entry_bytes(ix->kind), entry);
	ix->tail->n++;
}

enum err index_write_tail(struct index *ix)
{
	int32_t each = index_entry_bytes(ix->kind), n = tail_count(ix);
	struct file_iov iov;
	enum err e;

	if (n == 0)
		return ERR_OK;
	ASSERT(ix->file);
	iov = (struct file_iov){ ix->tail->at, (size_t)(n * each) };
	e = ix->file->ops->writev(ix->file, &iov, 1, (int64_t)ix->n_file * each);
	if (e != ERR_OK)
		return e;
	ix->n_file += n;
	ix->tail->n = 0;
	return ERR_OK;
}

enum err index_get(const struct index *ix, int32_t i, struct index_entry *out)
{
	uint8_t raw[ENTRY_BYTES_MAX];
	enum err e;

	ASSERT(i >= 0 && i < index_count(ix));
	if (i >= ix->n_file) {
		load_entry(ix, ix->tail->at + (i - ix->n_file) * index_entry_bytes(ix->kind), out);
		return ERR_OK;
	}
	if ((e = read_entries(ix, i, 1, raw)) == ERR_OK)
		load_entry(ix, raw, out);
	return e;
}

enum err index_floor(const struct index *ix, enum index_field by, int64_t key,
		     struct index_entry *out, int32_t *at)
{
	uint8_t block[BLOCK_ENTRIES * ENTRY_BYTES_MAX];
	int32_t each = index_entry_bytes(ix->kind), lo = 0, hi = ix->n_file;
	struct index_entry entry;
	enum err e;

	*at = -1;
	for (int32_t i = tail_count(ix) - 1; i >= 0; i--) {
		load_entry(ix, ix->tail->at + i * each, &entry);
		if (field_of(&entry, by) <= key) {
			*out = entry;
			*at = ix->n_file + i;
			return ERR_OK;
		}
	}
	if ((e = narrow(ix, by, key, &lo, &hi)) != ERR_OK || lo == hi)
		return e;
	if ((e = read_entries(ix, lo, hi - lo, block)) != ERR_OK)
		return e;
	for (int32_t i = hi - lo - 1; i >= 0; i--) {
		load_entry(ix, block + i * each, &entry);
		if (field_of(&entry, by) <= key) {
			*out = entry;
			*at = lo + i;
			break;
		}
	}
	return ERR_OK;
}

enum err index_keep(struct index *ix, int32_t n)
{
	enum err e;

	ASSERT(n >= 0 && n <= index_count(ix));
	if (ix->tail)
		ix->tail->n = (uint32_t)i32_max(0, n - ix->n_file);
	if (n >= ix->n_file)
		return ERR_OK;
	if (!ix->file)
		return ERR_INVALID;
	e = ix->file->ops->truncate(ix->file, (int64_t)n * index_entry_bytes(ix->kind));
	if (e == ERR_OK)
		ix->n_file = n;
	return e;
}

enum err index_sane(const struct index *ix, int64_t value_end, bool *sane)
{
	uint8_t block[BLOCK_ENTRIES * ENTRY_BYTES_MAX];
	struct index_entry last = { ix->base - 1, -1 }, entry;
	int32_t each = index_entry_bytes(ix->kind);

	*sane = true;
	for (int32_t i = 0; i < ix->n_file && *sane; i += BLOCK_ENTRIES) {
		int32_t n = i32_min(BLOCK_ENTRIES, ix->n_file - i);
		enum err e = read_entries(ix, i, n, block);

		if (e != ERR_OK)
			return e;
		for (int32_t k = 0; k < n; k++) {
			load_entry(ix, block + k * each, &entry);
			if (entry.offset <= last.offset || entry.value <= last.value)
				*sane = false;
			last = entry;
		}
	}
	if (last.value >= value_end)
		*sane = false;
	return ERR_OK;
}

/* Halves [lo, hi) until it is at most one block and holds the floor of key, if there is one. */
static enum err narrow(const struct index *ix, enum index_field by, int64_t key, int32_t *lo,
		       int32_t *hi)
{
	while (*hi - *lo > BLOCK_ENTRIES) {
		int32_t mid = *lo + (*hi - *lo) / 2;
		struct index_entry entry;
		enum err e = index_get(ix, mid, &entry);

		if (e != ERR_OK)
			return e;
		if (field_of(&entry, by) <= key)
			*lo = mid;
		else
			*hi = mid;
	}
	return ERR_OK;
}

static enum err read_entries(const struct index *ix, int32_t first, int32_t n, uint8_t *to)
{
	size_t each = (size_t)index_entry_bytes(ix->kind), want = (size_t)n * each, got;
	enum err e;

	ASSERT(ix->file);
	e = ix->file->ops->read(ix->file, to, want, first * (int64_t)each, &got);
	if (e == ERR_OK && got < want)
		e = ERR_CORRUPT; /* the file shrank behind our back */
	return e;
}

static void load_entry(const struct index *ix, const uint8_t *raw, struct index_entry *out)
{
	if (ix->kind == INDEX_OFFSET) {
		out->offset = ix->base + (int32_t)load_be32(raw);
		out->value = (int32_t)load_be32(raw + 4);
	} else {
		out->value = (int64_t)load_be64(raw);
		out->offset = ix->base + (int32_t)load_be32(raw + 8);
	}
}

static void store_entry(const struct index *ix, uint8_t *raw, const struct index_entry *entry)
{
	uint32_t relative = (uint32_t)(entry->offset - ix->base);

	if (ix->kind == INDEX_OFFSET) {
		ASSERT(entry->value >= 0 && entry->value <= INT32_MAX);
		store_be32(raw, relative);
		store_be32(raw + 4, (uint32_t)entry->value);
	} else {
		store_be64(raw, (uint64_t)entry->value);
		store_be32(raw + 8, relative);
	}
}

static int64_t field_of(const struct index_entry *entry, enum index_field by)
{
	return by == INDEX_BY_OFFSET ? entry->offset : entry->value;
}

static int32_t tail_count(const struct index *ix)
{
	return ix->tail ? (int32_t)ix->tail->n : 0;
}
