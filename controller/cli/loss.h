/* loss.h - what an unclean election would give up: per candidate, before anybody decides. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/view.h"

/* Prints, for each of the partitions that has no leader, its live replicas with their log ends and
 * what they lack of the longest log that can be seen.  Replicas that do not answer may hold more:
 * they are named.  Partitions with a leader are passed over.  The number of partitions shown. */
int loss_print(struct cli *, const struct view *, const Weir__ElectLeaders *);
