/* retain.c - giving up old segments: below the start offset, beyond the size, past their time.
 *
 *   log_retain   shard   counts, renames to .deleted, takes them out of the log
 *   log_purge    job     unlinks them file.delete.delay.ms later
 *
 * Fetches under way hold references of the files, so even an unlink hurts nobody. doomed_taken
 * keeps the two from meeting; whoever comes second does nothing and is called again. */
#include "broker/log/state.h"

#include "common/base/mark.h"

static int32_t n_below(const struct log *, int64_t bound);
static enum err count_expired(struct log *, int64_t now_ms, int32_t n_max, int32_t *n);
static enum err is_expired(struct log *, int32_t i, int64_t now_ms, bool *expired);
static enum err delete_first(struct log *, int32_t n, int64_t now_ms);
static void close_unused(struct log *);

/* Never past the high watermark: what is not committed yet may be all there is of it. */
enum err log_retain(struct log *l, int64_t bound, int64_t now_ms, int32_t *n_segments)
{
	int32_t n = 0;
	enum err e;

	*n_segments = 0;
	if (l->failed)
		return ERR_IO;
	if (atomic_exchange(&l->doomed_taken, true))
		return ERR_OK;
	e = count_expired(l, now_ms, n_below(l, bound), &n);
	if (e == ERR_OK && n > 0 && n == l->n) {
		MARK(everything_expired);
		e = log_roll(l, l->end);
	}
	if (e == ERR_OK && n > 0)
		e = delete_first(l, n, now_ms);
	atomic_store(&l->doomed_taken, false);
	if (e != ERR_OK)
		return log_fail(l, e);
	close_unused(l);
	*n_segments = n;
	return ERR_OK;
}

bool log_expires(struct log *l, int64_t bound, int64_t now_ms)
{
	int32_t n = 0;

	return !l->failed && n_below(l, bound) == l->n &&
	       count_expired(l, now_ms, l->n, &n) == ERR_OK && n == l->n;
}

/* An empty active segment is all there is to keep. */
static int32_t n_below(const struct log *l, int64_t bound)
{
	int32_t n = 0;

	while (n < l->n && log_segment_end(l, n) <= bound)
		n++;
	return n == l->n && l->v[n - 1].bytes == 0 ? n - 1 : n;
}

void log_purge(struct log *l, int64_t now_ms)
{
	static const char *const suffixes[] = { ".log.deleted", ".index.deleted",
						".timeindex.deleted" };
	struct env *env = l->home.env;
	int32_t n = 0;

	if (atomic_exchange(&l->doomed_taken, true))
		return;
	/* Ascending in time.  A name that stays is a leftover for the next start to remove. */
	for (; n < l->n_doomed && l->doomed[n].unlink_at_ms <= now_ms; n++) {
		for (size_t k = 0; k < ARRAY_LEN(suffixes); k++) {
			char path[SEGMENT_PATH_MAX];

			segment_path(path, &l->home, l->doomed[n].base, suffixes[k]);
			(void)env->files->unlink(env, path);
		}
	}
	l->n_doomed -= n;
	if (n > 0 && l->n_doomed > 0)
		memmove(l->doomed, l->doomed + n, (size_t)l->n_doomed * sizeof(*l->doomed));
	atomic_store(&l->doomed_taken, false);
}

/* How many of the first n_max segments go: always a prefix of the log. */
static enum err count_expired(struct log *l, int64_t now_ms, int32_t n_max, int32_t *n)
{
	int64_t excess =
		l->config.retention_bytes < 0 ? 0 : log_bytes(l) - l->config.retention_bytes;
	enum err e = ERR_OK;

	for (*n = 0; *n < n_max; (*n)++) {
		bool expired = false;

		if (log_segment_end(l, *n) <= l->start && *n < l->n - 1)
			expired = true;
		else if (excess > 0 && excess >= l->v[*n].bytes)
			expired = true;
		else
			e = is_expired(l, *n, now_ms, &expired);
		if (e != ERR_OK || !expired)
			break;
		excess -= l->v[*n].bytes;
	}
	return e;
}

/* Kafka asks the file's mtime when no record carries a timestamp; here such a segment ages from
 * the first look at it, which can only keep it longer. */
static enum err is_expired(struct log *l, int32_t i, int64_t now_ms, bool *expired)
{
	struct segment *s = &l->v[i];
	enum err e;

	*expired = false;
	if (l->config.retention_ms < 0)
		return ERR_OK;
	if ((e = segment_max_time(&l->home, s)) != ERR_OK)
		return e;
	if (s->max_time_ms < 0 && s->timeless_since_ms == 0)
		s->timeless_since_ms = now_ms;
	*expired = now_ms - (s->max_time_ms >= 0 ? s->max_time_ms : s->timeless_since_ms) >
		   l->config.retention_ms;
	return ERR_OK;
}

/* Renames in offset order, each durable before the next, so that a crash or a power loss half way
 * leaves a log that starts later, not one with a hole: what lies behind a hole is not trusted. */
static enum err delete_first(struct log *l, int32_t n, int64_t now_ms)
{
	enum err e = ERR_OK;
	int32_t done = 0;

	ASSERT(n < l->n);
	while (done < n) {
		if (l->names_changed &&
		    (e = l->home.env->files->sync_dir(l->home.env, l->dir)) != ERR_OK)
			break;
		l->names_changed = true;
		if (l->n_doomed == l->cap_doomed) {
			l->cap_doomed = l->cap_doomed ? 2 * l->cap_doomed : 8;
			l->doomed = mem_grow(l->doomed, (size_t)l->cap_doomed * sizeof(*l->doomed));
		}
		l->doomed[l->n_doomed++] =
			(struct doomed_segment){ l->v[done].base,
						 now_ms + l->config.file_delete_delay_ms };
		if ((e = segment_rename_deleted(&l->home, &l->v[done++])) != ERR_OK)
			break;
	}
	l->n -= done;
	memmove(l->v, l->v + done, (size_t)l->n * sizeof(*l->v));
	l->start = i64_max(l->start, l->v[0].base);
	l->recovery_point = i64_max(l->recovery_point, l->v[0].base);
	return e;
}

/* The files of old segments that nobody has read since the last time. */
static void close_unused(struct log *l)
{
	for (int32_t i = 0; i < l->n - 1; i++) {
		struct segment *s = &l->v[i];

		if (!s->dirty && s->used < l->clock)
			segment_close(s);
	}
}
