/* confirm.c - see confirm.h. */
#include "controller/cli/confirm.h"

#include <stdio.h>
#include <unistd.h>

int confirm(struct cli *cli, const char *what, const char *name, const char *undo)
{
	const char *end =
		undo ? arena_printf(&cli->mem, "%s undoes it", undo).at : "it cannot be undone";
	char line[512];

	if (cli_switch(cli, "yes"))
		return CLI_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(cli, CLI_UNSAFE, "%s %s: %s; say --yes to do it", what, name, end);
	fprintf(stderr, "%s %s: %s. Type its name to go on: ", what, name, end);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, name) == 0)
		return CLI_OK;
	return cli_fail(cli, CLI_UNSAFE, "%s %s: not confirmed, nothing was changed", what, name);
}
