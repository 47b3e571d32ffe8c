/* quorum_priv.h - the inside of quorum*.c. */
#pragma once
#include "controller/server/quorum.h"
#include "controller/server/quorum_msg.h"

#define CLUSTER_ID_MAX 64

struct quorum_voter {                    /* with the address, which raft never sees */
	struct raft_voter who;
	struct peer_addr addr;
};
struct quorum_voters {
	struct quorum_voter v[RAFT_VOTERS_MAX];
	int32_t n;
};
struct hello {                           /* what somebody said of himself */
	struct quorum_voter self;
	char cluster_id[CLUSTER_ID_MAX];
	bool is_member;
	struct quorum_voters voters;
};
struct peer {                            /* whom this controller dials */
	struct list in_quorum;
	struct quorum *quorum;
	struct peer_addr addr;
	struct rpc *rpc;                 /* NULL: between two attempts */
	int tries;
	struct timer retry;
	bool is_up, has_hello, is_self;
	struct hello hello;
	int64_t heard_us;
};
struct visitor {                         /* who dialled this controller */
	struct list in_quorum;
	struct rpc *rpc;
	struct hello hello;
	int64_t heard_us;
};
struct held {                            /* waits until what it promises is on disk */
	struct list in_quorum;
	struct raft_out out;
};
/* OUTSIDE: an empty disk, nothing agreed yet.  ADOPTING: agreed, being written down. */
enum quorum_phase { QUORUM_OUTSIDE, QUORUM_ADOPTING, QUORUM_RUNNING, QUORUM_OVER };

struct quorum {
	struct env *env;
	const struct quorum_options *o;
	const struct quorum_events *on;
	void *arg;
	struct mlog *log;
	enum quorum_phase phase;
	struct raft raft;
	struct raft_effects fx;
	bool has_raft;
	struct timer tick;
	struct mail announce;            /* appended batches, once per turn */
	bool is_announcing;
	struct list peers, visitors, held, changes;
	const struct ctl_asker *asker;   /* of the change that is being tried; NULL: none is */
	struct quorum_voters base;       /* while the log names no voters */
	struct quorum_voters proposed;
	struct quorum_voters met;        /* addresses; at most as many as fit */
	bool was_told;                   /* the operator knows whom it waits for */
	/* what was stored of a snapshot, until raft hears of it */
	bool has_chunk;
	struct raft_event chunk;
	void *installing;                /* the node's state; NULL: nothing is being installed */
	int64_t install_end, install_term;
	struct raft_voters_at snapshot_set;
	bool has_snapshot_set;
	struct arena scratch;
};

/* quorum.c */
enum raft_verdict quorum_step(struct quorum *, struct raft_event *);
void quorum_run(struct quorum *);        /* the voters are known and on disk: begin */
void quorum_take(struct quorum *, const Weir__RaftMessage *);
void quorum_put_state(struct quorum *);
/* quorum_boot.c */
void quorum_consider(struct quorum *);   /* somebody said hello */
bool quorum_is_member(const struct quorum *);
void quorum_adopted(struct quorum *);    /* it is on disk */
/* quorum_peers.c */
void quorum_dial_all(struct quorum *);
void quorum_hang_up(struct quorum *);
void quorum_send(struct quorum *, const struct raft_msg *);
void quorum_say_hello(struct quorum *);  /* to all, again */
const struct hello *quorum_heard(const struct quorum *, int32_t id);     /* NULL: not here */
/* quorum_admin.c */
void quorum_settle_changes(struct quorum *);
void quorum_drop_changes(struct quorum *);
