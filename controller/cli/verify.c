/* verify.c - common/wire/segment_check on files.  The .log's own problems are those that `log dump`
 * has told already; what is told here is about the indexes. */
#include "controller/cli/verify.h"
#include "common/base/text.h"
#include "common/wire/segment_check.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20

struct files {
	int fd[SEGMENT_FILES];
	const char *path; /* without its suffix, n_path long */
	int n_path;
	int64_t problems;
};

static const char *const suffixes[SEGMENT_FILES] = { ".log", ".index", ".timeindex" };

static bool base_of(const char *path, int64_t *base, int *n_path);
static bool read_file(void *arg, enum segment_file, int64_t at, void *to, size_t n);
static void tell(void *arg, enum segment_file, int64_t at, const char *what);

int64_t verify_indexes(const char *path)
{
	struct files f = { .path = path };
	struct segment_source from = { .arg = &f, .read = read_file, .problem = tell };
	struct segment_facts facts;

	if (!base_of(path, &from.base_offset, &f.n_path))
		return 0;
	/* Indexes first: of a segment that grows they then never know more than its size. */
	for (int i = SEGMENT_FILES - 1; i >= 0; i--) {
		struct stat st;
		char name[4096];

		snprintf(name, sizeof(name), "%.*s%s", f.n_path, path, suffixes[i]);
		f.fd[i] = open(name, O_RDONLY | O_CLOEXEC);
		from.size[i] = f.fd[i] >= 0 && fstat(f.fd[i], &st) == 0 ? st.st_size : -1;
	}
	segment_check(&from, &facts);
	for (int i = 0; i < SEGMENT_FILES; i++)
		if (f.fd[i] >= 0)
			close(f.fd[i]);
	return f.problems;
}

static bool base_of(const char *path, int64_t *base, int *n_path)
{
	size_t n = strlen(path), suffix = strlen(suffixes[SEGMENT_LOG]);
	struct str digits;

	if (n < DIGITS + suffix || strcmp(path + n - suffix, suffixes[SEGMENT_LOG]) != 0)
		return false;
	digits = (struct str){ path + n - suffix - DIGITS, DIGITS };
	*n_path = (int)(n - suffix);
	return parse_i64(digits, base) == ERR_OK && *base >= 0;
}

static bool read_file(void *arg, enum segment_file file, int64_t at, void *to, size_t n)
{
	const struct files *f = arg;

	return pread(f->fd[file], to, n, at) == (ssize_t)n;
}

static void tell(void *arg, enum segment_file file, int64_t at, const char *what)
{
	struct files *f = arg;

	if (file == SEGMENT_LOG)
		return;
	fprintf(stderr, "%.*s%s: at byte %" PRId64 ": the entry %s\n", f->n_path, f->path,
		suffixes[file], at, what);
	f->problems++;
}
