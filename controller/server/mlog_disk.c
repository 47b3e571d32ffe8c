/* mlog_disk.c - reading the metadata log back, and writing its snapshots; bytes are in mlog_disk.h.
 *
 *   mlog_recover -> list_files -> read_snapshot (the newest) -> read_logs -> read_log, each file
 *     whole_batches   how far the file is good: entries that check, in order, whole batches
 *     is_rotten       does anything behind that prove that more had been durable?
 *     settle          if not, it is a torn tail: the good bytes go to a new file, synced
 *
 * A file is read whole: snapshots keep logs at tens of megabytes (snapshot_bytes). */
#include "controller/server/mlog_disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena_pb.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include "common/base/text.h"

/* Far above what is there: two files after each snapshot, the older ones removed. */
#define FILES_MAX 4096
#define VERSION 1

static const char magics[2][9] = { "weirmlog", "weirsnap" };
static const char *const suffixes[2] = { ".log", ".snapshot" };

struct listing {
	int64_t logs[FILES_MAX], snapshots[FILES_MAX];
	int n_logs, n_snapshots;
};
struct recovery {
	int64_t snapshot_epoch, log_end;
	bool is_replaced; /* the snapshot is of another history than the log: it was received */
	struct env *env;
	const char *dir;
	mlog_each *each;
	void *arg;
	struct mlog_found *found;
	struct text why;
};
struct content {
	uint8_t *at;
	size_t n;
};

static void list_one(void *arg, const struct file_name *);
static enum err list_files(struct env *, const char *dir, struct listing *);
static enum err read_file(struct recovery *, const char *path, struct content *);
static enum err read_snapshot(struct recovery *, const char *path, int64_t base);
static enum err read_logs(struct recovery *, const struct listing *);
static enum err drop_logs(struct recovery *, const struct listing *);
static enum err read_log(struct recovery *, int64_t base, bool is_last);
static size_t whole_batches(const struct recovery *, const struct content *, int64_t base,
			    int64_t *end);
static bool is_rotten(const struct content *, size_t at, int64_t end);
static enum err settle(struct recovery *, int64_t base, const struct content *, size_t good);

/* ---- bytes ----------------------------------------------------------------------------------- */

void mlog_put_header(uint8_t to[MLOG_HEADER], enum mlog_file_kind kind, int64_t base)
{
	memcpy(to, magics[kind], 8);
	store_be32(to + 8, VERSION);
	store_be64(to + 12, (uint64_t)base);
	store_be32(to + 20, crc32c(0, to, 20));
}

void mlog_put_entry(uint8_t *to, const struct mlog_head *h)
{
	store_be32(to, h->size);
	store_be64(to + 8, (uint64_t)h->offset);
	store_be64(to + 16, (uint64_t)h->epoch);
	store_be64(to + 24, (uint64_t)h->durable);
	store_be32(to + 32, h->left);
	store_be32(to + 4, crc32c(0, to + 8, MLOG_ENTRY - 8 + h->size));
}

void mlog_peek_entry(const uint8_t *at, struct mlog_head *h)
{
	h->size = load_be32(at);
	h->offset = (int64_t)load_be64(at + 8);
	h->epoch = (int64_t)load_be64(at + 16);
	h->durable = (int64_t)load_be64(at + 24);
	h->left = load_be32(at + 32);
}

/* The entry at the start of at[n], if it is whole and checks. */
static bool get_entry(const uint8_t *at, size_t n, struct mlog_head *h)
{
	if (n < MLOG_ENTRY)
		return false;
	mlog_peek_entry(at, h);
	if (h->size > MLOG_RECORD_MAX || h->size > n - MLOG_ENTRY)
		return false;
	return load_be32(at + 4) == crc32c(0, at + 8, MLOG_ENTRY - 8 + h->size);
}

void mlog_path(const char *dir, enum mlog_file_kind kind, int64_t base, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	text_printf(&t, "%s/%020lld%s", dir, (long long)base, suffixes[kind]);
	ASSERT(!t.cut);
}

Weir__MetadataRecord *mlog_unpack(struct arena *a, const uint8_t *at, size_t n)
{
	ProtobufCAllocator take = arena_pb(a);

	return weir__metadata_record__unpack(&take, n, at);
}

/* Whole batches, and exactly the records [from, end)? */
enum err mlog_check_raw(const uint8_t *at, size_t n, int64_t from, int64_t end)
{
	struct mlog_head h = { .left = 0 };

	for (; n > 0; from++) {
		if (!get_entry(at, n, &h) || h.offset != from)
			return ERR_CORRUPT;
		at += MLOG_ENTRY + h.size;
		n -= MLOG_ENTRY + h.size;
	}
	return from == end && h.left == 0 ? ERR_OK : ERR_CORRUPT;
}

/* ---- reading back ---------------------------------------------------------------------------- */

/* The newest snapshot, then every file that reaches beyond it. */
enum err mlog_recover(struct env *env, const char *dir, mlog_each *each, void *arg,
		      struct mlog_found *found, char *why, size_t cap)
{
	struct recovery r = { .env = env, .dir = dir, .each = each, .arg = arg, .found = found };
	struct listing *files = mem_alloc(sizeof(*files));
	char path[4096];
	enum err e;

	text_init(&r.why, why, cap);
	*found = (struct mlog_found){ .snapshot = -1, .last_file = -1 };
	if ((e = list_files(env, dir, files)) != ERR_OK) {
		text_printf(&r.why, "%s: cannot be read: %s", dir, err_text(e));
		goto out;
	}
	if (files->n_snapshots > 0) {
		found->snapshot = found->end = files->snapshots[files->n_snapshots - 1];
		mlog_path(dir, MLOG_SNAPSHOT, found->snapshot, path, sizeof(path));
		if ((e = read_snapshot(&r, path, found->snapshot)) != ERR_OK)
			goto out;
	}
	e = read_logs(&r, files);
out:
	mem_free(files);
	return e;
}

static void list_one(void *arg, const struct file_name *f)
{
	struct listing *l = arg;
	size_t n = strlen(f->name);
	char *end;
	long long base;

	if (f->is_dir || n < 20)
		return;
	base = strtoll(f->name, &end, 10);
	if (end != f->name + 20 || base < 0)
		return;
	if (strcmp(end, suffixes[MLOG_LOG]) == 0 && l->n_logs < FILES_MAX)
		l->logs[l->n_logs++] = base;
	if (strcmp(end, suffixes[MLOG_SNAPSHOT]) == 0 && l->n_snapshots < FILES_MAX)
		l->snapshots[l->n_snapshots++] = base;
}

static int by_base(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static enum err list_files(struct env *env, const char *dir, struct listing *l)
{
	enum err e = env->files->list(env, dir, list_one, l);

	qsort(l->logs, (size_t)l->n_logs, sizeof(l->logs[0]), by_base);
	qsort(l->snapshots, (size_t)l->n_snapshots, sizeof(l->snapshots[0]), by_base);
	return e;
}

/* Any size: the file is our own, and its maximum is that of the log between two snapshots. */
static enum err read_file(struct recovery *r, const char *path, struct content *c)
{
	struct file *f;
	int64_t bytes = 0;
	size_t got = 0;
	enum err e;

	if ((e = r->env->files->open(r->env, path, FILE_READ, &f)) != ERR_OK) {
		text_printf(&r->why, "%s: cannot be opened: %s", path, err_text(e));
		return e;
	}
	if ((e = f->ops->size(f, &bytes)) == ERR_OK) {
		c->at = mem_alloc((size_t)bytes + 1);
		e = f->ops->read(f, c->at, (size_t)bytes, 0, &got);
		c->n = got;
	}
	file_put(f);
	if (e != ERR_OK)
		text_printf(&r->why, "%s: cannot be read: %s", path, err_text(e));
	return e;
}

static bool header_ok(const struct content *c, enum mlog_file_kind kind, int64_t base)
{
	return c->n >= MLOG_HEADER && memcmp(c->at, magics[kind], 8) == 0 &&
	       load_be32(c->at + 8) == VERSION && (int64_t)load_be64(c->at + 12) == base &&
	       load_be32(c->at + 20) == crc32c(0, c->at, 20);
}

/* A snapshot was renamed into place complete, so anything wrong with it is rot, never
 * a torn write. */
static enum err read_snapshot(struct recovery *r, const char *path, int64_t base)
{
	struct content c = { NULL, 0 };
	struct mlog_head h = { 0 };
	size_t at = MLOG_HEADER;
	int64_t n = 0;
	enum err e = read_file(r, path, &c);

	if (e != ERR_OK)
		goto out;
	e = ERR_CORRUPT;
	if (header_ok(&c, MLOG_SNAPSHOT, base))
		while (get_entry(c.at + at, c.n - at, &h) && h.size > 0) {
			r->each(r->arg, &h, c.at + at + MLOG_ENTRY, true);
			at += MLOG_ENTRY + h.size;
			n++;
		}
	if (at + MLOG_ENTRY == c.n && h.size == 0 && h.durable == n &&
	    get_entry(c.at + at, c.n - at, &h))
		e = ERR_OK;
	if (e == ERR_OK)
		r->snapshot_epoch = r->found->snapshot_epoch = h.epoch;
	else
		text_printf(&r->why,
			    "%s is damaged at byte %zu of %zu: restore it from a backup, or set "
			    "this directory aside and start a controller that still has the "
			    "metadata",
			    path, at, c.n);
out:
	mem_free(c.at);
	return e;
}

/* A gap between files means that a file is missing: refused, since the records in it may have been
 * answered. */
static enum err read_logs(struct recovery *r, const struct listing *files)
{
	int first = 0;
	enum err e = ERR_OK;

	/* Those that end before the snapshot are leftovers of a crash between its birth and their
	 * removal. */
	while (first + 1 < files->n_logs && files->logs[first + 1] <= r->found->end)
		first++;
	if (files->n_logs > 0 && files->logs[first] > r->found->end) {
		text_printf(
			&r->why,
			"%s: records %lld to %lld are missing: there is no file that holds them",
			r->dir, (long long)r->found->end, (long long)files->logs[first] - 1);
		return ERR_CORRUPT;
	}
	for (int i = first; i < files->n_logs && e == ERR_OK && !r->is_replaced; i++)
		e = read_log(r, files->logs[i], i + 1 == files->n_logs);
	if (e == ERR_OK && files->n_logs > 0 && (r->is_replaced || r->log_end < r->found->end))
		e = drop_logs(r, files);
	return e;
}

/* A snapshot from the leader replaced the log, and the crash came before the old files were
 * removed.  The newest goes first, so that what is left is always a log from its beginning. */
static enum err drop_logs(struct recovery *r, const struct listing *files)
{
	enum err e = ERR_OK;
	char path[4096];

	for (int i = files->n_logs - 1; i >= 0 && e == ERR_OK; i--) {
		mlog_path(r->dir, MLOG_LOG, files->logs[i], path, sizeof(path));
		e = r->env->files->unlink(r->env, path);
	}
	if (e == ERR_OK)
		e = r->env->files->sync_dir(r->env, r->dir);
	if (e != ERR_OK)
		text_printf(&r->why, "%s: old log files cannot be removed: %s", r->dir,
			    err_text(e));
	r->found->last_file = -1;
	r->found->bytes = 0;
	return e;
}

/* Only the last file may have a bad end: the ones before it were synced when the next began.
 * Records that the snapshot covers are passed over. */
static enum err read_log(struct recovery *r, int64_t base, bool is_last)
{
	struct content c = { NULL, 0 };
	struct mlog_found *found = r->found;
	int64_t end = base;
	size_t good, at = MLOG_HEADER;
	struct mlog_head h;
	char path[4096];
	enum err e;

	mlog_path(r->dir, MLOG_LOG, base, path, sizeof(path));
	if ((e = read_file(r, path, &c)) != ERR_OK)
		goto out;
	good = header_ok(&c, MLOG_LOG, base) ? whole_batches(r, &c, base, &end) : 0;
	if (good < c.n && (!is_last || is_rotten(&c, good, end))) {
		text_printf(&r->why,
			    "%s/%020lld.log is damaged at byte %zu of %zu, before record %lld, and "
			    "more was written after it: this is not a torn write; restore the "
			    "file, or set this directory aside and start a controller that still "
			    "has the metadata",
			    r->dir, (long long)base, good, c.n, (long long)end);
		e = ERR_CORRUPT;
		goto out;
	}
	r->log_end = end;
	while (at < good && get_entry(c.at + at, c.n - at, &h)) {
		r->is_replaced |= h.offset == found->snapshot - 1 && h.epoch != r->snapshot_epoch;
		if (r->is_replaced)
			goto out;
		if (h.offset >= found->end) {
			r->each(r->arg, &h, c.at + at + MLOG_ENTRY, false);
			found->end = h.offset + 1;
		}
		at += MLOG_ENTRY + h.size;
	}
	found->bytes += (int64_t)good;
	found->last_file = base;
	found->last_bytes = (int64_t)good;
	if (is_last)
		e = settle(r, base, &c, good);
out:
	mem_free(c.at);
	return e;
}

/* Where the last whole batch ends. */
static size_t whole_batches(const struct recovery *r, const struct content *c, int64_t base,
			    int64_t *end)
{
	size_t at = MLOG_HEADER, good = MLOG_HEADER;
	int64_t next = base;
	struct mlog_head h;

	(void)r;
	while (get_entry(c->at + at, c->n - at, &h) && h.offset == next) {
		at += MLOG_ENTRY + h.size;
		next++;
		if (h.left == 0) {
			good = at;
			*end = next;
		}
	}
	return good;
}

/* Does anything later in the file prove that the log had been durable past `end`? */
static bool is_rotten(const struct content *c, size_t at, int64_t end)
{
	struct mlog_head h;

	for (; at + MLOG_ENTRY <= c->n; at++)
		if (c->at[at] == 0 && get_entry(c->at + at, c->n - at, &h) && h.offset >= end &&
		    h.durable > end)
			return true;
	return false;
}

/* Makes the file what we take it for: it ends behind the last whole batch, and is on the device up
 * to there.  What a failed sync left behind is in the page cache and counts as clean there; no
 * further sync of that file brings it to the device.  So the whole bytes go to a new file. */
static enum err settle(struct recovery *r, int64_t base, const struct content *c, size_t good)
{
	struct file_iov whole = { c->at, good };
	char path[4096], fresh[4096 + 8];
	struct file *f;
	enum err e;

	mlog_path(r->dir, MLOG_LOG, base, path, sizeof(path));
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	r->found->cut_bytes = (int64_t)(c->n - good);
	if (good < c->n)
		log_warn("controller",
			 "cut off the end of the metadata log that a crash left half written",
			 F_Z("file", path), F_I64("bytes", c->n - good), F_I64("from_byte", good));
	e = r->env->files->open(r->env, fresh, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &f);
	if (e == ERR_OK) {
		if (good > 0)
			e = f->ops->writev(f, &whole, 1, 0);
		if (e == ERR_OK)
			e = f->ops->sync(f);
		file_put(f);
	}
	if (e == ERR_OK && (e = r->env->files->rename(r->env, fresh, path)) == ERR_OK)
		e = r->env->files->sync_dir(r->env, r->dir);
	if (e != ERR_OK)
		text_printf(&r->why, "%s: its %zu whole bytes cannot be made durable: %s", path,
			    good, err_text(e));
	return e;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* Where the record at this offset begins, or would: the file may end before it. */
static enum err find_record(const struct content *c, int64_t base, int64_t offset, int64_t *at)
{
	struct mlog_head h;
	int64_t next = base;

	for (*at = MLOG_HEADER; next < offset; next++) {
		if (!get_entry(c->at + *at, c->n - (size_t)*at, &h) || h.offset != next)
			return ERR_CORRUPT;
		*at += MLOG_ENTRY + h.size;
	}
	return ERR_OK;
}

/* The newest file goes first: whatever a crash leaves of this is a log from its beginning. */
enum err mlog_cut(struct env *env, const char *dir, int64_t offset, int64_t *file, int64_t *bytes)
{
	struct listing *files = mem_alloc(sizeof(*files));
	char why[512], path[4096];
	struct recovery r = { .env = env, .dir = dir };
	struct content c = { NULL, 0 };
	struct file *f = NULL;
	enum err e = list_files(env, dir, files);
	int i = files->n_logs - 1;

	text_init(&r.why, why, sizeof(why));
	for (; e == ERR_OK && i >= 0 && files->logs[i] >= offset; i--) {
		mlog_path(dir, MLOG_LOG, files->logs[i], path, sizeof(path));
		e = env->files->unlink(env, path);
	}
	if (e == ERR_OK)
		e = env->files->sync_dir(env, dir);
	*file = i >= 0 ? files->logs[i] : -1;
	*bytes = 0;
	if (e != ERR_OK || i < 0)
		goto out;
	mlog_path(dir, MLOG_LOG, *file, path, sizeof(path));
	if ((e = read_file(&r, path, &c)) != ERR_OK ||
	    (e = find_record(&c, *file, offset, bytes)) != ERR_OK)
		goto out;
	if ((e = env->files->open(env, path, FILE_READ | FILE_WRITE, &f)) != ERR_OK)
		goto out;
	if ((e = f->ops->truncate(f, *bytes)) == ERR_OK)
		e = f->ops->sync(f);
	file_put(f);
out:
	mem_free(c.at);
	mem_free(files);
	return e;
}

/* Every log file, the newest first. */
enum err mlog_remove_logs(struct env *env, const char *dir)
{
	int64_t file, bytes;

	return mlog_cut(env, dir, INT64_MIN, &file, &bytes);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

struct snapshot_writer {
	struct file *file;
	int64_t offset, epoch, at, n;
	uint8_t *chunk;
	size_t used, cap;
	enum err e;
};

static void flush_chunk(struct snapshot_writer *w)
{
	struct file_iov iov = { w->chunk, w->used };

	if (w->e == ERR_OK && w->used > 0)
		w->e = w->file->ops->writev(w->file, &iov, 1, w->at);
	w->at += (int64_t)w->used;
	w->used = 0;
}

/* Gathers a quarter of a megabyte per write. */
static void write_entry(struct snapshot_writer *w, const Weir__MetadataRecord *m, int64_t durable)
{
	size_t size = m != NULL ? weir__metadata_record__get_packed_size(m) : 0,
	       need = MLOG_ENTRY + size;
	struct mlog_head h = { (uint32_t)size, w->offset, w->epoch, durable, 0 };

	if (w->used + need > w->cap) {
		flush_chunk(w);
		w->cap = size_max(w->cap, size_max(need, 256 << 10));
		w->chunk = mem_grow(w->chunk, w->cap);
	}
	if (m != NULL)
		(void)weir__metadata_record__pack(m, w->chunk + w->used + MLOG_ENTRY);
	mlog_put_entry(w->chunk + w->used, &h);
	w->used += need;
}

static void write_record(void *arg, const Weir__MetadataRecord *m)
{
	struct snapshot_writer *w = arg;

	write_entry(w, m, 0);
	w->n++;
}

/* Written beside, synced, renamed, directory synced: there is never half a snapshot
 * by that name. */
enum err mlog_write_snapshot(struct env *env, const char *dir, int64_t offset, int64_t epoch,
			     mlog_dump *dump, void *state)
{
	struct snapshot_writer w = { .offset = offset, .epoch = epoch };
	char path[4096], tmp[4096];
	struct text t;

	mlog_path(dir, MLOG_SNAPSHOT, offset, path, sizeof(path));
	text_init(&t, tmp, sizeof(tmp));
	text_printf(&t, "%s.tmp", path);
	w.e = env->files->open(env, tmp, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
			       &w.file);
	if (w.e != ERR_OK)
		return w.e;
	w.cap = 256 << 10;
	w.chunk = mem_alloc(w.cap);
	mlog_put_header(w.chunk, MLOG_SNAPSHOT, offset);
	w.used = MLOG_HEADER;
	dump(state, write_record, &w);
	write_entry(&w, NULL, w.n);
	flush_chunk(&w);
	if (w.e == ERR_OK)
		w.e = w.file->ops->sync(w.file);
	file_put(w.file);
	mem_free(w.chunk);
	if (w.e == ERR_OK)
		w.e = env->files->rename(env, tmp, path);
	if (w.e == ERR_OK)
		w.e = env->files->sync_dir(env, dir);
	return w.e;
}

/* What stays behind after a failure here is only in the way, not wrong: it was logged. */
void mlog_remove_before(struct env *env, const char *dir, int64_t snapshot, int64_t keep)
{
	struct listing *files = mem_alloc(sizeof(*files));
	char path[4096];
	enum err e = list_files(env, dir, files);

	for (int i = 0; e == ERR_OK && i < files->n_snapshots; i++)
		if (files->snapshots[i] < snapshot) {
			mlog_path(dir, MLOG_SNAPSHOT, files->snapshots[i], path, sizeof(path));
			e = env->files->unlink(env, path);
		}
	for (int i = 0; e == ERR_OK && i + 1 < files->n_logs; i++)
		if (files->logs[i + 1] <= snapshot && files->logs[i] != keep) {
			mlog_path(dir, MLOG_LOG, files->logs[i], path, sizeof(path));
			e = env->files->unlink(env, path);
		}
	mem_free(files);
}

void mlog_incoming_path(const char *dir, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	text_printf(&t, "%s/incoming.snapshot.tmp", dir);
	ASSERT(!t.cut);
}

struct adoption {
	void (*each)(void *state, const Weir__MetadataRecord *);
	void *state;
	struct arena arena;
};

static void adopt_record(void *arg, const struct mlog_head *h, const uint8_t *at, bool is_snapshot)
{
	struct adoption *a = arg;
	Weir__MetadataRecord *m = mlog_unpack(&a->arena, at, h->size);

	(void)is_snapshot;
	if (m != NULL)
		a->each(a->state, m);
	arena_reset(&a->arena);
}

enum err mlog_adopt_snapshot(struct env *env, const char *dir, int64_t offset,
			     void (*each)(void *state, const Weir__MetadataRecord *), void *state)
{
	struct adoption a = { .each = each, .state = state };
	struct mlog_found found = { .snapshot = offset };
	struct recovery r = {
		.env = env, .dir = dir, .each = adopt_record, .arg = &a, .found = &found
	};
	char from[4096], path[4096], why[512];
	enum err e;

	text_init(&r.why, why, sizeof(why));
	arena_init(&a.arena, 64 << 20);
	mlog_incoming_path(dir, from, sizeof(from));
	mlog_path(dir, MLOG_SNAPSHOT, offset, path, sizeof(path));
	e = read_snapshot(&r, from, offset);
	if (e == ERR_OK)
		e = env->files->rename(env, from, path);
	else
		log_error("controller", "a snapshot from the leader cannot be used",
			  F_Z("why", why));
	if (e == ERR_OK)
		e = env->files->sync_dir(env, dir);
	arena_fini(&a.arena);
	return e;
}
