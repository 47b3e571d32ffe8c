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
#define BATCH_BYTES (1 << 20)

static void settle(struct parked *);
static void reply(struct parked *);
static void parked_free(struct parked *);
static void on_deadline(void *arg);
static void on_kick(struct mail *);
static void dump_stable(void *state, void (*each)(void *arg, const Weir__MetadataRecord *),
			void *arg);
static void snapshot_freed(struct mlog_snapshot *);
static void on_rebalance(void *arg);
static void on_leaderless(void *arg);
static void session_down(void *arg, struct rpc *, enum err);
static void session_call(void *arg, struct rpc *, uint64_t id, const ProtobufCMessage *);
static void session_push(void *arg, struct rpc *, const ProtobufCMessage *);
typedef void take_request(struct session *, uint64_t id, const Weir__Request *);
static take_request *taker_of(const Weir__Request *);
static void session_drained(void *arg, struct rpc *);

static const struct rpc_events session_events = {
	.down = session_down,
	.call = session_call,
	.push = session_push,
	.drained = session_drained,
};

/* ---- life ------------------------------------------------------------------------------------ */

/* The state is that of the newest snapshot; the log behind it is applied as the quorum says that it
 * is committed. */
enum err node_new(struct env *env, const struct node_options *o, struct node **out, char *why,
		  size_t cap)
{
	struct node *n = mem_alloc(sizeof(*n));
	enum err e;

	n->env = env;
	n->options = o;
	n->started_us = env_mono_us(env);
	ctl_init(&n->ctl, &o->ctl);
	list_init(&n->sessions);
	list_init(&n->parked);
	list_init(&n->applying);
	list_init(&n->waiting);
	n->stable = image_new();
	n->kick.fn = on_kick;
	map_init(&n->links, prng_u64(&env->prng));
	arena_init(&n->scratch, REPLY_ARENA_MAX);
	timer_init(&n->rebalance, on_rebalance, n);
	timer_init(&n->leaderless, on_leaderless, n);
	timer_init(&n->leaving, node_on_leaving, n);
	e = quorum_new(env, &o->quorum, &node_quorum_events, n, &n->quorum, why, cap);
	if (e != ERR_OK) {
		node_free(n);
		return e;
	}
	n->log = quorum_log(n->quorum);
	n->stable->offset = mlog_start(n->log);
	image_check(n->stable);
	*out = n;
	return ERR_OK;
}

void node_start(struct node *n)
{
	quorum_start(n->quorum);
}

/* Parked commands stay: jobs may still be on their way, node_free lets go of everything. */
void node_stop(struct node *n)
{
	n->is_stopped = true;
	quorum_stop(n->quorum);
	timer_clear(n->env, &n->rebalance);
	timer_clear(n->env, &n->leaderless);
	timer_clear(n->env, &n->leaving);
	node_answer_waiting(n, true);
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
	quorum_free(n->quorum);
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
	p->waits_applied =
		by->applied_timeout_ms > 0 && (p->result.n_records > 0 || p->result.is_again);
	p->timeout_ms = by->applied_timeout_ms;
	if (p->result.n_records > 0)
		node_append(n, p->result.records, p->result.n_records, ctl_is_whole(cmd->kind));
	n->n_unclean += p->result.n_unclean;
	/* Even a refusal may rest on records that are not committed yet, so it waits for them. */
	p->end = mlog_end(n->log);
	list_push_back(&n->parked, &p->in_list);
	if (p->end == n->stable->offset && !n->is_kicked) {
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
		node_release(n, n->stable->offset);
}

/* So many as followers can be sent well in one frame. */
static int32_t batch_of(Weir__MetadataRecord *const *v, int32_t count)
{
	size_t bytes = 0;
	int32_t n = 0;

	while (n < count && (n == 0 || bytes < BATCH_BYTES))
		bytes += MLOG_ENTRY + weir__metadata_record__get_packed_size(v[n++]);
	return n;
}

/* The wall clock goes into the records for people; no decision ever reads it. */
void node_append(struct node *n, Weir__MetadataRecord *const *v, int32_t count, bool whole)
{
	int64_t now_ms = env_wall_ms(n->env);

	if (n->is_stopped)
		return;
	ASSERT(n->is_active);
	for (int32_t i = 0; i < count; i++) {
		enum err e;

		v[i]->has_time_ms = true;
		v[i]->time_ms = now_ms;
		node_log_record(n->ctl.image, v[i]);
		e = ctl_replay(&n->ctl, v[i]);
		ASSERT(e == ERR_OK);
	}
	ASSERT(n->ctl.image->controller_epoch == quorum_term(n->quorum));
	for (int32_t at = 0, k; at < count; at += k) {
		k = whole ? count : batch_of(v + at, count - at);
		(void)mlog_append(n->log, n->ctl.image->controller_epoch, v + at, k);
	}
	ASSERT(mlog_end(n->log) == n->ctl.image->offset);
	quorum_appended(n->quorum);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Parked commands are in the order of their ends. */
void node_release(struct node *n, int64_t end)
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

/* This controller is not active any more.  Whether what is parked happens is not known here; what
 * is committed is true, whoever has applied it. */
void node_resign_parked(struct node *n)
{
	LIST_FOR (p, &n->parked, struct parked, in_list) {
		if (p->rpc != NULL)
			node_refuse(n, p->rpc, p->id);
		parked_free(p);
	}
	LIST_FOR (p, &n->applying, struct parked, in_list) {
		list_remove(&p->in_list);
		reply(p);
	}
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
void node_maybe_snapshot(struct node *n)
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
	struct node *n = CONTAINER_OF(s, struct node, snapshot);

	if (s->result == ERR_OK)
		log_info("controller", "wrote a snapshot of the metadata",
			 F_I64("offset", s->offset));
	image_put(s->state);
	if (s->result == ERR_OK)
		quorum_snapshot_saved(n->quorum);
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
	quorum_leave(s->node->quorum, s->visitor);
	list_remove(&s->in_node);
	mem_free(s);
}

/* Anything a peer sends counts as a sign of life.  A standby decides nothing, but may be looked
 * at. */
static void session_call(void *arg, struct rpc *rpc, uint64_t id, const ProtobufCMessage *m)
{
	struct session *s = arg;
	struct node *n = s->node;
	const Weir__Request *q = (const Weir__Request *)(const void *)m;
	take_request *take = taker_of(q);
	bool may_look = take == rpc_look_call && quorum_is_current(n->quorum);

	if (s->link != NULL)
		link_contact(s->link);
	if (take == NULL)
		node_reply_error(rpc, id, KERR_UNSUPPORTED_VERSION,
				 "this controller does not know the request");
	else if (n->is_active || may_look || q->body_case == WEIR__REQUEST__BODY_DESCRIBE_QUORUM)
		take(s, id, q);
	else
		node_refuse(n, rpc, id);
}

static void quorum_call(struct session *s, uint64_t id, const Weir__Request *q)
{
	struct ctl_cmd cmd = { 0 };

	link_asks(s, q, &cmd);
	quorum_change(s->node->quorum, s->rpc, id, q, &cmd.asker);
}

static take_request *taker_of(const Weir__Request *q)
{
	switch (q->body_case) {
	case WEIR__REQUEST__BODY_REGISTER_BROKER:
	case WEIR__REQUEST__BODY_ALTER_PARTITION:
	case WEIR__REQUEST__BODY_REPORT_LOST:
	case WEIR__REQUEST__BODY_ALLOCATE_PRODUCER_IDS:
	case WEIR__REQUEST__BODY_HOLD_BROKER:
	case WEIR__REQUEST__BODY_UNREGISTER_BROKER: return rpc_broker_call;
	case WEIR__REQUEST__BODY_CREATE_TOPICS:
	case WEIR__REQUEST__BODY_DELETE_TOPICS:
	case WEIR__REQUEST__BODY_CREATE_PARTITIONS:
	case WEIR__REQUEST__BODY_ALTER_CONFIGS:
	case WEIR__REQUEST__BODY_ELECT_LEADERS:
	case WEIR__REQUEST__BODY_REASSIGN_PARTITIONS:
	case WEIR__REQUEST__BODY_UPDATE_FEATURES: return rpc_admin_call;
	case WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER:
	case WEIR__REQUEST__BODY_READ_LOG:
	case WEIR__REQUEST__BODY_READ_SNAPSHOT:
	case WEIR__REQUEST__BODY_DESCRIBE_QUORUM: return rpc_look_call;
	case WEIR__REQUEST__BODY_ADD_VOTER:
	case WEIR__REQUEST__BODY_REMOVE_VOTER:
	case WEIR__REQUEST__BODY_TRANSFER_LEADER: return quorum_call;
	case WEIR__REQUEST__BODY_HEARTBEAT:
	case WEIR__REQUEST__BODY_HELLO:
	case WEIR__REQUEST__BODY_RAFT:
	case WEIR__REQUEST__BODY__NOT_SET:
	case _WEIR__REQUEST__BODY__CASE_IS_INT_SIZE: break;
	}
	return NULL;
}

/* Heartbeats are taken as they arrive and wait for nothing, however long the log takes. */
static void session_push(void *arg, struct rpc *rpc, const ProtobufCMessage *m)
{
	struct session *s = arg;
	struct node *n = s->node;
	const Weir__Request *q = (const Weir__Request *)(const void *)m;

	if (q->body_case == WEIR__REQUEST__BODY_HEARTBEAT && n->is_active)
		link_heartbeat(s, q->heartbeat);
	else if (q->body_case == WEIR__REQUEST__BODY_HELLO)
		s->visitor = quorum_hello(n->quorum, s->visitor, rpc, q->hello);
	else if (q->body_case == WEIR__REQUEST__BODY_RAFT)
		quorum_message(n->quorum, s->visitor, q->raft);
}

static void session_drained(void *arg, struct rpc *rpc)
{
	struct session *s = arg;

	(void)rpc;
	if (s->link != NULL && s->link->session == s)
		link_pump(s->link);
}
