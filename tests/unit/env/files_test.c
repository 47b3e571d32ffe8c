/* The kernel's files behind the seam: whole writes, short reads, locks, trees, errors. */
#include "common/env/files_posix.h"
#include "tests/lib/test.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct files_ops *fs = &files_posix;

static const char *in_tmp(const char *name)
{
	static char path[4][512];
	static int turn;
	char *p = path[turn++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", test_tmpdir(), name);
	return p;
}

static struct file *open_new(const char *name)
{
	struct file *f = NULL;
	EXPECT_OK(fs->open(NULL, in_tmp(name), FILE_READ | FILE_WRITE | FILE_CREATE, &f));
	return f;
}

static int64_t size_of(struct file *f)
{
	int64_t n = -1;
	EXPECT_OK(fs->size(f, &n));
	return n;
}

TEST(a_write_of_200_pieces_is_read_back)
{
	struct file *f = open_new("a");
	struct file_iov v[200];
	char want[200 * 3], got[700];
	size_t n = 0;
	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (char)(i * 7 + i / 256);
	for (int i = 0; i < 200; i++)
		v[i] = (struct file_iov){ want + 3 * i, i % 7 ? 3 : 0 };
	EXPECT_OK(fs->writev(f, v, 200, 10));
	size_t bytes = 0;
	for (int i = 0; i < 200; i++)
		bytes += v[i].n;
	EXPECT_EQ(size_of(f), (int64_t)bytes + 10);
	EXPECT_OK(fs->read(f, got, sizeof(got), 10, &n));
	EXPECT_EQ(n, bytes);
	for (size_t i = 0, at = 0; i < 200; i++) {
		EXPECT_MEM(got + at, want + 3 * i, v[i].n);
		at += v[i].n;
	}
	EXPECT_OK(fs->read(f, got, 10, (int64_t)bytes + 10, &n));
	EXPECT_EQ(n, 0);
	EXPECT_OK(fs->truncate(f, 12));
	EXPECT_OK(fs->sync(f));
	EXPECT_EQ(size_of(f), 12);
	fs->warm(f, 0, 12);
	fs->warm(f, 5, 1 << 20);
	EXPECT(fs->is_warm(f, 0, 12));
	file_put(f);
}

TEST(references_keep_a_file_open)
{
	struct file *f = open_new("a");
	struct file *again = file_get(f);
	file_put(f);
	EXPECT_EQ(size_of(again), 0);
	EXPECT_OK(fs->unlink(NULL, in_tmp("a")));
	EXPECT_OK(fs->writev(again, &(struct file_iov){ "x", 1 }, 1, 0));
	EXPECT_EQ(size_of(again), 1);
	file_put(again);
	file_put(NULL);
}

TEST(what_is_missing_or_there_already_is_told_apart)
{
	struct file *f = NULL;
	EXPECT_EQ(fs->open(NULL, in_tmp("none"), FILE_READ, &f), ERR_NOT_FOUND);
	EXPECT_EQ(fs->unlink(NULL, in_tmp("none")), ERR_NOT_FOUND);
	EXPECT_EQ(fs->rename(NULL, in_tmp("none"), in_tmp("b")), ERR_NOT_FOUND);
	EXPECT_EQ(fs->rmdir(NULL, in_tmp("none")), ERR_NOT_FOUND);
	EXPECT_EQ(fs->list(NULL, in_tmp("none"), NULL, NULL), ERR_NOT_FOUND);
	file_put(open_new("a"));
	unsigned make = FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE;
	EXPECT_EQ(fs->open(NULL, in_tmp("a"), make, &f), ERR_EXISTS);
	EXPECT_OK(fs->rename(NULL, in_tmp("a"), in_tmp("b")));
	EXPECT_OK(fs->open(NULL, in_tmp("b"), FILE_WRITE | FILE_TRUNCATE, &f));
	file_put(f);
	EXPECT_EQ(fs->mkdir(NULL, in_tmp("b")), ERR_IO);
}

TEST(a_second_lock_is_refused)
{
	struct file *a = open_new("lock"), *b = open_new("lock"), *c;
	EXPECT_OK(fs->lock(a));
	EXPECT_OK(fs->lock(a));
	EXPECT_EQ(fs->lock(b), ERR_LOCKED);
	c = open_new("lock"); /* closing some other descriptor does not drop the lock */
	file_put(c);
	EXPECT_EQ(fs->lock(b), ERR_LOCKED);
	file_put(a);
	EXPECT_OK(fs->lock(b));
	file_put(b);
}

struct seen {
	int files, dirs;
	int64_t bytes;
};

static void see(void *arg, const struct file_name *f)
{
	struct seen *s = arg;
	s->files += !f->is_dir;
	s->dirs += f->is_dir;
	s->bytes += f->is_dir ? 0 : f->size_bytes;
}

TEST(trees_are_made_listed_and_removed_without_following_links)
{
	struct seen s = { 0 };
	EXPECT_OK(fs->mkdir(NULL, in_tmp("tree/x/y/z")));
	EXPECT_OK(fs->mkdir(NULL, in_tmp("tree/x/y/z")));
	EXPECT_OK(fs->mkdir(NULL, in_tmp("outside")));
	file_put(open_new("outside/precious"));
	struct file *f = open_new("tree/x/data");
	EXPECT_OK(fs->writev(f, &(struct file_iov){ "12345", 5 }, 1, 0));
	file_put(f);
	file_put(open_new("tree/x/y/z/deep"));
	EXPECT_EQ(symlink(in_tmp("outside"), in_tmp("tree/x/link")), 0);
	EXPECT_OK(fs->sync_dir(NULL, in_tmp("tree/x")));
	EXPECT_OK(fs->list(NULL, in_tmp("tree/x"), see, &s));
	EXPECT_EQ(s.files, 1);
	EXPECT_EQ(s.dirs, 2);
	EXPECT_EQ(s.bytes, 5);
	EXPECT_OK(fs->rmdir(NULL, in_tmp("tree")));
	EXPECT_EQ(fs->rmdir(NULL, in_tmp("tree")), ERR_NOT_FOUND);
	EXPECT_OK(fs->open(NULL, in_tmp("outside/precious"), FILE_READ, &f));
	file_put(f);
}

TEST(space_is_told_and_a_full_device_is_no_space)
{
	int64_t free_bytes = 0, total = 0;
	struct file *full = NULL;
	EXPECT_OK(fs->space(NULL, test_tmpdir(), &free_bytes, &total));
	EXPECT(free_bytes > 0 && total >= free_bytes);
	if (access("/dev/full", W_OK) != 0)
		return;
	EXPECT_OK(fs->open(NULL, "/dev/full", FILE_WRITE, &full));
	EXPECT_EQ(fs->writev(full, &(struct file_iov){ "x", 1 }, 1, 0), ERR_NOSPACE);
	file_put(full);
}

TEST(descriptors_do_not_leak_into_children)
{
	struct file *f = open_new("a");
	char path[64], target[64];
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", f->fd);
	FILE *info = fopen(path, "r");
	bool cloexec = false;
	unsigned flags;
	while (info && fgets(target, sizeof(target), info)) {
		if (sscanf(target, "flags: %o", &flags) == 1)
			cloexec = flags & 02000000;
	}
	if (info)
		fclose(info);
	EXPECT(cloexec);
	file_put(f);
}
