/* raftworld_tale.c - what happens in a raftworld, told to whoever listens. */
#include "tests/story/raftworld.h"

#include <stdarg.h>
#include <stdio.h>

void raftworld_tell(struct raftworld *w, int32_t id, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	if (w->tale == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_printf(w->tale, "[%6lld] %d > %s\n", (long long)w->now_ms, id, line);
}

static void tell_role(struct raftworld *w, const struct raft *r, const struct raft *was)
{
	switch (r->role) {
	case RAFT_FOLLOWER:
		if (r->leader >= 0)
			raftworld_tell(w, r->o.self.id, "follows %d in term %lld", r->leader,
				       (long long)r->term);
		else if (was->role == RAFT_LEADER)
			raftworld_tell(w, r->o.self.id, "steps down");
		else if (was->leader >= 0)
			raftworld_tell(w, r->o.self.id, "has lost its leader");
		break;
	case RAFT_PRE_CANDIDATE: raftworld_tell(w, r->o.self.id, "asks for pre-votes"); break;
	case RAFT_CANDIDATE:
		raftworld_tell(w, r->o.self.id, "asks for votes in term %lld", (long long)r->term);
		break;
	case RAFT_LEADER:
		raftworld_tell(w, r->o.self.id, "leads term %lld from %lld", (long long)r->term,
			       (long long)r->term_start);
		break;
	case RAFT_FAILED: raftworld_tell(w, r->o.self.id, "is silent for ever"); break;
	}
}

static void tell_votes(struct raftworld *w, int32_t id, const struct raft_effects *out)
{
	for (int32_t i = 0; i < out->n; i++) {
		const struct raft_msg *m = &out->sent[i].msg;
		bool is_pre = m->kind == RAFT_PRE_VOTE_REPLY;

		if (m->kind == RAFT_SNAPSHOT)
			raftworld_tell(w, id, "sends %d chunk %lld of its snapshot of %lld",
				       m->to.id, (long long)m->snapshot.offset,
				       (long long)m->snapshot.end);
		if (m->kind == RAFT_APPEND_REPLY && m->appended.rejected)
			raftworld_tell(w, id, "refuses %d's append after %lld, try %lld", m->to.id,
				       (long long)m->appended.prev, (long long)m->appended.hint);
		if (m->kind == RAFT_TIMEOUT_NOW)
			raftworld_tell(w, id, "hands over to %d", m->to.id);
		if (m->kind == RAFT_HELLO)
			raftworld_tell(w, id, "says hello");
		if (is_pre || m->kind == RAFT_VOTE_REPLY)
			raftworld_tell(w, id, "%s %d a %s in term %lld",
				       m->voted.granted ? "grants" : "refuses", m->to.id,
				       is_pre ? "pre-vote" : "vote", (long long)m->voted.for_term);
	}
}

void raftworld_tell_step(struct raftworld *w, struct rw_node *d, const struct raft *was,
			 const struct raft_effects *out)
{
	char voters[100];
	struct text t;

	if (w->tale == NULL)
		return;
	if (d->r.role != was->role || d->r.term != was->term || d->r.leader != was->leader)
		tell_role(w, &d->r, was);
	if (out->cut >= 0)
		raftworld_tell(w, d->id, "cuts %lld -> %lld", (long long)was->log.end,
			       (long long)out->cut);
	if (d->r.log.end > was->log.end || out->cut >= 0)
		raftworld_tell(w, d->id, "has %lld records, the last of term %lld",
			       (long long)d->r.log.end, (long long)raft_log_end_term(&d->r.log));
	text_init(&t, voters, sizeof(voters));
	for (int32_t i = 0; i < d->r.voters.set.n; i++)
		text_printf(&t, "%s%d", i == 0 ? "" : ",", d->r.voters.set.v[i].id);
	if (d->r.voters.end != was->voters.end)
		raftworld_tell(w, d->id, "counts voters {%s}", voters);
	tell_votes(w, d->id, out);
	if (out->install)
		raftworld_tell(w, d->id, "installs a snapshot of %lld",
			       (long long)out->install_end);
	if (d->r.commit != was->commit)
		raftworld_tell(w, d->id, "commit %lld -> %lld", (long long)was->commit,
			       (long long)d->r.commit);
}
