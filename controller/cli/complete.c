/* complete.c - what may stand next on the command line: candidate<TAB>description, for the shells.
 *
 * Names of topics, partitions and brokers are asked of the cluster.  Whoever types must not wait:
 * after COMPLETE_MS the process ends without a word, as it does when anything goes wrong. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/local.h"
#include "controller/cli/view.h"

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#define COMPLETE_MS 200

struct words {
	struct cli *cli;
	const struct cmd *cmd;
	const struct flag *open; /* the last word is its value */
	const char *partial;     /* the last word */
	char path[COMMAND_PATH_BYTES];
	char named[COMMAND_PATH_BYTES]; /* by the arguments of help */
	int n_args;                     /* before the last word */
	bool lost;                      /* a word is no command */
};

static void read_words(struct cli *, struct words *);
static void complete_words(const struct words *, const char *path);
static void complete_flags(const struct words *);
static void complete_value(const struct words *);
static void complete_args(const struct words *);

int cmd_complete(struct cli *cli)
{
	struct words w;

	read_words(cli, &w);
	if (w.lost)
		return CLI_OK;
	if (w.open)
		complete_value(&w);
	else if (w.partial[0] == '-')
		complete_flags(&w);
	else if (!w.cmd)
		complete_words(&w, w.path);
	else
		complete_args(&w);
	return CLI_OK;
}

/* -b and --controller on the line that is being typed say which cluster's names are meant. */
static void take_target(struct cli *cli, const struct flag *f, const char *value)
{
	if (cli->n_given < CLI_GIVEN_MAX &&
	    (strcmp(f->name, "bootstrap") == 0 || strcmp(f->name, "controller") == 0)) {
		cli->given[cli->n_given].name = f->name;
		cli->given[cli->n_given++].value = value;
	}
}

static const struct flag *flag_of(const struct words *w, const char *arg, const char **value)
{
	bool is_long = arg[1] == '-';
	const char *equals = strchr(arg, '=');
	struct str name = { arg + 1 + is_long, 1 };

	if (is_long)
		name.n = equals ? (size_t)(equals - name.at) : strlen(name.at);
	*value = equals ? equals + 1 : !is_long && arg[1] && arg[2] ? arg + 2 : NULL;
	return name.n ? command_flag(w->cmd, name) : NULL;
}

/* The arguments of help and man are a path themselves. */
static void take_arg(struct words *w, const char *arg)
{
	const struct cmd *exact;

	w->n_args++;
	if (w->cmd->complete == COMPLETE_COMMANDS)
		w->lost |= !command_extend(w->named, sizeof(w->named), arg, &exact);
}

static void read_words(struct cli *cli, struct words *w)
{
	*w = (struct words){ .cli = cli, .partial = cli->n_args ? cli->args[cli->n_args - 1] : "" };
	for (int i = 0; i + 1 < cli->n_args; i++) {
		const char *arg = cli->args[i], *value;
		const struct flag *f = arg[0] == '-' ? flag_of(w, arg, &value) : NULL;

		if (w->open) {
			take_target(cli, w->open, arg);
			w->open = NULL;
		} else if (f && f->value && !strchr("=?", f->value[0]) && !value) {
			w->open = f;
		} else if (f && value) {
			take_target(cli, f, value);
		} else if (arg[0] == '-') {
			continue;
		} else if (w->cmd) {
			take_arg(w, arg);
		} else if (!command_extend(w->path, sizeof(w->path), arg, &w->cmd)) {
			w->lost = true;
		}
	}
}

static void offer(const struct words *w, const char *candidate, const char *description)
{
	if (strncmp(candidate, w->partial, strlen(w->partial)) == 0)
		printf("%s\t%s\n", candidate, description);
}

/* ---- words, flags, values -------------------------------------------------------------------- */

static void complete_words(const struct words *w, const char *path)
{
	struct str last = { 0 };

	for (int c = 0; c < n_commands; c++) {
		struct str rest, word;

		if (!command_begins(&commands[c], path) || command_is_hidden(&commands[c]))
			continue;
		rest = str_of(commands[c].path + strlen(path) + (path[0] != '\0'));
		if (!str_cut(&rest, ' ', &word))
			continue;
		if (!str_eq(word, last))
			offer(w, cli_z(w->cli, word), str_null(rest) ? commands[c].one_line : "");
		last = word;
	}
}

static void complete_flags(const struct words *w)
{
	for (int i = 0; i < CMD_FLAGS_MAX + n_global_flags; i++) {
		const struct flag *f = i >= CMD_FLAGS_MAX ? &global_flags[i - CMD_FLAGS_MAX]
				       : w->cmd           ? &w->cmd->flags[i]
							  : NULL;
		bool is_watch = f && f->name && strcmp(f->name, "watch") == 0;

		if (f && f->name && !(is_watch && w->cmd && !w->cmd->can_watch))
			offer(w, arena_printf(&w->cli->mem, "--%s", f->name).at, f->doc);
	}
}

static void complete_value(const struct words *w)
{
	static const char *const formats[] = { "table", "wide", "json", "jsonl",
					       "csv",   "name", "kafka" };
	static const char *const colors[] = { "auto", "always", "never" };

	for (size_t i = 0; strcmp(w->open->name, "output") == 0 && i < ARRAY_LEN(formats); i++)
		offer(w, formats[i], "");
	for (size_t i = 0; strcmp(w->open->name, "color") == 0 && i < ARRAY_LEN(colors); i++)
		offer(w, colors[i], "");
}

/* ---- names ----------------------------------------------------------------------------------- */

static void too_late(int signal_number)
{
	(void)signal_number;
	_exit(CLI_OK);
}

static bool load(const struct words *w, struct view *v)
{
	struct itimerval in = { .it_value.tv_usec = COMPLETE_MS * 1000 };

	signal(SIGALRM, too_late);
	setitimer(ITIMER_REAL, &in, NULL);
	return view_load_quietly(w->cli, v, COMPLETE_MS) == CLI_OK;
}

static void offer_topics(const struct words *w, const struct view *v, const char *prefix)
{
	for (int32_t i = 0; i < v->image->n_topics; i++) {
		const struct image_topic *t = v->image->topics[i];

		offer(w,
		      arena_printf(&w->cli->mem, "%s%.*s", prefix, (int)t->name.n, t->name.at).at,
		      arena_printf(&w->cli->mem, "%d partitions", t->n_partitions).at);
	}
}

static void offer_partitions(const struct words *w, const struct view *v)
{
	struct view_walk walk;

	view_walk_init(&walk, v, NULL, 0);
	while (view_walk_partition(&walk))
		offer(w,
		      arena_printf(&w->cli->mem, "%.*s-%d", (int)walk.topic->name.n,
				   walk.topic->name.at, walk.number)
			      .at,
		      arena_printf(&w->cli->mem, "leader %d", walk.partition->leader).at);
}

static void offer_brokers(const struct words *w, const struct view *v, const char *prefix)
{
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		const struct image_broker *b = v->image->brokers[i];

		offer(w, arena_printf(&w->cli->mem, "%s%d", prefix, b->id).at,
		      b->is_fenced ? "fenced" : "up");
	}
}

static void offer_paths(const struct words *w, const struct view *v)
{
	offer(w, "/brokers", "");
	offer(w, "/topics", "");
	offer_brokers(w, v, "/brokers/");
	offer_topics(w, v, "/topics/");
}

static void offer_nodes(const struct words *w)
{
	struct local l;

	local_init(&l, w->cli);
	if (!local_exists(&l) || local_open(&l))
		return;
	for (int i = 0; i < l.n_nodes; i++)
		offer(w, arena_printf(&w->cli->mem, "%d", l.nodes[i].id).at, l.nodes[i].role);
}

static void offer_live(const struct words *w)
{
	struct view v;

	if (!load(w, &v))
		return;
	if (w->cmd->complete == COMPLETE_TOPICS)
		offer_topics(w, &v, "");
	else if (w->cmd->complete == COMPLETE_PARTITIONS)
		offer_partitions(w, &v);
	else if (w->cmd->complete == COMPLETE_BROKERS)
		offer_brokers(w, &v, "");
	else if (w->cmd->complete == COMPLETE_PATHS)
		offer_paths(w, &v);
	else if (w->n_args == 0) {
		offer_topics(w, &v, "topics/");
		offer_brokers(w, &v, "brokers/");
	}
	view_fini(&v);
}

static void complete_args(const struct words *w)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	if (w->n_args >= w->cmd->args_max)
		return;
	switch (w->cmd->complete) {
	case COMPLETE_NOTHING:
	case COMPLETE_FILES: break;
	case COMPLETE_NODES: offer_nodes(w); break;
	case COMPLETE_COMMANDS: complete_words(w, w->named); break;
	case COMPLETE_SHELLS:
		for (size_t i = 0; i < ARRAY_LEN(shells); i++)
			offer(w, shells[i], "");
		break;
	case COMPLETE_TOPICS:
	case COMPLETE_PARTITIONS:
	case COMPLETE_BROKERS:
	case COMPLETE_CONFIGS:
	case COMPLETE_PATHS: offer_live(w); break;
	}
}

/* ---- scripts --------------------------------------------------------------------------------- */

int cmd_completion(struct cli *cli)
{
	static const char bash[] =
		"# Completion of weir in bash: source <(weir completion bash)\n"
		"_weir() {\n"
		"\tlocal line=${COMP_LINE:0:COMP_POINT} cur\n"
		"\tlocal -a words\n"
		"\tread -ra words <<<\"$line\"\n"
		"\t[[ $line == *[[:space:]] ]] && words+=('')\n"
		"\tlocal IFS=$'\\n'\n"
		"\tcur=${words[-1]}\n"
		"\tCOMPREPLY=($(\"${words[0]}\" __complete -- \"${words[@]:1}\" 2>/dev/null | cut "
		"-f1))\n"
		"\t# Words break at : and = too: give back only what stands behind the last one.\n"
		"\t[[ $cur == *[:=]* ]] && "
		"COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*[:=]}\"}\"}\")\n"
		"}\n"
		"complete -o default -F _weir weir\n";
	static const char zsh[] =
		"#compdef weir\n"
		"# Completion of weir in zsh: weir completion zsh > a directory of $fpath/_weir\n"
		"_weir() {\n"
		"\tlocal -a lines\n"
		"\tlines=(${(f)\"$(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" "
		"2>/dev/null)\"})\n"
		"\tlines=(\"${(@)lines//:/\\\\:}\")\n"
		"\tlines=(\"${(@)lines/$'\\t'/:}\")\n"
		"\tif (( ${#lines} )); then _describe weir lines; else _files; fi\n"
		"}\n"
		"if [ \"$funcstack[1]\" = _weir ]; then _weir \"$@\"; else compdef _weir weir; "
		"fi\n";
	static const char fish[] =
		"# Completion of weir in fish: weir completion fish | source\n"
		"function __weir_complete\n"
		"\tset -l words (commandline -opc) (commandline -ct)\n"
		"\t$words[1] __complete -- $words[2..-1] 2>/dev/null\n"
		"end\n"
		"complete -c weir -f -n '__weir_complete | read -l any' -a '(__weir_complete)'\n";
	const char *shell = cli->args[0];

	if (strcmp(shell, "bash") == 0)
		fputs(bash, stdout);
	else if (strcmp(shell, "zsh") == 0)
		fputs(zsh, stdout);
	else if (strcmp(shell, "fish") == 0)
		fputs(fish, stdout);
	else
		return cli_fail(cli, CLI_USAGE,
				"%s is no shell known here; there are bash, zsh and fish", shell);
	return CLI_OK;
}
