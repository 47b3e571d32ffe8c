/* partition_meta.h - partition.metadata: the topic id of a partition's directory, so that a topic
 * deleted and created anew under the same name is not mistaken for the old one.
 *
 *   version: 0
 *   topic_id: 3jXzE9ZsRNCrRGRxA3mDtw
 *   placed: 4711 2
 *
 * The third line, which is ours and which Kafka does not read, is only there when the replica was
 * given this log directory while another one may have kept a copy: the broker epoch, and how many
 * were placed before in that process.  Of two copies the one that was placed later is the replica.
 */
#pragma once
#include "broker/log/small_file.h"

struct placement {
	int64_t broker_epoch, n; /* 0 and 0: no such line */
};

must_check enum err partition_meta_write(struct env *, const char *dir, struct uuid topic_id);
must_check enum err partition_meta_place(struct env *, const char *dir, struct uuid topic_id,
					 struct placement);
/* Of what cannot be read: none. */
struct placement partition_meta_placement(struct env *, const char *dir);
bool placement_is_later(struct placement, struct placement than);
/* Not durable before partition_meta_sync, which is what the log's first flush does; it syncs the
 * names in the directory, too, and is content with one that has no such file. */
must_check enum err partition_meta_put(struct env *, const char *dir, struct uuid topic_id);
must_check enum err partition_meta_sync(struct env *, const char *dir);
/* ERR_NOT_FOUND: none there; ERR_CORRUPT. */
must_check enum err partition_meta_read(struct env *, const char *dir, struct uuid *topic_id);
