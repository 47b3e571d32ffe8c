/* client.h - one connection of a client or follower: its requests in order, replies in order.
 *
 *   frame -> QUEUED -> handler -> RUNNING -> req_done -> DONE -> reply, when all before it left
 *
 * A request starts when nothing before it is unanswered, or when it and all of those overlap.
 * Admission is by bytes: past connection.max.request.bytes or the shard's
 * queued.max.request.bytes, or with too much unsent output, the connection is not read.
 * Bad frames close their connection, with one line in the log.
 *
 * A connection whose requests all go to one other shard moves there (client_move.c), so that a
 * follower or a producer of one partition costs no mail between threads. */
#pragma once
#include "broker/api/api.h"

struct api_shard {
	struct shard *shard;
	struct list clients;
	struct timer idle_timer;
	struct list paused; /* clients that wait for request bytes of the shard */
	struct list free_reqs;
	int32_t n_free;
	int64_t bytes; /* of request frames in flight */
	struct fetch_sessions *sessions;
	struct producer_ids *producer_ids;
	struct relays *relays;
	struct timer drain; /* api_shard_drain is under way */
	int64_t drain_from_ms;
	void (*drained)(void *arg);
	void *drained_arg;
	bool is_stopping;
};
struct client {
	struct list node, paused;
	struct client_ip *ip; /* client_limits.h; NULL: not counted */
	struct api_shard *api;
	struct conn *conn;
	int32_t listener;  /* index in broker_conf.listener */
	int64_t heard_ms;  /* its last frame */
	struct list started, waiting; /* struct req, oldest first */
	int64_t bytes;
	bool is_pumping, is_paused;
	bool is_clogged;       /* too much output unsent */
	bool is_ending;        /* read nothing more, close when every request is answered */
	bool is_mute;          /* and answer nothing either */
	bool is_settled;       /* asked for more than ApiVersions before: metadata_hold.h */
	struct shard *owner;   /* of the partitions in its last requests, when there is one */
	int32_t n_owned;       /* requests in a row that were all for `owner` */
	struct shard *move_to; /* start nothing more, move when nothing is in flight */
};

/* Closes it once what was answered has left; the client is gone. */
void client_close(struct client *);
/* Closes connections that asked nothing for connections.max.idle.ms (client_idle.c). */
void client_idle_start(struct api_shard *);
void client_idle_stop(struct api_shard *);
/* All of this request's partitions belong to `owner`. */
void client_note_owner(struct req *, struct shard *owner);
/* Moves the client to client->move_to; nothing of it may be in flight. */
void client_move(struct client *);
/* For client_move: the client has arrived at its new shard. */
void client_arrived(struct client *);
