/* The APIs this broker serves.  ApiVersions announces exactly these rows; a handler that is not
 * here does not exist. */
#include "broker/api/alter_configs.h"
#include "broker/api/alter_replica_log_dirs.h"
#include "broker/api/create_partitions.h"
#include "broker/api/create_topics.h"
#include "broker/api/delete_records.h"
#include "broker/api/delete_topics.h"
#include "broker/api/describe_cluster.h"
#include "broker/api/describe_configs.h"
#include "broker/api/describe_log_dirs.h"
#include "broker/api/describe_producers.h"
#include "broker/api/describe_topic_partitions.h"
#include "broker/api/elect_leaders.h"
#include "broker/api/fetch.h"
#include "broker/api/init_producer_id.h"
#include "broker/api/list_offsets.h"
#include "broker/api/metadata.h"
#include "broker/api/produce.h"
#include "broker/api/quorum.h"
#include "broker/api/reassignments.h"
#include "broker/api/update_features.h"
#include "broker/api/versions.h"
#include "broker/api/weir_control.h"
#include "kafka/apis.h"

static const struct api rows[] = {
	{ API_PRODUCE, 3, 13, API_OVERLAPS, handle_produce },
	{ API_FETCH, 4, 18, API_PLAIN, handle_fetch },
	{ API_LIST_OFFSETS, 0, 11, API_PLAIN, handle_list_offsets },
	{ API_METADATA, 0, 13, API_PLAIN, handle_metadata },
	{ API_API_VERSIONS, 0, 4, API_PLAIN, handle_api_versions },
	{ API_CREATE_TOPICS, 0, 7, API_PLAIN, handle_create_topics },
	{ API_DELETE_TOPICS, 0, 6, API_PLAIN, handle_delete_topics },
	{ API_DELETE_RECORDS, 0, 2, API_PLAIN, handle_delete_records },
	{ API_INIT_PRODUCER_ID, 0, 5, API_PLAIN, handle_init_producer_id },
	{ API_OFFSET_FOR_LEADER_EPOCH, 0, 4, API_PLAIN, handle_offset_for_leader_epoch },
	{ API_DESCRIBE_CONFIGS, 0, 4, API_PLAIN, handle_describe_configs },
	{ API_ALTER_CONFIGS, 0, 2, API_PLAIN, handle_alter_configs },
	{ API_ALTER_REPLICA_LOG_DIRS, 0, 2, API_PLAIN, handle_alter_replica_log_dirs },
	{ API_DESCRIBE_LOG_DIRS, 0, 5, API_PLAIN, handle_describe_log_dirs },
	{ API_CREATE_PARTITIONS, 0, 3, API_PLAIN, handle_create_partitions },
	{ API_ELECT_LEADERS, 0, 2, API_PLAIN, handle_elect_leaders },
	{ API_INCREMENTAL_ALTER_CONFIGS, 0, 1, API_PLAIN, handle_incremental_alter_configs },
	{ API_ALTER_PARTITION_REASSIGNMENTS, 0, 1, API_PLAIN,
	  handle_alter_partition_reassignments },
	{ API_LIST_PARTITION_REASSIGNMENTS, 0, 0, API_PLAIN, handle_list_partition_reassignments },
	{ API_DESCRIBE_QUORUM, 0, 2, API_PLAIN, handle_describe_quorum },
	{ API_UPDATE_FEATURES, 0, 2, API_PLAIN, handle_update_features },
	{ API_DESCRIBE_CLUSTER, 0, 2, API_PLAIN, handle_describe_cluster },
	{ API_DESCRIBE_PRODUCERS, 0, 0, API_PLAIN, handle_describe_producers },
	{ API_UNREGISTER_BROKER, 0, 0, API_PLAIN, handle_unregister_broker },
	{ API_LIST_CONFIG_RESOURCES, 0, 1, API_PLAIN, handle_list_config_resources },
	{ API_DESCRIBE_TOPIC_PARTITIONS, 0, 0, API_PLAIN, handle_describe_topic_partitions },
	{ API_ADD_RAFT_VOTER, 0, 1, API_PLAIN, handle_add_raft_voter },
	{ API_REMOVE_RAFT_VOTER, 0, 0, API_PLAIN, handle_remove_raft_voter },
	{ API_WEIR_CONTROL, 0, 0, API_HIDDEN, handle_weir_control },
};

const struct api *api_row(int key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].key == key)
			return &rows[i];
	return NULL;
}

const struct api *api_rows(int *n)
{
	*n = (int)ARRAY_LEN(rows);
	return rows;
}
