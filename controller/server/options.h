/* options.h - the controller's options file: the same server.properties that Kafka's controller
 * reads.  What only brokers act on is accepted and left alone, so one file may serve both. */
#pragma once
#include "common/base/conf.h"
#include "controller/server/node.h"

struct options {
	int32_t node_id;
	struct str listeners, controller_names, quorum_voters, quorum_servers;
	struct str metadata_dir, log_dirs, cluster_id;
	int64_t session_timeout_ms, disconnect_grace_ms, election_ms;
	int64_t rebalance_interval_s, unclean_interval_ms, snapshot_bytes;
	bool rebalance_enable, delete_topic_enable;
	int32_t num_partitions, replication_factor, min_insync;
	struct topic_conf topic;
	struct str ignored;
	/* private */
	struct conf_row *rows;
	int n_rows;
	struct conf_store *store;
};

void options_init(struct options *);
void options_fini(struct options *);
must_check enum err options_load(struct options *, const char *path, char *why, size_t cap);
must_check enum err options_override(struct options *, const char *assignment, char *why,
				     size_t cap);
void options_print(const struct options *);
/* What the node runs on; text lives in the options and in the buffers of out. */
struct resolved {
	struct peer_addr listen;
	char dir[2048];
	struct node_options node;
};
must_check enum err options_resolve(struct options *, struct resolved *, char *why, size_t cap);
