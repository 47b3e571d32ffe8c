#include "tests/lib/fakefiles.h"
#include <stdio.h>

struct fake_inode {
	uint8_t *at, *durable;
	int64_t n, cap, n_durable;
	int64_t low; /* bytes below it are the same in both */
	int refs;
	bool locked;
};
struct fake_file {
	struct file file;
	struct fakefs *fs;
	struct fake_inode *inode;
};

static struct fakefs *disk(struct env *env)
{
	return CONTAINER_OF(env, struct fakefs, env);
}
static struct fake_file *fake(struct file *f)
{
	return CONTAINER_OF(f, struct fake_file, file);
}

static bool fails(struct fakefs *fs, enum fake_kind kind)
{
	if (fs->fail_after < 0 || !(fs->fail_kinds & kind))
		return false;
	if (fs->fail_after > 0) {
		fs->fail_after--;
		return false;
	}
	return true;
}

static int find(const struct fake_names *names, const char *path)
{
	for (int i = 0; i < names->n; i++)
		if (strcmp(names->v[i].path, path) == 0)
			return i;
	return -1;
}

static void add(struct fake_names *names, const char *path, struct fake_inode *inode)
{
	size_t n = strlen(path) + 1;

	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 16;
		names->v = mem_grow(names->v, (size_t)names->cap * sizeof(*names->v));
	}
	names->v[names->n] = (struct fake_name){ mem_alloc(n), inode };
	memcpy(names->v[names->n++].path, path, n);
	if (inode)
		inode->refs++;
}

static void inode_put(struct fakefs *fs, struct fake_inode *inode)
{
	if (!inode || --inode->refs > 0)
		return;
	fs->bytes -= inode->n;
	mem_free(inode->at);
	mem_free(inode->durable);
	mem_free(inode);
}

static void drop(struct fakefs *fs, struct fake_names *names, int i)
{
	inode_put(fs, names->v[i].inode);
	mem_free(names->v[i].path);
	names->v[i] = names->v[--names->n];
}

static void note_change(struct fakefs *fs, const char *path, struct fake_inode *inode, bool added)
{
	struct fake_changes *c = &fs->changes;
	size_t n = strlen(path) + 1;

	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->v = mem_grow(c->v, (size_t)c->cap * sizeof(*c->v));
	}
	c->v[c->n] = (struct fake_change){ mem_alloc(n), inode, c->calls, added };
	memcpy(c->v[c->n++].path, path, n);
	if (inode)
		inode->refs++;
}

static void add_name(struct fakefs *fs, const char *path, struct fake_inode *inode)
{
	add(&fs->names, path, inode);
	note_change(fs, path, inode, true);
}

static void drop_name(struct fakefs *fs, int i)
{
	note_change(fs, fs->names.v[i].path, fs->names.v[i].inode, false);
	drop(fs, &fs->names, i);
}

/* Forgets the newest change, after taking it back when `undo`. */
static void pop_change(struct fakefs *fs, bool undo)
{
	struct fake_change *change = &fs->changes.v[--fs->changes.n];
	int i = find(&fs->names, change->path);

	if (undo && change->added && i >= 0)
		drop(fs, &fs->names, i);
	if (undo && !change->added)
		add(&fs->names, change->path, change->inode);
	inode_put(fs, change->inode);
	mem_free(change->path);
}

static void resize(struct fakefs *fs, struct fake_inode *inode, int64_t n)
{
	if (n > inode->cap) {
		inode->cap = i64_max(n, 2 * inode->cap);
		inode->at = mem_grow(inode->at, (size_t)inode->cap);
	}
	if (n > inode->n)
		memset(inode->at + inode->n, 0, (size_t)(n - inode->n));
	fs->bytes += n - inode->n;
	inode->low = i64_min(inode->low, i64_min(n, inode->n));
	inode->n = n;
}

/* Of descriptors. */
static bool is_short(struct fakefs *fs)
{
	if (fs->n_open >= fs->n_open_max || fs->opens_left == 0)
		return true;
	fs->opens_left -= fs->opens_left > 0;
	return false;
}

static enum err fake_open(struct env *env, const char *path, unsigned flags, struct file **out)
{
	struct fakefs *fs = disk(env);
	struct fake_inode *inode;
	struct fake_file *f;
	int i = find(&fs->names, path);

	fs->opens++;
	fs->changes.calls++;
	if (is_short(fs))
		return ERR_NOFILES;
	if (fails(fs, FAKE_OPEN))
		return ERR_IO;
	if (i < 0 && !(flags & FILE_CREATE))
		return ERR_NOT_FOUND;
	if (i >= 0 && (flags & FILE_EXCLUSIVE))
		return ERR_EXISTS;
	if (i < 0) {
		if (fs->bytes >= fs->bytes_max)
			return ERR_NOSPACE;
		inode = mem_alloc(sizeof(*inode));
		add_name(fs, path, inode);
	} else {
		inode = fs->names.v[i].inode;
	}
	if (!inode)
		return ERR_IO;
	if (flags & FILE_TRUNCATE)
		resize(fs, inode, 0);
	f = mem_alloc(sizeof(*f));
	*f = (struct fake_file){ { &fakefs_ops, 1, -1 }, fs, inode };
	inode->refs++;
	fs->n_open++;
	*out = &f->file;
	return ERR_OK;
}

static void fake_close(struct file *file)
{
	struct fake_file *f = fake(file);

	f->fs->n_open--;
	f->inode->locked = false;
	inode_put(f->fs, f->inode);
	mem_free(f);
}

static enum err fake_writev(struct file *file, const struct file_iov *iov, int n, int64_t at)
{
	struct fake_file *f = fake(file);

	f->fs->writes++;
	for (int i = 0; i < n; i++) {
		int64_t k = (int64_t)iov[i].n, grow = i64_max(0, at + k - f->inode->n);
		bool full = f->fs->bytes + grow > f->fs->bytes_max,
		     broken = fails(f->fs, FAKE_WRITE);

		if (full || broken)
			k = i64_max(0, k - 1 -
					       (int64_t)prng_below(&f->fs->env.prng,
								   (uint64_t)k +
									   1)); /* a short write */
		if (at + k > f->inode->n)
			resize(f->fs, f->inode, at + k);
		if (k > 0)
			memcpy(f->inode->at + at, iov[i].at, (size_t)k);
		f->inode->low = i64_min(f->inode->low, at);
		at += k;
		if (full || broken)
			return broken ? ERR_IO : ERR_NOSPACE;
	}
	return ERR_OK;
}

static enum err fake_read(struct file *file, void *to, size_t n, int64_t at, size_t *got)
{
	struct fake_file *f = fake(file);

	f->fs->reads++;
	*got = 0;
	if (fails(f->fs, FAKE_READ))
		return ERR_IO;
	if (at >= f->inode->n)
		return ERR_OK;
	*got = size_min(n, (size_t)(f->inode->n - at));
	memcpy(to, f->inode->at + at, *got);
	f->fs->read_bytes += (int64_t)*got;
	return ERR_OK;
}

static enum err fake_size(struct file *file, int64_t *bytes)
{
	*bytes = fake(file)->inode->n;
	return ERR_OK;
}

static enum err fake_truncate(struct file *file, int64_t bytes)
{
	struct fake_file *f = fake(file);

	if (fails(f->fs, FAKE_TRUNCATE))
		return ERR_IO;
	resize(f->fs, f->inode, bytes);
	return ERR_OK;
}

static void make_durable(struct fake_inode *inode)
{
	if (inode->n_durable < inode->n || inode->low < inode->n) {
		inode->durable = mem_grow(inode->durable, (size_t)inode->n + 1);
		if (inode->n > inode->low)
			memcpy(inode->durable + inode->low, inode->at + inode->low,
			       (size_t)(inode->n - inode->low));
	}
	inode->n_durable = inode->low = inode->n;
}

static enum err fake_sync(struct file *file)
{
	struct fake_file *f = fake(file);

	f->fs->syncs++;
	if (fails(f->fs, FAKE_SYNC))
		return ERR_IO;
	make_durable(f->inode);
	return ERR_OK;
}

static enum err fake_lock(struct file *file)
{
	if (fake(file)->inode->locked)
		return ERR_LOCKED;
	fake(file)->inode->locked = true;
	return ERR_OK;
}

static bool in_dir(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static enum err fake_sync_dir(struct env *env, const char *path)
{
	struct fakefs *fs = disk(env);

	(void)path;
	fs->syncs++;
	if (is_short(fs))
		return ERR_NOFILES;
	if (fails(fs, FAKE_SYNC))
		return ERR_IO;
	while (fs->changes.n > 0)
		pop_change(fs, false);
	return ERR_OK;
}

static enum err fake_rename(struct env *env, const char *from, const char *to)
{
	struct fakefs *fs = disk(env);
	int i = find(&fs->names, from), old;
	size_t n = strlen(from);

	fs->changes.calls++;
	if (fails(fs, FAKE_NAME))
		return ERR_IO;
	if (i < 0)
		return ERR_NOT_FOUND;
	if ((old = find(&fs->names, to)) >= 0 && old != i)
		drop_name(fs, old);
	/* A directory takes what lies in it along. */
	for (i = fs->names.n - 1; i >= 0; i--) {
		struct fake_name *name = &fs->names.v[i];
		char path[1024];

		if (strncmp(name->path, from, n) != 0 ||
		    (name->path[n] != '\0' && name->path[n] != '/'))
			continue;
		snprintf(path, sizeof(path), "%s%s", to, name->path + n);
		add_name(fs, path, name->inode);
		drop_name(fs, i);
	}
	return ERR_OK;
}

static enum err fake_unlink(struct env *env, const char *path)
{
	struct fakefs *fs = disk(env);
	int i = find(&fs->names, path);

	fs->changes.calls++;
	if (fails(fs, FAKE_NAME))
		return ERR_IO;
	if (i < 0)
		return ERR_NOT_FOUND;
	drop_name(fs, i);
	return ERR_OK;
}

static enum err fake_mkdir(struct env *env, const char *path)
{
	struct fakefs *fs = disk(env);

	fs->changes.calls++;
	if (fails(fs, FAKE_NAME))
		return ERR_IO;
	if (find(&fs->names, path) < 0)
		add_name(fs, path, NULL);
	return ERR_OK;
}

static enum err fake_rmdir(struct env *env, const char *path)
{
	struct fakefs *fs = disk(env);
	size_t n = strlen(path);

	fs->changes.calls++;
	if (fails(fs, FAKE_NAME))
		return ERR_IO;
	for (int i = fs->names.n - 1; i >= 0; i--)
		if (strncmp(fs->names.v[i].path, path, n) == 0 &&
		    (fs->names.v[i].path[n] == '\0' || fs->names.v[i].path[n] == '/'))
			drop_name(fs, i);
	return ERR_OK;
}

static enum err fake_list(struct env *env, const char *path,
			  void (*each)(void *arg, const struct file_name *), void *arg)
{
	struct fakefs *fs = disk(env);
	bool seen = find(&fs->names, path) >= 0;

	if (is_short(fs))
		return ERR_NOFILES;
	for (int i = 0; i < fs->names.n; i++) {
		const struct fake_name *name = &fs->names.v[i];

		if (!in_dir(name->path, path))
			continue;
		seen = true;
		each(arg, &(struct file_name){ name->path + strlen(path) + 1, !name->inode,
					       name->inode ? name->inode->n : 0 });
	}
	return seen ? ERR_OK : ERR_NOT_FOUND;
}

static enum err fake_space(struct env *env, const char *path, int64_t *free_bytes,
			   int64_t *total_bytes)
{
	struct fakefs *fs = disk(env);

	(void)path;
	*total_bytes = fs->bytes_max;
	*free_bytes = i64_max(0, fs->bytes_max - fs->bytes);
	return ERR_OK;
}

static void fake_warm(struct file *file, int64_t at, int64_t n)
{
	(void)file;
	(void)at;
	(void)n;
}

static void fake_boot_id(struct env *env, struct uuid *out)
{
	*out = (struct uuid){ { 1, disk(env)->n_power_losses } };
}

const struct files_ops fakefs_ops = {
	.open = fake_open,
	.close = fake_close,
	.writev = fake_writev,
	.read = fake_read,
	.size = fake_size,
	.truncate = fake_truncate,
	.sync = fake_sync,
	.lock = fake_lock,
	.sync_dir = fake_sync_dir,
	.rename = fake_rename,
	.unlink = fake_unlink,
	.mkdir = fake_mkdir,
	.rmdir = fake_rmdir,
	.list = fake_list,
	.space = fake_space,
	.warm = fake_warm,
	.boot_id = fake_boot_id,
};

void fakefs_init(struct fakefs *fs, uint64_t seed)
{
	*fs = (struct fakefs){ .n_open_max = INT32_MAX,
			       .opens_left = -1,
			       .bytes_max = INT64_MAX,
			       .fail_after = -1,
			       .fail_kinds = FAKE_ANY };
	fs->env.files = &fakefs_ops;
	prng_seed(&fs->env.prng, seed);
}

void fakefs_fini(struct fakefs *fs)
{
	ASSERT(fs->n_open == 0);
	while (fs->names.n > 0)
		drop(fs, &fs->names, fs->names.n - 1);
	while (fs->changes.n > 0)
		pop_change(fs, false);
	mem_free(fs->names.v);
	mem_free(fs->changes.v);
}

/* Of what was written since the last sync a prefix survives, its end maybe as zeros. */
static void tear(struct fakefs *fs, struct fake_inode *inode)
{
	struct prng *p = &fs->env.prng;
	int64_t keep;

	if (inode->low >= inode->n && inode->n_durable == inode->n)
		return;
	keep = inode->low +
	       (int64_t)prng_below(p, (uint64_t)(i64_max(inode->n - inode->low, 0) + 1));
	if (inode->n_durable >
	    keep) { /* the tail of what was there before, where it was not overwritten */
		resize(fs, inode, inode->n_durable);
		memcpy(inode->at + keep, inode->durable + keep, (size_t)(inode->n_durable - keep));
	} else {
		int64_t zeros = prng_chance(p, 1, 2) ? 0 : i64_min(512, keep - inode->low);

		resize(fs, inode, keep);
		memset(inode->at + keep - zeros, 0, (size_t)zeros);
	}
	inode->low = 0;
	make_durable(inode);
}

void fakefs_power_loss(struct fakefs *fs)
{
	int64_t first = fs->changes.n > 0 ? fs->changes.v[0].call : 0;
	int64_t keep = first + (int64_t)prng_below(&fs->env.prng,
						   (uint64_t)(fs->changes.calls - first + 2));

	fs->n_power_losses++;
	while (fs->changes.n > 0)
		pop_change(fs, fs->changes.v[fs->changes.n - 1].call >= keep);
	for (int i = 0; i < fs->names.n; i++)
		if (fs->names.v[i].inode)
			tear(fs, fs->names.v[i].inode);
}

bool fakefs_get(struct fakefs *fs, const char *path, const uint8_t **at, int64_t *n)
{
	int i = find(&fs->names, path);

	if (i < 0 || !fs->names.v[i].inode)
		return false;
	*at = fs->names.v[i].inode->at;
	*n = fs->names.v[i].inode->n;
	return true;
}

void fakefs_put(struct fakefs *fs, const char *path, const void *at, int64_t n)
{
	struct fake_inode *inode;
	int i = find(&fs->names, path);

	if (i < 0) {
		inode = mem_alloc(sizeof(*inode));
		add(&fs->names, path, inode);
	} else {
		inode = fs->names.v[i].inode;
	}
	resize(fs, inode, 0);
	resize(fs, inode, n);
	if (n > 0)
		memcpy(inode->at, at, (size_t)n);
	make_durable(inode);
}

void fakefs_copy(const struct fakefs *from, struct fakefs *to)
{
	for (int i = 0; i < from->names.n; i++) {
		const struct fake_name *name = &from->names.v[i];

		if (name->inode)
			fakefs_put(to, name->path, name->inode->at, name->inode->n);
		else
			add(&to->names, name->path, NULL);
	}
}
