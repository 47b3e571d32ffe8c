/* node.h - a controller: the only caller of ctl_decide and ctl_replay.
 *
 * One of the quorum's controllers is active, by raft's word.  There a request becomes a command;
 * ctl_decide makes records of it; they are appended to the metadata log and replayed at once, so
 * the next command sees them; the reply is parked until they are committed.  Two images: ctl.image
 * has everything appended, `stable` only what is committed, and that is what brokers and the CLI
 * are shown.  On a standby only `stable` counts: it follows the log, and becomes ctl.image when
 * this controller is elected.
 *
 *   rpc_*.c   one family of requests each: message -> command, and what only looks
 *   link.c    what is known of a broker but in no record: its connection, how far it has applied
 *   node.c    submit, commit, park
 *   role.c    becoming active and ceasing to be; whom else to ask
 *   quorum.c  who leads, what is committed
 *   mlog.c    the log
 *
 * One actor; everything here runs on its thread. */
#pragma once
#include "common/env/env.h"
#include "common/rpc/rpc.h"
#include "controller/core/ctl.h"
#include "controller/server/mlog.h"
#include "controller/server/quorum.h"

struct node_options {
	int32_t id;
	const char *dir;                         /* of the metadata log */
	struct quorum_options quorum;
	struct ctl_options ctl;
	int64_t session_timeout_ms;              /* silence until a broker is fenced */
	int64_t disconnect_grace_ms;             /* from its connection's end until then */
	bool rebalance_enable;
	int64_t rebalance_interval_ms, unclean_interval_ms;
};

struct link;
struct session {                                 /* a connection */
	struct list in_node;
	struct node *node;
	struct rpc *rpc;
	struct link *link;                       /* of the broker that registered on it, or NULL */
	struct visitor *visitor;                 /* of the controller that said hello, or NULL */
};

struct node {
	struct env *env;
	const struct node_options *options;
	struct ctl ctl;
	struct image *stable;
	struct quorum *quorum;
	struct mlog *log;                        /* the quorum's */
	bool is_active;
	struct list sessions, parked, applying;  /* parked: by end of its records */
	struct list waiting;                     /* requests, until it is known who is active */
	struct map links;                        /* by broker id */
	struct timer rebalance, leaderless, leaving;
	struct mlog_snapshot snapshot;
	struct arena scratch;                    /* empty between events */
	int64_t started_us, n_unclean;
	struct mail kick;                        /* to ourselves: something parked need not wait */
	bool is_kicked, is_stopped;
	void (*failed)(void *arg);               /* the log can take no more */
	void *arg;
	void (*left)(void *arg); /* node_leave; NULL: it stays */
	void *left_arg;
	int64_t leave_until_us;
	/* The directory joins a cluster; an error, after saying why, when it may not. */
	enum err (*adopt_cluster)(void *boot, struct str cluster_id);
	void *boot;
};

/* A command on its way: parked until its records are committed, perhaps also until they are
 * applied. */
struct parked {
	struct list in_list;
	struct node *node;
	struct rpc *rpc;                         /* reference; NULL: our own command */
	uint64_t id;
	int64_t end;
	struct arena arena;
	struct ctl_result result;
	bool waits_applied;
	int64_t timeout_ms;
	struct timer deadline;
	void (*committed)(struct parked *);      /* before the reply; may be NULL */
	int32_t broker;                          /* for committed() */
	int64_t metadata_offset;
};

struct asked {                                   /* by whom, and how to answer */
	struct rpc *rpc;
	uint64_t id;
	int64_t applied_timeout_ms;              /* > 0: answer when every broker has applied it */
	void (*committed)(struct parked *);
	int32_t broker;
	int64_t metadata_offset;
};

must_check enum err node_new(struct env *, const struct node_options *, struct node **, char *why,
			     size_t cap);
void node_start(struct node *);                  /* joins the quorum */
void node_accept(void *node, struct env *, struct conn *);       /* for peers->listen */
/* Before an end that was asked for: whoever leads hands over, so that decisions go on at once.
 * Then, or after a while, or at once: left(), never from inside. */
void node_leave(struct node *, void (*left)(void *arg), void *arg);
void node_stop(struct node *); /* closes every connection; jobs may still be running */
void node_free(struct node *); /* after the actor's loop has ended; NULL is fine */

/* The code that the command was refused with, or none.  Neither the reply nor committed() happens
 * before this returns. */
int32_t node_submit(struct node *, const struct ctl_cmd *, const struct asked *);
/* whole: one batch, whatever its size */
void node_append(struct node *, Weir__MetadataRecord *const *, int32_t n, bool whole);
void node_release(struct node *, int64_t end);   /* what waited for no more than this is answered */
void node_resign_parked(struct node *);
void node_maybe_snapshot(struct node *);
void node_progress(struct node *);               /* a broker applied more, came or went */
void node_reply_error(struct rpc *, uint64_t id, int32_t code, const char *message);

/* role.c */
extern const struct quorum_events node_quorum_events;
/* Not here: says where, as soon as that is known. */
void node_refuse(struct node *, struct rpc *, uint64_t id);
void node_answer_waiting(struct node *, bool is_over);
void node_on_leaving(void *node);

void rpc_broker_call(struct session *, uint64_t id, const Weir__Request *);
void rpc_admin_call(struct session *, uint64_t id, const Weir__Request *);
void rpc_look_call(struct session *, uint64_t id, const Weir__Request *);
/* One line for each record that an operator would want to read. */
void node_log_record(const struct image *before, const Weir__MetadataRecord *);
