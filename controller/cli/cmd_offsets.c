/* cmd_offsets.c - weir partitions offsets: where every replica begins and ends, what is committed,
 * what is stable; with --time the first offset of that time or later.
 *
 * Each broker is asked as a debugging consumer for the begin and end of its own replicas, and as a
 * consumer for what it leads. */
#include "common/base/text.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "controller/cli/out.h"
#include "controller/cli/times.h"
#include "controller/cli/view.h"
#include "kafka/apis.h"
#include "kafka/list_offsets.h"

#define ASK_MS 2000
#define TIME_LATEST (-1)
#define TIME_EARLIEST (-2)
#define AS_CONSUMER (-1)
#define AS_DEBUGGER (-2)
enum { OFFSETS_VERSION = 7, READ_UNCOMMITTED = 0, READ_COMMITTED = 1 };

struct wanted {
	const struct image_topic *topic;
	int32_t from, to; /* partitions [from, to) */
};
struct listing {
	struct cli *cli;
	const struct view *view;
	int64_t time_ms; /* -1: not asked for */
	struct out out;
};

/* "orders", "orders-2" */
static int read_wanted(struct cli *cli, const struct view *v, const char *text, struct wanted *out)
{
	struct topic_partition tp;

	out->topic = image_topic_named(v->image, str_of(text));
	out->from = 0;
	if (out->topic) {
		out->to = out->topic->n_partitions;
		return CLI_OK;
	}
	if (!strrchr(text, '-'))
		return view_has_topics(cli, v, &text, 1);
	if (!cli_partition_arg(cli, text, &tp))
		return CLI_USAGE;
	out->topic = image_topic_named(v->image, tp.topic);
	out->from = tp.partition;
	out->to = tp.partition + 1;
	if (out->topic && tp.partition < out->topic->n_partitions)
		return CLI_OK;
	return cli_fail(cli, CLI_MISSING, "there is no %s (UNKNOWN_TOPIC_OR_PARTITION)", text);
}

/* ---- one broker's answer about one topic ----------------------------------------------------- */

struct question {
	int32_t as, isolation;
	int64_t time;
};

/* out[partition - from]; -1 where the broker knows nothing.  Partitions it has no part in are not
 * asked about. */
static void ask(struct listing *l, const struct image_broker *b, const struct wanted *w,
		const struct question *q, int64_t *out)
{
	struct cli *cli = l->cli;
	struct list_offsets_request_topic topic;
	struct list_offsets_request in;
	struct list_offsets_response answer;

	for (int32_t p = w->from; p < w->to; p++)
		out[p - w->from] = -1;
	schema_init(&list_offsets_request_schema, &in);
	schema_init(&list_offsets_request_topic_schema, &topic);
	topic.name = w->topic->name;
	topic.partitions =
		schema_new(&list_offsets_request_partition_schema, &cli->mem, w->to - w->from);
	for (int32_t p = w->from; p < w->to; p++) {
		const struct image_partition *is = &w->topic->partitions[p];

		if (q->as == AS_CONSUMER ? is->leader != b->id
					 : !image_ids_has(&is->replicas, b->id))
			continue;
		topic.partitions[topic.n_partitions].partition_index = p;
		topic.partitions[topic.n_partitions++].timestamp = q->time;
	}
	in.replica_id = q->as;
	in.isolation_level = (int8_t)q->isolation;
	in.topics = &topic;
	in.n_topics = 1;
	if (topic.n_partitions == 0 || b->is_fenced ||
	    ask_broker(cli, b,
		       &(struct kafka_call){ API_LIST_OFFSETS, OFFSETS_VERSION,
					     &list_offsets_request_schema,
					     &list_offsets_response_schema, &in, &answer },
		       ASK_MS) ||
	    answer.n_topics != 1)
		return;
	for (int32_t i = 0; i < answer.topics[0].n_partitions; i++) {
		const struct list_offsets_response_partition *p = &answer.topics[0].partitions[i];

		if (!p->error_code && p->partition_index >= w->from && p->partition_index < w->to)
			out[p->partition_index - w->from] = p->offset;
	}
}

/* What all brokers say of one topic: columns of broker x partition. */
enum { SAYS_START, SAYS_END, SAYS_HW, SAYS_LSO, SAYS_AT, SAYS };
struct said {
	int64_t *v[SAYS];
	int32_t n_partitions;
};

static void ask_all(struct listing *l, const struct wanted *w, struct said *out)
{
	const struct question questions[SAYS] = {
		[SAYS_START] = { AS_DEBUGGER, READ_UNCOMMITTED, TIME_EARLIEST },
		[SAYS_END] = { AS_DEBUGGER, READ_UNCOMMITTED, TIME_LATEST },
		[SAYS_HW] = { AS_CONSUMER, READ_UNCOMMITTED, TIME_LATEST },
		[SAYS_LSO] = { AS_CONSUMER, READ_COMMITTED, TIME_LATEST },
		[SAYS_AT] = { AS_CONSUMER, READ_UNCOMMITTED, l->time_ms },
	};
	const struct image *im = l->view->image;

	out->n_partitions = w->to - w->from;
	for (int q = 0; q < SAYS; q++) {
		if (q == SAYS_AT && l->time_ms < 0)
			continue;
		out->v[q] = arena_must(
			&l->cli->mem,
			(size_t)(im->n_brokers * out->n_partitions) * sizeof(*out->v[q]) + 1);
		for (int32_t b = 0; b < im->n_brokers; b++)
			ask(l, im->brokers[b], w, &questions[q], &out->v[q][b * out->n_partitions]);
	}
}

static int64_t says(const struct listing *l, const struct said *s, int what, int32_t broker,
		    int32_t at)
{
	const struct image *im = l->view->image;

	for (int32_t b = 0; b < im->n_brokers; b++)
		if (im->brokers[b]->id == broker)
			return s->v[what][b * s->n_partitions + at];
	return -1;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void offset_cell(struct out *o, int64_t offset)
{
	if (offset < 0)
		out_none(o);
	else
		out_i64(o, offset);
}

static void replica_row(struct listing *l, const struct wanted *w, const struct said *s,
			int32_t number, int32_t broker)
{
	const struct image_partition *p = &w->topic->partitions[number];
	int32_t at = number - w->from;
	int64_t end = says(l, s, SAYS_END, broker, at);
	int64_t ahead = p->leader < 0 ? -1 : says(l, s, SAYS_END, p->leader, at);
	bool leads = broker == p->leader;
	struct out *o = &l->out;

	out_str(o, w->topic->name);
	out_i64(o, number);
	out_i64(o, broker);
	o->color = leads || image_ids_has(&p->isr, broker) ? OUT_PLAIN : OUT_YELLOW;
	out_z(o, leads ? "leader" : image_ids_has(&p->isr, broker) ? "in sync" : "out of sync");
	offset_cell(o, says(l, s, SAYS_START, broker, at));
	offset_cell(o, leads ? says(l, s, SAYS_LSO, broker, at) : -1);
	offset_cell(o, leads ? says(l, s, SAYS_HW, broker, at) : -1);
	offset_cell(o, end);
	offset_cell(o, end < 0 || ahead < 0 ? -1 : i64_max(0, ahead - end));
	if (l->time_ms >= 0)
		offset_cell(o, leads ? says(l, s, SAYS_AT, broker, at) : -1);
}

static void topic_rows(struct listing *l, const struct wanted *w)
{
	struct said s;

	ask_all(l, w, &s);
	for (int32_t p = w->from; p < w->to; p++)
		for (int32_t i = 0; i < w->topic->partitions[p].replicas.n; i++)
			replica_row(l, w, &s, p, w->topic->partitions[p].replicas.v[i]);
}

int cmd_partitions_offsets(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "TOPIC", "topic", OUT_LEFT },     { "P", "partition", OUT_RIGHT },
		{ "REPLICA", "broker", OUT_RIGHT }, { "ROLE", "role", OUT_LEFT },
		{ "START", "start", OUT_RIGHT },    { "LSO", "lso", OUT_RIGHT },
		{ "HW", "hw", OUT_RIGHT },          { "LEO", "leo", OUT_RIGHT },
		{ "LAG", "lag", OUT_RIGHT },        { "AT TIME", "at_time", OUT_RIGHT },
	};
	struct listing l = { .cli = cli, .time_ms = -1 };
	const char *time = cli_flag(cli, "time");
	struct wanted *w;
	struct view v;
	int code;

	if (time && !time_read(time, &l.time_ms))
		return cli_fail(cli, CLI_USAGE,
				"--time %s: write a time in UTC as 2026-03-01T12:00:00Z, or how "
				"long ago as 90s, 15m, 2h, 1d",
				time);
	if ((code = view_load(cli, &v)))
		return code;
	l.view = &v;
	w = arena_must(&cli->mem, (size_t)cli->n_args * sizeof(*w));
	for (int i = 0; !code && i < cli->n_args; i++)
		code = read_wanted(cli, &v, cli->args[i], &w[i]);
	if (!code) {
		out_begin(&l.out, cli, time ? "PartitionOffsetsAtList" : "PartitionOffsetsList",
			  columns, (int)ARRAY_LEN(columns) - !time);
		for (int i = 0; i < cli->n_args; i++)
			topic_rows(&l, &w[i]);
		out_end(&l.out);
	}
	view_fini(&v);
	return code;
}
