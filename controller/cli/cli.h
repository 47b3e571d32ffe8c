/* cli.h - one run of the `weir` command: what was asked, how to answer, with which exit code.
 *
 * A command is a row of commands.c; its run() finds arguments and flags parsed here, prints data
 * to stdout through out.h or json.h and everything else to stderr, and returns an exit code.
 * One thread, one run per process: whatever is needed longer than a call comes from cli->mem and
 * is freed when the run ends. */
#pragma once
#include "common/base/arena.h"
#include "common/base/base.h"
#include "common/base/buf.h"

/* Stable: scripts read them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* it did not work, or the cluster is not well */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3, /* no connection, or no answer in time */
	CLI_PARTLY = 4,      /* some of several items failed */
	CLI_DENIED = 5,      /* not authorised */
	CLI_UNSAFE = 6,      /* a safety check refused */
	CLI_MISSING = 7,     /* no such thing */
};

enum cli_format {
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_JSON,
	FORMAT_JSONL,
	FORMAT_CSV,
	FORMAT_NAME,
	FORMAT_KAFKA
};

struct flag {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	/* What to write for its value; NULL: a switch; "=X": it may have one, as --name=X only;
	 * "?X": it may have one, also as the next word, in commands without arguments. */
	const char *value;
	const char *doc;
};

/* What may stand where the next argument goes: for completion. */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_TOPICS,
	COMPLETE_PARTITIONS, /* "orders-0" */
	COMPLETE_BROKERS,
	COMPLETE_CONFIGS, /* "topics/orders", "brokers/1" */
	COMPLETE_NODES,   /* of the local cluster */
	COMPLETE_PATHS,   /* of the metadata: "/topics/orders" */
	COMPLETE_COMMANDS,
	COMPLETE_SHELLS,
	COMPLETE_FILES, /* the shell does it */
};

struct cli;
#define CMD_FLAGS_MAX 12
struct cmd {
	const char *path; /* "topics create" */
	const char *args; /* "TOPIC [TOPIC...]", or "" */
	int args_min, args_max;
	const char *one_line; /* no full stop: it stands in lists */
	const char *details;  /* or NULL */
	const char *examples; /* one per line, or NULL */
	/* The shape of -o json, or NULL where there is none: "Kind[...]" is a list, whose items
	 * have the named fields, "Kind{...}" one object.  A field is name:type, type int, num, str,
	 * bool, any, [type], {fields} or <type> (an object of any keys); ? behind it: or null. */
	const char *json;
	enum complete complete;
	bool has_kafka; /* -o kafka */
	bool can_watch; /* -w */
	struct flag flags[CMD_FLAGS_MAX];
	int (*run)(struct cli *);
};

#define CLI_ARGS_MAX 256
#define CLI_GIVEN_MAX 128
struct link;
struct compat_tool;
struct cli {
	const char *program; /* what to write to run us again: "weir", or the path that was used */
	const struct cmd *cmd;
	const struct compat_tool *tool; /* NULL: called as weir */
	const char *args[CLI_ARGS_MAX];
	int n_args;
	struct {
		const char *name, *value;
	} given[CLI_GIVEN_MAX]; /* flags in the order given */
	int n_given;
	enum cli_format format;
	bool headers, color, raw_units;
	const char *columns, *sort_by; /* of lists; NULL: as they come */
	int64_t timeout_ms, wait_ms;
	int late_code; /* of what went wrong while printing; CLI_OK: nothing */
	struct arena mem;
	struct bufpool *bufs;
	struct link *link; /* to the control plane; NULL until link_call needs it */
	bool reads_state;  /* whoever looks for the link will ask for the snapshot next */
};

int cli_main(int argc, char **argv);

/* Runs the command that was parsed; an exit code.  For those who run it again and again. */
int cli_run(struct cli *);

/* The value of the last --name given; NULL when it was not. */
const char *cli_flag(const struct cli *, const char *name);
bool cli_switch(const struct cli *, const char *name);
/* The i-th --name of several; NULL past the last. */
const char *cli_flag_at(const struct cli *, const char *name, int i);
/* Numbers: `fallback` when absent; a bad one prints a sentence and gives false. */
must_check bool cli_number(struct cli *, const char *name, int64_t fallback, int64_t *out);
/* "2s", "500ms", "3m", "1h"; a bare number is seconds. */
must_check bool cli_duration(struct cli *, const char *name, int64_t fallback_ms, int64_t *out_ms);

/* "error: ..." on stderr; gives the code back, so that a command can `return cli_fail(...)`. */
int cli_fail(struct cli *, enum cli_exit, const char *fmt, ...) printf_like(3, 4);
/* The same for Kafka's error code: adds its name and chooses the exit code. */
int cli_fail_code(struct cli *, int code, struct str message, const char *fmt, ...)
	printf_like(4, 5);

/* How long a change may take to reach every broker before it is answered: 0 for --no-wait. */
int32_t cli_wait_ms(const struct cli *);

/* "TOPIC-PARTITION"; the topic lies in cli->mem.  False: a sentence was printed. */
struct topic_partition {
	struct str topic;
	int32_t partition;
};
must_check bool cli_partition_arg(struct cli *, const char *text, struct topic_partition *);
/* "12" or "1,2,3", at most cap. */
must_check bool cli_ids_arg(struct cli *, const char *text, int32_t *out, int cap, int *n);
const char *cli_z(struct cli *, struct str); /* NUL terminated copy in cli->mem */

int64_t cli_now_ms(void); /* monotonic */
void cli_sleep_ms(int64_t ms);
