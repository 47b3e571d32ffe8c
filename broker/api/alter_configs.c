/* AlterConfigs(33), which replaces everything a resource has, and IncrementalAlterConfigs(44): both
 * become one question to the controller, which checks every value and answers per resource. */
#include "broker/api/alter_configs.h"

#include "broker/api/forward.h"
#include "kafka/alter_configs.h"
#include "kafka/incremental_alter_configs.h"

#define WAIT_MS 10000 /* neither request carries a timeout */

static Weir__AlterConfigs *new_request(struct req *, struct forward *, int32_t n,
				       bool validate_only);
static Weir__AlterConfigsResource *add(struct req *, Weir__AlterConfigs *, int8_t type,
				       struct str name, int32_t n);
static bool operations_exist(struct req *,
			     const struct incremental_alter_configs_request_resource *,
			     struct incremental_alter_configs_response_response *);
static void set(struct req *, Weir__AlterConfigsResource *, struct str name, int op,
		struct str value);
static void alter_answer(struct forward *);
static void incremental_answer(struct forward *);
static int16_t code_at(struct forward *, const Weir__Response *, int32_t i, struct str *message);

enum api_ret handle_alter_configs(struct req *q)
{
	const struct alter_configs_request *in = q->in;
	struct alter_configs_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_ALTER_CONFIGS, WAIT_MS);
	Weir__AlterConfigs *m = new_request(q, f, in->n_resources, in->validate_only);

	out->n_responses = in->n_resources;
	out->responses =
		schema_new(&alter_configs_response_response_schema, &q->arena, in->n_resources);
	for (int32_t i = 0; i < in->n_resources; i++) {
		const struct alter_configs_request_resource *from = &in->resources[i];
		Weir__AlterConfigsResource *r =
			add(q, m, from->resource_type, from->resource_name, from->n_configs);
		r->has_replace_all = r->replace_all = true;
		for (int32_t j = 0; j < from->n_configs; j++)
			set(q, r, from->configs[j].name, WEIR__CONFIG_OP__CONFIG_SET,
			    from->configs[j].value);
		out->responses[i].resource_type = from->resource_type;
		out->responses[i].resource_name = from->resource_name;
	}
	return in->n_resources > 0 ? forward_go(f, alter_answer) : API_DONE;
}

enum api_ret handle_incremental_alter_configs(struct req *q)
{
	const struct incremental_alter_configs_request *in = q->in;
	struct incremental_alter_configs_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_ALTER_CONFIGS, WAIT_MS);
	Weir__AlterConfigs *m = new_request(q, f, in->n_resources, in->validate_only);

	out->n_responses = in->n_resources;
	out->responses = schema_new(&incremental_alter_configs_response_response_schema, &q->arena,
				    in->n_resources);
	for (int32_t i = 0; i < in->n_resources; i++) {
		const struct incremental_alter_configs_request_resource *from = &in->resources[i];
		struct incremental_alter_configs_response_response *slot = &out->responses[i];
		slot->resource_type = from->resource_type;
		slot->resource_name = from->resource_name;
		if (!operations_exist(q, from, slot))
			continue;
		Weir__AlterConfigsResource *r =
			add(q, m, from->resource_type, from->resource_name, from->n_configs);
		for (int32_t j = 0; j < from->n_configs; j++)
			set(q, r, from->configs[j].name, from->configs[j].config_operation,
			    from->configs[j].value);
	}
	return m->n_resources > 0 ? forward_go(f, incremental_answer) : API_DONE;
}

static Weir__AlterConfigs *new_request(struct req *q, struct forward *f, int32_t n,
				       bool validate_only)
{
	Weir__AlterConfigs *m = f->request->alter_configs = ARENA_NEW(q, Weir__AlterConfigs, 1);

	weir__alter_configs__init(m);
	m->has_validate_only = m->has_timeout_ms = true;
	m->validate_only = validate_only;
	m->timeout_ms = f->wait_ms;
	m->resources = ARENA_NEW(q, Weir__AlterConfigsResource *, n);
	return m;
}

static Weir__AlterConfigsResource *add(struct req *q, Weir__AlterConfigs *m, int8_t type,
				       struct str name, int32_t n)
{
	Weir__AlterConfigsResource *r = m->resources[m->n_resources++] =
		ARENA_NEW(q, Weir__AlterConfigsResource, 1);

	weir__alter_configs_resource__init(r);
	r->type = type;
	r->name = forward_z(q, name);
	r->configs = ARENA_NEW(q, Weir__AlterConfig *, n);
	return r;
}

static bool operations_exist(struct req *q,
			     const struct incremental_alter_configs_request_resource *in,
			     struct incremental_alter_configs_response_response *slot)
{
	for (int32_t i = 0; i < in->n_configs; i++) {
		int8_t op = in->configs[i].config_operation;
		if (op >= WEIR__CONFIG_OP__CONFIG_SET && op <= WEIR__CONFIG_OP__CONFIG_SUBTRACT)
			continue;
		slot->error_code = KERR_INVALID_REQUEST;
		slot->error_message =
			arena_printf(&q->arena,
				     "Unknown operation %d for config %.*s: 0 sets, 1 deletes, 2 "
				     "appends, 3 subtracts.",
				     op, (int)in->configs[i].name.n, in->configs[i].name.at);
		return false;
	}
	return true;
}

/* The operations are numbered as in Kafka. */
static void set(struct req *q, Weir__AlterConfigsResource *r, struct str name, int op,
		struct str value)
{
	Weir__AlterConfig *c = r->configs[r->n_configs++] = ARENA_NEW(q, Weir__AlterConfig, 1);

	weir__alter_config__init(c);
	c->name = forward_z(q, name);
	c->op = (Weir__ConfigOp)op;
	c->value = forward_z(q, value);
}

static void alter_answer(struct forward *f)
{
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_CONFIGS);
	struct alter_configs_response *out = f->q->out;

	for (int32_t i = 0; i < out->n_responses; i++)
		out->responses[i].error_code = code_at(f, r, i, &out->responses[i].error_message);
}

static void incremental_answer(struct forward *f)
{
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_CONFIGS);
	struct incremental_alter_configs_response *out = f->q->out;
	int32_t at = 0;

	for (int32_t i = 0; i < out->n_responses; i++)
		if (out->responses[i].error_code == KERR_NONE)
			out->responses[i].error_code =
				code_at(f, r, at++, &out->responses[i].error_message);
}

static int16_t code_at(struct forward *f, const Weir__Response *r, int32_t i, struct str *message)
{
	if (r && (size_t)i < r->configs->n_resources) {
		const Weir__ConfigResult *one = r->configs->resources[i];
		*message = forward_message(f->q, one->code, one->message);
		return (int16_t)one->code;
	}
	*message = f->call.message;
	return (int16_t)(r ? KERR_UNKNOWN_SERVER_ERROR : f->call.code);
}
