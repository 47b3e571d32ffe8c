/* local.c - the files of a local cluster: its shape, its nodes' configs, what their logs say. */
#include "controller/cli/local.h"
#include "common/base/text.h"
#include "controller/cli/files.h"
#include "controller/cli/profile.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LIST_BYTES 2048
#define LAST_WORDS 6 /* lines of a log worth showing */
#define OPEN_FILES_MAX 16
#define BASE_PORT 19092 /* far below what the system hands out by itself (32768 and up) */
#define PORT_STEP 100

static const char *absolute(struct cli *cli, const char *path)
{
	char here[4096];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return path;
	return arena_printf(&cli->mem, "%s/%s", here, path).at;
}

static const char *marker(const struct local *l)
{
	return arena_printf(&l->cli->mem, "%s/cluster.properties", l->dir).at;
}

/* --dir, else --name, else the cluster of the profile, else the one called dev. */
void local_init(struct local *l, struct cli *cli)
{
	const char *dir = cli_flag(cli, "dir"), *name = cli_flag(cli, "name");
	struct profile last;

	*l = (struct local){ .cli = cli,
			     .n_brokers = 3,
			     .n_controllers = 1,
			     .base_port = BASE_PORT,
			     .port_step = PORT_STEP };
	if (dir)
		l->dir = absolute(cli, dir);
	else if (!name && profile_load(cli, &last))
		l->dir = last.dir;
	else
		l->dir = arena_printf(&cli->mem, "%s/%s", profile_state_dir(cli),
				      name ? name : "dev")
				 .at;
	l->name = strrchr(l->dir, '/') ? strrchr(l->dir, '/') + 1 : l->dir;
}

bool local_exists(const struct local *l)
{
	return access(marker(l), F_OK) == 0;
}

static void read_number(struct str text, const char *key, int32_t *out)
{
	struct str value = properties_get(text, key);
	int32_t number;

	if (!str_null(value) && !parse_i32(value, &number))
		*out = number;
}

int local_open(struct local *l)
{
	struct str text;
	enum err e = file_read_all(l->cli, marker(l), &text);

	if (e == ERR_NOT_FOUND)
		return cli_fail(l->cli, CLI_MISSING,
				"no local cluster in %s; start one: weir local up", l->dir);
	if (e)
		return cli_fail(l->cli, CLI_FAILED, "%s: %s", marker(l), err_text(e));
	read_number(text, "brokers", &l->n_brokers);
	read_number(text, "controllers", &l->n_controllers);
	read_number(text, "base.port", &l->base_port);
	read_number(text, "port.step", &l->port_step);
	if (l->n_brokers < 1 || l->n_controllers < 1 ||
	    l->n_brokers + l->n_controllers > LOCAL_NODES_MAX)
		return cli_fail(l->cli, CLI_FAILED,
				"%s makes no sense: brokers and controllers must be 1 or more, "
				"%d in all at most",
				marker(l), LOCAL_NODES_MAX);
	local_layout(l);
	return CLI_OK;
}

static void add_node(struct local *l, bool is_broker, int32_t id, int32_t port)
{
	struct local_node *n = &l->nodes[l->n_nodes++];
	struct arena *mem = &l->cli->mem;
	const char *role = is_broker ? "broker" : "controller";
	const char *dir = arena_printf(mem, "%s/%s-%d", l->dir, role, id).at;

	*n = (struct local_node){
		.id = id, .port = port, .is_broker = is_broker, .role = role, .dir = dir
	};
	n->log = arena_printf(mem, "%s/%s.log", dir, role).at;
	n->config = arena_printf(mem, "%s/%s.properties", dir, role).at;
}

void local_layout(struct local *l)
{
	l->n_nodes = 0;
	for (int32_t i = 0; i < l->n_controllers; i++)
		add_node(l, false, LOCAL_CONTROLLER_FIRST + i, l->base_port + 1 + i * l->port_step);
	for (int32_t i = 0; i < l->n_brokers; i++)
		add_node(l, true, 1 + i, l->base_port + i * l->port_step);
}

static const char *addresses(const struct local *l, bool brokers)
{
	struct text t;

	text_init(&t, arena_must(&l->cli->mem, LIST_BYTES), LIST_BYTES);
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].is_broker == brokers)
			text_printf(&t, "%s127.0.0.1:%d", t.n ? "," : "", l->nodes[i].port);
	return t.at;
}

const char *local_bootstrap(const struct local *l)
{
	return addresses(l, true);
}

const char *local_controllers(const struct local *l)
{
	return addresses(l, false);
}

/* ---- removing ------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Only what we made: the nodes' directories and the marker, then the directory if it is empty. */
int local_remove(struct local *l, bool keep_logs)
{
	for (int i = 0; i < l->n_nodes; i++) {
		const char *dir = l->nodes[i].dir;

		if (keep_logs)
			dir = arena_printf(&l->cli->mem, "%s/data", dir).at;
		if (access(dir, F_OK) == 0 &&
		    nftw(dir, remove_one, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS) != 0)
			return cli_fail(l->cli, CLI_FAILED, "cannot remove all of %s", dir);
	}
	unlink(marker(l));
	rmdir(l->dir);
	return CLI_OK;
}

/* ---- what the logs say --------------------------------------------------------------------- */

void local_show_ignored(struct local *l, const struct local_node *n)
{
	static const char sign[] = " WARN  conf option ignored why=";
	struct str text, line;

	if (file_read_all(l->cli, n->log, &text) || text.n <= (size_t)n->log_from)
		return;
	text = (struct str){ text.at + n->log_from, text.n - (size_t)n->log_from };
	while (str_cut(&text, '\n', &line)) {
		const char *at = memmem(line.at, line.n, sign, sizeof(sign) - 1);

		if (!at)
			continue;
		at += sizeof(sign) - 1;
		fprintf(stderr, "warning: %s %d ignores an option: %.*s\n", n->role, n->id,
			(int)(line.at + line.n - at), at);
	}
}

void local_show_last_words(struct local *l, const struct local_node *n)
{
	struct str text, line;
	const char *from;

	if (file_read_all(l->cli, n->log, &text) || text.n == 0)
		return;
	from = text.at + text.n;
	for (int lines = 0; from > text.at; from--)
		if (from[-1] == '\n' && from != text.at + text.n && ++lines == LAST_WORDS)
			break;
	text = (struct str){ from, (size_t)(text.at + text.n - from) };
	fprintf(stderr, "last lines of %s:\n", n->log);
	while (str_cut(&text, '\n', &line))
		if (line.n)
			fprintf(stderr, "  %.*s\n", (int)line.n, line.at);
}

const char *local_partition_dir(struct local *l, int32_t broker, const char *partition)
{
	const char *home = arena_printf(&l->cli->mem, "%s/broker-%d", l->dir, broker).at;
	const char *conf = arena_printf(&l->cli->mem, "%s/broker.properties", home).at;
	const char *path = NULL, *first = NULL;
	struct str text, dirs = { 0 }, dir;

	if (!file_read_all(l->cli, conf, &text))
		dirs = properties_get(text, "log.dirs");
	while (str_cut(&dirs, ',', &dir)) {
		dir = str_trim(dir);
		path = arena_printf(&l->cli->mem, "%.*s/%s", (int)dir.n, dir.at, partition).at;
		if (access(path, F_OK) == 0)
			return path;
		first = first ? first : path;
	}
	return first ? first : arena_printf(&l->cli->mem, "%s/data/%s", home, partition).at;
}

const char *local_log_path(struct cli *cli)
{
	const char *broker = cli_flag(cli, "broker");
	struct local l;
	int32_t id;

	if (!broker)
		return cli->args[0];
	local_init(&l, cli);
	if (parse_i32(str_of(broker), &id)) /* no such folder: whoever opens it says so */
		return arena_printf(&cli->mem, "%s/broker-%s", l.dir, broker).at;
	return local_partition_dir(&l, id, cli->args[0]);
}
