/* plan_test.c - plans move what must move and nothing else, onto the least loaded, rack by rack. */
#include "controller/cli/plan.h"
#include "common/base/text.h"
#include "tests/lib/test.h"

struct fixture {
	struct cli cli;
	struct image *image;
};

static void broker(struct fixture *f, int32_t number, const char *rack, bool fenced)
{
	Weir__MetadataRecord r = WEIR__METADATA_RECORD__INIT;
	Weir__BrokerRecord b = WEIR__BROKER_RECORD__INIT;
	uint8_t id[16] = { (uint8_t)number };

	b.id = number;
	b.incarnation = (ProtobufCBinaryData){ sizeof(id), id };
	b.epoch = number;
	b.rack = (char *)(uintptr_t)rack;
	b.has_fenced = true;
	b.fenced = fenced;
	r.body_case = WEIR__METADATA_RECORD__BODY_BROKER;
	r.broker = &b;
	EXPECT_OK(image_apply(f->image, &r));
}

/* "123 231": the replicas of partitions 0 and 1, all in sync. */
static void topic(struct fixture *f, const char *name, uint8_t byte, const char *replicas)
{
	Weir__MetadataRecord r = WEIR__METADATA_RECORD__INIT;
	Weir__TopicRecord t = WEIR__TOPIC_RECORD__INIT;
	uint8_t id[16] = { byte };
	int32_t number = 0;

	t.name = (char *)(uintptr_t)name;
	t.id = (ProtobufCBinaryData){ sizeof(id), id };
	r.body_case = WEIR__METADATA_RECORD__BODY_TOPIC;
	r.topic = &t;
	EXPECT_OK(image_apply(f->image, &r));
	while (*replicas) {
		Weir__PartitionRecord p = WEIR__PARTITION_RECORD__INIT;
		size_t n = strcspn(replicas, " ");
		int32_t ids[IMAGE_REPLICAS_MAX];

		for (size_t i = 0; i < n; i++)
			ids[i] = replicas[i] - '0';
		p.topic_id = t.id;
		p.partition = number++;
		p.replicas = p.isr = ids;
		p.n_replicas = p.n_isr = n;
		p.leader = ids[0];
		r.body_case = WEIR__METADATA_RECORD__BODY_PARTITION;
		r.partition = &p;
		EXPECT_OK(image_apply(f->image, &r));
		replicas += n + (replicas[n] == ' ');
	}
}

static void set_up(struct fixture *f, const char *const *racks, int32_t n)
{
	*f = (struct fixture){ .image = image_new() };
	arena_init(&f->cli.mem, 1 << 24);
	for (int32_t i = 0; i < n; i++)
		broker(f, i + 1, racks[i], false);
}

static void tear_down(struct fixture *f)
{
	image_put(f->image);
	arena_fini(&f->cli.mem);
}

/* "t-0:124 t-1:241" */
static const char *text_of(struct fixture *f, struct plan *plan)
{
	struct text t;

	plan_sort(plan);
	text_init(&t, arena_must(&f->cli.mem, 4096), 4096);
	for (int i = 0; i < plan->n; i++) {
		text_printf(&t, "%s%.*s-%d:", i ? " " : "", (int)plan->v[i].topic.n,
			    plan->v[i].topic.at, plan->v[i].partition);
		for (int32_t k = 0; k < plan->v[i].replicas.n; k++)
			text_printf(&t, "%d", plan->v[i].replicas.v[k]);
	}
	return t.at;
}

static const char *const no_racks[] = { NULL, NULL, NULL, NULL };

TEST(a_drain_moves_only_what_the_broker_holds)
{
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 4);
	topic(&f, "t", 1, "123 231 124");
	EXPECT(plan_drain(&f.cli, f.image, 3, &plan));
	EXPECT_Z(text_of(&f, &plan), "t-0:124 t-1:241");
	tear_down(&f);
}

TEST(a_drain_with_nowhere_to_go_is_refused)
{
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 3);
	topic(&f, "t", 1, "123");
	EXPECT(!plan_drain(&f.cli, f.image, 3, &plan));
	broker(&f, 4, NULL, true); /* fenced: no place either */
	EXPECT(!plan_drain(&f.cli, f.image, 3, &plan));
	tear_down(&f);
}

TEST(a_fresh_rack_comes_before_an_even_load)
{
	static const char *const racks[] = { "a", "a", "b" };
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, racks, 3);
	topic(&f, "busy", 1, "3 3 3");
	topic(&f, "t", 2, "1");
	EXPECT(plan_factor(&f.cli, f.image, image_topic_named(f.image, STR("t")), 2, &plan));
	EXPECT_Z(text_of(&f, &plan), "t-0:13");
	tear_down(&f);
}

TEST(fewer_replicas_keep_the_first)
{
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 4);
	topic(&f, "t", 1, "123 34");
	EXPECT(plan_factor(&f.cli, f.image, image_topic_named(f.image, STR("t")), 2, &plan));
	EXPECT_Z(text_of(&f, &plan), "t-0:12");
	tear_down(&f);
}

TEST(onto_brokers_what_lies_there_stays)
{
	static const char *const names[] = { "t" };
	struct image_ids onto = { .v = { 2, 3, 4 }, .n = 3 }, few = { .v = { 2 }, .n = 1 };
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 4);
	topic(&f, "t", 1, "12 23 14");
	topic(&f, "other", 2, "11");
	EXPECT(plan_onto(&f.cli, f.image, names, 1, &onto, &plan));
	EXPECT_Z(text_of(&f, &plan), "t-0:23 t-2:42");
	EXPECT(!plan_onto(&f.cli, f.image, names, 1, &few, &plan));
	tear_down(&f);
}

/* Counts before are 6 0 0: afterwards 2 2 2, and each leads two. */
TEST(rebalancing_evens_replicas_and_leaders)
{
	int32_t replicas[4] = { 0 }, leads[4] = { 0 };
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 3);
	topic(&f, "t", 1, "1 1 1 1 1 1");
	plan_rebalance(&f.cli, f.image, &plan);
	EXPECT_EQ(plan.n, 4);
	replicas[1] = leads[1] = 6 - plan.n;
	for (int i = 0; i < plan.n; i++) {
		replicas[plan.v[i].replicas.v[0]]++;
		leads[plan.v[i].replicas.v[0]]++;
	}
	for (int b = 1; b <= 3; b++)
		EXPECT_EQ(replicas[b] * 10 + leads[b], 22);
	tear_down(&f);
}

TEST(what_is_even_stays)
{
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 3);
	topic(&f, "t", 1, "123 231 312");
	plan_rebalance(&f.cli, f.image, &plan);
	EXPECT_EQ(plan.n, 0);
	tear_down(&f);
}

TEST(a_demoted_broker_is_nowhere_first)
{
	struct plan plan = { 0 };
	struct fixture f;

	set_up(&f, no_racks, 3);
	topic(&f, "t", 1, "123 231 132");
	plan_demote(&f.cli, f.image, 1, &plan);
	EXPECT_Z(text_of(&f, &plan), "t-0:321 t-2:312");
	tear_down(&f);
}
