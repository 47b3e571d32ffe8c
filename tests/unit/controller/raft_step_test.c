#include "controller/core/raft.h"
#include "tests/lib/test.h"

static struct raft r;
static struct raft_effects out;

static void start(int32_t n_voters)
{
	struct raft_voters_at sets = { .set.n = n_voters };
	struct raft_found found = { .voted.id = -1, .sets = &sets, .n_sets = 1 };
	struct raft_options o = { .self.id = 1,
				  .heartbeat_ms = 50,
				  .election_min_ms = 300,
				  .election_max_ms = 600,
				  .closed_ms = 5,
				  .seed = 7 };

	o.self.directory.b[0] = 1;
	for (int32_t i = 0; i < n_voters; i++) {
		sets.set.v[i].id = i + 1;
		sets.set.v[i].directory.b[0] = (uint8_t)(i + 1);
	}
	raft_init(&r, &o, &found, 1000);
}

static void step(struct raft_event ev)
{
	raft_step(&r, &ev, &out);
}

TEST(alone_it_leads_once_its_vote_is_on_disk)
{
	start(1);
	step((struct raft_event){ .kind = RAFT_EV_TICK, .now_ms = 1000 });
	EXPECT_EQ(r.role, RAFT_CANDIDATE);
	EXPECT(out.hard_state);
	EXPECT_EQ(out.persist, 1);
	EXPECT(!out.activate);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1001, .seq = 1 });
	EXPECT(out.activate && out.role_changed && raft_can_append(&r));
	step((struct raft_event){ .kind = RAFT_EV_APPENDED, .now_ms = 1001, .end = 1 });
	EXPECT_EQ(out.persist, 2);
	EXPECT_EQ(r.commit, 0);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1002, .seq = 2 });
	EXPECT(out.commit_moved);
	EXPECT_EQ(r.commit, 1);
	raft_fini(&r);
}

TEST(a_failed_disk_is_silent_for_ever)
{
	start(1);
	step((struct raft_event){ .kind = RAFT_EV_TICK, .now_ms = 1000 });
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1001, .seq = 1 });
	step((struct raft_event){ .kind = RAFT_EV_DISK_FAILED, .now_ms = 1002 });
	EXPECT(out.role_changed && !raft_can_append(&r));
	step((struct raft_event){ .kind = RAFT_EV_TICK, .now_ms = 9000 });
	EXPECT_EQ(r.role, RAFT_FAILED);
	EXPECT_EQ(out.n, 0);
	EXPECT_EQ(out.persist, 0);
	raft_fini(&r);
}

TEST(changes_are_refused_with_a_reason)
{
	start(3);
	step((struct raft_event){ .kind = RAFT_EV_VOTERS,
				  .now_ms = 1000,
				  .change = { .op = RAFT_REMOVE, .voter.id = 2 } });
	EXPECT_EQ(out.verdict, RAFT_NOT_LEADER);
	EXPECT_Z(raft_verdict_text(out.verdict), "this controller does not lead");
	EXPECT(!out.append_voters);
	EXPECT_EQ(raft_voters(&r)->n, 3);
	raft_fini(&r);
}

TEST(every_message_has_a_name)
{
	EXPECT_Z(raft_msg_name(RAFT_PRE_VOTE), "pre-vote");
	EXPECT_Z(raft_msg_name(RAFT_HELLO), "hello");
}

static struct raft_msg from_leader(enum raft_msg_kind kind, int64_t term)
{
	struct raft_msg m;

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	m.from.id = m.from.directory.b[0] = 2;
	m.to = r.o.self;
	m.term = term;
	return m;
}

static void receive(const struct raft_msg *m)
{
	step((struct raft_event){ .kind = RAFT_EV_MESSAGE, .now_ms = 1001, .msg = m });
}

static struct raft_msg append(int64_t prev, int64_t prev_term, int64_t end, int64_t term)
{
	struct raft_msg m = from_leader(RAFT_APPEND, term);

	m.append.prev = prev;
	m.append.prev_term = prev_term;
	m.append.end = end;
	m.append.n_runs = end > prev;
	m.append.runs[0] = (struct raft_run){ term, prev };
	return m;
}

/* A late snapshot must not replace records that were acknowledged. */
TEST(a_snapshot_of_what_is_there_is_not_taken)
{
	struct raft_msg m;

	start(3);
	m = append(0, 0, 10, 1);
	receive(&m);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1002, .seq = out.persist });
	EXPECT_EQ(r.durable, 10);
	EXPECT_EQ(r.commit, 0);
	m = from_leader(RAFT_SNAPSHOT, 1);
	m.snapshot.end = 6;
	m.snapshot.end_term = 1;
	receive(&m);
	EXPECT(!out.store_chunk);
	EXPECT_EQ(out.n, 1);
	EXPECT(out.sent[0].msg.stored.is_done);
	EXPECT_EQ(r.commit, 6);
	EXPECT_EQ(r.log.end, 10);
	raft_fini(&r);
}

/* 1 leads a term of which one record is committed. */
static void lead(int32_t n_voters)
{
	struct raft_msg m;

	start(n_voters);
	step((struct raft_event){ .kind = RAFT_EV_TICK, .now_ms = 2000 });
	for (int32_t round = 0; round < 2 && n_voters > 1; round++) {
		m = from_leader(round == 0 ? RAFT_PRE_VOTE_REPLY : RAFT_VOTE_REPLY, r.term);
		m.voted.for_term = 1;
		m.voted.granted = true;
		receive(&m);
	}
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 2001, .seq = r.seq });
	EXPECT(out.activate);
	step((struct raft_event){ .kind = RAFT_EV_APPENDED, .now_ms = 2001, .end = 1 });
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 2002, .seq = r.seq });
	m = from_leader(RAFT_APPEND_REPLY, r.term);
	m.appended.match = 1;
	receive(&m);
	EXPECT_EQ(r.commit, 1);
}

static enum raft_verdict change(enum raft_voters_op op, int32_t id)
{
	struct raft_event ev = { .kind = RAFT_EV_VOTERS, .now_ms = 2003, .change.op = op };

	ev.change.voter.id = id;
	ev.change.voter.directory.b[0] = (uint8_t)id;
	step(ev);
	EXPECT_EQ(out.append_voters, out.verdict == RAFT_OK);
	return out.verdict;
}

TEST(a_voter_is_added_when_it_has_caught_up)
{
	struct raft_msg m;

	lead(3);
	EXPECT_EQ(change(RAFT_ADD, 4), RAFT_UNKNOWN);
	EXPECT_EQ(change(RAFT_ADD, 2), RAFT_EXISTS);
	EXPECT_EQ(change(RAFT_REMOVE, 4), RAFT_UNKNOWN);
	m = from_leader(RAFT_HELLO, 0);
	m.from.id = m.from.directory.b[0] = 4;
	receive(&m);
	EXPECT_EQ(out.n, 1);
	EXPECT_EQ(change(RAFT_ADD, 4), RAFT_BEHIND);
	m.kind = RAFT_APPEND_REPLY;
	m.term = r.term;
	m.appended.match = 1;
	receive(&m);
	EXPECT_EQ(change(RAFT_ADD, 4), RAFT_OK);
	EXPECT_EQ(out.voters.n, 4);
	raft_fini(&r);
}

TEST(the_last_voter_stays)
{
	lead(1);
	EXPECT_EQ(change(RAFT_REMOVE, 1), RAFT_LIMIT);
	raft_fini(&r);
}

/* An acknowledgement waits for the disk; a heartbeat's claims only what is there. */
TEST(acknowledgements_wait_for_the_disk)
{
	struct raft_msg m;

	start(3);
	m = append(0, 0, 4, 1);
	receive(&m);
	EXPECT_EQ(out.append_from, 0);
	EXPECT_EQ(out.n, 1);
	EXPECT_EQ(out.sent[0].msg.appended.match, 4);
	EXPECT_EQ(out.sent[0].after, out.persist);
	m = append(4, 1, 4, 1);
	m.append.commit = 4;
	receive(&m);
	EXPECT_EQ(out.sent[0].msg.appended.match, 0);
	EXPECT_EQ(r.commit, 0);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1002, .seq = r.seq });
	EXPECT(out.commit_moved);
	EXPECT_EQ(r.commit, 4);
	raft_fini(&r);
}

/* "prev + n", not the follower's end: what is behind may be of a leader that lost. */
TEST(what_a_message_did_not_carry_is_not_acknowledged)
{
	struct raft_msg m;

	start(3);
	m = append(0, 0, 9, 1);
	receive(&m);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1002, .seq = r.seq });
	m = append(0, 0, 3, 2);
	m.append.runs[0].term = 1;
	m.append.commit = 9;
	receive(&m);
	EXPECT_EQ(out.sent[0].msg.appended.match, 3);
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 1003, .seq = r.seq });
	EXPECT_EQ(r.commit, 3);
	m = append(3, 1, 5, 2);
	receive(&m);
	EXPECT_EQ(out.cut, 3);
	EXPECT_EQ(out.append_from, 3);
	raft_fini(&r);
}

TEST(a_misshapen_append_is_ignored)
{
	struct raft_msg m;

	start(3);
	m = append(0, 0, 4, 1);
	m.append.n_runs = 0;
	receive(&m);
	m = append(0, 0, 4, 1);
	m.append.n_runs = RAFT_RUNS_SENT + 1;
	receive(&m);
	m = append(0, 0, 4, 1);
	m.append.runs[0].first = 1;
	receive(&m);
	m = append(5, 1, 4, 1);
	receive(&m);
	EXPECT_EQ(r.log.end, 0);
	EXPECT_EQ(out.n, 0);
	raft_fini(&r);
}

/* A full table of what is not on disk merges its last rows; nothing is confirmed too early. */
TEST(a_slow_disk_confirms_late_but_never_early)
{
	lead(1);
	for (int64_t end = 2; end <= 200; end++)
		step((struct raft_event){ .kind = RAFT_EV_APPENDED, .now_ms = 2100, .end = end });
	EXPECT_EQ(r.n_pending, RAFT_PENDING_MAX);
	for (int64_t seq = 3; seq < r.seq; seq++) {
		step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 2100, .seq = seq });
		EXPECT(r.commit <= seq - 1);
	}
	step((struct raft_event){ .kind = RAFT_EV_PERSISTED, .now_ms = 2100, .seq = r.seq });
	EXPECT_EQ(r.commit, 200);
	raft_fini(&r);
}
