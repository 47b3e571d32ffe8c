/* compat.h - the same binary called as kafka-topics.sh and its kin: Kafka's flags, Kafka's layout.
 *
 * What succeeds prints byte for byte what Apache Kafka 4.3's tools print, what fails their first
 * line and exit code 1; their stack traces and log lines are left out. */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/cli.h"

struct compat_tool {
	const char *name; /* "kafka-topics", called so with or without .sh */
	const struct flag *flags;
	int n_flags;
	int (*run)(struct cli *);
};

/* The tool that argv[0] names; NULL: none, it is weir. */
const struct compat_tool *compat_tool(const char *argv0);
/* Options of the form --name VALUE and --name=VALUE, and words; an exit code. */
must_check int compat_main(struct cli *, const struct compat_tool *, int argc, char **argv);

/* "what" and the options on stderr, exit code 1: how Kafka's tools answer a command line that makes
 * no sense. */
int compat_usage(struct cli *, const char *fmt, ...) printf_like(2, 3);
/* How many of the named switches were given. */
int compat_count(const struct cli *, const char *const *names, int n);
/* Does the whole text match the pattern, a regular expression or a list of such with commas? */
must_check bool compat_matches(const char *pattern, struct str text);
/* What an error says: its message, or what its code means. */
const char *compat_message(struct cli *, int code, const char *message);
/* "UnknownTopicOrPartitionException" */
const char *compat_exception(struct cli *, int code);

enum {
	COMPAT_TOPICS_FLAGS = 20,
	COMPAT_CONFIGS_FLAGS = 18,
	COMPAT_ELECT_FLAGS = 6,
	COMPAT_REASSIGN_FLAGS = 15,
	COMPAT_QUORUM_FLAGS = 6,
};
extern const struct flag compat_topics_flags[COMPAT_TOPICS_FLAGS];
extern const struct flag compat_configs_flags[COMPAT_CONFIGS_FLAGS];
extern const struct flag compat_elect_flags[COMPAT_ELECT_FLAGS];
extern const struct flag compat_reassign_flags[COMPAT_REASSIGN_FLAGS];
extern const struct flag compat_quorum_flags[COMPAT_QUORUM_FLAGS];
int compat_topics(struct cli *);
int compat_configs(struct cli *);
int compat_elect(struct cli *);
int compat_reassign(struct cli *);
int compat_quorum(struct cli *);
int compat_add_controller(struct cli *);
int compat_remove_controller(struct cli *);
