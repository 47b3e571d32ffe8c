/* shard.c - the pump of a shard: its timers, the end-of-turn work, and mail with images.  What an
 * image changes is in shard_image.c.
 *
 *   hw_timer     some ms after a high watermark moved: parked followers hear of it
 *   throttle_timer  when followers that catch up may be given more
 *   lag_timer    every replica.lag.time.max.ms / 2: who has fallen out of sync?
 *   care_timer   every second: flush, retention, producer expiry (retention.c) */
#include "broker/shard/shard.h"

#include <stdatomic.h>

#include "broker/shard/ctllink.h"
#include "broker/shard/dirs.h"
#include "broker/shard/follow.h"
#include "broker/shard/move.h"
#include "broker/shard/partition.h"
#include "broker/shard/read.h"
#include "broker/shard/retention.h"
#include "broker/shard/shard_image.h"
#include "common/base/log.h"
#include "common/wire/validate.h"

/* Short against replica.fetch.wait.max.ms, long against a burst of appends. */
#define HW_NEWS_MS 5 /* how long parked followers may not know the newest high watermark */
#define CARE_MS 1000
#define INFLATED_BYTES_MAX ((size_t)256 << 20) /* one batch, decompressed for its check */

struct image_mail {
	struct mail mail;
	struct shard *to;
	struct image *image;
};

struct closing {
	struct job job;
	struct partition *p;
};

static void ready_arrives(struct mail *);
static void image_arrives(struct mail *);
static void applied_arrives(struct mail *);
static void on_hw_timer(void *arg);
static void on_throttle_timer(void *arg);
static void close_work(struct job *);
static void on_lag_timer(void *arg);
static void on_care_timer(void *arg);
static void give_up(struct broker *);

struct shard *shard_new(struct broker *b, struct env *env, int id)
{
	struct shard *s = mem_alloc(sizeof(*s));

	s->broker = b;
	s->env = env;
	s->id = id;
	map_init(&s->partitions, prng_u64(&env->prng));
	map_init(&s->follows, prng_u64(&env->prng));
	map_init(&s->leaving, prng_u64(&env->prng));
	refused_init(&s->refused, s->partitions.seed);
	list_init(&s->openings);
	list_init(&s->ready);
	list_init(&s->hw_lagging);
	list_init(&s->throttled);
	list_init(&s->deletions);
	timer_init(&s->hw_timer, on_hw_timer, s);
	timer_init(&s->throttle_timer, on_throttle_timer, s);
	timer_init(&s->lag_timer, on_lag_timer, s);
	timer_init(&s->care_timer, on_care_timer, s);
	s->dynamic = b->conf->dynamic;
	if (id == 0)
		atomic_store(&b->free_bytes_min, s->dynamic.free_bytes_min);
	s->validator = validator_new(INFLATED_BYTES_MAX);
	s->ready_mail.fn = ready_arrives;
	s->applied_mail.fn = applied_arrives;
	atomic_init(&s->applied, 0);
	atomic_init(&s->is_applied_posted, false);
	return s;
}

void shard_start(struct shard *s)
{
	timer_after_ms(s->env, &s->lag_timer, s->broker->conf->lag_max_ms / 2 + 1);
	timer_after_ms(s->env, &s->care_timer, CARE_MS);
	s->next_retention_ms =
		env_mono_ms(s->env) + i64_min(30000, s->broker->conf->retention_check_ms);
}

void shard_stop(struct shard *s)
{
	s->is_stopping = true;
	timer_clear(s->env, &s->hw_timer);
	timer_clear(s->env, &s->throttle_timer);
	timer_clear(s->env, &s->lag_timer);
	timer_clear(s->env, &s->care_timer);
	MAP_FOR (slot, &s->partitions) {
		move_stop(slot->value);
		partition_let_go(slot->value, KERR_NOT_LEADER_OR_FOLLOWER);
	}
}

/* Side by side: each log is synced, and syncs of one disk cost together little more than one. */
void shard_close_logs(struct shard *s)
{
	struct closing *v = mem_alloc(sizeof(*v) * (s->partitions.n + 1));
	struct job *first = NULL;
	size_t n = 0;

	MAP_FOR (slot, &s->partitions) {
		v[n] = (struct closing){ .job = { .work = close_work, .next = first },
					 .p = slot->value };
		first = &v[n++].job;
	}
	env_work_all(s->env, first);
	mem_free(v);
}

static void close_work(struct job *job)
{
	partition_close(CONTAINER_OF(job, struct closing, job)->p);
}

void shard_free(struct shard *s)
{
	MAP_FOR (slot, &s->partitions)
		partition_free(slot->value);
	retention_forget(s);
	map_fini(&s->partitions);
	map_fini(&s->follows);
	map_fini(&s->leaving);
	refused_fini(&s->refused);
	image_put(s->image);
	validator_free(s->validator);
	mem_free(s);
}

/* ---- end of turn --------------------------------------------------------------------------- */

void shard_want_ready(struct shard *s)
{
	if (s->is_ready_posted)
		return;
	s->is_ready_posted = true;
	env_post(s->env, &s->ready_mail);
}

static void ready_arrives(struct mail *m)
{
	struct shard *s = CONTAINER_OF(m, struct shard, ready_mail);

	s->is_ready_posted = false;
	read_ready(s);
}

/* ---- images --------------------------------------------------------------------------------- */

/* A reference per shard: the last one to drop an old image frees it, on whichever thread. */
void shard_publish(struct shard *s, struct image *im)
{
	struct image_mail *m = mem_alloc(sizeof(*m));

	m->mail.fn = image_arrives;
	m->to = s;
	m->image = im;
	env_post(s->env, &m->mail);
}

static void image_arrives(struct mail *mail)
{
	struct image_mail *m = CONTAINER_OF(mail, struct image_mail, mail);

	if (m->to->is_stopping)
		image_put(m->image);
	else
		shard_adopt_image(m->to, m->image);
	mem_free(m);
}

/* What is applied excludes every image that a log still being opened belongs to. */
void shard_note_applied(struct shard *s)
{
	struct partition *p = LIST_FIRST(&s->openings, struct partition, opening);
	int64_t now = p ? p->opening_before : s->image->offset;

	if (now == atomic_load(&s->applied))
		return;
	atomic_store(&s->applied, now);
	if (!atomic_exchange(&s->is_applied_posted, true))
		env_post(s->broker->shards[0]->env, &s->applied_mail);
}

static void applied_arrives(struct mail *m)
{
	struct shard *s = CONTAINER_OF(m, struct shard, applied_mail);

	atomic_store(&s->is_applied_posted, false);
	ctllink_applied(s->broker->shards[0]->link);
}

/* ---- timers ---------------------------------------------------------------------------------- */

void shard_note_hw(struct shard *s, struct list *node)
{
	list_remove(node);
	list_push_back(&s->hw_lagging, node);
	if (!s->hw_timer.set)
		timer_after_ms(s->env, &s->hw_timer, HW_NEWS_MS);
}

static void on_hw_timer(void *arg)
{
	struct shard *s = arg;

	while (!list_empty(&s->hw_lagging)) {
		struct partition *p =
			CONTAINER_OF(s->hw_lagging.next, struct partition, hw_lagging);
		list_remove(&p->hw_lagging);
		read_wake(p, READ_NEWS);
	}
}

void shard_note_throttled(struct shard *s, struct list *node, int64_t wait_us)
{
	list_remove(node);
	list_push_back(&s->throttled, node);
	if (!s->throttle_timer.set)
		timer_after_ms(s->env, &s->throttle_timer, wait_us / 1000 + 1);
}

/* Who still finds no room comes back to the list. */
static void on_throttle_timer(void *arg)
{
	struct shard *s = arg;

	while (!list_empty(&s->throttled)) {
		struct partition *p = CONTAINER_OF(s->throttled.next, struct partition, throttled);
		list_remove(&p->throttled);
		read_wake(p, READ_MOVED);
	}
}

static void on_lag_timer(void *arg)
{
	struct shard *s = arg;
	struct replica_event ev = { .kind = REPLICA_EV_TICK, .now_ms = env_mono_ms(s->env) };

	MAP_FOR (slot, &s->partitions) {
		struct partition *p = slot->value;
		if (partition_is_leader(p))
			partition_step(p, &ev);
	}
	timer_after_ms(s->env, &s->lag_timer, s->broker->conf->lag_max_ms / 2 + 1);
}

/* Retention looks at the first half minute and then every log.retention.check.interval.ms. */
static void on_care_timer(void *arg)
{
	struct shard *s = arg;
	int64_t now_ms = env_mono_ms(s->env);
	bool retain = now_ms >= s->next_retention_ms;

	if (retain)
		s->next_retention_ms = now_ms + s->broker->conf->retention_check_ms;
	MAP_FOR (slot, &s->partitions) {
		struct partition *p = slot->value;
		if (p->state == PARTITION_OPEN)
			retention_care(p, retain);
	}
	timer_after_ms(s->env, &s->care_timer, CARE_MS);
	if (s->id == 0 && dirs_place(s->broker->dirs) < 0)
		give_up(s->broker);
}

/* A broker without a directory is nothing: whoever started it must see that. */
static void give_up(struct broker *b)
{
	void (*failed)(void *) = b->failed;

	b->failed = NULL;
	if (!failed)
		return;
	log_error("broker", "every log directory has failed: this broker ends");
	failed(b->failed_arg);
}
