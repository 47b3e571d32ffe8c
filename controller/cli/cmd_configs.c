/* cmd_configs.c - weir configs get, set, unset.
 *
 * Values are asked of a broker, because only it knows what its file says (DescribeConfigs); where
 * no broker answers, what the metadata says is shown.  Changes go to the controller. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/configs.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <stdio.h>

/* ---- get ----------------------------------------------------------------------------------- */

static void config_row(struct out *o, struct str name, struct str value, const char *source,
		       bool read_only)
{
	out_str(o, name);
	out_str(o, value);
	out_z(o, source);
	out_bool(o, !read_only);
}

/* Shown without --all: what somebody has set. */
static int print_described(struct cli *cli, const struct config_resource *r,
			   const struct describe_configs_response *d, struct out *o)
{
	const char *only = cli->n_args > 1 ? cli->args[1] : NULL;
	int n = 0;

	if (d->n_results < 1)
		return cli_fail(cli, CLI_FAILED, "configs of %s: the answer is empty",
				cli->args[0]);
	if (d->results[0].error_code)
		return cli_fail_code(cli, d->results[0].error_code,
				     str_null(d->results[0].error_message)
					     ? str_of(kerr_text(d->results[0].error_code))
					     : d->results[0].error_message,
				     "configs of %s", cli->args[0]);
	for (int32_t i = 0; i < d->results[0].n_configs; i++) {
		const struct describe_configs_response_config *c = &d->results[0].configs[i];
		bool is_set = configs_is_set(r, c);

		if (only ? !str_eq(c->name, str_of(only)) : !is_set && !cli_switch(cli, "all"))
			continue;
		config_row(o, c->name, c->is_sensitive ? STR("(hidden)") : c->value,
			   configs_source(c->config_source), c->read_only);
		n++;
	}
	if (only && n == 0)
		return cli_fail(cli, CLI_MISSING,
				"%s has no config %s; see: weir configs get %s --all", cli->args[0],
				only, cli->args[0]);
	return CLI_OK;
}

static void print_recorded(struct cli *cli, const struct image_config *configs, int32_t n,
			   struct out *o)
{
	const char *only = cli->n_args > 1 ? cli->args[1] : NULL;

	for (int32_t i = 0; i < n; i++)
		if (!only || str_eq(configs[i].name, str_of(only)))
			config_row(o, configs[i].name, configs[i].value, "metadata", false);
}

static int get(struct cli *cli, const struct view *v, const struct config_resource *r,
	       struct out *o)
{
	const struct image_topic *t =
		r->type == RESOURCE_TOPIC ? image_topic_named(v->image, str_of(r->name)) : NULL;
	struct describe_configs_response described;
	int code = configs_exists(cli, v, r);

	if (code)
		return code;
	if (r->type == RESOURCE_BROKER && !*r->name) {
		print_recorded(cli, v->image->broker_configs, v->image->n_broker_configs, o);
		return CLI_OK;
	}
	if (!configs_ask(cli, v, r, &described))
		return print_described(cli, r, &described, o);
	if (!t)
		return cli_fail(cli, CLI_UNREACHABLE, "configs of %s: the broker gives no answer",
				cli->args[0]);
	fprintf(stderr, "no broker answers: showing what the metadata says\n");
	print_recorded(cli, t->configs, t->n_configs, o);
	return CLI_OK;
}

int cmd_configs_get(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "KEY", "key", OUT_LEFT },
		{ "VALUE", "value", OUT_LEFT },
		{ "FROM", "source", OUT_LEFT },
		{ "CAN CHANGE", "dynamic", OUT_WIDE },
	};
	struct config_resource r;
	struct view v;
	struct out o;
	int code = configs_resource(cli, cli->args[0], &r);

	if (code)
		return code;
	if ((code = view_load(cli, &v)))
		return code;
	out_begin(&o, cli, "ConfigList", columns, ARRAY_LEN(columns));
	code = get(cli, &v, &r, &o);
	if (code)
		out_drop(&o);
	else
		out_end(&o);
	view_fini(&v);
	return code;
}

/* ---- set, unset ---------------------------------------------------------------------------- */

static int read_changes(struct cli *cli, Weir__ConfigOp op, Weir__AlterConfigsResource *out)
{
	out->configs = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*out->configs));
	for (int i = 1; i < cli->n_args; i++) {
		Weir__AlterConfig *c = out->configs[out->n_configs++] =
			arena_must(&cli->mem, sizeof(*c));
		const char *equals = strchr(cli->args[i], '=');
		size_t n = equals ? (size_t)(equals - cli->args[i]) : strlen(cli->args[i]);

		if (op == WEIR__CONFIG_OP__CONFIG_SET && (!equals || n == 0))
			return cli_fail(cli, CLI_USAGE, "%s: write KEY=VALUE", cli->args[i]);
		if (op == WEIR__CONFIG_OP__CONFIG_DELETE && equals)
			return cli_fail(cli, CLI_USAGE, "%s: only the key is needed to unset it",
					cli->args[i]);
		weir__alter_config__init(c);
		c->op = op;
		c->name = (char *)(uintptr_t)cli_z(cli, (struct str){ cli->args[i], n });
		if (equals)
			c->value = (char *)(uintptr_t)(equals + 1);
	}
	return CLI_OK;
}

/* The value that the records hold now; null: none. */
static struct str recorded(const struct view *v, const struct config_resource *r, const char *key)
{
	const struct image_topic *t =
		r->type == RESOURCE_TOPIC ? image_topic_named(v->image, str_of(r->name)) : NULL;
	const struct image_broker *b;
	int32_t id;

	if (t)
		return image_topic_config(t, str_of(key));
	if (r->type == RESOURCE_TOPIC)
		return (struct str){ 0 };
	if (!*r->name) {
		for (int32_t i = 0; i < v->image->n_broker_configs; i++)
			if (str_eq(v->image->broker_configs[i].name, str_of(key)))
				return v->image->broker_configs[i].value;
		return (struct str){ 0 };
	}
	b = parse_i32(str_of(r->name), &id) ? NULL : image_broker(v->image, id);
	for (int32_t i = 0; b && i < b->n_configs; i++)
		if (str_eq(b->configs[i].name, str_of(key)))
			return b->configs[i].value;
	return (struct str){ 0 };
}

static void change_row(struct out *o, const char *key, struct str old, const char *value)
{
	out_z(o, o->cli->args[0]);
	out_z(o, key);
	out_str(o, old);
	out_str(o, value ? str_of(value) : (struct str){ 0 });
	out_bool(o, cli_switch(o->cli, "dry-run"));
}

static void print_changes(struct cli *cli, const struct view *v, const struct config_resource *r,
			  const Weir__AlterConfigsResource *changes)
{
	static const struct out_column columns[] = {
		{ "RESOURCE", "resource", OUT_LEFT }, { "KEY", "key", OUT_LEFT },
		{ "OLD", "old", OUT_LEFT },           { "NEW", "new", OUT_LEFT },
		{ "DRY RUN", "dry_run", OUT_LEFT },
	};
	struct out o;

	out_begin(&o, cli, "ConfigChangeList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < changes->n_configs; i++) {
		const Weir__AlterConfig *c = changes->configs[i];
		struct str old = recorded(v, r, c->name);
		const char *value = c->op == WEIR__CONFIG_OP__CONFIG_SET ? c->value : NULL;

		change_row(&o, c->name, old, value);
		if (out_is_for_people(cli) && str_null(old) && !value)
			printf("%s   %s was not set, nothing to unset\n", cli->args[0], c->name);
		else if (out_is_for_people(cli))
			printf("%s   %s %.*s -> %s%s\n", cli->args[0], c->name,
			       str_null(old) ? 9 : (int)old.n, str_null(old) ? "(default)" : old.at,
			       value ? value : "(default)",
			       cli_switch(cli, "dry-run") ? "   (dry run)" : "");
	}
	if (out_is_for_people(cli))
		out_drop(&o);
	else
		out_end(&o);
}

static int alter(struct cli *cli, Weir__ConfigOp op)
{
	Weir__AlterConfigsResource changes = WEIR__ALTER_CONFIGS_RESOURCE__INIT,
				   *one[] = { &changes };
	Weir__AlterConfigs alter_configs = WEIR__ALTER_CONFIGS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	struct config_resource r;
	struct view v;
	int code;

	if ((code = configs_resource(cli, cli->args[0], &r)) ||
	    (code = read_changes(cli, op, &changes)))
		return code;
	if ((code = view_load(cli, &v)))
		return code;
	changes.type = r.type;
	changes.name = (char *)(uintptr_t)r.name;
	alter_configs.resources = one;
	alter_configs.n_resources = 1;
	alter_configs.has_validate_only = alter_configs.has_timeout_ms = true;
	alter_configs.validate_only = cli_switch(cli, "dry-run");
	alter_configs.timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_ALTER_CONFIGS;
	request.alter_configs = &alter_configs;
	code = link_call(cli, &request, "change configs", &response);
	if (!code && (response->body_case != WEIR__RESPONSE__BODY_CONFIGS ||
		      response->configs->n_resources != 1))
		code = cli_fail(cli, CLI_FAILED, "change configs: the answer is of another kind");
	if (!code && response->configs->resources[0]->code) {
		const Weir__ConfigResult *result = response->configs->resources[0];

		code = cli_fail_code(
			cli, result->code,
			str_of(result->message ? result->message : kerr_text(result->code)), "%s",
			cli->args[0]);
	}
	if (!code)
		print_changes(cli, &v, &r, &changes);
	view_fini(&v);
	return code;
}

int cmd_configs_set(struct cli *cli)
{
	return alter(cli, WEIR__CONFIG_OP__CONFIG_SET);
}

int cmd_configs_unset(struct cli *cli)
{
	return alter(cli, WEIR__CONFIG_OP__CONFIG_DELETE);
}
