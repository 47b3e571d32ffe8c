/* broker.h - what all shards of one broker process share.
 *
 * Filled by main before the first shard runs and read-only afterwards, except for what is atomic
 * here and what a comment gives to one shard.  A partition belongs to the shard that broker_shard
 * names, for the life of the process; nobody else touches it. */
#pragma once
#include "broker/core/throttle.h"
#include "broker/shard/broker_conf.h"
#include "common/env/env.h"

struct image;
struct shard;
struct dirs;

#define CLUSTER_ID_TEXT 64

struct broker {
	const struct broker_conf *conf;
	const struct conf_store *store; /* the options as text, for DescribeConfigs */
	const struct conf_row *rows;
	int n_rows;
	struct dirs *dirs;
	struct client_limits *limits; /* broker/api's */
	struct uuid incarnation; /* random per start */
	int n_shards;
	struct shard *shards[BROKER_SHARDS_MAX];
	/* Written by shard 0 before it publishes the first image; the others read it after that. */
	char cluster_id[CLUSTER_ID_TEXT];
	/* shared by the shards */
	struct throttle leader_throttle, follower_throttle, dirs_throttle;
	/* Called once on shard 0, when no log directory is left to work with; NULL: nobody
	 * cares. */
	void (*failed)(void *arg);
	void *failed_arg;
	_Atomic int64_t free_bytes_min; /* log.dir.free.bytes.min in force; shard 0 writes it */
	_Atomic int64_t dropped_ms; /* when a partition was dropped last; 0: never */
	_Atomic int64_t request_bytes; /* of requests in flight, all shards: for logs and metrics */
};

/* The shard that owns a partition. */
struct shard *broker_shard(const struct broker *, struct uuid topic_id, int32_t partition);
/* Where brokers find that one: its listener of the same name as our inter-broker one, else its
 * first.  False: the image does not know it, or no address of it. */
bool broker_addr(const struct broker *, const struct image *, int32_t id, struct peer_addr *);
/* The key of a partition in a shard's map. */
uint64_t partition_key(struct uuid topic_id, int32_t partition);
