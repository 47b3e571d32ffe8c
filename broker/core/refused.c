/* refused.c - two maps by age: the older one is dropped as a whole when its time is over or the
 * younger is full.  The key mixes producer and partition; an entry that loses its place to another
 * is merely forgotten. */
#include "broker/core/refused.h"

static struct refused_batch *find(const struct refused *, const struct refused_batch *);
static uint64_t key_of(const struct refused_batch *);
static void grow_old(struct refused *, int64_t now_ms);
static void drop(struct map *);
static void forget(struct refused *, const struct refused_batch *);
static bool is_after(int32_t seq, int32_t other);

void refused_init(struct refused *r, uint64_t seed)
{
	map_init(&r->now, seed);
	map_init(&r->before, seed);
	r->until_ms = 0;
}

void refused_fini(struct refused *r)
{
	drop(&r->now);
	drop(&r->before);
}

bool refused_any(const struct refused *r)
{
	return r->now.n + r->before.n > 0;
}

void refused_note(struct refused *r, const struct refused_batch *b, int64_t now_ms)
{
	const struct refused_batch *was = find(r, b);
	struct refused_batch *e = mem_alloc(sizeof(*e));

	ASSERT(b->producer_id >= 0 && b->error != 0);
	*e = was && is_after(b->first_seq, was->first_seq) ? *was : *b;
	forget(r, b);
	grow_old(r, now_ms);
	map_put(&r->now, key_of(b), e);
}

int refused_before(struct refused *r, const struct refused_batch *b, int64_t now_ms)
{
	const struct refused_batch *was;

	grow_old(r, now_ms);
	was = find(r, b);
	if (!was)
		return 0;
	if (is_after(b->first_seq, was->first_seq))
		return was->error;
	if (b->first_seq == was->first_seq)
		forget(r, b);
	return 0;
}

void refused_over(struct refused *r, const struct refused_batch *b)
{
	const struct refused_batch *was = find(r, b);

	if (was && !is_after(was->first_seq, b->first_seq))
		forget(r, b);
}

static struct refused_batch *find(const struct refused *r, const struct refused_batch *b)
{
	struct refused_batch *e = map_find(&r->now, key_of(b));

	if (!e)
		e = map_find(&r->before, key_of(b));
	return e && e->producer_id == b->producer_id && e->where == b->where && e->epoch == b->epoch
		       ? e
		       : NULL;
}

static uint64_t key_of(const struct refused_batch *b)
{
	return b->where ^ (uint64_t)b->producer_id * UINT64_C(0x9e3779b97f4a7c15);
}

/* Time begins with the first entry. */
static void grow_old(struct refused *r, int64_t now_ms)
{
	struct map dropped = r->before;

	if (!refused_any(r))
		r->until_ms = now_ms + REFUSED_MS;
	if (now_ms < r->until_ms && r->now.n < REFUSED_MAX)
		return;
	r->before = r->now;
	r->until_ms = now_ms + REFUSED_MS;
	drop(&dropped);
	r->now = dropped;
}

static void drop(struct map *m)
{
	MAP_FOR (slot, m)
		mem_free(slot->value);
	map_fini(m);
}

static void forget(struct refused *r, const struct refused_batch *b)
{
	mem_free(map_remove(&r->now, key_of(b)));
	mem_free(map_remove(&r->before, key_of(b)));
}

/* Sequences wrap: of two the later one is less than half the circle ahead. */
static bool is_after(int32_t seq, int32_t other)
{
	uint32_t ahead = ((uint32_t)seq - (uint32_t)other) & INT32_MAX;

	return ahead != 0 && ahead < UINT32_C(1) << 30;
}
