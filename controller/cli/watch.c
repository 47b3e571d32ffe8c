/* watch.c - on a terminal the answer is drawn over the last one; in a pipe only what changed goes
 * out: lines that the last answer did not have, with the time before them where people read.
 *
 * Each round is the command as it would run alone, printing into memory.  A cluster that does not
 * answer for a while is no reason to stop. */
#include "controller/cli/watch.h"
#include "common/base/text.h"
#include "controller/cli/link.h"
#include "controller/cli/out.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 2000
#define EVERY_MIN_MS 50
#define CLEAR_SCREEN "\033[H\033[2J\033[3J"

struct answer {
	char *text;
	size_t n;
};

static int round_of(struct cli *, struct answer *);
static void draw(struct cli *, const struct answer *, int64_t every_ms);
static void tell(struct cli *, const struct answer *before, const struct answer *now);

int watch_run(struct cli *cli)
{
	bool on_screen = isatty(STDOUT_FILENO);
	struct answer before = { 0 }, now;
	int64_t every_ms;
	int code;

	if (!cli->cmd->can_watch)
		return cli_fail(cli, CLI_USAGE, "weir %s shows nothing that could be watched",
				cli->cmd->path);
	if (!cli_duration(cli, "watch", EVERY_MS, &every_ms))
		return CLI_USAGE;
	every_ms = i64_max(every_ms, EVERY_MIN_MS);
	while ((code = round_of(cli, &now)) != CLI_USAGE && code != CLI_MISSING) {
		if (on_screen)
			draw(cli, &now, every_ms);
		else
			tell(cli, &before, &now);
		if (fflush(stdout) != 0)
			break;
		mem_free(before.text);
		before = now;
		link_close(cli->link);
		cli->link = NULL;
		arena_reset(&cli->mem);
		cli_sleep_ms(every_ms);
	}
	mem_free(now.text);
	mem_free(before.text);
	return code;
}

/* stdout is a variable in glibc: whatever prints prints into the memory. */
static int round_of(struct cli *cli, struct answer *out)
{
	FILE *real = stdout;
	int code;

	*out = (struct answer){ 0 };
	stdout = open_memstream(&out->text, &out->n);
	ASSERT(stdout);
	code = cli_run(cli);
	fclose(stdout);
	stdout = real;
	return code;
}

static void draw(struct cli *cli, const struct answer *now, int64_t every_ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	printf(CLEAR_SCREEN "every %s   weir %s   %s\n\n", text_of_duration(cli, every_ms),
	       cli->cmd->path, text_of_time(cli, ts.tv_sec * 1000 + ts.tv_nsec / 1000000));
	fwrite(now->text, 1, now->n, stdout);
}

static bool has_line(const struct answer *a, struct str line)
{
	struct str rest = { a->text, a->n }, one;

	while (a->n && str_cut(&rest, '\n', &one))
		if (str_eq(one, line))
			return true;
	return false;
}

/* One JSON document cannot be told by its lines: it comes again when anything in it is new. */
static void tell(struct cli *cli, const struct answer *before, const struct answer *now)
{
	bool first = !before->text, people = out_is_for_people(cli);
	struct str rest = { now->text, now->n }, line;
	struct timespec ts;

	if (first || cli->format == FORMAT_JSON) {
		if (first || before->n != now->n || memcmp(before->text, now->text, now->n) != 0)
			fwrite(now->text, 1, now->n, stdout);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	while (now->n && str_cut(&rest, '\n', &line)) {
		if (line.n == 0 || has_line(before, line))
			continue;
		if (people)
			printf("%s  ", text_of_time(cli, ts.tv_sec * 1000 + ts.tv_nsec / 1000000));
		printf("%.*s\n", (int)line.n, line.at);
	}
}
