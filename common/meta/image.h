/* image.h - the cluster as its metadata log tells it: brokers, topics, partitions, configs.
 *
 * An image is the fold of metadata records (proto/cluster/records.proto); the controller decides
 * on one, every broker serves from one, the CLI prints one.  Mutable only while exclusively owned
 * (refs == 1): image_clone shares every topic with its source, and image_apply copies a topic
 * before changing it, so publishing a new version costs a pointer per topic.  A published image is
 * immutable and may be read and released on any thread.
 *
 * Applying a record that makes no sense here (unknown topic, unknown kind) changes nothing and
 * answers ERR_NOT_FOUND, or ERR_INVALID for one that is malformed (an id that is not 16 bytes, more
 * than IMAGE_REPLICAS_MAX replicas): a newer log must not stop an older node. */
#pragma once
#include "cluster/records.pb-c.h"
#include "common/base/base.h"
#include "common/base/map.h"

#define IMAGE_REPLICAS_MAX 16
#define IMAGE_ANSWERS_MAX 32             /* of one broker; the oldest is forgotten */
enum { IMAGE_TOPIC = 2, IMAGE_BROKER = 4 };     /* Kafka's config resource types */

struct image_endpoint {
	struct str name, host, protocol;
	int32_t port;
};
struct image_config {
	struct str name, value;
};
struct image_answer {                    /* to a request that may be asked again */
	int64_t number;
	struct str response;             /* packed */
};
struct image_broker {
	_Atomic uint32_t refs;           /* shared between versions like a topic */
	int32_t id;
	int64_t epoch;                   /* broker epoch: offset of its registration */
	struct uuid incarnation;
	struct image_endpoint *endpoints;
	int32_t n_endpoints;
	struct str rack;                 /* null: none */
	struct uuid *log_dirs;
	int32_t n_log_dirs;
	bool is_fenced, in_controlled_shutdown;
	bool is_held;                    /* fenced by an operator, until one lets it in again */
	int64_t vouched_epoch;           /* see records.proto; -1 once it has been unfenced */
	struct image_config *configs;    /* dynamic configs of this broker alone, by name */
	int32_t n_configs;
	/* To what this process asked the controller, by number; only those it may not have. */
	struct image_answer *answers;
	int32_t n_answers;
};
struct image_ids {                       /* a small set or list of broker ids, in order */
	int32_t v[IMAGE_REPLICAS_MAX];
	int32_t n;
};
struct image_partition {
	struct image_ids replicas, isr, adding, removing, elr, last_known_elr;
	struct image_ids offline; /* in a directory that failed, of a broker that runs */
	int32_t leader, leader_epoch, partition_epoch;  /* leader -1: none */
	bool is_recovering;
};
struct image_feature {
	struct str name;
	int32_t level;
};
struct image_voter {                     /* a controller that votes */
	int32_t id;
	struct uuid directory;
	char host[256];
	int32_t port;
};
struct image_topic {
	_Atomic uint32_t refs;
	struct uuid id;
	struct str name;
	struct image_partition *partitions;
	int32_t n_partitions;
	struct image_config *configs;    /* overrides only, by name */
	int32_t n_configs;
};
struct image {
	_Atomic uint32_t refs;
	int64_t offset;                  /* the next record to apply */
	int32_t controller;              /* of the newest LeaderRecord; -1 none */
	int64_t controller_epoch;
	struct image_broker **brokers;   /* by id */
	int32_t n_brokers;
	struct image_topic **topics;     /* by name */
	int32_t n_topics;
	struct image_config *broker_configs;     /* cluster-wide defaults: resource "" */
	int32_t n_broker_configs;
	struct image_feature *features;  /* finalised levels, by name */
	int32_t n_features;
	struct image_voter *voters;      /* as in their record; none: not written yet */
	int32_t n_voters;
	int64_t next_producer_id;
	struct image_topic **topics_by_id;       /* the same topics, by id */
};

struct image *image_new(void);
struct image *image_get(struct image *);
void image_put(struct image *);                          /* NULL is fine */
struct image *image_clone(struct image *);               /* a private version to apply records to */
/* does not move offset */
must_check enum err image_apply(struct image *, const Weir__MetadataRecord *);

const struct image_broker *image_broker(const struct image *, int32_t id);
const struct image_topic *image_topic_named(const struct image *, struct str name);
const struct image_topic *image_topic_by_id(const struct image *, struct uuid);
const struct image_partition *image_partition(const struct image_topic *, int32_t partition);
int32_t image_feature(const struct image *, struct str name);    /* finalised level; 0: not set */
/* null: not overridden */
struct str image_topic_config(const struct image_topic *, struct str name);
/* What that broker was answered; null: not remembered. */
struct str image_answer(const struct image *, int32_t broker, int64_t epoch, int64_t number);
bool image_ids_has(const struct image_ids *, int32_t id);
void image_ids_drop(struct image_ids *, int32_t id);     /* the others keep their order */
struct image_ids image_ids_without(const struct image_ids *, const struct image_ids *drop);
/* Unfenced and not in controlled shutdown. */
bool image_broker_active(const struct image *, int32_t id);

/* The state as records, in an order that image_apply accepts; each() gets borrowed memory. */
void image_dump(const struct image *, void (*each)(void *arg, const Weir__MetadataRecord *),
		void *arg);
bool image_equal(const struct image *, const struct image *);    /* the state; not the offset */
void image_check(const struct image *);                  /* asserts the invariants of one state */
/* Asserts what must hold between a state and the one after one more record: partition epochs grow
 * by one with each change, leader epochs never shrink, broker epochs grow, topic ids stay. */
void image_check_step(const struct image *before, const struct image *after);
