#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "tests/sim/cluster.h"

#define LINES 120
#define LINE_BYTES 360

struct story {
	struct world *world;
	bool is_loud;
	char line[LINES][LINE_BYTES];
	uint64_t n;
	struct outcome *outcome;
};

/* One run per process; the log's sink needs a place to put its lines. */
static struct story *story_of_run(void)
{
	static struct story s;
	return &s;
}

static void take_line(void *arg, const char *line, size_t n)
{
	struct story *s = arg;
	const struct actor *a = s->world->running;
	char *to = s->line[s->n++ % LINES];
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = h * 31 + (uint8_t)line[i];
	world_fold(s->world, h);
	snprintf(to, LINE_BYTES, "%10.3f  %-4s %.*s", (double)s->world->now_us / 1e3,
		 a ? a->machine->name : "", (int)n - 1, line);
	if (s->is_loud)
		puts(to);
}

void story_begin(struct world *w, bool is_loud)
{
	struct story *s = story_of_run();

	s->world = w;
	s->is_loud = is_loud;
	s->n = 0;
	log_set_sink(take_line, s);
}

void story_outcome(struct outcome *to)
{
	story_of_run()->outcome = to;
}

void story_tell(const struct world *w, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list args;
	int n;

	(void)w;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, args);
	va_end(args);
	n = n < (int)sizeof(text) - 2 ? n : (int)sizeof(text) - 2;
	text[n] = '\n';
	take_line(story_of_run(), text, (size_t)n + 1);
}

void story_last_lines(void)
{
	const struct story *s = story_of_run();

	if (!s->is_loud)
		for (uint64_t i = s->n > LINES ? s->n - LINES : 0; i < s->n; i++)
			puts(s->line[i % LINES]);
	fflush(stdout);
}

void story_fail(int code, const char *fmt, ...)
{
	char message[sizeof(((struct outcome *)0)->message)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	story_fail_as(code, fmt, message);
}

void story_fail_as(int code, const char *rule, const char *message)
{
	struct story *s = story_of_run();
	struct outcome scratch, *o = s->outcome ? s->outcome : &scratch;

	o->code = code;
	o->rule = rule;
	o->at_us = s->world ? s->world->now_us : 0; /* NULL: after the end */
	snprintf(o->message, sizeof(o->message), "%s", message);
	story_last_lines();
	printf("\n%s at %.3f ms: %s\n", code == EXIT_LIVENESS ? "STUCK" : "VIOLATION",
	       (double)o->at_us / 1e3, o->message);
	fflush(stdout);
	_exit(code);
}
