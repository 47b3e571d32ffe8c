/* cmd_brokers.c - weir brokers describe, logdirs, api-versions, unregister: one broker at a time,
 * and what only it can say of itself. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/json.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"
#include "kafka/api_versions.h"
#include "kafka/apis.h"
#include "kafka/describe_log_dirs.h"

#include <inttypes.h>
#include <stdio.h>

#define ASK_MS 3000
enum { LOG_DIRS_VERSION = 4, API_VERSIONS_VERSION = 0 };

static int find_broker(struct cli *cli, const struct view *v, const struct image_broker **out)
{
	int32_t id;

	if (parse_i32(str_of(cli->args[0]), &id))
		return cli_fail(cli, CLI_USAGE, "%s: a broker's id is a number", cli->args[0]);
	*out = image_broker(v->image, id);
	if (*out)
		return CLI_OK;
	return cli_fail(cli, CLI_MISSING, "no broker %d; see: weir brokers list", id);
}

static enum err ask_log_dirs(struct cli *cli, const struct image_broker *b,
			     struct describe_log_dirs_response *out)
{
	struct describe_log_dirs_request in;

	schema_init(&describe_log_dirs_request_schema, &in);
	in.n_topics = -1;
	return ask_broker(cli, b,
			  &(struct kafka_call){ API_DESCRIBE_LOG_DIRS, LOG_DIRS_VERSION,
						&describe_log_dirs_request_schema,
						&describe_log_dirs_response_schema, &in, out },
			  ASK_MS);
}

struct dir_use {
	int64_t bytes;
	int32_t partitions;
};

static struct dir_use use_of(const struct describe_log_dirs_response_result *d)
{
	struct dir_use use = { 0 };

	for (int32_t t = 0; t < d->n_topics; t++) {
		for (int32_t p = 0; p < d->topics[t].n_partitions; p++)
			use.bytes += d->topics[t].partitions[p].partition_size;
		use.partitions += d->topics[t].n_partitions;
	}
	return use;
}

/* ---- logdirs ------------------------------------------------------------------------------- */

static void bytes_or_none(struct out *o, int64_t bytes)
{
	if (bytes < 0)
		out_none(o);
	else
		out_bytes(o, bytes);
}

static void dir_row(struct out *o, int32_t broker,
		    const struct describe_log_dirs_response_result *d)
{
	struct dir_use use = use_of(d);

	out_i64(o, broker);
	out_str(o, d->log_dir);
	out_i64(o, use.partitions);
	out_bytes(o, use.bytes);
	bytes_or_none(o, d->usable_bytes);
	bytes_or_none(o, d->total_bytes);
	o->color = d->error_code ? OUT_RED : OUT_PLAIN;
	if (d->error_code)
		out_z(o, kerr_name(d->error_code));
	else
		out_none(o);
}

static bool dir_rows(struct out *o, const struct image_broker *b)
{
	struct describe_log_dirs_response dirs;
	enum err e = ask_log_dirs(o->cli, b, &dirs);

	if (e || dirs.error_code) {
		fprintf(stderr, "broker %d: %s\n", b->id,
			e ? err_text(e) : kerr_text(dirs.error_code));
		return false;
	}
	for (int32_t i = 0; i < dirs.n_results; i++)
		dir_row(o, b->id, &dirs.results[i]);
	return true;
}

int cmd_brokers_logdirs(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "BROKER", "broker", OUT_RIGHT },
		{ "DIRECTORY", "dir", OUT_LEFT },
		{ "PARTITIONS", "partitions", OUT_RIGHT },
		{ "USED", "used_bytes", OUT_RIGHT },
		{ "FREE", "usable_bytes", OUT_RIGHT },
		{ "DISK", "total_bytes", OUT_RIGHT },
		{ "ERROR", "error", OUT_LEFT },
	};
	const struct image_broker *one = NULL;
	int asked = 0, failed = 0;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (!code && cli->n_args)
		code = find_broker(cli, &v, &one);
	if (code)
		goto out;
	out_begin(&o, cli, "LogDirList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < v.image->n_brokers; i++) {
		if (one && v.image->brokers[i] != one)
			continue;
		asked++;
		failed += !dir_rows(&o, v.image->brokers[i]);
	}
	out_end(&o);
	if (failed)
		code = failed < asked ? CLI_PARTLY : CLI_UNREACHABLE;
out:
	view_fini(&v);
	return code;
}

/* ---- describe ------------------------------------------------------------------------------ */

struct shares {
	int32_t leaders, replicas, out_of_sync, preferred;
};

static struct shares shares_of(const struct view *v, int32_t id)
{
	struct shares s = { 0 };
	struct view_walk w;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		bool holds = image_ids_has(&w.partition->replicas, id);

		s.leaders += w.partition->leader == id;
		s.replicas += holds;
		s.out_of_sync += holds && !image_ids_has(&w.partition->isr, id);
		s.preferred += w.partition->replicas.n && w.partition->replicas.v[0] == id;
	}
	return s;
}

static void describe_json(const struct view *v, const struct image_broker *b,
			  const struct describe_log_dirs_response *dirs)
{
	const Weir__BrokerState *state = view_broker_state(v, b->id);
	struct shares s = shares_of(v, b->id);
	struct json j = { 0 };
	char id[UUID_TEXT];

	uuid_text(b->incarnation, id);
	json_object(&j, NULL);
	json_str(&j, "kind", STR("BrokerDescription"));
	json_i64(&j, "version", 1);
	json_i64(&j, "id", b->id);
	json_str(&j, "state", str_of(view_broker_text(b)));
	json_str(&j, "rack", b->rack);
	json_i64(&j, "epoch", b->epoch);
	json_str(&j, "incarnation", str_of(id));
	json_bool(&j, "connected", state && state->connected);
	json_i64(&j, "last_contact_ms", state ? state->last_contact_ms : -1);
	json_i64(&j, "leaders", s.leaders);
	json_i64(&j, "preferred", s.preferred);
	json_i64(&j, "replicas", s.replicas);
	json_i64(&j, "out_of_sync", s.out_of_sync);
	json_array(&j, "endpoints");
	for (int32_t i = 0; i < b->n_endpoints; i++) {
		json_object(&j, NULL);
		json_str(&j, "name", b->endpoints[i].name);
		json_str(&j, "host", b->endpoints[i].host);
		json_i64(&j, "port", b->endpoints[i].port);
		json_str(&j, "protocol", b->endpoints[i].protocol);
		json_close(&j);
	}
	json_close(&j);
	json_array(&j, "log_dirs");
	for (int32_t i = 0; i < dirs->n_results; i++) {
		json_object(&j, NULL);
		json_str(&j, "dir", dirs->results[i].log_dir);
		json_i64(&j, "used_bytes", use_of(&dirs->results[i]).bytes);
		json_i64(&j, "usable_bytes", dirs->results[i].usable_bytes);
		json_i64(&j, "total_bytes", dirs->results[i].total_bytes);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static void describe_text(struct cli *cli, const struct view *v, const struct image_broker *b,
			  const struct describe_log_dirs_response *dirs)
{
	const Weir__BrokerState *state = view_broker_state(v, b->id);
	struct shares s = shares_of(v, b->id);

	printf("broker %d   %s   rack %.*s   epoch %" PRId64, b->id,
	       text_colored(cli, b->is_fenced ? OUT_RED : OUT_PLAIN, view_broker_text(b)),
	       str_null(b->rack) ? 1 : (int)b->rack.n, str_null(b->rack) ? "-" : b->rack.at,
	       b->epoch);
	if (state && state->has_last_contact_ms && state->last_contact_ms >= 0)
		printf("   last contact %s ago", text_of_duration(cli, state->last_contact_ms));
	printf("\n  partitions   leads %d, preferred leader of %d, %d replicas, %d out of sync\n",
	       s.leaders, s.preferred, s.replicas, s.out_of_sync);
	for (int32_t i = 0; i < b->n_endpoints; i++)
		printf("  listener     %.*s://%.*s:%d (%.*s)\n", (int)b->endpoints[i].name.n,
		       b->endpoints[i].name.at, (int)b->endpoints[i].host.n,
		       b->endpoints[i].host.at, b->endpoints[i].port,
		       (int)b->endpoints[i].protocol.n, b->endpoints[i].protocol.at);
	for (int32_t i = 0; i < dirs->n_results; i++)
		printf("  directory    %.*s   %s used, %s of %s free%s%s\n",
		       (int)dirs->results[i].log_dir.n, dirs->results[i].log_dir.at,
		       text_of_bytes(cli, use_of(&dirs->results[i]).bytes),
		       text_of_bytes(cli, i64_max(0, dirs->results[i].usable_bytes)),
		       text_of_bytes(cli, i64_max(0, dirs->results[i].total_bytes)),
		       dirs->results[i].error_code ? "   " : "",
		       dirs->results[i].error_code ? kerr_name(dirs->results[i].error_code) : "");
	if (dirs->n_results == 0)
		puts("  directory    the broker does not answer");
	for (int32_t i = 0; i < b->n_configs; i++)
		printf("  config       %.*s=%.*s\n", (int)b->configs[i].name.n,
		       b->configs[i].name.at, (int)b->configs[i].value.n, b->configs[i].value.at);
	if (b->is_held)
		printf("  next: an operator fenced it; to let it in: weir brokers unfence %d\n",
		       b->id);
	else if (b->is_fenced)
		puts("  next: look at its log, or start it again");
	else if (s.out_of_sync)
		puts("  next: weir isr list --shrunk");
}

int cmd_brokers_describe(struct cli *cli)
{
	struct describe_log_dirs_response dirs = { 0 };
	const struct image_broker *b;
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !(code = find_broker(cli, &v, &b))) {
		/* A broker that is down is described all the same: that is when people look. */
		if (ask_log_dirs(cli, b, &dirs))
			dirs.n_results = 0;
		if (out_is_for_people(cli))
			describe_text(cli, &v, b, &dirs);
		else
			describe_json(&v, b, &dirs);
	}
	view_fini(&v);
	return code;
}

/* ---- api-versions -------------------------------------------------------------------------- */

static const char *api_name(struct cli *cli, int key)
{
	for (int i = 0; i < KAFKA_APIS; i++)
		if (kafka_apis[i].key == key)
			return kafka_apis[i].name;
	return arena_printf(&cli->mem, "api %d", key).at;
}

int cmd_brokers_api_versions(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "KEY", "key", OUT_RIGHT },
		{ "API", "name", OUT_LEFT },
		{ "MIN", "min", OUT_RIGHT },
		{ "MAX", "max", OUT_RIGHT },
	};
	struct api_versions_request in;
	struct api_versions_response out;
	const struct image_broker *b;
	enum err e = ERR_OK;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (code || (code = find_broker(cli, &v, &b)))
		goto out;
	schema_init(&api_versions_request_schema, &in);
	e = ask_broker(cli, b,
		       &(struct kafka_call){ API_API_VERSIONS, API_VERSIONS_VERSION,
					     &api_versions_request_schema,
					     &api_versions_response_schema, &in, &out },
		       ASK_MS);
	if (e) {
		code = cli_fail(cli, CLI_UNREACHABLE, "broker %d: %s", b->id, err_text(e));
		goto out;
	}
	out_begin(&o, cli, "ApiVersionList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < out.n_api_keys; i++) {
		out_i64(&o, out.api_keys[i].api_key);
		out_z(&o, api_name(cli, out.api_keys[i].api_key));
		out_i64(&o, out.api_keys[i].min_version);
		out_i64(&o, out.api_keys[i].max_version);
	}
	out_end(&o);
out:
	view_fini(&v);
	return code;
}

/* ---- unregister ---------------------------------------------------------------------------- */

/* A broker that comes back registers anew, so what is dangerous is only to forget replicas. */
static int check_unregister(struct cli *cli, const struct view *v, const struct image_broker *b)
{
	const Weir__BrokerState *state = view_broker_state(v, b->id);
	struct shares s = shares_of(v, b->id);

	/* Held is fenced with a process that runs, which would be back with its next heartbeat. */
	if (!b->is_fenced || (b->is_held && state && state->connected))
		return cli_fail(cli, CLI_UNSAFE,
				"broker %d is up: stop it first, it would register again at once",
				b->id);
	if (s.replicas && !cli_switch(cli, "keep-replicas"))
		return cli_fail(cli, CLI_UNSAFE,
				"broker %d still holds %d replicas: move them first (weir replicas "
				"reassign --drain %d), or say --keep-replicas",
				b->id, s.replicas, b->id);
	return cli_switch(cli, "dry-run") ? CLI_OK
					  : confirm(cli, "unregister broker", cli->args[0], NULL);
}

int cmd_brokers_unregister(struct cli *cli)
{
	Weir__UnregisterBroker unregister = WEIR__UNREGISTER_BROKER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	bool dry = cli_switch(cli, "dry-run");
	const struct image_broker *b;
	Weir__Response *response;
	struct view v;
	int code = view_load(cli, &v);

	if (!code && !(code = find_broker(cli, &v, &b)) && !(code = check_unregister(cli, &v, b))) {
		unregister.id = b->id;
		request.body_case = WEIR__REQUEST__BODY_UNREGISTER_BROKER;
		request.unregister_broker = &unregister;
		if (!dry)
			code = link_call(cli, &request, "unregister the broker", &response);
	}
	if (!code && out_is_for_people(cli))
		printf("broker %s   registered -> unregistered%s\n", cli->args[0],
		       dry ? "   (dry run)" : "");
	else if (!code)
		printf("{\"kind\":\"BrokerChange\",\"version\":1,\"id\":%s,\"result\":\"%s\"}\n",
		       cli->args[0], dry ? "would be unregistered" : "unregistered");
	view_fini(&v);
	return code;
}
