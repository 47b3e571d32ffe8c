/* metadata.h - Metadata(3); see metadata.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_metadata(struct req *);
