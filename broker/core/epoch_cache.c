/* epoch_cache.c - which leader epoch wrote which offsets, and where two replicas' histories part.
 *
 *   (0, 0) (2, 15) (5, 17)     log end 42
 *     end_of(0) = 15    end_of(2) = 17     end_of(5) = 42    end_of(3) = (2, 17)   end_of(6) = none
 *
 * How a follower truncates (KIP-101, KIP-279, KIP-595): each of its fetches carries the epoch of
 * its last record.  A leader that has another end for that epoch than the fetch offset answers with
 * it, and the follower cuts at epoch_cache_truncation_point, which may take several rounds.
 *
 * An array, because a partition sees few epochs and every lookup is near the end. */
#include "broker/core/epoch_cache.h"

#include "common/base/mark.h"

static int32_t floor_at(const struct epoch_cache *, int32_t epoch);
static void push(struct epoch_cache *, struct epoch_entry);
static void changed(struct epoch_cache *, int64_t from);

void epoch_cache_init(struct epoch_cache *c)
{
	*c = (struct epoch_cache){ .changed_from = INT64_MAX };
}

void epoch_cache_fini(struct epoch_cache *c)
{
	mem_free(c->v);
	*c = (struct epoch_cache){ 0 };
}

/* Entries at or behind start_offset belong to epochs that wrote nothing that is still here. */
bool epoch_cache_assign(struct epoch_cache *c, int32_t epoch, int64_t start_offset)
{
	ASSERT(epoch >= 0);
	ASSERT(start_offset >= 0);
	if (epoch <= epoch_cache_latest(c))
		return false;
	while (c->n > 0 && c->v[c->n - 1].start_offset >= start_offset)
		c->n--;
	push(c, (struct epoch_entry){ epoch, start_offset });
	changed(c, start_offset);
	epoch_cache_check(c);
	return true;
}

int32_t epoch_cache_latest(const struct epoch_cache *c)
{
	return c->n == 0 ? EPOCH_NONE : c->v[c->n - 1].epoch;
}

/* KAFKA-6857, KAFKA-7897: an epoch that we never heard of is undefined, never the log end. */
struct epoch_entry epoch_cache_end_of(const struct epoch_cache *c, int32_t epoch, int64_t log_end)
{
	const struct epoch_entry undefined = { EPOCH_NONE, OFFSET_NONE };
	int32_t at;

	if (epoch < 0 || c->n == 0 || epoch > epoch_cache_latest(c)) {
		MARK(an_epoch_never_heard_of);
		return undefined;
	}
	if (epoch == epoch_cache_latest(c))
		return (struct epoch_entry){ epoch, log_end };
	at = floor_at(c, epoch);
	if (at < 0) { /* its batches are gone from the start of the log */
		MARK(an_epoch_whose_batches_are_deleted);
		return (struct epoch_entry){ epoch, c->v[0].start_offset };
	}
	return (struct epoch_entry){ c->v[at].epoch, c->v[at + 1].start_offset };
}

/* From the end: the asked offset is nearly always in the newest epoch. */
int32_t epoch_cache_at(const struct epoch_cache *c, int64_t offset)
{
	for (int32_t i = c->n - 1; i >= 0; i--)
		if (c->v[i].start_offset <= offset)
			return c->v[i].epoch;
	return EPOCH_NONE;
}

void epoch_cache_truncate_end(struct epoch_cache *c, int64_t offset)
{
	int32_t n = c->n;

	while (c->n > 0 && c->v[c->n - 1].start_offset >= offset)
		c->n--;
	if (c->n != n)
		changed(c, offset);
}

/* The epoch that covers the new start keeps its entry, or that start would have no epoch. */
void epoch_cache_truncate_start(struct epoch_cache *c, int64_t offset)
{
	int32_t covers = c->n - 1;

	while (covers >= 0 && c->v[covers].start_offset > offset)
		covers--;
	if (covers < 0 || (covers == 0 && c->v[0].start_offset == offset))
		return;
	memmove(c->v, c->v + covers, (size_t)(c->n - covers) * sizeof(c->v[0]));
	c->n -= covers;
	c->v[0].start_offset = offset;
	c->version++;
	epoch_cache_check(c);
}

/* When the epochs differ the leader never had ours: cut where ours began and let the next fetch
 * ask with the lower epoch (KIP-279: back-to-back elections need more than one round). */
int64_t epoch_cache_truncation_point(const struct epoch_cache *c, struct epoch_entry leader_end,
				     int64_t high_watermark, int64_t log_end)
{
	struct epoch_entry ours;

	if (leader_end.start_offset < 0)
		return i64_min(high_watermark, log_end);
	ours = epoch_cache_end_of(c, leader_end.epoch, log_end);
	if (ours.epoch == EPOCH_NONE)
		return i64_min(leader_end.start_offset, log_end);
	if (ours.epoch != leader_end.epoch) {
		MARK(truncation_in_several_rounds_KIP_279);
		return i64_min(ours.start_offset, log_end);
	}
	return i64_min(i64_min(ours.start_offset, leader_end.start_offset), log_end);
}

void epoch_cache_check(const struct epoch_cache *c)
{
	for (int32_t i = 0; i < c->n; i++) {
		ASSERT(c->v[i].epoch >= 0 && c->v[i].start_offset >= 0);
		ASSERT(i == 0 || c->v[i - 1].epoch < c->v[i].epoch);
		ASSERT(i == 0 || c->v[i - 1].start_offset < c->v[i].start_offset);
	}
}

/* The last entry whose epoch is <= epoch, or -1. */
static int32_t floor_at(const struct epoch_cache *c, int32_t epoch)
{
	int32_t at = c->n - 1;

	while (at >= 0 && c->v[at].epoch > epoch)
		at--;
	return at;
}

static void changed(struct epoch_cache *c, int64_t from)
{
	c->version++;
	c->changed_from = i64_min(c->changed_from, from);
}

static void push(struct epoch_cache *c, struct epoch_entry e)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 4 : 2 * c->cap;
		c->v = mem_grow(c->v, (size_t)c->cap * sizeof(c->v[0]));
	}
	c->v[c->n++] = e;
}
