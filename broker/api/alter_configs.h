/* alter_configs.h - AlterConfigs(33), IncrementalAlterConfigs(44); see alter_configs.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_alter_configs(struct req *);
enum api_ret handle_incremental_alter_configs(struct req *);
