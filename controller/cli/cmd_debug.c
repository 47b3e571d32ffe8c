/* cmd_debug.c - weir debug bundle and trace: what somebody else needs to see what happened, and one
 * partition watched closely.
 *
 * A bundle is other commands' answers, each in a file.  Brokers do not tell what is sensitive, so
 * nothing has to be taken out. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"
#include "controller/cli/profile.h"
#include "controller/cli/times.h"
#include "controller/cli/view.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* ---- bundle ---------------------------------------------------------------------------------- */

struct piece {
	const char *file, *path; /* of the command */
	const char *arg, *flag, *value;
};

struct bundle {
	struct cli *cli;
	const char *dir;
	struct out out;
	int pieces, failed;
};

static const struct cmd *command_at(const char *path)
{
	for (int i = 0; i < n_commands; i++)
		if (strcmp(commands[i].path, path) == 0)
			return &commands[i];
	UNREACHABLE(); /* our own table */
}

/* Runs it as if it had been typed with -o json, its answer into the file. */
static void add(struct bundle *b, const struct piece *p)
{
	const char *path = arena_printf(&b->cli->mem, "%s/%s", b->dir, p->file).at;
	struct cli was = *b->cli, *cli = b->cli;
	FILE *real = stdout, *file = fopen(path, "we");
	struct stat st = { 0 };
	int code = CLI_FAILED;

	b->pieces++;
	if (file) {
		cli->cmd = command_at(p->path);
		cli->format = cli->cmd->json ? FORMAT_JSON : FORMAT_TABLE;
		cli->n_args = p->arg ? 1 : 0;
		cli->args[0] = p->arg;
		if (p->flag && cli->n_given < CLI_GIVEN_MAX) {
			cli->given[cli->n_given].name = p->flag;
			cli->given[cli->n_given++].value = p->value;
		}
		fflush(stdout);
		stdout = file;
		code = cli_run(cli);
		stdout = real;
		if (fclose(file) != 0)
			code = CLI_FAILED;
	}
	was.mem = cli->mem;
	was.link = cli->link;
	*cli = was;
	(void)stat(path, &st);
	out_z(&b->out, p->file);
	out_z(&b->out, arena_printf(&cli->mem, "weir %s%s%s", p->path, p->arg ? " " : "",
				    p->arg ? p->arg : "")
			       .at);
	out_i64(&b->out, code);
	out_bytes(&b->out, st.st_size);
	b->failed += code != CLI_OK && code != CLI_FAILED; /* 1: it found something */
}

static void add_brokers(struct bundle *b)
{
	struct view v;

	if (view_load(b->cli, &v))
		return;
	for (int32_t i = 0; i < v.image->n_brokers; i++) {
		int32_t id = v.image->brokers[i]->id;

		add(b,
		    &(struct piece){ arena_printf(&b->cli->mem, "configs-broker-%d.json", id).at,
				     "configs list",
				     arena_printf(&b->cli->mem, "brokers/%d", id).at, "all", "" });
		add(b, &(struct piece){ arena_printf(&b->cli->mem, "api-versions-%d.json", id).at,
					"brokers api-versions",
					arena_printf(&b->cli->mem, "%d", id).at, NULL, NULL });
	}
	view_fini(&v);
}

static const char *bundle_dir(struct cli *cli)
{
	time_t now = (time_t)(time_now_ms() / 1000);
	char text[64];
	struct tm tm;

	if (cli->n_args)
		return cli->args[0];
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "weir-debug-%Y%m%dT%H%M%SZ", &tm);
	return cli_z(cli, str_of(text));
}

static void add_all(struct bundle *b)
{
	static const struct piece pieces[] = {
		{ .file = "version.json", .path = "version" },
		{ .file = "cluster-health.json", .path = "cluster health" },
		{ .file = "cluster-check.json", .path = "cluster check" },
		{ .file = "cluster-features.json", .path = "cluster features" },
		{ .file = "quorum.json", .path = "quorum describe" },
		{ .file = "brokers.json", .path = "brokers list" },
		{ .file = "log-directories.json", .path = "brokers logdirs" },
		{ .file = "topics.json", .path = "topics describe" },
		{ .file = "moves.json", .path = "replicas status" },
		{ .file = "configs.json", .path = "configs list" },
		{ .file = "doctor.json", .path = "doctor" },
		{ .file = "events.json", .path = "events", .flag = "last", .value = "5000" },
	};
	struct local l;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		add(b, &pieces[i]);
	add(b, &(struct piece){ .file = "metadata-saved.txt",
				.path = "metadata snapshot save",
				.arg = arena_printf(&b->cli->mem, "%s/metadata.weir", b->dir).at });
	add_brokers(b);
	local_init(&l, b->cli);
	if (!cli_flag(b->cli, "bootstrap") && local_exists(&l))
		add(b, &(struct piece){ .file = "local-logs.json",
					.path = "local logs",
					.flag = "lines",
					.value = "1000" });
}

/* Files of others are not written over: a directory that is there must be empty. */
static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n <= 2; /* . and .. */
}

int cmd_debug_bundle(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "FILE", "file", OUT_LEFT },
		{ "COMMAND", "command", OUT_LEFT },
		{ "EXIT", "exit", OUT_RIGHT },
		{ "SIZE", "bytes", OUT_RIGHT },
	};
	struct bundle b = { .cli = cli, .dir = bundle_dir(cli) };
	enum err e = dirs_make(b.dir);

	if (e)
		return cli_fail(cli, CLI_FAILED, "%s: %s; name a directory that can be written",
				b.dir, err_text(e));
	if (!is_empty(b.dir))
		return cli_fail(cli, CLI_UNSAFE,
				"%s is not empty: a bundle wants a directory of its own", b.dir);
	out_begin(&b.out, cli, "BundleList", columns, ARRAY_LEN(columns));
	add_all(&b);
	out_end(&b.out);
	if (out_is_for_people(cli))
		printf("next: tar czf %s.tar.gz %s\n", b.dir, b.dir);
	return b.failed == 0 ? CLI_OK : b.failed < b.pieces ? CLI_PARTLY : CLI_UNREACHABLE;
}

/* ---- trace ----------------------------------------------------------------------------------- */

#define TRACE_MS 10000
#define TRACE_EVERY_MS 100

struct sight {
	int32_t leader, leader_epoch;
	struct image_ids isr, replicas;
	struct replica_offsets at;
};

static const struct out_column sights[] = {
	{ "AFTER", "after_ms", OUT_RIGHT },
	{ "LEADER", "leader", OUT_RIGHT },
	{ "EPOCH", "leader_epoch", OUT_RIGHT },
	{ "ISR", "isr", OUT_LEFT },
	{ "HW", "hw", OUT_RIGHT },
	{ "ENDS", "ends", OUT_LEFT },
};

static bool look(struct cli *cli, const struct topic_partition *tp, struct sight *out, int *code)
{
	const char *name = cli_z(cli, tp->topic);
	const struct image_topic *t;
	struct offsets offsets;
	struct view v;

	if ((*code = view_load(cli, &v)))
		return false;
	t = image_topic_named(v.image, tp->topic);
	if (!t || tp->partition >= t->n_partitions) {
		*code = cli_fail(cli, CLI_MISSING, "there is no %s (UNKNOWN_TOPIC_OR_PARTITION)",
				 cli->args[0]);
	} else {
		const struct image_partition *p = &t->partitions[tp->partition];

		offsets_load(cli, &v, &name, 1, &offsets);
		*out = (struct sight){ p->leader, p->leader_epoch, p->isr, p->replicas,
				       *offsets_find(&offsets, t, tp->partition) };
	}
	view_fini(&v);
	return *code == CLI_OK;
}

static bool same_ids(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}

static bool same_sight(const struct sight *a, const struct sight *b)
{
	return a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
	       same_ids(&a->isr, &b->isr) && same_ids(&a->replicas, &b->replicas) &&
	       a->at.hw == b->at.hw && a->at.start == b->at.start &&
	       memcmp(a->at.end, b->at.end, (size_t)a->replicas.n * sizeof(a->at.end[0])) == 0;
}

/* "1:1200 2:1200 3:-": replicas and their ends. */
static const char *ends_text(struct cli *cli, const struct sight *s)
{
	size_t cap = 40 * IMAGE_REPLICAS_MAX;
	struct text t;

	text_init(&t, arena_must(&cli->mem, cap), cap);
	for (int32_t i = 0; i < s->replicas.n; i++) {
		text_printf(&t, "%s%d:", i ? " " : "", s->replicas.v[i]);
		if (s->at.end[i] < 0)
			text_printf(&t, "-");
		else
			text_printf(&t, "%" PRId64, s->at.end[i]);
	}
	return t.at;
}

static void tell(struct cli *cli, const struct sight *s, int64_t after_ms)
{
	struct out o;

	if (out_is_for_people(cli)) {
		printf("t+%2" PRId64 ".%03" PRId64 "s   leader %d epoch %d   ISR {%s}   hw %" PRId64
		       "   ends %s\n",
		       after_ms / 1000, after_ms % 1000, s->leader, s->leader_epoch,
		       text_of_ids(cli, s->isr.v, s->isr.n), s->at.hw, ends_text(cli, s));
	} else {
		out_begin(&o, cli, "PartitionTrace", sights, ARRAY_LEN(sights));
		out_i64(&o, after_ms);
		out_i64(&o, s->leader);
		out_i64(&o, s->leader_epoch);
		out_ids(&o, s->isr.v, s->isr.n);
		out_i64(&o, s->at.hw);
		out_z(&o, ends_text(cli, s));
		out_end(&o);
	}
	fflush(stdout);
}

int cmd_debug_trace(struct cli *cli)
{
	int64_t for_ms, every_ms, began_ms = cli_now_ms();
	struct topic_partition tp;
	struct sight was, is;
	bool told = false;
	int code;

	if (!cli_partition_arg(cli, cli->args[0], &tp) ||
	    !cli_duration(cli, "for", TRACE_MS, &for_ms) ||
	    !cli_duration(cli, "every", TRACE_EVERY_MS, &every_ms))
		return CLI_USAGE;
	if (cli->format == FORMAT_JSON)
		cli->format = FORMAT_JSONL; /* a stream */
	for (;;) {
		if (!look(cli, &tp, &is, &code))
			return code;
		if (!told || !same_sight(&was, &is))
			tell(cli, &is, cli_now_ms() - began_ms);
		told = true;
		was = is;
		if (cli_now_ms() - began_ms >= for_ms)
			return CLI_OK;
		cli_sleep_ms(i64_max(every_ms, 1));
	}
}
