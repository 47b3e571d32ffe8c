/* create_partitions.h - CreatePartitions(37); see create_partitions.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_create_partitions(struct req *);
