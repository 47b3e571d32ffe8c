/* event.c - see event.h. */
#include "controller/cli/event.h"
#include "common/base/text.h"
#include "controller/cli/out.h"

#include <inttypes.h>

const char event_types[] =
	"leader, isr, replicas, partition, broker, topic, config, quorum, feature";

struct telling {
	struct cli *cli;
	const struct image *before, *now;
	struct event *out;
};

static bool tell_partition_change(struct telling *, const Weir__PartitionChangeRecord *);
static bool tell_partition(struct telling *, const Weir__PartitionRecord *);
static bool tell_broker(struct telling *, const Weir__BrokerRecord *);
static bool tell_broker_change(struct telling *, const Weir__BrokerChangeRecord *);
static bool tell_topic_gone(struct telling *, const Weir__TopicRemoveRecord *);
static bool tell_config(struct telling *, const Weir__ConfigRecord *);
static bool tell_voters(struct telling *, const Weir__VotersRecord *);

#define SAY(t, ...) (arena_printf(&(t)->cli->mem, __VA_ARGS__).at)

bool event_of(struct cli *cli, const struct image *before, const struct image *now,
	      const Weir__LogEntry *entry, struct event *out)
{
	const Weir__MetadataRecord *r = entry->record;
	struct telling t = { cli, before, now, out };

	*out = (struct event){ .offset = entry->offset,
			       .time_ms = r->has_time_ms ? r->time_ms : -1 };
	switch (r->body_case) {
	case WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE:
		return tell_partition_change(&t, r->partition_change);
	case WEIR__METADATA_RECORD__BODY_PARTITION: return tell_partition(&t, r->partition);
	case WEIR__METADATA_RECORD__BODY_BROKER: return tell_broker(&t, r->broker);
	case WEIR__METADATA_RECORD__BODY_BROKER_CHANGE:
		return tell_broker_change(&t, r->broker_change);
	case WEIR__METADATA_RECORD__BODY_BROKER_REMOVE:
		out->type = "broker";
		out->subject = SAY(&t, "broker %d", r->broker_remove->id);
		out->change = "unregistered";
		return true;
	case WEIR__METADATA_RECORD__BODY_TOPIC:
		out->type = "topic";
		out->topic = arena_str(&cli->mem, str_of(r->topic->name));
		out->subject = out->topic.at;
		out->change = "created";
		return true;
	case WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE: return tell_topic_gone(&t, r->topic_remove);
	case WEIR__METADATA_RECORD__BODY_CONFIG: return tell_config(&t, r->config);
	case WEIR__METADATA_RECORD__BODY_FEATURE:
		out->type = "feature";
		out->subject = SAY(&t, "%s", r->feature->name);
		out->change =
			SAY(&t, "level %d -> %d", image_feature(before, str_of(r->feature->name)),
			    r->feature->level);
		return true;
	case WEIR__METADATA_RECORD__BODY_LEADER:
		out->type = "quorum";
		out->subject = SAY(&t, "controller %d", r->leader->controller);
		out->change = SAY(&t, "leads, epoch %" PRId64, r->leader->epoch);
		return true;
	case WEIR__METADATA_RECORD__BODY_VOTERS: return tell_voters(&t, r->voters);
	case WEIR__METADATA_RECORD__BODY_PRODUCER_IDS:
	case WEIR__METADATA_RECORD__BODY_ANSWER:
	case WEIR__METADATA_RECORD__BODY_NOOP:
	case WEIR__METADATA_RECORD__BODY__NOT_SET:
	case _WEIR__METADATA_RECORD__BODY__CASE_IS_INT_SIZE: break;
	}
	return false;
}

/* ---- partitions ------------------------------------------------------------------------------ */

/* The topic's name goes to the event; what the partition was, NULL: unknown. */
static const struct image_partition *find(struct telling *t, const ProtobufCBinaryData *topic_id,
					  int32_t number)
{
	const struct image_topic *was, *is;
	struct uuid id;

	t->out->topic = (struct str){ 0 };
	t->out->subject = SAY(t, "?-%d", number);
	if (topic_id->len != sizeof(id.b))
		return NULL;
	memcpy(id.b, topic_id->data, sizeof(id.b));
	/* Of a topic that is created in this record only the image after it knows the name, of one
	 * that is deleted only the one before. */
	was = image_topic_by_id(t->before, id);
	is = was ? was : image_topic_by_id(t->now, id);
	if (!is)
		return NULL;
	t->out->topic = arena_str(&t->cli->mem, is->name);
	t->out->subject = SAY(t, "%.*s-%d", (int)is->name.n, is->name.at, number);
	return was && number >= 0 && number < was->n_partitions ? &was->partitions[number] : NULL;
}

static void add_ids(struct telling *t, struct text *to, const char *what,
		    const struct image_ids *was, const Weir__BrokerIds *is)
{
	if (!is)
		return;
	text_printf(to, "%s%s ", to->n ? ", " : "", what);
	if (was)
		text_printf(to, "{%s} -> ", text_of_ids(t->cli, was->v, was->n));
	text_printf(to, "{%s}", text_of_ids(t->cli, is->id, (int)is->n_id));
}

static const char *leader_text(struct telling *t, int32_t id)
{
	return id < 0 ? "none" : SAY(t, "%d", id);
}

static bool tell_partition_change(struct telling *t, const Weir__PartitionChangeRecord *c)
{
	const struct image_partition *was = find(t, &c->topic_id, c->partition);
	size_t cap = 512;
	struct text text;

	text_init(&text, arena_must(&t->cli->mem, cap), cap);
	if (c->has_leader && was)
		text_printf(&text, "leader %s -> %s epoch %d", leader_text(t, was->leader),
			    leader_text(t, c->leader), was->leader_epoch + 1);
	else if (c->has_leader)
		text_printf(&text, "leader %s", leader_text(t, c->leader));
	add_ids(t, &text, "ISR", was ? &was->isr : NULL, c->isr);
	add_ids(t, &text, "replicas", was ? &was->replicas : NULL, c->replicas);
	add_ids(t, &text, "ELR", was ? &was->elr : NULL, c->elr);
	if (text.n == 0)
		text_printf(&text, "%s", c->has_recovery ? "recovered" : "noted");
	/* One type for each event, the weightiest of what changed: whoever filters by `leader` must
	 * not miss one because the ISR changed, too. */
	t->out->type = c->has_leader && (!was || was->leader != c->leader) ? "leader"
		       : c->isr                                            ? "isr"
		       : c->replicas                                       ? "replicas"
									   : "partition";
	t->out->change = text.at;
	t->out->cause = c->reason;
	return true;
}

static bool tell_partition(struct telling *t, const Weir__PartitionRecord *p)
{
	(void)find(t, &p->topic_id, p->partition);
	t->out->type = "partition";
	t->out->change = SAY(t, "created, leader %s, replicas {%s}", leader_text(t, p->leader),
			     text_of_ids(t->cli, p->replicas, (int)p->n_replicas));
	return true;
}

/* ---- the others ------------------------------------------------------------------------------ */

static bool tell_broker(struct telling *t, const Weir__BrokerRecord *b)
{
	const struct image_broker *was = image_broker(t->before, b->id);
	bool same = was && was->epoch == b->epoch;

	t->out->type = "broker";
	t->out->subject = SAY(t, "broker %d", b->id);
	t->out->change = SAY(t, "registered%s, epoch %" PRId64 "%s%s",
			     same  ? " again"
			     : was ? " as a new process"
				   : "",
			     b->epoch, b->rack ? ", rack " : "", b->rack ? b->rack : "");
	return true;
}

static bool tell_broker_change(struct telling *t, const Weir__BrokerChangeRecord *b)
{
	const struct image_broker *was = image_broker(t->before, b->id);

	t->out->type = "broker";
	t->out->subject = SAY(t, "broker %d", b->id);
	t->out->cause = b->reason;
	if (b->has_held)
		t->out->change = b->held ? "fenced and held" : "let in";
	/* Fencing that changes nothing is no news: the record says something else besides. */
	else if (b->has_fenced && (!was || was->is_fenced != (b->fenced != 0)))
		t->out->change = b->fenced ? "fenced" : "unfenced";
	else if (b->has_in_controlled_shutdown)
		t->out->change = b->in_controlled_shutdown ? "shutting down" : "stays";
	else
		t->out->change = "changed";
	return true;
}

static bool tell_topic_gone(struct telling *t, const Weir__TopicRemoveRecord *r)
{
	(void)find(t, &r->id, 0);
	t->out->type = "topic";
	t->out->subject = str_null(t->out->topic) ? "?" : t->out->topic.at;
	t->out->change = "deleted";
	return true;
}

static struct str config_was(const struct image_config *v, int32_t n, const char *name)
{
	for (int32_t i = 0; i < n; i++)
		if (str_eq(v[i].name, str_of(name)))
			return v[i].value;
	return (struct str){ 0 };
}

static struct str old_config(const struct image *im, const Weir__ConfigRecord *c)
{
	const struct image_topic *topic = image_topic_named(im, str_of(c->resource));
	const struct image_broker *b;
	int32_t id;

	if (c->resource_type == IMAGE_TOPIC)
		return topic ? config_was(topic->configs, topic->n_configs, c->name)
			     : (struct str){ 0 };
	if (!*c->resource)
		return config_was(im->broker_configs, im->n_broker_configs, c->name);
	b = parse_i32(str_of(c->resource), &id) ? NULL : image_broker(im, id);
	return b ? config_was(b->configs, b->n_configs, c->name) : (struct str){ 0 };
}

static bool tell_config(struct telling *t, const Weir__ConfigRecord *c)
{
	struct str was = old_config(t->before, c);

	t->out->type = "config";
	if (c->resource_type == IMAGE_TOPIC)
		t->out->topic = arena_str(&t->cli->mem, str_of(c->resource));
	t->out->subject = SAY(t, "%s/%s", c->resource_type == IMAGE_TOPIC ? "topics" : "brokers",
			      c->resource);
	t->out->change =
		SAY(t, "%s %.*s -> %s", c->name, str_null(was) ? 9 : (int)was.n,
		    str_null(was) ? "(default)" : was.at, c->value ? c->value : "(default)");
	return true;
}

static bool tell_voters(struct telling *t, const Weir__VotersRecord *r)
{
	struct image_ids was = { .n = 0 }, is = { .n = 0 };

	for (int32_t i = 0; i < t->before->n_voters && was.n < IMAGE_REPLICAS_MAX; i++)
		was.v[was.n++] = t->before->voters[i].id;
	for (size_t i = 0; i < r->n_voters && is.n < IMAGE_REPLICAS_MAX; i++)
		is.v[is.n++] = r->voters[i]->id;
	t->out->type = "quorum";
	t->out->subject = "voters";
	t->out->change = SAY(t, "{%s} -> {%s}", text_of_ids(t->cli, was.v, was.n),
			     text_of_ids(t->cli, is.v, is.n));
	return true;
}
