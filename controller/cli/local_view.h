/* local_view.h - a local cluster as its controller sees it, and nodes named on the command line. */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/local.h"
#include "controller/cli/view.h"

/* NULL: the controller gives no answer.  image_put by the caller. */
struct image *local_image(struct local *, int64_t deadline_ms);
/* Opens the cluster, looks at its processes and finds the node that the arguments name: an id, or
 * `leader-of TOPIC-PARTITION`.  Not CLI_OK: a sentence was printed. */
must_check int local_choose(struct cli *, struct local *, struct local_node **);
/* The command that brings back a node that the view misses, "weir local restart 2"; NULL: it is not
 * the local cluster of the profile, or its process runs. */
const char *local_remedy(struct cli *, const struct view *, int32_t id);
