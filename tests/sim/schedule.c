#include "tests/sim/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/prng.h"
#include "common/base/text.h"
#include "tests/sim/settings.h"

#define DOWN_US_MAX 3000000
#define CUT_US_MAX 5000000
#define SPELL_US_MAX 1000000
#define LINE_BYTES 8192
#define FAULT_STREAM 0xfa17000000000000u

typedef void draw(struct fault *, const struct swarm *, struct prng *);

static draw draw_none, draw_damage, draw_down, draw_long, draw_slow, draw_drag, draw_cut, draw_link,
	draw_clock, draw_full, draw_failing, draw_controller, draw_wipe, draw_dir;

static const struct {
	const char *name;
	draw *draw;
} kinds[FAULT_KINDS] = {
	[FAULT_KILL] = { "kill", draw_down },
	[FAULT_STOP] = { "stop", draw_long },
	[FAULT_POWER] = { "power", draw_down },
	[FAULT_PAUSE] = { "pause", draw_long },
	[FAULT_SLOW] = { "slow", draw_slow },
	[FAULT_CUT] = { "cut", draw_cut },
	[FAULT_CLOG] = { "clog", draw_link },
	[FAULT_RESET] = { "reset", draw_link },
	[FAULT_LOSE] = { "lose", draw_link },
	[FAULT_SIP] = { "sip", draw_slow },
	[FAULT_DEAF] = { "deaf", draw_long },
	[FAULT_CLOCK] = { "clock", draw_clock },
	[FAULT_FULL] = { "full", draw_full },
	[FAULT_WRITE] = { "write", draw_failing },
	[FAULT_SYNC] = { "sync", draw_failing },
	[FAULT_EVICT] = { "evict", draw_none },
	[FAULT_ROT] = { "rot", draw_damage },
	[FAULT_MISDIRECT] = { "misdirect", draw_damage },
	[FAULT_READ] = { "read", draw_failing },
	[FAULT_DRAG] = { "drag", draw_drag },
	[FAULT_HANG] = { "hang", draw_long },
	[FAULT_UNREGISTER] = { "unregister", draw_none },
	[FAULT_DIR] = { "dir", draw_dir },
	[FAULT_WIPE] = { "wipe", draw_wipe },
	[FAULT_VOTER] = { "voter", draw_controller },
};

const char *fault_name(enum fault_kind kind)
{
	return kinds[kind].name;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static int64_t up_to(struct prng *p, int64_t max)
{
	return 1 + (int64_t)prng_below(p, (uint64_t)max);
}

static void name_node(char *out, const struct swarm *s, struct prng *p)
{
	int i = (int)prng_below(p, (uint64_t)(s->brokers + s->controllers));

	if (i < s->controllers)
		snprintf(out, MACHINE_NAME_MAX, "c%d", 100 + i);
	else
		snprintf(out, MACHINE_NAME_MAX, "b%d", i - s->controllers + 1);
}

static void name_any(char *out, const struct swarm *s, struct prng *p)
{
	uint64_t i = prng_below(p, (uint64_t)(s->brokers + s->controllers + s->producers) + 2);

	if (i < (uint64_t)s->producers)
		snprintf(out, MACHINE_NAME_MAX, "p%d", (int)i);
	else if (i == (uint64_t)s->producers)
		snprintf(out, MACHINE_NAME_MAX, "reader");
	else
		name_node(out, s, p);
}

static void draw_none(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)f;
	(void)s;
	(void)p;
}

static void draw_damage(struct fault *f, const struct swarm *s, struct prng *p)
{
	draw_down(f, s, p);
	f->n = up_to(p, 1000000);
}

/* Sometimes back before anybody noticed. */
static void draw_down(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, prng_chance(p, 1, 2) ? DOWN_US_MAX : 5000);
}

static void draw_long(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, DOWN_US_MAX);
}

static void draw_slow(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, SPELL_US_MAX);
	f->n = up_to(p, 50000);
}

static void draw_drag(struct fault *f, const struct swarm *s, struct prng *p)
{
	draw_slow(f, s, p);
	f->n *= 20;
}

/* A node from everybody, or one pair; both ways or one way. */
static void draw_cut(struct fault *f, const struct swarm *s, struct prng *p)
{
	f->for_us = up_to(p, CUT_US_MAX);
	f->n = prng_chance(p, 1, 3);
	if (prng_chance(p, 1, 2))
		name_node(f->to, s, p);
}

static void draw_link(struct fault *f, const struct swarm *s, struct prng *p)
{
	f->for_us = up_to(p, SPELL_US_MAX);
	name_any(f->node, s, p);
	name_any(f->to, s, p);
}

/* Up to half an hour: a record more than an hour ahead of the broker's clock is refused. */
static void draw_clock(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, DOWN_US_MAX);
	f->n = up_to(p, prng_chance(p, 1, 2) ? 1800000 : 2000);
	if (prng_chance(p, 1, 2))
		f->n = -f->n;
}

static void draw_full(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, SPELL_US_MAX);
	f->n = 1000;
}

static void draw_failing(struct fault *f, const struct swarm *s, struct prng *p)
{
	(void)s;
	f->for_us = up_to(p, SPELL_US_MAX);
	f->n = up_to(p, 20);
}

static void draw_controller(struct fault *f, const struct swarm *s, struct prng *p)
{
	snprintf(f->node, MACHINE_NAME_MAX, "c%d",
		 100 + (int)prng_below(p, (uint64_t)s->controllers));
}

static void draw_wipe(struct fault *f, const struct swarm *s, struct prng *p)
{
	draw_controller(f, s, p);
	draw_down(f, s, p);
}

static void draw_dir(struct fault *f, const struct swarm *s, struct prng *p)
{
	f->for_us = up_to(p, DOWN_US_MAX);
	f->n = up_to(p, s->log_dirs);
}

static int by_time(const void *x, const void *y)
{
	const struct fault *a = x, *b = y;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

void schedule_draw(struct schedule *to, const struct swarm *s)
{
	*to = (struct schedule){ 0 };
	for (int k = 0; k < FAULT_KINDS; k++) {
		struct fault f = { .kind = (enum fault_kind)k };
		struct prng prng;

		prng_seed(&prng, s->seed ^ (FAULT_STREAM + (uint64_t)k));
		if (s->every_us[k] <= 0)
			continue;
		for (;;) {
			f.at_us += up_to(&prng, 2 * s->every_us[k]);
			if (f.at_us > s->safety_us)
				break;
			f.node[0] = f.to[0] = '\0';
			name_node(f.node, s, &prng);
			kinds[k].draw(&f, s, &prng);
			schedule_add(to, &f);
		}
	}
	if (to->n > 0)
		qsort(to->v, (size_t)to->n, sizeof(*to->v), by_time);
}

void schedule_add(struct schedule *s, const struct fault *f)
{
	if (s->n == s->cap) {
		s->cap = 2 * s->cap + 64;
		s->v = mem_grow(s->v, sizeof(*s->v) * (size_t)s->cap);
	}
	s->v[s->n++] = *f;
}

void schedule_free(struct schedule *s)
{
	mem_free(s->v);
	*s = (struct schedule){ 0 };
}

/* ---- files ---------------------------------------------------------------------------------- */

void fault_print(const struct fault *f, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	text_printf(&t, "{\"at_us\":%lld,\"fault\":\"%s\",\"node\":\"%s\"", (long long)f->at_us,
		    fault_name(f->kind), f->node);
	if (f->to[0])
		text_printf(&t, ",\"to\":\"%s\"", f->to);
	text_printf(&t, ",\"for_us\":%lld", (long long)f->for_us);
	if (f->n)
		text_printf(&t, ",\"n\":%lld", (long long)f->n);
	text_printf(&t, "}");
}

bool schedule_write(const struct schedule *s, const struct swarm *swarm, const char *path)
{
	char line[LINE_BYTES];
	FILE *to = fopen(path, "w");

	if (!to)
		return false;
	settings_print(swarm, line, sizeof(line));
	fprintf(to, "{\"seed\":%llu,\"options\":\"%s\"}\n", (unsigned long long)swarm->seed, line);
	for (int i = 0; i < s->n; i++) {
		fault_print(&s->v[i], line, sizeof(line));
		fprintf(to, "%s\n", line);
	}
	return fclose(to) == 0;
}

/* The value of a name in an object of names with numbers and plain strings. */
static struct str value_of(const char *line, const char *name)
{
	char quoted[MACHINE_NAME_MAX + 4];
	const char *at, *end;

	snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	at = strstr(line, quoted);
	if (!at)
		return (struct str){ 0 };
	at += strlen(quoted);
	end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, ",}");
	return (struct str){ at, end ? (size_t)(end - at) : 0 };
}

static bool number_of(const char *line, const char *name, int64_t *out)
{
	struct str v = value_of(line, name);

	*out = 0;
	return v.n == 0 || parse_i64(v, out) == ERR_OK;
}

static void name_of(const char *line, const char *name, char out[MACHINE_NAME_MAX])
{
	struct str v = value_of(line, name);

	snprintf(out, MACHINE_NAME_MAX, "%.*s", (int)v.n, v.n ? v.at : "");
}

static bool parse_fault(const char *line, struct fault *f)
{
	struct str kind = value_of(line, "fault");

	*f = (struct fault){ .kind = FAULT_KINDS };
	for (int k = 0; k < FAULT_KINDS; k++)
		if (str_eq(kind, str_of(kinds[k].name)))
			f->kind = (enum fault_kind)k;
	name_of(line, "node", f->node);
	name_of(line, "to", f->to);
	return f->kind != FAULT_KINDS && number_of(line, "at_us", &f->at_us) &&
	       number_of(line, "for_us", &f->for_us) && number_of(line, "n", &f->n);
}

static bool parse_head(const char *line, struct swarm *s)
{
	struct str options = value_of(line, "options"), one, value;
	int64_t seed;

	if (!number_of(line, "seed", &seed))
		return false;
	swarm_draw(s, (uint64_t)seed);
	swarm_plain(s);
	while (str_cut(&options, ' ', &one)) {
		char name[64], text[SWARM_CONF_BYTES];

		if (one.n < 3 || !str_cut(&options, ' ', &value))
			return one.n == 0;
		snprintf(name, sizeof(name), "%.*s", (int)one.n - 2, one.at + 2);
		snprintf(text, sizeof(text), "%.*s", (int)value.n, value.at);
		if (!settings_set(s, name, text))
			return false;
	}
	return true;
}

bool schedule_read(struct schedule *to, struct swarm *swarm, const char *path, char *why,
		   size_t cap)
{
	FILE *from = fopen(path, "r");
	char line[LINE_BYTES];
	struct fault f;
	int n = 0;

	*to = (struct schedule){ 0 };
	if (!from) {
		snprintf(why, cap, "%s cannot be read", path);
		return false;
	}
	while (fgets(line, sizeof(line), from)) {
		bool is_good = n == 0 ? parse_head(line, swarm) : parse_fault(line, &f);

		if (!is_good) {
			snprintf(why, cap, "%s: line %d is not of a schedule", path, n + 1);
			break;
		}
		if (n++ > 0)
			schedule_add(to, &f);
		*why = '\0';
	}
	fclose(from);
	if (n == 0 && !*why)
		snprintf(why, cap, "%s is empty", path);
	return !*why;
}
