/* times.h - moments as people write them on a command line. */
#pragma once
#include "controller/cli/cli.h"

/* "2026-03-01", "2026-03-01T12:00", "2026-03-01T12:00:00Z" (UTC); "90s", "15m", "2h", "1d": so long
 * ago.  Milliseconds of the wall clock; false: it is none of them. */
must_check bool time_read(const char *text, int64_t *out_ms);
int64_t time_now_ms(void); /* of the wall clock */
