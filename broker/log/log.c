/* log.c - life of a log, append and roll.
 *
 *   log_append -> weigh -> must_roll? log_roll -> write_batches (one writev) -> note_batches
 *
 * Order matters for what a crash leaves: bytes first, then what we remember of them; a roll creates
 * the new file before it finishes the old one, so there is always a segment to append to.  Syncing
 * is not done here: see flush.c. */
#include "broker/log/state.h"
#include "common/base/log.h"

/* An idle partition costs at most 4 KiB: this, two segments, and the file it keeps open. */
_Static_assert(sizeof(struct log) + 2 * sizeof(struct segment) <= 3584, "struct log has grown");

/* Batches of one writev, header and body each; files of old segments kept open for readers. */
#define IOV_BATCHES 128
#define OPEN_SEGMENTS_MAX 4

/* What one log_append brings, weighed before anything is written. */
struct incoming {
	int64_t bytes;
	int64_t first_offset, last_offset;
	int64_t max_time_ms;
};

static enum err weigh(const struct log *, const struct log_batch *, int n, struct incoming *);
static enum err sync_rest(struct log *);
static enum err bound_unflushed(struct log *);
static bool must_roll(struct log *, const struct incoming *, int64_t now_ms);
static int64_t waited_ms(struct log *, const struct incoming *, int64_t now_ms);
static enum err write_batches(struct log *, const struct log_batch *, int n);
static void note_batches(struct log *, const struct log_batch *, int n);
static void push_recent(struct log *, const struct batch *, int64_t at);
static enum err resume_index(struct log *, struct segment *, enum index_kind,
			     struct index_entry *last);

/* All the work is in recover.c; the config is taken as it is now and may change later. */
enum err log_open(struct env *env, const struct log_options *o, struct log **out,
		  struct log_recovery *rec)
{
	size_t dir_n = strlen(o->dir) + 1;
	struct log *l;
	enum err e;

	ASSERT(dir_n + 64 < SEGMENT_PATH_MAX);
	*rec = (struct log_recovery){ .corrupt_offset = -1 };
	l = mem_alloc(sizeof(*l) + dir_n);
	memcpy(l->dir, o->dir, dir_n);
	l->home = (struct segment_home){ env, l->dir };
	l->config = o->config;
	l->is_unnamed = true;
	log_forget_positions(l);
	if ((e = log_load(l, o, rec)) != ERR_OK) {
		log_drop(l);
		return e;
	}
	*out = l;
	return ERR_OK;
}

void log_moved(struct log *l, const char *dir)
{
	size_t n = strlen(dir) + 1;

	ASSERT(n <= strlen(l->dir) + 1);
	memcpy(l->dir, dir, n);
}

/* A finished index and a sync of everything, so that the clean marker may be written.  A log that
 * never had anything may vanish with the power: it begins again with nothing. */
enum err log_close(struct log *l)
{
	enum err e = l->failed ? ERR_IO : ERR_OK;

	ASSERT(!l->flushing);
	if (!e && l->is_blank) {
		e = segment_finish(&l->home, log_active(l), &l->writer);
		log_drop(l);
		return e;
	}
	if (!e && (log_active(l)->dirty || l->fresh_bytes > 0 ||
		   l->writer.last_time_ms < log_active(l)->max_time_ms)) {
		e = segment_finish(&l->home, log_active(l), &l->writer);
		log_active(l)->dirty = l->names_changed = true;
	}
	if (!e)
		e = sync_rest(l);
	log_drop(l);
	return e;
}

static enum err sync_rest(struct log *l)
{
	bool is_dirty = false;
	struct env *env = l->home.env;
	enum err e = ERR_OK;

	for (int32_t i = 0; i < l->n; i++)
		is_dirty |= l->v[i].dirty;
	if (is_dirty)
		e = log_sync_begins(env, l->dir);
	for (int32_t i = 0; i < l->n && !e; i++)
		if (l->v[i].dirty)
			e = log_sync_segment(&l->v[i]);
	if (!e && is_dirty)
		e = log_sync_ended(env, l->dir);
	if (!e)
		e = log_forget_lowered(l, true);
	if (!e && l->names_changed)
		e = l->is_unnamed ? log_sync_home(env, l->dir) : env->files->sync_dir(env, l->dir);
	return e;
}

void log_drop(struct log *l)
{
	ASSERT(!l->flushing);
	for (int32_t i = 0; i < l->n; i++)
		segment_close(&l->v[i]);
	mem_free(l->v);
	mem_free(l->doomed);
	mem_free(l);
}

int64_t log_start(const struct log *l)
{
	return l->start;
}
int64_t log_end(const struct log *l)
{
	return l->end;
}
int64_t log_recovery_point(const struct log *l)
{
	return l->recovery_point;
}
bool log_failed(const struct log *l)
{
	return l->failed;
}

int64_t log_bytes(const struct log *l)
{
	int64_t bytes = 0;

	for (int32_t i = 0; i < l->n; i++)
		bytes += l->v[i].bytes;
	return bytes;
}

void log_set_config(struct log *l, const struct log_config *c)
{
	l->config = *c;
	l->writer.interval_bytes = c->index_interval_bytes;
}

/* The shard's thread; the writev goes to the page cache and blocks only if the kernel throttles. */
enum err log_append(struct log *l, const struct log_batch *b, int n, int64_t now_ms,
		    struct log_appended *out)
{
	struct incoming in;
	enum err e;

	ASSERT(n > 0);
	if (l->failed)
		return ERR_IO;
	if ((e = weigh(l, b, n, &in)) != ERR_OK || (e = log_settle_cut(l)) != ERR_OK)
		return e;
	l->now_ms = now_ms;
	if (l->lowered_ms == 0)
		l->lowered_ms = now_ms;
	*out = (struct log_appended){ .first_offset = in.first_offset,
				      .last_offset = in.last_offset };
	if (must_roll(l, &in, now_ms)) {
		if ((e = log_roll(l, in.first_offset)) != ERR_OK)
			return e;
		out->rolled = true;
		out->roll_offset = in.first_offset;
	}
	l->is_blank = false;
	if ((e = write_batches(l, b, n)) != ERR_OK)
		return e;
	if (log_active(l)->bytes == 0) {
		l->first_time_ms = b[0].view.max_timestamp_ms;
		l->created_ms = now_ms;
	}
	if (l->dirty_since_ms == 0)
		l->dirty_since_ms = now_ms;
	note_batches(l, b, n);
	return ERR_OK;
}

/* The files of the old segment are finished here and synced by the next flush, which is due at
 * once: the recovery point follows the roll. */
enum err log_roll(struct log *l, int64_t base)
{
	struct segment fresh;
	struct segment *old = log_active(l);
	enum err e;

	ASSERT(base > old->base && base >= l->end);
	if ((e = bound_unflushed(l)) != ERR_OK)
		return e;
	if ((e = segment_may_finish(&l->home, old)) != ERR_OK)
		return e;
	segment_init(&fresh, base, 0);
	if ((e = segment_create(&l->home, &fresh)) != ERR_OK)
		return log_fail(l, e);
	if ((e = segment_finish(&l->home, old, &l->writer)) != ERR_OK) {
		segment_close(&fresh);
		return log_fail(l, e);
	}
	old->dirty = true;
	segment_detach(old);
	*log_push_segment(l, base, 0) = fresh;
	l->rolled_unflushed = l->names_changed = true;
	/* Empty, so nothing is read from the device here. */
	return log_activate(l);
}

/* Unflushed segments hold their files open; nobody flushes as fast as this log rolls, so do it. */
static enum err bound_unflushed(struct log *l)
{
	struct log_flush *f;
	int32_t n = 0;

	while (n < l->n && l->v[l->n - 1 - n].dirty)
		n++;
	if (n < FLUSH_SEGMENTS_MAX || (f = log_flush_begin(l)) == NULL)
		return ERR_OK;
	log_flush_work(f);
	return log_flush_end(l, f);
}

/* The last entry of each index tells the writer where to go on. */
enum err log_activate(struct log *l)
{
	struct segment *s = log_active(l);
	struct index_entry last[INDEX_KINDS] = { { s->base, 0 }, { -1, TIME_NONE } };
	enum err e;

	if ((e = segment_open(&l->home, s)) != ERR_OK)
		return log_fail(l, e);
	segment_attach(s, &l->writer, l->config.index_interval_bytes);
	l->n_recent = l->recent_head = 0;
	for (int kind = 0; kind < INDEX_KINDS && s->bytes > 0; kind++)
		if ((e = resume_index(l, s, (enum index_kind)kind, &last[kind])) != ERR_OK)
			return log_fail(l, e);
	l->writer.since_entry_bytes = s->bytes - last[INDEX_OFFSET].value;
	l->writer.last_time_ms = last[INDEX_TIME].value;
	if (s->max_time_ms == TIME_UNKNOWN) {
		s->max_time_ms = last[INDEX_TIME].value;
		s->max_time_offset = last[INDEX_TIME].offset;
	}
	l->first_time_ms = TIME_UNKNOWN;
	l->created_ms = 0;
	l->jitter_ms = 0;
	if (l->config.segment_jitter_ms > 0)
		l->jitter_ms = (int64_t)prng_below(&l->home.env->prng,
						   (uint64_t)l->config.segment_jitter_ms);
	return ERR_OK;
}

/* An idle partition keeps one descriptor: index files are opened again by the first full tail. */
static enum err resume_index(struct log *l, struct segment *s, enum index_kind kind,
			     struct index_entry *last)
{
	struct index *ix = &s->index[kind];
	enum err e = segment_open_index(&l->home, s, kind);

	if (e == ERR_OK && index_count(ix) > 0)
		e = index_get(ix, index_count(ix) - 1, last);
	if (!s->dirty)
		index_close(ix);
	return e;
}

/* Offsets must ascend from the log end without regard to who gave them: the leader's own or, on a
 * follower, those of the leader's batches. */
static enum err weigh(const struct log *l, const struct log_batch *b, int n, struct incoming *in)
{
	int64_t next = l->end;

	*in = (struct incoming){ .first_offset = b[0].view.base_offset, .max_time_ms = TIME_NONE };
	for (int i = 0; i < n; i++) {
		const struct batch *v = &b[i].view;

		if (v->base_offset < next || v->size < BATCH_HEADER_BYTES)
			return ERR_INVALID;
		next = batch_last_offset(v) + 1;
		in->bytes += v->size;
		in->max_time_ms = i64_max(in->max_time_ms, v->max_timestamp_ms);
	}
	in->last_offset = next - 1;
	if (in->bytes > INT32_MAX || in->last_offset - in->first_offset > INT32_MAX)
		return ERR_LIMIT;
	return ERR_OK;
}

/* Kafka's UnifiedLog.maybeRoll: by bytes, by age, by a full index, and where an offset would no
 * longer fit the index's 32 bits.  All batches of one append go to one segment, so that the
 * producer state before them is the state at the roll. */
static bool must_roll(struct log *l, const struct incoming *in, int64_t now_ms)
{
	struct segment *s = log_active(l);
	int64_t slots = l->config.segment_index_bytes;

	if (in->last_offset - s->base > INT32_MAX)
		return true;
	if (s->bytes == 0)
		return false;
	return s->bytes + in->bytes > i64_min(l->config.segment_bytes, INT32_MAX) ||
	       waited_ms(l, in, now_ms) > l->config.segment_ms - l->jitter_ms ||
	       index_count(&s->index[INDEX_OFFSET]) >= slots / index_entry_bytes(INDEX_OFFSET) ||
	       index_count(&s->index[INDEX_TIME]) >= slots / index_entry_bytes(INDEX_TIME) - 1;
}

/* By the records' timestamps where they have some, as in Kafka: replaying old data rolls by its
 * age. */
static int64_t waited_ms(struct log *l, const struct incoming *in, int64_t now_ms)
{
	struct segment *s = log_active(l);

	if (l->first_time_ms == TIME_UNKNOWN) {
		struct hop hop;

		hop_init(&hop, s->file, 0, s->bytes, s->base);
		l->first_time_ms =
			hop_next(&hop) == HOP_BATCH ? hop.batch.max_timestamp_ms : TIME_NONE;
	}
	if (l->first_time_ms >= 0)
		return in->max_time_ms - l->first_time_ms;
	if (l->created_ms == 0)
		l->created_ms = now_ms;
	return now_ms - l->created_ms;
}

/* At the known end and not with O_APPEND: after a failed write the next one goes to
 * the same place. */
static enum err write_batches(struct log *l, const struct log_batch *b, int n)
{
	struct file_iov iov[2 * IOV_BATCHES];
	struct segment *s = log_active(l);
	int64_t at = s->bytes;
	enum err e = ERR_OK;

	s->dirty = true;
	for (int i = 0; i < n && !e; i += IOV_BATCHES) {
		int64_t bytes = 0;
		int k = i32_min(n - i, IOV_BATCHES);

		for (int j = 0; j < k; j++) {
			size_t body = (size_t)(b[i + j].view.size - BATCH_HEADER_BYTES);

			iov[2 * j] = (struct file_iov){ b[i + j].header, BATCH_HEADER_BYTES };
			iov[2 * j + 1] = (struct file_iov){ b[i + j].body, body };
			bytes += b[i + j].view.size;
		}
		e = s->file->ops->writev(s->file, iov, 2 * k, at);
		at += bytes;
	}
	if (e == ERR_OK)
		return ERR_OK;
	/* A full disk must leave no half batch behind: the next append goes to the same place. */
	if (e == ERR_NOSPACE && s->file->ops->truncate(s->file, s->bytes) == ERR_OK)
		return ERR_NOSPACE;
	return log_fail(l, ERR_IO);
}

static void note_batches(struct log *l, const struct log_batch *b, int n)
{
	struct segment *s = log_active(l);

	for (int i = 0; i < n; i++) {
		segment_note(&l->home, s, &l->writer, &b[i].view, s->bytes);
		push_recent(l, &b[i].view, s->bytes);
		s->bytes += b[i].view.size;
		l->fresh_bytes += b[i].view.size;
		l->end = batch_last_offset(&b[i].view) + 1;
	}
}

/* The ring of the newest batches: consumers that keep up are answered without touching an index. */
static void push_recent(struct log *l, const struct batch *v, int64_t at)
{
	struct recent_batch *slot = &l->recent[(l->recent_head + l->n_recent) % RECENT_MAX];

	*slot = (struct recent_batch){ v->base_offset, batch_last_offset(v) + 1, at };
	if (l->n_recent < RECENT_MAX)
		l->n_recent++;
	else
		l->recent_head = (l->recent_head + 1) % RECENT_MAX;
}

void log_forget_positions(struct log *l)
{
	l->n_recent = l->recent_head = 0;
	for (int i = 0; i < CURSORS_MAX; i++)
		l->cursors[i].offset = -1;
}

enum err log_fail(struct log *l, enum err e)
{
	if (e != ERR_IO)
		return e;
	if (!l->failed)
		log_error("log", "the log is failed: the first error of its device is final",
			  F_Z("dir", l->dir), F_I64("end", l->end));
	l->failed = true;
	return ERR_IO;
}

/* Half a change is no state to go on from, whatever stopped it. */
enum err log_fail_midway(struct log *l, enum err e)
{
	l->ran_out |= e == ERR_NOFILES;
	return log_fail(l, ERR_IO);
}

bool log_ran_out(const struct log *l)
{
	return l->ran_out;
}

struct segment *log_push_segment(struct log *l, int64_t base, int64_t bytes)
{
	ASSERT(l->n == 0 || l->v[l->n - 1].base < base);
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 2;
		l->v = mem_grow(l->v, (size_t)l->cap * sizeof(*l->v));
	}
	segment_init(&l->v[l->n], base, bytes);
	return &l->v[l->n++];
}

/* The active segment first, then by bisection. */
int32_t log_segment_of(const struct log *l, int64_t offset)
{
	int32_t lo = 0, hi = l->n;

	if (offset >= l->v[l->n - 1].base)
		return l->n - 1;
	while (hi - lo > 1) {
		int32_t mid = lo + (hi - lo) / 2;

		if (l->v[mid].base <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The least recently used clean segment gives up its file; dirty ones must keep theirs. */
enum err log_use(struct log *l, int32_t i)
{
	struct segment *oldest = NULL;
	int open = 0;

	l->v[i].used = ++l->clock;
	if (l->v[i].file)
		return ERR_OK;
	for (int32_t k = 0; k < l->n - 1; k++) {
		struct segment *s = &l->v[k];

		if (!s->file || s->dirty)
			continue;
		open++;
		if (!oldest || s->used < oldest->used)
			oldest = s;
	}
	if (open >= OPEN_SEGMENTS_MAX)
		segment_close(oldest);
	return segment_open(&l->home, &l->v[i]);
}
