/* features.h - what all nodes of a cluster must agree to use before anybody may (KIP-584).
 *
 * A feature has a range of levels that this version supports; the cluster's finalised level is a
 * record of the metadata log (image_feature).  Names and levels are Kafka's, because its clients
 * and tools look at them. */
#pragma once
#include "common/base/base.h"

struct feature {
	const char *name;
	int32_t min, max; /* levels supported here */
	int32_t first;    /* of a new cluster; 0: not finalised */
};

extern const struct feature features[];
extern const int n_features;

const struct feature *feature_named(struct str name); /* NULL: unknown here */
