/* segments.c - segment files batch by batch, and a partition's files one after the other.
 *
 * The size is taken once, at opening: what a running broker appends later is not looked at. */
#include "controller/cli/segments.h"
#include "common/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_BYTES_MAX ((int64_t)1 << 30)
#define NAME_DIGITS 20
#define SEGMENTS_MIN 16

enum err segment_reader_open(struct segment_reader *r, struct cli *cli, const char *path)
{
	struct stat st;

	*r = (struct segment_reader){ .cli = cli,
				      .path = path,
				      .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (r->fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : err_of_errno(errno);
	if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		segment_reader_close(r);
		return ERR_INVALID;
	}
	r->size = st.st_size;
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return ERR_OK;
}

void segment_reader_close(struct segment_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	mem_free(r->memory);
	r->memory = NULL;
}

static enum err read_at(struct segment_reader *r, uint8_t *to, size_t n, int64_t at)
{
	while (n > 0) {
		ssize_t got = pread(r->fd, to, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_of_errno(errno);
		if (got == 0)
			return ERR_CORRUPT;
		to += got;
		at += got;
		n -= (size_t)got;
	}
	return ERR_OK;
}

/* ERR_NOT_FOUND at the end, ERR_CORRUPT where no batch begins; the CRC is the caller's to check. */
enum err segment_reader_next(struct segment_reader *r)
{
	uint8_t head[BATCH_HEADER_BYTES];
	enum err e;

	if (r->at == r->size)
		return ERR_NOT_FOUND;
	if (r->size - r->at < BATCH_HEADER_BYTES)
		return ERR_CORRUPT;
	if ((e = read_at(r, head, sizeof(head), r->at)))
		return e;
	if (batch_view(&r->batch, head, sizeof(head)) == BATCH_BAD ||
	    r->batch.size < BATCH_HEADER_BYTES || r->batch.size > BATCH_BYTES_MAX ||
	    r->batch.size > r->size - r->at)
		return ERR_CORRUPT;
	if ((size_t)r->batch.size > r->cap) {
		r->cap = (size_t)r->batch.size;
		r->memory = mem_grow(r->memory, r->cap);
	}
	if ((e = read_at(r, r->memory, (size_t)r->batch.size, r->at)))
		return e;
	if (batch_view(&r->batch, r->memory, r->batch.size) != BATCH_OK)
		return ERR_CORRUPT;
	r->batch_at = r->at;
	r->at += r->batch.size;
	return ERR_OK;
}

/* ---- a partition's directory --------------------------------------------------------------- */

static bool is_segment(const char *name)
{
	return strlen(name) == NAME_DIGITS + 4 && strspn(name, "0123456789") == NAME_DIGITS &&
	       strcmp(name + NAME_DIGITS, ".log") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum err partition_reader_open(struct partition_reader *p, struct cli *cli, const char *dir)
{
	DIR *d = opendir(dir);
	int cap = 0;

	*p = (struct partition_reader){ .cli = cli, .dir = dir };
	if (!d)
		return errno == ENOENT ? ERR_NOT_FOUND : err_of_errno(errno);
	for (struct dirent *f = readdir(d); f; f = readdir(d)) {
		if (!is_segment(f->d_name))
			continue;
		if (p->n_segments == cap) {
			cap = cap ? cap * 2 : SEGMENTS_MIN;
			p->segments = mem_grow(p->segments, (size_t)cap * sizeof(*p->segments));
		}
		p->segments[p->n_segments++] = arena_printf(&cli->mem, "%s/%s", dir, f->d_name).at;
	}
	closedir(d);
	if (p->n_segments)
		qsort(p->segments, (size_t)p->n_segments, sizeof(*p->segments), by_name);
	return ERR_OK;
}

void partition_reader_close(struct partition_reader *p)
{
	if (p->is_open)
		segment_reader_close(&p->segment);
	p->is_open = false;
	mem_free(p->segments);
	p->segments = NULL;
}

enum err partition_reader_next(struct partition_reader *p)
{
	for (;;) {
		enum err e = p->is_open ? segment_reader_next(&p->segment) : ERR_NOT_FOUND;

		if (e != ERR_NOT_FOUND)
			return e;
		if (p->at_segment == p->n_segments)
			return ERR_NOT_FOUND;
		if (p->is_open)
			segment_reader_close(&p->segment);
		p->is_open = false;
		e = segment_reader_open(&p->segment, p->cli, p->segments[p->at_segment++]);
		if (e)
			return e == ERR_NOT_FOUND ? ERR_IO : e;
		p->is_open = true;
	}
}

const struct batch *partition_reader_batch(const struct partition_reader *p)
{
	return &p->segment.batch;
}
