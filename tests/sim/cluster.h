/* cluster.h - one simulated cluster and all that is known of it: nodes, topics, clients, and the
 * truth against which every node and every reply is held.
 *
 * The truth of a partition is what was committed: the batches below the highest high watermark
 * that any leader ever had.  The first replica that shows a committed batch writes it down; all
 * others, and every client, must agree for ever. */
#pragma once
#include "common/meta/image.h"
#include "tests/sim/node.h"

#define SIM_BROKERS_MAX 6
#define SIM_TOPICS_MAX 3
#define SIM_PARTITIONS_MAX 4
#define SIM_CLIENTS_MAX 8
#define SIM_EPOCHS_MAX 4096

enum { EXIT_CRASH = 127, EXIT_LIVENESS = 128, EXIT_SAFETY = 129 };

#define UNSEEN (-1)
struct fact { /* of one committed offset */
	uint64_t value;
	uint32_t crc;         /* of its batch */
	int32_t epoch;        /* likewise */
	int64_t base_offset; /* likewise; UNSEEN: deleted before anybody looked */
};
struct view { /* what was last seen of a replica */
	uint32_t life;
	int32_t leader_epoch;
	bool is_leader;
	int64_t high_watermark, log_end;
	int64_t verified; /* equal to the truth below it */
};
struct promise { /* acknowledged to a client */
	uint64_t value;
	int64_t offset;
};
struct truth {
	struct fact *facts; /* by offset */
	int64_t n, cap;
	int64_t high_watermark; /* the highest of any leader */
	int64_t log_start;      /* likewise; what is below may be gone */
	int32_t newest_epoch;   /* of any leader seen */
	int8_t leader_of[SIM_EPOCHS_MAX];
	struct view views[SIM_BROKERS_MAX];
	struct map sequences; /* producer id + 1 -> its last committed sequence + 2 */
	bool is_unclean;      /* the topic's */
	struct promise *open; /* acknowledged by a leader whose log was gone a moment later */
	int64_t n_open, cap_open;
};
struct sim_topic {
	char name[16];
	struct uuid id; /* zero until the controller made it */
	int n_partitions, rf, min_isr;
	bool is_unclean; /* may lose what was committed */
	int64_t retention_ms; /* -1: for ever */
	bool is_placed;  /* replicas on brokers 1, 2, ..., in that order */
	struct truth truth[SIM_PARTITIONS_MAX];
};

struct client;
struct cluster {
	struct world *world;
	struct sim_node *controller;
	struct sim_node *broker[SIM_BROKERS_MAX]; /* ids 1, 2, ... */
	int n_brokers;
	struct sim_topic topic[SIM_TOPICS_MAX];
	int n_topics;
	struct client *client[SIM_CLIENTS_MAX];
	int n_clients;
	int64_t id[SIM_CLIENTS_MAX]; /* of producers */
	int n_ids;
	bool is_quiet;    /* no new work: what is under way must end */
	int64_t n_acked, n_consumed, n_refused, n_faults;
	struct image *decided; /* the newest committed state seen */
	int64_t compared[SIM_BROKERS_MAX][WORLD_ACTORS_MAX]; /* offsets of images */
};

/* cluster.c */
struct cluster *cluster_new(uint64_t seed);
void cluster_free(struct cluster *);
void cluster_start_all(struct cluster *);
struct sim_topic *cluster_topic(struct cluster *, int n_partitions, int rf, int min_isr,
				bool is_unclean);
/* A broker's replica; NULL: none, or its log is not open. */
struct partition *cluster_replica(const struct cluster *, int broker, const struct sim_topic *,
				  int partition);
/* What the controller decided; NULL while it is down or before the topic is there. */
const struct image_partition *cluster_decided(const struct cluster *, const struct sim_topic *,
					      int partition);
/* Leads by the controller's word and by its own: no stale leader. */
bool cluster_leads(const struct cluster *, int broker, const struct sim_topic *, int partition);
/* True when every broker is in service, every replica in sync and nothing under way.  Otherwise
 * `why` says what is missing. */
bool cluster_is_whole(const struct cluster *, char *why, size_t cap);

/* story.c: the narrative, kept in memory and told when something fails. */
struct outcome { /* of a run; in memory that its process shares with the one that started it */
	int code;         /* 0 or EXIT_... */
	const char *rule; /* that was broken: the format of its message; NULL: none, or a crash */
	int64_t at_us;
	char message[400];
	int64_t n_acked, n_consumed, n_faults, virtual_us;
	uint64_t hash;
};
void story_outcome(struct outcome *);
void story_begin(struct world *, bool is_loud);
void story_tell(const struct world *, const char *fmt, ...) printf_like(2, 3);
void story_last_lines(void); /* unless they were told already */
no_return void story_fail(int code, const char *fmt, ...) printf_like(2, 3);

/* check.c: after every event; fails the run. */
void check_machine(struct cluster *, const struct machine *);
/* check_meta.c */
void check_decisions(struct cluster *, struct image *committed);
void check_known(struct cluster *, int broker);
/* A client was told so. */
void check_acked(struct cluster *, struct sim_topic *, int partition, int64_t offset,
		 uint64_t value);
bool check_committed_already(const struct sim_topic *, int partition, uint64_t value);
void check_read(struct cluster *, struct sim_topic *, int partition, int64_t offset,
		uint64_t value);
void check_end(struct cluster *);
