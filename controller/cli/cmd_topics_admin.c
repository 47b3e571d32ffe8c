/* cmd_topics_admin.c - weir topics create, delete, alter: changes that the controller decides. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"

#include <stdio.h>

#define ASSIGNMENTS_MAX CLI_GIVEN_MAX

static int report(struct cli *, const char *verb, const Weir__Response *, int forgiven);
static int read_configs(struct cli *, Weir__Config ***, size_t *n);
static int read_assignments(struct cli *, Weir__BrokerIds ***, size_t *n);

static char *z_of(struct cli *cli, const char *z)
{
	return (char *)(uintptr_t)cli_z(cli, str_of(z));
}

/* ---- create -------------------------------------------------------------------------------- */

static int build_create(struct cli *cli, Weir__CreateTopics *out)
{
	int64_t partitions, factor;
	int code;

	if (!cli_number(cli, "partitions", -1, &partitions) ||
	    !cli_number(cli, "replication-factor", -1, &factor))
		return CLI_USAGE;
	out->topics = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*out->topics));
	for (int i = 0; i < cli->n_args; i++) {
		Weir__CreateTopic *t = out->topics[i] = arena_must(&cli->mem, sizeof(*t));

		weir__create_topic__init(t);
		t->name = z_of(cli, cli->args[i]);
		t->has_partitions = t->has_replication_factor = true;
		t->partitions = (int32_t)i64_min(partitions, INT32_MAX);
		t->replication_factor = (int32_t)i64_min(factor, INT16_MAX);
		if ((code = read_configs(cli, &t->configs, &t->n_configs)) ||
		    (code = read_assignments(cli, &t->assignments, &t->n_assignments)))
			return code;
	}
	out->n_topics = (size_t)cli->n_args;
	out->has_validate_only = true;
	out->validate_only = cli_switch(cli, "dry-run");
	out->has_timeout_ms = true;
	out->timeout_ms = (int32_t)cli->timeout_ms;
	return CLI_OK;
}

int cmd_topics_create(struct cli *cli)
{
	Weir__CreateTopics create = WEIR__CREATE_TOPICS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code = build_create(cli, &create);

	if (code)
		return code;
	request.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	request.create_topics = &create;
	code = link_call(cli, &request, "create topics", &response);
	if (code)
		return code;
	return report(cli, create.validate_only ? "would be created" : "created", response,
		      cli_switch(cli, "if-not-exists") ? KERR_TOPIC_ALREADY_EXISTS : KERR_NONE);
}

static int read_configs(struct cli *cli, Weir__Config ***out, size_t *n)
{
	const char *text;

	*out = arena_must(&cli->mem, CLI_GIVEN_MAX * sizeof(**out));
	for (*n = 0; (text = cli_flag_at(cli, "config", (int)*n)); ++*n) {
		const char *equals = strchr(text, '=');
		Weir__Config *c = (*out)[*n] = arena_must(&cli->mem, sizeof(*c));

		if (!equals || equals == text)
			return cli_fail(cli, CLI_USAGE, "--config %s: write KEY=VALUE", text);
		weir__config__init(c);
		c->name = (char *)(uintptr_t)cli_z(cli,
						   (struct str){ text, (size_t)(equals - text) });
		c->value = z_of(cli, equals + 1);
	}
	return CLI_OK;
}

static int read_assignments(struct cli *cli, Weir__BrokerIds ***out, size_t *n)
{
	const char *text;

	*out = arena_must(&cli->mem, ASSIGNMENTS_MAX * sizeof(**out));
	for (*n = 0; (text = cli_flag_at(cli, "replicas", (int)*n)); ++*n) {
		Weir__BrokerIds *b = (*out)[*n] = arena_must(&cli->mem, sizeof(*b));
		int count;

		weir__broker_ids__init(b);
		b->id = arena_must(&cli->mem, 16 * sizeof(*b->id));
		if (!cli_ids_arg(cli, text, b->id, 16, &count))
			return CLI_USAGE;
		b->n_id = (size_t)count;
	}
	return CLI_OK;
}

/* ---- delete -------------------------------------------------------------------------------- */

int cmd_topics_delete(struct cli *cli)
{
	Weir__DeleteTopics delete = WEIR__DELETE_TOPICS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code;

	delete.topics = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*delete.topics));
	for (int i = 0; i < cli->n_args; i++) {
		Weir__DeleteTopic *t = delete.topics[i] = arena_must(&cli->mem, sizeof(*t));

		if ((code = confirm(cli, "delete topic", cli->args[i])))
			return code;
		weir__delete_topic__init(t);
		t->name = z_of(cli, cli->args[i]);
	}
	delete.n_topics = (size_t)cli->n_args;
	delete.has_timeout_ms = true;
	delete.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_DELETE_TOPICS;
	request.delete_topics = &delete;
	if ((code = link_call(cli, &request, "delete topics", &response)))
		return code;
	return report(cli, "deleted", response,
		      cli_switch(cli, "if-exists") ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_NONE);
}

/* ---- alter --------------------------------------------------------------------------------- */

int cmd_topics_alter(struct cli *cli)
{
	Weir__CreatePartitionsTopic topic = WEIR__CREATE_PARTITIONS_TOPIC__INIT,
				    *topics[] = { &topic };
	Weir__CreatePartitions create = WEIR__CREATE_PARTITIONS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int64_t count;
	int code;

	if (!cli_number(cli, "partitions", -1, &count))
		return CLI_USAGE;
	if (count < 0)
		return cli_fail(cli, CLI_USAGE,
				"nothing to change: say how many partitions with -p N "
				"(configs change with weir configs set topics/%s KEY=VALUE)",
				cli->args[0]);
	topic.name = z_of(cli, cli->args[0]);
	topic.count = (int32_t)i64_min(count, INT32_MAX);
	create.topics = topics;
	create.n_topics = 1;
	create.has_validate_only = create.has_timeout_ms = true;
	create.validate_only = cli_switch(cli, "dry-run");
	create.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_CREATE_PARTITIONS;
	request.create_partitions = &create;
	if ((code = link_call(cli, &request, "add partitions", &response)))
		return code;
	return report(cli, create.validate_only ? "would be altered" : "altered", response,
		      KERR_NONE);
}

/* ---- answers ------------------------------------------------------------------------------- */

/* What became of each topic; one exit code for all: that of the failure, or 4 when only some
 * failed. */
static int report(struct cli *cli, const char *verb, const Weir__Response *response, int forgiven)
{
	const Weir__TopicResults *results = response->topics;
	size_t failed = 0;
	int code = CLI_OK;

	if (response->body_case != WEIR__RESPONSE__BODY_TOPICS)
		return cli_fail(cli, CLI_FAILED, "the answer is of another kind");
	for (size_t i = 0; i < results->n_topics; i++) {
		const Weir__TopicResult *t = results->topics[i];
		const char *name = t->name ? t->name : "?";

		if (t->code != KERR_NONE && t->code != forgiven) {
			code = cli_fail_code(cli, t->code,
					     str_of(t->message ? t->message : kerr_text(t->code)),
					     "%s", name);
			failed++;
		} else if (cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE) {
			printf("%s   %s", name, t->code ? "is as it was" : verb);
			if (t->has_partitions && t->partitions > 0)
				printf("   %d partition%s", t->partitions,
				       t->partitions == 1 ? "" : "s");
			if (t->has_replication_factor && t->replication_factor > 0)
				printf("   RF %d", t->replication_factor);
			putchar('\n');
		} else {
			puts(name);
		}
	}
	return failed && failed < results->n_topics ? CLI_PARTLY : code;
}
