#include "tests/sim/old.h"

#include <stdio.h>

#include "broker/log/checkpoint.h"
#include "broker/log/partition_meta.h"
#include "cluster/raft.pb-c.h"
#include "common/meta/image.h"
#include "controller/server/meta_dir.h"
#include "controller/server/mlog_disk.h"
#include "controller/server/quorum_state.h"
#include "tests/sim/swarm.h"

/* So far a run may get: nothing that counts reaches its end. */
#define EPOCHS_LEFT 100000
#define NUMBERS_LEFT 10000000
#define META_DIR "/meta"
#define DATA_DIR "/data"
#define PATH_BYTES 256
#define RECORD_BYTES 128
#define KEEP_NUM 2 /* of KEEP_DEN replicas have their log still */
#define KEEP_DEN 3

struct writing {
	const struct swarm *swarm;
	struct cluster *cluster;
	struct sim_node *node; /* whose disk */
	struct image *image;
	struct prng prng;
	char cluster_id[UUID_TEXT];
	struct meta_dir dir[SIM_CONTROLLERS_MAX];
};

static void tell_image(struct writing *);
static void tell_topic(struct writing *, struct sim_topic *);
static void on_machine(struct writing *, struct sim_node *, happen *);
static void name_directory(void *writing, void *unused);
static void write_metadata(void *writing, void *unused);
static void write_logs(void *writing, void *unused);

/* ---- what is drawn -------------------------------------------------------------------------- */

/* Just below a power of two that some field or piece of code may end at, or below max. */
static int64_t near(struct prng *p, int64_t max, uint64_t within)
{
	static const int bits[] = { 15, 16, 31, 31, 31, 32, 32, 53, 63 };
	int bit = bits[prng_below(p, ARRAY_LEN(bits))];
	int64_t limit = bit < 63 ? i64_min(max, (int64_t)1 << bit) : max;

	return i64_max(1, limit - 1 - (int64_t)prng_below(p, within));
}

void past_draw(struct past *past, struct prng *p)
{
	past->record = near(p, INT64_MAX - NUMBERS_LEFT, 300);
	past->term = near(p, INT32_MAX - EPOCHS_LEFT, 10);
	past->producer_id = near(p, INT64_MAX - NUMBERS_LEFT, 3000);
	past->epoch = near(p, INT32_MAX - EPOCHS_LEFT, 50);
	past->offset = near(p, INT64_MAX - INT32_MAX - NUMBERS_LEFT, 1000);
	past->base = past->offset;
	if (prng_chance(p, 2, 3))
		past->base -= i64_min(past->offset, INT32_MAX - (int64_t)prng_below(p, 300));
	past_fit(past);
}

void past_fit(struct past *p)
{
	if (p->term > 0 || p->producer_id > 0 || p->epoch > 0 || p->offset > 0)
		p->record = i64_max(p->record, 1);
	if (p->record > 0)
		p->term = i64_max(p->term, 1);
	if (p->base > p->offset || p->offset - p->base > INT32_MAX)
		p->base = p->offset;
}

/* ---- what is written ------------------------------------------------------------------------ */

void past_write(const struct swarm *s, struct cluster *c)
{
	struct writing w = { .swarm = s, .cluster = c };

	if (s->past.record == 0)
		return;
	prng_seed(&w.prng, s->seed ^ 0x01d);
	uuid_text(prng_uuid(&w.prng), w.cluster_id);
	w.image = image_new();
	tell_image(&w);
	for (int i = 0; i < s->topics; i++)
		tell_topic(&w, &c->topic[i]);
	w.image->offset = s->past.record;
	image_check(w.image);
	for (int i = 0; i < c->n_controllers; i++)
		on_machine(&w, c->controllers[i], name_directory);
	for (int i = 0; i < c->n_controllers; i++)
		on_machine(&w, c->controllers[i], write_metadata);
	for (int i = 0; i < c->n_brokers; i++)
		on_machine(&w, c->broker[i], write_logs);
	check_from(c, w.image);
}

static void on_machine(struct writing *w, struct sim_node *node, happen *fn)
{
	w->node = node;
	machine_start(node->machine);
	actor_run(&node->machine->actor[0], fn, w, NULL);
	machine_kill(node->machine);
}

/* ---- metadata ------------------------------------------------------------------------------- */

static void apply(struct writing *w, Weir__MetadataRecord__BodyCase kind, void *body)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	enum err e;

	m.body_case = kind;
	m.leader = body; /* all bodies are pointers in one union */
	e = image_apply(w->image, &m);
	ASSERT(!e);
}

static void tell_image(struct writing *w)
{
	Weir__LeaderRecord leader = WEIR__LEADER_RECORD__INIT;
	Weir__ProducerIdsRecord ids = WEIR__PRODUCER_IDS_RECORD__INIT;

	leader.controller = w->cluster->controllers[0]->id;
	leader.epoch = w->swarm->past.term;
	apply(w, WEIR__METADATA_RECORD__BODY_LEADER, &leader);
	ids.broker = 1;
	ids.next_producer_id = w->swarm->past.producer_id;
	apply(w, WEIR__METADATA_RECORD__BODY_PRODUCER_IDS, &ids);
}

static void tell_config(struct writing *w, const struct sim_topic *t, const char *name,
			const char *value)
{
	Weir__ConfigRecord m = WEIR__CONFIG_RECORD__INIT;

	m.resource_type = IMAGE_TOPIC;
	m.resource = (char *)(uintptr_t)t->name;
	m.name = (char *)(uintptr_t)name;
	m.value = (char *)(uintptr_t)value;
	apply(w, WEIR__METADATA_RECORD__BODY_CONFIG, &m);
}

static void tell_configs(struct writing *w, const struct sim_topic *t)
{
	const struct cluster *c = w->cluster;
	char value[SWARM_CONF_BYTES];

	snprintf(value, sizeof(value), "%d", t->min_isr);
	tell_config(w, t, "min.insync.replicas", value);
	tell_config(w, t, "unclean.leader.election.enable", t->is_unclean ? "true" : "false");
	snprintf(value, sizeof(value), "%lld", (long long)t->retention_ms);
	tell_config(w, t, "retention.ms", value);
	for (int i = 0; i < SIM_CONF_MAX && c->topic_conf[i]; i++) {
		char *is;

		snprintf(value, sizeof(value), "%s", c->topic_conf[i]);
		is = strchr(value, '=');
		ASSERT(is);
		*is = '\0';
		tell_config(w, t, value, is + 1);
	}
}

/* The first one was the last in sync: it leads as soon as it is back. */
static void tell_topic(struct writing *w, struct sim_topic *t)
{
	const struct past *past = &w->swarm->past;
	Weir__TopicRecord m = WEIR__TOPIC_RECORD__INIT;
	int first = (int)prng_below(&w->prng, (uint64_t)w->swarm->brokers);

	t->id = prng_uuid(&w->prng);
	m.name = t->name;
	m.id = (ProtobufCBinaryData){ sizeof(t->id.b), t->id.b };
	apply(w, WEIR__METADATA_RECORD__BODY_TOPIC, &m);
	for (int i = 0; i < t->n_partitions; i++) {
		Weir__PartitionRecord p = WEIR__PARTITION_RECORD__INIT;
		int32_t ids[SIM_BROKERS_MAX];

		for (int k = 0; k < t->rf; k++)
			ids[k] = (first + i + k) % w->swarm->brokers + 1;
		p.topic_id = m.id;
		p.partition = i;
		p.replicas = p.isr = ids;
		p.n_replicas = (size_t)t->rf;
		p.n_isr = 1;
		p.leader = -1;
		p.leader_epoch = p.partition_epoch = (int32_t)past->epoch;
		apply(w, WEIR__METADATA_RECORD__BODY_PARTITION, &p);
		truth_begin(&t->truth[i], past->offset);
	}
	tell_configs(w, t);
}

static void name_directory(void *x, void *unused)
{
	struct writing *w = x;
	char why[PATH_BYTES] = "";
	struct meta_dir *dir = &w->dir[w->node->id - w->cluster->controllers[0]->id];
	enum err e = meta_dir_open(&w->node->machine->actor[0].env, META_DIR, w->node->id,
				   str_of(w->cluster_id), dir, why, sizeof(why));

	(void)unused;
	ASSERT(!e);
	meta_dir_close(dir);
}

static void dump(void *image, void (*each)(void *arg, const Weir__MetadataRecord *), void *arg)
{
	image_dump(image, each, arg);
}

static void write_state(struct writing *w)
{
	struct env *env = &w->node->machine->actor[0].env;
	struct cluster *c = w->cluster;
	Weir__QuorumState m = WEIR__QUORUM_STATE__INIT;
	Weir__Voter rows[SIM_CONTROLLERS_MAX], *list[SIM_CONTROLLERS_MAX];
	struct uuid ids[SIM_CONTROLLERS_MAX];
	struct quorum_state_file f = { NULL, 0 };
	uint8_t packed[QUORUM_STATE_MAX];
	enum err e;

	for (int i = 0; i < c->n_controllers; i++) {
		rows[i] = (Weir__Voter)WEIR__VOTER__INIT;
		e = uuid_parse(str_of(w->dir[i].directory_id), &ids[i]);
		ASSERT(!e);
		rows[i].id = c->controllers[i]->id;
		rows[i].directory_id = (ProtobufCBinaryData){ sizeof(ids[i].b), ids[i].b };
		rows[i].host = c->controllers[i]->machine->name;
		rows[i].port = CONTROLLER_PORT;
		list[i] = &rows[i];
	}
	m.term = w->swarm->past.term;
	m.voters = list;
	m.n_voters = (size_t)c->n_controllers;
	m.has_is_member = m.is_member = true;
	ASSERT(weir__quorum_state__get_packed_size(&m) <= sizeof(packed));
	e = quorum_state_write(env, META_DIR, &f, packed, weir__quorum_state__pack(&m, packed));
	ASSERT(!e);
	quorum_state_close(&f);
}

static void write_metadata(void *x, void *unused)
{
	struct writing *w = x;
	enum err e =
		mlog_write_snapshot(&w->node->machine->actor[0].env, META_DIR,
				    w->swarm->past.record, w->swarm->past.term, dump, w->image);

	(void)unused;
	ASSERT(!e);
	write_state(w);
}

/* ---- logs ----------------------------------------------------------------------------------- */

/* One batch, as compaction leaves them, of all the offsets that come before the first one. */
static size_t fill(const struct past *past, int64_t now_ms, uint8_t at[RECORD_BYTES])
{
	struct record r = { .timestamp_ms = now_ms, .value = STR("of the past") };
	struct batch_builder b;
	bool is_in;

	batch_builder_init(&b, at, RECORD_BYTES);
	b.head.base_offset = past->base;
	b.head.leader_epoch = (int32_t)past->epoch;
	b.head.producer_id = -1;
	b.head.producer_epoch = -1;
	b.head.base_sequence = -1;
	is_in = batch_builder_add(&b, &r);
	ASSERT(is_in);
	if (past->base == past->offset)
		return 0;
	b.head.last_offset_delta = (int32_t)(past->offset - past->base - 1);
	return batch_builder_finish(&b);
}

static void write_log(struct writing *w, const char *dir, struct uuid topic_id)
{
	struct env *env = &w->node->machine->actor[0].env;
	const struct past *past = &w->swarm->past;
	uint8_t bytes[RECORD_BYTES];
	struct file_iov iov = { bytes, fill(past, env_wall_ms(env), bytes) };
	char path[PATH_BYTES + 32];
	struct file *f;
	enum err e;

	e = env->files->mkdir(env, dir);
	if (!e)
		e = partition_meta_write(env, dir, topic_id);
	ASSERT(!e);
	snprintf(path, sizeof(path), "%s/%020lld.log", dir, (long long)past->base);
	e = env->files->open(env, path, FILE_READ | FILE_WRITE | FILE_CREATE, &f);
	ASSERT(!e);
	if (iov.n > 0)
		e = f->ops->writev(f, &iov, 1, 0);
	if (!e)
		e = f->ops->sync(f);
	file_put(f);
	if (!e)
		e = env->files->sync_dir(env, dir);
	ASSERT(!e);
}

static void write_logs(void *x, void *unused)
{
	struct writing *w = x;
	struct env *env = &w->node->machine->actor[0].env;
	struct checkpoint_row starts[SIM_TOPICS_MAX * SIM_PARTITIONS_MAX];
	int32_t n = 0;
	enum err e = env->files->mkdir(env, DATA_DIR);

	(void)unused;
	for (int32_t t = 0; t < w->image->n_topics; t++)
		for (int32_t i = 0; i < w->image->topics[t]->n_partitions; i++) {
			const struct image_topic *topic = w->image->topics[t];
			const struct image_partition *p = &topic->partitions[i];
			char dir[PATH_BYTES];

			if (!image_ids_has(&p->replicas, w->node->id) ||
			    (!image_ids_has(&p->isr, w->node->id) &&
			     !prng_chance(&w->prng, KEEP_NUM, KEEP_DEN)))
				continue;
			snprintf(dir, sizeof(dir), DATA_DIR "/%.*s-%d", (int)topic->name.n,
				 topic->name.at, i);
			write_log(w, dir, topic->id);
			starts[n++] =
				(struct checkpoint_row){ topic->name, i, w->swarm->past.offset };
		}
	if (!e)
		e = checkpoint_write(env, DATA_DIR, CHECKPOINT_LOG_START, starts, n);
	if (!e)
		e = env->files->sync_dir(env, DATA_DIR);
	ASSERT(!e);
}
