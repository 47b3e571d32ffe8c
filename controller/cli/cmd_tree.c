/* cmd_tree.c - weir metadata ls, cat, diff: the state as a tree, now or as it was at an offset.
 *
 * A state of the past is the fold of the log up to the record; so the log must still reach back to
 * its beginning.  Where it does not, a file of weir metadata snapshot save may. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/log_reader.h"
#include "controller/cli/out.h"
#include "controller/cli/tree.h"
#include "controller/cli/view.h"

#include <inttypes.h>
#include <stdio.h>

/* The state after the record at `offset`. */
static int image_at(struct cli *cli, int64_t offset, struct image **out)
{
	Weir__LogEntries *log;
	int code = log_reader_all(cli, offset + 1, &log);

	*out = NULL;
	if (code)
		return code;
	if (log->start > 0)
		return cli_fail(cli, CLI_MISSING,
				"the log begins at offset %" PRId64 ": the state at %" PRId64
				" cannot be folded from it; keep states with weir metadata "
				"snapshot save",
				log->start, offset);
	if (log->end <= offset)
		return cli_fail(cli, CLI_MISSING,
				"there is no record %" PRId64 " yet: the log ends at %" PRId64,
				offset, log->end);
	*out = image_new();
	for (size_t i = 0; i < log->n_entries; i++)
		if (image_apply(*out, log->entries[i]->record) == ERR_INVALID)
			return cli_fail(cli, CLI_FAILED, "record %" PRId64 " makes no sense",
					log->entries[i]->offset);
	return CLI_OK;
}

/* The state now, or at --at. */
static int load(struct cli *cli, struct image **out)
{
	const char *at = cli_flag(cli, "at");
	struct view v;
	int64_t offset;
	int code;

	*out = NULL;
	if (at) {
		if (!cli_number(cli, "at", 0, &offset))
			return CLI_USAGE;
		return image_at(cli, offset, out);
	}
	if ((code = view_load(cli, &v)))
		return code;
	*out = v.image;
	return CLI_OK;
}

/* ---- ls, cat ------------------------------------------------------------------------------- */

static const char *path_of(struct cli *cli)
{
	const char *path = cli->n_args ? cli->args[0] : "/";

	return path[0] == '/' ? path : arena_printf(&cli->mem, "/%s", path).at;
}

static int no_such_path(struct cli *cli, const char *path)
{
	return cli_fail(cli, CLI_MISSING, "there is no %s; see: weir metadata ls", path);
}

/* "/topics", "/topics/orders/0/leader" -> "orders" */
static struct str child_of(const char *path, const char *top)
{
	size_t n = strlen(top);
	struct str rest, head;

	while (n && top[n - 1] == '/')
		n--;
	if (path[n] != '/')
		return (struct str){ 0 };
	rest = str_of(path + n + 1);
	return str_cut(&rest, '/', &head) ? head : (struct str){ 0 };
}

int cmd_metadata_ls(struct cli *cli)
{
	static const struct out_column columns[] = { { "NAME", "name", OUT_LEFT } };
	const char *path = path_of(cli);
	struct str last = { 0 };
	struct image *image;
	struct tree t;
	struct out o;
	int code = load(cli, &image), found = 0;

	if (code)
		goto out;
	tree_of(&t, cli, image);
	out_begin(&o, cli, "MetadataNames", columns, ARRAY_LEN(columns));
	for (int i = 0; i < t.n; i++) {
		struct str name = child_of(t.v[i].path, path);

		if (!tree_is_below(t.v[i].path, path))
			continue;
		found++;
		if (str_null(name) || str_eq(name, last))
			continue;
		out_str(&o, name);
		last = name;
	}
	if (found == 0) {
		out_drop(&o);
		code = no_such_path(cli, path);
	} else {
		out_end(&o);
	}
out:
	image_put(image);
	return code;
}

int cmd_metadata_cat(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "PATH", "path", OUT_LEFT },
		{ "KEY", "key", OUT_LEFT },
		{ "VALUE", "value", OUT_LEFT },
	};
	const char *path = path_of(cli);
	struct image *image;
	struct tree t;
	struct out o;
	int code = load(cli, &image), found = 0;

	if (code)
		goto out;
	tree_of(&t, cli, image);
	out_begin(&o, cli, "MetadataTree", columns, ARRAY_LEN(columns));
	for (int i = 0; i < t.n; i++) {
		if (!tree_is_below(t.v[i].path, path))
			continue;
		found++;
		if (out_is_for_people(cli) && strcmp(t.v[i].text, "-") == 0)
			continue;
		out_z(&o, t.v[i].path);
		out_z(&o, t.v[i].key);
		out_cell(&o, t.v[i].text, t.v[i].json);
	}
	if (found == 0) {
		out_drop(&o);
		code = no_such_path(cli, path);
	} else {
		out_end(&o);
	}
out:
	image_put(image);
	return code;
}

/* ---- diff ---------------------------------------------------------------------------------- */

/* Of what is new, or gone, people are shown the values alone. */
static bool is_dull(const struct cli *cli, const struct tree_leaf *a, const struct tree_leaf *b)
{
	return out_is_for_people(cli) && (!a || !b) && strcmp((a ? a : b)->text, "-") == 0;
}

static void diff_row(struct out *o, const struct tree_leaf *a, const struct tree_leaf *b)
{
	const struct tree_leaf *any = a ? a : b;

	o->color = !a ? OUT_GREEN : !b ? OUT_RED : OUT_YELLOW;
	out_z(o, !a ? "+" : !b ? "-" : "~");
	out_z(o, any->path);
	out_z(o, any->key);
	out_cell(o, a ? a->text : "-", a ? a->json : "null");
	out_cell(o, b ? b->text : "-", b ? b->json : "null");
}

static int print_diff(struct cli *cli, const struct tree *a, const struct tree *b)
{
	static const struct out_column columns[] = {
		{ " ", "change", OUT_LEFT }, { "PATH", "path", OUT_LEFT },
		{ "KEY", "key", OUT_LEFT },  { "OLD", "old", OUT_LEFT },
		{ "NEW", "new", OUT_LEFT },
	};
	int i = 0, j = 0, n = 0;
	struct out o;

	out_begin(&o, cli, "MetadataDiff", columns, ARRAY_LEN(columns));
	while (i < a->n || j < b->n) {
		int d = i == a->n ? 1 : j == b->n ? -1 : tree_order(&a->v[i], &b->v[j]);
		const struct tree_leaf *was = d <= 0 ? &a->v[i] : NULL;
		const struct tree_leaf *now = d >= 0 ? &b->v[j] : NULL;
		bool same = was && now && strcmp(was->json, now->json) == 0;

		if (!same && !is_dull(cli, was, now))
			diff_row(&o, was, now);
		n += !same;
		i += d <= 0;
		j += d >= 0;
	}
	if (n == 0 && out_is_for_people(cli)) {
		out_drop(&o);
		puts("no difference");
	} else {
		out_end(&o);
	}
	return n;
}

/* An offset, a file of weir metadata snapshot save, or "now". */
static int load_side(struct cli *cli, const char *text, struct image **out)
{
	struct view v;
	int64_t offset;
	int code;

	*out = NULL;
	if (!parse_i64(str_of(text), &offset))
		return offset < 0 ? cli_fail(cli, CLI_USAGE, "%s is no offset", text)
				  : image_at(cli, offset, out);
	if (strcmp(text, "now") != 0 && cli->n_given < CLI_GIVEN_MAX) {
		cli->given[cli->n_given].name = "saved";
		cli->given[cli->n_given++].value = text;
	}
	code = view_load(cli, &v);
	if (strcmp(text, "now") != 0)
		cli->n_given--;
	if (!code)
		*out = v.image;
	return code;
}

/* Exit code 1 when they differ, as diff has it. */
int cmd_metadata_diff(struct cli *cli)
{
	struct image *a = NULL, *b = NULL;
	struct tree old, new;
	int code = load_side(cli, cli->args[0], &a);

	if (!code)
		code = load_side(cli, cli->n_args > 1 ? cli->args[1] : "now", &b);
	if (!code) {
		tree_of(&old, cli, a);
		tree_of(&new, cli, b);
		code = print_diff(cli, &old, &new) ? CLI_FAILED : CLI_OK;
	}
	image_put(a);
	image_put(b);
	return code;
}
