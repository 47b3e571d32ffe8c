/* persist.h - what a partition keeps beside its log: leader epochs and producer snapshots.
 *
 * The state is copied on the shard and written by a job (tmp, fsync, rename).  After a crash that
 * lost the last write, both are rebuilt from the batches behind the one before (partition_open.c).
 */
#pragma once
#include "broker/core/producer.h"
#include "common/env/env.h"
#include "common/wire/batch.h"

struct partition;

void persist_epochs(struct partition *); /* when they changed since the last time */
must_check enum err persist_epochs_now(struct partition *); /* likewise; blocks */
/* How far the log may be trusted without being scanned: what the epoch file does not say yet must
 * be learnt from the batches after a crash. */
int64_t persist_recovery_point(const struct partition *);
void persist_producers(struct partition *, int64_t offset); /* their state just before `offset` */
must_check enum err persist_producers_now(struct partition *); /* at the log's end; blocks */
/* Likewise, beside a copy of the log in that directory. */
must_check enum err persist_producers_beside(struct partition *, const char *dir);

/* Both block.  A corrupt epoch file counts as empty. */
must_check enum err persist_load_epochs(struct env *, struct partition *, const char *dir);
/* Producers become the newest snapshot at or below `upto`; *at is its offset, -1: none. */
must_check enum err persist_load_producers(struct env *, struct partition *, const char *dir,
					   int64_t upto, int64_t *at);

/* How producer state sees a batch: as a leader is about to append it at `base`, ...  A producer is
 * remembered for producer.id.expiration.ms from now on: the times of its records may be long ago,
 * as those of a mirror's are. */
struct producer_append persist_append_of(const struct batch *, int64_t base_offset, int64_t now_ms);
/* ... and as it stands in a log: noted without questions. */
void persist_note(struct producers *, const struct batch *, int64_t now_ms);
