/* goldenworld.h - a cluster made of records, in a file that --saved reads. */
#pragma once
#include "common/base/base.h"

/* Three brokers, one fenced; topics orders (one partition moving, one leaderless) and audit. */
void goldenworld_save(const char *path);
