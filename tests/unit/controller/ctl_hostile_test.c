/* Requests made at random from their descriptors: any field may be absent, negative, empty, known
 * or strange.  Whatever they ask, the core answers, the invariants hold and the log replays. */
#include "tests/lib/test.h"
#include "tests/story/ctlworld.h"

#include "common/base/prng.h"

#define SEEDS 40
#define COMMANDS 400
#define DEPTH 4

static const char *const texts[] = {
	"t",
	"u",
	"a.b",
	"a_b",
	"",
	".",
	"1",
	"2",
	"cluster",
	"x\x80y",
	"compact",
	"delete,compact",
	"true",
	"retention.ms",
	"cleanup.policy",
	"min.insync.replicas",
	"unclean.leader.election.enable",
	"-1",
	"999999999999999999999",
};
static const int32_t numbers[] = { 0, 1, 2, 3, 4, -1, -2, 7, 17, 100, INT32_MAX, INT32_MIN };

static void fill(struct prng *, const struct image *, ProtobufCMessage *, struct arena *,
		 int depth);

static int32_t number(struct prng *p)
{
	size_t n = prng_chance(p, 1, 4) ? ARRAY_LEN(numbers) : 5;

	return numbers[prng_below(p, n)];
}

static char *text(struct prng *p)
{
	return (char *)(uintptr_t)texts[prng_below(p, ARRAY_LEN(texts))];
}

/* Often a topic's id, a broker's incarnation or its directory. */
static ProtobufCBinaryData bytes(struct prng *p, const struct image *im, struct arena *a)
{
	uint8_t *at = arena_must(a, 20);
	ProtobufCBinaryData b = { prng_chance(p, 1, 10) ? prng_below(p, 20) : 16, at };

	at[0] = (uint8_t)(1 + prng_below(p, 2));
	at[1] = (uint8_t)(1 + prng_below(p, 4));
	at[2] = (uint8_t)(at[0] == 1);
	if (im->n_topics > 0 && prng_chance(p, 2, 3))
		memcpy(at, im->topics[prng_below(p, (uint64_t)im->n_topics)]->id.b, 16);
	return b;
}

static ProtobufCMessage *sub(struct prng *p, const struct image *im,
			     const ProtobufCMessageDescriptor *d, struct arena *a, int depth)
{
	ProtobufCMessage *m = arena_must(a, d->sizeof_message);

	protobuf_c_message_init(d, m);
	fill(p, im, m, a, depth + 1);
	return m;
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
	switch ((int)f->type) {
	case PROTOBUF_C_TYPE_INT64: return sizeof(int64_t);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	default: return sizeof(int32_t);
	}
}

static void put(struct prng *p, const struct image *im, const ProtobufCFieldDescriptor *f, void *to,
		struct arena *a, int depth)
{
	switch ((int)f->type) {
	case PROTOBUF_C_TYPE_INT32: *(int32_t *)to = number(p); break;
	case PROTOBUF_C_TYPE_INT64:
		*(int64_t *)to =
			prng_chance(p, 1, 2) && im->n_brokers > 0
				? im->brokers[prng_below(p, (uint64_t)im->n_brokers)]->epoch
				: number(p);
		break;
	case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)to = prng_chance(p, 1, 3); break;
	case PROTOBUF_C_TYPE_ENUM: *(int32_t *)to = (int32_t)prng_below(p, 4); break;
	case PROTOBUF_C_TYPE_STRING: *(char **)to = text(p); break;
	case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)to = bytes(p, im, a); break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)to = sub(p, im, f->descriptor, a, depth);
		break;
	default: FAIL("%s has a type that this test does not know", f->name);
	}
}

static void put_repeated(struct prng *p, const struct image *im, const ProtobufCFieldDescriptor *f,
			 char *m, struct arena *a, int depth)
{
	size_t n = prng_below(p, prng_chance(p, 1, 20) ? 20 : 4), size = element_size(f);
	char *v = arena_must(a, n * size + 1);

	for (size_t i = 0; i < n; i++)
		put(p, im, f, v + i * size, a, depth);
	*(size_t *)(void *)(m + f->quantifier_offset) = n;
	*(void **)(void *)(m + f->offset) = v;
}

static void fill(struct prng *p, const struct image *im, ProtobufCMessage *m, struct arena *a,
		 int depth)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	char *at = (char *)m;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			if (depth < DEPTH)
				put_repeated(p, im, f, at, a, depth);
			continue;
		}
		if (f->label == PROTOBUF_C_LABEL_OPTIONAL) {
			if (prng_chance(p, 1, 3))
				continue;
			if (f->quantifier_offset != 0)
				*(protobuf_c_boolean *)(at + f->quantifier_offset) = true;
		}
		put(p, im, f, at + f->offset, a, depth);
	}
}

#define MAKE(type, descriptor)                                                                     \
	((const type *)(const void *)sub(p, w->ctl.image, &(descriptor), a, 0))

/* One that is likely to succeed, so that there is something to be hostile to. */
static void create(struct ctlworld *w, struct prng *p)
{
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t = WEIR__CREATE_TOPIC__INIT, *v[] = { &t };
	struct ctl_cmd c = { .kind = CTL_CREATE_TOPICS, .create_topics = &m };

	t.name = text(p);
	t.partitions = 3;
	t.replication_factor = 2;
	m.topics = v;
	m.n_topics = 1;
	(void)ctlworld_do(w, &c);
}

static void hostile(struct ctlworld *w, struct prng *p, struct arena *a)
{
	struct ctl_cmd c = { .kind = (enum ctl_kind)prng_below(p, CTL_ELECT_LEADERLESS + 1) };

	switch (c.kind) {
	case CTL_REGISTER:
		c.reg.m = MAKE(Weir__RegisterBroker, weir__register_broker__descriptor);
		break;
	case CTL_UNREGISTER:
		if (prng_chance(p, 9, 10))
			return;
		c.unregister = MAKE(Weir__UnregisterBroker, weir__unregister_broker__descriptor);
		break;
	case CTL_HOLD:
		if (prng_chance(p, 2, 3))
			return;
		c.hold = MAKE(Weir__HoldBroker, weir__hold_broker__descriptor);
		break;
	case CTL_FENCE:
	case CTL_UNFENCE:
	case CTL_BEGIN_SHUTDOWN:
		ctlworld_broker(w, prng_chance(p, 2, 3) ? CTL_UNFENCE : c.kind, number(p), "why");
		return;
	case CTL_ALTER_PARTITION:
		c.alter_partition = MAKE(Weir__AlterPartition, weir__alter_partition__descriptor);
		break;
	case CTL_PRODUCER_IDS:
		c.producer_ids =
			MAKE(Weir__AllocateProducerIds, weir__allocate_producer_ids__descriptor);
		break;
	case CTL_CREATE_TOPICS:
		create(w, p);
		c.create_topics = MAKE(Weir__CreateTopics, weir__create_topics__descriptor);
		break;
	case CTL_DELETE_TOPICS:
		if (prng_chance(p, 2, 3))
			return;
		c.delete_topics = MAKE(Weir__DeleteTopics, weir__delete_topics__descriptor);
		break;
	case CTL_CREATE_PARTITIONS:
		c.create_partitions =
			MAKE(Weir__CreatePartitions, weir__create_partitions__descriptor);
		break;
	case CTL_ALTER_CONFIGS:
		c.alter_configs = MAKE(Weir__AlterConfigs, weir__alter_configs__descriptor);
		break;
	case CTL_ELECT_LEADERS:
		c.elect_leaders = MAKE(Weir__ElectLeaders, weir__elect_leaders__descriptor);
		break;
	case CTL_REPORT_LOST:
		c.report_lost = MAKE(Weir__ReportLost, weir__report_lost__descriptor);
		break;
	case CTL_REASSIGN:
		c.reassign = MAKE(Weir__ReassignPartitions, weir__reassign_partitions__descriptor);
		break;
	case CTL_UPDATE_FEATURES:
		c.update_features = MAKE(Weir__UpdateFeatures, weir__update_features__descriptor);
		break;
	case CTL_ACTIVATE:
	case CTL_REBALANCE:
	case CTL_ELECT_LEADERLESS:
	case CTL_SET_VOTERS: break;
	}
	(void)ctlworld_do(w, &c);
}

TEST(no_request_breaks_the_core)
{
	int64_t records = 0;
	int topics = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct ctlworld w;
		struct arena a;
		struct prng p;

		ctlworld_init(&w);
		arena_init(&a, 64 << 20);
		prng_seed(&p, seed);
		w.seed = seed << 32;
		for (int32_t id = 1; id <= 3; id++) {
			ctlworld_register(&w, id, NULL, true, false);
			ctlworld_broker(&w, CTL_UNFENCE, id, "caught up");
		}
		for (int i = 0; i < COMMANDS; i++) {
			hostile(&w, &p, &a);
			topics += w.ctl.image->n_topics > 0;
			arena_reset(&a);
		}
		if (!ctlworld_replays(&w))
			FAIL("seed %d: the log gives another state", (int)seed);
		records += w.n_log;
		arena_fini(&a);
		ctlworld_fini(&w);
	}
	EXPECT(records > SEEDS * COMMANDS / 10);
	EXPECT(topics > SEEDS * COMMANDS / 4);
}
