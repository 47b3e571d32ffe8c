/* cmd_elect.c - weir leaders elect, balance, move.
 *
 * An unclean election needs two flags, because it can lose records; what each partition looked like
 * before is kept to say what changed. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/link.h"
#include "controller/cli/loss.h"
#include "controller/cli/move.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

enum { TYPE_PREFERRED, TYPE_UNCLEAN };

static int build(struct cli *, Weir__ElectLeaders *);
static int elect_to(struct cli *, const char *text);
static void add_partition(struct cli *, Weir__ElectLeaders *, struct str topic, int32_t partition);
static int tell_loss(struct cli *, const struct view *, const Weir__ElectLeaders *);
static bool is_needed(const struct view *, const Weir__ElectLeaders *);
static const struct image_partition *partition_of(const struct view *,
						  const Weir__ElectPartition *);
static int tell_intent(struct cli *, const struct view *, const Weir__ElectLeaders *);
static int report(struct cli *, const struct view *before, const Weir__ElectResults *,
		  int64_t took_ms);

int cmd_leaders_elect(struct cli *cli)
{
	Weir__ElectLeaders elect = WEIR__ELECT_LEADERS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	struct view before;
	int64_t began_ms;
	int code;

	if (cli_flag(cli, "to"))
		return elect_to(cli, cli_flag(cli, "to"));
	if ((code = build(cli, &elect)))
		return code;
	if ((code = view_load(cli, &before)))
		return code;
	if (cli_switch(cli, "dry-run")) {
		code = tell_intent(cli, &before, &elect);
		goto out;
	}
	if (elect.type == TYPE_UNCLEAN && (code = tell_loss(cli, &before, &elect)))
		goto out;
	request.body_case = WEIR__REQUEST__BODY_ELECT_LEADERS;
	request.elect_leaders = &elect;
	began_ms = cli_now_ms();
	code = link_call(cli, &request, "elect leaders", &response);
	if (!code && response->body_case != WEIR__RESPONSE__BODY_ELECTIONS)
		code = cli_fail(cli, CLI_FAILED, "elect leaders: the answer is of another kind");
	if (!code)
		code = report(cli, &before, response->elections, cli_now_ms() - began_ms);
out:
	view_fini(&before);
	return code;
}

/* First what would be lost, then the refusal that says what to add.  With the flag it goes to
 * stderr where programs read: stdout is the answer.  Where somebody leads, nothing is to be lost.
 */
static int tell_loss(struct cli *cli, const struct view *v, const Weir__ElectLeaders *elect)
{
	bool allowed = cli_switch(cli, "allow-data-loss");

	if (!is_needed(v, elect))
		return CLI_OK;
	if (!allowed || out_is_for_people(cli))
		loss_print(cli, v, elect);
	if (allowed)
		return CLI_OK;
	return cli_fail(cli, CLI_UNSAFE,
			"an unclean election gives up records that only the lost replicas have; if "
			"that is wanted, add --allow-data-loss");
}

/* Is one of them without a leader?  What is not there the controller refuses. */
static bool is_needed(const struct view *v, const Weir__ElectLeaders *elect)
{
	struct view_walk w;

	for (size_t i = 0; i < elect->n_partitions; i++) {
		const struct image_partition *p = partition_of(v, elect->partitions[i]);

		if (p && p->leader < 0)
			return true;
	}
	view_walk_init(&w, v, NULL, 0);
	while (elect->all && view_walk_partition(&w))
		if (w.partition->leader < 0)
			return true;
	return false;
}

static const struct image_partition *partition_of(const struct view *v,
						  const Weir__ElectPartition *p)
{
	const struct image_topic *t = image_topic_named(v->image, str_of(p->topic));

	return t ? image_partition(t, p->partition) : NULL;
}

/* The dry run of an unclean election of partitions that have leaders. */
static void tell_leaders(const struct view *v, const Weir__ElectLeaders *elect)
{
	for (size_t i = 0; i < elect->n_partitions; i++)
		printf("%s-%d has leader %d, none needed\n", elect->partitions[i]->topic,
		       elect->partitions[i]->partition,
		       partition_of(v, elect->partitions[i])->leader);
	if (elect->all)
		puts("every partition has a leader, none needed");
}

/* ---- balance, move ------------------------------------------------------------------------- */

/* Partitions whose preferred replica could lead and does not. */
static int away(struct cli *cli, const struct view *v, const struct plan *only,
		Weir__ElectLeaders *out)
{
	size_t cap = 1;
	struct view_walk w;

	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w))
		cap++;
	out->type = TYPE_PREFERRED;
	out->partitions = arena_must(&cli->mem, cap * sizeof(*out->partitions));
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		const struct image_partition *p = w.partition;

		if (p->replicas.n && p->leader >= 0 && !view_is_preferred(p) &&
		    image_ids_has(&p->isr, p->replicas.v[0]) &&
		    (!only || plan_has(only, w.topic->name, w.number)))
			add_partition(cli, out, w.topic->name, w.number);
	}
	return (int)out->n_partitions;
}

static const struct out_column columns[] = {
	{ "TOPIC", "topic", OUT_LEFT },
	{ "P", "partition", OUT_RIGHT },
	{ "RESULT", "result", OUT_LEFT },
	{ "ERROR", "error", OUT_LEFT },
	{ "OLD LEADER", "old_leader", OUT_RIGHT },
	{ "OLD EPOCH", "old_leader_epoch", OUT_RIGHT },
	{ "LEADER", "leader", OUT_RIGHT },
	{ "EPOCH", "leader_epoch", OUT_RIGHT },
};

static void print_intent(struct cli *cli, const struct view *v, const Weir__ElectLeaders *e)
{
	struct out o;

	out_begin(&o, cli, "ElectionList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < e->n_partitions; i++) {
		const struct image_topic *t =
			image_topic_named(v->image, str_of(e->partitions[i]->topic));
		const struct image_partition *p = &t->partitions[e->partitions[i]->partition];

		out_str(&o, t->name);
		out_i64(&o, e->partitions[i]->partition);
		out_z(&o, "would be elected");
		out_none(&o);
		out_i64(&o, p->leader);
		out_i64(&o, p->leader_epoch);
		out_i64(&o, p->replicas.v[0]);
		out_i64(&o, p->leader_epoch + 1);
	}
	out_end(&o);
}

/* --dry-run: what an unclean election would lose, or who would be elected. */
static int tell_intent(struct cli *cli, const struct view *v, const Weir__ElectLeaders *asked)
{
	Weir__ElectLeaders would = WEIR__ELECT_LEADERS__INIT;
	struct plan only = { 0 };

	for (size_t i = 0; i < asked->n_partitions; i++) {
		const Weir__ElectPartition *p = asked->partitions[i];
		const struct image_partition *now = partition_of(v, p);

		if (!now)
			return cli_fail(cli, CLI_MISSING,
					"there is no %s-%d (UNKNOWN_TOPIC_OR_PARTITION)", p->topic,
					p->partition);
		plan_add(cli, &only, str_of(p->topic), p->partition, now, &now->replicas);
	}
	if (asked->type == TYPE_UNCLEAN) {
		if (!out_is_for_people(cli) || is_needed(v, asked))
			loss_print(cli, v, asked);
		else
			tell_leaders(v, asked);
		return CLI_OK;
	}
	if (away(cli, v, asked->n_partitions ? &only : NULL, &would) == 0 && out_is_for_people(cli))
		puts("every leader is where it should be, as far as it can");
	else
		print_intent(cli, v, &would);
	return CLI_OK;
}

static int elect_these(struct cli *cli, const struct view *before, Weir__ElectLeaders *elect)
{
	Weir__Request request = WEIR__REQUEST__INIT;
	int64_t began_ms = cli_now_ms();
	Weir__Response *response;
	int code;

	elect->has_timeout_ms = true;
	elect->timeout_ms = cli_wait_ms(cli);
	request.body_case = WEIR__REQUEST__BODY_ELECT_LEADERS;
	request.elect_leaders = elect;
	if ((code = link_call(cli, &request, "elect leaders", &response)))
		return code;
	if (response->body_case != WEIR__RESPONSE__BODY_ELECTIONS)
		return cli_fail(cli, CLI_FAILED, "elect leaders: the answer is of another kind");
	return report(cli, before, response->elections, cli_now_ms() - began_ms);
}

int cmd_leaders_balance(struct cli *cli)
{
	Weir__ElectLeaders elect = WEIR__ELECT_LEADERS__INIT;
	struct view v;
	int code = view_load(cli, &v);

	if (code)
		return code;
	if (away(cli, &v, NULL, &elect) == 0 && out_is_for_people(cli))
		puts("every leader is where it should be, as far as it can");
	else if (elect.n_partitions == 0 || cli_switch(cli, "dry-run"))
		print_intent(cli, &v, &elect);
	else
		code = elect_these(cli, &v, &elect);
	view_fini(&v);
	return code;
}

/* The order of the replicas is changed first, so that the broker does not get its leaders back with
 * the next balancing. */
static int move_leaders(struct cli *cli, struct view *v, struct plan *plan)
{
	Weir__ElectLeaders elect = WEIR__ELECT_LEADERS__INIT;
	const Weir__ReassignResults *results;
	struct view after;
	int code = move_submit(cli, plan, false, &results);

	for (size_t i = 0; !code && i < results->n_partitions; i++)
		if (results->partitions[i]->code)
			code = cli_fail_code(
				cli, results->partitions[i]->code,
				str_of(results->partitions[i]->message
					       ? results->partitions[i]->message
					       : kerr_text(results->partitions[i]->code)),
				"%s-%d", results->partitions[i]->topic,
				results->partitions[i]->partition);
	if (code || (code = view_load(cli, &after)))
		return code;
	if (away(cli, &after, plan, &elect))
		code = elect_these(cli, v, &elect);
	else if (out_is_for_people(cli))
		puts("every leader is where it should be");
	else
		print_intent(cli, &after, &elect);
	view_fini(&after);
	return code;
}

int cmd_leaders_move(struct cli *cli)
{
	const char *from = cli_flag(cli, "from");
	struct plan plan = { 0 };
	struct view v;
	int32_t id;
	int code;

	if (!from || parse_i32(str_of(from), &id))
		return cli_fail(cli, CLI_USAGE, "off which broker? Say --from ID");
	if ((code = view_load(cli, &v)))
		return code;
	if (!image_broker(v.image, id)) {
		code = cli_fail(cli, CLI_MISSING, "no broker %d; see: weir brokers list", id);
		goto out;
	}
	plan_demote(cli, v.image, id, &plan);
	if (plan.n == 0 && out_is_for_people(cli))
		printf("broker %d is preferred nowhere that another replica in sync could lead\n",
		       id);
	else if (plan.n == 0 || cli_switch(cli, "dry-run"))
		move_print_plan(cli, &plan);
	else
		code = move_leaders(cli, &v, &plan);
out:
	view_fini(&v);
	return code;
}

/* The replica becomes the first of the list, so that it stays leader; it must be in sync. */
static int plan_first(struct cli *cli, const struct view *v, const char *name, int32_t to,
		      struct plan *plan)
{
	const struct image_partition *p = NULL;
	const struct image_topic *t;
	struct topic_partition tp;
	struct image_ids order;
	int32_t at = 0;

	if (!cli_partition_arg(cli, name, &tp))
		return CLI_USAGE;
	t = image_topic_named(v->image, tp.topic);
	p = t ? image_partition(t, tp.partition) : NULL;
	if (!p)
		return cli_fail(cli, CLI_MISSING, "there is no %s (UNKNOWN_TOPIC_OR_PARTITION)",
				name);
	order = p->replicas;
	while (at < order.n && order.v[at] != to)
		at++;
	if (!image_ids_has(&p->isr, to) || at == order.n)
		return cli_fail(cli, CLI_UNSAFE,
				"cannot elect %d for %s: it is not in the ISR {%s} "
				"(ELIGIBLE_LEADERS_NOT_AVAILABLE); watch: weir partitions describe "
				"%s -w",
				to, name, text_of_ids(cli, p->isr.v, p->isr.n), name);
	memmove(&order.v[1], &order.v[0], (size_t)at * sizeof(order.v[0]));
	order.v[0] = to;
	plan_add(cli, plan, t->name, tp.partition, p, &order);
	return CLI_OK;
}

static int elect_to(struct cli *cli, const char *text)
{
	struct plan plan = { 0 };
	struct view v;
	int32_t to;
	int code;

	if (parse_i32(str_of(text), &to) || cli->n_args == 0 || cli_switch(cli, "unclean"))
		return cli_fail(
			cli, CLI_USAGE,
			"--to ID names the replica for the partitions that stand before it, "
			"and is never unclean");
	if ((code = view_load(cli, &v)))
		return code;
	for (int i = 0; !code && i < cli->n_args; i++)
		code = plan_first(cli, &v, cli->args[i], to, &plan);
	if (!code && cli_switch(cli, "dry-run"))
		move_print_plan(cli, &plan);
	else if (!code)
		code = move_leaders(cli, &v, &plan);
	view_fini(&v);
	return code;
}

/* ---- elect --------------------------------------------------------------------------------- */

static void add_partition(struct cli *cli, Weir__ElectLeaders *out, struct str topic,
			  int32_t partition)
{
	Weir__ElectPartition *p = out->partitions[out->n_partitions++] =
		arena_must(&cli->mem, sizeof(*p));

	weir__elect_partition__init(p);
	p->topic = (char *)(uintptr_t)cli_z(cli, topic);
	p->partition = partition;
}

static int build(struct cli *cli, Weir__ElectLeaders *out)
{
	bool all = cli_switch(cli, "all"), unclean = cli_switch(cli, "unclean");

	if (all == (cli->n_args > 0))
		return cli_fail(cli, CLI_USAGE,
				"name partitions (orders-0 orders-1), or say --all for every one");
	if (unclean && cli_switch(cli, "preferred"))
		return cli_fail(cli, CLI_USAGE, "--preferred and --unclean exclude each other");
	out->type = unclean ? TYPE_UNCLEAN : TYPE_PREFERRED;
	out->has_all = out->has_timeout_ms = true;
	out->all = all;
	out->timeout_ms = cli_wait_ms(cli);
	out->partitions =
		arena_must(&cli->mem, (size_t)(cli->n_args + 1) * sizeof(*out->partitions));
	for (int i = 0; i < cli->n_args; i++) {
		struct topic_partition tp;

		if (!cli_partition_arg(cli, cli->args[i], &tp))
			return CLI_USAGE;
		add_partition(cli, out, tp.topic, tp.partition);
	}
	return CLI_OK;
}

static const struct image_partition *find(const struct view *v, const Weir__ElectResult *r)
{
	const struct image_topic *t = image_topic_named(v->image, str_of(r->topic));

	return t && r->partition < t->n_partitions ? &t->partitions[r->partition] : NULL;
}

static const char *leader_text(struct cli *cli, const struct image_partition *p)
{
	return !p || p->leader < 0 ? "none" : arena_printf(&cli->mem, "%d", p->leader).at;
}

/* " (leader 2, ISR {2,3} of {1,2,3})" */
static const char *standing(struct cli *cli, const struct image_partition *p)
{
	if (!p)
		return "";
	return arena_printf(&cli->mem, " (leader %s, ISR {%s} of {%s})", leader_text(cli, p),
			    text_of_ids(cli, p->isr.v, p->isr.n),
			    text_of_ids(cli, p->replicas.v, p->replicas.n))
		.at;
}

static void leader_cells(struct out *o, const struct image_partition *was,
			 const struct image_partition *is)
{
	const struct image_partition *both[] = { was, is };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		out_i64(o, both[i] ? both[i]->leader : -1);
		out_i64(o, both[i] ? both[i]->leader_epoch : -1);
	}
}

static void result_row(struct out *o, const Weir__ElectResult *r)
{
	bool failed = r->code != KERR_NONE && r->code != KERR_ELECTION_NOT_NEEDED;

	out_z(o, r->topic);
	out_i64(o, r->partition);
	out_z(o, failed ? "failed" : r->code ? "stays" : "elected");
	if (failed)
		out_z(o, kerr_name(r->code));
	else
		out_none(o);
}

static void print_sentence(struct cli *cli, const Weir__ElectResult *r,
			   const struct image_partition *was, const struct image_partition *is,
			   int64_t took_ms)
{
	if (r->code == KERR_ELECTION_NOT_NEEDED)
		printf("%s-%d   leader stays %s\n", r->topic, r->partition, leader_text(cli, is));
	else if (r->code == KERR_NONE && was && is)
		printf("%s-%d   leader %s -> %s   epoch %d -> %d   took %" PRId64 "ms\n", r->topic,
		       r->partition, leader_text(cli, was), leader_text(cli, is), was->leader_epoch,
		       is->leader_epoch, took_ms);
}

/* Old -> new, as it stands in the metadata after the answer. */
static int report(struct cli *cli, const struct view *before, const Weir__ElectResults *results,
		  int64_t took_ms)
{
	size_t failed = 0;
	struct view after;
	struct out o;
	int code = view_load(cli, &after);

	if (code)
		return code;
	out_begin(&o, cli, "ElectionList", columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < results->n_partitions; i++) {
		const Weir__ElectResult *r = results->partitions[i];
		const struct image_partition *was = find(before, r), *is = find(&after, r);

		result_row(&o, r);
		leader_cells(&o, was, is);
		if (out_is_for_people(cli))
			print_sentence(cli, r, was, is, took_ms);
		if (r->code == KERR_NONE || r->code == KERR_ELECTION_NOT_NEEDED)
			continue;
		code = cli_fail_code(cli, r->code,
				     str_of(r->message ? r->message : kerr_text(r->code)),
				     "cannot elect a leader for %s-%d%s", r->topic, r->partition,
				     standing(cli, is));
		failed++;
	}
	if (out_is_for_people(cli) && results->n_partitions == 0)
		puts("every leader is where it should be");
	if (out_is_for_people(cli))
		out_drop(&o);
	else
		out_end(&o);
	view_fini(&after);
	return failed && failed < results->n_partitions ? CLI_PARTLY : code;
}
