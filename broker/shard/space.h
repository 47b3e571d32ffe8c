/* space.h - a full disk stops writing before it hurts: while a log directory has less than
 * log.dir.free.bytes.min left, produces to its partitions are refused and followers rest; reads,
 * deletes and retention go on.  Looked at every second in a job of shard 0; it ends by itself when
 * there is twice as much room again. */
#pragma once
#include "broker/shard/broker.h"
#include "common/env/env.h"

struct space;
struct space *space_new(struct broker *);
void space_free(struct space *);
void space_start(struct space *);
void space_stop(struct space *);
