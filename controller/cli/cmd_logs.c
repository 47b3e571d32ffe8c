/* cmd_logs.c - weir local logs: the last lines that the local cluster's processes wrote. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/local.h"
#include "controller/cli/local_view.h"
#include "controller/cli/out.h"

#include <stdio.h>

#define LINES_DEFAULT 20
#define BLOCK (64 << 10)
#define FOLLOW_MS 100

static const struct out_column columns[] = {
	{ "NODE", "id", OUT_RIGHT },
	{ "LINE", "line", OUT_LEFT },
};

struct tailed {
	const struct local_node *node;
	int64_t at; /* how much of its log was printed */
};

static void print_line(struct cli *cli, struct out *o, const struct local_node *n, struct str line)
{
	if (out_is_for_people(cli)) {
		printf("%3d  %.*s\n", n->id, (int)line.n, line.at);
		return;
	}
	out_i64(o, n->id);
	out_str(o, line);
}

/* Whole lines only; a line that is still being written comes later. */
static void print_new(struct cli *cli, struct out *o, struct tailed *t, char *block)
{
	FILE *f = fopen(t->node->log, "re");
	size_t n, done = 0;

	if (!f)
		return;
	if (fseek(f, (long)t->at, SEEK_SET) == 0 && (n = fread(block, 1, BLOCK, f)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (block[i] != '\n')
				continue;
			print_line(cli, o, t->node, (struct str){ block + done, i - done });
			done = i + 1;
		}
		t->at += (int64_t)(done ? done : n == BLOCK ? n : 0);
	}
	fclose(f);
}

/* Where the last `lines` lines begin, within the last block. */
static int64_t begin_of_last(const char *path, int64_t lines, char *block)
{
	FILE *f = fopen(path, "re");
	int64_t size = 0, from = 0, n = 0;

	if (!f)
		return 0;
	if (fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	from = i64_max(0, size - BLOCK);
	if (size > 0 && fseek(f, (long)from, SEEK_SET) == 0)
		n = (int64_t)fread(block, 1, BLOCK, f);
	fclose(f);
	for (int64_t i = n - 1; i > 0; i--)
		if (block[i - 1] == '\n' && --lines <= 0)
			return from + i;
	return from;
}

static int choose(struct cli *cli, struct local *l, struct tailed *v, int *n)
{
	struct local_node *one;
	int code;

	*n = 0;
	if (cli->n_args) {
		if ((code = local_choose(cli, l, &one)))
			return code;
		v[(*n)++].node = one;
		return CLI_OK;
	}
	local_init(l, cli);
	if ((code = local_open(l)))
		return code;
	for (int i = 0; i < l->n_nodes; i++)
		v[(*n)++].node = &l->nodes[i];
	return CLI_OK;
}

/* What is new in all of them, as one list. */
static void print_all(struct cli *cli, struct tailed *v, int n, char *block)
{
	struct out o;

	out_begin(&o, cli, "LogLineList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < n; i++)
		print_new(cli, &o, &v[i], block);
	if (out_is_for_people(cli) || (o.n_cells == 0 && cli_switch(cli, "follow")))
		out_drop(&o);
	else
		out_end(&o);
}

int cmd_local_logs(struct cli *cli)
{
	struct tailed v[LOCAL_NODES_MAX] = { 0 };
	char *block = arena_must(&cli->mem, BLOCK);
	int64_t lines;
	struct local l;
	int n, code;

	if (!cli_number(cli, "lines", LINES_DEFAULT, &lines))
		return CLI_USAGE;
	if (cli_switch(cli, "follow") && cli->format == FORMAT_JSON)
		cli->format = FORMAT_JSONL; /* there is no end at which to close the list */
	if ((code = choose(cli, &l, v, &n)))
		return code;
	for (int i = 0; i < n; i++)
		v[i].at = begin_of_last(v[i].node->log, lines, block);
	for (;;) {
		print_all(cli, v, n, block);
		cli->headers = false; /* once is enough */
		if (!cli_switch(cli, "follow"))
			return CLI_OK;
		fflush(stdout);
		cli_sleep_ms(FOLLOW_MS);
	}
}
