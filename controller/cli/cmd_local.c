/* cmd_local.c - weir local status, kill, pause, resume, down, purge, env.
 *
 * down stops brokers before the controller, so that their leaders can move away; purge deletes only
 * a directory that carries our mark (cluster.properties). */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/confirm.h"
#include "controller/cli/local.h"
#include "controller/cli/local_view.h"
#include "controller/cli/out.h"
#include "controller/cli/profile.h"

#include <signal.h>
#include <stdio.h>

/* A SIGKILL needs no time, a controlled shutdown up to its own timeout. */
#define KILL_WAIT_MS 5000
#define SIGNAL_WAIT_MS 1000
#define LOOK_EVERY_MS 2
#define STOP_WAIT_MS 30000

/* ---- status -------------------------------------------------------------------------------- */

static void status_row(struct out *o, const struct local_node *n)
{
	static const char *const states[] = { "down", "running", "paused" };
	static const enum out_color colors[] = { OUT_RED, OUT_PLAIN, OUT_YELLOW };

	out_i64(o, n->id);
	out_z(o, n->role);
	o->color = colors[n->state];
	out_z(o, states[n->state]);
	if (n->pid) {
		out_i64(o, n->pid);
		out_bytes(o, n->rss_bytes);
		out_duration(o, n->uptime_ms);
	} else {
		out_none(o);
		out_none(o);
		out_none(o);
	}
	out_i64(o, n->port);
	out_z(o, arena_printf(&o->cli->mem, "127.0.0.1:%d", n->port).at);
	out_z(o, n->dir);
	out_z(o, n->log);
}

bool local_tell_nodes(struct local *l)
{
	static const struct out_column columns[] = {
		{ "NODE", "id", OUT_RIGHT },       { "ROLE", "role", OUT_LEFT },
		{ "STATE", "state", OUT_LEFT },    { "PID", "pid", OUT_RIGHT },
		{ "RSS", "rss_bytes", OUT_RIGHT }, { "UPTIME", "uptime_ms", OUT_RIGHT },
		{ "PORT", "port", OUT_RIGHT },     { "ADDRESS", "address", OUT_WIDE },
		{ "DIRECTORY", "dir", OUT_WIDE },  { "LOG", "log", OUT_LEFT },
	};
	bool all_run = true;
	struct out o;

	local_look(l);
	out_begin(&o, l->cli, "LocalNodeList", columns, ARRAY_LEN(columns));
	for (int i = 0; i < l->n_nodes; i++) {
		status_row(&o, &l->nodes[i]);
		all_run &= l->nodes[i].state == LOCAL_RUNNING;
	}
	out_end(&o);
	return all_run;
}

int cmd_local_status(struct cli *cli)
{
	struct local l;
	int code;

	local_init(&l, cli);
	if ((code = local_open(&l)))
		return code;
	return local_tell_nodes(&l) ? CLI_OK : CLI_FAILED;
}

static const struct out_column changes[] = {
	{ "NODE", "id", OUT_RIGHT }, { "ROLE", "role", OUT_LEFT },     { "DONE", "done", OUT_LEFT },
	{ "PID", "pid", OUT_RIGHT }, { "TOOK", "took_ms", OUT_RIGHT },
};

static void change_row(struct out *o, const char *done, const struct local_node *n, pid_t pid,
		       int64_t took_ms)
{
	out_i64(o, n->id);
	out_z(o, n->role);
	out_z(o, done);
	if (pid)
		out_i64(o, pid);
	else
		out_none(o);
	if (took_ms >= 0)
		out_i64(o, took_ms);
	else
		out_none(o);
}

void local_tell(struct cli *cli, const char *done, const struct local_node *n, int64_t took_ms)
{
	struct out o;

	if (out_is_for_people(cli)) {
		printf("%s %s %d   pid %d", done, n->role, n->id, (int)n->pid);
		if (took_ms >= 0)
			printf("   ready in %s", text_of_duration(cli, took_ms));
		putchar('\n');
		return;
	}
	out_begin(&o, cli, "LocalChangeList", changes, ARRAY_LEN(changes));
	change_row(&o, done, n, n->pid, took_ms);
	out_end(&o);
}

int cmd_local_env(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "VARIABLE", "variable", OUT_LEFT },
		{ "VALUE", "value", OUT_LEFT },
	};
	struct local l;
	struct out o;
	int code;

	local_init(&l, cli);
	if ((code = local_open(&l)))
		return code;
	if (out_is_for_people(cli)) {
		printf("export WEIR_BOOTSTRAP=%s\n", local_bootstrap(&l));
		return CLI_OK;
	}
	out_begin(&o, cli, "LocalEnvList", columns, ARRAY_LEN(columns));
	out_z(&o, "WEIR_BOOTSTRAP");
	out_z(&o, local_bootstrap(&l));
	out_end(&o);
	return CLI_OK;
}

/* ---- kill, pause, resume ------------------------------------------------------------------- */

int cmd_local_kill(struct cli *cli)
{
	struct local_node *n;
	struct local l;
	int code = local_choose(cli, &l, &n);
	pid_t pid;

	if (code)
		return code;
	pid = n->pid;
	if (!local_signal(&l, n, SIGKILL))
		return cli_fail(cli, CLI_FAILED, "%s %d does not run", n->role, n->id);
	if (!local_wait_end(&l, n, cli_now_ms() + KILL_WAIT_MS))
		return cli_fail(cli, CLI_FAILED, "%s %d (pid %d) got SIGKILL and is still there",
				n->role, n->id, (int)pid);
	n->pid = pid;
	local_tell(cli, "killed", n, -1);
	return CLI_OK;
}

static int signal_one(struct cli *cli, int signal_number, const char *done)
{
	enum local_state wanted = signal_number == SIGSTOP ? LOCAL_PAUSED : LOCAL_RUNNING;
	int64_t deadline_ms = cli_now_ms() + SIGNAL_WAIT_MS;
	struct local_node *n;
	struct local l;
	int code = local_choose(cli, &l, &n);

	if (code)
		return code;
	if (!local_signal(&l, n, signal_number))
		return cli_fail(cli, CLI_FAILED,
				"%s %d does not run; start it: weir local restart %d", n->role,
				n->id, n->id);
	/* The signal is only sent: what comes next may count on its effect. */
	while (cli_now_ms() < deadline_ms && n->state != wanted) {
		cli_sleep_ms(LOOK_EVERY_MS);
		local_look_node(&l, n);
	}
	local_tell(cli, done, n, -1);
	return CLI_OK;
}

int cmd_local_pause(struct cli *cli)
{
	return signal_one(cli, SIGSTOP, "paused");
}

int cmd_local_resume(struct cli *cli)
{
	return signal_one(cli, SIGCONT, "resumed");
}

/* ---- down, purge --------------------------------------------------------------------------- */

/* All of a role at once; whoever does not end in time is killed, and we say so. */
static void stop_role(struct local *l, bool brokers, int signal_number)
{
	int64_t deadline_ms = cli_now_ms() + i64_min(STOP_WAIT_MS, l->cli->timeout_ms);

	for (int i = 0; i < l->n_nodes; i++) {
		if (l->nodes[i].is_broker != brokers)
			continue;
		local_signal(l, &l->nodes[i], signal_number);
		local_signal(l, &l->nodes[i], SIGCONT); /* a paused one could not stop by itself */
	}
	for (int i = 0; i < l->n_nodes; i++) {
		struct local_node *n = &l->nodes[i];

		if (n->is_broker != brokers || local_wait_end(l, n, deadline_ms))
			continue;
		fprintf(stderr, "%s %d did not stop in time: killing it\n", n->role, n->id);
		local_signal(l, n, SIGKILL);
		if (!local_wait_end(l, n, cli_now_ms() + KILL_WAIT_MS))
			fprintf(stderr, "%s %d (pid %d) got SIGKILL and is still there\n", n->role,
				n->id, (int)n->pid);
	}
}

/* Their pids as they were, 0 for those that did not run; their number. */
static int stop_all(struct local *l, int signal_number, pid_t *pids)
{
	int running = 0;

	local_look(l);
	for (int i = 0; i < l->n_nodes; i++) {
		pids[i] = l->nodes[i].pid;
		running += pids[i] != 0;
	}
	if (running) {
		stop_role(l, true, signal_number);
		stop_role(l, false, signal_number);
	}
	return running;
}

/* The same for those who do not read sentences: a row per node, without one for who did not run
 * unless all were deleted. */
static void tell_all(struct local *l, const char *done, const pid_t *pids, bool all,
		     int64_t took_ms)
{
	struct out o;

	out_begin(&o, l->cli, "LocalChangeList", changes, ARRAY_LEN(changes));
	for (int i = 0; i < l->n_nodes; i++)
		if (all || pids[i])
			change_row(&o, done, &l->nodes[i], pids[i], took_ms);
	out_end(&o);
}

int cmd_local_down(struct cli *cli)
{
	int64_t began_ms = cli_now_ms(), took_ms;
	pid_t pids[LOCAL_NODES_MAX];
	struct local l;
	int code, stopped;

	local_init(&l, cli);
	if ((code = local_open(&l)))
		return code;
	stopped = stop_all(&l, cli_switch(cli, "kill") ? SIGKILL : SIGTERM, pids);
	took_ms = cli_now_ms() - began_ms;
	if (!out_is_for_people(cli))
		tell_all(&l, "stopped", pids, false, took_ms);
	else if (stopped)
		printf("stopped %d processes in %s   data stays in %s\n", stopped,
		       text_of_duration(cli, took_ms), l.dir);
	else
		puts("nothing runs");
	return CLI_OK;
}

int cmd_local_purge(struct cli *cli)
{
	int64_t began_ms = cli_now_ms();
	pid_t pids[LOCAL_NODES_MAX];
	struct local l;
	int code;

	local_init(&l, cli);
	if ((code = local_open(&l)) ||
	    (code = confirm(cli, "delete the local cluster and all its data,", l.name, NULL)))
		return code;
	stop_all(&l, SIGKILL, pids);
	if ((code = local_remove(&l, false)))
		return code;
	profile_forget(cli, l.dir);
	if (out_is_for_people(cli))
		printf("deleted %s\n", l.dir);
	else
		tell_all(&l, "deleted", pids, true, cli_now_ms() - began_ms);
	return CLI_OK;
}
