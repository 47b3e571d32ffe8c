/* raft.h - one node of the controller quorum: who leads, what is committed, who may vote.
 *
 * Pure automaton after Ongaro's thesis, whose sections stand in brackets: no I/O, no clock, no
 * payload.  It sees positions and terms (raft_msg.h); the shell feeds events and carries out the
 * effects, in the order in which struct raft_effects has them.
 *
 * Persist before promise.  Every change of hard state (term, vote) or log gets a number: `persist`
 * of the effects.  The shell writes in that order, syncs many at once, and then says PERSISTED with
 * the highest number that is on disk.  A message may leave when `after` is on disk; one whose
 * `after` is already there leaves at once.  Messages to one peer keep no order among each other,
 * may be lost, and may arrive twice.  After a restart hard state and log must be what some
 * PERSISTED said, or later; a last record of a later term than the hard state raises the term.
 *
 * Records come in batches that are appended, sent and cut as a whole, so positions that raft names
 * are ends of batches.  `fit` shortens what an append carries to whole batches that fit a frame.
 *
 * Voter sets are records.  The shell tells with `sets` which batches of an append, of a snapshot or
 * of its own carry one; raft uses the last in its log, and rolls back when it is cut.
 *
 * Invariants (raft_check, before and after every step):
 *   log.start <= commit <= durable <= log.end;  commit <= known_commit <= log.end
 *   terms in the log grow, none is above `term`;  commit, seq and term never move back
 *   a leader's match of a peer <= its next <= log.end; it never cuts its log
 *   nothing at or below known_commit is ever cut
 *
 * The shell appends (APPENDED) only while raft_can_append says so.  All memory is the caller's but
 * the runs of the log; raft_fini frees them.  Times are ms of any steady clock. */
#pragma once
#include "common/base/prng.h"
#include "controller/core/raft_state.h"

/* Everything is durable, and stays the caller's. */
struct raft_found {
	int64_t term;                    /* hard state; 0 and id -1: a new node */
	struct raft_voter voted;
	int64_t start, start_term, end;
	const struct raft_run *runs;     /* of [start, end) */
	int32_t n_runs;
	int64_t snapshot;                /* end of the newest; >= start; 0 none */
	const struct raft_voters_at *sets;       /* in order; at least one; the last two suffice */
	int32_t n_sets;
};
void raft_init(struct raft *, const struct raft_options *, const struct raft_found *,
	       int64_t now_ms);
void raft_fini(struct raft *);

enum raft_event_kind {
	RAFT_EV_TICK,            /* wake_ms has come; more often does no harm */
	RAFT_EV_MESSAGE,
	RAFT_EV_PERSISTED,
	RAFT_EV_APPENDED,        /* leader: a batch of its own went into the log's memory */
	/* A hint: the connection to this peer broke.  Followers of it pre-vote within
	 * milliseconds; a false alarm costs a refused pre-vote. */
	RAFT_EV_CLOSED,
	RAFT_EV_SNAPSHOT_SAVED,  /* and the log begins at `start` now.  Chunks are of the newest. */
	RAFT_EV_CHUNK_STORED,    /* what store_chunk asked for */
	RAFT_EV_INSTALLED,       /* what install asked for; on disk */
	RAFT_EV_TRANSFER,        /* leader: hand over to this peer; -1: to the best */
	RAFT_EV_VOTERS,          /* leader: add or remove one voter */
	RAFT_EV_DISK_FAILED,     /* step down and be silent for ever */
};
enum raft_voters_op { RAFT_ADD, RAFT_REMOVE };

struct raft_event {
	enum raft_event_kind kind;
	int64_t now_ms;
	/* MESSAGE with an append, APPENDED: the voter sets in it; INSTALLED: the snapshot's */
	const struct raft_voters_at *sets;
	int32_t n_sets;
	union {
		const struct raft_msg *msg;
		int64_t seq;                             /* PERSISTED */
		int64_t end;                             /* APPENDED: the log's new end */
		int32_t peer;                            /* CLOSED, TRANSFER */
		struct {
			int64_t end, start;
		} saved;
		struct {
			int64_t end, end_term, next;     /* the byte after the chunk */
			bool is_last;
		} chunk;
		struct {
			int64_t end, end_term;
		} installed;
		struct {
			enum raft_voters_op op;
			struct raft_voter voter;
		} change;
	};
};

/* The answer to TRANSFER and VOTERS. */
enum raft_verdict {
	RAFT_OK,                 /* under way */
	RAFT_NOT_LEADER,
	RAFT_TOO_EARLY,          /* nothing of this term is committed yet (the erratum of 2015) */
	RAFT_BUSY,               /* another change, or a transfer, is under way */
	RAFT_BEHIND,             /* the observer has not caught up: ask again */
	RAFT_UNKNOWN,            /* no such observer in sight; no such voter */
	RAFT_EXISTS,             /* votes already, maybe with another disk: remove that first */
	RAFT_LIMIT,              /* too many voters, or the last one */
	RAFT_TOO_FEW,            /* of those that would remain no majority is in contact */
};

#define RAFT_SENT_MAX (2 * RAFT_PEERS_MAX + 2)
struct raft_out {
	int64_t after;                   /* leaves when this number is on disk */
	struct raft_msg msg;
};
struct raft_effects {
	int64_t persist; /* the number of this step's changes; 0: nothing to write */
	int64_t cut;                     /* 1. cut the log here; -1: no */
	/* 2. of the message's records append [append_from, log.end); -1: no */
	int64_t append_from;
	bool hard_state;                 /* 3. write term and voted */
	bool store_chunk;                /* keep the message's chunk; at offset 0 begin anew */
	bool install;                    /* replace log and state by the snapshot just stored */
	int64_t install_end, install_term;
	bool commit_moved;               /* apply up to `commit` */
	bool role_changed;               /* role, term or leader: look at all three */
	bool activate;                   /* append the first batch of the term, at once */
	bool append_voters;              /* append a batch with `voters`, at once */
	struct raft_voters voters;
	enum raft_verdict verdict;
	int64_t wake_ms;                 /* when the next TICK is due; always set */
	int32_t n;
	struct raft_out sent[RAFT_SENT_MAX];
};

void raft_step(struct raft *, const struct raft_event *, struct raft_effects *);
void raft_check(const struct raft *);
bool raft_can_append(const struct raft *);
bool raft_is_voter(const struct raft *);                         /* by its own last voter set */
const struct raft_voters *raft_voters(const struct raft *);      /* the last in its log */
const char *raft_verdict_text(enum raft_verdict);
