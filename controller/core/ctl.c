/* ctl.c - the machine's frame: state, dispatch, and what every family uses to emit and to answer.
 *
 *   node_submit -> ctl_decide -> families[kind] -> emit_*, refuse, reply   reads ctl->image
 *   node        -> ctl_replay -> image_apply                               the only writer
 *
 * A decision of several parts (create ten topics) folds its own records on a private clone of the
 * image, view(), so part two sees part one.  Time stamps are added by the node: a core has no
 * clock. */
#include "controller/core/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "controller/core/decide.h"

#define RECORD_OVERHEAD 64 /* of each in the log: its head, and the time */

static void decide_activate(struct ctl_result *, const struct ctl_cmd *);
static void decide_set_voters(struct ctl_result *, const struct ctl_cmd *);
static void decide_producer_ids(struct ctl_result *, const struct ctl_cmd *);
static void refuse_too_large(struct ctl_result *);

static void (*const families[])(struct ctl_result *, const struct ctl_cmd *) = {
	[CTL_ACTIVATE] = decide_activate,
	[CTL_REGISTER] = decide_register,
	[CTL_UNREGISTER] = decide_unregister,
	[CTL_HOLD] = decide_hold,
	[CTL_FENCE] = decide_fence,
	[CTL_UNFENCE] = decide_unfence,
	[CTL_BEGIN_SHUTDOWN] = decide_begin_shutdown,
	[CTL_ALTER_PARTITION] = decide_alter_partition,
	[CTL_PRODUCER_IDS] = decide_producer_ids,
	[CTL_CREATE_TOPICS] = decide_create_topics,
	[CTL_DELETE_TOPICS] = decide_delete_topics,
	[CTL_CREATE_PARTITIONS] = decide_create_partitions,
	[CTL_ALTER_CONFIGS] = decide_alter_configs,
	[CTL_ELECT_LEADERS] = decide_elect_leaders,
	[CTL_REASSIGN] = decide_reassign,
	[CTL_REPORT_LOST] = decide_report_lost,
	[CTL_UPDATE_FEATURES] = decide_update_features,
	[CTL_REBALANCE] = decide_rebalance,
	[CTL_ELECT_LEADERLESS] = decide_elect_leaderless,
	[CTL_SET_VOTERS] = decide_set_voters,
};

void ctl_init(struct ctl *c, const struct ctl_options *o)
{
	*c = (struct ctl){ o, image_new() };
}

void ctl_fini(struct ctl *c)
{
	image_put(c->image);
	c->image = NULL;
}

void ctl_result_init(struct ctl_result *r, struct arena *a)
{
	*r = (struct ctl_result){ .arena = a };
	r->status = (Weir__Status)WEIR__STATUS__INIT;
	r->reply = (Weir__Response)WEIR__RESPONSE__INIT;
	r->reply.status = &r->status;
}

void ctl_result_fini(struct ctl_result *r)
{
	image_put(r->scratch);
	r->scratch = NULL;
}

/* A refused command has no records: the status and the log cannot contradict each other. */
void ctl_decide(const struct ctl *c, const struct ctl_cmd *cmd, struct ctl_result *r)
{
	ASSERT((size_t)cmd->kind < ARRAY_LEN(families));
	ASSERT(r->n_records == 0);
	r->ctl = c;
	r->cmd = cmd;
	if (!answer_again(r, cmd)) {
		families[cmd->kind](r, cmd);
		remember_answer(r, cmd);
	}
	if (ctl_is_whole(cmd->kind))
		refuse_too_large(r);
	r->cmd = NULL;
	ASSERT(r->status.code == KERR_NONE || r->n_records == 0);
}

bool ctl_is_whole(enum ctl_kind kind)
{
	return kind == CTL_CREATE_TOPICS || kind == CTL_CREATE_PARTITIONS ||
	       kind == CTL_ALTER_CONFIGS || kind == CTL_UPDATE_FEATURES;
}

static void refuse_too_large(struct ctl_result *r)
{
	int64_t bytes = 0;

	for (int32_t i = 0; i < r->n_records; i++)
		bytes += RECORD_OVERHEAD +
			 (int64_t)weir__metadata_record__get_packed_size(r->records[i]);
	if (bytes <= CTL_WHOLE_BYTES_MAX)
		return;
	r->n_records = 0;
	r->n_unclean = 0;
	r->reply.body_case = WEIR__RESPONSE__BODY__NOT_SET;
	refuse(r, KERR_POLICY_VIOLATION,
	       "this request would write %lld bytes of metadata at once, the most is %d; ask for "
	       "less in one request",
	       (long long)bytes, CTL_WHOLE_BYTES_MAX);
}

/* The image keeps one owner: whoever publishes it clones it. */
enum err ctl_replay(struct ctl *c, const Weir__MetadataRecord *record)
{
	enum err e = image_apply(c->image, record);

	c->image->offset++;
	return e;
}

/* The epoch is the term it was elected in, above any in the log, so records of two controllers
 * cannot be confused. */
static void decide_activate(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	Weir__LeaderRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__LeaderRecord)WEIR__LEADER_RECORD__INIT;
	m->controller = cmd->activate.controller;
	m->epoch = i64_max(cmd->activate.epoch, r->ctl->image->controller_epoch + 1);
	emit(r, WEIR__METADATA_RECORD__BODY_LEADER)->leader = m;
	write_first_features(r);
}

static void decide_set_voters(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	emit(r, WEIR__METADATA_RECORD__BODY_VOTERS)->voters = cmd->voters;
}

/* A block is written down before it is handed out: no id is ever handed out twice. */
static void decide_producer_ids(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__AllocateProducerIds *m = cmd->producer_ids;
	Weir__ProducerIdsRecord *rec;
	Weir__AllocatedProducerIds *out;

	if (sender(r, m->broker, m->broker_epoch) == NULL)
		return;
	rec = arena_must(r->arena, sizeof(*rec));
	*rec = (Weir__ProducerIdsRecord)WEIR__PRODUCER_IDS_RECORD__INIT;
	rec->broker = m->broker;
	rec->broker_epoch = m->broker_epoch;
	rec->next_producer_id = r->ctl->image->next_producer_id + PRODUCER_ID_BLOCK;
	emit(r, WEIR__METADATA_RECORD__BODY_PRODUCER_IDS)->producer_ids = rec;
	out = arena_must(r->arena, sizeof(*out));
	*out = (Weir__AllocatedProducerIds)WEIR__ALLOCATED_PRODUCER_IDS__INIT;
	/* Where the block begins that the record above ends.  If the reply is lost the block is,
	 * too. */
	out->first = r->ctl->image->next_producer_id;
	out->count = PRODUCER_ID_BLOCK;
	r->reply.body_case = WEIR__RESPONSE__BODY_ALLOCATED_PRODUCER_IDS;
	r->reply.allocated_producer_ids = out;
}

/* ---- records --------------------------------------------------------------------------------- */

/* Cloned at the first need and caught up lazily: most commands have one part and never
 * pay for it. */
const struct image *view(struct ctl_result *r)
{
	if (r->n_applied == r->n_records)
		return r->scratch != NULL ? r->scratch : r->ctl->image;
	if (r->scratch == NULL)
		r->scratch = image_clone(r->ctl->image);
	for (; r->n_applied < r->n_records; r->n_applied++) {
		enum err e = image_apply(r->scratch, r->records[r->n_applied]);

		ASSERT(e == ERR_OK);
		r->scratch->offset++;
	}
	return r->scratch;
}

Weir__MetadataRecord *emit(struct ctl_result *r, Weir__MetadataRecord__BodyCase kind)
{
	Weir__MetadataRecord *m = arena_must(r->arena, sizeof(*m));

	if (r->n_records == r->cap) {
		int32_t cap = r->cap == 0 ? 16 : r->cap * 2;
		Weir__MetadataRecord **v = arena_must(r->arena, (size_t)cap * sizeof(*v));

		if (r->n_records > 0)
			memcpy(v, r->records, (size_t)r->n_records * sizeof(*v));
		r->records = v;
		r->cap = cap;
	}
	*m = (Weir__MetadataRecord)WEIR__METADATA_RECORD__INIT;
	m->body_case = kind;
	r->records[r->n_records++] = m;
	return m;
}

Weir__BrokerRecord *emit_broker(struct ctl_result *r)
{
	Weir__BrokerRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__BrokerRecord)WEIR__BROKER_RECORD__INIT;
	emit(r, WEIR__METADATA_RECORD__BODY_BROKER)->broker = m;
	return m;
}

Weir__BrokerChangeRecord *emit_broker_change(struct ctl_result *r, const struct image_broker *b,
					     const char *reason)
{
	Weir__BrokerChangeRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__BrokerChangeRecord)WEIR__BROKER_CHANGE_RECORD__INIT;
	m->id = b->id;
	m->epoch = b->epoch;
	m->reason = reason != NULL ? zdup(r, str_of(reason)) : NULL;
	emit(r, WEIR__METADATA_RECORD__BODY_BROKER_CHANGE)->broker_change = m;
	return m;
}

Weir__TopicRecord *emit_topic(struct ctl_result *r)
{
	Weir__TopicRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__TopicRecord)WEIR__TOPIC_RECORD__INIT;
	emit(r, WEIR__METADATA_RECORD__BODY_TOPIC)->topic = m;
	return m;
}

Weir__PartitionRecord *emit_partition(struct ctl_result *r)
{
	Weir__PartitionRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__PartitionRecord)WEIR__PARTITION_RECORD__INIT;
	emit(r, WEIR__METADATA_RECORD__BODY_PARTITION)->partition = m;
	return m;
}

Weir__ConfigRecord *emit_config(struct ctl_result *r)
{
	Weir__ConfigRecord *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__ConfigRecord)WEIR__CONFIG_RECORD__INIT;
	emit(r, WEIR__METADATA_RECORD__BODY_CONFIG)->config = m;
	return m;
}

static Weir__BrokerIds *broker_ids(struct ctl_result *r, const struct image_ids *ids)
{
	Weir__BrokerIds *m = arena_must(r->arena, sizeof(*m));

	*m = (Weir__BrokerIds)WEIR__BROKER_IDS__INIT;
	m->id = ids_dup(r, ids, &m->n_id);
	return m;
}

/* Only what changed goes into the record; the reason is for the people who read the log dump. */
void emit_elected(struct ctl_result *r, const struct election *e, const struct elected *x,
		  const char *reason)
{
	Weir__PartitionChangeRecord *m;

	if (!x->is_changed)
		return;
	m = arena_must(r->arena, sizeof(*m));
	*m = (Weir__PartitionChangeRecord)WEIR__PARTITION_CHANGE_RECORD__INIT;
	m->topic_id = uuid_dup(r, e->topic->id);
	m->partition = e->partition;
	m->isr = x->isr_changed ? broker_ids(r, &x->to.isr) : NULL;
	m->elr = x->elr_changed ? broker_ids(r, &x->to.elr) : NULL;
	m->last_known_elr = x->known_changed ? broker_ids(r, &x->to.last_known_elr) : NULL;
	m->replicas = x->replicas_changed ? broker_ids(r, &x->to.replicas) : NULL;
	m->adding = x->adding_changed ? broker_ids(r, &x->to.adding) : NULL;
	m->offline = x->offline_changed ? broker_ids(r, &x->to.offline) : NULL;
	m->removing = x->removing_changed ? broker_ids(r, &x->to.removing) : NULL;
	m->has_leader = x->leader_changed;
	m->leader = x->to.leader;
	m->has_recovery = x->recovery_changed;
	m->recovery = x->to.is_recovering ? WEIR__RECOVERY_STATE__RECOVERING
					  : WEIR__RECOVERY_STATE__RECOVERED;
	m->reason = x->is_unclean ? zprintf(r, "unclean election%s: %s",
					    x->is_last_known ? " of the last leader" : "", reason)
				  : zdup(r, str_of(reason));
	emit(r, WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE)->partition_change = m;
	r->n_unclean += x->is_unclean;
}

/* ---- memory and answers ---------------------------------------------------------------------- */

char *zdup(struct ctl_result *r, struct str s)
{
	return (char *)(uintptr_t)arena_str(r->arena, s).at;
}

char *zprintf(struct ctl_result *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return zdup(r, str_of(text));
}

ProtobufCBinaryData bytes_dup(struct ctl_result *r, ProtobufCBinaryData b)
{
	uint8_t *at = arena_must(r->arena, b.len + 1);

	if (b.len > 0)
		memcpy(at, b.data, b.len);
	return (ProtobufCBinaryData){ b.len, at };
}

ProtobufCBinaryData uuid_dup(struct ctl_result *r, struct uuid u)
{
	return bytes_dup(r, (ProtobufCBinaryData){ sizeof(u.b), u.b });
}

int32_t *ids_dup(struct ctl_result *r, const struct image_ids *ids, size_t *n)
{
	int32_t *v = arena_must(r->arena, sizeof(ids->v));

	memcpy(v, ids->v, sizeof(ids->v));
	*n = (size_t)ids->n;
	return v;
}

bool uuid_from(const ProtobufCBinaryData *b, struct uuid *u)
{
	if (b->len != sizeof(u->b))
		return false;
	memcpy(u->b, b->data, sizeof(u->b));
	return true;
}

void refuse(struct ctl_result *r, enum kerr code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ASSERT(code != KERR_NONE && r->n_records == 0);
	r->status.code = (int32_t)code;
	r->status.message = zdup(r, str_of(text));
}

bool is_too_much(struct ctl_result *r, size_t n, size_t max, const char *things)
{
	if (n > max)
		refuse(r, KERR_POLICY_VIOLATION,
		       "%zu %s in one request are too many: the most is %zu", n, things, max);
	return n > max;
}

struct kerr_why because(struct ctl_result *r, enum kerr code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (struct kerr_why){ code, zdup(r, str_of(text)) };
}

/* A broker speaks with the epoch of its registration: one that was registered again since, or taken
 * over by another process, must not change anything with its old knowledge. */
const struct image_broker *sender(struct ctl_result *r, int32_t id, int64_t epoch)
{
	const struct image_broker *b = image_broker(r->ctl->image, id);

	if (b == NULL) {
		refuse(r, KERR_BROKER_ID_NOT_REGISTERED,
		       "broker %d is not registered; register first", id);
		return NULL;
	}
	if (b->epoch != epoch) {
		refuse(r, KERR_STALE_BROKER_EPOCH,
		       "broker %d has epoch %lld, the request came with %lld", id,
		       (long long)b->epoch, (long long)epoch);
		return NULL;
	}
	return b;
}
