/* placement.h - which brokers hold which replicas of new partitions.
 *
 * Kafka's striped placement: partition after partition starts one rack further, replicas go around
 * the racks, within a rack around its brokers, living brokers before fenced ones; the first replica
 * is always alive and no broker has two. The random start comes from the seed. Brokers in
 * controlled shutdown get nothing. */
#pragma once
#include "common/base/arena.h"
#include "common/meta/image.h"

struct placement;
struct placement *placement_new(struct arena *, const struct image *, uint64_t seed);
int32_t placement_usable(const struct placement *);      /* brokers that could hold a replica */
int32_t placement_alive(const struct placement *);
/* The next partition; 1 <= replicas <= usable and alive > 0, asserted. */
struct image_ids placement_next(struct placement *, int32_t replicas);
