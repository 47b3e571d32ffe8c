/* view.h - the cluster as it is now: its image and what only the controller knows. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "common/meta/image.h"
#include "controller/cli/cli.h"

struct view {
	struct image *image;
	const Weir__ControllerState *controller; /* soft state; never NULL */
};

/* An exit code; not CLI_OK: a sentence was printed. */
must_check int view_load(struct cli *, struct view *);
/* For completion: no sentence, and not longer than this. */
must_check int view_load_quietly(struct cli *, struct view *, int64_t timeout_ms);
void view_fini(struct view *);

/* The image out of a snapshot; NULL when it makes no sense. */
struct image *view_fold(const Weir__Snapshot *);
const Weir__BrokerState *view_broker_state(const struct view *, int32_t id); /* NULL: unknown */

/* Replicas that are not in the ISR. */
void view_out_of_sync(const struct image_partition *, struct image_ids *);
/* min.insync.replicas in force for the topic, as the cluster's records say it. */
int32_t view_min_isr(const struct image *, const struct image_topic *);
const char *view_broker_text(const struct image_broker *); /* "up", "fenced", "held", "stopping" */
bool view_is_preferred(const struct image_partition *);
/* What a partition without a leader waits for, and what that costs; in the arena. */
const char *view_waits_for(struct cli *, const char *topic, int32_t number,
			   const struct image_partition *);

/* Walks the partitions of the named topics (of all when none is named); next gives false at the
 * end.  A name that is no topic is an error: check with view_has_topics first. */
must_check int view_has_topics(struct cli *, const struct view *, const char *const *names, int n);
struct view_walk {
	const struct view *view;
	const char *const *names;
	int n_names;
	int32_t at_topic, at_partition;
	const struct image_topic *topic;
	const struct image_partition *partition;
	int32_t number;
};
void view_walk_init(struct view_walk *, const struct view *, const char *const *names, int n);
bool view_walk_topic(struct view_walk *);     /* the next topic */
bool view_walk_partition(struct view_walk *); /* the next partition, of whatever topic */
