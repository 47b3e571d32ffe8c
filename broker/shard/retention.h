/* retention.h - what a partition needs from time to time: flushing, retention, forgetting
 * producers, and the removal of directories of deleted partitions.  What blocks runs in jobs. */
#pragma once
#include "broker/shard/shard.h"

struct partition;
/* Every second; retain: also look for old segments. */
void retention_care(struct partition *, bool retain);
/* After an append: starts a flush when flush.messages, flush.ms or a roll asks for one. */
void retention_flush_due(struct partition *);
/* Renames the directory of a deleted partition and removes it after file.delete.delay.ms. */
void retention_remove(struct shard *, int dir, const char *dir_name, struct uuid topic_id,
		      int64_t delay_ms);
/* Process end: directories still waiting are found at start. */
void retention_forget(struct shard *);
