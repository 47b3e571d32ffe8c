/* check.c - what must be true after every event (the numbers are the invariants of the
 * partition log): compared are replicas, clients and the truth of cluster.h. */
#include <stdio.h>

#include "broker/shard/partition.h"
#include "common/wire/batch.h"
#include "tests/sim/cluster.h"
#include "tests/sim/disk.h"

#define READ_BYTES (1 << 20)
#define WHERE_BYTES 96

static void check_replica(struct cluster *, int broker, struct sim_topic *, int partition);
static void check_leader(const char *where, int broker, const struct sim_topic *, struct truth *,
			 const struct partition *);
static void check_committed(const char *where, struct sim_topic *, struct truth *, struct view *,
			    const struct partition *);
static int64_t check_batches(const char *where, struct truth *, const uint8_t *at, int64_t n,
			     int64_t below);
static void check_batch(const char *where, struct truth *, const struct batch *);
static struct fact *add_fact(struct truth *);
static void skip_unseen(struct truth *, int64_t to);
static void write_down(const char *where, struct truth *, const struct batch *);
static void check_told(struct sim_topic *, int partition, struct promise);
static void check_promise(const struct sim_topic *, int partition, struct promise);

void check_machine(struct cluster *c, const struct machine *m)
{
	if (c->controller->machine == m && c->controller->controller)
		check_decisions(c, c->controller->controller->node->stable);
	for (int b = 0; b < c->n_brokers; b++) {
		if (c->broker[b]->machine != m || !c->broker[b]->broker)
			continue;
		check_known(c, b);
		for (int t = 0; t < c->n_topics; t++)
			for (int i = 0; i < c->topic[t].n_partitions; i++)
				check_replica(c, b, &c->topic[t], i);
	}
}

static void check_replica(struct cluster *c, int broker, struct sim_topic *t, int number)
{
	const struct partition *p = cluster_replica(c, broker, t, number);
	struct truth *truth = &t->truth[number];
	struct view *view = &truth->views[broker];
	const struct replica *r;
	char where[WHERE_BYTES];

	if (!p || log_failed(p->log))
		return;
	r = &p->replica;
	if (view->life != c->broker[broker]->machine->life)
		*view = (struct view){ .life = c->broker[broker]->machine->life,
				       .leader_epoch = -1 };
	snprintf(where, sizeof(where), "%s-%d on broker %d in epoch %d", t->name, number,
		 broker + 1, r->leader_epoch);
	replica_check(r);
	epoch_cache_check(&p->epochs);
	if (r->log_end != log_end(p->log) || r->log_start > r->high_watermark ||
	    r->high_watermark > r->log_end) /* 2 */
		story_fail(EXIT_SAFETY, "%s: start %lld, high watermark %lld, end %lld, log %lld",
			   where, (long long)r->log_start, (long long)r->high_watermark,
			   (long long)r->log_end, (long long)log_end(p->log));
	if (r->log_end < view->verified && !t->is_unclean) /* 11 */
		story_fail(EXIT_SAFETY, "%s: cut from %lld to %lld, committed there is %lld", where,
			   (long long)view->log_end, (long long)r->log_end,
			   (long long)view->verified);
	if (r->role == REPLICA_LEADER)
		check_leader(where, broker, t, truth, p);
	check_committed(where, t, truth, view, p);
	view->is_leader = r->role == REPLICA_LEADER;
	view->leader_epoch = r->leader_epoch;
	view->high_watermark = r->high_watermark;
	view->log_end = r->log_end;
}

static void check_leader(const char *where, int broker, const struct sim_topic *t,
			 struct truth *truth, const struct partition *p)
{
	const struct replica *r = &p->replica;
	const struct view *view = &truth->views[broker];
	int8_t *leader = &truth->leader_of[r->leader_epoch % SIM_EPOCHS_MAX];

	if (*leader >= 0 && *leader != broker) /* 9 */
		story_fail(EXIT_SAFETY, "%s: broker %d leads in that epoch too", where,
			   *leader + 1);
	*leader = (int8_t)broker;
	if (view->is_leader && view->leader_epoch == r->leader_epoch &&
	    r->high_watermark < view->high_watermark) /* 1 */
		story_fail(EXIT_SAFETY, "%s: the high watermark went from %lld back to %lld", where,
			   (long long)view->high_watermark, (long long)r->high_watermark);
	if (r->leader_epoch > truth->newest_epoch) {
		truth->newest_epoch = r->leader_epoch;
		if (t->is_unclean) { /* what this leader has is the truth from now on */
			truth->high_watermark = truth->n = truth->log_start = r->log_start;
			truth->views[broker].verified = 0;
		}
	}
	if (r->leader_epoch == truth->newest_epoch && r->log_end < truth->high_watermark) /* 6 */
		story_fail(EXIT_SAFETY, "%s: the leader's log ends at %lld, committed is %lld",
			   where, (long long)r->log_end, (long long)truth->high_watermark);
	truth->log_start = i64_max(truth->log_start, r->log_start);
	if (r->leader_epoch == truth->newest_epoch || !t->is_unclean)
		truth->high_watermark = i64_max(truth->high_watermark, r->high_watermark); /* 3 */
}

/* ---- the truth ------------------------------------------------------------------------------ */

static void check_committed(const char *where, struct sim_topic *t, struct truth *truth,
			    struct view *view, const struct partition *p)
{
	const struct replica *r = &p->replica;
	static uint8_t bytes[READ_BYTES];

	if (r->log_end < view->verified)
		view->verified = r->log_end;
	if (t->is_unclean && (r->role != REPLICA_LEADER || r->leader_epoch != truth->newest_epoch))
		return;
	view->verified = i64_max(view->verified, r->log_start);
	if (truth->n < r->log_start)
		skip_unseen(truth, r->log_start);
	while (view->verified < r->high_watermark) {
		struct log_read part;
		enum err e = log_read(p->log, view->verified, r->log_end, READ_BYTES, true, &part);
		bool is_whole;
		int64_t next;

		if (e || part.n == 0)
			story_fail(EXIT_SAFETY, "%s: offset %lld cannot be read: %s", where,
				   (long long)view->verified, err_text(e));
		is_whole = disk_copy_out(part.file, part.at, (size_t)part.n, bytes);
		file_put(part.file);
		if (!is_whole)
			story_fail(EXIT_SAFETY, "%s: the file of offset %lld is too short", where,
				   (long long)view->verified);
		next = check_batches(where, truth, bytes, part.n, r->high_watermark);
		if (next <= view->verified) /* 12 */
			story_fail(EXIT_SAFETY, "%s: after offset %lld comes %lld", where,
				   (long long)view->verified, (long long)next);
		view->verified = next;
	}
}

static int64_t check_batches(const char *where, struct truth *truth, const uint8_t *at, int64_t n,
			     int64_t below)
{
	int64_t next = -1;

	while (n > 0) {
		struct batch b;

		if (batch_view(&b, at, n) != BATCH_OK || b.size > n || !batch_crc_ok(&b)) /* 12 */
			story_fail(EXIT_SAFETY, "%s: a damaged batch", where);
		if (b.base_offset >= below)
			break;
		check_batch(where, truth, &b);
		next = batch_last_offset(&b) + 1;
		at += b.size;
		n -= b.size;
	}
	return next;
}

static void check_batch(const char *where, struct truth *truth, const struct batch *b)
{
	if (b->base_offset > truth->n) /* 12 */
		story_fail(EXIT_SAFETY, "%s: offsets %lld to %lld are missing", where,
			   (long long)truth->n, (long long)b->base_offset);
	if (b->base_offset == truth->n) {
		write_down(where, truth, b);
		return;
	}
	for (int64_t at = b->base_offset; at <= batch_last_offset(b); at++) { /* 4, 5, 15 */
		const struct fact *f = &truth->facts[at];

		if (at < truth->n && f->base_offset == UNSEEN)
			continue;
		if (at >= truth->n || f->crc != b->crc || f->epoch != b->leader_epoch ||
		    f->base_offset != b->base_offset)
			story_fail(EXIT_SAFETY,
				   "%s: offset %lld has crc %08x of epoch %d, committed is crc "
				   "%08x of epoch %d",
				   where, (long long)at, b->crc, b->leader_epoch,
				   at < truth->n ? f->crc : 0, at < truth->n ? f->epoch : -1);
	}
}

static void check_sequence(const char *where, struct truth *truth, const struct batch *b)
{
	uint64_t key = (uint64_t)b->producer_id + 1;
	intptr_t last = (intptr_t)map_find(&truth->sequences, key);

	if (b->producer_id < 0 || truth->is_unclean)
		return;
	if (last > 0 && b->base_sequence != last - 1) /* 43 */
		story_fail(EXIT_SAFETY,
			   "%s: producer %lld's sequence %d at offset %lld comes after %lld", where,
			   (long long)b->producer_id, b->base_sequence, (long long)b->base_offset,
			   (long long)last - 2);
	map_put(&truth->sequences, key, (void *)(intptr_t)(batch_last_sequence(b) + 2));
}

static struct fact *add_fact(struct truth *truth)
{
	if (truth->n == truth->cap) {
		truth->cap = 2 * truth->cap + 256;
		truth->facts = mem_grow(truth->facts, sizeof(*truth->facts) * (size_t)truth->cap);
	}
	return &truth->facts[truth->n++];
}

/* The high watermark and retention passed them in one turn. */
static void skip_unseen(struct truth *truth, int64_t to)
{
	while (truth->n < to)
		*add_fact(truth) = (struct fact){ .base_offset = UNSEEN };
	map_fini(&truth->sequences);
	map_init(&truth->sequences, 1);
}

static void write_down(const char *where, struct truth *truth, const struct batch *b)
{
	struct record_walk walk;
	struct record r;

	check_sequence(where, truth, b);
	record_walk_init(&walk, b, b->at + BATCH_HEADER_BYTES,
			 (size_t)(b->size - BATCH_HEADER_BYTES));
	while (record_walk_next(&walk, &r)) {
		struct fact f = { 0, b->crc, b->leader_epoch, b->base_offset };

		ASSERT(r.value.n >= sizeof(f.value));
		memcpy(&f.value, r.value.at, sizeof(f.value));
		*add_fact(truth) = f;
	}
	if (walk.bad || truth->n != batch_last_offset(b) + 1) /* 12 */
		story_fail(EXIT_SAFETY, "%s: the records of the batch at %lld do not fill it",
			   where, (long long)b->base_offset);
}

/* ---- clients -------------------------------------------------------------------------------- */

void check_acked(struct cluster *c, struct sim_topic *t, int number, int64_t offset, uint64_t value)
{
	c->n_acked++;
	if (!t->is_unclean)
		check_told(t, number, (struct promise){ value, offset });
}

void check_read(struct cluster *c, struct sim_topic *t, int number, int64_t offset, uint64_t value)
{
	c->n_consumed++;
	if (!t->is_unclean)
		check_told(t, number, (struct promise){ value, offset });
}

/* A leader that tells a client and fails in the same turn is seen by nobody: the others show the
 * record later, at the end at the latest. */
static void check_told(struct sim_topic *t, int number, struct promise p)
{
	struct truth *truth = &t->truth[number];

	if (p.offset < truth->n) {
		check_promise(t, number, p);
		return;
	}
	if (truth->n_open == truth->cap_open) {
		truth->cap_open = 2 * truth->cap_open + 16;
		truth->open = mem_grow(truth->open, sizeof(*truth->open) * (size_t)truth->cap_open);
	}
	truth->open[truth->n_open++] = p;
}

/* 6, 14, 15, 16 */
static void check_promise(const struct sim_topic *t, int number, struct promise p)
{
	const struct truth *truth = &t->truth[number];
	bool is_there = p.offset >= 0 && p.offset < truth->n;

	if (is_there && truth->facts[p.offset].base_offset == UNSEEN)
		return;
	if (!is_there || truth->facts[p.offset].value != p.value)
		story_fail(EXIT_SAFETY,
			   "%s-%d: a client was told %016llx at offset %lld; committed there is "
			   "%016llx of %lld",
			   t->name, number, (unsigned long long)p.value, (long long)p.offset,
			   is_there ? (unsigned long long)truth->facts[p.offset].value : 0,
			   (long long)truth->n);
}

bool check_committed_already(const struct sim_topic *t, int number, uint64_t value)
{
	const struct truth *truth = &t->truth[number];

	for (int64_t i = truth->n - 1; i >= 0; i--)
		if (truth->facts[i].value == value)
			return true;
	return false;
}

static void check_end_of(const struct cluster *c, const struct sim_topic *t, int number)
{
	const struct truth *truth = &t->truth[number];

	for (int64_t i = 0; i < truth->n_open; i++)
		check_promise(t, number, truth->open[i]);
	for (int b = 0; b < c->n_brokers; b++) {
		const struct partition *p = cluster_replica(c, b, t, number);

		if (p && p->replica.high_watermark != truth->n)
			story_fail(EXIT_SAFETY,
				   "%s-%d on broker %d ends at %lld, committed is %lld", t->name,
				   number, b + 1, (long long)p->replica.high_watermark,
				   (long long)truth->n);
	}
}

void check_end(struct cluster *c)
{
	for (int b = 0; b < c->n_brokers; b++)
		check_machine(c, c->broker[b]->machine);
	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < c->topic[t].n_partitions; i++)
			check_end_of(c, &c->topic[t], i);
}
