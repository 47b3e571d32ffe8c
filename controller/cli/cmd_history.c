/* cmd_history.c - weir partitions epochs, isr history, isr watch: who led and who was in sync when,
 * and why, out of the metadata log. */
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/commands.h"
#include "controller/cli/epoch_offsets.h"
#include "controller/cli/log_reader.h"
#include "controller/cli/out.h"
#include "controller/cli/story.h"

#include <inttypes.h>
#include <stdio.h>

#define FOLLOW_MS 100
#define FOLLOW_PAGE 1000

static void time_cell(struct out *o, int64_t time_ms)
{
	if (time_ms < 0)
		out_none(o);
	else
		out_z(o, text_of_time(o->cli, time_ms));
}

static void ids_or_none(struct out *o, const struct image_ids *ids, bool known)
{
	if (known)
		out_ids(o, ids->v, ids->n);
	else
		out_none(o);
}

/* ---- epochs -------------------------------------------------------------------------------- */

static void epoch_row(struct out *o, const struct story *s, int i, int64_t start,
		      int64_t leaderless_ms)
{
	const struct story_event *e = &s->events[i];

	out_i64(o, e->leader_epoch);
	o->color = e->leader < 0 ? OUT_RED : OUT_PLAIN;
	out_cell(o, e->leader < 0 ? "none" : arena_printf(&o->cli->mem, "%d", e->leader).at,
		 arena_printf(&o->cli->mem, "%d", e->leader).at);
	if (start < 0)
		out_none(o);
	else
		out_i64(o, start);
	time_cell(o, e->time_ms);
	if (e->leader < 0 || e->is_creation)
		out_none(o);
	else
		out_duration(o, leaderless_ms);
	out_str(o, str_of(e->reason));
	ids_or_none(o, &e->isr, e->knows_isr);
	out_i64(o, e->offset);
}

static void print_epochs(struct cli *cli, const struct view *v, const struct story *s)
{
	static const struct out_column columns[] = {
		{ "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "LEADER", "leader", OUT_RIGHT },
		{ "START OFFSET", "start_offset", OUT_RIGHT },
		{ "SINCE", "since", OUT_LEFT },
		{ "GAP", "gap_ms", OUT_RIGHT },
		{ "REASON", "reason", OUT_LEFT },
		{ "ISR AT START", "isr", OUT_LEFT },
		{ "RECORD", "metadata_offset", OUT_RIGHT | OUT_WIDE },
	};
	struct epoch_offsets at;
	int64_t gone_ms = -1; /* when the last leader went without a next one */
	struct out o;

	epoch_offsets_open(&at, cli, v, s->topic, s->partition);
	out_begin(&o, cli, "EpochList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < s->n; i++) {
		const struct story_event *e = &s->events[i];

		if (!e->sets_leader)
			continue;
		epoch_row(&o, s, i, e->leader < 0 ? -1 : epoch_offsets_start(&at, e->leader_epoch),
			  gone_ms < 0 || e->time_ms < 0 ? 0 : e->time_ms - gone_ms);
		gone_ms = e->leader >= 0 ? -1 : gone_ms < 0 ? e->time_ms : gone_ms;
	}
	out_end(&o);
	epoch_offsets_close(&at);
}

int cmd_partitions_epochs(struct cli *cli)
{
	struct view v = { 0 };
	struct story s;
	int code = story_load(cli, &v, &s);

	if (!code) {
		story_note_beginning(&s);
		print_epochs(cli, &v, &s);
	}
	view_fini(&v);
	return code;
}

/* ---- isr history --------------------------------------------------------------------------- */

static void difference(const struct image_ids *a, const struct image_ids *b, struct image_ids *out)
{
	out->n = 0;
	for (int32_t i = 0; i < a->n; i++)
		if (!image_ids_has(b, a->v[i]))
			out->v[out->n++] = a->v[i];
}

static void isr_row(struct out *o, const struct story_event *was, const struct story_event *e)
{
	bool known = was && was->knows_isr;
	struct image_ids joined, left;

	difference(&e->isr, known ? &was->isr : &e->isr, &joined);
	difference(known ? &was->isr : &e->isr, &e->isr, &left);
	time_cell(o, e->time_ms);
	ids_or_none(o, known ? &was->isr : &e->isr, known);
	out_ids(o, e->isr.v, e->isr.n);
	out_ids(o, joined.v, joined.n);
	o->color = left.n ? OUT_YELLOW : OUT_PLAIN;
	out_ids(o, left.v, left.n);
	out_i64(o, e->leader);
	out_i64(o, e->leader_epoch);
	out_str(o, str_of(e->reason));
	out_i64(o, e->offset);
}

int cmd_isr_history(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "TIME", "time", OUT_LEFT },
		{ "FROM", "from", OUT_LEFT },
		{ "TO", "to", OUT_LEFT },
		{ "IN", "joined", OUT_LEFT },
		{ "OUT", "left", OUT_LEFT },
		{ "LEADER", "leader", OUT_RIGHT },
		{ "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "REASON", "reason", OUT_LEFT },
		{ "RECORD", "metadata_offset", OUT_RIGHT | OUT_WIDE },
	};
	struct view v = { 0 };
	struct story s;
	struct out o;
	int code = story_load(cli, &v, &s);

	if (!code) {
		story_note_beginning(&s);
		out_begin(&o, cli, "IsrHistory", columns, ARRAY_LEN(columns));
		for (int i = 0; i < s.n; i++)
			if (s.events[i].sets_isr)
				isr_row(&o, i ? &s.events[i - 1] : NULL, &s.events[i]);
		out_end(&o);
	}
	view_fini(&v);
	return code;
}

/* ---- isr watch ----------------------------------------------------------------------------- */

struct watched {
	struct cli *cli;
	struct image *image;
	int64_t left; /* events until we end; below 0: no end */
};

static void print_ids_change(const char *what, const struct image_ids *ids, struct cli *cli)
{
	if (ids->n)
		printf("   %s %s", what, text_of_ids(cli, ids->v, ids->n));
}

static void tell_people(struct cli *cli, const struct image_topic *t, int32_t number,
			const struct image_partition *was, const Weir__MetadataRecord *r)
{
	const struct image_partition *is = &t->partitions[number];
	struct image_ids joined, left;

	difference(&is->isr, &was->isr, &joined);
	difference(&was->isr, &is->isr, &left);
	printf("%s  %.*s-%d", r->has_time_ms ? text_of_time(cli, r->time_ms) : "-", (int)t->name.n,
	       t->name.at, number);
	if (joined.n || left.n)
		printf("   ISR {%s} -> {%s}", text_of_ids(cli, was->isr.v, was->isr.n),
		       text_of_ids(cli, is->isr.v, is->isr.n));
	print_ids_change("out:", &left, cli);
	print_ids_change("in:", &joined, cli);
	if (was->leader != is->leader)
		printf("   leader %d -> %d epoch %d", was->leader, is->leader, is->leader_epoch);
	else
		printf("   leader %d epoch %d", is->leader, is->leader_epoch);
	if (r->partition_change->reason)
		printf("   (%s)", r->partition_change->reason);
	putchar('\n');
}

static void tell_line(struct cli *cli, const struct image_topic *t, int32_t number,
		      const struct image_partition *was, const Weir__MetadataRecord *r)
{
	static const struct out_column columns[] = {
		{ "TIME", "time", OUT_LEFT },      { "TOPIC", "topic", OUT_LEFT },
		{ "P", "partition", OUT_RIGHT },   { "FROM", "from", OUT_LEFT },
		{ "TO", "to", OUT_LEFT },          { "OLD LEADER", "old_leader", OUT_RIGHT },
		{ "LEADER", "leader", OUT_RIGHT }, { "EPOCH", "leader_epoch", OUT_RIGHT },
		{ "REASON", "reason", OUT_LEFT },
	};
	const struct image_partition *is = &t->partitions[number];
	struct out o;

	out_begin(&o, cli, "IsrChange", columns, ARRAY_LEN(columns));
	time_cell(&o, r->has_time_ms ? r->time_ms : -1);
	out_str(&o, t->name);
	out_i64(&o, number);
	out_ids(&o, was->isr.v, was->isr.n);
	out_ids(&o, is->isr.v, is->isr.n);
	out_i64(&o, was->leader);
	out_i64(&o, is->leader);
	out_i64(&o, is->leader_epoch);
	out_str(&o, str_of(r->partition_change->reason));
	out_end(&o);
}

/* Is it about one of the topics that were named, or was none? */
static bool is_wanted(const struct cli *cli, const struct image_topic *t)
{
	for (int i = 0; i < cli->n_args; i++)
		if (str_eq(t->name, str_of(cli->args[i])))
			return true;
	return cli->n_args == 0;
}

static void follow_record(struct watched *w, const Weir__MetadataRecord *r)
{
	const Weir__PartitionChangeRecord *c = r->partition_change;
	const struct image_topic *t = NULL;
	struct image_partition was;
	struct uuid id;

	if (r->body_case == WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE &&
	    c->topic_id.len == sizeof(id.b)) {
		memcpy(id.b, c->topic_id.data, sizeof(id.b));
		t = image_topic_by_id(w->image, id);
	}
	if (t && c->partition >= 0 && c->partition < t->n_partitions)
		was = t->partitions[c->partition];
	else
		t = NULL;
	if (image_apply(w->image, r) || !t || !is_wanted(w->cli, t) || (!c->isr && !c->has_leader))
		return;
	t = image_topic_by_id(w->image, id);
	if (out_is_for_people(w->cli))
		tell_people(w->cli, t, c->partition, &was, r);
	else
		tell_line(w->cli, t, c->partition, &was, r);
	fflush(stdout);
	if (w->left > 0)
		w->left--;
}

static int follow(struct watched *w)
{
	Weir__LogEntries *page;
	int code;

	while (w->left != 0) {
		if ((code = log_reader_page(w->cli, w->image->offset, FOLLOW_PAGE, &page)))
			return code;
		if (page->start > w->image->offset)
			return cli_fail(w->cli, CLI_FAILED,
					"the log was cut off below offset %" PRId64
					" before it was read; start again",
					page->start);
		for (size_t i = 0; i < page->n_entries && w->left != 0; i++) {
			follow_record(w, page->entries[i]->record);
			w->image->offset = page->entries[i]->offset + 1;
		}
		if (page->n_entries == 0)
			cli_sleep_ms(FOLLOW_MS);
	}
	return CLI_OK;
}

int cmd_isr_watch(struct cli *cli)
{
	struct watched w = { .cli = cli };
	struct view v;
	int code;

	if (!cli_number(cli, "count", -1, &w.left))
		return CLI_USAGE;
	if (cli->format == FORMAT_JSON)
		cli->format = FORMAT_JSONL; /* a stream has no end to close */
	if ((code = view_load(cli, &v)))
		return code;
	if (!(code = view_has_topics(cli, &v, cli->args, cli->n_args))) {
		w.image = v.image;
		code = follow(&w);
	}
	view_fini(&v);
	return code;
}
