/* compat_quorum.c - kafka-metadata-quorum describe; the voters are compat_voters.c. */
#include "common/base/text.h"
#include "controller/cli/ask.h"
#include "controller/cli/compat.h"
#include "controller/cli/view.h"
#include "kafka/apis.h"
#include "kafka/describe_quorum.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const struct flag compat_quorum_flags[COMPAT_QUORUM_FLAGS] = {
	{ "status", 0, NULL, "A short summary of the quorum." },
	{ "replication", 0, NULL, "How far each replica of the metadata is." },
	{ "human-readable", 0, NULL, "Times as so long ago, with --replication." },
	{ "controller-id", 'i', "ID", "With remove-controller: whose vote goes." },
	{ "controller-directory-id", 'd', "ID", "And on which disk it is." },
	{ "dry-run", 0, NULL, "With add-controller and remove-controller: only say what." },
};

#define ASK_MS 10000
enum { COLUMNS = 7, VERSION = 2 };

/* The answer's one partition, and who listens where. */
struct quorum {
	const char *cluster_id;
	const struct describe_quorum_response *answer;
	const struct describe_quorum_response_partition *partition;
};

static int ask(struct cli *, struct quorum *);
static void print_status(const struct quorum *);
static void print_replication(struct cli *, const struct quorum *);

static int fail(const char *why)
{
	fprintf(stderr, "%s\n", why);
	return CLI_FAILED;
}

int compat_quorum(struct cli *cli)
{
	bool status = cli_switch(cli, "status"), replication = cli_switch(cli, "replication");
	struct quorum quorum;

	if (cli->n_args == 1 && strcmp(cli->args[0], "add-controller") == 0)
		return compat_add_controller(cli);
	if (cli->n_args == 1 && strcmp(cli->args[0], "remove-controller") == 0)
		return compat_remove_controller(cli);
	if (cli->n_args != 1 || strcmp(cli->args[0], "describe") != 0)
		return compat_usage(cli,
				    "usage: kafka-metadata-quorum --bootstrap-server HOST:PORT "
				    "describe --status|--replication, add-controller, or "
				    "remove-controller");
	if (status && replication)
		return fail("Only one of --status or --replication should be specified with "
			    "describe sub-command");
	if (!status && !replication)
		return fail("One of --status or --replication must be specified with describe "
			    "sub-command");
	if (status && cli_switch(cli, "human-readable"))
		return fail("The option --human-readable is only supported along with "
			    "--replication");
	if (ask(cli, &quorum))
		return CLI_FAILED;
	if (status)
		print_status(&quorum);
	else
		print_replication(cli, &quorum);
	return CLI_OK;
}

static enum err exchange(struct cli *cli, const struct view *v,
			 struct describe_quorum_response *out)
{
	struct describe_quorum_request_partition partition;
	struct describe_quorum_request_topic topic;
	struct describe_quorum_request in;

	schema_init(&describe_quorum_request_schema, &in);
	schema_init(&describe_quorum_request_topic_schema, &topic);
	schema_init(&describe_quorum_request_partition_schema, &partition);
	topic.topic_name = STR("__cluster_metadata");
	topic.partitions = &partition;
	topic.n_partitions = 1;
	in.topics = &topic;
	in.n_topics = 1;
	return ask_any(cli, v->image, -1,
		       &(struct kafka_call){ API_DESCRIBE_QUORUM, VERSION,
					     &describe_quorum_request_schema,
					     &describe_quorum_response_schema, &in, out },
		       ASK_MS);
}

/* As Kafka's tool does: in Kafka's protocol, of any broker. */
static int ask(struct cli *cli, struct quorum *q)
{
	struct describe_quorum_response *out = arena_must(&cli->mem, sizeof(*out));
	struct view v;
	enum err e;

	if (view_load(cli, &v))
		return CLI_FAILED;
	q->cluster_id = cli_z(cli, str_of(v.controller->cluster_id));
	e = exchange(cli, &v, out);
	view_fini(&v);
	if (e)
		return fail(err_text(e));
	if (out->error_code || out->n_topics != 1 || out->topics[0].n_partitions != 1)
		return fail(str_null(out->error_message) ? "the quorum cannot be described"
							 : cli_z(cli, out->error_message));
	q->answer = out;
	q->partition = &out->topics[0].partitions[0];
	return CLI_OK;
}

static const struct describe_quorum_response_replica_state *leader_of(const struct quorum *q)
{
	for (int32_t i = 0; i < q->partition->n_current_voters; i++)
		if (q->partition->current_voters[i].replica_id == q->partition->leader_id)
			return &q->partition->current_voters[i];
	return NULL;
}

/* ---- status -------------------------------------------------------------------------------- */

static void print_endpoints(const struct quorum *q, int32_t id)
{
	for (int32_t i = 0; i < q->answer->n_nodes; i++) {
		const struct describe_quorum_response_node *n = &q->answer->nodes[i];

		if (n->node_id != id || n->n_listeners == 0)
			continue;
		fputs(", \"endpoints\": [", stdout);
		for (int32_t k = 0; k < n->n_listeners; k++)
			printf("%s\"%.*s://%.*s:%d\"", k ? ", " : "", (int)n->listeners[k].name.n,
			       n->listeners[k].name.at, (int)n->listeners[k].host.n,
			       n->listeners[k].host.at, n->listeners[k].port);
		putchar(']');
	}
}

static bool is_zero(struct uuid id)
{
	static const struct uuid zero;

	return memcmp(&id, &zero, sizeof(id)) == 0;
}

static void print_members(const struct quorum *q,
			  const struct describe_quorum_response_replica_state *members, int32_t n)
{
	char directory[UUID_TEXT];

	putchar('[');
	for (int32_t i = 0; i < n; i++) {
		uuid_text(members[i].replica_directory_id, directory);
		printf("%s{\"id\": %d", i ? ", " : "", members[i].replica_id);
		if (!is_zero(members[i].replica_directory_id))
			printf(", \"directoryId\": \"%s\"", directory);
		print_endpoints(q, members[i].replica_id);
		putchar('}');
	}
	puts("]");
}

static void print_status(const struct quorum *q)
{
	const struct describe_quorum_response_partition *p = q->partition;
	const struct describe_quorum_response_replica_state *leader = leader_of(q), *last = NULL;
	int64_t lag = -1, lag_ms = -1;

	for (int32_t i = 0; i < p->n_current_voters; i++)
		if (!last || p->current_voters[i].log_end_offset < last->log_end_offset)
			last = &p->current_voters[i];
	if (leader && last) {
		lag = leader->log_end_offset - last->log_end_offset;
		if (leader == last)
			lag_ms = 0;
		else if (leader->last_caught_up_timestamp >= 0 &&
			 last->last_caught_up_timestamp >= 0)
			lag_ms = leader->last_caught_up_timestamp - last->last_caught_up_timestamp;
	}
	printf("ClusterId:              %s\n", q->cluster_id);
	printf("LeaderId:               %d\n", p->leader_id);
	printf("LeaderEpoch:            %d\n", p->leader_epoch);
	printf("HighWatermark:          %" PRId64 "\n", p->high_watermark);
	printf("MaxFollowerLag:         %" PRId64 "\n", lag);
	printf("MaxFollowerLagTimeMs:   %" PRId64 "\n", lag_ms);
	fputs("CurrentVoters:          ", stdout);
	print_members(q, p->current_voters, p->n_current_voters);
	fputs("CurrentObservers:       ", stdout);
	print_members(q, p->observers, p->n_observers);
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

static void fill_row(struct cli *cli, const struct quorum *q,
		     const struct describe_quorum_response_replica_state *m, const char *status,
		     const char **row)
{
	const struct describe_quorum_response_replica_state *leader = leader_of(q);
	char *directory = arena_must(&cli->mem, UUID_TEXT);
	struct timespec ts;
	int64_t now_ms;

	clock_gettime(CLOCK_REALTIME, &ts);
	now_ms = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	uuid_text(m->replica_directory_id, directory);
	row[0] = arena_printf(&cli->mem, "%d", m->replica_id).at;
	row[1] = directory;
	row[2] = arena_printf(&cli->mem, "%" PRId64, m->log_end_offset).at;
	row[3] = arena_printf(&cli->mem, "%" PRId64,
			      leader ? leader->log_end_offset - m->log_end_offset : -1)
			 .at;
	row[4] = time_text(cli, m->last_fetch_timestamp, now_ms);
	row[5] = time_text(cli, m->last_caught_up_timestamp, now_ms);
	row[6] = status;
}

/* The leader, the other voters, the observers. */
static size_t fill_rows(struct cli *cli, const struct quorum *q, const char **rows)
{
	const struct describe_quorum_response_partition *p = q->partition;
	const struct describe_quorum_response_replica_state *leader = leader_of(q);
	size_t n = 0;

	if (leader)
		fill_row(cli, q, leader, "Leader", &rows[COLUMNS * n++]);
	for (int32_t i = 0; i < p->n_current_voters; i++)
		if (&p->current_voters[i] != leader)
			fill_row(cli, q, &p->current_voters[i], "Follower", &rows[COLUMNS * n++]);
	for (int32_t i = 0; i < p->n_observers; i++)
		fill_row(cli, q, &p->observers[i], "Observer", &rows[COLUMNS * n++]);
	return n;
}

static void print_replication(struct cli *cli, const struct quorum *q)
{
	static const char *const titles[COLUMNS] = {
		"NodeId", "DirectoryId",        "LogEndOffset",
		"Lag",    "LastFetchTimestamp", "LastCaughtUpTimestamp",
		"Status",
	};
	size_t cap = (size_t)(q->partition->n_current_voters + q->partition->n_observers) + 1, n;
	const char **rows = arena_must(&cli->mem, cap * COLUMNS * sizeof(*rows));
	size_t width[COLUMNS] = { 0 };

	memcpy(rows, titles, sizeof(titles));
	n = 1 + fill_rows(cli, q, rows + COLUMNS);
	for (size_t i = 0; i < n * COLUMNS; i++)
		width[i % COLUMNS] = size_max(width[i % COLUMNS], strlen(rows[i]));
	for (size_t i = 0; i < n * COLUMNS; i++)
		printf("%-*s\t%s", (int)width[i % COLUMNS], rows[i],
		       i % COLUMNS == COLUMNS - 1 ? "\n" : "");
}
