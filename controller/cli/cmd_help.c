/* cmd_help.c - help, version and completion: the command table read back. */
#include "common/base/text.h"
#include "common/base/version.h"
#include "controller/cli/commands.h"
#include "controller/cli/out.h"
#include "controller/cli/view.h"

#include <stdio.h>

#define COMPLETE_TIMEOUT_MS 200

static void print_overview(void);
static void print_group(const char *path);
static void print_command(const struct cmd *);

int cmd_help(struct cli *cli)
{
	const struct cmd *exact = NULL;
	struct str words, word;
	char path[128] = "";

	for (int i = 0; i < cli->n_args; i++) {
		words = str_of(cli->args[i]); /* -h hands the whole path over as one argument */
		while (str_cut(&words, ' ', &word))
			if (!command_extend(path, sizeof(path), cli_z(cli, word), &exact))
				return cli_fail(cli, CLI_USAGE,
						"no such command: weir %s%s%s; see: weir help",
						path, path[0] ? " " : "", cli->args[i]);
	}
	if (cli_switch(cli, "all")) {
		for (int i = 0; i < n_commands; i++)
			print_command(&commands[i]);
		return CLI_OK;
	}
	if (!path[0]) {
		print_overview();
		return CLI_OK;
	}
	print_group(path);
	return CLI_OK;
}

int cmd_version(struct cli *cli)
{
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		puts("{\"kind\":\"Version\",\"version\":1,\"weir\":\"" WEIR_VERSION "\"}");
	else
		puts("weir " WEIR_VERSION);
	return CLI_OK;
}

static bool is_hidden(const struct cmd *c)
{
	return c->path[0] == '_';
}

/* Does the path of the command begin with these words? */
static bool begins(const struct cmd *c, const char *path)
{
	size_t n = strlen(path);

	return strncmp(c->path, path, n) == 0 &&
	       (n == 0 || c->path[n] == '\0' || c->path[n] == ' ');
}

static void print_line(const struct cmd *c)
{
	printf("  %-24s %s\n", c->path, c->one_line);
}

static void print_overview(void)
{
	struct str noun = { 0 };

	puts("weir - a replicated log that Kafka's clients speak to\n\n"
	     "usage: weir COMMAND [ARGUMENTS] [FLAGS]\n");
	for (int i = 0; i < n_commands; i++) {
		struct str rest = str_of(commands[i].path), head;

		if (is_hidden(&commands[i]) || !str_cut(&rest, ' ', &head))
			continue;
		if (!str_null(noun) && !str_eq(head, noun))
			putchar('\n');
		noun = head;
		print_line(&commands[i]);
	}
	puts("\nflags of every command:");
	for (int i = 0; i < n_global_flags; i++)
		printf("  %s%c%s --%-12s %s\n", global_flags[i].letter ? "-" : " ",
		       global_flags[i].letter ? global_flags[i].letter : ' ',
		       global_flags[i].letter ? "," : " ", global_flags[i].name,
		       global_flags[i].doc);
	puts("\nexit codes: 0 ok, 1 failed or not well, 2 usage, 3 no connection or timeout, 4 "
	     "some items failed,\n"
	     "            5 not authorised, 6 refused by a safety check, 7 not found\n\n"
	     "start here: weir local up");
}

static void print_group(const char *path)
{
	const struct cmd *only = NULL;
	int n = 0;

	for (int i = 0; i < n_commands; i++) {
		if (!begins(&commands[i], path) || is_hidden(&commands[i]))
			continue;
		only = &commands[i];
		n++;
	}
	if (n == 1)
		print_command(only);
	for (int i = 0; n > 1 && i < n_commands; i++)
		if (begins(&commands[i], path))
			print_line(&commands[i]);
	if (n > 1)
		printf("\nmore: weir help %s VERB\n", path);
}

static void print_command(const struct cmd *c)
{
	struct str lines = str_of(c->examples ? c->examples : ""), line;

	if (is_hidden(c))
		return;
	printf("weir %s%s%s - %s\n", c->path, *c->args ? " " : "", c->args, c->one_line);
	if (c->details)
		printf("%s\n", c->details);
	for (int i = 0; i < CMD_FLAGS_MAX && c->flags[i].name; i++) {
		const struct flag *f = &c->flags[i];
		char name[64];

		snprintf(name, sizeof(name), "--%s%s%s", f->name, f->value ? " " : "",
			 f->value ? f->value : "");
		printf("  %s%c%s %-30s %s\n", f->letter ? "-" : " ", f->letter ? f->letter : ' ',
		       f->letter ? "," : " ", name, f->doc);
	}
	while (c->examples && str_cut(&lines, '\n', &line))
		printf("  $ %.*s\n", (int)line.n, line.at);
	putchar('\n');
}

/* ---- completion: candidate<TAB>description ------------------------------------------------ */

static void complete_names(struct cli *cli, const struct cmd *c, const char *partial)
{
	bool wants_topic = strstr(c->args, "TOPIC") || strstr(c->args, "topics/");
	bool is_partition = strstr(c->args, "TOPIC-PARTITION") != NULL;
	const char *prefix = strstr(c->args, "topics/") ? "topics/" : "";
	struct view v;

	if (!wants_topic || view_load_quietly(cli, &v, COMPLETE_TIMEOUT_MS))
		return;
	for (int32_t i = 0; i < v.image->n_topics; i++) {
		const struct image_topic *t = v.image->topics[i];
		const char *name =
			arena_printf(&cli->mem, "%s%.*s", prefix, (int)t->name.n, t->name.at).at;

		if (strncmp(name, partial, strlen(partial)) != 0)
			continue;
		for (int32_t p = 0; is_partition && p < t->n_partitions; p++)
			printf("%s-%d\tleader %d\n", name, p, t->partitions[p].leader);
		if (!is_partition)
			printf("%s\t%d partitions\n", name, t->n_partitions);
	}
	view_fini(&v);
}

static void complete_flags(const struct cmd *c, const char *partial)
{
	for (int i = 0; i < CMD_FLAGS_MAX + n_global_flags; i++) {
		const struct flag *f =
			i < CMD_FLAGS_MAX ? &c->flags[i] : &global_flags[i - CMD_FLAGS_MAX];

		if (f->name && strncmp(f->name, partial + size_min(2, strlen(partial)),
				       strlen(partial + size_min(2, strlen(partial)))) == 0)
			printf("--%s\t%s\n", f->name, f->doc);
	}
}

/* The words before the last one, as a path, and what may stand in the last one's place. */
int cmd_complete(struct cli *cli)
{
	const char *partial = cli->n_args ? cli->args[cli->n_args - 1] : "";
	const struct cmd *exact = NULL;
	struct str last = { 0 };
	char path[128] = "";

	for (int i = 0; i + 1 < cli->n_args && !exact; i++)
		if (!command_extend(path, sizeof(path), cli->args[i], &exact))
			return CLI_OK;
	if (exact && partial[0] == '-')
		complete_flags(exact, partial);
	else if (exact)
		complete_names(cli, exact, partial);
	for (int c = 0; !exact && c < n_commands; c++) {
		struct str rest, word;

		if (!begins(&commands[c], path) || is_hidden(&commands[c]))
			continue;
		rest = str_of(commands[c].path + strlen(path) + (path[0] != '\0'));
		if (!str_cut(&rest, ' ', &word))
			continue;
		if (word.n >= strlen(partial) && memcmp(word.at, partial, strlen(partial)) == 0 &&
		    !str_eq(word, last))
			printf("%.*s\t%s\n", (int)word.n, word.at,
			       str_null(rest) ? commands[c].one_line : "");
		last = word;
	}
	return CLI_OK;
}
