/* raft_msg.h - what raft's nodes say to each other, and the few types that is made of.
 *
 * Positions are ends, as in mlog.h: position p is the place before record p, and "the prefix that
 * ends at p" is records 0 .. p-1.  The term of a position is the term of record p-1; 0 for p == 0.
 * A message is plain data of fixed size.  The wire form is the shell's business; it adds what raft
 * never sees: the records [prev, end) to an append, the bytes of a chunk to a snapshot. */
#pragma once
#include "common/base/base.h"

#define RAFT_VOTERS_MAX 7
#define RAFT_RUNS_SENT 16                /* an append crosses no more terms than that */

/* Records from `first` up to the next run's first are of this term. */
struct raft_run {
	int64_t term, first;
};
/* A voter is a node with its disk (KIP-853): a wiped disk has a new directory, and is nobody.  A
 * zero directory stands for whatever disk the node has, until a leader has met it and wrote its
 * directory down. */
struct raft_voter {
	int32_t id;                      /* -1: none */
	struct uuid directory;
};
struct raft_voters {
	int32_t n;
	struct raft_voter v[RAFT_VOTERS_MAX];
};
/* A voter set is a record: it counts from the moment its batch is in a log, committed or not. */
struct raft_voters_at {
	int64_t end;                     /* of its batch; 0: what the node was configured with */
	struct raft_voters set;
};

enum raft_msg_kind {
	RAFT_PRE_VOTE,           /* would you vote for me?  changes nothing */
	RAFT_PRE_VOTE_REPLY,
	RAFT_VOTE,
	RAFT_VOTE_REPLY,
	RAFT_APPEND,             /* records, or with none a heartbeat and a probe */
	RAFT_APPEND_REPLY,
	RAFT_SNAPSHOT,           /* one chunk */
	RAFT_SNAPSHOT_REPLY,
	RAFT_TIMEOUT_NOW,        /* leadership transfer: campaign at once */
	/* No leader talks to me: I would like to follow.  To everybody (-1), for the log may not
	 * say who there is. */
	RAFT_HELLO,
};

struct raft_msg {
	enum raft_msg_kind kind;
	struct raft_voter from, to;      /* to.directory zero: whoever has that id */
	int64_t term; /* the sender's; of a pre-vote the one it would campaign in */
	union {
		struct {                                 /* PRE_VOTE, VOTE */
			int64_t end, end_term;           /* the candidate's log */
			bool is_transfer;                /* the leader itself asked for it */
		} vote;
		struct {                                 /* PRE_VOTE_REPLY, VOTE_REPLY */
			int64_t for_term;                /* the term that was asked about */
			bool granted;
		} voted;
		struct {
			int64_t prev, prev_term, end;    /* records [prev, end) */
			int64_t commit;                  /* the leader's */
			int32_t n_runs;
			/* the first run's first is prev; none without records */
			struct raft_run runs[RAFT_RUNS_SENT];
		} append;
		struct {
			int64_t prev;                    /* of the message answered */
			/* all below is on the sender's disk and equal to the leader's */
			int64_t match;
			bool rejected;                   /* prev does not fit: match says nothing */
			int64_t hint, hint_term;         /* where it might */
		} appended;
		struct {
			int64_t end, end_term;           /* what the snapshot replaces */
			int64_t offset;                  /* of the chunk's first byte */
			int64_t bytes;                   /* filled in by the sender's shell */
			bool is_last;                    /* likewise */
		} snapshot;
		struct {
			int64_t end, end_term;
			int64_t offset;                  /* send from here; */
			bool is_done;                    /* or nothing, match is what counts */
			int64_t match;
		} stored;
	};
};

bool raft_voter_eq(struct raft_voter, struct raft_voter);
/* Where in the set, by id, and by directory unless the set's is zero; -1: not there. */
int raft_voters_find(const struct raft_voters *, struct raft_voter);
const char *raft_msg_name(enum raft_msg_kind);
