/* args.c - argv against the command table.
 *
 * Words that are no flags choose the command as long as they continue the path of one; the words
 * after that are its arguments.  Flags of every command may stand anywhere, flags of one command
 * after its name; `--flag value`, `--flag=value`, `-f value` and `-fvalue` are the same, `--` ends
 * the flags.  What looks like a flag is never the value of the flag before it, unless `=` ties it
 * there: `--timeout --yes` lacks a number.
 *
 *   take_flag, take_word, for each of argv -> settle: the command, or help on what was said so far
 *
 * A word or flag that is nearly right gets a suggestion; anything wrong is one sentence and exit
 * 2. */
#include "controller/cli/args.h"
#include "common/base/text.h"
#include "controller/cli/commands.h"

#include <stdio.h>

#define PATH_BYTES 64
#define NEAR_ENOUGH 3 /* edit distance up to which we dare to suggest */

struct parse {
	struct cli *cli;
	int argc, at;
	char **argv;
	char path[PATH_BYTES];
	bool flags_ended;
};

static bool take_flag(struct parse *, const char *arg);
static bool take_word(struct parse *, const char *arg);
static void settle(struct parse *);

bool args_parse(struct cli *cli, int argc, char **argv)
{
	struct parse p = { .cli = cli, .argc = argc, .argv = argv };

	for (p.at = 1; p.at < argc; p.at++) {
		const char *arg = argv[p.at];

		if (!p.flags_ended && strcmp(arg, "--") == 0)
			p.flags_ended = true;
		else if (!p.flags_ended && arg[0] == '-' && arg[1] != '\0') {
			if (!take_flag(&p, arg))
				return false;
		} else if (!take_word(&p, arg)) {
			return false;
		}
	}
	settle(&p);
	return true;
}

bool args_count_ok(struct cli *cli)
{
	const struct cmd *cmd = cli->cmd;

	if (cli->n_args >= cmd->args_min && cli->n_args <= cmd->args_max)
		return true;
	if (cmd->args_max == 0)
		cli_fail(cli, CLI_USAGE, "weir %s takes no argument: what is %s?", cmd->path,
			 cli->args[0]);
	else
		cli_fail(cli, CLI_USAGE, "weir %s takes %s%s; see: weir %s -h", cmd->path,
			 cmd->args, cli->n_args ? "" : ", and nothing was given", cmd->path);
	return false;
}

/* ---- flags --------------------------------------------------------------------------------- */

/* Flags of the command and those of every command alike. */
static const char *nearest_flag(const struct cli *cli, struct str name)
{
	const char *best = NULL;
	int best_distance = NEAR_ENOUGH;

	for (int i = 0; i < n_global_flags + CMD_FLAGS_MAX; i++) {
		const struct flag *f = i < n_global_flags ? &global_flags[i]
				       : cli->cmd         ? &cli->cmd->flags[i - n_global_flags]
							  : NULL;
		int d = f && f->name ? text_distance(name, str_of(f->name)) : NEAR_ENOUGH;

		if (d < best_distance) {
			best = f->name;
			best_distance = d;
		}
	}
	return best;
}

static bool unknown_flag(struct parse *p, const char *arg, struct str name)
{
	const char *near = nearest_flag(p->cli, name);
	const char *path = p->cli->cmd ? p->cli->cmd->path : "";

	if (near)
		cli_fail(p->cli, CLI_USAGE, "unknown flag %s; did you mean --%s?", arg, near);
	else
		cli_fail(p->cli, CLI_USAGE, "unknown flag %s; see: weir %s%s-h%s", arg, path,
			 *path ? " " : "",
			 *path ? "" : " (flags of one command stand after its name)");
	return false;
}

static bool give(struct parse *p, const char *name, const char *value)
{
	struct cli *cli = p->cli;

	if (cli->n_given == CLI_GIVEN_MAX) {
		cli_fail(cli, CLI_USAGE, "more than %d flags", CLI_GIVEN_MAX);
		return false;
	}
	cli->given[cli->n_given].name = name;
	cli->given[cli->n_given++].value = value;
	return true;
}

/* The value that stands in the same word: --name=VALUE, -nVALUE, -n=VALUE; NULL: none does. */
static const char *attached_value(const char *arg, bool is_long, struct str *name)
{
	const char *at = arg + (is_long ? 2 : 1), *equals = strchr(at, '=');

	*name = (struct str){ at, !is_long ? 1 : equals ? (size_t)(equals - at) : strlen(at) };
	if (is_long)
		return equals ? equals + 1 : NULL;
	return at[1] ? at + 1 + (at[1] == '=') : NULL;
}

/* A value may begin with a dash (--sort-by -lag), as long as it is no letter that is a flag. */
static bool next_is_value(const struct parse *p)
{
	const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : "--";

	if (next[0] != '-' || next[1] == '\0')
		return true;
	return next[1] != '-' && (next[2] != '\0' || !command_flag(p->cli->cmd, str_of(next + 1)));
}

static bool lacks_value(struct parse *p, const char *arg, const struct flag *f)
{
	const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;

	cli_fail(p->cli, CLI_USAGE, "%s needs a value%s%s: --%s %s, for example --%s %s", arg,
		 next ? ", and next comes " : "", next ? next : "", f->name, f->value, f->name,
		 flag_example(f));
	return false;
}

static bool take_flag(struct parse *p, const char *arg)
{
	bool is_long = arg[1] == '-';
	struct str name;
	const char *attached = attached_value(arg, is_long, &name);
	const struct flag *f = name.n > 1 || !is_long ? command_flag(p->cli->cmd, name) : NULL;

	if (!f)
		return unknown_flag(p, arg, name);
	if (!f->value) {
		if (!attached)
			return give(p, f->name, "");
		cli_fail(p->cli, CLI_USAGE, "--%s takes no value, and %s gives one", f->name, arg);
		return false;
	}
	if (!attached && f->value[0] != '=' && next_is_value(p))
		attached = p->argv[++p->at];
	if (attached || f->value[0] == '=' || f->value[0] == '?')
		return give(p, f->name, attached ? attached : "");
	return lacks_value(p, arg, f);
}

/* ---- words --------------------------------------------------------------------------------- */

/* The next word of the command whose paths begin with `path` that is most like `word`. */
static const char *nearest_word(struct cli *cli, const char *path, const char *word)
{
	size_t n = strlen(path);
	const char *best = NULL;
	int best_distance = NEAR_ENOUGH;

	for (int i = 0; i < n_commands; i++) {
		const char *next = commands[i].path + n + (n > 0);
		struct str head, rest;
		int d;

		if (strncmp(commands[i].path, path, n) != 0 ||
		    (n > 0 && commands[i].path[n] != ' '))
			continue;
		rest = str_of(next);
		if (!str_cut(&rest, ' ', &head))
			continue;
		d = text_distance(head, str_of(word));
		if (d < best_distance) {
			best_distance = d;
			best = cli_z(cli, head);
		}
	}
	return best;
}

/* "health" alone: the one command whose second word it is. */
static const char *only_path_with(const char *verb)
{
	const char *found = NULL;

	for (int i = 0; i < n_commands; i++) {
		const char *second = strchr(commands[i].path, ' ');

		if (!second || strcmp(second + 1, verb) != 0)
			continue;
		if (found)
			return NULL;
		found = commands[i].path;
	}
	return found;
}

static bool unknown_word(struct parse *p, const char *word)
{
	const char *gap = p->path[0] ? " " : "", *near = nearest_word(p->cli, p->path, word);
	const char *path = p->path[0] ? NULL : only_path_with(word);

	if (path)
		cli_fail(p->cli, CLI_USAGE, "no such command: weir %s; did you mean weir %s?", word,
			 path);
	else if (near)
		cli_fail(p->cli, CLI_USAGE,
			 "no such command: weir %s%s%s; did you mean weir %s%s%s?", p->path, gap,
			 word, p->path, gap, near);
	else
		cli_fail(p->cli, CLI_USAGE, "no such command: weir %s%s%s; see: weir help%s%s",
			 p->path, gap, word, gap, p->path);
	return false;
}

static bool take_word(struct parse *p, const char *arg)
{
	const struct cmd *longer;
	struct cli *cli = p->cli;

	if (!cli->cmd)
		return command_extend(p->path, sizeof(p->path), arg, &cli->cmd) ||
		       unknown_word(p, arg);
	if (cli->n_args == 0 && command_extend(p->path, sizeof(p->path), arg, &longer) && longer) {
		cli->cmd = longer; /* "cluster features" is a command, and upgrade another one */
		return true;
	}
	if (cli->n_args == CLI_ARGS_MAX) {
		cli_fail(cli, CLI_USAGE, "more than %d arguments", CLI_ARGS_MAX);
		return false;
	}
	cli->args[cli->n_args++] = arg;
	return true;
}

/* -h asks for help on the path so far; a noun alone means its first command, nothing at all help.
 */
static void settle(struct parse *p)
{
	struct cli *cli = p->cli;

	if (cli_switch(cli, "help")) {
		cli->n_args = p->path[0] != '\0';
		cli->args[0] = cli_z(cli, str_of(p->path));
		cli->cmd = command_of_noun("help");
	} else if (!cli->cmd) {
		cli->cmd = command_of_noun(p->path[0] ? p->path : "help");
	}
	ASSERT(cli->cmd);
}
