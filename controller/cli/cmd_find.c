/* cmd_find.c - weir topics find: partitions with something to worry about, and why. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

static bool offline(const struct view_walk *w)
{
	return w->partition->leader < 0;
}

static int32_t min_isr(const struct view_walk *w)
{
	return i32_min(view_min_isr(w->view->image, w->topic), w->partition->replicas.n);
}

static bool under_min_isr(const struct view_walk *w)
{
	return w->partition->isr.n < min_isr(w);
}

/* One failure away from refusing writes, though it could be better. */
static bool at_min_isr(const struct view_walk *w)
{
	return w->partition->isr.n == min_isr(w) && w->partition->isr.n < w->partition->replicas.n;
}

static bool under_replicated(const struct view_walk *w)
{
	return w->partition->isr.n < w->partition->replicas.n;
}

static bool not_preferred(const struct view_walk *w)
{
	return w->partition->leader >= 0 && !view_is_preferred(w->partition);
}

/* After an unclean election: records may be lost, and its leader is not done with it yet. */
static bool unclean(const struct view_walk *w)
{
	return w->partition->is_recovering;
}

static bool moving(const struct view_walk *w)
{
	return w->partition->adding.n + w->partition->removing.n > 0;
}

/* In the order in which they hurt. */
static const struct {
	const char *flag;
	bool (*is)(const struct view_walk *);
} findings[] = {
	{ "offline", offline },       { "under-min-isr", under_min_isr },
	{ "at-min-isr", at_min_isr }, { "under-replicated", under_replicated },
	{ "unclean", unclean },       { "not-preferred", not_preferred },
	{ "moving", moving },
};

static bool asks_for_any(const struct cli *cli)
{
	for (size_t i = 0; i < ARRAY_LEN(findings); i++)
		if (cli_switch(cli, findings[i].flag))
			return true;
	return false;
}

/* All that is true of the partition; false when nothing of what was asked for is. */
static bool find(struct cli *cli, const struct view_walk *w, bool any, const char **what,
		 const char **json)
{
	bool wanted = false;
	struct text text, list;

	text_init(&text, arena_must(&cli->mem, 128), 128);
	text_init(&list, arena_must(&cli->mem, 160), 160);
	for (size_t i = 0; i < ARRAY_LEN(findings); i++) {
		if (!findings[i].is(w))
			continue;
		wanted |= any || cli_switch(cli, findings[i].flag);
		text_printf(&text, "%s%s", text.n ? "," : "", findings[i].flag);
		text_printf(&list, "%s\"%s\"", list.n ? "," : "", findings[i].flag);
	}
	*what = text.at;
	*json = arena_printf(&cli->mem, "[%s]", list.at).at;
	return wanted;
}

static void finding_row(struct out *o, const struct view_walk *w, const char *what,
			const char *json)
{
	out_str(o, arena_printf(&o->cli->mem, "%.*s-%d", (int)w->topic->name.n, w->topic->name.at,
				w->number));
	o->color = w->partition->leader < 0 ? OUT_RED : OUT_PLAIN;
	out_i64(o, w->partition->leader);
	out_ids(o, w->partition->replicas.v, w->partition->replicas.n);
	out_ids(o, w->partition->isr.v, w->partition->isr.n);
	out_i64(o, view_min_isr(w->view->image, w->topic));
	o->color = offline(w) || under_min_isr(w) ? OUT_RED : OUT_YELLOW;
	out_cell(o, what, json);
}

/* Nothing found is good news: exit code 0 either way, the list tells. */
int cmd_topics_find(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "PARTITION", "partition", OUT_LEFT },
		{ "LEADER", "leader", OUT_RIGHT },
		{ "REPLICAS", "replicas", OUT_LEFT },
		{ "ISR", "isr", OUT_LEFT },
		{ "MIN ISR", "min_insync_replicas", OUT_RIGHT },
		{ "FOUND", "found", OUT_LEFT },
	};
	bool any = !asks_for_any(cli);
	const char *what, *json;
	struct view_walk w;
	struct view v;
	struct out o;
	int code = view_load(cli, &v);

	if (!code)
		code = view_has_topics(cli, &v, cli->args, cli->n_args);
	if (code)
		goto out;
	out_begin(&o, cli, "FindingList", columns, ARRAY_LEN(columns));
	view_walk_init(&w, &v, cli->args, cli->n_args);
	while (view_walk_partition(&w))
		if (find(cli, &w, any, &what, &json))
			finding_row(&o, &w, what, json);
	out_end(&o);
out:
	view_fini(&v);
	return code;
}
