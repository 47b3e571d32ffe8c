/* compat_topics.c - kafka-topics. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/compat.h"
#include "controller/cli/kafka_layout.h"
#include "controller/cli/link.h"
#include "controller/cli/view.h"

#include <stdio.h>

const struct flag compat_topics_flags[COMPAT_TOPICS_FLAGS] = {
	{ "list", 0, NULL, "List all available topics." },
	{ "create", 0, NULL, "Create a new topic." },
	{ "delete", 0, NULL, "Delete a topic." },
	{ "alter", 0, NULL, "Alter the number of partitions." },
	{ "describe", 0, NULL, "List details for the given topics." },
	{ "topic", 0, "NAME", "The topic; a regular expression where topics are looked at." },
	{ "topic-id", 0, "ID", "The topic's id, with --describe." },
	{ "config", 0, "NAME=VALUE", "A config of the topic being created; may be repeated." },
	{ "partitions", 0, "N", "The number of partitions." },
	{ "replication-factor", 0, "N", "The replication factor of the topic being created." },
	{ "replica-assignment", 0, "1:2,2:3", "Brokers of each partition." },
	{ "under-replicated-partitions", 0, NULL, "Describe only under-replicated partitions." },
	{ "unavailable-partitions", 0, NULL, "Describe only those without an available leader." },
	{ "under-min-isr-partitions", 0, NULL, "Describe only those below min.insync.replicas." },
	{ "at-min-isr-partitions", 0, NULL, "Describe only those at min.insync.replicas." },
	{ "topics-with-overrides", 0, NULL, "Describe only topics with configs of their own." },
	{ "if-exists", 0, NULL, "A topic that is not there is fine." },
	{ "if-not-exists", 0, NULL, "A topic that is there already is fine." },
	{ "exclude-internal", 0, NULL, "Without Kafka's internal topics." },
	{ "partition-size-limit-per-response", 0, "N", "Answers come whole, whatever it says." },
};

#define REPLICAS_MAX IMAGE_REPLICAS_MAX

static int list(struct cli *);
static int describe(struct cli *);
static int create(struct cli *);
static int alter(struct cli *);
static int delete_all(struct cli *);

static int fail(const char *why)
{
	printf("Error while executing topic command : %s\n", why);
	return CLI_FAILED;
}

int compat_topics(struct cli *cli)
{
	static const char *const actions[] = { "list", "describe", "create", "alter", "delete" };
	bool changes =
		cli_switch(cli, "create") || cli_switch(cli, "alter") || cli_switch(cli, "delete");

	if (compat_count(cli, actions, ARRAY_LEN(actions)) != 1)
		return compat_usage(cli, "Command must include exactly one action: --list, "
					 "--describe, --create, --alter or --delete");
	if (!cli_flag(cli, "bootstrap") && !cli_flag(cli, "controller")) {
		fputs("--bootstrap-server must be specified\n", stderr);
		return CLI_FAILED;
	}
	if (changes && !cli_flag(cli, "topic"))
		return compat_usage(cli, "Missing required argument \"[topic]\"");
	if (cli_switch(cli, "list"))
		return list(cli);
	if (cli_switch(cli, "describe"))
		return describe(cli);
	if (cli_switch(cli, "create"))
		return create(cli);
	return cli_switch(cli, "alter") ? alter(cli) : delete_all(cli);
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool is_internal(struct str name)
{
	return str_eq(name, STR("__consumer_offsets")) ||
	       str_eq(name, STR("__transaction_state")) || str_eq(name, STR("__share_group_state"));
}

static bool is_meant(const struct cli *cli, const struct image_topic *t)
{
	const char *pattern = cli_flag(cli, "topic"), *id = cli_flag(cli, "topic-id");
	char text[UUID_TEXT];

	if (cli_switch(cli, "exclude-internal") && is_internal(t->name))
		return false;
	if (id) {
		uuid_text(t->id, text);
		return strcmp(id, text) == 0;
	}
	return !pattern || compat_matches(pattern, t->name);
}

static int count_meant(struct cli *cli, const struct view *v)
{
	int n = 0;

	for (int32_t i = 0; i < v->image->n_topics; i++)
		n += is_meant(cli, v->image->topics[i]);
	return n;
}

static int missing(struct cli *cli)
{
	const char *id = cli_flag(cli, "topic-id"), *name = id ? id : cli_flag(cli, "topic");

	return fail(arena_printf(&cli->mem,
				 id ? "TopicId '%s' does not exist as expected"
				    : "Topic '%s' does not exist as expected",
				 name)
			    .at);
}

static int list(struct cli *cli)
{
	struct view v;
	int code = view_load(cli, &v);

	for (int32_t i = 0; !code && i < v.image->n_topics; i++)
		if (is_meant(cli, v.image->topics[i]))
			printf("%.*s\n", (int)v.image->topics[i]->name.n,
			       v.image->topics[i]->name.at);
	view_fini(&v);
	return code;
}

/* Is the partition one of those that the command line asks for? */
static bool is_shown(struct cli *cli, const struct view *v, const struct image_topic *t,
		     const struct image_partition *p)
{
	int32_t full = p->replicas.n - p->adding.n, min = view_min_isr(v->image, t);

	if (cli_switch(cli, "under-replicated-partitions"))
		return p->isr.n < full;
	if (cli_switch(cli, "unavailable-partitions"))
		return p->leader < 0 || !image_broker_active(v->image, p->leader);
	if (cli_switch(cli, "under-min-isr-partitions"))
		return p->isr.n < min;
	if (cli_switch(cli, "at-min-isr-partitions"))
		return p->isr.n == min;
	return true;
}

static void describe_topic(struct cli *cli, const struct view *v, const struct image_topic *t)
{
	static const char *const filters[] = { "under-replicated-partitions",
					       "unavailable-partitions", "under-min-isr-partitions",
					       "at-min-isr-partitions" };
	bool overrides = cli_switch(cli, "topics-with-overrides");

	if (overrides && t->n_configs == 0)
		return;
	if (compat_count(cli, filters, ARRAY_LEN(filters)) == 0)
		kafka_layout_topic(t);
	for (int32_t p = 0; !overrides && p < t->n_partitions; p++)
		if (is_shown(cli, v, t, &t->partitions[p]))
			kafka_layout_partition(cli, t, p);
}

static int describe(struct cli *cli)
{
	bool named = cli_flag(cli, "topic") || cli_flag(cli, "topic-id");
	struct view v;
	int code = view_load(cli, &v);

	if (!code && named && !cli_switch(cli, "if-exists") && count_meant(cli, &v) == 0)
		code = missing(cli);
	for (int32_t i = 0; !code && i < v.image->n_topics; i++)
		if (is_meant(cli, v.image->topics[i]))
			describe_topic(cli, &v, v.image->topics[i]);
	view_fini(&v);
	return code;
}

/* ---- changing ------------------------------------------------------------------------------ */

static char *text(struct cli *cli, struct str s)
{
	return (char *)(uintptr_t)cli_z(cli, s);
}

/* "1:2,2:3" */
static bool read_assignment(struct cli *cli, Weir__BrokerIds ***out, size_t *n)
{
	struct str rest = str_of(cli_flag(cli, "replica-assignment")), partition, id;
	size_t cap = 1;

	for (size_t i = 0; i < rest.n; i++)
		cap += rest.at[i] == ',';
	*out = arena_must(&cli->mem, cap * sizeof(**out));
	while (rest.at && str_cut(&rest, ',', &partition)) {
		Weir__BrokerIds *b = (*out)[(*n)++] = arena_must(&cli->mem, sizeof(*b));

		weir__broker_ids__init(b);
		b->id = arena_must(&cli->mem, REPLICAS_MAX * sizeof(*b->id));
		while (str_cut(&partition, ':', &id))
			if (b->n_id == REPLICAS_MAX || parse_i32(str_trim(id), &b->id[b->n_id++]))
				return false;
	}
	return true;
}

static bool read_configs(struct cli *cli, Weir__CreateTopic *t)
{
	const char *pair;

	t->configs = arena_must(&cli->mem, CLI_GIVEN_MAX * sizeof(*t->configs));
	for (int i = 0; (pair = cli_flag_at(cli, "config", i)); i++) {
		Weir__Config *c = t->configs[t->n_configs++] = arena_must(&cli->mem, sizeof(*c));
		const char *equals = strchr(pair, '=');

		if (!equals)
			return false;
		weir__config__init(c);
		c->name = text(cli, str_trim((struct str){ pair, (size_t)(equals - pair) }));
		c->value = text(cli, str_trim(str_of(equals + 1)));
	}
	return true;
}

/* The first refusal as Kafka's tool tells it; CLI_OK when there is none. */
static int check(struct cli *cli, const Weir__Response *r, int forgiven)
{
	if (r->body_case != WEIR__RESPONSE__BODY_TOPICS)
		return fail("the answer is of another kind");
	for (size_t i = 0; i < r->topics->n_topics; i++) {
		const Weir__TopicResult *t = r->topics->topics[i];

		if (t->code && t->code != forgiven)
			return fail(compat_message(cli, t->code, t->message));
	}
	return CLI_OK;
}

static bool read_counts(struct cli *cli, int64_t *partitions, int64_t *factor)
{
	return cli_number(cli, "partitions", -1, partitions) &&
	       cli_number(cli, "replication-factor", -1, factor);
}

static int create(struct cli *cli)
{
	Weir__CreateTopics create = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic topic = WEIR__CREATE_TOPIC__INIT, *topics[] = { &topic };
	Weir__Request request = WEIR__REQUEST__INIT;
	const char *name = cli_flag(cli, "topic");
	Weir__Response *response;
	int64_t partitions, factor;
	int code;

	if (!read_counts(cli, &partitions, &factor))
		return CLI_FAILED;
	if (!read_configs(cli, &topic) ||
	    !read_assignment(cli, &topic.assignments, &topic.n_assignments))
		return compat_usage(cli, "requirement failed: a config or the replica assignment "
					 "has the wrong form");
	if (strpbrk(name, "._"))
		puts("WARNING: Due to limitations in metric names, topics with a period ('.') or "
		     "underscore ('_') could collide. To avoid issues it is best to use either, "
		     "but not both.");
	topic.name = text(cli, str_of(name));
	topic.has_partitions = topic.has_replication_factor = true;
	topic.partitions = (int32_t)i64_min(partitions, INT32_MAX);
	topic.replication_factor = (int32_t)i64_min(factor, INT16_MAX);
	create.topics = topics;
	create.n_topics = 1;
	request.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	request.create_topics = &create;
	if ((code = link_call(cli, &request, "create topics", &response)))
		return CLI_FAILED;
	if (cli_switch(cli, "if-not-exists") && response->topics->n_topics &&
	    response->topics->topics[0]->code == KERR_TOPIC_ALREADY_EXISTS)
		return CLI_OK;
	if (!(code = check(cli, response, KERR_NONE)))
		printf("Created topic %s.\n", name);
	return code;
}

/* For each topic that --topic means: a change of its own. */
static int alter_one(struct cli *cli, const struct image_topic *t)
{
	Weir__CreatePartitions create = WEIR__CREATE_PARTITIONS__INIT;
	Weir__CreatePartitionsTopic topic = WEIR__CREATE_PARTITIONS_TOPIC__INIT,
				    *topics[] = { &topic };
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__BrokerIds **all = NULL;
	Weir__Response *response;
	size_t n = 0, old = (size_t)t->n_partitions;
	int64_t partitions, factor;

	if (!read_counts(cli, &partitions, &factor) || !read_assignment(cli, &all, &n))
		return CLI_FAILED;
	topic.name = text(cli, t->name);
	topic.count = (int32_t)i64_min(partitions, INT32_MAX);
	if (n > old) { /* the assignment names the old partitions, too */
		topic.assignments = all + old;
		topic.n_assignments = n - old;
	}
	create.topics = topics;
	create.n_topics = 1;
	request.body_case = WEIR__REQUEST__BODY_CREATE_PARTITIONS;
	request.create_partitions = &create;
	if (link_call(cli, &request, "add partitions", &response))
		return CLI_FAILED;
	return check(cli, response, KERR_NONE);
}

static int delete_one(struct cli *cli, const struct image_topic *t)
{
	Weir__DeleteTopics delete = WEIR__DELETE_TOPICS__INIT;
	Weir__DeleteTopic topic = WEIR__DELETE_TOPIC__INIT, *topics[] = { &topic };
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;

	topic.name = text(cli, t->name);
	delete.topics = topics;
	delete.n_topics = 1;
	request.body_case = WEIR__REQUEST__BODY_DELETE_TOPICS;
	request.delete_topics = &delete;
	if (link_call(cli, &request, "delete topics", &response))
		return CLI_FAILED;
	return check(cli, response, KERR_NONE);
}

static int each(struct cli *cli, int (*one)(struct cli *, const struct image_topic *))
{
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !cli_switch(cli, "if-exists") && count_meant(cli, &v) == 0)
		code = missing(cli);
	for (int32_t i = 0; !code && i < v.image->n_topics; i++)
		if (is_meant(cli, v.image->topics[i]))
			code = one(cli, v.image->topics[i]);
	view_fini(&v);
	return code;
}

static int alter(struct cli *cli)
{
	if (!cli_flag(cli, "partitions"))
		return compat_usage(cli, "Missing required argument \"[partitions]\"");
	return each(cli, alter_one);
}

static int delete_all(struct cli *cli)
{
	return each(cli, delete_one);
}
