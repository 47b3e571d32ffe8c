/* verify.h - the indexes beside a segment, checked against it. */
#pragma once
#include "common/base/base.h"

/* Problems found, each told on stderr; 0 as well when `path` is no <20 digits>.log. */
int64_t verify_indexes(const char *path);
