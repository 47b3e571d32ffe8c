/* voters.h - the controllers' votes, as one sees them who sees all, and the operator who takes and
 * gives them.  A wiped disk is a dead voter; the dead are never so many that the others could not
 * decide, whatever change is under way. */
#pragma once
#include "tests/sim/cluster.h"

void voters_note(struct cluster *, int controller); /* after an event of it */
bool voters_may_wipe(const struct cluster *, const struct sim_node *);
void voters_wipe(struct cluster *, struct sim_node *); /* while it is down */
/* By the active controller's word, at once.  False: refused, or nobody decides. */
bool voters_take(struct cluster *, const struct sim_node *);
bool voters_give(struct cluster *, const struct sim_node *);
/* The operator replaces the dead; where there are none it takes that controller's vote, or gives
 * it one. */
bool voters_change(struct cluster *, const struct sim_node *);
void voters_mend(struct cluster *); /* one step towards all of them voting */
bool voters_are_whole(const struct cluster *, char *why, size_t cap);
