/* fetch.h - Fetch(1) for consumers and followers; see fetch.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_fetch(struct req *);
