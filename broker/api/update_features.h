/* update_features.h - UpdateFeatures(57); see update_features.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_update_features(struct req *);
