/* quorum_msg.c - one protobuf message for all of raft's: four numbers and a flag mean what the kind
 * says, so the wire has one shape and this file is the table of it.
 *
 * Packing trusts raft, unpacking trusts nobody: raft asserts what it is told, and no peer may make
 * a controller abort. */
#include "controller/server/quorum_msg.h"

bool quorum_uuid(const ProtobufCBinaryData *b, struct uuid *out)
{
	if (b->len != sizeof(out->b))
		return false;
	memcpy(out->b, b->data, sizeof(out->b));
	return true;
}

ProtobufCBinaryData quorum_bytes(const struct uuid *u)
{
	return (ProtobufCBinaryData){ sizeof(u->b), (uint8_t *)(uintptr_t)u->b };
}

/* All of them, whatever the kind needs: zero and absent are then never confused. */
static void put(Weir__RaftMessage *m, const int64_t v[4], bool flag)
{
	m->has_a = m->has_b = m->has_c = m->has_d = m->has_flag = true;
	m->a = v[0];
	m->b = v[1];
	m->c = v[2];
	m->d = v[3];
	m->flag = flag;
}

static void put_append(const struct raft_msg *in, struct quorum_packed *out)
{
	put(&out->m,
	    (int64_t[]){ in->append.prev, in->append.prev_term, in->append.end, in->append.commit },
	    false);
	for (int32_t i = 0; i < in->append.n_runs; i++) {
		out->terms[i] = in->append.runs[i].term;
		out->firsts[i] = in->append.runs[i].first;
	}
	out->m.n_run_terms = out->m.n_run_firsts = (size_t)in->append.n_runs;
	out->m.run_terms = out->terms;
	out->m.run_firsts = out->firsts;
}

void quorum_pack(const struct raft_msg *in, struct quorum_packed *out)
{
	Weir__RaftMessage *m = &out->m;

	weir__raft_message__init(m);
	/* Copies: the protobuf message points at them, and lives as long as *out. */
	out->from = in->from.directory;
	out->to = in->to.directory;
	m->kind = (int32_t)in->kind;
	m->from = in->from.id;
	m->to = in->to.id;
	m->from_directory = quorum_bytes(&out->from);
	m->to_directory = quorum_bytes(&out->to);
	m->term = in->term;
	switch (in->kind) {
	case RAFT_PRE_VOTE:
	case RAFT_VOTE:
		put(m, (int64_t[]){ in->vote.end, in->vote.end_term, 0, 0 }, in->vote.is_transfer);
		break;
	case RAFT_PRE_VOTE_REPLY:
	case RAFT_VOTE_REPLY:
		put(m, (int64_t[]){ in->voted.for_term, 0, 0, 0 }, in->voted.granted);
		break;
	case RAFT_APPEND: put_append(in, out); break;
	case RAFT_APPEND_REPLY:
		put(m,
		    (int64_t[]){ in->appended.prev, in->appended.match, in->appended.hint,
				 in->appended.hint_term },
		    in->appended.rejected);
		break;
	case RAFT_SNAPSHOT:
		put(m,
		    (int64_t[]){ in->snapshot.end, in->snapshot.end_term, in->snapshot.offset,
				 in->snapshot.bytes },
		    in->snapshot.is_last);
		break;
	case RAFT_SNAPSHOT_REPLY:
		put(m,
		    (int64_t[]){ in->stored.end, in->stored.end_term, in->stored.offset,
				 in->stored.match },
		    in->stored.is_done);
		break;
	case RAFT_TIMEOUT_NOW:
	case RAFT_HELLO: break;
	}
}

/* Runs as raft asserts them: from prev on, growing, none behind the end. */
static bool take_append(const Weir__RaftMessage *m, struct raft_msg *out)
{
	int64_t term = m->b, first = m->a - 1;

	out->append.prev = m->a;
	out->append.prev_term = m->b;
	out->append.end = m->c;
	out->append.commit = m->d;
	if (m->a < 0 || m->c < m->a || m->n_run_terms != m->n_run_firsts ||
	    m->n_run_terms > RAFT_RUNS_SENT || (m->n_run_terms > 0) != (m->c > m->a))
		return false;
	out->append.n_runs = (int32_t)m->n_run_terms;
	for (size_t i = 0; i < m->n_run_terms; i++) {
		out->append.runs[i] = (struct raft_run){ m->run_terms[i], m->run_firsts[i] };
		if (m->run_firsts[i] <= first || m->run_firsts[i] >= m->c ||
		    m->run_terms[i] < term || m->run_terms[i] > m->term ||
		    (i == 0 && m->run_firsts[i] != m->a) || (i > 0 && m->run_terms[i] == term))
			return false;
		first = m->run_firsts[i];
		term = m->run_terms[i];
	}
	return true;
}

bool quorum_unpack(const Weir__RaftMessage *m, struct raft_msg *out)
{
	*out = (struct raft_msg){ .from.id = m->from, .to.id = m->to, .term = m->term };
	if (m->kind < RAFT_PRE_VOTE || m->kind > RAFT_HELLO || m->from < 0 || m->term < 0 ||
	    !quorum_uuid(&m->from_directory, &out->from.directory) ||
	    !quorum_uuid(&m->to_directory, &out->to.directory))
		return false;
	out->kind = (enum raft_msg_kind)m->kind;
	switch (out->kind) {
	case RAFT_PRE_VOTE:
	case RAFT_VOTE:
		out->vote.end = m->a;
		out->vote.end_term = m->b;
		out->vote.is_transfer = m->flag;
		break;
	case RAFT_PRE_VOTE_REPLY:
	case RAFT_VOTE_REPLY:
		out->voted.for_term = m->a;
		out->voted.granted = m->flag;
		break;
	case RAFT_APPEND: return take_append(m, out);
	case RAFT_APPEND_REPLY:
		out->appended.prev = m->a;
		out->appended.match = m->b;
		out->appended.hint = m->c;
		out->appended.hint_term = m->d;
		out->appended.rejected = m->flag;
		break;
	case RAFT_SNAPSHOT:
		out->snapshot.end = m->a;
		out->snapshot.end_term = m->b;
		out->snapshot.offset = m->c;
		out->snapshot.bytes = m->d;
		out->snapshot.is_last = m->flag;
		/* The chunk is written where it says and as long as it says. */
		return m->d == (int64_t)m->payload.len && m->a > 0 && m->c >= 0;
	case RAFT_SNAPSHOT_REPLY:
		out->stored.end = m->a;
		out->stored.end_term = m->b;
		out->stored.offset = m->c;
		out->stored.match = m->d;
		out->stored.is_done = m->flag;
		break;
	case RAFT_TIMEOUT_NOW:
	case RAFT_HELLO: break;
	}
	return true;
}
