/* consumer.c - reads every partition of every topic from the beginning, and believes nothing. */
#include <stdio.h>

#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/fetch.h"
#include "tests/sim/client.h"

#define WAIT_MS 200
#define FETCH_BYTES (64 << 10)

struct reading {
	int64_t offset; /* next */
};
struct round { /* one request at a time to each broker */
	struct consumer *consumer;
	int broker;
	bool is_in_flight;
};
struct consumer {
	struct client client;
	struct reading reading[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
	struct round round[SIM_BROKERS_MAX];
	struct timer retry;
};

static void on_start(void *consumer, void *unused);
static void on_news(void *consumer);
static bool is_idle(const void *consumer, char *why, size_t cap);
static void fetch(struct round *);
static void on_reply(void *round, enum err, const void *reply);
static bool take(struct consumer *, int topic, const struct fetch_response_partition *);
static void take_records(struct consumer *, int topic, const struct fetch_response_partition *);

struct client *consumer_new(struct cluster *cluster, const char *name)
{
	struct consumer *c = mem_alloc(sizeof(*c));

	client_init(&c->client, cluster, name);
	c->client.on_news = on_news;
	c->client.arg = c;
	c->client.is_idle = is_idle;
	timer_init(&c->retry, on_news, c);
	for (int i = 0; i < SIM_BROKERS_MAX; i++)
		c->round[i] = (struct round){ .consumer = c, .broker = i };
	actor_do(&c->client.machine->actor[0], on_start, c, NULL);
	return &c->client;
}

static void on_start(void *arg, void *unused)
{
	struct consumer *c = arg;

	(void)unused;
	client_start(&c->client);
}

static bool is_idle(const void *arg, char *why, size_t cap)
{
	const struct consumer *c = arg;

	for (int t = 0; t < c->client.cluster->n_topics; t++)
		for (int i = 0; i < c->client.cluster->topic[t].n_partitions; i++) {
			const struct sim_topic *topic = &c->client.cluster->topic[t];

			if (c->reading[t][i].offset >= topic->truth[i].n)
				continue;
			snprintf(why, cap, "%s read %s-%d up to %lld of %lld",
				 c->client.machine->name, topic->name, i,
				 (long long)c->reading[t][i].offset, (long long)topic->truth[i].n);
			return false;
		}
	return true;
}

static void on_news(void *arg)
{
	struct consumer *c = arg;

	for (int i = 0; i < c->client.cluster->n_brokers; i++)
		fetch(&c->round[i]);
}

static void fetch(struct round *r)
{
	struct consumer *c = r->consumer;
	struct fetch_request q;
	struct fetch_request_topic topics[SIM_TOPICS_MAX];
	struct fetch_request_partition parts[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
	int n = 0;

	if (r->is_in_flight)
		return;
	schema_init(&fetch_request_schema, &q);
	for (int t = 0; t < c->client.cluster->n_topics; t++) {
		schema_init(&fetch_request_topic_schema, &topics[t]);
		topics[t].topic = str_of(c->client.cluster->topic[t].name);
		topics[t].topic_id = c->client.cluster->topic[t].id;
		topics[t].partitions = parts[t];
		for (int i = 0; i < c->client.cluster->topic[t].n_partitions; i++) {
			struct fetch_request_partition *p = &parts[t][topics[t].n_partitions];

			if (c->client.leader[t][i] != r->broker)
				continue;
			schema_init(&fetch_request_partition_schema, p);
			p->partition = i;
			p->current_leader_epoch = c->client.epoch[t][i];
			p->fetch_offset = c->reading[t][i].offset;
			p->partition_max_bytes = FETCH_BYTES;
			topics[t].n_partitions++;
			n++;
		}
	}
	if (n == 0)
		return;
	q.max_wait_ms = WAIT_MS;
	q.min_bytes = 1;
	q.topics = topics;
	q.n_topics = c->client.cluster->n_topics;
	r->is_in_flight = true;
	client_ask(&c->client, r->broker, API_FETCH, c->client.fetch_version, &q, on_reply, r);
}

static int topic_of(const struct cluster *c, const struct fetch_response_topic *r)
{
	for (int t = 0; t < c->n_topics; t++)
		if (str_eq(r->topic, str_of(c->topic[t].name)) ||
		    (!uuid_is_zero(r->topic_id) && uuid_eq(r->topic_id, c->topic[t].id)))
			return t;
	story_fail(EXIT_SAFETY, "a reply names the topic %.*s", (int)r->topic.n, r->topic.at);
}

static void on_reply(void *arg, enum err e, const void *reply)
{
	struct round *r = arg;
	struct consumer *c = r->consumer;
	const struct fetch_response *f = reply;
	bool is_good = !e && f->error_code == KERR_NONE;

	r->is_in_flight = false;
	for (int32_t k = 0; is_good && k < f->n_responses; k++) {
		int t = topic_of(c->client.cluster, &f->responses[k]);

		for (int32_t i = 0; i < f->responses[k].n_partitions; i++)
			is_good &= take(c, t, &f->responses[k].partitions[i]);
	}
	if (is_good) {
		fetch(r);
		return;
	}
	client_refresh(&c->client);
	if (!c->retry.set)
		timer_after_ms(c->client.env, &c->retry, RETRY_MS);
}

/* False: metadata should be asked for. */
static bool take(struct consumer *c, int topic, const struct fetch_response_partition *part)
{
	const struct sim_topic *t = &c->client.cluster->topic[topic];
	struct reading *r = &c->reading[topic][part->partition_index];

	if (part->error_code == KERR_NONE) {
		take_records(c, topic, part);
		return true;
	}
	if (part->error_code == KERR_OFFSET_OUT_OF_RANGE) {
		const struct truth *truth = &t->truth[part->partition_index];

		if (!t->is_unclean && r->offset >= truth->log_start)
			story_fail(EXIT_SAFETY,
				   "%s-%d: offset %lld, once below the high watermark, is out of "
				   "range",
				   t->name, part->partition_index, (long long)r->offset);
		r->offset = truth->log_start;
	} else if (!client_retries(part->error_code)) {
		story_fail(EXIT_SAFETY, "a consumer was refused: %s", kerr_text(part->error_code));
	}
	return false;
}

static void take_records(struct consumer *c, int topic, const struct fetch_response_partition *part)
{
	struct cluster *cluster = c->client.cluster;
	struct sim_topic *t = &cluster->topic[topic];
	struct reading *r = &c->reading[topic][part->partition_index];
	const uint8_t *at = part->records.at;
	int64_t left = part->records.n;
	struct batch b;

	while (left > 0 && batch_view(&b, at, left) == BATCH_OK && b.size <= left) {
		struct record_walk walk;
		struct record record;

		record_walk_init(&walk, &b, b.at + BATCH_HEADER_BYTES,
				 (size_t)(b.size - BATCH_HEADER_BYTES));
		while (record_walk_next(&walk, &record)) {
			uint64_t value;

			if (record.offset < r->offset)
				continue;
			if (record.offset != r->offset && t->is_unclean)
				return; /* asked before records were lost */
			if (record.offset != r->offset)
				story_fail(EXIT_SAFETY, "%s-%d: offset %lld comes after %lld",
					   t->name, part->partition_index, (long long)record.offset,
					   (long long)r->offset - 1);
			memcpy(&value, record.value.at, sizeof(value));
			check_read(cluster, t, part->partition_index, record.offset, value);
			r->offset++;
		}
		at += b.size;
		left -= b.size;
	}
}
