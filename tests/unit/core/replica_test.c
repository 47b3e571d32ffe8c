#include "broker/core/replica.h"
#include "tests/lib/test.h"

#define LAG 30000
static const int32_t ids[] = { 1, 2, 3 };
static struct replica_effects fx;

static void step(struct replica *r, struct replica_event ev)
{
	replica_step(r, &ev, &fx);
}

struct given {
	int32_t leader, leader_epoch, partition_epoch;
	int32_t isr[3]; /* ids; 0 ends */
	bool is_recovering;
};

static void assign_with(struct replica *r, int64_t now_ms, struct given g, int32_t min_isr)
{
	struct replica_peer known[3];
	int32_t n = 0;

	while (n < 3 && g.isr[n] != 0)
		n++;
	for (int i = 0; i < 3; i++)
		known[i] = (struct replica_peer){ .id = ids[i],
						  .eligible = true,
						  .alive_epoch = 100 + ids[i] };
	step(r, (struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
					.now_ms = now_ms,
					.assigned = { .leader = g.leader,
						      .leader_epoch = g.leader_epoch,
						      .partition_epoch = g.partition_epoch,
						      .replicas = ids,
						      .n_replicas = 3,
						      .isr = g.isr,
						      .n_isr = n,
						      .known = known,
						      .is_recovering = g.is_recovering,
						      .min_isr = min_isr } });
}

static void assign(struct replica *r, int64_t now_ms, struct given g)
{
	assign_with(r, now_ms, g, 0);
}

static void append(struct replica *r, int64_t end)
{
	step(r, (struct replica_event){
			.kind = REPLICA_EV_APPENDED, .now_ms = 1000, .appended = { end, -1, -1 } });
}

static void fetched(struct replica *r, int32_t peer, int64_t offset, int64_t now_ms)
{
	step(r, (struct replica_event){ .kind = REPLICA_EV_FETCHED_BY,
					.now_ms = now_ms,
					.fetched = { peer, 100 + peer, offset, 0 } });
}

static void answer(struct replica *r, enum replica_verdict v, int32_t partition_epoch, uint32_t isr)
{
	step(r, (struct replica_event){ .kind = REPLICA_EV_ISR_ANSWER,
					.now_ms = 2000,
					.answer = { v, r->proposal, partition_epoch, isr } });
}

static void tick(struct replica *r, int64_t now_ms)
{
	step(r, (struct replica_event){ .kind = REPLICA_EV_TICK, .now_ms = now_ms });
}

static void min_isr(struct replica *r, int32_t n)
{
	step(r, (struct replica_event){ .kind = REPLICA_EV_MIN_ISR, .now_ms = 1000, .min_isr = n });
}

static struct replica leader_of_three(void)
{
	struct replica r;

	replica_init(&r, 1, LAG);
	replica_load(&r, 0, 0, 0);
	min_isr(&r, 2);
	assign(&r, 1000, (struct given){ 1, 5, 10, { 1, 2, 3 }, false });
	EXPECT(fx.became_leader);
	return r;
}

TEST(hw_waits_for_slowest_isr_member)
{
	struct replica r = leader_of_three();

	append(&r, 10);
	EXPECT(!fx.hw_moved);
	fetched(&r, 2, 10, 1000);
	EXPECT(!fx.hw_moved);
	fetched(&r, 3, 7, 1000);
	EXPECT(fx.hw_moved);
	EXPECT_EQ(r.high_watermark, 7);
}

TEST(silent_member_is_voted_out_and_the_hw_goes_on)
{
	struct replica r = leader_of_three();

	append(&r, 10);
	fetched(&r, 2, 10, 1000);
	tick(&r, 1000 + LAG);
	EXPECT(!fx.propose_isr);
	fetched(&r, 2, 10, 30000);
	tick(&r, 1001 + LAG);
	EXPECT(fx.propose_isr);
	EXPECT_EQ(fx.isr, 3);
	EXPECT_EQ(r.high_watermark, 0); /* asked is not granted */
	tick(&r, 1002 + LAG);
	EXPECT(!fx.propose_isr); /* one in flight */
	answer(&r, ISR_ADOPTED, 11, 3);
	EXPECT(fx.isr_changed && fx.hw_moved); /* KAFKA-13091: without waiting for another append */
	EXPECT_EQ(r.high_watermark, 10);
}

/* The fast path: the controller fences a dead broker and takes it out of the isr. */
TEST(metadata_without_a_fenced_member_moves_the_hw_at_once)
{
	struct replica r = leader_of_three();

	append(&r, 10);
	fetched(&r, 2, 10, 1000);
	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	EXPECT(fx.hw_moved && fx.isr_changed && !fx.became_leader);
	EXPECT_EQ(r.high_watermark, 10);
}

TEST(strict_min_isr)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 0, 0 }, false });
	append(&r, 10);
	fetched(&r, 2, 10, 1000);
	EXPECT_EQ(r.high_watermark, 0);
	EXPECT(!replica_has_enough(&r));
	EXPECT(replica_kept_enough(&r)); /* 2 is proposed: the maximal isr counts */
	answer(&r, ISR_ADOPTED, 12, 3);
	EXPECT_EQ(r.high_watermark, 10);
	min_isr(&r, 3);
	append(&r, 11);
	fetched(&r, 2, 11, 1000);
	EXPECT_EQ(r.high_watermark, 10);
	min_isr(&r, 2);
	EXPECT_EQ(r.high_watermark, 11);
}

/* What a leader did not hear while it was cut off comes at once. */
TEST(a_minimum_is_of_its_own_image)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 0, 0 }, false });
	append(&r, 10);
	assign_with(&r, 1002, (struct given){ 2, 6, 13, { 2, 0, 0 }, false }, 1);
	EXPECT_EQ(r.high_watermark, 0);
	EXPECT_EQ(replica_min_isr(&r), 1);

	r = leader_of_three();
	append(&r, 10);
	assign_with(&r, 1001, (struct given){ 1, 5, 11, { 1, 0, 0 }, false }, 3);
	EXPECT_EQ(r.high_watermark, 0);
}

TEST(min_isr_is_capped_by_the_assignment)
{
	struct replica r = leader_of_three();

	min_isr(&r, 5);
	EXPECT_EQ(replica_min_isr(&r), 3);
	EXPECT(replica_has_enough(&r));
}

TEST(joiner_must_have_the_hw_and_the_start_of_the_epoch)
{
	struct replica r;

	replica_init(&r, 1, LAG);
	replica_load(&r, 0, 4, 10); /* a new leader whose own watermark is behind */
	min_isr(&r, 2);
	assign(&r, 1000, (struct given){ 1, 6, 20, { 1, 2, 0 }, false });
	EXPECT_EQ(r.epoch_start, 10);
	fetched(&r, 3, 9, 1001); /* KAFKA-7128 */
	EXPECT(!fx.propose_isr);
	fetched(&r, 3, 10, 1002);
	EXPECT(fx.propose_isr);
	EXPECT_EQ(fx.isr, 7);
}

TEST(pending_addition_already_holds_the_hw)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	fetched(&r, 3, 0, 1002);
	EXPECT(fx.propose_isr);
	append(&r, 10);
	fetched(&r, 2, 10, 1003);
	EXPECT_EQ(r.high_watermark, 0);
	answer(&r, ISR_ROLL_BACK, 0, 0);
	EXPECT_EQ(replica_maximal_isr(&r), 3);
	EXPECT_EQ(r.high_watermark, 0); /* 3 is caught up in time: about to join */
	tick(&r, 1002 + LAG + 1);
	EXPECT_EQ(r.high_watermark, 10);
}

TEST(refused_joiner_waits_a_little)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	fetched(&r, 3, 0, 1002);
	answer(&r, ISR_ROLL_BACK, 0, 0);
	fetched(&r, 3, 0, 2001);
	EXPECT(!fx.propose_isr);
	fetched(&r, 3, 0, 2500);
	EXPECT(fx.propose_isr);
}

/* KAFKA-15021: a broker that shuts down fetches on, but may not join. */
TEST(ineligible_replica_neither_joins_nor_holds)
{
	struct replica r = leader_of_three();
	const struct replica_peer three = { .id = 3, .eligible = false, .alive_epoch = 103 };

	fetched(&r, 3, 0, 1000);
	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_BROKERS, .now_ms = 1001, .brokers = { &three, 1 } });
	append(&r, 10);
	fetched(&r, 3, 5, 1002);
	EXPECT(!fx.propose_isr);
	fetched(&r, 2, 10, 1003);
	EXPECT_EQ(r.high_watermark, 10);
}

/* KIP-903 */
TEST(earlier_life_of_a_broker_does_not_count)
{
	struct replica r = leader_of_three();
	struct replica_peer two = { .id = 2, .eligible = true, .alive_epoch = 200 };

	append(&r, 10);
	fetched(&r, 3, 10, 1000);
	fetched(&r, 2, 9, 1000);
	EXPECT_EQ(r.high_watermark, 9);
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_BROKERS, .now_ms = 1001, .brokers = { &two, 1 } });
	EXPECT_EQ(replica_peer_of(&r, 2)->log_end, -1);
	EXPECT_EQ(replica_admits(&r, 2, 102), REPLICA_STALE);
	EXPECT_EQ(replica_admits(&r, 2, -1), REPLICA_ADMIT);
	EXPECT_EQ(replica_admits(&r, 9, 1), REPLICA_UNASSIGNED);
	fetched(&r, 2, 10, 1002); /* still with epoch 102 */
	EXPECT_EQ(r.high_watermark, 9);
}

TEST(joiner_whose_epoch_differs_from_metadata_waits)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	step(&r, (struct replica_event){ .kind = REPLICA_EV_FETCHED_BY,
					 .now_ms = 1002,
					 .fetched = { 3, 500, 0, 0 } });
	EXPECT(!fx.propose_isr);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_FETCHED_BY,
					 .now_ms = 1002,
					 .fetched = { 3, -1, 0, 0 } });
	EXPECT(fx.propose_isr); /* -1: it does not say, and is believed */
}

TEST(new_epoch_forgets_what_peers_had)
{
	struct replica r = leader_of_three();

	append(&r, 10);
	fetched(&r, 2, 10, 1000);
	assign(&r, 1001, (struct given){ 1, 6, 11, { 1, 2, 3 }, false });
	EXPECT(fx.became_leader);
	EXPECT_EQ(r.epoch_start, 10);
	EXPECT_EQ(replica_peer_of(&r, 2)->log_end, -1);
	fetched(&r, 3, 10, 1002);
	EXPECT_EQ(r.high_watermark, 0);
	fetched(&r, 2, 10, 1002);
	EXPECT_EQ(r.high_watermark, 10);
}

TEST(late_answer_to_a_settled_proposal_is_ignored)
{
	struct replica r = leader_of_three();
	uint32_t first;

	assign(&r, 1001, (struct given){ 1, 5, 11, { 1, 2, 0 }, false });
	fetched(&r, 3, 0, 1002);
	first = fx.proposal;
	assign(&r, 1003,
	       (struct given){ 1, 5, 12, { 1, 2, 0 }, false }); /* something else changed */
	EXPECT(!r.is_pending);
	fetched(&r, 3, 0, 1004);
	EXPECT(fx.propose_isr && fx.proposal != first);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_ISR_ANSWER,
					 .now_ms = 1005,
					 .answer = { ISR_ROLL_BACK, first, 0, 0 } });
	EXPECT(r.is_pending);
	assign(&r, 1006, (struct given){ 1, 5, 12, { 1, 2, 0 }, false }); /* the same news again */
	EXPECT(r.is_pending);
	answer(&r, ISR_RETRY, 0, 0);
	EXPECT(fx.propose_isr);
	EXPECT_EQ(fx.isr, 7);
	answer(&r, ISR_WAIT_METADATA, 0, 0);
	EXPECT(r.is_pending);
	assign(&r, 1007, (struct given){ 1, 5, 13, { 1, 2, 3 }, false });
	EXPECT(!r.is_pending);
	EXPECT_EQ(r.isr, 7);
}

TEST(older_metadata_is_ignored)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 2, 4, 9, { 2, 0, 0 }, false });
	EXPECT_EQ(r.role, REPLICA_LEADER);
	EXPECT_EQ(r.isr, 7);
}

TEST(unclean_leader_reports_that_it_recovered)
{
	struct replica r;

	replica_init(&r, 1, LAG);
	replica_load(&r, 0, 0, 3);
	assign(&r, 1000, (struct given){ 1, 7, 10, { 1, 0, 0 }, true });
	EXPECT(fx.became_leader && fx.propose_isr);
	EXPECT_EQ(fx.isr, 1);
	answer(&r, ISR_ADOPTED, 11, 1);
	EXPECT(!r.is_recovering);
	EXPECT_EQ(r.high_watermark, 3);
}

TEST(follower_takes_the_watermark_of_its_leader)
{
	struct replica r;

	replica_init(&r, 3, LAG);
	replica_load(&r, 0, 0, 4);
	assign(&r, 1000, (struct given){ 1, 5, 10, { 1, 2, 3 }, false });
	EXPECT(fx.became_follower);
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_APPENDED, .now_ms = 1, .appended = { 8, 20, 2 } });
	EXPECT(fx.hw_moved && fx.log_start_moved);
	EXPECT_EQ(r.high_watermark, 8);
	EXPECT_EQ(r.log_start, 2);
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_APPENDED, .now_ms = 1, .appended = { 9, 5, 2 } });
	EXPECT_EQ(r.high_watermark, 8); /* a new leader that knows less */
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_TRUNCATED, .now_ms = 1, .truncated = { 2, 6 } });
	EXPECT_EQ(r.high_watermark, 6);
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_TRUNCATED, .now_ms = 1, .truncated = { 50, 50 } });
	EXPECT_EQ(r.high_watermark, 50); /* KAFKA-9491 */
	assign(&r, 1001, (struct given){ 2, 6, 11, { 2, 3, 0 }, false });
	EXPECT(fx.became_follower);
	assign(&r, 1002, (struct given){ 2, 6, 12, { 2, 0, 0 }, false });
	EXPECT(!fx.became_follower);
}

/* KAFKA-9491: every cut of every small log, at either end or of all of it. */
TEST(no_cut_leaves_the_watermark_outside_the_log)
{
	enum { END = 6 };

	for (int64_t hw = 0; hw <= END; hw++)
		for (int64_t start = 0; start <= END + 2; start++)
			for (int64_t end = start; end <= END + 2; end++) {
				struct replica r;

				replica_init(&r, 3, LAG);
				replica_load(&r, 0, hw, END);
				assign(&r, 1000, (struct given){ 1, 5, 10, { 1, 2, 3 }, false });
				step(&r, (struct replica_event){ .kind = REPLICA_EV_TRUNCATED,
								 .now_ms = 1,
								 .truncated = { start, end } });
				EXPECT_EQ(r.high_watermark, i64_max(start, i64_min(hw, end)));
				EXPECT_EQ(fx.hw_moved, r.high_watermark != hw);
			}
}

TEST(losing_the_leadership)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 2, 6, 11, { 1, 2, 3 }, false });
	EXPECT(fx.lost_leadership && fx.became_follower);
	assign(&r, 1002, (struct given){ -1, 6, 12, { 1, 2, 0 }, false });
	EXPECT_EQ(r.leader, -1);
	EXPECT_EQ(r.role, REPLICA_FOLLOWER);
}

/* KAFKA-9672, KAFKA-12367: a leader that is not in its isr does not lead. */
TEST(leader_outside_its_isr_does_not_lead)
{
	struct replica r = leader_of_three();

	assign(&r, 1001, (struct given){ 1, 6, 11, { 2, 3, 0 }, false });
	EXPECT(fx.lost_leadership);
	EXPECT_EQ(r.role, REPLICA_FOLLOWER);
	EXPECT_EQ(r.leader, -1);
}

/* Reassignment moves bits, not members. */
TEST(bits_follow_their_brokers)
{
	struct replica r = leader_of_three();
	static const int32_t moved[] = { 4, 3, 1 }, isr[] = { 1, 3 };
	int32_t out[REPLICAS_MAX];

	append(&r, 10);
	fetched(&r, 3, 8, 1000);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
					 .now_ms = 1001,
					 .assigned = { .leader = 1,
						       .leader_epoch = 5,
						       .partition_epoch = 11,
						       .replicas = moved,
						       .n_replicas = 3,
						       .isr = isr,
						       .n_isr = 2 } });
	EXPECT_EQ(r.isr, 6);
	EXPECT_EQ(replica_peer_of(&r, 3)->log_end, 8);
	EXPECT(replica_peer_of(&r, 2) == NULL);
	EXPECT_EQ(r.high_watermark, 8);
	EXPECT_EQ(replica_ids_of(&r, r.isr, out), 2);
	EXPECT_EQ(out[0], 3);
	EXPECT_EQ(out[1], 1);
}

TEST(removed_replica_goes_offline)
{
	struct replica r = leader_of_three();
	static const int32_t others[] = { 2, 3 };

	step(&r, (struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
					 .now_ms = 1001,
					 .assigned = { .leader = 2,
						       .leader_epoch = 6,
						       .partition_epoch = 11,
						       .replicas = others,
						       .n_replicas = 2,
						       .isr = others,
						       .n_isr = 2 } });
	EXPECT(fx.lost_leadership && !fx.became_follower);
	EXPECT_EQ(r.role, REPLICA_OFFLINE);
}

/* KAFKA-4485, KAFKA-7152: an idle follower at the log end is in sync however long it is silent;
 * under a steady load one that had our end at its last fetch is too. */
TEST(in_sync_means_caught_up_once_within_the_lag)
{
	struct replica r = leader_of_three();

	fetched(&r, 2, 0, 1000);
	fetched(&r, 3, 0, 1000);
	tick(&r, 1000 + 10 * LAG);
	EXPECT(!fx.propose_isr);
	for (int64_t t = 1; t <= 100; t++) { /* always one append behind */
		append(&r, 10 * t);
		fetched(&r, 2, 10 * (t - 1), 400000 + 1000 * t);
		fetched(&r, 3, 10 * t, 400000 + 1000 * t);
	}
	tick(&r, 500000);
	EXPECT(!fx.propose_isr);
}

TEST(two_joiners_need_not_wait_for_two_fetches)
{
	struct replica r = leader_of_three();

	min_isr(&r, 1);
	assign(&r, 1001, (struct given){ 1, 6, 11, { 1, 0, 0 }, false });
	fetched(&r, 2, 0, 1002);
	EXPECT_EQ(fx.isr, 3);
	fetched(&r, 3, 0, 1003);
	EXPECT(!fx.propose_isr);
	answer(&r, ISR_ADOPTED, 12, 3);
	EXPECT(fx.propose_isr);
	EXPECT_EQ(fx.isr, 7);
}

TEST(checkpoint_is_brought_into_the_log)
{
	struct replica r;

	replica_init(&r, 1, LAG);
	replica_load(&r, 5, 100, 20);
	EXPECT_EQ(r.high_watermark, 20);
	replica_load(&r, 5, 0, 20);
	EXPECT_EQ(r.high_watermark, 5);
}
