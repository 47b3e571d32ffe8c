/* boot.h - a controller from its resolved options to its last word, on an env that somebody else
 * made: what weir-controller and the simulator have in common. */
#pragma once
#include "controller/server/meta_dir.h"
#include "controller/server/options.h"

struct controller_boot {
	struct env *env;
	struct resolved *resolved;
	struct str cluster_id;           /* that the operator asks for; empty: any */
	struct node *node;
	struct meta_dir dir;
	struct listener *listener;
};

/* Opens directory and log, listens, joins the quorum.  Set node->failed before the loop runs.  On
 * failure `why` is one sentence, and controller_free is due all the same. */
must_check enum err controller_start(struct controller_boot *, struct env *, struct resolved *,
				     struct str cluster_id, char *why, size_t cap);
void controller_stop(struct controller_boot *); /* no listener, no connections */
void controller_free(struct controller_boot *); /* after the actor's loop has ended */
