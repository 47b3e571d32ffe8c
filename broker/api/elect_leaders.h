/* elect_leaders.h - ElectLeaders(43); see elect_leaders.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_elect_leaders(struct req *);
