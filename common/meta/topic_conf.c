/* topic_conf.c - the table first, then checking, then values.
 *
 * Names, defaults, ranges and broker synonyms are those of Kafka 4.x's topic configs.  A row's
 * `name` is the topic's config, its `alias` the broker option that gives the default.
 *
 * Accepted and shown, but without effect so far, because what they steer does not exist: the
 * compaction rows (min.cleanable.dirty.ratio, *.compaction.lag.ms, delete.retention.ms), the
 * local.retention.* and remote.*, preallocate (segments are never
 * preallocated), and the compression levels (a broker that recompresses uses the library's
 * default). A topic with cleanup.policy=compact needs keys and keeps everything. */
#include "common/meta/topic_conf.h"

#include "common/base/text.h"

#define AT(field) offsetof(struct topic_conf, field)
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define I64(n, broker, field, lo, hi, d, ...)                                                      \
	{                                                                                          \
		n, broker, CONF_I64, AT(field), lo, hi, d, NULL, true, .doc = __VA_ARGS__          \
	}
#define I32(n, broker, field, lo, hi, d, ...)                                                      \
	{                                                                                          \
		n, broker, CONF_I32, AT(field), lo, hi, d, NULL, true, .doc = __VA_ARGS__          \
	}
#define BOOL(n, broker, field, d, ...)                                                             \
	{                                                                                          \
		n, broker, CONF_BOOL, AT(field), 0, 0, d, NULL, true, .doc = __VA_ARGS__           \
	}
#define ENUM(n, broker, field, vals, d, ...)                                                       \
	{                                                                                          \
		n, broker, CONF_ENUM, AT(field), 0, 0, d, vals, true, .doc = __VA_ARGS__           \
	}
#define TEXT(n, broker, field, vals, d, ...)                                                       \
	{                                                                                          \
		n, broker, CONF_STR, AT(field), 0, 0, d, vals, true, .doc = __VA_ARGS__            \
	}
/* clang-format on */
#define NEVER "9223372036854775807"
#define MANY INT64_MAX
#define WEEK "604800000"

const struct conf_row topic_conf_rows[] = {
	TEXT("cleanup.policy", "log.cleanup.policy", cleanup_policy, "delete,compact", "delete",
	     "What becomes of old records: delete whole segments, compact by key, or both."),
	I32("compression.gzip.level", "compression.gzip.level", gzip_level, -1, 9, "-1",
	    "Level for gzip; -1 is the library's default. Accepted, without effect yet."),
	I32("compression.lz4.level", "compression.lz4.level", lz4_level, 1, 17, "9",
	    "Level for lz4. Accepted, without effect yet."),
	ENUM("compression.type", "compression.type", compression,
	     "producer,uncompressed,gzip,snappy,lz4,zstd", "producer",
	     "Codec of stored batches; producer keeps what the producer sent."),
	I32("compression.zstd.level", "compression.zstd.level", zstd_level, -131072, 22, "3",
	    "Level for zstd. Accepted, without effect yet."),
	I64("delete.retention.ms", "log.cleaner.delete.retention.ms", delete_retention_ms, 0, MANY,
	    "86400000",
	    "How long a compacted topic keeps the marker of a deleted key. Accepted, without "
	    "effect yet."),
	I64("file.delete.delay.ms", "log.segment.delete.delay.ms", file_delete_delay_ms, 0, MANY,
	    "60000", "How long a deleted segment's files stay on disk.", "0|100|60000"),
	I64("flush.messages", "log.flush.interval.messages", flush_messages, 1, MANY, NEVER,
	    "Force a partition to disk after this many records.", "1|10|9223372036854775807"),
	I64("flush.ms", "log.flush.interval.ms", flush_ms, 0, MANY, NEVER,
	    "Force a partition to disk after this time.", "0|10|1000|9223372036854775807"),
	TEXT("follower.replication.throttled.replicas", NULL, text, NULL, "",
	     "Replicas that fetch no faster than their broker's "
	     "follower.replication.throttled.rate "
	     "while they are not in sync: partition:broker pairs or *."),
	I32("index.interval.bytes", "log.index.interval.bytes", index_interval_bytes, 0, INT32_MAX,
	    "4096", "One index entry for this many bytes of log.", "0..4096"),
	TEXT("leader.replication.throttled.replicas", NULL, text, NULL, "",
	     "Replicas that are served no faster than the leader's "
	     "leader.replication.throttled.rate while they are not in sync: partition:broker pairs "
	     "or *."),
	I64("local.retention.bytes", "log.local.retention.bytes", local_retention_bytes, -2, MANY,
	    "-2",
	    "Bytes kept locally with tiered storage; -2 follows retention.bytes. Accepted, without "
	    "effect yet."),
	I64("local.retention.ms", "log.local.retention.ms", local_retention_ms, -2, MANY, "-2",
	    "Time kept locally with tiered storage; -2 follows retention.ms. Accepted, without "
	    "effect yet."),
	I64("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", max_compaction_lag_ms, 1,
	    MANY, NEVER,
	    "A record is compacted at the latest after this time. Accepted, without effect yet."),
	I32("max.message.bytes", "message.max.bytes", max_message_bytes, 0, INT32_MAX, "1048588",
	    "The largest record batch that is accepted."),
	I64("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms",
	    timestamp_after_max_ms, 0, MANY, "3600000",
	    "How far ahead of the broker's clock a record's timestamp may be."),
	I64("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms",
	    timestamp_before_max_ms, 0, MANY, NEVER,
	    "How far behind the broker's clock a record's timestamp may be."),
	ENUM("message.timestamp.type", "log.message.timestamp.type", timestamp_type,
	     "CreateTime,LogAppendTime", "CreateTime", "Whose clock a record's timestamp is from.",
	     "CreateTime|LogAppendTime"),
	{ "min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", CONF_F64,
	  AT(min_cleanable_dirty_ratio), 0, 1, "0.5", NULL, true,
	  .doc = "Share of uncompacted bytes that makes compaction worthwhile. Accepted, without "
		 "effect "
		 "yet." },
	I64("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", min_compaction_lag_ms, 0,
	    MANY, "0", "A record is not compacted before this time. Accepted, without effect yet."),
	I32("min.insync.replicas", "min.insync.replicas", min_insync_replicas, 1, INT32_MAX, "1",
	    "An acks=all write is refused while fewer replicas than this are in sync."),
	BOOL("preallocate", "log.preallocate", preallocate, "false",
	     "Create segment files at full size. Accepted, without effect yet."),
	BOOL("remote.log.copy.disable", NULL, remote_copy_disabled, "false",
	     "With tiered storage: stop copying. Accepted, without effect yet."),
	BOOL("remote.log.delete.on.disable", NULL, remote_delete_on_disable, "false",
	     "With tiered storage: delete remote data when it is switched off. Accepted, without "
	     "effect yet."),
	BOOL("remote.storage.enable", NULL, remote_storage, "false",
	     "Tiered storage, which this server does not have: only false is accepted."),
	I64("retention.bytes", "log.retention.bytes", retention_bytes, -1, MANY, "-1",
	    "Delete the oldest segments of a partition larger than this; -1 no limit."),
	I64("retention.ms", "log.retention.ms", retention_ms, -1, MANY, WEEK,
	    "Delete segments older than this; -1 no limit."),
	I32("segment.bytes", "log.segment.bytes", segment_bytes, 1048576, INT32_MAX, "1073741824",
	    "A new segment is started before one grows past this size."),
	I32("segment.index.bytes", "log.index.size.max.bytes", segment_index_bytes, 4, INT32_MAX,
	    "10485760", "The largest index of a segment; a full one starts a new segment.",
	    "24|48|1024|10485760"),
	I64("segment.jitter.ms", "log.roll.jitter.ms", segment_jitter_ms, 0, MANY, "0",
	    "Spread the starts of new segments at random by up to this time.", "0|100"),
	I64("segment.ms", "log.roll.ms", segment_ms, 1, MANY, WEEK,
	    "A new segment is started after this time even if the old one is small."),
	BOOL("unclean.leader.election.enable", "unclean.leader.election.enable", unclean_election,
	     "false",
	     "Let a replica that was not in sync lead when no other is left: loses records."),
	/* After segment.bytes, so that it wins. */
	I32("internal.segment.bytes", NULL, segment_bytes, 256, INT32_MAX, NULL,
	    "segment.bytes below its minimum, for tests.", "8192..131072"),
};
const int topic_conf_n_rows = (int)ARRAY_LEN(topic_conf_rows);

static bool policy_of(struct str value, bool *is_deleted, bool *is_compacted);
static bool is_replica_list(struct str);
static void set_row(struct topic_conf *, const struct conf_row *, struct str value);
static struct str configured(const struct image_config *, int32_t n, struct str name);

/* Forty rows: a scan, because nothing asks on the hot path. */
const struct conf_row *topic_conf_row(struct str name)
{
	for (int i = 0; i < topic_conf_n_rows; i++)
		if (str_eq(str_of(topic_conf_rows[i].name), name))
			return &topic_conf_rows[i];
	return NULL;
}

/* What the row's type and range cannot say is checked by hand: policy words, a float's range, gzip
 * level 0 (which Kafka refuses), tiered storage. */
enum err topic_conf_check(struct str name, struct str value, char *why, size_t cap)
{
	const struct conf_row *row = topic_conf_row(name);
	struct topic_conf v = { 0 };
	struct text t;
	double f;
	enum err e;

	text_init(&t, why, cap);
	if (row == NULL) {
		const char *near = conf_nearest(topic_conf_rows, topic_conf_n_rows, name);

		text_printf(&t, "Unknown topic config name: %.*s", (int)name.n, name.at);
		if (near != NULL)
			text_printf(&t, "; did you mean %s?", near);
		return ERR_NOT_FOUND;
	}
	if ((e = conf_check(row, value, why, cap)) != ERR_OK)
		return e;
	if (row->at == AT(cleanup_policy) && !policy_of(value, &v.is_deleted, &v.is_compacted)) {
		text_printf(&t, "cleanup.policy=%.*s: must be delete, compact or compact,delete",
			    (int)value.n, value.at);
		return ERR_INVALID;
	}
	if (row->at == AT(text) && !is_replica_list(str_trim(value))) {
		text_printf(&t, "%s: must be * or partition:broker pairs, as in 0:1,0:2",
			    row->name);
		return ERR_INVALID;
	}
	if (row->type == CONF_F64 && (parse_f64(str_trim(value), &f) != ERR_OK || f < 0 || f > 1)) {
		text_printf(&t, "%s=%.*s: must be between 0 and 1", row->name, (int)value.n,
			    value.at);
		return ERR_LIMIT;
	}
	if (row->at == AT(gzip_level) && str_eq(str_trim(value), STR("0"))) {
		text_printf(&t, "compression.gzip.level=0: must be -1 or between 1 and 9");
		return ERR_LIMIT;
	}
	set_row(&v, row, value);
	if (v.remote_storage) {
		text_printf(&t, "remote.storage.enable=true: tiered storage is not available here");
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

/* "3:1": partition 3 on broker 1. */
static bool parse_pair(struct str pair, int32_t *partition, int32_t *broker)
{
	struct str left;

	pair = str_trim(pair);
	return str_cut(&pair, ':', &left) && parse_i32(left, partition) == ERR_OK &&
	       parse_i32(pair, broker) == ERR_OK && *partition >= 0 && *broker >= 0;
}

static bool is_replica_list(struct str list)
{
	struct str one;
	int32_t partition, broker;

	if (str_eq(list, STR("*")))
		return true;
	while (list.n > 0 && str_cut(&list, ',', &one))
		if (!parse_pair(one, &partition, &broker))
			return false;
	return true;
}

bool topic_conf_throttles(struct str list, int32_t partition, int32_t broker)
{
	struct str one;
	int32_t p, b;

	list = str_trim(list);
	if (str_eq(list, STR("*")))
		return true;
	while (list.n > 0 && str_cut(&list, ',', &one))
		if (parse_pair(one, &p, &b) && p == partition && b == broker)
			return true;
	return false;
}

bool topic_conf_is_shared(const struct conf_row *row)
{
	return strcmp(row->name, "min.insync.replicas") == 0;
}

void topic_conf_defaults(struct topic_conf *c)
{
	*c = (struct topic_conf){ 0 };
	for (int i = 0; i < topic_conf_n_rows; i++)
		if (topic_conf_rows[i].def != NULL)
			set_row(c, &topic_conf_rows[i], str_of(topic_conf_rows[i].def));
}

/* Rows without an alias exist for topics only. */
int topic_conf_broker_rows(struct conf_row *out, size_t at)
{
	int n = 0;

	for (int i = 0; i < topic_conf_n_rows; i++) {
		struct conf_row *r = &out[n];

		if (topic_conf_rows[i].alias == NULL)
			continue;
		*r = topic_conf_rows[i];
		r->name = r->alias;
		r->alias = NULL;
		r->at += at;
		n++;
	}
	return n;
}

void topic_conf_settle(struct topic_conf *c)
{
	if (!str_null(c->cleanup_policy))
		(void)policy_of(c->cleanup_policy, &c->is_deleted, &c->is_compacted);
	c->cleanup_policy = (struct str){ NULL, 0 };
}

/* From the weakest to the strongest would set fields twice; so per row the strongest that is set
 * wins: topic, this broker, all brokers, and `fixed` (options file, else default) below them. */
void topic_conf_of(const struct topic_conf *fixed, const struct image *im, int32_t self,
		   const struct image_topic *topic, struct topic_conf *out)
{
	const struct image_broker *me = image_broker(im, self);

	*out = *fixed;
	for (int i = 0; i < topic_conf_n_rows; i++) {
		const struct conf_row *row = &topic_conf_rows[i];
		struct str broker_name = str_of(row->alias), v = { NULL, 0 };

		if (topic != NULL)
			v = image_topic_config(topic, str_of(row->name));
		if (topic_conf_is_shared(row))
			set_row(out, row, str_of(row->def));
		else if (str_null(v) && me != NULL)
			v = configured(me->configs, me->n_configs, broker_name);
		if (str_null(v))
			v = configured(im->broker_configs, im->n_broker_configs, broker_name);
		if (!str_null(v))
			set_row(out, row, v);
	}
}

/* For one value from a record, which the controller has checked; what this version cannot read
 * leaves the field alone. */
void topic_conf_set(struct topic_conf *c, struct str name, struct str value)
{
	const struct conf_row *row = topic_conf_row(name);
	char why[256];

	if (row != NULL && conf_check(row, value, why, sizeof(why)) == ERR_OK)
		set_row(c, row, value);
}

struct str topic_conf_text(const struct topic_conf *c, const struct conf_row *row, char *tmp,
			   size_t cap)
{
	const char *field = (const char *)c + row->at;
	struct str rest, one = { "", 0 };
	struct text t;

	text_init(&t, tmp, cap);
	switch (row->type) {
	case CONF_I32: text_printf(&t, "%d", *(const int32_t *)(const void *)field); break;
	case CONF_I64:
		text_printf(&t, "%lld", (long long)*(const int64_t *)(const void *)field);
		break;
	case CONF_BOOL:
		text_printf(&t, "%s", *(const bool *)(const void *)field ? "true" : "false");
		break;
	case CONF_F64: text_printf(&t, "%g", *(const double *)(const void *)field); break;
	case CONF_ENUM:
		rest = str_of(row->values);
		for (int32_t i = *(const int32_t *)(const void *)field; i >= 0; i--)
			(void)str_cut(&rest, ',', &one);
		text_str(&t, one);
		break;
	case CONF_STR:
		if (row->at == AT(cleanup_policy))
			text_printf(&t, "%s%s%s", c->is_compacted ? "compact" : "",
				    c->is_compacted && c->is_deleted ? "," : "",
				    c->is_deleted ? "delete" : "");
		break;
	}
	return (struct str){ t.at, t.n };
}

/* A list of words; an empty list keeps everything for ever. */
static bool policy_of(struct str value, bool *is_deleted, bool *is_compacted)
{
	struct str rest = str_trim(value), one;

	*is_deleted = *is_compacted = false;
	while (rest.n > 0 && str_cut(&rest, ',', &one)) {
		one = str_trim(one);
		if (str_eq(one, STR("delete")))
			*is_deleted = true;
		else if (str_eq(one, STR("compact")))
			*is_compacted = true;
		else
			return false;
	}
	return true;
}

/* The value was checked when it was stored; a value from a newer version that this one cannot read
 * leaves the field alone. */
static void set_row(struct topic_conf *c, const struct conf_row *row, struct str value)
{
	void *field = (char *)c + row->at;
	struct str rest, one;
	int32_t i = 0;
	enum err e = ERR_OK;

	value = str_trim(value);
	switch (row->type) {
	case CONF_I32: e = parse_i32(value, field); break;
	case CONF_I64: e = parse_i64(value, field); break;
	case CONF_BOOL: e = parse_bool(value, field); break;
	case CONF_F64: e = parse_f64(value, field); break;
	case CONF_ENUM:
		rest = str_of(row->values);
		for (; str_cut(&rest, ',', &one); i++)
			if (str_eq(one, value))
				*(int32_t *)field = i;
		break;
	case CONF_STR:
		if (row->at == AT(cleanup_policy))
			(void)policy_of(value, &c->is_deleted, &c->is_compacted);
		break;
	}
	(void)e;
}

/* Linear: a broker has a handful of dynamic configs. */
static struct str configured(const struct image_config *v, int32_t n, struct str name)
{
	for (int32_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return v[i].value;
	return (struct str){ NULL, 0 };
}
