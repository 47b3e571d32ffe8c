/* alter_replica_log_dirs.h - AlterReplicaLogDirs(34); see alter_replica_log_dirs.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_alter_replica_log_dirs(struct req *);
