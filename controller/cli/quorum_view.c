/* quorum_view.c - see quorum_view.h.  Times are the leader's: its own last contact is its now. */
#include "controller/cli/quorum_view.h"
#include "controller/cli/link.h"

#define SILENT_MS 2000 /* several heartbeats */

int quorum_load(struct cli *cli, const Weir__Quorum **out)
{
	Weir__DescribeQuorum describe = WEIR__DESCRIBE_QUORUM__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_QUORUM;
	request.describe_quorum = &describe;
	if ((code = link_call(cli, &request, "describe the quorum", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_QUORUM)
		return cli_fail(cli, CLI_FAILED,
				"describe the quorum: the answer is of another kind");
	*out = response->quorum;
	return CLI_OK;
}

/* NULL: none leads. */
static const Weir__QuorumMember *leader_of(const Weir__Quorum *q)
{
	for (size_t i = 0; i < q->n_members; i++)
		if (q->members[i]->id == q->leader)
			return q->members[i];
	return NULL;
}

int32_t quorum_voters(const Weir__Quorum *q)
{
	int32_t n = 0;

	for (size_t i = 0; i < q->n_members; i++)
		n += q->members[i]->is_voter;
	return n;
}

int32_t quorum_alive(const Weir__Quorum *q)
{
	int32_t n = 0;

	for (size_t i = 0; i < q->n_members; i++)
		n += q->members[i]->is_voter && quorum_is_up(q, q->members[i]);
	return n;
}

bool quorum_is_up(const Weir__Quorum *q, const Weir__QuorumMember *m)
{
	const Weir__QuorumMember *leader = leader_of(q);

	return leader && (m == leader || m->last_fetch_ms + SILENT_MS >= leader->last_fetch_ms);
}

int64_t quorum_lag(const Weir__Quorum *q)
{
	const Weir__QuorumMember *leader = leader_of(q);
	int64_t lag = leader ? 0 : -1;

	for (size_t i = 0; leader && i < q->n_members; i++)
		if (q->members[i]->is_voter)
			lag = i64_max(lag, leader->log_end - i64_max(0, q->members[i]->log_end));
	return lag;
}
