/* cut.c - taking offsets back: truncation, starting over, moving the start.
 *
 * Files are removed from the newest to the oldest, so that a crash half way leaves a log that ends
 * earlier, not one with a hole. */
#include "broker/log/state.h"

static enum err boundary_at(struct log *, int64_t offset, int64_t *end);
static enum err may_cut(struct log *, int64_t offset);
static enum err drop_segments(struct log *, int32_t keep);
static enum err cut_active(struct log *, int64_t offset);
static enum err cut_index(struct log *, enum index_kind, enum index_field, int64_t below);
static void note_cut(struct log *);

/* What a follower does when the leader's history differs (follow_apply.c), and a leader never.
 * Order: the recovery point is lowered durably, the active segment's indexes are finished so that
 * all entries are in files, whole segments go, the last one is cut. */
enum err log_truncate(struct log *l, int64_t offset)
{
	int64_t end;
	enum err e;

	ASSERT(offset >= 0);
	if (l->failed)
		return ERR_IO;
	if (offset >= l->end)
		return ERR_OK;
	if (offset < l->v[0].base)
		return log_restart(l, offset);
	if ((e = boundary_at(l, offset, &end)) != ERR_OK || (e = log_lower_point(l, end)) != ERR_OK)
		return log_fail(l, e);
	if ((e = may_cut(l, offset)) != ERR_OK)
		return e;
	e = segment_finish(&l->home, log_active(l), &l->writer);
	if (e == ERR_OK)
		e = drop_segments(l, log_segment_of(l, offset) + 1);
	if (e == ERR_OK)
		e = cut_active(l, offset);
	note_cut(l);
	return e == ERR_OK ? ERR_OK : log_fail_midway(l, e);
}

/* What the cut needs is opened before anything is changed; segments that go make room for the rest.
 */
static enum err may_cut(struct log *l, int64_t offset)
{
	int32_t i = log_segment_of(l, offset);
	enum err e = segment_may_finish(&l->home, log_active(l));

	if (e == ERR_OK && i < l->n - 1)
		e = segment_may_finish(&l->home, &l->v[i]);
	return e;
}

/* A follower that is out of range below the leader's log start begins again there. */
enum err log_restart(struct log *l, int64_t offset)
{
	struct segment fresh;
	enum err e;

	ASSERT(offset >= 0);
	if (l->failed)
		return ERR_IO;
	/* What a failure or a crash leaves of the old segments is no damage. */
	if ((e = log_lower_point(l, i64_min(offset, l->v[0].base))) != ERR_OK)
		return log_fail(l, e);
	l->is_blank = false;
	if ((e = drop_segments(l, 0)) != ERR_OK)
		return log_fail_midway(l, e);
	segment_init(&fresh, offset, 0);
	/* There is no way back to the old segments: even a full disk is the end of this log. */
	if ((e = segment_create(&l->home, &fresh)) != ERR_OK)
		return log_fail_midway(l, e);
	*log_push_segment(l, offset, 0) = fresh;
	l->start = l->end = l->recovery_point = offset;
	l->fresh_bytes = 0;
	e = log_activate(l);
	note_cut(l);
	return e;
}

/* Where the log will end: offset, or the base of the batch that reaches past it. */
static enum err boundary_at(struct log *l, int64_t offset, int64_t *end)
{
	int32_t i = log_segment_of(l, offset);
	struct hop hop;
	enum err e = log_use(l, i);

	*end = offset;
	if (e == ERR_OK)
		e = segment_seek(&l->home, &l->v[i], offset, &hop);
	if (e == ERR_OK)
		*end = i64_min(offset, hop.batch.base_offset);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Only a number moves here; retention deletes the segments below it, the checkpoint keeps it.  The
 * recovery point stays: what lies below the start in its segment is in the way of every reader. */
enum err log_advance_start(struct log *l, int64_t offset)
{
	if (l->failed)
		return ERR_IO;
	if (offset > l->end)
		return ERR_NOT_FOUND;
	l->start = i64_max(l->start, offset);
	return ERR_OK;
}

/* The name must be gone for good before a new file may take it. */
static enum err drop_segments(struct log *l, int32_t keep)
{
	bool dropped = false;
	enum err e = ERR_OK;

	while (l->n > keep && !e) {
		e = segment_unlink(&l->home, log_active(l));
		l->n--;
		dropped = true;
	}
	l->has_unsynced_cut |= dropped;
	if (e == ERR_OK && (e = log_settle_cut(l)) == ERR_NOFILES)
		e = ERR_OK;
	return e;
}

/* What is appended next must not find them back beside it after a power loss. */
enum err log_settle_cut(struct log *l)
{
	enum err e;

	if (!l->has_unsynced_cut)
		return ERR_OK;
	if ((e = l->home.env->files->sync_dir(l->home.env, l->dir)) == ERR_OK)
		l->has_unsynced_cut = false;
	return log_fail(l, e);
}

/* Everything from the first batch that reaches past `offset` on goes. */
static enum err cut_active(struct log *l, int64_t offset)
{
	struct segment *s = log_active(l);
	int64_t end = offset, whole;
	struct hop hop;
	enum err e;

	e = segment_seek(&l->home, s, offset, &hop);
	if (e == ERR_OK) {
		s->dirty = true;
		e = s->file->ops->truncate(s->file, hop.at);
		if (e == ERR_OK)
			e = cut_index(l, INDEX_OFFSET, INDEX_BY_VALUE, hop.at);
		if (e == ERR_OK)
			e = cut_index(l, INDEX_TIME, INDEX_BY_OFFSET, hop.batch.base_offset);
		s->bytes = hop.at;
		s->max_time_ms = TIME_UNKNOWN;
		end = i64_min(offset, hop.batch.base_offset);
	}
	if (e != ERR_OK && e != ERR_NOT_FOUND) /* not found: only later segments reached that far */
		return e;
	e = log_activate(l);
	if (e == ERR_OK)
		e = log_find_end(l, &whole);
	l->end = end;
	return e;
}

/* The tails are in the files: log_truncate finished the segment first. */
static enum err cut_index(struct log *l, enum index_kind kind, enum index_field by, int64_t below)
{
	struct index *ix = &log_active(l)->index[kind];
	struct index_entry entry;
	int32_t at;
	enum err e = segment_open_index(&l->home, log_active(l), kind);

	if (e == ERR_OK)
		e = index_floor(ix, by, below - 1, &entry, &at);
	return e == ERR_OK ? index_keep(ix, at + 1) : e;
}

/* generation tells a flush under way that its offsets are no longer what they were. */
static void note_cut(struct log *l)
{
	l->recovery_point = i64_min(l->recovery_point, l->end);
	l->start = i64_min(l->start, l->end);
	l->generation++;
	log_forget_positions(l);
}
