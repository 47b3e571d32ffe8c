/* partition_open.c - the birth and the end of a partition.
 *
 *   partition_open_start -> open_work (job): claim, epochs, producers, log_open, replay
 *                        -> open_done -> opened -> partition_opened: takes up its role
 *   partition_drop -> forget, once no job holds it -> retention_remove
 *                  one that is assigned again before its directory is renamed waits for that
 *
 * `applied` (shard_note_applied) waits for openings: the controller counts a topic as created on
 * this broker only when its logs can be written. */
#include "broker/shard/partition_open.h"

#include <stdatomic.h>
#include <stdio.h>

#include "broker/log/logdir.h"
#include "broker/log/partition_meta.h"
#include "broker/shard/dirs.h"
#include "broker/shard/move.h"
#include "broker/shard/persist.h"
#include "broker/shard/report.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/base/mark.h"

struct open_job {
	struct job job;
	struct partition *p;
	struct dirs_row *found; /* NULL: a new directory */
	bool is_new;            /* what is there counts for nothing */
	bool is_namesake; /* the checkpoints may have offsets of an earlier one of this name */
	struct log_options options;
	struct log_recovery recovery;
	struct log *log;
	enum err err;
	uint32_t epochs_loaded; /* version of the epochs as the file has them */
	bool is_learning;       /* from batches */
	struct uuid stray_id;   /* for a directory that does not say whose it is */
	int64_t snapshot;       /* offset of the producer snapshot that was loaded; -1 */
	int64_t next;           /* up to here the producers are known; -1: nothing is */
	bool is_of_before;      /* the replica was assigned before this process began */
	bool has_gap;           /* records are missing before that */
	struct timer again;
	char path[PARTITION_PATH_MAX];
};

/* A topic deleted and created again under its name, or a replica moved away and back: the old
 * directory is renamed within some ms. */
#define CLAIM_AGAIN_MS 10
#define CHECKPOINTED_MS 60000 /* by then the checkpoints have forgotten a dropped partition */
#define ROOM_AGAIN_MS 1000

static struct partition *partition_new(struct shard *, const struct image_topic *, int32_t number);
static void open_work(struct job *);
static void open_done(struct job *);
static void open_again(void *arg);
static bool was_dropped_lately(struct shard *);
static bool must_wait(const struct partition *);
static void opened(struct open_job *);
static enum err learn_epochs_again(struct open_job *);
static void note_epoch(void *arg, const struct batch *);
static enum err claim(struct open_job *);
static bool is_nobodys(const struct open_job *);
static void distrust(struct open_job *);
static void replay(void *arg, const struct batch *);
static bool is_unvouched(const struct open_job *, enum report_of *);
static void forget(struct partition *);

/* A directory found at start is used where it lies; a new one goes to the
 * emptiest log directory. */
void partition_open_start(struct shard *s, const struct image_topic *t, int32_t number)
{
	struct partition *p = partition_new(s, t, number);
	struct dirs *dirs = s->broker->dirs;
	struct open_job *j = mem_alloc(sizeof(*j));

	j->found = dirs_found(dirs, str_of(p->dir_name));
	/* One that was moved away from a failed directory and called back may lie in another. */
	if (j->found && atomic_load(&j->found->taken) &&
	    atomic_load(&dirs->v[j->found->dir].offline))
		j->found = NULL;
	p->dir = j->found ? j->found->dir : dirs_place(dirs);
	if (p->dir < 0 || atomic_load(&dirs->v[p->dir].offline)) {
		log_error("partition", "no log directory is usable for it",
			  F_Z("partition", p->dir_name));
		p->state = PARTITION_OFFLINE;
		mem_free(j);
		p->opening_before = s->image_before;
		list_push_back(&s->openings, &p->opening);
		report_lost(p, REPORT_OFFLINE);
		return;
	}
	atomic_fetch_add(&dirs->v[p->dir].n_partitions, 1);
	partition_path(p, j->path);
	partition_resolve_conf(p, t);
	j->p = p;
	j->options = (struct log_options){
		.dir = j->path, .config = partition_log_config(p), .replay = replay, .arg = j
	};
	if (j->found) {
		j->options.clean = dirs->v[p->dir].was_clean && !atomic_load(&j->found->taken);
		j->options.is_unsure = dirs_are_unsure(dirs);
		j->options.is_vouched = !j->options.is_unsure;
		j->options.recovery_point = j->found->recovery_point;
		j->options.start_offset = j->found->log_start;
		j->stray_id = prng_uuid(&s->env->prng);
	}
	j->is_of_before = s->image_before == 0;
	j->is_namesake = j->found || was_dropped_lately(s);
	j->job = (struct job){ .work = open_work, .done = open_done };
	p->n_jobs++;
	p->opening_before = s->image_before;
	list_push_back(&s->openings, &p->opening);
	timer_init(&j->again, open_again, j);
	if (must_wait(p))
		timer_after_ms(s->env, &j->again, CLAIM_AGAIN_MS);
	else
		env_submit(s->env, &j->job);
}

static bool was_dropped_lately(struct shard *s)
{
	int64_t dropped_ms = atomic_load(&s->broker->dropped_ms);

	return dropped_ms != 0 && env_mono_ms(s->env) - dropped_ms < CHECKPOINTED_MS;
}

/* Our own directory of before is still on its way out. */
static bool must_wait(const struct partition *p)
{
	return map_find(&p->shard->leaving, partition_key(p->topic_id, p->number)) != NULL;
}

static struct partition *partition_new(struct shard *s, const struct image_topic *t, int32_t number)
{
	struct partition *p = mem_alloc(sizeof(*p));
	uint64_t key = partition_key(t->id, number);
	char *name = mem_alloc(t->name.n + 1);

	memcpy(name, t->name.at, t->name.n);
	p->shard = s;
	p->topic_id = t->id;
	p->number = number;
	p->topic = (struct str){ name, t->name.n };
	p->dir = -1;
	snprintf(p->dir_name, sizeof(p->dir_name), "%s-%d", name, number);
	replica_init(&p->replica, s->broker->conf->node_id, s->broker->conf->lag_max_ms);
	epoch_cache_init(&p->epochs);
	producers_init(&p->producers, prng_u64(&s->env->prng));
	list_init(&p->waits);
	list_init(&p->watches);
	list_init(&p->deletes);
	list_init(&p->hw_lagging);
	list_init(&p->throttled);
	list_init(&p->opening);
	list_init(&p->follow.node);
	list_init(&p->follow.change);
	ASSERT(!map_find(&s->partitions, key));
	map_put(&s->partitions, key, p);
	return p;
}

void partition_path(const struct partition *p, char out[PARTITION_PATH_MAX])
{
	snprintf(out, PARTITION_PATH_MAX, "%s/%s", p->shard->broker->dirs->v[p->dir].path,
		 p->dir_name);
}

void partition_free(struct partition *p)
{
	ASSERT(list_empty(&p->waits) && list_empty(&p->watches) && list_empty(&p->deletes) &&
	       !p->follow.at);
	move_close(p);
	list_remove(&p->hw_lagging);
	list_remove(&p->throttled);
	list_remove(&p->opening);
	report_free(p);
	if (p->log)
		log_drop(p->log);
	producers_fini(&p->producers);
	epoch_cache_fini(&p->epochs);
	mem_free((void *)(uintptr_t)p->topic.at);
	mem_free(p);
}

/* ---- opening, on a thread of the pool: epochs and producers are the job's until it is back --- */

/* Epochs and producers are loaded first, so that the replay behind the snapshot completes them. */
static void open_work(struct job *job)
{
	struct open_job *j = CONTAINER_OF(job, struct open_job, job);

	if ((j->err = claim(j)) || (j->err = persist_load_epochs(job->home, j->p, j->path)))
		return;
	j->epochs_loaded = j->p->epochs.version;
	if ((j->err = persist_load_producers(job->home, j->p, j->path, INT64_MAX, &j->snapshot)))
		return;
	j->next = j->snapshot;
	/* What was not known to be flushed is scanned anyway, so epochs are learnt from there, too:
	 * the file may lack the last ones. */
	j->options.replay_from = i64_max(0, j->snapshot);
	if (j->p->epochs.n == 0)
		j->options.replay_from = 0; /* the file is damaged, or gone */
	if (!j->options.clean)
		j->options.replay_from = i64_min(j->options.replay_from, j->options.recovery_point);
	if ((j->err = log_open(job->home, &j->options, &j->log, &j->recovery)))
		return;
	if ((j->err = learn_epochs_again(j)))
		return;
	epoch_cache_truncate_end(&j->p->epochs, log_end(j->log));
	epoch_cache_truncate_start(&j->p->epochs, log_start(j->log));
	/* Of an empty log only the file speaks, which a full disk may have kept from being written:
	 * what is not there cannot diverge. */
	if (log_start(j->log) == log_end(j->log))
		epoch_cache_truncate_end(&j->p->epochs, 0);
}

/* The file knows at once when the log's start moves up, the checkpoint within a minute: after a
 * kill records may be back whose epochs are not, and a leader would tell its followers that an
 * epoch of before ends where the file begins. */
static enum err learn_epochs_again(struct open_job *j)
{
	struct epoch_cache *c = &j->p->epochs;

	if (c->n == 0 || c->v[0].start_offset <= log_start(j->log))
		return ERR_OK;
	MARK(epochs_begin_above_the_log);
	epoch_cache_truncate_end(c, 0);
	return log_replay(j->log, log_start(j->log), note_epoch, c);
}

static void note_epoch(void *arg, const struct batch *b)
{
	epoch_cache_assign(arg, b->leader_epoch, b->base_offset);
}

/* The directory is ours when it says so, or says nothing (a kill while it was made).  One of an
 * earlier topic of this name, left from before our start, is put aside, not deleted. */
static enum err claim(struct open_job *j)
{
	struct env *env = j->job.home;
	struct dirs *dirs = j->p->shard->broker->dirs;
	const char *root = dirs->v[j->p->dir].path;
	char aside[LOGDIR_NAME_MAX];
	struct uuid id;
	enum err e = partition_meta_read(env, j->path, &id);

	if (!e && uuid_eq(id, j->p->topic_id)) {
		if (log_point_is_void(env, j->path))
			distrust(j);
		return ERR_OK;
	}
	/* A deleted topic of this name is still being let go by its own shard: wait for that. */
	if (!e && (!j->found || atomic_load(&j->found->taken)))
		return ERR_EXISTS;
	if ((e == ERR_NOT_FOUND || e == ERR_CORRUPT) && is_nobodys(j)) {
		MARK(partition_of_nobody);
		id = j->stray_id;
		e = ERR_OK;
	}
	distrust(j);
	if (!e) {
		e = logdir_retire(env, root, j->p->dir_name, id, LOGDIR_STRAY, aside);
		if (e == ERR_NOT_FOUND) /* put aside meanwhile, see shard_image.c */
			return ERR_EXISTS;
		if (e)
			return e;
		log_warn("partition", "a directory of another topic of this name was put aside",
			 F_Z("partition", j->p->dir_name), F_Z("as", aside));
	} else if (e == ERR_CORRUPT) {
		log_warn("partition",
			 "partition.metadata is unreadable: written anew, the log scanned",
			 F_Z("partition", j->p->dir_name));
	} else if (e != ERR_NOT_FOUND) {
		return e;
	}
	if ((e = env->files->mkdir(env, j->path)) != ERR_OK)
		return e;
	if (dirs_any_offline(dirs)) {
		if ((e = env->files->sync_dir(env, root)) || (e = log_void_point(env, j->path)))
			return e;
		return partition_meta_place(env, j->path, j->p->topic_id, dirs_placement(dirs));
	}
	/* Nothing here can be missed before its first flush, which syncs these names. */
	if (!j->is_namesake)
		return partition_meta_put(env, j->path, j->p->topic_id);
	if ((e = env->files->sync_dir(env, root)) || (e = log_void_point(env, j->path)))
		return e;
	return partition_meta_write(env, j->path, j->p->topic_id);
}

/* The power went before whose it is was durable: the records, if there are any, may be those of an
 * earlier topic of this name, and none of them was ever flushed. */
static bool is_nobodys(const struct open_job *j)
{
	return j->options.is_unsure && j->options.recovery_point == 0 &&
	       log_has_records(j->job.home, j->path);
}

/* The checkpoints and the clean marker do not speak of this log. */
static void distrust(struct open_job *j)
{
	j->options.clean = false;
	j->options.recovery_point = j->options.start_offset = 0;
	j->is_new = true;
}

static void replay(void *arg, const struct batch *b)
{
	struct open_job *j = arg;

	/* The file may know epochs that a truncation took away, and offsets that others filled. */
	if (!j->options.clean && !j->is_learning)
		epoch_cache_truncate_end(&j->p->epochs, b->base_offset);
	j->is_learning = true;
	epoch_cache_assign(&j->p->epochs, b->leader_epoch, b->base_offset);
	if (b->base_offset < j->snapshot)
		return;
	j->has_gap |= j->next >= 0 && b->base_offset > j->next;
	j->next = batch_last_offset(b) + 1;
	persist_note(&j->p->producers, b, env_wall_ms(j->job.home));
}

/* Back on the shard.  Three outcomes: open, offline for good, or once more after a short pause
 * because an older topic of this name is still being renamed. */
static void open_done(struct job *job)
{
	struct open_job *j = CONTAINER_OF(job, struct open_job, job);
	struct partition *p = j->p;
	struct shard *s = p->shard;
	enum report_of of;

	if (j->err == ERR_EXISTS && !p->is_dropped && !s->is_stopping) {
		timer_after_ms(s->env, &j->again, CLAIM_AGAIN_MS);
		return;
	}
	if (partition_is_full(p, j->err) && !p->is_dropped && !s->is_stopping) {
		timer_after_ms(s->env, &j->again, ROOM_AGAIN_MS);
		list_remove(&p->opening); /* nobody shall wait for it: it may take days */
		shard_note_applied(s);
		return;
	}
	p->log = j->log;
	if (j->found)
		atomic_store(&j->found->taken, true);
	if (!j->err)
		opened(j);
	if (j->err == ERR_EXISTS) {
		p->state = PARTITION_OFFLINE; /* it never was there */
	} else if (j->err) {
		p->state = PARTITION_OFFLINE;
		if (j->err == ERR_NOFILES)
			dirs_unsettle(s->broker->dirs, p->dir);
		else
			dirs_fail(s->broker->dirs, p->dir);
		log_error("partition", "its log cannot be opened", F_Z("partition", p->dir_name),
			  F_Z("error", err_text(j->err)));
	}
	if (is_unvouched(j, &of) && !p->is_dropped && !s->is_stopping)
		report_lost(p, of);
	else
		list_remove(&p->opening);
	mem_free(j);
	if (!p->is_dropped && p->state == PARTITION_OPEN) {
		persist_epochs(p); /* what the scan taught: after a clean end nothing is scanned */
		partition_opened(p);
	}
	partition_job_back(p);
	shard_note_applied(s);
}

/* A directory that lost the end of its logs with the power said so when the broker registered: what
 * a scan cuts there is no news, unless it was synced.  Elsewhere nothing may be missing at all.
 * What an earlier start had set aside (no bytes are now) is told again, in case it was not told. */
static bool is_unvouched(const struct open_job *j, enum report_of *of)
{
	const struct dir *dir = &j->p->shard->broker->dirs->v[j->p->dir];
	const struct log_recovery *r = &j->recovery;
	bool is_whole = dir->previous_epoch >= 0;

	*of = REPORT_OFFLINE;
	if (j->p->state != PARTITION_OPEN)
		return j->err != ERR_EXISTS;
	*of = r->bytes_quarantined > 0 ? REPORT_DAMAGED : REPORT_SHORT;
	if (r->corrupt_offset >= 0)
		return is_whole || r->corrupt_offset < j->options.recovery_point;
	/* Somebody took its directory away.  One that was never made had nothing. */
	if (!j->found)
		return is_whole && j->is_of_before &&
		       dirs_had(j->p->shard->broker->dirs, str_of(j->p->dir_name));
	return is_whole && j->found && !j->is_new &&
	       (j->found->high_watermark > log_end(j->log) ||
		(j->options.clean && r->bytes_cut > 0));
}

static void open_again(void *arg)
{
	struct open_job *j = arg;
	const struct partition *p = j->p;
	bool ends = p->is_dropped || p->shard->is_stopping;

	if (ends && j->err != ERR_NOSPACE && j->err != ERR_NOFILES) {
		j->err = ERR_EXISTS; /* it was never begun */
		open_done(&j->job);
	} else if (!ends && must_wait(p))
		timer_after_ms(p->shard->env, &j->again, CLAIM_AGAIN_MS);
	else if (!ends && j->err == ERR_NOSPACE &&
		 atomic_load(&p->shard->broker->dirs->v[p->dir].is_full))
		timer_after_ms(p->shard->env, &j->again, ROOM_AGAIN_MS);
	else
		env_submit(p->shard->env, &j->job);
}

/* The high watermark of the checkpoint, clamped to what the log has; damage is
 * told, see salvage.c. */
static void opened(struct open_job *j)
{
	struct partition *p = j->p;
	int64_t hw = j->found && !j->is_new ? j->found->high_watermark : 0;

	/* After a power cut the bytes above the recovery point may be older ones that a
	 * truncation had removed: committed is only what the leader says again. */
	if (!j->options.clean)
		hw = i64_min(hw, j->options.recovery_point);

	p->epochs_saved = j->epochs_loaded;
	replica_load(&p->replica, log_start(p->log), hw, log_end(p->log));
	p->state = PARTITION_OPEN;
	/* Records are missing behind the snapshot, or before it: see partition_rebuild.c. */
	if (j->has_gap || (j->next >= 0 && j->next != log_end(p->log)))
		p->doubts_producers = true;
	j->err = partition_know_producers(p);
	if (j->err == ERR_NOFILES)
		j->err = ERR_OK; /* looked for again before the first append */
	if (j->recovery.bytes_scanned > 0 || j->recovery.bytes_cut > 0)
		log_info("partition", "recovered", F_Z("partition", p->dir_name),
			 F_I64("segments_scanned", j->recovery.segments_scanned),
			 F_I64("bytes_scanned", j->recovery.bytes_scanned),
			 F_I64("bytes_cut", j->recovery.bytes_cut),
			 F_I64("log_end", log_end(p->log)));
	if (j->recovery.corrupt_offset >= 0)
		log_error("partition", "damaged in the middle: it ends before the damage",
			  F_Z("partition", p->dir_name),
			  F_I64("offset", j->recovery.corrupt_offset),
			  F_I64("bytes_quarantined", j->recovery.bytes_quarantined));
}

/* ---- the end of a partition ------------------------------------------------------------------ */

void partition_drop(struct partition *p, enum kerr e)
{
	struct shard *s = p->shard;
	uint64_t key = partition_key(p->topic_id, p->number);

	if (p->is_dropped)
		return;
	p->is_dropped = true;
	atomic_store(&s->broker->dropped_ms, i64_max(env_mono_ms(s->env), 1));
	map_remove(&s->partitions, key);
	p->is_leaving = p->dir >= 0 && !map_find(&s->leaving, key);
	if (p->is_leaving)
		map_put(&s->leaving, key, p);
	partition_let_go(p, e);
	move_end(p);
	log_info("partition", "dropped", F_Z("partition", p->dir_name));
	if (p->n_jobs == 0)
		forget(p);
}

/* The last job that comes back lets a dropped partition go. */
void partition_job_back(struct partition *p)
{
	struct shard *s = p->shard;

	ASSERT(p->n_jobs > 0);
	if (--p->n_jobs > 0 || !p->is_dropped)
		return;
	forget(p);
	shard_note_applied(s); /* it may have been the one that was waited for */
}

static void forget(struct partition *p)
{
	struct shard *s = p->shard;

	list_remove(&p->opening);
	if (p->dir >= 0) {
		atomic_fetch_sub(&s->broker->dirs->v[p->dir].n_partitions, 1);
		retention_remove(p);
	}
	partition_free(p);
}

/* Failing here only means that the next start scans: no marker is written for this directory. */
void partition_close(struct partition *p)
{
	enum err e, closed;

	move_close(p);
	if (p->state != PARTITION_OPEN)
		return;
	e = persist_epochs_now(p);
	if (!e && log_end(p->log) > 0)
		e = persist_producers_now(p);
	p->recovery_point = log_end(p->log);
	closed = log_close(p->log);
	if (closed || e) {
		p->state = PARTITION_OFFLINE;
		if ((!closed || closed == ERR_NOFILES) && (!e || e == ERR_NOFILES))
			dirs_unsettle(p->shard->broker->dirs, p->dir);
		else
			dirs_fail(p->shard->broker->dirs, p->dir);
		log_error("partition", "its log did not close well", F_Z("partition", p->dir_name));
	}
	p->log = NULL;
}
