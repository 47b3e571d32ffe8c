/* main.c - the `weir` command. */
#include "common/env/files_posix.h"
#include "controller/cli/cli.h"

#include <signal.h>

int main(int argc, char **argv)
{
	files_open_standard();
	signal(SIGPIPE, SIG_DFL); /* `weir topics list | head` ends quietly */
	return cli_main(argc, argv);
}
