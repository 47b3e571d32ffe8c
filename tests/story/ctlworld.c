#include "tests/story/ctlworld.h"

#include "common/wire/kerr.h"
#include "tests/lib/test.h"

static void keep(struct ctlworld *, const Weir__MetadataRecord *);
static void tell_record(struct ctlworld *, int64_t offset, const Weir__MetadataRecord *);
static void tell_partition(struct ctlworld *, const Weir__PartitionRecord *);
static void tell_change(struct ctlworld *, const Weir__PartitionChangeRecord *);
static void tell_answer(struct ctlworld *, const Weir__Response *);
static void tell_ids(struct text *, const int32_t *, size_t n);
static void tell_list(struct text *, const char *what, const Weir__BrokerIds *);
static void tell_more(struct text *, const char *what, const struct image_ids *);
static struct str topic_name(struct ctlworld *, const ProtobufCBinaryData *);

void ctlworld_init(struct ctlworld *w)
{
	*w = (struct ctlworld){ .seed = 1, .previous_epoch = -1 };
	w->options = (struct ctl_options){ .cluster_id = STR("cluster"),
					   .default_partitions = 1,
					   .default_replication_factor = -1,
					   .default_min_insync = 1,
					   .delete_topic_enable = true };
	topic_conf_defaults(&w->options.topic);
	ctl_init(&w->ctl, &w->options);
	arena_init(&w->arena, 64 << 20);
}

void ctlworld_fini(struct ctlworld *w)
{
	for (int64_t i = 0; i < w->n_log; i++)
		mem_free(w->log[i].at);
	mem_free(w->log);
	arena_fini(&w->arena);
	ctl_fini(&w->ctl);
}

const Weir__Response *ctlworld_do(struct ctlworld *w, const struct ctl_cmd *cmd)
{
	struct ctl_cmd seeded = *cmd;
	struct ctl_result r;
	Weir__Response *reply;

	arena_reset(&w->arena);
	seeded.seed = w->seed++;
	seeded.asker.broker = w->asker;
	seeded.asker.epoch = ctlworld_epoch(w, w->asker);
	seeded.asker.number = w->number;
	seeded.asker.answered_below = w->answered_below;
	ctl_result_init(&r, &w->arena);
	ctl_decide(&w->ctl, &seeded, &r);
	for (int32_t i = 0; i < r.n_records; i++) {
		struct image *before = image_clone(w->ctl.image);

		tell_record(w, w->ctl.image->offset, r.records[i]);
		keep(w, r.records[i]);
		EXPECT_OK(ctl_replay(&w->ctl, r.records[i]));
		image_check(w->ctl.image);
		image_check_step(before, w->ctl.image);
		image_put(before);
	}
	w->n_unclean += r.n_unclean;
	reply = arena_must(&w->arena, sizeof(*reply));
	*reply = r.reply;
	reply->status = arena_must(&w->arena, sizeof(*reply->status));
	*reply->status = r.status;
	ctl_result_fini(&r);
	tell_answer(w, reply);
	return reply->status->code == KERR_NONE ? reply : NULL;
}

static void keep(struct ctlworld *w, const Weir__MetadataRecord *m)
{
	struct packed *p;

	if (w->n_log == w->cap_log) {
		w->cap_log = w->cap_log == 0 ? 64 : w->cap_log * 2;
		w->log = mem_grow(w->log, (size_t)w->cap_log * sizeof(*w->log));
	}
	p = &w->log[w->n_log++];
	p->n = weir__metadata_record__get_packed_size(m);
	p->at = mem_alloc(p->n + 1);
	(void)weir__metadata_record__pack(m, p->at);
}

static void fold(void *im, const Weir__MetadataRecord *m)
{
	EXPECT_OK(image_apply(im, m));
}

bool ctlworld_replays(struct ctlworld *w)
{
	struct image *from_log = image_new(), *from_state = image_new();
	bool is_same;

	for (int64_t i = 0; i < w->n_log; i++) {
		Weir__MetadataRecord *m =
			weir__metadata_record__unpack(NULL, w->log[i].n, w->log[i].at);

		fold(from_log, m);
		weir__metadata_record__free_unpacked(m, NULL);
	}
	image_dump(w->ctl.image, fold, from_state);
	is_same = image_equal(from_log, w->ctl.image) && image_equal(from_state, w->ctl.image);
	image_put(from_log);
	image_put(from_state);
	return is_same;
}

void ctlworld_register(struct ctlworld *w, int32_t id, const char *rack, bool is_new,
		       bool is_old_alive)
{
	Weir__RegisterBroker m = WEIR__REGISTER_BROKER__INIT;
	Weir__Endpoint end = WEIR__ENDPOINT__INIT, *ends[] = { &end };
	struct ctl_cmd cmd = { .kind = CTL_REGISTER, .reg = { &m, is_old_alive } };
	uint8_t incarnation[16] = { 1 }, dir[16] = { 2 };
	ProtobufCBinaryData dirs[] = { { 16, dir } };

	ASSERT(id >= 0 && id <= CTLWORLD_BROKERS);
	incarnation[1] = (uint8_t)id;
	incarnation[2] = w->incarnation[id] = (uint8_t)(w->incarnation[id] + is_new);
	dir[1] = (uint8_t)id;
	end.name = end.protocol = (char[]){ "PLAINTEXT" };
	end.host = (char[]){ "localhost" };
	end.port = 9092 + id;
	m.id = id;
	m.cluster_id = (char[]){ "" };
	m.incarnation = (ProtobufCBinaryData){ 16, incarnation };
	m.endpoints = ends;
	m.n_endpoints = 1;
	m.rack = (char *)(uintptr_t)rack;
	m.log_dirs = dirs;
	m.n_log_dirs = 1;
	m.has_previous_epoch = true;
	m.previous_epoch = w->previous_epoch;
	(void)ctlworld_do(w, &cmd);
}

void ctlworld_broker(struct ctlworld *w, enum ctl_kind kind, int32_t id, const char *reason)
{
	struct ctl_cmd cmd = { .kind = kind, .broker = { id, ctlworld_epoch(w, id), reason } };

	(void)ctlworld_do(w, &cmd);
}

const struct image_partition *ctlworld_partition(struct ctlworld *w, struct str topic,
						 int32_t partition)
{
	const struct image_topic *t = image_topic_named(w->ctl.image, topic);

	return t != NULL ? image_partition(t, partition) : NULL;
}

int64_t ctlworld_epoch(struct ctlworld *w, int32_t broker)
{
	const struct image_broker *b = image_broker(w->ctl.image, broker);

	return b != NULL ? b->epoch : -1;
}

/* ---- in words -------------------------------------------------------------------------------- */

void ctlworld_show(struct ctlworld *w)
{
	const struct image *im = w->ctl.image;

	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			const struct image_partition *at = &im->topics[i]->partitions[p];

			text_printf(w->tale, "         %.*s/%d: replicas ",
				    (int)im->topics[i]->name.n, im->topics[i]->name.at, p);
			tell_ids(w->tale, at->replicas.v, (size_t)at->replicas.n);
			text_printf(w->tale, ", isr ");
			tell_ids(w->tale, at->isr.v, (size_t)at->isr.n);
			tell_more(w->tale, ", adding ", &at->adding);
			tell_more(w->tale, ", removing ", &at->removing);
			tell_more(w->tale, ", elr ", &at->elr);
			if (at->last_known_elr.n > 0)
				text_printf(w->tale, ", led by %d", at->last_known_elr.v[0]);
			if (at->offline.n > 0) {
				text_printf(w->tale, ", offline ");
				tell_ids(w->tale, at->offline.v, (size_t)at->offline.n);
			}
			text_printf(w->tale, ", leader %d in epoch %d, partition epoch %d%s\n",
				    at->leader, at->leader_epoch, at->partition_epoch,
				    at->is_recovering ? ", recovering" : "");
		}
}

static void tell_record(struct ctlworld *w, int64_t offset, const Weir__MetadataRecord *m)
{
	struct text *t = w->tale;

	if (t == NULL)
		return;
	text_printf(t, "[%6lld] ", (long long)offset);
	switch ((int)m->body_case) {
	case WEIR__METADATA_RECORD__BODY_BROKER:
		text_printf(t, "broker %d registered, epoch %lld, %s\n", m->broker->id,
			    (long long)m->broker->epoch,
			    m->broker->fenced ? "fenced" : "in service");
		break;
	case WEIR__METADATA_RECORD__BODY_BROKER_CHANGE:
		text_printf(t, "broker %d %s: %s\n", m->broker_change->id,
			    m->broker_change->has_held && !m->broker_change->held ? "let in"
			    : !m->broker_change->has_fenced                       ? "shuts down"
			    : m->broker_change->fenced                            ? "fenced"
										  : "in service",
			    m->broker_change->reason ? m->broker_change->reason : "");
		break;
	case WEIR__METADATA_RECORD__BODY_BROKER_REMOVE:
		text_printf(t, "broker %d unregistered\n", m->broker_remove->id);
		break;
	case WEIR__METADATA_RECORD__BODY_TOPIC: text_printf(t, "topic %s\n", m->topic->name); break;
	case WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE:
		text_printf(t, "topic %s deleted\n", topic_name(w, &m->topic_remove->id).at);
		break;
	case WEIR__METADATA_RECORD__BODY_PARTITION: tell_partition(w, m->partition); break;
	case WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE:
		tell_change(w, m->partition_change);
		break;
	case WEIR__METADATA_RECORD__BODY_CONFIG:
		text_printf(t, "config of %s: %s %s %s\n",
			    m->config->resource[0] ? m->config->resource : "every broker",
			    m->config->name, m->config->value ? "=" : "removed",
			    m->config->value ? m->config->value : "");
		break;
	case WEIR__METADATA_RECORD__BODY_LEADER:
		text_printf(t, "controller %d decides, epoch %lld\n", m->leader->controller,
			    (long long)m->leader->epoch);
		break;
	case WEIR__METADATA_RECORD__BODY_FEATURE:
		text_printf(t, "feature %s at level %d\n", m->feature->name, m->feature->level);
		break;
	case WEIR__METADATA_RECORD__BODY_ANSWER:
		text_printf(t, "answer to request %lld of broker %d\n",
			    (long long)m->answer->number, m->answer->broker);
		break;
	case WEIR__METADATA_RECORD__BODY_PRODUCER_IDS:
		text_printf(t, "producer ids taken up to %lld\n",
			    (long long)m->producer_ids->next_producer_id);
		break;
	default: text_printf(t, "record of kind %d\n", (int)m->body_case); break;
	}
}

static struct str topic_name(struct ctlworld *w, const ProtobufCBinaryData *id)
{
	const struct image_topic *t;
	struct uuid u = { { 0 } };

	memcpy(u.b, id->data, size_min(id->len, sizeof(u.b)));
	t = image_topic_by_id(w->ctl.image, u);
	return t != NULL ? t->name : STR("?");
}

static void tell_partition(struct ctlworld *w, const Weir__PartitionRecord *m)
{
	text_printf(w->tale, "%s/%d: replicas ", topic_name(w, &m->topic_id).at, m->partition);
	tell_ids(w->tale, m->replicas, m->n_replicas);
	text_printf(w->tale, ", isr ");
	tell_ids(w->tale, m->isr, m->n_isr);
	text_printf(w->tale, ", leader %d\n", m->leader);
}

static void tell_change(struct ctlworld *w, const Weir__PartitionChangeRecord *m)
{
	text_printf(w->tale, "%s/%d:", topic_name(w, &m->topic_id).at, m->partition);
	tell_list(w->tale, " replicas ", m->replicas);
	tell_list(w->tale, " adding ", m->adding);
	tell_list(w->tale, " removing ", m->removing);
	tell_list(w->tale, " isr ", m->isr);
	tell_list(w->tale, " elr ", m->elr);
	if (m->offline != NULL) {
		text_printf(w->tale, " offline ");
		tell_ids(w->tale, m->offline->id, m->offline->n_id);
	}
	if (m->has_leader)
		text_printf(w->tale, " leader %d", m->leader);
	if (m->has_recovery)
		text_printf(w->tale, m->recovery == WEIR__RECOVERY_STATE__RECOVERING
					     ? " recovering"
					     : " recovered");
	text_printf(w->tale, ", %s\n", m->reason);
}

static void tell_list(struct text *t, const char *what, const Weir__BrokerIds *m)
{
	if (m == NULL)
		return;
	text_printf(t, "%s", what);
	tell_ids(t, m->id, m->n_id);
}

static void tell_more(struct text *t, const char *what, const struct image_ids *ids)
{
	if (ids->n == 0)
		return;
	text_printf(t, "%s", what);
	tell_ids(t, ids->v, (size_t)ids->n);
}

static void tell_ids(struct text *t, const int32_t *v, size_t n)
{
	text_printf(t, "{");
	for (size_t i = 0; i < n; i++)
		text_printf(t, "%s%d", i > 0 ? "," : "", v[i]);
	text_printf(t, "}");
}

static void tell_code(struct text *t, const char *name, int32_t partition, int32_t code,
		      const char *message)
{
	text_printf(t, "      -> %s", name);
	if (partition >= 0)
		text_printf(t, "/%d", partition);
	text_printf(t, ": %s%s%s\n", kerr_name(code), message ? ", " : "", message ? message : "");
}

static void tell_answer(struct ctlworld *w, const Weir__Response *r)
{
	struct text *t = w->tale;

	if (t == NULL)
		return;
	if (r->status->code != KERR_NONE)
		text_printf(t, "      -> %s, %s\n", kerr_name(r->status->code), r->status->message);
	if (r->body_case == WEIR__RESPONSE__BODY_TOPICS)
		for (size_t i = 0; i < r->topics->n_topics; i++)
			tell_code(t, r->topics->topics[i]->name, -1, r->topics->topics[i]->code,
				  r->topics->topics[i]->message);
	if (r->body_case == WEIR__RESPONSE__BODY_CONFIGS)
		for (size_t i = 0; i < r->configs->n_resources; i++)
			tell_code(t, r->configs->resources[i]->name, -1,
				  r->configs->resources[i]->code,
				  r->configs->resources[i]->message);
	if (r->body_case == WEIR__RESPONSE__BODY_ELECTIONS)
		for (size_t i = 0; i < r->elections->n_partitions; i++)
			tell_code(t, r->elections->partitions[i]->topic,
				  r->elections->partitions[i]->partition,
				  r->elections->partitions[i]->code,
				  r->elections->partitions[i]->message);
	if (r->body_case == WEIR__RESPONSE__BODY_FEATURES)
		for (size_t i = 0; i < r->features->n_features; i++)
			tell_code(t, r->features->features[i]->name, -1,
				  r->features->features[i]->code,
				  r->features->features[i]->message);
	if (r->body_case == WEIR__RESPONSE__BODY_REASSIGNMENTS)
		for (size_t i = 0; i < r->reassignments->n_partitions; i++)
			tell_code(t, r->reassignments->partitions[i]->topic,
				  r->reassignments->partitions[i]->partition,
				  r->reassignments->partitions[i]->code,
				  r->reassignments->partitions[i]->message);
	if (r->body_case == WEIR__RESPONSE__BODY_ALTERED_PARTITIONS)
		for (size_t i = 0; i < r->altered_partitions->n_items; i++) {
			const Weir__AlterPartitionResult *x = r->altered_partitions->items[i];

			tell_code(t, topic_name(w, &x->topic_id).at, x->partition, x->code, NULL);
		}
	if (r->body_case == WEIR__RESPONSE__BODY_ALLOCATED_PRODUCER_IDS)
		text_printf(t, "      -> producer ids from %lld, %d of them\n",
			    (long long)r->allocated_producer_ids->first,
			    r->allocated_producer_ids->count);
}
