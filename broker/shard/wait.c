/* wait.c - the purgatory of acks=all produces: one list per partition, in the order of the offsets.
 *
 *   wait_park   append.c, below the high watermark
 *   wait_wake   partition.c, the high watermark moved: everything up to it is done
 *   wait_fail   leadership, log or enough of the ISR lost
 *   expired     the request's timeout.ms: the batch stays in the log, the client is told so */
#include "broker/shard/wait.h"

#include "broker/shard/shard.h"
#include "broker/shard/partition.h"
#include "common/base/mark.h"

static void expired(void *arg);
static void finish(struct wait *, enum kerr);

/* A timeout of 0 or less fires with the next turn. */
void wait_park(struct wait *w, struct partition *p, int64_t required, int64_t timeout_ms)
{
	struct list *pos = &p->waits;

	/* New appends come last; only a duplicate, which waits for its first copy, goes before. */
	while (pos->prev != &p->waits &&
	       CONTAINER_OF(pos->prev, struct wait, node)->required > required)
		pos = pos->prev;
	w->partition = p;
	w->required = required;
	list_insert_before(pos, &w->node);
	timer_init(&w->deadline, expired, w);
	timer_after_ms(p->shard->env, &w->deadline, i64_max(timeout_ms, 0));
}

/* The list is in the order of the offsets required: the first that is not done ends the walk. */
void wait_wake(struct partition *p)
{
	struct wait *w;

	while ((w = LIST_FIRST(&p->waits, struct wait, node)) &&
	       w->required <= p->replica.high_watermark)
		finish(w, replica_kept_enough(&p->replica) ? KERR_NONE
							   : KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
}

void wait_fail(struct partition *p, enum kerr e)
{
	struct wait *w;

	while ((w = LIST_FIRST(&p->waits, struct wait, node))) {
		MARK(waiting_produce_failed);
		finish(w, e);
	}
}

static void expired(void *arg)
{
	MARK(produce_timed_out);
	finish(arg, KERR_REQUEST_TIMED_OUT);
}

/* Off the list before done runs: it may free the request. */
static void finish(struct wait *w, enum kerr e)
{
	timer_clear(w->partition->shard->env, &w->deadline);
	list_remove(&w->node);
	w->done(w, e);
}
