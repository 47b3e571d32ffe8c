/* produce.h - Produce(0); see produce.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_produce(struct req *);
