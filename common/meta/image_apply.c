/* image_apply.c - the fold: one metadata record changes one image.
 *
 * One function per kind of record (proto/cluster/records.proto): check everything, then change the
 * image, so a refused record leaves no trace.  Rows are made private before they are touched
 * (broker_own, topic_own), so other versions never see a change.  The controller's recovery, its
 * standby life, every broker and the CLI run this same code, which is why their states are equal at
 * equal offsets (tests compare them). */
#include <stdatomic.h>

#include "common/base/text.h"
#include "common/meta/image_priv.h"

static enum err apply_broker(struct image *, const Weir__BrokerRecord *);
static enum err apply_broker_change(struct image *, const Weir__BrokerChangeRecord *);
static enum err apply_broker_remove(struct image *, const Weir__BrokerRemoveRecord *);
static enum err apply_answer(struct image *, const Weir__AnswerRecord *);
static enum err apply_topic(struct image *, const Weir__TopicRecord *);
static enum err apply_topic_remove(struct image *, const Weir__TopicRemoveRecord *);
static enum err apply_partition(struct image *, const Weir__PartitionRecord *);
static enum err apply_partition_change(struct image *, const Weir__PartitionChangeRecord *);
static enum err apply_config(struct image *, const Weir__ConfigRecord *);
static enum err apply_feature(struct image *, const Weir__FeatureRecord *);
static enum err apply_voters(struct image *, const Weir__VotersRecord *);

/* Unknown kinds are ERR_NOT_FOUND and change nothing: an older node reads a newer log. */
enum err image_apply(struct image *im, const Weir__MetadataRecord *r)
{
	ASSERT(atomic_load(&im->refs) == 1);
	switch (r->body_case) {
	case WEIR__METADATA_RECORD__BODY_BROKER: return apply_broker(im, r->broker);
	case WEIR__METADATA_RECORD__BODY_BROKER_CHANGE:
		return apply_broker_change(im, r->broker_change);
	case WEIR__METADATA_RECORD__BODY_BROKER_REMOVE:
		return apply_broker_remove(im, r->broker_remove);
	case WEIR__METADATA_RECORD__BODY_TOPIC: return apply_topic(im, r->topic);
	case WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE:
		return apply_topic_remove(im, r->topic_remove);
	case WEIR__METADATA_RECORD__BODY_PARTITION: return apply_partition(im, r->partition);
	case WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE:
		return apply_partition_change(im, r->partition_change);
	case WEIR__METADATA_RECORD__BODY_CONFIG: return apply_config(im, r->config);
	case WEIR__METADATA_RECORD__BODY_PRODUCER_IDS:
		im->next_producer_id = r->producer_ids->next_producer_id;
		return ERR_OK;
	case WEIR__METADATA_RECORD__BODY_FEATURE: return apply_feature(im, r->feature);
	case WEIR__METADATA_RECORD__BODY_LEADER:
		im->controller = r->leader->controller;
		im->controller_epoch = r->leader->epoch;
		return ERR_OK;
	case WEIR__METADATA_RECORD__BODY_NOOP: return ERR_OK;
	case WEIR__METADATA_RECORD__BODY_VOTERS: return apply_voters(im, r->voters);
	case WEIR__METADATA_RECORD__BODY_ANSWER: return apply_answer(im, r->answer);
	case WEIR__METADATA_RECORD__BODY__NOT_SET:
	case _WEIR__METADATA_RECORD__BODY__CASE_IS_INT_SIZE: break;
	}
	return ERR_NOT_FOUND; /* a kind from a newer log */
}

/* ---- reading fields -------------------------------------------------------------------------- */

static bool uuid_of(const ProtobufCBinaryData *b, struct uuid *out)
{
	if (b->len != sizeof(out->b))
		return false;
	memcpy(out->b, b->data, sizeof(out->b));
	return true;
}

static bool uuids_ok(const ProtobufCBinaryData *v, size_t n)
{
	struct uuid id;

	for (size_t i = 0; i < n; i++)
		if (!uuid_of(&v[i], &id))
			return false;
	return true;
}

static bool ids_of(const int32_t *v, size_t n, struct image_ids *out)
{
	if (n > IMAGE_REPLICAS_MAX)
		return false;
	if (n > 0)
		memcpy(out->v, v, n * sizeof(v[0]));
	out->n = (int32_t)n;
	return true;
}

/* Absent: unchanged. */
static bool ids_change(const Weir__BrokerIds *m, struct image_ids *out)
{
	return m == NULL || ids_of(m->id, m->n_id, out);
}

/* ---- brokers --------------------------------------------------------------------------------- */

/* The caller has checked the lengths (uuids_ok). */
static void set_log_dirs(struct image_broker *b, const ProtobufCBinaryData *v, size_t n)
{
	mem_free(b->log_dirs);
	b->log_dirs = n > 0 ? mem_alloc(n * sizeof(b->log_dirs[0])) : NULL;
	b->n_log_dirs = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		ASSERT(uuid_of(&v[i], &b->log_dirs[i]));
}

static void set_endpoints(struct image_broker *b, Weir__Endpoint *const *v, size_t n)
{
	b->endpoints = n > 0 ? mem_alloc(n * sizeof(b->endpoints[0])) : NULL;
	b->n_endpoints = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		b->endpoints[i] = (struct image_endpoint){
			.name = text_dup(str_of(v[i]->name)),
			.host = text_dup(str_of(v[i]->host)),
			.protocol = text_dup(str_of(v[i]->protocol)),
			.port = v[i]->port,
		};
}

static void take_answers(struct image_broker *to, struct image_broker *from)
{
	to->answers = from->answers;
	to->n_answers = from->n_answers;
	from->answers = NULL;
	from->n_answers = 0;
}

/* A registration replaces the row, but the broker's configs are the operator's and stay.  Answers
 * are for the process that asked: it keeps its epoch when it registers again. */
static enum err apply_broker(struct image *im, const Weir__BrokerRecord *r)
{
	struct image_broker *b;
	struct uuid incarnation;
	int32_t at;
	bool had;

	if (!uuid_of(&r->incarnation, &incarnation) || !uuids_ok(r->log_dirs, r->n_log_dirs))
		return ERR_INVALID;
	b = broker_new(r->id);
	b->epoch = r->epoch;
	b->incarnation = incarnation;
	b->rack = text_dup(str_of(r->rack));
	b->is_fenced = !r->has_fenced || r->fenced;
	b->in_controlled_shutdown = r->has_in_controlled_shutdown && r->in_controlled_shutdown;
	b->vouched_epoch = r->vouched_epoch;
	b->is_held = r->has_held && r->held;
	set_endpoints(b, r->endpoints, r->n_endpoints);
	set_log_dirs(b, r->log_dirs, r->n_log_dirs);
	had = broker_find(im, r->id, &at);
	if (had) {
		struct image_broker *old = broker_own(im, at);

		b->configs = old->configs;
		b->n_configs = old->n_configs;
		old->configs = NULL;
		old->n_configs = 0;
		if (old->epoch == b->epoch)
			take_answers(b, old);
		broker_put(old);
	} else {
		im->brokers = array_room(im->brokers, im->n_brokers, sizeof(im->brokers[0]));
		array_open(im->brokers, im->n_brokers++, at, sizeof(im->brokers[0]));
	}
	im->brokers[at] = b;
	return ERR_OK;
}

/* A change names the registration it means: one for an earlier life of the broker is void. */
static enum err apply_broker_change(struct image *im, const Weir__BrokerChangeRecord *r)
{
	struct image_broker *b;
	int32_t at;

	if (!broker_find(im, r->id, &at) || im->brokers[at]->epoch != r->epoch)
		return ERR_NOT_FOUND;
	if (!uuids_ok(r->log_dirs, r->n_log_dirs))
		return ERR_INVALID;
	b = broker_own(im, at);
	if (r->has_fenced)
		b->is_fenced = r->fenced;
	if (!b->is_fenced)
		b->vouched_epoch = -1;
	if (r->has_in_controlled_shutdown)
		b->in_controlled_shutdown = r->in_controlled_shutdown;
	if (r->has_held)
		b->is_held = r->held;
	if (r->n_log_dirs > 0)
		set_log_dirs(b, r->log_dirs, r->n_log_dirs);
	return ERR_OK;
}

static enum err apply_broker_remove(struct image *im, const Weir__BrokerRemoveRecord *r)
{
	int32_t at;

	if (!broker_find(im, r->id, &at) || im->brokers[at]->epoch != r->epoch)
		return ERR_NOT_FOUND;
	broker_put(im->brokers[at]);
	array_close(im->brokers, im->n_brokers--, at, sizeof(im->brokers[0]));
	return ERR_OK;
}

/* The n oldest. */
static void forget_answers(struct image_broker *b, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		text_free(b->answers[0].response);
		array_close(b->answers, b->n_answers--, 0, sizeof(b->answers[0]));
	}
}

/* Those that the broker has by now go: it asks for them no more. */
static enum err apply_answer(struct image *im, const Weir__AnswerRecord *r)
{
	struct str response = { (const char *)r->response.data, r->response.len };
	struct image_broker *b;
	int32_t at, n = 0;

	if (!broker_find(im, r->broker, &at) || im->brokers[at]->epoch != r->broker_epoch)
		return ERR_NOT_FOUND;
	if (response.n == 0)
		return ERR_INVALID;
	b = broker_own(im, at);
	while (n < b->n_answers && b->answers[n].number < r->answered_below)
		n++;
	forget_answers(b, i32_max(n, b->n_answers - IMAGE_ANSWERS_MAX + 1));
	for (at = b->n_answers; at > 0 && b->answers[at - 1].number >= r->number;)
		at--;
	if (at < b->n_answers && b->answers[at].number == r->number)
		return ERR_INVALID;
	b->answers = array_room(b->answers, b->n_answers, sizeof(b->answers[0]));
	array_open(b->answers, b->n_answers++, at, sizeof(b->answers[0]));
	b->answers[at] = (struct image_answer){ r->number, text_dup(response) };
	return ERR_OK;
}

/* ---- topics ---------------------------------------------------------------------------------- */

/* A second topic of the same name or id would break both look-ups: the controller
 * never writes one. */
static enum err apply_topic(struct image *im, const Weir__TopicRecord *r)
{
	struct image_topic *t;
	struct uuid id;
	int32_t at, by_id;

	if (!uuid_of(&r->id, &id))
		return ERR_INVALID;
	if (topic_find(im, str_of(r->name), &at) || topic_find_id(im, id, &by_id))
		return ERR_INVALID;
	t = mem_alloc(sizeof(*t));
	atomic_init(&t->refs, 1);
	t->id = id;
	t->name = text_dup(str_of(r->name));
	im->topics = array_room(im->topics, im->n_topics, sizeof(im->topics[0]));
	im->topics_by_id = array_room(im->topics_by_id, im->n_topics, sizeof(im->topics[0]));
	array_open(im->topics, im->n_topics, at, sizeof(im->topics[0]));
	array_open(im->topics_by_id, im->n_topics, by_id, sizeof(im->topics[0]));
	im->topics[at] = im->topics_by_id[by_id] = t;
	im->n_topics++;
	return ERR_OK;
}

/* The topic's configs and partitions go with its row; brokers delete the files when they see it. */
static enum err apply_topic_remove(struct image *im, const Weir__TopicRemoveRecord *r)
{
	struct image_topic *t;
	struct uuid id;
	int32_t at, by_id;

	if (!uuid_of(&r->id, &id))
		return ERR_INVALID;
	if (!topic_find_id(im, id, &by_id))
		return ERR_NOT_FOUND;
	t = im->topics_by_id[by_id];
	ASSERT(topic_find(im, t->name, &at));
	array_close(im->topics, im->n_topics, at, sizeof(im->topics[0]));
	array_close(im->topics_by_id, im->n_topics, by_id, sizeof(im->topics[0]));
	im->n_topics--;
	topic_put(t);
	return ERR_OK;
}

static bool topic_of(const struct image *im, const ProtobufCBinaryData *id, int32_t *at)
{
	struct uuid u;
	int32_t by_id;

	return uuid_of(id, &u) && topic_find_id(im, u, &by_id) &&
	       topic_find(im, im->topics_by_id[by_id]->name, at);
}

/* Partitions come in order: a record for the next number adds one. */
static enum err apply_partition(struct image *im, const Weir__PartitionRecord *r)
{
	struct image_partition p = {
		.leader = r->leader,
		.leader_epoch = r->leader_epoch,
		.partition_epoch = r->partition_epoch,
		.is_recovering = r->has_recovery && r->recovery == WEIR__RECOVERY_STATE__RECOVERING
	};
	struct image_topic *t;
	int32_t at;

	if (!topic_of(im, &r->topic_id, &at))
		return ERR_NOT_FOUND;
	if (r->partition < 0 || r->partition > im->topics[at]->n_partitions ||
	    !ids_of(r->replicas, r->n_replicas, &p.replicas) || !ids_of(r->isr, r->n_isr, &p.isr) ||
	    !ids_of(r->adding, r->n_adding, &p.adding) ||
	    !ids_of(r->removing, r->n_removing, &p.removing) || !ids_of(r->elr, r->n_elr, &p.elr) ||
	    !ids_of(r->last_known_elr, r->n_last_known_elr, &p.last_known_elr) ||
	    !ids_of(r->offline, r->n_offline, &p.offline))
		return ERR_INVALID;
	t = topic_own(im, at);
	if (r->partition == t->n_partitions) {
		t->partitions = array_room(t->partitions, t->n_partitions, sizeof(p));
		t->n_partitions++;
	}
	t->partitions[r->partition] = p;
	return ERR_OK;
}

/* Fields that the record lacks stay.  The leader epoch grows whenever the record sets the leader,
 * even to the same broker, the partition epoch always: leaders and followers tell versions by
 * them. */
static enum err apply_partition_change(struct image *im, const Weir__PartitionChangeRecord *r)
{
	struct image_partition p;
	int32_t at;

	if (!topic_of(im, &r->topic_id, &at) || r->partition < 0 ||
	    r->partition >= im->topics[at]->n_partitions)
		return ERR_NOT_FOUND;
	p = im->topics[at]->partitions[r->partition];
	if (!ids_change(r->isr, &p.isr) || !ids_change(r->replicas, &p.replicas) ||
	    !ids_change(r->adding, &p.adding) || !ids_change(r->removing, &p.removing) ||
	    !ids_change(r->elr, &p.elr) || !ids_change(r->last_known_elr, &p.last_known_elr) ||
	    !ids_change(r->offline, &p.offline))
		return ERR_INVALID;
	if (r->has_leader) {
		p.leader = r->leader;
		p.leader_epoch++;
	}
	if (r->has_recovery)
		p.is_recovering = r->recovery == WEIR__RECOVERY_STATE__RECOVERING;
	p.partition_epoch++;
	topic_own(im, at)->partitions[r->partition] = p;
	return ERR_OK;
}

/* ---- configs and features -------------------------------------------------------------------- */

/* A null value removes the override. */
static void set_config(struct image_config **v, int32_t *n, struct str name, struct str value)
{
	int32_t at;
	bool had = config_find(*v, *n, name, &at);

	if (had && str_null(value)) {
		text_free((*v)[at].name);
		text_free((*v)[at].value);
		array_close(*v, (*n)--, at, sizeof(**v));
	} else if (had) {
		text_free((*v)[at].value);
		(*v)[at].value = text_dup(value);
	} else if (!str_null(value)) {
		*v = array_room(*v, *n, sizeof(**v));
		array_open(*v, (*n)++, at, sizeof(**v));
		(*v)[at] = (struct image_config){ text_dup(name), text_dup(value) };
	}
}

/* Topic, the cluster-wide default of all brokers (resource ""), or one broker. */
static enum err apply_config(struct image *im, const Weir__ConfigRecord *r)
{
	struct str resource = str_of(r->resource), name = str_of(r->name), value = str_of(r->value);
	int32_t id, at;

	if (r->resource_type == IMAGE_TOPIC && topic_find(im, resource, &at)) {
		struct image_topic *t = topic_own(im, at);

		set_config(&t->configs, &t->n_configs, name, value);
		return ERR_OK;
	}
	if (r->resource_type == IMAGE_BROKER && resource.n == 0) {
		set_config(&im->broker_configs, &im->n_broker_configs, name, value);
		return ERR_OK;
	}
	if (r->resource_type == IMAGE_BROKER && parse_i32(resource, &id) == ERR_OK &&
	    broker_find(im, id, &at)) {
		struct image_broker *b = broker_own(im, at);

		set_config(&b->configs, &b->n_configs, name, value);
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

/* Level 0 removes the feature. */
static enum err apply_feature(struct image *im, const Weir__FeatureRecord *r)
{
	struct str name = str_of(r->name);
	int32_t at;
	bool had = feature_find(im->features, im->n_features, name, &at);

	if (!had && r->level == 0)
		return ERR_OK;
	if (had && r->level == 0) {
		text_free(im->features[at].name);
		array_close(im->features, im->n_features--, at, sizeof(im->features[0]));
		return ERR_OK;
	}
	if (!had) {
		im->features = array_room(im->features, im->n_features, sizeof(im->features[0]));
		array_open(im->features, im->n_features++, at, sizeof(im->features[0]));
		im->features[at].name = text_dup(name);
	}
	im->features[at].level = r->level;
	return ERR_OK;
}

/* The whole set each time. */
static enum err apply_voters(struct image *im, const Weir__VotersRecord *r)
{
	struct image_voter *v = mem_alloc(r->n_voters * sizeof(*v) + 1);

	for (size_t i = 0; i < r->n_voters; i++) {
		const Weir__Voter *m = r->voters[i];
		struct text host;

		text_init(&host, v[i].host, sizeof(v[i].host));
		text_str(&host, str_of(m->host));
		v[i].id = m->id;
		v[i].port = m->port;
		if (!uuid_of(&m->directory_id, &v[i].directory) || host.cut) {
			mem_free(v);
			return ERR_INVALID;
		}
	}
	mem_free(im->voters);
	im->voters = v;
	im->n_voters = (int32_t)r->n_voters;
	return ERR_OK;
}
