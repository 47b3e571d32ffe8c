/* consumer.c - reads every partition of every topic from the beginning, and believes nothing.
 *
 * Some fetch everything anew each time, some in incremental sessions (KIP-227): then a request
 * names only what changed since the last one.  Now and then one goes back and reads again. */
#include <stdio.h>

#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/fetch.h"
#include "tests/sim/client.h"

#define WAIT_MS 200
#define FETCH_BYTES (64 << 10)
#define SEEK_ODDS 100

struct reading {
	int64_t offset; /* next */
	int64_t first;  /* where it began */
};
struct asked_for { /* the last time; a broker's session remembers the same */
	bool is_told;
	int64_t offset;
	int32_t epoch;
};
struct round { /* one request at a time to each broker */
	struct consumer *consumer;
	int broker;
	bool is_in_flight;
	bool is_void; /* begun anew meanwhile: what the answer says of the session is of before */
	int32_t session_id, session_epoch; /* 0: a full request, which may begin a session */
	struct asked_for asked[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
};
struct request {
	struct fetch_request q;
	struct fetch_request_topic topics[SIM_TOPICS_MAX];
	struct fetch_request_partition parts[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
	struct fetch_request_forgotten_topic forgotten[SIM_TOPICS_MAX];
	int32_t gone[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
	int n_led;
};
struct consumer {
	struct client client;
	bool has_sessions;
	struct reading reading[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
	struct round round[SIM_BROKERS_MAX];
	struct timer retry;
};

static void on_start(void *consumer, void *unused);
static void on_news(void *consumer);
static void on_topic(void *consumer, int topic);
static bool is_idle(const void *consumer, char *why, size_t cap);
static void fetch(struct round *);
static void begin_session(struct round *);
static void on_reply(void *round, enum err, const void *reply);
static bool take(struct round *, int topic, const struct fetch_response_partition *);
static void take_records(struct consumer *, int topic, const struct fetch_response_partition *);

struct client *consumer_new(struct cluster *cluster, const char *name)
{
	struct consumer *c = mem_alloc(sizeof(*c));

	client_init(&c->client, cluster, name);
	c->client.on_news = on_news;
	c->client.on_topic = on_topic;
	c->client.arg = c;
	c->client.is_idle = is_idle;
	c->has_sessions = prng_chance(&c->client.env->prng, 2, 3);
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

static bool may_seek(struct consumer *c)
{
	return !c->client.cluster->is_quiet && prng_chance(&c->client.env->prng, 1, SEEK_ODDS);
}

/* In a session only what the broker does not know yet. */
static void ask_for(struct round *r, struct request *q, int t, int i)
{
	struct consumer *c = r->consumer;
	struct reading *reading = &c->reading[t][i];
	struct fetch_request_topic *topic = &q->topics[q->q.n_topics];
	struct fetch_request_partition *p = &q->parts[q->q.n_topics][topic->n_partitions];
	struct asked_for *last = &r->asked[t][i];
	int32_t epoch = c->client.epoch[t][i];

	q->n_led++;
	if (may_seek(c))
		reading->offset = reading->first;
	if (r->session_epoch > 0 && last->is_told && last->offset == reading->offset &&
	    last->epoch == epoch)
		return;
	*last = (struct asked_for){ true, reading->offset, epoch };
	schema_init(&fetch_request_partition_schema, p);
	p->partition = i;
	p->current_leader_epoch = epoch;
	p->fetch_offset = reading->offset;
	p->partition_max_bytes = FETCH_BYTES;
	topic->n_partitions++;
}

static void forget(struct round *r, struct request *q, int t, int i)
{
	struct fetch_request_forgotten_topic *topic = &q->forgotten[q->q.n_forgotten_topics_data];

	if (r->session_epoch > 0 && r->asked[t][i].is_told)
		q->gone[q->q.n_forgotten_topics_data][topic->n_partitions++] = i;
	r->asked[t][i].is_told = false;
}

static void add_topic(struct round *r, struct request *q, int t)
{
	const struct client *c = &r->consumer->client;
	struct fetch_request_topic *topic = &q->topics[q->q.n_topics];
	struct fetch_request_forgotten_topic *gone = &q->forgotten[q->q.n_forgotten_topics_data];

	schema_init(&fetch_request_topic_schema, topic);
	schema_init(&fetch_request_forgotten_topic_schema, gone);
	topic->topic = gone->topic = str_of(c->cluster->topic[t].name);
	topic->topic_id = gone->topic_id = c->id[t];
	topic->partitions = q->parts[q->q.n_topics];
	gone->partitions = q->gone[q->q.n_forgotten_topics_data];
	for (int i = 0; i < c->cluster->topic[t].n_partitions; i++)
		if (c->leader[t][i] == r->broker)
			ask_for(r, q, t, i);
		else
			forget(r, q, t, i);
	q->q.n_topics += topic->n_partitions > 0;
	q->q.n_forgotten_topics_data += gone->n_partitions > 0;
}

static void fetch(struct round *r)
{
	struct consumer *c = r->consumer;
	struct request q;

	if (r->is_in_flight)
		return;
	q.n_led = 0;
	schema_init(&fetch_request_schema, &q.q);
	q.q.topics = q.topics;
	q.q.forgotten_topics_data = q.forgotten;
	for (int t = 0; t < c->client.cluster->n_topics; t++)
		add_topic(r, &q, t);
	if (q.n_led == 0 && q.q.n_forgotten_topics_data == 0)
		return;
	q.q.max_wait_ms = WAIT_MS;
	q.q.min_bytes = 1;
	if (c->has_sessions) {
		q.q.session_id = r->session_id;
		q.q.session_epoch = r->session_epoch;
	}
	r->is_in_flight = true;
	client_ask(&c->client, r->broker, API_FETCH, c->client.fetch_version, &q.q, on_reply, r);
}

/* It begins at the beginning, and no session knows it. */
static void on_topic(void *arg, int topic)
{
	struct consumer *c = arg;

	memset(c->reading[topic], 0, sizeof(c->reading[topic]));
	for (int i = 0; i < SIM_BROKERS_MAX; i++)
		begin_session(&c->round[i]);
}

static void begin_session(struct round *r)
{
	r->session_epoch = 0;
	r->is_void = r->is_in_flight;
	for (int t = 0; t < SIM_TOPICS_MAX; t++)
		for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
			r->asked[t][i].is_told = false;
}

/* What the next request must say. */
static void follow_session(struct round *r, const struct fetch_response *f)
{
	if (!r->consumer->has_sessions)
		return;
	if (!f || f->error_code != KERR_NONE || f->session_id == 0 || r->is_void) {
		begin_session(r);
		if (!f || f->error_code == KERR_FETCH_SESSION_ID_NOT_FOUND)
			r->session_id = 0;
		return;
	}
	r->session_id = f->session_id;
	r->session_epoch = r->session_epoch == INT32_MAX ? 1 : r->session_epoch + 1;
}

/* -1: one that was deleted meanwhile. */
static int topic_of(const struct client *c, const struct fetch_response_topic *r)
{
	bool may_be_gone = false;

	for (int t = 0; t < c->cluster->n_topics; t++) {
		if (str_eq(r->topic, str_of(c->cluster->topic[t].name)) ||
		    (!uuid_is_zero(r->topic_id) && uuid_eq(r->topic_id, c->id[t])))
			return t;
		may_be_gone |= c->cluster->topic[t].may_go;
	}
	if (may_be_gone)
		return -1;
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
		int t = topic_of(&c->client, &f->responses[k]);

		for (int32_t i = 0; t >= 0 && i < f->responses[k].n_partitions; i++)
			is_good &= take(r, t, &f->responses[k].partitions[i]);
	}
	follow_session(r, e ? NULL : f); /* forgets what was asked if there is none */
	if (is_good) {
		fetch(r);
		return;
	}
	client_refresh(&c->client);
	if (!c->retry.set)
		timer_after_ms(c->client.env, &c->retry, RETRY_MS);
}

/* False: metadata should be asked for.  A leader of the past may not have what its successor had
 * deleted when we asked it where to begin. */
static bool take(struct round *round, int topic, const struct fetch_response_partition *part)
{
	struct consumer *c = round->consumer;
	const struct sim_topic *t = &c->client.cluster->topic[topic];
	struct reading *r = &c->reading[topic][part->partition_index];

	if (round->asked[topic][part->partition_index].offset != r->offset)
		return true; /* it went back, or another broker was faster */
	if (part->error_code == KERR_NONE) {
		take_records(c, topic, part);
		return true;
	}
	if (part->error_code == KERR_OFFSET_OUT_OF_RANGE) {
		const struct truth *truth = &t->truth[part->partition_index];

		if (!t->is_unclean && !t->may_go && r->offset >= truth->log_start &&
		    cluster_leads(c->client.cluster, round->broker, t, part->partition_index))
			story_fail(EXIT_SAFETY,
				   "%s-%d: offset %lld, once below the high watermark, is out of "
				   "range",
				   t->name, part->partition_index, (long long)r->offset);
		r->offset = r->first = truth->log_start;
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

		struct str records = cluster_records(cluster, &b);

		record_walk_init(&walk, &b, (const uint8_t *)records.at, records.n);
		while (record_walk_next(&walk, &record)) {
			uint64_t value;

			if (record.offset < r->offset)
				continue;
			if (record.offset != r->offset && (t->is_unclean || t->may_go))
				return; /* asked before records were lost, or of another topic */
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
