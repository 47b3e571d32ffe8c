/* restart.h - what would suffer while a broker is out of service. */
#pragma once
#include "controller/cli/view.h"

struct restart_harm {
	int32_t below, offline; /* partitions under min.insync.replicas; without a leader */
};
struct restart_harm restart_harm(const struct view *, int32_t broker);
