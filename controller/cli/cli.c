/* cli.c - a run of the command from argv to the exit code.
 *
 * stdout has data only, stderr everything else, so that output can be piped.  All memory comes from
 * one arena that ends with the process: a command line has no steady state. */
#include "controller/cli/cli.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/args.h"
#include "controller/cli/compat.h"
#include "controller/cli/link.h"
#include "controller/cli/watch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A bound against runaway answers, not a budget; 10,000 partitions as JSON are some megabytes. */
#define MEMORY_BYTES_MAX ((size_t)4 << 30)
#define KEEP_BYTES (1 << 20)
#define TIMEOUT_DEFAULT_MS 30000
#define DURATION_MAX_MS 86400000

static bool has_format(struct cli *);
static int flush_answer(struct cli *, int code);
static bool read_globals(struct cli *);
static bool wants_color(const char *mode);
static enum cli_exit exit_of(int code);

/* A stdout that cannot be written (a closed pipe, a full disk) turns success into failure. */
int cli_main(int argc, char **argv)
{
	struct cli cli = { .headers = true,
			   .timeout_ms = TIMEOUT_DEFAULT_MS,
			   .wait_ms = TIMEOUT_DEFAULT_MS,
			   .program = argc > 0 && strchr(argv[0], '/') ? argv[0] : "weir" };
	const struct compat_tool *tool = compat_tool(argc > 0 ? argv[0] : "weir");
	int code;

	arena_init(&cli.mem, MEMORY_BYTES_MAX);
	cli.bufs = bufpool_new(KEEP_BYTES);
	if (tool)
		code = compat_main(&cli, tool, argc, argv);
	else if (args_parse(&cli, argc, argv) && read_globals(&cli) && args_count_ok(&cli))
		code = cli_switch(&cli, "watch") ? watch_run(&cli) : cli_run(&cli);
	else
		code = CLI_USAGE;
	code = flush_answer(&cli, code);
	link_close(cli.link);
	bufpool_free(cli.bufs);
	arena_fini(&cli.mem);
	return code;
}

/* A full disk, a closed descriptor. */
static int flush_answer(struct cli *cli, int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	clearerr(stdout); /* cli_fail flushes it again */
	(void)cli_fail(cli, CLI_FAILED, "the answer cannot be written: %s",
		       errno ? strerror(errno) : "input/output error");
	return code ? code : CLI_FAILED;
}

int cli_run(struct cli *cli)
{
	int code;

	cli->late_code = CLI_OK;
	code = cli->cmd->run(cli);
	return code ? code : cli->late_code;
}

static bool read_globals(struct cli *cli)
{
	static const char *const formats[] = { "table", "wide", "json", "jsonl",
					       "csv",   "name", "kafka" };
	const char *format = cli_flag(cli, "output"), *color = cli_flag(cli, "color");

	cli->headers = !cli_switch(cli, "no-headers");
	cli->raw_units = cli_switch(cli, "raw-units");
	cli->columns = cli_flag(cli, "columns");
	cli->sort_by = cli_flag(cli, "sort-by");
	cli->color = wants_color(color ? color : "auto");
	if (!cli_duration(cli, "timeout", TIMEOUT_DEFAULT_MS, &cli->timeout_ms) ||
	    !cli_duration(cli, "wait", cli->timeout_ms, &cli->wait_ms))
		return false;
	if (!format)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcmp(format, formats[i]) == 0) {
			cli->format = (enum cli_format)i;
			return has_format(cli);
		}
	}
	cli_fail(cli, CLI_USAGE,
		 "-o %s is no output format; there are table, wide, json, jsonl, csv, name and "
		 "kafka",
		 format);
	return false;
}

static bool has_format(struct cli *cli)
{
	if (cli->format != FORMAT_KAFKA || cli->cmd->has_kafka)
		return true;
	cli_fail(cli, CLI_USAGE,
		 "-o kafka: topics list and topics describe have it; for the others call weir by "
		 "the name of Kafka's tool: weir cheat kafka");
	return false;
}

/* no-color.org: NO_COLOR wins over auto, --color over everything. */
static bool wants_color(const char *mode)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (strcmp(mode, "auto") != 0)
		return strcmp(mode, "always") == 0;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* ---- flags and arguments --------------------------------------------------------------------- */

const char *cli_flag_at(const struct cli *cli, const char *name, int i)
{
	for (int g = 0; g < cli->n_given; g++)
		if (strcmp(cli->given[g].name, name) == 0 && i-- == 0)
			return cli->given[g].value;
	return NULL;
}

const char *cli_flag(const struct cli *cli, const char *name)
{
	const char *last = NULL;

	for (int g = 0; g < cli->n_given; g++)
		if (strcmp(cli->given[g].name, name) == 0)
			last = cli->given[g].value;
	return last;
}

bool cli_switch(const struct cli *cli, const char *name)
{
	return cli_flag(cli, name) != NULL;
}

bool cli_number(struct cli *cli, const char *name, int64_t fallback, int64_t *out)
{
	const char *text = cli_flag(cli, name);

	*out = fallback;
	if (!text)
		return true;
	if (!parse_i64(str_of(text), out) && *out >= 0)
		return true;
	cli_fail(cli, CLI_USAGE, "--%s %s: a whole number, 0 or more, belongs there", name, text);
	return false;
}

bool cli_duration(struct cli *cli, const char *name, int64_t fallback_ms, int64_t *out_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "", 1000 } };
	const char *text = cli_flag(cli, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	int64_t n;

	*out_ms = fallback_ms;
	if (!text || !*text)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0 ||
		    parse_i64((struct str){ text, digits }, &n))
			continue;
		*out_ms = i64_min(n, DURATION_MAX_MS) * units[i].ms;
		*out_ms = i64_min(*out_ms, DURATION_MAX_MS);
		return true;
	}
	cli_fail(cli, CLI_USAGE, "--%s %s: write 30s, 500ms, 2m or a number of seconds", name,
		 text);
	return false;
}

int32_t cli_wait_ms(const struct cli *cli)
{
	return cli_switch(cli, "no-wait") ? 0 : (int32_t)cli->wait_ms;
}

bool cli_partition_arg(struct cli *cli, const char *text, struct topic_partition *out)
{
	const char *dash = strrchr(text, '-');

	if (dash && dash != text && !parse_i32(str_of(dash + 1), &out->partition) &&
	    out->partition >= 0) {
		out->topic = arena_str(&cli->mem, (struct str){ text, (size_t)(dash - text) });
		return true;
	}
	cli_fail(cli, CLI_USAGE, "%s is no partition: write TOPIC-NUMBER, for example orders-0",
		 text);
	return false;
}

bool cli_ids_arg(struct cli *cli, const char *text, int32_t *out, int cap, int *n)
{
	struct str rest = str_of(text), one;

	for (*n = 0; str_cut(&rest, ',', &one); ++*n) {
		if (*n == cap || parse_i32(str_trim(one), &out[*n]) || out[*n] < 0) {
			cli_fail(cli, CLI_USAGE, "%s is no list of ids: write 1,2,3 (at most %d)",
				 text, cap);
			return false;
		}
	}
	return true;
}

const char *cli_z(struct cli *cli, struct str s)
{
	return arena_printf(&cli->mem, "%.*s", (int)s.n, s.at ? s.at : "").at;
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* What is in stdout's buffer goes first, so that the error stands behind the data it belongs to. */
int cli_fail(struct cli *cli, enum cli_exit code, const char *fmt, ...)
{
	bool red = cli->color && isatty(STDERR_FILENO);
	va_list ap;

	fflush(stdout);
	fputs(red ? "\033[31merror:\033[0m " : "error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return (int)code;
}

int cli_fail_code(struct cli *cli, int code, struct str message, const char *fmt, ...)
{
	enum cli_exit exit_code = exit_of(code);
	struct text t;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	text_init(&t, arena_must(&cli->mem, sizeof(what) + message.n), sizeof(what) + message.n);
	text_printf(&t, "%s", what);
	if (message.n) {
		text_printf(&t, ": ");
		text_str(&t, message);
	}
	return cli_fail(cli, exit_code, "%s (%s)", t.at, kerr_name(code));
}

/* Which of the exit codes a refusal of the cluster is. */
static enum cli_exit exit_of(int code)
{
	static const enum kerr missing[] = { KERR_UNKNOWN_TOPIC_OR_PARTITION, KERR_UNKNOWN_TOPIC_ID,
					     KERR_BROKER_ID_NOT_REGISTERED };
	static const enum kerr denied[] = { KERR_TOPIC_AUTHORIZATION_FAILED,
					    KERR_CLUSTER_AUTHORIZATION_FAILED,
					    KERR_GROUP_AUTHORIZATION_FAILED };
	static const enum kerr late[] = { KERR_REQUEST_TIMED_OUT, KERR_BROKER_NOT_AVAILABLE,
					  KERR_NETWORK_EXCEPTION, KERR_NOT_CONTROLLER };

	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		if (code == (int)missing[i])
			return CLI_MISSING;
	for (size_t i = 0; i < ARRAY_LEN(denied); i++)
		if (code == (int)denied[i])
			return CLI_DENIED;
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		if (code == (int)late[i])
			return CLI_UNREACHABLE;
	return CLI_FAILED;
}

/* ---- time ------------------------------------------------------------------------------------ */

int64_t cli_now_ms(void)
{
	struct timespec ts;

	ASSERT(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void cli_sleep_ms(int64_t ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}
