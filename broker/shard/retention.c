/* retention.c - what a partition needs once a second: a flush, old segments, producers to forget;
 * and the removal of deleted partitions' directories.
 *
 *   dropped: rename_work (job) -> file.delete.delay.ms -> remove_work (job)
 *
 * A removal that the process does not live to see is finished by the next start (logdir_scan). */
#include "broker/shard/retention.h"

#include <stdatomic.h>
#include <stdio.h>

#include "broker/log/logdir.h"
#include "broker/log/partition_meta.h"
#include "broker/shard/dirs.h"
#include "broker/shard/partition.h"
#include "broker/shard/persist.h"
#include "common/base/log.h"

#define SHORT_AGAIN_MS 1000

struct flush_job {
	struct job job;
	struct partition *p;
	struct log_flush *flush;
};
struct purge_job {
	struct job job;
	struct partition *p;
	int64_t now_ms;
};
struct removal {
	struct list node; /* on shard->deletions */
	struct timer timer;
	struct job job;
	struct shard *shard;
	const char *root;
	int dir; /* the same */
	struct uuid topic_id, unique;
	uint64_t key; /* in shard->leaving; 0: not there */
	struct dirs_row *found;
	char name[LOGDIR_NAME_MAX + 32], retired[LOGDIR_NAME_MAX];
	enum logdir_fate fate;
	bool is_retired;
	bool is_put_off; /* no descriptor was free: the same again after a pause */
	int64_t delay_ms;
};

static void start_flush(struct partition *);
static void flush_work(struct job *);
static void flush_done(struct job *);
static void retain(struct partition *);
static enum err keep_producers(struct partition *, int64_t now_ms);
static void purge_work(struct job *);
static void purge_done(struct job *);
static struct removal *removal_new(struct shard *, int dir, struct uuid topic_id);
static void rename_work(struct job *);
static void rename_done(struct job *);
static void remove_work(struct job *);
static void remove_done(struct job *);
static void delay_over(void *arg);

void retention_care(struct partition *p, bool look)
{
	struct env *env = p->shard->env;

	if (atomic_load(&p->shard->broker->dirs->v[p->dir].offline)) {
		partition_fail(p, ERR_IO); /* a neighbour in its directory met the failure */
		return;
	}
	retention_flush_due(p);
	if (!look)
		return;
	producers_expire(&p->producers, env_wall_ms(env), p->shard->dynamic.producer_expiration_ms);
	if (p->conf.is_deleted)
		retain(p);
}

/* ---- flush --------------------------------------------------------------------------------- */

/* One round at a time; what arrives meanwhile is the next one's (flush_done). */
void retention_flush_due(struct partition *p)
{
	if (log_flush_due(p->log, env_wall_ms(p->shard->env)))
		start_flush(p);
}

static void start_flush(struct partition *p)
{
	struct log_flush *flush = log_flush_begin(p->log);
	struct flush_job *j;

	if (!flush)
		return;
	j = mem_alloc(sizeof(*j));
	*j = (struct flush_job){ .job = { .work = flush_work, .done = flush_done },
				 .p = p,
				 .flush = flush };
	p->n_jobs++;
	env_submit(p->shard->env, &j->job);
}

static void flush_work(struct job *job)
{
	struct flush_job *j = CONTAINER_OF(job, struct flush_job, job);

	log_flush_work(j->flush);
}

/* The next round begins at once if more has become due. */
static void flush_done(struct job *job)
{
	struct flush_job *j = CONTAINER_OF(job, struct flush_job, job);
	enum err e = log_flush_end(j->p->log, j->flush);

	/* Without a descriptor the next look at what is due tries again. */
	if (e && e != ERR_NOFILES && !j->p->is_dropped)
		partition_fail(j->p, e);
	else if (!e && !j->p->is_dropped && j->p->state == PARTITION_OPEN)
		retention_flush_due(j->p);
	partition_job_back(j->p);
	mem_free(j);
}

/* ---- old segments ---------------------------------------------------------------------------- */

/* Renaming happens here on the shard, unlinking in the job. */
static void retain(struct partition *p)
{
	int64_t now_ms = env_wall_ms(p->shard->env), start = log_start(p->log);
	int32_t n = 0;
	struct purge_job *j;
	enum err e;

	if (atomic_load(&p->shard->broker->dirs->v[p->dir].offline))
		return; /* nothing is changed there any more */
	e = keep_producers(p, now_ms);
	if (!e)
		e = log_retain(p->log, p->replica.high_watermark, now_ms, &n);
	if (partition_is_full(p, e)) {
		partition_start_moved(p); /* some may be gone */
		return;                   /* the next round tries again */
	}
	if (e) {
		partition_fail(p, e);
		return;
	}
	if (n > 0 && log_start(p->log) > start)
		log_info("retention", "deleted old segments", F_Z("partition", p->dir_name),
			 F_I64("segments", n), F_I64("from", start),
			 F_I64("log_start", log_start(p->log)));
	partition_start_moved(p);
	j = mem_alloc(sizeof(*j));
	*j = (struct purge_job){ .job = { .work = purge_work, .done = purge_done },
				 .p = p,
				 .now_ms = now_ms };
	p->n_jobs++;
	env_submit(p->shard->env, &j->job);
}

/* Without their records a snapshot is all that a restart knows producers by.  A full disk must not
 * keep what is deleted to make room; descriptors come back. */
static enum err keep_producers(struct partition *p, int64_t now_ms)
{
	enum err e = ERR_OK;

	if (producers_count(&p->producers) > 0 &&
	    (p->lacks_producers || log_expires(p->log, p->replica.high_watermark, now_ms)))
		e = persist_producers_now(p);
	return e != ERR_NOFILES && partition_is_full(p, e) ? ERR_OK : e;
}

static void purge_work(struct job *job)
{
	struct purge_job *j = CONTAINER_OF(job, struct purge_job, job);

	log_purge(j->p->log, j->now_ms);
}

static void purge_done(struct job *job)
{
	struct purge_job *j = CONTAINER_OF(job, struct purge_job, job);

	partition_job_back(j->p);
	mem_free(j);
}

/* ---- directories of deleted partitions ------------------------------------------------------- */

/* The name is free for a new topic only when the rename is done; see claim in partition_open.c.
 * So is this partition when it is reassigned to us again: shard->leaving. */
void retention_remove(struct partition *p)
{
	struct removal *r = removal_new(p->shard, p->dir, p->topic_id);

	r->key = p->is_leaving ? partition_key(p->topic_id, p->number) : 0;
	r->delay_ms = p->conf.file_delete_delay_ms;
	snprintf(r->name, sizeof(r->name), "%s", p->dir_name);
	env_submit(p->shard->env, &r->job);
}

void retention_remove_named(struct partition *p, int dir, const char *name)
{
	struct removal *r = removal_new(p->shard, dir, p->topic_id);

	snprintf(r->name, sizeof(r->name), "%s", name);
	env_submit(p->shard->env, &r->job);
}

void retention_remove_retired(struct partition *p, int dir, const char *retired)
{
	struct removal *r = removal_new(p->shard, dir, p->topic_id);

	snprintf(r->retired, sizeof(r->retired), "%s", retired);
	r->is_retired = true;
	timer_after_ms(p->shard->env, &r->timer, p->conf.file_delete_delay_ms);
}

void retention_remove_found(struct shard *s, struct dirs_row *row, struct uuid topic_id,
			    int32_t partition)
{
	struct removal *r = removal_new(s, row->dir, topic_id);

	log_info("partition", "moved away while this broker was down",
		 F_STR("partition", row->name));
	r->found = row;
	r->key = partition_key(topic_id, partition);
	r->delay_ms = s->broker->conf->topic.file_delete_delay_ms;
	snprintf(r->name, sizeof(r->name), "%.*s", (int)row->name.n, row->name.at);
	map_put(&s->leaving, r->key, r);
	env_submit(s->env, &r->job);
}

void retention_put_aside(struct shard *s, struct dirs_row *row)
{
	struct removal *r;

	if (atomic_exchange(&row->taken, true))
		return;
	r = removal_new(s, row->dir, (struct uuid){ { 0 } });
	r->fate = LOGDIR_STRAY;
	snprintf(r->name, sizeof(r->name), "%.*s", (int)row->name.n, row->name.at);
	env_submit(s->env, &r->job);
}

static struct removal *removal_new(struct shard *s, int dir, struct uuid topic_id)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->shard = s;
	r->root = s->broker->dirs->v[dir].path;
	r->dir = dir;
	r->topic_id = topic_id;
	r->unique = prng_uuid(&s->env->prng);
	list_push_back(&s->deletions, &r->node);
	timer_init(&r->timer, delay_over, r);
	r->job = (struct job){ .work = rename_work, .done = rename_done };
	return r;
}

static void rename_work(struct job *job)
{
	struct removal *r = CONTAINER_OF(job, struct removal, job);
	char path[PARTITION_PATH_MAX];
	struct uuid id;
	enum err e;

	if (r->fate == LOGDIR_STRAY) {
		r->is_retired = logdir_retire(job->home, r->root, r->name, r->unique, r->fate,
					      r->retired) == ERR_OK;
		return;
	}
	snprintf(path, sizeof(path), "%s/%s", r->root, r->name);
	e = partition_meta_read(job->home, path, &id);
	r->is_put_off = e == ERR_NOFILES;
	/* Never a directory that a later topic of this name has made since. */
	if (!e && !uuid_eq(id, r->topic_id))
		return;
	if (!e)
		e = logdir_retire(job->home, r->root, r->name, r->unique, r->fate, r->retired);
	r->is_retired = e == ERR_OK;
	/* Whoever makes the replica anew elsewhere must know that this copy is still there. */
	if (e == ERR_IO)
		dirs_fail(r->shard->broker->dirs, r->dir);
}

static void rename_done(struct job *job)
{
	struct removal *r = CONTAINER_OF(job, struct removal, job);

	if (r->fate == LOGDIR_STRAY) {
		if (r->is_retired)
			log_warn("partition", "no topic of now: put aside, yours to remove",
				 F_Z("partition", r->name), F_Z("as", r->retired));
		remove_done(job);
		return;
	}
	if (r->is_put_off) {
		timer_after_ms(r->shard->env, &r->timer, SHORT_AGAIN_MS);
		return;
	}
	if (r->key)
		map_remove(&r->shard->leaving, r->key);
	if (r->found && r->is_retired)
		atomic_store(&r->found->taken, true); /* nothing is left there to be recovered */
	timer_after_ms(r->shard->env, &r->timer, r->delay_ms);
}

static void delay_over(void *arg)
{
	struct removal *r = arg;

	if (!r->is_put_off)
		r->job = (struct job){ .work = remove_work, .done = remove_done };
	env_submit(r->shard->env, &r->job);
}

static void remove_work(struct job *job)
{
	struct removal *r = CONTAINER_OF(job, struct removal, job);

	enum err e = r->is_retired ? logdir_remove(job->home, r->root, r->retired) : ERR_OK;

	r->is_put_off = e == ERR_NOFILES;
	if (e && !r->is_put_off)
		log_warn("retention", "a deleted partition's directory stays", F_Z("dir", r->root),
			 F_Z("name", r->retired));
}

static void remove_done(struct job *job)
{
	struct removal *r = CONTAINER_OF(job, struct removal, job);

	if (r->is_put_off) {
		timer_after_ms(r->shard->env, &r->timer, SHORT_AGAIN_MS);
		return;
	}
	list_remove(&r->node);
	mem_free(r);
}

/* Renamed directories are left to the next start. */
void retention_forget(struct shard *s)
{
	while (!list_empty(&s->deletions)) {
		struct removal *r = CONTAINER_OF(s->deletions.next, struct removal, node);
		list_remove(&r->node);
		timer_clear(s->env, &r->timer);
		mem_free(r);
	}
}
