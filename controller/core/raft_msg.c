/* raft_msg.c - names and identities. */
#include "controller/core/raft_msg.h"

bool raft_voter_eq(struct raft_voter a, struct raft_voter b)
{
	return a.id == b.id && uuid_eq(a.directory, b.directory);
}

int raft_voters_find(const struct raft_voters *set, struct raft_voter v)
{
	for (int32_t i = 0; i < set->n; i++)
		if (raft_voter_eq(set->v[i], v) ||
		    (set->v[i].id == v.id && uuid_is_zero(set->v[i].directory)))
			return i;
	return -1;
}

const char *raft_msg_name(enum raft_msg_kind k)
{
	switch (k) {
	case RAFT_PRE_VOTE: return "pre-vote";
	case RAFT_PRE_VOTE_REPLY: return "pre-vote reply";
	case RAFT_VOTE: return "vote";
	case RAFT_VOTE_REPLY: return "vote reply";
	case RAFT_APPEND: return "append";
	case RAFT_APPEND_REPLY: return "append reply";
	case RAFT_SNAPSHOT: return "snapshot";
	case RAFT_SNAPSHOT_REPLY: return "snapshot reply";
	case RAFT_TIMEOUT_NOW: return "timeout now";
	case RAFT_HELLO: return "hello";
	}
	return "unknown";
}
