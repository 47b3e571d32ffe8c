/* api_rig.h - one shard's api on a fake world, and one client's connection to it. */
#pragma once
#include "broker/api/client_limits.h"
#include "tests/unit/shard/fake_env.h"

struct api_rig {
	struct fake_env fake;
	struct broker_conf conf;
	struct broker broker;
	struct shard shard; /* its image: the test's to give; freed at the end */
	struct conn conn;
};

void api_rig_begin(struct api_rig *);
void api_rig_end(struct api_rig *);
/* The request arrives, in one frame. */
void api_rig_ask(struct api_rig *, int key, int version, int32_t correlation,
		 const struct schema *, const void *request);
