/* main.c - weir-controller: options, directory, node, listener, loop.
 *
 * Exit codes: 0 stopped as asked, 1 could not start or the log failed, 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/version.h"
#include "common/env/files_posix.h"
#include "common/net/loop.h"
#include "controller/server/boot.h"

enum { EXIT_USAGE = 2 };

struct program {
	struct loops *loops;
	struct controller_boot boot;
	bool has_failed, is_leaving;
};

static const char usage[] =
	"usage: weir-controller CONFIG [--override NAME=VALUE]... [--check-config | "
	"--print-config]\n"
	"       weir-controller --version | --help\n"
	"Runs the controller of a cluster: CONFIG is a server.properties with at least node.id,\n"
	"listeners=CONTROLLER://host:port and metadata.log.dir; --print-config has every\n"
	"option.\n";

static int run(struct resolved *, struct str cluster_id);
static void on_signal(void *arg, int signo);
static void end(void *arg);
static void on_failed(void *arg);
static int complain(const char *why);

int main(int argc, char **argv)
{
	struct options o;
	struct resolved r;
	char why[1024] = "";
	bool check = false, print = false;
	const char *path = NULL;
	int code = 0;
	enum err e = ERR_OK;

	files_open_standard();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--version") == 0)
			return printf("weir-controller %s\n", WEIR_VERSION) < 0;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return fputs(usage, stdout) < 0;
		check |= strcmp(argv[i], "--check-config") == 0;
		print |= strcmp(argv[i], "--print-config") == 0;
		if (argv[i][0] != '-' && path == NULL)
			path = argv[i];
		else if (strcmp(argv[i], "--override") == 0 && i + 1 < argc)
			i++;
		else if (strcmp(argv[i], "--check-config") != 0 &&
			 strcmp(argv[i], "--print-config") != 0 &&
			 strncmp(argv[i], "--override=", 11) != 0)
			return fputs(usage, stderr) < 0 ? 1 : EXIT_USAGE;
	}
	if (path == NULL)
		return fputs(usage, stderr) < 0 ? 1 : EXIT_USAGE;
	options_init(&o);
	e = options_load(&o, path, why, sizeof(why));
	for (int i = 1; i < argc && e == ERR_OK; i++) {
		if (strcmp(argv[i], "--override") == 0)
			e = options_override(&o, argv[++i], why, sizeof(why));
		else if (strncmp(argv[i], "--override=", 11) == 0)
			e = options_override(&o, argv[i] + 11, why, sizeof(why));
	}
	if (e == ERR_OK)
		e = options_resolve(&o, &r, why, sizeof(why));
	if (e != ERR_OK)
		code = complain(why);
	else if (print)
		options_print(&o);
	else if (check)
		printf("%s: ok\n", path);
	else
		code = run(&r, o.cluster_id);
	options_fini(&o);
	return code;
}

/* One actor: decisions are short, and a single thread is what makes them an order.  Two io threads,
 * one for the log's rounds and one for snapshots. */
static int run(struct resolved *r, struct str cluster_id)
{
	struct program p = { 0 };
	struct loops_options lo = {
		.n_actors = 1, .n_io_threads = 2, .on_signal = on_signal, .arg = &p
	};
	char why[1024] = "", name[32];
	enum err e;

	(void)snprintf(name, sizeof(name), "controller-%d", r->node.id);
	log_set_name(name);
	if ((e = loops_new(&lo, &p.loops)) != ERR_OK)
		return complain(err_text(e));
	e = controller_start(&p.boot, loops_env(p.loops, 0), r, cluster_id, why, sizeof(why));
	if (e == ERR_OK) {
		p.boot.node->failed = on_failed;
		p.boot.node->arg = &p;
		loops_run(p.loops);
	} else {
		(void)complain(why);
	}
	controller_free(&p.boot);
	loops_free(p.loops);
	if (e == ERR_OK && !p.has_failed)
		log_info("controller", "stopped", F_I64("node", r->node.id));
	return e != ERR_OK || p.has_failed;
}

/* A second signal waits for nothing. */
static void on_signal(void *arg, int signo)
{
	struct program *p = arg;

	(void)signo;
	if (p->is_leaving || p->has_failed) {
		end(p);
		return;
	}
	p->is_leaving = true;
	node_leave(p->boot.node, end, p);
}

static void end(void *arg)
{
	struct program *p = arg;
	struct env *env = loops_env(p->loops, 0);

	controller_stop(&p->boot);
	env->ops->stop(env);
}

/* The metadata log can take nothing more.  Ending is the honest answer: brokers keep their roles
 * and serve on, and a supervisor can bring us back. */
static void on_failed(void *arg)
{
	struct program *p = arg;

	p->has_failed = true;
	end(p);
}

static int complain(const char *why)
{
	(void)fprintf(stderr, "weir-controller: %s\n", why);
	return 1;
}
