/* recover.c - from the names in a directory to a log with a start and an end.
 *
 * The directory is listed once; sizes come with the names, and only the last segment is opened when
 * the shutdown was clean.
 *
 *   list_dir -> clear_leftovers, finish_swaps (again while names change) -> build_segments
 *     -> drop_stray_snapshots -> log_cap_point -> settle_end: trust (clean) or log_scan (crash)
 *     -> remember_corruption -> log_replay for the producers
 *
 * Leftovers, in Kafka's order:
 *   .deleted          unlinked: retention had given it up
 *   .cleaned          unlinked: compaction had not finished writing; and with it every .swap at or
 *                     above its base, whose group is incomplete
 *   .log.swap         complete: replaces the originals it covers, then loses the suffix
 *   index, no .log    unlinked
 *   .log, no index    the index is rebuilt
 *   .corrupt          kept for a person to look at; while the log ends below it, it is
 * incomplete */
#include "broker/log/state.h"
#include "common/base/log.h"
#include <stdio.h>
#include <stdlib.h>

struct found {
	int64_t base;
	int64_t bytes;
	char suffix[24];
};
struct listing {
	struct found *v;
	int32_t n, cap;
	bool was_syncing; /* the last process did not hear how its sync ended, or not well */
};

static enum err list_dir(struct log *, struct listing *);
static void take_name(void *arg, const struct file_name *);
static void take_bytes(void *arg, const struct file_name *);
static int by_base(const void *, const void *);
static enum err clear_leftovers(struct log *, const struct listing *, bool *changed);
static enum err finish_swaps(struct log *, const struct listing *, bool *changed);
static enum err finish_swap(struct log *, const struct listing *, const struct found *swap);
static enum err build_segments(struct log *, const struct listing *, struct log_recovery *);
static enum err drop_stray_snapshots(struct log *, const struct listing *);
static enum err reindex_missing(struct log *, const struct listing *, int32_t i,
				struct log_recovery *);
static enum err settle_end(struct log *, const struct log_options *, struct log_recovery *);
static void remember_corruption(const struct log *, const struct listing *, struct log_recovery *);
static enum err begin_empty(struct log *, int64_t offset);
static bool suffix_is(const struct found *, const char *);
static bool ends_with(const char *, const char *tail);
static const struct found *find_name(const struct listing *, int64_t base, const char *suffix);

/* See the picture above; every step leaves a directory from which the next start
 * can begin again. */
enum err log_load(struct log *l, const struct log_options *o, struct log_recovery *rec)
{
	struct log_options known = *o;
	struct listing names = { 0 };
	bool changed = true, has_doubt;
	enum err e = ERR_OK;

	/* Each round of clearing changes names, so look again until nothing is left to clear. */
	while (e == ERR_OK && changed) {
		changed = false;
		if ((e = list_dir(l, &names)) == ERR_OK)
			e = clear_leftovers(l, &names, &changed);
		if (e == ERR_OK && !changed)
			e = finish_swaps(l, &names, &changed);
		l->names_changed = l->names_changed || changed;
	}
	if (e == ERR_OK)
		e = build_segments(l, &names, rec);
	if (e == ERR_OK)
		e = drop_stray_snapshots(l, &names);
	if (e == ERR_OK && l->n == 0)
		e = begin_empty(l, i64_max(o->start_offset, 0));
	if (e == ERR_OK)
		e = log_cap_point(l, &known.recovery_point);
	known.is_unsure |= names.was_syncing;
	has_doubt = !o->clean && log_bytes(l) > 0;
	if (e == ERR_OK && has_doubt)
		e = log_sync_begins(l->home.env, l->dir);
	if (e == ERR_OK)
		e = settle_end(l, &known, rec);
	/* The scan has moved the point past what no flush had covered. */
	if (e == ERR_OK && l->recovery_point > i64_max(known.recovery_point, l->start)) {
		e = log_sync_home(l->home.env, l->dir);
		l->is_unnamed = e != ERR_OK;
	}
	if (e == ERR_OK && (has_doubt || names.was_syncing))
		e = log_sync_ended(l->home.env, l->dir);
	if (e == ERR_OK)
		remember_corruption(l, &names, rec);
	mem_free(names.v);
	if (e == ERR_OK && o->replay)
		e = log_replay(l,
			       o->clean ? o->replay_from
					: i64_min(o->replay_from, known.recovery_point),
			       o->replay, o->arg);
	rec->segments = l->n;
	return e;
}

/* A directory that is not there is made, durably: a partition must not vanish with the power. */
static enum err list_dir(struct log *l, struct listing *names)
{
	struct env *env = l->home.env;
	char parent[SEGMENT_PATH_MAX];
	char *slash;
	enum err e;

	names->n = 0;
	e = env->files->list(env, l->dir, take_name, names);
	if (e == ERR_NOT_FOUND) {
		if ((e = env->files->mkdir(env, l->dir)) != ERR_OK)
			return e;
		snprintf(parent, sizeof(parent), "%s", l->dir);
		slash = strrchr(parent, '/');
		if (slash && slash != parent) {
			*slash = '\0';
			e = env->files->sync_dir(env, parent);
		}
	}
	if (e == ERR_OK && names->n > 0)
		qsort(names->v, (size_t)names->n, sizeof(*names->v), by_base);
	return e;
}

bool log_has_records(struct env *env, const char *dir)
{
	bool any = false;

	return env->files->list(env, dir, take_bytes, &any) == ERR_OK && any;
}

static void take_bytes(void *arg, const struct file_name *name)
{
	const char *suffix;
	int64_t base;

	if (!name->is_dir && segment_name(name->name, &base, &suffix) && !strcmp(suffix, ".log") &&
	    name->size_bytes > 0)
		*(bool *)arg = true;
}

static void take_name(void *arg, const struct file_name *name)
{
	struct listing *names = arg;
	struct found *f;
	const char *suffix;
	int64_t base;

	names->was_syncing |= log_sync_is_name(name->name);
	if (name->is_dir || !segment_name(name->name, &base, &suffix) ||
	    strlen(suffix) >= sizeof(f->suffix))
		return;
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 16;
		names->v = mem_grow(names->v, (size_t)names->cap * sizeof(*names->v));
	}
	f = &names->v[names->n++];
	*f = (struct found){ .base = base, .bytes = name->size_bytes };
	memcpy(f->suffix, suffix, strlen(suffix) + 1);
}

static int by_base(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->base != y->base)
		return x->base < y->base ? -1 : 1;
	return strcmp(x->suffix, y->suffix);
}

/* Files that a crash left half way; what is unlinked here nobody could read any more. */
static enum err clear_leftovers(struct log *l, const struct listing *names, bool *changed)
{
	int64_t cleaned_from = INT64_MAX;
	enum err e = ERR_OK;

	for (int32_t i = 0; i < names->n; i++)
		if (ends_with(names->v[i].suffix, ".cleaned"))
			cleaned_from = i64_min(cleaned_from, names->v[i].base);
	for (int32_t i = 0; i < names->n && !e; i++) {
		const struct found *f = &names->v[i];
		char path[SEGMENT_PATH_MAX];
		bool is_index = suffix_is(f, ".index") || suffix_is(f, ".timeindex") ||
				suffix_is(f, ".txnindex");

		if (!ends_with(f->suffix, ".deleted") && !ends_with(f->suffix, ".cleaned") &&
		    !(ends_with(f->suffix, ".swap") && f->base >= cleaned_from) &&
		    !(is_index && !find_name(names, f->base, ".log") &&
		      !find_name(names, f->base, ".log.swap")))
			continue;
		segment_path(path, &l->home, f->base, f->suffix);
		e = l->home.env->files->unlink(l->home.env, path);
		*changed = true;
	}
	return e;
}

static enum err finish_swaps(struct log *l, const struct listing *names, bool *changed)
{
	for (int32_t i = 0; i < names->n; i++) {
		if (!suffix_is(&names->v[i], ".log.swap"))
			continue;
		*changed = true;
		return finish_swap(l, names, &names->v[i]);
	}
	return ERR_OK;
}

/* Originals first, then the renames with the .log last: cut short anywhere, the next start goes on.
 */
static enum err finish_swap(struct log *l, const struct listing *names, const struct found *swap)
{
	static const char *const suffixes[] = { ".index", ".timeindex", ".txnindex", ".log" };
	char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX], swapped[32];
	struct env *env = l->home.env;
	struct segment s;
	struct hop hop;
	enum err e;

	segment_init(&s, swap->base, swap->bytes);
	segment_path(from, &l->home, swap->base, ".log.swap");
	if ((e = env->files->open(env, from, FILE_READ, &s.file)) != ERR_OK)
		return e;
	hop_init(&hop, s.file, 0, swap->bytes, swap->base);
	while (hop_next(&hop) == HOP_BATCH)
		;
	segment_close(&s);
	for (int32_t i = 0; i < names->n && !e; i++) {
		segment_init(&s, names->v[i].base, 0);
		if (s.base >= swap->base && s.base < hop.next_offset &&
		    suffix_is(&names->v[i], ".log"))
			e = segment_unlink(&l->home, &s);
	}
	for (size_t i = 0; i < ARRAY_LEN(suffixes) && !e; i++) {
		snprintf(swapped, sizeof(swapped), "%s.swap", suffixes[i]);
		segment_path(from, &l->home, swap->base, swapped);
		segment_path(to, &l->home, swap->base, suffixes[i]);
		if (find_name(names, swap->base, swapped))
			e = env->files->rename(env, from, to);
	}
	return e;
}

static enum err build_segments(struct log *l, const struct listing *names, struct log_recovery *rec)
{
	enum err e = ERR_OK;

	for (int32_t i = 0; i < names->n; i++)
		if (suffix_is(&names->v[i], ".log"))
			log_push_segment(l, names->v[i].base, names->v[i].bytes);
	for (int32_t i = 0; i < l->n && !e; i++)
		e = reindex_missing(l, names, i, rec);
	return e;
}

/* Producer snapshots of no segment; the newest may be that of a clean close, at the log's end. */
static enum err drop_stray_snapshots(struct log *l, const struct listing *names)
{
	int32_t newest = -1;
	enum err e = ERR_OK;

	for (int32_t i = names->n - 1; i >= 0 && !e; i--) {
		char path[SEGMENT_PATH_MAX];

		if (!suffix_is(&names->v[i], ".snapshot"))
			continue;
		if (newest < 0)
			newest = i;
		if (i == newest || find_name(names, names->v[i].base, ".log"))
			continue;
		segment_path(path, &l->home, names->v[i].base, ".snapshot");
		e = l->home.env->files->unlink(l->home.env, path);
	}
	return e;
}

/* Missing or misshapen index files of closed segments; the last one is the caller's business. */
static enum err reindex_missing(struct log *l, const struct listing *names, int32_t i,
				struct log_recovery *rec)
{
	struct segment *s = &l->v[i];
	const struct found *offsets = find_name(names, s->base, ".index");
	const struct found *times = find_name(names, s->base, ".timeindex");
	int64_t end, end_offset;
	enum err e;

	if (i == l->n - 1 || s->bytes == 0)
		return ERR_OK;
	if (offsets && times && offsets->bytes % index_entry_bytes(INDEX_OFFSET) == 0 &&
	    times->bytes % index_entry_bytes(INDEX_TIME) == 0)
		return ERR_OK;
	segment_attach(s, &l->writer, l->config.index_interval_bytes);
	e = segment_reindex(&l->home, s, s->bytes, &l->writer, &end, &end_offset);
	if (e == ERR_OK)
		e = segment_finish(&l->home, s, &l->writer);
	segment_detach(s);
	segment_close(s);
	rec->indexes_rebuilt++;
	return e;
}

/* Clean: the indexes lead to the last batch.  Not clean: everything from the recovery point on is
 * checked.  A log that ends below its recovery point has lost what the device had promised. */
static enum err settle_end(struct log *l, const struct log_options *o, struct log_recovery *rec)
{
	int64_t from = o->clean ? INT64_MAX : i64_max(o->recovery_point, 0), whole;
	enum err e = ERR_OK;

	if (o->clean) {
		e = log_activate(l);
		if (e == ERR_OK)
			e = log_find_end(l, &whole);
		if (e == ERR_OK && whole < log_active(l)->bytes) {
			log_warn("log",
				 "a clean log does not end with a whole batch: checking its last "
				 "segment",
				 F_Z("dir", l->dir), F_I64("segment", log_active(l)->base),
				 F_I64("whole", whole));
			from = log_active(l)->base;
		}
	}
	if (e == ERR_OK && from != INT64_MAX)
		e = log_scan(l, o, from, rec);
	if (e != ERR_OK)
		return e;
	if (o->recovery_point > l->end && !o->clean && rec->corrupt_offset < 0) {
		log_error("log", "synced data is gone: the log ends below its recovery point",
			  F_Z("dir", l->dir), F_I64("end", l->end),
			  F_I64("recovery_point", o->recovery_point));
		rec->corrupt_offset = l->end;
	}
	/* log_scan has synced what it checked, but for the active segment. */
	l->recovery_point = i64_min(i64_max(from, log_active(l)->base), l->end);
	/* The start may lie above what is left (a lost tail): nothing there can be served. */
	if (o->start_offset > l->end)
		return log_restart(l, o->start_offset);
	l->start = i64_max(o->start_offset, l->v[0].base);
	return ERR_OK;
}

/* What an earlier start has quarantined still counts until the log has grown past it again. */
static void remember_corruption(const struct log *l, const struct listing *names,
				struct log_recovery *rec)
{
	for (int32_t i = 0; i < names->n && rec->corrupt_offset < 0; i++)
		if (suffix_is(&names->v[i], ".log.corrupt") && names->v[i].base >= l->end)
			rec->corrupt_offset = l->end;
}

/* One read of the index and a few hops: what makes a clean start cheap with many partitions. */
enum err log_find_end(struct log *l, int64_t *whole)
{
	struct segment *s = log_active(l);
	struct index *ix = &s->index[INDEX_OFFSET];
	struct index_entry last = { s->base, 0 };
	enum hop_state state;
	struct hop hop;
	enum err e = segment_open_index(&l->home, s, INDEX_OFFSET);

	if (e == ERR_OK && index_count(ix) > 0)
		e = index_get(ix, index_count(ix) - 1, &last);
	if (e != ERR_OK)
		return e;
	if (!s->dirty)
		index_close(ix);
	hop_init(&hop, s->file, segment_entry_ok(s, &last) ? last.value : 0, s->bytes, s->base);
	while ((state = hop_next(&hop)) == HOP_BATCH) {
		if (hop.batch.max_timestamp_ms <= s->max_time_ms)
			continue;
		s->max_time_ms = hop.batch.max_timestamp_ms;
		s->max_time_offset = batch_last_offset(&hop.batch);
	}
	*whole = hop.at;
	l->end = hop.next_offset;
	return state == HOP_FAILED ? hop.err : ERR_OK;
}

static enum err begin_empty(struct log *l, int64_t offset)
{
	struct segment fresh;
	enum err e;

	segment_init(&fresh, offset, 0);
	if ((e = segment_create(&l->home, &fresh)) != ERR_OK)
		return e;
	*log_push_segment(l, offset, 0) = fresh;
	l->names_changed = true;
	l->is_blank = offset == 0;
	return ERR_OK;
}

static bool suffix_is(const struct found *f, const char *suffix)
{
	return strcmp(f->suffix, suffix) == 0;
}

static bool ends_with(const char *text, const char *tail)
{
	size_t n = strlen(text), k = strlen(tail);

	return n >= k && strcmp(text + n - k, tail) == 0;
}

/* The listing is sorted by base and suffix. */
static const struct found *find_name(const struct listing *names, int64_t base, const char *suffix)
{
	struct found key = { .base = base };

	memcpy(key.suffix, suffix, strlen(suffix) + 1);
	return names->n ? bsearch(&key, names->v, (size_t)names->n, sizeof(key), by_base) : NULL;
}
