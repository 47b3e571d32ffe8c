#include "tests/story/raftworld.h"

#define RW_HELD (-1)

static void carry_out(struct raftworld *, struct rw_node *, const struct raft_effects *,
		      const struct rw_mail *);
static void write_records(struct raftworld *, struct rw_node *, const struct raft_effects *,
			  const struct rw_mail *);
static void store_chunk(struct raftworld *, struct rw_node *, const struct rw_mail *);
static void install(struct raftworld *, struct rw_node *);
static void post(struct raftworld *, struct rw_node *, const struct raft_out *);
static void post_all(struct raftworld *, struct rw_node *, const struct raft_out *);
static void release(struct raftworld *, struct rw_node *);
static void set_off(struct raftworld *, struct rw_mail *);
static void apply(struct raftworld *, struct rw_node *);
static void drop_mail(struct raftworld *, int32_t at);
static void append_batch(struct raftworld *, struct rw_node *, int32_t records,
			 const struct raft_voters *);
static struct rw_op *queue(struct raftworld *, struct rw_node *);
static void put_on_disk(struct raftworld *, struct rw_node *, const struct rw_op *);
static void begin_sync(struct raftworld *, struct rw_node *);
static void sync_first(struct raftworld *, struct rw_node *, int32_t n);
static int64_t fit(const void *, int64_t from, int64_t to);
static void cut_log(struct raftworld *, struct rw_log *, int64_t end);

static int64_t below(struct raftworld *w, int64_t n)
{
	return n <= 1 ? 0 : (int64_t)prng_below(&w->prng, (uint64_t)n);
}

void raftworld_init(struct raftworld *w, int32_t n, int32_t n_voters, bool with_directories,
		    uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->n = n;
	w->now_ms = 1;
	w->faults.delay = 1;
	prng_seed(&w->prng, seed);
	for (int32_t id = 1; id <= n; id++) {
		struct rw_node *d = &w->nodes[id];

		d->w = w;
		d->id = id;
		d->slow = 1;
		raftworld_wipe(w, id);
		if (id > n_voters)
			continue;
		w->first.v[w->first.n] = raftworld_voter(w, id);
		if (!with_directories)
			w->first.v[w->first.n].directory = (struct uuid){ { 0 } };
		w->first.n++;
	}
	for (int32_t id = 1; id <= n; id++)
		w->nodes[id].disk.snapshot.set.set = w->first;
}

void raftworld_fini(struct raftworld *w)
{
	for (int32_t id = 1; id <= w->n; id++)
		if (w->nodes[id].is_up)
			raft_fini(&w->nodes[id].r);
}

static void copy_node(struct rw_node *to, const struct rw_node *from)
{
	size_t n = (size_t)from->r.log.n * sizeof(from->r.log.runs[0]);

	to->id = from->id; /* w is the copier's */
	to->directory = from->directory;
	to->is_up = from->is_up;
	to->slow = from->slow;
	to->r = from->r;
	rw_log_copy(&to->log, &from->log);
	to->disk.term = from->disk.term;
	to->disk.voted = from->disk.voted;
	to->disk.snapshot = from->disk.snapshot;
	rw_log_copy(&to->disk.log, &from->disk.log);
	memcpy(&to->sync_at, &from->sync_at,
	       offsetof(struct rw_node, ops) - offsetof(struct rw_node, sync_at));
	memcpy(to->ops, from->ops, (size_t)from->n_ops * sizeof(from->ops[0]));
	if (!to->is_up)
		return;
	to->r.log.cap = to->r.log.n;
	to->r.log.runs = n > 0 ? mem_alloc(n) : NULL;
	if (n > 0)
		memcpy(to->r.log.runs, from->r.log.runs, n);
}

/* The destination is zeroed, or a copy made before.  Only what is in use is copied: the rest is
 * large. */
void raftworld_copy(struct raftworld *to, const struct raftworld *from)
{
	/* Also the terms that only the older copy had: they are empty here. */
	size_t terms = (size_t)i64_max(from->max_term, to->max_term) + 1;

	raftworld_fini(to);
	memcpy(to, from, offsetof(struct raftworld, mail));
	memcpy(to->mail, from->mail, (size_t)from->n_mail * sizeof(from->mail[0]));
	to->n_batches = from->n_batches;
	memcpy(to->batches, from->batches, (size_t)from->n_batches * sizeof(from->batches[0]));
	to->next_directory = from->next_directory;
	to->is_manual = from->is_manual;
	to->small_frames = from->small_frames;
	to->max_term = from->max_term;
	for (int32_t id = 1; id <= from->n; id++) {
		copy_node(&to->nodes[id], &from->nodes[id]);
		to->nodes[id].w = to;
		to->nodes[id].r.o.arg = &to->nodes[id];
	}
	memcpy(to->leaders, from->leaders, terms * sizeof(from->leaders[0]));
	memcpy(to->votes, from->votes, terms * sizeof(from->votes[0]));
	to->n_committed = from->n_committed;
	to->committed_in = from->committed_in;
	memcpy(to->committed, from->committed,
	       (size_t)from->n_committed * sizeof(from->committed[0]));
	to->tale = from->tale;
	memcpy(to->wrong, from->wrong, sizeof(to->wrong));
}

void raftworld_start(struct raftworld *w, int32_t id)
{
	struct rw_node *d = &w->nodes[id];
	struct raft_voters_at sets[RW_BATCHES / 100];
	struct raft_run runs[RW_BATCHES];
	struct raft_options o = { .self = raftworld_voter(w, id),
				  .heartbeat_ms = 50,
				  .election_min_ms = 300,
				  .election_max_ms = 600,
				  .closed_ms = 5,
				  .seed = prng_u64(&w->prng),
				  .fit = fit,
				  .arg = d };
	struct raft_found f = { .term = d->disk.term,
				.voted = d->disk.voted,
				.start = d->disk.log.start,
				.start_term = d->disk.log.start_term,
				.end = d->disk.log.end,
				.snapshot = d->disk.snapshot.end,
				.runs = runs,
				.sets = sets };

	ASSERT(!d->is_up);
	sets[f.n_sets++] = d->disk.snapshot.set;
	for (int32_t i = 0; i < d->disk.log.n; i++) {
		const struct rw_batch *b = &w->batches[d->disk.log.v[i]];

		if (f.n_runs == 0 || runs[f.n_runs - 1].term != b->term)
			runs[f.n_runs++] = (struct raft_run){ b->term, b->base };
		if (!b->has_set || b->end <= d->disk.snapshot.end)
			continue;
		if (f.n_sets == (int32_t)ARRAY_LEN(sets))
			memmove(sets, sets + 1, sizeof(sets) - sizeof(sets[0])), f.n_sets--;
		sets[f.n_sets++] = (struct raft_voters_at){ b->end, b->set };
	}
	d->log = d->disk.log;
	d->n_ops = d->n_syncing = 0;
	d->sync_at = d->install_at = d->paused_until = -1;
	d->applied = d->disk.snapshot.end;
	d->applied_set = d->disk.snapshot.set;
	d->n_chunks = 0;
	d->is_up = true;
	raft_init(&d->r, &o, &f, w->now_ms);
	d->tick_at = d->r.deadline_ms;
}

void raftworld_crash(struct raftworld *w, int32_t id, int32_t keep)
{
	struct rw_node *d = &w->nodes[id];

	ASSERT(d->is_up);
	for (int32_t i = 0; i < keep && i < d->n_ops; i++)
		put_on_disk(w, d, &d->ops[i]);
	d->is_up = false;
	d->n_ops = 0;
	raft_fini(&d->r);
	for (int32_t i = w->n_mail - 1; i >= 0; i--)
		if (w->mail[i].at == RW_HELD && w->mail[i].m.from.id == id)
			drop_mail(w, i);
	for (int32_t k = 1; k <= w->n; k++)
		if (w->nodes[k].is_up && !w->is_manual && below(w, 1000) >= w->faults.no_close)
			raftworld_event(w, k,
					&(struct raft_event){ .kind = RAFT_EV_CLOSED, .peer = id });
}

void raftworld_wipe(struct raftworld *w, int32_t id)
{
	struct rw_node *d = &w->nodes[id];

	ASSERT(!d->is_up);
	d->directory = (struct uuid){ { 0 } };
	d->directory.b[0] = (uint8_t)id;
	d->directory.b[1] = (uint8_t)++w->next_directory;
	memset(&d->disk, 0, sizeof(d->disk));
	d->disk.voted.id = -1;
	d->disk.log.before = -1;
	d->disk.snapshot.last = -1;
	d->disk.snapshot.set.set = w->first;
}

bool raftworld_append(struct raftworld *w, int32_t id, int32_t records)
{
	struct rw_node *d = &w->nodes[id];

	if (!d->is_up || d->paused_until > w->now_ms || !raft_can_append(&d->r) ||
	    w->n_batches > RW_BATCHES - 200)
		return false;
	append_batch(w, d, records, NULL);
	return true;
}

/* Of what is applied.  keep_log: some of it stays for followers that are not far behind. */
bool raftworld_snapshot(struct raftworld *w, int32_t id, bool keep_log)
{
	struct rw_node *d = &w->nodes[id];
	struct raft_event ev = { .kind = RAFT_EV_SNAPSHOT_SAVED };
	struct rw_op *op;
	int32_t last;

	if (!d->is_up || d->applied <= d->r.snapshot || d->r.is_installing || d->n_ops > RW_OPS / 2)
		return false;
	last = rw_log_find(w->batches, &d->log, d->applied);
	op = queue(w, d);
	op->kind = RW_SNAPSHOT;
	op->seq = d->r.seq;
	op->snapshot = (struct rw_snapshot){ .end = d->applied,
					     .term = w->batches[d->log.v[last - 1]].term,
					     .last = d->log.v[last - 1],
					     .set = d->applied_set };
	op->at = keep_log ? w->batches[d->log.v[last / 2]].base : d->applied;
	ev.saved.end = d->applied;
	ev.saved.start = op->at;
	raftworld_tell(w, id, "saves a snapshot of %lld, its log begins at %lld",
		       (long long)d->applied, (long long)op->at);
	raftworld_check_snapshot(w, d, &op->snapshot);
	/* A snapshot is on disk before it is spoken of. */
	raftworld_sync(w, id);
	rw_log_drop(w->batches, &d->log, ev.saved.start);
	raftworld_event(w, id, &ev);
	return true;
}

void raftworld_close(struct raftworld *w, int32_t a, int32_t b)
{
	if (w->nodes[a].is_up)
		raftworld_event(w, a, &(struct raft_event){ .kind = RAFT_EV_CLOSED, .peer = b });
	if (w->nodes[b].is_up)
		raftworld_event(w, b, &(struct raft_event){ .kind = RAFT_EV_CLOSED, .peer = a });
}

static enum raft_verdict step(struct raftworld *w, struct rw_node *d, const struct raft_event *e,
			      const struct rw_mail *mail)
{
	struct raft_effects out;
	struct raft_event ev = *e;
	struct raft before = d->r;

	ev.now_ms = w->now_ms;
	raft_check(&d->r);
	raft_step(&d->r, &ev, &out);
	d->tick_at = out.wake_ms;
	raftworld_tell_step(w, d, &before, &out);
	raftworld_check_step(w, d, &before, &out);
	carry_out(w, d, &out, mail);
	return out.verdict;
}

void raftworld_event(struct raftworld *w, int32_t id, const struct raft_event *ev)
{
	if (w->nodes[id].is_up)
		(void)step(w, &w->nodes[id], ev, NULL);
}

enum raft_verdict raftworld_change(struct raftworld *w, int32_t id, enum raft_voters_op op,
				   struct raft_voter v)
{
	return step(w, &w->nodes[id],
		    &(struct raft_event){ .kind = RAFT_EV_VOTERS, .change = { op, v } }, NULL);
}

enum raft_verdict raftworld_transfer(struct raftworld *w, int32_t id, int32_t to)
{
	return step(w, &w->nodes[id], &(struct raft_event){ .kind = RAFT_EV_TRANSFER, .peer = to },
		    NULL);
}

void raftworld_tick(struct raftworld *w, int32_t id)
{
	raftworld_event(w, id, &(struct raft_event){ .kind = RAFT_EV_TICK });
}

void raftworld_sync(struct raftworld *w, int32_t id)
{
	sync_first(w, &w->nodes[id], w->nodes[id].n_ops);
}

/* A message that finds nobody, or no way, is gone. */
void raftworld_deliver(struct raftworld *w, int32_t at, bool and_keep)
{
	struct rw_mail mail = w->mail[at];
	struct rw_node *d = &w->nodes[mail.m.to.id];
	struct raft_voters_at sets[RW_SENT];
	struct raft_event ev = { .kind = RAFT_EV_MESSAGE, .msg = &mail.m, .sets = sets };

	ASSERT(mail.at != RW_HELD);
	if (!and_keep)
		drop_mail(w, at);
	if (!d->is_up || w->cut[mail.m.from.id][mail.m.to.id])
		return;
	for (int32_t i = 0; i < mail.n; i++) {
		const struct rw_batch *b = &w->batches[mail.batches[i]];

		if (b->has_set)
			sets[ev.n_sets++] = (struct raft_voters_at){ b->end, b->set };
	}
	(void)step(w, d, &ev, &mail);
}

/* A node that is paused does everything later. */
static int64_t awake(int64_t at, const struct rw_node *d)
{
	return i64_max(at, d->paused_until);
}

bool raftworld_next(struct raftworld *w, int64_t until_ms)
{
	int64_t at = until_ms + 1;
	int32_t mail = -1;
	struct rw_node *tick = NULL, *sync = NULL, *inst = NULL;

	for (int32_t i = 0; i < w->n_mail; i++)
		if (w->mail[i].at != RW_HELD &&
		    awake(w->mail[i].at, &w->nodes[w->mail[i].m.to.id]) < at)
			at = awake(w->mail[mail = i].at, &w->nodes[w->mail[i].m.to.id]);
	for (int32_t id = 1; id <= w->n; id++) {
		struct rw_node *d = &w->nodes[id];

		if (!d->is_up)
			continue;
		if (d->sync_at >= 0 && awake(d->sync_at, d) < at)
			at = awake(d->sync_at, d), sync = d, tick = inst = NULL;
		if (d->install_at >= 0 && awake(d->install_at, d) < at)
			at = awake(d->install_at, d), inst = d, tick = sync = NULL;
		if (awake(d->tick_at, d) < at)
			at = awake(d->tick_at, d), tick = d, sync = inst = NULL;
	}
	if (at > until_ms)
		return false;
	w->now_ms = i64_max(w->now_ms, at);
	if (tick != NULL) {
		raftworld_tick(w, tick->id);
	} else if (sync != NULL) {
		sync_first(w, sync, sync->n_syncing);
	} else if (inst != NULL) {
		install(w, inst);
	} else {
		bool twice = below(w, 1000) < w->faults.twice;

		w->mail[mail].at += twice ? 1 + below(w, 50) : 0;
		raftworld_deliver(w, mail, twice);
	}
	return true;
}

void raftworld_run(struct raftworld *w, int64_t ms)
{
	int64_t until = w->now_ms + ms;

	while (raftworld_next(w, until) && w->wrong[0] == 0)
		;
	w->now_ms = until;
}

int32_t raftworld_leader(const struct raftworld *w)
{
	int32_t best = 0;

	for (int32_t id = 1; id <= w->n; id++) {
		const struct rw_node *d = &w->nodes[id];

		if (d->is_up && d->r.role == RAFT_LEADER &&
		    (best == 0 || d->r.term > w->nodes[best].r.term))
			best = id;
	}
	return best;
}

struct raft_voter raftworld_voter(const struct raftworld *w, int32_t id)
{
	return (struct raft_voter){ id, w->nodes[id].directory };
}

static void carry_out(struct raftworld *w, struct rw_node *d, const struct raft_effects *out,
		      const struct rw_mail *mail)
{
	write_records(w, d, out, mail);
	if (out->hard_state) {
		struct rw_op *op = queue(w, d);

		op->kind = RW_HARD;
		op->seq = out->persist;
		op->term = d->r.term;
		op->voted = d->r.voted;
	}
	begin_sync(w, d);
	for (int32_t i = 0; i < out->n; i++)
		post_all(w, d, &out->sent[i]);
	if (out->commit_moved)
		apply(w, d);
	if (out->install)
		d->install_at = w->now_ms + below(w, d->slow);
	if (out->install && w->is_manual)
		install(w, d);
	if (out->activate)
		append_batch(w, d, 1, NULL);
	if (out->append_voters)
		append_batch(w, d, 1, &out->voters);
	if (out->store_chunk)
		store_chunk(w, d, mail);
}

static void write_records(struct raftworld *w, struct rw_node *d, const struct raft_effects *out,
			  const struct rw_mail *mail)
{
	if (out->cut >= 0) {
		struct rw_op *op = queue(w, d);

		op->kind = RW_CUT;
		op->seq = out->persist;
		op->at = out->cut;
		raftworld_check_cut(w, d, out->cut);
		cut_log(w, &d->log, out->cut);
	}
	for (int32_t i = 0; out->append_from >= 0 && i < mail->n; i++) {
		const struct rw_batch *b = &w->batches[mail->batches[i]];
		struct rw_op *op;

		if (b->end <= out->append_from)
			continue;
		op = queue(w, d);
		op->kind = RW_APPEND;
		op->seq = out->persist;
		op->batch = mail->batches[i];
		raftworld_check_place(w, d, op->batch);
		rw_log_add(w->batches, &d->log, op->batch);
	}
	if (!d->r.is_installing && d->log.end != d->r.log.end)
		raftworld_wrong(w, "%d: its log ends at %lld, raft says %lld", d->id,
				(long long)d->log.end, (long long)d->r.log.end);
}

static void append_batch(struct raftworld *w, struct rw_node *d, int32_t records,
			 const struct raft_voters *set)
{
	struct rw_batch *b = &w->batches[w->n_batches];
	struct raft_voters_at sets[1];
	struct raft_event ev = { .kind = RAFT_EV_APPENDED, .end = d->log.end + records };
	struct rw_op *op = queue(w, d);

	ASSERT(w->n_batches < RW_BATCHES);
	*b = (struct rw_batch){ .base = d->log.end,
				.end = ev.end,
				.term = d->r.term,
				.before = d->log.n > 0 ? d->log.v[d->log.n - 1] : d->log.before };
	if (set != NULL) {
		b->has_set = true;
		b->set = *set;
		sets[0] = (struct raft_voters_at){ ev.end, *set };
		ev.sets = sets;
		ev.n_sets = 1;
	}
	op->kind = RW_APPEND;
	op->seq = d->r.seq + 1;
	op->batch = w->n_batches++;
	raftworld_check_batch(w, op->batch);
	rw_log_add(w->batches, &d->log, op->batch);
	(void)step(w, d, &ev, NULL);
}

static void store_chunk(struct raftworld *w, struct rw_node *d, const struct rw_mail *mail)
{
	const struct raft_msg *m = &mail->m;
	struct raft_event ev = { .kind = RAFT_EV_CHUNK_STORED };

	if (m->snapshot.offset == 0) {
		d->incoming = mail->snapshot;
		d->n_chunks = 0;
	}
	if (m->snapshot.offset != d->n_chunks || d->incoming.last != mail->snapshot.last)
		raftworld_wrong(w, "%d: chunk %lld of a snapshot after %d", d->id,
				(long long)m->snapshot.offset, d->n_chunks);
	d->n_chunks++;
	ev.chunk.end = m->snapshot.end;
	ev.chunk.end_term = m->snapshot.end_term;
	ev.chunk.next = d->n_chunks;
	ev.chunk.is_last = m->snapshot.is_last;
	(void)step(w, d, &ev, NULL);
}

static void install(struct raftworld *w, struct rw_node *d)
{
	struct raft_event ev = { .kind = RAFT_EV_INSTALLED, .sets = &d->incoming.set, .n_sets = 1 };
	struct rw_op *op = queue(w, d);

	d->install_at = -1;
	op->kind = RW_SNAPSHOT;
	op->seq = d->r.seq;
	op->snapshot = d->incoming;
	op->at = d->incoming.end;
	op->is_install = true;
	raftworld_check_snapshot(w, d, &d->incoming);
	raftworld_sync(w, d->id);
	d->log = d->disk.log;
	d->applied = d->incoming.end;
	d->applied_set = d->incoming.set;
	ev.installed.end = d->incoming.end;
	ev.installed.end_term = d->incoming.term;
	(void)step(w, d, &ev, NULL);
}

static void post_all(struct raftworld *w, struct rw_node *d, const struct raft_out *o)
{
	struct raft_out one = *o;

	if (o->msg.to.id >= 0) {
		post(w, d, o);
		return;
	}
	for (int32_t id = 1; id <= w->n; id++)
		if (id != d->id) {
			one.msg.to = (struct raft_voter){ .id = id };
			post(w, d, &one);
		}
}

static void post(struct raftworld *w, struct rw_node *d, const struct raft_out *o)
{
	struct rw_mail *mail = &w->mail[w->n_mail];

	if (w->n_mail == RW_MAIL)
		return;
	ASSERT(o->msg.to.id != d->id);
	w->n_mail++;
	*mail = (struct rw_mail){ .at = RW_HELD, .after = o->after, .m = o->msg };
	if (o->msg.kind == RAFT_APPEND && o->msg.append.end > o->msg.append.prev) {
		int32_t at = rw_log_find(w->batches, &d->log, o->msg.append.prev);

		while (at < d->log.n && w->batches[d->log.v[at]].end <= o->msg.append.end) {
			ASSERT(mail->n < RW_SENT);
			mail->batches[mail->n++] = d->log.v[at++];
		}
	}
	if (o->msg.kind == RAFT_SNAPSHOT) {
		mail->snapshot = d->disk.snapshot;
		mail->m.snapshot.bytes = 1;
		mail->m.snapshot.is_last = o->msg.snapshot.offset == RW_CHUNKS - 1;
		if (d->disk.snapshot.end != o->msg.snapshot.end)
			raftworld_wrong(w, "%d sends a snapshot that it does not have", d->id);
	}
	if (mail->after <= d->r.persisted)
		set_off(w, mail);
}

static void release(struct raftworld *w, struct rw_node *d)
{
	for (int32_t i = 0; i < w->n_mail; i++)
		if (w->mail[i].at == RW_HELD && w->mail[i].m.from.id == d->id &&
		    w->mail[i].after <= d->r.persisted)
			set_off(w, &w->mail[i]);
}

static void set_off(struct raftworld *w, struct rw_mail *mail)
{
	raftworld_check_leaves(w, &w->nodes[mail->m.from.id], &mail->m);
	mail->at = w->now_ms;
	if (w->is_manual)
		return;
	mail->at += 1 + below(w, w->faults.delay);
	if (below(w, 1000) < w->faults.lose)
		mail->m.to.id = 0;
}

static void drop_mail(struct raftworld *w, int32_t at)
{
	w->n_mail--;
	memmove(&w->mail[at], &w->mail[at + 1], (size_t)(w->n_mail - at) * sizeof(w->mail[0]));
}

static void apply(struct raftworld *w, struct rw_node *d)
{
	int32_t at = rw_log_find(w->batches, &d->log, d->applied);

	for (; at < d->log.n && w->batches[d->log.v[at]].end <= d->r.commit; at++) {
		const struct rw_batch *b = &w->batches[d->log.v[at]];

		raftworld_check_applied(w, d, d->log.v[at]);
		if (b->has_set)
			d->applied_set = (struct raft_voters_at){ b->end, b->set };
		d->applied = b->end;
	}
	if (d->applied != d->r.commit)
		raftworld_wrong(w, "%d: commit %lld is not the end of a batch", d->id,
				(long long)d->r.commit);
}

static struct rw_op *queue(struct raftworld *w, struct rw_node *d)
{
	struct rw_op *op = &d->ops[d->n_ops];

	(void)w;
	ASSERT(d->n_ops < RW_OPS);
	d->n_ops++;
	memset(op, 0, sizeof(*op));
	return op;
}

static void begin_sync(struct raftworld *w, struct rw_node *d)
{
	if (w->is_manual || d->n_ops == 0 || d->sync_at >= 0)
		return;
	d->n_syncing = d->n_ops;
	d->sync_at = w->now_ms + 1 + below(w, d->slow);
}

static void sync_first(struct raftworld *w, struct rw_node *d, int32_t n)
{
	struct raft_event ev = { .kind = RAFT_EV_PERSISTED, .seq = d->r.persisted };

	/* A number is on disk when the last op that has it is. */
	for (int32_t i = 0; i < n; i++) {
		put_on_disk(w, d, &d->ops[i]);
		if (i + 1 == d->n_ops || d->ops[i + 1].seq != d->ops[i].seq)
			ev.seq = i64_max(ev.seq, d->ops[i].seq);
	}
	d->n_ops -= n;
	memmove(d->ops, d->ops + n, (size_t)d->n_ops * sizeof(d->ops[0]));
	d->n_syncing = 0;
	d->sync_at = -1;
	(void)step(w, d, &ev, NULL);
	release(w, d);
	begin_sync(w, d);
}

static void put_on_disk(struct raftworld *w, struct rw_node *d, const struct rw_op *op)
{
	struct rw_disk *disk = &d->disk;

	raftworld_check_disk(w, d, op);
	switch (op->kind) {
	case RW_CUT: cut_log(w, &disk->log, op->at); break;
	case RW_APPEND: rw_log_add(w->batches, &disk->log, op->batch); break;
	case RW_HARD:
		disk->term = op->term;
		disk->voted = op->voted;
		break;
	case RW_SNAPSHOT:
		disk->snapshot = op->snapshot;
		if (op->is_install) {
			disk->log.start = disk->log.end = op->at;
			disk->log.start_term = op->snapshot.term;
			disk->log.before = op->snapshot.last;
			disk->log.n = 0;
		} else {
			rw_log_drop(w->batches, &disk->log, op->at);
		}
		break;
	}
}

/* Whole batches; frames are of any size, but small. */
static int64_t fit(const void *arg, int64_t from, int64_t to)
{
	const struct rw_node *d = arg;
	int32_t at = rw_log_find(d->w->batches, &d->log, from) + (int32_t)((from + to) % RW_SENT);

	if (d->w->small_frames)
		at = rw_log_find(d->w->batches, &d->log, from);

	return i64_min(to, d->w->batches[d->log.v[i32_min(at, d->log.n - 1)]].end);
}

static void cut_log(struct raftworld *w, struct rw_log *l, int64_t end)
{
	if (!rw_log_cut(w->batches, l, end))
		raftworld_wrong(w, "a log is cut at %lld, inside of a batch", (long long)end);
}
