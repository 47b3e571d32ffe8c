/* quorum_peers.c - connections among controllers.
 *
 * Each controller dials every other one it knows of; so between two there are up to two
 * connections, and messages take the one on which the other was heard last: after a silent death
 * and a new start that is the new one.  The end of either is told to raft at once.
 *
 *   peer      dialled: configured, or named by a record; redialled for ever, within milliseconds at
 *             first
 *   visitor   accepted: a session that said hello */
#include "controller/server/quorum_priv.h"

#include "common/base/log.h"

#define RETRY_MIN_MS 2
#define RETRY_MAX_MS 250
#define CHUNK_BYTES (1 << 20)
#define OUTPUT_MAX (24 << 20) /* waiting on one connection; raft says again what is dropped */

static void meet_address(struct quorum *, const struct peer_addr *);
static void dial(void *arg);
static void on_up(void *arg, struct rpc *);
static void on_down(void *arg, struct rpc *, enum err why);
static void on_push(void *arg, struct rpc *, const ProtobufCMessage *);
static void closed(struct quorum *, int32_t id);
static bool take_hello(const Weir__Hello *, struct hello *);
static void heard_hello(struct quorum *, const struct hello *);
static void meet_voters(struct quorum *, const struct quorum_voters *);
static void say_hello(struct quorum *, struct rpc *, bool is_dialled);
static void send_one(struct quorum *, const struct raft_msg *);
static bool fill_payload(struct quorum *, const struct raft_msg *, Weir__RaftMessage *);

static const struct rpc_events events = { .up = on_up, .down = on_down, .push = on_push };

/* ---- whom to dial ---------------------------------------------------------------------------- */

static bool same_address(const struct peer_addr *a, const struct peer_addr *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void quorum_dial_all(struct quorum *q)
{
	for (int32_t i = 0; i < q->o->n_servers; i++)
		if (q->o->servers[i].id != q->o->id)
			meet_address(q, &q->o->servers[i].addr);
	for (int32_t i = 0; i < q->met.n; i++)
		if (q->met.v[i].who.id != q->o->id)
			meet_address(q, &q->met.v[i].addr);
}

static void meet_address(struct quorum *q, const struct peer_addr *addr)
{
	struct peer *p;

	if (same_address(addr, &q->o->self) || addr->host[0] == 0 || q->phase == QUORUM_OVER)
		return;
	/* By address, not by id: whoever is dialled has not said its id yet. */
	LIST_FOR (old, &q->peers, struct peer, in_quorum)
		if (same_address(&old->addr, addr))
			return;
	p = mem_alloc(sizeof(*p));
	p->quorum = q;
	p->addr = *addr;
	timer_init(&p->retry, dial, p);
	list_push_back(&q->peers, &p->in_quorum);
	dial(p);
}

/* An address once met is kept: a newer one of the same controller replaces it. */
void quorum_meet(struct quorum *q, int32_t id, struct uuid directory, const char *host,
		 int32_t port)
{
	struct quorum_voter *v = NULL;

	if (host[0] == 0 || strlen(host) >= sizeof(v->addr.host))
		return;
	for (int32_t i = 0; i < q->met.n; i++)
		if (q->met.v[i].who.id == id)
			v = &q->met.v[i];
	/* More than can vote at once have been met over time; those that vote now say so in their
	 * hellos. */
	if (v == NULL && q->met.n == RAFT_VOTERS_MAX)
		return;
	if (v == NULL)
		v = &q->met.v[q->met.n++];
	v->who = (struct raft_voter){ id, directory };
	v->addr = (struct peer_addr){ .port = port };
	memcpy(v->addr.host, host, strlen(host));
	if (id != q->o->id && q->phase == QUORUM_RUNNING)
		meet_address(q, &v->addr);
}

bool quorum_address(const struct quorum *q, int32_t id, struct peer_addr *out)
{
	const struct hello *h = id == q->o->id ? NULL : quorum_heard(q, id);

	if (id == q->o->id)
		*out = q->o->self;
	else if (h != NULL)
		*out = h->self.addr;
	if (id == q->o->id || h != NULL)
		return true;
	for (int32_t i = 0; i < q->met.n; i++)
		if (q->met.v[i].who.id == id) {
			*out = q->met.v[i].addr;
			return true;
		}
	return false;
}

/* ---- dialled --------------------------------------------------------------------------------- */

static void dial(void *arg)
{
	struct peer *p = arg;

	p->rpc = rpc_dial(p->quorum->env, &p->addr, &weir__response__descriptor, &events, p);
}

static void on_up(void *arg, struct rpc *rpc)
{
	struct peer *p = arg;

	p->is_up = true;
	say_hello(p->quorum, rpc, true);
}

static void on_down(void *arg, struct rpc *rpc, enum err why)
{
	struct peer *p = arg;
	struct quorum *q = p->quorum;
	bool had_hello = p->has_hello;

	(void)rpc;
	(void)why;
	p->rpc = NULL;
	p->is_up = p->has_hello = false;
	/* It was there a moment ago, and mostly is again at once: a restart, not a failure. */
	if (had_hello)
		p->tries = 0;
	/* We closed it ourselves, and there is nothing to come back to. */
	if (p->is_self)
		return;
	timer_after_ms(q->env, &p->retry,
		       rpc_backoff_ms(&q->env->prng, p->tries++, RETRY_MIN_MS, RETRY_MAX_MS));
	if (had_hello)
		closed(q, p->hello.self.who.id);
}

static void on_push(void *arg, struct rpc *rpc, const ProtobufCMessage *m)
{
	struct peer *p = arg;
	struct quorum *q = p->quorum;
	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	p->heard_us = env_mono_us(q->env);
	if (r->body_case == WEIR__RESPONSE__BODY_HELLO && take_hello(r->hello, &p->hello)) {
		p->has_hello = true;
		if (p->hello.self.who.id == q->o->id &&
		    uuid_eq(p->hello.self.who.directory, q->o->directory)) {
			p->is_self = true; /* an alias of our own address */
			rpc_close(rpc);
			p->rpc = NULL;
			p->is_up = p->has_hello = false;
			return;
		}
		heard_hello(q, &p->hello);
	} else if (r->body_case == WEIR__RESPONSE__BODY_RAFT) {
		quorum_take(q, r->raft);
	}
}

void quorum_hang_up(struct quorum *q)
{
	LIST_FOR (p, &q->peers, struct peer, in_quorum) {
		timer_clear(q->env, &p->retry);
		rpc_close(p->rpc);
		list_remove(&p->in_quorum);
		mem_free(p);
	}
	LIST_FOR (v, &q->visitors, struct visitor, in_quorum) {
		list_remove(&v->in_quorum);
		mem_free(v);
	}
}

/* ---- accepted -------------------------------------------------------------------------------- */

struct visitor *quorum_hello(struct quorum *q, struct visitor *v, struct rpc *rpc,
			     const Weir__Hello *m)
{
	struct hello h;

	if (q->phase == QUORUM_OVER || !take_hello(m, &h))
		return v;
	if (v == NULL) {
		v = mem_alloc(sizeof(*v));
		v->rpc = rpc;
		list_push_back(&q->visitors, &v->in_quorum);
	}
	v->hello = h;
	v->heard_us = env_mono_us(q->env);
	say_hello(q, rpc, false);
	/* Our own id and our own disk: it is ourselves, who dialled an alias; that side closes
	 * it. */
	if (h.self.who.id != q->o->id)
		heard_hello(q, &h);
	else if (!uuid_eq(h.self.who.directory, q->o->directory))
		log_error("quorum",
			  "another controller has this one's node.id: give each its own number",
			  F_I64("id", h.self.who.id), F_Z("host", h.self.addr.host),
			  F_I64("port", h.self.addr.port));
	return v;
}

void quorum_message(struct quorum *q, struct visitor *v, const Weir__RaftMessage *m)
{
	if (v == NULL)
		return;
	v->heard_us = env_mono_us(q->env);
	quorum_take(q, m);
}

void quorum_leave(struct quorum *q, struct visitor *v)
{
	int32_t id;

	if (v == NULL || q->phase == QUORUM_OVER)
		return;
	id = v->hello.self.who.id;
	list_remove(&v->in_quorum);
	mem_free(v);
	closed(q, id);
}

/* A hint: it may have been a connection among two.  Raft asks the others before it acts. */
static void closed(struct quorum *q, int32_t id)
{
	struct raft_event ev = { .kind = RAFT_EV_CLOSED, .peer = id };

	if (q->has_raft)
		(void)quorum_step(q, &ev);
}

/* ---- hello ----------------------------------------------------------------------------------- */

static bool take_hello(const Weir__Hello *m, struct hello *h)
{
	*h = (struct hello){ .self.who.id = m->id, .is_member = m->is_member };
	if (m->id < 0 || strlen(m->cluster_id) >= sizeof(h->cluster_id) ||
	    strlen(m->host) >= sizeof(h->self.addr.host) || m->n_voters > RAFT_VOTERS_MAX ||
	    !quorum_uuid(&m->directory_id, &h->self.who.directory))
		return false;
	memcpy(h->cluster_id, m->cluster_id, strlen(m->cluster_id));
	memcpy(h->self.addr.host, m->host, strlen(m->host));
	h->self.addr.port = m->port;
	for (size_t i = 0; i < m->n_voters; i++) {
		const Weir__Voter *v = m->voters[i];
		struct quorum_voter *to = &h->voters.v[h->voters.n++];

		if (!quorum_uuid(&v->directory_id, &to->who.directory) ||
		    strlen(v->host) >= sizeof(to->addr.host))
			return false;
		to->who.id = v->id;
		memcpy(to->addr.host, v->host, strlen(v->host));
		to->addr.port = v->port;
	}
	return true;
}

static void heard_hello(struct quorum *q, const struct hello *h)
{
	struct str ours = q->on->cluster_id(q->arg);

	if (q->phase == QUORUM_OUTSIDE)
		quorum_consider(q);
	else if (h->is_member && !str_eq(ours, str_of(h->cluster_id)))
		log_error("quorum", "a controller of another cluster is at that address",
			  F_Z("host", h->self.addr.host), F_I64("port", h->self.addr.port),
			  F_Z("theirs", h->cluster_id), F_STR("ours", ours));
	else if (h->is_member)
		meet_voters(q, &h->voters);
}

/* The leader may be one that no record here names yet. */
static void meet_voters(struct quorum *q, const struct quorum_voters *set)
{
	for (int32_t i = 0; i < set->n; i++) {
		const struct quorum_voter *v = &set->v[i];
		struct peer_addr known;

		if (!quorum_address(q, v->who.id, &known))
			quorum_meet(q, v->who.id, v->who.directory, v->addr.host, v->addr.port);
	}
}

/* The newest word of that controller, on whichever connection. */
const struct hello *quorum_heard(const struct quorum *q, int32_t id)
{
	const struct hello *found = NULL;
	int64_t at = -1;

	LIST_FOR (p, &q->peers, struct peer, in_quorum)
		if (p->has_hello && p->hello.self.who.id == id && p->heard_us > at) {
			found = &p->hello;
			at = p->heard_us;
		}
	LIST_FOR (v, &q->visitors, struct visitor, in_quorum)
		if (v->hello.self.who.id == id && v->heard_us > at) {
			found = &v->hello;
			at = v->heard_us;
		}
	return found;
}

/* The voters as this controller knows them: of raft, when it runs. */
static void voters_to_tell(const struct quorum *q, struct quorum_voters *out)
{
	*out = q->phase == QUORUM_OUTSIDE ? q->proposed : q->base;
	if (!q->has_raft)
		return;
	out->n = q->raft.voters.set.n;
	for (int32_t i = 0; i < out->n; i++) {
		out->v[i].who = q->raft.voters.set.v[i];
		if (!quorum_address(q, out->v[i].who.id, &out->v[i].addr))
			out->v[i].addr = (struct peer_addr){ .host = "" };
	}
}

static void say_hello(struct quorum *q, struct rpc *rpc, bool is_dialled)
{
	Weir__Hello m = WEIR__HELLO__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response response = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__Voter rows[RAFT_VOTERS_MAX], *list[RAFT_VOTERS_MAX];
	struct str cluster = q->on->cluster_id(q->arg);
	char cluster_z[CLUSTER_ID_MAX] = "";
	struct quorum_voters voters;

	memcpy(cluster_z, cluster.at, size_min(cluster.n, sizeof(cluster_z) - 1));
	m.id = q->o->id;
	m.directory_id = quorum_bytes(&q->o->directory);
	m.cluster_id = cluster_z;
	m.host = (char *)(uintptr_t)q->o->self.host;
	m.port = q->o->self.port;
	m.is_member = q->phase == QUORUM_RUNNING;
	voters_to_tell(q, &voters);
	for (int32_t i = 0; i < voters.n; i++) {
		weir__voter__init(&rows[i]);
		rows[i].id = voters.v[i].who.id;
		rows[i].directory_id = quorum_bytes(&voters.v[i].who.directory);
		rows[i].host = voters.v[i].addr.host;
		rows[i].port = voters.v[i].addr.port;
		list[i] = &rows[i];
	}
	m.voters = list;
	m.n_voters = (size_t)voters.n;
	response.status = &status;
	request.body_case = WEIR__REQUEST__BODY_HELLO;
	response.body_case = WEIR__RESPONSE__BODY_HELLO;
	request.hello = response.hello = &m;
	(void)rpc_push(rpc, is_dialled ? &request.base : &response.base);
}

void quorum_say_hello(struct quorum *q)
{
	LIST_FOR (p, &q->peers, struct peer, in_quorum)
		if (p->is_up)
			say_hello(q, p->rpc, true);
	LIST_FOR (v, &q->visitors, struct visitor, in_quorum)
		say_hello(q, v->rpc, false);
}

/* ---- raft's messages ------------------------------------------------------------------------- */

/* Where that controller was heard last; whether its disk is the one that is meant raft sees
 * itself. */
static struct rpc *way_to(const struct quorum *q, struct raft_voter to, bool *is_dialled)
{
	struct rpc *found = NULL;
	int64_t at = -1;

	LIST_FOR (p, &q->peers, struct peer, in_quorum)
		if (p->has_hello && p->hello.self.who.id == to.id && p->heard_us > at) {
			found = p->rpc;
			at = p->heard_us;
			*is_dialled = true;
		}
	LIST_FOR (v, &q->visitors, struct visitor, in_quorum)
		if (v->hello.self.who.id == to.id && v->heard_us > at) {
			found = v->rpc;
			at = v->heard_us;
			*is_dialled = false;
		}
	return found;
}

/* A message that cannot leave is lost, which raft is made for. */
void quorum_send(struct quorum *q, const struct raft_msg *msg)
{
	struct raft_msg one = *msg;

	if (msg->to.id >= 0) {
		send_one(q, msg);
		return;
	}
	LIST_FOR (p, &q->peers, struct peer, in_quorum)
		if (p->has_hello) {
			one.to = p->hello.self.who;
			send_one(q, &one);
		}
	LIST_FOR (v, &q->visitors, struct visitor, in_quorum) {
		one.to = v->hello.self.who;
		send_one(q, &one);
	}
}

static void send_one(struct quorum *q, const struct raft_msg *msg)
{
	struct quorum_packed packed;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response response = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	bool is_dialled = false;
	struct rpc *rpc = way_to(q, msg->to, &is_dialled);

	/* Dropped: a peer that does not read must not take all of our memory. */
	if (rpc == NULL || rpc_pending(rpc) > OUTPUT_MAX)
		return;
	quorum_pack(msg, &packed);
	if (fill_payload(q, msg, &packed.m)) {
		response.status = &status;
		request.body_case = WEIR__REQUEST__BODY_RAFT;
		response.body_case = WEIR__RESPONSE__BODY_RAFT;
		request.raft = response.raft = &packed.m;
		(void)rpc_push(rpc, is_dialled ? &request.base : &response.base);
	}
	arena_reset(&q->scratch);
}

/* False: what it speaks of is not here any more. */
static bool fill_payload(struct quorum *q, const struct raft_msg *msg, Weir__RaftMessage *m)
{
	size_t n = CHUNK_BYTES;
	bool is_last = false;
	int64_t epoch;

	if (msg->kind == RAFT_APPEND && msg->append.end > msg->append.prev) {
		/* A message that waited for the disk may speak of records that have gone since, to
		 * a cut or into a snapshot. */
		if (msg->append.prev < mlog_start(q->log) || msg->append.end > mlog_end(q->log))
			return false;
		m->has_payload = true;
		m->payload.len = mlog_raw_size(q->log, msg->append.prev, msg->append.end);
		m->payload.data = arena_must(&q->scratch, m->payload.len);
		mlog_raw(q->log, msg->append.prev, msg->append.end, m->payload.data);
	}
	if (msg->kind != RAFT_SNAPSHOT)
		return true;
	if (msg->snapshot.end != mlog_newest_snapshot(q->log, &epoch))
		return false;
	m->has_payload = true;
	m->payload.data = arena_must(&q->scratch, n);
	if (mlog_load(q->log, msg->snapshot.offset, m->payload.data, &n, &is_last) != ERR_OK)
		return false;
	m->payload.len = n;
	m->d = (int64_t)n;
	m->flag = is_last;
	return true;
}
