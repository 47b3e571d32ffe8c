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
#include <sys/resource.h>
#include <unistd.h>

#include "broker/api/api.h"
#include "broker/shard/broker_conf.h"
#include "broker/shard/checkpoints.h"
#include "broker/shard/ctllink.h"
#include "broker/shard/dirs.h"
#include "broker/shard/follow.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/net/loop.h"

#define WEIR_VERSION "0.1"
#define CONFIG_SIZE_MAX (1 << 20)

enum mode { RUN, CHECK, PRINT };
struct arguments {
	const char *config;
	enum mode mode;
	const char *overrides[128];
	int n_overrides;
};
struct process {
	struct broker broker;
	struct broker_conf conf;
	struct conf_store *store;
	struct conf_row rows[BROKER_ROWS_MAX];
	int n_rows;
	struct loops *loops;
	struct listener *listeners[BROKER_LISTENERS_MAX];
	struct checkpoints *checkpoints;
	struct call stops[BROKER_SHARDS_MAX];
	int n_stopping, n_signals;
};

static int usage(FILE *);
static int parse_arguments(int argc, char **argv, struct arguments *);
static int load_config(struct process *, const struct arguments *);
static int print_config(const struct process *);
static int run(struct process *);
static int set_up(struct process *);
static int listen_all(struct process *);
static void on_signal(void *arg, int signo);
static void stop_shards(void *arg);
static void stop_shard(struct call *);
static void shard_stopped(struct call *);
static void tear_down(struct process *);
static void close_shards(struct process *, bool clean);

int main(int argc, char **argv)
{
	static struct process process;
	struct arguments a = { 0 };
	int status = parse_arguments(argc, argv, &a);

	if (status >= 0)
		return status;
	if ((status = load_config(&process, &a)) == 0 && a.mode == PRINT)
		status = print_config(&process);
	else if (status == 0 && a.mode == RUN)
		status = run(&process);
	conf_free(process.store);
	return status;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: weir-broker CONFIG [--override KEY=VALUE]... [--check-config | "
		    "--print-config]\n"
		    "       weir-broker --version | --help\n");
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

static int load_config(struct process *p, const struct arguments *a)
{
	char why[512] = "", *text = NULL;
	int fd = open(a->config, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	enum err e = ERR_IO;

	p->n_rows = broker_conf_rows(p->rows);
	p->store = conf_new(p->rows, p->n_rows, &p->conf);
	if (fd >= 0) {
		text = mem_alloc(CONFIG_SIZE_MAX);
		n = read(fd, text, CONFIG_SIZE_MAX);
		close(fd);
	}
	if (n < 0)
		snprintf(why, sizeof(why), "cannot read %s: %s", a->config, strerror(errno));
	else
		e = conf_parse(p->store, (struct str){ text, (size_t)n }, a->config, why,
			       sizeof(why));
	for (int i = 0; !e && i < a->n_overrides; i++) {
		struct str value = str_of(a->overrides[i]), key;
		if (!str_cut(&value, '=', &key) || str_null(value)) {
			snprintf(why, sizeof(why), "--override '%s' is not KEY=VALUE",
				 a->overrides[i]);
			e = ERR_INVALID;
			break;
		}
		e = conf_set(p->store, key, value, "--override", why, sizeof(why));
	}
	mem_free(text);
	if (!e)
		e = broker_conf_finish(&p->conf, p->store, p->rows, p->n_rows, why, sizeof(why));
	if (e)
		fprintf(stderr, "error: %s\n", why);
	return e ? 1 : 0;
}

static int print_config(const struct process *p)
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

/* ---- running ------------------------------------------------------------------------------------
 */

static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r))
			log_warn("broker", "the limit of open files stays low",
				 F_I64("limit", r.rlim_cur));
	}
}

static int run(struct process *p)
{
	char name[32];
	int status;

	snprintf(name, sizeof(name), "broker-%d", p->conf.node_id);
	log_set_name(name);
	raise_file_limit();
	status = set_up(p);
	if (status == 0) {
		log_info("broker", "started", F_I64("node_id", p->conf.node_id),
			 F_I64("shards", p->broker.n_shards),
			 F_Z("host", p->conf.listener[0].advertised.host),
			 F_I64("port", p->conf.listener[0].advertised.port));
		loops_run(p->loops);
	}
	tear_down(p);
	return status;
}

static int set_up(struct process *p)
{
	struct broker *b = &p->broker;
	char why[512] = "";
	struct loops_options o = { .n_io_threads = p->conf.io_threads,
				   .on_signal = on_signal,
				   .arg = p };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	b->conf = &p->conf;
	b->store = p->store;
	b->rows = p->rows;
	b->n_rows = p->n_rows;
	b->n_shards = p->conf.shards > 0 ? p->conf.shards
		      : cores > 0        ? i32_min((int32_t)cores, BROKER_SHARDS_MAX)
					 : 1;
	o.n_actors = b->n_shards;
	if (loops_new(&o, &p->loops)) {
		fprintf(stderr, "error: the event loops cannot be set up\n");
		return 1;
	}
	struct env *zero = loops_env(p->loops, 0);
	b->incarnation = prng_uuid(&zero->prng);
	if (dirs_open(zero, &p->conf, &b->dirs, why, sizeof(why))) {
		fprintf(stderr, "error: %s\n", why);
		return 1;
	}
	for (int i = 0; i < b->n_shards; i++) {
		b->shards[i] = shard_new(b, loops_env(p->loops, i), i);
		b->shards[i]->api = api_shard_new(b->shards[i]);
		shard_start(b->shards[i]);
	}
	b->shards[0]->link = ctllink_new(b->shards[0]);
	p->checkpoints = checkpoints_new(b);
	checkpoints_start(p->checkpoints);
	if (listen_all(p))
		return 1;
	ctllink_start(b->shards[0]->link);
	return 0;
}

static int listen_all(struct process *p)
{
	struct env *env = loops_env(p->loops, 0);

	for (int32_t i = 0; i < p->conf.n_listeners; i++) {
		struct broker_listener *l = &p->conf.listener[i];
		int32_t port = 0;
		enum err e = env->peers->listen(env, &l->bind, api_accept, &p->broker,
						&p->listeners[i], &port);
		if (e) {
			fprintf(stderr, "error: cannot listen on %s:%d (%s): %s\n", l->bind.host,
				l->bind.port, "listeners",
				e == ERR_REFUSED ? "the address is in use" : err_text(e));
			return 1;
		}
		l->bind.port = port;
		if (l->advertised.port == 0)
			l->advertised.port = port;
	}
	return 0;
}

/* ---- stopping: leaders move away, then every shard lets go, then logs close and are marked clean
 * -- */

static void on_signal(void *arg, int signo)
{
	struct process *p = arg;

	if (p->n_signals++ > 0) {
		log_warn("broker", "stopping at once", F_I64("signal", signo));
		loops_stop(p->loops);
		return;
	}
	log_info("broker", "stopping: moving leaders away", F_I64("signal", signo));
	ctllink_shutdown(p->broker.shards[0]->link, stop_shards, p);
}

static void stop_shards(void *arg)
{
	struct process *p = arg;
	struct broker *b = &p->broker;

	for (int32_t i = 0; i < p->conf.n_listeners; i++)
		b->shards[0]->env->peers->unlisten(p->listeners[i]);
	p->n_stopping = b->n_shards;
	for (int i = b->n_shards - 1; i >= 0; i--) {
		p->stops[i] = (struct call){ .from = b->shards[0],
					     .to = b->shards[i],
					     .work = stop_shard,
					     .done = shard_stopped };
		call_send(&p->stops[i]);
	}
}

static void stop_shard(struct call *c)
{
	shard_stop(c->to);
	api_shard_stop(c->to->api);
	call_return(c);
}

static void shard_stopped(struct call *c)
{
	struct process *p = CONTAINER_OF(c, struct process, stops[c->to->id]);

	if (--p->n_stopping == 0)
		loops_stop(p->loops);
}

static void tear_down(struct process *p)
{
	struct broker *b = &p->broker;
	bool clean = p->n_signals == 1;

	if (p->checkpoints)
		close_shards(p, clean);
	if (b->dirs)
		dirs_free(b->dirs);
	if (p->loops)
		loops_free(p->loops);
}

static void close_shards(struct process *p, bool clean)
{
	struct broker *b = &p->broker;
	int64_t epoch = ctllink_broker_epoch(b->shards[0]->link);

	checkpoints_stop(p->checkpoints);
	ctllink_free(b->shards[0]->link);
	for (int i = 0; i < b->n_shards; i++) {
		shard_stop(b->shards[i]);
		api_shard_stop(b->shards[i]->api);
		api_shard_free(b->shards[i]->api);
		if (clean)
			shard_close_logs(b->shards[i]);
	}
	if (clean) {
		checkpoints_finish(p->checkpoints);
		dirs_mark_clean(b->shards[0]->env, b->dirs, epoch);
	}
	checkpoints_free(p->checkpoints);
	for (int i = 0; i < b->n_shards; i++)
		shard_free(b->shards[i]);
	log_info("broker", "stopped", F_I64("broker_epoch", epoch), F_I64("clean", clean));
}
