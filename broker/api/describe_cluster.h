/* describe_cluster.h - DescribeCluster(60), UnregisterBroker(64); see describe_cluster.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_cluster(struct req *);
enum api_ret handle_unregister_broker(struct req *);
