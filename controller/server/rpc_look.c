/* rpc_look.c - requests that change nothing: the controller itself, its log, the state as records.
 *
 * All of them show what is committed, and none waits: answers are built in the node's scratch arena
 * and are gone when the reply has been packed. */
#include "common/wire/kerr.h"
#include "controller/server/link.h"
#include "controller/server/mlog_disk.h"
#include "controller/server/raw.h"

/* One answer's share of the log; the CLI asks again from where it ended. */
#define LOG_BYTES_MAX (4 << 20)
#define LOG_COUNT_MAX 10000

static void describe(struct node *, Weir__Response *);
static Weir__BrokerState **describe_brokers(struct node *, size_t *n_brokers);
static void describe_broker(const struct node *, const struct image_broker *, Weir__BrokerState *);
static void read_log(struct node *, const Weir__ReadLog *, Weir__Response *);
static void read_snapshot(struct node *, Weir__Response *);
static void add_record(void *arg, const Weir__MetadataRecord *);

void rpc_look_call(struct session *s, uint64_t id, const Weir__Request *q)
{
	Weir__Response out = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	struct node *n = s->node;
	struct peer_addr active;

	out.status = &status;
	/* With every answer: whoever asked a standby can go on to the active one without a second
	 * question. */
	status.active_controller = quorum_leader(n->quorum);
	status.has_active_controller = status.active_controller >= 0;
	status.has_answered_by = true;
	status.answered_by = n->options->id;
	if (status.has_active_controller &&
	    quorum_address(n->quorum, status.active_controller, &active)) {
		status.active_host = active.host;
		status.has_active_port = true;
		status.active_port = active.port;
	}
	switch ((int)q->body_case) {
	case WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER: describe(n, &out); break;
	case WEIR__REQUEST__BODY_READ_LOG: read_log(n, q->read_log, &out); break;
	case WEIR__REQUEST__BODY_READ_SNAPSHOT: read_snapshot(n, &out); break;
	case WEIR__REQUEST__BODY_DESCRIBE_QUORUM:
		quorum_describe(n->quorum, &n->scratch, &out);
		if (n->is_active)
			out.quorum->brokers = describe_brokers(n, &out.quorum->n_brokers);
		break;
	default: UNREACHABLE();
	}
	if (rpc_reply(s->rpc, id, &out.base) == ERR_LIMIT)
		node_reply_error(
			s->rpc, id, KERR_UNKNOWN_SERVER_ERROR,
			"the answer is larger than a frame may be; read the log in pieces instead");
	arena_reset(&n->scratch);
}

/* For `weir cluster health` and `brokers list`: the state plus what only this process knows of
 * connections. */
static void describe(struct node *n, Weir__Response *out)
{
	Weir__ControllerState *c = arena_must(&n->scratch, sizeof(*c));
	const struct image *im = n->stable;

	*c = (Weir__ControllerState)WEIR__CONTROLLER_STATE__INIT;
	c->id = n->options->id;
	c->cluster_id = (char *)(uintptr_t)arena_str(&n->scratch, n->options->ctl.cluster_id).at;
	c->epoch = im->controller_epoch;
	c->log_end = mlog_end(n->log);
	c->committed = im->offset;
	c->has_active = true;
	c->active = quorum_leader(n->quorum);
	c->has_unclean_elections = c->has_uptime_ms = true;
	c->unclean_elections = n->n_unclean;
	c->uptime_ms = (env_mono_us(n->env) - n->started_us) / 1000;
	c->n_voters = (size_t)im->n_voters;
	c->voters = arena_must(&n->scratch, c->n_voters * sizeof(*c->voters) + 1);
	c->silent_voters = arena_must(&n->scratch, c->n_voters * sizeof(*c->voters) + 1);
	c->replaced_voters = arena_must(&n->scratch, c->n_voters * sizeof(*c->voters) + 1);
	for (int32_t i = 0; i < im->n_voters; i++) {
		c->voters[i] = im->voters[i].id;
		if (!quorum_hears_of(n->quorum, c->voters[i]))
			c->silent_voters[c->n_silent_voters++] = c->voters[i];
		if (quorum_is_replaced(n->quorum, c->voters[i]))
			c->replaced_voters[c->n_replaced_voters++] = c->voters[i];
	}
	c->brokers = describe_brokers(n, &c->n_brokers);
	out->body_case = WEIR__RESPONSE__BODY_CONTROLLER;
	out->controller = c;
}

static Weir__BrokerState **describe_brokers(struct node *n, size_t *n_brokers)
{
	const struct image *im = n->stable;
	Weir__BrokerState **v = arena_must(&n->scratch, (size_t)im->n_brokers * sizeof(void *) + 1);

	*n_brokers = (size_t)im->n_brokers;
	for (int32_t i = 0; i < im->n_brokers; i++) {
		v[i] = arena_must(&n->scratch, sizeof(*v[i]));
		describe_broker(n, im->brokers[i], v[i]);
	}
	return v;
}

static void describe_broker(const struct node *n, const struct image_broker *b,
			    Weir__BrokerState *out)
{
	const struct link *l = map_find(&n->links, (uint64_t)(uint32_t)b->id);

	*out = (Weir__BrokerState)WEIR__BROKER_STATE__INIT;
	out->id = b->id;
	out->has_connected = true;
	if (l == NULL)
		return;
	out->connected = l->session != NULL;
	out->has_last_contact_ms = out->has_metadata_offset = true;
	out->last_contact_ms = (env_mono_us(n->env) - l->contact_us) / 1000;
	out->metadata_offset = l->applied;
}

/* From what is in memory; older records are in the snapshot only (log->start says
 * where it begins). */
static void read_log(struct node *n, const Weir__ReadLog *m, Weir__Response *out)
{
	Weir__LogEntries *log = arena_must(&n->scratch, sizeof(*log));
	/* `end` is what is committed, not the end of the log: what may still be cut is shown to
	 * nobody. */
	int64_t at = i64_max(m->from, mlog_start(n->log)), end = n->stable->offset;
	int64_t count = i64_min(i64_max(m->count, 0), LOG_COUNT_MAX), bytes = 0;

	*log = (Weir__LogEntries)WEIR__LOG_ENTRIES__INIT;
	log->start = mlog_start(n->log);
	log->end = end;
	log->entries = arena_must(&n->scratch, (size_t)count * sizeof(*log->entries) + 1);
	for (; at < end && (int64_t)log->n_entries < count && bytes < LOG_BYTES_MAX; at++) {
		const struct mlog_entry *e = mlog_entry(n->log, at);
		Weir__LogEntry *to = arena_must(&n->scratch, sizeof(*to));

		*to = (Weir__LogEntry)WEIR__LOG_ENTRY__INIT;
		to->offset = at;
		to->epoch = e->epoch;
		to->record = mlog_unpack(&n->scratch, e->at, e->n);
		ASSERT(to->record != NULL);
		log->entries[log->n_entries++] = to;
		bytes += e->n;
	}
	out->body_case = WEIR__RESPONSE__BODY_LOG;
	out->log = log;
}

/* The records go in packed, so a large state is copied once. */
static void read_snapshot(struct node *n, Weir__Response *out)
{
	Weir__Snapshot *snap = arena_must(&n->scratch, sizeof(*snap));
	struct raw raw;

	*snap = (Weir__Snapshot)WEIR__SNAPSHOT__INIT;
	snap->offset = n->stable->offset;
	raw_init(&raw, &n->scratch, 2);
	image_dump(n->stable, add_record, &raw);
	raw_attach(&raw, &snap->base);
	out->body_case = WEIR__RESPONSE__BODY_SNAPSHOT;
	out->snapshot = snap;
}

static void add_record(void *raw, const Weir__MetadataRecord *m)
{
	raw_add_record(raw, m);
}
