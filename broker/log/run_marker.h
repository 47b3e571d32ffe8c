/* run_marker.h - .weir_running, {"version":0,"brokerEpoch":17,"bootId":"aSSuYfwERGqm3A6y5A2hAg",
 * "file":"..."}: the broker epoch under which the directory was last used, the run of the kernel it
 * was in, and which file this is, so that a copy of the directory, from whenever, proves nothing.
 *
 * A clean shutdown proves that a directory has all it ever had (clean_marker.h).  So does the end
 * of a process alone, by a kill or a crash: what it wrote is in the page cache, which is the
 * kernel's.  Records are lost with the kernel (power, a panic), or with a device that failed:
 *
 *   marker there, its boot id is the present kernel's  -> complete, as of that broker epoch
 *   another boot id or file, none known, no marker     -> a tail may be gone
 *
 * Kafka takes every start without a clean shutdown for the latter.  Here a killed broker stays an
 * eligible leader (KIP-966), and only one that lost its power does not.
 *
 * Taken away when the directory fails; it says nothing about damage on the device, which recovery
 * finds (log_recovery.corrupt_offset).  Written without a sync: after a power loss it counts for
 * nothing, whatever is left of it. */
#pragma once
#include "broker/log/small_file.h"

must_check enum err run_marker_write(struct env *, const char *dir, int64_t broker_epoch);
/* *broker_epoch -1: records may be missing. */
must_check enum err run_marker_read(struct env *, const char *dir, int64_t *broker_epoch);
must_check enum err run_marker_remove(struct env *, const char *dir);
