/* swarm.h - what one seed is: sizes, timeouts, workload and faults, drawn by chance.
 *
 * swarm_draw fills everything from the seed; settings.h may then overrule single fields, and the
 * schedule of faults follows from all of it.  Rates are mean pauses in virtual microseconds; 0:
 * never. */
#pragma once
#include "tests/sim/client.h"
#include "tests/sim/old.h"
#include "tests/sim/schedule.h"

#define SWARM_FAULTS_FROM_US 2000000 /* on the world's clock */

#define SWARM_CONF_MAX 32
#define SWARM_CONF_BYTES 80

struct swarm {
	uint64_t seed;
	int controllers, brokers, shards, topics, partitions, rf, min_isr;
	int producers, batches; /* batches: of each producer */
	int64_t pause_us;       /* between a producer's batches */
	int64_t operate_us;     /* between changes of topics; 0: none */
	bool has_passing;       /* one topic more, deleted and created again and again */
	int64_t safety_us, liveness_us;
	bool is_unclean;
	int64_t heartbeat_ms, session_ms, lag_ms, roll_ms, retention_ms;
	int64_t patience_ms, snapshot_bytes; /* of controllers */
	int64_t latency_us, jitter_us, turn_us, job_us;
	int64_t every_us[FAULT_KINDS];
	int64_t move_us; /* between reassignments of a partition, on average */
	int log_dirs;
	int64_t dir_move_us; /* between moves of a replica to another directory */
	struct past past;
	char conf[SWARM_CONF_MAX][SWARM_CONF_BYTES]; /* options that are not at their default */
	int n_conf;
};

void swarm_draw(struct swarm *, uint64_t seed);
/* Without faults, options and all that most clusters are without. */
void swarm_plain(struct swarm *);
struct cluster *swarm_build(const struct swarm *);
void swarm_tell(const struct swarm *, const struct cluster *);
/* Both phases; returns when everything held. */
void swarm_run(const struct swarm *, const struct schedule *, struct cluster *);

/* nemesis.c: lets a schedule's faults happen. */
void nemesis_begin(const struct swarm *, const struct schedule *, struct cluster *);
void nemesis_heal(struct cluster *); /* no more faults, and what broke is whole again */
