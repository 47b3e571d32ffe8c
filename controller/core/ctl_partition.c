/* ctl_partition.c - AlterPartition (KIP-497): a leader asks for another ISR.
 *
 * The order of the checks is that of Kafka's ReplicationControlManager; it matters, because leaders
 * act differently on each:
 *
 *   NOT_CONTROLLER            it knows more than we do: ask another controller, later
 *   FENCED_LEADER_EPOCH       it leads no more: wait for the metadata
 *   INVALID_UPDATE_VERSION    its view is old: wait for the metadata, then ask again
 *   INELIGIBLE_REPLICA        a member is fenced, shutting down or a new process (KIP-841, KIP-903)
 *   INVALID_REQUEST           a bug of the leader's */
#include "controller/core/decide.h"

#include "common/base/mark.h"

#define CAUSE_MAX 255

static void alter_one(struct ctl_result *, const Weir__AlterPartition *,
		      const Weir__AlterPartitionItem *, Weir__AlterPartitionResult *);
static const char *cause_of(struct ctl_result *, const Weir__AlterPartition *,
			    const Weir__AlterPartitionItem *);
static enum kerr check_epochs(const Weir__AlterPartitionItem *, int32_t broker,
			      const struct image_partition *);
static enum kerr check_isr(const Weir__AlterPartitionItem *, const struct image_partition *);
static void lose_one(struct ctl_result *, int32_t broker, const Weir__LostReplica *);
static enum kerr check_members(const struct image *, const struct image_partition *,
			       const Weir__AlterPartitionItem *);

/* One broker's request may carry thousands of partitions; each is answered by itself. */
void decide_alter_partition(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__AlterPartition *m = cmd->alter_partition;
	Weir__AlteredPartitions *out;
	Weir__AlterPartitionResult *items;

	if (sender(r, m->broker, m->broker_epoch) == NULL ||
	    is_too_much(r, m->n_items, REQUEST_CHANGES_MAX, "partitions"))
		return;
	out = arena_must(r->arena, sizeof(*out));
	*out = (Weir__AlteredPartitions)WEIR__ALTERED_PARTITIONS__INIT;
	out->items = arena_must(r->arena, m->n_items * sizeof(*out->items) + 1);
	out->n_items = m->n_items;
	items = arena_must(r->arena, m->n_items * sizeof(*items) + 1);
	for (size_t i = 0; i < m->n_items; i++) {
		out->items[i] = &items[i];
		items[i] = (Weir__AlterPartitionResult)WEIR__ALTER_PARTITION_RESULT__INIT;
		alter_one(r, m, m->items[i], &items[i]);
	}
	r->reply.body_case = WEIR__RESPONSE__BODY_ALTERED_PARTITIONS;
	r->reply.altered_partitions = out;
}

/* In the leader's words, which end up in the log: few enough, and all of them printable. */
static const char *cause_of(struct ctl_result *r, const Weir__AlterPartition *m,
			    const Weir__AlterPartitionItem *item)
{
	size_t n = item->cause != NULL ? strlen(item->cause) : 0;
	bool ok = n > 0 && n <= CAUSE_MAX;

	for (size_t i = 0; ok && i < n; i++)
		ok = item->cause[i] >= ' ' && item->cause[i] <= '~';
	return ok ? zprintf(r, "%s", item->cause) : zprintf(r, "asked for by leader %d", m->broker);
}

/* The kind is ONLINE whatever the topic allows: a live leader's request never elects uncleanly. */
static void alter_one(struct ctl_result *r, const Weir__AlterPartition *m,
		      const Weir__AlterPartitionItem *item, Weir__AlterPartitionResult *out)
{
	const struct image *im = view(r);
	const struct image_topic *t = NULL;
	const struct image_partition *p;
	struct uuid id;
	struct election e;
	struct elected x;
	enum kerr code;

	out->topic_id = bytes_dup(r, item->topic_id);
	out->partition = item->partition;
	if (uuid_from(&item->topic_id, &id))
		t = image_topic_by_id(im, id);
	p = t != NULL ? image_partition(t, item->partition) : NULL;
	if (p == NULL) {
		out->code = t == NULL ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	if ((code = check_epochs(item, m->broker, p)) != KERR_NONE ||
	    (code = check_isr(item, p)) != KERR_NONE ||
	    (code = check_members(im, p, item)) != KERR_NONE) {
		out->code = (int32_t)code;
		return;
	}
	e = election_of(r, im, t, item->partition);
	e.kind = ELECT_ONLINE;
	e.isr.n = (int32_t)item->n_isr;
	for (size_t i = 0; i < item->n_isr; i++)
		e.isr.v[i] = item->isr[i]->id;
	e.is_recovered = item->has_recovery && item->recovery == WEIR__RECOVERY_STATE__RECOVERED;
	x = elect(&e);
	emit_elected(r, &e, &x, cause_of(r, m, item));
	/* It ended a reassignment: another leader, or this one in a new epoch. */
	if (x.leader_changed)
		out->code = KERR_NEW_LEADER_ELECTED;
	out->has_leader = out->has_leader_epoch = out->has_partition_epoch = out->has_recovery =
		true;
	out->leader = x.to.leader;
	out->leader_epoch = x.to.leader_epoch;
	out->partition_epoch = x.to.partition_epoch;
	out->isr = ids_dup(r, &x.to.isr, &out->n_isr);
	out->recovery = x.to.is_recovering ? WEIR__RECOVERY_STATE__RECOVERING
					   : WEIR__RECOVERY_STATE__RECOVERED;
}

static enum kerr check_epochs(const Weir__AlterPartitionItem *item, int32_t broker,
			      const struct image_partition *p)
{
	if (item->leader_epoch > p->leader_epoch || item->partition_epoch > p->partition_epoch)
		return KERR_NOT_CONTROLLER; /* it knows more than we do */
	if (item->leader_epoch < p->leader_epoch) {
		MARK(alter_partition_of_an_old_leader);
		return KERR_FENCED_LEADER_EPOCH;
	}
	if (broker != p->leader)
		return KERR_INVALID_REQUEST;
	if (item->partition_epoch < p->partition_epoch) {
		MARK(alter_partition_of_an_old_partition_epoch);
		return KERR_INVALID_UPDATE_VERSION;
	}
	return KERR_NONE;
}

/* A leader that came from an unclean election stays alone in the ISR until it says it has
 * recovered. */
static enum kerr check_isr(const Weir__AlterPartitionItem *item, const struct image_partition *p)
{
	bool is_recovering =
		item->has_recovery && item->recovery == WEIR__RECOVERY_STATE__RECOVERING;
	bool stays_recovering = item->has_recovery ? is_recovering : p->is_recovering;
	bool has_leader = false;

	if (item->n_isr == 0 || item->n_isr > IMAGE_REPLICAS_MAX)
		return KERR_INVALID_REQUEST;
	for (size_t i = 0; i < item->n_isr; i++) {
		if (!image_ids_has(&p->replicas, item->isr[i]->id))
			return KERR_INVALID_REQUEST;
		for (size_t j = 0; j < i; j++)
			if (item->isr[j]->id == item->isr[i]->id)
				return KERR_INVALID_REQUEST;
		has_leader |= item->isr[i]->id == p->leader;
	}
	if (!has_leader || (stays_recovering && item->n_isr > 1) ||
	    (is_recovering && !p->is_recovering))
		return KERR_INVALID_REQUEST;
	return KERR_NONE;
}

/* The broker epoch is the one the leader saw the follower fetch with: a follower that restarted
 * since has another, and may lack what it had (KIP-903). */
static enum kerr check_members(const struct image *im, const struct image_partition *p,
			       const Weir__AlterPartitionItem *item)
{
	for (size_t i = 0; i < item->n_isr; i++) {
		const Weir__IsrMember *member = item->isr[i];
		const struct image_broker *b = image_broker(im, member->id);

		if (!image_broker_active(im, member->id) ||
		    image_ids_has(&p->offline, member->id)) {
			MARK(fenced_broker_asked_into_an_isr);
			return KERR_INELIGIBLE_REPLICA;
		}
		if (member->has_broker_epoch && member->broker_epoch != -1 &&
		    member->broker_epoch != b->epoch) {
			MARK(earlier_life_asked_into_an_isr_KIP_903);
			return KERR_INELIGIBLE_REPLICA;
		}
	}
	return KERR_NONE;
}

/* ---- replicas that lost records -------------------------------------------------------------- */

/* Known only when a log is opened, or a directory fails, so it does not come with the registration.
 * A partition that is gone meanwhile needs nothing. */
void decide_report_lost(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__ReportLost *m = cmd->report_lost;

	if (sender(r, m->broker, m->broker_epoch) == NULL ||
	    is_too_much(r, m->n_replicas, REQUEST_CHANGES_MAX, "partitions"))
		return;
	for (size_t i = 0; i < m->n_replicas; i++)
		lose_one(r, m->broker, m->replicas[i]);
}

static void lose_one(struct ctl_result *r, int32_t broker, const Weir__LostReplica *lost)
{
	const struct image *im = view(r);
	const struct image_topic *t = NULL;
	const struct image_partition *p;
	struct uuid id;
	struct election e;
	struct elected x;
	const char *why;

	if (uuid_from(&lost->topic_id, &id))
		t = image_topic_by_id(im, id);
	p = t != NULL ? image_partition(t, lost->partition) : NULL;
	if (p == NULL || !image_ids_has(&p->replicas, broker))
		return;
	e = election_of(r, im, t, lost->partition);
	e.leaving = e.lossy = broker;
	e.offline = lost->is_offline ? broker : -1;
	e.is_damaged = lost->is_damaged;
	image_ids_drop(&e.isr, broker);
	x = elect(&e);
	why = zprintf(r, "broker %d: %s", broker,
		      lost->is_offline ? "the log directory failed" : "its log lacks what it had");
	emit_elected(r, &e, &x, why);
	if (x.to.leader >= 0)
		return;
	/* Nobody waits for that one any more: where the topic allows it, another may lead. */
	im = view(r);
	elect_leaderless(r, im, image_topic_by_id(im, id), why);
}
