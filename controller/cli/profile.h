/* profile.h - which local cluster the other commands talk to when nobody says otherwise.
 *
 * A small properties file in the state directory; `weir local up` writes it, `purge` removes it. */
#pragma once
#include "controller/cli/cli.h"

struct profile {
	const char *dir;        /* of the cluster */
	const char *bootstrap;  /* host:port,... of its brokers */
	const char *controller; /* host:port,... of its controllers */
};

/* $XDG_STATE_HOME/weir or ~/.local/state/weir; in cli->mem. */
const char *profile_state_dir(struct cli *);
must_check bool profile_load(struct cli *, struct profile *); /* false: there is none */
must_check enum err profile_save(struct cli *, const struct profile *);
void profile_forget(struct cli *, const char *dir); /* if it is the one of this cluster */
