/* check_log.c - what must be true of the records: each replica's log is followed batch by batch as
 * it grows, shrinks and comes back after a restart, and held against all other replicas (4), its
 * own past (52), its epochs (10), its indexes (53) and the truth (5). */
#include "common/wire/batch.h"
#include "tests/sim/check.h"
#include "tests/sim/disk.h"

#define READ_BYTES (1 << 20)
#define INDEX_ODDS 400 /* one look at an index in so many events */

struct piece { /* bytes of a log that were copied out */
	const uint8_t *at;
	int64_t n;
};

static bool is_still_there(const struct spot *, const struct seen_batch *);
static int64_t follow_piece(struct spot *, int64_t offset);
static struct piece read_piece(const struct spot *, int64_t offset, int64_t max);
static void follow(struct spot *, const struct batch *);
static void check_matching(const struct spot *, const struct batch *);
static void add_batch(struct view *, const struct batch *);
static void cut_batches(struct spot *);
static int32_t batch_at(const struct view *, int64_t offset);
static void check_fact(struct spot *, const struct seen_batch *);
static void write_down(struct spot *, const struct seen_batch *);
static void check_sequence(const struct spot *, const struct batch *);
static struct fact *add_fact(struct truth *);

/* ---- a log as it grows and shrinks ---------------------------------------------------------- */

static int64_t end_of(const struct view *v)
{
	return v->n_batches > 0 ? v->batches[v->n_batches - 1].last_offset + 1 : 0;
}

void check_log(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct view *v = s->view;
	int64_t at;

	cut_batches(s);
	if (v->log_end == r->log_end && end_of(v) == r->log_end)
		return;
	while (v->n_batches > 0 && !is_still_there(s, &v->batches[v->n_batches - 1]))
		v->n_batches--;
	at = i64_max(end_of(v), r->log_start);
	while (at < r->log_end)
		at = follow_piece(s, at);
}

/* It may have been cut off, and others written in its place, within one turn. */
static bool is_still_there(const struct spot *s, const struct seen_batch *last)
{
	struct piece piece;
	struct batch b;

	if (last->last_offset < s->p->replica.log_start)
		return true;
	piece = read_piece(s, i64_max(last->base_offset, s->p->replica.log_start), 1);
	return batch_view(&b, piece.at, piece.n) == BATCH_OK && b.crc == last->crc &&
	       b.base_offset == last->base_offset && b.leader_epoch == last->epoch;
}

static int64_t follow_piece(struct spot *s, int64_t offset)
{
	struct piece piece = read_piece(s, offset, READ_BYTES);
	struct batch b;

	for (int64_t at = 0; at < piece.n; at += b.size) {
		if (batch_view(&b, piece.at + at, piece.n - at) != BATCH_OK ||
		    b.size > piece.n - at)
			spot_broken(s, 12, "a damaged batch after offset %lld", (long long)offset);
		follow(s, &b);
		offset = batch_last_offset(&b) + 1;
	}
	return offset;
}

static struct piece read_piece(const struct spot *s, int64_t offset, int64_t max)
{
	static uint8_t bytes[READ_BYTES];
	struct log_read part;
	enum err e = log_read(s->p->log, offset, s->p->replica.log_end, max, true, &part);
	bool is_whole;

	if (e || part.n == 0)
		spot_broken(s, 12, "offset %lld cannot be read: %s", (long long)offset,
			    err_text(e));
	ASSERT(part.n <= READ_BYTES);
	is_whole = disk_copy_out(part.file, part.at, (size_t)part.n, bytes);
	file_put(part.file);
	if (!is_whole)
		spot_broken(s, 12, "the file of offset %lld is too short", (long long)offset);
	return (struct piece){ bytes, part.n };
}

/* After a restart the log may begin earlier than the cache, which was cut at a start that had not
 * been written down yet. */
static bool is_epoch_known(const struct spot *s, const struct batch *b)
{
	const struct epoch_cache *c = &s->p->epochs;

	if (epoch_cache_at(c, b->base_offset) == b->leader_epoch)
		return true;
	return b->base_offset < s->truth->log_start ||
	       (c->n > 0 && b->base_offset < c->v[0].start_offset &&
		b->leader_epoch <= c->v[0].epoch);
}

static void follow(struct spot *s, const struct batch *b)
{
	struct view *v = s->view;
	int64_t expected = v->n_batches > 0 ? end_of(v) : b->base_offset;

	if (!batch_crc_ok(b) || b->base_offset != expected)
		spot_broken(s, 12, "after offset %lld comes %lld, its crc is %s",
			    (long long)expected - 1, (long long)b->base_offset,
			    batch_crc_ok(b) ? "right" : "wrong");
	if (b->base_offset >= s->p->replica.log_start && !is_epoch_known(s, b))
		spot_broken(s, 10, "the batch at %lld is of epoch %d, the cache says %d",
			    (long long)b->base_offset, b->leader_epoch,
			    epoch_cache_at(&s->p->epochs, b->base_offset));
	check_matching(s, b);
	add_batch(v, b);
}

static uint32_t mix(int64_t offset, int32_t epoch, uint32_t crc)
{
	uint64_t h = ((uint64_t)offset * 0x9e3779b97f4a7c15) ^ ((uint64_t)(uint32_t)epoch << 32);

	h = (h ^ crc) * 0xbf58476d1ce4e5b9;
	return (uint32_t)(h >> 32) | 1;
}

/* 4: a batch that is the same has the same predecessor, so all before it is the same, too.  What
 * the leader had deleted when it was compared with a follower does not count. */
static void check_matching(const struct spot *s, const struct batch *b)
{
	uint64_t key = (uint64_t)b->base_offset * 0x9e3779b97f4a7c15 +
		       (uint64_t)(uint32_t)b->leader_epoch * 0xbf58476d1ce4e5b9;
	uint64_t known = (uint64_t)(uintptr_t)map_find(&s->truth->matching, key), before = 0;
	const struct view *v = s->view;

	if (v->n_batches > 0 && end_of(v) > s->p->replica.log_start)
		before = mix(v->batches[v->n_batches - 1].base_offset,
			     v->batches[v->n_batches - 1].epoch, v->batches[v->n_batches - 1].crc);
	if (known && (uint32_t)known != (b->crc | 1))
		spot_broken(s, 4, "the batch of epoch %d at %lld has crc %08x, elsewhere %08x",
			    b->leader_epoch, (long long)b->base_offset, b->crc, (uint32_t)known);
	if (known >> 32 && before && known >> 32 != before)
		spot_broken(s, 4, "what comes before the batch of epoch %d at %lld is another one",
			    b->leader_epoch, (long long)b->base_offset);
	if (!known || (before && !(known >> 32)))
		map_put(&s->truth->matching, key, (void *)(uintptr_t)(before << 32 | b->crc | 1));
}

static void add_batch(struct view *v, const struct batch *b)
{
	if (v->n_batches == v->cap_batches) {
		v->cap_batches = 2 * v->cap_batches + 64;
		v->batches = mem_grow(v->batches, sizeof(*v->batches) * (size_t)v->cap_batches);
	}
	v->batches[v->n_batches++] = (struct seen_batch){
		b->base_offset, batch_last_offset(b), b->max_timestamp_ms, b->crc, b->leader_epoch,
	};
}

static void cut_batches(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct view *v = s->view;

	if (end_of(v) < r->log_start || r->log_start == r->log_end)
		v->n_batches = 0;
	while (v->n_batches > 0 && v->batches[v->n_batches - 1].base_offset >= r->log_end)
		v->n_batches--;
	if (end_of(v) > r->log_end)
		spot_broken(s, 12, "cut at %lld, in the middle of a batch", (long long)r->log_end);
}

/* 52: the first look at a log that a new process opened.  The page cache outlives a process. */
void check_reopened(struct spot *s)
{
	const struct machine *m = s->c->broker[s->broker]->machine;
	const struct replica *r = &s->p->replica;
	struct view *v = s->view, old = *v;
	bool is_all = old.losses == m->losses && !old.is_harmed;
	int64_t durable = old.durable > old.log_start ? old.durable : 0; /* the rest is deleted */
	int64_t kept = is_all ? old.log_end : i64_min(durable, old.log_end);

	if (old.is_harmed) /* it may have failed half way through a truncation */
		kept = s->truth->is_unclean ? 0 : i64_min(kept, old.high_watermark);
	if (old.is_harmed && old.log_end < s->truth->log_start) /* or beginning anew up there */
		kept = 0;
	if (old.is_rotten)
		kept = 0;
	if (old.is_known && r->log_end < kept)
		spot_broken(s, 52, "the log ends at %lld after the restart, had %lld",
			    (long long)r->log_end, (long long)kept);
	*v = (struct view){ .life = m->life,
			    .losses = m->losses,
			    .is_known = true,
			    .leader_epoch = -1,
			    .partition_epoch = -1,
			    .log_end = -1 };
	check_log(s);
	for (int32_t i = 0; old.is_known && i < old.n_batches; i++) {
		const struct seen_batch *had = &old.batches[i];
		int32_t at = batch_at(v, had->base_offset);

		if (had->last_offset >= kept || had->base_offset < r->log_start)
			continue;
		if (at < 0 || v->batches[at].crc != had->crc || v->batches[at].epoch != had->epoch)
			spot_broken(s, 52, "the batch at %lld is another one after the restart",
				    (long long)had->base_offset);
	}
	mem_free(old.batches);
	check_candidates(s->c, s->topic, s->number);
}

/* -1: deleted, or beyond the end. */
static int32_t batch_at(const struct view *v, int64_t offset)
{
	int32_t low = 0, high = v->n_batches;

	while (low < high) {
		int32_t mid = (low + high) / 2;

		if (v->batches[mid].last_offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n_batches && v->batches[low].base_offset <= offset ? low : -1;
}

/* ---- the truth ------------------------------------------------------------------------------ */

void check_committed(struct spot *s)
{
	const struct replica *r = &s->p->replica;
	struct truth *truth = s->truth;
	struct view *v = s->view;

	if (r->log_end < v->verified)
		v->verified = r->log_end;
	if (s->topic->is_unclean &&
	    (r->role != REPLICA_LEADER || r->leader_epoch != truth->newest_epoch))
		return;
	v->verified = i64_max(v->verified, r->log_start);
	if (truth->n < r->log_start)
		truth_skip_unseen(truth, r->log_start);
	for (int32_t i = batch_at(v, v->verified); v->verified < r->high_watermark; i++) {
		if (i < 0 || i >= v->n_batches)
			spot_broken(s, 12, "no batch has offset %lld", (long long)v->verified);
		if (v->batches[i].base_offset >= r->high_watermark)
			break;
		check_fact(s, &v->batches[i]);
		v->verified = v->batches[i].last_offset + 1;
	}
}

static void check_fact(struct spot *s, const struct seen_batch *b)
{
	struct truth *truth = s->truth;

	if (b->base_offset > truth->n)
		spot_broken(s, 12, "offsets %lld to %lld are missing", (long long)truth->n,
			    (long long)b->base_offset);
	if (b->base_offset == truth->n) {
		write_down(s, b);
		return;
	}
	if (b->base_offset < s->p->replica.log_start) /* deleted in the middle of a batch */
		truth_skip_unseen(truth, b->last_offset + 1);
	for (int64_t at = b->base_offset; at <= b->last_offset; at++) {
		const struct fact *f = truth_at(truth, at);

		if (at < truth->n && f->base_offset == UNSEEN)
			continue;
		if (at >= truth->n || f->crc != b->crc || f->epoch != b->epoch ||
		    f->base_offset != b->base_offset)
			spot_broken(s, 5,
				    "offset %lld has crc %08x of epoch %d, committed is crc "
				    "%08x of epoch %d",
				    (long long)at, b->crc, b->epoch, at < truth->n ? f->crc : 0,
				    at < truth->n ? f->epoch : -1);
	}
}

static struct fact *add_fact(struct truth *truth)
{
	if (truth->n - truth->base == truth->cap) {
		truth->cap = 2 * truth->cap + 256;
		truth->facts = mem_grow(truth->facts, sizeof(*truth->facts) * (size_t)truth->cap);
	}
	return truth_at(truth, truth->n++);
}

/* The high watermark and retention passed them in one turn. */
void truth_skip_unseen(struct truth *truth, int64_t to)
{
	while (truth->n < to)
		*add_fact(truth) = (struct fact){ .base_offset = UNSEEN };
	map_fini(&truth->producers);
	map_init(&truth->producers, 1);
	map_fini(&truth->ends);
	map_init(&truth->ends, 1);
}

static void write_down(struct spot *s, const struct seen_batch *seen)
{
	struct piece piece = read_piece(s, seen->base_offset, 1);
	struct truth *truth = s->truth;
	struct record_walk walk;
	struct record r;
	struct str records;
	struct batch b;

	if (batch_view(&b, piece.at, piece.n) != BATCH_OK || b.base_offset != seen->base_offset)
		spot_broken(s, 12, "the batch at %lld is gone", (long long)seen->base_offset);
	check_sequence(s, &b);
	records = cluster_records(s->c, &b);
	record_walk_init(&walk, &b, (const uint8_t *)records.at, records.n);
	while (record_walk_next(&walk, &r)) {
		struct fact f = { 0, b.crc, b.leader_epoch, b.base_offset };

		ASSERT(r.value.n >= sizeof(f.value));
		memcpy(&f.value, r.value.at, sizeof(f.value));
		*add_fact(truth) = f;
	}
	if (walk.bad || truth->n != batch_last_offset(&b) + 1)
		spot_broken(s, 12, "the records of the batch at %lld do not fill it",
			    (long long)b.base_offset);
}

/* Kept is (1, epoch, next sequence). */
static void check_sequence(const struct spot *s, const struct batch *b)
{
	uint64_t key = (uint64_t)b->producer_id + 1, epoch = (uint16_t)b->producer_epoch;
	uint64_t known, next = ((uint64_t)batch_last_sequence(b) + 1) & INT32_MAX;

	if (b->producer_id < 0 || s->truth->is_unclean)
		return;
	known = (uint64_t)(uintptr_t)map_find(&s->truth->producers, key);
	/* A replica that began at the leader's start knows nothing of producers whose records are
	 * all deleted, and takes any sequence when it leads; Kafka's brokers do the same. */
	if ((intptr_t)map_find(&s->truth->ends, key) <= s->truth->log_start)
		known = 0;
	if (known && epoch < (known >> 32 & UINT16_MAX))
		spot_broken(s, 42, "producer %lld's epoch %d at offset %lld comes after %d",
			    (long long)b->producer_id, b->producer_epoch, (long long)b->base_offset,
			    (int)(known >> 32 & UINT16_MAX));
	if (known && epoch == (known >> 32 & UINT16_MAX) &&
	    b->base_sequence != (int32_t)(known & UINT32_MAX))
		spot_broken(s, 43, "producer %lld's sequence %d at offset %lld, expected %d",
			    (long long)b->producer_id, b->base_sequence, (long long)b->base_offset,
			    (int32_t)(known & UINT32_MAX));
	if (known && epoch > (known >> 32 & UINT16_MAX) && b->base_sequence != 0)
		spot_broken(s, 43, "producer %lld's epoch %d begins with sequence %d",
			    (long long)b->producer_id, b->producer_epoch, b->base_sequence);
	map_put(&s->truth->ends, key, (void *)(intptr_t)(batch_last_offset(b) + 1));
	map_put(&s->truth->producers, key, (void *)(uintptr_t)(1ull << 48 | epoch << 32 | next));
}

/* ---- indexes -------------------------------------------------------------------------------- */

static void check_offset_index(const struct spot *s, const struct seen_batch *b, int64_t offset)
{
	struct log_read part;
	enum err e = log_read(s->p->log, offset, s->p->replica.log_end, 1, true, &part);

	if (e || part.n == 0 || part.first_offset != b->base_offset)
		spot_broken(s, 53, "offset %lld is in the batch at %lld; found is %lld (%s)",
			    (long long)offset, (long long)b->base_offset,
			    (long long)part.first_offset, err_text(e));
	file_put(part.file);
}

/* The first batch that reaches the time, by a scan and by the index. */
static void check_time_index(const struct spot *s, int64_t timestamp_ms)
{
	const struct replica *r = &s->p->replica;
	const struct view *v = s->view;
	struct log_time found;
	enum err e = log_find_time(s->p->log, timestamp_ms, r->high_watermark, &found);
	int32_t i = batch_at(v, r->log_start);

	while (i >= 0 && i < v->n_batches && v->batches[i].max_timestamp_ms < timestamp_ms)
		i++;
	if (i < 0 || i >= v->n_batches || v->batches[i].base_offset >= r->high_watermark) {
		if (e || found.offset >= 0)
			spot_broken(s, 53, "nothing reaches the time %lld; found is %lld (%s)",
				    (long long)timestamp_ms, (long long)found.offset, err_text(e));
		return;
	}
	if (!e && found.offset < 0 && v->batches[i].last_offset >= r->high_watermark)
		return; /* both marks lie in this batch */
	if (e || found.offset < i64_max(v->batches[i].base_offset, r->log_start) ||
	    found.offset > v->batches[i].last_offset)
		spot_broken(s, 53, "the batch at %lld reaches the time %lld; found is %lld (%s)",
			    (long long)v->batches[i].base_offset, (long long)timestamp_ms,
			    (long long)found.offset, err_text(e));
}

static void check_place(const struct spot *s, int32_t i, int64_t offset)
{
	const struct seen_batch *b = &s->view->batches[i];

	if (offset < s->p->replica.log_start || offset >= s->p->replica.log_end)
		return;
	check_offset_index(s, b, offset);
	check_time_index(s, b->max_timestamp_ms);
}

/* Looking opens files of old segments: not while the open files are counted. */
void check_index(struct spot *s, bool is_thorough)
{
	const struct view *v = s->view;
	int32_t i;

	for (i = 0; is_thorough && i < v->n_batches; i++)
		check_place(s, i, v->batches[i].last_offset);
	if (is_thorough || s->c->is_at_rest || v->n_batches == 0 ||
	    prng_below(&s->c->chance, INDEX_ODDS) > 0 || v->log_end != s->p->replica.log_end)
		return;
	i = (int32_t)prng_below(&s->c->chance, (uint64_t)v->n_batches);
	check_place(s, i,
		    v->batches[i].base_offset +
			    (int64_t)prng_below(&s->c->chance,
						(uint64_t)(v->batches[i].last_offset -
							   v->batches[i].base_offset + 1)));
}

/* Nothing changes a batch that was written: all are read once more and compared. */
void check_bytes(struct spot *s)
{
	struct view *v = s->view;
	struct view old = *v;

	v->batches = NULL;
	v->n_batches = v->cap_batches = 0;
	v->log_end = -1;
	check_log(s);
	v->log_end = old.log_end;
	for (int32_t i = 0; i < old.n_batches; i++) {
		int32_t at = batch_at(v, old.batches[i].base_offset);

		if (old.batches[i].base_offset < s->p->replica.log_start)
			continue;
		if (at < 0 || v->batches[at].crc != old.batches[i].crc)
			spot_broken(s, 5, "the batch at %lld has changed",
				    (long long)old.batches[i].base_offset);
	}
	mem_free(old.batches);
}
