/* retention.h - what a partition needs from time to time: flushing, retention, forgetting
 * producers, and the removal of directories of deleted partitions.  What blocks runs in jobs. */
#pragma once
#include "broker/shard/shard.h"

struct partition;
/* Every second; retain: also look for old segments. */
void retention_care(struct partition *, bool retain);
/* After an append: starts a flush when flush.messages, flush.ms or a roll asks for one. */
void retention_flush_due(struct partition *);
/* Renames the directory of a dropped partition and removes it after file.delete.delay.ms. */
void retention_remove(struct partition *);
/* Of a move that ended: the future directory by its name, or the one it replaced, renamed already.
 */
void retention_remove_named(struct partition *, int dir, const char *name);
void retention_remove_retired(struct partition *, int dir, const char *retired);
/* After a start: the same for a directory found of a partition that was moved away meanwhile. */
struct dirs_row;
void retention_remove_found(struct shard *, struct dirs_row *, struct uuid topic_id,
			    int32_t partition);
/* Of a topic that is no more: it is renamed to -stray and stays, in case the metadata is wrong. */
void retention_put_aside(struct shard *, struct dirs_row *);
/* Process end: directories still waiting are found at start. */
void retention_forget(struct shard *);
