/* cmd_about.c - weir cluster info and id, profile, cheat: small answers. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/out.h"
#include "controller/cli/profile.h"
#include "controller/cli/sock.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- cluster info, id ---------------------------------------------------------------------- */

static void count(const struct view *v, int32_t *active, int64_t *partitions, int64_t *replicas)
{
	struct view_walk w;

	*active = 0;
	*partitions = *replicas = 0;
	for (int32_t i = 0; i < v->image->n_brokers; i++)
		*active += image_broker_active(v->image, v->image->brokers[i]->id);
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		++*partitions;
		*replicas += w.partition->replicas.n;
	}
}

int cmd_cluster_info(struct cli *cli)
{
	int64_t partitions, replicas;
	struct json j = { 0 };
	int32_t active;
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	count(&v, &active, &partitions, &replicas);
	if (out_is_for_people(cli)) {
		printf("cluster     %s\ncontroller  %d epoch %" PRId64 ", metadata log end %" PRId64
		       "\nbrokers     %d of %d up\ntopics      %d with %" PRId64
		       " partitions, %" PRId64 " replicas\n",
		       v.controller->cluster_id, v.controller->id, v.controller->epoch,
		       v.controller->log_end, active, v.image->n_brokers, v.image->n_topics,
		       partitions, replicas);
	} else {
		json_object(&j, NULL);
		json_str(&j, "kind", STR("ClusterInfo"));
		json_i64(&j, "version", 1);
		json_str(&j, "cluster_id", str_of(v.controller->cluster_id));
		json_i64(&j, "controller", v.controller->id);
		json_i64(&j, "controller_epoch", v.controller->epoch);
		json_i64(&j, "metadata_log_end", v.controller->log_end);
		json_i64(&j, "brokers", v.image->n_brokers);
		json_i64(&j, "brokers_up", active);
		json_i64(&j, "topics", v.image->n_topics);
		json_i64(&j, "partitions", partitions);
		json_i64(&j, "replicas", replicas);
		json_close(&j);
		json_end(&j);
	}
	view_fini(&v);
	return CLI_OK;
}

int cmd_cluster_id(struct cli *cli)
{
	struct json j = { 0 };
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	if (out_is_for_people(cli) || cli->format == FORMAT_NAME) {
		puts(v.controller->cluster_id);
	} else {
		json_object(&j, NULL);
		json_str(&j, "kind", STR("ClusterId"));
		json_i64(&j, "version", 1);
		json_str(&j, "cluster_id", str_of(v.controller->cluster_id));
		json_close(&j);
		json_end(&j);
	}
	view_fini(&v);
	return CLI_OK;
}

/* Needs no cluster. */
int cmd_cluster_describe_errors(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "CODE", "code", OUT_RIGHT },
		{ "NAME", "name", OUT_LEFT },
		{ "RETRY", "retriable", OUT_LEFT },
		{ "MEANING", "meaning", OUT_LEFT },
	};
	static const struct {
		const char *name;
		int code;
	} rows[] = {
#define ROW(name, code, retriable, text) { #name, code },
		KERR_ROWS(ROW)
#undef ROW
	};
	const char *only = cli->n_args ? cli->args[0] : NULL;
	int32_t number;
	struct out o;
	int told = 0;

	if (only && parse_i32(str_of(only), &number))
		number = INT32_MIN;
	out_begin(&o, cli, "ErrorList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (only && strcmp(rows[i].name, only) != 0 && rows[i].code != number)
			continue;
		out_i64(&o, rows[i].code);
		out_z(&o, rows[i].name);
		out_bool(&o, kerr_retriable(rows[i].code));
		out_z(&o, kerr_text(rows[i].code));
		told++;
	}
	if (told) {
		out_end(&o);
		return CLI_OK;
	}
	out_drop(&o);
	return cli_fail(cli, CLI_MISSING, "no error %s; all: weir cluster describe-errors", only);
}

/* ---- profile ------------------------------------------------------------------------------- */

int cmd_profile_show(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "KEY", "key", OUT_LEFT },
		{ "VALUE", "value", OUT_LEFT },
	};
	struct profile p;
	struct out o;

	if (!profile_load(cli, &p))
		return cli_fail(cli, CLI_MISSING,
				"no profile in %s: commands go to localhost:9092; set one: weir "
				"profile use HOST:PORT,...",
				profile_state_dir(cli));
	out_begin(&o, cli, "Profile", columns, ARRAY_LEN(columns));
	out_z(&o, "bootstrap");
	out_z(&o, p.bootstrap);
	out_z(&o, "controller");
	out_z(&o, p.controller);
	out_z(&o, "dir");
	out_z(&o, p.dir);
	out_end(&o);
	return CLI_OK;
}

/* host:port,...: what no later command could take is not kept for all of them. */
static bool are_addresses(struct cli *cli, const char *list)
{
	struct str rest = str_of(list), one;
	struct addr addr;

	while (str_cut(&rest, ',', &one)) {
		size_t n = strspn(cli_z(cli, one), "abcdefghijklmnopqrstuvwxyz"
						   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%");

		if (n == one.n && addr_parse(cli, one, 1, &addr))
			continue;
		cli_fail(cli, CLI_USAGE, "%.*s is no address: write host:port", (int)one.n, one.at);
		return false;
	}
	return true;
}

int cmd_profile_use(struct cli *cli)
{
	const char *controller = cli->n_args > 1 ? cli->args[1] : "";
	struct profile old;
	enum err e;

	if (!are_addresses(cli, cli->args[0]) || (*controller && !are_addresses(cli, controller)))
		return CLI_USAGE;
	if (!profile_load(cli, &old))
		old.bootstrap = "localhost:9092";
	e = profile_save(cli, &(struct profile){ "", cli->args[0], controller });
	if (e)
		return cli_fail(cli, CLI_FAILED, "cannot write the profile in %s: %s",
				profile_state_dir(cli), err_text(e));
	if (out_is_for_people(cli))
		printf("bootstrap   %s -> %s\n", old.bootstrap, cli->args[0]);
	return CLI_OK;
}

/* ---- cheat --------------------------------------------------------------------------------- */

/* Recipes by what one wants, where the table of commands is by what there is. */
static const struct {
	const char *topic, *text;
} sheets[] = {
	{ "start", "weir local up                        # one controller, three brokers, here\n"
		   "weir topics create orders -p 6\n"
		   "seq 1 1000 | kcat -b localhost:19092 -P -t orders -X acks=all\n"
		   "weir topics describe orders\n"
		   "weir local purge" },
	{ "restart", "weir cluster can-restart 2           # exit code 0: yes, 6: not now\n"
		     "systemctl restart weir-broker@2      # SIGTERM: leaders move away first\n"
		     "weir cluster health --wait 60        # until all is in sync again\n"
		     "weir leaders balance" },
	{ "slow", "weir isr list --shrunk               # who is behind\n"
		  "weir partitions describe orders-2 -w # how far, now\n"
		  "weir isr history orders-2            # since when, why\n"
		  "weir brokers logdirs                 # is a disk full" },
	{ "leaderless", "weir topics find --offline\n"
			"weir partitions epochs orders-2      # who led last, why no longer\n"
			"weir leaders elect orders-2 --unclean                    # the price\n"
			"weir leaders elect orders-2 --unclean --allow-data-loss  # paying it" },
	{ "grow", "weir brokers list                    # the new one is up\n"
		  "weir replicas rebalance --dry-run    # what would move\n"
		  "weir replicas rebalance --throttle 50MB/s\n"
		  "weir replicas status -w              # in another terminal" },
	{ "shrink", "weir brokers drain 3 --dry-run\n"
		    "weir brokers drain 3 --throttle 50MB/s\n"
		    "systemctl disable --now weir-broker@3\n"
		    "weir brokers unregister 3 --yes" },
	{ "incident", "weir metadata snapshot save incident.weir   # before it is gone\n"
		      "weir metadata log dump -o jsonl > decisions.jsonl\n"
		      "weir metadata diff 5 15                     # what ten decisions did\n"
		      "weir topics describe --saved incident.weir  # anywhere, any time" },
	{ "scripts",
	  "weir topics list -o name | while read t; do weir configs get topics/$t; done\n"
	  "weir partitions list -o json | jq '.items[] | select(.leader < 0)'\n"
	  "weir brokers list --columns id,address --no-headers\n"
	  "weir cluster health >/dev/null || page-somebody" },
	{ "kafka", "ln -s $(command -v weir) kafka-topics.sh    # Kafka's flags, Kafka's layout\n"
		   "./kafka-topics.sh --bootstrap-server localhost:19092 --describe\n"
		   "weir topics describe -o kafka" },
};

int cmd_cheat(struct cli *cli)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(sheets); i++) {
		if (cli->n_args && strcmp(cli->args[0], sheets[i].topic) != 0)
			continue;
		printf("%s# %s\n%s\n", found ? "\n" : "", sheets[i].topic, sheets[i].text);
		found = true;
	}
	return found ? CLI_OK
		     : cli_fail(cli, CLI_MISSING, "no sheet %s; see: weir cheat", cli->args[0]);
}
