/* producer.c - makes batches, compressed or not, and sends them until they are acknowledged, in
 * order.
 *
 * Plain: one batch of a partition in flight, sent again after any failure (so it may be written
 * twice).  Idempotent: up to five in flight; after a failure it waits until all in flight are
 * back, then sends again from the first unacknowledged one, with the sequences of before.
 *
 * As librdkafka does, it takes an acknowledged batch for a proof that those before it are written;
 * as the Java client does, it goes on at a new leader at once, with as many in flight as before.
 * Not so in an epoch that it did not begin at sequence 0: of that nobody could tell what was
 * written long ago from what is missing. */
#include <stdio.h>

#include "broker/shard/partition.h"
#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/init_producer_id.h"
#include "kafka/produce.h"
#include "tests/sim/client.h"
#include "tests/sim/rules.h"

#define IN_FLIGHT_MAX 5
#define BATCH_BYTES 4096
#define RECORDS_MAX 4
#define PADDING_MAX 200
#define INIT_VERSION 4
#define REQUEST_MS 1500
#define WHY_BYTES 160
#define EPOCH_ODDS 30 /* a new producer epoch in so many batches, when none is under way */
#define ZSTD_VERSION 7

struct made { /* a batch */
	struct list node;
	struct lane *lane;
	uint64_t first_value; /* its records have this and the following ones */
	int n_records;
	int32_t sequence; /* of its first record */
	int acks;
	bool is_in_flight;
	int broker; /* asked last */
	size_t n;
	uint8_t at[BATCH_BYTES];
};
struct lane { /* to one partition */
	struct producer *producer;
	int partition;
	struct list made; /* oldest first */
	int n_in_flight;
	bool is_rewinding; /* nothing new until all in flight are back */
	int32_t next_sequence;
};
struct producer {
	struct client client;
	struct producer_options o;
	int number;
	int64_t id; /* -1: none yet, or plain */
	int16_t epoch;
	bool is_old; /* the epoch began near the end of the sequences */
	int n_made;
	uint64_t next_value;
	struct lane lane[SIM_PARTITIONS_MAX];
	struct timer next, retry;
};

static void on_start(void *producer, void *unused);
static void on_next(void *producer);
static void pack(struct producer *, struct made *);
static void ask_for_id(struct producer *);
static void on_retry(void *producer);
static void on_news(void *producer);
static bool is_idle(const void *producer, char *why, size_t cap);
static void pump(struct lane *);
static void send_batch(struct lane *, struct made *, int broker);
static void on_reply(void *batch, enum err, const void *reply);
static void check_is_there(const struct made *);
static void on_acked(struct made *, int64_t offset);
static void check_earlier(const struct made *);
static void on_refused(struct made *, enum err, int16_t code);

struct client *producer_new(struct cluster *cluster, const char *name,
			    const struct producer_options *o)
{
	struct producer *p = mem_alloc(sizeof(*p));

	p->o = *o;
	p->number = cluster->n_clients;
	p->id = -1;
	p->next_value = (uint64_t)p->number << 32;
	client_init(&p->client, cluster, name);
	p->client.on_news = on_news;
	p->client.arg = p;
	p->client.is_idle = is_idle;
	timer_init(&p->next, on_next, p);
	timer_init(&p->retry, on_retry, p);
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++) {
		p->lane[i] = (struct lane){ .producer = p, .partition = i };
		list_init(&p->lane[i].made);
	}
	actor_do(&p->client.machine->actor[0], on_start, p, NULL);
	return &p->client;
}

static void on_start(void *arg, void *unused)
{
	struct producer *p = arg;

	(void)unused;
	client_start(&p->client);
	timer_after_ms(p->client.env, &p->next, 100);
}

static bool is_idle(const void *arg, char *why, size_t cap)
{
	const struct producer *p = arg;

	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		if (!list_empty(&p->lane[i].made)) {
			snprintf(why, cap, "%s waits for partition %d", p->client.machine->name, i);
			return false;
		}
	return true;
}

/* ---- making --------------------------------------------------------------------------------- */

/* They go from 0 to 2^31 - 1 and begin anew. */
static int32_t sequence_after(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

static bool is_sequence_before(int32_t a, int32_t b)
{
	return a != b && (((uint32_t)b - (uint32_t)a) & INT32_MAX) < (1u << 30);
}

static void fill(struct producer *p, struct lane *lane, struct made *m)
{
	uint8_t bytes[sizeof(uint64_t) + PADDING_MAX] = { 0 };
	struct prng *prng = &p->client.env->prng;
	int64_t now = env_wall_ms(p->client.env);
	struct batch_builder b;

	batch_builder_init(&b, m->at, sizeof(m->at));
	b.head.producer_id = -1;
	b.head.producer_epoch = -1;
	b.head.base_sequence = -1;
	if (p->o.is_idempotent) {
		b.head.producer_id = p->id;
		b.head.producer_epoch = p->epoch;
		b.head.base_sequence = lane->next_sequence;
	}
	m->first_value = p->next_value;
	m->n_records = 1 + (int)prng_below(prng, RECORDS_MAX);
	for (int i = 0; i < m->n_records; i++) {
		struct record r = { .timestamp_ms = now };
		bool is_in;

		memcpy(bytes, &p->next_value, sizeof(p->next_value));
		p->next_value++;
		r.value = (struct str){ (const char *)bytes,
					sizeof(uint64_t) + prng_below(prng, PADDING_MAX) };
		is_in = batch_builder_add(&b, &r);
		ASSERT(is_in);
	}
	m->sequence = lane->next_sequence;
	lane->next_sequence = sequence_after(lane->next_sequence, m->n_records);
	m->acks = p->o.is_mixed ? (int)prng_below(prng, 3) - 1 : p->o.acks;
	m->n = batch_builder_finish(&b);
	ASSERT(m->n > 0);
	pack(p, m);
}

/* All five codecs, in any order; what would grow stays as it is. */
static void pack(struct producer *p, struct made *m)
{
	struct cluster *c = p->client.cluster;
	int codec = (int)prng_below(&p->client.env->prng, CODECS);
	enum batch_state state;
	struct batch b;
	struct str plain = { (const char *)m->at + BATCH_HEADER_BYTES, m->n - BATCH_HEADER_BYTES };

	if (codec == CODEC_NONE ||
	    (codec == CODEC_ZSTD && p->client.produce_version < ZSTD_VERSION))
		return;
	state = batch_view(&b, m->at, (int64_t)m->n);
	ASSERT(state == BATCH_OK);
	if (codec_compress(c->codec, codec, CODEC_LEVEL_DEFAULT, plain, &c->records) ||
	    c->records.n >= plain.n)
		return;
	memcpy(m->at + BATCH_HEADER_BYTES, c->records.at, c->records.n);
	m->n = BATCH_HEADER_BYTES + c->records.n;
	b.size = (int64_t)m->n;
	b.attributes = (uint16_t)((b.attributes & ~BATCH_CODEC_MASK) | codec);
	batch_seal(m->at, &b, m->at + BATCH_HEADER_BYTES, c->records.n);
}

static void begin_epoch(struct producer *p, int16_t epoch)
{
	p->epoch = epoch;
	p->is_old = false;
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		p->lane[i].next_sequence = 0;
}

/* As a client does that gave up a batch: the next epoch, and a new id after the last one. */
static void maybe_begin_epoch(struct producer *p)
{
	char why[WHY_BYTES];

	if (p->id < 0 || !is_idle(p, why, sizeof(why)) ||
	    !prng_chance(&p->client.env->prng, 1, EPOCH_ODDS))
		return;
	if (p->epoch == INT16_MAX)
		p->id = -1;
	else
		begin_epoch(p, (int16_t)(p->epoch + 1));
}

static void on_id(void *arg, enum err e, const void *reply)
{
	struct producer *p = arg;
	const struct init_producer_id_response *r = reply;

	timer_after_ms(p->client.env, &p->next, RETRY_MS);
	if (e || r->error_code != KERR_NONE)
		return;
	p->id = r->producer_id;
	begin_epoch(p, r->producer_epoch);
	p->is_old = prng_chance(&p->client.env->prng, 1, 4); /* as one that has run for long */
	if (p->is_old) {
		p->epoch = INT16_MAX - 1;
		for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
			p->lane[i].next_sequence = INT32_MAX - 20 - i;
	}
	for (int i = 0; i < p->client.cluster->n_ids; i++) /* 28 */
		if (p->client.cluster->id[i] == p->id)
			rule_broken(28, "the producer id %lld", (long long)p->id);
	ASSERT(p->client.cluster->n_ids < SIM_IDS_MAX);
	p->client.cluster->id[p->client.cluster->n_ids++] = p->id;
}

static void ask_for_id(struct producer *p)
{
	struct init_producer_id_request q;
	struct client *c = &p->client;

	schema_init(&init_producer_id_request_schema, &q);
	client_ask(c, (int)prng_below(&c->env->prng, (uint64_t)c->cluster->n_brokers),
		   API_INIT_PRODUCER_ID, INIT_VERSION, &q, on_id, p);
}

static void on_next(void *arg)
{
	struct producer *p = arg;
	struct prng *prng = &p->client.env->prng;
	const struct sim_topic *t = &p->client.cluster->topic[p->o.topic];
	struct lane *lane = &p->lane[prng_below(prng, (uint64_t)t->n_partitions)];
	struct made *m;

	if (p->n_made == p->o.n_batches || p->client.cluster->is_quiet)
		return;
	maybe_begin_epoch(p);
	if (p->o.is_idempotent && p->id < 0) {
		ask_for_id(p);
		return;
	}
	p->n_made++;
	m = mem_alloc(sizeof(*m));
	m->lane = lane;
	list_push_back(&lane->made, &m->node);
	fill(p, lane, m);
	pump(lane);
	p->client.env->ops->timer_set(
		p->client.env, &p->next,
		env_mono_us(p->client.env) +
			(int64_t)prng_below(prng, (uint64_t)p->o.pause_us * 2));
}

/* ---- sending -------------------------------------------------------------------------------- */

static void on_news(void *arg)
{
	struct producer *p = arg;

	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		pump(&p->lane[i]);
}

static void on_retry(void *arg)
{
	on_news(arg);
}

static void pump(struct lane *lane)
{
	struct producer *p = lane->producer;
	int broker = p->client.leader[p->o.topic][lane->partition];
	int max = p->o.is_idempotent ? IN_FLIGHT_MAX : 1;

	if (lane->is_rewinding && lane->n_in_flight > 0)
		return;
	lane->is_rewinding = false;
	if (broker < 0) {
		if (!list_empty(&lane->made))
			client_refresh(&p->client);
		return;
	}
	LIST_FOR (m, &lane->made, struct made, node)
		max -= m->is_in_flight && (m->broker == broker || !p->o.is_idempotent);
	LIST_FOR (m, &lane->made, struct made, node) {
		if (max <= 0)
			return;
		if (m->is_in_flight && m->broker != broker && p->is_old)
			return;
		if (m->is_in_flight)
			continue;
		max -= m->acks != 0;
		send_batch(lane, m, broker);
	}
}

static void send_batch(struct lane *lane, struct made *m, int broker)
{
	struct producer *p = lane->producer;
	struct produce_request q;
	struct produce_request_topic topic;
	struct produce_request_partition part;

	schema_init(&produce_request_schema, &q);
	schema_init(&produce_request_topic_schema, &topic);
	schema_init(&produce_request_partition_schema, &part);
	part.index = lane->partition;
	part.records.at = m->at;
	part.records.n = (int32_t)m->n;
	topic.name = str_of(p->client.cluster->topic[p->o.topic].name);
	topic.topic_id = p->client.id[p->o.topic];
	topic.partition_data = &part;
	topic.n_partition_data = 1;
	q.acks = (int16_t)m->acks;
	q.timeout_ms = REQUEST_MS;
	q.topic_data = &topic;
	q.n_topic_data = 1;
	m->broker = broker;
	client_ask(&p->client, broker, API_PRODUCE, p->client.produce_version, &q,
		   m->acks == 0 ? NULL : on_reply, m);
	if (m->acks == 0) {
		list_remove(&m->node);
		mem_free(m);
		return;
	}
	m->is_in_flight = true;
	lane->n_in_flight++;
}

static void on_reply(void *arg, enum err e, const void *reply)
{
	struct made *m = arg;
	struct lane *lane = m->lane;
	const struct produce_response *r = reply;
	const struct produce_response_partition *part = NULL;

	m->is_in_flight = false;
	lane->n_in_flight--;
	if (!e) {
		if (r->n_responses != 1 || r->responses[0].n_partition_responses != 1)
			story_fail(EXIT_SAFETY, "a reply to one partition speaks of others");
		part = &r->responses[0].partition_responses[0];
	}
	if (!part ||
	    (part->error_code != KERR_NONE && part->error_code != KERR_DUPLICATE_SEQUENCE_NUMBER)) {
		on_refused(m, e, part ? part->error_code : 0);
		return;
	}
	/* A duplicate of long ago: where it is written is forgotten. */
	if (part->error_code != KERR_NONE)
		check_is_there(m);
	on_acked(m, part->error_code == KERR_NONE ? part->base_offset : -1);
	pump(lane);
}

static void check_is_there(const struct made *m)
{
	const struct producer *p = m->lane->producer;
	const struct sim_topic *t = &p->client.cluster->topic[p->o.topic];

	if (!t->is_unclean && !check_may_be_committed(t, m->lane->partition, m->first_value))
		story_fail(EXIT_SAFETY, "%s-%d: %s: sequence %d is a duplicate of nothing", t->name,
			   m->lane->partition, p->client.machine->name, m->sequence);
}

static void on_acked(struct made *m, int64_t offset)
{
	struct producer *p = m->lane->producer;
	struct cluster *c = p->client.cluster;

	if (m->acks == -1 && offset >= 0)
		for (int i = 0; i < m->n_records; i++)
			check_acked(c, &c->topic[p->o.topic], m->lane->partition, offset + i,
				    m->first_value + (uint64_t)i);
	if (m->acks == -1)
		check_earlier(m);
	list_remove(&m->node);
	mem_free(m);
}

static void check_earlier(const struct made *m)
{
	const struct producer *p = m->lane->producer;
	const struct sim_topic *t = &p->client.cluster->topic[p->o.topic];

	if (!p->o.is_idempotent || t->is_unclean)
		return;
	LIST_FOR (earlier, &m->lane->made, struct made, node) {
		if (earlier == m)
			return;
		if (earlier->acks == -1 &&
		    !check_may_be_committed(t, m->lane->partition, earlier->first_value))
			story_fail(
				EXIT_SAFETY,
				"%s-%d: %s: sequence %d is acknowledged, %d before it is missing",
				t->name, m->lane->partition, p->client.machine->name, m->sequence,
				earlier->sequence);
	}
}

/* A leader of the past may lack what came before; one that read the producer from a snapshot may
 * have the batch and no longer know it (it is committed one day, or gone with a truncation). */
static bool may_refuse(const struct made *m)
{
	const struct producer *p = m->lane->producer;
	const struct cluster *c = p->client.cluster;
	const struct sim_topic *t = &c->topic[p->o.topic];
	const struct partition *r = cluster_replica(c, m->broker, t, m->lane->partition);
	const struct producer_entry *known = r ? producers_find(&r->producers, p->id) : NULL;

	return t->is_unclean || !cluster_leads(c, m->broker, t, m->lane->partition) ||
	       (known && known->n > 0 &&
		!is_sequence_before(known->batches[known->n - 1].last_seq, m->sequence));
}

static void on_refused(struct made *m, enum err e, int16_t code)
{
	struct lane *lane = m->lane;
	struct producer *p = lane->producer;
	const struct sim_topic *t = &p->client.cluster->topic[p->o.topic];
	bool is_first = lane->made.next == &m->node;

	p->client.cluster->n_refused++;
	/* Of a producer that came late, older batches are not known as duplicates. */
	if (code == KERR_OUT_OF_ORDER_SEQUENCE_NUMBER && is_first &&
	    check_committed_already(t, lane->partition, m->first_value)) {
		on_acked(m, -1);
		pump(lane);
		return;
	}
	if (!e && !client_retries(code) &&
	    (code != KERR_OUT_OF_ORDER_SEQUENCE_NUMBER || (is_first && !may_refuse(m))))
		story_fail(EXIT_SAFETY, "%s-%d: %s was refused: %s", t->name, lane->partition,
			   p->client.machine->name, kerr_text(code));
	lane->is_rewinding = true;
	client_refresh(&p->client);
	if (!p->retry.set)
		timer_after_ms(p->client.env, &p->retry, RETRY_MS);
}
