/* weir-broker: options, then one loop per shard until SIGTERM.
 *
 *   weir-broker CONFIG [--override KEY=VALUE]... [--check-config | --print-config] [--version]
 *
 * Exit codes: 0 stopped as asked, 1 could not start or failed, 2 wrong options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "broker/boot.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/base/version.h"
#include "common/env/files_posix.h"
#include "common/net/loop.h"

#define CONFIG_SIZE_MAX (1 << 20)

enum mode { RUN, CHECK, PRINT };
struct arguments {
	const char *config;
	enum mode mode;
	const char *overrides[128];
	int n_overrides;
};
struct process {
	struct boot boot;
	struct loops *loops;
	int n_signals;
	bool has_failed;
};

static int usage(FILE *);
static int parse_arguments(int argc, char **argv, struct arguments *);
static int load_config(struct process *, const struct arguments *);
static int print_config(const struct boot *);
static int run(struct process *);
static int set_up(struct process *);
static void on_signal(void *arg, int signo);
static void on_stopped(void *arg);

int main(int argc, char **argv)
{
	static struct process process;
	struct arguments a = { 0 };
	int status;

	files_open_standard();
	status = parse_arguments(argc, argv, &a);
	if (status >= 0)
		return status;
	boot_init(&process.boot);
	if ((status = load_config(&process, &a)) == 0 && a.mode == PRINT)
		status = print_config(&process.boot);
	else if (status == 0 && a.mode == CHECK)
		printf("%s: ok\n", a.config);
	else if (status == 0)
		status = run(&process);
	boot_free(&process.boot, status == 0 && process.n_signals == 1);
	if (process.loops)
		loops_free(process.loops);
	return status;
}

static int usage(FILE *to)
{
	fprintf(to,
		"usage: weir-broker CONFIG [--override KEY=VALUE]... [--check-config | "
		"--print-config]\n"
		"       weir-broker --version | --help\n"
		"Runs a broker: it keeps replicas of partitions and serves clients.  CONFIG is a\n"
		"server.properties with at least node.id, listeners, log.dirs and\n"
		"controller.quorum.bootstrap.servers; --print-config has every option.\n");
	return to == stdout ? 0 : 2;
}

/* Negative: go on. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			printf("weir-broker %s\n", WEIR_VERSION);
			return 0;
		}
		if (strcmp(argv[i], "--help") == 0)
			return usage(stdout);
		if (strcmp(argv[i], "--check-config") == 0)
			a->mode = CHECK;
		else if (strcmp(argv[i], "--print-config") == 0)
			a->mode = PRINT;
		else if (strcmp(argv[i], "--override") == 0 && i + 1 < argc &&
			 a->n_overrides < (int)ARRAY_LEN(a->overrides))
			a->overrides[a->n_overrides++] = argv[++i];
		else if (argv[i][0] != '-' && !a->config)
			a->config = argv[i];
		else {
			fprintf(stderr, "error: weir-broker does not know '%s'\n", argv[i]);
			return usage(stderr);
		}
	}
	if (!a->config) {
		fprintf(stderr, "error: weir-broker needs the path of its configuration file\n");
		return usage(stderr);
	}
	return -1;
}

/* One read: a file longer than CONFIG_SIZE_MAX is no options file. */
static int load_config(struct process *p, const struct arguments *a)
{
	char why[512] = "", *text = NULL;
	int fd = open(a->config, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	enum err e = ERR_IO;

	if (fd >= 0) {
		text = mem_alloc(CONFIG_SIZE_MAX);
		n = read(fd, text, CONFIG_SIZE_MAX);
		close(fd);
	}
	if (n < 0)
		snprintf(why, sizeof(why), "cannot read %s: %s", a->config, strerror(errno));
	else
		e = boot_conf(&p->boot, (struct str){ text, (size_t)n }, a->config, why,
			      sizeof(why));
	for (int i = 0; !e && i < a->n_overrides; i++)
		e = boot_override(&p->boot, a->overrides[i], why, sizeof(why));
	mem_free(text);
	if (gethostname(p->boot.conf.host_name, sizeof(p->boot.conf.host_name) - 1))
		p->boot.conf.host_name[0] = '\0';
	if (!e)
		e = boot_conf_finish(&p->boot, why, sizeof(why));
	if (e)
		fprintf(stderr, "error: %s\n", why);
	return e ? 1 : 0;
}

static int print_config(const struct boot *p)
{
	const struct conf_row *rows = p->rows;
	char tmp[64];

	for (int i = 0; i < p->n_rows; i++) {
		struct str v = conf_value(p->store, &rows[i], tmp, sizeof(tmp));
		printf("# %s\n%s%s=%.*s\n", rows[i].doc, conf_is_set(p->store, &rows[i]) ? "" : "#",
		       rows[i].name, (int)v.n, v.at ? v.at : "");
	}
	return 0;
}

/* ---- running --------------------------------------------------------------------------------- */

static int run(struct process *p)
{
	char name[32];
	int status;

	snprintf(name, sizeof(name), "broker-%d", p->boot.conf.node_id);
	log_set_name(name);
	status = set_up(p);
	if (status == 0)
		loops_run(p->loops);
	return p->has_failed ? 1 : status;
}

static void on_failed(void *arg)
{
	struct process *p = arg;

	p->has_failed = true;
	boot_stop_now(&p->boot);
	loops_stop(p->loops);
}

/* One shard per online core unless num.network.threads says otherwise. */
static int set_up(struct process *p)
{
	const struct broker_conf *conf = &p->boot.conf;
	struct env *env[BROKER_SHARDS_MAX];
	char why[512] = "";
	struct loops_options o = { .n_io_threads = conf->io_threads,
				   .on_signal = on_signal,
				   .arg = p };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	o.n_actors = conf->shards > 0 ? conf->shards
		     : cores > 0      ? i32_min((int32_t)cores, BROKER_SHARDS_MAX)
				      : 1;
	if (loops_new(&o, &p->loops)) {
		fprintf(stderr, "error: the event loops cannot be set up\n");
		return 1;
	}
	for (int i = 0; i < o.n_actors; i++)
		env[i] = loops_env(p->loops, i);
	p->boot.broker.failed = on_failed;
	p->boot.broker.failed_arg = p;
	if (boot_start(&p->boot, env, o.n_actors, why, sizeof(why))) {
		fprintf(stderr, "error: %s\n", why);
		return 1;
	}
	return 0;
}

/* The first signal asks politely and waits for the controller, the second stops at once. */
static void on_signal(void *arg, int signo)
{
	struct process *p = arg;

	if (p->n_signals++ > 0) {
		log_warn("broker", "stopping at once", F_I64("signal", signo));
		boot_stop_now(&p->boot);
		loops_stop(p->loops);
		return;
	}
	log_info("broker", "stopping: moving leaders away", F_I64("signal", signo));
	boot_stop(&p->boot, on_stopped, p);
}

static void on_stopped(void *arg)
{
	struct process *p = arg;

	loops_stop(p->loops);
}
