#include "broker/core/epoch_cache.h"
#include "common/base/prng.h"
#include "tests/lib/test.h"

static struct epoch_cache cache_of(const struct epoch_entry *v, int n)
{
	struct epoch_cache c;

	epoch_cache_init(&c);
	for (int i = 0; i < n; i++)
		EXPECT(epoch_cache_assign(&c, v[i].epoch, v[i].start_offset));
	return c;
}

static const struct epoch_entry sparse[] = { { 0, 0 }, { 2, 10 }, { 5, 17 }, { 6, 30 } };

TEST(lookup_table)
{
	struct epoch_cache c = cache_of(sparse, 4);
	static const struct {
		int32_t ask, epoch;
		int64_t end;
	} rows[] = {
		{ -1, -1, -1 }, { 0, 0, 10 }, { 1, 0, 10 }, { 2, 2, 17 },  { 3, 2, 17 },
		{ 4, 2, 17 },   { 5, 5, 30 }, { 6, 6, 42 }, { 7, -1, -1 }, { INT32_MAX, -1, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct epoch_entry e = epoch_cache_end_of(&c, rows[i].ask, 42);

		EXPECT_EQ(e.epoch, rows[i].epoch);
		EXPECT_EQ(e.start_offset, rows[i].end);
	}
	epoch_cache_fini(&c);
}

/* By the definition (KIP-101, KIP-279): the largest epoch that is not above the asked one, and
 * where the next one begins; nothing for an epoch that was never heard of, and for one from before
 * the log's start that start (KAFKA-6857, 7897, 7959). */
static struct epoch_entry defined_end(const struct epoch_cache *c, int32_t ask, int64_t log_end)
{
	struct epoch_entry best = { EPOCH_NONE, OFFSET_NONE };

	if (ask < 0 || c->n == 0 || ask > c->v[c->n - 1].epoch)
		return best;
	if (ask < c->v[0].epoch)
		return (struct epoch_entry){ ask, c->v[0].start_offset };
	for (int32_t i = 0; i < c->n; i++)
		if (c->v[i].epoch <= ask)
			best = (struct epoch_entry){ c->v[i].epoch,
						     i + 1 < c->n ? c->v[i + 1].start_offset
								  : log_end };
	return best;
}

/* Every cache of the epochs 0 to 5 over a log of six records, asked for every epoch. */
TEST(every_small_cache_answers_by_the_definition)
{
	enum { EPOCHS = 6, END = 6, NOT_THERE = END + 1 };
	int32_t start[EPOCHS] = { 0 }, n_caches = 0;

	for (int32_t digit = 0; digit < EPOCHS;) {
		struct epoch_cache c;
		bool ascends = true;
		int64_t last = -1;

		epoch_cache_init(&c);
		for (int32_t e = 0; e < EPOCHS; e++) {
			if (start[e] == NOT_THERE)
				continue;
			ascends &= start[e] > last;
			last = start[e];
			if (ascends)
				(void)epoch_cache_assign(&c, e, start[e]);
		}
		for (int32_t ask = -2; ascends && ask <= EPOCHS + 1; ask++) {
			struct epoch_entry have = epoch_cache_end_of(&c, ask, END);
			struct epoch_entry want = defined_end(&c, ask, END);

			EXPECT_EQ(have.epoch, want.epoch);
			EXPECT_EQ(have.start_offset, want.start_offset);
		}
		n_caches += ascends;
		epoch_cache_fini(&c);
		for (digit = 0; digit < EPOCHS && ++start[digit] > NOT_THERE; digit++)
			start[digit] = 0;
	}
	EXPECT(n_caches > 1000);
}

TEST(empty_cache_knows_nothing)
{
	struct epoch_cache c = cache_of(NULL, 0);

	EXPECT_EQ(epoch_cache_latest(&c), EPOCH_NONE);
	EXPECT_EQ(epoch_cache_end_of(&c, 0, 9).epoch, EPOCH_NONE);
	EXPECT_EQ(epoch_cache_end_of(&c, 0, 9).start_offset, OFFSET_NONE);
	EXPECT_EQ(epoch_cache_at(&c, 0), EPOCH_NONE);
	epoch_cache_fini(&c);
}

/* KAFKA-10432: epoch 0 is an epoch. */
TEST(epoch_zero_counts)
{
	struct epoch_cache c = cache_of(sparse, 1);

	EXPECT_EQ(epoch_cache_latest(&c), 0);
	EXPECT_EQ(epoch_cache_end_of(&c, 0, 7).start_offset, 7);
	epoch_cache_fini(&c);
}

TEST(older_epochs_are_ignored_and_empty_ones_replaced)
{
	struct epoch_cache c = cache_of(sparse, 4);
	uint32_t version = c.version;

	EXPECT(!epoch_cache_assign(&c, 6, 50));
	EXPECT(!epoch_cache_assign(&c, 3, 50));
	EXPECT_EQ(c.version, version);
	EXPECT(epoch_cache_assign(&c, 9, 30)); /* epoch 6 wrote nothing */
	EXPECT_EQ(c.n, 4);
	EXPECT_EQ(c.v[3].epoch, 9);
	EXPECT_EQ(epoch_cache_end_of(&c, 6, 42).epoch, 5);
	EXPECT(c.version != version);
	epoch_cache_fini(&c);
}

TEST(truncation_of_both_ends)
{
	struct epoch_cache c = cache_of(sparse, 4);

	epoch_cache_truncate_end(&c, 17);
	EXPECT_EQ(epoch_cache_latest(&c), 2);
	epoch_cache_truncate_start(&c, 5);
	EXPECT_EQ(c.n, 2);
	EXPECT_EQ(c.v[0].start_offset, 5);
	epoch_cache_truncate_start(&c, 12);
	EXPECT_EQ(c.n, 1);
	EXPECT_EQ(c.v[0].epoch, 2);
	EXPECT_EQ(c.v[0].start_offset, 12);
	EXPECT_EQ(epoch_cache_end_of(&c, 0, 17).start_offset, 12);
	EXPECT_EQ(epoch_cache_end_of(&c, 0, 17).epoch, 0);
	epoch_cache_truncate_end(&c, 0);
	EXPECT_EQ(c.n, 0);
	epoch_cache_fini(&c);
}

TEST(truncation_points)
{
	struct epoch_cache c = cache_of(sparse, 4), none = cache_of(NULL, 0);
	static const struct {
		struct epoch_entry leader;
		int64_t hw, end, want;
	} rows[] = {
		{ { -1, -1 }, 12, 42, 12 }, /* the leader knows nothing: our high watermark */
		{ { 6, 35 }, 12, 42, 35 },  /* same epoch, the leader has less of it */
		{ { 6, 99 }, 12, 42, 42 },  /* ... or more */
		{ { 3, 25 }, 12, 42, 17 },  /* never had epoch 3: cut where 5 begins, ask with 2 */
		{ { 2, 15 }, 12, 42, 15 },
		{ { 9, 20 }, 12, 42, 20 }, /* an epoch we have not seen */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		EXPECT_EQ(epoch_cache_truncation_point(&c, rows[i].leader, rows[i].hw, rows[i].end),
			  rows[i].want);
	EXPECT_EQ(epoch_cache_truncation_point(&none, (struct epoch_entry){ 3, 8 }, 2, 20), 8);
	EXPECT_EQ(epoch_cache_truncation_point(&none, (struct epoch_entry){ 3, 80 }, 2, 20), 20);
	epoch_cache_fini(&c);
	epoch_cache_fini(&none);
}

/* The naive model: one epoch per offset.  Empty epochs live in the cache only until truncated
 * or replaced, so the model remembers them as marks. */
#define LOG_MAX 24
struct model {
	int32_t at[LOG_MAX];
	int32_t led[LOG_MAX + 1]; /* epoch that began at this offset, or -1 */
	int64_t end;
};

static struct epoch_entry model_end_of(const struct model *m, int32_t epoch, int64_t first)
{
	struct epoch_entry best = { EPOCH_NONE, OFFSET_NONE };
	int32_t latest = EPOCH_NONE;

	for (int64_t i = first; i <= m->end; i++) {
		if (m->led[i] < 0)
			continue;
		latest = m->led[i];
		if (m->led[i] > epoch && best.start_offset < 0)
			best.start_offset = i;
		if (m->led[i] <= epoch)
			best.epoch = m->led[i];
	}
	if (latest < epoch || latest == EPOCH_NONE)
		return (struct epoch_entry){ EPOCH_NONE, OFFSET_NONE };
	if (best.epoch == latest)
		best.start_offset = m->end;
	if (best.epoch == EPOCH_NONE)
		best.epoch = epoch;
	return best;
}

static void model_truncate(struct model *m, int64_t offset)
{
	for (int64_t i = offset; i <= LOG_MAX; i++)
		m->led[i] = -1;
	m->end = i64_min(m->end, offset);
}

static bool same_answers(const struct epoch_cache *c, const struct model *m)
{
	for (int32_t e = 0; e < 14; e++) {
		struct epoch_entry a = epoch_cache_end_of(c, e, m->end), b = model_end_of(m, e, 0);

		if (a.epoch != b.epoch || a.start_offset != b.start_offset)
			return FAIL("epoch %d: cache {%d,%lld} model {%d,%lld}", e, a.epoch,
				    (long long)a.start_offset, b.epoch, (long long)b.start_offset);
	}
	return true;
}

TEST(random_histories_match_the_naive_model)
{
	struct prng p;

	prng_seed(&p, 7);
	for (int run = 0; run < 3000; run++) {
		struct epoch_cache c = cache_of(NULL, 0);
		struct model m = { .end = 0 };
		int32_t epoch = -1;

		memset(m.led, -1, sizeof(m.led));
		for (int step = 0; step < 20; step++) {
			if (prng_chance(&p, 1, 2) && epoch < 12) {
				epoch += 1 + (int32_t)prng_below(&p, 2);
				epoch_cache_assign(&c, epoch, m.end);
				m.led[m.end] = epoch;
			} else if (prng_chance(&p, 1, 3)) {
				int64_t to = (int64_t)prng_below(&p, (uint64_t)m.end + 1);

				epoch_cache_truncate_end(&c, to);
				model_truncate(&m, to);
			} else {
				m.end = i64_min(LOG_MAX, m.end + (int64_t)prng_below(&p, 4));
			}
			epoch_cache_check(&c);
			if (!same_answers(&c, &m))
				return;
		}
		epoch_cache_fini(&c);
	}
}

/* KIP-279's fast fail-over: two logs with any histories converge by fetch rounds, and what stays
 * is the longest common prefix. */
struct side {
	struct epoch_cache c;
	int32_t at[LOG_MAX];
	int64_t end;
};

static void side_append(struct side *s, int32_t epoch, int64_t n)
{
	epoch_cache_assign(&s->c, epoch, s->end);
	for (; n > 0 && s->end < LOG_MAX; n--)
		s->at[s->end++] = epoch;
}

static int64_t common_prefix(const struct side *a, const struct side *b)
{
	int64_t n = 0;

	while (n < a->end && n < b->end && a->at[n] == b->at[n])
		n++;
	return n;
}

/* One fetch of the follower; true when the leader answered with records or none, not divergence. */
static bool fetch_round(struct side *leader, struct side *follower)
{
	int32_t last = epoch_cache_latest(&follower->c);
	struct epoch_entry e = epoch_cache_end_of(&leader->c, last, leader->end);
	int64_t to;

	if (last == EPOCH_NONE || (e.epoch == last && e.start_offset >= follower->end))
		return true;
	to = epoch_cache_truncation_point(&follower->c, e, 0, follower->end);
	epoch_cache_truncate_end(&follower->c, to);
	follower->end = to;
	return false;
}

TEST(diverged_logs_converge_on_their_common_prefix)
{
	struct prng p;

	prng_seed(&p, 8);
	for (int run = 0; run < 20000; run++) {
		struct side s[2] = { { .end = 0 }, { .end = 0 } };
		struct side *l = &s[0], *f = &s[1];
		int rounds = 0;
		int64_t want;

		for (int32_t epoch = 0; epoch < 8; epoch++) {
			int who = (int)prng_below(&p, 4); /* 3: both, as replicated */
			int64_t n = (int64_t)prng_below(&p, 3);

			if (who == 3 && common_prefix(l, f) == l->end && l->end == f->end) {
				side_append(l, epoch, n);
				side_append(f, epoch, n);
			} else if (who < 2) {
				side_append(&s[who], epoch, n);
			}
		}
		epoch_cache_assign(&l->c, 8, l->end);
		want = common_prefix(l, f);
		while (!fetch_round(l, f) && rounds < 12)
			rounds++;
		if (rounds == 12 || f->end != want) {
			FAIL("run %d: kept %lld of a common %lld after %d rounds", run,
			     (long long)f->end, (long long)want, rounds);
			return;
		}
		epoch_cache_fini(&l->c);
		epoch_cache_fini(&f->c);
	}
}
