/* cmd_isr.c - weir isr describe: every replica of a partition, since when it is in sync or out of
 * it, why, and how far behind. */
#include "controller/cli/commands.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"
#include "controller/cli/story.h"

/* The last event that took the replica in or out; NULL: before the log's beginning. */
static const struct story_event *last_change(const struct story *s, int32_t id)
{
	const struct story_event *last = NULL;
	bool was = false;

	for (int i = 0; i < s->n; i++) {
		const struct story_event *e = &s->events[i];
		bool is = image_ids_has(&e->isr, id);

		if (!e->knows_isr)
			continue;
		if (e->is_creation || (i > 0 && s->events[i - 1].knows_isr && is != was))
			last = e;
		was = is;
	}
	return last;
}

static void replica_row(struct out *o, const struct image_partition *p, const struct story *s,
			const struct replica_offsets *at, int32_t i)
{
	const struct story_event *e = last_change(s, p->replicas.v[i]);
	bool in = image_ids_has(&p->isr, p->replicas.v[i]);

	out_i64(o, p->replicas.v[i]);
	o->color = in ? OUT_PLAIN : OUT_YELLOW;
	out_z(o, in ? "in" : image_ids_has(&p->elr, p->replicas.v[i]) ? "out, eligible" : "out");
	out_z(o, e && e->time_ms >= 0 ? text_of_time(o->cli, e->time_ms) : NULL);
	out_z(o, e ? e->reason : NULL);
	offsets_end_and_lag(o, p, at, i);
}

int cmd_isr_describe(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "REPLICA", "broker", OUT_RIGHT }, { "ISR", "state", OUT_LEFT },
		{ "SINCE", "since", OUT_LEFT },     { "WHY", "reason", OUT_LEFT },
		{ "LEO", "leo", OUT_RIGHT },        { "LAG", "lag", OUT_RIGHT },
	};
	const struct image_partition *p;
	struct view v = { 0 };
	struct offsets at;
	struct story s;
	const char *name;
	struct out o;
	int code = story_load(cli, &v, &s);

	if (code)
		goto out;
	story_note_beginning(&s);
	name = cli_z(cli, s.topic->name);
	p = &s.topic->partitions[s.partition];
	offsets_load(cli, &v, &name, 1, &at);
	out_begin(&o, cli, "IsrDescription", columns, ARRAY_LEN(columns));
	for (int32_t i = 0; i < p->replicas.n; i++)
		replica_row(&o, p, &s, offsets_find(&at, s.topic, s.partition), i);
	out_end(&o);
out:
	view_fini(&v);
	return code;
}
