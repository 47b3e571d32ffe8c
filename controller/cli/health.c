/* health.c - see health.h. */
#include "controller/cli/health.h"

static void count_partition(const struct view *v, const struct image_topic *t,
			    const struct image_partition *p, struct health *h)
{
	/* A topic that asks for more in sync than it has replicas refuses every acks=all anyway:
	 * that is a mistake of its config, which create says, and not the cluster's health. */
	int32_t min_isr = i32_min(view_min_isr(v->image, t), p->replicas.n);

	h->partitions++;
	h->offline += p->leader < 0;
	h->under_min += p->leader >= 0 && p->isr.n < min_isr;
	h->at_min += p->leader >= 0 && p->isr.n == min_isr && p->isr.n < p->replicas.n;
	h->under_replicated += p->leader >= 0 && p->isr.n < p->replicas.n;
	h->not_preferred += p->leader >= 0 && !view_is_preferred(p);
	h->recovering += p->is_recovering;
}

void health_count(const struct view *v, struct health *h)
{
	struct view_walk w;

	*h = (struct health){ 0 };
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		const struct image_broker *b = v->image->brokers[i];

		h->brokers++;
		h->active += image_broker_active(v->image, b->id);
		h->shutting_down += !b->is_fenced && b->in_controlled_shutdown;
		if (b->is_fenced && h->fenced.n < IMAGE_REPLICAS_MAX)
			h->fenced.v[h->fenced.n++] = b->id;
	}
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w))
		count_partition(v, w.topic, w.partition, h);
	h->is_leaderless =
		v->controller->id >= 0 && v->controller->has_active && v->controller->active < 0;
	/* Unpreferred leaders and a past unclean election do not count: nothing is at risk by them
	 * now. */
	h->is_well = v->controller->id >= 0 && !h->is_leaderless &&
		     v->controller->n_silent_voters == 0 && h->brokers > 0 &&
		     h->active == h->brokers && h->offline + h->under_replicated == 0;
}

const char *health_verdict(const struct health *h)
{
	if (h->is_well)
		return "HEALTHY";
	return h->offline || h->under_min || h->active == 0 ? "CRITICAL" : "DEGRADED";
}
