/* decide.h - shared by the families of ctl_decide: emitting records, answering, the view between.
 *
 * A command of several parts must see what its earlier parts did: view() is the state with the
 * records emitted so far, folded on a private version of the image.  Rows got from view() are
 * valid until the next record is emitted. */
#pragma once
#include "common/wire/kerr.h"
#include "controller/core/ctl.h"
#include "controller/core/election.h"

/* Hard maxima of what one request may ask for: everything that grows has one. */
#define REQUEST_PARTITIONS_MAX 10000
#define REQUEST_RESOURCES_MAX 10000      /* topics or config resources */
#define REQUEST_CHANGES_MAX 100000       /* partitions of AlterPartition or ElectLeaders */
#define TEXT_MAX 32767                   /* a config's value, as in Kafka's protocol */
#define NAME_MAX 255                     /* hosts, listeners, racks, config names */
#define ENDPOINTS_MAX 64
#define LOG_DIRS_MAX 1024
#define PRODUCER_ID_BLOCK 1000

const struct image *view(struct ctl_result *);

/* Each emits one record and gives its body to be filled in before the next view(). */
Weir__BrokerRecord *emit_broker(struct ctl_result *);
Weir__BrokerChangeRecord *emit_broker_change(struct ctl_result *, const struct image_broker *,
					     const char *reason);
Weir__TopicRecord *emit_topic(struct ctl_result *);
Weir__PartitionRecord *emit_partition(struct ctl_result *);
Weir__ConfigRecord *emit_config(struct ctl_result *);
Weir__MetadataRecord *emit(struct ctl_result *, Weir__MetadataRecord__BodyCase);
/* The change that the election came to; nothing when it came to none. */
void emit_elected(struct ctl_result *, const struct election *, const struct elected *,
		  const char *reason);

/* Arena memory in the shape that protobuf-c wants.  A reply outlives its request: whatever goes
 * into it is copied. */
char *zdup(struct ctl_result *, struct str);
char *zprintf(struct ctl_result *, const char *fmt, ...) printf_like(2, 3);
ProtobufCBinaryData bytes_dup(struct ctl_result *, ProtobufCBinaryData);
ProtobufCBinaryData uuid_dup(struct ctl_result *, struct uuid);
int32_t *ids_dup(struct ctl_result *, const struct image_ids *, size_t *n);
bool uuid_from(const ProtobufCBinaryData *, struct uuid *);

/* The whole command is refused. */
void refuse(struct ctl_result *, enum kerr, const char *fmt, ...) printf_like(3, 4);
/* Refuses a request for more than max things. */
bool is_too_much(struct ctl_result *, size_t n, size_t max, const char *things);
/* The broker that claims this epoch; NULL: refused already. */
const struct image_broker *sender(struct ctl_result *, int32_t id, int64_t epoch);

/* Everything that the election routine must know of a partition as it is: a change is made to
 * it. */
struct election election_of(const struct ctl_result *, const struct image *,
			    const struct image_topic *, int32_t partition);
/* Leaders for the leaderless partitions of a topic; NULL: of every topic. */
void elect_leaderless(struct ctl_result *, const struct image *, const struct image_topic *,
		      const char *reason);
/* The same for those with an ELR: who is in it depends on min.insync.replicas. */
void refresh_elr(struct ctl_result *, const struct image *, const struct image_topic *,
		 const char *reason);

/* The answer of an earlier time, when this broker has asked this before. */
must_check bool answer_again(struct ctl_result *, const struct ctl_cmd *);
/* Writes the answer down behind what was decided, for a broker that may ask again. */
void remember_answer(struct ctl_result *, const struct ctl_cmd *);

void decide_register(struct ctl_result *, const struct ctl_cmd *);
void decide_unregister(struct ctl_result *, const struct ctl_cmd *);
void decide_hold(struct ctl_result *, const struct ctl_cmd *);
void decide_fence(struct ctl_result *, const struct ctl_cmd *);
void decide_unfence(struct ctl_result *, const struct ctl_cmd *);
void decide_begin_shutdown(struct ctl_result *, const struct ctl_cmd *);
void decide_report_lost(struct ctl_result *, const struct ctl_cmd *);
void decide_alter_partition(struct ctl_result *, const struct ctl_cmd *);
void decide_create_topics(struct ctl_result *, const struct ctl_cmd *);
void decide_delete_topics(struct ctl_result *, const struct ctl_cmd *);
void decide_create_partitions(struct ctl_result *, const struct ctl_cmd *);
void decide_alter_configs(struct ctl_result *, const struct ctl_cmd *);
void decide_elect_leaders(struct ctl_result *, const struct ctl_cmd *);
void decide_reassign(struct ctl_result *, const struct ctl_cmd *);
void decide_update_features(struct ctl_result *, const struct ctl_cmd *);
/* Of a new cluster: the levels it begins with. */
void write_first_features(struct ctl_result *);
void decide_rebalance(struct ctl_result *, const struct ctl_cmd *);
void decide_elect_leaderless(struct ctl_result *, const struct ctl_cmd *);

/* Why one part of a command is refused; message in the arena, NULL: nothing to say. */
struct kerr_why {
	enum kerr code;
	char *message;
};
struct kerr_why because(struct ctl_result *, enum kerr, const char *fmt, ...) printf_like(3, 4);
/* The brokers of a manual assignment, checked as Kafka does. */
struct kerr_why check_assignment(struct ctl_result *, const Weir__BrokerIds *, struct image_ids *);
/* The min.insync.replicas to be written as a config of a topic with so many replicas that says
 * nothing itself; 1: none, or the cluster has a default of its own. */
int32_t default_min_isr(const struct ctl_result *, int32_t replication_factor);
/* Configs of a new topic; and what is odd about a topic's configs. */
struct kerr_why check_configs(struct ctl_result *, Weir__Config *const *, size_t n);
char *config_warning(struct ctl_result *, const struct topic_conf *, int32_t replication_factor);
