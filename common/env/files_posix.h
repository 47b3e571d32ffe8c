/* files_posix.h - struct files_ops on the kernel's files.
 *
 * Stateless and callable on any thread; the env argument is not used.  Failures are logged here
 * with path and errno, because the caller sees an enum err only. */
#pragma once
#include "common/env/env.h"

extern const struct files_ops files_posix;
