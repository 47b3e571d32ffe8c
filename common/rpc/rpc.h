/* rpc.h - protobuf-c messages over the seam's peers: calls with a deadline, replies, pushes.
 *
 * Both ends are a struct rpc; either may call, reply and push at any time.  A frame is
 *     u8 kind (1 call, 2 reply, 3 push)   u64 id, big endian (0 for a push)   one packed message
 * What a side receives is always of the one message type it names when it is made, usually an
 * envelope with a oneof.  Received messages live in an arena until the event returns: copy what
 * must last.  Frames and unpacked messages have hard maxima; whatever breaks them or does not
 * unpack takes the connection down with ERR_LIMIT or ERR_CORRUPT.
 *
 * Ownership: rpc_dial and rpc_accept give the owner one reference, which ends with the down event
 * or with rpc_close.  Who keeps an rpc for longer, to reply later, takes a reference of its own;
 * operations on an rpc that is down do nothing.  One thread: the env's. */
#pragma once
#include "common/env/env.h"
#include <protobuf-c/protobuf-c.h>

enum {
	RPC_FRAME_MAX = 16 << 20,
	RPC_UNPACKED_MAX = 64 << 20,
	RPC_CALLS_MAX = 4096, /* waiting for their reply on one connection */
};

struct rpc;
/* Runs exactly once, never from inside rpc_call; err is ERR_OK with a reply, ERR_TIMEOUT,
 * ERR_CLOSED or ERR_LIMIT without.  rpc_close forgets the calls: their done does not run. */
typedef void rpc_done(void *arg, enum err, const ProtobufCMessage *reply);

struct rpc_events {
	void (*up)(void *arg, struct rpc *);                 /* dialled ones; may be NULL */
	void (*down)(void *arg, struct rpc *, enum err why); /* last event, after the calls' done */
	/* What the other side may do; NULL: it may not, and is cut off when it does. */
	void (*call)(void *arg, struct rpc *, uint64_t id, const ProtobufCMessage *);
	void (*push)(void *arg, struct rpc *, const ProtobufCMessage *);
	void (*drained)(void *arg, struct rpc *); /* output ran empty; may be NULL */
};

/* Never fails at once: a refusal arrives as down.  Calls made before up wait for it. */
struct rpc *rpc_dial(struct env *, const struct peer_addr *, const ProtobufCMessageDescriptor *,
		     const struct rpc_events *, void *arg);
/* From inside the accept callback of peers->listen: binds the conn. */
struct rpc *rpc_accept(struct env *, struct conn *, const ProtobufCMessageDescriptor *,
		       const struct rpc_events *, void *arg);
void rpc_close(struct rpc *);  /* now; no event follows; NULL is fine */
void rpc_finish(struct rpc *); /* the same, but the output leaves first */
struct rpc *rpc_get(struct rpc *);
void rpc_put(struct rpc *); /* NULL is fine */

void rpc_call(struct rpc *, const ProtobufCMessage *, int64_t timeout_ms, rpc_done *, void *arg);
/* ERR_LIMIT: the message is larger than a frame may be, logged; ERR_CLOSED: the rpc is down. */
enum err rpc_reply(struct rpc *, uint64_t id, const ProtobufCMessage *);
enum err rpc_push(struct rpc *, const ProtobufCMessage *);

bool rpc_is_down(const struct rpc *);
int64_t rpc_pending(const struct rpc *); /* output bytes not yet handed to the kernel */

/* Milliseconds to wait before dialling for the nth time in a row (n from 0): doubles from base to
 * max, each time somewhere in its upper half, so that a crowd does not return at once. */
int64_t rpc_backoff_ms(struct prng *, int n, int64_t base_ms, int64_t max_ms);
