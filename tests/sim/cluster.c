#include "tests/sim/cluster.h"

#include <stdio.h>

#include "common/base/text.h"

#include "broker/shard/partition.h"
#include "tests/sim/rules.h"

#define RECORDS_BYTES_MAX ((size_t)16 << 20)

static void truth_init(struct truth *, bool is_unclean);
static void truth_fini(struct truth *);

struct cluster *cluster_new(uint64_t seed)
{
	struct cluster *c = mem_alloc(sizeof(*c));

	c->world = world_new(seed);
	c->codec = codec_state_new();
	codec_buf_init(&c->records, RECORDS_BYTES_MAX);
	prng_seed(&c->chance, seed ^ 0xc4ec);
	return c;
}

void cluster_start_all(struct cluster *c)
{
	for (int i = 0; i < c->n_controllers; i++)
		sim_node_start(c->controllers[i]);
	for (int i = 0; i < c->n_brokers; i++)
		sim_node_start(c->broker[i]);
}

static void list_controllers(const struct cluster *c, bool has_ids, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	for (int i = 0; i < c->n_controllers; i++) {
		text_printf(&t, "%s", i ? "," : "");
		if (has_ids)
			text_printf(&t, "%d@", c->controllers[i]->id);
		text_printf(&t, "%s:%d", c->controllers[i]->machine->name, CONTROLLER_PORT);
	}
	ASSERT(!t.cut);
}

void cluster_add_controllers(struct cluster *c, int n)
{
	char list[96];

	ASSERT(n <= SIM_CONTROLLERS_MAX);
	c->n_controllers = n;
	for (int i = 0; i < n; i++)
		c->controllers[i] = sim_node_add(c->world, 100 + i, true, 1);
	list_controllers(c, true, list, sizeof(list));
	for (int i = 0; i < n && n > 1; i++)
		sim_node_option(c->controllers[i], "controller.quorum.voters=%s", list);
}

void cluster_tell_controllers(const struct cluster *c, struct sim_node *broker)
{
	char list[96];

	list_controllers(c, false, list, sizeof(list));
	sim_node_option(broker, "controller.quorum.bootstrap.servers=%s", list);
}

struct sim_topic *cluster_topic(struct cluster *c, int n_partitions, int rf, int min_isr,
				bool is_unclean)
{
	struct sim_topic *t = &c->topic[c->n_topics];

	ASSERT(c->n_topics < SIM_TOPICS_MAX && n_partitions <= SIM_PARTITIONS_MAX);
	snprintf(t->name, sizeof(t->name), "t%d", c->n_topics++);
	t->n_partitions = n_partitions;
	t->rf = rf;
	t->min_isr = min_isr;
	t->retention_ms = -1;
	t->is_unclean = is_unclean;
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		truth_init(&t->truth[i], is_unclean);
	return t;
}

void cluster_begin_again(struct sim_topic *t, struct uuid id)
{
	struct sim_topic *past = mem_alloc(sizeof(*past));

	*past = *t;
	t->past = past;
	t->id = id;
	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		truth_init(&t->truth[i], t->is_unclean);
}

static void truth_init(struct truth *truth, bool is_unclean)
{
	*truth = (struct truth){ .newest_epoch = -1, .is_unclean = is_unclean };
	memset(truth->leader_of, -1, sizeof(truth->leader_of));
	map_init(&truth->producers, 1);
	map_init(&truth->ends, 1);
	map_init(&truth->matching, 1);
}

void truth_begin(struct truth *truth, int64_t offset)
{
	truth->base = truth->n = truth->high_watermark = truth->log_start = offset;
}

static void truth_fini(struct truth *truth)
{
	for (int b = 0; b < SIM_BROKERS_MAX; b++)
		mem_free(truth->views[b].batches);
	map_fini(&truth->producers);
	map_fini(&truth->ends);
	map_fini(&truth->matching);
	mem_free(truth->facts);
	mem_free(truth->open);
}

static void topic_fini(struct sim_topic *t)
{
	struct sim_topic *past;

	for (int i = 0; i < SIM_PARTITIONS_MAX; i++)
		truth_fini(&t->truth[i]);
	while ((past = t->past)) {
		t->past = past->past;
		past->past = NULL;
		topic_fini(past);
		mem_free(past);
	}
}

void cluster_free(struct cluster *c)
{
	for (int t = 0; t < c->n_topics; t++)
		topic_fini(&c->topic[t]);
	for (int i = 0; i < SIM_IMAGES; i++)
		image_put(c->history[i]);
	image_put(c->decided);
	image_put(c->folded);
	mem_free(c->gone);
	codec_buf_fini(&c->records);
	codec_state_free(c->codec);
	world_free(c->world);
	mem_free(c->decrees);
	for (int i = 0; i < c->n_controllers; i++)
		mem_free(c->controllers[i]);
	for (int i = 0; i < c->n_brokers; i++)
		mem_free(c->broker[i]);
	mem_free(c);
}

struct str cluster_records(struct cluster *c, const struct batch *b)
{
	struct str packed = { (const char *)b->at + BATCH_HEADER_BYTES,
			      (size_t)(b->size - BATCH_HEADER_BYTES) };
	int codec = b->attributes & BATCH_CODEC_MASK;

	if (codec == CODEC_NONE)
		return packed;
	if (codec_decompress(c->codec, codec, packed, &c->records))
		rule_broken(12, "the records at offset %lld do not decompress",
			    (long long)b->base_offset);
	return (struct str){ (const char *)c->records.at, c->records.n };
}

struct partition *cluster_replica(const struct cluster *c, int broker, const struct sim_topic *t,
				  int partition)
{
	const struct boot *b = c->broker[broker]->broker;
	struct partition *p;

	if (!b || uuid_is_zero(t->id))
		return NULL;
	p = partition_find(broker_shard(&b->broker, t->id, partition), t->id, partition);
	return p && p->state == PARTITION_OPEN ? p : NULL;
}

struct sim_node *cluster_active(const struct cluster *c)
{
	struct sim_node *found = NULL;
	int64_t term = -1;

	for (int i = 0; i < c->n_controllers; i++) {
		const struct controller_boot *b = c->controllers[i]->controller;

		if (b && b->node->is_active && quorum_term(b->node->quorum) > term) {
			found = c->controllers[i];
			term = quorum_term(b->node->quorum);
		}
	}
	return found;
}

static const struct image *decided(const struct cluster *c)
{
	const struct sim_node *n = cluster_active(c);

	return n ? n->controller->node->stable : NULL;
}

const struct image_partition *cluster_decided(const struct cluster *c, const struct sim_topic *t,
					      int partition)
{
	const struct image *image = decided(c);
	const struct image_topic *topic = image ? image_topic_named(image, str_of(t->name)) : NULL;

	return topic ? image_partition(topic, partition) : NULL;
}

bool cluster_leads(const struct cluster *c, int broker, const struct sim_topic *t, int partition)
{
	const struct image_partition *d = cluster_decided(c, t, partition);
	const struct partition *p = cluster_replica(c, broker, t, partition);

	return d && p && d->leader == broker + 1 && p->replica.role == REPLICA_LEADER &&
	       p->replica.leader_epoch == d->leader_epoch;
}

static bool partition_is_whole(const struct cluster *c, const struct sim_topic *t, int i, char *why,
			       size_t cap)
{
	const struct image_partition *d = cluster_decided(c, t, i);
	int64_t end = -1;

	if (!d || d->leader < 1 || d->isr.n != d->replicas.n) {
		snprintf(why, cap, "%s-%d: leader %d, isr %d of %d", t->name, i, d ? d->leader : -1,
			 d ? d->isr.n : 0, d ? d->replicas.n : 0);
		return false;
	}
	for (int k = 0; k < d->replicas.n; k++) {
		int32_t id = d->replicas.v[k];
		const struct partition *p = cluster_replica(c, id - 1, t, i);

		if (!p) {
			snprintf(why, cap, "%s-%d: no replica on broker %d", t->name, i, id);
			return false;
		}
		if (end < 0)
			end = p->replica.log_end;
		if (p->replica.log_end != end || p->replica.high_watermark != end) {
			snprintf(why, cap,
				 "%s-%d: on broker %d the high watermark is %lld, the end %lld; "
				 "elsewhere %lld",
				 t->name, i, id, (long long)p->replica.high_watermark,
				 (long long)p->replica.log_end, (long long)end);
			return false;
		}
	}
	return true;
}

/* One that has not heard of the last decisions may hold a replica that went elsewhere. */
static bool broker_is_whole(const struct cluster *c, const struct image *image, int i, char *why,
			    size_t cap)
{
	const struct image_broker *b = image_broker(image, i + 1);
	const struct broker *broker;

	if (!sim_node_runs(c->broker[i]) || !b || b->is_fenced) {
		snprintf(why, cap, "broker %d is %s", i + 1,
			 sim_node_runs(c->broker[i]) ? "fenced" : "down");
		return false;
	}
	broker = &c->broker[i]->broker->broker;
	if (!uuid_eq(b->incarnation, broker->incarnation)) {
		snprintf(why, cap, "broker %d has not registered again", i + 1);
		return false;
	}
	for (int k = 0; k < broker->n_shards; k++)
		if (broker->shards[k]->image->offset != image->offset) {
			snprintf(why, cap, "broker %d has %lld records of %lld", i + 1,
				 (long long)broker->shards[k]->image->offset,
				 (long long)image->offset);
			return false;
		}
	return true;
}

bool cluster_is_whole(const struct cluster *c, char *why, size_t cap)
{
	const struct image *image = decided(c);

	if (!image) {
		snprintf(why, cap, "no active controller");
		return false;
	}
	for (int i = 0; i < c->n_controllers; i++) {
		const struct controller_boot *b = c->controllers[i]->controller;

		if (!b || b->node->stable->offset != image->offset) {
			snprintf(why, cap, "controller %d has %lld records of %lld",
				 c->controllers[i]->id, b ? (long long)b->node->stable->offset : -1,
				 (long long)image->offset);
			return false;
		}
	}
	for (int i = 0; i < c->n_brokers; i++)
		if (!broker_is_whole(c, image, i, why, cap))
			return false;
	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < c->topic[t].n_partitions; i++)
			if (!partition_is_whole(c, &c->topic[t], i, why, cap))
				return false;
	return true;
}
