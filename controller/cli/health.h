/* health.h - how the cluster is, counted once from its image and what the controller knows. */
#pragma once
#include "controller/cli/view.h"

struct health {
	int32_t brokers, active, shutting_down;
	struct image_ids fenced; /* as many as fit */
	int32_t partitions, offline, under_min, under_replicated, at_min, not_preferred, recovering;
	bool is_leaderless; /* no controller is active, though one answers */
	bool is_well;
};

void health_count(const struct view *, struct health *);
/* "HEALTHY", "DEGRADED", "CRITICAL": nobody leads, or acks=all is refused. */
const char *health_verdict(const struct health *);
