/* index.c - reading by pread in blocks of 64 entries, appending through a tail in memory.
 *
 * The entries are [file: n_file of them][tail: the newest]. A search looks at the tail first, since
 * readers near the end are the rule, then guesses in the file.  Layouts are in index.h. */
#include "broker/log/index.h"
#include "common/base/endian.h"

/* 512 or 768 bytes, one page at most: reading more at once costs no more than one entry.  After
 * GUESSES_MAX misses the entries are not even enough to guess by, and bisection takes over. */
#define BLOCK_ENTRIES 64
#define ENTRY_BYTES_MAX 12
#define GUESSES_MAX 4

/* Of a search: the floor lies in [lo, hi), if anywhere. */
struct window {
	int32_t lo, hi, guess;
	int32_t found; /* its number plus one; 0: not yet */
};

static void load_entry(const struct index *, const uint8_t *, struct index_entry *);
static void store_entry(const struct index *, uint8_t *, const struct index_entry *);
static int64_t field_of(const struct index_entry *, enum index_field);
static int32_t tail_count(const struct index *);
static enum err read_entries(const struct index *, int32_t first, int32_t n, uint8_t *to);
static int32_t floor_of_tail(const struct index *, enum index_field, int64_t key,
			     struct index_entry *);
static enum err look_at_block(const struct index *, enum index_field, int64_t key, struct window *,
			      struct index_entry *);

void index_init(struct index *ix, enum index_kind kind, int64_t base)
{
	*ix = (struct index){ .kind = kind, .base = base };
}

int32_t index_entry_bytes(enum index_kind kind)
{
	return kind == INDEX_OFFSET ? 8 : 12;
}

/* A file that ends within an entry is a crash's: the rest does not count, and is written over. */
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

/* In memory only; index_write_tail follows when the tail is full or the segment is finished. */
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

/* Files are searched by guessing: entries lie nearly evenly, so a block near the last hit, and one
 * where its slope points, mostly find it; bisection ends what guessing does not. */
enum err index_floor(struct index *ix, enum index_field by, int64_t key, struct index_entry *out,
		     int32_t *at)
{
	struct window w = { .lo = 0, .hi = ix->n_file, .guess = ix->hint };
	enum err e = ERR_OK;

	*at = floor_of_tail(ix, by, key, out);
	for (int tries = 0; *at < 0 && e == ERR_OK && w.lo < w.hi; tries++) {
		if (tries >= GUESSES_MAX)
			w.guess = w.lo + (w.hi - w.lo) / 2;
		e = look_at_block(ix, by, key, &w, out);
		*at = w.found - 1;
	}
	if (*at >= 0 && *at < ix->n_file)
		ix->hint = *at;
	return e;
}

static int32_t floor_of_tail(const struct index *ix, enum index_field by, int64_t key,
			     struct index_entry *out)
{
	for (int32_t i = tail_count(ix) - 1; i >= 0; i--) {
		struct index_entry entry;

		load_entry(ix, ix->tail->at + i * index_entry_bytes(ix->kind), &entry);
		if (field_of(&entry, by) > key)
			continue;
		*out = entry;
		return ix->n_file + i;
	}
	return -1;
}

/* Reads the block around the guess: finds the floor, or leaves it on one side of the block. */
static enum err look_at_block(const struct index *ix, enum index_field by, int64_t key,
			      struct window *w, struct index_entry *out)
{
	uint8_t block[BLOCK_ENTRIES * ENTRY_BYTES_MAX];
	int32_t each = index_entry_bytes(ix->kind), n = i32_min(BLOCK_ENTRIES, w->hi - w->lo), i;
	int32_t first = i32_max(w->lo, i32_min(w->guess - n / 2, w->hi - n));
	struct index_entry head, last;
	double slope, aim;
	enum err e = read_entries(ix, first, n, block);

	if (e != ERR_OK)
		return e;
	load_entry(ix, block, &head);
	load_entry(ix, block + (n - 1) * each, &last);
	if (key < field_of(&head, by)) {
		w->hi = first;
	} else if (key >= field_of(&last, by) && first + n < w->hi) {
		w->lo = first + n - 1; /* itself, or one behind it */
	} else {
		for (i = n - 1; i > 0; i--) {
			load_entry(ix, block + i * each, out);
			if (field_of(out, by) <= key)
				break;
		}
		load_entry(ix, block + i * each, out);
		w->found = first + i + 1;
	}
	slope = ((double)field_of(&last, by) - (double)field_of(&head, by)) / n;
	aim = first + ((double)key - (double)field_of(&head, by)) / (slope > 0 ? slope : 1);
	w->guess = aim <= w->lo ? w->lo : aim >= w->hi ? w->hi : (int32_t)aim;
	return ERR_OK;
}

/* Truncating the file, so that what is forgotten cannot come back after a crash. */
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

/* For a start after a crash: lost pages show as zeros or jumps. */
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
