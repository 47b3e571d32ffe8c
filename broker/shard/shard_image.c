/* shard_image.c - from one image to the next: which partitions come, go or change.
 *
 * Both images list their topics by name and share the rows that did not change, so the difference
 * is a merge that compares pointers: its price is that of the topics that changed. */
#include "broker/shard/shard_image.h"

#include <stdatomic.h>

#include "broker/log/logdir.h"
#include "broker/shard/dirs.h"
#include "broker/shard/follow.h"
#include "broker/shard/partition.h"
#include "broker/shard/retention.h"

static void drop_topic(struct shard *, const struct image_topic *);
static void adopt_topic(struct shard *, const struct image_topic *);
static void remove_moved(struct shard *);
static void put_strays_aside(struct shard *);
static bool is_in_service(const struct shard *);
static bool brokers_differ(const struct image *, const struct image *);
static bool configs_differ(const struct image *, const struct image *, int32_t self);
static void take_dynamic(struct shard *);
static void refresh(struct shard *, bool brokers, bool configs);

/* A topic of the same name with another id was deleted and created again: drop, then adopt. */
void shard_adopt_image(struct shard *s, struct image *im)
{
	struct image *was = s->image;
	int32_t i = 0, j = 0, n_was = was ? was->n_topics : 0;

	s->image = im;
	s->image_before = was ? was->offset : 0;
	while (i < n_was || j < im->n_topics) {
		const struct image_topic *old = i < n_was ? was->topics[i] : NULL;
		const struct image_topic *new = j < im->n_topics ? im->topics[j] : NULL;
		int order = !old ? 1 : !new ? -1 : str_cmp(old->name, new->name);
		if (order < 0 || (order == 0 && !uuid_eq(old->id, new->id)))
			drop_topic(s, old);
		if (order >= 0 && old != new)
			adopt_topic(s, new);
		i += order <= 0;
		j += order >= 0;
	}
	if (!was)
		take_dynamic(s);
	refresh(s, was && brokers_differ(was, im),
		was && configs_differ(was, im, s->broker->conf->node_id));
	image_put(was);
	if (!was)
		remove_moved(s);
	if (s->id == 0 && !s->has_no_strays && is_in_service(s))
		put_strays_aside(s);
	shard_note_applied(s);
	if (!was && s->image_adopted)
		s->image_adopted(s);
}

static void drop_topic(struct shard *s, const struct image_topic *t)
{
	for (int32_t n = 0; n < t->n_partitions; n++) {
		struct partition *p = partition_find(s, t->id, n);
		if (p)
			partition_drop(p, KERR_UNKNOWN_TOPIC_OR_PARTITION);
	}
}

static void adopt_topic(struct shard *s, const struct image_topic *t)
{
	for (int32_t n = 0; n < t->n_partitions; n++) {
		struct partition *p;
		if (broker_shard(s->broker, t->id, n) != s)
			continue;
		if (image_ids_has(&t->partitions[n].replicas, s->broker->conf->node_id))
			partition_assign(s, t, n);
		else if ((p = partition_find(s, t->id, n)))
			partition_drop(p, KERR_NOT_LEADER_OR_FOLLOWER);
	}
}

/* What was found at start and is another broker's by now. */
static void remove_moved(struct shard *s)
{
	STRMAP_FOR (slot, &s->broker->dirs->found) {
		struct dirs_row *row = slot->value;
		const struct image_topic *t;
		const struct image_partition *p;
		struct str topic;
		int32_t number;

		if (!logdir_parse(row->name, &topic, &number))
			continue;
		t = image_topic_named(s->image, topic);
		p = t ? image_partition(t, number) : NULL;
		if (p && !image_ids_has(&p->replicas, s->broker->conf->node_id) &&
		    broker_shard(s->broker, t->id, number) == s)
			retention_remove_found(s, row, t->id, number);
	}
}

/* Topics that were deleted while this broker was down.  Only in service: metadata of before that
 * may not know all topics yet. */
static void put_strays_aside(struct shard *s)
{
	s->has_no_strays = true;
	STRMAP_FOR (slot, &s->broker->dirs->found) {
		struct dirs_row *row = slot->value;
		const struct image_topic *t;
		struct str topic;
		int32_t number;

		if (!logdir_parse(row->name, &topic, &number))
			continue;
		t = image_topic_named(s->image, topic);
		if (!t || !image_partition(t, number))
			retention_put_aside(s, row);
	}
}

static bool is_in_service(const struct shard *s)
{
	const struct image_broker *b = image_broker(s->image, s->broker->conf->node_id);

	return b && !b->is_fenced && uuid_eq(b->incarnation, s->broker->incarnation);
}

/* Rows are shared while they are equal, so comparing pointers is enough. */
static bool brokers_differ(const struct image *a, const struct image *b)
{
	return a->n_brokers != b->n_brokers ||
	       memcmp(a->brokers, b->brokers, (size_t)a->n_brokers * sizeof(a->brokers[0])) != 0;
}

static bool same_configs(const struct image_config *a, int32_t n_a, const struct image_config *b,
			 int32_t n_b)
{
	for (int32_t i = 0; n_a == n_b && i < n_a; i++)
		if (!str_eq(a[i].name, b[i].name) || !str_eq(a[i].value, b[i].value))
			return false;
	return n_a == n_b;
}

/* Those of every broker, and our own. */
static bool configs_differ(const struct image *a, const struct image *b, int32_t self)
{
	const struct image_broker *was = image_broker(a, self), *now = image_broker(b, self);

	return !same_configs(a->broker_configs, a->n_broker_configs, b->broker_configs,
			     b->n_broker_configs) ||
	       !same_configs(was ? was->configs : NULL, was ? was->n_configs : 0,
			     now ? now->configs : NULL, now ? now->n_configs : 0);
}

/* What the shards share is shard 0's to change. */
static void take_dynamic(struct shard *s)
{
	struct broker *b = s->broker;
	struct dynamic_conf was = s->dynamic;

	dynamic_conf_of(&b->conf->dynamic, s->image, b->conf->node_id, &s->dynamic);
	if (s->id != 0)
		return;
	atomic_store(&b->free_bytes_min, s->dynamic.free_bytes_min);
	if (was.leader_throttle != s->dynamic.leader_throttle)
		throttle_reset(&b->leader_throttle);
	if (was.follower_throttle != s->dynamic.follower_throttle)
		throttle_reset(&b->follower_throttle);
	if (was.dirs_throttle != s->dynamic.dirs_throttle)
		throttle_reset(&b->dirs_throttle);
}

/* Eligibility of peers and defaults of topics reach partitions whose own topic did not change. */
static void refresh(struct shard *s, bool brokers, bool configs)
{
	if (configs)
		take_dynamic(s);
	if (!brokers && !configs)
		return;
	MAP_FOR (slot, &s->partitions) {
		struct partition *p = slot->value;
		const struct image_topic *t = image_topic_by_id(s->image, p->topic_id);
		if (brokers && p->state == PARTITION_OPEN)
			partition_refresh_brokers(p);
		if (configs && t && p->state == PARTITION_OPEN)
			partition_refresh_conf(p, t);
	}
	if (brokers)
		follow_refresh_brokers(s);
}
