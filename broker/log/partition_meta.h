/* partition_meta.h - partition.metadata: the topic id of a partition's directory, so that a topic
 * deleted and created anew under the same name is not mistaken for the old one.
 *
 *   version: 0
 *   topic_id: 3jXzE9ZsRNCrRGRxA3mDtw */
#pragma once
#include "broker/log/small_file.h"

must_check enum err partition_meta_write(struct env *, const char *dir, struct uuid topic_id);
/* Not durable before partition_meta_sync, which is what the log's first flush does; it syncs the
 * names in the directory, too, and is content with one that has no such file. */
must_check enum err partition_meta_put(struct env *, const char *dir, struct uuid topic_id);
must_check enum err partition_meta_sync(struct env *, const char *dir);
/* ERR_NOT_FOUND: none there; ERR_CORRUPT. */
must_check enum err partition_meta_read(struct env *, const char *dir, struct uuid *topic_id);
