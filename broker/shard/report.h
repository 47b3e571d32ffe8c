/* report.h - what the controller must hear of a replica that its broker cannot vouch for.
 *
 * The registration speaks for whole directories (run_marker.h), before any log is open.  What is
 * found out later goes here: a log that recovery found damaged or too short, a directory that
 * failed.  The controller takes the replica out of ISR and ELR, so that it leads nothing.
 *
 * Asked until answered.  A partition that is being opened stays on the shard's list of openings
 * until then: so the broker does not say that it has caught up, and is not unfenced, before. */
#pragma once
#include "broker/shard/partition.h"

enum report_of {
	REPORT_SHORT,   /* it may lack records, and must fetch before it leads */
	REPORT_DAMAGED, /* synced records are gone: no restart brings them back */
	REPORT_OFFLINE, /* its directory failed */
};
void report_lost(struct partition *, enum report_of);
void report_free(struct partition *); /* with the partition */
