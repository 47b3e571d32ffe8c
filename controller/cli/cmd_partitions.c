/* cmd_partitions.c - weir partitions list and describe, isr list: who holds what. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/link.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- partitions list, isr list --------------------------------------------------------------- */

static void leader_cell(struct out *o, const struct image_partition *p)
{
	o->color = p->leader < 0 ? OUT_RED : OUT_PLAIN;
	out_cell(o, p->leader < 0 ? "none" : arena_printf(&o->cli->mem, "%d", p->leader).at,
		 arena_printf(&o->cli->mem, "%d", p->leader).at);
}

static void partition_row(struct out *o, const struct view_walk *w)
{
	const struct image_partition *p = w->partition;
	struct image_ids out_of_sync;

	view_out_of_sync(p, &out_of_sync);
	out_str(o, w->topic->name);
	out_i64(o, w->number);
	leader_cell(o, p);
	out_i64(o, p->leader_epoch);
	out_ids(o, p->replicas.v, p->replicas.n);
	out_ids(o, p->isr.v, p->isr.n);
	o->color = OUT_YELLOW;
	out_ids(o, out_of_sync.v, out_of_sync.n);
	out_ids(o, p->elr.v, p->elr.n);
	out_i64(o, p->partition_epoch);
	out_bool(o, view_is_preferred(p));
	out_i64(o, view_min_isr(w->view->image, w->topic));
}

static int list_partitions(struct cli *cli, const char *kind, bool only_shrunk)
{
	static const struct out_column columns[] = {
		{ "TOPIC", "topic", OUT_LEFT },
		{ "P", "partition", OUT_RIGHT },
		{ "LEADER", "leader", OUT_RIGHT },
		{ "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "REPLICAS", "replicas", OUT_LEFT },
		{ "ISR", "isr", OUT_LEFT },
		{ "OUT-OF-SYNC", "out_of_sync", OUT_LEFT },
		{ "ELR", "elr", OUT_WIDE },
		{ "PARTITION EPOCH", "partition_epoch", OUT_RIGHT | OUT_WIDE },
		{ "PREFERRED", "preferred", OUT_WIDE },
		{ "MIN ISR", "min_insync_replicas", OUT_RIGHT | OUT_WIDE },
	};
	struct view_walk w;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (!code)
		code = view_has_topics(cli, &v, cli->args, cli->n_args);
	if (code)
		goto out;
	out_begin(&o, cli, kind, columns, ARRAY_LEN(columns));
	view_walk_init(&w, &v, cli->args, cli->n_args);
	while (view_walk_partition(&w))
		if (!only_shrunk || w.partition->leader < 0 ||
		    w.partition->isr.n < w.partition->replicas.n)
			partition_row(&o, &w);
	out_end(&o);
out:
	view_fini(&v);
	return code;
}

int cmd_partitions_list(struct cli *cli)
{
	return list_partitions(cli, "PartitionList", cli_switch(cli, "not-well"));
}

int cmd_isr_list(struct cli *cli)
{
	return list_partitions(cli, "IsrList", cli_switch(cli, "shrunk"));
}

/* ---- partitions describe --------------------------------------------------------------------- */

static void replica_row(struct out *o, const struct image *image, const struct image_partition *p,
			const struct replica_offsets *at, int32_t i)
{
	const struct image_broker *b = image_broker(image, p->replicas.v[i]);

	out_i64(o, p->replicas.v[i]);
	out_z(o, p->replicas.v[i] == p->leader ? "leader" : "follower");
	o->color = image_ids_has(&p->isr, p->replicas.v[i]) ? OUT_PLAIN : OUT_YELLOW;
	out_bool(o, image_ids_has(&p->isr, p->replicas.v[i]));
	out_z(o, b ? view_broker_text(b) : "unregistered");
	offsets_end_and_lag(o, p, at, i);
	out_bool(o, image_ids_has(&p->elr, p->replicas.v[i]));
}

/* Nothing is said when nothing is out of the ordinary. */
static void print_eligible(struct cli *cli, const char *topic, int32_t number,
			   const struct image_partition *p)
{
	if (p->elr.n > 0 || p->last_known_elr.n > 0 || p->offline.n > 0)
		printf("ELR {%s}   last leader %s   failed directories {%s}\n",
		       text_of_ids(cli, p->elr.v, p->elr.n),
		       p->last_known_elr.n > 0
			       ? arena_printf(&cli->mem, "%d", p->last_known_elr.v[0]).at
			       : "-",
		       text_of_ids(cli, p->offline.v, p->offline.n));
	if (p->leader < 0)
		printf("%s\n", view_waits_for(cli, topic, number, p));
}

static void describe(struct cli *cli, const struct view *v, const struct image_topic *t,
		     int32_t number)
{
	static const struct out_column columns[] = {
		{ "REPLICA", "broker", OUT_RIGHT },   { "ROLE", "role", OUT_LEFT },
		{ "IN SYNC", "in_sync", OUT_LEFT },   { "BROKER", "broker_state", OUT_LEFT },
		{ "LEO", "leo", OUT_RIGHT },          { "LAG", "lag", OUT_RIGHT },
		{ "ELIGIBLE", "eligible", OUT_WIDE },
	};
	const struct image_partition *p = &t->partitions[number];
	const char *name = cli_z(cli, t->name);
	const struct replica_offsets *at;
	struct offsets offsets;
	struct out o;

	offsets_load(cli, v, &name, 1, &offsets);
	at = offsets_find(&offsets, t, number);
	if (cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE) {
		printf("%s-%d   leader %s   leader epoch %d   partition epoch %d   ISR {%s}   "
		       "min.insync.replicas %d\n",
		       name, number,
		       p->leader < 0 ? "none" : arena_printf(&cli->mem, "%d", p->leader).at,
		       p->leader_epoch, p->partition_epoch, text_of_ids(cli, p->isr.v, p->isr.n),
		       view_min_isr(v->image, t));
		print_eligible(cli, name, number, p);
		if (at->hw >= 0)
			printf("start %" PRId64 "   high watermark %" PRId64 "\n", at->start,
			       at->hw);
		else
			puts("offsets unknown: no leader answered");
	}
	out_begin(&o, cli, "ReplicaList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < p->replicas.n; i++)
		replica_row(&o, v->image, p, at, i);
	out_end(&o);
}

int cmd_partitions_describe(struct cli *cli)
{
	struct topic_partition tp;
	const struct image_topic *t;
	const char *name;
	struct view v;
	int code;

	if (cli->n_args == 2)
		return cli_fail(cli, CLI_USAGE, "one partition at a time: write %s-%s",
				cli->args[0], cli->args[1]);
	if (!cli_partition_arg(cli, cli->args[0], &tp))
		return CLI_USAGE;
	if ((code = view_load(cli, &v)))
		return code;
	name = cli_z(cli, tp.topic);
	if ((code = view_has_topics(cli, &v, &name, 1)))
		goto out;
	t = image_topic_named(v.image, tp.topic);
	if (tp.partition >= t->n_partitions)
		code = cli_fail(
			cli, CLI_MISSING,
			"topic %s has %d partitions: there is no %s (UNKNOWN_TOPIC_OR_PARTITION)",
			name, t->n_partitions, cli->args[0]);
	else
		describe(cli, &v, t, tp.partition);
out:
	view_fini(&v);
	return code;
}
