/* cmd_compare.c - weir log compare and weir partitions verify: replicas' files side by side.
 *
 * log compare takes log directories and the high watermark from their checkpoints; verify asks the
 * cluster for the high watermark and reads the local cluster's directories.  Above the high
 * watermark replicas may differ, so nothing is said of it. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/compare.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct out_column columns[] = {
	{ "PARTITION", "partition", OUT_LEFT },
	{ "REPLICAS", "replicas", OUT_RIGHT },
	{ "FROM", "from", OUT_RIGHT },
	{ "TO", "to", OUT_RIGHT },
	{ "HW", "hw", OUT_RIGHT },
	{ "BATCHES", "batches", OUT_RIGHT },
	{ "BYTES", "bytes", OUT_RIGHT },
	{ "VERDICT", "verdict", OUT_LEFT },
};

/* The directories that are there; the others are told on stderr. */
static int present(const char *name, const char *const *dirs, int n, const char **there)
{
	int n_there = 0;

	for (int i = 0; i < n; i++) {
		if (access(dirs[i], F_OK) == 0)
			there[n_there++] = dirs[i];
		else
			fprintf(stderr, "%s: there is no %s\n", name, dirs[i]);
	}
	return n_there;
}

/* One partition compared and put into the table; a difference is told on stderr. */
static bool compare_one(struct out *o, const char *name, const char *const *dirs, int n,
			int64_t bound)
{
	struct compare_result r = { .same = true };
	const char *there[COMPARE_REPLICAS_MAX];
	int n_there = present(name, dirs, n, there);
	enum err e = n_there ? compare_replicas(o->cli, there, n_there, bound, &r) : ERR_OK;
	bool is_whole = n_there == n;
	const char *verdict = e           ? "unreadable"
			      : !r.same   ? "DIFFERENT"
			      : !is_whole ? "missing"
					  : "equal";

	out_z(o, name);
	out_i64(o, n_there);
	out_i64(o, i64_max(0, r.from));
	out_i64(o, r.to);
	out_i64(o, bound);
	out_i64(o, r.batches);
	out_i64(o, r.bytes);
	o->color = e || !r.same || !is_whole ? OUT_RED : OUT_GREEN;
	out_z(o, verdict);
	if (e)
		fprintf(stderr, "%s: %s\n", name, err_text(e));
	else if (!r.same)
		fprintf(stderr, "%s: %s\n", name, r.why);
	else if (n_there && r.to < bound)
		fprintf(stderr,
			"%s: the files end at %" PRId64 ", below the high watermark %" PRId64 "\n",
			name, r.to, bound);
	return !e && r.same && is_whole && r.to >= bound;
}

/* ---- weir log compare ------------------------------------------------------------------------ */

/* The highest watermark that any of the checkpoints has for the partition; -1: none has it. */
static int64_t checkpointed(struct cli *cli, const char *partition)
{
	const char *dash = strrchr(partition, '-');
	struct str topic = { partition, (size_t)(dash - partition) }, number = str_of(dash + 1);
	int64_t hw = -1;

	for (int i = 0; i < cli->n_args; i++) {
		struct str text, line, name, n;

		if (file_read_all(cli,
				  arena_printf(&cli->mem, "%s/replication-offset-checkpoint",
					       cli->args[i])
					  .at,
				  &text))
			continue;
		while (str_cut(&text, '\n', &line)) {
			int64_t offset;

			if (str_cut(&line, ' ', &name) && str_eq(name, topic) &&
			    str_cut(&line, ' ', &n) && str_eq(n, number) && !str_null(line) &&
			    !parse_i64(str_trim(line), &offset))
				hw = i64_max(hw, offset);
		}
	}
	return hw;
}

static bool wanted(const struct cli *cli, const char *name)
{
	const char *one;

	if (!cli_flag(cli, "partition"))
		return true;
	for (int i = 0; (one = cli_flag_at(cli, "partition", i)); i++)
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

static bool is_partition_dir(const char *name)
{
	const char *dash = strrchr(name, '-');

	return dash && dash != name && dash[1] && dash[1 + strspn(dash + 1, "0123456789")] == '\0';
}

/* Names of partition directories, each once. */
struct names {
	const char **v;
	int n, cap;
};

static void add_name(struct names *names, const char *name)
{
	for (int i = 0; i < names->n; i++)
		if (strcmp(names->v[i], name) == 0)
			return;
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 64;
		names->v = mem_grow(names->v, (size_t)names->cap * sizeof(*names->v));
	}
	names->v[names->n++] = name;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_names_of(struct cli *cli, const char *path, struct names *names)
{
	char real[PATH_MAX];
	const char *own = realpath(path, real) ? strrchr(real, '/') + 1 : path;
	bool holds_any = false;
	DIR *d = opendir(path);

	if (!d)
		return cli_fail(cli, CLI_MISSING, "%s is no directory that can be read", path);
	for (struct dirent *f = readdir(d); f; f = readdir(d)) {
		if (!is_partition_dir(f->d_name))
			continue;
		holds_any = true;
		if (wanted(cli, f->d_name))
			add_name(names, cli_z(cli, str_of(f->d_name)));
	}
	closedir(d);
	if (holds_any || !is_partition_dir(own))
		return CLI_OK;
	return cli_fail(cli, CLI_USAGE,
			"%s is the directory of one partition: give the log directory above it, "
			"and --partition %s",
			path, own);
}

/* What any of the log directories holds.  One that cannot be read ends it: to call what is left
 * equal would hide the replica that is gone. */
static int collect(struct cli *cli, struct names *names)
{
	const char *one;
	int code;

	for (int i = 0; i < cli->n_args; i++)
		if ((code = add_names_of(cli, cli->args[i], names)))
			return code;
	for (int i = 0, n = names->n; (one = cli_flag_at(cli, "partition", i)); i++, n = names->n) {
		add_name(names, one);
		if (names->n > n)
			return cli_fail(cli, CLI_MISSING, "none of the directories holds %s", one);
	}
	if (names->n == 0)
		return cli_fail(cli, CLI_MISSING, "none of the directories holds a partition");
	qsort(names->v, (size_t)names->n, sizeof(*names->v), by_name);
	return CLI_OK;
}

static bool compare_named(struct out *o, const char *name, int64_t below)
{
	int64_t bound = below >= 0 ? below : checkpointed(o->cli, name);
	const char *dirs[COMPARE_REPLICAS_MAX];

	if (bound < 0) {
		fprintf(stderr, "%s: no checkpoint knows its high watermark; say --below OFFSET\n",
			name);
		return false;
	}
	for (int i = 0; i < o->cli->n_args; i++)
		dirs[i] = arena_printf(&o->cli->mem, "%s/%s", o->cli->args[i], name).at;
	return compare_one(o, name, dirs, o->cli->n_args, bound);
}

int cmd_log_compare(struct cli *cli)
{
	struct names names = { 0 };
	int64_t below;
	struct out o;
	int code;

	if (!cli_number(cli, "below", -1, &below))
		return CLI_USAGE;
	code = collect(cli, &names);
	if (!code) {
		out_begin(&o, cli, "ComparisonList", columns, ARRAY_LEN(columns));
		for (int i = 0; i < names.n; i++)
			if (!compare_named(&o, names.v[i], below))
				code = CLI_FAILED;
		out_end(&o);
	}
	mem_free(names.v);
	return code;
}

/* ---- weir partitions verify ------------------------------------------------------------------ */

/* orders, or orders-2; everything when nothing is named. */
static bool is_meant(const struct cli *cli, struct str topic, const char *partition)
{
	for (int i = 0; i < cli->n_args; i++)
		if (str_eq(topic, str_of(cli->args[i])) || strcmp(partition, cli->args[i]) == 0)
			return true;
	return cli->n_args == 0;
}

static bool verify_one(struct out *o, struct local *l, const struct partition_offsets *p,
		       const char *name)
{
	const struct image_partition *part = &p->topic->partitions[p->number];
	const char *dirs[COMPARE_REPLICAS_MAX];

	if (p->at.hw < 0) {
		fprintf(stderr,
			part->leader < 0 ? "%s: it has no leader, see: weir cluster health\n"
					 : "%s: its leader does not say the high watermark\n",
			name);
		return false;
	}
	for (int32_t i = 0; i < part->replicas.n; i++)
		dirs[i] = local_partition_dir(l, part->replicas.v[i], name);
	return compare_one(o, name, dirs, part->replicas.n, p->at.hw);
}

static int verify_all(struct cli *cli, struct local *l, const struct view *v, struct out *o)
{
	struct offsets at;
	int code = CLI_OK, n = 0;

	offsets_load(cli, v, NULL, 0, &at);
	for (int i = 0; i < at.n; i++) {
		const struct image_topic *t = at.v[i].topic;
		const char *name = arena_printf(&cli->mem, "%.*s-%d", (int)t->name.n, t->name.at,
						at.v[i].number)
					   .at;

		if (!is_meant(cli, t->name, name))
			continue;
		n++;
		if (!verify_one(o, l, &at.v[i], name))
			code = CLI_FAILED;
	}
	return n ? code : CLI_MISSING;
}

int cmd_partitions_verify(struct cli *cli)
{
	struct local l;
	struct view v;
	struct out o;
	int code;

	local_init(&l, cli);
	if ((code = local_open(&l)) || (code = view_load(cli, &v)))
		return code;
	out_begin(&o, cli, "ComparisonList", columns, ARRAY_LEN(columns));
	code = verify_all(cli, &l, &v, &o);
	if (code == CLI_MISSING) {
		out_drop(&o);
		code = cli_fail(cli, CLI_MISSING,
				"no such topic or partition; see: weir partitions list");
	} else {
		out_end(&o);
	}
	view_fini(&v);
	return code;
}
