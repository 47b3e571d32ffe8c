/* stage.h - the stage of a scene; for scene.c and scene_wait.c only. */
#pragma once
#include "tests/sim/scene.h"

#define SECOND 1000000
#define BOUND_US (30 * SECOND)
#define STEP_US 1000

struct sending;
struct stage {
	const char *name;
	struct cluster *cluster;
	struct client client;
	struct sim_topic *topic;
	/* for the turn in which it is sent */
	struct sending *sending;
	const char *record;
	int acks, broker;
};


int stage_leader(const struct stage *); /* by the controller's word; below 0: none */
