/* list_offsets.h - ListOffsets(2), OffsetForLeaderEpoch(23); see list_offsets.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_list_offsets(struct req *);
enum api_ret handle_offset_for_leader_epoch(struct req *);
