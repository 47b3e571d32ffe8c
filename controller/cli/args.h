/* args.h - argv to a command, its arguments and its flags. */
#pragma once
#include "controller/cli/cli.h"

/* False: one sentence with the way out was printed.  Without a command: help. */
must_check bool args_parse(struct cli *, int argc, char **argv);
must_check bool args_count_ok(struct cli *);
