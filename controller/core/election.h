/* election.h - who leads, who is in sync and who is eligible after a change: the one routine for
 * every change.
 *
 * Pure arithmetic over one partition.  The rule is Kafka's PartitionChangeBuilder with eligible
 * leader replicas (KIP-966):
 *
 *   ISR    may lead; the leader counts them.  While it is smaller than min.insync.replicas nothing
 *          more is committed (broker/core/replica.c)
 *   ELR    left the ISR while it was that small: they have all that is committed and may lead when
 *          the ISR is empty.  Empty while the ISR is large enough; who loses records leaves it
 *   last known leader      of a partition without one (last_known_elr): it may lead when nobody is
 *          left in ISR and ELR, which takes as many losses as min.insync.replicas; such an election
 *          counts as unclean
 *
 *   leader epoch      grows whenever the record sets the leader
 *   partition epoch   grows with every change; a change that changes nothing emits nothing */
#pragma once
#include "common/meta/image.h"

enum election_kind {
	ELECT_ONLINE, /* keep the leader if it can lead, else the first replica that can */
	ELECT_PREFERRED,         /* the first replica of the assignment if it can lead */
	ELECT_UNCLEAN,           /* as ONLINE; if nobody eligible can lead, anyone alive */
};

struct reassignment {                    /* replicas: the targets, then what is to be removed */
	struct image_ids replicas, adding, removing;
};

struct election {
	const struct image *image;
	const struct image_topic *topic;
	int32_t partition;
	enum election_kind kind;
	int32_t leaving;                 /* a broker that cannot lead whatever the image says; -1 */
	int32_t lossy;                   /* a broker that may lack what it had: in no ELR; -1 */
	bool is_damaged; /* and surely does: nor is it waited for as the last leader */
	int32_t offline, online;         /* a broker whose replica cannot be used, can again; -1 */
	struct image_ids isr;            /* the ISR to be; may be empty */
	const struct reassignment *reassign;     /* begun or cancelled here; NULL: as it stands */
	bool is_recovered;               /* the leader reports the end of recovery */
	int32_t min_isr;                 /* the topic's min.insync.replicas */
};

struct elected {
	struct image_partition to;       /* the partition after the change */
	bool is_changed, is_unclean, is_last_known;
	bool isr_changed, elr_changed, known_changed, leader_changed, recovery_changed;
	bool offline_changed;
	bool replicas_changed, adding_changed, removing_changed;
};

struct elected elect(const struct election *);
