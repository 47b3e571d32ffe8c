/* producer_ids.c - two blocks per shard: the one in use and the one fetched ahead.
 *
 *   take from `now` -> low mark reached: ask for `ahead` -> `now` is empty: `ahead` becomes `now`
 *
 * Callers that find both empty wait for the answer; if the controller has none to give, all are
 * told. */
#include "broker/api/producer_ids.h"

#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/wire/kerr.h"

#define ASK_TIMEOUT_MS 5000
#define ASK_ARENA_MAX ((size_t)64 << 10)
#define PREFETCH_PERCENT 10 /* ask for the next block when so much is left */

struct block {
	int64_t next, end;
	int64_t low; /* from here on the next block is wanted */
};
struct producer_ids {
	struct shard *shard;
	struct block now, ahead;
	struct list waiting;
	bool is_asking;
	struct ctl_call call;
	Weir__Request request;
	Weir__AllocateProducerIds body;
	struct arena arena;
};

static bool take(struct producer_ids *, int64_t *id);
static void ask(struct producer_ids *);
static void answered(struct ctl_call *);
static bool take_block(struct producer_ids *, const struct ctl_call *);

struct producer_ids *producer_ids_new(struct shard *s)
{
	struct producer_ids *p = mem_alloc(sizeof(*p));

	p->shard = s;
	list_init(&p->waiting);
	arena_init(&p->arena, ASK_ARENA_MAX);
	return p;
}

void producer_ids_free(struct producer_ids *p)
{
	arena_fini(&p->arena);
	mem_free(p);
}

bool producer_ids_next(struct producer_ids *p, struct producer_id_wait *w, int64_t *id)
{
	bool taken = take(p, id);

	if (!taken)
		list_push_back(&p->waiting, &w->node);
	if (!p->is_asking && p->ahead.next == p->ahead.end && p->now.next >= p->now.low)
		ask(p);
	return taken;
}

static bool take(struct producer_ids *p, int64_t *id)
{
	if (p->now.next == p->now.end) {
		p->now = p->ahead;
		p->ahead = (struct block){ 0, 0, 0 };
	}
	if (p->now.next == p->now.end)
		return false;
	*id = p->now.next++;
	return true;
}

/* The image is of this incarnation (ctllink.h), so it knows the epoch the controller wants to hear.
 */
static void ask(struct producer_ids *p)
{
	int32_t self_id = p->shard->broker->conf->node_id;
	const struct image_broker *self =
		p->shard->image ? image_broker(p->shard->image, self_id) : NULL;

	weir__request__init(&p->request);
	weir__allocate_producer_ids__init(&p->body);
	p->request.body_case = WEIR__REQUEST__BODY_ALLOCATE_PRODUCER_IDS;
	p->request.allocate_producer_ids = &p->body;
	p->body.broker = self_id;
	p->body.broker_epoch = self ? self->epoch : -1;
	p->call = (struct ctl_call){ .request = &p->request,
				     .timeout_ms = ASK_TIMEOUT_MS,
				     .arena = &p->arena,
				     .done = answered,
				     .arg = p };
	p->is_asking = true;
	ctllink_ask(p->shard, &p->call);
}

/* Whoever waited is served from the new block; if none came, all are told rather
 * than left waiting. */
static void answered(struct ctl_call *c)
{
	struct producer_ids *p = c->arg;
	struct producer_id_wait *w;
	bool is_given = take_block(p, c);
	int64_t id;

	p->is_asking = false;
	arena_reset(&p->arena);
	while ((w = LIST_FIRST(&p->waiting, struct producer_id_wait, node))) {
		bool taken = take(p, &id);
		if (!taken && is_given)
			break;
		list_remove(&w->node);
		w->done(w, taken ? id : -1);
	}
	if (!list_empty(&p->waiting) && !p->is_asking)
		ask(p);
}

static bool take_block(struct producer_ids *p, const struct ctl_call *c)
{
	const Weir__AllocatedProducerIds *got;

	if (c->code != KERR_NONE || !c->response ||
	    c->response->body_case != WEIR__RESPONSE__BODY_ALLOCATED_PRODUCER_IDS) {
		log_warn("producer", "no producer ids from the controller",
			 F_Z("error", kerr_name(c->code)), F_STR("why", c->message));
		return false;
	}
	got = c->response->allocated_producer_ids;
	p->ahead = (struct block){ got->first, got->first + got->count,
				   got->first + got->count - got->count * PREFETCH_PERCENT / 100 };
	return got->count > 0;
}
