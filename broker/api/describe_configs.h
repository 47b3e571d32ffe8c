/* describe_configs.h - DescribeConfigs(32), ListConfigResources(74); see describe_configs.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_configs(struct req *);
enum api_ret handle_list_config_resources(struct req *);
