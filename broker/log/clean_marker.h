/* clean_marker.h - .kafka_cleanshutdown: {"version":0,"brokerEpoch":17}, written last when a broker
 * stops and taken away first when it starts, before any log is opened: a crash while logs are being
 * loaded must not look clean (KAFKA-10471, KAFKA-15375). */
#pragma once
#include "broker/log/small_file.h"

must_check enum err clean_marker_write(struct env *, const char *dir, int64_t broker_epoch);
/* *found, and the broker epoch in it (-1 when it cannot be read).  On ERR_OK the marker is gone
 * from the device. */
must_check enum err clean_marker_take(struct env *, const char *dir, bool *found,
				      int64_t *broker_epoch);
