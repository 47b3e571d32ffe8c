/* image_check.c - what must hold in every state of the metadata, and between one and the next.
 *
 * The controller asserts the state once after recovery (controller/server/node.c); the tests assert
 * both around every record that a decision emits.  The cost is linear in the state, which is why
 * production does not; the step check skips topics whose row is shared by both versions. */
#include "common/meta/image_priv.h"

static bool unique(const struct image_ids *ids)
{
	for (int32_t i = 0; i < ids->n; i++)
		for (int32_t j = 0; j < i; j++)
			if (ids->v[i] == ids->v[j])
				return false;
	return true;
}

static bool within(const struct image_ids *part, const struct image_ids *whole)
{
	for (int32_t i = 0; i < part->n; i++)
		if (!image_ids_has(whole, part->v[i]))
			return false;
	return true;
}

static bool disjoint(const struct image_ids *a, const struct image_ids *b)
{
	for (int32_t i = 0; i < a->n; i++)
		if (image_ids_has(b, a->v[i]))
			return false;
	return true;
}

/* A fenced broker may stay in an ISR only as its last member, in logs from before there was an ELR:
 * then the partition has no leader and waits for exactly that broker to come back. */
static void check_partition(const struct image *im, const struct image_partition *p)
{
	ASSERT(p->replicas.n > 0 && unique(&p->replicas));
	ASSERT(unique(&p->isr) && within(&p->isr, &p->replicas));
	ASSERT(unique(&p->elr) && within(&p->elr, &p->replicas) && disjoint(&p->elr, &p->isr));
	ASSERT(p->leader < 0 || p->last_known_elr.n == 0);
	ASSERT(unique(&p->offline) && within(&p->offline, &p->replicas));
	ASSERT(disjoint(&p->offline, &p->isr) && disjoint(&p->offline, &p->elr));
	ASSERT(p->leader >= -1 && p->leader_epoch >= 0 && p->partition_epoch >= 0);
	ASSERT(p->leader < 0 || image_ids_has(&p->isr, p->leader));
	ASSERT(within(&p->adding, &p->replicas) && within(&p->removing, &p->replicas));
	for (int32_t i = 0; i < p->isr.n; i++) {
		const struct image_broker *b = image_broker(im, p->isr.v[i]);
		bool is_alive = b != NULL && !b->is_fenced;

		ASSERT(is_alive || (p->isr.n == 1 && p->leader < 0));
	}
}

static void check_answers(const struct image_broker *b)
{
	ASSERT(b->n_answers >= 0 && b->n_answers <= IMAGE_ANSWERS_MAX);
	for (int32_t i = 0; i < b->n_answers; i++) {
		ASSERT(b->answers[i].response.n > 0);
		ASSERT(i == 0 || b->answers[i - 1].number < b->answers[i].number);
	}
}

void image_check(const struct image *im)
{
	int32_t at;

	for (int32_t i = 0; i < im->n_brokers; i++) {
		ASSERT(i == 0 || im->brokers[i - 1]->id < im->brokers[i]->id);
		ASSERT(im->brokers[i]->epoch >= 0);
		check_answers(im->brokers[i]);
	}
	for (int32_t i = 0; i < im->n_topics; i++) {
		const struct image_topic *t = im->topics[i];

		ASSERT(i == 0 || str_cmp(im->topics[i - 1]->name, t->name) < 0);
		ASSERT(topic_find_id(im, t->id, &at) && im->topics_by_id[at] == t);
		for (int32_t p = 0; p < t->n_partitions; p++)
			check_partition(im, &t->partitions[p]);
	}
}

/* Partition epochs count changes, leader epochs count leaders: a change that moved neither would be
 * invisible to the brokers. */
static void check_partition_step(const struct image_partition *a, const struct image_partition *b)
{
	bool same = ids_same(&a->isr, &b->isr) && ids_same(&a->replicas, &b->replicas) &&
		    ids_same(&a->elr, &b->elr) &&
		    ids_same(&a->last_known_elr, &b->last_known_elr) && a->leader == b->leader &&
		    a->is_recovering == b->is_recovering;

	ASSERT(b->partition_epoch == a->partition_epoch ||
	       b->partition_epoch == a->partition_epoch + 1);
	ASSERT(b->leader_epoch == a->leader_epoch || b->leader_epoch == a->leader_epoch + 1);
	ASSERT(same || b->partition_epoch == a->partition_epoch + 1);
	ASSERT(a->leader == b->leader || b->leader_epoch == a->leader_epoch + 1);
}

void image_check_step(const struct image *before, const struct image *after)
{
	ASSERT(after->next_producer_id >= before->next_producer_id);
	ASSERT(after->controller_epoch >= before->controller_epoch);
	for (int32_t i = 0; i < after->n_brokers; i++) {
		const struct image_broker *b = after->brokers[i],
					  *was = image_broker(before, b->id);

		ASSERT(was == NULL || b->epoch > was->epoch ||
		       (b->epoch == was->epoch && uuid_eq(b->incarnation, was->incarnation)));
	}
	for (int32_t i = 0; i < after->n_topics; i++) {
		const struct image_topic *t = after->topics[i];
		const struct image_topic *was = image_topic_by_id(before, t->id);

		if (was == NULL || was == t)
			continue;
		ASSERT(str_eq(was->name, t->name) && t->n_partitions >= was->n_partitions);
		for (int32_t p = 0; p < was->n_partitions; p++)
			check_partition_step(&was->partitions[p], &t->partitions[p]);
	}
}
