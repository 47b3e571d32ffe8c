/* files_posix.c - files on a POSIX kernel.
 *
 * Every descriptor is close-on-exec.  Locks are open-file-description locks: they conflict with
 * the POSIX record locks that a Kafka broker takes on its .lock file, and unlike those they are
 * not lost when some other descriptor of the same file is closed. */
#include "common/env/files_posix.h"
#include "common/base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces of one pwritev (IOV_MAX is 1024, and the array is on the stack); bytes read at once to
 * warm the page cache; how deep a directory may be that posix_rmdir removes. */
enum { IOV_AT_ONCE = 64, WARM_BYTES = 64 << 10, DEPTH_MAX = 32 };

void files_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0) /* the lowest free one is taken: fd itself */
			ASSERT(open("/dev/null", O_RDONLY) == fd);
}

struct posix_file {
	struct file file;
	char *path;
};

static enum err failed(const char *op, const char *path);
static enum err failed_quietly(int quiet_errno, enum err quiet, const char *op, const char *path);
static enum err write_chunk(struct file *f, struct iovec *iov, int n, int64_t *at);
static enum err remove_below(int dir_fd, const char *path, int depth);
static enum err remove_entry(int dir_fd, const char *name, const char *path, int depth);

static const char *path_of(const struct file *f)
{
	return CONTAINER_OF(f, const struct posix_file, file)->path;
}

/* A file that is not there, or there when it must not be, is an answer and not logged
 * as a failure. */
static enum err posix_open(struct env *env, const char *path, unsigned flags, struct file **out)
{
	(void)env;
	int o = O_CLOEXEC;
	o |= !(flags & FILE_WRITE) ? O_RDONLY : flags & FILE_READ ? O_RDWR : O_WRONLY;
	o |= flags & FILE_CREATE ? O_CREAT : 0;
	o |= flags & FILE_EXCLUSIVE ? O_EXCL : 0;
	o |= flags & FILE_TRUNCATE ? O_TRUNC : 0;
	int fd = open(path, o, 0644);
	if (fd < 0)
		return errno == EEXIST ? ERR_EXISTS
				       : failed_quietly(ENOENT, ERR_NOT_FOUND, "open", path);
	size_t n = strlen(path) + 1;
	struct posix_file *p = mem_alloc(sizeof(*p) + n);
	p->path = (char *)(p + 1);
	memcpy(p->path, path, n);
	p->file.ops = &files_posix;
	p->file.refs = 1;
	p->file.fd = fd;
	*out = &p->file;
	return ERR_OK;
}

static void posix_close(struct file *f)
{
	if (close(f->fd) != 0)
		(void)failed("close", path_of(f));
	mem_free(CONTAINER_OF(f, struct posix_file, file));
}

static enum err posix_writev(struct file *f, const struct file_iov *v, int n, int64_t at)
{
	ASSERT(n >= 0 && at >= 0);
	while (n > 0) {
		struct iovec iov[IOV_AT_ONCE];
		int k = n < IOV_AT_ONCE ? n : IOV_AT_ONCE;
		for (int i = 0; i < k; i++)
			iov[i] = (struct iovec){ (void *)(uintptr_t)v[i].at, v[i].n };
		enum err e = write_chunk(f, iov, k, &at);
		if (e)
			return e;
		v += k;
		n -= k;
	}
	return ERR_OK;
}

/* Goes on after a short write.  A write of 0 bytes counts as a failure: it would loop for ever. */
static enum err write_chunk(struct file *f, struct iovec *iov, int n, int64_t *at)
{
	while (n > 0) {
		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		ssize_t r = pwritev(f->fd, iov, n, *at);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return failed("write", path_of(f));
		*at += r;
		for (size_t left = (size_t)r; left > 0;) {
			size_t k = size_min(left, iov->iov_len);
			iov->iov_base = (char *)iov->iov_base + k;
			iov->iov_len -= k;
			left -= k;
			if (iov->iov_len == 0 && n > 0) {
				iov++;
				n--;
			}
		}
	}
	return ERR_OK;
}

/* Whole or up to the end of the file; a short count means the latter only. */
static enum err posix_read(struct file *f, void *to, size_t n, int64_t at, size_t *got)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = pread(f->fd, (char *)to + *got, n - *got, at + (int64_t)*got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return failed("read", path_of(f));
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return ERR_OK;
}

static enum err posix_size(struct file *f, int64_t *bytes)
{
	struct stat st;
	if (fstat(f->fd, &st) != 0)
		return failed("stat", path_of(f));
	*bytes = st.st_size;
	return ERR_OK;
}

static enum err posix_truncate(struct file *f, int64_t bytes)
{
	return ftruncate(f->fd, bytes) == 0 ? ERR_OK : failed("truncate", path_of(f));
}

/* fdatasync: the size is flushed where it grew, mtime is nobody's business.  Never retried, because
 * after a failure the kernel may have dropped the dirty pages and the second call would lie. */
static enum err posix_sync(struct file *f)
{
	return fdatasync(f->fd) == 0 ? ERR_OK : failed("fdatasync", path_of(f));
}

static enum err posix_lock(struct file *f)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(f->fd, F_OFD_SETLK, &l) == 0)
		return ERR_OK;
	return errno == EAGAIN || errno == EACCES ? ERR_LOCKED : failed("lock", path_of(f));
}

/* A new, renamed or removed name is durable only when its directory is. */
static enum err posix_sync_dir(struct env *env, const char *path)
{
	(void)env;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed("open directory", path);
	enum err e = fsync(fd) == 0 ? ERR_OK : failed("fsync directory", path);
	close(fd);
	return e;
}

static enum err posix_rename(struct env *env, const char *from, const char *to)
{
	(void)env;
	return rename(from, to) == 0 ? ERR_OK
				     : failed_quietly(ENOENT, ERR_NOT_FOUND, "rename", from);
}

static enum err posix_unlink(struct env *env, const char *path)
{
	(void)env;
	return unlink(path) == 0 ? ERR_OK : failed_quietly(ENOENT, ERR_NOT_FOUND, "unlink", path);
}

/* mkdir -p: every prefix in turn, an existing one is fine as long as the last is a directory.
 * Mostly only the last is new. */
static enum err posix_mkdir(struct env *env, const char *path)
{
	(void)env;
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof(part))
		return ERR_INVALID;
	if (mkdir(path, 0755) == 0)
		return ERR_OK;
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return failed("mkdir", part);
		part[i] = path[i];
	}
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return failed("mkdir", path);
	}
	return ERR_OK;
}

static enum err posix_rmdir(struct env *env, const char *path)
{
	(void)env;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed_quietly(ENOENT, ERR_NOT_FOUND, "open directory", path);
	enum err e = remove_below(fd, path, 0);
	if (e)
		return e;
	return rmdir(path) == 0 ? ERR_OK : failed("rmdir", path);
}

/* Takes the descriptor.  Symbolic links are removed, never followed. */
static enum err remove_below(int dir_fd, const char *path, int depth)
{
	ASSERT(depth < DEPTH_MAX);
	DIR *d = fdopendir(dir_fd);
	if (!d) {
		enum err e = failed("read directory", path);
		close(dir_fd);
		return e;
	}
	enum err e = ERR_OK;
	for (struct dirent *x = readdir(d); x && !e; x = readdir(d)) {
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			e = remove_entry(dirfd(d), x->d_name, path, depth);
	}
	closedir(d);
	return e;
}

/* unlink first, because nearly everything is a file; EISDIR tells the rest (Linux; POSIX says
 * EPERM). */
static enum err remove_entry(int dir_fd, const char *name, const char *path, int depth)
{
	if (unlinkat(dir_fd, name, 0) == 0)
		return ERR_OK;
	if (errno != EISDIR)
		return failed("unlink below", path);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed("open directory below", path);
	enum err e = remove_below(fd, path, depth + 1);
	if (!e && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0)
		e = failed("rmdir below", path);
	return e;
}

static enum err posix_list(struct env *env, const char *path,
			   void (*each)(void *arg, const struct file_name *), void *arg)
{
	(void)env;
	DIR *d = opendir(path);
	if (!d)
		return failed_quietly(ENOENT, ERR_NOT_FOUND, "open directory", path);
	for (struct dirent *x = readdir(d); x; x = readdir(d)) {
		struct stat st;
		if (strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), x->d_name, &st, 0) != 0)
			continue; /* removed meanwhile, or a link to nowhere */
		struct file_name name = { x->d_name, S_ISDIR(st.st_mode), st.st_size };
		each(arg, &name);
	}
	closedir(d);
	return ERR_OK;
}

static enum err posix_space(struct env *env, const char *path, int64_t *free_bytes,
			    int64_t *total_bytes)
{
	(void)env;
	struct statvfs v;
	if (statvfs(path, &v) != 0)
		return failed("statvfs", path);
	*free_bytes = (int64_t)(v.f_bavail * v.f_frsize);
	*total_bytes = (int64_t)(v.f_blocks * v.f_frsize);
	return ERR_OK;
}

/* Reads the range, because readahead(2) returns before the device has answered and the sendfile
 * that follows would then wait for it on the actor's thread. */
static void posix_warm(struct file *f, int64_t at, int64_t n)
{
	char *page = mem_alloc(WARM_BYTES);
	readahead(f->fd, at, (size_t)n);
	for (int64_t end = at + n; at < end; at += WARM_BYTES) {
		if (pread(f->fd, page, (size_t)i64_min(WARM_BYTES, end - at), at) <= 0)
			break;
	}
	mem_free(page);
}

/* Its first and last byte speak for the range: the kernel reads ahead and evicts in runs.  File
 * systems that cannot tell (EOPNOTSUPP) are taken at their best. */
static bool posix_is_warm(struct file *f, int64_t at, int64_t n)
{
	const int64_t probes[2] = { at, at + n - 1 };

	for (int i = 0; i < 2; i++) {
		char byte;
		struct iovec iov = { &byte, 1 };
		if (preadv2(f->fd, &iov, 1, probes[i], RWF_NOWAIT) < 0 && errno == EAGAIN)
			return false;
	}
	return true;
}

static enum err failed_quietly(int quiet_errno, enum err quiet, const char *op, const char *path)
{
	return errno == quiet_errno ? quiet : failed(op, path);
}

static enum err failed(const char *op, const char *path)
{
	int code = errno;
	char text[128];
	enum err e = err_of_errno(code);
	log_error("files", "a file operation failed", F_Z("op", op), F_Z("path", path),
		  F_I64("errno", code), F_Z("reason", strerror_r(code, text, sizeof(text))));
	return e == ERR_NOSPACE || e == ERR_NOFILES ? e : ERR_IO;
}

/* Numbers of files are used again, but not at the same time of birth. */
static void posix_file_id(struct env *env, const char *path, struct uuid *out)
{
	struct statx st;
	uint64_t parts[2];

	(void)env;
	*out = (struct uuid){ { 0 } };
	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st))
		return;
	parts[0] = st.stx_ino;
	parts[1] = st.stx_mask & STATX_BTIME
			   ? (uint64_t)st.stx_btime.tv_sec * 1000000000u + st.stx_btime.tv_nsec
			   : 0;
	memcpy(out->b, parts, sizeof(parts));
}

/* 6f1c2f7e-8a4b-4d7e-9c0a-0123456789ab and a newline; in a container it is the host's, as is the
 * page cache. */
static void posix_boot_id(struct env *env, struct uuid *out)
{
	char text[64];
	int n_digits = 0;
	ssize_t n = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	(void)env;
	*out = (struct uuid){ { 0 } };
	if (fd >= 0) {
		n = read(fd, text, sizeof(text));
		close(fd);
	}
	for (ssize_t i = 0; i < n && n_digits < 32; i++) {
		int digit = text[i] >= '0' && text[i] <= '9'   ? text[i] - '0'
			    : text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10
							       : -1;

		if (digit < 0)
			continue;
		out->b[n_digits / 2] |= (uint8_t)(digit << (n_digits % 2 == 0 ? 4 : 0));
		n_digits++;
	}
	if (n_digits != 32)
		*out = (struct uuid){ { 0 } };
}

const struct files_ops files_posix = {
	.open = posix_open,
	.close = posix_close,
	.writev = posix_writev,
	.read = posix_read,
	.size = posix_size,
	.truncate = posix_truncate,
	.sync = posix_sync,
	.lock = posix_lock,
	.sync_dir = posix_sync_dir,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.mkdir = posix_mkdir,
	.rmdir = posix_rmdir,
	.list = posix_list,
	.space = posix_space,
	.warm = posix_warm,
	.is_warm = posix_is_warm,
	.boot_id = posix_boot_id,
	.file_id = posix_file_id,
};
