/* cmd_top.c - weir cluster top: who does how much, measured over a short while.
 *
 * Two pictures of all offsets and directories, --interval apart; their difference is what came in.
 * On a terminal it goes on until it is interrupted. */
#include "common/base/text.h"
#include "controller/cli/ask.h"
#include "controller/cli/commands.h"
#include "controller/cli/health.h"
#include "controller/cli/json.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"
#include "controller/cli/watch.h"
#include "kafka/apis.h"
#include "kafka/describe_log_dirs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INTERVAL_MS 1000
#define PARTITIONS_DEFAULT 10
#define ASK_MS 2000
enum { LOG_DIRS_VERSION = 4 };

struct picture {
	struct offsets at;
	int64_t *bytes; /* on disk, by place in image->brokers; -1: no answer */
	int64_t taken_ms;
};

/* One partition that got something, or holds back something. */
struct hot {
	const struct partition_offsets *is;
	int64_t per_s, behind; /* records; behind: the slowest replica that answers */
};

struct top {
	struct cli *cli;
	struct view *view;
	struct picture was, is;
	struct hot *hot;
	int n_hot;
	int64_t shown;
};

/* ---- measuring ------------------------------------------------------------------------------- */

static int64_t bytes_of(struct cli *cli, const struct image_broker *b)
{
	struct describe_log_dirs_request in;
	struct describe_log_dirs_response out;
	int64_t sum = 0;

	schema_init(&describe_log_dirs_request_schema, &in);
	in.n_topics = -1;
	if (b->is_fenced ||
	    ask_broker(cli, b,
		       &(struct kafka_call){ API_DESCRIBE_LOG_DIRS, LOG_DIRS_VERSION,
					     &describe_log_dirs_request_schema,
					     &describe_log_dirs_response_schema, &in, &out },
		       ASK_MS))
		return -1;
	for (int32_t d = 0; d < out.n_results; d++)
		for (int32_t t = 0; t < out.results[d].n_topics; t++)
			for (int32_t p = 0; p < out.results[d].topics[t].n_partitions; p++)
				sum += out.results[d].topics[t].partitions[p].partition_size;
	return sum;
}

static void take_picture(struct top *t, struct picture *out)
{
	const struct image *im = t->view->image;

	offsets_load(t->cli, t->view, NULL, 0, &out->at);
	out->taken_ms = cli_now_ms();
	out->bytes = arena_must(&t->cli->mem, (size_t)im->n_brokers * sizeof(*out->bytes) + 1);
	for (int32_t i = 0; i < im->n_brokers; i++)
		out->bytes[i] = bytes_of(t->cli, im->brokers[i]);
}

static int64_t end_of(const struct partition_offsets *o)
{
	const struct image_partition *p = &o->topic->partitions[o->number];

	for (int32_t i = 0; i < p->replicas.n; i++)
		if (p->replicas.v[i] == p->leader)
			return o->at.end[i];
	return -1;
}

static int64_t per_second(const struct top *t, int64_t was, int64_t is)
{
	int64_t ms = i64_max(1, t->is.taken_ms - t->was.taken_ms);

	return was < 0 || is < was ? 0 : (is - was) * 1000 / ms;
}

static int64_t behind_of(const struct partition_offsets *o)
{
	const struct image_partition *p = &o->topic->partitions[o->number];
	int64_t end = end_of(o), worst = 0;

	for (int32_t i = 0; end >= 0 && i < p->replicas.n; i++)
		if (o->at.end[i] >= 0)
			worst = i64_max(worst, end - o->at.end[i]);
	return worst;
}

static int hotter(const void *a, const void *b)
{
	const struct hot *x = a, *y = b;

	if (x->per_s != y->per_s)
		return x->per_s > y->per_s ? -1 : 1;
	if (x->behind != y->behind)
		return x->behind > y->behind ? -1 : 1;
	return x->is < y->is ? -1 : x->is > y->is;
}

static void rank(struct top *t)
{
	t->hot = arena_must(&t->cli->mem, (size_t)(t->is.at.n + 1) * sizeof(*t->hot));
	for (int i = 0; i < t->is.at.n; i++) {
		struct hot h = { &t->is.at.v[i],
				 per_second(t, end_of(&t->was.at.v[i]), end_of(&t->is.at.v[i])),
				 behind_of(&t->is.at.v[i]) };

		if (h.per_s > 0 || h.behind > 0)
			t->hot[t->n_hot++] = h;
	}
	qsort(t->hot, (size_t)t->n_hot, sizeof(*t->hot), hotter);
	t->n_hot = (int)i64_min(t->n_hot, t->shown);
}

/* ---- telling --------------------------------------------------------------------------------- */

struct share {
	int32_t leads, replicas, out_of_sync;
	int64_t records_per_s;
};

static struct share share_of(const struct top *t, int32_t id)
{
	struct share s = { 0 };

	for (int i = 0; i < t->is.at.n; i++) {
		const struct partition_offsets *o = &t->is.at.v[i];
		const struct image_partition *p = &o->topic->partitions[o->number];
		bool holds = image_ids_has(&p->replicas, id);

		s.replicas += holds;
		s.out_of_sync += holds && !image_ids_has(&p->isr, id);
		if (p->leader != id)
			continue;
		s.leads++;
		s.records_per_s += per_second(t, end_of(&t->was.at.v[i]), end_of(o));
	}
	return s;
}

static void print_brokers(struct top *t)
{
	static const struct out_column columns[] = {
		{ "ID", "id", OUT_RIGHT },
		{ "STATE", "state", OUT_LEFT },
		{ "LEADERS", "leaders", OUT_RIGHT },
		{ "REPLICAS", "replicas", OUT_RIGHT },
		{ "OUT-OF-SYNC", "out_of_sync", OUT_RIGHT },
		{ "RECORDS/S", "records_per_s", OUT_RIGHT },
		{ "WRITES/S", "bytes_per_s", OUT_RIGHT },
		{ "ON DISK", "bytes", OUT_RIGHT },
	};
	const struct image *im = t->view->image;
	struct out o;

	out_begin(&o, t->cli, "BrokerLoadList", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < im->n_brokers; i++) {
		struct share s = share_of(t, im->brokers[i]->id);

		out_i64(&o, im->brokers[i]->id);
		o.color = im->brokers[i]->is_fenced ? OUT_RED : OUT_PLAIN;
		out_z(&o, view_broker_text(im->brokers[i]));
		out_i64(&o, s.leads);
		out_i64(&o, s.replicas);
		o.color = s.out_of_sync ? OUT_YELLOW : OUT_PLAIN;
		out_i64(&o, s.out_of_sync);
		out_i64(&o, s.records_per_s);
		if (t->is.bytes[i] < 0) {
			out_none(&o);
			out_none(&o);
			continue;
		}
		out_bytes(&o, per_second(t, t->was.bytes[i], t->is.bytes[i]));
		out_bytes(&o, t->is.bytes[i]);
	}
	out_end(&o);
}

static void print_hot(struct top *t)
{
	static const struct out_column columns[] = {
		{ "PARTITION", "partition", OUT_LEFT },    { "LEADER", "leader", OUT_RIGHT },
		{ "RECORDS/S", "per_s", OUT_RIGHT },       { "LEO", "leo", OUT_RIGHT },
		{ "SLOWEST BEHIND", "behind", OUT_RIGHT },
	};
	struct out o;

	if (t->n_hot == 0) {
		puts("no partition gets anything");
		return;
	}
	out_begin(&o, t->cli, "HotPartitionList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < t->n_hot; i++) {
		const struct partition_offsets *p = t->hot[i].is;

		out_z(&o, arena_printf(&t->cli->mem, "%.*s-%d", (int)p->topic->name.n,
				       p->topic->name.at, p->number)
				  .at);
		out_i64(&o, p->topic->partitions[p->number].leader);
		out_i64(&o, t->hot[i].per_s);
		out_i64(&o, end_of(p));
		o.color = t->hot[i].behind ? OUT_YELLOW : OUT_PLAIN;
		out_i64(&o, t->hot[i].behind);
	}
	out_end(&o);
}

static void json_brokers(struct json *j, struct top *t)
{
	const struct image *im = t->view->image;

	json_array(j, "brokers");
	for (int32_t i = 0; i < im->n_brokers; i++) {
		struct share s = share_of(t, im->brokers[i]->id);

		json_object(j, NULL);
		json_i64(j, "id", im->brokers[i]->id);
		json_str(j, "state", str_of(view_broker_text(im->brokers[i])));
		json_i64(j, "leaders", s.leads);
		json_i64(j, "replicas", s.replicas);
		json_i64(j, "out_of_sync", s.out_of_sync);
		json_i64(j, "records_per_s", s.records_per_s);
		json_i64(j, "bytes_per_s", per_second(t, t->was.bytes[i], t->is.bytes[i]));
		json_i64(j, "bytes", t->is.bytes[i]);
		json_close(j);
	}
	json_close(j);
}

static void print_json(struct top *t, const struct health *h)
{
	struct json j = { 0 };

	json_object(&j, NULL);
	json_str(&j, "kind", STR("ClusterTop"));
	json_i64(&j, "version", 1);
	json_str(&j, "verdict", str_of(health_verdict(h)));
	json_i64(&j, "interval_ms", t->is.taken_ms - t->was.taken_ms);
	json_brokers(&j, t);
	json_array(&j, "partitions");
	for (int i = 0; i < t->n_hot; i++) {
		const struct partition_offsets *p = t->hot[i].is;

		json_object(&j, NULL);
		json_str(&j, "topic", p->topic->name);
		json_i64(&j, "partition", p->number);
		json_i64(&j, "leader", p->topic->partitions[p->number].leader);
		json_i64(&j, "records_per_s", t->hot[i].per_s);
		json_i64(&j, "leo", end_of(p));
		json_i64(&j, "behind", t->hot[i].behind);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static int once(struct cli *cli)
{
	struct top t = { .cli = cli };
	int64_t interval_ms;
	struct health h;
	struct view v;
	int code;

	if (!cli_duration(cli, "interval", INTERVAL_MS, &interval_ms) ||
	    !cli_number(cli, "partitions", PARTITIONS_DEFAULT, &t.shown))
		return CLI_USAGE;
	if ((code = view_load(cli, &v)))
		return code;
	t.view = &v;
	take_picture(&t, &t.was);
	cli_sleep_ms(interval_ms);
	take_picture(&t, &t.is);
	rank(&t);
	health_count(&v, &h);
	if (out_is_for_people(cli)) {
		printf("%s   brokers %d of %d up   partitions %d, %d without a leader, %d "
		       "under-replicated\n\n",
		       health_verdict(&h), h.active, h.brokers, h.partitions, h.offline,
		       h.under_replicated);
		print_brokers(&t);
		putchar('\n');
		print_hot(&t);
	} else {
		print_json(&t, &h);
	}
	view_fini(&v);
	return CLI_OK;
}

/* With --watch we are run again and again by watch.c; on a terminal that is what was meant. */
int cmd_cluster_top(struct cli *cli)
{
	bool people = cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE;

	if (!people || cli_switch(cli, "watch") || !isatty(STDOUT_FILENO) ||
	    cli->n_given == CLI_GIVEN_MAX)
		return once(cli);
	cli->given[cli->n_given].name = "watch";
	cli->given[cli->n_given++].value = "50ms"; /* it rests while it measures */
	return watch_run(cli);
}
