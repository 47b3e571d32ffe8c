/* Runs tests/story/follower/NAME.txt: a script, a line of dashes, the narrative it must give.
 * STORY_UPDATE=1 in the environment writes the narratives anew: read the diff. */
#include <stdio.h>
#include <stdlib.h>

#include "common/wire/kerr.h"
#include "tests/lib/tale.h"
#include "tests/lib/test.h"
#include "tests/sim/disk.h"
#include "tests/story/folworld.h"

#define SETTLE_MS 2
#define WORDS 12

/* For AddressSanitizer, which asks this by its name: a killed process of the simulator abandons its
 * memory, and so does a broker that is not stopped. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

struct words {
	char text[256];
	char *v[WORDS];
	int n;
};
typedef bool verb(struct folworld *, const struct words *);

static bool number(const char *z, int64_t *out)
{
	return parse_i64(str_of(z), out) == ERR_OK;
}

static int partition_of(const char *z)
{
	return strcmp(z, "t-1") == 0 ? 1 : strcmp(z, "t-0") == 0 ? 0 : -1;
}

static bool leader_id(const char *z, int32_t *id)
{
	return parse_i32(str_of(z), id) == ERR_OK && *id >= 2 && *id < FOL_LEADERS;
}

static bool error_of(const char *name, int16_t *out)
{
	for (int16_t code = -1; code < 150; code++)
		if (strcmp(kerr_name(code), name) == 0) {
			*out = code;
			return true;
		}
	return false;
}

/* leader t-0 3 */
static bool do_leader(struct folworld *w, const struct words *x)
{
	int p = partition_of(x->v[1]);
	int32_t id = -1;

	if (p < 0 || (strcmp(x->v[2], "none") != 0 && parse_i32(str_of(x->v[2]), &id) != ERR_OK))
		return false;
	fol_lead(w, p, id);
	return true;
}

/* 5x1, hw=3, start=2, at=7, error=NAME, refused=NAME, damaged, diverge=1/5 */
static bool take_item(struct fol_answer *a, const char *z)
{
	int64_t n;
	int32_t epoch;

	if (strncmp(z, "hw=", 3) == 0)
		return number(z + 3, &a->high_watermark);
	if (strncmp(z, "start=", 6) == 0)
		return number(z + 6, &a->log_start);
	if (strncmp(z, "at=", 3) == 0)
		return number(z + 3, &a->at);
	if (strncmp(z, "error=", 6) == 0)
		return error_of(z + 6, &a->error);
	if (strncmp(z, "refused=", 8) == 0)
		return error_of(z + 8, &a->refused);
	if (strcmp(z, "damaged") == 0)
		return a->is_damaged = true;
	if (sscanf(z, "diverge=%d/%ld", &epoch, &n) == 2) {
		a->diverging_epoch = epoch;
		a->diverging_end = n;
		return true;
	}
	if (sscanf(z, "%ldx%d", &n, &epoch) != 2 || a->n_runs == (int)ARRAY_LEN(a->epoch))
		return false;
	a->epoch[a->n_runs] = epoch;
	a->n_of[a->n_runs++] = (int32_t)n;
	return true;
}

/* answer 2 t-0 ITEM...; answer 2: nothing new */
static bool do_answer(struct folworld *w, const struct words *x)
{
	struct fol_answer a = { .partition = -1,
				.at = -1,
				.high_watermark = 0,
				.diverging_epoch = -1,
				.diverging_end = -1 };
	int32_t id;

	if (!leader_id(x->v[1], &id))
		return false;
	if (x->n > 2 && (a.partition = partition_of(x->v[2])) < 0 && !take_item(&a, x->v[2]))
		return false;
	for (int i = 3; i < x->n; i++)
		if (!take_item(&a, x->v[i]))
			return false;
	return fol_answer(w, id, &a);
}

/* range 2 START END */
static bool do_range(struct folworld *w, const struct words *x)
{
	int64_t start, end;
	int32_t id;

	return leader_id(x->v[1], &id) && number(x->v[2], &start) && number(x->v[3], &end) &&
	       fol_range(w, id, start, end);
}

static bool do_drop(struct folworld *w, const struct words *x)
{
	int32_t id;

	if (!leader_id(x->v[1], &id))
		return false;
	fol_drop(w, id);
	return true;
}

static bool do_pass(struct folworld *w, const struct words *x)
{
	int64_t ms;

	if (!number(x->v[1], &ms))
		return false;
	fol_settle(w, ms);
	return true;
}

static bool do_kill(struct folworld *w, const struct words *x)
{
	(void)x;
	sim_node_kill(w->node);
	return true;
}

static bool do_start(struct folworld *w, const struct words *x)
{
	(void)x;
	sim_node_start(w->node);
	fol_settle(w, 50);
	return true;
}

/* disk fails | disk full | disk good */
static bool do_disk(struct folworld *w, const struct words *x)
{
	struct disk *d = w->node->machine->disk;
	bool is_full = strcmp(x->v[1], "full") == 0, fails = strcmp(x->v[1], "fails") == 0;

	disk_fail(d, fails ? DISK_WRITE | DISK_SYNC : 0, fails);
	disk_limit(d, is_full ? disk_bytes(d) : INT64_MAX);
	return is_full || fails || strcmp(x->v[1], "good") == 0;
}

static bool do_show(struct folworld *w, const struct words *x)
{
	(void)x;
	fol_show(w);
	return true;
}

static const struct {
	const char *name;
	int n_words;
	verb *run;
} verbs[] = {
	{ "leader", 3, do_leader }, { "answer", 2, do_answer }, { "range", 4, do_range },
	{ "drop", 2, do_drop },     { "pass", 2, do_pass },     { "kill", 1, do_kill },
	{ "start", 1, do_start },   { "disk", 2, do_disk },     { "show", 1, do_show },
};

static bool run_line(struct folworld *w, struct str line)
{
	struct words x = { .n = 0 };
	char *save = NULL;

	snprintf(x.text, sizeof(x.text), "%.*s", (int)line.n, line.at);
	for (char *z = strtok_r(x.text, " ", &save); z && x.n < WORDS;
	     z = strtok_r(NULL, " ", &save))
		x.v[x.n++] = z;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(x.v[0], verbs[i].name) == 0 && x.n >= verbs[i].n_words) {
			text_printf(w->tale, "%.*s\n", (int)line.n, line.at);
			if (!verbs[i].run(w, &x))
				return false;
			fol_settle(w, SETTLE_MS);
			return true;
		}
	return false;
}

static void perform(const char *path, struct str script, struct text *tale)
{
	struct folworld w;
	struct str line;

	fol_init(&w, tale);
	while (str_cut(&script, '\n', &line)) {
		line = str_trim(line);
		if (line.n > 0 && line.at[0] != '#' && !run_line(&w, line))
			FAIL("%s: this cannot happen: %.*s", path, (int)line.n, line.at);
	}
	fol_fini(&w);
}

TEST(stories)
{
	tales_run("tests/story/follower", perform);
}
