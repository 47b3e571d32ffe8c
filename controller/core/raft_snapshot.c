/* raft_snapshot.c - for a peer that needs what the log no longer has (5).
 *
 * Chunks go one at a time, in order; the receiver says from where to send.  A snapshot is only
 * taken when it is newer than what is known to be committed here, and never over a log that has
 * all of it: records after it may have been promised. */
#include "controller/core/raft_impl.h"

static bool has_it(const struct raft *, int64_t end, int64_t end_term);
static void answer(struct raft *, struct raft_voter to, bool is_done, struct raft_effects *);

void raft_send_chunk(struct raft *r, struct raft_peer *p, struct raft_effects *out)
{
	struct raft_msg *m;

	ASSERT(r->snapshot > 0);
	/* A newer one has replaced what was being sent. */
	if (p->snapshot != r->snapshot) {
		p->snapshot = r->snapshot;
		p->snapshot_term = raft_log_term(&r->log, r->snapshot);
		p->offset = 0;
	}
	m = raft_send(r, out, RAFT_SNAPSHOT, p->who);
	m->snapshot.end = p->snapshot;
	m->snapshot.end_term = p->snapshot_term;
	/* The shell fills in the bytes and whether they are the last: it has the file. */
	m->snapshot.offset = p->offset;
	p->is_waiting = true;
	p->sent_ms = r->now_ms;
}

void raft_on_snapshot(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	int64_t end = m->snapshot.end;

	if (end <= 0 || m->snapshot.offset < 0)
		return;
	if (m->snapshot.end_term <= 0 || m->snapshot.end_term > m->term)
		return;
	/* A chunk is a sign of life like any append (figure 5.3, "reset election timer"): whoever
	 * takes long to catch up must not campaign meanwhile. */
	raft_hear_leader(r, m, out);
	if (r->is_installing || r->is_storing)
		return;
	if (has_it(r, end, m->snapshot.end_term)) {
		/* A snapshot holds only what is committed, so that much is known to be. */
		raft_advance_commit(r, i64_min(end, r->log.end));
		answer(r, m->from, true, out);
		return;
	}
	/* Late chunks of an older one. */
	if (end < r->chunk_end || (end == r->chunk_end && m->snapshot.end_term != r->chunk_term))
		return;
	if (end > r->chunk_end) {
		r->chunk_end = end;
		r->chunk_term = m->snapshot.end_term;
		r->chunk_offset = 0;
	}
	/* A repeated or an overtaken chunk: the answer says which one is wanted. */
	if (m->snapshot.offset != r->chunk_offset) {
		answer(r, m->from, false, out);
		return;
	}
	r->is_storing = true;
	out->store_chunk = true;
}

void raft_on_snapshot_reply(struct raft *r, const struct raft_msg *m, struct raft_effects *out)
{
	struct raft_peer *p = raft_peer_of(r, m->from);

	if (r->role != RAFT_LEADER || p == NULL)
		return;
	p->contact_ms = r->now_ms;
	if (p->state != RAFT_SENDING_SNAPSHOT)
		return;
	/* Behind the snapshot the peer may have more than we know of, or records that are not ours:
	 * a probe finds out. */
	if (m->stored.is_done && m->stored.match <= r->log.end) {
		raft_peer_matched(r, p, m->stored.match);
		raft_peer_probe(p, p->match);
	} else if (m->stored.end == p->snapshot && m->stored.end_term == p->snapshot_term) {
		p->offset = m->stored.offset;
		p->is_waiting = false;
		p->progress_ms = r->now_ms;
	} else {
		return;
	}
	raft_feed(r, p, out);
	raft_leader_commit(r, out);
}

void raft_on_saved(struct raft *r, const struct raft_event *ev)
{
	ASSERT(ev->saved.start <= ev->saved.end && ev->saved.end <= r->commit);
	ASSERT(ev->saved.end >= r->snapshot && ev->saved.start >= r->log.start);
	r->snapshot = ev->saved.end;
	raft_log_drop(&r->log, ev->saved.start);
}

void raft_on_stored(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	r->is_storing = false;
	/* While the disk wrote it another leader, or a newer snapshot, may have begun from the
	 * start. */
	if (ev->chunk.end != r->chunk_end || ev->chunk.end_term != r->chunk_term)
		return;
	r->chunk_offset = ev->chunk.next;
	if (!ev->chunk.is_last) {
		if (r->leader >= 0 && r->role == RAFT_FOLLOWER)
			answer(r, (struct raft_voter){ .id = r->leader }, false, out);
		return;
	}
	r->chunk_offset = 0;
	/* Installing throws the log away.  A candidate may lead in a moment, and who has got the
	 * records in the meantime may have promised what comes behind them. */
	if (r->role != RAFT_FOLLOWER || has_it(r, r->chunk_end, r->chunk_term)) {
		r->chunk_end = 0;
		return;
	}
	r->is_installing = true;
	out->install = true;
	out->install_end = r->chunk_end;
	out->install_term = r->chunk_term;
}

/* "Discard the entire log; reset state machine using snapshot contents, and load snapshot's cluster
 * configuration" (figure 5.3).  Everything that was pending is moot. */
void raft_on_installed(struct raft *r, const struct raft_event *ev, struct raft_effects *out)
{
	int64_t end = ev->installed.end;

	ASSERT(r->is_installing && end == r->chunk_end && end > r->known_commit);
	ASSERT(ev->n_sets > 0);
	r->is_installing = false;
	r->chunk_end = 0;
	raft_log_fini(&r->log);
	raft_log_init(&r->log, end, ev->installed.end_term);
	r->commit = r->known_commit = r->durable = r->snapshot = end;
	r->n_pending = 0;
	raft_use_set(r, &ev->sets[ev->n_sets - 1], &ev->sets[ev->n_sets - 1]);
	if (r->leader >= 0)
		answer(r, (struct raft_voter){ .id = r->leader }, true, out);
}

static bool has_it(const struct raft *r, int64_t end, int64_t end_term)
{
	return end <= r->known_commit || raft_log_term(&r->log, end) == end_term;
}

static void answer(struct raft *r, struct raft_voter to, bool is_done, struct raft_effects *out)
{
	struct raft_msg *a = raft_send(r, out, RAFT_SNAPSHOT_REPLY, to);

	a->stored.end = r->chunk_end;
	a->stored.end_term = r->chunk_term;
	a->stored.offset = r->chunk_offset;
	a->stored.is_done = is_done;
	a->stored.match = r->known_commit;
	if (is_done)
		raft_send_after(out, raft_seq_of(r, r->known_commit));
}
