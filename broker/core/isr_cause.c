/* isr_cause.c - see isr_cause.h. */
#include "broker/core/isr_cause.h"
#include "common/base/text.h"

#include <inttypes.h>

static int64_t ms_since(int64_t then_ms, int64_t now_ms)
{
	return then_ms == TIME_NEVER ? -1 : i64_max(0, now_ms - then_ms);
}

static struct isr_cause cause_of(const struct replica *r, int at, bool joins, int64_t now_ms)
{
	const struct replica_peer *p = &r->peers[at];

	return (struct isr_cause){
		.broker = p->id,
		.joins = joins,
		.is_new_process = p->left_epoch >= 0 && p->broker_epoch > p->left_epoch,
		.offset = p->log_end,
		.ms = ms_since(joins ? p->began_ms : p->caught_up_ms, now_ms),
		.silent_ms = ms_since(p->last_fetch_ms, now_ms),
		.records = p->log_end < 0 ? -1 : r->log_end - p->log_end,
	};
}

void isr_causes(const struct replica *r, uint32_t isr, int64_t now_ms, struct isr_causes *out)
{
	*out = (struct isr_causes){ 0 };
	for (int i = 0; i < r->n_peers; i++) {
		if (((isr ^ r->isr) >> i & 1) == 0)
			continue;
		if (out->n == ISR_CAUSES_MAX)
			out->more++;
		else
			out->v[out->n++] = cause_of(r, i, (isr >> i & 1) != 0, now_ms);
	}
}

static void say_joins(struct text *t, const struct isr_cause *c)
{
	text_printf(t, "broker %d caught up at offset %" PRId64, c->broker, c->offset);
	if (c->ms >= 0)
		text_printf(t, ", %" PRId64 " ms after %s first fetch", c->ms,
			    c->is_new_process ? "the new process's" : "its");
}

static void say_leaves(struct text *t, const struct isr_cause *c)
{
	text_printf(t, "broker %d ", c->broker);
	if (c->silent_ms < 0)
		text_printf(t, "has not fetched in this leader epoch");
	else
		text_printf(t, "fetched %" PRId64 " ms ago", c->silent_ms);
	if (c->ms >= 0)
		text_printf(t, ", was caught up %" PRId64 " ms ago", c->ms);
	if (c->records >= 0)
		text_printf(t, ", is %" PRId64 " record%s behind", c->records,
			    c->records == 1 ? "" : "s");
}

void isr_causes_text(const struct isr_causes *c, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	for (int32_t i = 0; i < c->n; i++) {
		text_printf(&t, "%s", i ? "; " : "");
		if (c->v[i].joins)
			say_joins(&t, &c->v[i]);
		else
			say_leaves(&t, &c->v[i]);
	}
	if (c->more > 0)
		text_printf(&t, "; and %d more", c->more);
	if (c->n == 0)
		text_printf(&t, "recovered after an unclean election");
}
