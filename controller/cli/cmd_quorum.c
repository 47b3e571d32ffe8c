/* cmd_quorum.c - weir quorum describe, status, add-voter, remove-voter, transfer-leader. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/link.h"
#include "controller/cli/json.h"
#include "controller/cli/out.h"
#include "controller/cli/quorum_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static void row(struct out *, const Weir__Quorum *, const Weir__QuorumMember *, int64_t now_ms);
static int change(struct cli *, const Weir__Request *, const char *what, const char *done);
static int id_of(struct cli *, int32_t *id);

int cmd_quorum_describe(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "ID", "id", OUT_RIGHT },
		{ "ROLE", "role", OUT_LEFT },
		{ "STATE", "state", OUT_LEFT },
		{ "ADDRESS", "address", OUT_LEFT },
		{ "LOG-END", "log_end", OUT_RIGHT },
		{ "LAG", "lag", OUT_RIGHT },
		{ "LAST-HEARD", "last_heard_ms", OUT_RIGHT },
		{ "CAUGHT-UP", "caught_up_ms", OUT_RIGHT },
		{ "DIRECTORY", "directory_id", OUT_WIDE },
		{ "LEADER", "leader", OUT_RIGHT | OUT_WIDE },
		{ "EPOCH", "epoch", OUT_RIGHT | OUT_WIDE },
		{ "HIGH-WATERMARK", "high_watermark", OUT_RIGHT | OUT_WIDE },
	};
	const Weir__Quorum *q;
	struct timespec now;
	struct out o;
	int code = quorum_load(cli, &q);

	if (code)
		return code;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out_is_for_people(cli)) {
		if (q->leader < 0)
			printf("no leader   epoch %" PRId64 "   seen by controller %d\n", q->epoch,
			       q->answered_by);
		else
			printf("leader %d   epoch %" PRId64 "   high watermark %" PRId64 "%s\n",
			       q->leader, q->epoch, q->high_watermark,
			       q->leader == q->answered_by ? "" : "   (a standby's view)");
	}
	out_begin(&o, cli, "QuorumMemberList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < q->n_members; i++)
		row(&o, q, q->members[i],
		    (int64_t)now.tv_sec * 1000 + (int64_t)now.tv_nsec / 1000000);
	out_end(&o);
	return q->leader < 0 ? CLI_FAILED : CLI_OK;
}

int cmd_quorum_status(struct cli *cli)
{
	const Weir__Quorum *q;
	struct json j = { 0 };
	int32_t alive, voters;
	int code = quorum_load(cli, &q);

	if (code)
		return code;
	alive = quorum_alive(q);
	voters = quorum_voters(q);
	if (out_is_for_people(cli)) {
		printf("leader          %d\nepoch           %" PRId64 "\nhigh watermark  %" PRId64
		       "\nvoters          %d of %d answer\nobservers       %d\nmax lag         "
		       "%" PRId64 "\n",
		       q->leader, q->epoch, q->high_watermark, alive, voters,
		       (int)q->n_members - voters, quorum_lag(q));
	} else {
		json_object(&j, NULL);
		json_str(&j, "kind", STR("QuorumStatus"));
		json_i64(&j, "version", 1);
		json_i64(&j, "leader", q->leader);
		json_i64(&j, "epoch", q->epoch);
		json_i64(&j, "high_watermark", q->high_watermark);
		json_i64(&j, "voters", voters);
		json_i64(&j, "voters_up", alive);
		json_i64(&j, "observers", (int64_t)q->n_members - voters);
		json_i64(&j, "max_lag", quorum_lag(q));
		json_close(&j);
		json_end(&j);
	}
	return alive == voters ? CLI_OK : CLI_FAILED;
}

static void ago(struct out *o, bool has, int64_t at_ms, int64_t now_ms)
{
	if (has && at_ms >= 0)
		out_duration(o, i64_max(0, now_ms - at_ms));
	else
		out_none(o);
}

/* Known by the leader: a standby does not hear of the others. */
static void state_cell(struct out *o, const Weir__Quorum *q, const Weir__QuorumMember *m)
{
	bool up = quorum_is_up(q, m);

	if (q->leader != q->answered_by) {
		out_none(o);
		return;
	}
	o->color = up ? OUT_PLAIN : OUT_YELLOW;
	out_z(o, up ? "up" : "silent");
}

/* The leader alone knows how far the others are. */
static void row(struct out *o, const Weir__Quorum *q, const Weir__QuorumMember *m, int64_t now_ms)
{
	char directory[UUID_TEXT] = "";
	int64_t leader_end = -1;
	struct uuid id;

	if (m->directory_id.len == sizeof(id.b)) {
		memcpy(id.b, m->directory_id.data, sizeof(id.b));
		uuid_text(id, directory);
	}
	for (size_t i = 0; i < q->n_members; i++)
		if (q->members[i]->id == q->leader)
			leader_end = q->members[i]->log_end;
	out_i64(o, m->id);
	out_z(o, m->id == q->leader ? "leader" : m->is_voter ? "voter" : "observer");
	state_cell(o, q, m);
	if (m->host && m->has_port)
		out_z(o, arena_printf(&o->cli->mem, "%s:%d", m->host, m->port).at);
	else
		out_none(o);
	if (m->log_end >= 0)
		out_i64(o, m->log_end);
	else
		out_none(o);
	if (m->log_end >= 0 && leader_end >= 0)
		out_i64(o, leader_end - m->log_end);
	else
		out_none(o);
	ago(o, m->has_last_fetch_ms, m->last_fetch_ms, now_ms);
	ago(o, m->has_last_caught_up_ms, m->last_caught_up_ms, now_ms);
	out_z(o, directory);
	out_i64(o, q->leader);
	out_i64(o, q->epoch);
	out_i64(o, q->high_watermark);
}

/* ---- changes --------------------------------------------------------------------------------- */

static int id_of(struct cli *cli, int32_t *id)
{
	struct str s = str_of(cli->args[0]);

	if (parse_i32(s, id) == ERR_OK && *id >= 0)
		return CLI_OK;
	return cli_fail(cli, CLI_USAGE, "%s is no controller: write its id, for example 104",
			cli->args[0]);
}

static bool directory_of(struct cli *cli, struct uuid *id, ProtobufCBinaryData *out)
{
	const char *text = cli_flag(cli, "directory");

	if (text == NULL)
		return true;
	if (uuid_parse(str_of(text), id) != ERR_OK) {
		(void)cli_fail(cli, CLI_USAGE, "--directory %s: not an id; see weir quorum -o wide",
			       text);
		return false;
	}
	*out = (ProtobufCBinaryData){ sizeof(id->b), id->b };
	return true;
}

int cmd_quorum_add_voter(struct cli *cli)
{
	Weir__AddVoter add = WEIR__ADD_VOTER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	struct uuid id;
	int code = id_of(cli, &add.id);

	if (code)
		return code;
	if (!directory_of(cli, &id, &add.directory_id))
		return CLI_USAGE;
	add.has_directory_id = add.directory_id.len > 0;
	add.has_timeout_ms = true;
	add.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_ADD_VOTER;
	request.add_voter = &add;
	return change(cli, &request, "add the voter", "votes now");
}

int cmd_quorum_remove_voter(struct cli *cli)
{
	Weir__RemoveVoter rm = WEIR__REMOVE_VOTER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	struct uuid id;
	int code = id_of(cli, &rm.id);

	if (code || (!cli_switch(cli, "dry-run") &&
		     (code = confirm(cli, "take the vote from controller", cli->args[0],
				     "weir quorum add-voter"))))
		return code;
	if (!directory_of(cli, &id, &rm.directory_id))
		return CLI_USAGE;
	rm.has_directory_id = rm.directory_id.len > 0;
	rm.has_timeout_ms = true;
	rm.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_REMOVE_VOTER;
	request.remove_voter = &rm;
	return change(cli, &request, "remove the voter", "has no vote now");
}

int cmd_quorum_transfer_leader(struct cli *cli)
{
	Weir__TransferLeader transfer = WEIR__TRANSFER_LEADER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	int code = cli->n_args > 0 ? id_of(cli, &transfer.to) : CLI_OK;

	if (code)
		return code;
	transfer.has_to = cli->n_args > 0;
	request.body_case = WEIR__REQUEST__BODY_TRANSFER_LEADER;
	request.transfer_leader = &transfer;
	return change(cli, &request, "transfer the leadership", "takes over");
}

static int change(struct cli *cli, const Weir__Request *request, const char *what, const char *done)
{
	static const struct out_column columns[] = { { "CONTROLLER", "controller", OUT_LEFT },
						     { "RESULT", "result", OUT_LEFT } };
	/* A dry run asks nothing: whether a change is possible is known by raft alone, at the
	 * moment it is asked. */
	const char *who = cli->n_args > 0 ? cli->args[0] : "the one that is furthest";
	bool dry = cli_switch(cli, "dry-run");
	Weir__Response *response;
	struct out o;
	int code = dry ? CLI_OK : link_call(cli, request, what, &response);

	if (code)
		return code;
	if (dry)
		done = arena_printf(&cli->mem, "nothing was asked; it would be: %s", what).at;
	if (out_is_for_people(cli)) {
		printf("controller %s %s\n", who, done);
		return CLI_OK;
	}
	out_begin(&o, cli, "QuorumChangeList", columns, ARRAY_LEN(columns));
	out_z(&o, who);
	out_z(&o, done);
	out_end(&o);
	return CLI_OK;
}
