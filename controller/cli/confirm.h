/* confirm.h - the question before something is destroyed. */
#pragma once
#include "controller/cli/cli.h"

/* CLI_OK when --yes was given or the person on the terminal typed the name; otherwise a sentence
 * was printed and the code is CLI_UNSAFE.  What it undoes is said for what can be undone; NULL:
 * nothing does. */
must_check int confirm(struct cli *, const char *what, const char *name, const char *undo);
