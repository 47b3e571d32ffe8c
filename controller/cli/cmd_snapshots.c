/* cmd_snapshots.c - weir metadata snapshot list: what the controllers keep on their disks.
 *
 * A controller's directory is read as it lies there (server/mlog_disk.h has the names), without a
 * server.  When none is named the local cluster's controllers are meant. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/local.h"
#include "controller/cli/out.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DIGITS 20
#define FILES_MAX 4096

struct found {
	const char *name;
	int64_t offset, bytes, time_ms;
	bool is_snapshot;
};

/* "00000000000000000123.snapshot" */
static bool read_name(struct cli *cli, const char *name, struct found *out)
{
	size_t n = strlen(name);

	if (n < DIGITS || parse_i64((struct str){ name, DIGITS }, &out->offset))
		return false;
	out->is_snapshot = strcmp(name + DIGITS, ".snapshot") == 0;
	out->name = cli_z(cli, str_of(name));
	return out->is_snapshot || strcmp(name + DIGITS, ".log") == 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->is_snapshot - y->is_snapshot;
}

static void rows(struct out *o, const char *dir, struct found *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_offset);
	for (size_t i = 0; i < n; i++) {
		out_z(o, dir);
		out_z(o, v[i].name);
		out_z(o, v[i].is_snapshot ? "snapshot" : "log");
		out_i64(o, v[i].offset);
		out_bytes(o, v[i].bytes);
		out_z(o, text_of_time(o->cli, v[i].time_ms));
	}
}

/* How many files of a metadata log there are; below 0: no such directory. */
static int list(struct out *o, const char *dir)
{
	struct cli *cli = o->cli;
	struct found *v = arena_must(&cli->mem, FILES_MAX * sizeof(*v));
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	if (!d)
		return -1;
	while (n < FILES_MAX && (e = readdir(d))) {
		struct stat st;

		if (!read_name(cli, e->d_name, &v[n]) ||
		    stat(arena_printf(&cli->mem, "%s/%s", dir, e->d_name).at, &st) != 0)
			continue;
		v[n].bytes = st.st_size;
		v[n].time_ms = (int64_t)st.st_mtim.tv_sec * 1000;
		n++;
	}
	closedir(d);
	rows(o, dir, v, n);
	return (int)n;
}

/* metadata.log.dir, or the folder of ours in it. */
static int list_either(struct out *o, const char *dir)
{
	int n = list(o, arena_printf(&o->cli->mem, "%s/weir-controller", dir).at);

	return n > 0 ? n : list(o, dir);
}

static int list_named(struct out *o)
{
	struct cli *cli = o->cli;

	for (int i = 0; i < cli->n_args; i++) {
		int n = list_either(o, cli->args[i]);

		if (n < 0)
			return cli_fail(cli, CLI_MISSING, "%s is no directory that can be read",
					cli->args[i]);
		if (n == 0)
			return cli_fail(cli, CLI_MISSING,
					"%s holds no metadata log: name a controller's "
					"metadata.log.dir",
					cli->args[i]);
	}
	return CLI_OK;
}

static int list_local(struct out *o)
{
	struct local l;
	int code;

	local_init(&l, o->cli);
	if ((code = local_open(&l)))
		return code;
	for (int i = 0; i < l.n_nodes; i++)
		if (!l.nodes[i].is_broker)
			(void)list_either(o,
					  arena_printf(&o->cli->mem, "%s/data", l.nodes[i].dir).at);
	return CLI_OK;
}

int cmd_metadata_snapshot_list(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "DIRECTORY", "dir", OUT_LEFT }, { "FILE", "file", OUT_LEFT },
		{ "KIND", "kind", OUT_LEFT },     { "OFFSET", "offset", OUT_RIGHT },
		{ "SIZE", "bytes", OUT_RIGHT },   { "WRITTEN", "written", OUT_LEFT },
	};
	struct out o;
	int code;

	out_begin(&o, cli, "MetadataFileList", columns, ARRAY_LEN(columns));
	code = cli->n_args ? list_named(&o) : list_local(&o);
	if (code)
		out_drop(&o);
	else
		out_end(&o);
	return code;
}
