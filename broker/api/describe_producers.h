/* describe_producers.h - DescribeProducers(61); see describe_producers.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_producers(struct req *);
