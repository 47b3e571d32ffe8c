/* truth.h - what the checks remember of one partition: what was committed, what clients were told,
 * and how each replica looked last; and of the controllers. */
#pragma once
#include "common/base/map.h"
#include "controller/core/raft_msg.h"

#define SIM_BROKERS_MAX 6
#define SIM_EPOCHS_MAX 4096

#define UNSEEN (-1)
struct fact { /* of one committed offset */
	uint64_t value;
	uint32_t crc;        /* of its batch */
	int32_t epoch;       /* likewise */
	int64_t base_offset; /* likewise; UNSEEN: deleted before anybody looked */
};
struct seen_batch { /* of a replica's log, as it was written */
	int64_t base_offset, last_offset, max_timestamp_ms;
	uint32_t crc;
	int32_t epoch;
};
struct view {                  /* what was last seen of a replica */
	uint32_t life, losses; /* its machine's */
	bool is_known, is_leader, is_pending;
	bool is_harmed;    /* a bad disk ended the last life: only what was durable counts */
	bool is_rotten;    /* bytes of it went bad by themselves: nothing counts */
	bool took_records; /* as a follower, in this leader epoch */
	int32_t leader_epoch, partition_epoch;
	int64_t log_start, high_watermark, log_end;
	int64_t durable;       /* as the log reported it */
	uint32_t isr, maximal; /* bit i: broker id i */
	int32_t n_isr, min_isr;
	int64_t verified;           /* equal to the truth below it */
	struct seen_batch *batches; /* in the log, in order; the first ones may be deleted */
	int32_t n_batches, cap_batches;
};
struct promise { /* acknowledged to a client */
	uint64_t value;
	int64_t offset;
};
struct truth {
	struct fact *facts;     /* by offset - base */
	int64_t base, n, cap;   /* base: where the log began; n: the end, an offset, too */
	int64_t high_watermark; /* the highest of any leader */
	int64_t log_start;      /* likewise; what is below may be gone */
	int32_t newest_epoch;   /* of any leader seen */
	int8_t leader_of[SIM_EPOCHS_MAX];
	struct view views[SIM_BROKERS_MAX];
	struct map producers; /* id + 1 -> epoch and next sequence of what is committed */
	struct map ends;      /* id + 1 -> offset behind its last batch */
	struct map matching;  /* epoch and base offset -> crc of the batch and of the one before */
	bool is_unclean;      /* the topic's */
	struct promise *open; /* acknowledged by a leader whose log was gone a moment later */
	int64_t n_open, cap_open;
};

static inline struct fact *truth_at(const struct truth *t, int64_t offset)
{
	return &t->facts[offset - t->base];
}

struct decree { /* a record of the metadata log, committed */
	uint32_t crc;
	int64_t term;
};
struct witness {      /* what was last seen of a controller */
	int64_t term; /* in which it led; 0: never */
	uint32_t term_life;
	int64_t seen; /* records it knew to be committed */
	uint32_t life;
	struct raft_voter self;    /* id -1: nobody, its disk is empty */
	struct raft_voters voters; /* the last in its log */
	/* what it promised, on that disk */
	struct raft_voter disk, voted;
	int64_t promised_term;
};
