/* compat_quorum.c - kafka-metadata-quorum describe. */
#include "common/base/text.h"
#include "controller/cli/compat.h"
#include "controller/cli/link.h"
#include "controller/cli/quorum_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const struct flag compat_quorum_flags[COMPAT_QUORUM_FLAGS] = {
	{ "status", 0, NULL, "A short summary of the quorum." },
	{ "replication", 0, NULL, "How far each replica of the metadata is." },
	{ "human-readable", 0, NULL, "Times as so long ago, with --replication." },
};

enum { COLUMNS = 7 };

static int ask(struct cli *, const Weir__ControllerState **, const Weir__Quorum **);
static void print_status(const Weir__ControllerState *, const Weir__Quorum *);
static void print_replication(struct cli *, const Weir__Quorum *);

static int fail(const char *why)
{
	fprintf(stderr, "%s\n", why);
	return CLI_FAILED;
}

int compat_quorum(struct cli *cli)
{
	bool status = cli_switch(cli, "status"), replication = cli_switch(cli, "replication");
	const Weir__ControllerState *controller;
	const Weir__Quorum *quorum;

	if (cli->n_args != 1 || strcmp(cli->args[0], "describe") != 0)
		return compat_usage(cli,
				    "usage: kafka-metadata-quorum --bootstrap-server HOST:PORT "
				    "describe --status|--replication (voters come and go with "
				    "weir quorum add-voter and remove-voter)");
	if (status && replication)
		return fail("Only one of --status or --replication should be specified with "
			    "describe sub-command");
	if (!status && !replication)
		return fail("One of --status or --replication must be specified with describe "
			    "sub-command");
	if (status && cli_switch(cli, "human-readable"))
		return fail("The option --human-readable is only supported along with "
			    "--replication");
	if (ask(cli, &controller, &quorum))
		return CLI_FAILED;
	if (status)
		print_status(controller, quorum);
	else
		print_replication(cli, quorum);
	return CLI_OK;
}

static int ask(struct cli *cli, const Weir__ControllerState **controller,
	       const Weir__Quorum **quorum)
{
	Weir__DescribeController describe = WEIR__DESCRIBE_CONTROLLER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER;
	request.describe_controller = &describe;
	if ((code = link_call(cli, &request, "describe the controller", &response)))
		return code;
	*controller = response->controller;
	return *controller ? quorum_load(cli, quorum) : fail("the answer is of another kind");
}

static void directory_text(const Weir__QuorumMember *m, char *out)
{
	struct uuid id = { { 0 } };

	if (m->directory_id.len == sizeof(id.b))
		memcpy(id.b, m->directory_id.data, sizeof(id.b));
	uuid_text(id, out);
}

/* ---- status -------------------------------------------------------------------------------- */

static void print_members(const Weir__Quorum *q, bool voters)
{
	const char *comma = "";
	char directory[UUID_TEXT];

	putchar('[');
	for (size_t i = 0; i < q->n_members; i++) {
		const Weir__QuorumMember *m = q->members[i];

		if (m->is_voter != voters)
			continue;
		directory_text(m, directory);
		printf("%s{\"id\": %d, \"directoryId\": \"%s\"", comma, m->id, directory);
		if (voters && m->host && m->has_port)
			printf(", \"endpoints\": [\"CONTROLLER://%s:%d\"]", m->host, m->port);
		putchar('}');
		comma = ", ";
	}
	puts("]");
}

/* The voter that is furthest behind; the first among equals. */
static const Weir__QuorumMember *last_of(const Weir__Quorum *q)
{
	const Weir__QuorumMember *last = NULL;

	for (size_t i = 0; i < q->n_members; i++)
		if (q->members[i]->is_voter && (!last || q->members[i]->log_end < last->log_end))
			last = q->members[i];
	return last;
}

static void print_status(const Weir__ControllerState *c, const Weir__Quorum *q)
{
	const Weir__QuorumMember *leader = quorum_leader(q), *last = last_of(q);
	int64_t lag = leader && last ? leader->log_end - last->log_end : -1, lag_ms = -1;

	if (leader && leader == last)
		lag_ms = 0;
	else if (leader && last && leader->last_caught_up_ms >= 0 && last->last_caught_up_ms >= 0)
		lag_ms = leader->last_caught_up_ms - last->last_caught_up_ms;
	printf("ClusterId:              %s\n", c->cluster_id);
	printf("LeaderId:               %d\n", q->leader);
	printf("LeaderEpoch:            %" PRId64 "\n", q->epoch);
	printf("HighWatermark:          %" PRId64 "\n", q->high_watermark);
	printf("MaxFollowerLag:         %" PRId64 "\n", lag);
	printf("MaxFollowerLagTimeMs:   %" PRId64 "\n", lag_ms);
	fputs("CurrentVoters:          ", stdout);
	print_members(q, true);
	fputs("CurrentObservers:       ", stdout);
	print_members(q, false);
}

/* ---- replication --------------------------------------------------------------------------- */

static const char *time_text(struct cli *cli, int64_t ms, int64_t now_ms)
{
	if (ms < 0)
		return cli_switch(cli, "human-readable") ? "unknown" : "-1";
	if (cli_switch(cli, "human-readable"))
		return arena_printf(&cli->mem, "%" PRId64 " ms ago", i64_max(0, now_ms - ms)).at;
	return arena_printf(&cli->mem, "%" PRId64, ms).at;
}

static void fill_row(struct cli *cli, const Weir__Quorum *q, const Weir__QuorumMember *m,
		     const char **row)
{
	const Weir__QuorumMember *leader = quorum_leader(q);
	char *directory = arena_must(&cli->mem, UUID_TEXT);
	struct timespec ts;
	int64_t now_ms;

	clock_gettime(CLOCK_REALTIME, &ts);
	now_ms = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	directory_text(m, directory);
	row[0] = arena_printf(&cli->mem, "%d", m->id).at;
	row[1] = directory;
	row[2] = arena_printf(&cli->mem, "%" PRId64, m->log_end).at;
	row[3] = arena_printf(&cli->mem, "%" PRId64, leader ? leader->log_end - m->log_end : -1).at;
	row[4] = time_text(cli, m->last_fetch_ms, now_ms);
	row[5] = time_text(cli, m->last_caught_up_ms, now_ms);
	row[6] = m == leader ? "Leader" : m->is_voter ? "Follower" : "Observer";
}

/* The leader, the other voters, the observers. */
static int order_of(const Weir__Quorum *q, const Weir__QuorumMember *m)
{
	return m == quorum_leader(q) ? 0 : m->is_voter ? 1 : 2;
}

static void print_replication(struct cli *cli, const Weir__Quorum *q)
{
	static const char *const titles[COLUMNS] = {
		"NodeId", "DirectoryId",        "LogEndOffset",
		"Lag",    "LastFetchTimestamp", "LastCaughtUpTimestamp",
		"Status",
	};
	const char **rows = arena_must(&cli->mem, (q->n_members + 1) * COLUMNS * sizeof(*rows));
	size_t width[COLUMNS] = { 0 }, n = 1;

	memcpy(rows, titles, sizeof(titles));
	for (int order = 0; order < 3; order++)
		for (size_t i = 0; i < q->n_members; i++)
			if (order_of(q, q->members[i]) == order)
				fill_row(cli, q, q->members[i], &rows[COLUMNS * n++]);
	for (size_t i = 0; i < n * COLUMNS; i++)
		width[i % COLUMNS] = size_max(width[i % COLUMNS], strlen(rows[i]));
	for (size_t i = 0; i < n * COLUMNS; i++)
		printf("%-*s\t%s", (int)width[i % COLUMNS], rows[i],
		       i % COLUMNS == COLUMNS - 1 ? "\n" : "");
}
