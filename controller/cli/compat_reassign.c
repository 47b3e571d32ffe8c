/* compat_reassign.c - kafka-reassign-partitions. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/ask.h"
#include "controller/cli/compat.h"
#include "controller/cli/move.h"
#include "kafka/apis.h"
#include "kafka/describe_log_dirs.h"

#include <inttypes.h>
#include <stdio.h>

const struct flag compat_reassign_flags[COMPAT_REASSIGN_FLAGS] = {
	{ "execute", 0, NULL, "Start what --reassignment-json-file says." },
	{ "verify", 0, NULL, "How far what the file says is; ends throttles." },
	{ "generate", 0, NULL, "Propose a reassignment of topics onto brokers." },
	{ "cancel", 0, NULL, "Cancel what is active of the file." },
	{ "list", 0, NULL, "List all active reassignments." },
	{ "reassignment-json-file", 0, "FILE", "{\"partitions\":[{\"topic\":...}]}" },
	{ "topics-to-move-json-file", 0, "FILE", "{\"topics\":[{\"topic\":\"t\"}]}" },
	{ "broker-list", 0, "1,2,3", "Brokers to move to, with --generate." },
	{ "throttle", 0, "BYTES/S", "Limit of the movement between brokers." },
	{ "replica-alter-log-dirs-throttle", 0, "BYTES/S", "Of moves inside a broker." },
	{ "preserve-throttles", 0, NULL, "Leave throttles as they are." },
	{ "additional", 0, NULL, "With --execute: besides what is active." },
	{ "disable-rack-aware", 0, NULL, "With --generate: racks do not count." },
	{ "disallow-replication-factor-change", 0, NULL, "Refuse another number of replicas." },
};

#define ASK_MS 3000
enum { LOG_DIRS_VERSION = 4 };

static int execute(struct cli *, struct view *, struct plan *);
static int verify(struct cli *, struct view *, struct plan *);
static int cancel(struct cli *, struct view *, struct plan *);
static int list(struct cli *, const struct view *);
static int generate(struct cli *, const struct view *);

static int fail(const char *why)
{
	printf("Error: %s\n", why);
	return CLI_FAILED;
}

int compat_reassign(struct cli *cli)
{
	static const char *const actions[] = { "generate", "execute", "verify", "cancel", "list" };
	const char *file = cli_flag(cli, "reassignment-json-file");
	bool needs_file = !cli_switch(cli, "generate") && !cli_switch(cli, "list");
	struct plan plan = { 0 };
	struct view v;
	int code;

	if (compat_count(cli, actions, ARRAY_LEN(actions)) != 1)
		return compat_usage(cli, "Command must include exactly one action: --cancel, "
					 "--execute, --generate, --list, --verify");
	if (!cli_flag(cli, "bootstrap") && !cli_flag(cli, "controller"))
		return compat_usage(
			cli, "Please specify either --bootstrap-controller or --bootstrap-server");
	if (needs_file && !file)
		return compat_usage(cli, "Missing required argument \"[reassignment-json-file]\"");
	if (needs_file && plan_read(cli, file, &plan))
		return fail(arena_printf(&cli->mem, "Unable to read file %s", file).at);
	if ((code = view_load(cli, &v)))
		return CLI_FAILED;
	if (cli_switch(cli, "execute"))
		code = execute(cli, &v, &plan);
	else if (cli_switch(cli, "verify"))
		code = verify(cli, &v, &plan);
	else if (cli_switch(cli, "cancel"))
		code = cancel(cli, &v, &plan);
	else
		code = cli_switch(cli, "list") ? list(cli, &v) : generate(cli, &v);
	view_fini(&v);
	return code;
}

static const struct image_partition *now_of(const struct view *v, const struct plan_item *p)
{
	const struct image_topic *t = image_topic_named(v->image, p->topic);

	return t ? image_partition(t, p->partition) : NULL;
}

static void print_ids(const struct image_ids *ids)
{
	for (int32_t i = 0; i < ids->n; i++)
		printf("%s%d", i ? "," : "", ids->v[i]);
}

/* "orders-0,orders-1": those for which it is true. */
static void print_partitions(const struct plan *plan, const bool *wanted)
{
	const char *comma = "";

	for (int i = 0; i < plan->n; i++) {
		if (wanted && !wanted[i])
			continue;
		printf("%s%.*s-%d", comma, (int)plan->v[i].topic.n, plan->v[i].topic.at,
		       plan->v[i].partition);
		comma = ",";
	}
	putchar('\n');
}

/* ---- the assignment as JSON ---------------------------------------------------------------- */

/* Where each broker has each partition, asked once. */
struct places {
	const struct image *image;
	struct describe_log_dirs_response *dirs; /* by place in image.brokers */
	bool *answered;
};

static void load_places(struct cli *cli, const struct view *v, struct places *out)
{
	size_t n = (size_t)v->image->n_brokers;
	struct describe_log_dirs_request in;

	out->image = v->image;
	out->dirs = arena_must(&cli->mem, (n + 1) * sizeof(*out->dirs));
	out->answered = arena_must(&cli->mem, n + 1);
	schema_init(&describe_log_dirs_request_schema, &in);
	in.n_topics = -1;
	for (size_t i = 0; i < n; i++)
		out->answered[i] =
			!ask_broker(cli, v->image->brokers[i],
				    &(struct kafka_call){ API_DESCRIBE_LOG_DIRS, LOG_DIRS_VERSION,
							  &describe_log_dirs_request_schema,
							  &describe_log_dirs_response_schema, &in,
							  &out->dirs[i] },
				    ASK_MS);
}

static bool holds(const struct describe_log_dirs_response_result *d, struct str topic,
		  int32_t partition)
{
	for (int32_t t = 0; t < d->n_topics; t++) {
		if (!str_eq(d->topics[t].name, topic))
			continue;
		for (int32_t p = 0; p < d->topics[t].n_partitions; p++)
			if (d->topics[t].partitions[p].partition_index == partition &&
			    !d->topics[t].partitions[p].is_future_key)
				return true;
	}
	return false;
}

static struct str place_of(const struct places *at, int32_t broker, struct str topic,
			   int32_t partition)
{
	for (int32_t i = 0; at && i < at->image->n_brokers; i++) {
		if (at->image->brokers[i]->id != broker || !at->answered[i])
			continue;
		for (int32_t d = 0; d < at->dirs[i].n_results; d++)
			if (holds(&at->dirs[i].results[d], topic, partition))
				return at->dirs[i].results[d].log_dir;
	}
	return STR("any");
}

static void print_assignment(const struct plan *plan, bool old, const struct places *at)
{
	fputs("{\"version\":1,\"partitions\":[", stdout);
	for (int i = 0; i < plan->n; i++) {
		const struct plan_item *p = &plan->v[i];
		const struct image_ids *ids = old ? &p->old : &p->replicas;

		printf("%s{\"topic\":\"%.*s\",\"partition\":%d,\"replicas\":[", i ? "," : "",
		       (int)p->topic.n, p->topic.at, p->partition);
		print_ids(ids);
		fputs("],\"log_dirs\":[", stdout);
		for (int32_t k = 0; k < ids->n; k++) {
			struct str dir = place_of(at, ids->v[k], p->topic, p->partition);

			printf("%s\"%.*s\"", k ? "," : "", (int)dir.n, dir.at);
		}
		fputs("]}", stdout);
	}
	puts("]}");
}

/* ---- execute ------------------------------------------------------------------------------- */

static int execute(struct cli *cli, struct view *v, struct plan *plan)
{
	const Weir__ReassignResults *results;
	struct places at;
	int64_t rate;

	if (!cli_number(cli, "throttle", -1, &rate))
		return CLI_FAILED;
	for (int i = 0; i < plan->n; i++) {
		const struct image_partition *p = now_of(v, &plan->v[i]);

		if (!p || !plan->v[i].has_replicas)
			return fail("The partition reassignment contains partitions that do not "
				    "exist.");
		plan->v[i].old = p->replicas;
	}
	load_places(cli, v, &at);
	puts("Current partition replica assignment\n");
	print_assignment(plan, true, &at);
	puts("\nSave this to use as the --reassignment-json-file option during rollback");
	if (rate >= 0) {
		puts("Warning: You must run --verify periodically, until the reassignment "
		     "completes, to ensure the throttle is removed.");
		if (move_throttle(cli, v, plan, rate))
			return CLI_FAILED;
		printf("The inter-broker throttle limit was set to %" PRId64 " B/s\n", rate);
	}
	if (move_submit(cli, plan, false, &results))
		return CLI_FAILED;
	for (int i = 0; i < plan->n; i++)
		if (results->partitions[i]->code)
			return fail(arena_printf(&cli->mem,
						 "Error reassigning partition(s):\n%.*s-%d: %s",
						 (int)plan->v[i].topic.n, plan->v[i].topic.at,
						 plan->v[i].partition,
						 compat_message(cli, results->partitions[i]->code,
								results->partitions[i]->message))
					    .at);
	printf("Successfully started partition reassignment%s for ", plan->n == 1 ? "" : "s");
	print_partitions(plan, NULL);
	return CLI_OK;
}

/* ---- verify, cancel, list ------------------------------------------------------------------ */

static void clear_throttles(struct cli *cli, struct view *v, const struct plan *plan)
{
	struct str last = { 0 };
	int topics = 0;

	if (cli_switch(cli, "preserve-throttles"))
		return;
	printf("Clearing broker-level throttles on broker%s ", v->image->n_brokers == 1 ? "" : "s");
	for (int32_t i = 0; i < v->image->n_brokers; i++)
		printf("%s%d", i ? "," : "", v->image->brokers[i]->id);
	for (int i = 0; i < plan->n; i++)
		topics += i == 0 || !str_eq(plan->v[i].topic, plan->v[i - 1].topic);
	printf("\nClearing topic-level throttles on topic%s ", topics == 1 ? "" : "s");
	for (int i = 0; i < plan->n; i++) {
		if (str_eq(plan->v[i].topic, last))
			continue;
		printf("%s%.*s", i ? "," : "", (int)plan->v[i].topic.n, plan->v[i].topic.at);
		last = plan->v[i].topic;
	}
	putchar('\n');
	if (move_throttle(cli, v, plan, -1))
		fputs("the throttles could not be cleared\n", stderr);
}

static bool same(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}

static void verify_one(const struct plan_item *p, const struct image_partition *now)
{
	if (now && now->adding.n + now->removing.n) {
		printf("Reassignment of partition %.*s-%d is still in progress.\n", (int)p->topic.n,
		       p->topic.at, p->partition);
	} else if (now && same(&now->replicas, &p->replicas)) {
		printf("Reassignment of partition %.*s-%d is completed.\n", (int)p->topic.n,
		       p->topic.at, p->partition);
	} else {
		printf("There is no active reassignment of partition %.*s-%d, but replica set is ",
		       (int)p->topic.n, p->topic.at, p->partition);
		if (now)
			print_ids(&now->replicas);
		fputs(" rather than ", stdout);
		print_ids(&p->replicas);
		puts(".");
	}
}

static int verify(struct cli *cli, struct view *v, struct plan *plan)
{
	puts("Status of partition reassignment:");
	for (int i = 0; i < plan->n; i++)
		verify_one(&plan->v[i], now_of(v, &plan->v[i]));
	putchar('\n');
	if (move_count(v->image, plan) == 0)
		clear_throttles(cli, v, plan);
	return CLI_OK;
}

static int cancel(struct cli *cli, struct view *v, struct plan *plan)
{
	bool *active = arena_must(&cli->mem, (size_t)plan->n + 1);
	const Weir__ReassignResults *results;
	struct plan some = { 0 };

	for (int i = 0; i < plan->n; i++) {
		const struct image_partition *p = now_of(v, &plan->v[i]);

		active[i] = p && p->adding.n + p->removing.n > 0;
		if (active[i])
			plan_add(cli, &some, plan->v[i].topic, plan->v[i].partition, p,
				 &p->replicas);
	}
	if (some.n == 0) {
		puts("None of the specified partition reassignments are active.");
	} else {
		if (move_submit(cli, &some, true, &results))
			return CLI_FAILED;
		printf("Successfully cancelled partition reassignment%s for: ",
		       some.n == 1 ? "" : "s");
		print_partitions(plan, active);
	}
	fputs("None of the specified partition moves are active.", stdout);
	clear_throttles(cli, v, plan);
	return CLI_OK;
}

static int list(struct cli *cli, const struct view *v)
{
	struct view_walk w;
	bool any = false;

	(void)cli;
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		const struct image_partition *p = w.partition;

		if (p->adding.n + p->removing.n == 0)
			continue;
		if (!any)
			puts("Current partition reassignments:");
		any = true;
		printf("%.*s-%d: replicas: ", (int)w.topic->name.n, w.topic->name.at, w.number);
		print_ids(&p->replicas);
		putchar('.');
		if (p->adding.n) {
			fputs(" adding: ", stdout);
			print_ids(&p->adding);
			putchar('.');
		}
		if (p->removing.n) {
			fputs(" removing: ", stdout);
			print_ids(&p->removing);
			putchar('.');
		}
		putchar('\n');
	}
	if (!any)
		puts("No partition reassignments found.");
	return CLI_OK;
}

/* ---- generate ------------------------------------------------------------------------------ */

/* Partitions that stay as they are belong into both lists, too. */
static int generate(struct cli *cli, const struct view *v)
{
	const char *file = cli_flag(cli, "topics-to-move-json-file"),
		   *brokers = cli_flag(cli, "broker-list"), **names;
	struct plan moves = { 0 }, all = { 0 };
	struct image_ids onto;
	struct view_walk w;
	struct places at;
	int n, at_move = 0;

	if (!file || !brokers)
		return compat_usage(cli, "Missing required argument \"[%s]\"",
				    file ? "broker-list" : "topics-to-move-json-file");
	if (plan_read_topics(cli, file, &names, &n))
		return fail(arena_printf(&cli->mem, "Unable to read file %s", file).at);
	if (!cli_ids_arg(cli, brokers, onto.v, IMAGE_REPLICAS_MAX, &n) ||
	    (onto.n = n, plan_read_topics(cli, file, &names, &n)))
		return CLI_FAILED;
	if (!plan_onto(cli, v->image, names, n, &onto, &moves))
		return fail("The target replication factor cannot be reached with the brokers of "
			    "--broker-list.");
	plan_sort(&moves);
	view_walk_init(&w, v, names, n);
	while (view_walk_partition(&w)) {
		bool is_moved = at_move < moves.n &&
				str_eq(moves.v[at_move].topic, w.topic->name) &&
				moves.v[at_move].partition == w.number;

		plan_add(cli, &all, w.topic->name, w.number, w.partition,
			 is_moved ? &moves.v[at_move++].replicas : &w.partition->replicas);
	}
	load_places(cli, v, &at);
	puts("Current partition replica assignment");
	print_assignment(&all, true, &at);
	puts("\nProposed partition reassignment configuration");
	print_assignment(&all, false, NULL);
	return CLI_OK;
}
