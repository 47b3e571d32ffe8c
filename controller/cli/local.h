/* local.h - a cluster of processes on this machine: where its files lie, which process is which.
 *
 *   DIR/cluster.properties             marks the directory as ours; shape of the cluster
 *   DIR/broker-1/broker.properties     what weir-broker is started with
 *   DIR/broker-1/{data/,broker.log,pid}
 *   DIR/controller-101/...             the same for controllers
 *
 * A pid file holds the pid and the process's start time; a signal is sent only to a process that
 * still has both, so a reused pid is never hit. */
#pragma once
#include "controller/cli/cli.h"
#include "controller/cli/sock.h"

#include <sys/types.h>

#define LOCAL_NODES_MAX 40
#define LOCAL_CONTROLLER_FIRST 101

enum local_state { LOCAL_DOWN, LOCAL_RUNNING, LOCAL_PAUSED };

struct local_node {
	int32_t id, port;
	bool is_broker;
	const char *role; /* "broker", "controller" */
	const char *dir, *log, *config;
	int64_t log_from; /* where local_start found the end of its log */
	/* As local_look found it: */
	enum local_state state;
	bool is_ending; /* its process is on the way out, or about to hear that it should be */
	pid_t pid;      /* 0 when down */
	int64_t rss_bytes, uptime_ms;
};

struct local {
	struct cli *cli;
	const char *dir, *name;
	int32_t n_brokers, n_controllers, base_port, port_step;
	struct local_node nodes[LOCAL_NODES_MAX]; /* controllers, then brokers */
	int n_nodes;
};

/* Which cluster --dir, --name or the profile mean; existing or not. */
void local_init(struct local *, struct cli *);
/* Reads its shape.  CLI_MISSING after a sentence when there is no cluster. */
must_check int local_open(struct local *);
bool local_exists(const struct local *);
void local_layout(struct local *); /* nodes from the shape */
/* Removes the nodes' files and the mark, so that there is no cluster any more, with or without the
 * logs.  An exit code. */
must_check int local_remove(struct local *, bool keep_logs);
const char *local_bootstrap(const struct local *);
const char *local_controllers(const struct local *);

void local_look(struct local *); /* state of every process */
void local_look_node(struct local *, struct local_node *);
/* Starts the process; it runs on when we are gone.  An exit code. */
must_check int local_start(struct local *, struct local_node *);
/* False when there is no such process any more. */
bool local_signal(struct local *, struct local_node *, int signal);
/* True when it ended before the deadline. */
bool local_wait_end(struct local *, struct local_node *, int64_t deadline_ms);
/* The answer of a command that did something to one node; took_ms below 0: not worth saying. */
void local_tell(struct cli *, const char *done, const struct local_node *, int64_t took_ms);
bool local_tell_nodes(struct local *); /* all nodes as they are now; true: every one runs */
void local_show_last_words(struct local *, const struct local_node *);
/* The directory of TOPIC-PARTITION in whichever of the broker's log.dirs holds it; in the first of
 * them when none does. */
const char *local_partition_dir(struct local *, int32_t broker, const char *partition);
/* What cli->args[0] names: a path, or with --broker TOPIC-PARTITION of a local cluster's broker. */
const char *local_log_path(struct cli *);
/* Options that the started process does not know, on stderr. */
void local_show_ignored(struct local *, const struct local_node *);
