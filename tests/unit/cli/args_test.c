/* args_test.c - argv against the whole table: what a flag takes as its value. */
#include "controller/cli/args.h"
#include "controller/cli/commands.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WORDS_MAX 16

struct parsed {
	struct cli cli;
	bool ok;
	char words[512], error[512];
};

/* What is said on stderr stands in p->error. */
static void parse(struct parsed *p, const char *words)
{
	char path[300], *argv[WORDS_MAX], *rest = p->words;
	int argc = 0, kept = dup(2), fd;

	*p = (struct parsed){ .cli.program = "weir" };
	snprintf(p->words, sizeof(p->words), "weir %s", words);
	while (rest && argc < WORDS_MAX)
		argv[argc++] = strsep(&rest, " ");
	snprintf(path, sizeof(path), "%s/said", test_tmpdir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0 && kept >= 0 && dup2(fd, 2) == 2);
	p->ok = args_parse(&p->cli, argc, argv) && args_count_ok(&p->cli);
	ASSERT(dup2(kept, 2) == 2 && pread(fd, p->error, sizeof(p->error) - 1, 0) >= 0);
	close(fd);
	close(kept);
}

/* A command that has the flag: any, when every command has it. */
static void each_flag(void (*look)(const char *path, const struct cmd *, const struct flag *))
{
	for (int i = 0; i < n_global_flags; i++)
		look("topics list", command_of_noun("topics"), &global_flags[i]);
	for (int c = 0; c < n_commands; c++)
		for (int i = 0; i < CMD_FLAGS_MAX && commands[c].flags[i].name; i++)
			look(commands[c].path, &commands[c], &commands[c].flags[i]);
}

static void says_what_is_missing(const char *path, const struct cmd *cmd, const struct flag *f)
{
	static const char *const tails[] = { "", " --yes", " --timeout=3", " -o json", " --" };
	char words[200], example[100];
	struct parsed p;

	(void)cmd;
	if (!f->value || strchr("=?", f->value[0]))
		return;
	snprintf(example, sizeof(example), "--%s %s, for example --%s %s", f->name, f->value,
		 f->name, flag_example(f));
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		snprintf(words, sizeof(words), "%s --%s%s", path, f->name, tails[i]);
		parse(&p, words);
		if (p.ok || !strstr(p.error, "needs a value") || !strstr(p.error, example))
			FAIL("weir %s: %s", words, p.error);
	}
}

static void takes_its_example(const char *path, const struct cmd *cmd, const struct flag *f)
{
	char words[200];
	struct parsed p;

	if (!f->value || strcmp(f->name, "watch") == 0)
		return;
	EXPECT(strcmp(flag_example(f), "VALUE") != 0);
	if (f->value[0] == '?')
		EXPECT_EQ(cmd->args_max, 0);
	snprintf(words, sizeof(words), "%s --%s %s", path, f->name, flag_example(f));
	parse(&p, words);
	if (!cli_flag(&p.cli, f->name) || strcmp(cli_flag(&p.cli, f->name), flag_example(f)) != 0)
		FAIL("weir %s: %s", words, p.error);
}

TEST(a_flag_without_its_value_says_which_and_gives_an_example)
{
	each_flag(says_what_is_missing);
}

TEST(every_flag_takes_its_example)
{
	each_flag(takes_its_example);
}

TEST(a_value_may_begin_with_a_dash)
{
	struct parsed p;

	parse(&p, "topics list --sort-by -topic");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "sort-by"), "-topic") == 0);
	parse(&p, "topics list --sort-by=--topic");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "sort-by"), "--topic") == 0);
	parse(&p, "topics trim orders --before -1");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "before"), "-1") == 0);
	parse(&p, "topics list --saved -");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "saved"), "-") == 0);
}

TEST(a_value_that_may_be_left_out)
{
	struct parsed p;

	parse(&p, "cluster health --until-healthy --timeout 20");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "until-healthy"), "") == 0);
	EXPECT(strcmp(cli_flag(&p.cli, "timeout"), "20") == 0);
	parse(&p, "cluster health --until-healthy 60s");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "until-healthy"), "60s") == 0);
	parse(&p, "cluster health --until-healthy");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "until-healthy"), "") == 0);
	parse(&p, "cluster health --until-healthy=2m -o json");
	EXPECT(p.ok && strcmp(cli_flag(&p.cli, "until-healthy"), "2m") == 0);
}
