/* checkpoint.h - the offset checkpoints of a log directory, one line per partition:
 *
 *   0                          the version
 *   2                          how many lines follow
 *   orders 0 1234              topic partition offset
 *   orders 1 99
 *
 * A file that breaks the format is ERR_CORRUPT and counts as empty: a recovery point of 0 means
 * more to scan, a high watermark of 0 is raised by replication. */
#pragma once
#include "broker/log/small_file.h"

#define CHECKPOINT_RECOVERY_POINT "recovery-point-offset-checkpoint"
#define CHECKPOINT_HIGH_WATERMARK "replication-offset-checkpoint"
#define CHECKPOINT_LOG_START      "log-start-offset-checkpoint"

struct checkpoint_row {
	struct str topic;
	int32_t partition;
	int64_t offset;
};
struct checkpoint {
	struct checkpoint_row *v;  /* topics point into text */
	int32_t n;
	char *text;
};

must_check enum err checkpoint_write(struct env *, const char *dir, const char *name,
				     const struct checkpoint_row *, int32_t n);
/* A missing file is an empty checkpoint; after ERR_CORRUPT it is empty, too. */
must_check enum err checkpoint_read(struct env *, const char *dir, const char *name,
				    struct checkpoint *);
void checkpoint_fini(struct checkpoint *);
