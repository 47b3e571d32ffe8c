#include "tests/sim/names.h"

#include <stdio.h>

#include "tests/sim/disk.h"

#define PATH_BYTES 1024

static void add(struct names *, const char *path, struct inode *);
static void drop(struct disk *, struct names *, int at);
static void note(struct disk *, struct change);
static void follow(struct disk *, const char *from, const char *to);
static bool apply(struct disk *, struct names *, const struct change *);
static bool is_of(const struct change *, const char *dir);
static void settle(struct disk *, int at);
static char *copy(const char *path);

struct name *names_find(struct names *names, const char *path)
{
	for (int i = 0; i < names->n; i++)
		if (strcmp(names->v[i].path, path) == 0)
			return &names->v[i];
	return NULL;
}

bool name_is_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* ---- changes -------------------------------------------------------------------------------- */

struct name *names_create(struct disk *d, const char *path, struct inode *inode)
{
	note(d, (struct change){ NAME_CREATE, copy(path), NULL, inode });
	return names_find(&d->seen, path);
}

bool names_rename(struct disk *d, const char *from, const char *to)
{
	if (!names_find(&d->seen, from))
		return false;
	note(d, (struct change){ NAME_RENAME, copy(from), copy(to), NULL });
	return true;
}

bool names_remove(struct disk *d, const char *path, bool is_tree)
{
	if (!is_tree && !names_find(&d->seen, path))
		return false;
	note(d,
	     (struct change){ is_tree ? NAME_REMOVE_TREE : NAME_REMOVE, copy(path), NULL, NULL });
	return true;
}

/* What was made in a directory is in it under whatever name it has. */
static void follow_rename(char **path, const char *from, const char *to)
{
	size_t n = strlen(from);
	char moved[PATH_BYTES];

	if (!*path || strncmp(*path, from, n) != 0 || (*path)[n] != '/')
		return;
	snprintf(moved, sizeof(moved), "%s%s", to, *path + n);
	mem_free(*path);
	*path = copy(moved);
}

static void note(struct disk *d, struct change c)
{
	bool is_done;

	if (c.inode)
		c.inode->refs++;
	for (int i = 0; c.kind == NAME_RENAME && i < d->n_pending; i++) {
		follow_rename(&d->pending[i].path, c.path, c.to);
		follow_rename(&d->pending[i].to, c.path, c.to);
	}
	is_done = apply(d, &d->seen, &c);
	if (c.kind == NAME_RENAME)
		follow(d, c.path, c.to);
	ASSERT(is_done || c.kind == NAME_REMOVE_TREE);
	if (d->n_pending == d->cap_pending) {
		d->cap_pending = 2 * d->cap_pending + 16;
		d->pending = mem_grow(d->pending, sizeof(c) * (size_t)d->cap_pending);
	}
	d->pending[d->n_pending++] = c;
}

/* What is not durable yet of a directory's names belongs to the directory, wherever it goes: a new
 * one of its old name has nothing to do with it. */
static void follow(struct disk *d, const char *from, const char *to)
{
	size_t n = strlen(from);

	for (int i = 0; i < d->n_pending; i++) {
		char **ends[] = { &d->pending[i].path, &d->pending[i].to };
		char path[PATH_BYTES];

		for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
			char *was = *ends[k];

			if (!was || strncmp(was, from, n) != 0 || was[n] != '/')
				continue;
			snprintf(path, sizeof(path), "%s%s", to, was + n);
			*ends[k] = copy(path);
			mem_free(was);
		}
	}
}

/* False: it makes no sense there, because an earlier change was lost. */
static bool apply(struct disk *d, struct names *names, const struct change *c)
{
	bool found = names_find(names, c->path) != NULL;

	if (c->kind == NAME_CREATE) {
		if (!found)
			add(names, c->path, c->inode);
		return !found;
	}
	if (!found)
		return false;
	if (c->kind == NAME_RENAME)
		for (int i = names->n - 1; i >= 0; i--)
			if (is_below(names->v[i].path, c->to) && strcmp(c->path, c->to) != 0)
				drop(d, names, i);
	for (int i = 0; i < names->n; i++) {
		struct name *name = &names->v[i];
		char path[PATH_BYTES];

		if (!is_below(name->path, c->path))
			continue;
		if (c->kind != NAME_RENAME) {
			drop(d, names, i--);
			continue;
		}
		snprintf(path, sizeof(path), "%s%s", c->to, name->path + strlen(c->path));
		mem_free(name->path);
		name->path = copy(path);
	}
	return true;
}

/* ---- what is durable ------------------------------------------------------------------------ */

static bool is_of(const struct change *c, const char *dir)
{
	return name_is_in(c->path, dir) || (c->to && name_is_in(c->to, dir));
}

void names_sync(struct disk *d, const char *dir)
{
	for (int i = 0; i < d->n_pending; i++)
		if (is_of(&d->pending[i], dir)) {
			(void)apply(d, &d->durable, &d->pending[i]);
			settle(d, i--);
		}
}

static void settle(struct disk *d, int at)
{
	struct change *c = &d->pending[at];

	mem_free(c->path);
	mem_free(c->to);
	inode_put(d, c->inode);
	d->n_pending--;
	memmove(c, c + 1, sizeof(*c) * (size_t)(d->n_pending - at));
}

/* What lies in a directory whose own name was lost is out of reach, synced or not.  A directory of
 * the root is a mount point. */
static void drop_orphans(struct disk *d)
{
	for (int i = 0; i < d->durable.n; i++) {
		const char *path = d->durable.v[i].path, *slash = strrchr(path, '/');
		char parent[PATH_BYTES];

		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		if (slash == path || strrchr(parent, '/') == parent ||
		    names_find(&d->durable, parent))
			continue;
		drop(d, &d->durable, i);
		i = -1; /* and what lies in it */
	}
}

void disk_power_loss(struct disk *d)
{
	uint32_t odds = (uint32_t)world_chance(d->world, STREAM_DISK, 4);

	d->n_power_losses++;
	while (d->n_pending > 0) {
		bool is_kept = world_odds(d->world, STREAM_DISK, odds, 3) ||
			       d->pending[0].kind == NAME_REMOVE_TREE;

		if (is_kept)
			(void)apply(d, &d->durable, &d->pending[0]);
		settle(d, 0);
	}
	drop_orphans(d);
	while (d->seen.n > 0)
		drop(d, &d->seen, d->seen.n - 1);
	for (int i = 0; i < d->durable.n; i++) {
		add(&d->seen, d->durable.v[i].path, d->durable.v[i].inode);
		if (d->durable.v[i].inode)
			inode_power_loss(d, d->durable.v[i].inode);
	}
}

/* ---- small parts ---------------------------------------------------------------------------- */

static void add(struct names *names, const char *path, struct inode *inode)
{
	if (names->n == names->cap) {
		names->cap = 2 * names->cap + 16;
		names->v = mem_grow(names->v, sizeof(*names->v) * (size_t)names->cap);
	}
	names->v[names->n++] = (struct name){ copy(path), inode };
	if (inode)
		inode->refs++;
}

static void drop(struct disk *d, struct names *names, int at)
{
	inode_put(d, names->v[at].inode);
	mem_free(names->v[at].path);
	names->n--;
	memmove(names->v + at, names->v + at + 1, sizeof(*names->v) * (size_t)(names->n - at));
}

void names_free(struct disk *d)
{
	while (d->n_pending > 0)
		settle(d, 0);
	while (d->seen.n > 0)
		drop(d, &d->seen, d->seen.n - 1);
	while (d->durable.n > 0)
		drop(d, &d->durable, d->durable.n - 1);
	mem_free(d->seen.v);
	mem_free(d->durable.v);
	mem_free(d->pending);
}

static char *copy(const char *path)
{
	size_t n = strlen(path) + 1;

	return memcpy(mem_alloc(n), path, n);
}
