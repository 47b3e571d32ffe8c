/* broker_conf.h - the options of a broker: server.properties with Kafka's names.
 *
 * One row per option (broker_conf.c) carries name, type, range, default and text; the rows are
 * also what DescribeConfigs answers for a broker.  Filled once by main before the first shard
 * starts and read-only from then on; what may change at run time comes from the metadata image
 * (topic_conf.h).  Text lives in the conf_store. */
#pragma once
#include "common/base/conf.h"
#include "common/env/env.h"
#include "common/meta/dynamic_conf.h"
#include "common/meta/topic_conf.h"

#define BROKER_LISTENERS_MAX 8
#define BROKER_DIRS_MAX 16
#define BROKER_SHARDS_MAX 64

struct broker_listener {
	struct str name, protocol;   /* PLAINTEXT, ... */
	struct peer_addr bind;       /* where we listen */
	struct peer_addr advertised; /* what others are told; port 0 follows the bound one */
};

struct broker_conf {
	int32_t node_id;
	struct str process_roles, listeners, advertised_listeners, security_map,
		inter_broker_listener;
	struct str controller_listeners, controller_servers, controller_voters;
	struct str log_dirs, rack, cluster_id;
	/* The machine's name, set before finishing: what a listener on every address advertises,
	 * as Kafka does.  "" is localhost. */
	char host_name[256];
	int32_t shards; /* 0: one per online core */
	int32_t io_threads;
	/* topics and records */
	int32_t num_partitions, default_replication_factor;
	bool auto_create_topics;
	struct dynamic_conf dynamic;     /* what the file says of what may change */
	struct topic_conf topic; /* log.*: what a topic gets that says nothing */
	int64_t roll_hours, retention_hours, retention_minutes;
	int64_t retention_check_ms;
	/* replication */
	int64_t lag_max_ms;
	int32_t fetch_bytes, fetch_response_bytes, fetch_wait_ms, fetch_min_bytes, fetch_backoff_ms;
	int64_t hw_checkpoint_ms;
	/* requests */
	int32_t request_bytes_max, fetch_bytes_max;
	int64_t idle_ms_max;
	int32_t connections_max, connections_per_ip_max;
	int64_t queued_bytes_max, conn_bytes_max;
	int32_t session_slots;
	int32_t partitions_per_reply_max;
	/* controller link */
	int32_t heartbeat_ms, session_timeout_ms, shutdown_timeout_ms;
	/* derived by broker_conf_finish */
	struct broker_listener listener[BROKER_LISTENERS_MAX];
	int32_t n_listeners, inter_broker; /* index into listener */
	struct str dir[BROKER_DIRS_MAX];
	int32_t n_dirs;
	struct peer_addr controller[16];
	int32_t n_controllers;
};

/* Fills `out` with the rows, those of topic defaults included; returns how many. */
#define BROKER_ROWS_MAX 128
int broker_conf_rows(struct conf_row out[BROKER_ROWS_MAX]);
/* Cross checks, and the lists taken apart.  On failure `why` is one clear sentence. */
must_check enum err broker_conf_finish(struct broker_conf *, const struct conf_store *,
				       const struct conf_row *, int n_rows, char *why,
				       size_t why_cap);
