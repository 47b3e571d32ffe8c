/* plan.h - which partition is to have which replicas: read from a file in the form of Kafka's
 * tools, or made from an image.
 *
 * Everything lies in cli->mem.  Making plans is deterministic: the same image, the same plan. */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/cli.h"

struct plan_item {
	struct str topic;
	int32_t partition;
	struct image_ids old, replicas; /* old: as the image had it */
	bool has_replicas;
};
struct plan {
	struct plan_item *v; /* by topic and partition */
	int n, cap;
};

/* {"partitions":[{"topic":"t","partition":0,"replicas":[1,2]}]}; an exit code. */
must_check int plan_read(struct cli *, const char *path, struct plan *);
/* {"topics":[{"topic":"t"}]}: the names; an exit code. */
must_check int plan_read_topics(struct cli *, const char *path, const char ***names, int *n);
void plan_add(struct cli *, struct plan *, struct str topic, int32_t partition,
	      const struct image_partition *now, const struct image_ids *replicas);
void plan_sort(struct plan *);
must_check bool plan_has(const struct plan *, struct str topic, int32_t partition);

/* Onto the listed brokers: what lies there already stays.  False: fewer brokers than replicas. */
must_check bool plan_onto(struct cli *, const struct image *, const char *const *topics, int n,
			  const struct image_ids *brokers, struct plan *);
/* Off the broker: each of its replicas to the least loaded other one, in another rack if it can.
 * False: some partition has nowhere to go. */
must_check bool plan_drain(struct cli *, const struct image *, int32_t broker, struct plan *);
/* `factor` replicas for each partition of the topic; those out of sync go first. */
must_check bool plan_factor(struct cli *, const struct image *, const struct image_topic *,
			    int32_t factor, struct plan *);
/* Replicas and first replicas spread evenly over the brokers in service, with few moves. */
void plan_rebalance(struct cli *, const struct image *, struct plan *);
/* The broker gets its share of replicas and first replicas, from those who have most. */
void plan_fill(struct cli *, const struct image *, int32_t broker, struct plan *);
/* The broker's preferred partitions get another of their replicas in front. */
void plan_demote(struct cli *, const struct image *, int32_t broker, struct plan *);
