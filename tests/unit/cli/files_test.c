/* files_test.c - what is read has an end, what is written replaces nothing that it should not. */
#include "controller/cli/files.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(struct cli *cli, const char *name)
{
	return arena_printf(&cli->mem, "%s/%s", test_tmpdir(), name).at;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void is_pipe(const char *path)
{
	struct stat st;

	EXPECT(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
}

TEST(files_are_replaced_whole_and_devices_are_not)
{
	struct cli cli = { 0 };
	const char *file, *pipe;
	struct str text;

	arena_init(&cli.mem, 1 << 20);
	file = path_of(&cli, "file");
	pipe = path_of(&cli, "pipe");
	EXPECT_OK(file_write_all(file, STR("one")));
	EXPECT_OK(file_write_all(file, STR("two")));
	EXPECT_OK(file_read_all(&cli, file, &text));
	EXPECT(str_eq(text, STR("two")));
	ASSERT(mkfifo(pipe, 0600) == 0);
	EXPECT_EQ(file_write_all(pipe, STR("no")), ERR_EXISTS);
	EXPECT_EQ(file_write_all(test_tmpdir(), STR("no")), ERR_EXISTS);
	is_pipe(pipe);
	EXPECT(!is_there(path_of(&cli, "file.new")) && !is_there(path_of(&cli, "pipe.new")));
	arena_fini(&cli.mem);
}

TEST(a_name_that_somebody_chose_must_be_free)
{
	struct cli cli = { 0 };
	const char *file, *link;
	struct str text;

	arena_init(&cli.mem, 1 << 20);
	file = path_of(&cli, "chosen");
	link = path_of(&cli, "link");
	EXPECT_OK(file_write_new(file, STR("one")));
	EXPECT_EQ(file_write_new(file, STR("two")), ERR_EXISTS);
	ASSERT(symlink("nowhere", link) == 0);
	EXPECT_EQ(file_write_new(link, STR("two")), ERR_EXISTS);
	EXPECT_OK(file_read_all(&cli, file, &text));
	EXPECT(str_eq(text, STR("one")));
	arena_fini(&cli.mem);
}

TEST(a_file_without_end_or_without_a_disk_is_an_error)
{
	struct cli cli = { 0 };
	struct str text;

	arena_init(&cli.mem, 1 << 20);
	EXPECT_EQ(file_read_all(&cli, "/dev/zero", &text), ERR_LIMIT);
	EXPECT(file_read_all(&cli, test_tmpdir(), &text) != ERR_OK);
	EXPECT_EQ(file_read_all(&cli, path_of(&cli, "none"), &text), ERR_NOT_FOUND);
	arena_fini(&cli.mem);
}
