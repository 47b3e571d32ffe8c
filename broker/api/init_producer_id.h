/* init_producer_id.h - InitProducerId(22); see init_producer_id.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_init_producer_id(struct req *);
