/* Runs tests/story/replica/NAME.txt: a script, a line of dashes, the narrative it must give.
 * STORY_UPDATE=1 in the environment writes the narratives anew: read the diff. */
#include "common/base/text.h"
#include "tests/lib/tale.h"
#include "tests/lib/test.h"
#include "tests/story/world.h"

static bool run_line(struct world *, struct str line);
static bool run_fetch(struct world *, int32_t id, struct str how);
static bool run_everywhere(struct world *, bool (*)(struct world *, int32_t));

static void perform(const char *path, struct str script, struct text *tale)
{
	static struct world w;
	struct str line;

	world_init(&w, 3, 2, 30000);
	EXPECT(run_everywhere(&w, world_news));
	w.tale = tale;
	while (str_cut(&script, '\n', &line)) {
		struct str s = str_trim(line);

		if (s.n == 0 || s.at[0] == '#')
			continue;
		if (!run_line(&w, s))
			FAIL("%s: this cannot happen: %.*s", path, (int)s.n, s.at);
	}
	world_fini(&w);
}

static const struct {
	const char *name;
	bool (*run)(struct world *, int32_t);
} plain[] = {
	{ "send", world_send },
	{ "reply", world_reply },
	{ "lose", world_lose },
	{ "tick", world_tick },
	{ "fence", world_fence },
	{ "unfence", world_unfence },
	{ "leave", world_leave },
	{ "crash", world_crash },
	{ "start", world_start },
	{ "elect", world_elect },
	{ "unclean", world_elect_unclean },
	{ "news", world_news },
	{ "min_isr", world_min_isr },
};

static bool run_line(struct world *w, struct str s)
{
	struct str verb = { 0 }, arg = { 0 }, more = { 0 };
	int64_t k = 1;
	int32_t n = 0;

	(void)str_cut(&s, ' ', &verb);
	(void)str_cut(&s, ' ', &arg);
	(void)str_cut(&s, ' ', &more);
	if (str_eq(verb, STR("show"))) {
		world_show(w);
		return true;
	}
	if (str_eq(verb, STR("news")) && str_eq(arg, STR("all")))
		return run_everywhere(w, world_news);
	if (parse_i32(arg, &n) != ERR_OK)
		return false;
	if (str_eq(verb, STR("run"))) {
		w->now_ms += n;
		return true;
	}
	if (str_eq(verb, STR("append")))
		return (more.n == 0 || parse_i64(more, &k) == ERR_OK) && world_append(w, n, k);
	if (str_eq(verb, STR("fetch")))
		return run_fetch(w, n, more);
	if (str_eq(verb, STR("arrive")))
		return world_arrive(w, n, WORLD_LOG);
	if (str_eq(verb, STR("alter")))
		return world_alter(w, n, str_eq(more, STR("lost")) ? LOSE_ANSWER : LOSE_NOTHING);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (str_eq(verb, str_of(plain[i].name)))
			return plain[i].run(w, n);
	return false;
}

/* A whole round; "lost" loses the answer. */
static bool run_fetch(struct world *w, int32_t id, struct str how)
{
	if (!world_send(w, id) || !world_arrive(w, id, WORLD_LOG))
		return false;
	if (str_eq(how, STR("lost")))
		return world_lose(w, id);
	return w->nodes[id].fetch.state == FETCH_NONE || world_reply(w, id);
}

static bool run_everywhere(struct world *w, bool (*act)(struct world *, int32_t))
{
	for (int32_t id = 1; id <= w->n; id++)
		if (w->nodes[id].is_up && !act(w, id))
			return false;
	return true;
}

TEST(stories)
{
	tales_run("tests/story/replica", perform);
}
