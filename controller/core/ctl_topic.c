/* ctl_topic.c - topics: create, delete, grow.
 *
 * Every topic of a request is decided by itself and answered by itself; a refused one leaves no
 * record.  The records of one topic are together in the log: topic, configs, partitions.
 *
 *   decide_create_topics -> create_one -> check_*, plan_topic -> emit topic, configs, partitions
 *   decide_create_partitions -> grow_one -> plan_placed | plan_assigned -> partitions
 *   decide_delete_topics -> one record
 *
 * Messages follow Kafka's wording where clients and their tests look at it. */
#include "common/base/prng.h"
#include "controller/core/decide.h"
#include "controller/core/placement.h"

/* 255, the longest file name, less "-12345" for the partition. */
#define TOPIC_NAME_MAX 249

struct plan { /* what a new topic, or its growth, will get */
	struct image_ids *replicas;
	int32_t n;
	struct placement *placement;
};
static struct kerr_why create_one(struct ctl_result *, const Weir__CreateTopic *, struct prng *,
				  Weir__TopicResult *);
static void write_config(struct ctl_result *, const char *topic, const char *name,
			 const char *value);
static void write_safe_default(struct ctl_result *, const Weir__CreateTopic *, int32_t rf);
static struct kerr_why check_name(struct ctl_result *, struct str name);
static struct kerr_why check_free(struct ctl_result *, const struct image *, struct str name);
static struct kerr_why plan_topic(struct ctl_result *, const Weir__CreateTopic *, uint64_t seed,
				  struct plan *);
static struct kerr_why plan_assigned(struct ctl_result *, Weir__BrokerIds *const *, size_t n,
				     int32_t rf, struct plan *);
static struct kerr_why plan_placed(struct ctl_result *, int32_t partitions, int32_t rf,
				   uint64_t seed, struct plan *);
static void write_partitions(struct ctl_result *, struct uuid topic, int32_t from,
			     const struct plan *);
static struct kerr_why grow_one(struct ctl_result *, const Weir__CreatePartitionsTopic *,
				uint64_t seed);
static bool collides(struct str, struct str);

static const struct kerr_why fine = { KERR_NONE, NULL };

#define WHY(...) because(r, __VA_ARGS__)

static Weir__TopicResults *results(struct ctl_result *r, size_t n)
{
	Weir__TopicResults *out = arena_must(r->arena, sizeof(*out));

	*out = (Weir__TopicResults)WEIR__TOPIC_RESULTS__INIT;
	out->topics = arena_must(r->arena, n * sizeof(*out->topics) + 1);
	for (size_t i = 0; i < n; i++) {
		out->topics[i] = arena_must(r->arena, sizeof(*out->topics[i]));
		*out->topics[i] = (Weir__TopicResult)WEIR__TOPIC_RESULT__INIT;
	}
	out->n_topics = n;
	r->reply.body_case = WEIR__RESPONSE__BODY_TOPICS;
	r->reply.topics = out;
	return out;
}

static void fail(Weir__TopicResult *out, struct kerr_why w)
{
	out->code = (int32_t)w.code;
	out->message = w.message;
}

/* Validation is deciding for real and then forgetting the records. */
static void only_validate(struct ctl_result *r, bool yes)
{
	if (yes)
		r->n_records = 0;
}

/* ---- create ---------------------------------------------------------------------------------- */

/* A name asked for twice is refused both times, as Kafka does: nobody can tell which was meant. */
void decide_create_topics(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__CreateTopics *m = cmd->create_topics;
	Weir__TopicResults *out;
	struct prng prng;

	if (is_too_much(r, m->n_topics, REQUEST_RESOURCES_MAX, "topics"))
		return;
	out = results(r, m->n_topics);
	prng_seed(&prng, cmd->seed);
	for (size_t i = 0; i < m->n_topics; i++) {
		struct str name = str_of(m->topics[i]->name);
		struct kerr_why w = fine;

		out->topics[i]->name = zdup(r, name);
		for (size_t j = 0; j < m->n_topics; j++)
			if (j != i && str_eq(str_of(m->topics[j]->name), name))
				w = WHY(KERR_INVALID_REQUEST, "Duplicate topic name.");
		if (w.code == KERR_NONE)
			w = create_one(r, m->topics[i], &prng, out->topics[i]);
		fail(out->topics[i], w);
	}
	only_validate(r, m->has_validate_only && m->validate_only);
}

/* Everything is checked before the first record is emitted. */
static struct kerr_why create_one(struct ctl_result *r, const Weir__CreateTopic *m,
				  struct prng *prng, Weir__TopicResult *out)
{
	struct uuid id = prng_uuid(prng);
	struct topic_conf conf = r->ctl->options->topic;
	struct plan plan;
	struct kerr_why w;
	Weir__TopicRecord *topic;

	if ((w = check_name(r, str_of(m->name))).code != KERR_NONE ||
	    (w = check_free(r, view(r), str_of(m->name))).code != KERR_NONE ||
	    (w = check_configs(r, m->configs, m->n_configs)).code != KERR_NONE ||
	    (w = plan_topic(r, m, prng_u64(prng), &plan)).code != KERR_NONE)
		return w;
	/* Ids are never used again (brokers keep and delete files by them); zero means "no id" in
	 * requests. */
	while (image_topic_by_id(view(r), id) != NULL || uuid_is_zero(id))
		id = prng_uuid(prng);
	topic = emit_topic(r);
	topic->name = zdup(r, str_of(m->name));
	topic->id = uuid_dup(r, id);
	for (size_t i = 0; i < m->n_configs; i++) {
		write_config(r, m->name, m->configs[i]->name, m->configs[i]->value);
		topic_conf_set(&conf, str_of(m->configs[i]->name), str_of(m->configs[i]->value));
	}
	write_safe_default(r, m, plan.replicas[0].n);
	write_partitions(r, id, 0, &plan);
	out->has_id = out->has_partitions = out->has_replication_factor = true;
	out->id = topic->id;
	out->partitions = plan.n;
	out->replication_factor = plan.replicas[0].n;
	return (struct kerr_why){ KERR_NONE, config_warning(r, &conf, plan.replicas[0].n) };
}

static void write_config(struct ctl_result *r, const char *topic, const char *name,
			 const char *value)
{
	Weir__ConfigRecord *c = emit_config(r);

	c->resource_type = IMAGE_TOPIC;
	c->resource = zdup(r, str_of(topic));
	c->name = zdup(r, str_of(name));
	c->value = zdup(r, str_of(value));
}

static void write_safe_default(struct ctl_result *r, const Weir__CreateTopic *m, int32_t rf)
{
	int32_t want = default_min_isr(r, rf);

	for (size_t i = 0; i < m->n_configs; i++)
		if (strcmp(m->configs[i]->name, "min.insync.replicas") == 0)
			return;
	if (want > 1)
		write_config(r, m->name, "min.insync.replicas", zprintf(r, "%d", want));
}

/* Kafka's default of one in-sync replica lets an acks=all write be lost with one disk.  Whoever
 * asks for three copies gets two before a write is acknowledged, and can see it among the configs.
 */
int32_t default_min_isr(const struct ctl_result *r, int32_t rf)
{
	const struct image *im = r->ctl->image;
	int32_t want = r->ctl->options->default_min_insync;

	/* An operator has said what the cluster wants: nothing is written over that into each
	 * topic. */
	for (int32_t i = 0; i < im->n_broker_configs; i++)
		if (str_eq(im->broker_configs[i].name, STR("min.insync.replicas")))
			return 1;
	return i32_min(want >= 0 ? want : rf >= 3 ? 2 : 1, rf);
}

/* Names become directory names, so the alphabet is a file system's; Kafka's Topic.validate. */
static struct kerr_why check_name(struct ctl_result *r, struct str name)
{
	if (name.n == 0)
		return WHY(KERR_INVALID_TOPIC_EXCEPTION, "Topic name is invalid: it is empty");
	if (str_eq(name, STR(".")) || str_eq(name, STR("..")))
		return WHY(KERR_INVALID_TOPIC_EXCEPTION,
			   "Topic name is invalid: it cannot be '.' or '..'");
	if (str_eq(name, STR("__cluster_metadata"))) /* Kafka's own log has that name */
		return WHY(KERR_INVALID_REQUEST,
			   "Creation of internal topic __cluster_metadata is prohibited.");
	if (name.n > TOPIC_NAME_MAX)
		return WHY(KERR_INVALID_TOPIC_EXCEPTION,
			   "Topic name is invalid: it has %zu characters, the most is %d", name.n,
			   TOPIC_NAME_MAX);
	for (size_t i = 0; i < name.n; i++) {
		char c = name.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return WHY(KERR_INVALID_TOPIC_EXCEPTION,
				   "Topic name is invalid: '%.*s' has a character other than ASCII "
				   "letters, digits, '.', '_' and '-'",
				   (int)name.n, name.at);
	}
	return fine;
}

/* Two names that differ only in '.' and '_' would share their metrics. */
static struct kerr_why check_free(struct ctl_result *r, const struct image *im, struct str name)
{
	if (image_topic_named(im, name) != NULL)
		return WHY(KERR_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.", (int)name.n,
			   name.at);
	/* Most names have neither, and are spared the walk over all topics. */
	if (memchr(name.at, '.', name.n) == NULL && memchr(name.at, '_', name.n) == NULL)
		return fine;
	for (int32_t i = 0; i < im->n_topics; i++)
		if (collides(im->topics[i]->name, name))
			return WHY(KERR_INVALID_TOPIC_EXCEPTION,
				   "Topic '%.*s' collides with existing topic: %.*s ('.' and '_' "
				   "count as the same)",
				   (int)name.n, name.at, (int)im->topics[i]->name.n,
				   im->topics[i]->name.at);
	return fine;
}

/* Kafka's Topic.hasCollision. */
static bool collides(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if ((a.at[i] == '.' ? '_' : a.at[i]) != (b.at[i] == '.' ? '_' : b.at[i]))
			return false;
	return true;
}

/* Assigned by the client or placed by us; -1 asks for the defaults. */
static struct kerr_why plan_topic(struct ctl_result *r, const Weir__CreateTopic *m, uint64_t seed,
				  struct plan *plan)
{
	const struct ctl_options *o = r->ctl->options;
	int32_t partitions = m->partitions, rf = m->replication_factor;

	if (m->n_assignments > 0 && (partitions != -1 || rf != -1))
		return WHY(KERR_INVALID_REQUEST,
			   "A manual partition assignment was specified, so the numbers of "
			   "partitions and replicas must be -1.");
	if (m->n_assignments > 0)
		return plan_assigned(r, m->assignments, m->n_assignments, 0, plan);
	if (partitions == 0 || partitions < -1)
		return WHY(KERR_INVALID_PARTITIONS,
			   "The number of partitions must be positive, or -1 for the default; it "
			   "was %d.",
			   partitions);
	if (rf == 0 || rf < -1)
		return WHY(KERR_INVALID_REPLICATION_FACTOR,
			   "Replication factor must be larger than 0, or -1 to use the default "
			   "value; it was %d.",
			   rf);
	return plan_placed(r, partitions == -1 ? o->default_partitions : partitions,
			   rf == -1 ? o->default_replication_factor : rf, seed, plan);
}

/* rf -1: three, or as many as there are brokers. */
static struct kerr_why plan_placed(struct ctl_result *r, int32_t partitions, int32_t rf,
				   uint64_t seed, struct plan *plan)
{
	struct placement *pl = placement_new(r->arena, r->ctl->image, seed);
	int32_t usable = placement_usable(pl);

	if (rf == -1)
		rf = i32_max(1, i32_min(3, usable));
	/* Records so far are those of the request's earlier topics: the bound is one of the whole
	 * request. */
	if (r->n_records + partitions > REQUEST_PARTITIONS_MAX)
		return WHY(KERR_POLICY_VIOLATION,
			   "%d partitions at once are too many: the most is %d.", partitions,
			   REQUEST_PARTITIONS_MAX);
	if (rf > usable || rf > IMAGE_REPLICAS_MAX)
		return WHY(
			KERR_INVALID_REPLICATION_FACTOR,
			"Unable to replicate the partition %d time(s): The target replication "
			"factor of %d cannot be reached because only %d broker(s) are registered.",
			rf, rf, usable);
	/* Replicas may lie on fenced brokers, but somebody must be in sync and lead from the
	 * start. */
	if (placement_alive(pl) == 0)
		return WHY(KERR_INVALID_REPLICATION_FACTOR,
			   "Unable to replicate the partition %d time(s): All brokers are "
			   "currently fenced.",
			   rf);
	plan->n = partitions;
	plan->replicas = arena_must(r->arena, (size_t)partitions * sizeof(*plan->replicas));
	for (int32_t i = 0; i < partitions; i++)
		plan->replicas[i] = placement_next(pl, rf);
	return fine;
}

/* rf 0: whatever the first one has, for all of them. */
static struct kerr_why plan_assigned(struct ctl_result *r, Weir__BrokerIds *const *v, size_t n,
				     int32_t rf, struct plan *plan)
{
	const struct image *im = r->ctl->image;

	if ((size_t)r->n_records + n > REQUEST_PARTITIONS_MAX)
		return WHY(KERR_POLICY_VIOLATION,
			   "%zu partitions at once are too many: the most is %d.", n,
			   REQUEST_PARTITIONS_MAX);
	plan->n = (int32_t)n;
	plan->replicas = arena_must(r->arena, n * sizeof(*plan->replicas));
	for (size_t i = 0; i < n; i++) {
		struct image_ids *to = &plan->replicas[i];
		struct kerr_why w;
		bool is_alive = false;

		if ((w = check_assignment(r, v[i], to)).code != KERR_NONE)
			return w;
		for (int32_t k = 0; k < to->n; k++)
			is_alive |= image_broker_active(im, to->v[k]);
		if (rf == 0)
			rf = to->n;
		if (to->n != rf)
			return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
				   "The manual partition assignment includes a partition with %d "
				   "replica(s), but others have %d.",
				   to->n, rf);
		if (!is_alive)
			return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
				   "All brokers specified in the manual partition assignment for "
				   "partition %zu are fenced or in controlled shutdown.",
				   i);
	}
	return fine;
}

struct kerr_why check_assignment(struct ctl_result *r, const Weir__BrokerIds *m,
				 struct image_ids *to)
{
	to->n = 0;
	if (m->n_id == 0 || m->n_id > IMAGE_REPLICAS_MAX)
		return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
			   "The manual partition assignment gives a partition %zu "
			   "replicas; between 1 and %d are possible.",
			   m->n_id, IMAGE_REPLICAS_MAX);
	for (size_t k = 0; k < m->n_id; k++) {
		int32_t id = m->id[k];

		/* Fenced is fine, unknown is a mistake: no process would ever hold that replica. */
		if (image_broker(r->ctl->image, id) == NULL)
			return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
				   "The manual partition assignment includes broker %d, "
				   "but no such broker is registered.",
				   id);
		if (image_ids_has(to, id))
			return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
				   "The manual partition assignment includes the broker %d "
				   "more than once.",
				   id);
		to->v[to->n++] = id;
	}
	return fine;
}

/* In sync from the start: every replica that is alive; the first of them leads. */
static void write_partitions(struct ctl_result *r, struct uuid topic, int32_t from,
			     const struct plan *plan)
{
	for (int32_t i = 0; i < plan->n; i++) {
		Weir__PartitionRecord *m = emit_partition(r);
		struct image_ids isr = { .n = 0 };

		for (int32_t k = 0; k < plan->replicas[i].n; k++)
			if (image_broker_active(r->ctl->image, plan->replicas[i].v[k]))
				isr.v[isr.n++] = plan->replicas[i].v[k];
		ASSERT(isr.n > 0);
		m->topic_id = uuid_dup(r, topic);
		m->partition = from + i;
		m->replicas = ids_dup(r, &plan->replicas[i], &m->n_replicas);
		m->isr = ids_dup(r, &isr, &m->n_isr);
		/* The first of the assignment that is alive, so the preferred one where it can
		 * be. */
		m->leader = isr.v[0];
	}
}

/* ---- delete ---------------------------------------------------------------------------------- */

/* One record takes the topic, its partitions and its configs away. */
void decide_delete_topics(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__DeleteTopics *m = cmd->delete_topics;
	Weir__TopicResults *out;

	if (is_too_much(r, m->n_topics, REQUEST_RESOURCES_MAX, "topics"))
		return;
	out = results(r, m->n_topics);
	for (size_t i = 0; i < m->n_topics; i++) {
		const Weir__DeleteTopic *d = m->topics[i];
		const struct image_topic *t = NULL;
		Weir__TopicRemoveRecord *rec;
		struct uuid id;

		out->topics[i]->name = zdup(r, str_of(d->name));
		out->topics[i]->has_id = d->has_id;
		out->topics[i]->id = bytes_dup(r, d->id);
		if (!r->ctl->options->delete_topic_enable) {
			fail(out->topics[i],
			     WHY(KERR_TOPIC_DELETION_DISABLED,
				 "Topic deletion is disabled; set delete.topic.enable=true."));
			continue;
		}
		/* In view(): named twice, or once by name and once by id, the second time it is
		 * gone. */
		if (d->name != NULL)
			t = image_topic_named(view(r), str_of(d->name));
		else if (d->has_id && uuid_from(&d->id, &id))
			t = image_topic_by_id(view(r), id);
		if (t == NULL) {
			fail(out->topics[i], WHY(d->name != NULL ? KERR_UNKNOWN_TOPIC_OR_PARTITION
								 : KERR_UNKNOWN_TOPIC_ID,
						 "There is no such topic."));
			continue;
		}
		out->topics[i]->name = zdup(r, t->name);
		out->topics[i]->has_id = true;
		out->topics[i]->id = uuid_dup(r, t->id);
		rec = arena_must(r->arena, sizeof(*rec));
		*rec = (Weir__TopicRemoveRecord)WEIR__TOPIC_REMOVE_RECORD__INIT;
		rec->id = out->topics[i]->id;
		emit(r, WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE)->topic_remove = rec;
	}
}

/* ---- grow ------------------------------------------------------------------------------------ */

/* Partitions are never taken away, so this only adds. */
void decide_create_partitions(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__CreatePartitions *m = cmd->create_partitions;
	Weir__TopicResults *out;
	struct prng prng;

	if (is_too_much(r, m->n_topics, REQUEST_RESOURCES_MAX, "topics"))
		return;
	out = results(r, m->n_topics);
	prng_seed(&prng, cmd->seed);
	for (size_t i = 0; i < m->n_topics; i++) {
		struct kerr_why w = fine;

		out->topics[i]->name = zdup(r, str_of(m->topics[i]->name));
		for (size_t j = 0; j < m->n_topics; j++)
			if (j != i && strcmp(m->topics[j]->name, m->topics[i]->name) == 0)
				w = WHY(KERR_INVALID_REQUEST, "Duplicate topic name.");
		if (w.code == KERR_NONE)
			w = grow_one(r, m->topics[i], prng_u64(&prng));
		fail(out->topics[i], w);
	}
	only_validate(r, m->has_validate_only && m->validate_only);
}

/* New partitions get the replication factor of the first one, as it is or will be. */
static struct kerr_why grow_one(struct ctl_result *r, const Weir__CreatePartitionsTopic *m,
				uint64_t seed)
{
	const struct image_topic *t = image_topic_named(view(r), str_of(m->name));
	struct plan plan = { .n = 0 };
	struct kerr_why w;
	int32_t have, more, rf;

	if (t == NULL)
		return WHY(KERR_UNKNOWN_TOPIC_OR_PARTITION, "There is no such topic.");
	have = t->n_partitions;
	/* During a reassignment replicas holds the old and the new ones: what is being removed does
	 * not count. */
	rf = t->partitions[0].replicas.n - t->partitions[0].removing.n;
	if (m->count == have)
		return WHY(KERR_INVALID_PARTITIONS, "Topic already has %d partition(s).", have);
	if (m->count < have)
		return WHY(
			KERR_INVALID_PARTITIONS,
			"The topic %s currently has %d partition(s); %d would not be an increase.",
			m->name, have, m->count);
	more = m->count - have;
	if (m->n_assignments > 0 && m->n_assignments != (size_t)more)
		return WHY(KERR_INVALID_REPLICA_ASSIGNMENT,
			   "Attempted to add %d additional partition(s), but %zu assignment(s) "
			   "were specified.",
			   more, m->n_assignments);
	w = m->n_assignments > 0 ? plan_assigned(r, m->assignments, m->n_assignments, rf, &plan)
				 : plan_placed(r, more, rf, seed, &plan);
	if (w.code == KERR_NONE)
		write_partitions(r, t->id, have, &plan);
	return w;
}
