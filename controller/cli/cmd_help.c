/* cmd_help.c - help and version: the command table read back. */
#include "common/base/text.h"
#include "common/base/version.h"
#include "controller/cli/commands.h"
#include "controller/cli/out.h"

#include <stdio.h>

static void print_overview(void);
static void print_group(const char *path);
static void print_command(const struct cmd *);

int command_path_of_args(struct cli *cli, char *path, size_t cap)
{
	const struct cmd *exact = NULL;
	struct str words, word;

	path[0] = '\0';
	for (int i = 0; i < cli->n_args; i++) {
		words = str_of(cli->args[i]); /* -h hands the whole path over as one argument */
		while (str_cut(&words, ' ', &word))
			if (!command_extend(path, cap, cli_z(cli, word), &exact))
				return cli_fail(cli, CLI_USAGE,
						"no such command: weir %s%s%s; see: weir help",
						path, path[0] ? " " : "", cli->args[i]);
	}
	return CLI_OK;
}

int cmd_help(struct cli *cli)
{
	char path[COMMAND_PATH_BYTES];
	int code = command_path_of_args(cli, path, sizeof(path));

	if (code)
		return code;
	if (cli_switch(cli, "all")) {
		for (int i = 0; i < n_commands; i++)
			if (command_begins(&commands[i], path))
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

		if (command_is_hidden(&commands[i]) || !str_cut(&rest, ' ', &head))
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
		if (!command_begins(&commands[i], path) || command_is_hidden(&commands[i]))
			continue;
		if (!only || strcmp(commands[i].path, path) == 0)
			only = &commands[i];
		n++;
	}
	if (n == 1 || (only && strcmp(only->path, path) == 0))
		print_command(only);
	for (int i = 0; n > 1 && i < n_commands; i++)
		if (command_begins(&commands[i], path) && strcmp(commands[i].path, path) != 0)
			print_line(&commands[i]);
	if (n > 1)
		printf("\nmore: weir help %s VERB\n", path);
}

static void print_command(const struct cmd *c)
{
	struct str lines = str_of(c->examples ? c->examples : ""), line;

	if (command_is_hidden(c))
		return;
	printf("weir %s%s%s - %s\n", c->path, *c->args ? " " : "", c->args, c->one_line);
	if (c->details)
		printf("%s\n", c->details);
	for (int i = 0; i < CMD_FLAGS_MAX && c->flags[i].name; i++) {
		const struct flag *f = &c->flags[i];
		char name[64];

		flag_text(f, name, sizeof(name));
		printf("  %s%c%s %-30s %s\n", f->letter ? "-" : " ", f->letter ? f->letter : ' ',
		       f->letter ? "," : " ", name, f->doc);
	}
	if (c->json)
		printf("  -o json: %s\n", c->json);
	while (c->examples && str_cut(&lines, '\n', &line))
		printf("  $ %.*s\n", (int)line.n, line.at);
	putchar('\n');
}

void flag_text(const struct flag *f, char *out, size_t cap)
{
	bool attached = f->value && f->value[0] == '=', optional = f->value && f->value[0] == '?';
	struct text t;

	text_init(&t, out, cap);
	text_printf(&t, "--%s", f->name);
	if (attached || optional)
		text_printf(&t, "%s[%s]", optional ? " " : "", f->value + optional);
	else if (f->value)
		text_printf(&t, " %s", f->value);
}

/* What a distributor asks for; zstd is licensed either way, BSD is what we take. */
static void print_deps(void)
{
	static const struct {
		const char *name, *version, *licence, *use;
	} deps[] = {
		{ "libevent", "2.1", "BSD-3-Clause", "event loops" },
		{ "protobuf-c", "1.4", "BSD-2-Clause", "control plane, metadata log" },
		{ "zlib", "1.2", "Zlib", "gzip" },
		{ "lz4", "1.9", "BSD-2-Clause", "lz4" },
		{ "zstd", "1.5", "BSD-3-Clause", "zstd" },
		{ "snappy", "1.1", "BSD-3-Clause", "snappy" },
	};

	for (size_t i = 0; i < ARRAY_LEN(deps); i++)
		printf("%-12s %s or newer   %-14s %s\n", deps[i].name, deps[i].version,
		       deps[i].licence, deps[i].use);
}

int cmd_version(struct cli *cli)
{
	if (cli->format == FORMAT_JSON || cli->format == FORMAT_JSONL)
		puts("{\"kind\":\"Version\",\"version\":1,\"weir\":\"" WEIR_VERSION "\"}");
	else
		puts("weir " WEIR_VERSION);
	if (cli_switch(cli, "deps") && out_is_for_people(cli))
		print_deps();
	return CLI_OK;
}
