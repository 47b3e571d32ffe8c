/* election.c - the ISR rule and the leader rule, for one partition; who calls it: ctl_broker.c when
 * a broker comes, goes or shuts down, ctl_partition.c for AlterPartition, ctl_elect.c for the rest.
 *
 *   0. a reassignment begins, is cancelled, or is finished: every target is in the ISR to be
 *   1. the ISR to be is the one asked for, empty or not, less whoever was removed
 *   2. the ELR: as long as the ISR is below the minimum, who was in ISR or ELR and is not in the
 *      ISR to be stays eligible, but for one that may have lost records; else nobody is
 *   3. a leader from the ISR, or from the ELR if the ISR is empty: the preferred one if that was
 *      asked for, else the present one, else the first of the assignment, each only if it is alive,
 *      not leaving, not shutting down.  From the ELR: it is the ISR now
 *   4. nobody, and ISR and ELR are empty: the last known leader; or, if the kind is UNCLEAN, the
 *      first of the assignment that is alive.  Alone in the ISR and marked as recovering, so that
 *      it stays alone until it has made its log good
 *   5. nobody: no leader, and who led is remembered
 *
 * The leader epoch grows when the record sets a leader, the partition epoch with every change.  A
 * change that changes nothing is not emitted. */
#include "controller/core/election.h"

#include "common/base/mark.h"

static void begin_reassignment(struct image_partition *, const struct reassignment *);
static void finish_reassignment(struct image_partition *);
static bool contains(const struct image_ids *whole, const struct image_ids *part);
static void settle_offline(const struct election *, struct image_partition *to);
static void settle_elr(const struct election *, const struct image_partition *was,
		       struct image_partition *to);
static void settle_leader(const struct election *, const struct image_partition *was,
			  struct elected *);
static void settle_known(const struct election *, const struct image_partition *was,
			 struct image_partition *to);
static void compare(const struct image_partition *was, struct elected *);
static int32_t choose_clean(const struct election *, const struct image_partition *to);
static int32_t choose_unclean(const struct election *, const struct image_partition *to);
static bool is_valid(const struct election *, const struct image_partition *to, int32_t broker);
static bool can_lead(const struct election *, const struct image_partition *to, int32_t broker);
static bool is_enough(const struct election *, const struct image_partition *);
static bool same_ids(const struct image_ids *, const struct image_ids *);

/* Pure: the result is what the partition would be; emit_elected writes what differs. */
struct elected elect(const struct election *e)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);
	struct elected out = { 0 };

	ASSERT(p != NULL);
	out.to = *p;
	out.to.isr = e->isr;
	if (e->reassign != NULL)
		begin_reassignment(&out.to, e->reassign);
	finish_reassignment(&out.to);
	if (e->is_recovered)
		out.to.is_recovering = false;
	settle_offline(e, &out.to);
	settle_elr(e, p, &out.to);
	settle_leader(e, p, &out);
	settle_known(e, p, &out.to);
	compare(p, &out);
	ASSERT(out.to.leader < 0 || image_ids_has(&out.to.isr, out.to.leader));
	ASSERT(out.to.elr.n == 0 || !is_enough(e, &out.to));
	return out;
}

/* A cancelled one takes replicas away at once; the ISR never holds one that is not assigned
 * (KAFKA-9672). */
static void begin_reassignment(struct image_partition *to, const struct reassignment *x)
{
	struct image_ids gone = image_ids_without(&to->replicas, &x->replicas);

	to->replicas = x->replicas;
	to->adding = x->adding;
	to->removing = x->removing;
	to->isr = image_ids_without(&to->isr, &gone);
}

/* Only when every target is in sync (KAFKA-15665); before that nothing is taken away. */
static void finish_reassignment(struct image_partition *to)
{
	struct image_ids targets = image_ids_without(&to->replicas, &to->removing);

	if ((to->adding.n == 0 && to->removing.n == 0) || targets.n == 0 ||
	    !contains(&to->isr, &targets))
		return;
	to->isr = image_ids_without(&to->isr, &to->removing);
	to->replicas = targets;
	to->adding = to->removing = (struct image_ids){ .n = 0 };
}

static bool contains(const struct image_ids *whole, const struct image_ids *part)
{
	return image_ids_without(part, whole).n == 0;
}

static void settle_offline(const struct election *e, struct image_partition *to)
{
	struct image_ids was = to->offline;

	to->offline.n = 0;
	for (int32_t i = 0; i < was.n; i++)
		if (was.v[i] != e->online && image_ids_has(&to->replicas, was.v[i]))
			to->offline.v[to->offline.n++] = was.v[i];
	if (image_ids_has(&to->replicas, e->offline) && !image_ids_has(&to->offline, e->offline))
		to->offline.v[to->offline.n++] = e->offline;
}

/* Every member of the ISR had all that was committed when it left; once the ISR is below the
 * minimum nothing is added to that, so it still has. */
static void settle_elr(const struct election *e, const struct image_partition *was,
		       struct image_partition *to)
{
	const struct image_ids *from[] = { &was->elr, &was->isr };

	to->elr.n = 0;
	if (is_enough(e, to))
		return;
	for (size_t k = 0; k < ARRAY_LEN(from); k++)
		for (int32_t i = 0; i < from[k]->n; i++) {
			int32_t id = from[k]->v[i];

			if (id != e->lossy && !image_ids_has(&to->isr, id) &&
			    !image_ids_has(&to->elr, id) && image_ids_has(&to->replicas, id))
				to->elr.v[to->elr.n++] = id;
		}
}

static void settle_leader(const struct election *e, const struct image_partition *was,
			  struct elected *out)
{
	struct image_partition *to = &out->to;
	struct image_ids eligible = to->elr;

	to->leader = choose_clean(e, to);
	if (to->leader < 0) {
		to->leader = choose_unclean(e, to);
		out->is_unclean = to->leader >= 0;
		out->is_last_known = image_ids_has(&was->last_known_elr, to->leader);
		to->is_recovering = to->is_recovering || out->is_unclean;
	}
	if (to->leader < 0)
		MARK(nobody_may_lead);
	if (to->leader < 0 || image_ids_has(&to->isr, to->leader))
		return;
	if (!out->is_unclean)
		MARK(leader_from_the_elr);
	to->isr = (struct image_ids){ .v = { to->leader }, .n = 1 };
	to->elr.n = 0;
	for (int32_t i = 0; i < eligible.n && !out->is_unclean && !is_enough(e, to); i++)
		if (eligible.v[i] != to->leader)
			to->elr.v[to->elr.n++] = eligible.v[i];
	ASSERT(out->is_unclean || image_ids_has(&was->elr, to->leader) ||
	       image_ids_has(&was->isr, to->leader));
}

/* Who led last is who may have most, should all that were eligible lose records. */
static void settle_known(const struct election *e, const struct image_partition *was,
			 struct image_partition *to)
{
	if (to->leader >= 0)
		to->last_known_elr.n = 0;
	else if (was->leader >= 0 && image_ids_has(&to->replicas, was->leader))
		to->last_known_elr = (struct image_ids){ .v = { was->leader }, .n = 1 };
	if (e->is_damaged)
		image_ids_drop(&to->last_known_elr, e->lossy);
}

static void compare(const struct image_partition *was, struct elected *out)
{
	struct image_partition *to = &out->to;

	out->isr_changed = !same_ids(&to->isr, &was->isr);
	out->elr_changed = !same_ids(&to->elr, &was->elr);
	out->offline_changed = !same_ids(&to->offline, &was->offline);
	out->known_changed = !same_ids(&to->last_known_elr, &was->last_known_elr);
	out->replicas_changed = !same_ids(&to->replicas, &was->replicas);
	out->adding_changed = !same_ids(&to->adding, &was->adding);
	out->removing_changed = !same_ids(&to->removing, &was->removing);
	/* A new leader epoch shuts out the fetches of a replica that was removed. */
	out->leader_changed = to->leader != was->leader || out->is_unclean ||
			      !contains(&to->replicas, &was->replicas);
	out->recovery_changed = to->is_recovering != was->is_recovering;
	out->is_changed = out->isr_changed || out->elr_changed || out->known_changed ||
			  out->leader_changed || out->recovery_changed || out->replicas_changed ||
			  out->adding_changed || out->removing_changed || out->offline_changed;
	if (out->is_changed)
		to->partition_epoch++;
	if (out->leader_changed)
		to->leader_epoch++;
}

/* Staying with the present leader avoids an epoch, and with it a truncation round
 * of the followers. */
static int32_t choose_clean(const struct election *e, const struct image_partition *to)
{
	if (e->kind == ELECT_PREFERRED && is_valid(e, to, to->replicas.v[0])) {
		MARK(preferred_leader);
		return to->replicas.v[0];
	}
	if (to->leader >= 0 && is_valid(e, to, to->leader))
		return to->leader;
	for (int32_t i = 0; i < to->replicas.n; i++)
		if (is_valid(e, to, to->replicas.v[i]))
			return to->replicas.v[i];
	return -1;
}

/* The last known leader needs nobody's leave: it is what there was before KIP-966, too, and nothing
 * better can come. */
static int32_t choose_unclean(const struct election *e, const struct image_partition *to)
{
	if (to->isr.n == 0 && to->elr.n == 0 && to->last_known_elr.n == 1 &&
	    image_ids_has(&to->replicas, to->last_known_elr.v[0]) &&
	    can_lead(e, to, to->last_known_elr.v[0])) {
		MARK(last_known_leader);
		return to->last_known_elr.v[0];
	}
	for (int32_t i = 0; e->kind == ELECT_UNCLEAN && i < to->replicas.n; i++)
		if (can_lead(e, to, to->replicas.v[i])) {
			MARK(unclean_election);
			return to->replicas.v[i];
		}
	return -1;
}

/* Complete and able: the two conditions of a leader that loses nothing. */
static bool is_valid(const struct election *e, const struct image_partition *to, int32_t broker)
{
	return image_ids_has(to->isr.n > 0 ? &to->isr : &to->elr, broker) &&
	       can_lead(e, to, broker);
}

/* Alive, its directory too, not leaving, not shutting down. */
static bool can_lead(const struct election *e, const struct image_partition *to, int32_t broker)
{
	return broker != e->leaving && image_broker_active(e->image, broker) &&
	       !image_ids_has(&to->offline, broker);
}

/* What the leader asks before it commits: replica_min_isr of broker/core/replica.c. */
static bool is_enough(const struct election *e, const struct image_partition *p)
{
	return p->isr.n >= i32_min(e->min_isr, p->replicas.n);
}

static bool same_ids(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}
