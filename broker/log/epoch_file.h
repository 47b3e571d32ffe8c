/* epoch_file.h - leader-epoch-checkpoint of a partition: which leader epoch began at which offset.
 *
 *   0            the version
 *   2            how many lines follow
 *   0 0          epoch, start offset; both ascend strictly
 *   3 1200 */
#pragma once
#include "broker/log/small_file.h"

#define EPOCH_FILE "leader-epoch-checkpoint"

struct epoch_row {
	int32_t epoch;
	int64_t start_offset;
};

must_check enum err epoch_file_write(struct env *, const char *dir, const struct epoch_row *,
				     int32_t n);
/* *v: heap, the caller's; a missing file has no rows.  ERR_CORRUPT: none, rebuild from the log. */
must_check enum err epoch_file_read(struct env *, const char *dir, struct epoch_row **v,
				    int32_t *n);
