/* mlog.c - the log in memory and the rounds that make it durable.  State of the writer:
 *
 *   idle --mlog_write--> a round is submitted: the job carries out what is gathered, and syncs
 *   round --mlog_write--> gathered for the next round
 *   round done --> persisted, and the next round starts if something was gathered
 *
 * The job touches only `round` (bytes, file, position), the actor everything else; they meet when
 * the job is submitted and when it is done.  Two byte buffers change places each round, so a steady
 * state does not grow.  A round installs, or cuts, first; then it writes quorum-state; then
 * records.
 *
 * A new file begins after each snapshot, so that whole files can be removed behind the next. */
#include "controller/server/mlog.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/text.h"
#include "controller/server/mlog_disk.h"
#include "controller/server/quorum_state.h"

struct bytes {
	uint8_t *at;
	size_t n, cap;
};
struct work { /* of one round */
	struct bytes bytes, state;
	int64_t from; /* offset of the first record in bytes */
	int64_t cut;  /* first the log is cut here; -1: no */
	int64_t seq;
	bool has_install, wants_file;
	struct mlog_install install;
};
struct round {
	struct job job;
	struct work work;
	int64_t end;       /* offset after the round's records */
	int64_t file_base; /* of the file that is written; -1: none */
	int64_t at;        /* position in the file */
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
	int64_t start, start_epoch, end;
	int64_t n, cap;
	struct work gathered;
	struct round round;
	bool is_failed, is_snapshotting, is_wanted; /* is_wanted: a round, for gathered */
	int64_t bytes_since_snapshot;
	int64_t snapshot, snapshot_epoch;
	struct file *incoming, *outgoing; /* snapshots: from a leader, to a follower */
	int64_t outgoing_offset;
	struct quorum_state_file state_file;
	Weir__QuorumState *state;
	struct arena arena, state_arena;
};

static void recovered(void *arg, const struct mlog_head *, const uint8_t *, bool is_snapshot);
static enum err open_file(struct mlog *, const struct mlog_found *);
static void remember(struct mlog *, const struct mlog_head *, const uint8_t *);
static void forget_all(struct mlog *, int64_t offset, int64_t epoch);
static uint8_t *bytes_room(struct bytes *, size_t n);
static void start_round(struct mlog *);
static void say_durable(struct bytes *, int64_t durable);
static void round_work(struct job *);
static enum err write_records(struct mlog *, struct round *);
static enum err cut_files(struct mlog *, struct round *);
static enum err install_files(struct mlog *, struct round *);
static enum err begin_file(struct mlog *, struct round *);
static void round_done(struct job *);
static void snapshot_work(struct job *);
static void snapshot_done(struct job *);
static int64_t tail_begin(const struct mlog *, int64_t offset);
static void forget_before(struct mlog *, int64_t offset);

/* Reads everything that is there, then opens the last file for appending. */
enum err mlog_open(struct env *env, const struct mlog_options *o, const struct mlog_events *on,
		   void *arg, struct mlog **out, char *why, size_t cap)
{
	struct mlog *l = mem_alloc(sizeof(*l));
	struct mlog_found found;
	enum err e;

	*l = (struct mlog){ .env = env, .options = *o, .on = on, .arg = arg };
	l->gathered.cut = l->round.file_base = -1;
	arena_init(&l->arena, 64 << 20);
	arena_init(&l->state_arena, 1 << 20);
	e = mlog_recover(env, o->dir, recovered, l, &found, why, cap);
	if (e == ERR_OK)
		e = quorum_state_open(env, o->dir, &l->state_file, &l->state_arena, &l->state, why,
				      cap);
	if (e == ERR_OK) {
		if (l->n == 0)
			l->start = l->end = found.end;
		ASSERT(l->end == found.end);
		l->snapshot = i64_max(found.snapshot, 0);
		l->snapshot_epoch = found.snapshot_epoch;
		l->start_epoch = l->start == l->snapshot ? l->snapshot_epoch : 0;
		l->gathered.from = l->end;
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
	Weir__MetadataRecord *m;

	if (!is_snapshot) {
		if (l->n == 0)
			l->start = l->end = h->offset;
		remember(l, h, at);
		return;
	}
	m = mlog_unpack(&l->arena, at, h->size);
	if (m == NULL)
		log_error("controller",
			  "a record of the metadata snapshot does not parse and is skipped",
			  F_I64("offset", h->offset));
	else
		l->on->replay(l->arg, h->offset, m);
	arena_reset(&l->arena);
}

/* The file that recovery ended in goes on; without one the first round begins one. */
static enum err open_file(struct mlog *l, const struct mlog_found *found)
{
	char path[4096];

	if (found->last_file < 0 || found->last_bytes < MLOG_HEADER)
		return ERR_OK;
	l->round.file_base = found->last_file;
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
	file_put(l->incoming);
	file_put(l->outgoing);
	quorum_state_close(&l->state_file);
	mem_free(l->entries);
	mem_free(l->gathered.bytes.at);
	mem_free(l->gathered.state.at);
	mem_free(l->round.work.bytes.at);
	mem_free(l->round.work.state.at);
	arena_fini(&l->arena);
	arena_fini(&l->state_arena);
	mem_free(l);
}

const Weir__QuorumState *mlog_state(const struct mlog *l)
{
	return l->state;
}

int64_t mlog_start(const struct mlog *l)
{
	return l->start;
}

int64_t mlog_start_epoch(const struct mlog *l)
{
	return l->start_epoch;
}

int64_t mlog_end(const struct mlog *l)
{
	return l->end;
}

const struct mlog_entry *mlog_entry(const struct mlog *l, int64_t offset)
{
	ASSERT(offset >= l->start && offset < l->end);
	return l->entries[offset - l->start];
}

/* ---- what followers are sent ----------------------------------------------------------------- */

int64_t mlog_fit(const struct mlog *l, int64_t from, int64_t to, int64_t bytes)
{
	int64_t fits = from, used = 0;

	ASSERT(from >= l->start && from < to && to <= l->end);
	for (int64_t at = from; at < to && (used < bytes || fits == from); at++) {
		const struct mlog_entry *e = mlog_entry(l, at);

		used += MLOG_ENTRY + (int64_t)e->n;
		/* Batches are atomic: one that is larger than asked for goes alone, half of one
		 * never. */
		if (e->left == 0 && (used <= bytes || fits == from))
			fits = at + 1;
	}
	return fits;
}

size_t mlog_raw_size(const struct mlog *l, int64_t from, int64_t end)
{
	size_t n = 0;

	for (int64_t at = from; at < end; at++)
		n += MLOG_ENTRY + mlog_entry(l, at)->n;
	return n;
}

void mlog_raw(const struct mlog *l, int64_t from, int64_t end, uint8_t *to)
{
	for (int64_t at = from; at < end; at++) {
		const struct mlog_entry *e = mlog_entry(l, at);
		struct mlog_head h = { e->n, at, e->epoch, 0, e->left };

		if (e->n > 0)
			memcpy(to + MLOG_ENTRY, e->at, e->n);
		mlog_put_entry(to, &h);
		to += MLOG_ENTRY + e->n;
	}
}

/* ---- appending ------------------------------------------------------------------------------- */

/* A batch of n records: `left` counts down to 0, and recovery takes whole batches only. */
int64_t mlog_append(struct mlog *l, int64_t epoch, Weir__MetadataRecord *const *v, int32_t n)
{
	ASSERT(n > 0 && !l->is_failed);
	for (int32_t i = 0; i < n; i++) {
		size_t size = weir__metadata_record__get_packed_size(v[i]);
		uint8_t *to = bytes_room(&l->gathered.bytes, MLOG_ENTRY + size);
		struct mlog_head h = { (uint32_t)size, l->end, epoch, 0, (uint32_t)(n - 1 - i) };

		ASSERT(size <= MLOG_RECORD_MAX);
		(void)weir__metadata_record__pack(v[i], to + MLOG_ENTRY);
		mlog_put_entry(to, &h);
		remember(l, &h, to + MLOG_ENTRY);
	}
	return l->end;
}

void mlog_append_raw(struct mlog *l, const uint8_t *at, size_t n)
{
	uint8_t *to = bytes_room(&l->gathered.bytes, n);
	struct mlog_head h;

	ASSERT(!l->is_failed);
	memcpy(to, at, n);
	for (size_t i = 0; i < n; i += MLOG_ENTRY + h.size) {
		mlog_peek_entry(to + i, &h);
		ASSERT(h.offset == l->end);
		remember(l, &h, to + i + MLOG_ENTRY);
	}
}

/* What no round has taken yet is cut in memory; the rest, files and all, by the next round. */
void mlog_truncate(struct mlog *l, int64_t end)
{
	struct work *w = &l->gathered;
	struct mlog_head h;
	size_t at = 0;

	ASSERT(end >= l->start && end <= l->end);
	ASSERT(end == l->start || mlog_entry(l, end - 1)->left == 0);
	while (l->end > end) {
		mem_free(l->entries[--l->n]);
		l->end--;
	}
	/* A round has it, or had it: it may be on disk, so the files must be cut before anything is
	 * written. */
	if (end < w->from) {
		ASSERT(!w->has_install);
		w->cut = end;
		w->from = end;
		w->bytes.n = 0;
		return;
	}
	while (at < w->bytes.n) {
		mlog_peek_entry(w->bytes.at + at, &h);
		if (h.offset >= end)
			break;
		at += MLOG_ENTRY + h.size;
	}
	w->bytes.n = at;
}

void mlog_put_state(struct mlog *l, const Weir__QuorumState *m)
{
	l->gathered.state.n = 0;
	(void)weir__quorum_state__pack(
		m, bytes_room(&l->gathered.state, weir__quorum_state__get_packed_size(m)));
}

void mlog_write(struct mlog *l, int64_t seq)
{
	ASSERT(seq >= l->gathered.seq && !l->is_failed);
	l->gathered.seq = seq;
	l->is_wanted = true;
	if (!l->round.is_running)
		start_round(l);
}

/* Held in memory until the next snapshot, for whoever follows and for `weir metadata log dump`. */
static void remember(struct mlog *l, const struct mlog_head *h, const uint8_t *at)
{
	struct mlog_entry *e = mem_alloc(sizeof(*e) + h->size);

	e->epoch = h->epoch;
	e->n = h->size;
	e->left = h->left;
	if (h->size > 0)
		memcpy(e->at, at, h->size);
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

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Swaps the buffers: what was gathered is the round's, the round's spare ones gather. */
static void start_round(struct mlog *l)
{
	struct round *r = &l->round;
	struct work spare = r->work;

	ASSERT(!r->is_running);
	/* Until round_done the job alone reads and writes `work`. */
	r->work = l->gathered;
	r->end = l->end;
	say_durable(&r->work.bytes, r->work.from);
	l->gathered = (struct work){ .bytes = { spare.bytes.at, 0, spare.bytes.cap },
				     .state = { spare.state.at, 0, spare.state.cap },
				     .from = r->work.has_install ? r->work.from : l->end,
				     .cut = -1,
				     .seq = r->work.seq };
	/* Only term or vote changed: an empty file, named by a record that may never come, helps
	 * nobody. */
	if (r->work.bytes.n == 0 && r->work.wants_file) {
		l->gathered.wants_file = true; /* with the next record */
		r->work.wants_file = false;
	}
	l->is_wanted = false;
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
	const struct bytes *state = &r->work.state;

	r->result = ERR_OK;
	if (r->work.has_install)
		r->result = install_files(l, r);
	if (r->result == ERR_OK && r->work.cut >= 0)
		r->result = cut_files(l, r);
	if (r->result == ERR_OK && state->n > 0)
		r->result = quorum_state_write(l->env, l->options.dir, &l->state_file, state->at,
					       state->n);
	if (r->result == ERR_OK && r->work.bytes.n > 0)
		r->result = write_records(l, r);
}

static enum err write_records(struct mlog *l, struct round *r)
{
	struct file_iov iov = { r->work.bytes.at, r->work.bytes.n };
	enum err e = ERR_OK;

	if (r->file == NULL || r->work.wants_file)
		e = begin_file(l, r);
	if (e == ERR_OK)
		e = r->file->ops->writev(r->file, &iov, 1, r->at);
	if (e == ERR_OK)
		e = r->file->ops->sync(r->file);
	r->at += (int64_t)iov.n;
	return e;
}

static enum err cut_files(struct mlog *l, struct round *r)
{
	char path[4096];
	enum err e;

	file_put(r->file);
	r->file = NULL;
	e = mlog_cut(l->env, l->options.dir, r->work.cut, &r->file_base, &r->at);
	if (e != ERR_OK || r->file_base < 0)
		return e;
	mlog_path(l->options.dir, MLOG_LOG, r->file_base, path, sizeof(path));
	return l->env->files->open(l->env, path, FILE_READ | FILE_WRITE, &r->file);
}

/* The snapshot is read, and so checked, before anything is given up for it. */
static enum err install_files(struct mlog *l, struct round *r)
{
	const struct mlog_install *in = &r->work.install;
	enum err e = l->incoming->ops->sync(l->incoming);

	if (e == ERR_OK)
		e = mlog_adopt_snapshot(l->env, l->options.dir, in->offset, in->each, in->state);
	file_put(l->incoming);
	file_put(r->file);
	l->incoming = r->file = NULL;
	r->file_base = -1;
	return e == ERR_OK ? mlog_remove_logs(l->env, l->options.dir) : e;
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
	mlog_path(l->options.dir, MLOG_LOG, r->work.from, path, sizeof(path));
	e = l->env->files->open(l->env, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
				&r->file);
	if (e != ERR_OK)
		return e;
	mlog_put_header(header, MLOG_LOG, r->work.from);
	r->file_base = r->work.from;
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
	bool has_install = r->work.has_install;
	int64_t seq = r->work.seq;

	r->is_running = false;
	if (r->result != ERR_OK) {
		l->is_failed = true;
		l->on->failed(l->arg, r->result);
		return;
	}
	l->bytes_since_snapshot += (int64_t)r->work.bytes.n;
	if (has_install) {
		forget_all(l, r->work.install.offset, r->work.install.epoch);
		l->snapshot = r->work.install.offset;
		l->snapshot_epoch = r->work.install.epoch;
	}
	/* Before anybody is told: the disk works while the answers leave. */
	if (l->is_wanted)
		start_round(l);
	if (has_install)
		l->on->installed(l->arg);
	l->on->persisted(l->arg, seq);
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* At most one at a time, and none once the log has failed. */
bool mlog_wants_snapshot(const struct mlog *l)
{
	return !l->is_failed && !l->is_snapshotting && !l->gathered.has_install &&
	       !l->round.work.has_install && l->bytes_since_snapshot >= l->options.snapshot_bytes;
}

/* The records from here on go into a file of their own. */
void mlog_snapshot(struct mlog *l, struct mlog_snapshot *s)
{
	ASSERT(!l->is_snapshotting && s->offset <= l->end);
	l->is_snapshotting = true;
	l->gathered.wants_file = true;
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
	if (s->result != ERR_OK) {
		log_error("controller",
			  "no snapshot of the metadata could be written; the log keeps growing",
			  F_Z("error", err_text(s->result)), F_Z("dir", l->options.dir));
	} else if (s->offset > l->snapshot) {
		l->snapshot = s->offset;
		l->snapshot_epoch = s->epoch;
		forget_before(l, tail_begin(l, s->offset));
	}
	s->freed(s);
}

/* Whoever lags a little is sent records and not the whole state: a quarter of what there may be
 * between two snapshots stays in memory, in whole batches. */
static int64_t tail_begin(const struct mlog *l, int64_t offset)
{
	int64_t room = l->options.snapshot_bytes / 4, begin = offset;

	for (int64_t at = offset - 1; at >= l->start; at--) {
		room -= MLOG_ENTRY + (int64_t)mlog_entry(l, at)->n;
		if (room < 0)
			break;
		if (at == l->start || mlog_entry(l, at - 1)->left == 0)
			begin = at;
	}
	return begin;
}

/* Whoever is further behind than this gets the snapshot. */
static void forget_before(struct mlog *l, int64_t offset)
{
	int64_t gone = offset - l->start;

	if (gone <= 0)
		return;
	l->start_epoch = mlog_entry(l, offset - 1)->epoch;
	for (int64_t i = 0; i < gone; i++)
		mem_free(l->entries[i]);
	memmove(l->entries, l->entries + gone, (size_t)(l->n - gone) * sizeof(*l->entries));
	l->n -= gone;
	l->start = offset;
}

int64_t mlog_newest_snapshot(const struct mlog *l, int64_t *epoch)
{
	*epoch = l->snapshot_epoch;
	return l->snapshot;
}

enum err mlog_load(struct mlog *l, int64_t at, uint8_t *to, size_t *n, bool *is_last)
{
	char path[4096];
	size_t want = *n;
	int64_t size = 0;
	enum err e = ERR_OK;

	/* The old file is removed already, but the descriptor would still read it: chunks of two
	 * snapshots must not be mixed. */
	if (l->outgoing != NULL && l->outgoing_offset != l->snapshot) {
		file_put(l->outgoing);
		l->outgoing = NULL;
	}
	if (l->outgoing == NULL) {
		mlog_path(l->options.dir, MLOG_SNAPSHOT, l->snapshot, path, sizeof(path));
		e = l->env->files->open(l->env, path, FILE_READ, &l->outgoing);
		l->outgoing_offset = l->snapshot;
	}
	if (e == ERR_OK && (e = l->outgoing->ops->size(l->outgoing, &size)) == ERR_OK)
		e = l->outgoing->ops->read(l->outgoing, to, want, at, n);
	*is_last = at + (int64_t)*n >= size;
	return e;
}

enum err mlog_store(struct mlog *l, int64_t at, const uint8_t *bytes, size_t n)
{
	struct file_iov iov = { bytes, n };
	char path[4096];
	enum err e = ERR_OK;

	if (at == 0) {
		file_put(l->incoming);
		l->incoming = NULL;
		mlog_incoming_path(l->options.dir, path, sizeof(path));
		e = l->env->files->open(l->env, path,
					FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
					&l->incoming);
	}
	return e == ERR_OK ? l->incoming->ops->writev(l->incoming, &iov, 1, at) : e;
}

/* What is in memory stays until it is done: some of it may yet be known to be committed. */
void mlog_install(struct mlog *l, const struct mlog_install *in)
{
	struct work *w = &l->gathered;

	/* What was gathered is in the snapshot or contradicts it. */
	w->bytes.n = 0;
	w->cut = -1;
	w->from = in->offset;
	w->has_install = true;
	w->install = *in;
	l->bytes_since_snapshot = 0;
	mlog_write(l, w->seq);
}

static void forget_all(struct mlog *l, int64_t offset, int64_t epoch)
{
	for (int64_t i = 0; i < l->n; i++)
		mem_free(l->entries[i]);
	l->n = 0;
	l->start = l->end = offset;
	l->start_epoch = epoch;
}
