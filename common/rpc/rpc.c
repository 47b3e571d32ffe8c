/* rpc.c - one struct for both ends; calls wait in a map by id and in a list by age.
 *
 *   rpc_call -> call_new -> send_message            waits: by_id, calls, its deadline
 *     reply arrives    -> receive_reply -> call_end(ERR_OK)
 *     deadline passes  -> on_deadline   -> call_end(ERR_TIMEOUT); a late reply is dropped
 *     connection ends  -> go_down       -> call_end(ERR_CLOSED), then the down event
 *     owner closes     -> rpc_close     -> call_free, no done
 *
 * Callbacks may close the rpc or call again, so a call leaves every table before its done runs, and
 * whoever runs callbacks holds a reference meanwhile.  A steady state takes nothing from the heap:
 * calls are reused and messages are unpacked into the arena. */
#include "common/rpc/rpc.h"
#include "common/base/arena_pb.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include "common/base/map.h"

enum kind { KIND_CALL = 1, KIND_REPLY = 2, KIND_PUSH = 3 };
enum { HEAD_BYTES = 9 };

struct rpc {
	struct env *env;
	struct conn *conn; /* NULL: down */
	bool owned;        /* the owner has neither heard down nor said close */
	const ProtobufCMessageDescriptor *receives;
	const struct rpc_events *on;
	void *arg;
	uint32_t refs;
	uint64_t last_id;
	struct map by_id;
	struct list calls; /* oldest first */
	uint32_t n_calls;
	struct list spare; /* calls for reuse: a steady state allocates nothing */
	struct arena arena;
};

struct call {
	struct rpc *rpc; /* a reference */
	struct list in_list;
	uint64_t id;
	enum err failure; /* what the deadline tells */
	struct timer deadline;
	rpc_done *done;
	void *arg;
};

static struct rpc *rpc_new(struct env *, const ProtobufCMessageDescriptor *,
			   const struct rpc_events *, void *arg);
static void disown(struct rpc *);
static enum err send_message(struct rpc *, enum kind, uint64_t id, const ProtobufCMessage *);
static struct call *call_new(struct rpc *, rpc_done *, void *arg);
static void on_deadline(void *);
static void call_end(struct call *, enum err, const ProtobufCMessage *);
static void call_free(struct call *);
static void on_up(void *, struct conn *);
static void on_drained(void *, struct conn *);
static void on_frame(void *, struct conn *, struct buf *);
static enum err receive(struct rpc *, const struct buf *);
static enum err receive_reply(struct rpc *, uint64_t id, const ProtobufCMessage *);
static enum err unpack(struct rpc *, const uint8_t *, size_t n, ProtobufCMessage **out);
static void on_down(void *, struct conn *, enum err);
static void go_down(struct rpc *, enum err);

static const struct conn_events events = {
	.up = on_up,
	.frame = on_frame,
	.down = on_down,
	.drained = on_drained,
};

struct rpc *rpc_dial(struct env *env, const struct peer_addr *addr,
		     const ProtobufCMessageDescriptor *receives, const struct rpc_events *on,
		     void *arg)
{
	struct rpc *r = rpc_new(env, receives, on, arg);
	r->conn = env->peers->dial(env, addr, &events, r);
	env->peers->bind(r->conn, &events, r, RPC_FRAME_MAX);
	return r;
}

struct rpc *rpc_accept(struct env *env, struct conn *conn,
		       const ProtobufCMessageDescriptor *receives, const struct rpc_events *on,
		       void *arg)
{
	struct rpc *r = rpc_new(env, receives, on, arg);
	r->conn = conn;
	env->peers->bind(conn, &events, r, RPC_FRAME_MAX);
	return r;
}

/* The first reference is the owner's, see rpc.h. */
static struct rpc *rpc_new(struct env *env, const ProtobufCMessageDescriptor *receives,
			   const struct rpc_events *on, void *arg)
{
	ASSERT(on->down);
	struct rpc *r = mem_alloc(sizeof(*r));
	r->env = env;
	r->receives = receives;
	r->on = on;
	r->arg = arg;
	r->refs = 1;
	r->owned = true;
	map_init(&r->by_id, prng_u64(&env->prng));
	list_init(&r->calls);
	list_init(&r->spare);
	arena_init(&r->arena, RPC_UNPACKED_MAX);
	return r;
}

struct rpc *rpc_get(struct rpc *r)
{
	ASSERT(r->refs > 0);
	r->refs++;
	return r;
}

void rpc_put(struct rpc *r)
{
	if (!r)
		return;
	ASSERT(r->refs > 0);
	if (--r->refs > 0)
		return;
	ASSERT(!r->conn && r->n_calls == 0);
	LIST_FOR (c, &r->spare, struct call, in_list) {
		mem_free(c);
	}
	map_fini(&r->by_id);
	arena_fini(&r->arena);
	mem_free(r);
}

void rpc_close(struct rpc *r)
{
	if (!r || !r->owned)
		return;
	if (r->conn)
		r->env->peers->close(r->conn);
	disown(r);
}

void rpc_finish(struct rpc *r)
{
	if (!r || !r->owned)
		return;
	if (r->conn)
		r->env->peers->finish(r->conn);
	disown(r);
}

/* The owner's reference ends here; calls still waiting are forgotten without a word. */
static void disown(struct rpc *r)
{
	r->conn = NULL;
	r->owned = false;
	while (!list_empty(&r->calls))
		call_free(LIST_FIRST(&r->calls, struct call, in_list));
	rpc_put(r);
}

/* A call that cannot be sent fails by its deadline, set to now: done never runs inside rpc_call. */
void rpc_call(struct rpc *r, const ProtobufCMessage *m, int64_t timeout_ms, rpc_done *done,
	      void *arg)
{
	struct call *c = call_new(r, done, arg);
	enum err e = r->n_calls > RPC_CALLS_MAX ? ERR_LIMIT : send_message(r, KIND_CALL, c->id, m);
	c->failure = e ? e : ERR_TIMEOUT;
	timer_after_ms(r->env, &c->deadline, e ? 0 : timeout_ms);
}

enum err rpc_reply(struct rpc *r, uint64_t id, const ProtobufCMessage *m)
{
	ASSERT(id > 0);
	return send_message(r, KIND_REPLY, id, m);
}

enum err rpc_push(struct rpc *r, const ProtobufCMessage *m)
{
	return send_message(r, KIND_PUSH, 0, m);
}

bool rpc_is_down(const struct rpc *r)
{
	return r->conn == NULL;
}

int64_t rpc_pending(const struct rpc *r)
{
	return r->conn ? r->env->peers->pending(r->conn) : 0;
}

/* "Equal jitter": half of the wait is fixed, half is drawn. */
int64_t rpc_backoff_ms(struct prng *p, int n, int64_t base_ms, int64_t max_ms)
{
	ASSERT(n >= 0 && base_ms > 0 && max_ms >= base_ms);
	int64_t ms = base_ms;
	for (int i = 0; i < n && ms < max_ms; i++)
		ms *= 2;
	ms = i64_min(ms, max_ms);
	return ms - (int64_t)prng_below(p, (uint64_t)ms / 2 + 1);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Packed straight into the buf that leaves. */
static enum err send_message(struct rpc *r, enum kind kind, uint64_t id, const ProtobufCMessage *m)
{
	if (!r->conn)
		return ERR_CLOSED;
	size_t n = protobuf_c_message_get_packed_size(m);
	if (n > RPC_FRAME_MAX - HEAD_BYTES) {
		log_error("rpc", "a message is too large to send", F_I64("bytes", n),
			  F_I64("max", RPC_FRAME_MAX - HEAD_BYTES),
			  F_Z("type", m->descriptor->name));
		return ERR_LIMIT;
	}
	struct buf *b = buf_new(r->env->bufs, HEAD_BYTES + n);
	b->at[0] = (uint8_t)kind;
	store_be64(b->at + 1, id);
	size_t packed = protobuf_c_message_pack(m, b->at + HEAD_BYTES);
	ASSERT(packed == n);
	b->len = (uint32_t)(HEAD_BYTES + n);
	r->env->peers->send(r->conn, &(struct span){ .buf = b, .n = b->len }, 1);
	return ERR_OK;
}

static struct call *call_new(struct rpc *r, rpc_done *done, void *arg)
{
	struct call *c = LIST_FIRST(&r->spare, struct call, in_list);
	if (c)
		list_remove(&c->in_list);
	else
		c = mem_alloc(sizeof(*c));
	c->rpc = rpc_get(r);
	c->id = ++r->last_id;
	c->done = done;
	c->arg = arg;
	timer_init(&c->deadline, on_deadline, c);
	list_push_back(&r->calls, &c->in_list);
	map_put(&r->by_id, c->id, c);
	r->n_calls++;
	return c;
}

static void on_deadline(void *arg)
{
	struct call *c = arg;
	call_end(c, c->failure, NULL);
}

/* The call is out of every table before its owner hears of it, and may call again. */
static void call_end(struct call *c, enum err e, const ProtobufCMessage *reply)
{
	struct rpc *r = rpc_get(c->rpc);
	rpc_done *done = c->done;
	void *arg = c->arg;
	call_free(c);
	done(arg, e, reply);
	rpc_put(r);
}

static void call_free(struct call *c)
{
	struct rpc *r = c->rpc;
	timer_clear(r->env, &c->deadline);
	map_remove(&r->by_id, c->id);
	list_remove(&c->in_list);
	list_push_back(&r->spare, &c->in_list);
	r->n_calls--;
	rpc_put(r);
}

/* ---- receiving ----------------------------------------------------------------------------- */

static void on_up(void *arg, struct conn *conn)
{
	struct rpc *r = arg;
	(void)conn;
	if (r->on->up)
		r->on->up(r->arg, r);
}

static void on_drained(void *arg, struct conn *conn)
{
	struct rpc *r = arg;
	(void)conn;
	if (r->on->drained)
		r->on->drained(r->arg, r);
}

/* The arena is reset when the event is over: messages are only lent. */
static void on_frame(void *arg, struct conn *conn, struct buf *b)
{
	struct rpc *r = rpc_get(arg);
	enum err e = receive(r, b);
	arena_reset(&r->arena);
	buf_put(b);
	if (e && r->conn) {
		char peer[80];
		r->env->peers->name(conn, peer, sizeof(peer));
		log_warn("rpc", "closing a connection that sent nonsense", F_Z("peer", peer),
			 F_Z("error", err_text(e)));
		r->env->peers->close(conn);
		go_down(r, e);
	}
	rpc_put(r);
}

/* What the other side may not do ends the connection: see rpc_events. */
static enum err receive(struct rpc *r, const struct buf *b)
{
	ProtobufCMessage *m = NULL;
	if (b->len < HEAD_BYTES)
		return ERR_CORRUPT;
	uint8_t kind = b->at[0];
	uint64_t id = load_be64(b->at + 1);
	enum err e = unpack(r, b->at + HEAD_BYTES, b->len - HEAD_BYTES, &m);
	if (e)
		return e;
	if (kind == KIND_REPLY)
		return receive_reply(r, id, m);
	if (kind == KIND_CALL && id > 0 && r->on->call)
		r->on->call(r->arg, r, id, m);
	else if (kind == KIND_PUSH && id == 0 && r->on->push)
		r->on->push(r->arg, r, m);
	else
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

static enum err receive_reply(struct rpc *r, uint64_t id, const ProtobufCMessage *m)
{
	struct call *c = map_find(&r->by_id, id);
	if (id == 0 || id > r->last_id)
		return ERR_CORRUPT; /* an answer to what was never asked */
	if (c)                      /* otherwise its deadline has passed */
		call_end(c, ERR_OK, m);
	return ERR_OK;
}

/* protobuf-c with our arena as its allocator; past RPC_UNPACKED_MAX it gets NULL and gives up. */
static enum err unpack(struct rpc *r, const uint8_t *at, size_t n, ProtobufCMessage **out)
{
	ProtobufCAllocator a = arena_pb(&r->arena);

	*out = protobuf_c_message_unpack(r->receives, &a, n, at);
	return *out ? ERR_OK : ERR_CORRUPT;
}

static void on_down(void *arg, struct conn *conn, enum err why)
{
	(void)conn;
	go_down(arg, why);
}

/* Calls made from inside a done fail by their own deadline: only those up to `last` end here. */
static void go_down(struct rpc *r, enum err why)
{
	uint64_t last = r->last_id;
	r->conn = NULL;
	rpc_get(r);
	while (!list_empty(&r->calls)) {
		struct call *c = LIST_FIRST(&r->calls, struct call, in_list);
		if (c->id > last)
			break;
		call_end(c, ERR_CLOSED, NULL);
	}
	if (r->owned) {
		r->owned = false;
		r->on->down(r->arg, r, why);
		rpc_put(r);
	}
	rpc_put(r);
}
