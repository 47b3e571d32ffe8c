/* mlog.c - the log in memory and the rounds that make it durable.  State of the writer:
 *
 *   idle --append--> a round is submitted: the job writes and syncs what is gathered
 *   round --append--> gathered for the next round
 *   round done --> committed moves, the next round starts if something was gathered
 *
 * The job touches only `round` (bytes, file, position), the actor everything else; they meet when
 * the job is submitted and when it is done.  Two byte buffers change places each round, so a steady
 * state does not grow.
 *
 * A new file begins after each snapshot, so that whole files can be removed behind the next. */
#include "controller/server/mlog.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "controller/server/mlog_disk.h"

struct bytes {
	uint8_t *at;
	size_t n, cap;
};
struct round {
	struct job job;
	struct bytes bytes;
	int64_t end;      /* offset after the round's records */
	int64_t new_file; /* base of the file to begin first; -1: go on */
	int64_t at;       /* position in the file */
	struct file *file;
	enum err result;
	bool is_running;
};
struct mlog {
	struct env *env;
	struct mlog_options options;
	const struct mlog_events *on;
	void *arg;
	struct mlog_entry **entries; /* [start, end) */
	int64_t start, end, committed;
	int64_t n, cap;
	struct bytes gathered;
	int64_t gathered_from;
	struct round round;
	bool is_failed, wants_file, is_snapshotting;
	int64_t bytes_since_snapshot;
	int64_t file_base;
	struct arena arena;
};

static void recovered(void *arg, const struct mlog_head *, const uint8_t *, bool is_snapshot);
static enum err open_file(struct mlog *, const struct mlog_found *);
static void remember(struct mlog *, int64_t epoch, const uint8_t *, size_t n);
static uint8_t *bytes_room(struct bytes *, size_t n);
static void start_round(struct mlog *);
static void say_durable(struct bytes *, int64_t durable);
static void round_work(struct job *);
static enum err begin_file(struct mlog *, struct round *);
static void round_done(struct job *);
static void snapshot_work(struct job *);
static void snapshot_done(struct job *);
static void forget_before(struct mlog *, int64_t offset);

/* Replays everything into the node, then opens the last file for appending. committed is the end:
 * what recovery found was durable, or was written by nobody who has been answered. */
enum err mlog_open(struct env *env, const struct mlog_options *o, const struct mlog_events *on,
		   void *arg, struct mlog **out, char *why, size_t cap)
{
	struct mlog *l = mem_alloc(sizeof(*l));
	struct mlog_found found;
	enum err e;

	*l = (struct mlog){ .env = env, .options = *o, .on = on, .arg = arg, .file_base = -1 };
	arena_init(&l->arena, 64 << 20);
	e = mlog_recover(env, o->dir, recovered, l, &found, why, cap);
	if (e == ERR_OK && l->n == 0)
		l->start = l->end = found.end;
	if (e == ERR_OK) {
		ASSERT(l->end == found.end);
		l->committed = l->gathered_from = l->end;
		l->bytes_since_snapshot = found.bytes;
		if ((e = open_file(l, &found)) != ERR_OK)
			(void)snprintf(why, cap, "%s: the metadata log cannot be written: %s",
				       o->dir, err_text(e));
	}
	if (e != ERR_OK) {
		mlog_close(l);
		return e;
	}
	*out = l;
	return ERR_OK;
}

static void recovered(void *arg, const struct mlog_head *h, const uint8_t *at, bool is_snapshot)
{
	struct mlog *l = arg;
	Weir__MetadataRecord *m = mlog_unpack(&l->arena, at, h->size);

	if (m == NULL)
		log_error("controller",
			  "a record of the metadata log does not parse and is skipped",
			  F_I64("offset", h->offset));
	else
		l->on->replay(l->arg, h->offset, is_snapshot, m);
	if (!is_snapshot) {
		if (l->n == 0)
			l->start = l->end = h->offset;
		remember(l, h->epoch, at, h->size);
	}
	arena_reset(&l->arena);
}

/* The file that recovery ended in goes on; without one the first round begins one. */
static enum err open_file(struct mlog *l, const struct mlog_found *found)
{
	char path[4096];

	l->wants_file = found->last_file < 0 || found->last_bytes < MLOG_HEADER;
	if (l->wants_file)
		return ERR_OK;
	l->file_base = found->last_file;
	l->round.at = found->last_bytes;
	mlog_path(l->options.dir, MLOG_LOG, found->last_file, path, sizeof(path));
	return l->env->files->open(l->env, path, FILE_READ | FILE_WRITE, &l->round.file);
}

void mlog_close(struct mlog *l)
{
	if (l == NULL)
		return;
	ASSERT(!l->round.is_running && !l->is_snapshotting);
	for (int64_t i = 0; i < l->n; i++)
		mem_free(l->entries[i]);
	file_put(l->round.file);
	mem_free(l->entries);
	mem_free(l->gathered.at);
	mem_free(l->round.bytes.at);
	arena_fini(&l->arena);
	mem_free(l);
}

int64_t mlog_start(const struct mlog *l)
{
	return l->start;
}

int64_t mlog_end(const struct mlog *l)
{
	return l->end;
}

int64_t mlog_committed(const struct mlog *l)
{
	return l->committed;
}

const struct mlog_entry *mlog_entry(const struct mlog *l, int64_t offset)
{
	ASSERT(offset >= l->start && offset < l->end);
	return l->entries[offset - l->start];
}

/* ---- appending ------------------------------------------------------------------------------- */

/* A batch of n records: `left` counts down to 0, and recovery takes whole batches only. */
int64_t mlog_append(struct mlog *l, int64_t epoch, Weir__MetadataRecord *const *v, int32_t n)
{
	ASSERT(n > 0 && !l->is_failed);
	for (int32_t i = 0; i < n; i++) {
		size_t size = weir__metadata_record__get_packed_size(v[i]);
		uint8_t *to = bytes_room(&l->gathered, MLOG_ENTRY + size);
		struct mlog_head h = { (uint32_t)size, l->end, epoch, 0, (uint32_t)(n - 1 - i) };

		ASSERT(size <= MLOG_RECORD_MAX);
		(void)weir__metadata_record__pack(v[i], to + MLOG_ENTRY);
		mlog_put_entry(to, &h);
		remember(l, epoch, to + MLOG_ENTRY, size);
	}
	if (!l->round.is_running)
		start_round(l);
	return l->end;
}

/* Held in memory until the next snapshot, for brokers that follow and for `weir
 * metadata log dump`. */
static void remember(struct mlog *l, int64_t epoch, const uint8_t *at, size_t n)
{
	struct mlog_entry *e = mem_alloc(sizeof(*e) + n);

	e->epoch = epoch;
	e->n = (uint32_t)n;
	if (n > 0)
		memcpy(e->at, at, n);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 1024 : l->cap * 2;
		l->entries = mem_grow(l->entries, (size_t)l->cap * sizeof(*l->entries));
	}
	l->entries[l->n++] = e;
	l->end++;
}

static uint8_t *bytes_room(struct bytes *b, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = size_max(b->n + n, b->cap == 0 ? 64 << 10 : b->cap * 2);
		b->at = mem_grow(b->at, b->cap);
	}
	b->n += n;
	return b->at + b->n - n;
}

/* Swaps the buffers and notes in which file the round goes. */
static void start_round(struct mlog *l)
{
	struct round *r = &l->round;
	struct bytes spare = r->bytes;

	ASSERT(!r->is_running && l->gathered.n > 0);
	r->bytes = l->gathered;
	l->gathered = (struct bytes){ spare.at, 0, spare.cap };
	say_durable(&r->bytes, l->committed);
	r->end = l->end;
	r->new_file = l->wants_file ? l->gathered_from : -1;
	l->wants_file = false;
	l->gathered_from = l->end;
	r->is_running = true;
	r->job.work = round_work;
	r->job.done = round_done;
	env_submit(l->env, &r->job);
}

/* Only now is it known what will have been synced before these bytes are written. */
static void say_durable(struct bytes *b, int64_t durable)
{
	struct mlog_head h;

	for (size_t at = 0; at < b->n; at += MLOG_ENTRY + h.size) {
		mlog_peek_entry(b->at + at, &h);
		h.durable = durable;
		mlog_put_entry(b->at + at, &h);
	}
}

/* On a thread of the io pool. */
static void round_work(struct job *j)
{
	struct round *r = CONTAINER_OF(j, struct round, job);
	struct mlog *l = CONTAINER_OF(r, struct mlog, round);
	struct file_iov iov = { r->bytes.at, r->bytes.n };

	r->result = r->new_file >= 0 ? begin_file(l, r) : ERR_OK;
	if (r->result == ERR_OK)
		r->result = r->file->ops->writev(r->file, &iov, 1, r->at);
	if (r->result == ERR_OK)
		r->result = r->file->ops->sync(r->file);
	r->at += (int64_t)r->bytes.n;
}

/* The old file was synced by its last round.  The directory is synced too, or a power cut could
 * lose the name of a file whose records were answered. */
static enum err begin_file(struct mlog *l, struct round *r)
{
	uint8_t header[MLOG_HEADER];
	struct file_iov iov = { header, sizeof(header) };
	char path[4096];
	enum err e;

	file_put(r->file);
	r->file = NULL;
	mlog_path(l->options.dir, MLOG_LOG, r->new_file, path, sizeof(path));
	e = l->env->files->open(l->env, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
				&r->file);
	if (e != ERR_OK)
		return e;
	mlog_put_header(header, MLOG_LOG, r->new_file);
	r->at = MLOG_HEADER;
	if ((e = r->file->ops->writev(r->file, &iov, 1, 0)) != ERR_OK)
		return e;
	return l->env->files->sync_dir(l->env, l->options.dir);
}

/* A failed sync may have thrown away what it could not write: there is no second try. */
static void round_done(struct job *j)
{
	struct round *r = CONTAINER_OF(j, struct round, job);
	struct mlog *l = CONTAINER_OF(r, struct mlog, round);

	r->is_running = false;
	if (r->result != ERR_OK) {
		l->is_failed = true;
		l->on->failed(l->arg, r->result);
		return;
	}
	if (r->new_file >= 0)
		l->file_base = r->new_file;
	l->committed = r->end;
	l->bytes_since_snapshot += (int64_t)r->bytes.n;
	if (l->gathered.n > 0)
		start_round(l);
	l->on->committed(l->arg, l->committed);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* At most one at a time, and none once the log has failed. */
bool mlog_wants_snapshot(const struct mlog *l)
{
	return !l->is_failed && !l->is_snapshotting &&
	       l->bytes_since_snapshot >= l->options.snapshot_bytes;
}

/* The records from here on go into a file of their own. */
void mlog_snapshot(struct mlog *l, struct mlog_snapshot *s)
{
	ASSERT(!l->is_snapshotting && s->offset <= l->committed);
	l->is_snapshotting = true;
	l->wants_file = l->gathered_from > l->file_base;
	l->bytes_since_snapshot = 0;
	s->log = l;
	s->job.work = snapshot_work;
	s->job.done = snapshot_done;
	env_submit(l->env, &s->job);
}

/* On a thread of the io pool: the state is a private image that nobody changes. */
static void snapshot_work(struct job *j)
{
	struct mlog_snapshot *s = CONTAINER_OF(j, struct mlog_snapshot, job);
	struct mlog *l = s->log;

	s->result =
		mlog_write_snapshot(l->env, l->options.dir, s->offset, s->epoch, s->dump, s->state);
	if (s->result == ERR_OK)
		mlog_remove_before(l->env, l->options.dir, s->offset, -1);
}

static void snapshot_done(struct job *j)
{
	struct mlog_snapshot *s = CONTAINER_OF(j, struct mlog_snapshot, job);
	struct mlog *l = s->log;

	l->is_snapshotting = false;
	if (s->result == ERR_OK)
		forget_before(l, s->offset);
	else
		log_error("controller",
			  "no snapshot of the metadata could be written; the log keeps growing",
			  F_Z("error", err_text(s->result)), F_Z("dir", l->options.dir));
	s->freed(s);
}

/* Brokers further behind than this get the snapshot. */
static void forget_before(struct mlog *l, int64_t offset)
{
	int64_t gone = offset - l->start;

	if (gone <= 0)
		return;
	for (int64_t i = 0; i < gone; i++)
		mem_free(l->entries[i]);
	memmove(l->entries, l->entries + gone, (size_t)(l->n - gone) * sizeof(*l->entries));
	l->n -= gone;
	l->start = offset;
}
