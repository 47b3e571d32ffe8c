/* node.c - submit, commit, park; snapshots, timers and connections around them.
 *
 *   request -> node_submit -> ctl_decide -> append: replay into ctl.image, mlog_append
 *                          -> parked until mlog says on_committed(end >= its end)
 *   commit  -> follow: apply to `stable` -> release: replies leave, or wait in `applying` until
 *              every broker has applied them -> link_pump: brokers get the records
 *
 * ctl.image runs ahead of stable by what is being written.  Decisions are made on the former, so
 * two commands in one round see each other; everything shown or answered comes from the latter, so
 * nobody ever learns of a record that a crash could take back. */
#include "controller/server/node.h"

#include "common/base/log.h"
#include "common/wire/kerr.h"
#include "controller/server/link.h"
#include "controller/server/mlog_disk.h"

/* One command's records and reply; a request of the largest allowed size stays far below it. */
#define REPLY_ARENA_MAX ((size_t)256 << 20)

static void on_replay(void *arg, int64_t offset, bool is_snapshot, const Weir__MetadataRecord *);
static void on_committed(void *arg, int64_t end);
static void on_failed(void *arg, enum err);
static void follow(struct node *, int64_t end);
static void release(struct node *, int64_t end);
static void settle(struct parked *);
static void reply(struct parked *);
static void parked_free(struct parked *);
static void on_deadline(void *arg);
static void append(struct node *, struct ctl_result *);
static void on_kick(struct mail *);
static void maybe_snapshot(struct node *);
static void dump_stable(void *state, void (*each)(void *arg, const Weir__MetadataRecord *),
			void *arg);
static void snapshot_freed(struct mlog_snapshot *);
static void on_rebalance(void *arg);
static void on_leaderless(void *arg);
static void session_down(void *arg, struct rpc *, enum err);
static void session_call(void *arg, struct rpc *, uint64_t id, const ProtobufCMessage *);
static void session_push(void *arg, struct rpc *, const ProtobufCMessage *);
static void session_drained(void *arg, struct rpc *);

static const struct mlog_events log_events = { on_committed, on_failed, on_replay };
static const struct rpc_events session_events = {
	.down = session_down,
	.call = session_call,
	.push = session_push,
	.drained = session_drained,
};

/* ---- life ------------------------------------------------------------------------------------ */

/* Recovery and start are one thing: replay everything, then both images are the same. */
enum err node_new(struct env *env, const struct node_options *o, struct node **out, char *why,
		  size_t cap)
{
	struct node *n = mem_alloc(sizeof(*n));
	struct mlog_options log = { o->dir, o->snapshot_bytes };
	enum err e;

	n->env = env;
	n->options = o;
	n->started_us = env_mono_us(env);
	ctl_init(&n->ctl, &o->ctl);
	list_init(&n->sessions);
	list_init(&n->parked);
	list_init(&n->applying);
	n->kick.fn = on_kick;
	map_init(&n->links, prng_u64(&env->prng));
	arena_init(&n->scratch, REPLY_ARENA_MAX);
	timer_init(&n->rebalance, on_rebalance, n);
	timer_init(&n->leaderless, on_leaderless, n);
	if ((e = mlog_open(env, &log, &log_events, n, &n->log, why, cap)) != ERR_OK) {
		node_free(n);
		return e;
	}
	n->ctl.image->offset = mlog_end(n->log);
	n->stable = image_clone(n->ctl.image);
	image_check(n->stable);
	*out = n;
	return ERR_OK;
}

/* A kind from a newer log is skipped, not fatal: see image.h. */
static void on_replay(void *arg, int64_t offset, bool is_snapshot, const Weir__MetadataRecord *m)
{
	struct node *n = arg;

	if (image_apply(n->ctl.image, m) != ERR_OK)
		log_warn("controller", "a metadata record that makes no sense here was skipped",
			 F_I64("offset", offset), F_I64("kind", m->body_case),
			 F_I64("snapshot", is_snapshot));
}

/* The first record of an epoch; then the brokers that were in service have a session's time. */
void node_start(struct node *n)
{
	struct ctl_cmd cmd = { .kind = CTL_ACTIVATE, .activate.controller = n->options->id };
	struct asked nobody = { 0 };

	(void)node_submit(n, &cmd, &nobody);
	links_expect_all(n);
	if (n->options->rebalance_enable)
		timer_after_ms(n->env, &n->rebalance, n->options->rebalance_interval_ms);
	/* Brokers that were gone before the start are not known here: one look after a session. */
	timer_after_ms(n->env, &n->leaderless, n->options->session_timeout_ms);
}

/* Parked commands stay: jobs may still be on their way, node_free lets go of everything. */
void node_stop(struct node *n)
{
	n->is_stopped = true;
	timer_clear(n->env, &n->rebalance);
	timer_clear(n->env, &n->leaderless);
	LIST_FOR (s, &n->sessions, struct session, in_node) {
		rpc_close(s->rpc);
		list_remove(&s->in_node);
		mem_free(s);
	}
	links_free(n);
}

void node_free(struct node *n)
{
	if (n == NULL)
		return;
	if (!n->is_stopped)
		node_stop(n);
	LIST_FOR (p, &n->parked, struct parked, in_list)
		parked_free(p);
	LIST_FOR (p, &n->applying, struct parked, in_list)
		parked_free(p);
	mlog_close(n->log);
	ctl_fini(&n->ctl);
	image_put(n->stable);
	map_fini(&n->links);
	arena_fini(&n->scratch);
	mem_free(n);
}

/* ---- submit ---------------------------------------------------------------------------------- */

/* The one way in: brokers, the CLI and our own timers all come through here, one
 * after the other. */
int32_t node_submit(struct node *n, const struct ctl_cmd *cmd, const struct asked *by)
{
	struct parked *p = mem_alloc(sizeof(*p));
	struct ctl_cmd awaiting;
	int32_t code;

	p->node = n;
	p->rpc = by->rpc != NULL ? rpc_get(by->rpc) : NULL;
	p->id = by->id;
	p->committed = by->committed;
	p->broker = by->broker;
	p->metadata_offset = by->metadata_offset;
	timer_init(&p->deadline, on_deadline, p);
	arena_init(&p->arena, REPLY_ARENA_MAX);
	ctl_result_init(&p->result, &p->arena);
	links_await(n, &p->arena, cmd, &awaiting);
	ctl_decide(&n->ctl, &awaiting, &p->result);
	code = p->result.status.code;
	p->waits_applied = by->applied_timeout_ms > 0 && p->result.n_records > 0;
	p->timeout_ms = by->applied_timeout_ms;
	append(n, &p->result);
	/* Even a refusal may rest on records that are not committed yet, so it waits for them. */
	p->end = mlog_end(n->log);
	list_push_back(&n->parked, &p->in_list);
	if (p->end == mlog_committed(n->log) && !n->is_kicked) {
		n->is_kicked = true;
		env_post(n->env, &n->kick);
	}
	return code;
}

/* Replies that need not wait are sent by a mail to ourselves, because node_submit promises that
 * nothing happens before it returns. */
static void on_kick(struct mail *m)
{
	struct node *n = CONTAINER_OF(m, struct node, kick);

	n->is_kicked = false;
	if (!n->is_stopped)
		release(n, mlog_committed(n->log));
}

/* The wall clock goes into the records for people; no decision ever reads it. */
static void append(struct node *n, struct ctl_result *r)
{
	int64_t now_ms = env_wall_ms(n->env);

	if (r->n_records == 0 || n->is_stopped)
		return;
	for (int32_t i = 0; i < r->n_records; i++) {
		enum err e;

		r->records[i]->has_time_ms = true;
		r->records[i]->time_ms = now_ms;
		node_log_record(n->ctl.image, r->records[i]);
		e = ctl_replay(&n->ctl, r->records[i]);
		ASSERT(e == ERR_OK);
	}
	n->n_unclean += r->n_unclean;
	(void)mlog_append(n->log, n->ctl.image->controller_epoch, r->records, r->n_records);
	ASSERT(mlog_end(n->log) == n->ctl.image->offset);
}

/* ---- commit ---------------------------------------------------------------------------------- */

static void on_committed(void *arg, int64_t end)
{
	struct node *n = arg;

	if (n->is_stopped)
		return;
	follow(n, end);
	release(n, end);
	MAP_FOR (slot, &n->links)
		link_pump(slot->value);
	node_progress(n);
	maybe_snapshot(n);
}

static void on_failed(void *arg, enum err e)
{
	struct node *n = arg;

	log_error("controller",
		  "the metadata log cannot be written; stopping, because nothing more can be "
		  "promised",
		  F_Z("dir", n->options->dir), F_Z("error", err_text(e)));
	if (n->is_stopped)
		return;
	n->is_stopped = true;
	n->failed(n->arg);
}

/* Unpacks what was packed: the second image is folded from the bytes that are on disk, so a record
 * that does not survive packing is found at once and not at the next start. */
static void follow(struct node *n, int64_t end)
{
	for (; n->stable->offset < end; n->stable->offset++) {
		const struct mlog_entry *e = mlog_entry(n->log, n->stable->offset);
		Weir__MetadataRecord *m = mlog_unpack(&n->scratch, e->at, e->n);
		enum err err;

		ASSERT(m != NULL);
		err = image_apply(n->stable, m);
		ASSERT(err == ERR_OK);
		arena_reset(&n->scratch);
	}
}

/* Parked commands are in the order of their ends. */
static void release(struct node *n, int64_t end)
{
	while (!list_empty(&n->parked)) {
		struct parked *p = LIST_FIRST(&n->parked, struct parked, in_list);

		if (p->end > end)
			return;
		list_remove(&p->in_list);
		settle(p);
	}
}

/* Committed; an admin request may still have to wait for the brokers (links_applied). */
static void settle(struct parked *p)
{
	struct node *n = p->node;

	if (p->committed != NULL)
		p->committed(p);
	if (p->waits_applied && !links_applied(n, p->end, -1)) {
		list_push_back(&n->applying, &p->in_list);
		timer_after_ms(n->env, &p->deadline, p->timeout_ms);
		return;
	}
	reply(p);
}

static void reply(struct parked *p)
{
	if (p->rpc != NULL && rpc_reply(p->rpc, p->id, &p->result.reply.base) == ERR_LIMIT)
		node_reply_error(p->rpc, p->id, KERR_UNKNOWN_SERVER_ERROR,
				 "the answer is larger than a frame may be; ask for less at once");
	parked_free(p);
}

static void parked_free(struct parked *p)
{
	list_remove(&p->in_list);
	timer_clear(p->node->env, &p->deadline);
	rpc_put(p->rpc);
	ctl_result_fini(&p->result);
	arena_fini(&p->arena);
	mem_free(p);
}

/* It is committed; a broker that is slow to apply it does not make it less true. */
static void on_deadline(void *arg)
{
	struct parked *p = arg;

	list_remove(&p->in_list);
	reply(p);
}

/* A broker applied more, or is fenced and counts no longer. */
void node_progress(struct node *n)
{
	LIST_FOR (p, &n->applying, struct parked, in_list)
		if (links_applied(n, p->end, -1)) {
			list_remove(&p->in_list);
			reply(p);
		}
	links_check_shutdowns(n);
}

void node_reply_error(struct rpc *rpc, uint64_t id, int32_t code, const char *message)
{
	Weir__Response out = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;

	status.code = code;
	status.message = (char *)(uintptr_t)message;
	out.status = &status;
	(void)rpc_reply(rpc, id, &out.base);
}

/* ---- snapshots and timers -------------------------------------------------------------------- */

/* The clone shares its rows with stable, so it costs a pointer per topic; the job only reads it. */
static void maybe_snapshot(struct node *n)
{
	if (!mlog_wants_snapshot(n->log))
		return;
	n->snapshot = (struct mlog_snapshot){
		.offset = n->stable->offset,
		.epoch = n->stable->controller_epoch,
		.state = image_clone(n->stable),
		.dump = dump_stable,
		.freed = snapshot_freed,
	};
	mlog_snapshot(n->log, &n->snapshot);
}

static void dump_stable(void *state, void (*each)(void *arg, const Weir__MetadataRecord *),
			void *arg)
{
	image_dump(state, each, arg);
}

static void snapshot_freed(struct mlog_snapshot *s)
{
	if (s->result == ERR_OK)
		log_info("controller", "wrote a snapshot of the metadata",
			 F_I64("offset", s->offset));
	image_put(s->state);
}

static void on_rebalance(void *arg)
{
	struct node *n = arg;
	struct ctl_cmd cmd = { .kind = CTL_REBALANCE };
	struct asked nobody = { 0 };
	int64_t end = mlog_end(n->log);

	(void)node_submit(n, &cmd, &nobody);
	/* A full pass is followed by the next one soon, otherwise there is time. */
	timer_after_ms(n->env, &n->rebalance,
		       mlog_end(n->log) - end >= CTL_PREFERRED_PER_PASS
			       ? 100
			       : n->options->rebalance_interval_ms);
}

/* For topics that allow unclean elections and partitions whose last replica has been gone long. */
static void on_leaderless(void *arg)
{
	struct node *n = arg;
	struct ctl_cmd cmd = { .kind = CTL_ELECT_LEADERLESS };
	struct asked nobody = { 0 };

	(void)node_submit(n, &cmd, &nobody);
	timer_after_ms(n->env, &n->leaderless, n->options->unclean_interval_ms);
}

/* ---- connections ----------------------------------------------------------------------------- */

void node_accept(void *arg, struct env *env, struct conn *conn)
{
	struct node *n = arg;
	struct session *s = mem_alloc(sizeof(*s));

	s->node = n;
	list_push_back(&n->sessions, &s->in_node);
	s->rpc = rpc_accept(env, conn, &weir__request__descriptor, &session_events, s);
}

/* A broker's connection ended: this is where a failover begins. */
static void session_down(void *arg, struct rpc *rpc, enum err why)
{
	struct session *s = arg;

	(void)rpc;
	(void)why;
	if (s->link != NULL && s->link->session == s)
		link_closed(s->link);
	list_remove(&s->in_node);
	mem_free(s);
}

/* Anything a peer sends counts as a sign of life. */
static void session_call(void *arg, struct rpc *rpc, uint64_t id, const ProtobufCMessage *m)
{
	struct session *s = arg;
	const Weir__Request *q = (const Weir__Request *)(const void *)m;

	if (s->link != NULL)
		link_contact(s->link);
	switch (q->body_case) {
	case WEIR__REQUEST__BODY_REGISTER_BROKER:
	case WEIR__REQUEST__BODY_ALTER_PARTITION:
	case WEIR__REQUEST__BODY_ALLOCATE_PRODUCER_IDS:
	case WEIR__REQUEST__BODY_UNREGISTER_BROKER: rpc_broker_call(s, id, q); return;
	case WEIR__REQUEST__BODY_CREATE_TOPICS:
	case WEIR__REQUEST__BODY_DELETE_TOPICS:
	case WEIR__REQUEST__BODY_CREATE_PARTITIONS:
	case WEIR__REQUEST__BODY_ALTER_CONFIGS:
	case WEIR__REQUEST__BODY_ELECT_LEADERS:
	case WEIR__REQUEST__BODY_REASSIGN_PARTITIONS:
	case WEIR__REQUEST__BODY_UPDATE_FEATURES: rpc_admin_call(s, id, q); return;
	case WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER:
	case WEIR__REQUEST__BODY_READ_LOG:
	case WEIR__REQUEST__BODY_READ_SNAPSHOT: rpc_look_call(s, id, q); return;
	case WEIR__REQUEST__BODY_HEARTBEAT:
	case WEIR__REQUEST__BODY__NOT_SET:
	case _WEIR__REQUEST__BODY__CASE_IS_INT_SIZE: break;
	}
	node_reply_error(rpc, id, KERR_UNSUPPORTED_VERSION,
			 "this controller does not know the request");
}

/* Heartbeats are taken as they arrive and wait for nothing, however long the log takes. */
static void session_push(void *arg, struct rpc *rpc, const ProtobufCMessage *m)
{
	const Weir__Request *q = (const Weir__Request *)(const void *)m;

	(void)rpc;
	if (q->body_case == WEIR__REQUEST__BODY_HEARTBEAT)
		link_heartbeat(arg, q->heartbeat);
}

static void session_drained(void *arg, struct rpc *rpc)
{
	struct session *s = arg;

	(void)rpc;
	if (s->link != NULL && s->link->session == s)
		link_pump(s->link);
}
