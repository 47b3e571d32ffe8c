/* folctl.c - the controller of a follower's story: registers whoever comes, and tells it the state
 * that the story has. */
#include "cluster/rpc.pb-c.h"
#include "tests/story/folworld.h"

#define RECORDS (3 + 1 + FOL_PARTITIONS)

const struct uuid fol_topic = { { 0x7e, 1 } };

static char story_id[] = "story", plaintext[] = "PLAINTEXT", topic_name[] = "t";

static void on_start(void *world, void *unused);
static void on_accept(void *world, struct env *, struct conn *);
static void on_call(void *world, struct rpc *, uint64_t id, const ProtobufCMessage *);
static void on_push(void *world, struct rpc *, const ProtobufCMessage *);
static void on_down(void *world, struct rpc *, enum err);
static void push_all(struct folworld *);

static const struct rpc_events events = { .down = on_down, .call = on_call, .push = on_push };

void fol_controller_begin(struct folworld *w)
{
	machine_start(w->controller);
	actor_do(&w->controller->actor[0], on_start, w, NULL);
}

static void on_start(void *x, void *unused)
{
	struct folworld *w = x;
	struct env *env = &w->controller->actor[0].env;
	struct peer_addr at = { .port = CONTROLLER_PORT };
	struct listener *listener;
	int32_t port;
	enum err e = env->peers->listen(env, &at, on_accept, w, &listener, &port);

	(void)unused;
	ASSERT(!e);
}

static void on_accept(void *x, struct env *env, struct conn *conn)
{
	struct folworld *w = x;

	w->link = rpc_accept(env, conn, &weir__request__descriptor, &events, w);
}

static void on_down(void *x, struct rpc *rpc, enum err why)
{
	struct folworld *w = x;

	(void)why;
	if (w->link == rpc)
		w->link = NULL;
}

static void on_call(void *x, struct rpc *rpc, uint64_t id, const ProtobufCMessage *m)
{
	struct folworld *w = x;
	const Weir__Request *q = (const Weir__Request *)(const void *)m;
	Weir__Response r = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__RegisteredBroker in = WEIR__REGISTERED_BROKER__INIT;

	if (q->body_case != WEIR__REQUEST__BODY_REGISTER_BROKER)
		return; /* a follower asks for nothing else that a story is about */
	memcpy(w->incarnation, q->register_broker->incarnation.data, sizeof(w->incarnation));
	in.broker_epoch = 100 + ++w->n_lives;
	in.cluster_id = story_id;
	r.status = &status;
	r.body_case = WEIR__RESPONSE__BODY_REGISTERED_BROKER;
	r.registered_broker = &in;
	(void)rpc_reply(rpc, id, &r.base);
	push_all(w);
}

/* Heartbeats: in service, whatever it says. */
static void on_push(void *x, struct rpc *rpc, const ProtobufCMessage *m)
{
	Weir__Response r = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	Weir__HeartbeatAnswer in = WEIR__HEARTBEAT_ANSWER__INIT;

	(void)x;
	(void)m;
	r.status = &status;
	r.body_case = WEIR__RESPONSE__BODY_HEARTBEAT;
	r.heartbeat = &in;
	(void)rpc_push(rpc, &r.base);
}

static void push(struct folworld *w, Weir__MetadataBatch *b)
{
	Weir__Response r = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;

	r.status = &status;
	r.body_case = WEIR__RESPONSE__BODY_METADATA;
	r.metadata = b;
	if (w->link)
		(void)rpc_push(w->link, &r.base);
}

static void fill_broker(const struct folworld *w, int32_t id, Weir__BrokerRecord *b,
			Weir__Endpoint *at, Weir__Endpoint **list, uint8_t *incarnation)
{
	static const char *const hosts[] = { "", "b1", "b2", "b3" };

	weir__endpoint__init(at);
	at->name = at->protocol = plaintext;
	at->host = (char *)(uintptr_t)hosts[id];
	at->port = KAFKA_PORT;
	*list = at;
	weir__broker_record__init(b);
	b->id = id;
	b->epoch = id == 1 ? 100 + w->n_lives : id;
	memset(incarnation, id, 16);
	if (id == 1)
		memcpy(incarnation, w->incarnation, 16);
	b->incarnation = (ProtobufCBinaryData){ 16, incarnation };
	b->n_endpoints = 1;
	b->endpoints = list;
	b->has_fenced = true;
}

static void fill_partition(const struct folworld *w, int i, Weir__PartitionRecord *p)
{
	static int32_t all[] = { 1, 2, 3 };

	weir__partition_record__init(p);
	p->topic_id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)fol_topic.b };
	p->partition = i;
	p->n_replicas = p->n_isr = ARRAY_LEN(all);
	p->replicas = p->isr = all;
	p->leader = w->partitions[i].leader;
	p->leader_epoch = w->partitions[i].leader_epoch;
	p->partition_epoch = w->partitions[i].partition_epoch;
}

/* The whole state as a snapshot. */
static void push_all(struct folworld *w)
{
	Weir__MetadataBatch batch = WEIR__METADATA_BATCH__INIT;
	Weir__MetadataRecord records[RECORDS], *list[RECORDS];
	Weir__BrokerRecord brokers[3];
	Weir__Endpoint at[3], *at_list[3];
	uint8_t incarnation[3][16];
	Weir__TopicRecord topic = WEIR__TOPIC_RECORD__INIT;
	Weir__PartitionRecord partitions[FOL_PARTITIONS];

	for (int i = 0; i < RECORDS; i++) {
		weir__metadata_record__init(&records[i]);
		list[i] = &records[i];
	}
	for (int i = 0; i < 3; i++) {
		fill_broker(w, i + 1, &brokers[i], &at[i], &at_list[i], incarnation[i]);
		records[i].body_case = WEIR__METADATA_RECORD__BODY_BROKER;
		records[i].broker = &brokers[i];
	}
	topic.name = topic_name;
	topic.id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)fol_topic.b };
	records[3].body_case = WEIR__METADATA_RECORD__BODY_TOPIC;
	records[3].topic = &topic;
	for (int i = 0; i < FOL_PARTITIONS; i++) {
		fill_partition(w, i, &partitions[i]);
		records[4 + i].body_case = WEIR__METADATA_RECORD__BODY_PARTITION;
		records[4 + i].partition = &partitions[i];
	}
	w->n_records = i64_max(w->n_records, RECORDS);
	batch.base_offset = w->n_records;
	batch.has_end_offset = batch.has_is_snapshot = batch.is_snapshot = true;
	batch.end_offset = w->n_records;
	batch.n_records = RECORDS;
	batch.records = list;
	push(w, &batch);
}

static void push_change(void *x, void *partition)
{
	struct folworld *w = x;
	int i = (int)(intptr_t)partition;
	Weir__MetadataBatch batch = WEIR__METADATA_BATCH__INIT;
	Weir__MetadataRecord record = WEIR__METADATA_RECORD__INIT, *list = &record;
	Weir__PartitionChangeRecord change = WEIR__PARTITION_CHANGE_RECORD__INIT;

	change.topic_id = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)fol_topic.b };
	change.partition = i;
	change.has_leader = true;
	change.leader = w->partitions[i].leader;
	record.body_case = WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE;
	record.partition_change = &change;
	batch.base_offset = w->n_records++;
	batch.n_records = 1;
	batch.records = &list;
	push(w, &batch);
}

void fol_push_leader(struct folworld *w, int partition)
{
	actor_do(&w->controller->actor[0], push_change, w, (void *)(intptr_t)partition);
}
