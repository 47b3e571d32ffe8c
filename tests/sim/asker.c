/* asker.c - asks leaders what consumers ask before they read: where a log begins and ends, which
 * record is the first of a time, where a leader epoch ended.  What a leader says that the
 * controller means, too, is held against the truth. */
#include <stdio.h>

#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/list_offsets.h"
#include "kafka/offset_for_leader_epoch.h"
#include "tests/sim/client.h"
#include "tests/sim/rules.h"

#define EVERY_MS 200
#define LIST_VERSION 7 /* the first that knows MAX */
#define EPOCH_VERSION 4

enum { LATEST = -1, EARLIEST = -2, MAX = -3 };

struct asker {
	struct client client;
	struct timer next;
	bool is_asking;
	int topic, partition, broker;
	int64_t timestamp;
	int32_t epoch, newest; /* asked for, and the leader's */
};

static void on_start(void *asker, void *unused);
static void on_next(void *asker);
static bool is_idle(const void *asker, char *why, size_t cap);
static void ask_offset(struct asker *);
static void ask_epoch(struct asker *);
static void on_offset(void *asker, enum err, const void *reply);
static void on_epoch(void *asker, enum err, const void *reply);

struct client *asker_new(struct cluster *cluster, const char *name)
{
	struct asker *a = mem_alloc(sizeof(*a));

	client_init(&a->client, cluster, name);
	a->client.arg = a;
	a->client.is_idle = is_idle;
	timer_init(&a->next, on_next, a);
	actor_do(&a->client.machine->actor[0], on_start, a, NULL);
	return &a->client;
}

static void on_start(void *arg, void *unused)
{
	struct asker *a = arg;

	(void)unused;
	client_start(&a->client);
	timer_after_ms(a->client.env, &a->next, EVERY_MS);
}

static bool is_idle(const void *arg, char *why, size_t cap)
{
	const struct asker *a = arg;

	if (a->is_asking)
		snprintf(why, cap, "%s has no answer", a->client.machine->name);
	return !a->is_asking;
}

static void on_next(void *arg)
{
	struct asker *a = arg;
	struct prng *p = &a->client.env->prng;
	const struct cluster *c = a->client.cluster;

	if (c->is_quiet)
		return;
	timer_after_ms(a->client.env, &a->next, 1 + (int64_t)prng_below(p, 2 * EVERY_MS));
	if (a->is_asking)
		return;
	a->topic = (int)prng_below(p, (uint64_t)c->n_topics);
	a->partition = (int)prng_below(p, (uint64_t)c->topic[a->topic].n_partitions);
	a->broker = a->client.leader[a->topic][a->partition];
	if (a->broker < 0)
		return;
	a->is_asking = true;
	if (prng_chance(p, 1, 3))
		ask_epoch(a);
	else
		ask_offset(a);
}

static void ask_offset(struct asker *a)
{
	struct prng *p = &a->client.env->prng;
	struct list_offsets_request q;
	struct list_offsets_request_topic topic;
	struct list_offsets_request_partition part;
	int64_t now = env_wall_ms(a->client.env), kinds[] = { LATEST, EARLIEST, MAX, now };

	a->timestamp = kinds[prng_below(p, ARRAY_LEN(kinds))];
	if (a->timestamp >= 0)
		a->timestamp -= (int64_t)prng_below(p, 5000);
	schema_init(&list_offsets_request_schema, &q);
	schema_init(&list_offsets_request_topic_schema, &topic);
	schema_init(&list_offsets_request_partition_schema, &part);
	part.partition_index = a->partition;
	part.current_leader_epoch = a->client.epoch[a->topic][a->partition];
	part.timestamp = a->timestamp;
	topic.name = str_of(a->client.cluster->topic[a->topic].name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.replica_id = -1;
	q.topics = &topic;
	q.n_topics = 1;
	client_ask(&a->client, a->broker, API_LIST_OFFSETS, LIST_VERSION, &q, on_offset, a);
}

static void ask_epoch(struct asker *a)
{
	struct offset_for_leader_epoch_request q;
	struct offset_for_leader_epoch_request_topic topic;
	struct offset_for_leader_epoch_request_partition part;

	a->newest = a->client.epoch[a->topic][a->partition];
	a->epoch = (int32_t)prng_below(&a->client.env->prng, (uint64_t)a->newest + 1);
	schema_init(&offset_for_leader_epoch_request_schema, &q);
	schema_init(&offset_for_leader_epoch_request_topic_schema, &topic);
	schema_init(&offset_for_leader_epoch_request_partition_schema, &part);
	part.partition = a->partition;
	part.current_leader_epoch = a->newest;
	part.leader_epoch = a->epoch;
	topic.topic = str_of(a->client.cluster->topic[a->topic].name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	client_ask(&a->client, a->broker, API_OFFSET_FOR_LEADER_EPOCH, EPOCH_VERSION, &q, on_epoch,
		   a);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* NULL: nothing can be said of such an answer. */
static const struct truth *truth_for(const struct asker *a, enum err e, int16_t code)
{
	const struct sim_topic *t = &a->client.cluster->topic[a->topic];

	if (!e && code != KERR_NONE && !client_retries(code))
		rule_broken(14, "%s-%d: a question was refused: %s", t->name, a->partition,
			    kerr_text(code));
	if (e || code != KERR_NONE || t->is_unclean || t->may_go ||
	    !cluster_leads(a->client.cluster, a->broker, t, a->partition))
		return NULL;
	return &t->truth[a->partition];
}

static void on_offset(void *arg, enum err e, const void *reply)
{
	struct asker *a = arg;
	const struct list_offsets_response *r = reply;
	const struct list_offsets_response_partition *p = e ? NULL : r->topics[0].partitions;
	const struct truth *truth = truth_for(a, e, p ? p->error_code : 0);
	const char *name = a->client.cluster->topic[a->topic].name;

	a->is_asking = false;
	if (!p || p->error_code != KERR_NONE)
		client_refresh(&a->client);
	if (!truth)
		return;
	if (p->offset > truth->high_watermark)
		rule_broken(14, "%s-%d: asked for %lld a leader says %lld, committed are %lld",
			    name, a->partition, (long long)a->timestamp, (long long)p->offset,
			    (long long)truth->high_watermark);
	if (a->timestamp == EARLIEST && p->offset > truth->log_start)
		rule_broken(14, "%s-%d: the log begins at %lld, a leader says %lld", name,
			    a->partition, (long long)truth->log_start, (long long)p->offset);
	if (a->timestamp >= 0 && p->offset >= 0 && p->timestamp < a->timestamp)
		rule_broken(53, "%s-%d: asked for the time %lld, answered %lld of %lld", name,
			    a->partition, (long long)a->timestamp, (long long)p->offset,
			    (long long)p->timestamp);
}

/* What comes before the end is of that epoch or an older one, what comes at it of a newer one; the
 * newest epoch has no end yet. */
static void on_epoch(void *arg, enum err e, const void *reply)
{
	struct asker *a = arg;
	const struct offset_for_leader_epoch_response *r = reply;
	const struct offset_for_leader_epoch_response_partition *p =
		e ? NULL : r->topics[0].partitions;
	const struct truth *truth = truth_for(a, e, p ? p->error_code : 0);

	a->is_asking = false;
	if (!p || p->error_code != KERR_NONE)
		client_refresh(&a->client);
	if (!truth || a->epoch == a->newest || p->leader_epoch == a->newest ||
	    p->end_offset <= truth->log_start || p->end_offset >= truth->n)
		return;
	for (int64_t at = p->end_offset - 1; at <= p->end_offset; at++) {
		const struct fact *f = truth_at(truth, at);
		bool is_after = at == p->end_offset;

		if (f->base_offset != UNSEEN && (f->epoch > a->epoch) != is_after)
			rule_broken(10,
				    "%s-%d: epoch %d ends at %lld, says a leader; the record "
				    "at %lld is of epoch %d",
				    a->client.cluster->topic[a->topic].name, a->partition, a->epoch,
				    (long long)p->end_offset, (long long)at, f->epoch);
	}
}
