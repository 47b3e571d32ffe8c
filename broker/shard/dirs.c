/* dirs.c - the log directories at start: lock, identity, clean marker, checkpoints, what is there.
 *
 * The order is Kafka's and matters: the marker is taken away before anything else is trusted, so
 * that a crash while logs are being opened cannot look like a clean stop. */
#include "broker/shard/dirs.h"

#include <stdatomic.h>
#include <stdio.h>

#include "broker/log/checkpoint.h"
#include "broker/log/clean_marker.h"
#include "broker/log/logdir.h"
#include "broker/log/meta_properties.h"
#include "broker/log/run_marker.h"
#include "common/base/log.h"

struct finding {
	struct dirs *dirs;
	int dir;
};

static enum err open_one(struct env *, const struct broker_conf *, struct dirs *, int at, char *why,
			 size_t cap);
static enum err take_markers(struct env *, struct dir *);
static enum err read_identity(struct env *, const struct broker_conf *, struct dirs *, struct dir *,
			      char *why, size_t cap);
static enum err read_offsets(struct env *, struct dirs *, int at, const char *name, size_t field);
static void found_one(void *arg, const char *name);
static void note_checkpointed(struct dirs *, int dir, const char *name);
static struct dirs_row *row_new(int dir, const char *name);
static void settle(struct finding *, struct dirs_row *was, const char *name, bool is_future);
static struct placement placement_of(const struct dirs *, int dir, const char *name);
static void remove_copy(struct dirs *, int dir, const char *name);

/* At start one bad directory is refused; at run time it goes offline and the others serve on. */
enum err dirs_open(struct env *env, const struct broker_conf *c, struct dirs **out, char *why,
		   size_t cap)
{
	struct dirs *d = mem_alloc(sizeof(*d));
	enum err e = ERR_OK;

	d->env = env;
	strmap_init(&d->found, prng_u64(&env->prng));
	strmap_init(&d->futures, prng_u64(&env->prng));
	strmap_init(&d->checkpointed, prng_u64(&env->prng));
	*out = d;
	for (int i = 0; !e && i < c->n_dirs; i++) {
		char *path = mem_alloc(c->dir[i].n + 1);
		memcpy(path, c->dir[i].at, c->dir[i].n);
		d->v[i].path = path;
		d->v[i].previous_epoch = -1;
		d->n = i + 1;
		e = open_one(env, c, d, i, why, cap);
	}
	return e;
}

static enum err open_one(struct env *env, const struct broker_conf *c, struct dirs *d, int at,
			 char *why, size_t cap)
{
	static const struct {
		const char *name;
		size_t field;
	} kept[] = {
		{ CHECKPOINT_RECOVERY_POINT, offsetof(struct dirs_row, recovery_point) },
		{ CHECKPOINT_HIGH_WATERMARK, offsetof(struct dirs_row, high_watermark) },
		{ CHECKPOINT_LOG_START, offsetof(struct dirs_row, log_start) },
	};
	struct dir *dir = &d->v[at];
	struct finding finding = { d, at };
	enum err e;

	snprintf(why, cap, "log.dirs: %s cannot be used: see the line above", dir->path);
	if ((e = env->files->mkdir(env, dir->path)))
		return e;
	if ((e = logdir_lock(env, dir->path, &dir->lock))) {
		if (e == ERR_LOCKED)
			snprintf(why, cap, "log.dirs: %s is in use by another broker", dir->path);
		return e;
	}
	if ((e = read_identity(env, c, d, dir, why, cap)) || (e = take_markers(env, dir)) ||
	    (e = logdir_scan(env, dir->path, found_one, &finding)))
		return e;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if ((e = read_offsets(env, d, at, kept[i].name, kept[i].field)))
			return e;
	return ERR_OK;
}

/* What the one says is written into the other at once: a process that never comes to register must
 * not look like a loss. */
static enum err take_markers(struct env *env, struct dir *dir)
{
	int64_t epoch;
	enum err e = run_marker_read(env, dir->path, &dir->previous_epoch);

	if (e != ERR_OK || (e = clean_marker_take(env, dir->path, &dir->was_clean, &epoch)))
		return e;
	if (dir->was_clean)
		dir->previous_epoch = epoch;
	e = run_marker_write(env, dir->path, dir->previous_epoch);
	return e == ERR_NOSPACE ? ERR_OK : e;
}

/* A directory of another node or cluster must never be written to. */
static enum err read_identity(struct env *env, const struct broker_conf *c, struct dirs *d,
			      struct dir *dir, char *why, size_t cap)
{
	struct meta_properties m;
	enum err e = meta_properties_read(env, dir->path, &m);

	if (e == ERR_NOT_FOUND) {
		dir->id = prng_uuid(&env->prng);
		return ERR_OK;
	}
	if (e) {
		snprintf(why, cap, "log.dirs: %s/meta.properties cannot be read: %s", dir->path,
			 err_text(e));
		return e;
	}
	if (m.node_id != c->node_id) {
		snprintf(why, cap, "log.dirs: %s belongs to node %d, not to node.id=%d", dir->path,
			 m.node_id, c->node_id);
		return ERR_INVALID;
	}
	if (d->cluster_id[0] && m.cluster_id[0] && strcmp(d->cluster_id, m.cluster_id) != 0) {
		snprintf(why, cap, "log.dirs: %s belongs to cluster %s, another one to %s",
			 dir->path, m.cluster_id, d->cluster_id);
		return ERR_INVALID;
	}
	snprintf(d->cluster_id, sizeof(d->cluster_id), "%s", m.cluster_id);
	dir->is_recorded = !uuid_is_zero(m.directory_id);
	dir->id = dir->is_recorded ? m.directory_id : prng_uuid(&env->prng);
	return ERR_OK;
}

static void found_one(void *arg, const char *name)
{
	struct finding *f = arg;
	struct dirs_row *row = row_new(f->dir, name);
	struct strmap *to = &f->dirs->found;
	struct dirs_row *was;

	if (logdir_future_parse(str_of(row->text), &row->name))
		to = &f->dirs->futures;
	was = strmap_find(to, row->name);
	if (!was) {
		strmap_put(to, row->name, row);
		return;
	}
	settle(f, was, name, to == &f->dirs->futures);
	mem_free(row);
}

/* A move that a crash cut short leaves two equal copies, a failed directory one of long ago: the
 * replica was dropped, or went elsewhere, while nothing could be removed there.  What was on its
 * way has no worth of its own. */
static void settle(struct finding *f, struct dirs_row *was, const char *name, bool is_future)
{
	struct dirs *d = f->dirs;
	struct placement old = placement_of(d, was->dir, was->text),
			 new = placement_of(d, f->dir, name);

	if (is_future || placement_is_later(old, new)) {
		remove_copy(d, f->dir, name);
	} else if (placement_is_later(new, old)) {
		remove_copy(d, was->dir, was->text);
		was->dir = f->dir;
		was->recovery_point = was->high_watermark = was->log_start = 0;
	} else {
		log_error("dirs", "a partition lies in two log directories, this one is left alone",
			  F_Z("path", d->v[f->dir].path), F_Z("partition", name));
	}
}

static struct placement placement_of(const struct dirs *d, int dir, const char *name)
{
	char path[SMALL_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", d->v[dir].path, name);
	return partition_meta_placement(d->env, path);
}

/* Its rows of the checkpoints must not be taken for those of one that comes here again. */
static void remove_copy(struct dirs *d, int dir, const char *name)
{
	char retired[LOGDIR_NAME_MAX];
	enum err e = logdir_retire(d->env, d->v[dir].path, name, prng_uuid(&d->env->prng),
				   LOGDIR_DELETE, retired);

	if (!e)
		e = logdir_remove(d->env, d->v[dir].path, retired);
	d->has_namesakes = true;
	log_warn("dirs", "a copy that the replica has left is removed", F_Z("path", d->v[dir].path),
		 F_Z("partition", name), F_Z("how", err_text(e)));
}

static void note_checkpointed(struct dirs *d, int dir, const char *name)
{
	struct dirs_row *row;

	if (strmap_find(&d->checkpointed, str_of(name)))
		return;
	row = row_new(dir, name);
	strmap_put(&d->checkpointed, row->name, row);
}

static struct dirs_row *row_new(int dir, const char *name)
{
	size_t n = strlen(name);
	struct dirs_row *row = mem_alloc(sizeof(*row) + n + 1);

	memcpy(row->text, name, n);
	row->name = (struct str){ row->text, n };
	row->dir = dir;
	atomic_init(&row->taken, false);
	return row;
}

/* An unreadable checkpoint counts as empty: more to scan, a high watermark to learn again. */
static enum err read_offsets(struct env *env, struct dirs *d, int at, const char *name,
			     size_t field)
{
	struct checkpoint cp;
	enum err e = checkpoint_read(env, d->v[at].path, name, &cp);
	char dir_name[LOGDIR_NAME_MAX];

	if (e && e != ERR_CORRUPT)
		return e;
	for (int32_t i = 0; i < cp.n; i++) {
		snprintf(dir_name, sizeof(dir_name), "%.*s-%d", (int)cp.v[i].topic.n,
			 cp.v[i].topic.at, cp.v[i].partition);
		struct dirs_row *row = dirs_found(d, str_of(dir_name));
		d->has_namesakes |= !row;
		if (!row && field == offsetof(struct dirs_row, high_watermark) &&
		    cp.v[i].offset > 0)
			note_checkpointed(d, at, dir_name);
		if (row && row->dir == at)
			*(int64_t *)(void *)((char *)row + field) = i64_max(0, cp.v[i].offset);
	}
	checkpoint_fini(&cp);
	return ERR_OK;
}

void dirs_free(struct dirs *d)
{
	for (int i = 0; i < d->n; i++) {
		file_put(d->v[i].lock);
		mem_free((void *)(uintptr_t)d->v[i].path);
	}
	STRMAP_FOR (slot, &d->found)
		mem_free(slot->value);
	STRMAP_FOR (slot, &d->futures)
		mem_free(slot->value);
	strmap_fini(&d->found);
	strmap_fini(&d->futures);
	STRMAP_FOR (slot, &d->checkpointed)
		mem_free(slot->value);
	strmap_fini(&d->checkpointed);
	mem_free(d);
}

enum err dirs_adopt_cluster(struct env *env, struct dirs *d, const struct broker_conf *c,
			    const char *cluster_id)
{
	struct meta_properties m = { .node_id = c->node_id };
	enum err e;

	snprintf(d->cluster_id, sizeof(d->cluster_id), "%s", cluster_id);
	snprintf(m.cluster_id, sizeof(m.cluster_id), "%s", cluster_id);
	for (int i = 0; i < d->n; i++) {
		if (d->v[i].is_recorded)
			continue;
		m.directory_id = d->v[i].id;
		if ((e = meta_properties_write(env, d->v[i].path, &m)))
			return e;
		d->v[i].is_recorded = true;
	}
	return ERR_OK;
}

struct dirs_row *dirs_found(const struct dirs *d, struct str name)
{
	return strmap_find(&d->found, name);
}

bool dirs_had(const struct dirs *d, struct str name)
{
	return strmap_find(&d->checkpointed, name) != NULL;
}

bool dirs_any_offline(const struct dirs *d)
{
	bool any = false;

	for (int i = 0; i < d->n; i++)
		any |= atomic_load(&d->v[i].offline);
	return any;
}

struct placement dirs_placement(struct dirs *d)
{
	return (struct placement){ atomic_load(&d->broker_epoch),
				   1 + atomic_fetch_add(&d->n_placed, 1) };
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
	if (atomic_exchange(&d->v[dir].offline, true))
		return;
	log_error("dirs", "a log directory failed and is offline until restart",
		  F_Z("path", d->v[dir].path));
	/* What the kernel still shows of it need not be on the device. */
	if (run_marker_remove(d->env, d->v[dir].path) == ERR_OK)
		return;
	log_error("dirs", "nor can it be marked as failed: the others are",
		  F_Z("path", d->v[dir].path));
	for (int i = 0; i < d->n; i++)
		if (i != dir && run_marker_remove(d->env, d->v[i].path))
			log_error("dirs", "cannot be marked", F_Z("path", d->v[i].path));
}

void dirs_fill(struct dirs *d, int dir)
{
	if (!atomic_exchange(&d->v[dir].is_full, true))
		log_error("dirs", "full: produces to it are refused until there is room",
			  F_Z("path", d->v[dir].path));
}

void dirs_unsettle(struct dirs *d, int dir)
{
	if (dir >= 0)
		atomic_store(&d->v[dir].is_unsettled, true);
}

int64_t dirs_previous_epoch(const struct dirs *d)
{
	int64_t low = INT64_MAX;

	for (int i = 0; i < d->n; i++)
		low = i64_min(low, d->v[i].previous_epoch);
	return low;
}

bool dirs_are_unsure(const struct dirs *d)
{
	int64_t low = dirs_previous_epoch(d);

	for (int i = 0; i < d->n; i++)
		if (d->v[i].previous_epoch != low)
			return true;
	return low < 0;
}

void dirs_registered(struct dirs *d, int64_t broker_epoch)
{
	atomic_store(&d->broker_epoch, broker_epoch);
	for (int i = 0; i < d->n; i++) {
		enum err e = atomic_load(&d->v[i].offline)
				     ? ERR_OK
				     : run_marker_write(d->env, d->v[i].path, broker_epoch);

		if (e == ERR_NOSPACE || e == ERR_NOFILES)
			log_warn("dirs", "cannot be marked: after a kill it counts as incomplete",
				 F_Z("path", d->v[i].path), F_Z("why", err_text(e)));
		else if (e != ERR_OK)
			dirs_fail(d, i);
	}
}

/* After an unclean end only what was opened since has been recovered. */
static bool is_recovered(const struct dirs *d, int dir)
{
	STRMAP_FOR (slot, &d->found) {
		const struct dirs_row *row = slot->value;

		if (row->dir == dir && !atomic_load(&row->taken))
			return false;
	}
	return true;
}

void dirs_mark_clean(struct env *env, struct dirs *d, int64_t broker_epoch)
{
	for (int i = 0; i < d->n; i++) {
		struct dir *dir = &d->v[i];
		enum err e;

		if (atomic_load(&dir->offline) || atomic_load(&dir->is_unsettled) ||
		    !(dir->was_clean || is_recovered(d, i)))
			continue;
		e = clean_marker_write(env, dir->path,
				       broker_epoch >= 0 ? broker_epoch : dir->previous_epoch);
		if (e != ERR_OK && e != ERR_NOFILES)
			dirs_fail(d, i);
	}
}
