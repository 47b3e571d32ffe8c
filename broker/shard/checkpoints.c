/* checkpoints.c - collected shard by shard, written in one job.
 *
 *   on_timer -> ask_work on shard 0, 1, ... (gather) -> ask_done -> write_work (job) -> write_done
 *
 * Only files whose rows changed are written: a digest of the rows is compared with the one on disk.
 * A crash loses at most one interval, which costs scanning and never a record: see checkpoint.h. */
#include "broker/shard/checkpoints.h"

#include <stdatomic.h>

#include "broker/log/checkpoint.h"
#include "broker/log/logdir.h"
#include "broker/shard/call.h"
#include "broker/shard/dirs.h"
#include "broker/shard/partition.h"
#include "broker/shard/persist.h"
#include "broker/shard/shard.h"
#include "common/base/arena.h"

#define ARENA_BYTES_MAX ((size_t)256 << 20)
enum { RECOVERY_POINT, HIGH_WATERMARK, LOG_START, KINDS };

static const char *const names[KINDS] = { CHECKPOINT_RECOVERY_POINT, CHECKPOINT_HIGH_WATERMARK,
					  CHECKPOINT_LOG_START };

struct rows {
	struct checkpoint_row *v; /* heap */
	int32_t n, cap;
	uint64_t digest, written; /* of the rows; of those on disk */
	enum err err;
};
struct checkpoints {
	struct broker *broker;
	struct env *env; /* shard 0's */
	struct timer timer;
	struct call call;
	struct job job;
	int at; /* shard being asked */
	bool is_busy;
	struct arena text; /* topic names, copied: partitions may go meanwhile */
	struct rows rows[BROKER_DIRS_MAX][KINDS];
};

static void on_timer(void *arg);
static void begin(struct checkpoints *);
static void ask_work(struct call *);
static void ask_done(struct call *);
static void gather(struct checkpoints *, struct shard *);
static void gather_unopened(struct checkpoints *);
static void add(struct checkpoints *, int dir, int kind, struct str topic, int32_t number,
		int64_t offset);
static void write_work(struct job *);
static void write_done(struct job *);

struct checkpoints *checkpoints_new(struct broker *b)
{
	struct checkpoints *c = mem_alloc(sizeof(*c));

	c->broker = b;
	c->env = b->shards[0]->env;
	timer_init(&c->timer, on_timer, c);
	arena_init(&c->text, ARENA_BYTES_MAX);
	return c;
}

void checkpoints_free(struct checkpoints *c)
{
	for (int i = 0; i < BROKER_DIRS_MAX; i++)
		for (int k = 0; k < KINDS; k++)
			mem_free(c->rows[i][k].v);
	arena_fini(&c->text);
	mem_free(c);
}

void checkpoints_start(struct checkpoints *c)
{
	timer_after_ms(c->env, &c->timer, c->broker->conf->hw_checkpoint_ms);
}

void checkpoints_stop(struct checkpoints *c)
{
	timer_clear(c->env, &c->timer);
}

static void on_timer(void *arg)
{
	struct checkpoints *c = arg;

	timer_after_ms(c->env, &c->timer, c->broker->conf->hw_checkpoint_ms);
	if (c->is_busy)
		return;
	c->is_busy = true;
	begin(c);
	c->at = 0;
	c->call = (struct call){ .from = c->broker->shards[0],
				 .to = c->broker->shards[0],
				 .work = ask_work,
				 .done = ask_done };
	call_send(&c->call);
}

static void begin(struct checkpoints *c)
{
	arena_reset(&c->text);
	for (int i = 0; i < c->broker->dirs->n; i++)
		for (int k = 0; k < KINDS; k++) {
			c->rows[i][k].n = 0;
			c->rows[i][k].digest = 1;
		}
	gather_unopened(c);
}

static void ask_work(struct call *call)
{
	gather(CONTAINER_OF(call, struct checkpoints, call), call->to);
	call_return(call);
}

static void ask_done(struct call *call)
{
	struct checkpoints *c = CONTAINER_OF(call, struct checkpoints, call);

	if (++c->at < c->broker->n_shards) {
		call->to = c->broker->shards[c->at];
		call_send(call);
		return;
	}
	c->job = (struct job){ .work = write_work, .done = write_done };
	env_submit(c->env, &c->job);
}

/* Open logs have offsets of their own; others keep what they had. */
static void gather(struct checkpoints *c, struct shard *s)
{
	MAP_FOR (slot, &s->partitions) {
		struct partition *p = slot->value;
		if (p->state != PARTITION_OPEN)
			continue;
		struct str topic = arena_str(&c->text, p->topic);
		add(c, p->dir, RECOVERY_POINT, topic, p->number, persist_recovery_point(p));
		add(c, p->dir, HIGH_WATERMARK, topic, p->number, p->replica.high_watermark);
		if (p->replica.log_start > 0)
			add(c, p->dir, LOG_START, topic, p->number, p->replica.log_start);
	}
}

static void gather_unopened(struct checkpoints *c)
{
	STRMAP_FOR (slot, &c->broker->dirs->found) {
		const struct dirs_row *r = slot->value;
		struct str topic;
		int32_t number;
		if (atomic_load(&r->taken) || !logdir_parse(r->name, &topic, &number))
			continue;
		add(c, r->dir, RECOVERY_POINT, topic, number, r->recovery_point);
		add(c, r->dir, HIGH_WATERMARK, topic, number, r->high_watermark);
		if (r->log_start > 0)
			add(c, r->dir, LOG_START, topic, number, r->log_start);
	}
}

static void add(struct checkpoints *c, int dir, int kind, struct str topic, int32_t number,
		int64_t offset)
{
	struct rows *r = &c->rows[dir][kind];

	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->v = mem_grow(r->v, sizeof(*r->v) * (size_t)r->cap);
	}
	r->v[r->n++] = (struct checkpoint_row){ topic, number, offset };
	for (size_t i = 0; i < topic.n; i++)
		r->digest = r->digest * 1099511628211u + (uint8_t)topic.at[i];
	r->digest =
		(r->digest * 1099511628211u + (uint64_t)number) * 1099511628211u + (uint64_t)offset;
}

/* On a thread of the io pool.  A directory that is offline is not written to any more. */
static void write_work(struct job *job)
{
	struct checkpoints *c = CONTAINER_OF(job, struct checkpoints, job);
	struct dirs *dirs = c->broker->dirs;

	for (int i = 0; i < dirs->n; i++)
		for (int k = 0; k < KINDS; k++) {
			struct rows *r = &c->rows[i][k];
			r->err = ERR_OK;
			if (r->digest == r->written || atomic_load(&dirs->v[i].offline))
				continue;
			r->err = checkpoint_write(c->env, dirs->v[i].path, names[k], r->v, r->n);
			r->written = r->err ? 0 : r->digest;
		}
}

static void write_done(struct job *job)
{
	struct checkpoints *c = CONTAINER_OF(job, struct checkpoints, job);

	c->is_busy = false;
	for (int i = 0; i < c->broker->dirs->n; i++)
		for (int k = 0; k < KINDS; k++)
			if (c->rows[i][k].err == ERR_NOSPACE)
				dirs_fill(c->broker->dirs, i);
			else if (c->rows[i][k].err && c->rows[i][k].err != ERR_NOFILES)
				dirs_fail(c->broker->dirs, i);
}

/* The loops have ended, so every shard's partitions may be read from here. */
void checkpoints_finish(struct checkpoints *c)
{
	begin(c);
	for (int i = 0; i < c->broker->n_shards; i++)
		gather(c, c->broker->shards[i]);
	write_work(&c->job);
	write_done(&c->job);
}
