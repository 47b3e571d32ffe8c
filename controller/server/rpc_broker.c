/* rpc_broker.c - requests that brokers make for themselves: registration, ISR changes, producer
 * ids. */
#include "common/wire/kerr.h"
#include "controller/server/link.h"

static void register_broker(struct session *, uint64_t id, const Weir__RegisterBroker *);
static int64_t stream_from(const struct node *, const Weir__RegisterBroker *);
static void registered(struct parked *);
static void altered(struct parked *);

void rpc_broker_call(struct session *s, uint64_t id, const Weir__Request *q)
{
	struct ctl_cmd cmd = { .kind = CTL_ALTER_PARTITION };
	struct asked by = { .rpc = s->rpc, .id = id };

	switch ((int)q->body_case) {
	case WEIR__REQUEST__BODY_REGISTER_BROKER:
		register_broker(s, id, q->register_broker);
		return;
	case WEIR__REQUEST__BODY_ALTER_PARTITION:
		cmd.alter_partition = q->alter_partition;
		by.committed = altered;
		by.broker = q->alter_partition->broker;
		break;
	case WEIR__REQUEST__BODY_REPORT_LOST:
		cmd.kind = CTL_REPORT_LOST;
		cmd.report_lost = q->report_lost;
		break;
	case WEIR__REQUEST__BODY_ALLOCATE_PRODUCER_IDS:
		cmd.kind = CTL_PRODUCER_IDS;
		cmd.producer_ids = q->allocate_producer_ids;
		break;
	case WEIR__REQUEST__BODY_UNREGISTER_BROKER:
		link_asks(s, q, &cmd);
		cmd.kind = CTL_UNREGISTER;
		cmd.unregister = q->unregister_broker;
		break;
	case WEIR__REQUEST__BODY_HOLD_BROKER:
		cmd.kind = CTL_HOLD;
		cmd.hold = q->hold_broker;
		break;
	default: UNREACHABLE();
	}
	(void)node_submit(s->node, &cmd, &by);
}

/* The leader hears of all that was decided before the answer, and of a new min.insync.replicas
 * among it: an ISR that the old one would take for large enough must not commit (KIP-966). */
static void altered(struct parked *p)
{
	struct link *l = link_of(p->node, p->broker);

	if (l != NULL && l->session != NULL && l->session->rpc == p->rpc)
		link_pump_all(l);
}

/* The link is bound when the registration is decided, so that a connection lost in between is
 * noticed; the stream begins when it is committed. */
static void register_broker(struct session *s, uint64_t id, const Weir__RegisterBroker *m)
{
	struct node *n = s->node;
	struct link *old = link_of(n, m->id);
	struct ctl_cmd cmd = { .kind = CTL_REGISTER,
			       .reg = { m, old != NULL && link_is_alive(old) } };
	struct asked by = { .rpc = s->rpc,
			    .id = id,
			    .committed = registered,
			    .broker = m->id,
			    .metadata_offset = stream_from(n, m) };
	const struct image_broker *b;

	if (node_submit(n, &cmd, &by) != KERR_NONE) {
		if (old != NULL)
			link_probe(old);
		return;
	}
	b = image_broker(n->ctl.image, m->id);
	link_bind(n, s, m->id, b->epoch);
}

/* Where the broker's image goes on, if it is of this history: the record before has the epoch that
 * the image is of.  Otherwise it gets the whole state. */
static int64_t stream_from(const struct node *n, const Weir__RegisterBroker *m)
{
	int64_t from = m->has_metadata_offset ? m->metadata_offset : 0, epoch = -1;

	if (from <= 0 || from > mlog_end(n->log) || from < mlog_start(n->log))
		return 0;
	if (from > mlog_start(n->log))
		epoch = mlog_entry(n->log, from - 1)->epoch;
	else
		epoch = mlog_start_epoch(n->log);
	return !m->has_metadata_epoch || m->metadata_epoch == epoch ? from : 0;
}

/* Runs before the reply is sent; the reply goes out first all the same, because the stream is only
 * pumped from here on. */
static void registered(struct parked *p)
{
	struct link *l = link_of(p->node, p->broker);

	if (p->result.status.code != KERR_NONE || l == NULL || l->session == NULL ||
	    l->session->rpc != p->rpc)
		return;
	(void)rpc_reply(p->rpc, p->id, &p->result.reply.base);
	rpc_put(p->rpc);
	p->rpc = NULL;
	link_stream(l, p->metadata_offset);
}
