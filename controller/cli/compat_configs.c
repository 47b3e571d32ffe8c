/* compat_configs.c - kafka-configs for topics and brokers. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/compat.h"
#include "controller/cli/configs.h"
#include "controller/cli/files.h"
#include "controller/cli/link.h"
#include "controller/cli/view.h"
#include "kafka/describe_configs.h"

#include <stdio.h>
#include <stdlib.h>

const struct flag compat_configs_flags[COMPAT_CONFIGS_FLAGS] = {
	{ "describe", 0, NULL, "List configs of the entity." },
	{ "alter", 0, NULL, "Alter the configuration of the entity." },
	{ "all", 0, NULL, "With --describe: all configs, those at their defaults, too." },
	{ "entity-type", 0, "TYPE", "topics or brokers." },
	{ "entity-name", 0, "NAME", "Name of the entity: a topic, a broker's id." },
	{ "entity-default", 0, NULL, "The default of all brokers." },
	{ "topic", 0, "NAME", "Short for --entity-type topics --entity-name NAME." },
	{ "broker", 0, "ID", "Short for --entity-type brokers --entity-name ID." },
	{ "broker-defaults", 0, NULL, "Short for --entity-type brokers --entity-default." },
	{ "add-config", 0, "k=v,k=[v,v]", "Configs to set." },
	{ "add-config-file", 0, "FILE", "Properties file of configs to set." },
	{ "delete-config", 0, "k,k", "Configs to remove." },
	{ "force", 0, NULL, "Nothing is asked anyway." },
};

enum { SOURCE_TOPIC = 1, SOURCE_BROKER = 2, SOURCE_DEFAULT_BROKER = 3 };

struct entity {
	int type;         /* IMAGE_TOPIC, IMAGE_BROKER */
	const char *name; /* NULL: every one of the type; "": the default of all brokers */
};

static int read_entity(struct cli *, struct entity *);
static int describe(struct cli *, const struct entity *);
static int alter(struct cli *, const struct entity *);

int compat_configs(struct cli *cli)
{
	static const char *const actions[] = { "describe", "alter" };
	struct entity e;

	if (compat_count(cli, actions, ARRAY_LEN(actions)) != 1)
		return compat_usage(cli,
				    "Command must include exactly one action: --describe, --alter");
	if (read_entity(cli, &e))
		return CLI_FAILED;
	return cli_switch(cli, "alter") ? alter(cli, &e) : describe(cli, &e);
}

static int read_entity(struct cli *cli, struct entity *out)
{
	const char *type = cli_flag(cli, "entity-type");
	bool topics = cli_flag(cli, "topic") || (type && strcmp(type, "topics") == 0);
	bool brokers = cli_flag(cli, "broker") || cli_switch(cli, "broker-defaults") ||
		       (type && strcmp(type, "brokers") == 0);

	if (!type && !topics && !brokers) {
		fputs("At least one entity type must be specified\n", stderr);
		return CLI_FAILED;
	}
	if (!topics && !brokers) {
		fprintf(stderr,
			"Invalid entity type %s, the entity type must be one of topics, brokers\n",
			type);
		return CLI_FAILED;
	}
	out->type = topics ? IMAGE_TOPIC : IMAGE_BROKER;
	out->name = cli_flag(cli, topics ? "topic" : "broker");
	if (!out->name)
		out->name = cli_flag(cli, "entity-name");
	if (cli_switch(cli, "broker-defaults") || cli_switch(cli, "entity-default"))
		out->name = "";
	return CLI_OK;
}

/* ---- describe ------------------------------------------------------------------------------ */

static const char *source_name(int source)
{
	static const char *const names[] = { "UNKNOWN",
					     "DYNAMIC_TOPIC_CONFIG",
					     "DYNAMIC_BROKER_CONFIG",
					     "DYNAMIC_DEFAULT_BROKER_CONFIG",
					     "STATIC_BROKER_CONFIG",
					     "DEFAULT_CONFIG",
					     "DYNAMIC_BROKER_LOGGER_CONFIG",
					     "CLIENT_METRICS",
					     "GROUP_CONFIG" };

	return source >= 0 && source < (int)ARRAY_LEN(names) ? names[source] : names[0];
}

static int by_name(const void *a, const void *b)
{
	const struct describe_configs_response_config *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

/* A null is "null" in Java's mouth. */
static void print_value(struct str v)
{
	printf("%.*s", str_null(v) ? 4 : (int)v.n, str_null(v) ? "null" : v.at);
}

static void print_config(const struct describe_configs_response_config *c)
{
	printf("  %.*s=", (int)c->name.n, c->name.at);
	print_value(c->value);
	printf(" sensitive=%s synonyms={", c->is_sensitive ? "true" : "false");
	for (int32_t i = 0; i < c->n_synonyms; i++) {
		printf("%s%s:%.*s=", i ? ", " : "", source_name(c->synonyms[i].source),
		       (int)c->synonyms[i].name.n, c->synonyms[i].name.at);
		print_value(c->synonyms[i].value);
	}
	puts("}");
}

/* Without --all: what was set for this entity itself. */
static bool is_shown(struct cli *cli, const struct entity *e, const char *name,
		     const struct describe_configs_response_config *c)
{
	int own = e->type == IMAGE_TOPIC ? SOURCE_TOPIC
		  : *name                ? SOURCE_BROKER
					 : SOURCE_DEFAULT_BROKER;

	return cli_switch(cli, "all") || c->config_source == own;
}

static int describe_one(struct cli *cli, const struct view *v, const struct entity *e,
			const char *name)
{
	const char *kind = e->type == IMAGE_TOPIC ? "topic" : "broker";
	struct describe_configs_response out;
	enum err failed;

	if (e->type == IMAGE_BROKER && !*name)
		puts("Default configs for brokers in the cluster are:");
	else
		printf("%s configs for %s %s are:\n", cli_switch(cli, "all") ? "All" : "Dynamic",
		       kind, name);
	failed = configs_ask(cli, v, &(struct config_resource){ e->type, name }, &out);
	if (!failed && (out.n_results != 1 || out.results[0].error_code))
		failed = ERR_REFUSED;
	if (failed) {
		fprintf(stderr, "Error while executing config command with args: %s %s: %s\n", kind,
			name, err_text(failed));
		return CLI_FAILED;
	}
	if (out.results[0].n_configs)
		qsort(out.results[0].configs, (size_t)out.results[0].n_configs,
		      sizeof(*out.results[0].configs), by_name);
	for (int32_t i = 0; i < out.results[0].n_configs; i++)
		if (is_shown(cli, e, name, &out.results[0].configs[i]))
			print_config(&out.results[0].configs[i]);
	return CLI_OK;
}

static bool exists(const struct view *v, const struct entity *e)
{
	int32_t id;

	if (e->type == IMAGE_TOPIC)
		return image_topic_named(v->image, str_of(e->name)) != NULL;
	return !*e->name || (!parse_i32(str_of(e->name), &id) && image_broker(v->image, id));
}

static int describe_all(struct cli *cli, const struct view *v, const struct entity *e)
{
	int32_t n = e->type == IMAGE_TOPIC ? v->image->n_topics : v->image->n_brokers;
	int code = CLI_OK;

	for (int32_t i = 0; !code && i < n; i++)
		code = describe_one(
			cli, v, e,
			e->type == IMAGE_TOPIC
				? cli_z(cli, v->image->topics[i]->name)
				: arena_printf(&cli->mem, "%d", v->image->brokers[i]->id).at);
	return code || e->type == IMAGE_TOPIC ? code : describe_one(cli, v, e, "");
}

static int describe(struct cli *cli, const struct entity *e)
{
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !e->name)
		code = describe_all(cli, &v, e);
	else if (!code && !exists(&v, e))
		printf("The %s '%s' doesn't exist and doesn't have dynamic config.\n",
		       e->type == IMAGE_TOPIC ? "topic" : "broker", e->name);
	else if (!code)
		code = describe_one(cli, &v, e, e->name);
	view_fini(&v);
	return code;
}

/* ---- alter --------------------------------------------------------------------------------- */

static void add(struct cli *cli, Weir__AlterConfigsResource *r, Weir__ConfigOp op, struct str name,
		struct str value)
{
	Weir__AlterConfig *c = r->configs[r->n_configs++] = arena_must(&cli->mem, sizeof(*c));

	weir__alter_config__init(c);
	c->op = op;
	c->name = (char *)(uintptr_t)cli_z(cli, str_trim(name));
	if (op == WEIR__CONFIG_OP__CONFIG_SET)
		c->value = (char *)(uintptr_t)cli_z(cli, str_trim(value));
}

/* "k=v,k=[v,v]": commas inside brackets belong to the value. */
static bool read_pairs(struct cli *cli, const char *text, Weir__AlterConfigsResource *r)
{
	while (*text) {
		const char *equals = strchr(text, '='), *end;
		struct str name, value;

		if (!equals)
			return false;
		name = (struct str){ text, (size_t)(equals - text) };
		if (equals[1] == '[') {
			end = strchr(equals, ']');
			if (!end)
				return false;
			value = (struct str){ equals + 2, (size_t)(end - equals - 2) };
			end++;
		} else {
			end = equals + 1 + strcspn(equals + 1, ",");
			value = (struct str){ equals + 1, (size_t)(end - equals - 1) };
		}
		add(cli, r, WEIR__CONFIG_OP__CONFIG_SET, name, value);
		text = *end == ',' ? end + 1 : end;
	}
	return true;
}

static bool read_file(struct cli *cli, const char *path, Weir__AlterConfigsResource *r, size_t cap)
{
	struct str text, line, name;

	if (file_read_all(cli, path, &text))
		return false;
	while (str_cut(&text, '\n', &line)) {
		line = str_trim(line);
		if (line.n && line.at[0] != '#' && str_cut(&line, '=', &name) && !str_null(line) &&
		    r->n_configs < cap)
			add(cli, r, WEIR__CONFIG_OP__CONFIG_SET, name, line);
	}
	return true;
}

#define CHANGES_MAX 1024

static int read_changes(struct cli *cli, Weir__AlterConfigsResource *r)
{
	const char *set = cli_flag(cli, "add-config"), *file = cli_flag(cli, "add-config-file");
	struct str rest = str_of(cli_flag(cli, "delete-config")), name;
	size_t cap = CHANGES_MAX + rest.n + (set ? strlen(set) : 0);

	if (!set && !file && !rest.at)
		return compat_usage(cli, "At least one of --add-config, --add-config-file, or "
					 "--delete-config must be specified with --alter");
	r->configs = arena_must(&cli->mem, cap * sizeof(*r->configs));
	if (set && !read_pairs(cli, set, r))
		return compat_usage(cli,
				    "requirement failed: Invalid entity config: all configs to "
				    "be added must be in the format \"key=val\".");
	if (file && !read_file(cli, file, r, CHANGES_MAX))
		return compat_usage(cli, "%s cannot be read", file);
	while (rest.at && str_cut(&rest, ',', &name))
		add(cli, r, WEIR__CONFIG_OP__CONFIG_DELETE, name, (struct str){ 0 });
	return CLI_OK;
}

static int alter(struct cli *cli, const struct entity *e)
{
	Weir__AlterConfigsResource changes = WEIR__ALTER_CONFIGS_RESOURCE__INIT,
				   *one[] = { &changes };
	Weir__AlterConfigs alter_configs = WEIR__ALTER_CONFIGS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	const Weir__ConfigResult *result;
	Weir__Response *response;

	if (!e->name)
		return compat_usage(cli, "an entity name must be specified with --alter");
	if (read_changes(cli, &changes))
		return CLI_FAILED;
	changes.type = e->type;
	changes.name = (char *)(uintptr_t)e->name;
	alter_configs.resources = one;
	alter_configs.n_resources = 1;
	request.body_case = WEIR__REQUEST__BODY_ALTER_CONFIGS;
	request.alter_configs = &alter_configs;
	if (link_call(cli, &request, "change configs", &response))
		return CLI_FAILED;
	result = response->body_case == WEIR__RESPONSE__BODY_CONFIGS &&
				 response->configs->n_resources == 1
			 ? response->configs->resources[0]
			 : NULL;
	if (!result || result->code) {
		fprintf(stderr, "Error while executing config command: %s: %s\n",
			compat_exception(cli, result ? result->code : KERR_UNKNOWN_SERVER_ERROR),
			compat_message(cli, result ? result->code : KERR_UNKNOWN_SERVER_ERROR,
				       result ? result->message : NULL));
		return CLI_FAILED;
	}
	if (!*e->name)
		puts("Completed updating default config for brokers in the cluster.");
	else
		printf("Completed updating config for %s %s.\n",
		       e->type == IMAGE_TOPIC ? "topic" : "broker", e->name);
	return CLI_OK;
}
