/* files.c - whole files.  What replaces one goes through a temporary name, so nobody reads half. */
#include "controller/cli/files.h"
#include "common/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define CHUNK 4096
#define FILE_BYTES_MAX ((size_t)256 << 20) /* far beyond any that we write */

enum err file_read_all(struct cli *cli, const char *path, struct str *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0, cap = CHUNK;
	enum err e = ERR_OK;
	char *at = NULL;
	ssize_t got = 0;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : err_of_errno(errno);
	for (;; cap *= 2) { /* by reading, not by size: files of /proc say 0 */
		at = mem_grow(at, cap);
		while (n < cap && (got = read(fd, at + n, cap - n)) > 0)
			n += (size_t)got;
		if (n < cap || cap >= FILE_BYTES_MAX)
			break;
	}
	if (n == cap)
		e = ERR_LIMIT;
	else if (got < 0)
		e = err_of_errno(errno);
	else
		*out = arena_str(&cli->mem, (struct str){ at, n });
	close(fd);
	mem_free(at);
	return e;
}

/* A device or a pipe must not become a file; a link is replaced, what it names is not touched. */
static bool may_replace(const char *path)
{
	struct stat st;

	return stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

static enum err fill(FILE *f, struct str text)
{
	bool ok = fwrite(text.at, 1, text.n, f) == text.n;
	int why = errno;

	if (fclose(f) != 0)
		return err_of_errno(errno);
	return ok ? ERR_OK : err_of_errno(why);
}

enum err file_write_all(const char *path, struct str text)
{
	char temporary[PATH_BYTES];
	struct text t;
	enum err e;
	FILE *f;

	text_init(&t, temporary, sizeof(temporary));
	text_printf(&t, "%s.new", path);
	if (t.cut)
		return ERR_LIMIT;
	if (!may_replace(path))
		return ERR_EXISTS;
	if (!(f = fopen(temporary, "we")))
		return err_of_errno(errno);
	e = fill(f, text);
	if (!e && rename(temporary, path) != 0)
		e = err_of_errno(errno);
	if (e)
		unlink(temporary);
	return e;
}

enum err file_write_new(const char *path, struct str text)
{
	FILE *f = fopen(path, "wxe");
	enum err e;

	if (!f)
		return err_of_errno(errno);
	e = fill(f, text);
	if (e)
		unlink(path);
	return e;
}

enum err dirs_make(const char *path)
{
	char part[PATH_BYTES];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return ERR_LIMIT;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return err_of_errno(errno);
	}
	return ERR_OK;
}

struct str properties_get(struct str text, const char *key)
{
	struct str line, name, last = { 0 };

	while (str_cut(&text, '\n', &line)) {
		struct str value = line;

		if (str_cut(&value, '=', &name) && !str_null(value) &&
		    str_eq(str_trim(name), str_of(key)))
			last = str_trim(value);
	}
	return last;
}
