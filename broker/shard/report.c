/* report.c - one question at a time for each partition; worse news while it is on its way are asked
 * behind it. */
#include "broker/shard/report.h"

#include "broker/shard/ctllink.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/wire/kerr.h"

#define ASK_TIMEOUT_MS 5000
#define ASK_ARENA_MAX ((size_t)64 << 10)
#define AGAIN_MS 100

struct report {
	struct partition *p;
	enum report_of of, asked;
	bool is_asking;
	struct timer again;
	struct ctl_call call;
	struct arena arena;
	Weir__Request request;
	Weir__ReportLost body;
	Weir__LostReplica replica, *replicas[1];
};

static void ask(void *arg);
static void answered(struct ctl_call *);

void report_lost(struct partition *p, enum report_of of)
{
	struct report *r = p->report;

	if (!r) {
		r = p->report = mem_alloc(sizeof(*r));
		r->p = p;
		arena_init(&r->arena, ASK_ARENA_MAX);
		timer_init(&r->again, ask, r);
	} else if (of <= r->of) {
		return; /* told, or on its way */
	}
	r->of = of;
	if (!r->is_asking)
		ask(r);
}

void report_free(struct partition *p)
{
	if (!p->report || p->report->is_asking) /* asking: the process ends, the link has it */
		return;
	timer_clear(p->shard->env, &p->report->again);
	arena_fini(&p->report->arena);
	mem_free(p->report);
	p->report = NULL;
}

/* The image is of this incarnation (ctllink.h), so it knows the epoch the controller wants to hear.
 */
static void ask(void *arg)
{
	struct report *r = arg;
	struct partition *p = r->p;
	struct shard *s = p->shard;
	int32_t self_id = s->broker->conf->node_id;
	const struct image_broker *self = image_broker(s->image, self_id);

	if (p->is_dropped || s->is_stopping)
		return;
	weir__request__init(&r->request);
	weir__report_lost__init(&r->body);
	weir__lost_replica__init(&r->replica);
	r->request.body_case = WEIR__REQUEST__BODY_REPORT_LOST;
	r->request.report_lost = &r->body;
	r->body.broker = self_id;
	r->body.broker_epoch = self ? self->epoch : -1;
	r->body.replicas = r->replicas;
	r->body.n_replicas = 1;
	r->replicas[0] = &r->replica;
	r->replica.topic_id = (ProtobufCBinaryData){ 16, p->topic_id.b };
	r->replica.partition = p->number;
	r->replica.is_offline = r->of == REPORT_OFFLINE;
	r->replica.is_damaged = r->of == REPORT_DAMAGED;
	arena_reset(&r->arena);
	r->call = (struct ctl_call){ .request = &r->request,
				     .timeout_ms = ASK_TIMEOUT_MS,
				     .arena = &r->arena,
				     .done = answered,
				     .arg = r };
	r->asked = r->of;
	r->is_asking = true;
	p->n_jobs++;
	ctllink_ask(s, &r->call);
}

/* A controller that is too old to be told must not keep the broker out for ever. */
static void answered(struct ctl_call *c)
{
	struct report *r = c->arg;
	struct partition *p = r->p;
	struct shard *s = p->shard;

	r->is_asking = false;
	if (p->is_dropped || s->is_stopping) {
		/* nobody needs to know any more */
	} else if (c->code != KERR_NONE && c->code != KERR_UNSUPPORTED_VERSION) {
		timer_after_ms(s->env, &r->again, AGAIN_MS);
	} else if (r->of != r->asked) {
		ask(r);
	} else {
		log_warn("partition", "this replica is not counted on",
			 F_Z("partition", p->dir_name),
			 F_Z("why", r->of == REPORT_OFFLINE ? "its directory failed"
							    : "records may be missing"));
		list_remove(&p->opening);
		shard_note_applied(s);
	}
	partition_job_back(p);
}
