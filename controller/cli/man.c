/* man.c - weir man: the command table as mdoc(7), weir(1) as a whole or a page per command; and
 * weir reference: the same as Markdown. */
#include "common/base/text.h"
#include "common/base/version.h"
#include "controller/cli/commands.h"

#include <ctype.h>
#include <stdio.h>

#define LINE_MAX_BYTES 72
#define DATE "November 21, 2026"

static const struct {
	int code;
	const char *meaning;
} exits[] = {
	{ CLI_OK, "It worked; what was asked about is well." },
	{ CLI_FAILED, "It did not work, or something is not well." },
	{ CLI_USAGE, "The command line makes no sense." },
	{ CLI_UNREACHABLE, "No connection, or no answer in time." },
	{ CLI_PARTLY, "Some of several items failed." },
	{ CLI_DENIED, "Not authorised." },
	{ CLI_UNSAFE, "A safety check refused it." },
	{ CLI_MISSING, "There is no such thing." },
};

static void print_whole(void);
static void print_one(const struct cmd *);
static void print_details(const struct cmd *);
static void print_flags(const struct flag *, int n);

int cmd_man(struct cli *cli)
{
	char path[COMMAND_PATH_BYTES];
	int code = command_path_of_args(cli, path, sizeof(path));

	if (code)
		return code;
	if (!path[0]) {
		print_whole();
		return CLI_OK;
	}
	for (int i = 0; i < n_commands; i++) {
		if (strcmp(commands[i].path, path) == 0) {
			print_one(&commands[i]);
			return CLI_OK;
		}
	}
	return cli_fail(cli, CLI_USAGE, "weir %s is several commands; name one: weir help %s", path,
			path);
}

/* ---- mdoc ------------------------------------------------------------------------------------ */

/* As text: a backslash, and a dot or quote where a line begins, mean something to roff. */
static void escape(struct str s)
{
	if (s.n && (s.at[0] == '.' || s.at[0] == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < s.n; i++) {
		if (s.at[i] == '\\')
			fputs("\\e", stdout);
		else if (s.at[i] == '-')
			fputs("\\-", stdout);
		else
			putchar(s.at[i]);
	}
}

/* As an argument of a macro: quoted, quotes inside doubled away. */
static void quote(const char *z)
{
	putchar('"');
	for (; *z; z++) {
		if (*z == '"')
			fputs("\\(dq", stdout);
		else
			escape((struct str){ z, 1 });
	}
	putchar('"');
}

/* roff wants short lines, and a new one for each sentence. */
static void paragraph(const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t n = strcspn(text, " \n");
		bool ends = n && strchr(".?!", text[n - 1]);

		if (at && at + n > LINE_MAX_BYTES) {
			putchar('\n');
			at = 0;
		}
		if (n) {
			fputs(at ? " " : "", stdout);
			escape((struct str){ text, n });
			at += n + 1;
		}
		text += n + (text[n] != '\0');
		if (ends && *text) {
			putchar('\n');
			at = 0;
		}
	}
	putchar('\n');
}

static void title(const char *name)
{
	puts(".Dd " DATE);
	fputs(".Dt ", stdout);
	for (const char *z = name; *z; z++)
		putchar(toupper((unsigned char)*z));
	puts(" 1\n.Os");
}

static void print_exits(void)
{
	puts(".Sh EXIT STATUS\n.Bl -tag -width Ds");
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		printf(".It %d\n%s\n", exits[i].code, exits[i].meaning);
	puts(".El");
}

static void print_examples(const struct cmd *c)
{
	struct str rest = str_of(c->examples), line;

	puts(".Bd -literal -offset indent");
	while (str_cut(&rest, '\n', &line)) {
		escape(line);
		putchar('\n');
	}
	puts(".Ed");
}

static void print_whole(void)
{
	title("weir");
	puts(".Sh NAME\n.Nm weir\n.Nd operate a Weir cluster\n"
	     ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar arguments\n.Op Ar flags\n"
	     ".Sh DESCRIPTION\n"
	     "Weir is a replicated log that speaks the protocol of Apache Kafka.\n"
	     ".Nm\nlooks at a cluster and changes it through any of its brokers, or asks a\n"
	     "controller directly, and runs clusters on this machine.\n"
	     "Data goes to standard output, everything else to standard error.\n.Pp\n"
	     "The flags of every command:\n.Bl -tag -width Ds");
	print_flags(global_flags, n_global_flags);
	puts(".El\n.Sh COMMANDS");
	for (int i = 0; i < n_commands; i++) {
		if (command_is_hidden(&commands[i]))
			continue;
		fputs(".Ss ", stdout);
		quote(commands[i].path);
		putchar('\n');
		print_details(&commands[i]);
	}
	puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
	     ".It Ev WEIR_BOOTSTRAP\nThe brokers to ask, as\n.Fl Fl bootstrap .\n"
	     ".It Ev WEIR_CONTROLLER\nThe controllers to ask, as\n.Fl Fl controller .\n"
	     ".It Ev NO_COLOR\nNo colours when it is set and not empty.\n.El");
	print_exits();
	puts(".Sh SEE ALSO\n.Xr kcat 1");
}

static void print_flags(const struct flag *flags, int n)
{
	for (int i = 0; i < n && flags[i].name; i++) {
		bool attached = flags[i].value && flags[i].value[0] == '=';
		bool optional = attached || (flags[i].value && flags[i].value[0] == '?');

		fputs(".It ", stdout);
		if (flags[i].letter)
			printf("Fl %c , ", flags[i].letter);
		printf("Fl Fl %s", flags[i].name);
		if (flags[i].value)
			printf("%s", attached ? " Ns Op = Ns Ar " : optional ? " Op Ar " : " Ar ");
		if (flags[i].value)
			quote(flags[i].value + optional);
		putchar('\n');
		paragraph(flags[i].doc);
	}
}

static void print_usage(const struct cmd *c)
{
	fputs(".Nm weir\n.Cm ", stdout);
	quote(c->path);
	putchar('\n');
	if (*c->args) {
		fputs(".Ar ", stdout);
		quote(c->args);
		putchar('\n');
	}
}

static void print_shape(const struct cmd *c)
{
	puts(".Pp\nThe shape of\n.Fl o Cm json :\n.Bd -ragged -offset indent");
	paragraph(c->json);
	puts(".Ed");
}

static void print_details(const struct cmd *c)
{
	print_usage(c);
	puts(".Pp");
	printf("%c", toupper((unsigned char)c->one_line[0]));
	escape(str_of(c->one_line + 1));
	puts(".");
	if (c->details)
		paragraph(c->details);
	if (c->flags[0].name) {
		puts(".Bl -tag -width Ds");
		print_flags(c->flags, CMD_FLAGS_MAX);
		puts(".El");
	}
	if (c->examples)
		print_examples(c);
}

static void print_one(const struct cmd *c)
{
	char name[COMMAND_PATH_BYTES + 8];

	snprintf(name, sizeof(name), "weir-%s", c->path);
	for (char *z = name; *z; z++)
		if (*z == ' ')
			*z = '-';
	title(name);
	printf(".Sh NAME\n.Nm %s\n.Nd ", name);
	escape(str_of(c->one_line));
	puts("\n.Sh SYNOPSIS");
	print_usage(c);
	puts(".Op Ar flags\n.Sh DESCRIPTION");
	printf("%c", toupper((unsigned char)c->one_line[0]));
	escape(str_of(c->one_line + 1));
	puts(".");
	if (c->details)
		paragraph(c->details);
	if (c->json)
		print_shape(c);
	if (c->flags[0].name) {
		puts(".Pp\nIts flags, besides those of every command in\n.Xr weir 1 :\n"
		     ".Bl -tag -width Ds");
		print_flags(c->flags, CMD_FLAGS_MAX);
		puts(".El");
	}
	print_exits();
	if (c->examples) {
		puts(".Sh EXAMPLES");
		print_examples(c);
	}
	puts(".Sh SEE ALSO\n.Xr weir 1");
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void reference_flags(const struct flag *flags, int n)
{
	char text[64];

	for (int i = 0; i < n && flags[i].name; i++) {
		flag_text(&flags[i], text, sizeof(text));
		fputs("- ", stdout);
		if (flags[i].letter)
			printf("`-%c`, ", flags[i].letter);
		printf("`%s`: %s\n", text, flags[i].doc);
	}
}

static void print_alias(const char *alias, const char *word)
{
	printf(", `%s` = `%s`", alias, word);
}

static void reference_command(const struct cmd *c)
{
	printf("\n## weir %s\n\n```\nweir %s%s%s\n```\n\n%c%s.\n", c->path, c->path,
	       *c->args ? " " : "", c->args, toupper((unsigned char)c->one_line[0]),
	       c->one_line + 1);
	if (c->details)
		printf("%s\n", c->details);
	if (c->flags[0].name) {
		putchar('\n');
		reference_flags(c->flags, CMD_FLAGS_MAX);
	}
	if (c->json)
		printf("\n`-o json`: `%s`\n", c->json);
	if (c->examples)
		printf("\n```\n%s\n```\n", c->examples);
}

int cmd_reference(struct cli *cli)
{
	(void)cli;
	puts("# The commands of weir\n\n"
	     "This is what `weir reference` prints; a test compares the two.\n\n"
	     "Flags of every command:\n");
	reference_flags(global_flags, n_global_flags);
	puts("\nExit codes:\n");
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		printf("- %d: %s\n", exits[i].code, exits[i].meaning);
	fputs("\nA noun alone is its first command. Other names: `weir topics ls` = `weir topics "
	      "list`",
	      stdout);
	command_each_alias(print_alias);
	puts(".\n\n"
	     "Shapes of JSON: `Kind[...]` is `{\"kind\": Kind, \"version\": 1, \"items\": [...]}`, "
	     "whose items have the\n"
	     "named fields; `Kind{...}` is one object with them. `name:type`; type is `int`, "
	     "`num`, `str`, `bool`, `any`,\n"
	     "`[type]`, `{fields}` or `<type>` (an object of any keys), and `?` behind it means: "
	     "or null. `|` stands between the shapes of a\n"
	     "command that answers in several kinds.");
	for (int i = 0; i < n_commands; i++)
		if (!command_is_hidden(&commands[i]))
			reference_command(&commands[i]);
	return CLI_OK;
}
