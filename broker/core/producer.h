/* producer.h - idempotent producers of one partition: the last five batches of each producer id,
 * and whether its epoch is here from the beginning.
 *
 * Pure.  Answers, before an append, whether a batch is new, a duplicate or out of order, and takes
 * note of it after the append succeeded: a failed append leaves no trace (KAFKA-6683).  Rebuilt
 * from a .snapshot file and the batches after it.  Rules: KIP-98, and
 * Kafka's ProducerStateManager. */
#pragma once
#include "common/base/base.h"
#include "common/base/map.h"

#define PRODUCER_WINDOW 5
struct producer_batch {
	int32_t last_seq;
	int32_t offset_delta;            /* last offset - first offset */
	int64_t last_offset;
	int64_t timestamp_ms;
};
struct producer_entry {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;
	int64_t last_timestamp_ms;
	int64_t txn_first_offset;        /* -1: no open transaction */
	uint8_t n;                       /* batches remembered, oldest first */
	struct producer_batch batches[PRODUCER_WINDOW];
	/* Of this epoch all from sequence 0 on has been written; `first` began it. */
	bool is_whole;
	struct producer_batch first;
};
struct producers {
	struct map by_id;                /* id -> struct producer_entry, heap, owned */
};

/* What producers need to know of a batch. */
struct producer_append {
	int64_t id;
	int16_t epoch;
	int32_t first_seq, last_seq;     /* -1 without sequence */
	int64_t first_offset, last_offset;
	int64_t timestamp_ms;
	bool is_transactional, is_control;
	int32_t coordinator_epoch;       /* of a marker (is_control); ignored otherwise */
};
enum producer_verdict {
	PRODUCER_OK,
	PRODUCER_DUPLICATE, /* `was` holds the original batch: answer with its offsets */
	PRODUCER_LONG_AGO, /* a duplicate as well; the original is somewhere before `was` */
	PRODUCER_OUT_OF_ORDER,           /* OUT_OF_ORDER_SEQUENCE_NUMBER (45) */
	PRODUCER_FENCED_EPOCH,           /* INVALID_PRODUCER_EPOCH (47) */
	PRODUCER_TXN_OPEN, /* INVALID_TXN_STATE (48): plain batch inside a transaction */
};

void producers_init(struct producers *, uint64_t seed);
void producers_fini(struct producers *);
void producers_clear(struct producers *);
enum producer_verdict producers_check(const struct producers *, const struct producer_append *,
				      struct producer_batch *was);
void producers_note(struct producers *, const struct producer_append *);
void producers_expire(struct producers *, int64_t now_ms, int64_t expiration_ms);
/* A row of a snapshot.  A producer may have several, each with one batch, oldest first: they are
 * added to each other, and what else they say is as in the last. */
void producers_load(struct producers *, const struct producer_entry *);
const struct producer_entry *producers_find(const struct producers *, int64_t id);    /* or NULL */
/* First offset of the oldest open transaction, -1 without one: bounds the last stable offset. */
int64_t producers_first_open(const struct producers *);
int32_t producers_count(const struct producers *);
/* What a snapshot keeps of one: the batches remembered, oldest first, and before them the one that
 * began its epoch, if all since then was written. */
int producer_batches(const struct producer_entry *, struct producer_batch v[PRODUCER_WINDOW + 1]);
/* In ascending id order, for a snapshot. */
int32_t producers_rows(const struct producers *, const struct producer_entry **rows, int32_t cap);
