/* ctl_reassign.c - moving replicas from broker to broker (KIP-455, KIP-860).
 *
 *   {1,2,3} to {3,4,5}     replicas {3,4,5,1,2}, adding {4,5}, removing {1,2}
 *   all of {3,4,5} in sync replicas {3,4,5}                      election.c, whatever causes it
 *   cancelled before that  replicas {3,1,2}
 *
 * Targets stand first, so the first of them is preferred already while the data moves.  "Adding" is
 * whatever was no replica before the first of several overlapping reassignments: a cancel always
 * comes back to where it all began, and a target that was given up serves on, if it is in sync,
 * until the newer targets are. */
#include "controller/core/decide.h"

static struct kerr_why reassign_one(struct ctl_result *, const Weir__ReassignPartition *,
				    bool may_change_rf);
static struct kerr_why change(struct ctl_result *, struct election *, const Weir__BrokerIds *,
			      bool may_change_rf);
static struct kerr_why cancel(struct ctl_result *, struct election *);
static bool keeps_records(const struct image *, const struct image_partition *);
static bool is_any_alive(const struct image *, const struct image_ids *);
static bool is_too_few(const struct election *, const struct image_ids *replicas);
static void settle(struct ctl_result *, const struct election *, const char *reason);

static const struct kerr_why fine = { KERR_NONE, NULL };

void decide_reassign(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__ReassignPartitions *m = cmd->reassign;
	bool may_change_rf =
		!m->has_allow_replication_factor_change || m->allow_replication_factor_change;
	Weir__ReassignResults *out;

	if (is_too_much(r, m->n_partitions, REQUEST_PARTITIONS_MAX, "partitions"))
		return;
	out = arena_must(r->arena, sizeof(*out));
	*out = (Weir__ReassignResults)WEIR__REASSIGN_RESULTS__INIT;
	out->partitions = arena_must(r->arena, m->n_partitions * sizeof(*out->partitions) + 1);
	for (size_t i = 0; i < m->n_partitions; i++) {
		Weir__ReassignResult *one = arena_must(r->arena, sizeof(*one));
		struct kerr_why w = reassign_one(r, m->partitions[i], may_change_rf);

		*one = (Weir__ReassignResult)WEIR__REASSIGN_RESULT__INIT;
		one->topic = zdup(r, str_of(m->partitions[i]->topic));
		one->partition = m->partitions[i]->partition;
		one->code = (int32_t)w.code;
		one->message = w.message;
		out->partitions[out->n_partitions++] = one;
	}
	r->reply.body_case = WEIR__RESPONSE__BODY_REASSIGNMENTS;
	r->reply.reassignments = out;
}

static struct kerr_why reassign_one(struct ctl_result *r, const Weir__ReassignPartition *m,
				    bool may_change_rf)
{
	const struct image *im = view(r);
	const struct image_topic *t = image_topic_named(im, str_of(m->topic));
	struct election e;

	if (t == NULL || image_partition(t, m->partition) == NULL)
		return because(r, KERR_UNKNOWN_TOPIC_OR_PARTITION,
			       "There is no such topic or partition.");
	e = election_of(r, im, t, m->partition);
	return m->replicas != NULL ? change(r, &e, m->replicas, may_change_rf) : cancel(r, &e);
}

/* A fenced target is taken, as in Kafka: it is waited for. */
static struct kerr_why change(struct ctl_result *r, struct election *e, const Weir__BrokerIds *m,
			      bool may_change_rf)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);
	struct image_ids targets, original = image_ids_without(&p->replicas, &p->adding);
	struct reassignment x = { .removing = { .n = 0 } };
	struct kerr_why w = check_assignment(r, m, &targets);
	int32_t rf = p->replicas.n - p->removing.n;

	if (w.code != KERR_NONE)
		return w;
	if (!may_change_rf && targets.n != rf)
		return because(r, KERR_INVALID_REPLICATION_FACTOR,
			       "The replication factor is changed from %d to %d", rf, targets.n);
	x.removing = image_ids_without(&p->replicas, &targets);
	if (targets.n + x.removing.n > IMAGE_REPLICAS_MAX)
		return because(r, KERR_INVALID_REPLICA_ASSIGNMENT,
			       "While they move, the partition would have %d replicas; the most is "
			       "%d.  Move some of them first.",
			       targets.n + x.removing.n, IMAGE_REPLICAS_MAX);
	x.replicas = targets;
	for (int32_t i = 0; i < x.removing.n; i++)
		x.replicas.v[x.replicas.n++] = x.removing.v[i];
	x.adding = image_ids_without(&x.replicas, &original);
	e->kind = ELECT_ONLINE;
	e->reassign = &x;
	settle(r, e, "reassignment");
	return fine;
}

/* What the added replicas alone have would be lost: only where the topic allows it.  And where they
 * are what makes enough replicas in sync, less than min.insync.replicas promises would be left of
 * what was acknowledged: one more failure, and it is gone.  (Kafka would cancel.) */
static struct kerr_why cancel(struct ctl_result *r, struct election *e)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);
	struct reassignment x = { .replicas = image_ids_without(&p->replicas, &p->adding) };
	bool is_safe = keeps_records(e->image, p), is_allowed = e->kind == ELECT_UNCLEAN;

	if (p->adding.n == 0 && p->removing.n == 0)
		return because(r, KERR_NO_REASSIGNMENT_IN_PROGRESS, "%s",
			       kerr_text(KERR_NO_REASSIGNMENT_IN_PROGRESS));
	if (!is_safe && !(is_allowed && is_any_alive(e->image, &x.replicas)))
		return because(r, KERR_INVALID_REPLICA_ASSIGNMENT,
			       "Unable to revert partition assignment for %.*s:%d because it would "
			       "require an unclean leader election.",
			       (int)e->topic->name.n, e->topic->name.at, e->partition);
	if (is_safe && !is_allowed && is_too_few(e, &x.replicas))
		return because(
			r, KERR_INVALID_REPLICA_ASSIGNMENT,
			"Unable to revert partition assignment for %.*s:%d because fewer "
			"replicas than min.insync.replicas=%d would be left in sync; wait for "
			"one of those that were there before.",
			(int)e->topic->name.n, e->topic->name.at, e->partition, e->min_isr);
	e->kind = is_safe ? ELECT_ONLINE : ELECT_UNCLEAN;
	e->reassign = &x;
	settle(r, e, "reassignment cancelled");
	return fine;
}

static bool is_too_few(const struct election *e, const struct image_ids *replicas)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);
	struct image_ids left = image_ids_without(&p->isr, &p->adding);

	return left.n < i32_min(e->min_isr, replicas->n) &&
	       p->isr.n >= i32_min(e->min_isr, p->replicas.n);
}

/* One of the originals is in sync, or eligible and there to lead; or none of the added ones is
 * either, so that nothing gets worse. */
static bool keeps_records(const struct image *im, const struct image_partition *p)
{
	struct image_ids isr = image_ids_without(&p->isr, &p->adding);
	struct image_ids elr = image_ids_without(&p->elr, &p->adding);

	return isr.n > 0 || is_any_alive(im, &elr) || (p->isr.n == 0 && elr.n == p->elr.n);
}

static bool is_any_alive(const struct image *im, const struct image_ids *ids)
{
	for (int32_t i = 0; i < ids->n; i++)
		if (image_broker_active(im, ids->v[i]))
			return true;
	return false;
}

static void settle(struct ctl_result *r, const struct election *e, const char *reason)
{
	struct elected x = elect(e);

	emit_elected(r, e, &x, reason);
}
