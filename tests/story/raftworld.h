/* raftworld.h - a quorum of raft nodes with their disks and a network, without processes: the stage
 * for stories, random walks and the exhaustive exploration over raft.h.
 *
 * It is the shell that raft.h asks for, in small.  A write is an op in a queue; a sync puts the
 * queue's first ops on the disk; a crash keeps some prefix of the rest, and nothing of the memory.
 * A message is held until its number is on disk, then it is in the network, from where it is
 * delivered, lost or doubled as whoever drives the world likes.  Batches are rows of one table; a
 * log is a list of their numbers, so equal numbers are equal bytes.
 *
 * Every step is followed by the checks of raftworld_check.c, which know everything: they keep who
 * led which term, who voted for whom, and what was committed.  A violation is told once. */
#pragma once
#include "common/base/text.h"
#include "controller/core/raft.h"
#include "tests/story/raftworld_log.h"

enum {
	RW_NODES = 7,
	RW_TERMS = 1500,
	RW_OPS = 256,
	RW_MAIL = 512,
	RW_SENT = 6,                     /* batches in an append */
	RW_CHUNKS = 3,
};

struct rw_snapshot {
	int64_t end, term;
	int32_t last;                    /* its last batch: stands for the state */
	struct raft_voters_at set;
};
struct rw_disk {
	int64_t term;
	struct raft_voter voted;
	struct rw_snapshot snapshot;
	struct rw_log log;
};
struct rw_op {
	enum { RW_CUT, RW_APPEND, RW_HARD, RW_SNAPSHOT } kind;
	int64_t seq, at, term;           /* at: CUT; SNAPSHOT: the log's new start */
	int32_t batch;
	struct raft_voter voted;
	struct rw_snapshot snapshot;
	bool is_install;                 /* the log is empty after it */
};
struct rw_mail {
	int64_t at;                      /* when it arrives; RW_HELD: not yet sent */
	int64_t after;
	struct raft_msg m;
	int32_t n;
	int16_t batches[RW_SENT];        /* payload */
	struct rw_snapshot snapshot;
};

struct raftworld;
struct rw_node {
	struct raftworld *w;
	int32_t id;
	struct uuid directory;
	bool is_up;
	int32_t slow;                    /* a sync takes up to so many ms */
	struct raft r;
	struct rw_log log;               /* memory */
	struct rw_disk disk;
	int64_t sync_at;                 /* when the ops on their way to the disk arrive; or -1 */
	int64_t install_at;              /* when the snapshot that came in is installed; or -1 */
	int64_t tick_at, paused_until;
	int64_t applied;
	struct raft_voters_at applied_set;       /* of the state machine */
	struct rw_snapshot incoming;
	int32_t n_chunks;
	int32_t n_syncing, n_ops;
	struct rw_op ops[RW_OPS];        /* not on disk; the first n_syncing are on their way */
};

struct rw_faults {                       /* in 1/1000 */
	int32_t lose, twice, no_close;
	int32_t delay;                   /* ms, at most */
};

struct raftworld {
	int32_t n;
	int64_t now_ms;
	struct prng prng;
	struct rw_faults faults;
	struct raft_voters first;        /* what nodes are configured with */
	bool cut[RW_NODES + 1][RW_NODES + 1];    /* the link from .. to .. */
	int32_t n_mail;
	struct rw_mail mail[RW_MAIL];
	int32_t n_batches;
	struct rw_batch batches[RW_BATCHES];
	int32_t next_directory;
	bool is_manual, small_frames;    /* time stands still; a batch each */
	int64_t max_term;
	struct rw_node nodes[RW_NODES + 1];      /* by id; 0 is unused */
	/* what the checks know */
	struct raft_voter leaders[RW_TERMS];
	struct {
		struct raft_voter by, whom;
	} votes[RW_TERMS][RW_NODES];     /* on disk, or promised by a message */
	int32_t n_committed;
	int64_t committed_in;            /* the latest term in which something was */
	int16_t committed[RW_BATCHES];
	struct text *tale;               /* NULL: silent */
	char wrong[200];                 /* the first violation */
};

/* Nodes 1 .. n exist and are down; the first n_voters vote. */
void raftworld_init(struct raftworld *, int32_t n, int32_t n_voters, bool with_directories,
		    uint64_t seed);
void raftworld_fini(struct raftworld *);
void raftworld_copy(struct raftworld *, const struct raftworld *);
void raftworld_start(struct raftworld *, int32_t id);
/* keep: how many ops that were not synced survive. */
void raftworld_crash(struct raftworld *, int32_t id, int32_t keep);
void raftworld_wipe(struct raftworld *, int32_t id);     /* a node that is down: a new disk */
bool raftworld_append(struct raftworld *, int32_t id, int32_t records);
bool raftworld_snapshot(struct raftworld *, int32_t id, bool keep_log);
void raftworld_close(struct raftworld *, int32_t a, int32_t b);  /* both hear of it */
void raftworld_event(struct raftworld *, int32_t id, const struct raft_event *);
enum raft_verdict raftworld_change(struct raftworld *, int32_t id, enum raft_voters_op,
				   struct raft_voter);
enum raft_verdict raftworld_transfer(struct raftworld *, int32_t id, int32_t to);
void raftworld_tick(struct raftworld *, int32_t id);
void raftworld_sync(struct raftworld *, int32_t id);     /* what is queued, now */
void raftworld_deliver(struct raftworld *, int32_t mail, bool and_keep);
/* Lets time pass up to the next thing that happens, and that happen; false: not before `until`. */
bool raftworld_next(struct raftworld *, int64_t until_ms);
void raftworld_run(struct raftworld *, int64_t ms);

int32_t raftworld_leader(const struct raftworld *);      /* of the highest term; 0 none */
struct raft_voter raftworld_voter(const struct raftworld *, int32_t id);
void raftworld_tell(struct raftworld *, int32_t id, const char *fmt, ...) printf_like(3, 4);

/* raftworld_tale.c */
void raftworld_tell_step(struct raftworld *, struct rw_node *, const struct raft *before,
			 const struct raft_effects *);

/* raftworld_check.c */
void raftworld_wrong(struct raftworld *, const char *fmt, ...) printf_like(2, 3);
void raftworld_check_step(struct raftworld *, struct rw_node *, const struct raft *before,
			  const struct raft_effects *);
void raftworld_check_batch(struct raftworld *, int32_t batch);
void raftworld_check_cut(struct raftworld *, struct rw_node *, int64_t at);
void raftworld_check_place(struct raftworld *, const struct rw_node *, int32_t batch);
void raftworld_check_applied(struct raftworld *, const struct rw_node *, int32_t batch);
void raftworld_check_disk(struct raftworld *, const struct rw_node *, const struct rw_op *);
void raftworld_check_leaves(struct raftworld *, const struct rw_node *, const struct raft_msg *);
void raftworld_check_snapshot(struct raftworld *, const struct rw_node *,
			      const struct rw_snapshot *);
void raftworld_check_end(struct raftworld *);    /* everything up and healed: all are equal */
