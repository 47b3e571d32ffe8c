#include "tests/sim/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mark.h"
#include "tests/sim/scene.h"

#define RUN_SECONDS 300
#define JOBS_MAX 64
#define MARKS_MAX 256
#define AHEAD 8 /* finished runs that may wait for a slow one before them, of each job */

struct slot {
	struct run run;
	struct outcome *outcome; /* shared with the child */
	FILE *output;            /* NULL: it goes where ours goes */
	pid_t pid;               /* 0: ended */
};

static uint32_t *mark_counts(void);
static void begin(struct slot *, bool is_alone);
static void collect(struct slot *, int n);
static void forget(struct slot *);
static void finish(struct slot *, int status);
static void show(FILE *output);
no_return static void child(struct slot *);

/* One word per mark, which every child adds to; there from the first run on. */
static uint32_t *mark_counts(void)
{
	static uint32_t *counts;

	if (!counts)
		counts = mmap(NULL, MARKS_MAX * sizeof(*counts), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(counts != MAP_FAILED && __stop_marks - __start_marks <= MARKS_MAX);
	return counts;
}

void run_marks(void (*each)(void *arg, const char *name, const char *file, uint64_t n_runs),
	       void *arg)
{
	for (struct mark **m = __start_marks; m < __stop_marks; m++)
		each(arg, (*m)->name, (*m)->file, mark_counts()[m - __start_marks]);
}

void run_all(int jobs, run_next *next, run_done *done, void *arg)
{
	int n_slots = jobs * AHEAD, first = 0, n = 0;
	struct slot *slots;
	bool is_more = true;

	ASSERT(jobs > 0 && jobs <= JOBS_MAX);
	slots = mem_alloc(sizeof(*slots) * (size_t)n_slots);
	while (is_more || n > 0) {
		struct slot *oldest = &slots[first % n_slots];
		int n_running = 0;

		if (n > 0 && oldest->pid == 0) {
			show(oldest->output);
			is_more = done(arg, &oldest->run, oldest->outcome) && is_more;
			schedule_free(&oldest->run.faults);
			first++;
			n--;
			continue;
		}
		for (int i = 0; i < n; i++)
			n_running += slots[(first + i) % n_slots].pid != 0;
		if (is_more && n_running < jobs && n < n_slots) {
			struct slot *s = &slots[(first + n) % n_slots];

			*s = (struct slot){ .outcome = s->outcome };
			is_more = next(arg, &s->run);
			if (is_more)
				begin(s, jobs == 1);
			n += is_more;
			continue;
		}
		collect(slots, n_slots);
	}
	for (int i = 0; i < n_slots; i++)
		forget(&slots[i]);
	mem_free(slots);
}

void run_one(struct run *run, struct outcome *out)
{
	struct slot s = { .run = *run };

	begin(&s, true);
	while (s.pid != 0)
		collect(&s, 1);
	*out = *s.outcome;
	if (s.output)
		fclose(s.output);
	forget(&s);
}

static void forget(struct slot *s)
{
	if (s->outcome)
		(void)munmap(s->outcome, sizeof(*s->outcome));
}

static void begin(struct slot *s, bool is_alone)
{
	if (!s->outcome)
		s->outcome = mmap(NULL, sizeof(*s->outcome), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(s->outcome != MAP_FAILED);
	*s->outcome = (struct outcome){ .code = EXIT_CRASH };
	(void)mark_counts();
	s->output = is_alone && !s->run.is_silent ? NULL : tmpfile();
	fflush(stdout);
	s->pid = fork();
	ASSERT(s->pid >= 0);
	if (s->pid == 0)
		child(s);
}

/* Waits for any of them. */
static void collect(struct slot *slots, int n)
{
	int status = 0;
	pid_t pid;

	do
		pid = waitpid(-1, &status, 0);
	while (pid < 0 && errno == EINTR);
	for (int i = 0; i < n && pid > 0; i++)
		if (slots[i].pid == pid)
			finish(&slots[i], status);
}

/* What a child of a signal could not say itself. */
static void finish(struct slot *s, int status)
{
	struct outcome *o = s->outcome;

	s->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == o->code)
		return;
	o->code = EXIT_CRASH;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(o->message, sizeof(o->message), "no end within %d s", RUN_SECONDS);
	else if (WIFSIGNALED(status))
		snprintf(o->message, sizeof(o->message), "%s", strsignal(WTERMSIG(status)));
	else
		snprintf(o->message, sizeof(o->message), "exit code %d", WEXITSTATUS(status));
}

static void show(FILE *output)
{
	char bytes[4096];
	size_t n;

	if (!output)
		return;
	rewind(output);
	while ((n = fread(bytes, 1, sizeof(bytes), output)) > 0)
		(void)fwrite(bytes, 1, n, stdout);
	fclose(output);
}

/* ---- in the child --------------------------------------------------------------------------- */

static void on_abort(int unused)
{
	(void)unused;
	story_last_lines();
	(void)signal(SIGABRT, SIG_DFL);
	(void)raise(SIGABRT);
}

static uint64_t play(const struct run *r, struct outcome *o, bool is_loud)
{
	struct cluster *c = swarm_build(&r->swarm);
	uint64_t hash;

	story_begin(c->world, is_loud);
	swarm_run(&r->swarm, &r->faults, c);
	if (!o->hash && !r->is_brief)
		swarm_tell(&r->swarm, c);
	hash = o->hash = c->world->hash;
	o->n_acked = c->n_acked;
	o->n_consumed = c->n_consumed;
	o->n_faults = c->n_faults;
	o->virtual_us = c->world->now_us;
	cluster_free(c);
	story_begin(NULL, is_loud);
	return hash;
}

static void child(struct slot *s)
{
	const struct run *r = &s->run;

	if (s->output) {
		(void)dup2(fileno(s->output), STDOUT_FILENO);
		(void)dup2(fileno(s->output), STDERR_FILENO);
	}
	(void)alarm(RUN_SECONDS);
	(void)signal(SIGABRT, on_abort);
	story_outcome(s->outcome);
	if (r->scene) {
		scene_play(r->scene, r->is_loud);
	} else {
		uint64_t hash = play(r, s->outcome, r->is_loud);

		if (r->is_twice && play(r, s->outcome, false) != hash)
			story_fail(EXIT_SAFETY, "the same seed ran differently");
	}
	for (struct mark **m = __start_marks; m < __stop_marks; m++)
		__atomic_fetch_add(&mark_counts()[m - __start_marks], (*m)->is_hit,
				   __ATOMIC_RELAXED);
	s->outcome->code = 0;
	fflush(stdout);
	_exit(0);
}
