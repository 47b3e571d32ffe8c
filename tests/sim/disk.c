/* disk.c - struct files_ops on a disk in memory; names.c keeps the directories. */
#include "tests/sim/disk.h"

#include "tests/sim/names.h"

static struct disk *disk_of(struct env *env)
{
	return actor_of(env)->machine->disk;
}

static struct handle *handle_of(struct file *f)
{
	return CONTAINER_OF(f, struct handle, file);
}

struct disk *disk_new(struct world *w)
{
	struct disk *d = mem_alloc(sizeof(*d));

	d->world = w;
	d->bytes_max = INT64_MAX;
	d->opens_left = -1;
	return d;
}

void disk_free(struct disk *d)
{
	names_free(d);
	mem_free(d);
}

void disk_fail(struct disk *d, unsigned faults, uint32_t den)
{
	d->faults = faults;
	d->fault_den = den;
}

void disk_fail_below(struct disk *d, const char *dir)
{
	size_t n = strlen(dir);

	ASSERT(n < sizeof(d->dead));
	memcpy(d->dead, dir, n + 1);
}

void disk_limit(struct disk *d, int64_t bytes_max)
{
	d->bytes_max = bytes_max;
}

void disk_starve(struct disk *d, int64_t opens)
{
	d->opens_left = opens;
}

int64_t disk_files_open(const struct disk *d)
{
	return d->n_open;
}

bool disk_is_sound(const struct disk *d)
{
	return d->fault_den == 0 && d->bytes_max == INT64_MAX && !d->dead[0] && d->opens_left < 0;
}

int64_t disk_bytes(const struct disk *d)
{
	return d->bytes;
}

/* A machine has a device for each directory below the root. */
static void name_device(const char *path, char out[DEVICE_BYTES])
{
	size_t n = 1 + strcspn(path + 1, "/");

	ASSERT(n < DEVICE_BYTES);
	memcpy(out, path, n);
	out[n] = '\0';
}

static bool is_dead(const struct disk *d, const char *path)
{
	char device[DEVICE_BYTES];

	if (!d->dead[0] || d->world->is_watched)
		return false;
	name_device(path, device);
	return strcmp(device, d->dead) == 0;
}

static bool fails(struct disk *d, enum disk_fault kind, const char *path)
{
	return is_dead(d, path) ||
	       (!d->world->is_watched && (d->faults & kind) && d->fault_den > 0 &&
		world_odds(d->world, STREAM_DISK, 1, d->fault_den));
}

/* Of descriptors. */
static bool is_short(struct disk *d)
{
	if (d->world->is_watched || d->opens_left < 0)
		return false;
	if (d->opens_left == 0)
		return true;
	d->opens_left--;
	return false;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

void inode_put(struct disk *d, struct inode *i)
{
	if (!i || --i->refs > 0)
		return;
	d->bytes -= i->n;
	mem_free(i->at);
	mem_free(i->durable);
	mem_free(i);
}

/* What is written again is not lost any more. */
static void touch(struct inode *i, int64_t from, int64_t to)
{
	i->dirty_from = i64_min(i->dirty_from, from);
	i->dirty_to = i64_max(i->dirty_to, to);
	if (from <= i->lost_from)
		i->lost_from = i64_max(i->lost_from, to);
	if (to >= i->lost_to)
		i->lost_to = i64_min(i->lost_to, from);
}

static void resize(struct disk *d, struct inode *i, int64_t n)
{
	if (n > i->cap) {
		i->cap = i64_max(n, 2 * i->cap);
		i->at = mem_grow(i->at, (size_t)i->cap);
	}
	if (n > i->n)
		memset(i->at + i->n, 0, (size_t)(n - i->n));
	touch(i, i64_min(n, i->n), i64_max(n, i->n));
	d->bytes += n - i->n;
	i->n = n;
}

static void make_durable(struct inode *i)
{
	int64_t to = i64_min(i->dirty_to, i->n);

	i->durable = mem_grow(i->durable, (size_t)i->n + 1);
	if (i->n > i->n_durable)
		memset(i->durable + i->n_durable, 0, (size_t)(i->n - i->n_durable));
	if (to > i->dirty_from)
		memcpy(i->durable + i->dirty_from, i->at + i->dirty_from,
		       (size_t)(to - i->dirty_from));
	i->n_durable = i->n;
	i->dirty_from = INT64_MAX;
	i->dirty_to = 0;
}

static void evict(struct inode *i)
{
	int64_t to = i64_min(i->lost_to, i->n),
		kept = i64_min(to, i64_max(i->n_durable, i->lost_from));

	if (i->lost_from < kept)
		memcpy(i->at + i->lost_from, i->durable + i->lost_from,
		       (size_t)(kept - i->lost_from));
	if (kept < to && i->lost_from < to)
		memset(i->at + kept, 0, (size_t)(to - kept));
	i->lost_from = i->lost_to = 0;
}

void disk_damage(struct file *f, int64_t from, int64_t to, uint64_t place, bool is_misdirected)
{
	struct inode *i = handle_of(f)->inode;
	int64_t at = from + (int64_t)(place % (uint64_t)(to - from)), end, source = 0;

	at -= i64_min(at % SECTOR, at - from);
	end = i64_min(at - at % SECTOR + SECTOR, i64_min(to, i->n));
	for (; at < end; at++)
		i->at[at] = is_misdirected ? i->at[source++] : (uint8_t)~i->at[at];
	touch(i, from, end);
	make_durable(i);
}

bool disk_has_lost(const struct disk *d)
{
	for (int k = 0; k < d->seen.n; k++)
		if (d->seen.v[k].inode &&
		    d->seen.v[k].inode->lost_from < d->seen.v[k].inode->lost_to)
			return true;
	return false;
}

void disk_evict(struct disk *d)
{
	for (int k = 0; k < d->seen.n; k++)
		if (d->seen.v[k].inode)
			evict(d->seen.v[k].inode);
}

enum tear { ALL_LOST, ALL_KEPT, CUT_SHORT, EACH_FOR_ITSELF, TEARS };

/* What one sector of an unsynced range looks like after the power came back. */
static void tear_sector(struct disk *d, const struct inode *i, enum tear how, uint8_t *out,
			int64_t from)
{
	int64_t n_old = i64_max(0, i64_min(SECTOR, i->n_durable - from)),
		n_new = i64_max(0, i64_min(SECTOR, i->n - from)), keep = n_new;

	if (n_old > 0)
		memcpy(out, i->durable + from, (size_t)n_old);
	if (how == EACH_FOR_ITSELF && world_odds(d->world, STREAM_DISK, 1, 2))
		keep = (int64_t)world_chance(d->world, STREAM_DISK, (uint64_t)n_new + 1);
	if (how != ALL_LOST && keep > 0)
		memcpy(out, i->at + from, (size_t)keep);
}

void inode_power_loss(struct disk *d, struct inode *i)
{
	enum tear how = (enum tear)world_chance(d->world, STREAM_DISK, TEARS);
	int64_t from = i->dirty_from - i->dirty_from % SECTOR, n = i->n;
	uint8_t *out;

	evict(i);
	if (i->dirty_from > i->dirty_to && i->n == i->n_durable)
		return;
	from = i64_min(from, n);
	if (how == ALL_LOST || (how != ALL_KEPT && i->n < i->n_durable))
		n = i->n_durable;
	else if (how == CUT_SHORT) /* what was synced stays */
		n = i->n_durable +
		    (int64_t)world_chance(d->world, STREAM_DISK, (uint64_t)(n - i->n_durable) + 1);
	out = mem_alloc((size_t)n + SECTOR);
	if (i64_min(from, n) > 0)
		memcpy(out, i->at, (size_t)i64_min(from, n));
	for (int64_t at = from; at < n; at += SECTOR)
		tear_sector(d, i, how, out + at, at);
	resize(d, i, n);
	if (n > 0)
		memcpy(i->at, out, (size_t)n);
	mem_free(out);
	i->dirty_from = 0;
	i->dirty_to = n;
	make_durable(i);
}

bool disk_has(struct disk *d, const char *path)
{
	return names_find(&d->seen, path) != NULL;
}

bool disk_has_below(const struct disk *d, const char *dir)
{
	size_t n = strlen(dir);

	for (int i = 0; i < d->seen.n; i++)
		if (strncmp(d->seen.v[i].path, dir, n) == 0 && d->seen.v[i].path[n] == '/')
			return true;
	return false;
}

bool disk_copy_out(struct file *f, int64_t at, size_t n, void *to)
{
	struct inode *i = handle_of(f)->inode;

	if (at + (int64_t)n > i->n || fails(handle_of(f)->disk, DISK_READ, i->device))
		return false;
	memcpy(to, i->at + at, n);
	return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

static enum err disk_open(struct env *env, const char *path, unsigned flags, struct file **out)
{
	struct disk *d = disk_of(env);
	struct name *name = names_find(&d->seen, path);
	struct handle *h;

	if (is_short(d))
		return ERR_NOFILES;
	if (is_dead(d, path))
		return ERR_IO;
	if (!name && !(flags & FILE_CREATE))
		return ERR_NOT_FOUND;
	if (name && (flags & FILE_EXCLUSIVE))
		return ERR_EXISTS;
	if (name && !name->inode)
		return ERR_IO;
	if (!name) {
		if (d->bytes >= d->bytes_max)
			return ERR_NOSPACE;
		name = names_create(d, path, mem_alloc(sizeof(struct inode)));
		name->inode->dirty_from = INT64_MAX;
		name_device(path, name->inode->device);
	}
	if (flags & FILE_TRUNCATE)
		resize(d, name->inode, 0);
	h = mem_alloc(sizeof(*h));
	*h = (struct handle){ { &disk_files, 1, -1 },
			      d,
			      name->inode,
			      actor_of(env)->machine,
			      actor_of(env)->machine->life };
	name->inode->refs++;
	d->n_open++;
	*out = &h->file;
	return ERR_OK;
}

static void disk_close(struct file *f)
{
	struct handle *h = handle_of(f);

	if (h->inode->locked_by == h)
		h->inode->locked_by = NULL;
	h->disk->n_open--;
	inode_put(h->disk, h->inode);
	mem_free(h);
}

static enum err disk_writev(struct file *f, const struct file_iov *iov, int n, int64_t at)
{
	struct disk *d = handle_of(f)->disk;
	struct inode *i = handle_of(f)->inode;

	for (int k = 0; k < n; k++) {
		int64_t bytes = (int64_t)iov[k].n, grow = i64_max(0, at + bytes - i->n);
		bool is_full = d->bytes + grow > d->bytes_max,
		     is_broken = fails(d, DISK_WRITE, i->device);

		if (is_full || is_broken) /* a short write */
			bytes = (int64_t)world_chance(d->world, STREAM_DISK, (uint64_t)bytes + 1);
		if (at + bytes > i->n && bytes > 0)
			resize(d, i, at + bytes);
		if (bytes > 0)
			memcpy(i->at + at, iov[k].at, (size_t)bytes);
		touch(i, at, at + bytes);
		at += bytes;
		if (is_full || is_broken)
			return is_broken ? ERR_IO : ERR_NOSPACE;
	}
	return ERR_OK;
}

static enum err disk_read(struct file *f, void *to, size_t n, int64_t at, size_t *got)
{
	struct inode *i = handle_of(f)->inode;

	*got = 0;
	if (fails(handle_of(f)->disk, DISK_READ, i->device))
		return ERR_IO;
	if (at >= i->n)
		return ERR_OK;
	*got = size_min(n, (size_t)(i->n - at));
	memcpy(to, i->at + at, *got);
	return ERR_OK;
}

static enum err disk_size(struct file *f, int64_t *bytes)
{
	*bytes = handle_of(f)->inode->n;
	return ERR_OK;
}

static enum err disk_truncate(struct file *f, int64_t bytes)
{
	struct inode *i = handle_of(f)->inode;

	if (fails(handle_of(f)->disk, DISK_WRITE, i->device))
		return ERR_IO;
	resize(handle_of(f)->disk, i, bytes);
	return ERR_OK;
}

static enum err disk_sync(struct file *f)
{
	struct inode *i = handle_of(f)->inode;

	if (fails(handle_of(f)->disk, DISK_SYNC, i->device)) {
		i->lost_from =
			i->lost_to > 0 ? i64_min(i->lost_from, i->dirty_from) : i->dirty_from;
		i->lost_to = i64_max(i->lost_to, i->dirty_to);
		i->dirty_from = INT64_MAX;
		i->dirty_to = 0;
		return ERR_IO;
	}
	if (i->dirty_from <= i->dirty_to)
		make_durable(i);
	return ERR_OK;
}

static enum err disk_lock(struct file *f)
{
	struct handle *h = handle_of(f), *by = h->inode->locked_by;

	if (by && by != h && by->life == by->machine->life)
		return ERR_LOCKED;
	h->inode->locked_by = h;
	return ERR_OK;
}

/* ---- directories ---------------------------------------------------------------------------- */

static enum err disk_sync_dir(struct env *env, const char *path)
{
	struct disk *d = disk_of(env);

	if (is_short(d))
		return ERR_NOFILES;
	if (fails(d, DISK_SYNC, path))
		return ERR_IO;
	names_sync(d, path);
	return ERR_OK;
}

static enum err disk_rename(struct env *env, const char *from, const char *to)
{
	if (is_dead(disk_of(env), to))
		return ERR_IO;
	return names_rename(disk_of(env), from, to) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err disk_unlink(struct env *env, const char *path)
{
	if (is_dead(disk_of(env), path))
		return ERR_IO;
	return names_remove(disk_of(env), path, false) ? ERR_OK : ERR_NOT_FOUND;
}

static enum err disk_mkdir(struct env *env, const char *path)
{
	struct disk *d = disk_of(env);

	if (is_dead(d, path))
		return ERR_IO;
	if (!names_find(&d->seen, path))
		names_create(d, path, NULL);
	return ERR_OK;
}

static enum err disk_rmdir(struct env *env, const char *path)
{
	if (is_short(disk_of(env)))
		return ERR_NOFILES;
	if (is_dead(disk_of(env), path))
		return ERR_IO;
	(void)names_remove(disk_of(env), path, true);
	return ERR_OK;
}

static enum err disk_list(struct env *env, const char *path,
			  void (*each)(void *arg, const struct file_name *), void *arg)
{
	struct names *names = &disk_of(env)->seen;
	bool is_seen = names_find(names, path) != NULL;

	if (is_short(disk_of(env)))
		return ERR_NOFILES;
	if (is_dead(disk_of(env), path))
		return ERR_IO;
	for (int k = 0; k < names->n; k++) {
		const struct name *name = &names->v[k];

		if (!name_is_in(name->path, path))
			continue;
		is_seen = true;
		each(arg, &(struct file_name){ name->path + strlen(path) + 1, !name->inode,
					       name->inode ? name->inode->n : 0 });
	}
	return is_seen ? ERR_OK : ERR_NOT_FOUND;
}

static enum err disk_space(struct env *env, const char *path, int64_t *free_bytes,
			   int64_t *total_bytes)
{
	struct disk *d = disk_of(env);

	(void)path;
	*total_bytes = d->bytes_max;
	*free_bytes = i64_max(0, d->bytes_max - d->bytes);
	return ERR_OK;
}

static void disk_warm(struct file *f, int64_t at, int64_t n)
{
	(void)f;
	(void)at;
	(void)n;
}

static void disk_boot_id(struct env *env, struct uuid *out)
{
	*out = (struct uuid){ { 1, disk_of(env)->n_power_losses } };
}

const struct files_ops disk_files = {
	.open = disk_open,
	.close = disk_close,
	.writev = disk_writev,
	.read = disk_read,
	.size = disk_size,
	.truncate = disk_truncate,
	.sync = disk_sync,
	.lock = disk_lock,
	.sync_dir = disk_sync_dir,
	.rename = disk_rename,
	.unlink = disk_unlink,
	.mkdir = disk_mkdir,
	.rmdir = disk_rmdir,
	.list = disk_list,
	.space = disk_space,
	.warm = disk_warm,
	.boot_id = disk_boot_id,
};
