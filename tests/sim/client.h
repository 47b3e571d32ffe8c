/* client.h - a client process: its machine, its connections to brokers, what it knows of leaders.
 *
 * Speaks real frames through the schema engine and behaves like a good client library: asks for
 * metadata when a broker refuses or a connection ends, retries for ever, keeps the order of each
 * partition.  A question ends exactly once: with a reply, or with the error that ended it. */
#pragma once
#include "common/base/arena.h"
#include "kafka/apis.h"
#include "tests/sim/cluster.h"

#define ASK_TIMEOUT_US 3000000
#define RETRY_MS 50

struct ask;
typedef void asked(void *arg, enum err, const void *reply);

struct client_conn {
	struct client *client;
	int broker; /* index */
	struct conn *conn;
	struct list asks; /* unanswered, oldest first */
};
struct client {
	struct cluster *cluster;
	struct machine *machine;
	struct env *env;
	struct client_conn to[SIM_BROKERS_MAX];
	int32_t next_correlation;
	int produce_version, fetch_version;
	int leader[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* broker index; -1 unknown */
	int32_t epoch[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* of that leader; never goes back */
	struct uuid id[SIM_TOPICS_MAX]; /* of the topics that it knows */
	bool is_asking, is_stale;
	struct timer tick; /* asks that took too long, metadata that is due */
	void (*on_news)(void *arg); /* leaders may have changed */
	void (*on_topic)(void *arg, int topic); /* another topic has the name; may be NULL */
	void *arg;
	bool (*is_idle)(const void *arg, char *why, size_t cap);
};

void client_init(struct client *, struct cluster *, const char *name);
void client_start(struct client *); /* within a turn of its actor */
/* `request` is encoded at once; `reply` and what it points to live until done returns. */
void client_ask(struct client *, int broker, enum api_key, int version, const void *request,
		asked *done, void *arg);
void client_refresh(struct client *); /* what it knows of leaders is wrong */
/* What is at an error in a reply: a leader moved, or the broker is busy: ask again. */
bool client_retries(int16_t code);

struct producer_options {
	int n_batches;    /* to make */
	int acks;         /* 0, 1, -1 */
	bool is_mixed; /* any acks for each batch */
	bool is_idempotent;
	int64_t pause_us; /* between batches, on average */
	int topic;
};
struct client *producer_new(struct cluster *, const char *name, const struct producer_options *);
struct client *consumer_new(struct cluster *, const char *name);
/* Creates every topic of the cluster, telling the controller; then reassigns partitions at random,
 * as often as that on average (0: never), until the cluster is quiet. */
struct client *admin_new(struct cluster *, const char *name, int64_t move_us);
/* broker: an index; -1: any */
void admin_create(struct client *, const struct sim_topic *, int broker, asked *, void *arg);
bool admin_is_created(enum err, const void *reply); /* or was already there */
/* Moves replicas between the log directories of their brokers. */
struct client *mover_new(struct cluster *, const char *name, int n_dirs, int64_t every_us);
struct client *asker_new(struct cluster *, const char *name);
/* Changes topics all the time, on average after every_us. */
struct client *operator_new(struct cluster *, const char *name, int64_t every_us);
