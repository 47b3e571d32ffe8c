/* test.c - see test.h. */
#include "tests/lib/test.h"

#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECONDS_DEFAULT 60
#define FAILURES_SHOWN 20 /* per test: a loop that fails a million times says so once */

static struct {
	struct test_case *first, **last;
	struct test_case *running;
	int failures;
	char tmpdir[64];
} t = { .last = &t.first };

static bool report(const char *file, int line);

void test_register(struct test_case *c)
{
	if (!t.last)
		t.last = &t.first;
	*t.last = c;
	t.last = &c->next;
}

bool test_true(bool ok, const char *expr, const char *file, int line)
{
	if (!ok && report(file, line))
		printf("%s is false\n", expr);
	return ok;
}

bool test_i64(int64_t a, int64_t b, const char *exprs, const char *file, int line)
{
	if (a != b && report(file, line))
		printf("%s: %lld, %lld\n", exprs, (long long)a, (long long)b);
	return a == b;
}

bool test_str(struct str a, struct str b, const char *exprs, const char *file, int line)
{
	bool ok = str_eq(a, b);

	if (!ok && report(file, line))
		printf("%s:\n\t[%.*s]%s\n\t[%.*s]%s\n", exprs, (int)a.n, str_null(a) ? "" : a.at,
		       str_null(a) ? " null" : "", (int)b.n, str_null(b) ? "" : b.at,
		       str_null(b) ? " null" : "");
	return ok;
}

bool test_mem(const void *a, const void *b, size_t n, const char *exprs, const char *file, int line)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < n; i++) {
		if (x[i] == y[i])
			continue;
		if (report(file, line))
			printf("%s: byte %zu of %zu: %02x, %02x\n", exprs, i, n, x[i], y[i]);
		return false;
	}
	return true;
}

bool test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (!report(file, line))
		return false;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return false;
}

bool test_failed(void)
{
	return t.failures > 0;
}

const char *test_tmpdir(void)
{
	if (!t.tmpdir[0]) {
		snprintf(t.tmpdir, sizeof(t.tmpdir), "/tmp/weir-test-XXXXXX");
		ASSERT(mkdtemp(t.tmpdir));
	}
	return t.tmpdir;
}

static bool report(const char *file, int line)
{
	if (++t.failures > FAILURES_SHOWN)
		return false;
	printf("%s:%d: %s: ", file, line, t.running->name);
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void on_alarm(int sig)
{
	static const char text[] = "a test ran out of time (TEST_SECONDS)\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(3);
	_exit(2);
}

static bool run(struct test_case *c, unsigned seconds)
{
	t.running = c;
	t.failures = 0;
	alarm(seconds);
	c->run();
	alarm(0);
	if (t.tmpdir[0])
		nftw(t.tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	t.tmpdir[0] = '\0';
	if (t.failures)
		printf("FAIL %s (%s), %d checks\n", c->name, c->file, t.failures);
	return t.failures == 0;
}

int main(int argc, char **argv)
{
	const char *seconds = getenv("TEST_SECONDS");
	int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	for (struct test_case *c = t.first; c; c = c->next) {
		if (argc > 1 && !strstr(c->name, argv[1]))
			continue;
		if (run(c, seconds ? (unsigned)strtoul(seconds, NULL, 10) : SECONDS_DEFAULT))
			passed++;
		else
			failed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
