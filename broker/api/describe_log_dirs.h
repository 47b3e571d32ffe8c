/* describe_log_dirs.h - DescribeLogDirs(35); see describe_log_dirs.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_log_dirs(struct req *);
