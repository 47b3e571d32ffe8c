/* node_log.c - the metadata log for people who read the process's log: one line per record that an
 * operator would want to know of, written when it is decided, from the image before it. */
#include <string.h>

#include "common/base/log.h"
#include "controller/server/node.h"

static void log_broker_change(const struct image *, const Weir__BrokerChangeRecord *);
static void log_topic_remove(const struct image *, const Weir__TopicRemoveRecord *);
static void log_partition_change(const struct image *, const Weir__PartitionChangeRecord *);

/* Level info for what an operator did or must know, warn where records may be lost. */
void node_log_record(const struct image *before, const Weir__MetadataRecord *m)
{
	switch ((int)m->body_case) {
	case WEIR__METADATA_RECORD__BODY_BROKER:
		log_info("controller", "broker registered", F_I64("broker", m->broker->id),
			 F_I64("epoch", m->broker->epoch), F_I64("fenced", m->broker->fenced));
		break;
	case WEIR__METADATA_RECORD__BODY_BROKER_CHANGE:
		log_broker_change(before, m->broker_change);
		break;
	case WEIR__METADATA_RECORD__BODY_BROKER_REMOVE:
		log_info("controller", "broker unregistered",
			 F_I64("broker", m->broker_remove->id));
		break;
	case WEIR__METADATA_RECORD__BODY_TOPIC:
		log_info("controller", "topic created", F_Z("topic", m->topic->name));
		break;
	case WEIR__METADATA_RECORD__BODY_TOPIC_REMOVE:
		log_topic_remove(before, m->topic_remove);
		break;
	case WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE:
		log_partition_change(before, m->partition_change);
		break;
	case WEIR__METADATA_RECORD__BODY_CONFIG:
		log_info("controller", m->config->value != NULL ? "config set" : "config removed",
			 F_I64("resource_type", m->config->resource_type),
			 F_Z("resource", m->config->resource), F_Z("name", m->config->name),
			 F_Z("value", m->config->value));
		break;
	default: break;
	}
}

static void log_broker_change(const struct image *before, const Weir__BrokerChangeRecord *m)
{
	/* A broker's partitions change in the records before this one, so what its fencing cost
	 * counts. */
	int32_t led = 0;

	for (int32_t i = 0; i < before->n_topics; i++)
		for (int32_t p = 0; p < before->topics[i]->n_partitions; p++)
			led += before->topics[i]->partitions[p].leader < 0;
	if (m->has_held && !m->held)
		log_info("controller", "broker is let in again", F_I64("broker", m->id));
	else if (m->has_fenced && m->fenced)
		log_warn("controller", "broker fenced", F_I64("broker", m->id),
			 F_Z("reason", m->reason), F_I64("leaderless_partitions", led));
	else if (m->has_fenced)
		log_info("controller", "broker unfenced", F_I64("broker", m->id),
			 F_Z("reason", m->reason));
	else
		log_info("controller", "broker is shutting down", F_I64("broker", m->id));
}

static void log_topic_remove(const struct image *before, const Weir__TopicRemoveRecord *m)
{
	struct uuid id = { { 0 } };
	const struct image_topic *t;

	if (m->id.len == sizeof(id.b))
		memcpy(id.b, m->id.data, sizeof(id.b));
	t = image_topic_by_id(before, id);
	if (t != NULL)
		log_info("controller", "topic deleted", F_STR("topic", t->name), F_UUID("id", id));
}

static int32_t last_leader(const struct image_partition *p)
{
	return p->leader < 0 && p->last_known_elr.n > 0 ? p->last_known_elr.v[0] : p->leader;
}

/* Leaders move by the thousand when a broker goes: one line each only where records may be lost or
 * nobody is left. */
static void log_partition_change(const struct image *before, const Weir__PartitionChangeRecord *m)
{
	struct uuid id = { { 0 } };
	const struct image_topic *t;
	const struct image_partition *p;

	if (m->topic_id.len == sizeof(id.b))
		memcpy(id.b, m->topic_id.data, sizeof(id.b));
	t = image_topic_by_id(before, id);
	p = t != NULL ? image_partition(t, m->partition) : NULL;
	if (p == NULL || !m->has_leader)
		return;
	if (m->has_recovery && m->recovery == WEIR__RECOVERY_STATE__RECOVERING)
		log_warn(
			"controller",
			"unclean election: records that only the last in-sync replica has are lost",
			F_STR("topic", t->name), F_I64("partition", m->partition),
			F_I64("leader", m->leader), F_I64("leader_epoch", p->leader_epoch + 1),
			F_I64("last_in_sync", p->isr.n > 0 ? p->isr.v[0] : -1),
			F_I64("last_leader", last_leader(p)), F_Z("reason", m->reason));
	else if (m->leader < 0)
		log_warn("controller",
			 "partition without leader: it waits for one of its eligible replicas",
			 F_STR("topic", t->name), F_I64("partition", m->partition),
			 F_I64("eligible", m->elr != NULL ? (int64_t)m->elr->n_id : p->elr.n),
			 F_I64("last_leader", last_leader(p)), F_Z("reason", m->reason));
	else
		log_debug("controller", "leader elected", F_STR("topic", t->name),
			  F_I64("partition", m->partition), F_I64("leader", m->leader),
			  F_Z("reason", m->reason));
}
