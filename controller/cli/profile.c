/* profile.c - $XDG_STATE_HOME/weir/profile, or ~/.local/state: which cluster is
 * meant without -b. */
#include "controller/cli/profile.h"
#include "controller/cli/files.h"

#include <stdlib.h>
#include <unistd.h>

static const char *path_of(struct cli *cli)
{
	return arena_printf(&cli->mem, "%s/profile", profile_state_dir(cli)).at;
}

const char *profile_state_dir(struct cli *cli)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state)
		return arena_printf(&cli->mem, "%s/weir", state).at;
	return arena_printf(&cli->mem, "%s/.local/state/weir", home && *home ? home : "/var/tmp")
		.at;
}

bool profile_load(struct cli *cli, struct profile *out)
{
	struct str text;

	if (file_read_all(cli, path_of(cli), &text))
		return false;
	out->dir = cli_z(cli, properties_get(text, "dir"));
	out->bootstrap = cli_z(cli, properties_get(text, "bootstrap"));
	out->controller = cli_z(cli, properties_get(text, "controller"));
	return *out->bootstrap != 0;
}

enum err profile_save(struct cli *cli, const struct profile *p)
{
	enum err e = dirs_make(profile_state_dir(cli));

	if (e)
		return e;
	return file_write_all(path_of(cli),
			      arena_printf(&cli->mem, "dir=%s\nbootstrap=%s\ncontroller=%s\n",
					   p->dir, p->bootstrap, p->controller));
}

void profile_forget(struct cli *cli, const char *dir)
{
	struct profile now;

	if (profile_load(cli, &now) && strcmp(now.dir, dir) == 0)
		unlink(path_of(cli));
}
