/* weir_control.h - WeirControl(10000), hidden; see weir_control.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_weir_control(struct req *);
