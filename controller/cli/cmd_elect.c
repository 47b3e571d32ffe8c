/* cmd_elect.c - weir leaders elect.
 *
 * An unclean election needs two flags, because it can lose records; what each partition looked like
 * before is kept to say what changed. */
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

enum { TYPE_PREFERRED, TYPE_UNCLEAN };

static int build(struct cli *, Weir__ElectLeaders *);
static int report(struct cli *, const struct view *before, const Weir__ElectResults *,
		  int64_t took_ms);

int cmd_leaders_elect(struct cli *cli)
{
	Weir__ElectLeaders elect = WEIR__ELECT_LEADERS__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Response *response;
	struct view before;
	int64_t began_ms;
	int code = build(cli, &elect);

	if (code)
		return code;
	if ((code = view_load(cli, &before)))
		return code;
	request.body_case = WEIR__REQUEST__BODY_ELECT_LEADERS;
	request.elect_leaders = &elect;
	began_ms = cli_now_ms();
	code = link_call(cli, &request, "elect leaders", &response);
	if (!code && response->body_case != WEIR__RESPONSE__BODY_ELECTIONS)
		code = cli_fail(cli, CLI_FAILED, "elect leaders: the answer is of another kind");
	if (!code)
		code = report(cli, &before, response->elections, cli_now_ms() - began_ms);
	view_fini(&before);
	return code;
}

static int build(struct cli *cli, Weir__ElectLeaders *out)
{
	bool all = cli_switch(cli, "all"), unclean = cli_switch(cli, "unclean");

	if (all == (cli->n_args > 0))
		return cli_fail(cli, CLI_USAGE,
				"name partitions (orders-0 orders-1), or say --all for every one");
	if (unclean && cli_switch(cli, "preferred"))
		return cli_fail(cli, CLI_USAGE, "--preferred and --unclean exclude each other");
	if (unclean && !cli_switch(cli, "allow-data-loss"))
		return cli_fail(
			cli, CLI_UNSAFE,
			"an unclean election gives up records that only the lost replicas have; "
			"if that is wanted, add --allow-data-loss");
	out->type = unclean ? TYPE_UNCLEAN : TYPE_PREFERRED;
	out->has_all = out->has_timeout_ms = true;
	out->all = all;
	out->timeout_ms = (int32_t)cli->timeout_ms;
	out->partitions =
		arena_must(&cli->mem, (size_t)(cli->n_args + 1) * sizeof(*out->partitions));
	for (int i = 0; i < cli->n_args; i++) {
		Weir__ElectPartition *p = out->partitions[out->n_partitions++] =
			arena_must(&cli->mem, sizeof(*p));
		struct topic_partition tp;

		if (!cli_partition_arg(cli, cli->args[i], &tp))
			return CLI_USAGE;
		weir__elect_partition__init(p);
		p->topic = (char *)(uintptr_t)cli_z(cli, tp.topic);
		p->partition = tp.partition;
	}
	return CLI_OK;
}

static const struct image_partition *find(const struct view *v, const Weir__ElectResult *r)
{
	const struct image_topic *t = image_topic_named(v->image, str_of(r->topic));

	return t && r->partition < t->n_partitions ? &t->partitions[r->partition] : NULL;
}

/* " (leader 2, ISR {2,3} of {1,2,3})" */
static const char *standing(struct cli *cli, const struct image_partition *p)
{
	if (!p)
		return "";
	return arena_printf(&cli->mem, " (leader %s, ISR {%s} of {%s})",
			    p->leader < 0 ? "none" : arena_printf(&cli->mem, "%d", p->leader).at,
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

static void print_sentence(const Weir__ElectResult *r, const struct image_partition *was,
			   const struct image_partition *is, int64_t took_ms)
{
	if (r->code == KERR_ELECTION_NOT_NEEDED)
		printf("%s-%d   leader stays %d\n", r->topic, r->partition, is ? is->leader : -1);
	else if (r->code == KERR_NONE && was && is)
		printf("%s-%d   leader %d -> %d   epoch %d -> %d   took %" PRId64 "ms\n", r->topic,
		       r->partition, was->leader, is->leader, was->leader_epoch, is->leader_epoch,
		       took_ms);
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
			print_sentence(r, was, is, took_ms);
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
