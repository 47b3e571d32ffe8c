/* refused.h - batches of idempotent producers that were refused a moment ago.
 *
 * A client has several batches on their way.  The first may be refused (the leader does not know
 * yet that it leads, or too few replicas are in sync), and the reason be gone before the second is
 * looked at.  Kafka's brokers leave to chance what comes of it:
 *
 *   A leader that knows nothing of a producer takes any sequence: what the producer wrote may have
 *   been deleted.  librdkafka takes the success of the second for both, and the first is lost.
 *   One that knows the producer says OUT_OF_ORDER_SEQUENCE_NUMBER.  librdkafka then begins a new
 *   epoch, for all its partitions at once, and whatever of it is written but was not acknowledged
 *   at that time is written twice.
 *
 * So what was refused is remembered until it comes again, and what follows it is refused alike.
 * A client sends in order, so nobody waits for more than its own retry.  One that gave the batch up
 * goes on in a new producer epoch.
 *
 * Pure.  Entries last REFUSED_MS to twice that, far longer than what is on its way takes to come,
 * and at most 2 * REFUSED_MAX of them. */
#pragma once
#include "common/base/map.h"

#define REFUSED_MS 10000
#define REFUSED_MAX 10000

struct refused_batch {
	uint64_t where; /* the partition, or the name of one that is not known yet */
	int64_t producer_id;
	int16_t epoch;
	int32_t first_seq;
	int error; /* what was answered, an enum kerr */
};
struct refused {
	struct map now, before; /* -> struct refused_batch, heap, owned */
	int64_t until_ms;       /* then `now` becomes `before` */
};

void refused_init(struct refused *, uint64_t seed);
void refused_fini(struct refused *);
bool refused_any(const struct refused *);
/* Of several batches of one producer the first is remembered. */
void refused_note(struct refused *, const struct refused_batch *, int64_t now_ms);
/* The answer that a batch gets because of one before it; 0: none.  `b` is also forgotten when it
 * is itself the one that was refused: it is judged anew. */
int refused_before(struct refused *, const struct refused_batch *b, int64_t now_ms);
/* `b` is written, and with it whatever was before it, here or by another leader. */
void refused_over(struct refused *, const struct refused_batch *b);
