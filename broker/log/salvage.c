/* salvage.c - where a scan met bytes that are no batch.
 *
 * Kafka cuts the log at the first bad batch and deletes what follows, whatever it is.  Here a bad
 * batch is one of two things:
 *   torn tail    nothing valid follows: a write the crash interrupted.  Cut.
 *   corruption   it lies below the recovery point, or valid batches or whole segments follow, or it
 *                is there to its end though nothing but the process ended: bytes that were
 *                acknowledged may be gone.  Cut, too, for a log has no holes, but what is cut off
 *                goes to .corrupt files, and log_recovery says so.
 *
 * The partition logs it as an error with the offset and the bytes set aside (partition_open.c). */
#include "broker/log/scan.h"
#include "common/base/log.h"
#include "common/base/mark.h"

static enum err is_damaged(struct scan *, const struct segment *, int64_t at, bool *damaged);
static enum err valid_after(struct scan *, struct segment *, int64_t at, bool *found);
static enum err quarantine_rest(struct scan *, struct segment *, int64_t at);
static enum err copy_out(struct scan *, const struct segment *, int64_t at, struct file *to);
static enum err remove_later(struct scan *, int32_t keep, bool quarantine);

/* The log ends at byte `at` of segment i. */
enum err salvage_tail(struct scan *sc, int32_t i, int64_t at)
{
	struct log *l = sc->l;
	struct segment *s = &l->v[i];
	bool corrupt = sc->next_offset < sc->from;
	enum err e = ERR_OK;

	for (int32_t k = i + 1; k < l->n; k++)
		corrupt = corrupt || l->v[k].bytes > 0;
	if (!corrupt && sc->is_vouched)
		e = is_damaged(sc, s, at, &corrupt);
	if (!corrupt && e == ERR_OK)
		e = valid_after(sc, s, at, &corrupt);
	if (e == ERR_OK && corrupt) {
		log_error("log",
			  "corruption: valid batches lie behind bytes that fail their check, or "
			  "synced ones fail",
			  F_Z("dir", l->dir), F_I64("segment", s->base), F_I64("position", at),
			  F_I64("offset", sc->next_offset), F_I64("recovery_point", sc->from));
		MARK(damage_in_the_middle);
		sc->rec->corrupt_offset = sc->next_offset;
		e = quarantine_rest(sc, s, at);
	} else if (e == ERR_OK) {
		log_warn("log", "torn tail cut", F_Z("dir", l->dir), F_I64("segment", s->base),
			 F_I64("position", at), F_I64("bytes", s->bytes - at),
			 F_I64("end", sc->next_offset));
		MARK(torn_tail_cut);
		sc->rec->bytes_cut += s->bytes - at;
	}
	if (e == ERR_OK)
		e = remove_later(sc, i + 1, corrupt);
	if (e == ERR_OK)
		e = s->file->ops->truncate(s->file, at);
	s->bytes = at;
	l->end = sc->next_offset;
	return e;
}

/* Segment i begins below the end of its predecessor (a truncation whose unlink was lost with the
 * power) or above it (the predecessor's tail was). */
enum err salvage_misplaced(struct scan *sc, int32_t i)
{
	struct log *l = sc->l;
	bool full = false;
	enum err e;

	for (int32_t k = i; k < l->n; k++)
		full = full || l->v[k].bytes > 0;
	if (full && l->v[i].base > sc->next_offset)
		sc->rec->corrupt_offset = sc->next_offset;
	log_error("log", "a segment does not begin where its predecessor ends", F_Z("dir", l->dir),
		  F_I64("segment", l->v[i].base), F_I64("end", sc->next_offset),
		  F_I64("recovery_point", sc->from));
	MARK(segment_misplaced);
	if ((e = remove_later(sc, i, true)) != ERR_OK || (e = log_activate(l)) != ERR_OK)
		return e;
	l->end = sc->next_offset;
	return ERR_OK;
}

/* The kill of a process cuts its last write short and does nothing else: a batch that is there to
 * its end and fails its check was good once. */
static enum err is_damaged(struct scan *sc, const struct segment *s, int64_t at, bool *damaged)
{
	const uint8_t *bytes;
	struct batch b;
	int64_t got;
	enum err e;

	if (s->bytes - at < BATCH_HEADER_BYTES)
		return ERR_OK;
	e = scan_look(sc, s, at, BATCH_HEADER_BYTES, &bytes, &got);
	if (e == ERR_OK)
		*damaged = batch_view(&b, bytes, got) != BATCH_OK || b.size <= s->bytes - at ||
			   b.base_offset < sc->next_offset ||
			   (b.base_offset > sc->next_offset && !sc->l->config.compacted);
	return e;
}

/* Is there a whole valid batch with a later offset anywhere behind a bad one?  Its length may be
 * what is bad, so every byte is tried; the magic and the offset weed out nearly all of them. */
static enum err valid_after(struct scan *sc, struct segment *s, int64_t at, bool *found)
{
	struct batch b;
	enum err e = ERR_OK;

	*found = false;
	for (at++; s->bytes - at >= BATCH_HEADER_BYTES && !*found && !e; at++) {
		const uint8_t *bytes;
		int64_t got;

		e = scan_look(sc, s, at, BATCH_HEADER_BYTES, &bytes, &got);
		if (e == ERR_OK && got >= BATCH_HEADER_BYTES && bytes[16] == 2)
			e = scan_check_batch(sc, s, at, &b, found);
	}
	return e;
}

/* Copied and synced before anything is truncated. */
static enum err quarantine_rest(struct scan *sc, struct segment *s, int64_t at)
{
	struct segment_home *home = &sc->l->home;
	char path[SEGMENT_PATH_MAX];
	struct file *to;
	enum err e;

	segment_path(path, home, sc->next_offset, ".log.corrupt");
	e = home->env->files->open(home->env, path,
				   FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &to);
	if (e != ERR_OK)
		return e;
	e = copy_out(sc, s, at, to);
	if (e == ERR_OK)
		e = to->ops->sync(to);
	file_put(to);
	if (e == ERR_OK)
		e = home->env->files->sync_dir(home->env, home->dir);
	return e;
}

static enum err copy_out(struct scan *sc, const struct segment *s, int64_t at, struct file *to)
{
	for (int64_t done = 0; at < s->bytes;) {
		struct file_iov iov;
		const uint8_t *bytes;
		int64_t got;
		enum err e = scan_look(sc, s, at, i64_min(SCAN_WINDOW_BYTES, s->bytes - at), &bytes,
				       &got);

		if (e != ERR_OK || got == 0)
			return e;
		iov = (struct file_iov){ bytes, (size_t)got };
		if ((e = to->ops->writev(to, &iov, 1, done)) != ERR_OK)
			return e;
		at += got;
		done += got;
		sc->rec->bytes_quarantined += got;
	}
	return ERR_OK;
}

/* Newest first, so that a crash half way leaves no hole. */
static enum err remove_later(struct scan *sc, int32_t keep, bool quarantine)
{
	struct log *l = sc->l;
	enum err e = ERR_OK;

	for (; l->n > keep && !e; l->n--) {
		struct segment *s = log_active(l);
		char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];

		l->names_changed = true;
		if (quarantine && s->bytes > 0) {
			segment_path(from, &l->home, s->base, ".log");
			segment_path(to, &l->home, s->base, ".log.corrupt");
			e = l->home.env->files->rename(l->home.env, from, to);
			sc->rec->bytes_quarantined += s->bytes;
		}
		if (e == ERR_OK)
			e = segment_unlink(&l->home, s);
	}
	return e;
}
