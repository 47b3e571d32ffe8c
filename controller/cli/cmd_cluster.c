/* cmd_cluster.c - weir cluster ..., weir brokers ...: the cluster as a whole.
 *
 * Health is counted from one image and what the controller knows of connections; nothing is asked
 * of the brokers, so it answers while they do not.  Exit code 1 when anything is not as it should
 * be. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/health.h"
#include "controller/cli/json.h"
#include "controller/cli/local_view.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

#define WAIT_STEP_MS 20
#define WAITING_SHOWN 5

static bool read_patience(struct cli *, int64_t *wait_ms);
static void print_text(struct cli *, const struct view *, const struct health *);
static void print_json(const struct view *, const struct health *);

int cmd_cluster_health(struct cli *cli)
{
	int64_t wait_ms, deadline_ms;
	struct health h;
	struct view v;
	int code;

	if (!read_patience(cli, &wait_ms))
		return CLI_USAGE;
	deadline_ms = cli_now_ms() + wait_ms;
	for (;;) {
		if ((code = view_load(cli, &v)))
			return code;
		health_count(&v, &h);
		if (h.is_well || cli_now_ms() >= deadline_ms)
			break;
		view_fini(&v);
		cli_sleep_ms(WAIT_STEP_MS);
	}
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		print_json(&v, &h);
	else
		print_text(cli, &v, &h);
	view_fini(&v);
	return h.is_well ? CLI_OK : CLI_FAILED;
}

/* Without a time of its own: as long as the cluster may take for anything, --timeout. */
static bool read_patience(struct cli *cli, int64_t *wait_ms)
{
	const char *flag = cli_switch(cli, "until-healthy") ? "until-healthy" : "wait";

	return cli_duration(cli, flag, cli_switch(cli, flag) ? cli->timeout_ms : 0, wait_ms);
}

static const char *partitions(struct cli *cli, int32_t n)
{
	return arena_printf(&cli->mem, "%d partition%s", n, n == 1 ? "" : "s").at;
}

static void print_next(struct cli *cli, const struct view *v, const struct health *h)
{
	const Weir__ControllerState *c = v->controller;
	const char *remedy = h->fenced.n          ? local_remedy(cli, v, h->fenced.v[0])
			     : c->n_silent_voters ? local_remedy(cli, v, c->silent_voters[0])
						  : NULL;

	if (h->fenced.n && image_broker(v->image, h->fenced.v[0])->is_held)
		printf("  next: %s brokers unfence %d\n", cli->program, h->fenced.v[0]);
	else if (remedy)
		printf("  next: %s\n", remedy);
	else if (h->fenced.n)
		printf("  next: %s brokers list\n", cli->program);
	else if (c->n_replaced_voters > 0)
		printf("  next: %s quorum remove-voter %d --yes && %s quorum add-voter %d\n",
		       cli->program, c->replaced_voters[0], cli->program, c->replaced_voters[0]);
	else if (h->under_replicated || h->offline)
		printf("  next: %s isr list --shrunk\n", cli->program);
	else if (v->controller->n_silent_voters > 0 || h->is_leaderless)
		printf("  next: %s quorum describe\n", cli->program);
}

/* The first few partitions without a leader: what each of them waits for. */
static void print_waiting(struct cli *cli, const struct view *v)
{
	struct view_walk w;
	int n = 0;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		const char *topic = cli_z(cli, w.topic->name);

		if (w.partition->leader >= 0 || n++ >= WAITING_SHOWN)
			continue;
		printf("      %s-%d %s\n", topic, w.number,
		       view_waits_for(cli, topic, w.number, w.partition));
	}
	if (n > WAITING_SHOWN)
		printf("      ... and %d more: %s topics find --offline\n", n - WAITING_SHOWN,
		       cli->program);
}

static void print_warnings(struct cli *cli, const struct view *v, const struct health *h)
{
	bool is_blocked = h->offline || h->under_min;
	const char *mark = text_colored(cli, is_blocked ? OUT_RED : OUT_YELLOW, "!");

	if (v->controller->id < 0)
		printf("  %s no controller %s: no elections, no changes of topics\n", mark,
		       link_refusal(cli) ? "decides" : "answers");
	if (h->is_leaderless)
		printf("  %s no controller is active: no elections, no changes of topics; existing "
		       "leaders serve on\n",
		       mark);
	else if (v->controller->n_silent_voters > 0 &&
		 v->controller->n_silent_voters == (v->controller->n_voters - 1) / 2)
		printf("  %s one controller away from deciding nothing\n", mark);
	for (size_t i = 0; i < v->controller->n_replaced_voters; i++)
		printf("  %s controller %d runs with another disk, without a vote\n", mark,
		       v->controller->replaced_voters[i]);
	if (h->brokers == 0)
		printf("  %s no broker has registered\n", mark);
	if (h->offline)
		printf("  %s %s without leader: no writes, no reads\n", mark,
		       partitions(cli, h->offline));
	print_waiting(cli, v);
	if (h->under_min)
		printf("  %s %s under min.insync.replicas: acks=all writes are refused\n", mark,
		       partitions(cli, h->under_min));
	if (h->at_min)
		printf("  %s %s one failure away from refusing acks=all writes\n", mark,
		       partitions(cli, h->at_min));
	print_next(cli, v, h);
}

/* "2 (silent for 41s), 3" */
static const char *fenced_text(struct cli *cli, const struct view *v, const struct health *h)
{
	size_t cap = 48 * IMAGE_REPLICAS_MAX;
	struct text t;

	text_init(&t, arena_must(&cli->mem, cap), cap);
	for (int32_t i = 0; i < h->fenced.n; i++) {
		const Weir__BrokerState *b = view_broker_state(v, h->fenced.v[i]);

		text_printf(&t, "%s%d", i ? ", " : "", h->fenced.v[i]);
		if (image_broker(v->image, h->fenced.v[i])->is_held)
			text_printf(&t, " (held: fenced by hand)");
		else if (b && b->has_last_contact_ms && b->last_contact_ms >= 0)
			text_printf(&t, " (silent for %s)",
				    text_of_duration(cli, b->last_contact_ms));
	}
	return t.at;
}

/* "2 of 3 up, silent: 103, leader 101 epoch 4, log end 40" */
static void print_controllers(struct cli *cli, const Weir__ControllerState *c,
			      const struct health *h)
{
	printf("  controllers  %zu of %zu up", size_max(c->n_voters, 1) - c->n_silent_voters,
	       size_max(c->n_voters, 1));
	for (size_t i = 0; i < c->n_silent_voters; i++)
		printf("%s%d", i ? ", " : ", silent: ", c->silent_voters[i]);
	if (h->is_leaderless)
		printf(", %s", text_colored(cli, OUT_RED, "none leads"));
	else
		printf(", leader %d", c->has_active ? c->active : c->id);
	printf(", epoch %" PRId64 ", log end %" PRId64 "\n", c->epoch, c->log_end);
}

static void print_text(struct cli *cli, const struct view *v, const struct health *h)
{
	const Weir__ControllerState *c = v->controller;
	enum out_color color = h->is_well                   ? OUT_GREEN
			       : h->offline || h->under_min ? OUT_RED
							    : OUT_YELLOW;

	printf("%s  cluster %s   data at risk: %s   writes blocked: %s\n",
	       text_colored(cli, color, health_verdict(h)), c->cluster_id,
	       h->under_min + h->offline ? "yes" : "no", h->offline + h->under_min ? "yes" : "no");
	if (c->id < 0)
		printf("  controllers  %s\n",
		       link_refusal(cli) ? link_refusal(cli)
					 : "none answers: nothing is decided until one does");
	else
		print_controllers(cli, c, h);
	printf("  brokers      %d of %d up", h->active, h->brokers);
	if (h->fenced.n)
		printf(", fenced: %s", fenced_text(cli, v, h));
	if (h->shutting_down)
		printf(", shutting down: %d", h->shutting_down);
	printf("\n  partitions   %d total, %d offline, %d under min.insync.replicas, %d "
	       "under-replicated, "
	       "%d leader%s not preferred\n",
	       h->partitions, h->offline, h->under_min, h->under_replicated, h->not_preferred,
	       h->not_preferred == 1 ? "" : "s");
	if (h->recovering)
		printf("  recovering   %s after an unclean election\n",
		       partitions(cli, h->recovering));
	if (c->unclean_elections)
		printf("  unclean      %" PRId64
		       " unclean election%s since this controller started\n",
		       c->unclean_elections, c->unclean_elections == 1 ? "" : "s");
	if (!h->is_well)
		print_warnings(cli, v, h);
}

static void print_json(const struct view *v, const struct health *h)
{
	struct json j = { 0 };

	json_object(&j, NULL);
	json_str(&j, "kind", STR("ClusterHealth"));
	json_i64(&j, "version", 1);
	json_str(&j, "verdict", str_of(health_verdict(h)));
	json_bool(&j, "healthy", h->is_well);
	json_str(&j, "cluster_id", str_of(v->controller->cluster_id));
	json_i64(&j, "controller",
		 v->controller->has_active ? v->controller->active : v->controller->id);
	json_i64(&j, "controllers", (int64_t)size_max(v->controller->n_voters, 1));
	json_ids(&j, "silent_controllers", v->controller->silent_voters,
		 (int)v->controller->n_silent_voters);
	json_ids(&j, "replaced_controllers", v->controller->replaced_voters,
		 (int)v->controller->n_replaced_voters);
	json_i64(&j, "controller_epoch", v->controller->epoch);
	json_i64(&j, "metadata_log_end", v->controller->log_end);
	json_i64(&j, "brokers", h->brokers);
	json_i64(&j, "brokers_up", h->active);
	json_ids(&j, "fenced", h->fenced.v, h->fenced.n);
	json_i64(&j, "partitions", h->partitions);
	json_i64(&j, "offline", h->offline);
	json_i64(&j, "under_min_isr", h->under_min);
	json_i64(&j, "at_min_isr", h->at_min);
	json_i64(&j, "under_replicated", h->under_replicated);
	json_i64(&j, "not_preferred", h->not_preferred);
	json_i64(&j, "recovering", h->recovering);
	json_i64(&j, "unclean_elections", v->controller->unclean_elections);
	json_close(&j);
	json_end(&j);
}

/* ---- weir brokers list --------------------------------------------------------------------- */

static void broker_row(struct out *o, const struct view *v, const struct image_broker *b)
{
	const Weir__BrokerState *state = view_broker_state(v, b->id);
	int32_t leaders = 0, replicas = 0, out_of_sync = 0;
	struct view_walk w;
	char address[300];

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		bool holds = image_ids_has(&w.partition->replicas, b->id);

		leaders += w.partition->leader == b->id;
		replicas += holds;
		out_of_sync += holds && !image_ids_has(&w.partition->isr, b->id);
	}
	snprintf(address, sizeof(address), "%.*s:%d",
		 b->n_endpoints ? (int)b->endpoints[0].host.n : 1,
		 b->n_endpoints ? b->endpoints[0].host.at : "-",
		 b->n_endpoints ? b->endpoints[0].port : 0);
	out_i64(o, b->id);
	o->color = b->is_fenced ? OUT_RED : OUT_PLAIN;
	out_z(o, view_broker_text(b));
	out_i64(o, leaders);
	out_i64(o, replicas);
	o->color = out_of_sync ? OUT_YELLOW : OUT_PLAIN;
	out_i64(o, out_of_sync);
	out_str(o, b->rack);
	out_z(o, address);
	out_i64(o, b->epoch);
	if (state && state->has_last_contact_ms)
		out_duration(o, state->last_contact_ms);
	else
		out_none(o);
	if (state && state->has_metadata_offset)
		out_i64(o, v->controller->log_end - state->metadata_offset);
	else
		out_none(o);
}

int cmd_brokers_list(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "ID", "id", OUT_RIGHT },
		{ "STATE", "state", OUT_LEFT },
		{ "LEADERS", "leaders", OUT_RIGHT },
		{ "REPLICAS", "replicas", OUT_RIGHT },
		{ "OUT-OF-SYNC", "out_of_sync", OUT_RIGHT },
		{ "RACK", "rack", OUT_LEFT },
		{ "ADDRESS", "address", OUT_LEFT },
		{ "EPOCH", "epoch", OUT_RIGHT | OUT_WIDE },
		{ "LAST CONTACT", "last_contact_ms", OUT_RIGHT },
		{ "METADATA LAG", "metadata_lag", OUT_RIGHT | OUT_WIDE },
	};
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (code)
		return code;
	out_begin(&o, cli, "BrokerList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < v.image->n_brokers; i++)
		broker_row(&o, &v, v.image->brokers[i]);
	out_end(&o);
	view_fini(&v);
	return CLI_OK;
}
