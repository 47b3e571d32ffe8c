/* cmd_topics_admin.c - weir topics create, delete, alter: changes that the controller decides. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

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
		/* A number too large for the protocol is refused by the controller, in its own
		 * words, like any other. */
		t->replication_factor = (int32_t)i64_min(factor, INT16_MAX);
		if ((code = read_configs(cli, &t->configs, &t->n_configs)) ||
		    (code = read_assignments(cli, &t->assignments, &t->n_assignments)))
			return code;
	}
	out->n_topics = (size_t)cli->n_args;
	out->has_validate_only = true;
	out->validate_only = cli_switch(cli, "dry-run");
	out->has_timeout_ms = true;
	out->timeout_ms = cli_wait_ms(cli);
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

/* The other topic's counts and configs, as if they had been typed. */
static void copy_shape(struct cli *cli, const struct image_topic *from, Weir__CreateTopic *t)
{
	weir__create_topic__init(t);
	t->name = z_of(cli, cli->args[1]);
	t->has_partitions = t->has_replication_factor = true;
	t->partitions = from->n_partitions;
	/* The number, not the assignment: the clone is placed anew. */
	t->replication_factor = from->n_partitions ? from->partitions[0].replicas.n : -1;
	t->configs = arena_must(&cli->mem, (size_t)(from->n_configs + 1) * sizeof(*t->configs));
	for (int32_t i = 0; i < from->n_configs; i++) {
		Weir__Config *c = t->configs[t->n_configs++] = arena_must(&cli->mem, sizeof(*c));

		weir__config__init(c);
		c->name = z_of(cli, cli_z(cli, from->configs[i].name));
		c->value = z_of(cli, cli_z(cli, from->configs[i].value));
	}
}

int cmd_topics_clone(struct cli *cli)
{
	Weir__CreateTopics create = WEIR__CREATE_TOPICS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__CreateTopic topic, *topics[] = { &topic };
	Weir__Response *response;
	struct view v;
	int code = view_load(cli, &v);

	if (!code)
		code = view_has_topics(cli, &v, cli->args, 1);
	if (!code)
		copy_shape(cli, image_topic_named(v.image, str_of(cli->args[0])), &topic);
	view_fini(&v);
	if (code)
		return code;
	create.topics = topics;
	create.n_topics = 1;
	create.has_validate_only = create.has_timeout_ms = true;
	create.validate_only = cli_switch(cli, "dry-run");
	create.timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	request.create_topics = &create;
	if ((code = link_call(cli, &request, "clone the topic", &response)))
		return code;
	return report(cli, create.validate_only ? "would be created" : "created", response,
		      KERR_NONE);
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

/* Nobody is asked to confirm what cannot be done. */
static int confirm_all(struct cli *cli)
{
	struct view v;
	int code;

	if (cli_switch(cli, "yes"))
		return CLI_OK;
	if (!cli_switch(cli, "if-exists")) {
		code = view_load(cli, &v);
		if (!code)
			code = view_has_topics(cli, &v, cli->args, cli->n_args);
		view_fini(&v);
		if (code)
			return code;
	}
	for (int i = 0; i < cli->n_args; i++)
		if ((code = confirm(cli, "delete topic", cli->args[i], NULL)))
			return code;
	return CLI_OK;
}

/* --dry-run: what is there to be deleted. */
static int tell_delete(struct cli *cli)
{
	Weir__TopicResults results = WEIR__TOPIC_RESULTS__INIT;
	Weir__Response response = WEIR__RESPONSE__INIT;
	struct view v;
	int code = view_load(cli, &v);

	results.topics = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*results.topics));
	for (int i = 0; !code && i < cli->n_args; i++) {
		const struct image_topic *t = image_topic_named(v.image, str_of(cli->args[i]));
		Weir__TopicResult *r = arena_must(&cli->mem, sizeof(*r));

		weir__topic_result__init(r);
		r->name = z_of(cli, cli->args[i]);
		r->code = t ? KERR_NONE : KERR_UNKNOWN_TOPIC_OR_PARTITION;
		r->has_partitions = r->has_replication_factor = t != NULL;
		r->partitions = t ? t->n_partitions : 0;
		r->replication_factor = t && t->n_partitions ? t->partitions[0].replicas.n : 0;
		results.topics[results.n_topics++] = r;
	}
	view_fini(&v);
	response.body_case = WEIR__RESPONSE__BODY_TOPICS;
	response.topics = &results;
	return code ? code
		    : report(cli, "would be deleted", &response,
			     cli_switch(cli, "if-exists") ? KERR_UNKNOWN_TOPIC_OR_PARTITION
							  : KERR_NONE);
}

int cmd_topics_delete(struct cli *cli)
{
	Weir__DeleteTopics delete = WEIR__DELETE_TOPICS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int code = cli_switch(cli, "dry-run") ? CLI_OK : confirm_all(cli);

	if (code)
		return code;
	if (cli_switch(cli, "dry-run"))
		return tell_delete(cli);
	delete.topics = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*delete.topics));
	for (int i = 0; i < cli->n_args; i++) {
		Weir__DeleteTopic *t = delete.topics[i] = arena_must(&cli->mem, sizeof(*t));

		weir__delete_topic__init(t);
		t->name = z_of(cli, cli->args[i]);
	}
	delete.n_topics = (size_t)cli->n_args;
	delete.has_timeout_ms = true;
	delete.timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_DELETE_TOPICS;
	request.delete_topics = &delete;
	if ((code = link_call(cli, &request, "delete topics", &response)))
		return code;
	return report(cli, "deleted", response,
		      cli_switch(cli, "if-exists") ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_NONE);
}

/* ---- alter --------------------------------------------------------------------------------- */

static int count_partitions(struct cli *cli, const char *topic, int32_t *out)
{
	struct view v;
	int code = view_load(cli, &v);

	if (!code)
		code = view_has_topics(cli, &v, &topic, 1);
	if (!code)
		*out = image_topic_named(v.image, str_of(topic))->n_partitions;
	view_fini(&v);
	return code;
}

int cmd_topics_alter(struct cli *cli)
{
	Weir__CreatePartitionsTopic topic = WEIR__CREATE_PARTITIONS_TOPIC__INIT,
				    *topics[] = { &topic };
	Weir__CreatePartitions create = WEIR__CREATE_PARTITIONS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	int32_t was = 0;
	int64_t count;
	int code;

	if (!cli_number(cli, "partitions", -1, &count))
		return CLI_USAGE;
	if (count < 0)
		return cli_fail(cli, CLI_USAGE,
				"nothing to change: say how many partitions with -p N "
				"(configs change with weir configs set topics/%s KEY=VALUE)",
				cli->args[0]);
	if ((code = count_partitions(cli, cli->args[0], &was)))
		return code;
	topic.name = z_of(cli, cli->args[0]);
	topic.count = (int32_t)i64_min(count, INT32_MAX);
	create.topics = topics;
	create.n_topics = 1;
	create.has_validate_only = create.has_timeout_ms = true;
	create.validate_only = cli_switch(cli, "dry-run");
	create.timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_CREATE_PARTITIONS;
	request.create_partitions = &create;
	if ((code = link_call(cli, &request, "add partitions", &response)))
		return code;
	if (!out_is_for_people(cli))
		return report(cli, create.validate_only ? "would be altered" : "altered", response,
			      KERR_NONE);
	if (response->body_case == WEIR__RESPONSE__BODY_TOPICS && response->topics->n_topics == 1)
		response->topics->topics[0]->has_partitions = false; /* the sentence says it */
	return report(cli,
		      arena_printf(&cli->mem, "partitions %d -> %d%s", was, topic.count,
				   create.validate_only ? "   (dry run)" : "")
			      .at,
		      response, KERR_NONE);
}

/* ---- answers ------------------------------------------------------------------------------- */

static const struct out_column columns[] = {
	{ "TOPIC", "topic", OUT_LEFT },
	{ "RESULT", "result", OUT_LEFT },
	{ "PARTITIONS", "partitions", OUT_RIGHT },
	{ "RF", "replication_factor", OUT_RIGHT },
	{ "ERROR", "error", OUT_LEFT },
};

static void number_cell(struct out *o, bool has, int32_t v)
{
	if (has && v > 0)
		out_i64(o, v);
	else
		out_none(o);
}

static void result_row(struct out *o, const Weir__TopicResult *t, const char *result, bool failed)
{
	if (failed && o->cli->format == FORMAT_NAME)
		return;
	out_z(o, t->name ? t->name : "?");
	out_z(o, result);
	number_cell(o, t->has_partitions, t->partitions);
	number_cell(o, t->has_replication_factor, t->replication_factor);
	if (failed)
		out_z(o, kerr_name(t->code));
	else
		out_none(o);
}

static void print_sentence(const Weir__TopicResult *t, const char *result)
{
	printf("%s   %s", t->name ? t->name : "?", result);
	if (t->has_partitions && t->partitions > 0)
		printf("   %d partition%s", t->partitions, t->partitions == 1 ? "" : "s");
	if (t->has_replication_factor && t->replication_factor > 0)
		printf("   RF %d", t->replication_factor);
	putchar('\n');
}

/* What became of each topic; one exit code for all: that of the failure, or 4 when only some
 * failed. */
static int report(struct cli *cli, const char *verb, const Weir__Response *response, int forgiven)
{
	const Weir__TopicResults *results = response->topics;
	size_t n_failed = 0;
	int code = CLI_OK;
	struct out o;

	if (response->body_case != WEIR__RESPONSE__BODY_TOPICS)
		return cli_fail(cli, CLI_FAILED, "the answer is of another kind");
	out_begin(&o, cli, "TopicChangeList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < results->n_topics; i++) {
		const Weir__TopicResult *t = results->topics[i];
		bool failed = t->code != KERR_NONE && t->code != forgiven;
		const char *result = failed ? "failed" : t->code ? "is as it was" : verb;

		if (failed)
			code = cli_fail_code(cli, t->code,
					     str_of(t->message ? t->message : kerr_text(t->code)),
					     "%s", t->name ? t->name : "?");
		else if (out_is_for_people(cli))
			print_sentence(t, result);
		n_failed += failed;
		result_row(&o, t, result, failed);
	}
	if (out_is_for_people(cli))
		out_drop(&o);
	else
		out_end(&o);
	return n_failed && n_failed < results->n_topics ? CLI_PARTLY : code;
}
