/* saved.h - a cluster's metadata in a file: what --saved FILE answers from instead of a cluster. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/cli.h"

/* As link_call, out of the file that --saved names: reads only. */
must_check int saved_call(struct cli *, const Weir__Request *, const char *what, Weir__Response **);
