/* weir-sim: whole clusters in one process, on a simulated clock, network and disk. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/text.h"
#include "tests/sim/settings.h"
#include "tests/sim/run.h"
#include "tests/sim/scene.h"
#include "tests/sim/shrink.h"

#define SETTINGS_MAX 64
#define SEEDS_MAX 100000000
#define JOBS_MAX 64
#define TOLD_FAULTS 60 /* of a failing schedule */
#define PATH_BYTES 512
#define WHY_BYTES 256

enum { EXIT_UNMARKED = 1, EXIT_USAGE = 2 };

struct arguments {
	int64_t seed, n_seeds, jobs;
	bool is_twice, is_loud, is_scenes, is_stopping, is_shrinking, is_marking, is_brief;
	const char *scene, *schedule, *schedules, *dump, *out;
	struct setting set[SETTINGS_MAX]; /* overruling what the seed drew */
	int n_set;
};
struct series { /* of many runs */
	const struct arguments *a;
	int64_t n_begun, n_done, n_failed;
	int64_t n_acked, n_faults, virtual_us;
	int worst, n_unmarked;
};

/* ---- the command line ----------------------------------------------------------------------- */

static int usage(FILE *to)
{
	fprintf(to, "usage: weir-sim [SEED] [--seeds N] [--twice] [--loud] [--OPTION VALUE]...\n"
		    "       weir-sim --schedule FILE [--loud]\n"
		    "       weir-sim --shrink [SEED | --schedule FILE] [--out FILE]\n"
		    "       weir-sim --scenes | --scene NAME [--loud] | --schedules FOLDER\n"
		    "       weir-sim --help\n");
	return to == stdout ? 0 : EXIT_USAGE;
}

static int help(void)
{
	(void)usage(stdout);
	printf("\n"
	       "Do acknowledged records survive on this cluster?  weir-sim runs the brokers and\n"
	       "controllers themselves, on a simulated clock, network and disk: faults come at "
	       "your\n"
	       "rates, then they end and everything must come together.  A record that was\n"
	       "acknowledged with acks=all must be there, at its offset, on every replica.\n"
	       "\n"
	       "  weir-sim --brokers 5 --rf 3 --min-isr 2 --kill-rate 20/min --for 60s --seeds "
	       "100\n"
	       "  weir-sim --brokers 3 --rf 3 --min-isr 2 --power-rate 10/min --cut-rate 10/min\n"
	       "  weir-sim --seeds 1000 --jobs 2       everything by chance\n"
	       "\n"
	       "Each SEED (1) is one run, the same every time.  What you do not say the seed "
	       "draws;\n"
	       "who names faults gets those and no others.\n"
	       "A TIME is 10s, 250ms or 2m; a RATE 2/min, 1/s, the mean pause between two, or "
	       "0.\n");
	settings_help();
	printf("\nRuns\n"
	       "  --seeds N              SEED and the N - 1 after it\n"
	       "  --jobs N               so many at a time (1)\n"
	       "  --stop                 at the first run that fails\n"
	       "  --twice                run each seed twice: both runs must be the same\n"
	       "  --brief                only what failed\n"
	       "  --loud                 tell the story as it happens\n"
	       "  --marks                fail if a rare branch was taken in no run\n"
	       "\nWhat failed\n"
	       "  --schedule FILE        the seed, options and faults of a file\n"
	       "  --dump-schedule FILE   write such a file\n"
	       "  --schedules FOLDER     every schedule in it\n"
	       "  --shrink               look for the smallest run that fails in the same way\n"
	       "  --out FILE             where to write it (shrunk-SEED.jsonl)\n"
	       "\nExit code\n"
	       "  0    all held: nothing acknowledged was lost, every cluster was whole in the "
	       "end\n"
	       "  1    a mark was never hit\n"
	       "  2    the command line\n"
	       "  %d  a process crashed\n"
	       "  %d  nothing known to be lost, but a cluster did not recover in time\n"
	       "  %d  an acknowledged record was lost, or a rule of replication was broken\n",
	       EXIT_CRASH, EXIT_LIVENESS, EXIT_SAFETY);
	return 0;
}

static int no_such_scene(const char *name)
{
	const struct scene *scene;

	fprintf(stderr, "weir-sim: there is no scene %s; there are\n", name);
	for (int i = 0; (scene = scene_at(i)); i++)
		fprintf(stderr, "  %s\n", scene->name);
	return EXIT_USAGE;
}

static bool parse_flag(struct arguments *a, const char *arg)
{
	const struct {
		const char *name;
		bool *at;
	} flags[] = {
		{ "--twice", &a->is_twice },      { "--loud", &a->is_loud },
		{ "--scenes", &a->is_scenes },    { "--stop", &a->is_stopping },
		{ "--shrink", &a->is_shrinking }, { "--marks", &a->is_marking },
		{ "--brief", &a->is_brief },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].name, arg) == 0) {
			*flags[i].at = true;
			return true;
		}
	return false;
}

static bool parse_number(const char *text, int64_t max, int64_t *out)
{
	return parse_i64(str_of(text), out) == ERR_OK && *out >= 1 && *out <= max;
}

static bool parse_option(struct arguments *a, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **at;
	} texts[] = {
		{ "--scene", &a->scene },
		{ "--schedule", &a->schedule },
		{ "--schedules", &a->schedules },
		{ "--dump-schedule", &a->dump },
		{ "--out", &a->out },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(texts[i].name, name) == 0) {
			*texts[i].at = value;
			return true;
		}
	if (strcmp(name, "--seeds") == 0)
		return parse_number(value, SEEDS_MAX, &a->n_seeds);
	if (strcmp(name, "--jobs") == 0)
		return parse_number(value, JOBS_MAX, &a->jobs);
	if (strncmp(name, "--", 2) != 0 || a->n_set == SETTINGS_MAX)
		return false;
	a->set[a->n_set++] = (struct setting){ name + 2, value };
	return true;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	*a = (struct arguments){ .seed = 1, .n_seeds = 1, .jobs = 1 };
	for (int i = 1; i < argc; i++) {
		if (parse_flag(a, argv[i]))
			continue;
		if (parse_i64(str_of(argv[i]), &a->seed) == ERR_OK && a->seed >= 0)
			continue;
		if (i + 1 == argc || !parse_option(a, argv[i], argv[i + 1])) {
			fprintf(stderr, "weir-sim: what is %s%s%s?\n", argv[i],
				i + 1 < argc ? " " : "", i + 1 < argc ? argv[i + 1] : "");
			return false;
		}
		i++;
	}
	return true;
}

/* ---- a run and its verdict ------------------------------------------------------------------ */

static bool set_up(const struct arguments *a, int64_t seed, struct run *r, char *why, size_t cap)
{
	*r = (struct run){ .is_loud = a->is_loud,
			   .is_twice = a->is_twice,
			   .is_brief = a->is_brief };
	if (a->schedule)
		return schedule_read(&r->faults, &r->swarm, a->schedule, why, cap);
	swarm_draw(&r->swarm, (uint64_t)seed);
	if (!settings_apply(&r->swarm, a->set, a->n_set, why, cap))
		return false;
	schedule_draw(&r->faults, &r->swarm);
	return true;
}

static void name_run(const struct arguments *a, const struct run *r, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	if (r->scene)
		text_printf(&t, " --scene %s", r->scene);
	else if (a->schedule)
		text_printf(&t, " --schedule %s", a->schedule);
	else
		text_printf(&t, " %llu", (unsigned long long)r->swarm.seed);
	for (int i = 0; i < a->n_set && !r->scene && !a->schedule; i++)
		text_printf(&t, " --%s %s", a->set[i].name, a->set[i].value);
	if (a->is_twice)
		text_printf(&t, " --twice");
}

static void tell_faults(const struct run *r, const struct outcome *o)
{
	int n = 0;

	while (n < r->faults.n &&
	       (o->at_us == 0 || r->faults.v[n].at_us + SWARM_FAULTS_FROM_US <= o->at_us))
		n++;
	if (n > TOLD_FAULTS)
		printf("the last %d faults before it, of %d (--dump-schedule FILE has all):\n",
		       TOLD_FAULTS, n);
	else
		printf("%d faults before it:\n", n);
	for (int i = n > TOLD_FAULTS ? n - TOLD_FAULTS : 0; i < n; i++) {
		char line[PATH_BYTES];

		fault_print(&r->faults.v[i], line, sizeof(line));
		printf("  %s\n", line);
	}
}

static void tell_failure(const struct arguments *a, const struct run *r, const struct outcome *o)
{
	char name[PATH_BYTES];

	if (!r->scene)
		tell_faults(r, o);
	if (o->code == EXIT_CRASH)
		printf("CRASH: %s\n", o->message);
	name_run(a, r, name, sizeof(name));
	printf("replay: weir-sim%s --loud\n", name);
	if (!r->scene && !a->is_twice)
		printf("reduce: weir-sim --shrink%s\n", name);
}

static void tell_verdict(const struct series *s)
{
	const char *clusters = s->n_done == 1 ? "cluster" : "clusters";

	if (s->worst == 0)
		printf("HELD: %lld %s, %.0f s with %lld faults; all %lld records acknowledged "
		       "with acks=all are there, on every replica\n",
		       (long long)s->n_done, clusters, (double)s->virtual_us / 1e6,
		       (long long)s->n_faults, (long long)s->n_acked);
	else if (s->worst == EXIT_SAFETY)
		printf("BROKEN: in %lld of %lld %s a record was lost or a rule was broken\n",
		       (long long)s->n_failed, (long long)s->n_done, clusters);
	else if (s->worst == EXIT_LIVENESS)
		printf("NOT WHOLE: %lld of %lld %s did not recover in time; nothing is known to be "
		       "lost\n",
		       (long long)s->n_failed, (long long)s->n_done, clusters);
	else
		printf("CRASHED: %lld of %lld %s\n", (long long)s->n_failed, (long long)s->n_done,
		       clusters);
}

static int one(const struct arguments *a)
{
	char why[WHY_BYTES];
	struct outcome o;
	struct run r;

	if (!set_up(a, a->seed, &r, why, sizeof(why))) {
		fprintf(stderr, "weir-sim: %s\n", why);
		return EXIT_USAGE;
	}
	r.scene = a->scene;
	if (a->dump && !schedule_write(&r.faults, &r.swarm, a->dump)) {
		fprintf(stderr, "weir-sim: %s cannot be written\n", a->dump);
		return EXIT_USAGE;
	}
	run_one(&r, &o);
	if (o.code)
		tell_failure(a, &r, &o);
	if (!r.scene && !a->schedules) {
		struct series s = { .n_done = 1, .worst = o.code, .n_failed = o.code != 0 };

		s.n_acked = o.n_acked;
		s.n_faults = o.n_faults;
		s.virtual_us = o.virtual_us;
		tell_verdict(&s);
	}
	schedule_free(&r.faults);
	return o.code;
}

/* ---- many ----------------------------------------------------------------------------------- */

static bool next_seed(void *arg, struct run *r)
{
	struct series *s = arg;
	char why[WHY_BYTES];

	if (s->n_begun == s->a->n_seeds)
		return false;
	if (set_up(s->a, s->a->seed + s->n_begun++, r, why, sizeof(why)))
		return true;
	fprintf(stderr, "weir-sim: %s\n", why);
	s->worst = EXIT_USAGE;
	return false;
}

static bool next_scene(void *arg, struct run *r)
{
	struct series *s = arg;
	const struct scene *scene = scene_at((int)s->n_begun++);

	*r = (struct run){ .scene = scene ? scene->name : NULL };
	return scene != NULL;
}

static bool count(struct series *s, const struct run *r, const struct outcome *o)
{
	if (o->code)
		tell_failure(s->a, r, o);
	s->n_done++;
	s->n_failed += o->code != 0;
	s->worst = s->worst > o->code ? s->worst : o->code;
	s->n_acked += o->n_acked;
	s->n_faults += o->n_faults;
	s->virtual_us += o->virtual_us;
	return !o->code || !s->a->is_stopping;
}

static bool seed_done(void *arg, const struct run *r, const struct outcome *o)
{
	return count(arg, r, o);
}

static bool scene_done(void *arg, const struct run *r, const struct outcome *o)
{
	bool goes_on = count(arg, r, o);

	printf("%s scene/%s\n", o->code ? "FAIL" : "PASS", r->scene);
	return goes_on;
}

static void tell_mark(void *arg, const char *name, const char *file, uint64_t n_runs)
{
	struct series *s = arg;

	s->n_unmarked += n_runs == 0;
	printf("mark %8llu  %s (%s)%s\n", (unsigned long long)n_runs, name, file,
	       n_runs == 0 ? "  NEVER" : "");
}

static int many(const struct arguments *a, run_next *next, run_done *done)
{
	struct series s = { .a = a };

	run_all((int)a->jobs, next, done, &s);
	if (a->is_marking)
		run_marks(tell_mark, &s);
	if (next == next_seed)
		tell_verdict(&s);
	printf("%lld passed, %lld failed\n", (long long)(s.n_done - s.n_failed),
	       (long long)s.n_failed);
	return s.worst || s.n_unmarked == 0 ? s.worst : EXIT_UNMARKED;
}

static int is_schedule(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && strcmp(dot, ".jsonl") == 0;
}

static int schedules(const struct arguments *a)
{
	struct dirent **files;
	int n = scandir(a->schedules, &files, is_schedule, alphasort), n_failed = 0, worst = 0;

	if (n < 0) {
		fprintf(stderr, "weir-sim: %s cannot be read\n", a->schedules);
		return EXIT_USAGE;
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_BYTES];
		struct arguments single = *a;
		int code;

		snprintf(path, sizeof(path), "%s/%s", a->schedules, files[i]->d_name);
		single.schedule = path;
		code = one(&single);
		printf("%s schedule/%.*s\n", code ? "FAIL" : "PASS",
		       (int)(strlen(files[i]->d_name) - strlen(".jsonl")), files[i]->d_name);
		n_failed += code != 0;
		worst = worst > code ? worst : code;
		free(files[i]);
	}
	free(files);
	printf("%d passed, %d failed\n", n - n_failed, n_failed);
	return worst;
}

/* ---- reducing ------------------------------------------------------------------------------- */

static int reduce(const struct arguments *a)
{
	char why[WHY_BYTES], path[PATH_BYTES];
	struct shrunk shrunk;
	struct run r;

	if (!set_up(a, a->seed, &r, why, sizeof(why))) {
		fprintf(stderr, "weir-sim: %s\n", why);
		return EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "shrunk-%llu.jsonl", (unsigned long long)r.swarm.seed);
	shrink(&r, &shrunk);
	if (shrunk.outcome.code == 0) {
		printf("it does not fail: there is nothing to reduce\n");
		return 0;
	}
	if (!schedule_write(&r.faults, &r.swarm, a->out ? a->out : path)) {
		fprintf(stderr, "weir-sim: %s cannot be written\n", a->out ? a->out : path);
		return EXIT_USAGE;
	}
	printf("%s\n%d faults of %d are left, after %d runs:\n", shrunk.outcome.message, r.faults.n,
	       shrunk.n_before, shrunk.n_runs);
	tell_faults(&r, &shrunk.outcome);
	printf("replay: weir-sim --schedule %s --loud\n", a->out ? a->out : path);
	return shrunk.outcome.code;
}

int main(int argc, char **argv)
{
	struct arguments a;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return help();
	if (!parse(argc, argv, &a))
		return usage(stderr);
	if (a.scene && !scene_is(a.scene))
		return no_such_scene(a.scene);
	if (a.is_scenes)
		return many(&a, next_scene, scene_done);
	if (a.schedules)
		return schedules(&a);
	if (a.is_shrinking)
		return reduce(&a);
	if (a.n_seeds == 1)
		return one(&a);
	return many(&a, next_seed, seed_done);
}
