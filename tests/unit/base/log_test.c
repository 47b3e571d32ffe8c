#include "common/base/log.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/text.h"
#include "tests/lib/test.h"

static char lines[4096];
static struct text seen;

static void remember(void *arg, const char *line, size_t n)
{
	(void)arg;
	text_str(&seen, (struct str){ line, n });
}

static void start(void)
{
	text_init(&seen, lines, sizeof(lines));
	log_set_sink(remember, NULL);
}

TEST(a_line_is_level_subsystem_message_fields)
{
	start();
	log_info("replica", "isr shrunk", F_Z("topic", "orders"), F_I64("partition", -2));
	log_set_name("broker-1");
	log_warn("log", "plain");
	log_set_name("");
	log_set_sink(NULL, NULL);
	EXPECT_Z(lines, "INFO  replica isr shrunk topic=orders partition=-2\n"
			"WARN  broker-1 log plain\n");
}

TEST(text_with_blanks_or_quotes_is_quoted)
{
	struct uuid none = { 0 };

	start();
	log_error("x", "y", F_Z("a", "b c"), F_Z("q", "\""), F_STR("n", (struct str){ 0 }),
		  F_Z("e", ""), F_UUID("id", none));
	log_set_sink(NULL, NULL);
	EXPECT_Z(lines, "ERROR x y a=\"b c\" q=\"\\\"\" n=null e=\"\" id=AAAAAAAAAAAAAAAAAAAAAA\n");
}

TEST(levels_above_the_set_one_are_silent)
{
	start();
	log_debug("x", "hidden");
	log_set_level(LOG_DEBUG);
	log_debug("x", "shown");
	log_set_level(LOG_INFO);
	log_set_sink(NULL, NULL);
	EXPECT_Z(lines, "DEBUG x shown\n");
}

TEST(a_long_line_is_cut_and_still_ends)
{
	char text[3000];

	memset(text, 'a', sizeof(text));
	start();
	log_info("x", "long", F_STR("v", ((struct str){ text, sizeof(text) })));
	log_set_sink(NULL, NULL);
	EXPECT(seen.n < 1100);
	EXPECT_EQ(lines[seen.n - 1], '\n');
}

/* What a crash leaves behind: the last lines of every level, then the place. */
TEST(a_failed_assertion_prints_the_last_lines_and_aborts)
{
	char said[65536];
	int fd[2], status;
	size_t n = 0;
	pid_t child;

	ASSERT(pipe(fd) == 0);
	child = fork();
	if (child == 0) {
		dup2(fd[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		for (int i = 0; i < 300; i++)
			log_debug("x", "step", F_I64("i", i));
		ASSERT(n == 1);
	}
	close(fd[1]);
	for (ssize_t got; (got = read(fd[0], said + n, sizeof(said) - 1 - n)) > 0; n += (size_t)got)
		;
	said[n] = '\0';
	close(fd[0]);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	EXPECT(!strstr(said, "step i=43\n"));
	EXPECT(strstr(said, "step i=44\n") && strstr(said, "step i=299\n"));
	EXPECT(strstr(said, "ASSERT failed: n == 1 at tests/unit/base/log_test.c:"));
}
