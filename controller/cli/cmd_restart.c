/* cmd_restart.c - weir cluster can-restart: what would stop working while one node is down.
 *
 * Counted from the image: a partition loses the node from its ISR, and is then below
 * min.insync.replicas (acks=all is refused) or without a leader. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/local_view.h"
#include "controller/cli/out.h"
#include "controller/cli/restart.h"

#include <stdio.h>

#define SHOWN 12 /* partitions in the answer for people, without --all */

struct verdict {
	int32_t node;
	bool is_broker, is_safe;
	int32_t below, offline, spared; /* spared: single replicas that --ignore-single lets pass */
	int32_t voters, left;           /* left: that answer and are not the node */
};

enum harm { HARM_NONE, HARM_BELOW, HARM_OFFLINE };

static enum harm harm_of(const struct view_walk *w, int32_t node)
{
	const struct image_partition *p = w->partition;
	int32_t left = p->isr.n - 1;

	if (!image_ids_has(&p->isr, node))
		return HARM_NONE;
	if (left == 0)
		return HARM_OFFLINE;
	return left < i32_min(view_min_isr(w->view->image, w->topic), p->replicas.n) ? HARM_BELOW
										     : HARM_NONE;
}

struct restart_harm restart_harm(const struct view *v, int32_t broker)
{
	struct restart_harm h = { 0 };
	struct view_walk w;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		enum harm harm = harm_of(&w, broker);

		h.below += harm == HARM_BELOW;
		h.offline += harm == HARM_OFFLINE;
	}
	return h;
}

static bool is_spared(const struct cli *cli, const struct view_walk *w)
{
	return w->partition->replicas.n == 1 && cli_switch(cli, "ignore-single");
}

static void judge_broker(struct cli *cli, const struct view *v, struct verdict *out)
{
	struct view_walk w;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		enum harm harm = harm_of(&w, out->node);

		if (harm != HARM_NONE && is_spared(cli, &w))
			out->spared++;
		else if (harm == HARM_BELOW)
			out->below++;
		else if (harm == HARM_OFFLINE)
			out->offline++;
	}
	out->is_safe = out->below + out->offline == 0;
}

static bool is_voter(const struct view *v, int32_t node)
{
	for (size_t i = 0; i < v->controller->n_voters; i++)
		if (v->controller->voters[i] == node)
			return true;
	return false;
}

static void print_harmed(struct cli *cli, const struct view *v, const struct verdict *d)
{
	int32_t shown = 0, more = 0;
	struct view_walk w;

	fputs("   ", stdout);
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		if (harm_of(&w, d->node) == HARM_NONE || is_spared(cli, &w))
			continue;
		if (shown == SHOWN && !cli_switch(cli, "all"))
			more++;
		else
			printf(" %.*s-%d", (int)w.topic->name.n, w.topic->name.at, w.number),
				shown++;
	}
	if (more)
		printf(" ... and %d more (--all)", more);
	putchar('\n');
}

/* Somebody's return may make it safe; who is down comes back when it is started. */
static void print_next(struct cli *cli, const struct view *v)
{
	const struct image_broker *down = NULL;
	const char *remedy;

	for (int32_t i = 0; i < v->image->n_brokers && !down; i++)
		if (!image_broker_active(v->image, v->image->brokers[i]->id))
			down = v->image->brokers[i];
	remedy = down ? local_remedy(cli, v, down->id) : NULL;
	if (!down)
		printf("    next: %s isr list --shrunk\n", cli->program);
	else if (down->is_held)
		printf("    next: %s brokers unfence %d\n", cli->program, down->id);
	else if (remedy)
		printf("    next: %s\n", remedy);
	else if (down->is_fenced)
		printf("    next: start broker %d again, then wait for it: %s isr watch\n",
		       down->id, cli->program);
	else
		printf("    next: wait for broker %d: %s isr watch\n", down->id, cli->program);
}

static void print_broker(struct cli *cli, const struct view *v, const struct verdict *d)
{
	if (d->is_safe) {
		printf("YES  broker %d can be stopped: every partition keeps a leader and "
		       "min.insync.replicas\n",
		       d->node);
		if (d->spared)
			printf("     except %d partition%s with one replica, as asked\n", d->spared,
			       d->spared == 1 ? "" : "s");
		return;
	}
	printf("%s  stopping broker %d would leave", text_colored(cli, OUT_RED, "NO"), d->node);
	if (d->below)
		printf(" %d partition%s below min.insync.replicas", d->below,
		       d->below == 1 ? "" : "s");
	if (d->offline)
		printf("%s %d partition%s without a leader", d->below ? " and" : "", d->offline,
		       d->offline == 1 ? "" : "s");
	puts(":");
	print_harmed(cli, v, d);
	print_next(cli, v);
}

/* The voter whose return would help; -1: there are no others, or all are here. */
static int32_t missing_voter(const struct view *v, int32_t node)
{
	for (size_t i = 0; i < v->controller->n_silent_voters; i++)
		if (v->controller->silent_voters[i] != node)
			return v->controller->silent_voters[i];
	return -1;
}

static void print_controller(struct cli *cli, const struct view *v, const struct verdict *d)
{
	int32_t missing = missing_voter(v, d->node);
	const char *remedy;

	if (d->is_safe) {
		printf("YES  controller %d can be stopped: %d of %d voters are left\n", d->node,
		       d->left, d->voters);
		return;
	}
	printf("%s  without controller %d, %d of %d voters would be left, which is no majority: "
	       "nothing is decided until it is back\n"
	       "    (brokers go on serving; no elections, no changes of topics)\n",
	       text_colored(cli, OUT_RED, "NO"), d->node, d->left, d->voters);
	remedy = missing >= 0 ? local_remedy(cli, v, missing) : NULL;
	if (remedy)
		printf("    next: %s\n", remedy);
	else if (missing >= 0)
		printf("    next: start controller %d again: %s quorum describe\n", missing,
		       cli->program);
	else
		printf("    next: with more voters one may be missing: %s quorum add-voter -h\n",
		       cli->program);
}

static void print_json(struct cli *cli, const struct view *v, const struct verdict *d)
{
	struct json j = { 0 };
	struct view_walk w;

	json_object(&j, NULL);
	json_str(&j, "kind", STR("CanRestart"));
	json_i64(&j, "version", 1);
	json_i64(&j, "node", d->node);
	json_str(&j, "role", str_of(d->is_broker ? "broker" : "controller"));
	json_bool(&j, "safe", d->is_safe);
	json_i64(&j, "below_min_isr", d->below);
	json_i64(&j, "offline", d->offline);
	json_array(&j, "partitions");
	view_walk_init(&w, v, NULL, 0);
	while (d->is_broker && view_walk_partition(&w)) {
		enum harm harm = harm_of(&w, d->node);

		if (harm == HARM_NONE || is_spared(cli, &w))
			continue;
		json_object(&j, NULL);
		json_str(&j, "topic", w.topic->name);
		json_i64(&j, "partition", w.number);
		json_str(&j, "harm", str_of(harm == HARM_BELOW ? "below_min_isr" : "offline"));
		json_ids(&j, "isr", w.partition->isr.v, w.partition->isr.n);
		json_i64(&j, "min_insync_replicas", view_min_isr(v->image, w.topic));
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static int judge(struct cli *cli, const struct view *v, struct verdict *d)
{
	d->is_broker = image_broker(v->image, d->node) != NULL;
	if (d->is_broker) {
		judge_broker(cli, v, d);
		return CLI_OK;
	}
	if (!is_voter(v, d->node))
		return cli_fail(cli, CLI_MISSING,
				"no node %d: it is neither a broker (weir brokers list) nor a "
				"controller",
				d->node);
	d->voters = (int32_t)v->controller->n_voters;
	d->left = d->voters - 1;
	/* A voter that is silent and asked about is not missed twice. */
	for (size_t i = 0; i < v->controller->n_silent_voters; i++)
		d->left -= v->controller->silent_voters[i] != d->node;
	d->is_safe = d->left > d->voters / 2;
	return CLI_OK;
}

int cmd_cluster_can_restart(struct cli *cli)
{
	struct verdict d = { 0 };
	struct view v;
	int code;

	if (parse_i32(str_of(cli->args[0]), &d.node))
		return cli_fail(cli, CLI_USAGE, "%s is no node: write its id, for example 2",
				cli->args[0]);
	if ((code = view_load(cli, &v)))
		return code;
	if ((code = judge(cli, &v, &d)))
		goto out;
	if (!out_is_for_people(cli))
		print_json(cli, &v, &d);
	else if (d.is_broker)
		print_broker(cli, &v, &d);
	else
		print_controller(cli, &v, &d);
	code = d.is_safe ? CLI_OK : CLI_UNSAFE;
out:
	view_fini(&v);
	return code;
}
