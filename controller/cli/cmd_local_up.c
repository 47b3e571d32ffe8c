/* cmd_local_up.c - weir local up and restart: starting processes and waiting until they serve.
 *
 * Ready is what the controller says: the broker is registered anew and not fenced.  Nothing waits
 * longer than it must: we look again every few milliseconds until the timeout. */
#include "common/base/text.h"
#include "controller/cli/commands.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"
#include "controller/cli/local_view.h"
#include "controller/cli/out.h"
#include "controller/cli/profile.h"

#include <signal.h>
#include <stdio.h>

#define LOOK_EVERY_MS 2
#define ASK_MS 2000
#define FILE_BYTES 16384
#define BASE_STEP 1000
#define EPHEMERAL_FIRST 32768 /* net.ipv4.ip_local_port_range */
#define KILL_WAIT_MS 5000
#define PORT_WAIT_MS 1000
#define SETTLE_MS 100 /* until whoever was told to end has told the controller, or is gone */

/* Broker epochs before the start: a broker is back when it has a newer one. */
struct before {
	int64_t epoch[LOCAL_NODES_MAX]; /* by place in local.nodes; -1 not registered */
	bool started[LOCAL_NODES_MAX];
	bool all; /* nodes that were found running count as well */
};

static int prepare(struct local *);
static void choose_base(struct local *);
static int check_ports(struct local *, bool is_new);
static int make_files(struct local *);
static int bring_up(struct local *, struct before *, int64_t *controller_ms);
static void undo(struct local *);
static void wait_ending(struct local *, int64_t deadline_ms);
static int start_missing(struct local *, bool brokers, struct before *, int *n_started);
static int wait_controller(struct local *, struct before *, int64_t deadline_ms, struct image **);
static void remember(struct local *, const struct image *, struct before *);
static int wait_brokers(struct local *, const struct before *, int64_t deadline_ms);
static int wait_all(struct local *, struct before *, int64_t deadline_ms);
static void print_welcome(struct local *, int64_t controller_ms, int64_t brokers_ms);
static int started(const struct local *, const struct before *);
static void print_back(struct local *, const struct before *, int64_t took_ms);

int cmd_local_up(struct cli *cli)
{
	int64_t began_ms = cli_now_ms(), controller_ms;
	struct before before = { .all = true };
	struct local l;
	bool is_new;
	int code;

	local_init(&l, cli);
	is_new = !local_exists(&l);
	if ((code = prepare(&l)))
		return code;
	code = bring_up(&l, &before, &controller_ms);
	if (code == CLI_FAILED && is_new)
		undo(&l);
	if (code)
		return code;
	if (!cli_flag(cli, "dir") &&
	    profile_save(cli,
			 &(struct profile){ l.dir, local_bootstrap(&l), local_controllers(&l) }))
		return cli_fail(cli, CLI_FAILED, "cannot write the profile in %s",
				profile_state_dir(cli));
	for (int i = 0; i < l.n_nodes; i++)
		local_show_ignored(&l, &l.nodes[i]);
	if (!out_is_for_people(cli))
		(void)local_tell_nodes(&l);
	else if (started(&l, &before) < l.n_nodes)
		print_back(&l, &before, cli_now_ms() - began_ms);
	else
		print_welcome(&l, controller_ms, cli_now_ms() - began_ms);
	return CLI_OK;
}

/* Controllers first: a broker without one waits, and its backoff would cost time. */
static int bring_up(struct local *l, struct before *before, int64_t *controller_ms)
{
	int64_t began_ms = cli_now_ms(), deadline_ms = began_ms + l->cli->timeout_ms;
	struct image *image;
	int code, n;

	wait_ending(l, deadline_ms);
	if ((code = start_missing(l, false, before, &n)) ||
	    (code = wait_controller(l, before, deadline_ms, &image)))
		return code;
	*controller_ms = cli_now_ms() - began_ms;
	remember(l, image, before);
	image_put(image);
	if ((code = start_missing(l, true, before, &n)))
		return code;
	return wait_all(l, before, deadline_ms);
}

/* A new cluster that cannot start would stand in the way of the next try with other options. */
static void undo(struct local *l)
{
	for (int i = 0; i < l->n_nodes; i++) {
		local_signal(l, &l->nodes[i], SIGKILL);
		if (!local_wait_end(l, &l->nodes[i], cli_now_ms() + KILL_WAIT_MS))
			return;
	}
	if (!local_remove(l, true))
		fprintf(stderr, "nothing of it runs; the logs stay in %s\n", l->dir);
}

/* What a command needs to mean the same cluster again. */
static const char *dir_flag(struct local *l)
{
	const char *dir = cli_flag(l->cli, "dir");

	return dir ? arena_printf(&l->cli->mem, " --dir %s", dir).at : "";
}

int cmd_local_restart(struct cli *cli)
{
	int64_t began_ms = cli_now_ms(), deadline_ms = began_ms + cli->timeout_ms;
	struct before before = { 0 };
	struct image *image = NULL;
	struct local_node *n;
	struct local l;
	int code = local_choose(cli, &l, &n), running = 0;

	if (code)
		return code;
	for (int i = 0; i < l.n_controllers; i++)
		running += l.nodes[i].state != LOCAL_DOWN;
	if (n->is_broker && running == 0)
		return cli_fail(cli, CLI_FAILED,
				"controller %d does not run; start all: weir local up%s",
				l.nodes[0].id, dir_flag(&l));
	if (n->is_broker && (code = wait_controller(&l, &before, deadline_ms, &image)))
		return code;
	if (image)
		remember(&l, image, &before);
	image_put(image);
	local_signal(&l, n, cli_switch(cli, "kill") ? SIGKILL : SIGTERM);
	local_signal(&l, n, SIGCONT);
	if (!local_wait_end(&l, n, deadline_ms)) {
		local_signal(&l, n, SIGKILL);
		if (!local_wait_end(&l, n, cli_now_ms() + KILL_WAIT_MS))
			return cli_fail(cli, CLI_FAILED, "%s %d (pid %d) does not end", n->role,
					n->id, (int)n->pid);
	}
	if ((code = local_start(&l, n)))
		return code;
	before.started[n - l.nodes] = true;
	if (n->is_broker)
		code = wait_brokers(&l, &before, deadline_ms);
	else if (!(code = wait_controller(&l, &before, deadline_ms, &image)))
		image_put(image);
	if (!code)
		local_tell(cli, "started", n, cli_now_ms() - began_ms);
	return code;
}

/* ---- shape and files ----------------------------------------------------------------------- */

/* Numbers out of range are kept large enough for check_shape to refuse them with a sentence. */
static bool read_shape(struct local *l)
{
	int64_t brokers, controllers, base, step;

	if (!cli_number(l->cli, "brokers", l->n_brokers, &brokers) ||
	    !cli_number(l->cli, "controllers", l->n_controllers, &controllers) ||
	    !cli_number(l->cli, "base-port", l->base_port, &base) ||
	    !cli_number(l->cli, "port-step", l->port_step, &step))
		return false;
	l->n_brokers = (int32_t)i64_min(brokers, LOCAL_NODES_MAX);
	l->n_controllers = (int32_t)i64_min(controllers, LOCAL_NODES_MAX);
	l->base_port = (int32_t)i64_min(base, UINT16_MAX + 1);
	l->port_step = (int32_t)i64_min(step, UINT16_MAX + 1);
	return true;
}

static int check_shape(struct local *l)
{
	int64_t last = l->base_port + 1 +
		       (int64_t)l->port_step * (i32_max(l->n_brokers, l->n_controllers) - 1);

	if (l->n_brokers < 1 || l->n_brokers >= LOCAL_NODES_MAX)
		return cli_fail(l->cli, CLI_USAGE, "-n: 1 to %d brokers", LOCAL_NODES_MAX - 1);
	if (l->n_controllers != 1 && l->n_controllers != 3 && l->n_controllers != 5)
		return cli_fail(l->cli, CLI_USAGE,
				"--controllers: 1, 3 or 5, of which a majority must be up");
	if (l->port_step < 2 || l->base_port < 1 || last > UINT16_MAX)
		return cli_fail(l->cli, CLI_USAGE,
				"ports would run from %d to %lld: choose a smaller --base-port or "
				"--port-step (2 or more)",
				l->base_port, (long long)last);
	return CLI_OK;
}

/* A new cluster gets its files; an existing one keeps its own. */
static int prepare(struct local *l)
{
	static const char *const shape[] = { "brokers",   "controllers", "base-port",
					     "port-step", "config",      "controller-config" };
	int code;

	if (local_exists(l)) {
		for (size_t i = 0; i < ARRAY_LEN(shape); i++)
			if (cli_flag(l->cli, shape[i]) && strcmp(shape[i], "brokers") != 0)
				return cli_fail(l->cli, CLI_UNSAFE,
						"%s exists already: --%s is for a new one (weir "
						"local purge "
						"deletes it; its files may be edited)",
						l->dir, shape[i]);
		code = local_open(l);
	} else {
		if (!read_shape(l))
			return CLI_USAGE;
		if ((code = check_shape(l)))
			return code;
		choose_base(l);
		if ((code = check_ports(l, true)))
			return code;
		code = make_files(l);
	}
	if (code)
		return code;
	local_look(l);
	return check_ports(l, false);
}

static bool ports_are_free(const struct local *l)
{
	for (int i = 0; i < l->n_nodes; i++)
		if (!sock_is_free(l->nodes[i].port))
			return false;
	return true;
}

/* Unless a base was asked for, the first one whose ports nobody has, so that a second cluster is as
 * easy as the first; never from where the system takes ports for outgoing connections. */
static void choose_base(struct local *l)
{
	int32_t first = l->base_port;
	int32_t span = l->port_step * i32_max(l->n_brokers, l->n_controllers);

	local_layout(l);
	while (!cli_flag(l->cli, "base-port") && !ports_are_free(l) &&
	       l->base_port + BASE_STEP + span < EPHEMERAL_FIRST) {
		l->base_port += BASE_STEP;
		local_layout(l);
	}
	if (ports_are_free(l))
		return;
	l->base_port = first; /* the sentence names a port that people know */
	local_layout(l);
}

/* A killed process's last threads may hold its sockets for a moment after it is gone. */
static bool is_free_soon(int32_t port, bool is_new)
{
	int64_t until_ms = cli_now_ms() + (is_new ? 0 : PORT_WAIT_MS);

	while (!sock_is_free(port)) {
		if (cli_now_ms() >= until_ms)
			return false;
		cli_sleep_ms(LOOK_EVERY_MS);
	}
	return true;
}

static int check_ports(struct local *l, bool is_new)
{
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].state == LOCAL_DOWN && !is_free_soon(l->nodes[i].port, is_new))
			return cli_fail(l->cli, CLI_FAILED,
					"127.0.0.1:%d, for %s %d: the address is in use: %s",
					l->nodes[i].port, l->nodes[i].role, l->nodes[i].id,
					is_new ? "choose --base-port"
					       : "stop whoever listens there");
	return CLI_OK;
}

static bool write_overrides(struct text *t, struct local *l, const char *flag)
{
	const char *pair;

	for (int i = 0; (pair = cli_flag_at(l->cli, flag, i)); i++) {
		if (!strchr(pair, '=') || pair[0] == '=') {
			cli_fail(l->cli, CLI_USAGE, "--%s %s: write KEY=VALUE", flag, pair);
			return false;
		}
		text_printf(t, "%s\n", pair);
	}
	return true;
}

static bool write_config(struct text *t, struct local *l, const struct local_node *n)
{
	text_printf(t, "node.id=%d\nprocess.roles=%s\nlog.dirs=%s/data\n", n->id, n->role, n->dir);
	text_printf(t, "listeners=%s://127.0.0.1:%d\n", n->is_broker ? "PLAINTEXT" : "CONTROLLER",
		    n->port);
	text_printf(t, "controller.listener.names=CONTROLLER\n");
	text_printf(t, "controller.quorum.bootstrap.servers=%s\n", local_controllers(l));
	for (int32_t i = 0; i < l->n_controllers && !n->is_broker && l->n_controllers > 1; i++)
		text_printf(t, "%s%d@127.0.0.1:%d%s",
			    i ? "," : "controller.quorum.voters=", l->nodes[i].id, l->nodes[i].port,
			    i + 1 < l->n_controllers ? "" : "\n");
	if (!n->is_broker)
		return write_overrides(t, l, "controller-config");
	text_printf(t, "default.replication.factor=%d\n", i32_min(3, l->n_brokers));
	return write_overrides(t, l, "config");
}

static int make_files(struct local *l)
{
	char *memory = arena_must(&l->cli->mem, FILE_BYTES);
	struct text t;
	enum err e = dirs_make(l->dir);

	for (int i = 0; !e && i < l->n_nodes; i++) {
		const struct local_node *n = &l->nodes[i];

		text_init(&t, memory, FILE_BYTES);
		if (!write_config(&t, l, n))
			return CLI_USAGE;
		if (t.cut)
			return cli_fail(l->cli, CLI_USAGE,
					"more configuration than fits into %d bytes", FILE_BYTES);
		e = dirs_make(arena_printf(&l->cli->mem, "%s/data", n->dir).at);
		if (!e)
			e = file_write_all(n->config, (struct str){ t.at, t.n });
	}
	text_init(&t, memory, FILE_BYTES);
	text_printf(&t, "brokers=%d\ncontrollers=%d\nbase.port=%d\nport.step=%d\n", l->n_brokers,
		    l->n_controllers, l->base_port, l->port_step);
	if (!e)
		e = file_write_all(arena_printf(&l->cli->mem, "%s/cluster.properties", l->dir).at,
				   (struct str){ t.at, t.n });
	return e ? cli_fail(l->cli, CLI_FAILED, "%s: %s", l->dir, err_text(e)) : CLI_OK;
}

/* ---- starting and waiting ------------------------------------------------------------------- */

/* Who got a signal to end is no part of what runs, even while its process is still there. */
static void wait_ending(struct local *l, int64_t deadline_ms)
{
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].is_ending)
			(void)local_wait_end(l, &l->nodes[i], deadline_ms);
}

/* Of one role, those that are down and that we have not started before. */
static int start_missing(struct local *l, bool brokers, struct before *before, int *n_started)
{
	int code = CLI_OK;

	*n_started = 0;
	for (int i = 0; !code && i < l->n_nodes; i++) {
		struct local_node *n = &l->nodes[i];

		if (n->is_broker != brokers || n->state != LOCAL_DOWN || before->started[i])
			continue;
		(void)is_free_soon(n->port, false); /* it says itself who has its port */
		code = local_start(l, n);
		before->started[i] = true;
		++*n_started;
	}
	return code;
}

/* A process that ended will not become ready: say what it said.  Nodes that we did not start may
 * well be down: that is not why this start fails. */
static int check_alive(struct local *l, const struct before *before)
{
	for (int i = 0; i < l->n_nodes; i++) {
		struct local_node *n = &l->nodes[i];

		if (!before->started[i])
			continue;
		local_look_node(l, n);
		if (n->state != LOCAL_DOWN)
			continue;
		local_show_last_words(l, n);
		return cli_fail(l->cli, CLI_FAILED, "%s %d ended instead of becoming ready",
				n->role, n->id);
	}
	return CLI_OK;
}

static int wait_controller(struct local *l, struct before *before, int64_t deadline_ms,
			   struct image **out)
{
	struct local_node *n = &l->nodes[0];

	for (;;) {
		int running = 0, n_started, code;

		*out = local_image(l, i64_min(deadline_ms, cli_now_ms() + ASK_MS));
		if (*out)
			return CLI_OK;
		local_look(l);
		if (before->all && (code = start_missing(l, false, before, &n_started)))
			return code;
		for (int i = 0; i < l->n_controllers; i++)
			running += l->nodes[i].state != LOCAL_DOWN;
		if (running <= l->n_controllers / 2) {
			for (; n->state != LOCAL_DOWN; n++)
				continue;
			local_show_last_words(l, n);
			return cli_fail(l->cli, CLI_FAILED, "controller %d does not run", n->id);
		}
		if (cli_now_ms() >= deadline_ms)
			return cli_fail(l->cli, CLI_UNREACHABLE,
					"no controller is active after %s; the log of %d: %s",
					text_of_duration(l->cli, l->cli->timeout_ms), n->id,
					n->log);
		cli_sleep_ms(LOOK_EVERY_MS);
	}
}

static void remember(struct local *l, const struct image *image, struct before *before)
{
	for (int i = 0; i < l->n_nodes; i++) {
		const struct image_broker *b =
			l->nodes[i].is_broker ? image_broker(image, l->nodes[i].id) : NULL;

		before->epoch[i] = b ? b->epoch : -1;
	}
}

/* How many of the brokers we started, or found running, do not serve; one of them in *which.  A
 * paused one cannot, one that has ended is started anew. */
static int missing(struct local *l, const struct image *image, const struct before *before,
		   int *which)
{
	int n = 0;

	for (int i = 0; i < l->n_nodes; i++) {
		const struct image_broker *b = image_broker(image, l->nodes[i].id);
		bool was_found = before->all && l->nodes[i].state == LOCAL_RUNNING;

		if (!l->nodes[i].is_broker || (!before->started[i] && !was_found))
			continue;
		if (b && (!b->is_fenced || b->is_held) && !b->in_controlled_shutdown &&
		    !l->nodes[i].is_ending && (!before->started[i] || b->epoch > before->epoch[i]))
			continue;
		*which = l->nodes[i].id;
		n++;
	}
	return n;
}

static int wait_brokers(struct local *l, const struct before *before, int64_t deadline_ms)
{
	int which = 0, left, code;

	for (;;) {
		struct image *image = local_image(l, i64_min(deadline_ms, cli_now_ms() + ASK_MS));

		if (before->all)
			local_look(l);
		left = image ? missing(l, image, before, &which) : 1;
		image_put(image);
		if (left == 0)
			return CLI_OK;
		if ((code = check_alive(l, before)))
			return code;
		if (cli_now_ms() >= deadline_ms)
			return cli_fail(l->cli, CLI_UNREACHABLE,
					"broker %d is not ready after %s; its log lies in %s",
					which, text_of_duration(l->cli, l->cli->timeout_ms),
					l->dir);
		cli_sleep_ms(LOOK_EVERY_MS);
	}
}

static bool has_found_any(const struct local *l, const struct before *before)
{
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].state == LOCAL_RUNNING && !before->started[i])
			return true;
	return false;
}

/* A node that was ending when we came is down by the time the others are ready: it is started, and
 * the wait begins again. */
static int wait_all(struct local *l, struct before *before, int64_t deadline_ms)
{
	int64_t settled_ms = cli_now_ms() + SETTLE_MS;
	int code, n_controllers, n_brokers;

	do {
		if ((code = wait_brokers(l, before, deadline_ms)))
			return code;
		if (has_found_any(l, before) && settled_ms > cli_now_ms())
			cli_sleep_ms(settled_ms - cli_now_ms());
		if ((code = wait_brokers(l, before, deadline_ms)))
			return code;
		local_look(l);
		if ((code = start_missing(l, false, before, &n_controllers)) ||
		    (code = start_missing(l, true, before, &n_brokers)))
			return code;
	} while (n_controllers + n_brokers > 0);
	return CLI_OK;
}

/* ---- the next steps ------------------------------------------------------------------------- */

static void print_role(struct local *l, const char *title, bool brokers, int64_t ms)
{
	const char *gap = "";

	printf("%s", title);
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].is_broker == brokers)
			printf(" %d", l->nodes[i].id);
	printf("   ports");
	for (int i = 0; i < l->n_nodes; i++)
		if (l->nodes[i].is_broker == brokers)
			printf("%s %d", gap, l->nodes[i].port);
	printf("   ready in %s\n", text_of_duration(l->cli, ms));
}

static void print_welcome(struct local *l, int64_t controller_ms, int64_t brokers_ms)
{
	const char *where = dir_flag(l), *prompt = "try:  ";

	print_role(l, "controller ", false, controller_ms);
	print_role(l, "brokers    ", true, brokers_ms);
	printf("data        %s\n", l->dir);
	if (*where) {
		printf("%seval \"$(%s local env%s)\"\n", prompt, l->cli->program, where);
		prompt = "      ";
	}
	printf("%s%s topics create orders -p 6\n", prompt, l->cli->program);
	printf("      kcat -b localhost:%d -L\n", l->nodes[l->n_controllers].port);
	printf("      %s local kill %d%s\n", l->cli->program, i32_min(2, l->n_brokers), where);
	printf("      %s local down%s\n", l->cli->program, where);
}

static int started(const struct local *l, const struct before *before)
{
	int n = 0;

	for (int i = 0; i < l->n_nodes; i++)
		n += before->started[i];
	return n;
}

/* "started broker 1, broker 3 in 90ms; 2 others were up" */
static void print_back(struct local *l, const struct before *before, int64_t took_ms)
{
	int others = l->n_nodes - started(l, before);
	const char *gap = "started ";

	for (int i = 0; i < l->n_nodes; i++) {
		if (!before->started[i])
			continue;
		printf("%s%s %d", gap, l->nodes[i].role, l->nodes[i].id);
		gap = ", ";
	}
	if (others == l->n_nodes)
		printf("all %d nodes were up\n", l->n_nodes);
	else
		printf(" in %s; %d other%s up\n", text_of_duration(l->cli, took_ms), others,
		       others == 1 ? " was" : "s were");
}
