/* cmd_compare.c - weir log compare and weir partitions verify: replicas' files side by side. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/compare.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
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

/* One partition compared and put into the table; a difference is told on stderr. */
static bool compare_one(struct out *o, const char *name, const char *const *dirs, int n,
			int64_t bound)
{
	struct compare_result r;
	enum err e = compare_replicas(o->cli, dirs, n, bound, &r);
	const char *verdict = e ? "unreadable" : r.same ? "equal" : "DIFFERENT";

	out_z(o, name);
	out_i64(o, n);
	out_i64(o, i64_max(0, r.from));
	out_i64(o, r.to);
	out_i64(o, bound);
	out_i64(o, r.batches);
	out_i64(o, r.bytes);
	o->color = e || !r.same ? OUT_RED : OUT_GREEN;
	out_z(o, verdict);
	if (e)
		fprintf(stderr, "%s: %s\n", name, err_text(e));
	else if (!r.same)
		fprintf(stderr, "%s: %s\n", name, r.why);
	else if (r.to < bound)
		fprintf(stderr,
			"%s: the files end at %" PRId64 ", below the high watermark %" PRId64 "\n",
			name, r.to, bound);
	return !e && r.same && r.to >= bound;
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

static int compare_dirs(struct cli *cli, struct out *o, DIR *first, int64_t below)
{
	int code = CLI_OK, n_compared = 0;

	for (struct dirent *f = readdir(first); f; f = readdir(first)) {
		const char *dirs[COMPARE_REPLICAS_MAX];
		int n = 0;
		int64_t bound;

		if (!is_partition_dir(f->d_name) || !wanted(cli, f->d_name))
			continue;
		for (int i = 0; i < cli->n_args; i++) {
			const char *dir =
				arena_printf(&cli->mem, "%s/%s", cli->args[i], f->d_name).at;

			if (access(dir, F_OK) == 0)
				dirs[n++] = dir;
		}
		bound = below >= 0 ? below : checkpointed(cli, f->d_name);
		if (bound < 0) {
			fprintf(stderr,
				"%s: no checkpoint knows its high watermark; say --below OFFSET\n",
				f->d_name);
			code = CLI_FAILED;
		} else if (!compare_one(o, cli_z(cli, str_of(f->d_name)), dirs, n, bound)) {
			code = CLI_FAILED;
		}
		n_compared++;
	}
	if (n_compared == 0)
		return cli_fail(cli, CLI_MISSING, "%s holds no such partition", cli->args[0]);
	return code;
}

int cmd_log_compare(struct cli *cli)
{
	int64_t below;
	struct out o;
	DIR *first;
	int code;

	if (!cli_number(cli, "below", -1, &below))
		return CLI_USAGE;
	first = opendir(cli->args[0]);
	if (!first)
		return cli_fail(cli, CLI_MISSING, "%s is no directory that can be read",
				cli->args[0]);
	out_begin(&o, cli, "ComparisonList", columns, ARRAY_LEN(columns));
	code = compare_dirs(cli, &o, first, below);
	closedir(first);
	if (code == CLI_MISSING)
		out_drop(&o);
	else
		out_end(&o);
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
		fprintf(stderr, "%s: its leader does not say the high watermark\n", name);
		return false;
	}
	for (int32_t i = 0; i < part->replicas.n; i++)
		dirs[i] = arena_printf(&o->cli->mem, "%s/broker-%d/data/%s", l->dir,
				       part->replicas.v[i], name)
				  .at;
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
