/* node.h - a process of the cluster: the real controller or the real broker on a machine.
 *
 * A node outlives its processes: it has the machine and the options, and begins a new process at
 * each sim_node_start.  A process that cannot start, or that its own failure ended, is like a
 * killed one: the node is down until somebody starts it again. */
#pragma once
#include "broker/boot.h"
#include "controller/server/boot.h"
#include "tests/sim/world.h"

#define NODE_OPTIONS_MAX 48
#define SIM_LOG_DIRS_MAX 3
#define KAFKA_PORT 9092
#define CONTROLLER_PORT 9093

struct sim_node {
	struct machine *machine;
	int32_t id;
	bool is_controller;
	char option[NODE_OPTIONS_MAX][128];
	int n_options;
	struct boot *broker;                /* of this life; NULL: none, or not a broker */
	struct controller_boot *controller; /* likewise */
	struct options *options;
	struct resolved *resolved;
	bool is_stopping;
	int64_t n_starts;
};

struct sim_node *sim_node_add(struct world *, int32_t id, bool is_controller, int n_shards);
void sim_node_option(struct sim_node *, const char *fmt, ...) printf_like(2, 3);
void sim_node_start(struct sim_node *);
void sim_node_kill(struct sim_node *);
void sim_node_power_off(struct sim_node *);
void sim_node_stop(struct sim_node *); /* as SIGTERM does: a controlled shutdown */
void sim_node_wipe(struct sim_node *); /* its next start finds an empty disk; controllers */
void sim_node_log_dirs(struct sim_node *, int n);
const char *sim_log_dir(int i); /* "/data", "/data2", ... */
bool sim_node_runs(const struct sim_node *);
