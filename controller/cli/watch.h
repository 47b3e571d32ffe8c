/* watch.h - -w: a command run again and again, its answer drawn anew or its changes told. */
#pragma once
#include "controller/cli/cli.h"

/* Until the reader goes or a signal ends it; an exit code. */
int watch_run(struct cli *);
