/* cmd_events.c - weir events: what the controller decided, and why, out of the metadata log.
 *
 * States are folded from the log's beginning, so that each event can say what was before.  Where
 * the log begins later, what was before is left out. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/event.h"
#include "controller/cli/log_reader.h"
#include "controller/cli/out.h"
#include "controller/cli/times.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

#define FOLLOW_MS 100
#define FOLLOW_PAGE 1000
#define LAST_DEFAULT 50

struct tail {
	struct cli *cli;
	struct image *before; /* folded up to the record being read */
	struct image *now;    /* when the command began */
	const char *types;    /* NULL: all but single partitions' creation */
	int64_t since_ms, last;
	struct event *v;
	size_t n;
};

static bool has_type(const char *list, const char *type)
{
	struct str rest = str_of(list), one;

	while (str_cut(&rest, ',', &one))
		if (str_eq(str_trim(one), str_of(type)))
			return true;
	return false;
}

static bool is_wanted(const struct tail *t, const struct event *e)
{
	const struct cli *cli = t->cli;

	if (t->types ? !has_type(t->types, e->type) : strcmp(e->type, "partition") == 0)
		return false;
	if (t->since_ms >= 0 && e->time_ms < t->since_ms)
		return false;
	for (int i = 0; i < cli->n_args; i++)
		if (strcmp(e->subject, cli->args[i]) == 0 ||
		    (!str_null(e->topic) && str_eq(e->topic, str_of(cli->args[i]))))
			return true;
	return cli->n_args == 0;
}

/* The event of the entry, which then is part of what was before. */
static bool take(struct tail *t, const Weir__LogEntry *entry, struct event *out)
{
	bool wanted = event_of(t->cli, t->before, t->now, entry, out) && is_wanted(t, out);
	enum err e = image_apply(t->before, entry->record);

	(void)e; /* about something from before the log's beginning */
	return wanted;
}

static const struct out_column columns[] = {
	{ "TIME", "time", OUT_LEFT },       { "TYPE", "type", OUT_LEFT },
	{ "SUBJECT", "subject", OUT_LEFT }, { "CHANGE", "change", OUT_LEFT },
	{ "CAUSE", "cause", OUT_LEFT },     { "RECORD", "metadata_offset", OUT_RIGHT | OUT_WIDE },
};

static void event_row(struct out *o, const struct event *e)
{
	static const struct {
		const char *type;
		enum out_color color;
	} colors[] = { { "leader", OUT_YELLOW }, { "broker", OUT_YELLOW } };

	if (e->time_ms < 0)
		out_none(o);
	else
		out_z(o, text_of_time(o->cli, e->time_ms));
	for (size_t i = 0; i < ARRAY_LEN(colors); i++)
		if (strcmp(e->type, colors[i].type) == 0)
			o->color = colors[i].color;
	out_z(o, e->type);
	out_z(o, e->subject);
	out_z(o, e->change);
	out_z(o, e->cause);
	out_i64(o, e->offset);
}

static void print_one(struct cli *cli, const struct event *e)
{
	struct out o;

	if (out_is_for_people(cli)) {
		printf("%s  %-8s  %-14s  %s%s%s%s\n",
		       e->time_ms < 0 ? "-" : text_of_time(cli, e->time_ms), e->type, e->subject,
		       e->change, e->cause ? "   (" : "", e->cause ? e->cause : "",
		       e->cause ? ")" : "");
	} else {
		out_begin(&o, cli, "Event", columns, ARRAY_LEN(columns));
		event_row(&o, e);
		out_end(&o);
	}
	fflush(stdout);
}

static int follow(struct tail *t)
{
	int64_t from = t->now->offset;
	Weir__LogEntries *page;
	struct event e;
	int code;

	for (;;) {
		if ((code = log_reader_page(t->cli, from, FOLLOW_PAGE, &page)))
			return code;
		for (size_t i = 0; i < page->n_entries; i++) {
			if (take(t, page->entries[i], &e))
				print_one(t->cli, &e);
			from = page->entries[i]->offset + 1;
		}
		if (page->n_entries == 0)
			cli_sleep_ms(FOLLOW_MS);
	}
}

static int collect(struct tail *t)
{
	Weir__LogEntries *log;
	int code = log_reader_all(t->cli, t->now->offset, &log);

	if (code)
		return code;
	t->v = arena_must(&t->cli->mem, (log->n_entries + 1) * sizeof(*t->v));
	for (size_t i = 0; i < log->n_entries; i++)
		t->n += take(t, log->entries[i], &t->v[t->n]);
	if (log->start > 0 && (size_t)t->last > t->n)
		fprintf(stderr,
			"note: the metadata log begins at offset %" PRId64
			"; what happened before is not in it\n",
			log->start);
	return CLI_OK;
}

static void print_last(struct tail *t)
{
	size_t from = t->last > 0 && t->n > (size_t)t->last ? t->n - (size_t)t->last : 0;
	bool follows = cli_switch(t->cli, "follow");
	struct out o;

	if (!follows)
		out_begin(&o, t->cli, "EventList", columns, ARRAY_LEN(columns));
	for (size_t i = from; i < t->n; i++) {
		if (follows)
			print_one(t->cli, &t->v[i]);
		else
			event_row(&o, &t->v[i]);
	}
	if (!follows)
		out_end(&o);
}

static int read_flags(struct tail *t)
{
	const char *since = cli_flag(t->cli, "since");
	struct str rest, one;

	t->since_ms = -1;
	t->types = cli_flag(t->cli, "type");
	rest = str_of(t->types);
	while (t->types && str_cut(&rest, ',', &one)) {
		struct str all = str_of(event_types), name;
		bool known = false;

		while (str_cut(&all, ',', &name))
			known |= str_eq(str_trim(name), str_trim(one));
		if (!known)
			return cli_fail(t->cli, CLI_USAGE, "--type %.*s: there are %s", (int)one.n,
					one.at, event_types);
	}
	if (since && !time_read(since, &t->since_ms))
		return cli_fail(t->cli, CLI_USAGE,
				"--since %s: write 90s, 15m, 2h, 1d, or a time in UTC as "
				"2026-03-01T12:00:00Z",
				since);
	return cli_number(t->cli, "last", since ? 0 : LAST_DEFAULT, &t->last) ? CLI_OK : CLI_USAGE;
}

int cmd_events(struct cli *cli)
{
	struct tail t = { .cli = cli };
	struct view v;
	int code = read_flags(&t);

	if (code || (code = view_load(cli, &v)))
		return code;
	t.now = v.image;
	t.before = image_new();
	if (cli_switch(cli, "follow") && cli->format == FORMAT_JSON)
		cli->format = FORMAT_JSONL; /* a stream has no end to close */
	if (!(code = collect(&t))) {
		print_last(&t);
		if (cli_switch(cli, "follow"))
			code = follow(&t);
	}
	image_put(t.before);
	view_fini(&v);
	return code;
}
