#include "broker/shard/dirs.h"

#include <stdatomic.h>
#include <stdio.h>

#include "common/base/log.h"

enum err dirs_open(struct env *env, const struct broker_conf *c, struct dirs **out, char *why,
		   size_t cap)
{
	struct dirs *d = mem_alloc(sizeof(*d));

	strmap_init(&d->found, prng_u64(&env->prng));
	for (int i = 0; i < c->n_dirs; i++) {
		struct dir *dir = &d->v[d->n++];
		char *path = mem_alloc(c->dir[i].n + 1);
		memcpy(path, c->dir[i].at, c->dir[i].n);
		dir->path = path;
		dir->previous_epoch = -1;
		dir->id = prng_uuid(&env->prng);
		if (env->files->mkdir(env, path)) {
			snprintf(why, cap, "log.dirs: cannot make %s", path);
			return ERR_IO;
		}
	}
	*out = d;
	return ERR_OK;
}

void dirs_free(struct env *env, struct dirs *d)
{
	(void)env;
	for (int i = 0; i < d->n; i++)
		mem_free((void *)(uintptr_t)d->v[i].path);
	strmap_fini(&d->found);
	mem_free(d);
}

enum err dirs_adopt_cluster(struct env *env, struct dirs *d, const struct broker_conf *c,
			    const char *cluster_id)
{
	(void)env;
	(void)c;
	snprintf(d->cluster_id, sizeof(d->cluster_id), "%s", cluster_id);
	return ERR_OK;
}

struct dirs_row *dirs_found(const struct dirs *d, struct str name)
{
	return strmap_find(&d->found, name);
}

int dirs_place(const struct dirs *d)
{
	int best = -1;

	for (int i = 0; i < d->n; i++)
		if (!atomic_load(&d->v[i].offline) &&
		    (best < 0 ||
		     atomic_load(&d->v[i].n_partitions) < atomic_load(&d->v[best].n_partitions)))
			best = i;
	return best;
}

void dirs_fail(struct dirs *d, int dir)
{
	if (!atomic_exchange(&d->v[dir].offline, true))
		log_error("dirs", "a log directory failed and is offline until restart",
			  F_Z("path", d->v[dir].path));
}

int64_t dirs_previous_epoch(const struct dirs *d)
{
	int64_t low = INT64_MAX;

	for (int i = 0; i < d->n; i++)
		low = i64_min(low, d->v[i].was_clean ? d->v[i].previous_epoch : -1);
	return d->n ? low : -1;
}

void dirs_mark_clean(struct env *env, const struct dirs *d, int64_t broker_epoch)
{
	(void)env;
	(void)d;
	(void)broker_epoch;
}
