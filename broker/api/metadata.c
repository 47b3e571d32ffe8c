/* Metadata(3): the cluster as this connection's listener shows it.  Answered from the shard's
 * image without leaving the shard, unless a topic has to be created first. */
#include "broker/api/metadata.h"

#include "broker/api/metadata_hold.h"
#include "broker/api/operations.h"
#include "broker/api/topic_names.h"
#include "broker/shard/ctllink.h"
#include "kafka/metadata.h"

static void answer(struct req *);
static void fill(struct req *);
static void fill_brokers(struct req *, struct metadata_response *);
static void fill_asked(struct req *, const struct metadata_request *, struct metadata_response *);
static void fill_all(struct req *, struct metadata_response *);
static void fill_topic(struct req *, const struct image_topic *, struct metadata_response_topic *);
static void fill_partition(struct req *, const struct image_partition *,
			   struct metadata_response_partition *);
static bool create_missing(struct req *);
static void created(struct ctl_call *);

enum api_ret handle_metadata(struct req *q)
{
	if (create_missing(q) || metadata_hold(q, answer))
		return API_WAIT;
	fill(q);
	return API_DONE;
}

static void answer(struct req *q)
{
	fill(q);
	req_done(q);
}

static void fill(struct req *q)
{
	const struct metadata_request *in = q->in;
	struct metadata_response *out = q->out;

	out->cluster_id = str_of(q->shard->broker->cluster_id);
	if (!q->image)
		return;
	fill_brokers(q, out);
	if (in->include_cluster_authorized_operations)
		out->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
	if (in->n_topics < 0 || (in->n_topics == 0 && q->head.api_version == 0))
		fill_all(q, out);
	else
		fill_asked(q, in, out);
}

/* Only those that can be reached by the listener this client came in by, and are not fenced. */
static void fill_brokers(struct req *q, struct metadata_response *out)
{
	const struct image *im = q->image;

	out->brokers = schema_new(&metadata_response_broker_schema, &q->arena, im->n_brokers);
	for (int32_t i = 0; i < im->n_brokers; i++) {
		const struct image_endpoint *at = api_endpoint(q, im->brokers[i]);
		if (at)
			out->brokers[out->n_brokers++] =
				(struct metadata_response_broker){ im->brokers[i]->id, at->host,
								   at->port, im->brokers[i]->rack };
	}
	/* Any broker forwards to the controller, so the "controller" is one of us: Kafka picks at
	 * random. */
	if (out->n_brokers > 0)
		out->controller_id =
			out->brokers[prng_below(&q->shard->env->prng, (uint64_t)out->n_brokers)]
				.node_id;
}

static void fill_all(struct req *q, struct metadata_response *out)
{
	const struct image *im = q->image;

	out->n_topics = im->n_topics;
	out->topics = schema_new(&metadata_response_topic_schema, &q->arena, im->n_topics);
	for (int32_t i = 0; i < im->n_topics; i++)
		fill_topic(q, im->topics[i], &out->topics[i]);
}

/* By name or, from version 12, by id; an unknown one is answered, never left out. */
static void fill_asked(struct req *q, const struct metadata_request *in,
		       struct metadata_response *out)
{
	out->n_topics = in->n_topics;
	out->topics = schema_new(&metadata_response_topic_schema, &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct metadata_request_topic *ask = &in->topics[i];
		struct metadata_response_topic *t = &out->topics[i];
		bool by_id = q->head.api_version >= 12 && str_null(ask->name);
		const struct image_topic *topic =
			api_topic(q, ask->name, by_id ? ask->topic_id : (struct uuid){ { 0 } });
		if (topic) {
			fill_topic(q, topic, t);
			continue;
		}
		t->name = ask->name;
		t->topic_id = ask->topic_id;
		t->error_code = by_id                      ? KERR_UNKNOWN_TOPIC_ID
				: topic_name_ok(ask->name) ? KERR_UNKNOWN_TOPIC_OR_PARTITION
							   : KERR_INVALID_TOPIC_EXCEPTION;
	}
}

static void fill_topic(struct req *q, const struct image_topic *topic,
		       struct metadata_response_topic *t)
{
	t->name = topic->name;
	t->topic_id = topic->id;
	if (((const struct metadata_request *)q->in)->include_topic_authorized_operations)
		t->topic_authorized_operations = OPERATIONS_OF_TOPIC;
	t->is_internal = topic_name_internal(topic->name);
	t->n_partitions = topic->n_partitions;
	t->partitions =
		schema_new(&metadata_response_partition_schema, &q->arena, topic->n_partitions);
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		t->partitions[i].partition_index = i;
		fill_partition(q, &topic->partitions[i], &t->partitions[i]);
	}
}

/* A leader that this client cannot reach is no leader to it. */
static void fill_partition(struct req *q, const struct image_partition *ip,
			   struct metadata_response_partition *p)
{
	const struct image_broker *leader =
		ip->leader >= 0 ? image_broker(q->image, ip->leader) : NULL;

	p->leader_id = ip->leader;
	p->leader_epoch = ip->leader_epoch;
	if (!leader || !api_endpoint(q, leader)) {
		p->error_code = KERR_LEADER_NOT_AVAILABLE;
		p->leader_id = -1;
	}
	/* The image keeps still while the request holds it, so its lists serve as they are. */
	p->replica_nodes = (int32_t *)(uintptr_t)ip->replicas.v;
	p->n_replica_nodes = ip->replicas.n;
	p->isr_nodes = (int32_t *)(uintptr_t)ip->isr.v;
	p->n_isr_nodes = ip->isr.n;
	for (int32_t i = 0; i < ip->replicas.n; i++) {
		const struct image_broker *b = image_broker(q->image, ip->replicas.v[i]);
		if (b && !b->is_fenced && !image_ids_has(&ip->offline, ip->replicas.v[i]))
			continue;
		if (!p->offline_replicas)
			p->offline_replicas = ARENA_NEW(q, int32_t, ip->replicas.n);
		p->offline_replicas[p->n_offline_replicas++] = ip->replicas.v[i];
	}
}

/* ---- auto.create.topics.enable --------------------------------------------------------------- */

/* Names only, and only if the client and this broker both want it; the reply then tells the
 * leaders, because the controller answers when every broker has the topic. */
static bool create_missing(struct req *q)
{
	const struct metadata_request *in = q->in;
	Weir__CreateTopics *create;
	struct ctl_call *ctl;

	if (!q->shard->broker->conf->auto_create_topics || !in->allow_auto_topic_creation ||
	    !q->image || in->n_topics <= 0)
		return false;
	create = ARENA_NEW(q, Weir__CreateTopics, 1);
	weir__create_topics__init(create);
	create->topics = ARENA_NEW(q, Weir__CreateTopic *, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		struct str name = in->topics[i].name;
		if (str_null(name) || !topic_name_ok(name) || image_topic_named(q->image, name))
			continue;
		Weir__CreateTopic *t = create->topics[create->n_topics++] =
			ARENA_NEW(q, Weir__CreateTopic, 1);
		weir__create_topic__init(t);
		t->name =
			(char *)(uintptr_t)arena_printf(&q->arena, "%.*s", (int)name.n, name.at).at;
		t->has_partitions = t->has_replication_factor = true;
		t->partitions = q->shard->broker->conf->num_partitions;
		t->replication_factor = q->shard->broker->conf->default_replication_factor;
	}
	if (create->n_topics == 0)
		return false;
	ctl = ARENA_NEW(q, struct ctl_call, 1);
	ctl->request = ARENA_NEW(q, Weir__Request, 1);
	weir__request__init(ctl->request);
	ctl->request->body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	ctl->request->create_topics = create;
	ctl->timeout_ms = 10000;
	ctl->arena = &q->arena;
	ctl->done = created;
	ctl->arg = q;
	ctllink_ask(q->shard, ctl);
	return true;
}

/* The controller answers when every broker knows the topic, this one included; if it refused, the
 * topic is still unknown and that is what the reply says. */
static void created(struct ctl_call *ctl)
{
	struct req *q = ctl->arg;

	req_new_image(q);
	fill(q);
	req_done(q);
}
