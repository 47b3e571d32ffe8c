#include "tests/sim/node.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/log.h"

#define WHY_BYTES 512
#define EXIT_POLL_US 1000

static void start_broker(void *node, void *unused);
static void start_controller(void *node, void *unused);
static void on_stopped(void *node);
static void exit_when_quiet(void *node, void *unused);
static void on_failed(void *node);
static void forget(struct sim_node *);

struct sim_node *sim_node_add(struct world *w, int32_t id, bool is_controller, int n_shards)
{
	struct sim_node *n = mem_alloc(sizeof(*n));
	char name[16];

	snprintf(name, sizeof(name), is_controller ? "c%d" : "b%d", id);
	n->id = id;
	n->is_controller = is_controller;
	n->machine = machine_new(w, name, n_shards);
	sim_node_option(n, "node.id=%d", id);
	if (is_controller) {
		sim_node_option(n, "listeners=CONTROLLER://%s:%d", name, CONTROLLER_PORT);
		sim_node_option(n, "metadata.log.dir=/meta");
	} else {
		sim_node_option(n, "listeners=PLAINTEXT://%s:%d", name, KAFKA_PORT);
		sim_node_option(n, "log.dirs=/data");
	}
	return n;
}

void sim_node_option(struct sim_node *n, const char *fmt, ...)
{
	va_list args;

	ASSERT(n->n_options < NODE_OPTIONS_MAX);
	va_start(args, fmt);
	vsnprintf(n->option[n->n_options], sizeof(n->option[0]), fmt, args);
	va_end(args);
	n->n_options++;
}

const char *sim_log_dir(int i)
{
	static const char *const dirs[SIM_LOG_DIRS_MAX] = { "/data", "/data2", "/data3" };

	ASSERT(i >= 0 && i < SIM_LOG_DIRS_MAX);
	return dirs[i];
}

void sim_node_log_dirs(struct sim_node *n, int n_dirs)
{
	static const char *const lists[SIM_LOG_DIRS_MAX] = { "/data", "/data,/data2",
							     "/data,/data2,/data3" };

	ASSERT(n_dirs >= 1 && n_dirs <= SIM_LOG_DIRS_MAX);
	if (n_dirs > 1)
		sim_node_option(n, "log.dirs=%s", lists[n_dirs - 1]);
}

bool sim_node_runs(const struct sim_node *n)
{
	return machine_runs(n->machine);
}

/* ---- start ---------------------------------------------------------------------------------- */

void sim_node_start(struct sim_node *n)
{
	machine_start(n->machine);
	n->n_starts++;
	n->is_stopping = false;
	actor_run(&n->machine->actor[0], n->is_controller ? start_controller : start_broker, n,
		  NULL);
	if (!n->broker && !n->controller)
		machine_kill(n->machine);
}

static void complain(const struct sim_node *n, const char *why)
{
	log_error("sim", "a process could not start", F_Z("node", n->machine->name),
		  F_Z("why", why));
}

static void start_broker(void *x, void *unused)
{
	struct sim_node *n = x;
	struct env *env[WORLD_ACTORS_MAX];
	char why[WHY_BYTES] = "";
	enum err e = ERR_OK;

	(void)unused;
	n->broker = mem_alloc(sizeof(*n->broker));
	boot_init(n->broker);
	for (int i = 0; i < n->n_options && !e; i++)
		e = boot_override(n->broker, n->option[i], why, sizeof(why));
	if (!e)
		e = boot_conf_finish(n->broker, why, sizeof(why));
	if (e)
		complain(n, why);
	ASSERT(!e);
	for (int i = 0; i < n->machine->n_actors; i++)
		env[i] = &n->machine->actor[i].env;
	n->broker->broker.failed = on_failed;
	n->broker->broker.failed_arg = n;
	e = boot_start(n->broker, env, n->machine->n_actors, why, sizeof(why));
	if (e) {
		complain(n, why);
		n->broker = NULL;
	}
}

static void start_controller(void *x, void *unused)
{
	struct sim_node *n = x;
	char why[WHY_BYTES] = "";
	enum err e = ERR_OK;

	(void)unused;
	n->options = mem_alloc(sizeof(*n->options));
	n->resolved = mem_alloc(sizeof(*n->resolved));
	n->controller = mem_alloc(sizeof(*n->controller));
	options_init(n->options);
	for (int i = 0; i < n->n_options && !e; i++)
		e = options_override(n->options, n->option[i], why, sizeof(why));
	if (!e)
		e = options_resolve(n->options, n->resolved, why, sizeof(why));
	if (e)
		complain(n, why);
	ASSERT(!e);
	e = controller_start(n->controller, &n->machine->actor[0].env, n->resolved,
			     n->options->cluster_id, why, sizeof(why));
	if (e) {
		complain(n, why);
		n->controller = NULL;
		return;
	}
	n->controller->node->failed = on_failed;
	n->controller->node->arg = n;
}

/* ---- end ------------------------------------------------------------------------------------ */

static void forget(struct sim_node *n)
{
	n->broker = NULL;
	n->controller = NULL;
}

void sim_node_kill(struct sim_node *n)
{
	machine_kill(n->machine);
	forget(n);
}

void sim_node_power_off(struct sim_node *n)
{
	machine_power_off(n->machine);
	forget(n);
}

void sim_node_wipe(struct sim_node *n)
{
	for (int i = 0; i < n->n_options; i++)
		if (strncmp(n->option[i], "metadata.log.dir=", 17) == 0)
			snprintf(n->option[i], sizeof(n->option[i]), "metadata.log.dir=/new%lld",
				 (long long)n->n_starts);
}

static void die(void *x, void *unused)
{
	(void)unused;
	sim_node_kill(x);
}

static void on_failed(void *x)
{
	struct sim_node *n = x;

	machine_at(n->machine, 0, die, n, NULL);
}

static void ask_to_stop(void *x, void *unused)
{
	struct sim_node *n = x;

	(void)unused;
	if (n->broker)
		boot_stop(n->broker, on_stopped, n);
	else
		node_leave(n->controller->node, on_stopped, n);
}

void sim_node_stop(struct sim_node *n)
{
	if (n->is_stopping)
		return;
	n->is_stopping = true;
	actor_do(&n->machine->actor[0], ask_to_stop, n, NULL);
}

static void on_stopped(void *x)
{
	struct sim_node *n = x;

	machine_at(n->machine, 0, exit_when_quiet, n, NULL);
}

static bool is_busy(const struct machine *m)
{
	for (int i = 0; i < m->n_actors; i++)
		if (m->actor[i].first || m->actor[i].self_first)
			return true;
	return m->n_jobs > 0 || m->n_mail > 0;
}

/* main waits for the threads of the pool, and for mail to be read, before it takes the process
 * apart. */
static void exit_when_quiet(void *x, void *unused)
{
	struct sim_node *n = x;
	struct machine *m = n->machine;

	(void)unused;
	if (is_busy(m)) {
		machine_at(m, m->world->now_us + EXIT_POLL_US, exit_when_quiet, n, NULL);
		return;
	}
	m->world->running = &m->actor[0];
	if (n->broker) {
		boot_free(n->broker, true);
	} else {
		controller_stop(n->controller);
		controller_free(n->controller);
	}
	m->world->running = NULL;
	sim_node_kill(n);
}
