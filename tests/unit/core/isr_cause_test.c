/* isr_cause_test.c - what a leader says of why its ISR should change. */
#include "broker/core/isr_cause.h"
#include "tests/lib/test.h"

#define LAG 30000
static const int32_t ids[] = { 1, 2, 3, 4 };
static struct replica_effects fx;

static void step(struct replica *r, struct replica_event ev)
{
	replica_step(r, &ev, &fx);
}

/* Broker 1 leads 1,2,3,4 from time 1000 on; `isr` of them are in sync. */
static void lead(struct replica *r, int32_t n_isr)
{
	struct replica_peer known[4];

	replica_init(r, 1, LAG);
	for (int i = 0; i < 4; i++)
		known[i] =
			(struct replica_peer){ .id = ids[i], .eligible = true, .alive_epoch = 10 };
	step(r, (struct replica_event){ .kind = REPLICA_EV_ASSIGNED,
					.now_ms = 1000,
					.assigned = { .leader = 1,
						      .leader_epoch = 1,
						      .partition_epoch = 1,
						      .replicas = ids,
						      .n_replicas = 4,
						      .isr = ids,
						      .n_isr = n_isr,
						      .known = known } });
}

static void append(struct replica *r, int64_t end)
{
	step(r, (struct replica_event){
			.kind = REPLICA_EV_APPENDED, .now_ms = 1000, .appended = { end, -1, -1 } });
}

static void fetched(struct replica *r, int32_t peer, int64_t broker_epoch, int64_t offset,
		    int64_t now_ms)
{
	step(r, (struct replica_event){ .kind = REPLICA_EV_FETCHED_BY,
					.now_ms = now_ms,
					.fetched = { peer, broker_epoch, offset, 0 } });
}

static void answered(struct replica *r, int32_t partition_epoch)
{
	step(r, (struct replica_event){
			.kind = REPLICA_EV_ISR_ANSWER,
			.now_ms = 1000,
			.answer = { ISR_ADOPTED, r->proposal, partition_epoch, r->isr_pending } });
}

static const char *words(const struct replica *r, int64_t now_ms)
{
	static char text[256];
	struct isr_causes c;

	ASSERT(fx.propose_isr);
	isr_causes(r, fx.isr, now_ms, &c);
	isr_causes_text(&c, text, sizeof(text));
	return text;
}

TEST(who_lags_is_told_in_ms_and_records)
{
	struct replica r;

	lead(&r, 3);
	append(&r, 10);
	fetched(&r, 2, 10, 10, 2000);
	fetched(&r, 3, 10, 4, 2000);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_TICK, .now_ms = 31500 });
	EXPECT_Z(words(&r, 31500), "broker 3 fetched 29500 ms ago, was caught up 30500 ms ago, "
				   "is 6 records behind");
}

TEST(who_never_fetched_is_told_so)
{
	struct replica r;

	lead(&r, 2);
	append(&r, 10);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_TICK, .now_ms = 31500 });
	EXPECT_Z(words(&r, 31500), "broker 2 has not fetched in this leader epoch, was caught up "
				   "30500 ms ago");
}

TEST(who_catches_up_is_told_with_its_offset_and_time)
{
	struct replica r;

	lead(&r, 2);
	append(&r, 10);
	fetched(&r, 2, 10, 10, 1500);
	fetched(&r, 3, 10, 0, 2000);
	fetched(&r, 3, 10, 10, 6210);
	EXPECT_Z(words(&r, 6210), "broker 3 caught up at offset 10, 4210 ms after its first fetch");
}

TEST(a_new_process_is_told)
{
	struct replica r;
	struct replica_peer known = { .id = 3, .eligible = true, .alive_epoch = 20 };

	lead(&r, 3);
	append(&r, 10);
	fetched(&r, 2, 10, 10, 1500);
	fetched(&r, 3, 10, 4, 1500);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_TICK, .now_ms = 31400 });
	answered(&r, 2);
	step(&r, (struct replica_event){ .kind = REPLICA_EV_BROKERS, .brokers = { &known, 1 } });
	fetched(&r, 3, 20, 10, 40000);
	EXPECT_Z(words(&r, 40000), "broker 3 caught up at offset 10, 0 ms after the new process's "
				   "first fetch");
}

TEST(many_are_told_by_number)
{
	struct replica r;

	lead(&r, 4);
	step(&r, (struct replica_event){
			 .kind = REPLICA_EV_APPENDED, .now_ms = 1000, .appended = { 7, -1, -1 } });
	step(&r, (struct replica_event){ .kind = REPLICA_EV_TICK, .now_ms = 40000 });
	EXPECT_Z(words(&r, 40000),
		 "broker 2 has not fetched in this leader epoch, was caught up 39000 ms ago; "
		 "broker 3 has not fetched in this leader epoch, was caught up 39000 ms ago; "
		 "and 1 more");
}
