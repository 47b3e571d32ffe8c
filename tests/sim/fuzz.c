#include "tests/sim/fuzz.h"

#include <stdio.h>

#include "common/base/text.h"

#define ONE_IN 8 /* rows that are not left at their default */
#define VALUE_BYTES 32

static void draw_rows(struct swarm *, struct prng *, const char *scope, const struct conf_row *,
		      int n);
static void draw_value(struct prng *, struct str fuzz, char *out);
static const struct conf_row *row_in(const char *scope, struct str name);

void fuzz_draw(struct swarm *s, struct prng *p)
{
	struct conf_row *rows = mem_alloc(sizeof(*rows) * BROKER_ROWS_MAX);
	struct options controller;

	options_init(&controller);
	draw_rows(s, p, "broker", rows, broker_conf_rows(rows));
	draw_rows(s, p, "topic", topic_conf_rows, topic_conf_n_rows);
	draw_rows(s, p, "controller", controller.rows, controller.n_rows);
	options_fini(&controller);
	mem_free(rows);
}

/* Topics take the broker's value where it has one, and the controller's file repeats such rows. */
static bool is_of(const char *scope, const struct conf_row *r)
{
	bool is_topics = topic_conf_row(str_of(r->name)) != NULL;

	if (strcmp(scope, "topic") == 0)
		return !r->alias;
	if (strcmp(scope, "broker") == 0)
		return true;
	return !is_topics && !row_in("broker", str_of(r->name));
}

static void draw_rows(struct swarm *s, struct prng *p, const char *scope,
		      const struct conf_row *rows, int n)
{
	for (int i = 0; i < n; i++) {
		char value[VALUE_BYTES];

		if (!rows[i].fuzz || !is_of(scope, &rows[i]) || !prng_chance(p, 1, ONE_IN))
			continue;
		draw_value(p, str_of(rows[i].fuzz), value);
		ASSERT(s->n_conf < SWARM_CONF_MAX);
		snprintf(s->conf[s->n_conf++], SWARM_CONF_BYTES, "%s:%s=%s", scope, rows[i].name,
			 value);
	}
}

/* Ranges count by orders of magnitude, so that small values are as likely as large ones. */
static int64_t draw_between(struct prng *p, int64_t low, int64_t high)
{
	int n_doublings = 0;
	int64_t from;

	while ((i64_max(low, 1) << n_doublings) < high)
		n_doublings++;
	from = low +
	       ((i64_max(low, 1) << prng_below(p, (uint64_t)n_doublings + 1)) - i64_max(low, 1));
	return i64_min(high, from + (int64_t)prng_below(p, (uint64_t)i64_max(from, 1)));
}

static void draw_value(struct prng *p, struct str fuzz, char *out)
{
	struct str rest = fuzz, one = { 0 };
	const char *dots = strstr(fuzz.at, "..");
	int64_t low, high;
	int n = 1;

	if (dots && !parse_i64((struct str){ fuzz.at, (size_t)(dots - fuzz.at) }, &low) &&
	    !parse_i64(str_of(dots + 2), &high)) {
		snprintf(out, VALUE_BYTES, "%lld", (long long)draw_between(p, low, high));
		return;
	}
	for (size_t i = 0; i < fuzz.n; i++)
		n += fuzz.at[i] == '|';
	for (int i = 0, at = (int)prng_below(p, (uint64_t)n); i <= at; i++) {
		bool is_there = str_cut(&rest, '|', &one);

		ASSERT(is_there);
	}
	snprintf(out, VALUE_BYTES, "%.*s", (int)one.n, one.at);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static const struct conf_row *row_in(const char *scope, struct str name)
{
	static struct conf_row rows[BROKER_ROWS_MAX];

	if (strcmp(scope, "topic") == 0)
		return topic_conf_row(name);
	return conf_find(rows, broker_conf_rows(rows), name);
}

bool fuzz_add(struct swarm *s, const char *assignment)
{
	struct str rest = str_of(assignment), scope, name;
	char word[16];

	if (s->n_conf == SWARM_CONF_MAX || rest.n >= SWARM_CONF_BYTES ||
	    !str_cut(&rest, ':', &scope) || str_null(rest) || !str_cut(&rest, '=', &name) ||
	    str_null(rest) || scope.n >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)scope.n, scope.at);
	if (strcmp(word, "controller") != 0 &&
	    ((strcmp(word, "broker") != 0 && strcmp(word, "topic") != 0) || !row_in(word, name)))
		return false;
	snprintf(s->conf[s->n_conf++], SWARM_CONF_BYTES, "%s", assignment);
	return true;
}

const char *fuzz_at(const struct swarm *s, const char *scope, int i)
{
	size_t n = strlen(scope);

	for (int k = 0; k < s->n_conf; k++)
		if (strncmp(s->conf[k], scope, n) == 0 && s->conf[k][n] == ':' && i-- == 0)
			return s->conf[k] + n + 1;
	return NULL;
}
