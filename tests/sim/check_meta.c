/* check_meta.c - what must be true of the controller's decisions and of what brokers know of them.
 *
 * What is committed stays, whatever happens to the controller; epochs never go back; brokers fold
 * the same records to the same image.  17 to 20 are image_check's. */
#include "tests/sim/cluster.h"

static void check_partition_step(const struct image_topic *, int32_t number,
				 const struct image_partition *before,
				 const struct image_partition *after);
static void check_topic_step(const struct image_topic *before, const struct image *after);

void check_decisions(struct cluster *c, struct image *image)
{
	const struct image *before = c->decided;

	if (before && before->offset == image->offset)
		return;
	image_check(image);
	if (before && image->offset < before->offset)
		story_fail(EXIT_SAFETY, "the controller has %lld records, had committed %lld",
			   (long long)image->offset, (long long)before->offset);
	for (int32_t i = 0; before && i < before->n_topics; i++)
		check_topic_step(before->topics[i], image);
	for (int32_t i = 0; before && i < before->n_brokers; i++) { /* 22 */
		const struct image_broker *b = image_broker(image, before->brokers[i]->id);

		if (b && b->epoch < before->brokers[i]->epoch)
			story_fail(EXIT_SAFETY, "broker %d went from epoch %lld back to %lld",
				   b->id, (long long)before->brokers[i]->epoch,
				   (long long)b->epoch);
	}
	for (int t = 0; t < c->n_topics; t++) {
		const struct image_topic *topic =
			image_topic_named(image, str_of(c->topic[t].name));

		if (topic)
			c->topic[t].id = topic->id;
	}
	image_put(c->decided);
	c->decided = image_clone(image);
	c->decided->offset = image->offset;
}

static void check_topic_step(const struct image_topic *before, const struct image *after)
{
	const struct image_topic *t = image_topic_by_id(after, before->id);

	if (!t || t->n_partitions < before->n_partitions)
		story_fail(EXIT_SAFETY, "the topic %.*s is gone, or partitions of it",
			   (int)before->name.n, before->name.at);
	for (int32_t i = 0; i < before->n_partitions; i++)
		check_partition_step(t, i, &before->partitions[i], &t->partitions[i]);
}

static bool same_ids(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, sizeof(a->v[0]) * (size_t)a->n) == 0;
}

/* 21 */
static void check_partition_step(const struct image_topic *t, int32_t number,
				 const struct image_partition *before,
				 const struct image_partition *after)
{
	bool is_changed = before->leader != after->leader ||
			  before->leader_epoch != after->leader_epoch ||
			  !same_ids(&before->isr, &after->isr);

	if (after->partition_epoch < before->partition_epoch ||
	    after->leader_epoch < before->leader_epoch ||
	    (is_changed && after->partition_epoch == before->partition_epoch) ||
	    (before->leader != after->leader && after->leader_epoch == before->leader_epoch))
		story_fail(EXIT_SAFETY,
			   "%.*s-%d went from leader %d, epochs %d and %d, to leader %d, epochs "
			   "%d and %d",
			   (int)t->name.n, t->name.at, number, before->leader, before->leader_epoch,
			   before->partition_epoch, after->leader, after->leader_epoch,
			   after->partition_epoch);
}

/* 25 */
void check_known(struct cluster *c, int broker)
{
	const struct broker *b = &c->broker[broker]->broker->broker;
	const struct image *decided = c->decided;

	for (int i = 0; i < b->n_shards; i++) {
		const struct image *known = b->shards[i]->image;

		if (!known || !decided || known->offset != decided->offset ||
		    known->offset == c->compared[broker][i])
			continue;
		c->compared[broker][i] = known->offset;
		if (!image_equal(known, decided))
			story_fail(EXIT_SAFETY,
				   "broker %d, shard %d: its image at offset %lld is not the "
				   "controller's",
				   broker + 1, i, (long long)known->offset);
	}
}
