/* compat_elect.c - kafka-leader-election. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/compat.h"
#include "controller/cli/link.h"
#include "controller/cli/plan.h"

#include <stdio.h>

const struct flag compat_elect_flags[COMPAT_ELECT_FLAGS] = {
	{ "election-type", 0, "TYPE", "preferred or unclean; required." },
	{ "all-topic-partitions", 0, NULL, "Every partition." },
	{ "topic", 0, "NAME", "The topic, with --partition." },
	{ "partition", 0, "N", "The partition, with --topic." },
	{ "path-to-json-file", 0, "FILE", "{\"partitions\":[{\"topic\":\"t\",\"partition\":0}]}" },
	{ "admin.config", 0, "FILE", "Nothing here needs it." },
};

enum { TYPE_PREFERRED, TYPE_UNCLEAN };

static int read_partitions(struct cli *, Weir__ElectLeaders *);
static int report(struct cli *, const Weir__ElectResults *, const char *type);

static int fail(const char *why)
{
	fprintf(stderr, "%s\n", why);
	return CLI_FAILED;
}

int compat_elect(struct cli *cli)
{
	Weir__ElectLeaders elect = WEIR__ELECT_LEADERS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	const char *type = cli_flag(cli, "election-type");
	Weir__Response *response;
	int code;

	if (!cli_flag(cli, "bootstrap") && !cli_flag(cli, "controller"))
		return fail("Missing required option(s): bootstrap-server");
	if (!type)
		return fail("Missing required option(s): election-type");
	if (strcasecmp(type, "preferred") != 0 && strcasecmp(type, "unclean") != 0)
		return fail("Error parsing --election-type: preferred or unclean");
	elect.type = strcasecmp(type, "unclean") == 0 ? TYPE_UNCLEAN : TYPE_PREFERRED;
	if ((code = read_partitions(cli, &elect)))
		return code;
	request.body_case = WEIR__REQUEST__BODY_ELECT_LEADERS;
	request.elect_leaders = &elect;
	if (link_call(cli, &request, "elect leaders", &response))
		return CLI_FAILED;
	if (response->body_case != WEIR__RESPONSE__BODY_ELECTIONS)
		return fail("the answer is of another kind");
	return report(cli, response->elections,
		      elect.type == TYPE_UNCLEAN ? "UNCLEAN" : "PREFERRED");
}

static void add(struct cli *cli, Weir__ElectLeaders *out, struct str topic, int32_t partition)
{
	Weir__ElectPartition *p = out->partitions[out->n_partitions++] =
		arena_must(&cli->mem, sizeof(*p));

	weir__elect_partition__init(p);
	p->topic = (char *)(uintptr_t)cli_z(cli, topic);
	p->partition = partition;
}

static int read_partitions(struct cli *cli, Weir__ElectLeaders *out)
{
	static const char *const ways[] = { "all-topic-partitions", "topic", "path-to-json-file" };
	const char *topic = cli_flag(cli, "topic"), *path = cli_flag(cli, "path-to-json-file");
	struct plan plan = { 0 };
	int64_t partition;

	if (compat_count(cli, ways, ARRAY_LEN(ways)) != 1)
		return fail("One and only one of the following options is required: topic, "
			    "all-topic-partitions, path-to-json-file");
	out->has_all = true;
	out->all = cli_switch(cli, "all-topic-partitions");
	if (path && plan_read(cli, path, &plan))
		return CLI_FAILED;
	out->partitions = arena_must(&cli->mem, (size_t)(plan.n + 1) * sizeof(*out->partitions));
	for (int i = 0; i < plan.n; i++)
		add(cli, out, plan.v[i].topic, plan.v[i].partition);
	if (!topic)
		return CLI_OK;
	if (!cli_flag(cli, "partition"))
		return fail("Missing required option(s): partition");
	if (!cli_number(cli, "partition", 0, &partition))
		return CLI_FAILED;
	add(cli, out, str_of(topic), (int32_t)i64_min(partition, INT32_MAX));
	return CLI_OK;
}

static void print_list(const Weir__ElectResults *r, int code, const char *title)
{
	const char *comma = "";

	for (size_t i = 0; i < r->n_partitions; i++) {
		const Weir__ElectResult *p = r->partitions[i];

		if (p->code != code)
			continue;
		printf("%s%s-%d", *comma ? comma : title, p->topic, p->partition);
		comma = ", ";
	}
	if (*comma)
		putchar('\n');
}

static int report(struct cli *cli, const Weir__ElectResults *r, const char *type)
{
	int failed = 0;

	print_list(r, KERR_NONE,
		   arena_printf(&cli->mem,
				"Successfully completed leader election (%s) for partitions ", type)
			   .at);
	print_list(r, KERR_ELECTION_NOT_NEEDED, "Valid replica already elected for partitions ");
	for (size_t i = 0; i < r->n_partitions; i++) {
		const Weir__ElectResult *p = r->partitions[i];

		if (p->code == KERR_NONE || p->code == KERR_ELECTION_NOT_NEEDED)
			continue;
		printf("Error completing leader election (%s) for partition: %s-%d: "
		       "org.apache.kafka.common.errors.%s: %s\n",
		       type, p->topic, p->partition, compat_exception(cli, p->code),
		       compat_message(cli, p->code, p->message));
		failed++;
	}
	if (failed == 0)
		return CLI_OK;
	return fail(arena_printf(&cli->mem, "%d replica(s) could not be elected", failed).at);
}
