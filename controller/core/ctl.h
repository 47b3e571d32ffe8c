/* ctl.h - the controller's decisions: a replicated machine over the metadata image.
 *
 * ctl_decide looks at the state and a command and gives metadata records and a reply; it changes
 * nothing.  The node (controller/server) appends the records to the log, replays each of them with
 * ctl_replay, the only mutator, and sends the reply once they are committed.  So recovery, standby
 * and normal operation are one path: the state is always the fold of the log.
 *
 * Pure: no clock, no files, no threads; randomness comes in with the command.  Records and reply
 * live in the arena of the result.  Commands borrow the request messages; neither outlives the
 * call of ctl_decide.
 *
 * A request that a broker asks again, because the controller went before it answered, is not
 * decided again: the answer stands in the log behind what it did (AnswerRecord; Ongaro's thesis,
 * 6.3), and is given once more.
 *
 * Families: ctl_broker.c (registration, fencing, shutdown), ctl_partition.c (AlterPartition,
 * replicas that lost records),
 * ctl_topic.c, ctl_config.c, ctl_elect.c, ctl_reassign.c, ctl_feature.c; election.c and placement.c
 * are the two algorithms; ctl_again.c knows what was decided before. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "common/base/arena.h"
#include "common/meta/image.h"
#include "common/meta/topic_conf.h"

#define CTL_PREFERRED_PER_PASS 1000
#define CTL_WHOLE_BYTES_MAX (8 << 20)    /* half of what a frame between controllers may have */

struct ctl_options {
	struct str cluster_id;
	int32_t default_partitions;
	int32_t default_replication_factor;      /* -1: min(3, brokers) */
	/* Becomes a config of every new topic that says nothing itself, when above 1, at most its
	 * replication factor; -1: 2 for three replicas or more. */
	int32_t default_min_insync;
	bool delete_topic_enable;
	struct topic_conf topic;                 /* defaults under every topic, settled */
};

struct ctl {
	const struct ctl_options *options;
	struct image *image;                     /* image->offset: offset of the next record */
};

enum ctl_kind {
	CTL_ACTIVATE,            /* this controller takes over */
	CTL_REGISTER,
	CTL_UNREGISTER,
	CTL_HOLD,                /* an operator fences it, or lets it in again */
	CTL_FENCE,               /* connection closed, silent, or it asked to be */
	CTL_UNFENCE,
	CTL_BEGIN_SHUTDOWN,      /* controlled: out of every ISR, leads nothing */
	CTL_ALTER_PARTITION,
	CTL_PRODUCER_IDS,
	CTL_CREATE_TOPICS,
	CTL_DELETE_TOPICS,
	CTL_CREATE_PARTITIONS,
	CTL_ALTER_CONFIGS,
	CTL_ELECT_LEADERS,
	CTL_REASSIGN,
	CTL_REPORT_LOST,         /* a broker's replicas lack records, or cannot be used */
	CTL_UPDATE_FEATURES,
	CTL_REBALANCE,           /* timer: give leadership back to preferred replicas */
	CTL_ELECT_LEADERLESS,    /* timer: unclean elections where the topic allows them */
	CTL_SET_VOTERS,          /* decided by raft, written down here */
};

/* The broker that will ask again if it hears nothing, and its number of the request; number 0:
 * whoever asks does so once. */
struct ctl_asker {
	int32_t broker;
	int64_t epoch, number, answered_below;
};

struct ctl_cmd {
	enum ctl_kind kind;
	struct ctl_asker asker;
	uint64_t seed;                           /* for topic ids and placement */
	/* Brokers that are away or restarting, but not for long: while one of them is the last in
	 * an ISR, nobody else is elected in its place, even where the topic would allow it. */
	const int32_t *awaited;
	int32_t n_awaited;
	union {
		struct {
			int32_t controller;
			int64_t epoch;   /* raft's term */
		} activate;
		struct {
			const Weir__RegisterBroker *m;
			bool is_old_alive; /* the registered incarnation still holds a session */
		} reg;
		struct {
			int32_t id;
			int64_t epoch;
			const char *reason;
		} broker;                        /* fence, unfence, begin shutdown */
		const Weir__UnregisterBroker *unregister;
		const Weir__HoldBroker *hold;
		const Weir__AlterPartition *alter_partition;
		const Weir__ReportLost *report_lost;
		const Weir__AllocateProducerIds *producer_ids;
		const Weir__CreateTopics *create_topics;
		const Weir__DeleteTopics *delete_topics;
		const Weir__CreatePartitions *create_partitions;
		const Weir__AlterConfigs *alter_configs;
		const Weir__ElectLeaders *elect_leaders;
		const Weir__ReassignPartitions *reassign;
		const Weir__UpdateFeatures *update_features;
		Weir__VotersRecord *voters;
	};
};

struct ctl_result {
	struct arena *arena;
	Weir__MetadataRecord **records;
	int32_t n_records, cap;
	Weir__Status status;
	Weir__Response reply;                    /* its status points to the one above */
	int32_t n_unclean;                       /* leaders chosen outside the ISR */
	bool is_again;                           /* decided before; this is the answer of then */
	/* private: the state with the records so far */
	const struct ctl *ctl;
	const struct ctl_cmd *cmd;
	struct image *scratch;
	int32_t n_applied;
};

void ctl_init(struct ctl *, const struct ctl_options *);
void ctl_fini(struct ctl *);
void ctl_result_init(struct ctl_result *, struct arena *);
void ctl_result_fini(struct ctl_result *);       /* the arena stays the caller's */

void ctl_decide(const struct ctl *, const struct ctl_cmd *, struct ctl_result *);
/* The log has the answer to this request. */
bool ctl_has_done(const struct ctl *, const struct ctl_asker *);
/* The next record of the log; one that makes no sense here is skipped, as image_apply says. */
must_check enum err ctl_replay(struct ctl *, const Weir__MetadataRecord *);

/* Its records are one batch, all or none, and refused when they are too many.  Those of the others
 * may be cut anywhere: no state between two records is wrong. */
bool ctl_is_whole(enum ctl_kind);

/* What a heartbeat asks for (KIP-631); code: why it was refused. */
enum ctl_beat { CTL_BEAT_NOTHING, CTL_BEAT_FENCE, CTL_BEAT_UNFENCE, CTL_BEAT_BEGIN_SHUTDOWN };
enum ctl_beat ctl_heartbeat(const struct ctl *, const Weir__Heartbeat *, int32_t *code);
