#include "common/base/log.h"

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
