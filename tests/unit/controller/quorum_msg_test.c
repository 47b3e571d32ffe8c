/* raft's messages over the wire: as they went in, and nonsense told from sense. */
#include "controller/server/quorum_msg.h"

#include "tests/lib/test.h"

/* Packed, to bytes, back, unpacked. */
static bool carry(const struct raft_msg *in, struct raft_msg *out, size_t payload)
{
	struct quorum_packed packed;
	Weir__RaftMessage *m;
	uint8_t bytes[4096], data[16] = { 0 };
	size_t n;
	bool ok;

	quorum_pack(in, &packed);
	packed.m.has_payload = payload > 0;
	packed.m.payload = (ProtobufCBinaryData){ payload, data };
	n = weir__raft_message__pack(&packed.m, bytes);
	m = weir__raft_message__unpack(NULL, n, bytes);
	if (!EXPECT(m != NULL))
		return false;
	ok = quorum_unpack(m, out);
	weir__raft_message__free_unpacked(m, NULL);
	return ok;
}

static struct raft_msg message(enum raft_msg_kind kind)
{
	struct raft_msg m;

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	m.from = (struct raft_voter){ 101, { { 1, 2, 3 } } };
	m.to = (struct raft_voter){ 102, { { 9 } } };
	m.term = 7;
	return m;
}

TEST(every_kind_arrives_as_it_left)
{
	struct raft_msg v[] = {
		message(RAFT_PRE_VOTE),   message(RAFT_PRE_VOTE_REPLY), message(RAFT_VOTE),
		message(RAFT_VOTE_REPLY), message(RAFT_APPEND),         message(RAFT_APPEND_REPLY),
		message(RAFT_SNAPSHOT),   message(RAFT_SNAPSHOT_REPLY), message(RAFT_TIMEOUT_NOW),
		message(RAFT_HELLO),
	};

	v[0].vote.end = v[2].vote.end = 12;
	v[0].vote.end_term = v[2].vote.end_term = 6;
	v[2].vote.is_transfer = true;
	v[1].voted.for_term = v[3].voted.for_term = 8;
	v[3].voted.granted = true;
	v[4].append.prev = 10;
	v[4].append.prev_term = 5;
	v[4].append.end = 14;
	v[4].append.commit = 9;
	v[4].append.n_runs = 2;
	v[4].append.runs[0] = (struct raft_run){ 5, 10 };
	v[4].append.runs[1] = (struct raft_run){ 7, 12 };
	v[5].appended.prev = 1;
	v[5].appended.match = 2;
	v[5].appended.rejected = true;
	v[5].appended.hint = 3;
	v[5].appended.hint_term = 4;
	v[6].snapshot.end = 20;
	v[6].snapshot.end_term = 6;
	v[6].snapshot.offset = 100;
	v[6].snapshot.bytes = 16;
	v[6].snapshot.is_last = true;
	v[7].stored.end = 20;
	v[7].stored.end_term = 6;
	v[7].stored.offset = 116;
	v[7].stored.is_done = true;
	v[7].stored.match = 18;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct raft_msg out;

		memset(&out, 0xee, sizeof(out));
		EXPECT(carry(&v[i], &out, v[i].kind == RAFT_SNAPSHOT ? 16 : 0));
		EXPECT_EQ(out.kind, v[i].kind);
		EXPECT_EQ(out.term, 7);
		EXPECT(raft_voter_eq(out.from, v[i].from) && raft_voter_eq(out.to, v[i].to));
		if (v[i].kind == RAFT_APPEND)
			EXPECT(memcmp(&out.append, &v[i].append, sizeof(out.append)) == 0);
		if (v[i].kind == RAFT_SNAPSHOT)
			EXPECT(memcmp(&out.snapshot, &v[i].snapshot, sizeof(out.snapshot)) == 0);
		if (v[i].kind == RAFT_APPEND_REPLY)
			EXPECT(memcmp(&out.appended, &v[i].appended, sizeof(out.appended)) == 0);
	}
}

/* Raft asserts the shape of runs: what another process sends must not get that far. */
TEST(runs_that_make_no_sense_are_dropped)
{
	static const struct {
		int64_t prev, end;
		int32_t n;
		struct raft_run runs[2];
	} rows[] = {
		{ 10, 14, 0, { { 0 } } },                /* records of no term */
		{ 10, 10, 1, { { 5, 10 } } },            /* a term without records */
		{ 10, 8, 0, { { 0 } } },                 /* backwards */
		{ 10, 14, 1, { { 5, 11 } } },            /* a hole */
		{ 10, 14, 2, { { 5, 10 }, { 5, 12 } } }, /* one term twice */
		{ 10, 14, 2, { { 6, 10 }, { 5, 12 } } }, /* falling terms */
		{ 10, 14, 2, { { 5, 10 }, { 6, 14 } } }, /* behind the end */
		{ 10, 14, 2, { { 5, 10 }, { 8, 12 } } }, /* above the sender's term */
		{ 10, 14, 1, { { 4, 10 } } },            /* below the one before */
	};
	struct raft_msg m, out;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		m = message(RAFT_APPEND);
		m.append.prev = rows[i].prev;
		m.append.prev_term = 5;
		m.append.end = rows[i].end;
		m.append.n_runs = rows[i].n;
		memcpy(m.append.runs, rows[i].runs, sizeof(rows[i].runs));
		if (carry(&m, &out, 0))
			FAIL("row %d is taken", (int)i);
	}
	m = message(RAFT_SNAPSHOT);
	m.snapshot.end = 5;
	m.snapshot.bytes = 17;
	EXPECT(!carry(&m, &out, 16));
	m = message((enum raft_msg_kind)99);
	EXPECT(!carry(&m, &out, 0));
}
