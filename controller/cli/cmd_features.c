/* cmd_features.c - weir cluster features, and features upgrade and downgrade (KIP-584): what all
 * nodes have agreed to use. */
#include "common/base/text.h"
#include "common/meta/features.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <stdio.h>

enum { UPGRADE = 1, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE };

int cmd_cluster_features(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "FEATURE", "feature", OUT_LEFT },
		{ "LEVEL", "level", OUT_RIGHT },
	};
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (code)
		return code;
	out_begin(&o, cli, "FeatureList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < v.image->n_features; i++) {
		out_str(&o, v.image->features[i].name);
		out_i64(&o, v.image->features[i].level);
	}
	out_end(&o);
	view_fini(&v);
	return CLI_OK;
}

/* ---- upgrade, downgrade ---------------------------------------------------------------------- */

/* "metadata.version=7"; without a level the highest that this program knows. */
static int read_update(struct cli *cli, const char *text, int type, Weir__FeatureUpdate *out)
{
	const char *equals = strchr(text, '=');
	struct str name = { text, equals ? (size_t)(equals - text) : strlen(text) };
	const struct feature *f = feature_named(name);

	weir__feature_update__init(out);
	out->name = (char *)(uintptr_t)cli_z(cli, name);
	out->upgrade_type = type;
	if (equals && !parse_i32(str_of(equals + 1), &out->level) && out->level >= 0)
		return CLI_OK;
	if (equals || type != UPGRADE)
		return cli_fail(cli, CLI_USAGE, "%s: write FEATURE=LEVEL", text);
	if (!f)
		return cli_fail(cli, CLI_MISSING, "no feature %s; see: weir cluster features",
				text);
	out->level = f->max;
	return CLI_OK;
}

static int tell(struct cli *cli, const struct view *v, const Weir__UpdateFeatures *asked,
		const Weir__FeatureResults *said)
{
	static const struct out_column columns[] = {
		{ "FEATURE", "feature", OUT_LEFT }, { "OLD", "old", OUT_RIGHT },
		{ "NEW", "new", OUT_RIGHT },        { "RESULT", "result", OUT_LEFT },
		{ "ERROR", "error", OUT_LEFT },
	};
	bool dry = asked->validate_only, failed = false;
	int code = CLI_OK;
	struct out o;

	for (size_t i = 0; i < said->n_features; i++)
		failed |= said->features[i]->code != KERR_NONE;
	out_begin(&o, cli, "FeatureChangeList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < asked->n_updates && i < said->n_features; i++) {
		const Weir__FeatureUpdate *u = asked->updates[i];
		const Weir__FeatureResult *r = said->features[i];

		out_z(&o, u->name);
		out_i64(&o, image_feature(v->image, str_of(u->name)));
		out_i64(&o, u->level);
		out_z(&o, failed ? "failed" : dry ? "would change" : "changed");
		out_z(&o, r->code ? kerr_name(r->code) : NULL);
	}
	out_end(&o);
	for (size_t i = 0; i < said->n_features; i++)
		if (said->features[i]->code)
			code = cli_fail_code(cli, said->features[i]->code,
					     str_of(said->features[i]->message), "%s",
					     asked->updates[i]->name);
	return code;
}

static int update(struct cli *cli, int type)
{
	Weir__UpdateFeatures in = WEIR__UPDATE_FEATURES__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	struct view v;
	int code = CLI_OK;

	in.updates = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*in.updates));
	for (int i = 0; !code && i < cli->n_args; i++) {
		in.updates[i] = arena_must(&cli->mem, sizeof(*in.updates[i]));
		code = read_update(cli, cli->args[i], type, in.updates[i]);
	}
	in.n_updates = (size_t)cli->n_args;
	if (code || (code = view_load(cli, &v)))
		return code;
	in.has_validate_only = in.has_timeout_ms = true;
	in.validate_only = cli_switch(cli, "dry-run");
	in.timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_UPDATE_FEATURES;
	request.update_features = &in;
	if (type == UNSAFE_DOWNGRADE && !in.validate_only)
		code = confirm(cli, "downgrade unsafely", in.updates[0]->name, NULL);
	if (!code)
		code = link_call(cli, &request, "change features", &response);
	if (!code && response->body_case != WEIR__RESPONSE__BODY_FEATURES)
		code = cli_fail(cli, CLI_FAILED, "change features: the answer is of another kind");
	if (!code)
		code = tell(cli, &v, &in, response->features);
	view_fini(&v);
	return code;
}

int cmd_cluster_features_upgrade(struct cli *cli)
{
	return update(cli, UPGRADE);
}

int cmd_cluster_features_downgrade(struct cli *cli)
{
	return update(cli, cli_switch(cli, "unsafe") ? UNSAFE_DOWNGRADE : SAFE_DOWNGRADE);
}
