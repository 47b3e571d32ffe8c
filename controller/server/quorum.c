/* quorum.c - events in, effects out: raft's log is mlog, its hard state the file quorum-state.
 *
 *   quorum_step   one event; then its effects, in the order that raft.h gives them:
 *                 write, send, tell the node
 *   leader        node appends -> quorum_appended -> at the end of the turn: APPENDED
 *   follower      a message's records -> mlog_append_raw -> mlog_write(seq)
 *   on_persisted  PERSISTED; messages that waited for it leave
 *
 * A leader's batches that raft has not heard of yet are in mlog already; whoever stops to lead cuts
 * them first. */
#include "controller/server/quorum_priv.h"

#include <stdio.h>

#include "common/base/log.h"
#include "controller/server/mlog_disk.h"

#define APPEND_BYTES (1 << 20)
#define CLOSED_MS 5
#define RECORD_TIME 0x08   /* protobuf's tag of MetadataRecord.time_ms */
#define RECORD_VOTERS 0x72 /* and of .voters */

static void on_persisted(void *arg, int64_t seq);
static void on_failed(void *arg, enum err);
static void on_replay(void *arg, int64_t offset, const Weir__MetadataRecord *);
static void on_installed(void *arg);
static void on_tick(void *arg);
static void on_announce(struct mail *);
static void announce(struct quorum *);
static bool load_state(struct quorum *);
static void carry_out(struct quorum *, struct raft_event *, const Weir__RaftMessage *,
		      int64_t led_end);
static int64_t led_end(const struct quorum *);
static void write_log(struct quorum *, const Weir__RaftMessage *);
static void store_chunk(struct quorum *, const struct raft_msg *, const Weir__RaftMessage *);
static void install(struct quorum *);
static void send_all(struct quorum *);
static void release_held(struct quorum *);
static void append_voters(struct quorum *, const struct raft_voters *, const struct ctl_asker *);
static int64_t fit(const void *arg, int64_t from, int64_t to);
static bool is_voters(const struct mlog_entry *);
static bool set_of(struct quorum *, const struct mlog_entry *, struct raft_voters *);
static int32_t sets_between(struct quorum *, int64_t from, int64_t end, struct raft_voters_at *,
			    int32_t cap);

static const struct mlog_events log_events = { on_persisted, on_failed, on_replay, on_installed };

enum err quorum_new(struct env *env, const struct quorum_options *o, const struct quorum_events *on,
		    void *arg, struct quorum **out, char *why, size_t cap)
{
	struct quorum *q = mem_alloc(sizeof(*q));
	struct mlog_options log = { o->dir, o->snapshot_bytes };
	enum err e;

	q->env = env;
	q->o = o;
	q->on = on;
	q->arg = arg;
	list_init(&q->peers);
	list_init(&q->visitors);
	list_init(&q->held);
	list_init(&q->changes);
	timer_init(&q->tick, on_tick, q);
	q->announce.fn = on_announce;
	arena_init(&q->scratch, (size_t)64 << 20);
	if ((e = mlog_open(env, &log, &log_events, q, &q->log, why, cap)) != ERR_OK) {
		quorum_free(q);
		return e;
	}
	if (!load_state(q)) {
		(void)snprintf(
			why, cap,
			"%s/quorum-state is missing, and the log is that of a quorum's member: "
			"how it voted is not known; restore the file, or set the directory "
			"aside and start on an empty one, as a new member",
			o->dir);
		quorum_free(q);
		return ERR_CORRUPT;
	}
	*out = q;
	return ERR_OK;
}

/* While opening: the snapshot's voters count from its offset on. */
static void on_replay(void *arg, int64_t offset, const Weir__MetadataRecord *m)
{
	struct quorum *q = arg;

	if (m->body_case == WEIR__METADATA_RECORD__BODY_VOTERS) {
		q->snapshot_set.end = offset;
		q->has_snapshot_set = true;
		q->snapshot_set.set.n = 0;
		for (size_t i = 0; i < m->voters->n_voters && i < RAFT_VOTERS_MAX; i++) {
			const Weir__Voter *v = m->voters->voters[i];
			struct raft_voter *to = &q->snapshot_set.set.v[q->snapshot_set.set.n++];

			to->id = v->id;
			(void)quorum_uuid(&v->directory_id, &to->directory);
			quorum_meet(q, v->id, to->directory, v->host, v->port);
		}
	}
	q->on->replay(q->arg, offset, m);
}

/* A log without the file is that of a controller that was alone before there was a quorum; but
 * where voters are written down, there was a file: who has forgotten its votes must not vote. */
static bool load_state(struct quorum *q)
{
	const Weir__QuorumState *m = mlog_state(q->log);
	struct raft_voters_at set;

	q->phase = QUORUM_OUTSIDE;
	if (m == NULL || !m->is_member)
		return !q->has_snapshot_set &&
		       sets_between(q, mlog_start(q->log), mlog_end(q->log), &set, 1) == 0;
	for (size_t i = 0; i < m->n_voters && i < RAFT_VOTERS_MAX; i++) {
		const Weir__Voter *v = m->voters[i];
		struct quorum_voter *to = &q->base.v[q->base.n++];

		to->who.id = v->id;
		(void)quorum_uuid(&v->directory_id, &to->who.directory);
		quorum_meet(q, v->id, to->who.directory, v->host, v->port);
		(void)quorum_address(q, v->id, &to->addr);
	}
	q->phase = QUORUM_RUNNING;
	return true;
}

void quorum_start(struct quorum *q)
{
	if (q->phase == QUORUM_RUNNING)
		quorum_run(q);
	else
		quorum_consider(q);
	quorum_dial_all(q);
}

void quorum_stop(struct quorum *q)
{
	if (q == NULL || q->phase == QUORUM_OVER)
		return;
	q->phase = QUORUM_OVER;
	timer_clear(q->env, &q->tick);
	quorum_hang_up(q);
	quorum_drop_changes(q);
	LIST_FOR (h, &q->held, struct held, in_quorum) {
		list_remove(&h->in_quorum);
		mem_free(h);
	}
}

void quorum_free(struct quorum *q)
{
	if (q == NULL)
		return;
	quorum_stop(q);
	if (q->has_raft)
		raft_fini(&q->raft);
	mlog_close(q->log);
	arena_fini(&q->scratch);
	mem_free(q);
}

/* ---- looking --------------------------------------------------------------------------------- */

struct mlog *quorum_log(const struct quorum *q)
{
	return q->log;
}

bool quorum_leads(const struct quorum *q)
{
	return q->phase == QUORUM_RUNNING && q->has_raft && q->raft.role == RAFT_LEADER;
}

int32_t quorum_leader(const struct quorum *q)
{
	return q->phase == QUORUM_RUNNING && q->has_raft ? q->raft.leader : -1;
}

int64_t quorum_term(const struct quorum *q)
{
	return q->has_raft ? q->raft.term : 0;
}

int64_t quorum_committed(const struct quorum *q)
{
	return q->has_raft ? q->raft.commit : mlog_start(q->log);
}

/* What a leader of a later term than all it has itself may still be missing is little: it is shown
 * with the term it is of. */
bool quorum_is_current(const struct quorum *q)
{
	return q->has_raft && q->raft.commit > 0 &&
	       (q->raft.leader >= 0 || q->raft.commit > q->raft.snapshot);
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void fill_voter(const struct quorum_voter *from, Weir__Voter *to)
{
	weir__voter__init(to);
	to->id = from->who.id;
	to->directory_id = quorum_bytes(&from->who.directory);
	to->host = (char *)(uintptr_t)from->addr.host;
	to->port = from->addr.port;
}

void quorum_put_state(struct quorum *q)
{
	Weir__QuorumState m = WEIR__QUORUM_STATE__INIT;
	Weir__Voter rows[RAFT_VOTERS_MAX], *list[RAFT_VOTERS_MAX];

	m.has_is_member = m.is_member = true;
	if (q->has_raft) {
		m.term = q->raft.term;
		m.has_vote = m.has_vote_directory = q->raft.voted.id >= 0;
		m.vote = q->raft.voted.id;
		m.vote_directory = quorum_bytes(&q->raft.voted.directory);
	}
	for (int32_t i = 0; i < q->base.n; i++) {
		fill_voter(&q->base.v[i], &rows[i]);
		list[i] = &rows[i];
	}
	m.voters = list;
	m.n_voters = (size_t)q->base.n;
	mlog_put_state(q->log, &m);
}

/* The terms of the log, one row for each. */
static int32_t runs_of(const struct quorum *q, struct raft_run **out)
{
	int64_t start = mlog_start(q->log), end = mlog_end(q->log);
	struct raft_run *runs = NULL;
	int32_t n = 0, cap = 0;

	/* Once at a start, over what a snapshot has left: tens of megabytes at most. */
	for (int64_t at = start; at < end; at++) {
		int64_t term = mlog_entry(q->log, at)->epoch;

		if (n > 0 && runs[n - 1].term == term)
			continue;
		if (n == cap) {
			cap = cap == 0 ? 64 : cap * 2;
			runs = mem_grow(runs, (size_t)cap * sizeof(*runs));
		}
		runs[n++] = (struct raft_run){ term, at };
	}
	*out = runs;
	return n;
}

void quorum_run(struct quorum *q)
{
	const Weir__QuorumState *m = mlog_state(q->log);
	/* In the order in which they came to count: what was agreed at first, the snapshot's, the
	 * last two of the log.  Raft needs the last two of all. */
	struct raft_voters_at sets[4] = { { .end = 0, .set.n = q->base.n } };
	struct raft_options o = { .self = { q->o->id, q->o->directory },
				  .heartbeat_ms = q->o->heartbeat_ms,
				  .election_min_ms = q->o->election_ms,
				  .election_max_ms = 2 * q->o->election_ms,
				  .closed_ms = CLOSED_MS,
				  .seed = prng_u64(&q->env->prng),
				  .fit = fit,
				  .arg = q->log };
	struct raft_found f = { .voted.id = -1,
				.start = mlog_start(q->log),
				.start_term = mlog_start_epoch(q->log),
				.end = mlog_end(q->log),
				.sets = sets,
				.n_sets = 1 };
	struct raft_event ev = { .kind = RAFT_EV_TICK };
	struct raft_run *runs;
	int64_t epoch;

	for (int32_t i = 0; i < q->base.n; i++)
		sets[0].set.v[i] = q->base.v[i].who;
	if (m != NULL) {
		f.term = m->term;
		if (m->has_vote && quorum_uuid(&m->vote_directory, &f.voted.directory))
			f.voted.id = m->vote;
	}
	if (q->has_snapshot_set)
		sets[f.n_sets++] = q->snapshot_set;
	f.n_sets += sets_between(q, f.start, f.end, sets + f.n_sets, 2);
	f.snapshot = mlog_newest_snapshot(q->log, &epoch);
	f.n_runs = runs_of(q, &runs);
	f.runs = runs;
	q->phase = QUORUM_RUNNING;
	raft_init(&q->raft, &o, &f, env_mono_ms(q->env));
	q->has_raft = true;
	mem_free(runs);
	(void)quorum_step(q, &ev);
}

/* ---- events ---------------------------------------------------------------------------------- */

enum raft_verdict quorum_step(struct quorum *q, struct raft_event *ev)
{
	/* Taken before the step: afterwards it is too late to tell what raft knew of as a
	 * leader. */
	int64_t end = led_end(q);
	enum raft_verdict verdict;

	if (q->phase != QUORUM_RUNNING)
		return RAFT_NOT_LEADER;
	ev->now_ms = env_mono_ms(q->env);
	raft_step(&q->raft, ev, &q->fx);
	verdict = q->fx.verdict;
	carry_out(q, ev, NULL, end);
	return verdict;
}

/* A message of another controller, with its payload. */
void quorum_take(struct quorum *q, const Weir__RaftMessage *wire)
{
	struct raft_voters_at sets[RAFT_RUNS_SENT];
	struct raft_msg msg;
	struct raft_event ev = { .kind = RAFT_EV_MESSAGE, .msg = &msg, .sets = sets };
	int64_t end = led_end(q);

	if (q->phase != QUORUM_RUNNING || !quorum_unpack(wire, &msg))
		return;
	if (msg.kind == RAFT_APPEND) {
		if (mlog_check_raw(wire->payload.data, wire->payload.len, msg.append.prev,
				   msg.append.end) != ERR_OK) {
			log_error("quorum", "records from another controller do not check",
				  F_I64("from", wire->from), F_I64("offset", msg.append.prev));
			return;
		}
		/* Raft never sees records, so the voter sets among them are looked for here, before
		 * it takes them. */
		ev.n_sets = 0;
		for (size_t at = 0; at < wire->payload.len;) {
			struct mlog_head h;
			struct mlog_entry *e;

			mlog_peek_entry(wire->payload.data + at, &h);
			e = arena_must(&q->scratch, sizeof(*e) + h.size);
			e->n = h.size;
			memcpy(e->at, wire->payload.data + at + MLOG_ENTRY, h.size);
			if (is_voters(e) && ev.n_sets < RAFT_RUNS_SENT &&
			    set_of(q, e, &sets[ev.n_sets].set))
				sets[ev.n_sets++].end = h.offset + 1 + h.left;
			at += MLOG_ENTRY + h.size;
		}
		arena_reset(&q->scratch);
	}
	ev.now_ms = env_mono_ms(q->env);
	raft_step(&q->raft, &ev, &q->fx);
	carry_out(q, &ev, wire, end);
}

static void on_tick(void *arg)
{
	struct raft_event ev = { .kind = RAFT_EV_TICK };

	(void)quorum_step(arg, &ev);
}

static void on_persisted(void *arg, int64_t seq)
{
	struct quorum *q = arg;
	struct raft_event ev = { .kind = RAFT_EV_PERSISTED, .seq = seq };

	/* The very first write: what the controllers agreed on before any of them was a member. */
	if (q->phase == QUORUM_ADOPTING)
		quorum_adopted(q);
	/* Installing writes with the number of before; raft has heard of that one. */
	else if (q->has_raft && seq > q->raft.persisted)
		(void)quorum_step(q, &ev);
}

static void on_failed(void *arg, enum err e)
{
	struct quorum *q = arg;
	struct raft_event ev = { .kind = RAFT_EV_DISK_FAILED };

	if (q->has_raft)
		(void)quorum_step(q, &ev);
	q->on->failed(q->arg, e);
}

/* Not at once: what is appended in one turn of the loop becomes one event, and one message to each
 * peer. */
void quorum_appended(struct quorum *q)
{
	if (q->is_announcing)
		return;
	q->is_announcing = true;
	env_post(q->env, &q->announce);
}

static void on_announce(struct mail *m)
{
	struct quorum *q = CONTAINER_OF(m, struct quorum, announce);

	q->is_announcing = false;
	if (q->phase == QUORUM_RUNNING)
		announce(q);
}

/* While a transfer is under way raft takes nothing: what was appended waits in mlog. */
static void announce(struct quorum *q)
{
	struct raft_voters_at sets[4];
	struct raft_event ev = { .kind = RAFT_EV_APPENDED, .sets = sets };

	if (!raft_can_append(&q->raft) || mlog_end(q->log) <= q->raft.log.end)
		return;
	ev.end = mlog_end(q->log);
	ev.n_sets = sets_between(q, q->raft.log.end, ev.end, sets, ARRAY_LEN(sets));
	(void)quorum_step(q, &ev);
}

void quorum_snapshot_saved(struct quorum *q)
{
	int64_t epoch;
	struct raft_event ev = { .kind = RAFT_EV_SNAPSHOT_SAVED };

	ev.saved.end = mlog_newest_snapshot(q->log, &epoch);
	ev.saved.start = mlog_start(q->log);
	if (q->has_raft && ev.saved.end > q->raft.snapshot)
		(void)quorum_step(q, &ev);
}

/* ---- effects --------------------------------------------------------------------------------- */

/* Where the log ends that raft has heard of, while it leads; -1: it does not. */
static int64_t led_end(const struct quorum *q)
{
	return quorum_leads(q) ? q->raft.log.end : -1;
}

/* Nothing of fx is used after the node has been told: it may make the next step. */
static void carry_out(struct quorum *q, struct raft_event *ev, const Weir__RaftMessage *wire,
		      int64_t end)
{
	struct raft_effects *fx = &q->fx;
	bool role_changed = fx->role_changed, activate = fx->activate,
	     has_voters = fx->append_voters;
	struct raft_voters voters = fx->voters;
	const struct ctl_asker *asker =
		ev->kind == RAFT_EV_VOTERS && fx->verdict == RAFT_OK ? q->asker : NULL;
	int64_t commit = fx->commit_moved ? q->raft.commit : -1;

	/* Batches that raft never heard of are of a term in which we lead no more: nobody else has
	 * them, and what the next leader sends begins at raft's end. */
	if (end >= 0 && q->raft.role != RAFT_LEADER && mlog_end(q->log) > end)
		mlog_truncate(q->log, end);
	write_log(q, wire);
	if (fx->store_chunk)
		store_chunk(q, ev->msg, wire);
	if (fx->install)
		install(q);
	send_all(q);
	/* Only then can more be on disk than when they were held. */
	if (ev->kind == RAFT_EV_PERSISTED)
		release_held(q);
	if (fx->wake_ms < INT64_MAX)
		q->env->ops->timer_set(q->env, &q->tick, fx->wake_ms * 1000);
	if (commit >= 0)
		q->on->committed(q->arg, commit);
	/* Before the role: whoever resigns closes the connections on which changes are answered. */
	quorum_settle_changes(q);
	if (role_changed)
		q->on->role(q->arg);
	if (activate)
		q->on->lead(q->arg, q->raft.term);
	/* What was agreed before there was a log gets into it, for those who come later. */
	if (activate && q->raft.voters.end == 0) {
		voters = q->raft.voters.set;
		has_voters = true;
	}
	if (has_voters)
		append_voters(q, &voters, asker);
	/* The bytes are in the file by now, not synced: install_files does that before it relies on
	 * them. */
	if (q->has_chunk) {
		q->has_chunk = false;
		(void)quorum_step(q, &q->chunk);
	} else if (activate || has_voters || role_changed) {
		announce(q); /* also what waited for a transfer that failed */
	}
}

static void write_log(struct quorum *q, const Weir__RaftMessage *wire)
{
	const struct raft_effects *fx = &q->fx;
	struct mlog_head h;
	size_t at = 0;

	if (fx->cut >= 0 && fx->cut < mlog_end(q->log))
		mlog_truncate(q->log, fx->cut);
	if (fx->append_from >= 0) {
		/* The message may begin with records that we have: they are never written a second
		 * time. */
		for (; at < wire->payload.len; at += MLOG_ENTRY + h.size) {
			mlog_peek_entry(wire->payload.data + at, &h);
			if (h.offset >= fx->append_from)
				break;
		}
		mlog_append_raw(q->log, wire->payload.data + at, wire->payload.len - at);
	}
	if (fx->hard_state)
		quorum_put_state(q);
	if (fx->persist > 0)
		mlog_write(q->log, fx->persist);
}

static void store_chunk(struct quorum *q, const struct raft_msg *m, const Weir__RaftMessage *wire)
{
	enum err e = mlog_store(q->log, m->snapshot.offset, wire->payload.data, wire->payload.len);

	if (e != ERR_OK) {
		on_failed(q, e);
		return;
	}
	q->has_chunk = true;
	q->chunk = (struct raft_event){ .kind = RAFT_EV_CHUNK_STORED,
					.chunk = { m->snapshot.end, m->snapshot.end_term,
						   m->snapshot.offset + m->snapshot.bytes,
						   m->snapshot.is_last } };
}

/* On a thread of the io pool, see install. */
static void take_record(void *state, const Weir__MetadataRecord *m)
{
	struct quorum *q = state;

	if (m->body_case == WEIR__METADATA_RECORD__BODY_VOTERS) {
		struct raft_voters *set = &q->snapshot_set.set;

		q->has_snapshot_set = true;
		q->snapshot_set.end = q->install_end;
		set->n = 0;
		for (size_t i = 0; i < m->voters->n_voters && i < RAFT_VOTERS_MAX; i++) {
			set->v[set->n].id = m->voters->voters[i]->id;
			(void)quorum_uuid(&m->voters->voters[i]->directory_id,
					  &set->v[set->n++].directory);
		}
	}
	q->on->snapshot_record(q->installing, m);
}

/* snapshot_set and installing are the job's until on_installed. */
static void install(struct quorum *q)
{
	struct mlog_install in = { q->fx.install_end, q->fx.install_term, q, take_record };

	ASSERT(q->installing == NULL);
	/* The node's image is built beside the one that it shows, and takes its place when all is
	 * on disk. */
	log_info("quorum", "the state comes as a snapshot from the leader",
		 F_I64("offset", in.offset), F_I64("had", mlog_end(q->log)));
	q->install_end = in.offset;
	q->install_term = in.epoch;
	q->has_snapshot_set = false;
	q->installing = q->on->snapshot_begin(q->arg);
	mlog_install(q->log, &in);
}

static void on_installed(void *arg)
{
	struct quorum *q = arg;
	struct raft_event ev = { .kind = RAFT_EV_INSTALLED, .sets = &q->snapshot_set };
	void *state = q->installing;

	q->installing = NULL;
	ev.installed.end = q->install_end;
	ev.installed.end_term = q->install_term;
	ev.n_sets = 1;
	if (!q->has_snapshot_set) { /* written before there was a quorum */
		q->snapshot_set = q->raft.voters;
		q->snapshot_set.end = q->install_end;
	}
	q->on->snapshot_end(q->arg, state, q->install_end);
	(void)quorum_step(q, &ev);
}

static void send_all(struct quorum *q)
{
	for (int32_t i = 0; i < q->fx.n; i++) {
		const struct raft_out *o = &q->fx.sent[i];
		struct held *h;

		if (o->after <= q->raft.persisted) {
			quorum_send(q, &o->msg);
			continue;
		}
		h = mem_alloc(sizeof(*h));
		h->out = *o;
		list_push_back(&q->held, &h->in_quorum);
	}
}

static void release_held(struct quorum *q)
{
	LIST_FOR (h, &q->held, struct held, in_quorum)
		if (h->out.after <= q->raft.persisted) {
			quorum_send(q, &h->out.msg);
			list_remove(&h->in_quorum);
			mem_free(h);
		}
}

/* ---- voters ---------------------------------------------------------------------------------- */

static void append_voters(struct quorum *q, const struct raft_voters *set,
			  const struct ctl_asker *asker)
{
	struct quorum_voter row[RAFT_VOTERS_MAX];
	Weir__Voter rows[RAFT_VOTERS_MAX], *list[RAFT_VOTERS_MAX];
	Weir__VotersRecord m = WEIR__VOTERS_RECORD__INIT;

	for (int32_t i = 0; i < set->n; i++) {
		row[i].who = set->v[i];
		/* A voter whose address nobody knows any more keeps its vote; it dials the others
		 * itself. */
		if (!quorum_address(q, set->v[i].id, &row[i].addr))
			row[i].addr = (struct peer_addr){ .host = "", .port = 0 };
		fill_voter(&row[i], &rows[i]);
		list[i] = &rows[i];
	}
	m.voters = list;
	m.n_voters = (size_t)set->n;
	q->on->append_voters(q->arg, &m, asker);
}

static int64_t fit(const void *arg, int64_t from, int64_t to)
{
	return mlog_fit(arg, from, to, APPEND_BYTES);
}

/* A look at the tags: fields are packed in the order of their numbers. */
static bool is_voters(const struct mlog_entry *e)
{
	uint32_t at = 0;

	if (e->n > 0 && e->at[0] == RECORD_TIME) {
		for (at = 1; at < e->n && (e->at[at] & 0x80) != 0;)
			at++;
		at++;
	}
	return at < e->n && e->at[at] == RECORD_VOTERS;
}

static bool set_of(struct quorum *q, const struct mlog_entry *e, struct raft_voters *out)
{
	Weir__MetadataRecord *m = mlog_unpack(&q->scratch, e->at, e->n);

	out->n = 0;
	if (m == NULL || m->body_case != WEIR__METADATA_RECORD__BODY_VOTERS ||
	    m->voters->n_voters == 0 || m->voters->n_voters > RAFT_VOTERS_MAX)
		return false;
	for (size_t i = 0; i < m->voters->n_voters; i++) {
		const Weir__Voter *v = m->voters->voters[i];
		struct raft_voter *to = &out->v[out->n++];

		to->id = v->id;
		if (!quorum_uuid(&v->directory_id, &to->directory))
			return false;
		quorum_meet(q, v->id, to->directory, v->host, v->port);
	}
	return true;
}

/* The last `cap` of them, in order. */
static int32_t sets_between(struct quorum *q, int64_t from, int64_t end, struct raft_voters_at *out,
			    int32_t cap)
{
	int32_t n = 0;

	for (int64_t at = from; at < end; at++) {
		const struct mlog_entry *e = mlog_entry(q->log, at);
		struct raft_voters_at set = { .end = at + 1 + e->left };

		if (!is_voters(e))
			continue;
		if (set_of(q, e, &set.set)) {
			if (n == cap)
				memmove(out, out + 1, (size_t)--n * sizeof(*out));
			out[n++] = set;
		}
		arena_reset(&q->scratch);
	}
	return n;
}
