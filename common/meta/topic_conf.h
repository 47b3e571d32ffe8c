/* topic_conf.h - every topic config: its row (type, range, default, sentence) and its value.
 *
 * A topic's value is its own override, else this broker's dynamic config, else the cluster-wide
 * dynamic default (both under the broker's name for it, the row's alias), else the broker's options
 * file, else the row's default.  The controller checks against the rows, brokers run on the values
 * and answer DescribeConfigs from both.
 *
 * min.insync.replicas comes from the records alone, topic or cluster-wide: leader and controller
 * must mean the same by it, or one commits without replicas that the other takes for complete
 * (KIP-966).  As in Kafka, what a broker's file says of it has no effect.
 *
 * Rows named internal.* are for tests and not described. */
#pragma once
#include "common/base/conf.h"
#include "common/meta/image.h"

enum topic_compression {
	TOPIC_PRODUCER,
	TOPIC_UNCOMPRESSED,
	TOPIC_GZIP,
	TOPIC_SNAPPY,
	TOPIC_LZ4,
	TOPIC_ZSTD,
};
enum topic_timestamp { TOPIC_CREATE_TIME, TOPIC_LOG_APPEND_TIME };

/* Numbers mean what Kafka's docs say: -1 no limit, INT64_MAX never. */
struct topic_conf {
	int64_t delete_retention_ms, file_delete_delay_ms;
	int64_t flush_messages, flush_ms;
	int64_t max_compaction_lag_ms, min_compaction_lag_ms;
	int64_t timestamp_before_max_ms, timestamp_after_max_ms;
	int64_t retention_bytes, retention_ms;
	int64_t segment_ms, segment_jitter_ms;
	int64_t local_retention_bytes, local_retention_ms;
	double min_cleanable_dirty_ratio;
	int32_t index_interval_bytes, max_message_bytes, min_insync_replicas;
	int32_t segment_bytes, segment_index_bytes;
	int32_t compression, timestamp_type;     /* the enums above */
	int32_t gzip_level, lz4_level, zstd_level;
	bool preallocate, unclean_election;
	bool remote_storage, remote_copy_disabled, remote_delete_on_disable;
	bool is_deleted, is_compacted;           /* cleanup.policy */
	struct str cleanup_policy; /* only of an options file; see topic_conf_settle */
	struct str text; /* of options that are checked and shown, not acted on */
};

extern const struct conf_row topic_conf_rows[];
extern const int topic_conf_n_rows;

const struct conf_row *topic_conf_row(struct str name);          /* NULL: no such topic config */
bool topic_conf_is_shared(const struct conf_row *);      /* never of one broker: see above */
/* Does the value fit?  why: one sentence with the way out. */
must_check enum err topic_conf_check(struct str name, struct str value, char *why, size_t cap);

void topic_conf_defaults(struct topic_conf *);
/* The same options for a broker's file, under their broker names, for fields of a struct topic_conf
 * at that offset of the options.  Returns how many, at most topic_conf_n_rows.  After parsing the
 * file: topic_conf_settle. */
int topic_conf_broker_rows(struct conf_row *out, size_t at);
void topic_conf_settle(struct topic_conf *);

/* The values in force for a topic on broker self (-1: nowhere in particular); fixed: the broker's
 * own, settled.  topic NULL: what a new topic gets. */
void topic_conf_of(const struct topic_conf *fixed, const struct image *, int32_t self,
		   const struct image_topic *topic, struct topic_conf *out);
/* Does a list of throttled replicas ("0:1,0:2", "*") name this one? */
bool topic_conf_throttles(struct str list, int32_t partition, int32_t broker);
void topic_conf_set(struct topic_conf *, struct str name, struct str value); /* invalid: ignored */
/* One value as DescribeConfigs shows it. */
struct str topic_conf_text(const struct topic_conf *, const struct conf_row *, char *tmp,
			   size_t cap);
