/* confirm.c - see confirm.h. */
#include "controller/cli/confirm.h"

#include <stdio.h>
#include <unistd.h>

int confirm(struct cli *cli, const char *what, const char *name)
{
	char line[512];

	if (cli_switch(cli, "yes"))
		return CLI_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(cli, CLI_UNSAFE, "%s %s: cannot be undone; say --yes to do it",
				what, name);
	fprintf(stderr, "%s %s: this cannot be undone. Type its name to go on: ", what, name);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, name) == 0)
		return CLI_OK;
	return cli_fail(cli, CLI_UNSAFE, "%s %s: not confirmed, nothing was changed", what, name);
}
