/* local_process.c - processes of a local cluster, by /proc.
 *
 * A pid may be another program's by now, so a pid file also has the process's start time, and both
 * must match before a signal is sent.  Children are started in sessions of their own: they outlive
 * this command and its terminal. */
#include "common/base/text.h"
#include "controller/cli/files.h"
#include "controller/cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_EVERY_MS 2
#define PATH_BYTES 4096
#define FLAG_EXITING 4 /* PF_EXITING of the kernel */

/* What /proc/PID/stat tells; fields counted from 1 as in proc(5). */
struct process {
	char state;          /* field 3; Z: ended, not yet reaped */
	int64_t flags;       /* field 9 */
	int64_t n_threads;   /* field 20 */
	int64_t start_ticks; /* field 22 */
	int64_t rss_pages;   /* field 24 */
};

static const char *pid_file(struct local *l, const struct local_node *n)
{
	return arena_printf(&l->cli->mem, "%s/pid", n->dir).at;
}

/* The name in field 2 may hold anything, so fields are counted from its closing parenthesis. */
static bool read_process(struct cli *cli, pid_t pid, struct process *out)
{
	struct str text, field;
	const char *close;
	int number = 2;

	if (file_read_all(cli, arena_printf(&cli->mem, "/proc/%d/stat", (int)pid).at, &text) ||
	    text.n == 0)
		return false;
	close = memrchr(text.at, ')', text.n);
	if (!close || close + 2 >= text.at + text.n)
		return false;
	*out = (struct process){ .start_ticks = -1 };
	text = (struct str){ close + 2, (size_t)(text.at + text.n - close - 2) };
	while (str_cut(&text, ' ', &field)) {
		number++;
		if (number == 3)
			out->state = field.at[0];
		if ((number == 9 && parse_i64(field, &out->flags)) ||
		    (number == 20 && parse_i64(field, &out->n_threads)) ||
		    (number == 22 && parse_i64(field, &out->start_ticks)) ||
		    (number == 24 && parse_i64(field, &out->rss_pages)))
			return false;
	}
	return number >= 24;
}

static int64_t uptime_ms_of(struct cli *cli, int64_t start_ticks)
{
	struct str text, seconds;
	double up;

	if (file_read_all(cli, "/proc/uptime", &text) || !str_cut(&text, ' ', &seconds) ||
	    parse_f64(seconds, &up))
		return 0;
	return i64_max(0, (int64_t)(up * 1000) - start_ticks * 1000 / sysconf(_SC_CLK_TCK));
}

/* A signal that a busy machine has not let it see yet; /proc/PID/status writes masks in hex. */
static bool has_pending_end(struct cli *cli, pid_t pid)
{
	static const char *const names[] = { "\nSigPnd:", "\nShdPnd:" };
	uint64_t pending = 0;
	struct str text;

	if (file_read_all(cli, arena_printf(&cli->mem, "/proc/%d/status", (int)pid).at, &text))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *at = memmem(text.at, text.n, names[i], strlen(names[i]));

		if (at)
			pending |= strtoull(at + strlen(names[i]), NULL, 16);
	}
	return pending & (1ull << (SIGKILL - 1) | 1ull << (SIGTERM - 1));
}

/* Its locks and ports are held until the last thread is gone; the first may go before it. */
static bool has_ended(const struct process *p)
{
	return p->state == 'X' || (p->state == 'Z' && p->n_threads <= 1);
}

void local_look_node(struct local *l, struct local_node *n)
{
	struct str text, first;
	struct process p;
	int64_t pid, start;

	n->state = LOCAL_DOWN;
	n->pid = 0;
	n->is_ending = false;
	n->rss_bytes = n->uptime_ms = 0;
	if (file_read_all(l->cli, pid_file(l, n), &text))
		return;
	text = str_trim(text);
	if (!str_cut(&text, ' ', &first) || parse_i64(first, &pid) || str_null(text) ||
	    parse_i64(text, &start) || pid <= 1)
		return;
	if (!read_process(l->cli, (pid_t)pid, &p) || p.start_ticks != start || has_ended(&p))
		return;
	n->pid = (pid_t)pid;
	n->state = p.state == 'T' ? LOCAL_PAUSED : LOCAL_RUNNING;
	n->is_ending = (p.flags & FLAG_EXITING) || has_pending_end(l->cli, n->pid);
	n->rss_bytes = p.rss_pages * sysconf(_SC_PAGESIZE);
	n->uptime_ms = uptime_ms_of(l->cli, start);
}

/* Those that this very command started must be reaped, or they would look alive. */
void local_look(struct local *l)
{
	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
	for (int i = 0; i < l->n_nodes; i++)
		local_look_node(l, &l->nodes[i]);
}

/* ---- starting ------------------------------------------------------------------------------ */

/* The daemon next to this program, else the one that PATH finds. */
static const char *program_of(struct local *l, const struct local_node *n)
{
	const char *name = arena_printf(&l->cli->mem, "weir-%s", n->role).at;
	char self[PATH_BYTES];
	ssize_t got = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *path;

	if (got <= 0)
		return name;
	self[got] = '\0';
	*strrchr(self, '/') = '\0';
	path = arena_printf(&l->cli->mem, "%s/%s", self, name).at;
	return access(path, X_OK) == 0 ? path : name;
}

/* Runs in the child; comes back only when the program cannot be started. */
static void become(const char *program, const struct local_node *n, int log_fd)
{
	int null_fd = open("/dev/null", O_RDONLY);
	char *argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)n->config, NULL };

	setsid();
	signal(SIGPIPE, SIG_DFL);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
	    dup2(log_fd, STDERR_FILENO) < 0)
		return;
	close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execvp(program, argv);
}

static int record_pid(struct local *l, struct local_node *n, pid_t pid)
{
	struct process p;
	enum err e;

	if (!read_process(l->cli, pid, &p))
		return cli_fail(l->cli, CLI_FAILED, "%s %d ended at once", n->role, n->id);
	e = file_write_all(pid_file(l, n), arena_printf(&l->cli->mem, "%d %lld\n", (int)pid,
							(long long)p.start_ticks));
	if (e) {
		kill(pid, SIGKILL);
		return cli_fail(l->cli, CLI_FAILED, "%s: %s", pid_file(l, n), err_text(e));
	}
	n->pid = pid;
	n->state = LOCAL_RUNNING;
	return CLI_OK;
}

/* The pipe is close-on-exec: reading its end means that the program runs, reading an errno that it
 * could not be started. */
int local_start(struct local *l, struct local_node *n)
{
	const char *program = program_of(l, n);
	int log_fd = open(n->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int why[2], failed = 0, code;
	pid_t pid;

	if (log_fd < 0)
		return cli_fail(l->cli, CLI_FAILED, "%s: %s", n->log, strerror(errno));
	n->log_from = i64_max(0, lseek(log_fd, 0, SEEK_END));
	ASSERT(pipe2(why, O_CLOEXEC) == 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		become(program, n, log_fd);
		failed = errno;
		_exit(write(why[1], &failed, sizeof(failed)) == sizeof(failed) ? 127 : 126);
	}
	close(why[1]);
	close(log_fd);
	/* The pipe closes by itself when the program has started. */
	if (pid < 0 || read(why[0], &failed, sizeof(failed)) > 0)
		code = cli_fail(l->cli, CLI_FAILED,
				"cannot start %s: %s. It belongs next to weir or on the PATH",
				program, strerror(pid < 0 ? errno : failed));
	else
		code = record_pid(l, n, pid);
	close(why[0]);
	return code;
}

/* ---- signals ------------------------------------------------------------------------------- */

bool local_signal(struct local *l, struct local_node *n, int signal_number)
{
	local_look_node(l, n);
	return n->pid > 1 && kill(n->pid, signal_number) == 0;
}

bool local_wait_end(struct local *l, struct local_node *n, int64_t deadline_ms)
{
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0) {
		}
		local_look_node(l, n);
		if (n->state == LOCAL_DOWN)
			return true;
		if (cli_now_ms() >= deadline_ms)
			return false;
		cli_sleep_ms(LOOK_EVERY_MS);
	}
}
