/* main.c - the `weir` command. */
#include "controller/cli/cli.h"

#include <signal.h>

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL); /* `weir topics list | head` ends quietly */
	return cli_main(argc, argv);
}
