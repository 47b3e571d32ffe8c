/* compat.c - which of Kafka's tools is meant, its options read, and what they have in common. */
#include "controller/cli/compat.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/wire/kerr.h"

#include <ctype.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>

#define PATTERN_BYTES 1024

static const struct flag common_flags[] = {
	{ "bootstrap-server", 0, "HOST:PORT,...", "brokers to ask; required" },
	{ "bootstrap-controller", 0, "HOST:PORT,...", "controllers to ask instead" },
	{ "command-config", 0, "FILE", "read by Kafka's clients; nothing here needs it" },
	{ "timeout", 0, "MS", "how long to wait for the cluster" },
	{ "saved", 0, "FILE", "look at metadata that weir metadata snapshot save has written" },
	{ "help", 'h', NULL, "these options" },
	{ "version", 0, NULL, "the version" },
};

static const struct compat_tool *tools(int *n)
{
	static const struct compat_tool all[] = {
		{ "kafka-topics", compat_topics_flags, COMPAT_TOPICS_FLAGS, compat_topics },
		{ "kafka-configs", compat_configs_flags, COMPAT_CONFIGS_FLAGS, compat_configs },
		{ "kafka-leader-election", compat_elect_flags, COMPAT_ELECT_FLAGS, compat_elect },
		{ "kafka-reassign-partitions", compat_reassign_flags, COMPAT_REASSIGN_FLAGS,
		  compat_reassign },
		{ "kafka-metadata-quorum", compat_quorum_flags, COMPAT_QUORUM_FLAGS,
		  compat_quorum },
	};

	*n = ARRAY_LEN(all);
	return all;
}

const struct compat_tool *compat_tool(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
	int n;
	const struct compat_tool *all = tools(&n);

	for (int i = 0; i < n; i++) {
		size_t len = strlen(all[i].name);

		if (strncmp(name, all[i].name, len) == 0 &&
		    (name[len] == '\0' || strcmp(name + len, ".sh") == 0))
			return &all[i];
	}
	return NULL;
}

/* ---- options ------------------------------------------------------------------------------- */

static bool is_called(const struct flag *f, struct str name)
{
	return str_eq(str_of(f->name), name) || (name.n == 1 && f->letter == name.at[0]);
}

static const struct flag *find(const struct compat_tool *t, struct str name)
{
	for (int i = 0; i < t->n_flags && t->flags[i].name; i++)
		if (is_called(&t->flags[i], name))
			return &t->flags[i];
	for (size_t i = 0; i < ARRAY_LEN(common_flags); i++)
		if (is_called(&common_flags[i], name))
			return &common_flags[i];
	return NULL;
}

static void print_options(const struct flag *flags, int n)
{
	char text[64];

	for (int i = 0; i < n && flags[i].name; i++) {
		snprintf(text, sizeof(text), "--%s%s%s%s", flags[i].name,
			 flags[i].value ? " <" : "", flags[i].value ? flags[i].value : "",
			 flags[i].value ? ">" : "");
		fprintf(stderr, "%-40s %s\n", text, flags[i].doc);
	}
}

int compat_usage(struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n%-40s %s\n%-40s %s\n", "Option", "Description", "------", "-----------");
	print_options(cli->tool->flags, cli->tool->n_flags);
	print_options(common_flags, ARRAY_LEN(common_flags));
	return CLI_FAILED;
}

static int give(struct cli *cli, const char *name, const char *value)
{
	if (cli->n_given == CLI_GIVEN_MAX)
		return compat_usage(cli, "more than %d options", CLI_GIVEN_MAX);
	cli->given[cli->n_given].name = name;
	cli->given[cli->n_given++].value = value;
	return CLI_OK;
}

static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
	const char *arg = argv[*at] + 1 + (argv[*at][1] == '-'), *equals = strchr(arg, '=');
	struct str name = { arg, equals ? (size_t)(equals - arg) : strlen(arg) };
	const struct flag *f = find(cli->tool, name);
	const char *value = equals ? equals + 1 : NULL;

	if (!f)
		return compat_usage(cli, "%.*s is not a recognized option", (int)name.n, name.at);
	if (!f->value)
		return give(cli, f->name, "");
	if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (!value)
		return compat_usage(cli, "Option %s requires an argument", f->name);
	return give(cli, f->name, value);
}

/* Our own flags mean the same things under other names. */
static void translate(struct cli *cli)
{
	const char *timeout = cli_flag(cli, "timeout");
	int64_t ms;

	for (int i = 0; i < cli->n_given; i++) {
		if (strcmp(cli->given[i].name, "bootstrap-server") == 0)
			cli->given[i].name = "bootstrap";
		else if (strcmp(cli->given[i].name, "bootstrap-controller") == 0)
			cli->given[i].name = "controller";
	}
	if (timeout && !parse_i64(str_of(timeout), &ms) && ms > 0)
		cli->timeout_ms = ms;
}

int compat_main(struct cli *cli, const struct compat_tool *tool, int argc, char **argv)
{
	int code;

	cli->tool = tool;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if ((code = take_option(cli, argc, argv, &i)))
				return code;
		} else if (cli->n_args < CLI_ARGS_MAX) {
			cli->args[cli->n_args++] = argv[i];
		}
	}
	if (cli_switch(cli, "version")) {
		puts("4.3.1 (weir " WEIR_VERSION ")");
		return CLI_OK;
	}
	if (cli_switch(cli, "help")) {
		compat_usage(cli, "%s, as Kafka has it, by weir " WEIR_VERSION, tool->name);
		return CLI_OK;
	}
	translate(cli);
	return tool->run(cli);
}

/* ---- in common ----------------------------------------------------------------------------- */

int compat_count(const struct cli *cli, const char *const *names, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += cli_switch(cli, names[i]);
	return count;
}

bool compat_matches(const char *pattern, struct str text)
{
	char whole[PATTERN_BYTES], subject[PATTERN_BYTES];
	bool matches;
	regex_t re;

	snprintf(whole, sizeof(whole), "^(%s)$", pattern);
	for (char *z = whole; *z; z++)
		if (*z == ',')
			*z = '|';
	snprintf(subject, sizeof(subject), "%.*s", (int)text.n, text.at);
	if (regcomp(&re, whole, REG_EXTENDED | REG_NOSUB))
		return strcmp(pattern, subject) == 0;
	matches = regexec(&re, subject, 0, NULL, 0) == 0;
	regfree(&re);
	return matches;
}

const char *compat_message(struct cli *cli, int code, const char *message)
{
	return cli_z(cli, str_of(message && *message ? message : kerr_text(code)));
}

const char *compat_exception(struct cli *cli, int code)
{
	const char *name = kerr_name(code);
	char *out = arena_must(&cli->mem, strlen(name) + 16), *to = out;
	bool upper = true;

	for (; *name; name++) {
		if (*name == '_') {
			upper = true;
			continue;
		}
		*to++ = upper ? *name : (char)tolower((unsigned char)*name);
		upper = false;
	}
	memcpy(to, "Exception", sizeof("Exception"));
	return out;
}
