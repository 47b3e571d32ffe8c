/* Runs tests/story/replica/NAME.txt: a script, a line of dashes, the narrative it must give.
 * STORY_UPDATE=1 in the environment writes the narratives anew: read the diff. */
#include "common/base/text.h"
#include "tests/lib/test.h"
#include "tests/story/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define STORIES "tests/story/replica"
#define TEXT_MAX 65536
static const char dashes[] = "----\n";

static bool run_line(struct world *, struct str line);
static bool run_fetch(struct world *, int32_t id, struct str how);
static bool run_everywhere(struct world *, bool (*)(struct world *, int32_t));

static size_t slurp(const char *path, char *to, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(to, 1, cap - 1, f) : 0;

	if (f)
		fclose(f);
	to[n] = 0;
	return n;
}

static void perform(struct str script, struct text *tale)
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
			FAIL("this cannot happen: %.*s", (int)s.n, s.at);
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

static void run_story(const char *path)
{
	static char file[TEXT_MAX], got[TEXT_MAX];
	size_t n = slurp(path, file, sizeof(file));
	char *cut = strstr(file, dashes);
	struct text tale;
	FILE *f;

	if (n == 0 || cut == NULL) {
		FAIL("%s: no script, or no line of dashes", path);
		return;
	}
	text_init(&tale, got, sizeof(got));
	perform((struct str){ file, (size_t)(cut - file) }, &tale);
	cut += sizeof(dashes) - 1;
	if (strcmp(cut, got) == 0)
		return;
	if (getenv("STORY_UPDATE") == NULL) {
		FAIL("%s tells another story:\n%s", path, got);
		return;
	}
	*cut = 0;
	if ((f = fopen(path, "w")) != NULL) {
		fprintf(f, "%s%s", file, got);
		fclose(f);
	}
}

TEST(stories)
{
	struct dirent **names;
	int n = scandir(STORIES, &names, NULL, alphasort), ran = 0;

	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", STORIES, names[i]->d_name);
		if (strstr(names[i]->d_name, ".txt") != NULL) {
			run_story(path);
			ran++;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	EXPECT(ran > 0);
}
