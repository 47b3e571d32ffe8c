/* shrink.c - one idea after the other, each kept when the same rule is still broken: an earlier
 * end, whole kinds of faults away, single faults away (ddmin), a smaller cluster, calmer weather.
 * At most RUNS_MAX runs. */
#include "tests/sim/shrink.h"

#include <stdio.h>

#define RUNS_MAX 300
#define CLOSE_US 20000 /* near enough to the earliest end */

struct shrinker {
	struct run *run; /* the smallest that fails */
	struct outcome want;
	int n_runs;
};
typedef bool wanted(const struct fault *, int at, int64_t arg);

static void shorten(struct shrinker *);
static void drop_kinds(struct shrinker *);
static void drop_faults(struct shrinker *);
static void use_fewer(struct shrinker *);
static void calm_down(struct shrinker *);
static bool fails(struct shrinker *, const struct swarm *, struct schedule *);

void shrink(struct run *r, struct shrunk *out)
{
	struct shrinker s = { .run = r };
	int n_before = -1;

	r->is_silent = true;
	*out = (struct shrunk){ .n_before = r->faults.n };
	run_one(r, &s.want);
	s.n_runs = 1;
	if (s.want.code != 0) {
		shorten(&s);
		drop_kinds(&s);
		while (r->faults.n != n_before && s.n_runs < RUNS_MAX) {
			n_before = r->faults.n;
			drop_faults(&s);
			use_fewer(&s);
			calm_down(&s);
			shorten(&s);
		}
	}
	memset(r->swarm.every_us, 0, sizeof(r->swarm.every_us)); /* the schedule says it all */
	r->is_silent = false;
	out->outcome = s.want;
	out->n_runs = s.n_runs;
}

/* Takes the candidate over when it fails in the same way; frees its schedule otherwise. */
static bool fails(struct shrinker *s, const struct swarm *swarm, struct schedule *faults)
{
	struct run try = *s->run;
	struct outcome o;

	if (s->n_runs >= RUNS_MAX) {
		schedule_free(faults);
		return false;
	}
	try.swarm = *swarm;
	try.faults = *faults;
	run_one(&try, &o);
	s->n_runs++;
	if (o.code != s->want.code || o.rule != s->want.rule) {
		schedule_free(faults);
		return false;
	}
	schedule_free(&s->run->faults);
	s->run->swarm = *swarm;
	s->run->faults = *faults;
	s->want = o;
	return true;
}

static struct schedule those(const struct schedule *all, wanted *is_wanted, int64_t arg)
{
	struct schedule some = { 0 };

	for (int i = 0; i < all->n; i++)
		if (is_wanted(&all->v[i], i, arg))
			schedule_add(&some, &all->v[i]);
	return some;
}

/* ---- time ----------------------------------------------------------------------------------- */

static bool is_before(const struct fault *f, int at, int64_t us)
{
	(void)at;
	return f->at_us <= us;
}

static bool ends_at(struct shrinker *s, int64_t us)
{
	struct swarm swarm = s->run->swarm;
	struct schedule faults = those(&s->run->faults, is_before, us);

	swarm.safety_us = us;
	return fails(s, &swarm, &faults);
}

/* What fails among the faults fails as well if they end just then; what fails afterwards needs a
 * search. */
static void shorten(struct shrinker *s)
{
	int64_t low = 0, high = s->want.at_us - SWARM_FAULTS_FROM_US;

	if (high > 0 && high < s->run->swarm.safety_us && ends_at(s, high + 1))
		return;
	for (high = s->run->swarm.safety_us; high - low > CLOSE_US;) {
		int64_t middle = low + (high - low) / 2;

		if (ends_at(s, middle))
			high = middle;
		else
			low = middle;
	}
}

/* ---- faults --------------------------------------------------------------------------------- */

static bool is_other_kind(const struct fault *f, int at, int64_t kind)
{
	(void)at;
	return f->kind != (enum fault_kind)kind;
}

static void drop_kinds(struct shrinker *s)
{
	for (int k = 0; k < FAULT_KINDS; k++) {
		struct schedule faults = those(&s->run->faults, is_other_kind, k);

		if (faults.n == s->run->faults.n)
			schedule_free(&faults);
		else
			(void)fails(s, &s->run->swarm, &faults);
	}
}

struct range {
	int from, to;
};

static bool is_outside(const struct fault *f, int at, int64_t range)
{
	const struct range *r = (const struct range *)(intptr_t)range;

	(void)f;
	return at < r->from || at >= r->to;
}

/* Pieces away, from halves down to single ones. */
static void drop_faults(struct shrinker *s)
{
	int size = (s->run->faults.n + 1) / 2;

	while (size > 0 && s->n_runs < RUNS_MAX) {
		bool is_smaller = false;

		for (int at = 0; at < s->run->faults.n && s->n_runs < RUNS_MAX;) {
			struct range r = { at, at + size };
			struct schedule faults = those(&s->run->faults, is_outside, (intptr_t)&r);

			if (fails(s, &s->run->swarm, &faults))
				is_smaller = true;
			else
				at += size;
		}
		if (size == 1 && !is_smaller)
			return;
		size = size == 1 ? 1 : (size + 1) / 2;
	}
}

/* ---- the rest ------------------------------------------------------------------------------- */

static bool fails_as(struct shrinker *s, const struct swarm *swarm)
{
	struct schedule faults = those(&s->run->faults, is_before, INT64_MAX);

	return fails(s, swarm, &faults);
}

/* One field down to `low` at once, or by steps of a half of what is left. */
static void lower(struct shrinker *s, size_t at, int low)
{
	for (int share = 1; share <= 8; share *= 2) {
		struct swarm swarm = s->run->swarm;
		int *v = (int *)(void *)((char *)&swarm + at), n = *v - (*v - low) / share;

		if (n >= *v)
			return;
		*v = n;
		if (fails_as(s, &swarm))
			share = share == 1 ? 8 : share / 2;
	}
}

static void use_fewer(struct shrinker *s)
{
	const struct swarm *now = &s->run->swarm;

	lower(s, offsetof(struct swarm, topics), 1);
	lower(s, offsetof(struct swarm, producers), now->topics);
	lower(s, offsetof(struct swarm, partitions), 1);
	lower(s, offsetof(struct swarm, shards), 1);
	lower(s, offsetof(struct swarm, rf),
	      i64_max(2, now->min_isr) < now->rf ? (int)i64_max(2, now->min_isr) : now->rf);
	lower(s, offsetof(struct swarm, brokers), now->rf);
	lower(s, offsetof(struct swarm, batches), 1);
}

static void calm(struct shrinker *s, size_t at, int64_t value)
{
	struct swarm swarm = s->run->swarm;
	int64_t *v = (int64_t *)(void *)((char *)&swarm + at);

	if (*v == value)
		return;
	*v = value;
	(void)fails_as(s, &swarm);
}

static void calm_down(struct shrinker *s)
{
	for (int i = 0; i < s->run->swarm.n_conf;) {
		struct swarm swarm = s->run->swarm;

		memmove(swarm.conf[i], swarm.conf[i + 1],
			sizeof(swarm.conf[0]) * (size_t)(--swarm.n_conf - i));
		if (!fails_as(s, &swarm))
			i++;
	}
	calm(s, offsetof(struct swarm, jitter_us), 0);
	calm(s, offsetof(struct swarm, latency_us), 50);
	calm(s, offsetof(struct swarm, turn_us), 20);
	calm(s, offsetof(struct swarm, job_us), 2000);
	calm(s, offsetof(struct swarm, roll_ms), 3600000);
	calm(s, offsetof(struct swarm, retention_ms), -1);
}
