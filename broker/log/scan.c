/* scan.c - after an unclean stop: check every batch that was not known to be on the device.
 *
 *   log_scan -> scan_from, each segment: find_start -> resume_writer -> scan_segment
 *     -> finish_segment, or at the first bad batch salvage_tail
 *
 * Checked are length, magic, CRC, offsets without gap (ascending in compacted logs), and leader
 * epochs, which never go back.  The indexes are made good on the way, and what was checked is
 * synced at once, so that the next start need not do it again.  One window of 256 KiB is all the
 * memory. */
#include "broker/log/scan.h"
#include "common/base/crc32c.h"
#include "common/base/log.h"
#include "common/base/mark.h"

#define CRC_FROM 21

static enum err scan_from(struct scan *, int32_t first);
static bool may_follow(const struct scan *, const struct segment *);
static enum err find_start(struct scan *, struct segment *, int64_t *at);
static enum err trust_index(struct scan *, struct segment *, int64_t at);
static enum err note_times(struct segment *, int64_t at);
static enum err resume_writer(struct scan *, struct segment *, int64_t at);
static enum err scan_segment(struct scan *, struct segment *, int64_t *at);
static enum err write_again(struct scan *, struct segment *, int64_t at, int64_t end);
static enum err finish_segment(struct scan *, struct segment *);
static enum err reindex_before(struct scan *, int32_t i, bool *whole);
static enum err check_crc(struct scan *, struct segment *, int64_t at, const struct batch *,
			  bool *good);

enum err log_scan(struct log *l, const struct log_options *o, int64_t from,
		  struct log_recovery *rec)
{
	struct scan sc = { .l = l, .rec = rec, .from = from, .epoch = -1 };
	enum err e;

	sc.is_unsure = o->is_unsure;
	sc.is_vouched = o->is_vouched;
	sc.window = mem_alloc((size_t)SCAN_WINDOW_BYTES);
	e = scan_from(&sc, log_segment_of(l, from));
	l->first_time_ms = TIME_UNKNOWN;
	mem_free(sc.window);
	return e;
}

/* Segments are scanned in order; the last one is left attached and active. */
static enum err scan_from(struct scan *sc, int32_t first)
{
	struct log *l = sc->l;
	bool whole = true;
	enum err e = ERR_OK;

	if (first > 0 && l->v[first].base >= sc->from) {
		e = reindex_before(sc, first - 1, &whole);
		first -= whole ? 0 : 1;
	}
	for (int32_t i = first; i < l->n && !e; i++) {
		struct segment *s = &l->v[i];
		int64_t at = 0, begin;

		if (i > first && !may_follow(sc, s))
			return salvage_misplaced(sc, i);
		s->dirty = true;
		sc->next_offset = s->base;
		sc->window_n = 0;
		if ((e = segment_open(&l->home, s)) != ERR_OK)
			return e;
		segment_attach(s, &l->writer, l->config.index_interval_bytes);
		if ((e = find_start(sc, s, &at)) != ERR_OK ||
		    (e = resume_writer(sc, s, at)) != ERR_OK)
			return e;
		begin = at;
		if ((e = scan_segment(sc, s, &at)) != ERR_OK ||
		    (sc->is_unsure && (e = write_again(sc, s, begin, at)) != ERR_OK))
			return e;
		sc->rec->segments_scanned++;
		if (at < s->bytes)
			return salvage_tail(sc, i, at);
		if (i < l->n - 1)
			e = finish_segment(sc, s);
	}
	l->end = sc->next_offset;
	return e;
}

/* A log that was never compacted has no holes: one can only be bytes that were lost. */
static bool may_follow(const struct scan *sc, const struct segment *s)
{
	return s->base == sc->next_offset || (s->base > sc->next_offset && sc->l->config.compacted);
}

/* The position of the first batch that reaches the recovery point.  Header hops only. */
static enum err find_start(struct scan *sc, struct segment *s, int64_t *at)
{
	struct hop hop;
	enum err e;

	*at = 0;
	if (s->base >= sc->from || s->bytes == 0)
		return ERR_OK;
	e = segment_seek(&sc->l->home, s, sc->from, &hop);
	*at = hop.at;
	if (e == ERR_OK)
		sc->next_offset = i64_max(s->base, hop.batch.base_offset);
	else if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
		sc->next_offset = hop.next_offset;
	else
		return e;
	return ERR_OK;
}

/* Goes on with the indexes as they were at `at`, or makes them anew. */
static enum err resume_writer(struct scan *sc, struct segment *s, int64_t at)
{
	struct log *l = sc->l;
	int64_t end, end_offset;
	enum err e = at > 0 && !sc->is_unsure ? trust_index(sc, s, at) : ERR_CORRUPT;

	if (e != ERR_CORRUPT)
		return e;
	if (at > 0)
		MARK(index_rebuilt_after_a_crash);
	sc->rec->indexes_rebuilt++;
	return segment_reindex(&l->home, s, at, &l->writer, &end, &end_offset);
}

/* ERR_CORRUPT: missing, not ascending (pages lost with the power), or pointing nowhere. */
static enum err trust_index(struct scan *sc, struct segment *s, int64_t at)
{
	struct index_entry last[INDEX_KINDS] = { { s->base, 0 }, { -1, TIME_NONE } };
	const int64_t value_end[INDEX_KINDS] = { s->bytes, INT64_MAX };
	const int64_t below[INDEX_KINDS] = { at, sc->next_offset };

	for (int kind = 0; kind < INDEX_KINDS; kind++) {
		enum index_field by = kind == INDEX_OFFSET ? INDEX_BY_VALUE : INDEX_BY_OFFSET;
		struct index *ix = &s->index[kind];
		bool sane = false;
		int32_t i = -1;
		enum err e = segment_open_index(&sc->l->home, s, (enum index_kind)kind);

		if (e == ERR_OK && ix->file)
			e = index_sane(ix, value_end[kind], &sane);
		if (e == ERR_OK && sane)
			e = index_floor(ix, by, below[kind] - 1, &last[kind], &i);
		if (e == ERR_OK && sane)
			e = index_keep(ix, i + 1);
		if (e != ERR_OK || !sane)
			return e != ERR_OK ? e : ERR_CORRUPT;
		if (kind == INDEX_OFFSET && i >= 0 && !segment_entry_ok(s, &last[kind]))
			return ERR_CORRUPT;
	}
	sc->l->writer.since_entry_bytes = at - last[INDEX_OFFSET].value;
	sc->l->writer.last_time_ms = s->max_time_ms = last[INDEX_TIME].value;
	s->max_time_offset = last[INDEX_TIME].offset;
	return note_times(s, at);
}

/* Up to `at`, from the last time entry on: entries wait in memory, and a crash may have left the
 * file of one index further behind than the other's. */
static enum err note_times(struct segment *s, int64_t at)
{
	struct index_entry from = { s->base, 0 };
	struct hop hop;
	int32_t i;
	enum err e = index_floor(&s->index[INDEX_OFFSET], INDEX_BY_OFFSET, s->max_time_offset,
				 &from, &i);

	if (e != ERR_OK)
		return e;
	hop_init(&hop, s->file, i < 0 ? 0 : from.value, at, s->base);
	while (hop_next(&hop) == HOP_BATCH) {
		if (hop.batch.max_timestamp_ms <= s->max_time_ms)
			continue;
		s->max_time_ms = hop.batch.max_timestamp_ms;
		s->max_time_offset = batch_last_offset(&hop.batch);
	}
	return hop.err;
}

/* From *at to the first bad batch or the end. */
static enum err scan_segment(struct scan *sc, struct segment *s, int64_t *at)
{
	while (*at < s->bytes) {
		struct batch b;
		bool good;
		enum err e = scan_check_batch(sc, s, *at, &b, &good);

		if (e != ERR_OK || !good ||
		    (b.base_offset > sc->next_offset && !sc->l->config.compacted))
			return e;
		segment_note(&sc->l->home, s, &sc->l->writer, &b, *at);
		sc->next_offset = batch_last_offset(&b) + 1;
		sc->epoch = b.leader_epoch;
		sc->rec->bytes_scanned += b.size;
		*at += b.size;
	}
	return ERR_OK;
}

/* The same bytes to the same place: only what was written since a failed sync is synced again. */
static enum err write_again(struct scan *sc, struct segment *s, int64_t at, int64_t end)
{
	enum err e = ERR_OK;

	MARK(written_again_after_a_failed_sync);
	while (at < end && e == ERR_OK) {
		const uint8_t *bytes;
		int64_t got;

		e = scan_look(sc, s, at, i64_min(end - at, SCAN_WINDOW_BYTES), &bytes, &got);
		if (e == ERR_OK && got == 0)
			return ERR_CORRUPT;
		if (e == ERR_OK)
			e = s->file->ops->writev(s->file, &(struct file_iov){ bytes, (size_t)got },
						 1, at);
		at += got;
	}
	return e;
}

/* What was checked is synced at once, so that the recovery point may pass it. */
static enum err finish_segment(struct scan *sc, struct segment *s)
{
	enum err e = segment_finish(&sc->l->home, s, &sc->l->writer);

	if (e == ERR_OK)
		e = log_sync_segment(s);
	segment_detach(s);
	segment_close(s);
	s->dirty = false;
	return e;
}

/* A segment that ends at the recovery point is on the device, but maybe not its indexes; if it does
 * not end there, bytes were lost or names have come back, and it must be scanned, too. */
static enum err reindex_before(struct scan *sc, int32_t i, bool *whole)
{
	struct log *l = sc->l;
	struct segment *s = &l->v[i];
	int64_t end, end_offset;
	enum err e;

	segment_attach(s, &l->writer, l->config.index_interval_bytes);
	e = segment_reindex(&l->home, s, s->bytes, &l->writer, &end, &end_offset);
	sc->rec->indexes_rebuilt++;
	if (e == ERR_OK) {
		sc->next_offset = end_offset;
		*whole = end == s->bytes && may_follow(sc, &l->v[i + 1]);
		return finish_segment(sc, s);
	}
	segment_detach(s);
	return e;
}

/* The CRC last: everything else is read from the header. */
enum err scan_check_batch(struct scan *sc, struct segment *s, int64_t at, struct batch *b,
			  bool *good)
{
	const uint8_t *bytes;
	int64_t got;
	enum err e;

	*good = false;
	if (s->bytes - at < BATCH_HEADER_BYTES)
		return ERR_OK;
	e = scan_look(sc, s, at, BATCH_HEADER_BYTES, &bytes, &got);
	if (e != ERR_OK || batch_view(b, bytes, got) != BATCH_OK)
		return e;
	if (b->size > s->bytes - at || b->base_offset < sc->next_offset ||
	    batch_last_offset(b) - s->base > INT32_MAX)
		return ERR_OK;
	if (b->leader_epoch < sc->epoch && b->leader_epoch >= 0)
		return ERR_OK;
	return check_crc(sc, s, at, b, good);
}

static enum err check_crc(struct scan *sc, struct segment *s, int64_t at, const struct batch *b,
			  bool *good)
{
	int64_t end = at + b->size;
	uint32_t crc = 0, want = b->crc;

	for (at += CRC_FROM; at < end;) {
		const uint8_t *bytes;
		int64_t got;
		enum err e =
			scan_look(sc, s, at, i64_min(end - at, SCAN_WINDOW_BYTES), &bytes, &got);

		if (e != ERR_OK || got == 0)
			return e;
		crc = crc32c(crc, bytes, (size_t)got);
		at += got;
	}
	*good = crc == want;
	return ERR_OK;
}

/* Up to n bytes of the segment at `at`, valid until the next look. */
enum err scan_look(struct scan *sc, const struct segment *s, int64_t at, int64_t n,
		   const uint8_t **bytes, int64_t *got)
{
	int64_t end = i64_min(at + n, s->bytes);
	size_t filled;
	enum err e;

	ASSERT(n <= SCAN_WINDOW_BYTES);
	if (at < sc->window_at || end > sc->window_at + sc->window_n) {
		e = s->file->ops->read(s->file, sc->window,
				       (size_t)i64_min(SCAN_WINDOW_BYTES, s->bytes - at), at,
				       &filled);
		if (e != ERR_OK)
			return e;
		sc->window_at = at;
		sc->window_n = (int64_t)filled;
	}
	*bytes = sc->window + (at - sc->window_at);
	*got = i64_min(n, sc->window_at + sc->window_n - at);
	return ERR_OK;
}
