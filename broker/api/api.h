/* api.h - the Kafka APIs a broker serves: one row per API, one request at a time per row.
 *
 * A handler runs on the shard of the request's connection.  Phase 1 (the call of the handler)
 * happens in the order in which requests arrived and routes work to the shards that own the
 * partitions; phase 2 fills the reply whenever the answers are in and ends with req_done.
 * Replies leave the connection in the order of the requests whatever happens (client.c).
 * Protocol errors are data in the reply.  All memory is the request's arena. */
#pragma once
#include "broker/shard/shard.h"
#include "common/base/arena.h"
#include "common/wire/header.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"

struct req;
struct client;

enum api_ret {
	API_DONE, /* the reply is filled */
	API_WAIT, /* req_done comes later */
};
enum api_flags {
	API_PLAIN,    /* runs alone on its connection, as every request in Kafka does */
	API_OVERLAPS, /* may start while earlier overlapping requests are unanswered */
	API_HIDDEN,   /* served but not advertised */
};
struct api {
	int16_t key, min, max;
	enum api_flags flags;
	enum api_ret (*handle)(struct req *);
};

enum req_state { REQ_QUEUED, REQ_RUNNING, REQ_DONE };
struct req {
	struct list node;      /* client's queue, or the free list */
	struct client *client; /* NULL: the connection is gone */
	struct shard *shard;
	const struct api *api;
	const struct kafka_api *wire;
	struct request_header head;
	enum req_state state;
	bool is_silent;  /* no reply (acks=0) */
	bool is_closing; /* close the connection instead of replying */
	struct arena arena;
	struct buf *frame;   /* `in` points into it */
	struct image *image; /* as it was when the handler began; the reply may point into it */
	void *in, *out;      /* the decoded request; the reply, at its defaults */
	void *work;          /* the handler's own */
	/* Stop waiting: another request waits behind, or nobody any more; called once, may be
	 * NULL. */
	void (*hurry)(struct req *);
	/* The reply has been handed to the connection; may be NULL. */
	void (*release)(struct req *);
};

/* Ends phase 2; the request may be gone when it returns. */
void req_done(struct req *);

/* Makes q->image the shard's newest one: after something was created for this request. */
void req_new_image(struct req *);

/* The rows, by key. */
const struct api *api_row(int key); /* NULL: not served */
const struct api *api_rows(int *n);

struct api_shard *api_shard_new(struct shard *);
void api_shard_free(struct api_shard *);
/* peers->listen's accept: arg is the struct broker. */
void api_accept(void *arg, struct env *, struct conn *);
/* Ends long polls and closes every connection at a moment when all it asked is answered: a client
 * with nothing in flight turns to another broker at once.  done: when none is left, or soon. */
void api_shard_drain(struct api_shard *, void (*done)(void *arg), void *arg);
/* Stops serving: closes every connection of this shard. */
void api_shard_stop(struct api_shard *);

/* ---- helpers for handlers -------------------------------------------------------------------- */

#define ARENA_NEW(q, type, n)                                                                      \
	((type *)arena_must(&(q)->arena, sizeof(type) * (size_t)((n) > 0 ? (n) : 1)))
/* Where clients of this connection's listener find a broker; NULL: not there or fenced. */
const struct image_endpoint *api_endpoint(const struct req *, const struct image_broker *);
/* A topic by name, or by id from the version that carries ids. */
const struct image_topic *api_topic(const struct req *, struct str name, struct uuid id);
/* KERR_NONE, or why a partition of the image cannot be asked. */
enum kerr api_partition_known(const struct image_topic *, int32_t partition, bool by_id);
