/* quorum.h - this controller among the controllers: raft's shell, and its only caller.
 *
 * Feeds raft (controller/core/raft.h) with messages, time and what the disk says, and carries out
 * what it answers: the log and quorum-state (mlog.h), messages to the others, and to the node that
 * it leads now, or not, and up to where the log is committed.
 *
 *   quorum.c        events in, effects out
 *   quorum_boot.c   who the first voters are; joining a cluster that exists
 *   quorum_peers.c  connections to the other controllers, and who is at their end
 *   quorum_admin.c  describe, add and remove voters, transfer
 *   quorum_msg.c    raft's messages on the wire
 *
 * One actor.  Events come from inside quorum_start, mlog's and the connections' events, never from
 * inside quorum_append or quorum_appended. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/env/env.h"
#include "common/rpc/rpc.h"
#include "controller/core/ctl.h"
#include "controller/core/raft.h"
#include "controller/server/mlog.h"

#define QUORUM_SERVERS_MAX 8

struct quorum_server {                   /* a configured controller */
	int32_t id;                      /* -1: not said */
	struct peer_addr addr;
};
struct quorum_options {
	int32_t id;
	struct uuid directory;
	const char *dir;
	int64_t snapshot_bytes;
	struct peer_addr self;           /* where the others reach this controller */
	/* With ids these are the voters of a new cluster; without, whom to ask. */
	struct quorum_server servers[QUORUM_SERVERS_MAX];
	int32_t n_servers;
	bool is_sole;                    /* nobody else is configured */
	int64_t heartbeat_ms, election_ms;       /* patience is between this and its double */
};
struct quorum_events {
	/* Of another cluster than the one this directory is of, or not to be written: an error. */
	enum err (*adopt_cluster)(void *arg, struct str cluster_id);
	struct str (*cluster_id)(void *arg);
	void (*replay)(void *arg, int64_t offset, const Weir__MetadataRecord *);
	/* This term is led from here: append its first batch now. */
	void (*lead)(void *arg, int64_t term);
	/* For that broker's request; NULL: nobody asked for it. */
	void (*append_voters)(void *arg, Weir__VotersRecord *, const struct ctl_asker *);
	/* The log says that the change this one asks for was made for it. */
	bool (*has_done)(void *arg, const struct ctl_asker *);
	void (*role)(void *arg);                 /* leader, term or role changed */
	void (*committed)(void *arg, int64_t end);
	/* A state for a snapshot's records, filled in a job, and then the node's. */
	void *(*snapshot_begin)(void *arg);
	void (*snapshot_record)(void *state, const Weir__MetadataRecord *);
	void (*snapshot_end)(void *arg, void *state, int64_t offset);
	void (*failed)(void *arg, enum err);
};

struct quorum;
must_check enum err quorum_new(struct env *, const struct quorum_options *,
			       const struct quorum_events *, void *arg, struct quorum **,
			       char *why, size_t cap);
void quorum_start(struct quorum *);
void quorum_stop(struct quorum *);               /* NULL is fine */
void quorum_free(struct quorum *);               /* NULL is fine */
struct mlog *quorum_log(const struct quorum *);

bool quorum_leads(const struct quorum *);
int32_t quorum_leader(const struct quorum *);    /* -1: not known */
bool quorum_address(const struct quorum *, int32_t id, struct peer_addr *);
int64_t quorum_term(const struct quorum *);
int64_t quorum_committed(const struct quorum *);
bool quorum_is_current(const struct quorum *);   /* something was committed by a leader now known */
/* The leader put a batch into the log: raft hears of it at the end of the turn. */
void quorum_appended(struct quorum *);
/* The node's snapshot was saved; the log's start may have moved. */
void quorum_snapshot_saved(struct quorum *);
/* Voters that records name are dialled, too. */
void quorum_meet(struct quorum *, int32_t id, struct uuid directory, const char *host,
		 int32_t port);

/* An accepted connection of another controller. */
struct visitor;
struct visitor *quorum_hello(struct quorum *, struct visitor *, struct rpc *, const Weir__Hello *);
void quorum_message(struct quorum *, struct visitor *, const Weir__RaftMessage *);
void quorum_leave(struct quorum *, struct visitor *);    /* its connection is gone; NULL is fine */

/* quorum_admin.c */
/* The leader hands over to the best of the others.  True: it is under way, or soon may be; the role
 * changes, or it is asked again. */
bool quorum_hand_over(struct quorum *);
void quorum_why(struct quorum *, struct text *); /* nobody leads: the reason, for an operator */
/* is that controller there, as seen here */
bool quorum_hears_of(const struct quorum *, int32_t id);
/* That voter runs with another disk than the one that has the vote. */
bool quorum_is_replaced(const struct quorum *, int32_t id);
void quorum_describe(struct quorum *, struct arena *, Weir__Response *);
void quorum_change(struct quorum *, struct rpc *, uint64_t id, const Weir__Request *,
		   const struct ctl_asker *);
