/* election.c - the ISR rule and the leader rule, for one partition; who calls it: ctl_broker.c when
 * a broker comes, goes or shuts down, ctl_partition.c for AlterPartition, ctl_elect.c for the rest.
 *
 *   1. the ISR to be: the one asked for; if that would be empty, the present one stays
 *   2. a leader from it: the preferred one if that was asked for, else the present one, else the
 *      first of the assignment, each only if it is alive, not leaving, not shutting down
 *   3. nobody, and the kind is UNCLEAN: the first of the assignment that is alive, alone in the ISR
 *      and marked as recovering, so that it stays alone until it has made its log good
 *   4. nobody: no leader; the last ISR is kept, because its member has the records
 *
 * The leader epoch grows when the record sets a leader, the partition epoch with every change.  A
 * change that changes nothing is not emitted. */
#include "controller/core/election.h"

static bool can_lead(const struct election *, int32_t broker);
static int32_t choose_clean(const struct election *, const struct image_ids *isr);
static int32_t choose_unclean(const struct election *);
static bool is_valid(const struct election *, const struct image_ids *isr, int32_t broker);
static bool same_ids(const struct image_ids *, const struct image_ids *);

/* Pure: the result is what the partition would be; emit_elected writes what differs. */
struct elected elect(const struct election *e)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);
	struct elected out = { 0 };
	int32_t leader;

	ASSERT(p != NULL);
	out.to = *p;
	out.to.isr = e->isr.n > 0 ? e->isr : p->isr;
	if (e->is_recovered)
		out.to.is_recovering = false;
	leader = choose_clean(e, &out.to.isr);
	if (leader < 0 && e->kind == ELECT_UNCLEAN) {
		leader = choose_unclean(e);
		if (leader >= 0) {
			out.is_unclean = true;
			out.to.isr = (struct image_ids){ .v = { leader }, .n = 1 };
			out.to.is_recovering = true;
		}
	}
	out.to.leader = leader;
	out.isr_changed = !same_ids(&out.to.isr, &p->isr);
	out.leader_changed = leader != p->leader || out.is_unclean;
	out.recovery_changed = out.to.is_recovering != p->is_recovering;
	out.is_changed = out.isr_changed || out.leader_changed || out.recovery_changed;
	if (out.is_changed)
		out.to.partition_epoch++;
	if (out.leader_changed)
		out.to.leader_epoch++;
	ASSERT(out.to.isr.n > 0 || p->isr.n == 0);
	ASSERT(leader < 0 || image_ids_has(&out.to.isr, leader));
	return out;
}

/* Staying with the present leader avoids an epoch, and with it a truncation round
 * of the followers. */
static int32_t choose_clean(const struct election *e, const struct image_ids *isr)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);

	if (e->kind == ELECT_PREFERRED && is_valid(e, isr, p->replicas.v[0]))
		return p->replicas.v[0];
	if (p->leader >= 0 && is_valid(e, isr, p->leader))
		return p->leader;
	for (int32_t i = 0; i < p->replicas.n; i++)
		if (is_valid(e, isr, p->replicas.v[i]))
			return p->replicas.v[i];
	return -1;
}

static int32_t choose_unclean(const struct election *e)
{
	const struct image_partition *p = image_partition(e->topic, e->partition);

	for (int32_t i = 0; i < p->replicas.n; i++)
		if (can_lead(e, p->replicas.v[i]))
			return p->replicas.v[i];
	return -1;
}

/* In sync and able: the two conditions of a leader that loses nothing. */
static bool is_valid(const struct election *e, const struct image_ids *isr, int32_t broker)
{
	return image_ids_has(isr, broker) && can_lead(e, broker);
}

/* Alive, not leaving, not shutting down. */
static bool can_lead(const struct election *e, int32_t broker)
{
	return broker != e->leaving && image_broker_active(e->image, broker);
}

static bool same_ids(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}
