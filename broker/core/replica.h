/* replica.h - one replica of one partition: who leads, who is in sync, what is committed.
 *
 * Pure automaton: no I/O, no clock, no allocation.  The owning shard feeds it events and carries
 * out the effects; the simulator does the same with a fake disk and network.  It sees offsets and
 * epochs, never record bytes.  Rules: KIP-497 (AlterPartition),
 * KIP-841, KIP-903 (broker epochs), KIP-966 (strict min ISR).
 *
 * Invariants (replica_check, before and after every step):
 *   log_start <= high watermark <= log end
 *   leader => self is in isr;  isr and the maximal isr are subsets of the assignment
 *   isr (committed) is a subset of the maximal isr (committed plus pending additions)
 *   the high watermark never moves back on one leader within one leader epoch, never moves while
 *   |isr| < min(min.insync.replicas, assignment), and never past a member of the maximal isr
 *
 * What is enough and who is in sync are news of one moment: a leader of before that hears first of
 * a lower min.insync.replicas, and then who leads now, would commit what is to be truncated.
 *
 * ISR changes: the leader proposes (propose_isr), the controller disposes.  From the proposal to
 * its answer the maximal isr counts for the high watermark (AsyncIsr): additions already hold it
 * back, removals hold it back still.  Metadata with a higher partition epoch settles a proposal
 * too; the late answer then carries an old `proposal` number and is ignored. */
#pragma once
#include "common/base/base.h"

#define REPLICAS_MAX 16
#define TIME_NEVER (INT64_MIN / 2)
enum replica_role { REPLICA_OFFLINE, REPLICA_FOLLOWER, REPLICA_LEADER };

struct replica_peer {
	int32_t id;
	int64_t broker_epoch;            /* as carried by its last accepted fetch; -1 unknown */
	int64_t log_end, log_start;      /* -1 unknown in this leader epoch */
	int64_t leader_end_at_fetch;     /* our log end when its last fetch was answered */
	int64_t last_fetch_ms, caught_up_ms;     /* TIME_NEVER: not in this leader epoch */
	int64_t began_ms;                /* first fetch since it left, or in this epoch */
	int64_t left_epoch;              /* its broker_epoch when it left the isr; -1 unknown */
	bool eligible;                   /* unfenced, not shutting down, by the metadata image */
	int64_t alive_epoch;             /* its broker epoch in the metadata image */
};

struct replica {
	enum replica_role role;
	int32_t self, leader;            /* broker ids; leader -1: none */
	int32_t leader_epoch, partition_epoch;
	int64_t log_start, high_watermark, log_end;
	int64_t epoch_start;             /* log end when this leader epoch began here */
	int32_t min_isr;                 /* the topic's min.insync.replicas */
	int64_t lag_max_ms;              /* replica.lag.time.max.ms */
	int32_t n_peers;                 /* the assignment, self included when hosted here */
	struct replica_peer peers[REPLICAS_MAX];
	uint32_t isr;                    /* bit i <=> peers[i]; committed by the controller */
	uint32_t isr_pending;            /* proposed and unanswered; meaningful while is_pending */
	uint32_t proposal;               /* number of the latest proposal */
	bool is_pending;                 /* an AlterPartition of ours is not settled */
	int64_t expand_after_ms; /* the controller refused a joiner: ask again then, or on news */
	bool is_recovering; /* after an unclean election, until the controller recorded RECOVERED */
};

enum replica_event_kind {
	REPLICA_EV_ASSIGNED,     /* metadata: new role, isr, epochs, assignment */
	REPLICA_EV_BROKERS,      /* metadata: eligibility or broker epochs of peers changed */
	REPLICA_EV_MIN_ISR,      /* metadata: topic config changed */
	/* the log end moved (leader or follower); on a follower with the leader's marks */
	REPLICA_EV_APPENDED,
	/* leader: an accepted fetch of a peer (never one that was told to diverge) */
	REPLICA_EV_FETCHED_BY,
	REPLICA_EV_ISR_ANSWER,   /* leader: the controller answered our AlterPartition */
	REPLICA_EV_TRUNCATED,    /* the log was cut (follower) or its start moved */
	REPLICA_EV_TICK,         /* every lag_max_ms / 2 */
};

/* What the controller's answer means.  ROLL_BACK: INELIGIBLE_REPLICA, OPERATION_NOT_ATTEMPTED.
 * WAIT_METADATA: FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, UNKNOWN_TOPIC_ID, INVALID_REQUEST,
 * NEW_LEADER_ELECTED.  RETRY: anything else; give it after a pause, it proposes again at once. */
enum replica_verdict { ISR_ADOPTED, ISR_ROLL_BACK, ISR_WAIT_METADATA, ISR_RETRY };

struct replica_event {
	enum replica_event_kind kind;
	int64_t now_ms;
	union {
		struct {
			int32_t leader, leader_epoch, partition_epoch;
			const int32_t *replicas, *isr;
			int32_t n_replicas, n_isr;
			bool is_recovering;
			int32_t min_isr; /* of the same image; 0: as it was */
			/* n_replicas rows: id, eligible, alive_epoch */
			const struct replica_peer *known;
		} assigned;
		struct {
			const struct replica_peer *known;    /* rows: id, eligible, alive_epoch */
			int32_t n;
		} brokers;
		int32_t min_isr;
		struct {
			int64_t log_end;
			/* followers; -1 on a leader */
			int64_t leader_high_watermark, leader_log_start;
		} appended;
		struct {
			int32_t peer;
			int64_t broker_epoch, offset, log_start;
		} fetched;
		struct {
			enum replica_verdict verdict;
			uint32_t proposal;                   /* as it stood in the effects */
			int32_t partition_epoch;             /* with ISR_ADOPTED */
			uint32_t isr;
		} answer;
		struct {
			int64_t log_start, log_end;
		} truncated;
	};
};

struct replica_effects {
	bool became_leader, became_follower, lost_leadership;  /* of a new leader epoch */
	bool hw_moved;           /* wake fetches and acks=all produces up to high_watermark */
	bool log_start_moved;    /* follower: log_advance_start to the replica's log_start */
	bool propose_isr;        /* send AlterPartition with `isr`, recovery state RECOVERED */
	uint32_t isr, proposal;
	bool isr_changed;        /* the committed ISR changed: produces parked on it look again */
};

void replica_init(struct replica *, int32_t self, int64_t lag_max_ms);
/* Once, before the first event: what the log and the high watermark checkpoint say. */
void replica_load(struct replica *, int64_t log_start, int64_t high_watermark, int64_t log_end);
void replica_step(struct replica *, const struct replica_event *, struct replica_effects *);
void replica_check(const struct replica *);

int32_t replica_isr_count(const struct replica *);              /* committed */
int32_t replica_min_isr(const struct replica *); /* min(min.insync.replicas, assignment) */
uint32_t replica_maximal_isr(const struct replica *);
/* NULL: not assigned */
const struct replica_peer *replica_peer_of(const struct replica *, int32_t id);
/* unassigned ids are dropped */
uint32_t replica_mask_of(const struct replica *, const int32_t *ids, int32_t n);
int32_t replica_ids_of(const struct replica *, uint32_t mask, int32_t ids[REPLICAS_MAX]);
/* acks=all: may a batch be appended at all: else NOT_ENOUGH_REPLICAS, nothing written.  Once the
 * high watermark passed it: was it kept by enough, else NOT_ENOUGH_REPLICAS_AFTER_APPEND. */
bool replica_has_enough(const struct replica *);
bool replica_kept_enough(const struct replica *);
/* Leader, before a fetch is served: UNASSIGNED answers UNKNOWN_LEADER_EPOCH, STALE (a broker epoch
 * of an earlier life) NOT_LEADER_OR_FOLLOWER.  The step ignores both. */
enum replica_admission { REPLICA_ADMIT, REPLICA_UNASSIGNED, REPLICA_STALE };
enum replica_admission replica_admits(const struct replica *, int32_t peer, int64_t broker_epoch);
