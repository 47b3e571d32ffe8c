/* persist.h - what a partition keeps beside its log: leader epochs and producer snapshots.
 *
 * The state is copied on the shard and written by a job, tmp + fsync + rename; the newest write
 * of a kind that waits replaces an older one.  After a crash that lost the last of them both are
 * rebuilt from the batches behind them (partition_open.c). */
#pragma once
#include "broker/core/producer.h"
#include "common/wire/batch.h"

struct partition;

void persist_epochs(struct partition *); /* when they changed since the last time */
void persist_producers(struct partition *, int64_t offset); /* their state just before `offset` */

/* How producer state sees a batch: as a leader is about to append it at `base`, ... */
struct producer_append persist_append_of(const struct batch *, int64_t base_offset);
/* ... and as it stands in a log: noted without questions. */
void persist_note(struct producers *, const struct batch *);
/* The newest snapshot at or below the log's end, loaded; the offset from which batches follow. */
int64_t persist_load_producers(struct partition *);
