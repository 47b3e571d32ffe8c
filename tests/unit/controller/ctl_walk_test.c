/* Random commands: after every record the invariants hold (ctlworld checks them), and at any time
 * the log replayed from nothing gives the state. */
#include "common/base/prng.h"
#include "common/wire/kerr.h"
#include "tests/lib/test.h"
#include "tests/story/ctlworld.h"

#include <stdio.h>

#define STEPS 400
#define SEEDS 30

static int32_t any_broker(struct prng *p)
{
	return 1 + (int32_t)prng_below(p, 5);
}

static void walk_topic(struct ctlworld *w, struct prng *p)
{
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t[2], *topics[] = { &t[0], &t[1] };
	struct ctl_cmd cmd = { .kind = CTL_CREATE_TOPICS, .create_topics = &m };
	Weir__DeleteTopics d = WEIR__DELETE_TOPICS__INIT;
	Weir__DeleteTopic one = WEIR__DELETE_TOPIC__INIT, *ones[] = { &one };
	char names[2][8];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "t%d", (int)prng_below(p, 6));
		t[i] = (Weir__CreateTopic)WEIR__CREATE_TOPIC__INIT;
		t[i].name = names[i];
		t[i].partitions = 1 + (int32_t)prng_below(p, 4);
		t[i].replication_factor = (int32_t)prng_below(p, 5) - 1;
	}
	m.topics = topics;
	m.n_topics = 2;
	one.name = names[0];
	d.topics = ones;
	d.n_topics = 1;
	if (prng_chance(p, 1, 4)) {
		cmd.kind = CTL_DELETE_TOPICS;
		cmd.delete_topics = &d;
	}
	(void)ctlworld_do(w, &cmd);
}

/* A leader asks for a random ISR, now and then with old epochs. */
static void walk_alter(struct ctlworld *w, struct prng *p)
{
	const struct image *im = w->ctl.image;
	Weir__AlterPartition m = WEIR__ALTER_PARTITION__INIT;
	Weir__AlterPartitionItem item[2], *items[] = { &item[0], &item[1] };
	Weir__IsrMember members[2][8], *isr[2][8];
	struct ctl_cmd cmd = { .kind = CTL_ALTER_PARTITION, .alter_partition = &m };
	struct uuid id[2];

	if (im->n_topics == 0)
		return;
	for (int i = 0; i < 2; i++) {
		const struct image_topic *t = im->topics[prng_below(p, (uint64_t)im->n_topics)];
		int32_t part = (int32_t)prng_below(p, (uint64_t)t->n_partitions);
		const struct image_partition *at = &t->partitions[part];

		id[i] = t->id;
		item[i] = (Weir__AlterPartitionItem)WEIR__ALTER_PARTITION_ITEM__INIT;
		item[i].topic_id = (ProtobufCBinaryData){ 16, id[i].b };
		item[i].partition = part;
		item[i].leader_epoch = at->leader_epoch;
		item[i].partition_epoch = at->partition_epoch - prng_chance(p, 1, 10);
		item[i].isr = isr[i];
		for (int32_t k = 0; k < at->replicas.n; k++)
			if (prng_chance(p, 2, 3) || at->replicas.v[k] == at->leader) {
				size_t n = item[i].n_isr++;

				members[i][n] = (Weir__IsrMember)WEIR__ISR_MEMBER__INIT;
				members[i][n].id = at->replicas.v[k];
				isr[i][n] = &members[i][n];
			}
		item[i].has_recovery = at->is_recovering && prng_chance(p, 1, 2);
		item[i].recovery = WEIR__RECOVERY_STATE__RECOVERED;
		m.broker = i == 0 && at->leader >= 0 ? at->leader : m.broker;
	}
	m.broker_epoch = ctlworld_epoch(w, m.broker);
	m.items = items;
	m.n_items = 2;
	(void)ctlworld_do(w, &cmd);
}

static void walk_config(struct ctlworld *w, struct prng *p)
{
	Weir__AlterConfigs m = WEIR__ALTER_CONFIGS__INIT;
	Weir__AlterConfigsResource r = WEIR__ALTER_CONFIGS_RESOURCE__INIT, *resources[] = { &r };
	Weir__AlterConfig c = WEIR__ALTER_CONFIG__INIT, *configs[] = { &c };
	struct ctl_cmd cmd = { .kind = CTL_ALTER_CONFIGS, .alter_configs = &m };
	static char unclean[] = "unclean.leader.election.enable", min[] = "min.insync.replicas";
	static char yes[] = "true", no[] = "false", cluster[] = "";
	char name[8], number[] = { (char)('1' + prng_below(p, 4)), 0 };

	(void)snprintf(name, sizeof(name), "t%d", (int)prng_below(p, 6));
	if (prng_chance(p, 1, 2)) {
		c.name = unclean;
		c.value = prng_chance(p, 1, 3) ? yes : no;
	} else {
		c.name = min;
		c.value = number;
	}
	c.op = prng_chance(p, 1, 4) ? WEIR__CONFIG_OP__CONFIG_DELETE : WEIR__CONFIG_OP__CONFIG_SET;
	r.type = prng_chance(p, 1, 8) ? IMAGE_BROKER : IMAGE_TOPIC;
	r.name = r.type == IMAGE_BROKER ? cluster : name;
	r.configs = configs;
	r.n_configs = 1;
	m.resources = resources;
	m.n_resources = 1;
	(void)ctlworld_do(w, &cmd);
}

static void walk_elect(struct ctlworld *w, struct prng *p)
{
	Weir__ElectLeaders m = WEIR__ELECT_LEADERS__INIT;
	struct ctl_cmd cmd = { .kind = CTL_ELECT_LEADERS, .elect_leaders = &m };

	m.type = prng_chance(p, 1, 4);
	m.has_all = m.all = true;
	if (prng_chance(p, 1, 2))
		cmd.kind = prng_chance(p, 1, 2) ? CTL_REBALANCE : CTL_ELECT_LEADERLESS;
	(void)ctlworld_do(w, &cmd);
}

/* Two partitions to anywhere, or back. */
static void walk_reassign(struct ctlworld *w, struct prng *p)
{
	const struct image *im = w->ctl.image;
	Weir__ReassignPartitions m = WEIR__REASSIGN_PARTITIONS__INIT;
	Weir__ReassignPartition one[2], *v[] = { &one[0], &one[1] };
	Weir__BrokerIds ids[2];
	int32_t to[2][8];
	struct ctl_cmd cmd = { .kind = CTL_REASSIGN, .reassign = &m };

	if (im->n_topics == 0)
		return;
	for (int i = 0; i < 2; i++) {
		const struct image_topic *t = im->topics[prng_below(p, (uint64_t)im->n_topics)];

		one[i] = (Weir__ReassignPartition)WEIR__REASSIGN_PARTITION__INIT;
		ids[i] = (Weir__BrokerIds)WEIR__BROKER_IDS__INIT;
		one[i].topic = (char *)(uintptr_t)t->name.at;
		one[i].partition = (int32_t)prng_below(p, (uint64_t)t->n_partitions);
		ids[i].id = to[i];
		for (int32_t id = 1; id <= 5; id++)
			if (prng_chance(p, 1, 2))
				to[i][ids[i].n_id++] = id;
		one[i].replicas = prng_chance(p, 1, 4) ? NULL : &ids[i];
	}
	m.partitions = v;
	m.n_partitions = 2;
	(void)ctlworld_do(w, &cmd);
}

static void walk_step(struct ctlworld *w, struct prng *p)
{
	Weir__UnregisterBroker m = WEIR__UNREGISTER_BROKER__INIT;
	struct ctl_cmd unregister = { .kind = CTL_UNREGISTER, .unregister = &m };
	Weir__HoldBroker h = WEIR__HOLD_BROKER__INIT;
	struct ctl_cmd hold = { .kind = CTL_HOLD, .hold = &h };
	int32_t id;

	switch (prng_below(p, 14)) {
	case 0:
	case 1:
		id = any_broker(p);
		w->previous_epoch = prng_chance(p, 1, 2) ? ctlworld_epoch(w, id) : -1;
		ctlworld_register(w, id, prng_chance(p, 1, 2) ? "a" : NULL, prng_chance(p, 3, 4),
				  prng_chance(p, 1, 4));
		return;
	case 2:
	case 3:
	case 4: ctlworld_broker(w, CTL_UNFENCE, any_broker(p), "caught up"); return;
	case 5: ctlworld_broker(w, CTL_FENCE, any_broker(p), "connection closed"); return;
	case 6: ctlworld_broker(w, CTL_BEGIN_SHUTDOWN, any_broker(p), "leaves"); return;
	case 7: walk_topic(w, p); return;
	case 8:
	case 9: walk_alter(w, p); return;
	case 10: walk_config(w, p); return;
	case 11: walk_reassign(w, p); return;
	case 12:
		h.id = any_broker(p);
		h.held = prng_chance(p, 1, 4);
		(void)ctlworld_do(w, &hold);
		return;
	default:
		m.id = any_broker(p);
		if (prng_chance(p, 1, 10))
			(void)ctlworld_do(w, &unregister);
		else
			walk_elect(w, p);
	}
}

TEST(any_sequence_keeps_the_invariants_and_replays)
{
	int64_t records = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct ctlworld w;
		struct prng p;

		ctlworld_init(&w);
		w.seed = seed * 1000;
		prng_seed(&p, seed);
		for (int32_t id = 1; id <= 4; id++) {
			ctlworld_register(&w, id, NULL, true, false);
			ctlworld_broker(&w, CTL_UNFENCE, id, "caught up");
		}
		for (int i = 0; i < STEPS; i++)
			walk_step(&w, &p);
		if (!ctlworld_replays(&w))
			FAIL("seed %d: the log gives another state", (int)seed);
		records += w.n_log;
		ctlworld_fini(&w);
	}
	EXPECT(records > SEEDS * STEPS / 2);
}

/* Placement: over many topics every broker gets its share, and no rack two replicas before every
 * rack has one. */
TEST(placement_spreads_over_racks_and_brokers)
{
	struct ctlworld w;
	int32_t leads[7] = { 0 }, holds[7] = { 0 };
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t = WEIR__CREATE_TOPIC__INIT, *topics[] = { &t };
	struct ctl_cmd cmd = { .kind = CTL_CREATE_TOPICS, .create_topics = &m };

	ctlworld_init(&w);
	for (int32_t id = 1; id <= 6; id++) {
		ctlworld_register(&w, id, id % 3 == 0 ? "a" : id % 3 == 1 ? "b" : "c", true, false);
		ctlworld_broker(&w, CTL_UNFENCE, id, "caught up");
	}
	t.name = (char[]){ "t" };
	t.partitions = 60;
	t.replication_factor = 3;
	m.topics = topics;
	m.n_topics = 1;
	EXPECT(ctlworld_do(&w, &cmd) != NULL);
	for (int32_t i = 0; i < 60; i++) {
		const struct image_partition *p = ctlworld_partition(&w, STR("t"), i);
		int racks = 0;

		leads[p->replicas.v[0]]++;
		for (int32_t k = 0; k < 3; k++) {
			holds[p->replicas.v[k]]++;
			racks |= 1 << (p->replicas.v[k] % 3);
		}
		EXPECT_EQ(racks, 7);
	}
	for (int32_t id = 1; id <= 6; id++) {
		EXPECT_EQ(leads[id], 10);
		EXPECT_EQ(holds[id], 30);
	}
	ctlworld_fini(&w);
}

/* What the brokers' heartbeats lead to. */
TEST(heartbeats_ask_for_transitions)
{
	struct ctlworld w;
	Weir__Heartbeat m = WEIR__HEARTBEAT__INIT;
	int32_t code;

	ctlworld_init(&w);
	m.id = 1;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	EXPECT_EQ(code, KERR_BROKER_ID_NOT_REGISTERED);
	ctlworld_register(&w, 1, NULL, true, false);
	m.metadata_offset = 0;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	m.metadata_offset = 1;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_UNFENCE);
	m.has_want_fence = m.want_fence = true;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	ctlworld_broker(&w, CTL_UNFENCE, 1, "caught up");
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_FENCE);
	m.want_fence = false;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	m.n_offline_log_dirs = 1; /* all it has */
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_FENCE);
	m.n_offline_log_dirs = 0;
	m.has_want_shutdown = m.want_shutdown = true;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_BEGIN_SHUTDOWN);
	ctlworld_broker(&w, CTL_BEGIN_SHUTDOWN, 1, "leaves");
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	m.broker_epoch = 7;
	EXPECT_EQ(ctl_heartbeat(&w.ctl, &m, &code), CTL_BEAT_NOTHING);
	EXPECT_EQ(code, KERR_STALE_BROKER_EPOCH);
	ctlworld_fini(&w);
}
