/* describe_topic_partitions.h - DescribeTopicPartitions(75); see describe_topic_partitions.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_topic_partitions(struct req *);
