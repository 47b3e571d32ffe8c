/* partition_open.h - the birth of a partition: find or make its directory, open its log in a job,
 * rebuild its epochs and producers, then partition_opened. */
#pragma once
#include "broker/shard/partition.h"

struct image_topic;
void partition_open_start(struct shard *, const struct image_topic *, int32_t number);
/* Producers as of the log's end, after a truncation: newest snapshot, then the batches behind it.
 */
must_check enum err partition_rebuild_producers(struct partition *);
