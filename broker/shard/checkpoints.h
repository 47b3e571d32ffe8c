/* checkpoints.h - the three offset checkpoints of every log directory: recovery point, high
 * watermark, log start.
 *
 * Shard 0 asks every shard in turn for its partitions' offsets and writes what changed in a job,
 * every replica.high.watermark.checkpoint.interval.ms.  Partitions found at start whose logs are
 * not open keep the offsets they had. */
#pragma once
#include "broker/shard/broker.h"
#include "common/env/env.h"

struct checkpoints;
struct checkpoints *checkpoints_new(struct broker *);
void checkpoints_free(struct checkpoints *);
void checkpoints_start(struct checkpoints *);
void checkpoints_stop(struct checkpoints *);
/* Process end, logs closed: writes them now; blocks. */
void checkpoints_finish(struct checkpoints *);
