/* cmd_trim.c - weir topics trim: records below an offset, or older than a time, are deleted.
 *
 * Each leader is asked for its own partitions (DeleteRecords), one after the other.  What will go
 * is counted first: it is what the confirmation is about. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"
#include "controller/cli/times.h"
#include "kafka/apis.h"
#include "kafka/delete_records.h"
#include "kafka/list_offsets.h"

#include <inttypes.h>
#include <stdio.h>

#define ASK_MS 10000
enum { DELETE_VERSION = 2, OFFSETS_VERSION = 7, AS_CONSUMER = -1 };

struct trim {
	const struct image_topic *topic;
	int32_t partition; /* -1: all */
	int64_t offset;    /* -1: by time */
	int64_t time_ms;
};

static int read_bound(struct cli *cli, struct trim *out)
{
	const char *text = cli_flag(cli, "before");

	out->offset = -1;
	if (!text)
		return cli_fail(cli, CLI_USAGE,
				"up to where? Add --before OFFSET, or a time: --before "
				"2026-03-01T12:00:00Z");
	if (parse_i64(str_of(text), &out->offset) == ERR_OK && out->offset >= 0)
		return CLI_OK;
	out->offset = -1;
	if (time_read(text, &out->time_ms))
		return CLI_OK;
	return cli_fail(cli, CLI_USAGE,
			"--before %s: write an offset, or a time in UTC as 2026-03-01T12:00:00Z",
			text);
}

/* A topic, or one of its partitions. */
static int read_what(struct cli *cli, const struct view *v, struct trim *out)
{
	const char *name = cli->args[0];
	struct topic_partition tp;

	out->partition = -1;
	out->topic = image_topic_named(v->image, str_of(name));
	if (out->topic || !strrchr(name, '-'))
		return out->topic ? CLI_OK : view_has_topics(cli, v, &name, 1);
	if (!cli_partition_arg(cli, name, &tp))
		return CLI_USAGE;
	name = cli_z(cli, tp.topic);
	out->topic = image_topic_named(v->image, tp.topic);
	out->partition = tp.partition;
	if (out->topic && tp.partition < out->topic->n_partitions)
		return CLI_OK;
	return cli_fail(cli, CLI_MISSING, "there is no %s (UNKNOWN_TOPIC_OR_PARTITION)",
			cli->args[0]);
}

/* The first offset whose record is as young as the bound; the high watermark when all are older. */
static enum err offset_at(struct cli *cli, const struct image_broker *leader, const struct trim *t,
			  int32_t partition, int64_t *out)
{
	struct list_offsets_request_partition p;
	struct list_offsets_request_topic topic;
	struct list_offsets_request in;
	struct list_offsets_response answer;
	enum err e;

	schema_init(&list_offsets_request_schema, &in);
	schema_init(&list_offsets_request_topic_schema, &topic);
	schema_init(&list_offsets_request_partition_schema, &p);
	p.partition_index = partition;
	p.timestamp = t->time_ms;
	topic.name = t->topic->name;
	topic.partitions = &p;
	topic.n_partitions = 1;
	in.replica_id = AS_CONSUMER;
	in.topics = &topic;
	in.n_topics = 1;
	e = ask_broker(cli, leader,
		       &(struct kafka_call){ API_LIST_OFFSETS, OFFSETS_VERSION,
					     &list_offsets_request_schema,
					     &list_offsets_response_schema, &in, &answer },
		       ASK_MS);
	if (!e && (answer.n_topics != 1 || answer.topics[0].n_partitions != 1 ||
		   answer.topics[0].partitions[0].error_code))
		e = ERR_REFUSED;
	if (!e)
		*out = answer.topics[0].partitions[0].offset;
	return e;
}

static int delete_below(struct cli *cli, const struct image_broker *leader,
			const struct image_topic *t, int32_t partition, int64_t offset,
			int64_t *start)
{
	struct delete_records_request_partition p;
	struct delete_records_request_topic topic;
	struct delete_records_request in;
	struct delete_records_response out;
	enum err e;

	schema_init(&delete_records_request_schema, &in);
	schema_init(&delete_records_request_topic_schema, &topic);
	schema_init(&delete_records_request_partition_schema, &p);
	p.partition_index = partition;
	p.offset = offset;
	topic.name = t->name;
	topic.partitions = &p;
	topic.n_partitions = 1;
	in.topics = &topic;
	in.n_topics = 1;
	in.timeout_ms = (int32_t)i64_min(cli->timeout_ms, INT32_MAX);
	e = ask_broker(cli, leader,
		       &(struct kafka_call){ API_DELETE_RECORDS, DELETE_VERSION,
					     &delete_records_request_schema,
					     &delete_records_response_schema, &in, &out },
		       ASK_MS);
	if (e || out.n_topics != 1 || out.topics[0].n_partitions != 1)
		return KERR_NETWORK_EXCEPTION;
	*start = out.topics[0].partitions[0].low_watermark;
	return out.topics[0].partitions[0].error_code;
}

/* One partition from its old start to its new one. */
struct cut {
	int32_t partition;
	int64_t from, to;
	int code; /* Kafka's */
};

static struct cut plan_cut(struct cli *cli, const struct view *v, const struct trim *t,
			   int32_t partition, const struct replica_offsets *at)
{
	const struct image_broker *leader =
		image_broker(v->image, t->topic->partitions[partition].leader);
	struct cut c = { .partition = partition, .from = at->start, .to = t->offset };

	if (!leader || at->hw < 0)
		c.code = KERR_LEADER_NOT_AVAILABLE;
	else if (t->offset < 0 && offset_at(cli, leader, t, partition, &c.to))
		c.code = KERR_NETWORK_EXCEPTION;
	else if (c.to < 0)
		c.to = at->hw;
	c.to = i64_max(c.from, i64_min(c.to, at->hw));
	return c;
}

static void cut_row(struct out *o, const struct trim *t, const struct cut *c, const char *result)
{
	out_z(o, arena_printf(&o->cli->mem, "%.*s-%d", (int)t->topic->name.n, t->topic->name.at,
			      c->partition)
			 .at);
	out_i64(o, c->from);
	out_i64(o, c->to);
	out_i64(o, c->to - c->from);
	o->color = c->code ? OUT_RED : OUT_PLAIN;
	out_z(o, c->code ? "failed" : c->to == c->from ? "is as it was" : result);
	if (c->code)
		out_z(o, kerr_name(c->code));
	else
		out_none(o);
}

static int print_cuts(struct cli *cli, const struct trim *t, const struct cut *cuts, int n,
		      const char *result)
{
	static const struct out_column columns[] = {
		{ "PARTITION", "partition", OUT_LEFT }, { "OLD START", "old_start", OUT_RIGHT },
		{ "START", "start", OUT_RIGHT },        { "RECORDS", "deleted", OUT_RIGHT },
		{ "RESULT", "result", OUT_LEFT },       { "ERROR", "error", OUT_LEFT },
	};
	int failed = 0;
	struct out o;

	out_begin(&o, cli, "TrimList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < n; i++) {
		cut_row(&o, t, &cuts[i], result);
		failed += cuts[i].code != 0;
	}
	out_end(&o);
	return failed == 0 ? CLI_OK : failed < n ? CLI_PARTLY : CLI_FAILED;
}

static int trim(struct cli *cli, const struct view *v, const struct trim *t)
{
	const char *name = cli_z(cli, t->topic->name);
	struct cut *cuts = arena_must(&cli->mem, (size_t)t->topic->n_partitions * sizeof(*cuts));
	struct offsets at;
	int n = 0, code;

	offsets_load(cli, v, &name, 1, &at);
	for (int32_t p = 0; p < t->topic->n_partitions; p++)
		if (t->partition < 0 || t->partition == p)
			cuts[n++] = plan_cut(cli, v, t, p, offsets_find(&at, t->topic, p));
	if (cli_switch(cli, "dry-run"))
		return print_cuts(cli, t, cuts, n, "would be deleted");
	if ((code = confirm(cli, "delete records of", cli->args[0], NULL)))
		return code;
	for (int i = 0; i < n; i++) {
		const struct image_broker *leader =
			image_broker(v->image, t->topic->partitions[cuts[i].partition].leader);

		if (!cuts[i].code && cuts[i].to > cuts[i].from)
			cuts[i].code = delete_below(cli, leader, t->topic, cuts[i].partition,
						    cuts[i].to, &cuts[i].to);
	}
	return print_cuts(cli, t, cuts, n, "deleted");
}

int cmd_topics_trim(struct cli *cli)
{
	struct trim t;
	struct view v;
	int code = read_bound(cli, &t);

	if (code || (code = view_load(cli, &v)))
		return code;
	if (!(code = read_what(cli, &v, &t)))
		code = trim(cli, &v, &t);
	view_fini(&v);
	return code;
}
