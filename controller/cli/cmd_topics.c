/* cmd_topics.c - weir topics list and describe. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/json.h"
#include "controller/cli/kafka_layout.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- list ---------------------------------------------------------------------------------- */

static void topic_row(struct out *o, const struct view *v, const struct image_topic *t)
{
	int32_t offline = 0, shrunk = 0;
	char id[UUID_TEXT];

	for (int32_t p = 0; p < t->n_partitions; p++) {
		offline += t->partitions[p].leader < 0;
		shrunk += t->partitions[p].isr.n < t->partitions[p].replicas.n;
	}
	uuid_text(t->id, id);
	out_str(o, t->name);
	out_i64(o, t->n_partitions);
	out_i64(o, t->n_partitions ? t->partitions[0].replicas.n : 0);
	out_i64(o, view_min_isr(v->image, t));
	o->color = shrunk ? OUT_YELLOW : OUT_PLAIN;
	out_i64(o, shrunk);
	o->color = offline ? OUT_RED : OUT_PLAIN;
	out_i64(o, offline);
	out_i64(o, t->n_configs);
	out_z(o, id);
}

int cmd_topics_list(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "TOPIC", "topic", OUT_LEFT },
		{ "PARTITIONS", "partitions", OUT_RIGHT },
		{ "RF", "replication_factor", OUT_RIGHT },
		{ "MIN ISR", "min_insync_replicas", OUT_RIGHT },
		{ "OUT-OF-SYNC", "under_replicated", OUT_RIGHT },
		{ "OFFLINE", "offline", OUT_RIGHT },
		{ "CONFIGS", "configs", OUT_RIGHT },
		{ "ID", "id", OUT_WIDE },
	};
	struct view_walk w;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (!code)
		code = view_has_topics(cli, &v, cli->args, cli->n_args);
	if (code)
		goto out;
	if (cli->format == FORMAT_KAFKA)
		cli->format = FORMAT_NAME; /* as kafka-topics --list has it */
	out_begin(&o, cli, "TopicList", columns, ARRAY_LEN(columns));
	view_walk_init(&w, &v, cli->args, cli->n_args);
	while (view_walk_topic(&w))
		topic_row(&o, &v, w.topic);
	out_end(&o);
out:
	view_fini(&v);
	return code;
}

/* ---- describe ------------------------------------------------------------------------------ */

struct described {
	struct cli *cli;
	const struct view *view;
	const struct offsets *at;
};

/* "3 (-41200)": who is out of sync and how far behind the leader's end; "3! ..." the preferred one.
 */
static const char *behind(struct cli *cli, const struct image_partition *p,
			  const struct replica_offsets *at)
{
	struct image_ids ids;
	int64_t leader_end = -1;
	struct text t;

	view_out_of_sync(p, &ids);
	if (ids.n == 0)
		return "";
	text_init(&t, arena_must(&cli->mem, 40 * IMAGE_REPLICAS_MAX), 40 * IMAGE_REPLICAS_MAX);
	for (int32_t i = 0; i < p->replicas.n; i++)
		if (p->replicas.v[i] == p->leader)
			leader_end = at->end[i];
	for (int32_t i = 0; i < p->replicas.n; i++) {
		if (!image_ids_has(&ids, p->replicas.v[i]))
			continue;
		text_printf(&t, "%s%d%s", t.n ? " " : "", p->replicas.v[i], i == 0 ? "!" : "");
		if (leader_end >= 0 && at->end[i] >= 0)
			text_printf(&t, " (%" PRId64 ")", at->end[i] - leader_end);
	}
	return t.at;
}

static int64_t leader_end(const struct image_partition *p, const struct replica_offsets *at)
{
	for (int32_t i = 0; i < p->replicas.n; i++)
		if (p->replicas.v[i] == p->leader)
			return at->end[i];
	return -1;
}

static void offset_cell(struct out *o, int64_t v)
{
	if (v < 0)
		out_none(o);
	else
		out_i64(o, v);
}

static void describe_row(struct out *o, const struct image_topic *t, int32_t n,
			 const struct replica_offsets *at)
{
	const struct image_partition *p = &t->partitions[n];
	int64_t end = leader_end(p, at);

	out_i64(o, n);
	o->color = p->leader < 0 ? OUT_RED : OUT_PLAIN;
	out_z(o, p->leader < 0 ? "none"
			       : arena_printf(&o->cli->mem, "%d%s", p->leader,
					      view_is_preferred(p) ? "*" : "")
					 .at);
	out_i64(o, p->leader_epoch);
	out_ids(o, p->replicas.v, p->replicas.n);
	out_ids(o, p->isr.v, p->isr.n);
	o->color = OUT_YELLOW;
	out_z(o, behind(o->cli, p, at));
	offset_cell(o, at->start);
	offset_cell(o, at->hw);
	offset_cell(o, end);
	offset_cell(o, end >= 0 && at->hw >= 0 ? end - at->hw : -1);
}

/* Only where the ISR is below the minimum, or nobody leads. */
static void print_eligible(struct cli *cli, const struct image_topic *t, int32_t number)
{
	const struct image_partition *p = &t->partitions[number];

	if (p->leader < 0)
		printf("%.*s-%d: %s\n", (int)t->name.n, t->name.at, number,
		       view_waits_for(cli, cli_z(cli, t->name), number, p));
	else if (p->elr.n > 0)
		printf("%.*s-%d: eligible beside the ISR (ELR): %s\n", (int)t->name.n, t->name.at,
		       number, text_of_ids(cli, p->elr.v, p->elr.n));
}

static void print_topic(const struct described *d, const struct image_topic *t, bool is_first)
{
	static const struct out_column columns[] = {
		{ "P", "partition", OUT_RIGHT },
		{ "LEADER", "leader", OUT_LEFT },
		{ "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "REPLICAS", "replicas", OUT_LEFT },
		{ "ISR", "isr", OUT_LEFT },
		{ "OUT-OF-SYNC", "out_of_sync", OUT_LEFT },
		{ "START", "start", OUT_RIGHT },
		{ "HW", "hw", OUT_RIGHT },
		{ "LEO", "leo", OUT_RIGHT },
		{ "UNCOMMITTED", "uncommitted", OUT_RIGHT },
	};
	bool starred = false, banged = false;
	char id[UUID_TEXT];
	struct out o;

	uuid_text(t->id, id);
	if (!is_first)
		putchar('\n');
	printf("%.*s   id %s   %d partition%s   RF %d   min.insync.replicas %d", (int)t->name.n,
	       t->name.at, id, t->n_partitions, t->n_partitions == 1 ? "" : "s",
	       t->n_partitions ? t->partitions[0].replicas.n : 0, view_min_isr(d->view->image, t));
	for (int32_t i = 0; i < t->n_configs; i++)
		if (!str_eq(t->configs[i].name, STR("min.insync.replicas")))
			printf("   %.*s=%.*s", (int)t->configs[i].name.n, t->configs[i].name.at,
			       (int)t->configs[i].value.n, t->configs[i].value.at);
	putchar('\n');
	out_begin(&o, d->cli, "Topic", columns, ARRAY_LEN(columns));
	for (int32_t p = 0; p < t->n_partitions; p++) {
		const struct image_partition *one = &t->partitions[p];

		describe_row(&o, t, p, offsets_find(d->at, t, p));
		starred |= view_is_preferred(one);
		banged |= one->replicas.n && !image_ids_has(&one->isr, one->replicas.v[0]);
	}
	out_end(&o);
	for (int32_t p = 0; p < t->n_partitions; p++)
		print_eligible(d->cli, t, p);
	if (starred || banged)
		printf("%s%s%s\n", starred ? "* leader is the preferred replica" : "",
		       starred && banged ? "    " : "",
		       banged ? "! the preferred replica is out of sync" : "");
}

static void json_partition(struct json *j, const struct image_partition *p, int32_t number,
			   const struct replica_offsets *at)
{
	json_object(j, NULL);
	json_i64(j, "partition", number);
	json_i64(j, "leader", p->leader);
	json_i64(j, "leader_epoch", p->leader_epoch);
	json_i64(j, "partition_epoch", p->partition_epoch);
	json_ids(j, "replicas", p->replicas.v, p->replicas.n);
	json_ids(j, "isr", p->isr.v, p->isr.n);
	json_ids(j, "elr", p->elr.v, p->elr.n);
	json_ids(j, "last_known_elr", p->last_known_elr.v, p->last_known_elr.n);
	json_i64(j, "start", at->start);
	json_i64(j, "hw", at->hw);
	json_i64(j, "leo", leader_end(p, at));
	json_array(j, "ends");
	for (int32_t i = 0; i < p->replicas.n; i++) {
		json_object(j, NULL);
		json_i64(j, "broker", p->replicas.v[i]);
		json_i64(j, "end", at->end[i]);
		json_close(j);
	}
	json_close(j);
	json_close(j);
}

static void json_topic(struct json *j, const struct described *d, const struct image_topic *t)
{
	char id[UUID_TEXT];

	uuid_text(t->id, id);
	json_object(j, NULL);
	json_str(j, "topic", t->name);
	json_str(j, "id", str_of(id));
	json_i64(j, "replication_factor", t->n_partitions ? t->partitions[0].replicas.n : 0);
	json_i64(j, "min_insync_replicas", view_min_isr(d->view->image, t));
	json_object(j, "configs");
	for (int32_t i = 0; i < t->n_configs; i++)
		json_str(j, cli_z(d->cli, t->configs[i].name), t->configs[i].value);
	json_close(j);
	json_array(j, "partitions");
	for (int32_t p = 0; p < t->n_partitions; p++)
		json_partition(j, &t->partitions[p], p, offsets_find(d->at, t, p));
	json_close(j);
	json_close(j);
}

static void print_kafka(struct cli *cli, const struct image_topic *t)
{
	kafka_layout_topic(t);
	for (int32_t p = 0; p < t->n_partitions; p++)
		kafka_layout_partition(cli, t, p);
}

static void print_all(struct described *d)
{
	struct cli *cli = d->cli;
	struct json j = { 0 };
	struct view_walk w;
	int printed = 0;

	if (cli->format == FORMAT_JSON) {
		json_object(&j, NULL);
		json_str(&j, "kind", STR("TopicDescriptions"));
		json_i64(&j, "version", 1);
		json_array(&j, "items");
	}
	view_walk_init(&w, d->view, cli->args, cli->n_args);
	while (view_walk_topic(&w)) {
		if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
			json_topic(&j, d, w.topic);
		else if (cli->format == FORMAT_KAFKA)
			print_kafka(cli, w.topic);
		else
			print_topic(d, w.topic, printed++ == 0);
		if (cli->format == FORMAT_JSONL)
			json_end(&j);
	}
	if (cli->format == FORMAT_JSON) {
		json_close(&j);
		json_close(&j);
		json_end(&j);
	}
}

/* The names that are topics stay in cli->args, the others go to `bad`; their number. */
static int set_apart(struct cli *cli, const struct view *v, const char **bad)
{
	int n_good = 0, n_bad = 0;

	for (int i = 0; i < cli->n_args; i++) {
		if (image_topic_named(v->image, str_of(cli->args[i])))
			cli->args[n_good++] = cli->args[i];
		else
			bad[n_bad++] = cli->args[i];
	}
	cli->n_args = n_good;
	return n_bad;
}

int cmd_topics_describe(struct cli *cli)
{
	const char *bad[CLI_ARGS_MAX];
	struct offsets at;
	struct view v;
	int n_bad, code = view_load(cli, &v);

	if (code)
		return code;
	n_bad = set_apart(cli, &v, bad);
	if (cli->n_args > 0 || n_bad == 0) {
		offsets_load(cli, &v, cli->args, cli->n_args, &at);
		print_all(&(struct described){ cli, &v, &at });
	}
	for (int i = 0; i < n_bad; i++)
		code = view_has_topics(cli, &v, &bad[i], 1);
	view_fini(&v);
	return n_bad && cli->n_args > 0 ? CLI_PARTLY : code;
}
