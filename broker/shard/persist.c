/* persist.c - what of a partition's state lies in small files: leader epochs, idempotent producers.
 *
 * Written by jobs from copies, so the shard goes on; a job that is back writes again if the state
 * has moved meanwhile.  A partition cannot be freed while one is under way (n_jobs). */
#include "broker/shard/persist.h"

#include <stdio.h>

#include "broker/log/epoch_file.h"
#include "broker/log/producer_file.h"
#include "broker/shard/partition.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"

struct epochs_job {
	struct job job;
	struct partition *p;
	uint32_t version;
	enum err err;
	int32_t n;
	char dir[PARTITION_PATH_MAX];
	struct epoch_row rows[];
};
struct producers_job {
	struct job job;
	struct partition *p;
	int64_t offset;
	enum err err;
	int32_t n;
	char dir[PARTITION_PATH_MAX];
	struct producer_row rows[];
};

static bool is_saved(const struct partition *);
static void epochs_work(struct job *);
static void epochs_done(struct job *);
static struct producers_job *snapshot(struct partition *, int64_t offset);
static void producers_work(struct job *);
static void producers_done(struct job *);
static void add_rows(struct producers_job *, const struct producer_entry *);
static struct producer_row row_of(const struct producer_entry *, const struct producer_batch *);

/* ---- leader epochs: one write at a time, the newest state each time -------------------------- */

/* A log that has nothing yet need not say whose nothing it is, and its directory is not durable
 * anyway; a thousand new partitions would be two thousand syncs. */
static bool is_saved(const struct partition *p)
{
	bool is_blank = p->epochs_saved == 0 && p->log && log_end(p->log) == 0;

	return p->epochs.version == p->epochs_saved || is_blank;
}

/* Skipped while a write is under way: epochs_done looks again. */
void persist_epochs(struct partition *p)
{
	struct epochs_job *j;

	if (is_saved(p) || p->is_saving_epochs)
		return;
	j = mem_alloc(sizeof(*j) + sizeof(j->rows[0]) * (size_t)p->epochs.n);
	j->job = (struct job){ .work = epochs_work, .done = epochs_done };
	j->p = p;
	j->version = p->epochs.version;
	j->n = p->epochs.n;
	for (int32_t i = 0; i < j->n; i++)
		j->rows[i] =
			(struct epoch_row){ p->epochs.v[i].epoch, p->epochs.v[i].start_offset };
	partition_path(p, j->dir);
	p->is_saving_epochs = true;
	p->epochs_saving_from = p->epochs.changed_from;
	p->epochs.changed_from = INT64_MAX;
	p->n_jobs++;
	env_submit(p->shard->env, &j->job);
}

static void epochs_work(struct job *job)
{
	struct epochs_job *j = CONTAINER_OF(job, struct epochs_job, job);

	j->err = epoch_file_write(job->home, j->dir, j->rows, j->n);
}

static void epochs_done(struct job *job)
{
	struct epochs_job *j = CONTAINER_OF(job, struct epochs_job, job);
	struct partition *p = j->p;

	p->is_saving_epochs = false;
	if (j->err)
		p->epochs.changed_from = i64_min(p->epochs.changed_from, p->epochs_saving_from);
	if (j->err && !p->is_dropped) {
		/* Written with the next change; until then a start finds them in the batches. */
		if (!partition_is_full(p, j->err))
			partition_fail(p, j->err);
	} else if (!p->is_dropped) {
		p->epochs_saved = j->version;
		persist_epochs(p);
	}
	partition_job_back(p);
	mem_free(j);
}

int64_t persist_recovery_point(const struct partition *p)
{
	int64_t from = p->epochs.changed_from;

	if (p->is_saving_epochs)
		from = i64_min(from, p->epochs_saving_from);
	return i64_min(from, p->log ? log_recovery_point(p->log) : p->recovery_point);
}

/* Process end: blocks. */
enum err persist_epochs_now(struct partition *p)
{
	struct epoch_row *rows;
	char dir[PARTITION_PATH_MAX];
	enum err e;

	if (is_saved(p))
		return ERR_OK;
	rows = mem_alloc(sizeof(*rows) * (size_t)(p->epochs.n + 1));
	for (int32_t i = 0; i < p->epochs.n; i++)
		rows[i] = (struct epoch_row){ p->epochs.v[i].epoch, p->epochs.v[i].start_offset };
	partition_path(p, dir);
	e = epoch_file_write(p->shard->env, dir, rows, p->epochs.n);
	mem_free(rows);
	return e;
}

/* ---- producers ------------------------------------------------------------------------------- */

/* Two writers of one file would take its temporary name from each other. */
void persist_producers(struct partition *p, int64_t offset)
{
	struct producers_job *j;

	if (offset > 0 && p->saving_producers == offset)
		return;
	j = snapshot(p, offset);
	p->saving_producers = offset;
	p->n_jobs++;
	env_submit(p->shard->env, &j->job);
}

/* Process end: blocks. */
enum err persist_producers_now(struct partition *p)
{
	char dir[PARTITION_PATH_MAX];
	enum err e;

	partition_path(p, dir);
	e = persist_producers_beside(p, dir);
	p->lacks_producers &= e != ERR_OK;
	return e;
}

enum err persist_producers_beside(struct partition *p, const char *dir)
{
	struct producers_job *j;
	enum err e = partition_know_producers(p);

	if (e)
		return e;
	j = snapshot(p, log_end(p->log));
	e = producer_file_write(p->shard->env, dir, j->offset, j->rows, j->n);

	mem_free(j);
	return e;
}

static struct producers_job *snapshot(struct partition *p, int64_t offset)
{
	int32_t n = producers_count(&p->producers);
	const struct producer_entry **rows = mem_alloc(sizeof(*rows) * (size_t)(n + 1));
	struct producers_job *j;

	n = producers_rows(&p->producers, rows, n);
	j = mem_alloc(sizeof(*j) + sizeof(j->rows[0]) * (size_t)n * (PRODUCER_WINDOW + 1));

	j->job = (struct job){ .work = producers_work, .done = producers_done };
	j->p = p;
	j->offset = offset;
	for (int32_t i = 0; i < n; i++)
		add_rows(j, rows[i]);
	mem_free(rows);
	partition_path(p, j->dir);
	return j;
}

/* A row for each batch.  The last row also has the time of what came without a sequence. */
static void add_rows(struct producers_job *j, const struct producer_entry *e)
{
	struct producer_batch v[PRODUCER_WINDOW + 1];
	int n = producer_batches(e, v);

	if (n == 0)
		j->rows[j->n++] = row_of(e, NULL);
	for (int k = 0; k < n; k++)
		j->rows[j->n++] = row_of(e, &v[k]);
	j->rows[j->n - 1].timestamp_ms = e->last_timestamp_ms;
}

static struct producer_row row_of(const struct producer_entry *e, const struct producer_batch *b)
{
	return (struct producer_row){
		.id = e->id,
		.epoch = e->epoch,
		.last_sequence = b ? b->last_seq : -1,
		.last_offset = b ? b->last_offset : -1,
		.offset_delta = b ? b->offset_delta : 0,
		.timestamp_ms = b ? b->timestamp_ms : e->last_timestamp_ms,
		.coordinator_epoch = e->coordinator_epoch,
		.txn_first_offset = e->txn_first_offset,
	};
}

static void producers_work(struct job *job)
{
	struct producers_job *j = CONTAINER_OF(job, struct producers_job, job);

	j->err = producer_file_write(job->home, j->dir, j->offset, j->rows, j->n);
}

static void producers_done(struct job *job)
{
	struct producers_job *j = CONTAINER_OF(job, struct producers_job, job);

	if (j->p->saving_producers == j->offset)
		j->p->saving_producers = 0;
	/* Without this snapshot a start has more of the log to read; see retention.c. */
	j->p->lacks_producers |= j->err != ERR_OK;
	if (j->err && !j->p->is_dropped && !partition_is_full(j->p, j->err))
		partition_fail(j->p, j->err);
	partition_job_back(j->p);
	mem_free(j);
}

/* ---- reading back ---------------------------------------------------------------------------- */

enum err persist_load_epochs(struct env *env, struct partition *p, const char *dir)
{
	struct epoch_row *v = NULL;
	int32_t n = 0;
	enum err e = epoch_file_read(env, dir, &v, &n);

	for (int32_t i = 0; i < n; i++)
		epoch_cache_assign(&p->epochs, v[i].epoch, v[i].start_offset);
	p->epochs.changed_from = INT64_MAX;
	mem_free(v);
	return e == ERR_CORRUPT ? ERR_OK : e;
}

enum err persist_load_producers(struct env *env, struct partition *p, const char *dir, int64_t upto,
				int64_t *at)
{
	struct producer_row *v = NULL;
	int32_t n = 0;
	enum err e = producer_file_newest(env, dir, upto, &v, &n, at);

	producers_clear(&p->producers);
	for (int32_t i = 0; !e && i < n; i++) {
		struct producer_entry entry = { .id = v[i].id,
						.epoch = v[i].epoch,
						.coordinator_epoch = v[i].coordinator_epoch,
						.last_timestamp_ms = v[i].timestamp_ms,
						.txn_first_offset = v[i].txn_first_offset,
						.n = v[i].last_sequence >= 0 };
		entry.batches[0] = (struct producer_batch){ v[i].last_sequence, v[i].offset_delta,
							    v[i].last_offset, v[i].timestamp_ms };
		producers_load(&p->producers, &entry);
	}
	mem_free(v);
	return e;
}

struct producer_append persist_append_of(const struct batch *b, int64_t base_offset, int64_t now_ms)
{
	return (struct producer_append){
		.id = b->producer_id,
		.epoch = b->producer_epoch,
		.first_seq = b->base_sequence,
		.last_seq = batch_last_sequence(b),
		.first_offset = base_offset,
		.last_offset = base_offset + b->last_offset_delta,
		.timestamp_ms = i64_max(b->max_timestamp_ms, now_ms),
		.is_transactional = b->attributes & BATCH_TRANSACTIONAL,
		.is_control = b->attributes & BATCH_CONTROL,
	};
}

void persist_note(struct producers *to, const struct batch *b, int64_t now_ms)
{
	struct producer_append by = persist_append_of(b, b->base_offset, now_ms);

	if (by.id >= 0)
		producers_note(to, &by);
}
