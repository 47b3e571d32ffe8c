/* image_dump.c - an image as records, and two images compared.
 *
 * The dump is what a snapshot of the metadata log holds and what a broker gets that is too far
 * behind: applying it to an empty image gives an equal one.  Records borrow the image's memory, so
 * they are valid inside each() only. */
#include "common/base/text.h"
#include "common/meta/image_priv.h"

struct dump {
	void (*each)(void *arg, const Weir__MetadataRecord *);
	void *arg;
	Weir__MetadataRecord record;
};

static void dump_voters(struct dump *, const struct image *);
static void dump_broker(struct dump *, const struct image_broker *);
static void dump_answers(struct dump *, const struct image_broker *);
static void dump_configs(struct dump *, int32_t type, char *resource, const struct image_config *,
			 int32_t n);
static void dump_topic(struct dump *, const struct image_topic *);

static void emit(struct dump *d, Weir__MetadataRecord__BodyCase kind)
{
	d->record.body_case = kind;
	d->each(d->arg, &d->record);
}

/* Generated structs hold char * and are only read here. */
static char *z(struct str s)
{
	return (char *)(uintptr_t)s.at;
}

static ProtobufCBinaryData bytes_of(const struct uuid *u)
{
	return (ProtobufCBinaryData){ sizeof(u->b), (uint8_t *)(uintptr_t)u->b };
}

/* Configs before brokers and topics' configs after their topic: the order image_apply accepts. */
void image_dump(const struct image *im, void (*each)(void *, const Weir__MetadataRecord *),
		void *arg)
{
	struct dump d = { each, arg, WEIR__METADATA_RECORD__INIT };

	if (im->controller >= 0) {
		Weir__LeaderRecord r = WEIR__LEADER_RECORD__INIT;

		r.controller = im->controller;
		r.epoch = im->controller_epoch;
		d.record.leader = &r;
		emit(&d, WEIR__METADATA_RECORD__BODY_LEADER);
	}
	dump_voters(&d, im);
	for (int32_t i = 0; i < im->n_features; i++) {
		Weir__FeatureRecord r = WEIR__FEATURE_RECORD__INIT;

		r.name = z(im->features[i].name);
		r.level = im->features[i].level;
		d.record.feature = &r;
		emit(&d, WEIR__METADATA_RECORD__BODY_FEATURE);
	}
	if (im->next_producer_id > 0) {
		Weir__ProducerIdsRecord r = WEIR__PRODUCER_IDS_RECORD__INIT;

		r.broker = -1; /* who asked last is history, not state */
		r.broker_epoch = -1;
		r.next_producer_id = im->next_producer_id;
		d.record.producer_ids = &r;
		emit(&d, WEIR__METADATA_RECORD__BODY_PRODUCER_IDS);
	}
	dump_configs(&d, IMAGE_BROKER, (char[]){ "" }, im->broker_configs, im->n_broker_configs);
	for (int32_t i = 0; i < im->n_brokers; i++)
		dump_broker(&d, im->brokers[i]);
	for (int32_t i = 0; i < im->n_topics; i++)
		dump_topic(&d, im->topics[i]);
}

static void dump_voters(struct dump *d, const struct image *im)
{
	Weir__VotersRecord r = WEIR__VOTERS_RECORD__INIT;
	Weir__Voter *rows, **list;

	if (im->n_voters == 0)
		return;
	rows = mem_alloc((size_t)im->n_voters * sizeof(*rows));
	list = mem_alloc((size_t)im->n_voters * sizeof(Weir__Voter *));
	for (int32_t i = 0; i < im->n_voters; i++) {
		list[i] = &rows[i];
		weir__voter__init(&rows[i]);
		rows[i].id = im->voters[i].id;
		rows[i].directory_id = bytes_of(&im->voters[i].directory);
		rows[i].host = im->voters[i].host;
		rows[i].port = im->voters[i].port;
	}
	r.n_voters = (size_t)im->n_voters;
	r.voters = list;
	d->record.voters = &r;
	emit(d, WEIR__METADATA_RECORD__BODY_VOTERS);
	mem_free(list);
	mem_free(rows);
}

static void dump_broker(struct dump *d, const struct image_broker *b)
{
	Weir__BrokerRecord r = WEIR__BROKER_RECORD__INIT;
	size_t n_ends = (size_t)b->n_endpoints, n_dirs = (size_t)b->n_log_dirs;
	Weir__Endpoint *ends = mem_alloc(n_ends * sizeof(*ends) + 1);
	Weir__Endpoint **at = mem_alloc(n_ends * sizeof(*at) + 1);
	ProtobufCBinaryData *dirs = mem_alloc(n_dirs * sizeof(*dirs) + 1);
	struct text id;
	char id_text[16];

	for (size_t i = 0; i < n_ends; i++) {
		ends[i] = (Weir__Endpoint)WEIR__ENDPOINT__INIT;
		ends[i].name = z(b->endpoints[i].name);
		ends[i].host = z(b->endpoints[i].host);
		ends[i].protocol = z(b->endpoints[i].protocol);
		ends[i].port = b->endpoints[i].port;
		at[i] = &ends[i];
	}
	for (size_t i = 0; i < n_dirs; i++)
		dirs[i] = bytes_of(&b->log_dirs[i]);
	r.id = b->id;
	r.epoch = b->epoch;
	r.incarnation = bytes_of(&b->incarnation);
	r.rack = z(b->rack);
	r.endpoints = at;
	r.n_endpoints = n_ends;
	r.log_dirs = dirs;
	r.n_log_dirs = n_dirs;
	r.has_fenced = r.has_in_controlled_shutdown = true;
	r.fenced = b->is_fenced;
	r.in_controlled_shutdown = b->in_controlled_shutdown;
	r.has_vouched_epoch = true;
	r.vouched_epoch = b->vouched_epoch;
	r.has_held = b->is_held;
	r.held = b->is_held;
	d->record.broker = &r;
	emit(d, WEIR__METADATA_RECORD__BODY_BROKER);
	mem_free(ends);
	mem_free(at);
	mem_free(dirs);
	text_init(&id, id_text, sizeof(id_text));
	text_printf(&id, "%d", b->id);
	dump_configs(d, IMAGE_BROKER, id_text, b->configs, b->n_configs);
	dump_answers(d, b);
}

static void dump_answers(struct dump *d, const struct image_broker *b)
{
	for (int32_t i = 0; i < b->n_answers; i++) {
		const struct image_answer *a = &b->answers[i];
		Weir__AnswerRecord r = WEIR__ANSWER_RECORD__INIT;

		r.broker = b->id;
		r.broker_epoch = b->epoch;
		r.number = a->number;
		r.answered_below = b->answers[0].number;
		r.response = (ProtobufCBinaryData){ a->response.n,
						    (uint8_t *)(uintptr_t)a->response.at };
		d->record.answer = &r;
		emit(d, WEIR__METADATA_RECORD__BODY_ANSWER);
	}
}

static void dump_configs(struct dump *d, int32_t type, char *resource, const struct image_config *v,
			 int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		Weir__ConfigRecord r = WEIR__CONFIG_RECORD__INIT;

		r.resource_type = type;
		r.resource = resource;
		r.name = z(v[i].name);
		r.value = z(v[i].value);
		d->record.config = &r;
		emit(d, WEIR__METADATA_RECORD__BODY_CONFIG);
	}
}

#define IDS(field, ids)                                                                            \
	do {                                                                                       \
		r.field = (int32_t *)(uintptr_t)(ids).v;                                           \
		r.n_##field = (size_t)(ids).n;                                                     \
	} while (0)

static void dump_topic(struct dump *d, const struct image_topic *t)
{
	Weir__TopicRecord topic = WEIR__TOPIC_RECORD__INIT;

	topic.name = z(t->name);
	topic.id = bytes_of(&t->id);
	d->record.topic = &topic;
	emit(d, WEIR__METADATA_RECORD__BODY_TOPIC);
	dump_configs(d, IMAGE_TOPIC, z(t->name), t->configs, t->n_configs);
	for (int32_t i = 0; i < t->n_partitions; i++) {
		const struct image_partition *p = &t->partitions[i];
		Weir__PartitionRecord r = WEIR__PARTITION_RECORD__INIT;

		r.topic_id = bytes_of(&t->id);
		r.partition = i;
		r.leader = p->leader;
		r.leader_epoch = p->leader_epoch;
		r.partition_epoch = p->partition_epoch;
		r.has_recovery = p->is_recovering;
		r.recovery = WEIR__RECOVERY_STATE__RECOVERING;
		IDS(replicas, p->replicas);
		IDS(isr, p->isr);
		IDS(adding, p->adding);
		IDS(removing, p->removing);
		IDS(elr, p->elr);
		IDS(last_known_elr, p->last_known_elr);
		IDS(offline, p->offline);
		d->record.partition = &r;
		emit(d, WEIR__METADATA_RECORD__BODY_PARTITION);
	}
}

/* ---- equality -------------------------------------------------------------------------------- */

bool ids_same(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}

static bool partition_equal(const struct image_partition *a, const struct image_partition *b)
{
	return ids_same(&a->replicas, &b->replicas) && ids_same(&a->isr, &b->isr) &&
	       ids_same(&a->adding, &b->adding) && ids_same(&a->removing, &b->removing) &&
	       ids_same(&a->elr, &b->elr) && ids_same(&a->last_known_elr, &b->last_known_elr) &&
	       ids_same(&a->offline, &b->offline) && a->leader == b->leader &&
	       a->leader_epoch == b->leader_epoch && a->partition_epoch == b->partition_epoch &&
	       a->is_recovering == b->is_recovering;
}

static bool configs_equal(const struct image_config *a, int32_t n_a, const struct image_config *b,
			  int32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (int32_t i = 0; i < n_a; i++)
		if (!str_eq(a[i].name, b[i].name) || !str_eq(a[i].value, b[i].value))
			return false;
	return true;
}

static bool topic_equal(const struct image_topic *a, const struct image_topic *b)
{
	if (!uuid_eq(a->id, b->id) || !str_eq(a->name, b->name) ||
	    a->n_partitions != b->n_partitions ||
	    !configs_equal(a->configs, a->n_configs, b->configs, b->n_configs))
		return false;
	for (int32_t i = 0; i < a->n_partitions; i++)
		if (!partition_equal(&a->partitions[i], &b->partitions[i]))
			return false;
	return true;
}

static bool broker_equal(const struct image_broker *a, const struct image_broker *b)
{
	if (a->id != b->id || a->epoch != b->epoch || !uuid_eq(a->incarnation, b->incarnation) ||
	    !str_eq(a->rack, b->rack) || a->n_endpoints != b->n_endpoints ||
	    a->n_log_dirs != b->n_log_dirs || a->is_fenced != b->is_fenced ||
	    a->in_controlled_shutdown != b->in_controlled_shutdown ||
	    a->vouched_epoch != b->vouched_epoch || a->is_held != b->is_held ||
	    a->n_answers != b->n_answers ||
	    !configs_equal(a->configs, a->n_configs, b->configs, b->n_configs))
		return false;
	for (int32_t i = 0; i < a->n_endpoints; i++) {
		const struct image_endpoint *x = &a->endpoints[i], *y = &b->endpoints[i];

		if (!str_eq(x->name, y->name) || !str_eq(x->host, y->host) ||
		    !str_eq(x->protocol, y->protocol) || x->port != y->port)
			return false;
	}
	for (int32_t i = 0; i < a->n_log_dirs; i++)
		if (!uuid_eq(a->log_dirs[i], b->log_dirs[i]))
			return false;
	for (int32_t i = 0; i < a->n_answers; i++)
		if (a->answers[i].number != b->answers[i].number ||
		    !str_eq(a->answers[i].response, b->answers[i].response))
			return false;
	return true;
}

static bool voters_equal(const struct image *a, const struct image *b)
{
	for (int32_t i = 0; a->n_voters == b->n_voters && i < a->n_voters; i++) {
		const struct image_voter *x = &a->voters[i], *y = &b->voters[i];

		if (x->id != y->id || x->port != y->port || !uuid_eq(x->directory, y->directory) ||
		    strcmp(x->host, y->host) != 0)
			return false;
	}
	return a->n_voters == b->n_voters;
}

bool image_equal(const struct image *a, const struct image *b)
{
	if (a->controller != b->controller || a->controller_epoch != b->controller_epoch ||
	    a->n_brokers != b->n_brokers || a->n_topics != b->n_topics ||
	    a->n_features != b->n_features || a->next_producer_id != b->next_producer_id ||
	    !configs_equal(a->broker_configs, a->n_broker_configs, b->broker_configs,
			   b->n_broker_configs) ||
	    !voters_equal(a, b))
		return false;
	for (int32_t i = 0; i < a->n_features; i++)
		if (!str_eq(a->features[i].name, b->features[i].name) ||
		    a->features[i].level != b->features[i].level)
			return false;
	for (int32_t i = 0; i < a->n_brokers; i++)
		if (a->brokers[i] != b->brokers[i] && !broker_equal(a->brokers[i], b->brokers[i]))
			return false;
	for (int32_t i = 0; i < a->n_topics; i++)
		if (a->topics[i] != b->topics[i] && !topic_equal(a->topics[i], b->topics[i]))
			return false;
	return true;
}
