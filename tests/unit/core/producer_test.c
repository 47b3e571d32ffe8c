#include "broker/core/producer.h"
#include "common/base/prng.h"
#include "tests/lib/test.h"

static struct producer_append batch_of(int16_t epoch, int32_t first, int32_t n, int64_t offset)
{
	return (struct producer_append){
		.id = 7,
		.epoch = epoch,
		.first_seq = first,
		.last_seq = (int32_t)(((int64_t)first + n - 1) & INT32_MAX),
		.first_offset = offset,
		.last_offset = offset + n - 1,
		.timestamp_ms = 1000,
	};
}

static enum producer_verdict check(struct producers *p, struct producer_append a)
{
	struct producer_batch was;

	return producers_check(p, &a, &was);
}

static enum producer_verdict put(struct producers *p, struct producer_append a)
{
	enum producer_verdict v = check(p, a);

	if (v == PRODUCER_OK)
		producers_note(p, &a);
	return v;
}

TEST(sequence_gap_and_retry)
{
	struct producers p;
	struct producer_batch was = { 0 };
	struct producer_append retry;

	producers_init(&p, 1);
	EXPECT_EQ(put(&p, batch_of(0, 0, 3, 100)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(0, 3, 2, 103)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(0, 6, 1, 105)), PRODUCER_OUT_OF_ORDER);
	retry = batch_of(0, 0, 3, 500);
	EXPECT_EQ(producers_check(&p, &retry, &was), PRODUCER_DUPLICATE);
	EXPECT_EQ(was.last_offset, 102);
	EXPECT_EQ(was.offset_delta, 2);
	EXPECT_EQ(check(&p, batch_of(0, 0, 2, 500)),
		  PRODUCER_OUT_OF_ORDER); /* other bounds: no duplicate */
	producers_fini(&p);
}

TEST(unknown_producer_may_begin_anywhere)
{
	struct producers p;

	producers_init(&p, 1);
	EXPECT_EQ(put(&p, batch_of(3, 42, 1, 0)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(3, 43, 1, 1)), PRODUCER_OK);
	producers_fini(&p);
}

/* KAFKA-6683: the verdict is a question; only the note leaves a trace. */
TEST(failed_append_leaves_no_trace)
{
	struct producers p;

	producers_init(&p, 1);
	EXPECT_EQ(check(&p, batch_of(0, 0, 1, 0)), PRODUCER_OK);
	EXPECT_EQ(producers_count(&p), 0);
	EXPECT_EQ(put(&p, batch_of(0, 0, 1, 0)), PRODUCER_OK);
	EXPECT_EQ(check(&p, batch_of(0, 1, 1, 1)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(0, 1, 1, 1)), PRODUCER_OK);
	producers_fini(&p);
}

TEST(window_of_five)
{
	struct producers p;

	producers_init(&p, 1);
	for (int32_t i = 0; i < 7; i++)
		EXPECT_EQ(put(&p, batch_of(0, i, 1, i)), PRODUCER_OK);
	EXPECT_EQ(check(&p, batch_of(0, 1, 1, 9)), PRODUCER_LONG_AGO);
	for (int32_t i = 2; i < 7; i++)
		EXPECT_EQ(check(&p, batch_of(0, i, 1, 9)), PRODUCER_DUPLICATE);
	producers_fini(&p);
}

TEST(what_is_before_the_window_was_written_if_all_was)
{
	struct producers p, q;
	struct producer_batch was, rows[PRODUCER_WINDOW + 1];
	struct producer_append old = batch_of(0, 1, 1, 90);
	const struct producer_entry *e;
	int n;

	producers_init(&p, 1);
	producers_init(&q, 1);
	for (int32_t i = 0; i < 20; i++)
		EXPECT_EQ(put(&p, batch_of(0, i, 1, 100 + i)), PRODUCER_OK);
	EXPECT_EQ(producers_check(&p, &old, &was), PRODUCER_LONG_AGO);
	EXPECT_EQ(was.last_offset, 115);
	EXPECT_EQ(check(&p, batch_of(0, 14, 2, 90)), PRODUCER_OUT_OF_ORDER);
	EXPECT_EQ(check(&p, batch_of(0, 21, 1, 90)), PRODUCER_OUT_OF_ORDER);

	e = producers_find(&p, old.id);
	n = producer_batches(e, rows);
	EXPECT_EQ(n, PRODUCER_WINDOW + 1);
	EXPECT_EQ(rows[0].last_offset, 100);
	for (int i = 0; i < n; i++) {
		struct producer_entry row = *e;

		row.n = 1;
		row.is_whole = false;
		row.batches[0] = rows[i];
		producers_load(&q, &row);
	}
	EXPECT_EQ(producers_check(&q, &old, &was), PRODUCER_LONG_AGO);
	EXPECT_EQ(was.last_offset, 115);
	EXPECT_EQ(put(&q, batch_of(1, 0, 1, 120)), PRODUCER_OK);
	EXPECT_EQ(put(&q, batch_of(1, 1, 1, 121)), PRODUCER_OK);
	EXPECT_EQ(check(&q, batch_of(1, 0, 1, 90)), PRODUCER_DUPLICATE);
	producers_fini(&p);
	producers_fini(&q);
}

TEST(what_is_before_the_window_is_unknown_to_who_came_late)
{
	struct producers p;

	producers_init(&p, 1);
	for (int32_t i = 3; i < 20; i++)
		EXPECT_EQ(put(&p, batch_of(0, i, 1, i)), PRODUCER_OK);
	EXPECT_EQ(check(&p, batch_of(0, 1, 1, 90)), PRODUCER_OUT_OF_ORDER);
	EXPECT_EQ(check(&p, batch_of(0, 5, 1, 90)), PRODUCER_OUT_OF_ORDER);
	producers_fini(&p);
}

TEST(sequence_wraps)
{
	struct producers p;

	producers_init(&p, 1);
	EXPECT_EQ(put(&p, batch_of(0, INT32_MAX - 2, 3, 0)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(0, 0, 1, 3)), PRODUCER_OK);
	EXPECT_EQ(check(&p, batch_of(0, INT32_MAX - 2, 3, 9)), PRODUCER_DUPLICATE);
	producers_clear(&p);
	EXPECT_EQ(put(&p, batch_of(0, INT32_MAX - 1, 4, 0)),
		  PRODUCER_OK); /* wraps inside the batch */
	EXPECT_EQ(check(&p, batch_of(0, INT32_MAX - 1, 4, 9)), PRODUCER_DUPLICATE);
	EXPECT_EQ(put(&p, batch_of(0, 2, 1, 4)), PRODUCER_OK);
	producers_fini(&p);
}

TEST(epochs_fence_and_restart_the_sequence)
{
	struct producers p;

	producers_init(&p, 1);
	EXPECT_EQ(put(&p, batch_of(2, 0, 1, 0)), PRODUCER_OK);
	EXPECT_EQ(put(&p, batch_of(1, 1, 1, 1)), PRODUCER_FENCED_EPOCH);
	EXPECT_EQ(put(&p, batch_of(3, 1, 1, 1)), PRODUCER_OUT_OF_ORDER);
	EXPECT_EQ(put(&p, batch_of(3, 0, 1, 1)), PRODUCER_OK);
	EXPECT_EQ(check(&p, batch_of(2, 0, 1, 9)), PRODUCER_FENCED_EPOCH);
	producers_fini(&p);
}

TEST(marker_closes_the_transaction)
{
	struct producers p;
	struct producer_append data = batch_of(1, 0, 2, 10);
	struct producer_append marker = { .id = 7,
					  .epoch = 2,
					  .first_seq = -1,
					  .last_seq = -1,
					  .first_offset = 12,
					  .last_offset = 12,
					  .is_control = true,
					  .coordinator_epoch = 4 };

	producers_init(&p, 1);
	data.is_transactional = true;
	EXPECT_EQ(producers_first_open(&p), -1);
	EXPECT_EQ(put(&p, data), PRODUCER_OK);
	EXPECT_EQ(producers_first_open(&p), 10);
	EXPECT_EQ(check(&p, batch_of(1, 2, 1, 12)), PRODUCER_TXN_OPEN);
	EXPECT_EQ(put(&p, marker), PRODUCER_OK);
	EXPECT_EQ(producers_first_open(&p), -1);
	EXPECT_EQ(producers_find(&p, 7)->coordinator_epoch, 4);
	EXPECT_EQ(check(&p, batch_of(1, 2, 1, 13)), PRODUCER_FENCED_EPOCH);
	EXPECT_EQ(check(&p, batch_of(2, 2, 1, 13)), PRODUCER_OUT_OF_ORDER);
	EXPECT_EQ(check(&p, batch_of(2, 0, 1, 13)), PRODUCER_OK);
	producers_fini(&p);
}

TEST(expiry_spares_open_transactions)
{
	struct producers p;

	producers_init(&p, 3);
	for (int64_t id = 0; id < 200; id++) {
		struct producer_append a = batch_of(0, 0, 1, id);

		a.id = id;
		a.timestamp_ms = id;
		a.is_transactional = id == 5;
		producers_note(&p, &a);
	}
	producers_expire(&p, 1100, 1000); /* ids 0 to 100 are due */
	EXPECT_EQ(producers_count(&p), 100);
	EXPECT(producers_find(&p, 5) != NULL);
	EXPECT(producers_find(&p, 100) == NULL);
	EXPECT(producers_find(&p, 101) != NULL);
	producers_fini(&p);
}

TEST(rows_are_sorted_and_reload)
{
	struct producers p, q;
	const struct producer_entry *rows[8];
	static const int64_t ids[] = { 9, 3, 1LL << 40, 5 };

	producers_init(&p, 1);
	producers_init(&q, 2);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct producer_append a = batch_of(0, 4, 2, 20);

		a.id = ids[i];
		producers_note(&p, &a);
	}
	EXPECT_EQ(producers_rows(&p, rows, 8), 4);
	EXPECT_EQ(rows[0]->id, 3);
	EXPECT_EQ(rows[3]->id, 1LL << 40);
	for (int i = 0; i < 4; i++) {
		producers_load(&q, rows[i]);
		producers_load(&q, rows[i]);
	}
	EXPECT_EQ(producers_count(&q), 4);
	EXPECT_EQ(producers_find(&q, 9)->batches[0].last_seq, 5);
	producers_fini(&p);
	producers_fini(&q);
}

/* A clean restart must know a retry of each of the five that a client may have in flight. */
TEST(a_producer_has_a_row_for_each_batch)
{
	struct producers p, q;
	const struct producer_entry *e;
	struct producer_batch was;

	producers_init(&p, 1);
	producers_init(&q, 2);
	for (int i = 0; i < 7; i++) {
		struct producer_append a = batch_of(0, i, 1, 20 + i);
		producers_note(&p, &a);
	}
	e = producers_find(&p, batch_of(0, 0, 1, 20).id);
	for (int i = 0; i < e->n; i++) {
		struct producer_entry row = *e;

		row.n = 1;
		row.batches[0] = e->batches[i];
		producers_load(&q, &row);
	}
	for (int i = 2; i < 7; i++) {
		struct producer_append a = batch_of(0, i, 1, 90);
		EXPECT_EQ(producers_check(&q, &a, &was), PRODUCER_DUPLICATE);
		EXPECT_EQ(was.last_offset, 20 + i);
	}
	EXPECT_EQ(producers_find(&q, e->id)->n, PRODUCER_WINDOW);
	producers_fini(&p);
	producers_fini(&q);
}

/* Naive model: the whole history of one producer. */
#define HISTORY 64
struct naive {
	struct producer_append all[HISTORY];
	int n;
};

static bool is_long_ago(const struct naive *m, const struct producer_append *a, int64_t *offset)
{
	int begin = m->n - 1, oldest;

	while (begin > 0 && m->all[begin - 1].epoch == a->epoch)
		begin--;
	oldest = i32_max(begin, m->n - PRODUCER_WINDOW);
	if (m->all[begin].first_seq != 0 || a->last_seq >= m->all[oldest].first_seq)
		return false;
	*offset = m->all[oldest].last_offset;
	return true;
}

static enum producer_verdict naive_check(const struct naive *m, const struct producer_append *a,
					 int64_t *offset)
{
	const struct producer_append *last = m->n ? &m->all[m->n - 1] : NULL;
	int seen = 0;

	if (last == NULL)
		return PRODUCER_OK;
	if (a->epoch < last->epoch)
		return PRODUCER_FENCED_EPOCH;
	for (int i = m->n - 1; i >= 0 && m->all[i].epoch == a->epoch && seen < PRODUCER_WINDOW;
	     i--, seen++)
		if (m->all[i].first_seq == a->first_seq && m->all[i].last_seq == a->last_seq) {
			*offset = m->all[i].last_offset;
			return PRODUCER_DUPLICATE;
		}
	if (a->epoch == last->epoch && is_long_ago(m, a, offset))
		return PRODUCER_LONG_AGO;
	if (a->epoch > last->epoch)
		return a->first_seq == 0 ? PRODUCER_OK : PRODUCER_OUT_OF_ORDER;
	return (uint32_t)a->first_seq == (((uint32_t)last->last_seq + 1) & INT32_MAX)
		       ? PRODUCER_OK
		       : PRODUCER_OUT_OF_ORDER;
}

static struct producer_append any_batch(struct prng *r, const struct naive *m, int64_t end)
{
	const struct producer_append *last = m->n ? &m->all[m->n - 1] : NULL;
	int16_t epoch = last ? last->epoch : 0;
	int32_t n = 1 + (int32_t)prng_below(r, 3),
		next = last ? (int32_t)(((int64_t)last->last_seq + 1) & INT32_MAX) : 0;

	switch (prng_below(r, 8)) {
	case 0: return batch_of((int16_t)(epoch + 1), prng_chance(r, 1, 2) ? 0 : 1, n, end);
	case 1: return batch_of((int16_t)i64_max(0, epoch - 1), next, n, end);
	case 2: return batch_of(epoch, (int32_t)prng_below(r, 12), n, end);
	case 3:
		if (m->n > 0) {
			struct producer_append again = m->all[prng_below(r, (uint64_t)m->n)];

			again.last_offset += end - again.first_offset;
			again.first_offset = end;
			return again;
		}
		return batch_of(epoch, next, n, end);
	default: return batch_of(epoch, next, n, end);
	}
}

TEST(random_batches_match_the_naive_model)
{
	struct prng r;

	prng_seed(&r, 11);
	for (int run = 0; run < 2000; run++) {
		struct producers p;
		struct naive m = { .n = 0 };
		int64_t end = 0;

		producers_init(&p, 5);
		if (run % 2) { /* half of the runs begin next to the wrap */
			m.all[m.n++] = batch_of(0, INT32_MAX - 4, 2, 0);
			producers_note(&p, &m.all[0]);
			end = 2;
		}
		while (m.n < HISTORY && end < 100) {
			struct producer_append a = any_batch(&r, &m, end);
			struct producer_batch was = { .last_offset = -1 };
			int64_t offset = -1;
			enum producer_verdict v = producers_check(&p, &a, &was),
					      w = naive_check(&m, &a, &offset);

			if (v != w || was.last_offset != offset) {
				FAIL("run %d: verdict %d, model %d", run, (int)v, (int)w);
				return;
			}
			if (v == PRODUCER_OK) {
				producers_note(&p, &a);
				m.all[m.n++] = a;
			}
			end = a.last_offset + 1;
		}
		producers_fini(&p);
	}
}
