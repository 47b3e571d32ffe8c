/* cluster.h - one simulated cluster and all that is known of it: nodes, topics, clients, and the
 * truth against which every node and every reply is held.
 *
 * The truth of a partition is what was committed: the batches below the highest high watermark
 * that any leader ever had.  The first replica that shows a committed batch writes it down; all
 * others, and every client, must agree for ever. */
#pragma once
#include "common/meta/image.h"
#include "common/wire/batch.h"
#include "common/wire/codec.h"
#include "tests/sim/node.h"
#include "tests/sim/truth.h"

#define SIM_CONTROLLERS_MAX 5
#define SIM_TOPICS_MAX 4
#define SIM_PARTITIONS_MAX 4
#define SIM_PRODUCERS_MAX 6
#define SIM_CLIENTS_MAX 13
#define SIM_IDS_MAX 256
#define SIM_IMAGES 64
#define SIM_CONF_MAX 4

enum { EXIT_CRASH = 127, EXIT_LIVENESS = 128, EXIT_SAFETY = 129 };

struct sim_topic {
	char name[16];
	struct uuid id; /* zero until the controller made it */
	int n_partitions, rf, min_isr;
	bool is_unclean; /* may lose what was committed */
	bool may_go;     /* somebody may delete it */
	int64_t retention_ms; /* -1: for ever */
	bool is_placed;  /* replicas on brokers 1, 2, ..., in that order */
	struct truth truth[SIM_PARTITIONS_MAX];
	struct sim_topic *past; /* of the same name, deleted; the newest first */
};

struct client;
struct cluster {
	struct world *world;
	struct sim_node *controllers[SIM_CONTROLLERS_MAX]; /* ids 100, 101, ... */
	int n_controllers;
	struct sim_node *broker[SIM_BROKERS_MAX]; /* ids 1, 2, ... */
	int n_brokers;
	struct sim_topic topic[SIM_TOPICS_MAX];
	int n_topics;
	struct client *client[SIM_CLIENTS_MAX];
	int n_clients;
	int64_t id[SIM_IDS_MAX]; /* of producers */
	int n_ids;
	const char *topic_conf[SIM_CONF_MAX]; /* NAME=VALUE of every topic; NULL: none */
	bool is_quiet;    /* no new work: what is under way must end */
	bool is_at_rest;  /* nothing may grow */
	int64_t n_acked, n_consumed, n_refused, n_faults;
	struct uuid *gone; /* ids of deleted topics */
	int n_gone;
	struct image *decided; /* the newest committed state seen */
	struct image *history[SIM_IMAGES]; /* the last ones, by offset modulo */
	struct image *folded;  /* from the decrees */
	struct decree *decrees; /* from first_decree on */
	int64_t first_decree, n_decrees; /* offsets: the latter is the end */
	struct witness witness[SIM_CONTROLLERS_MAX];
	int64_t compared[SIM_BROKERS_MAX][WORLD_ACTORS_MAX]; /* offsets of images */
	struct codec_state *codec;
	struct codec_buf records;
	struct prng chance; /* of which rare checks are made when; no other randomness */
};

/* cluster.c */
/* c100, c101, ...: the voters of a new cluster. */
void cluster_add_controllers(struct cluster *, int n);
void cluster_tell_controllers(const struct cluster *, struct sim_node *broker);
struct cluster *cluster_new(uint64_t seed);
void cluster_free(struct cluster *);
void cluster_start_all(struct cluster *);
struct sim_topic *cluster_topic(struct cluster *, int n_partitions, int rf, int min_isr,
				bool is_unclean);
/* Its log began at that offset; what came before is deleted. */
void truth_begin(struct truth *, int64_t offset);
/* Another topic has its name now. */
void cluster_begin_again(struct sim_topic *, struct uuid id);
/* A broker's replica; NULL: none, or its log is not open. */
struct partition *cluster_replica(const struct cluster *, int broker, const struct sim_topic *,
				  int partition);
/* The records of a batch, decompressed; they live until the next call. */
struct str cluster_records(struct cluster *, const struct batch *);
/* The one that decides, by its own word, in the latest term; NULL: none. */
struct sim_node *cluster_active(const struct cluster *);
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
	const char *rule; /* that was broken: its text, or the format; NULL: none, or a crash */
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
no_return void story_fail_as(int code, const char *rule, const char *message);

/* check.c: after every event; fails the run, naming the rule (rules.h). */
void check_machine(struct cluster *, const struct machine *);
/* Bytes on that broker's disk were damaged behind its back: its next start may find less. */
void check_expect_rot(struct cluster *, int broker);
void check_controller(struct cluster *, int controller); /* check_quorum.c */
/* A cluster that has run before: its state, which the check keeps. */
void check_from(struct cluster *, struct image *);
/* check_meta.c */
void check_decisions(struct cluster *, struct image *committed);
void check_known(struct cluster *, int broker);
/* A client was told so. */
void check_acked(struct cluster *, struct sim_topic *, int partition, int64_t offset,
		 uint64_t value);
void check_open_promises(const struct sim_topic *, int partition);
bool check_committed_already(const struct sim_topic *, int partition, uint64_t value);
/* Or it was committed and deleted before anybody looked. */
bool check_may_be_committed(const struct sim_topic *, int partition, uint64_t value);
void check_read(struct cluster *, struct sim_topic *, int partition, int64_t offset,
		uint64_t value);
/* check_end.c: all is quiet and whole.  What nothing but time may change is measured once, and
 * compared after a while. */
void check_end(struct cluster *);
/* Somebody's question to a partition has no answer yet. */
bool cluster_waits(struct cluster *, char *why, size_t cap);
struct rest { /* 55 */
	int64_t files, bytes;
};
struct rest rest_measure(const struct cluster *);
void rest_compare(const struct cluster *, struct rest before);
