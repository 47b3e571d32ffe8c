/* folworld.h - one real broker (number 1) that follows, on a simulated machine, and around it
 * nothing but a script: the controller that tells it who leads, and the leaders 2 and 3 that it
 * asks.  Each of them answers when the story says so, and what it says.
 *
 * The topic t has two partitions with replicas on 1, 2 and 3.  Whatever arrives at a leader, and
 * every line that the broker logs about following, goes into the tale. */
#pragma once
#include "common/base/text.h"
#include "common/rpc/rpc.h"
#include "tests/sim/node.h"

#define FOL_LEADERS 4 /* by id; 0 and 1 are unused */
#define FOL_PARTITIONS 2
#define FOL_QUESTIONS 8

struct fol_question {
	int16_t key, version;
	int32_t correlation, session;
	int64_t timestamp; /* of ListOffsets */
};
struct fol_leader {
	struct folworld *world;
	struct machine *machine;
	struct conn *conn;
	struct fol_question asked[FOL_QUESTIONS]; /* oldest first */
	int n_asked;
	int64_t offset[FOL_PARTITIONS]; /* where it was asked to read on */
};
struct fol_partition {
	int32_t leader, leader_epoch, partition_epoch;
};
struct folworld {
	struct world *sim;
	struct sim_node *node;
	struct machine *controller;
	struct rpc *link;
	struct fol_leader leaders[FOL_LEADERS];
	struct fol_partition partitions[FOL_PARTITIONS];
	int64_t n_records, n_lives;
	uint8_t incarnation[16];
	struct text *tale;
};
struct fol_answer { /* to a fetch, about one partition */
	int partition; /* -1: about none */
	int32_t epoch[4], n_of[4], n_runs; /* records: so many of that epoch */
	int64_t at, high_watermark, log_start; /* at -1: where it was asked to read on */
	int32_t diverging_epoch;
	int64_t diverging_end;
	int16_t error, refused; /* of the partition, of the whole fetch */
	bool is_damaged;
};

void fol_init(struct folworld *, struct text *tale);
void fol_fini(struct folworld *);
void fol_settle(struct folworld *, int64_t ms);
void fol_lead(struct folworld *, int partition, int32_t leader); /* a new leader epoch */
/* False: nobody asked. */
bool fol_answer(struct folworld *, int32_t leader, const struct fol_answer *);
bool fol_range(struct folworld *, int32_t leader, int64_t start, int64_t end);
void fol_drop(struct folworld *, int32_t leader); /* its connection closes */
void fol_show(struct folworld *);

/* folctl.c */
void fol_controller_begin(struct folworld *);
void fol_push_leader(struct folworld *, int partition);
extern const struct uuid fol_topic;
