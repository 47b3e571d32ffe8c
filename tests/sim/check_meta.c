/* check_meta.c - what must be true of the controller's decisions and of what brokers know of them.
 *
 * What is committed stays, whatever happens to the controller; epochs never go back; brokers fold
 * the same records to the same image.  Several records may be committed in one event: what must
 * hold between two neighbours is checked as far as first and last can tell. */
#include "common/base/text.h"
#include "tests/sim/check.h"

static void check_offset(struct cluster *, struct image *);
static void keep_decided(struct cluster *, struct image *);
static void check_brokers(const struct image *before, const struct image *after);
static void check_topic(struct cluster *, const struct image *, const struct image_topic *before,
			const struct image_topic *after);
static void check_gone(struct cluster *, const struct image_topic *);
static void check_created(const struct cluster *, const struct image_topic *);
static void check_state(const struct image *, const struct image_topic *, int32_t number);
static void check_step(const struct cluster *, const struct image *,
		       const struct image_partition *before, const struct image_topic *after,
		       int32_t number);

void check_decisions(struct cluster *c, struct image *image)
{
	const struct image *before = c->decided;

	if (before && before->offset == image->offset)
		return;
	check_offset(c, image);
	if (!before)
		image_check(image);
	for (int32_t i = 0; before && i < before->n_topics; i++)
		if (!image_topic_by_id(image, before->topics[i]->id))
			check_gone(c, before->topics[i]);
	for (int32_t i = 0; i < image->n_topics; i++) {
		const struct image_topic *t = image->topics[i],
					 *was = before ? image_topic_by_id(before, t->id) : NULL;

		if (t != was)
			check_topic(c, image, was, t);
	}
	if (before)
		check_brokers(before, image);
	keep_decided(c, image);
	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < c->topic[t].n_partitions; i++)
			check_candidates(c, &c->topic[t], i);
}

static void check_offset(struct cluster *c, struct image *image)
{
	const struct image *before = c->decided;

	if (before && image->offset < before->offset)
		rule_broken(25, "the controller has %lld records, had committed %lld",
			    (long long)image->offset, (long long)before->offset);
	if (before && image->next_producer_id < before->next_producer_id)
		rule_broken(28, "the next producer id went from %lld back to %lld",
			    (long long)before->next_producer_id,
			    (long long)image->next_producer_id);
}

static void keep_decided(struct cluster *c, struct image *image)
{
	struct image **kept = &c->history[image->offset % SIM_IMAGES];

	for (int t = 0; t < c->n_topics; t++) {
		const struct image_topic *topic =
			image_topic_named(image, str_of(c->topic[t].name));

		if (!topic)
			continue;
		if (!uuid_is_zero(c->topic[t].id) && !uuid_eq(c->topic[t].id, topic->id))
			cluster_begin_again(&c->topic[t], topic->id);
		c->topic[t].id = topic->id;
		c->topic[t].n_partitions = i32_min(topic->n_partitions, SIM_PARTITIONS_MAX);
	}
	image_put(c->decided);
	c->decided = image_clone(image);
	c->decided->offset = image->offset;
	image_put(*kept);
	*kept = image_get(c->decided);
}

/* 20, 22.  Only a broker that came or went can be the fenced one of a partition nobody changed. */
static void check_brokers(const struct image *before, const struct image *after)
{
	for (int32_t i = 0; i < before->n_brokers; i++) {
		const struct image_broker *was = before->brokers[i],
					  *b = image_broker(after, was->id);
		bool is_same = b && uuid_eq(b->incarnation, was->incarnation);

		if (b && (b->epoch < was->epoch || (!is_same && b->epoch == was->epoch)))
			rule_broken(22, "broker %d went from epoch %lld to %lld", b->id,
				    (long long)was->epoch, (long long)b->epoch);
		if (!b || b->is_fenced == was->is_fenced)
			continue;
		for (int32_t t = 0; t < after->n_topics; t++)
			for (int32_t p = 0; p < after->topics[t]->n_partitions; p++)
				check_state(after, after->topics[t], p);
	}
}

/* ---- topics --------------------------------------------------------------------------------- */

static void check_topic(struct cluster *c, const struct image *image,
			const struct image_topic *before, const struct image_topic *after)
{
	if (!before)
		check_created(c, after);
	if (before && after->n_partitions < before->n_partitions)
		rule_broken(27, "partitions of the topic %.*s are gone", (int)after->name.n,
			    after->name.at);
	for (int32_t i = 0; i < after->n_partitions; i++) {
		check_state(image, after, i);
		if (before && i < before->n_partitions)
			check_step(c, image, &before->partitions[i], after, i);
	}
}

static void check_gone(struct cluster *c, const struct image_topic *t)
{
	for (int i = 0; i < c->n_topics; i++)
		if (uuid_eq(c->topic[i].id, t->id) && !c->topic[i].may_go)
			rule_broken(27, "nobody asked for the end of %.*s", (int)t->name.n,
				    t->name.at);
	c->gone = mem_grow(c->gone, sizeof(*c->gone) * (size_t)(c->n_gone + 1));
	c->gone[c->n_gone++] = t->id;
}

static void check_created(const struct cluster *c, const struct image_topic *t)
{
	for (int i = 0; i < c->n_gone; i++)
		if (uuid_eq(c->gone[i], t->id))
			rule_broken(27, "%.*s has the id of a deleted topic", (int)t->name.n,
				    t->name.at);
}

/* ---- partitions ----------------------------------------------------------------------------- */

static bool within(const struct image_ids *part, const struct image_ids *whole)
{
	for (int32_t i = 0; i < part->n; i++)
		if (!image_ids_has(whole, part->v[i]))
			return false;
	return true;
}

static int32_t min_isr_of(const struct image_topic *t, const struct image_partition *p)
{
	struct str value = image_topic_config(t, STR("min.insync.replicas"));

	int64_t n = 1;

	if (!str_null(value) && parse_i64(value, &n))
		n = 1;
	return i32_min((int32_t)n, p->replicas.n);
}

static void check_state(const struct image *im, const struct image_topic *t, int32_t number)
{
	const struct image_partition *p = &t->partitions[number];
	bool is_last = p->isr.n == 1 && p->leader < 0; /* waits for exactly that broker */

	if (!within(&p->isr, &p->replicas))
		rule_broken(17, "%.*s-%d", (int)t->name.n, t->name.at, number);
	if (p->leader >= 0 && !image_ids_has(&p->isr, p->leader))
		rule_broken(18, "%.*s-%d has leader %d", (int)t->name.n, t->name.at, number,
			    p->leader);
	for (int32_t i = 0; i < p->elr.n; i++)
		if (image_ids_has(&p->isr, p->elr.v[i]) ||
		    !image_ids_has(&p->replicas, p->elr.v[i]))
			rule_broken(19, "%.*s-%d: broker %d", (int)t->name.n, t->name.at, number,
				    p->elr.v[i]);
	for (int32_t i = 0; i < p->isr.n && !is_last; i++) {
		const struct image_broker *b = image_broker(im, p->isr.v[i]);

		if (!b || b->is_fenced)
			rule_broken(20, "%.*s-%d: broker %d of %d in sync", (int)t->name.n,
				    t->name.at, number, p->isr.v[i], p->isr.n);
	}
}

static bool same_ids(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, sizeof(a->v[0]) * (size_t)a->n) == 0;
}

static bool is_same(const struct image_partition *a, const struct image_partition *b)
{
	return a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
	       a->is_recovering == b->is_recovering && same_ids(&a->isr, &b->isr) &&
	       same_ids(&a->elr, &b->elr) && same_ids(&a->replicas, &b->replicas);
}

/* Of those who had all, without `but`: who is still the same process. */
static int32_t count_same(const struct cluster *c, const struct image *after,
			  const struct image_ids *ids, int32_t but)
{
	int32_t n = 0;

	for (int32_t i = 0; i < ids->n; i++) {
		const struct image_broker *was = image_broker(c->decided, ids->v[i]),
					  *now = image_broker(after, ids->v[i]);

		n += ids->v[i] != but && was && now && uuid_eq(was->incarnation, now->incarnation);
	}
	return n;
}

static bool is_moving(const struct image_partition *p)
{
	return p->adding.n > 0 || p->removing.n > 0;
}

/* Whoever was in ISR or ELR may lead.  When all of them came back as new processes, which may have
 * lost something, it is the last leader, for want of a better one (KIP-966). */
static bool is_unclean(const struct cluster *c, const struct image *image,
		       const struct image_partition *before, const struct image_partition *after)
{
	int32_t n_others = count_same(c, image, &before->isr, after->leader) +
			   count_same(c, image, &before->elr, after->leader);

	if (after->leader < 0 || after->leader == before->leader)
		return false;
	if (after->is_recovering && !before->is_recovering && n_others > 0)
		return true;
	/* The end of a reassignment: the leader that goes has just said that it is in sync. */
	if (is_moving(before) && !is_moving(after) && !after->is_recovering)
		return false;
	return !image_ids_has(&before->isr, after->leader) &&
	       !image_ids_has(&before->elr, after->leader) &&
	       !image_ids_has(&before->last_known_elr, after->leader);
}

/* 19, 21, 26 */
static void check_step(const struct cluster *c, const struct image *image,
		       const struct image_partition *before, const struct image_topic *t,
		       int32_t number)
{
	const struct image_partition *after = &t->partitions[number];
	int32_t n_changes = after->partition_epoch - before->partition_epoch;
	int32_t n_leaders = after->leader_epoch - before->leader_epoch;
	struct str unclean = image_topic_config(t, STR("unclean.leader.election.enable"));

	if (n_changes < 0 || n_leaders < 0 || n_leaders > n_changes ||
	    (n_changes == 0 && !is_same(before, after)) ||
	    (before->leader != after->leader && n_leaders == 0))
		rule_broken(21, "%.*s-%d went from leader %d, epochs %d and %d, to %d, %d and %d",
			    (int)t->name.n, t->name.at, number, before->leader,
			    before->leader_epoch, before->partition_epoch, after->leader,
			    after->leader_epoch, after->partition_epoch);
	if (n_changes > 0 && after->elr.n > 0 && after->isr.n >= min_isr_of(t, after))
		rule_broken(19, "%.*s-%d: %d in sync are enough, the ELR has %d", (int)t->name.n,
			    t->name.at, number, after->isr.n, after->elr.n);
	if (n_changes == 1 && is_unclean(c, image, before, after) && !str_eq(unclean, STR("true")))
		rule_broken(26, "%.*s-%d: broker %d leads", (int)t->name.n, t->name.at, number,
			    after->leader);
}

/* ---- brokers -------------------------------------------------------------------------------- */

/* 25 */
void check_known(struct cluster *c, int broker)
{
	const struct broker *b = &c->broker[broker]->broker->broker;

	for (int i = 0; i < b->n_shards; i++) {
		const struct image *known = b->shards[i]->image;
		const struct image *kept;

		if (!known || known->offset == c->compared[broker][i])
			continue;
		c->compared[broker][i] = known->offset;
		if (known->offset > c->n_decrees)
			rule_broken(25, "broker %d, shard %d: knows %lld records of %lld",
				    broker + 1, i, (long long)known->offset,
				    (long long)c->n_decrees);
		kept = c->history[known->offset % SIM_IMAGES];
		if (kept && kept->offset == known->offset && !image_equal(known, kept))
			rule_broken(25, "broker %d, shard %d: offset %lld", broker + 1, i,
				    (long long)known->offset);
	}
}

/* 23, 24: of the leader that the controller means, if it knows of that. */
void check_leader_knows(const struct spot *s)
{
	const struct replica *r = &s->p->replica;
	const struct image_topic *t = image_topic_by_id(s->c->decided, s->topic->id);
	const struct image_partition *d = t ? image_partition(t, s->number) : NULL;
	uint32_t isr;

	if (!d || d->leader != s->broker + 1 || d->leader_epoch != r->leader_epoch)
		return;
	isr = replica_mask_of(r, d->isr.v, d->isr.n);
	if (isr & ~replica_maximal_isr(r))
		spot_broken(s, 23, "the controller has %d in sync, the leader waits for %d",
			    d->isr.n, __builtin_popcount(replica_maximal_isr(r)));
	if (!r->is_pending && r->partition_epoch == d->partition_epoch && isr != r->isr)
		spot_broken(s, 24, "the controller has %d in sync, the leader %d", d->isr.n,
			    replica_isr_count(r));
}
