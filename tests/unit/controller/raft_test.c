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
