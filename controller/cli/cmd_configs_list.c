/* cmd_configs_list.c - weir configs list and describe: what is set and where, and all there is to
 * know of a key. */
#include "controller/cli/commands.h"
#include "controller/cli/configs.h"
#include "controller/cli/json.h"
#include "controller/cli/out.h"

#include <stdio.h>

/* ---- list ---------------------------------------------------------------------------------- */

static void setting_row(struct out *o, const char *resource, struct str key, struct str value,
			const char *source)
{
	out_z(o, resource);
	out_str(o, key);
	out_str(o, value);
	out_z(o, source);
}

/* Defaults of topics are the same for all: one of them is asked about.  Nothing in them where no
 * broker answers. */
static void load_defaults(struct cli *cli, const struct view *v,
			  struct describe_configs_response_result *out)
{
	struct describe_configs_response d;
	struct config_resource r = { .type = RESOURCE_TOPIC };

	*out = (struct describe_configs_response_result){ 0 };
	for (int32_t t = 0; t < v->image->n_topics && !r.name; t++)
		if (v->image->topics[t]->n_configs)
			r.name = cli_z(cli, v->image->topics[t]->name);
	if (r.name && !cli_flag(cli, "saved") && !configs_ask(cli, v, &r, &d) && d.n_results == 1)
		*out = d.results[0];
}

static struct str default_of(const struct describe_configs_response_result *d, struct str key)
{
	for (int32_t i = 0; i < d->n_configs; i++)
		if (str_eq(d->configs[i].name, key))
			return configs_default(&d->configs[i]);
	return (struct str){ 0 };
}

/* Everything that the metadata has, of every resource. */
static void list_recorded(struct out *o, const struct view *v)
{
	struct describe_configs_response_result defaults;
	const struct image *im = v->image;

	load_defaults(o->cli, v, &defaults);
	for (int32_t i = 0; i < im->n_broker_configs; i++) {
		setting_row(o, "brokers/", im->broker_configs[i].name, im->broker_configs[i].value,
			    "cluster (dynamic)");
		out_none(o);
	}
	for (int32_t b = 0; b < im->n_brokers; b++) {
		const char *name = arena_printf(&o->cli->mem, "brokers/%d", im->brokers[b]->id).at;

		for (int32_t i = 0; i < im->brokers[b]->n_configs; i++) {
			setting_row(o, name, im->brokers[b]->configs[i].name,
				    im->brokers[b]->configs[i].value, "broker (dynamic)");
			out_none(o);
		}
	}
	for (int32_t t = 0; t < im->n_topics; t++) {
		const char *name = arena_printf(&o->cli->mem, "topics/%.*s",
						(int)im->topics[t]->name.n, im->topics[t]->name.at)
					   .at;

		for (int32_t i = 0; i < im->topics[t]->n_configs; i++) {
			setting_row(o, name, im->topics[t]->configs[i].name,
				    im->topics[t]->configs[i].value, "topic");
			out_str(o, default_of(&defaults, im->topics[t]->configs[i].name));
		}
	}
}

static void list_described(struct out *o, const struct config_resource *r, const char *name,
			   const struct describe_configs_response_result *d)
{
	bool all = cli_switch(o->cli, "all"), diff = cli_switch(o->cli, "diff");

	for (int32_t i = 0; i < d->n_configs; i++) {
		const struct describe_configs_response_config *c = &d->configs[i];
		struct str fallback = configs_default(c);

		if ((!all && !configs_is_set(r, c)) || (diff && str_eq(c->value, fallback)))
			continue;
		setting_row(o, name, c->name, c->is_sensitive ? STR("(hidden)") : c->value,
			    configs_source(c->config_source));
		out_str(o, c->is_sensitive ? (struct str){ 0 } : fallback);
	}
}

/* What every broker has in common is in the metadata alone. */
static int list_one(struct out *o, const struct view *v, const char *text)
{
	struct describe_configs_response d;
	struct config_resource r;
	int code = configs_resource(o->cli, text, &r);

	if (code)
		return code;
	if (!*r.name) {
		for (int32_t i = 0; i < v->image->n_broker_configs; i++) {
			setting_row(o, "brokers/", v->image->broker_configs[i].name,
				    v->image->broker_configs[i].value, "cluster (dynamic)");
			out_none(o);
		}
		return CLI_OK;
	}
	if ((code = configs_describe(o->cli, v, &r, &d)))
		return code;
	list_described(o, &r, text, &d.results[0]);
	return CLI_OK;
}

int cmd_configs_list(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "RESOURCE", "resource", OUT_LEFT }, { "KEY", "key", OUT_LEFT },
		{ "VALUE", "value", OUT_LEFT },       { "FROM", "source", OUT_LEFT },
		{ "DEFAULT", "default", OUT_LEFT },
	};
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (code)
		return code;
	out_begin(&o, cli, "ConfigSettingList", columns, ARRAY_LEN(columns));
	if (cli->n_args == 0)
		list_recorded(&o, &v);
	for (int i = 0; !code && i < cli->n_args; i++)
		code = list_one(&o, &v, cli->args[i]);
	if (code)
		out_drop(&o);
	else
		out_end(&o);
	view_fini(&v);
	return code;
}

/* ---- describe ------------------------------------------------------------------------------ */

static void json_config(struct json *j, const char *resource,
			const struct describe_configs_response_config *c)
{
	json_object(j, NULL);
	json_str(j, "resource", str_of(resource));
	json_str(j, "key", c->name);
	json_str(j, "value", c->is_sensitive ? (struct str){ 0 } : c->value);
	json_str(j, "source", str_of(configs_source(c->config_source)));
	json_str(j, "type", str_of(configs_type(c->config_type)));
	json_bool(j, "dynamic", !c->read_only);
	json_bool(j, "sensitive", c->is_sensitive);
	json_str(j, "default", configs_default(c));
	json_str(j, "documentation", c->documentation);
	json_array(j, "synonyms");
	for (int32_t i = 0; i < c->n_synonyms; i++) {
		json_object(j, NULL);
		json_str(j, "key", c->synonyms[i].name);
		json_str(j, "value", c->synonyms[i].value);
		json_str(j, "source", str_of(configs_source(c->synonyms[i].source)));
		json_close(j);
	}
	json_close(j);
	json_close(j);
}

static const char *shown(struct cli *cli, const struct describe_configs_response_config *c,
			 struct str value)
{
	return c->is_sensitive ? "(hidden)" : str_null(value) ? "-" : cli_z(cli, value);
}

static void text_config(struct cli *cli, const char *resource,
			const struct describe_configs_response_config *c)
{
	printf("%.*s   %s   from: %s   (%s)\n", (int)c->name.n, c->name.at, shown(cli, c, c->value),
	       configs_source(c->config_source), resource);
	printf("  type       %s, %s\n", configs_type(c->config_type),
	       c->read_only ? "needs a restart" : "can change while it runs");
	printf("  default    %s\n", shown(cli, c, configs_default(c)));
	if (!str_null(c->documentation) && c->documentation.n)
		printf("  meaning    %.*s\n", (int)c->documentation.n, c->documentation.at);
	for (int32_t i = 0; i < c->n_synonyms; i++)
		printf("  %s %s = %.*s   (%s)\n", i == 0 ? "in force  " : "then      ",
		       shown(cli, c, c->synonyms[i].value), (int)c->synonyms[i].name.n,
		       c->synonyms[i].name.at, configs_source(c->synonyms[i].source));
}

/* The named key alone, else all keys; their number. */
static int tell(struct cli *cli, const char *resource, const char *key,
		const struct describe_configs_response_result *d, struct json *j)
{
	int n = 0;

	for (int32_t i = 0; i < d->n_configs; i++) {
		const struct describe_configs_response_config *c = &d->configs[i];

		if (key && !str_eq(c->name, str_of(key)))
			continue;
		if (out_is_for_people(cli))
			text_config(cli, resource, c);
		else
			json_config(j, resource, c);
		if (cli->format == FORMAT_JSONL)
			json_end(j);
		n++;
	}
	return n;
}

/* A bare key: as the first broker in service has it, else as the first topic has it. */
static int tell_key(struct cli *cli, const struct view *v, const char *key, struct json *j)
{
	struct describe_configs_response d;
	const struct image *im = v->image;
	struct config_resource r;
	const char *name;
	int code;

	for (int32_t b = 0; b < im->n_brokers; b++) {
		if (im->brokers[b]->is_fenced)
			continue;
		r = (struct config_resource){
			RESOURCE_BROKER, arena_printf(&cli->mem, "%d", im->brokers[b]->id).at
		};
		if ((code = configs_describe(cli, v, &r, &d)))
			return code;
		name = arena_printf(&cli->mem, "brokers/%s", r.name).at;
		if (tell(cli, name, key, &d.results[0], j))
			return CLI_OK;
		break;
	}
	if (im->n_topics > 0) {
		r = (struct config_resource){ RESOURCE_TOPIC, cli_z(cli, im->topics[0]->name) };
		if ((code = configs_describe(cli, v, &r, &d)))
			return code;
		name = arena_printf(&cli->mem, "topics/%s", r.name).at;
		if (tell(cli, name, key, &d.results[0], j))
			return CLI_OK;
	}
	return cli_fail(cli, CLI_MISSING,
			"no config %s; all there are: weir configs list brokers/ID "
			"--all, weir configs list topics/NAME --all",
			key);
}

static int describe(struct cli *cli, const struct view *v, struct json *j)
{
	const char *key = cli->n_args > 1 ? cli->args[1] : NULL;
	struct describe_configs_response d;
	struct config_resource r;
	int code;

	if (!strchr(cli->args[0], '/'))
		return cli->n_args == 1 ? tell_key(cli, v, cli->args[0], j)
					: configs_resource(cli, cli->args[0], &r);
	if ((code = configs_resource(cli, cli->args[0], &r)))
		return code;
	if (!*r.name)
		return cli_fail(cli, CLI_USAGE, "%s: of which broker? Write brokers/1",
				cli->args[0]);
	if ((code = configs_describe(cli, v, &r, &d)))
		return code;
	if (tell(cli, cli->args[0], key, &d.results[0], j) == 0)
		return cli_fail(cli, CLI_MISSING,
				"%s has no config %s; see: weir configs list %s "
				"--all",
				cli->args[0], key ? key : "at all", cli->args[0]);
	return CLI_OK;
}

int cmd_configs_describe(struct cli *cli)
{
	bool whole = !out_is_for_people(cli) && cli->format != FORMAT_JSONL;
	FILE *real = stdout;
	struct json j = { 0 };
	char *text = NULL;
	struct view v;
	size_t n = 0;
	int code = view_load(cli, &v);

	if (code)
		return code;
	/* What is refused half-way must not leave half an object. */
	stdout = open_memstream(&text, &n);
	ASSERT(stdout);
	if (whole) {
		json_object(&j, NULL);
		json_str(&j, "kind", STR("ConfigDescriptionList"));
		json_i64(&j, "version", 1);
		json_array(&j, "items");
	}
	code = describe(cli, &v, &j);
	if (whole) {
		json_close(&j);
		json_close(&j);
		json_end(&j);
	}
	fclose(stdout);
	stdout = real;
	if (!code)
		fwrite(text, 1, n, stdout);
	mem_free(text);
	view_fini(&v);
	return code;
}
