/* raft_state.h - what a raft node remembers.  Open, so that shells can show it (DescribeQuorum) and
 * tests look inside; only raft_step changes it. */
#pragma once
#include "common/base/prng.h"
#include "controller/core/raft_log.h"

#define RAFT_PEERS_MAX   16              /* voters and observers without the node itself */
#define RAFT_WINDOW      8               /* appends with records on the way to one peer */
#define RAFT_PENDING_MAX 64

struct raft_options {
	struct raft_voter self;
	int64_t heartbeat_ms;            /* default 50 */
	/* A follower without word from its leader campaigns after a random time in between (300,
	 * 600); a leader without word from a majority for the first steps down. */
	int64_t election_min_ms, election_max_ms;
	int64_t closed_ms;               /* a closed connection: campaign within (5) */
	uint64_t seed;
	/* The largest end of a batch in (from, to] for which records [from, .) fit a frame; at
	 * least one batch.  Only reads the log.  NULL: everything fits. */
	int64_t (*fit)(const void *arg, int64_t from, int64_t to);
	const void *arg;
};

enum raft_role {
	RAFT_FOLLOWER,                   /* observers, too */
	RAFT_PRE_CANDIDATE,
	RAFT_CANDIDATE,
	RAFT_LEADER,
	RAFT_FAILED,                     /* its disk did */
};

/* PROBE: one append at a time, to find where the logs part.  REPLICATE: a window of them.
 * SNAPSHOT: needs what the log no longer has; one chunk at a time. */
enum raft_peer_state { RAFT_PROBE, RAFT_REPLICATE, RAFT_SENDING_SNAPSHOT };

struct raft_peer {
	struct raft_voter who;
	bool is_voter;
	bool granted;                    /* (pre-)candidate: it would, or did, vote for us */
	enum raft_peer_state state;      /* leader: the rest */
	int64_t match, next;
	int64_t contact_ms;              /* its last answer in this term; RAFT_NEVER */
	int64_t sent_ms;                 /* our last message with anything to answer */
	int64_t caught_up_ms;            /* when its match last was our end; RAFT_NEVER */
	int64_t progress_ms;             /* when it last acknowledged something new */
	bool is_waiting;                 /* a probe or a chunk is unanswered */
	int32_t n_flight;
	int64_t flight[RAFT_WINDOW];     /* ends of the appends that are unanswered */
	int64_t snapshot, snapshot_term, offset;         /* what it is being sent */
};
#define RAFT_NEVER (INT64_MIN / 2)

struct raft {
	struct raft_options o;
	struct prng prng;
	enum raft_role role;
	int64_t now_ms;
	/* hard state */
	int64_t term;
	struct raft_voter voted;         /* in this term */
	/* log */
	struct raft_log log;
	int64_t commit;                  /* committed and on this disk: may be applied */
	int64_t known_commit;            /* committed, maybe not yet on this disk */
	int64_t durable;                 /* the log up to here is on this disk */
	int64_t snapshot;                /* end of the newest; 0: none */
	/* Numbers given out, on disk, and of the last change of hard state. */
	int64_t seq, persisted, hard_seq;
	int32_t n_pending;               /* appends that are not on disk: their number and end */
	struct {
		int64_t seq, end;
	} pending[RAFT_PENDING_MAX];
	/* The voter set in force and the one before it, which is committed. */
	struct raft_voters_at voters, voters_before;
	/* followers */
	int32_t leader;                  /* whom this term's appends came from; -1 unknown */
	int64_t leader_ms;               /* when it was last heard; RAFT_NEVER */
	int64_t deadline_ms;             /* follower, candidates: when patience ends */
	int32_t attempts;                /* campaigns since a leader was heard */
	bool is_transfer;                /* this campaign was asked for by the leader */
	int64_t chunk_end, chunk_term, chunk_offset;     /* the snapshot coming in; end 0: none */
	bool is_storing;                 /* a chunk is not yet stored */
	bool is_installing;              /* the log is being replaced: it takes nothing */
	/* leader */
	int64_t term_start;              /* its first record of this term */
	int64_t heartbeat_due_ms;
	int64_t stalled_ms;              /* since when others have what this disk has not */
	int32_t transfer_to;             /* -1: no transfer */
	int64_t transfer_until_ms;
	int32_t n_peers;
	struct raft_peer peers[RAFT_PEERS_MAX];
};
