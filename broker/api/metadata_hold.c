/* metadata_hold.c - waits for the controller's word on a lost leader; the reason is
 * in the header. */
#include "broker/api/metadata_hold.h"

#include "broker/api/client.h"

/* As long as our own connection's close may come after the client's. */
#define HOLD_MS 2

struct hold {
	struct req *q;
	struct timer timer;
	void (*go)(struct req *);
};

static void on_timer(void *arg);
static void on_hurry(struct req *);
static void finish(struct hold *);

bool metadata_hold(struct req *q, void (*go)(struct req *))
{
	struct hold *h;

	if (!q->image || q->image->n_brokers < 2) /* alone: nobody to lose */
		return false;
	if (!q->client->is_settled && !lost_any(q->shard))
		return false;
	h = ARENA_NEW(q, struct hold, 1);
	*h = (struct hold){ .q = q, .go = go };
	q->work = h;
	q->hurry = on_hurry;
	timer_init(&h->timer, on_timer, h);
	timer_after_ms(q->shard->env, &h->timer, HOLD_MS);
	return true;
}

static void on_timer(void *arg)
{
	struct hold *h = arg;

	if (lost_any(h->q->shard))
		timer_after_ms(h->q->shard->env, &h->timer, HOLD_MS);
	else
		finish(h);
}

/* A request that waits behind this one can wait along; a closed connection ends it. */
static void on_hurry(struct req *q)
{
	if (q->client)
		q->hurry = on_hurry;
	else
		finish(q->work);
}

static void finish(struct hold *h)
{
	struct req *q = h->q;

	timer_clear(q->shard->env, &h->timer);
	q->hurry = NULL;
	req_new_image(q);
	h->go(q);
}
