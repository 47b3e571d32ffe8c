/* weir-sim: whole clusters in one process, on a simulated clock, network and disk.
 *
 * Each seed runs in a process of its own, so that a crash is only that seed's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/text.h"
#include "tests/sim/scene.h"
#include "tests/sim/swarm.h"

#define SEED_SECONDS 300

enum { EXIT_USAGE = 2 };

struct arguments {
	uint64_t seed;
	int64_t n_seeds;
	bool is_twice, is_loud, is_scenes, is_stopping;
	const char *scene;
	const char *set[32]; /* NAME=VALUE, overruling what the seed drew */
	int n_set;
};

struct field {
	const char *name, *doc;
	size_t at;
	enum { FIELD_INT, FIELD_LONG, FIELD_FLAG } kind;
};
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define FIELD(n, kind, member, doc)                                                                \
	{                                                                                          \
		n, doc, offsetof(struct swarm, member), kind                                       \
	}
/* clang-format on */
static const struct field fields[] = {
	FIELD("brokers", FIELD_INT, brokers, "1 to 6"),
	FIELD("shards", FIELD_INT, shards, "of each broker, 1 to 4"),
	FIELD("topics", FIELD_INT, topics, "1 to 3"),
	FIELD("partitions", FIELD_INT, partitions, "of each topic, 1 to 4"),
	FIELD("rf", FIELD_INT, rf, "replication factor"),
	FIELD("min-isr", FIELD_INT, min_isr, "min.insync.replicas"),
	FIELD("unclean", FIELD_FLAG, is_unclean, "allow unclean elections (records may be lost)"),
	FIELD("producers", FIELD_INT, producers, "1 to 6"),
	FIELD("batches", FIELD_INT, batches, "of each producer"),
	FIELD("seconds", FIELD_LONG, safety_us, "of faults, in microseconds"),
	FIELD("session-ms", FIELD_LONG, session_ms, "broker.session.timeout.ms"),
	FIELD("lag-ms", FIELD_LONG, lag_ms, "replica.lag.time.max.ms"),
	FIELD("roll-ms", FIELD_LONG, roll_ms, "log.roll.ms"),
	FIELD("kill-us", FIELD_LONG, kill_us, "mean pause between kills; 0: none"),
	FIELD("stop-us", FIELD_LONG, stop_us, "the same for orderly restarts"),
	FIELD("power-us", FIELD_LONG, power_us, "power losses"),
	FIELD("pause-us", FIELD_LONG, pause_node_us, "processes that stand still"),
	FIELD("cut-us", FIELD_LONG, cut_us, "partitions of the network"),
	FIELD("clog-us", FIELD_LONG, clog_us, "connections that stall"),
	FIELD("disk-us", FIELD_LONG, disk_us, "disks that fail or are full"),
	FIELD("slow-us", FIELD_LONG, slow_us, "slow machines"),
};

static int usage(FILE *to)
{
	fprintf(to,
		"usage: weir-sim [SEED] [--seeds N] [--twice] [--loud] [--FIELD VALUE]...\n"
		"       weir-sim --scenes | --scene NAME [--loud]\n"
		"Runs a whole cluster on a simulated clock, network and disk: kills, power\n"
		"losses, partitions and slow machines, drawn from SEED (1).  Then the faults end\n"
		"and everything must come together.  Acknowledged records must all be there.\n"
		"  --seeds N   SEED and the N - 1 after it, each by itself\n"
		"  --stop      at the first seed that fails\n"
		"  --twice     run each seed twice: both runs must be the same\n"
		"  --loud      tell the story as it happens\n"
		"What a seed draws may be overruled:\n");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		fprintf(to, "  --%-14s %s\n", fields[i].name, fields[i].doc);
	fprintf(to,
		"exit code: 0 all held, %d a process crashed, %d the cluster did not recover,\n"
		"%d something acknowledged was lost or a rule was broken\n",
		EXIT_CRASH, EXIT_LIVENESS, EXIT_SAFETY);
	return to == stdout ? 0 : EXIT_USAGE;
}

static bool set_field(struct swarm *s, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		void *at = (char *)s + fields[i].at;
		int64_t v;

		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (parse_i64(str_of(value), &v) || v < 0)
			return false;
		switch (fields[i].kind) {
		case FIELD_INT: *(int *)at = (int)v; break;
		case FIELD_LONG: *(int64_t *)at = v; break;
		case FIELD_FLAG: *(bool *)at = v != 0; break;
		}
		return true;
	}
	return false;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	struct swarm scratch = { 0 };
	int64_t n;

	*a = (struct arguments){ .seed = 1, .n_seeds = 1 };
	for (int i = 1; i < argc; i++) {
		bool has_value = i + 1 < argc;

		if (strcmp(argv[i], "--twice") == 0) {
			a->is_twice = true;
		} else if (strcmp(argv[i], "--loud") == 0) {
			a->is_loud = true;
		} else if (strcmp(argv[i], "--stop") == 0) {
			a->is_stopping = true;
		} else if (strcmp(argv[i], "--scenes") == 0) {
			a->is_scenes = true;
		} else if (strcmp(argv[i], "--scene") == 0 && has_value) {
			a->scene = argv[++i];
		} else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
			if (parse_i64(str_of(argv[++i]), &a->n_seeds) || a->n_seeds < 1)
				return false;
		} else if (strncmp(argv[i], "--", 2) == 0 && has_value &&
			   a->n_set + 2 <= (int)ARRAY_LEN(a->set) &&
			   set_field(&scratch, argv[i] + 2, argv[i + 1])) {
			a->set[a->n_set++] = argv[i] + 2;
			a->set[a->n_set++] = argv[++i];
		} else if (parse_i64(str_of(argv[i]), &n) == ERR_OK && n >= 0) {
			a->seed = (uint64_t)n;
		} else {
			return false;
		}
	}
	return true;
}

static uint64_t run_once(const struct swarm *s, bool is_loud)
{
	struct cluster *c = swarm_build(s);
	uint64_t hash;

	story_begin(c->world, is_loud);
	swarm_run(s, c);
	swarm_tell(s, c);
	hash = c->world->hash;
	cluster_free(c);
	return hash;
}

static void name_run(const struct arguments *a, uint64_t seed, const char *scene, char *out,
		     size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	if (scene) {
		text_printf(&t, "weir-sim --scene %s --loud", scene);
		return;
	}
	text_printf(&t, "weir-sim %llu", (unsigned long long)seed);
	for (int i = 0; i < a->n_set; i += 2)
		text_printf(&t, " --%s %s", a->set[i], a->set[i + 1]);
}

static void run_seed(const struct arguments *a, uint64_t seed)
{
	struct swarm s;
	uint64_t hash;

	swarm_draw(&s, seed);
	for (int i = 0; i < a->n_set; i += 2)
		(void)set_field(&s, a->set[i], a->set[i + 1]);
	hash = run_once(&s, a->is_loud);
	if (a->is_twice && hash != run_once(&s, false))
		story_fail(EXIT_SAFETY, "the same seed ran differently");
}

/* A child that dies of a signal crashed; one that does not end is stuck. */
static int run_apart(const struct arguments *a, uint64_t seed, const char *scene)
{
	char command[512];
	int status = 0;
	pid_t pid;

	name_run(a, seed, scene, command, sizeof(command));
	story_command(command);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)alarm(SEED_SECONDS);
		if (!scene)
			run_seed(a, seed);
		else if (!scene_play(scene, a->is_loud))
			_exit(EXIT_USAGE);
		fflush(stdout);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 1)
		return WEXITSTATUS(status);
	printf("CRASH: ended with status %x\nreplay: %s\n", (unsigned)status, command);
	return EXIT_CRASH;
}

static int run_scenes(const struct arguments *a)
{
	const struct scene *s;
	int n_failed = 0, n = 0;

	for (; (s = scene_at(n)); n++) {
		int code = run_apart(a, 0, s->name);

		printf("%s scene/%s\n", code ? "FAIL" : "PASS", s->name);
		n_failed += code != 0;
	}
	printf("%d passed, %d failed\n", n - n_failed, n_failed);
	return n_failed ? EXIT_SAFETY : 0;
}

int main(int argc, char **argv)
{
	struct arguments a;
	int64_t n_failed = 0;
	int worst = 0;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (!parse(argc, argv, &a))
		return usage(stderr);
	if (a.is_scenes)
		return run_scenes(&a);
	if (a.scene)
		return run_apart(&a, 0, a.scene);
	for (int64_t i = 0; i < a.n_seeds; i++) {
		int code = run_apart(&a, a.seed + (uint64_t)i, NULL);

		n_failed += code != 0;
		worst = worst > code ? worst : code;
		if (code && a.is_stopping)
			break;
	}
	if (a.n_seeds > 1)
		printf("%lld passed, %lld failed\n", (long long)(a.n_seeds - n_failed),
		       (long long)n_failed);
	return worst;
}
