/* check.h - between the files that check; everybody else sees cluster.h.
 *
 * After an event only the machine that ran is looked at, and of its replicas only those that
 * changed: what is compared with the rest of the cluster is kept in `view` and `truth`. */
#pragma once
#include "broker/shard/partition.h"
#include "tests/sim/cluster.h"
#include "tests/sim/rules.h"

struct spot { /* one open replica, right after an event */
	struct cluster *c;
	int broker; /* index */
	struct sim_topic *topic;
	int number;
	struct truth *truth;
	struct view *view;
	struct partition *p;
};

no_return void spot_broken(const struct spot *, int rule, const char *fmt, ...) printf_like(3, 4);
/* The partition on that broker; false: no open, sound log there. */
bool spot_at(struct spot *, struct cluster *, int broker, struct sim_topic *, int partition);
/* Its broker is in service by the controller's word, with the process that runs now. */
bool spot_is_registered(const struct spot *);
/* 7, 8: the high watermark, the ISR or a log end moved. */
void check_candidates(struct cluster *, struct sim_topic *, int partition);

/* check_log.c */
void check_reopened(struct spot *); /* a new process opened the log */
void check_log(struct spot *);      /* the log may have grown or been cut */
void check_committed(struct spot *);
void check_index(struct spot *, bool is_thorough); /* 53: one place, or all */
void check_bytes(struct spot *); /* every batch again, from the files */
void truth_skip_unseen(struct truth *, int64_t to);

/* check_meta.c: 23, 24 */
void check_leader_knows(const struct spot *);
