/* producer.c - duplicates and order of idempotent producers (KIP-98).
 *
 * Sequence numbers run 0 .. 2^31-1 and wrap to 0; a batch of k records takes k of them.  Per
 * producer id the last PRODUCER_WINDOW batches are remembered, because a client may have five
 * requests in flight and retry any of them:
 *
 *   older epoch                     INVALID_PRODUCER_EPOCH: a newer instance has taken over
 *   equal to a remembered batch     duplicate: the first outcome is answered again
 *   before all remembered ones      duplicate, if the epoch has been written from 0 on: the Java
 *                                   client may have hundreds at a new leader before it hears what
 *                                   became of five at the old one
 *   next sequence, or 0 of a new    appended
 *   anything else                   OUT_OF_ORDER_SEQUENCE_NUMBER: something before it was lost
 *
 * The state is a function of the log: note() is called for every batch that is appended, by
 * leaders, followers and recovery alike, and check() only by a leader before an append. */
#include "broker/core/producer.h"

#include <stdlib.h>

#include "common/base/mark.h"

static bool find_duplicate(const struct producer_entry *, const struct producer_append *,
			   struct producer_batch *was);
static bool is_long_ago(const struct producer_entry *, const struct producer_append *);
static int32_t first_seq(const struct producer_batch *);
static bool goes_on(const struct producer_entry *, const struct producer_entry *row);
static bool in_sequence(const struct producer_entry *, const struct producer_append *);
static void push_batch(struct producer_entry *, const struct producer_append *);
static void begin(struct producer_entry *);
static bool is_expired(const struct producer_entry *, int64_t now_ms, int64_t expiration_ms);
static int by_id(const void *, const void *);

void producers_init(struct producers *p, uint64_t seed)
{
	map_init(&p->by_id, seed);
}

void producers_fini(struct producers *p)
{
	MAP_FOR (slot, &p->by_id)
		mem_free(slot->value);
	map_fini(&p->by_id);
}

void producers_clear(struct producers *p)
{
	uint64_t seed = p->by_id.seed;

	producers_fini(p);
	producers_init(p, seed);
}

/* A duplicate is looked for first: a retry must get its old answer even when later batches moved
 * the sequence on. */
enum producer_verdict producers_check(const struct producers *p, const struct producer_append *a,
				      struct producer_batch *was)
{
	const struct producer_entry *e = producers_find(p, a->id);

	ASSERT(a->id >= 0);
	if (e == NULL)
		return PRODUCER_OK; /* new, expired, deleted with its data: any sequence will do */
	if (a->epoch < e->epoch)
		return PRODUCER_FENCED_EPOCH;
	if (a->is_control)
		return PRODUCER_OK;
	if (find_duplicate(e, a, was)) {
		MARK(duplicate_batch);
		return PRODUCER_DUPLICATE;
	}
	if (is_long_ago(e, a)) {
		MARK(duplicate_of_long_ago);
		*was = e->batches[0];
		return PRODUCER_LONG_AGO;
	}
	if (a->first_seq >= 0 && !in_sequence(e, a)) {
		MARK(batch_out_of_sequence);
		return PRODUCER_OUT_OF_ORDER;
	}
	if (e->txn_first_offset >= 0 && !a->is_transactional)
		return PRODUCER_TXN_OPEN;
	return PRODUCER_OK;
}

/* Takes what was appended as it is: a follower and a recovery replay the leader's decisions. */
void producers_note(struct producers *p, const struct producer_append *a)
{
	struct producer_entry *e = map_find(&p->by_id, (uint64_t)a->id);

	ASSERT(a->id >= 0);
	ASSERT(a->first_offset <= a->last_offset);
	if (e == NULL) {
		e = mem_alloc(sizeof(*e));
		*e = (struct producer_entry){ .id = a->id,
					      .epoch = a->epoch,
					      .txn_first_offset = -1,
					      .coordinator_epoch = -1,
					      .last_timestamp_ms = -1 };
		map_put(&p->by_id, (uint64_t)a->id, e);
	}
	if (a->epoch != e->epoch) {
		e->epoch = a->epoch;
		e->n = 0;
		e->is_whole = false;
	}
	e->last_timestamp_ms = i64_max(e->last_timestamp_ms, a->timestamp_ms);
	if (a->is_control) {
		e->txn_first_offset = -1;
		e->coordinator_epoch = a->coordinator_epoch;
		return;
	}
	if (a->first_seq >= 0)
		push_batch(e, a);
	if (a->is_transactional && e->txn_first_offset < 0)
		e->txn_first_offset = a->first_offset;
}

/* By the time of a producer's last batch; a producer that returns later begins anew. */
void producers_expire(struct producers *p, int64_t now_ms, int64_t expiration_ms)
{
	struct map *m = &p->by_id;
	uint32_t i = 0;

	while (i < m->cap) {
		struct producer_entry *e = m->v[i].value;

		if (e == NULL || !is_expired(e, now_ms, expiration_ms)) {
			i++;
			continue;
		}
		map_remove(m,
			   (uint64_t)e->id); /* may shift another entry into slot i: look again */
		mem_free(e);
	}
}

void producers_load(struct producers *p, const struct producer_entry *row)
{
	struct producer_entry *was = map_remove(&p->by_id, (uint64_t)row->id);
	struct producer_entry *e = mem_alloc(sizeof(*e));

	ASSERT(row->id >= 0 && row->n <= PRODUCER_WINDOW);
	*e = *row;
	e->is_whole = false;
	if (e->n > 0)
		begin(e);
	if (was && goes_on(was, row)) {
		e->is_whole = was->is_whole;
		e->first = was->first;
		int keep = i32_min(was->n, PRODUCER_WINDOW - 1);

		memcpy(e->batches, was->batches + was->n - keep,
		       (size_t)keep * sizeof(e->batches[0]));
		e->batches[keep] = row->batches[0];
		e->n = (uint8_t)(keep + 1);
	}
	mem_free(was);
	map_put(&p->by_id, (uint64_t)row->id, e);
}

/* The row has the batch behind those that are there. */
static bool goes_on(const struct producer_entry *e, const struct producer_entry *row)
{
	return e->epoch == row->epoch && e->n > 0 && row->n == 1 &&
	       row->batches[0].last_offset > e->batches[e->n - 1].last_offset;
}

const struct producer_entry *producers_find(const struct producers *p, int64_t id)
{
	return map_find(&p->by_id, (uint64_t)id);
}

/* Linear in the producers; asked when a transaction ends, never per append. */
int64_t producers_first_open(const struct producers *p)
{
	int64_t first = -1;

	MAP_FOR (slot, &p->by_id) {
		const struct producer_entry *e = slot->value;

		if (e->txn_first_offset >= 0 && (first < 0 || e->txn_first_offset < first))
			first = e->txn_first_offset;
	}
	return first;
}

int32_t producers_count(const struct producers *p)
{
	return (int32_t)p->by_id.n;
}

int producer_batches(const struct producer_entry *e, struct producer_batch v[PRODUCER_WINDOW + 1])
{
	int n = 0;

	if (e->is_whole && e->n > 0 && e->first.last_offset < e->batches[0].last_offset)
		v[n++] = e->first;
	memcpy(v + n, e->batches, e->n * sizeof(e->batches[0]));
	return n + e->n;
}

int32_t producers_rows(const struct producers *p, const struct producer_entry **rows, int32_t cap)
{
	int32_t n = 0;

	MAP_FOR (slot, &p->by_id) {
		if (n == cap)
			break;
		rows[n++] = slot->value;
	}
	if (n > 0)
		qsort(rows, (size_t)n, sizeof(rows[0]), by_id);
	return n;
}

/* Both ends must match: a retry is the same batch, never a part of it. */
static bool find_duplicate(const struct producer_entry *e, const struct producer_append *a,
			   struct producer_batch *was)
{
	if (a->epoch != e->epoch || a->first_seq < 0)
		return false;
	for (int i = 0; i < e->n; i++) {
		const struct producer_batch *b = &e->batches[i];

		if (b->last_seq == a->last_seq && first_seq(b) == a->first_seq) {
			*was = *b;
			return true;
		}
	}
	return false;
}

/* Sequences wrap: what is less than half the circle behind is before. */
static bool is_long_ago(const struct producer_entry *e, const struct producer_append *a)
{
	uint32_t behind;

	if (!e->is_whole || e->n == 0 || a->epoch != e->epoch || a->first_seq < 0)
		return false;
	behind = ((uint32_t)first_seq(&e->batches[0]) - (uint32_t)a->last_seq) & INT32_MAX;
	return behind > 0 && behind < UINT32_C(1) << 30;
}

static int32_t first_seq(const struct producer_batch *b)
{
	int64_t first = (int64_t)b->last_seq - b->offset_delta;

	return (int32_t)(first < 0 ? first + INT32_MAX + 1 : first);
}

/* A new epoch starts at 0; an unknown producer may start anywhere, see producers_check. */
static bool in_sequence(const struct producer_entry *e, const struct producer_append *a)
{
	int32_t last = e->n == 0 ? -1 : e->batches[e->n - 1].last_seq;

	if (a->epoch != e->epoch)
		return a->first_seq == 0;
	return a->first_seq == (last == INT32_MAX ? 0 : last + 1);
}

static void push_batch(struct producer_entry *e, const struct producer_append *a)
{
	bool is_first = e->n == 0;

	if (e->n == PRODUCER_WINDOW) {
		memmove(e->batches, e->batches + 1, sizeof(e->batches) - sizeof(e->batches[0]));
		e->n--;
	}
	e->batches[e->n++] = (struct producer_batch){
		.last_seq = a->last_seq,
		.offset_delta = (int32_t)(a->last_offset - a->first_offset),
		.last_offset = a->last_offset,
		.timestamp_ms = a->timestamp_ms,
	};
	if (is_first)
		begin(e);
}

static void begin(struct producer_entry *e)
{
	e->first = e->batches[0];
	e->is_whole = first_seq(&e->first) == 0;
}

/* An open transaction keeps its producer: the marker must find it. */
static bool is_expired(const struct producer_entry *e, int64_t now_ms, int64_t expiration_ms)
{
	return e->txn_first_offset < 0 && now_ms - e->last_timestamp_ms >= expiration_ms;
}

static int by_id(const void *a, const void *b)
{
	const struct producer_entry *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}
