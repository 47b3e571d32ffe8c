/* move.c - the steps of a move; everything but jobs runs on the partition's shard.
 *
 *   pump   as long as the future log is behind: the next piece, small ones at once, large ones and
 *          cold ones by a job; paced by replica.alter.log.dirs.io.max.bytes.per.second
 *   swap   caught up, flushed, and no job on the present log: rename the future directory to the
 *          partition's name, then retire the present one
 *
 * Without a free file descriptor the step that wanted one is done again a little later.
 *
 * A crash between the two renames, or a present directory that fails then, leaves the partition in
 * both: the future one has been placed later (partition_meta.h), and dirs.c takes it. */
#include "broker/shard/move.h"

#include <stdatomic.h>
#include <stdio.h>

#include "broker/log/epoch_file.h"
#include "broker/log/logdir.h"
#include "broker/log/partition_meta.h"
#include "broker/log/producer_file.h"
#include "broker/shard/dirs.h"
#include "broker/shard/persist.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/base/mark.h"

#define PIECE_BYTES (1 << 20)
#define INLINE_BYTES (128 << 10) /* surely in the page cache: it was written a moment ago */
#define INLINE_MAX 8             /* pieces in one turn of the shard */
#define AGAIN_MS 5
#define WAIT_MS_MAX 500
#define SHORT_AGAIN_MS 500
#define BATCHES_MAX 64

struct move {
	struct partition *p;
	int dir, next_dir; /* next_dir: where to instead, once this one has ended; -1 */
	struct log *log;   /* NULL while OPENING */
	struct timer timer;
	struct job job;
	bool is_busy, is_ending, is_new, is_flushed;
	bool is_short;       /* of descriptors, and said so */
	int32_t last_epoch;  /* of the last batch that an earlier life copied, and */
	int64_t last_offset; /* where it ends; -1: it copied none */
	int64_t cut;         /* keep nothing from here on; INT64_MAX: nothing was cut meanwhile */
	int64_t producers;   /* the offset of the snapshot beside the copy; -1: none */
	struct log_read read;
	struct log_flush *flush;
	uint8_t *bytes;
	size_t cap, got;
	enum err err;
	char name[LOGDIR_NAME_MAX], path[PARTITION_PATH_MAX];
};

static struct move *move_new(struct partition *, int dir, const char *name);
static void move_free(struct move *);
static void submit(struct move *, void (*work)(struct job *), void (*done)(struct job *));
static bool job_back(struct move *);
static void fail(struct move *, const char *what, enum err);
static void put_off(struct move *);
static void open_work(struct job *);
static void note_last(void *arg, const struct batch *);
static void open_done(struct job *);
static bool is_of_now(const struct move *);
static void on_timer(void *arg);
static void pump(struct move *);
static enum err fit(struct move *);
static enum err next_piece(struct move *, bool *wait);
static void read_work(struct job *);
static void read_done(struct job *);
static enum err append(struct move *);
static void caught_up(struct move *);
static void flush_work(struct job *);
static void flush_done(struct job *);
static void swap(struct move *);
static enum err rename_both(struct move *, char retired[LOGDIR_NAME_MAX]);
static void stay(struct partition *);
static enum err write_epochs(struct move *);
static enum err write_producers(struct move *);

void move_request(struct partition *p, int dir)
{
	struct move *m = p->move;

	if (m && m->dir == dir && !m->is_ending)
		return;
	if (m) {
		m->next_dir = dir;
		move_end(p);
		return;
	}
	if (dir == p->dir)
		return;
	char name[LOGDIR_NAME_MAX];
	logdir_future_name(p->dir_name, prng_uuid(&p->shard->env->prng), name);
	m = move_new(p, dir, name);
	m->is_new = true;
	log_info("move", "to another log directory", F_Z("partition", p->dir_name),
		 F_Z("to", m->path));
	submit(m, open_work, open_done);
}

/* What the replica holds now may be less than what was copied before the start.  A power loss, or a
 * device that failed, leaves of the copy what it likes: that one is begun again. */
void move_resume(struct partition *p)
{
	struct dirs *dirs = p->shard->broker->dirs;
	struct dirs_row *row = strmap_find(&dirs->futures, str_of(p->dir_name));
	struct move *m;

	if (!row || atomic_exchange(&row->taken, true) || p->move)
		return;
	if (row->dir == p->dir || atomic_load(&dirs->v[row->dir].offline)) {
		retention_remove_named(p, row->dir, row->text);
		return;
	}
	m = move_new(p, row->dir, row->text);
	m->cut = dirs_are_unsure(dirs) ? 0 : log_end(p->log);
	log_info("move", "goes on after the start", F_Z("partition", p->dir_name),
		 F_Z("to", m->path));
	submit(m, open_work, open_done);
}

void move_end(struct partition *p)
{
	struct move *m = p->move;
	int next;

	if (!m)
		return;
	m->is_ending = true;
	timer_clear(p->shard->env, &m->timer);
	if (m->is_busy)
		return; /* job_back comes here again */
	next = m->next_dir;
	retention_remove_named(p, m->dir, m->name);
	log_info("move", "ended before its end", F_Z("partition", p->dir_name));
	move_free(m);
	if (next >= 0 && p->state == PARTITION_OPEN && !p->is_dropped)
		move_request(p, next);
}

void move_stop(struct partition *p)
{
	if (p->move)
		timer_clear(p->shard->env, &p->move->timer);
}

void move_close(struct partition *p)
{
	struct move *m = p->move;

	if (!m)
		return;
	if (m->log && !m->is_busy && log_close(m->log) == ERR_OK)
		m->log = NULL;
	move_free(m);
}

void move_truncated(struct partition *p, int64_t offset)
{
	if (p->move)
		p->move->cut = i64_min(p->move->cut, offset);
}

void move_refresh_conf(struct partition *p, const struct log_config *c)
{
	if (p->move && p->move->log)
		log_set_config(p->move->log, c);
}

struct move_state move_state_of(const struct partition *p)
{
	const struct move *m = p->move;

	if (!m || !m->log || m->is_ending)
		return (struct move_state){ .dir = -1 };
	return (struct move_state){ m->dir, log_bytes(m->log),
				    i64_max(0, log_end(p->log) - log_end(m->log)) };
}

static struct move *move_new(struct partition *p, int dir, const char *name)
{
	struct move *m = mem_alloc(sizeof(*m));

	m->p = p;
	m->dir = dir;
	m->next_dir = -1;
	m->cut = INT64_MAX;
	m->last_offset = m->producers = -1;
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->path, sizeof(m->path), "%s/%s", p->shard->broker->dirs->v[dir].path, name);
	timer_init(&m->timer, on_timer, m);
	p->move = m;
	return m;
}

static void move_free(struct move *m)
{
	m->p->move = NULL;
	if (m->log)
		log_drop(m->log);
	file_put(m->read.file);
	mem_free(m->bytes);
	mem_free(m);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void submit(struct move *m, void (*work)(struct job *), void (*done)(struct job *))
{
	ASSERT(!m->is_busy);
	m->is_busy = true;
	m->err = ERR_OK;
	m->job = (struct job){ .work = work, .done = done };
	m->p->n_jobs++;
	env_submit(m->p->shard->env, &m->job);
}

/* False: the move is over, and with it perhaps the partition. */
static bool job_back(struct move *m)
{
	struct partition *p = m->p;
	bool goes_on = !m->is_ending && !p->is_dropped && p->state == PARTITION_OPEN &&
		       !p->shard->is_stopping;

	m->is_busy = false;
	if (!goes_on && !p->shard->is_stopping)
		move_end(p);
	partition_job_back(p);
	return goes_on;
}

/* The directory that is moved to cannot be written, or the replica's own cannot be read: either
 * way the replica stays where it is. */
static void fail(struct move *m, const char *what, enum err e)
{
	struct partition *p = m->p;

	if (e == ERR_NOFILES || (m->log && log_ran_out(m->log))) {
		put_off(m);
		return;
	}
	log_error("move", what, F_Z("partition", p->dir_name), F_Z("path", m->path),
		  F_Z("error", err_text(e)));
	if (e == ERR_NOSPACE)
		dirs_fill(p->shard->broker->dirs, m->dir);
	move_end(p);
}

/* A copy that was left half cut is opened anew, as after a kill: it still has to be cut. */
static void put_off(struct move *m)
{
	if (!m->is_short)
		log_warn("move", "waits for a free file descriptor: raise LimitNOFILE",
			 F_Z("partition", m->p->dir_name), F_Z("to", m->path));
	m->is_short = true;
	if (m->log && log_failed(m->log)) {
		log_drop(m->log);
		m->log = NULL;
		m->is_flushed = false;
	}
	timer_after_ms(m->p->shard->env, &m->timer, SHORT_AGAIN_MS);
}

static void open_work(struct job *job)
{
	struct move *m = CONTAINER_OF(job, struct move, job);
	struct log_options o = {
		.dir = m->path, .config = partition_log_config(m->p), .replay = note_last, .arg = m
	};
	struct log_recovery found;
	struct uuid id;

	m->last_offset = -1;
	if (m->is_new && ((m->err = job->home->files->mkdir(job->home, m->path)) ||
			  (m->err = partition_meta_write(job->home, m->path, m->p->topic_id))))
		return;
	if ((m->err = partition_meta_read(job->home, m->path, &id)))
		return;
	m->err =
		uuid_eq(id, m->p->topic_id) ? log_open(job->home, &o, &m->log, &found) : ERR_EXISTS;
}

static void note_last(void *arg, const struct batch *b)
{
	struct move *m = arg;

	m->last_epoch = b->leader_epoch;
	m->last_offset = batch_last_offset(b);
}

static void open_done(struct job *job)
{
	struct move *m = CONTAINER_OF(job, struct move, job);

	if (!job_back(m))
		return;
	if (m->err) {
		fail(m, "the directory to move to cannot be opened", m->err);
		return;
	}
	if (!is_of_now(m))
		m->cut = 0;
	pump(m);
}

/* The process may have ended between a truncation of the replica's log and that of the copy.  An
 * offset of the same epoch has the same batch in both, and all that is before it; unless the power
 * failed and took the copy's first segments, whose names were not durable yet. */
static bool is_of_now(const struct move *m)
{
	const struct partition *p = m->p;

	if (log_start(m->log) > log_start(p->log)) {
		MARK(copy_lacks_its_beginning);
		return false;
	}
	return m->last_offset < 0 || (m->last_offset < log_end(p->log) &&
				      epoch_cache_at(&p->epochs, m->last_offset) == m->last_epoch);
}

/* ---- copying --------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
	struct move *m = arg;

	if (m->log)
		pump(m);
	else
		submit(m, open_work, open_done);
}

/* Small pieces are copied in place, to catch up with a replica that is being written to. */
static void pump(struct move *m)
{
	struct partition *p = m->p;
	bool wait = false;
	enum err e = ERR_OK;

	ASSERT(!m->is_busy && p->state == PARTITION_OPEN);
	for (int i = 0; !e && !wait; i++) {
		if ((e = fit(m)))
			break;
		if (log_end(m->log) == log_end(p->log)) {
			caught_up(m);
			return;
		}
		if (i == INLINE_MAX) {
			timer_after_ms(p->shard->env, &m->timer, 0);
			return;
		}
		e = next_piece(m, &wait);
	}
	if (e)
		fail(m, "cannot be copied", e);
}

/* Whatever happened to the replica's log since the last piece.  A snapshot of producers goes with
 * the records that it speaks of, and before them. */
static enum err fit(struct move *m)
{
	int64_t start = log_start(m->p->log), cut = i64_min(m->cut, log_end(m->p->log));
	bool is_empty = log_end(m->log) == start && log_start(m->log) == start,
	     is_void = log_end(m->log) < start || cut <= log_start(m->log);
	enum err e;

	if (is_void ? is_empty && m->cut == INT64_MAX : cut >= log_end(m->log)) {
		m->cut = INT64_MAX;
		return ERR_OK;
	}
	m->is_flushed = false;
	m->producers = -1;
	e = producer_file_drop_above(m->p->shard->env, m->path, is_void ? -1 : cut);
	if (!e && !(is_void && is_empty))
		e = is_void ? log_restart(m->log, start) : log_truncate(m->log, cut);
	if (!e)
		m->cut = INT64_MAX;
	return e;
}

/* wait: a timer or a job goes on from here. */
static enum err next_piece(struct move *m, bool *wait)
{
	struct shard *s = m->p->shard;
	int64_t rate = s->dynamic.dirs_throttle;
	int64_t wait_us = throttle_wait_us(&s->broker->dirs_throttle, rate, env_mono_us(s->env));
	enum err e;

	*wait = true;
	if (wait_us > 0) {
		/* looked at again and again: the rate may change */
		timer_after_ms(s->env, &m->timer, i64_min(wait_us / 1000 + 1, WAIT_MS_MAX));
		return ERR_OK;
	}
	if ((e = log_read(m->p->log, log_end(m->log), log_end(m->p->log),
			  throttle_piece(rate, PIECE_BYTES), true, &m->read)))
		return e;
	if (m->read.n == 0) {
		timer_after_ms(s->env, &m->timer, AGAIN_MS);
		return ERR_OK;
	}
	if ((size_t)m->read.n > m->cap) {
		m->cap = (size_t)i64_max(m->read.n, PIECE_BYTES);
		m->bytes = mem_grow(m->bytes, m->cap);
	}
	if (m->read.n > INLINE_BYTES || m->read.cold) {
		submit(m, read_work, read_done);
		return ERR_OK;
	}
	*wait = false;
	read_work(&m->job);
	return append(m);
}

static void read_work(struct job *job)
{
	struct move *m = CONTAINER_OF(job, struct move, job);
	struct file *f = m->read.file;

	m->err = f->ops->read(f, m->bytes, (size_t)m->read.n, m->read.at, &m->got);
}

static void read_done(struct job *job)
{
	struct move *m = CONTAINER_OF(job, struct move, job);
	enum err e;

	if (!job_back(m)) {
		return;
	}
	e = append(m);
	if (e)
		fail(m, "cannot be copied", e);
	else
		pump(m);
}

/* A cut while the piece was being read makes it worthless. */
static enum err append(struct move *m)
{
	struct log_batch v[BATCHES_MAX];
	struct partition *p = m->p;
	const uint8_t *at = m->bytes, *end = m->bytes + m->got;
	enum err e = m->err;
	bool is_void = m->cut != INT64_MAX;

	file_put(m->read.file);
	m->read.file = NULL;
	throttle_take(&p->shard->broker->dirs_throttle, p->shard->dynamic.dirs_throttle,
		      env_mono_us(p->shard->env), (int64_t)m->got);
	while (!e && !is_void && at < end) {
		struct log_appended done;
		int n = 0;
		for (; n < BATCHES_MAX && at < end; n++) {
			struct batch b;
			if (batch_view(&b, at, end - at) != BATCH_OK || b.size > end - at)
				return ERR_CORRUPT;
			v[n] = (struct log_batch){ at, at + BATCH_HEADER_BYTES, b };
			at += b.size;
		}
		/* The replica's log may start within its first batch. */
		if (log_start(m->log) == log_end(m->log) &&
		    v[0].view.base_offset < log_end(m->log) &&
		    (e = log_restart(m->log, v[0].view.base_offset)))
			break;
		e = log_append(m->log, v, n, env_wall_ms(p->shard->env), &done);
		m->is_short &= e != ERR_OK;
	}
	return e;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Flushed before the other copy is given up; what is appended after that is as safe as any.  So is
 * what is known of producers: their records may be deleted. */
static void caught_up(struct move *m)
{
	enum err e = m->is_flushed ? ERR_OK : write_producers(m);

	if (e)
		fail(m, "cannot be copied", e);
	else if (!m->is_flushed && (m->flush = log_flush_begin(m->log)))
		submit(m, flush_work, flush_done);
	else if (m->p->n_jobs > 0)
		timer_after_ms(m->p->shard->env, &m->timer, AGAIN_MS);
	else
		swap(m);
}

static void flush_work(struct job *job)
{
	log_flush_work(CONTAINER_OF(job, struct move, job)->flush);
}

static void flush_done(struct job *job)
{
	struct move *m = CONTAINER_OF(job, struct move, job);
	enum err e = log_flush_end(m->log, m->flush);

	m->is_flushed = e == ERR_OK;
	if (!job_back(m))
		return;
	if (e)
		fail(m, "cannot be flushed", e);
	else
		pump(m);
}

/* Nothing is appended meanwhile, as this is one turn of the shard: it waits for the device as a
 * truncation does. */
static void swap(struct move *m)
{
	struct partition *p = m->p;
	struct dirs *dirs = p->shard->broker->dirs;
	char retired[LOGDIR_NAME_MAX] = "";
	int from = p->dir;
	enum err e = ERR_OK;

	ASSERT(p->n_jobs == 0 && log_end(m->log) == log_end(p->log));
	if (log_start(p->log) > log_start(m->log))
		e = log_advance_start(m->log, log_start(p->log));
	if (e || (e = write_epochs(m)) || (e = write_producers(m)) ||
	    (e = partition_meta_place(p->shard->env, m->path, p->topic_id, dirs_placement(dirs))) ||
	    (e = rename_both(m, retired))) {
		fail(m, "cannot take the place of the present log", e);
		return;
	}
	log_drop(p->log);
	p->log = m->log;
	m->log = NULL;
	p->dir = m->dir;
	p->lacks_producers = false;
	atomic_fetch_sub(&dirs->v[from].n_partitions, 1);
	atomic_fetch_add(&dirs->v[p->dir].n_partitions, 1);
	log_info("move", "done", F_Z("partition", p->dir_name), F_Z("from", dirs->v[from].path),
		 F_Z("to", dirs->v[p->dir].path), F_I64("log_end", log_end(p->log)));
	if (retired[0])
		retention_remove_retired(p, from, retired);
	move_free(m);
}

/* The new name first: a crash may leave the partition twice, never not at all.  A failure of the
 * second is the old directory's, and the replica is no longer in it. */
static enum err rename_both(struct move *m, char retired[LOGDIR_NAME_MAX])
{
	struct partition *p = m->p;
	struct env *env = p->shard->env;
	struct dirs *dirs = p->shard->broker->dirs;
	char to[PARTITION_PATH_MAX];
	enum err e;

	snprintf(to, sizeof(to), "%s/%s", dirs->v[m->dir].path, p->dir_name);
	e = env->files->rename(env, m->path, to);
	if (!e && (e = env->files->sync_dir(env, dirs->v[m->dir].path)) == ERR_NOFILES) {
		e = env->files->rename(env, to, m->path);
		if (!e)
			return ERR_NOFILES;
	}
	if (e) {
		dirs_fail(dirs, m->dir);
		stay(p);
		return e;
	}
	log_moved(m->log, to);
	e = logdir_retire(env, dirs->v[p->dir].path, p->dir_name, prng_uuid(&env->prng),
			  LOGDIR_DELETE, retired);
	if (e) {
		retired[0] = '\0';
		dirs_fail(dirs, p->dir);
	}
	return ERR_OK;
}

/* The name may be there all the same: the present copy is the one that was placed last. */
static void stay(struct partition *p)
{
	struct dirs *dirs = p->shard->broker->dirs;
	char path[PARTITION_PATH_MAX];

	partition_path(p, path);
	if (partition_meta_place(p->shard->env, path, p->topic_id, dirs_placement(dirs)))
		dirs_fail(dirs, p->dir);
}

static enum err write_epochs(struct move *m)
{
	const struct epoch_cache *c = &m->p->epochs;
	struct epoch_row *v = mem_alloc(sizeof(*v) * (size_t)(c->n + 1));
	enum err e;

	for (int32_t i = 0; i < c->n; i++)
		v[i] = (struct epoch_row){ c->v[i].epoch, c->v[i].start_offset };
	e = epoch_file_write(m->p->shard->env, m->path, v, c->n);
	mem_free(v);
	return e;
}

/* As of the log's end.  Of an older one the copy has the batches that follow it. */
static enum err write_producers(struct move *m)
{
	enum err e = ERR_OK;

	if (m->producers != log_end(m->p->log))
		e = persist_producers_beside(m->p, m->path);
	if (!e)
		m->producers = log_end(m->p->log);
	return e;
}
