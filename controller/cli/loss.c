/* loss.c - the ends and newest timestamps of replicas, compared.
 *
 * Each live replica is asked as a debugging consumer for its end and for its newest timestamp.  The
 * longest log seen is the measure.  What a dead replica alone holds cannot be counted, unless it is
 * of the local cluster: then its files tell. */
#include "controller/cli/loss.h"
#include "common/base/text.h"
#include "controller/cli/ask.h"
#include "controller/cli/local.h"
#include "controller/cli/out.h"
#include "controller/cli/segments.h"
#include "kafka/apis.h"
#include "kafka/list_offsets.h"

#include <inttypes.h>
#include <stdio.h>

#define ASK_MS 2000
enum { VERSION = 7, TIME_LATEST = -1, TIME_NEWEST = -3, AS_DEBUGGER = -2 };

struct candidate {
	int32_t broker;
	bool answers;
	int64_t end, newest_ms; /* newest -1: no record, or not known */
};

struct candidates {
	struct candidate v[IMAGE_REPLICAS_MAX];
	int32_t n;
	struct image_ids silent; /* replicas that do not answer */
	int64_t best_end, best_newest_ms;
};

/* A dead replica of a local cluster can be read where it lies.  False: there are no files of it. */
static bool read_files(struct cli *cli, int32_t broker, const char *partition,
		       struct candidates *to)
{
	struct partition_reader r;
	int64_t end = 0, newest_ms = -1;
	struct local l;
	enum err e;

	local_init(&l, cli);
	if (cli_flag(cli, "saved") || !local_exists(&l) ||
	    partition_reader_open(
		    &r, cli,
		    arena_printf(&cli->mem, "%s/broker-%d/data/%s", l.dir, broker, partition).at))
		return false;
	while (!(e = partition_reader_next(&r))) {
		const struct batch *b = partition_reader_batch(&r);

		end = batch_last_offset(b) + 1;
		newest_ms = i64_max(newest_ms, b->max_timestamp_ms);
	}
	partition_reader_close(&r);
	to->best_end = i64_max(to->best_end, end);
	to->best_newest_ms = i64_max(to->best_newest_ms, newest_ms);
	return true;
}

static bool ask_offset(struct cli *cli, const struct image_broker *b, struct str topic,
		       int32_t partition, int64_t time, int64_t *offset, int64_t *timestamp)
{
	struct list_offsets_request_partition p;
	struct list_offsets_request_topic t;
	struct list_offsets_request in;
	struct list_offsets_response out;
	const struct list_offsets_response_partition *answer;

	schema_init(&list_offsets_request_schema, &in);
	schema_init(&list_offsets_request_topic_schema, &t);
	schema_init(&list_offsets_request_partition_schema, &p);
	p.partition_index = partition;
	p.timestamp = time;
	t.name = topic;
	t.partitions = &p;
	t.n_partitions = 1;
	in.replica_id = AS_DEBUGGER;
	in.topics = &t;
	in.n_topics = 1;
	if (ask_broker(cli, b,
		       &(struct kafka_call){ API_LIST_OFFSETS, VERSION,
					     &list_offsets_request_schema,
					     &list_offsets_response_schema, &in, &out },
		       ASK_MS) ||
	    out.n_topics != 1 || out.topics[0].n_partitions != 1)
		return false;
	answer = &out.topics[0].partitions[0];
	*offset = answer->offset;
	*timestamp = answer->timestamp;
	return answer->error_code == 0;
}

static void ask_candidates(struct cli *cli, const struct view *v, const struct image_topic *t,
			   int32_t partition, const char *name, struct candidates *out)
{
	const struct image_partition *p = &t->partitions[partition];
	int64_t ignored;

	*out = (struct candidates){ .best_end = -1, .best_newest_ms = -1 };
	for (int32_t i = 0; i < p->replicas.n; i++) {
		const struct image_broker *b = image_broker(v->image, p->replicas.v[i]);
		struct candidate c = { .broker = p->replicas.v[i], .newest_ms = -1 };

		c.answers = b && !b->is_fenced &&
			    ask_offset(cli, b, t->name, partition, TIME_LATEST, &c.end, &ignored);
		if (!c.answers && read_files(cli, c.broker, name, out))
			continue;
		if (!c.answers) {
			out->silent.v[out->silent.n++] = c.broker;
			continue;
		}
		if (!ask_offset(cli, b, t->name, partition, TIME_NEWEST, &ignored, &c.newest_ms))
			c.newest_ms = -1;
		out->best_end = i64_max(out->best_end, c.end);
		out->best_newest_ms = i64_max(out->best_newest_ms, c.newest_ms);
		out->v[out->n++] = c;
	}
}

static void time_cell(struct out *o, int64_t ms)
{
	if (ms < 0)
		out_none(o);
	else
		out_z(o, text_of_time(o->cli, ms));
}

static void candidate_row(struct out *o, const char *name, const struct candidates *all,
			  const struct candidate *c)
{
	int64_t lost = all->best_end - c->end;

	out_z(o, name);
	out_i64(o, c->broker);
	out_i64(o, c->end);
	time_cell(o, c->newest_ms);
	o->color = lost ? OUT_RED : OUT_PLAIN;
	out_i64(o, lost);
	time_cell(o, lost ? c->newest_ms : -1);
	time_cell(o, lost ? all->best_newest_ms : -1);
	out_ids(o, all->silent.v, all->silent.n);
}

static void partition_rows(struct out *o, const struct view *v, const struct image_topic *t,
			   int32_t partition)
{
	const char *name =
		arena_printf(&o->cli->mem, "%.*s-%d", (int)t->name.n, t->name.at, partition).at;
	struct candidates all;

	ask_candidates(o->cli, v, t, partition, name, &all);
	for (int32_t i = 0; i < all.n; i++)
		candidate_row(o, name, &all, &all.v[i]);
	if (all.n == 0)
		fprintf(stderr, "%s: none of its replicas answers, nobody can be elected\n", name);
	else if (all.silent.n)
		fprintf(stderr,
			"%s: broker %s does not answer: what only it holds cannot be counted\n",
			name, text_of_ids(o->cli, all.silent.v, all.silent.n));
}

static bool is_meant(const Weir__ElectLeaders *e, struct str topic, int32_t partition)
{
	for (size_t i = 0; i < e->n_partitions; i++)
		if (e->partitions[i]->partition == partition &&
		    str_eq(str_of(e->partitions[i]->topic), topic))
			return true;
	return e->all;
}

int loss_print(struct cli *cli, const struct view *v, const Weir__ElectLeaders *e)
{
	static const struct out_column columns[] = {
		{ "PARTITION", "partition", OUT_LEFT }, { "CANDIDATE", "candidate", OUT_RIGHT },
		{ "LOG END", "end", OUT_RIGHT },        { "NEWEST RECORD", "newest", OUT_LEFT },
		{ "WOULD LOSE", "lost", OUT_RIGHT },    { "FROM", "lost_from", OUT_LEFT },
		{ "TO", "lost_to", OUT_LEFT },          { "NOT SEEN", "silent", OUT_LEFT },
	};
	struct view_walk w;
	struct out o;
	int shown = 0;

	out_begin(&o, cli, "UncleanCandidateList", columns, ARRAY_LEN(columns));
	view_walk_init(&w, v, NULL, 0);
	while (view_walk_partition(&w)) {
		if (w.partition->leader >= 0 || !is_meant(e, w.topic->name, w.number))
			continue;
		partition_rows(&o, v, w.topic, w.number);
		shown++;
	}
	if (shown || !out_is_for_people(cli))
		out_end(&o);
	else
		out_drop(&o);
	return shown;
}
