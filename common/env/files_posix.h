/* files_posix.h - struct files_ops on the kernel's files.
 *
 * Stateless and callable on any thread; the env argument is not used.  Failures are logged here
 * with path and errno, because the caller sees an enum err only. */
#pragma once
#include "common/env/env.h"

extern const struct files_ops files_posix;

/* First thing in main: whoever was started without a standard descriptor (>&-) would get a socket
 * or a log for it, and print into that.  What stands there instead can only be read, so that
 * printing still fails. */
void files_open_standard(void);
