/* configs.c - see configs.h. */
#include "controller/cli/configs.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "kafka/apis.h"

#include <stdio.h>

enum { DESCRIBE_VERSION = 4, ASK_MS = 3000 };
enum { SOURCE_STATIC = 4, SOURCE_DEFAULT = 5 };

/* topics/NAME, brokers/ID, brokers/ */
int configs_resource(struct cli *cli, const char *text, struct config_resource *out)
{
	const char *slash = strchr(text, '/');
	const char *kind =
		slash ? command_word(cli_z(cli, (struct str){ text, (size_t)(slash - text) })) : "";
	int32_t id;

	if (strcmp(kind, "topics") != 0 && strcmp(kind, "brokers") != 0)
		return slash ? cli_fail(cli, CLI_USAGE,
					"%s: write topics/NAME, brokers/ID, or brokers/ for every "
					"broker",
					text)
			     : cli_fail(cli, CLI_USAGE,
					"%s: write topics/%s (topics/NAME, brokers/ID, or brokers/ "
					"for every broker)",
					text, text);
	*out = (struct config_resource){ strcmp(kind, "topics") == 0 ? RESOURCE_TOPIC
								     : RESOURCE_BROKER,
					 slash + 1 };
	if (out->type == RESOURCE_TOPIC && !*out->name)
		return cli_fail(cli, CLI_USAGE, "%s: which topic?", text);
	if (out->type == RESOURCE_BROKER && *out->name && parse_i32(str_of(out->name), &id))
		return cli_fail(cli, CLI_USAGE, "%s: a broker's id is a number", text);
	return CLI_OK;
}

int configs_exists(struct cli *cli, const struct view *v, const struct config_resource *r)
{
	int32_t id;

	if (r->type == RESOURCE_TOPIC)
		return view_has_topics(cli, v, &r->name, 1);
	if (*r->name && (parse_i32(str_of(r->name), &id) || !image_broker(v->image, id)))
		return cli_fail(cli, CLI_MISSING, "no broker %s; see: weir brokers list", r->name);
	return CLI_OK;
}

const char *configs_source(int source)
{
	static const char *const names[] = { "unknown",          "topic",
					     "broker (dynamic)", "cluster (dynamic)",
					     "broker's file",    "default",
					     "broker logger" };

	return source >= 0 && source < (int)ARRAY_LEN(names) ? names[source] : "unknown";
}

enum err configs_ask(struct cli *cli, const struct view *v, const struct config_resource *r,
		     struct describe_configs_response *out)
{
	struct describe_configs_request_resource one;
	struct describe_configs_request in;
	int32_t id = -1;

	schema_init(&describe_configs_request_schema, &in);
	schema_init(&describe_configs_request_resource_schema, &one);
	one.resource_type = (int8_t)r->type;
	one.resource_name = str_of(r->name);
	one.n_configuration_keys = -1;
	in.resources = &one;
	in.n_resources = 1;
	in.include_synonyms = in.include_documentation = true;
	if (r->type == RESOURCE_BROKER && parse_i32(str_of(r->name), &id))
		id = -1;
	return ask_any(cli, v->image, id,
		       &(struct kafka_call){ API_DESCRIBE_CONFIGS, DESCRIBE_VERSION,
					     &describe_configs_request_schema,
					     &describe_configs_response_schema, &in, out },
		       ASK_MS);
}

int configs_describe(struct cli *cli, const struct view *v, const struct config_resource *r,
		     struct describe_configs_response *out)
{
	const char *kind = r->type == RESOURCE_TOPIC ? "topics" : "brokers";
	int code = configs_exists(cli, v, r);

	if (code)
		return code;
	if (configs_ask(cli, v, r, out) || out->n_results < 1)
		return cli_fail(
			cli, CLI_UNREACHABLE,
			"configs of %s/%s: no broker gives an answer; what the metadata has: "
			"weir configs list",
			kind, r->name);
	if (out->results[0].error_code)
		return cli_fail_code(cli, out->results[0].error_code,
				     str_null(out->results[0].error_message)
					     ? str_of(kerr_text(out->results[0].error_code))
					     : out->results[0].error_message,
				     "configs of %s/%s", kind, r->name);
	return CLI_OK;
}

const char *configs_type(int type)
{
	static const char *const names[] = { "unknown", "boolean", "string", "int",   "short",
					     "long",    "double",  "list",   "class", "password" };

	return type >= 0 && type < (int)ARRAY_LEN(names) ? names[type] : "unknown";
}

/* A topic inherits what a broker's file says; that is not its own. */
bool configs_is_set(const struct config_resource *r,
		    const struct describe_configs_response_config *c)
{
	return c->config_source != SOURCE_DEFAULT &&
	       !(r->type == RESOURCE_TOPIC && c->config_source == SOURCE_STATIC);
}

struct str configs_default(const struct describe_configs_response_config *c)
{
	if (c->config_source == SOURCE_DEFAULT)
		return c->value;
	for (int32_t i = 0; i < c->n_synonyms; i++)
		if (c->synonyms[i].source == SOURCE_DEFAULT)
			return c->synonyms[i].value;
	return (struct str){ 0 };
}
