/* fuzz.h - any row of the options of brokers, topics and controllers that has a fuzz range may get
 * a value from it: the ranges stand beside the rows, see common/base/conf.h. */
#pragma once
#include "tests/sim/swarm.h"

void fuzz_draw(struct swarm *, struct prng *);
/* "broker:NAME=VALUE", "topic:..." or "controller:...".  False: there is no such option. */
bool fuzz_add(struct swarm *, const char *assignment);
/* The assignments of one scope ("broker"), without it; NULL: no more. */
const char *fuzz_at(const struct swarm *, const char *scope, int i);
