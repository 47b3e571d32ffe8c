/* reassignments.h - AlterPartitionReassignments(45), ListPartitionReassignments(46). */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_alter_partition_reassignments(struct req *);
enum api_ret handle_list_partition_reassignments(struct req *);
