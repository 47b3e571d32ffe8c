/* election.h - who leads and who is in sync after a change: the one routine for every change.
 *
 * Pure arithmetic over one partition.  The rule is Kafka's PartitionChangeBuilder, today without
 * eligible leader replicas: the last member of an ISR is never removed, so a partition whose last
 * in-sync replica is away waits for it, leaderless.  min_isr and the elr of the partition are
 * carried so that KIP-966 changes this file alone.
 *
 *   leader epoch      grows whenever the record sets the leader
 *   partition epoch   grows with every change; a change that changes nothing emits nothing */
#pragma once
#include "common/meta/image.h"

enum election_kind {
	ELECT_ONLINE, /* keep the leader if it can lead, else the first replica that can */
	ELECT_PREFERRED,         /* the first replica of the assignment if it can lead */
	ELECT_UNCLEAN,           /* as ONLINE; if nobody in sync can lead, anyone alive */
};

struct election {
	const struct image *image;
	const struct image_topic *topic;
	int32_t partition;
	enum election_kind kind;
	int32_t leaving;                 /* a broker that cannot lead whatever the image says; -1 */
	struct image_ids isr; /* the ISR to be; empty: the present one's last member stays */
	bool is_recovered;               /* the leader reports the end of recovery */
	int32_t min_isr;
};

struct elected {
	struct image_partition to;       /* the partition after the change */
	bool is_changed, is_unclean;
	bool isr_changed, leader_changed, recovery_changed;
};

struct elected elect(const struct election *);
