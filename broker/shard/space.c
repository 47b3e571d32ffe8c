/* space.c - one statvfs per log directory and second, in a job: it may block on a sick device.
 *
 * Twice the minimum to end it, so that a disk at the edge does not flap. */
#include "broker/shard/space.h"

#include <stdatomic.h>

#include "broker/shard/dirs.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"

#define LOOK_MS 1000
#define ROOM_BYTES (1 << 20) /* the least that counts as room again */

struct space {
	struct broker *broker;
	struct env *env; /* shard 0's */
	struct timer timer;
	struct job job;
	bool is_busy;
};

static void on_timer(void *arg);
static void look_work(struct job *);
static void look_done(struct job *);

struct space *space_new(struct broker *b)
{
	struct space *s = mem_alloc(sizeof(*s));

	s->broker = b;
	s->env = b->shards[0]->env;
	s->job = (struct job){ .work = look_work, .done = look_done };
	timer_init(&s->timer, on_timer, s);
	return s;
}

void space_free(struct space *s)
{
	mem_free(s);
}

void space_start(struct space *s)
{
	on_timer(s);
}

void space_stop(struct space *s)
{
	timer_clear(s->env, &s->timer);
}

static void on_timer(void *arg)
{
	struct space *s = arg;

	timer_after_ms(s->env, &s->timer, LOOK_MS);
	if (s->is_busy)
		return;
	s->is_busy = true;
	env_submit(s->env, &s->job);
}

/* On a thread of the io pool; the shards read the flags without asking. */
static void look_work(struct job *job)
{
	struct space *s = CONTAINER_OF(job, struct space, job);
	struct dirs *dirs = s->broker->dirs;
	int64_t min = atomic_load(&s->broker->free_bytes_min);

	for (int i = 0; i < dirs->n; i++) {
		struct dir *d = &dirs->v[i];
		int64_t left, total;
		if (job->home->files->space(job->home, d->path, &left, &total))
			continue;
		atomic_store(&d->free_bytes, left);
		if (left < min && !atomic_exchange(&d->is_full, true))
			log_error("dirs", "nearly full: produces are refused until there is room",
				  F_Z("path", d->path), F_I64("free_bytes", left),
				  F_I64("log.dir.free.bytes.min", min));
		else if (left >= i64_max(2 * min, ROOM_BYTES) &&
			 atomic_exchange(&d->is_full, false))
			log_info("dirs", "there is room again", F_Z("path", d->path),
				 F_I64("free_bytes", left));
	}
}

static void look_done(struct job *job)
{
	CONTAINER_OF(job, struct space, job)->is_busy = false;
}
