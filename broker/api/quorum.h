/* quorum.h - DescribeQuorum(55), AddRaftVoter(80), RemoveRaftVoter(81); see quorum.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_describe_quorum(struct req *);
enum api_ret handle_add_raft_voter(struct req *);
enum api_ret handle_remove_raft_voter(struct req *);
