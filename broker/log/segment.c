/* segment.c - one .log file, its two indexes, and the names of a segment's files.
 *
 * When index entries are made (segment_note), as in Kafka's LogSegment.append: once more than
 * index.interval.bytes have been appended since the last entry, the batch about to be noted gets an
 * offset entry, and the running maximum of timestamps a time entry if it has grown.
 *
 * The names of one segment never change but by rename to .deleted; the .log file is the truth, the
 * others can be rebuilt from it. */
#include "broker/log/segment.h"
#include "common/base/log.h"
#include <stdio.h>

static bool add_entry(const struct segment_home *, struct segment *, enum index_kind,
		      const struct index_entry *);
static void add_time(const struct segment_home *, struct segment *, struct segment_writer *);
static enum err finish_index(const struct segment_home *, struct segment *, enum index_kind);
static enum err start_of(const struct segment_home *, struct segment *, int64_t offset,
			 struct index_entry *);
static enum err unlink_one(const struct segment_home *, int64_t base, const char *suffix);

void segment_path(char out[SEGMENT_PATH_MAX], const struct segment_home *home, int64_t base,
		  const char *suffix)
{
	int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020lld%s", home->dir, (long long)base, suffix);

	ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}

/* Exactly 20 digits: other files in the directory are nobody's business. */
bool segment_name(const char *name, int64_t *base, const char **suffix)
{
	int64_t v = 0;

	for (int i = 0; i < 20; i++) {
		if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, name[i] - '0', &v))
			return false;
	}
	if (name[20] != '.')
		return false;
	*base = v;
	*suffix = name + 20;
	return true;
}

static const char *index_suffix(enum index_kind kind)
{
	return kind == INDEX_OFFSET ? ".index" : ".timeindex";
}

void segment_init(struct segment *s, int64_t base, int64_t bytes)
{
	*s = (struct segment){
		.base = base, .bytes = bytes, .max_time_ms = TIME_UNKNOWN, .max_time_offset = -1
	};
	index_init(&s->index[INDEX_OFFSET], INDEX_OFFSET, base);
	index_init(&s->index[INDEX_TIME], INDEX_TIME, base);
}

enum err segment_create(const struct segment_home *home, struct segment *s)
{
	char path[SEGMENT_PATH_MAX];

	/* A file of that name can only be what an unlink that failed left behind (KAFKA-6388). */
	ASSERT(s->bytes == 0 && !s->file);
	segment_path(path, home, s->base, ".log");
	s->max_time_ms = TIME_NONE;
	s->dirty = true;
	return home->env->files->open(
		home->env, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &s->file);
}

enum err segment_open(const struct segment_home *home, struct segment *s)
{
	char path[SEGMENT_PATH_MAX];
	enum err e;

	if (s->file)
		return ERR_OK;
	segment_path(path, home, s->base, ".log");
	e = home->env->files->open(home->env, path, FILE_READ | FILE_WRITE, &s->file);
	return e == ERR_NOT_FOUND ? ERR_IO : e; /* it was there: somebody took it away */
}

/* A missing index is an empty one: reads start at the segment's beginning, until a start rebuilds
 * it. */
enum err segment_open_index(const struct segment_home *home, struct segment *s,
			    enum index_kind kind)
{
	char path[SEGMENT_PATH_MAX];
	enum err e;

	if (s->index[kind].file)
		return ERR_OK;
	segment_path(path, home, s->base, index_suffix(kind));
	e = index_open(&s->index[kind], home->env, path, false);
	if (e == ERR_NOT_FOUND) {
		s->index[kind].n_file = 0;
		e = ERR_OK;
	}
	return e;
}

void segment_close(struct segment *s)
{
	file_put(s->file);
	s->file = NULL;
	index_close(&s->index[INDEX_OFFSET]);
	index_close(&s->index[INDEX_TIME]);
}

enum err segment_unlink(const struct segment_home *home, struct segment *s)
{
	static const char *const suffixes[] = { ".log", ".index", ".timeindex", ".txnindex",
						".snapshot" };
	enum err first = ERR_OK;

	/* The .log goes first: without it the others are leftovers that any start removes. */
	segment_close(s);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		enum err e = unlink_one(home, s->base, suffixes[i]);

		first = first ? first : e;
	}
	return first;
}

/* The .log first, since a start looks for it; missing index files are fine. */
enum err segment_rename_deleted(const struct segment_home *home, struct segment *s)
{
	static const char *const suffixes[] = { ".log", ".index", ".timeindex" };
	char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX], deleted[32];
	enum err e = ERR_OK, e2;

	segment_close(s);
	for (size_t i = 0; i < ARRAY_LEN(suffixes) && !e; i++) {
		snprintf(deleted, sizeof(deleted), "%s.deleted", suffixes[i]);
		segment_path(from, home, s->base, suffixes[i]);
		segment_path(to, home, s->base, deleted);
		e = home->env->files->rename(home->env, from, to);
		if (e == ERR_NOT_FOUND && i > 0)
			e = ERR_OK;
	}
	if (!e)
		e = unlink_one(home, s->base, ".txnindex");
	e2 = unlink_one(home, s->base, ".snapshot");
	return e ? e : e2;
}

/* The writer lives in the log, because only one segment grows at a time. */
void segment_attach(struct segment *s, struct segment_writer *w, int64_t interval_bytes)
{
	w->tails[INDEX_OFFSET].n = w->tails[INDEX_TIME].n = 0;
	w->interval_bytes = interval_bytes;
	w->since_entry_bytes = 0;
	w->last_time_ms = TIME_NONE;
	s->index[INDEX_OFFSET].tail = &w->tails[INDEX_OFFSET];
	s->index[INDEX_TIME].tail = &w->tails[INDEX_TIME];
}

void segment_detach(struct segment *s)
{
	s->index[INDEX_OFFSET].tail = s->index[INDEX_TIME].tail = NULL;
}

/* The entry names the last offset of the batch that begins at `at`, as Kafka's does. */
void segment_note(const struct segment_home *home, struct segment *s, struct segment_writer *w,
		  const struct batch *view, int64_t at)
{
	ASSERT(s->max_time_ms != TIME_UNKNOWN);
	if (view->max_timestamp_ms > s->max_time_ms) {
		s->max_time_ms = view->max_timestamp_ms;
		s->max_time_offset = batch_last_offset(view);
	}
	if (w->since_entry_bytes > w->interval_bytes) {
		struct index_entry entry = { batch_last_offset(view), at };

		(void)add_entry(home, s, INDEX_OFFSET, &entry);
		add_time(home, s, w);
		w->since_entry_bytes = 0;
	}
	w->since_entry_bytes += view->size;
}

enum err segment_may_finish(const struct segment_home *home, struct segment *s)
{
	char path[SEGMENT_PATH_MAX];

	for (int kind = 0; kind < INDEX_KINDS; kind++) {
		segment_path(path, home, s->base, index_suffix((enum index_kind)kind));
		if (!s->index[kind].broken &&
		    index_open(&s->index[kind], home->env, path, true) == ERR_NOFILES)
			return ERR_NOFILES;
	}
	return ERR_OK;
}

/* The last time entry says how young the segment's youngest record is: retention asks only that. */
enum err segment_finish(const struct segment_home *home, struct segment *s,
			struct segment_writer *w)
{
	enum err e, e2;

	add_time(home, s, w);
	e = finish_index(home, s, INDEX_OFFSET);
	e2 = finish_index(home, s, INDEX_TIME);
	return e ? e : e2;
}

/* Reads headers only; the .log file is not changed. */
enum err segment_reindex(const struct segment_home *home, struct segment *s, int64_t until,
			 struct segment_writer *w, int64_t *end, int64_t *end_offset)
{
	enum hop_state state;
	struct hop hop;
	enum err e;

	for (int kind = 0; kind < INDEX_KINDS; kind++) {
		char path[SEGMENT_PATH_MAX];

		segment_path(path, home, s->base, index_suffix(kind));
		e = index_open(&s->index[kind], home->env, path, true);
		if (e == ERR_OK)
			e = index_keep(&s->index[kind], 0);
		if (e != ERR_OK)
			return e;
		s->index[kind].broken = false;
	}
	if ((e = segment_open(home, s)) != ERR_OK)
		return e;
	s->max_time_ms = TIME_NONE;
	s->max_time_offset = -1;
	w->since_entry_bytes = 0;
	w->last_time_ms = TIME_NONE;
	hop_init(&hop, s->file, 0, until, s->base);
	while ((state = hop_next(&hop)) == HOP_BATCH)
		segment_note(home, s, w, &hop.batch, hop.at);
	*end = hop.at;
	*end_offset = hop.next_offset;
	return state == HOP_FAILED ? hop.err : ERR_OK;
}

/* From the index to the header, then from header to header: at most
 * index.interval.bytes of them. */
enum err segment_seek(const struct segment_home *home, struct segment *s, int64_t offset,
		      struct hop *hop)
{
	struct index_entry from = { s->base, 0 };
	enum hop_state state;
	enum err e;

	if ((e = segment_open(home, s)) != ERR_OK ||
	    (e = start_of(home, s, offset, &from)) != ERR_OK)
		return e;
	hop_init(hop, s->file, from.value, s->bytes, s->base);
	while ((state = hop_next(hop)) == HOP_BATCH)
		if (batch_last_offset(&hop->batch) >= offset)
			return ERR_OK;
	if (state == HOP_FAILED)
		return hop->err;
	return state == HOP_END ? ERR_NOT_FOUND : ERR_CORRUPT;
}

/* Cheap insurance against an index that lies: one read of 61 bytes. */
bool segment_entry_ok(const struct segment *s, const struct index_entry *entry)
{
	struct hop hop;

	if (entry->value < 0 || entry->value >= s->bytes)
		return false;
	hop_init(&hop, s->file, entry->value, s->bytes, s->base);
	return hop_next(&hop) == HOP_BATCH && batch_last_offset(&hop.batch) == entry->offset;
}

/* The last time entry; a closed segment's was written by segment_finish. */
enum err segment_max_time(const struct segment_home *home, struct segment *s)
{
	struct index *ix = &s->index[INDEX_TIME];
	struct index_entry last;
	enum err e;

	if (s->max_time_ms != TIME_UNKNOWN)
		return ERR_OK;
	if ((e = segment_open_index(home, s, INDEX_TIME)) != ERR_OK)
		return e;
	if (index_count(ix) == 0) {
		s->max_time_ms = TIME_NONE;
		return ERR_OK;
	}
	e = index_get(ix, index_count(ix) - 1, &last);
	if (!s->dirty)
		index_close(ix); /* retention asks thousands of segments, once each */
	if (e != ERR_OK)
		return e;
	s->max_time_ms = last.value;
	s->max_time_offset = last.offset;
	return ERR_OK;
}

static void add_time(const struct segment_home *home, struct segment *s, struct segment_writer *w)
{
	struct index_entry entry = { s->max_time_offset, s->max_time_ms };

	if (s->max_time_ms <= w->last_time_ms)
		return;
	if (add_entry(home, s, INDEX_TIME, &entry))
		w->last_time_ms = s->max_time_ms;
}

/* A full tail that cannot be written leaves the index broken, not the log: the index is dropped
 * when the segment is finished, and rebuilt from the log when it is next needed.  Without a
 * descriptor for it the entry is left out: the next one comes soon. */
static bool add_entry(const struct segment_home *home, struct segment *s, enum index_kind kind,
		      const struct index_entry *entry)
{
	struct index *ix = &s->index[kind];
	char path[SEGMENT_PATH_MAX];
	enum err e;

	if (ix->broken)
		return true;
	if (index_tail_full(ix)) {
		segment_path(path, home, s->base, index_suffix(kind));
		e = index_open(ix, home->env, path, true);
		if (e == ERR_NOFILES)
			return false;
		if (e != ERR_OK || index_write_tail(ix) != ERR_OK) {
			ix->broken = true;
			return true;
		}
	}
	index_add(ix, entry);
	return true;
}

/* An index that could not be written is taken away, so that the next start rebuilds it. */
static enum err finish_index(const struct segment_home *home, struct segment *s,
			     enum index_kind kind)
{
	struct index *ix = &s->index[kind];
	char path[SEGMENT_PATH_MAX];
	enum err e = ERR_OK;

	segment_path(path, home, s->base, index_suffix(kind));
	if (!ix->broken) {
		e = index_open(ix, home->env, path, true);
		if (e == ERR_OK)
			e = index_write_tail(ix);
		ix->broken = e != ERR_OK;
	}
	if (!ix->broken)
		return ERR_OK;
	index_close(ix);
	ix->n_file = 0;
	if (ix->tail)
		ix->tail->n = 0;
	(void)unlink_one(home, s->base, index_suffix(kind));
	return e == ERR_IO ? ERR_IO : ERR_OK;
}

/* Where to begin the hop to `offset`.  An entry must name the last offset of the batch it points
 * to; one that does not (or an index that cannot be read) sends the hop to the start. */
static enum err start_of(const struct segment_home *home, struct segment *s, int64_t offset,
			 struct index_entry *from)
{
	struct index_entry entry;
	int32_t at;
	enum err e;

	if ((e = segment_open_index(home, s, INDEX_OFFSET)) != ERR_OK)
		return e;
	e = index_floor(&s->index[INDEX_OFFSET], INDEX_BY_OFFSET, offset, &entry, &at);
	if (e == ERR_IO)
		return e;
	if (e != ERR_OK || at < 0)
		return ERR_OK;
	if (segment_entry_ok(s, &entry)) {
		*from = entry;
		return ERR_OK;
	}
	log_warn("log", "an index entry points nowhere: reading from the start of the segment",
		 F_Z("dir", home->dir), F_I64("segment", s->base), F_I64("offset", entry.offset));
	return ERR_OK;
}

static enum err unlink_one(const struct segment_home *home, int64_t base, const char *suffix)
{
	char path[SEGMENT_PATH_MAX];
	enum err e;

	segment_path(path, home, base, suffix);
	e = home->env->files->unlink(home->env, path);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}
