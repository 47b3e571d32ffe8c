/* flush.c - from the page cache to the device, and how far that has got.
 *
 * A flush covers the oldest FLUSH_SEGMENTS_MAX dirty segments; with more the next one goes on.
 * Index files are synced only with finished segments: those of the active one are rebuilt from
 * the recovery point on after a crash, which a finished segment below it never is. */
#include <stdio.h>

#include "broker/log/partition_meta.h"
#include "broker/log/state.h"
#include "common/base/log.h"

static void pin(struct log_flush *, struct file *);

/* After a roll always: the recovery point then moves to the new segment, which bounds what a
 * restart has to scan.  Otherwise by flush.messages and flush.ms, which are "never" by default, as
 * in Kafka: replication is what acks=all promises, not the device. */
bool log_flush_due(const struct log *l, int64_t now_ms)
{
	if (l->failed || l->flushing)
		return false;
	if (l->rolled_unflushed)
		return true;
	return l->dirty_since_ms != 0 && (l->end - l->recovery_point >= l->config.flush_messages ||
					  now_ms - l->dirty_since_ms >= l->config.flush_ms);
}

/* Takes references of the files, so that a truncation meanwhile may drop the segments. */
struct log_flush *log_flush_begin(struct log *l)
{
	struct log_flush *f = &l->flush;
	int32_t first = log_segment_of(l, l->recovery_point);
	int n_segments = 0;

	if (l->failed || l->flushing)
		return NULL;
	while (first > 0 && l->v[first - 1].dirty)
		first--; /* rolled at the recovery point: only its indexes are new */
	*f = (struct log_flush){ .env = l->home.env,
				 .upto = l->end,
				 .active_base = log_active(l)->base,
				 .generation = l->generation };
	for (int32_t i = first; i < l->n; i++) {
		struct segment *s = &l->v[i];

		if (!s->dirty)
			continue;
		if (n_segments++ == FLUSH_SEGMENTS_MAX) {
			f->upto = s->base;
			break;
		}
		pin(f, s->file);
		for (int kind = 0; kind < INDEX_KINDS && i < l->n - 1; kind++)
			pin(f, s->index[kind].file);
	}
	if (n_segments == 0 && !l->names_changed)
		return NULL;
	f->dir = l->dir;
	f->names_changed = l->names_changed;
	f->is_unnamed = l->is_unnamed;
	l->names_changed = false;
	l->dirty_since_ms = 0;
	l->rolled_unflushed = n_segments > FLUSH_SEGMENTS_MAX;
	l->flushing = true;
	return f;
}

/* On a thread of the io pool.  The directory last: a name is durable only with it. */
void log_flush_work(struct log_flush *f)
{
	f->err = log_sync_begins(f->env, f->dir);
	for (int i = 0; i < f->n_files && !f->err; i++)
		f->err = f->files[i]->ops->sync(f->files[i]);
	if (f->names_changed && !f->err)
		f->err = f->env->files->sync_dir(f->env, f->dir);
	if (f->is_unnamed && !f->err)
		f->err = log_sync_home(f->env, f->dir);
	if (!f->err)
		f->err = log_sync_ended(f->env, f->dir);
}

/* A partition is made without any sync: its first flush makes the directory durable together with
 * the first records that must not vanish with the power (KAFKA-3968). */
enum err log_sync_home(struct env *env, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char parent[SEGMENT_PATH_MAX];
	enum err e = partition_meta_sync(env, dir);

	if (e != ERR_OK || !slash || slash == dir)
		return e;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - dir), dir);
	return env->files->sync_dir(env, parent);
}

/* Moves the recovery point, unless a truncation came in between; closed segments give up their
 * files. */
enum err log_flush_end(struct log *l, struct log_flush *f)
{
	ASSERT(l->flushing && f == &l->flush);
	l->flushing = false;
	for (int i = 0; i < f->n_files; i++)
		file_put(f->files[i]);
	/* No descriptor to begin or to end with is no failed sync: all of it is done again. */
	if (f->err == ERR_NOFILES) {
		l->names_changed |= f->names_changed;
		l->rolled_unflushed = true; /* due, whatever the config says */
		return l->failed ? ERR_IO : ERR_NOFILES;
	}
	/* A full disk found at write-back is a lost write like any other: the log is failed. */
	if (f->err != ERR_OK)
		return log_fail(l, ERR_IO);
	if (l->failed)
		return ERR_IO;
	l->is_unnamed = l->is_unnamed && !f->is_unnamed;
	if (f->generation != l->generation)
		return ERR_OK; /* offsets were taken back meanwhile: the next flush will tell */
	l->recovery_point = i64_max(l->recovery_point, f->upto);
	for (int32_t i = 0; i < l->n; i++) {
		struct segment *s = &l->v[i];

		if (log_segment_end(l, i) > f->upto)
			break;
		if (s->base == f->active_base && i < l->n - 1)
			break; /* rolled meanwhile: its indexes are the next flush's */
		s->dirty = s->dirty && i == l->n - 1 && l->end > f->upto;
		if (!s->dirty && i < l->n - 1)
			segment_close(s);
	}
	return log_fail(l, log_forget_lowered(l, false));
}

enum err log_sync_segment(struct segment *s)
{
	enum err e = ERR_OK;

	if (s->file)
		e = s->file->ops->sync(s->file);
	for (int kind = 0; kind < INDEX_KINDS && !e; kind++)
		if (s->index[kind].file)
			e = s->index[kind].file->ops->sync(s->index[kind].file);
	return e;
}

static void pin(struct log_flush *f, struct file *file)
{
	if (file)
		f->files[f->n_files++] = file_get(file);
}
