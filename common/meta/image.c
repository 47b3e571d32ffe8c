/* image.c - lives, versions and look-ups of an image; image_apply.c changes one, image_dump.c reads
 * it back as records, image_check.c states what must hold.
 *
 * A topic or broker row is refcounted.  A clone copies the arrays of pointers and takes a reference
 * of each row; *_own replaces a row that another version also holds by a private copy:
 *
 *   image 7: [ a ] [ b ] [ c ]          image_clone, then a record that changes b
 *              |     |     |
 *   image 8: [ a ] [ b'] [ c ]          a and c are shared, b' was copied by topic_own
 *
 * So a change costs a pointer per topic and one row, and readers of image 7 never see it.  All
 * arrays are sorted, by id or by name, so look-ups are binary searches and dumps are
 * deterministic. */
#include "common/meta/image.h"

#include <stdatomic.h>

#include "common/meta/image_priv.h"

static void *array_copy(const void *from, int32_t n, size_t each);
static struct image_broker *broker_get(struct image_broker *);
static struct image_topic *topic_get(struct image_topic *);
static struct image_config *configs_copy(const struct image_config *, int32_t n);
static void configs_free(struct image_config *, int32_t n);
static struct image_answer *answers_copy(const struct image_answer *, int32_t n);
static void answers_free(struct image_answer *, int32_t n);
static struct image_broker *broker_copy(const struct image_broker *);
static struct image_topic *topic_copy(const struct image_topic *);

struct image *image_new(void)
{
	struct image *im = mem_alloc(sizeof(*im));

	atomic_init(&im->refs, 1);
	im->controller = -1;
	return im;
}

struct image *image_get(struct image *im)
{
	uint32_t was = atomic_fetch_add_explicit(&im->refs, 1, memory_order_relaxed);

	ASSERT(was > 0);
	return im;
}

/* acq_rel, because the last reader may be on another thread than the one that made the image. */
void image_put(struct image *im)
{
	if (im == NULL || atomic_fetch_sub_explicit(&im->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (int32_t i = 0; i < im->n_brokers; i++)
		broker_put(im->brokers[i]);
	for (int32_t i = 0; i < im->n_topics; i++)
		topic_put(im->topics[i]);
	for (int32_t i = 0; i < im->n_features; i++)
		text_free(im->features[i].name);
	configs_free(im->broker_configs, im->n_broker_configs);
	mem_free(im->features);
	mem_free(im->voters);
	mem_free(im->brokers);
	mem_free(im->topics);
	mem_free(im->topics_by_id);
	mem_free(im);
}

/* Small arrays (features, cluster-wide configs) are copied; rows are shared. */
struct image *image_clone(struct image *from)
{
	struct image *im = mem_alloc(sizeof(*im));

	memcpy(im, from, sizeof(*im));
	atomic_init(&im->refs, 1);
	im->brokers = array_copy(from->brokers, from->n_brokers, sizeof(from->brokers[0]));
	im->topics = array_copy(from->topics, from->n_topics, sizeof(from->topics[0]));
	im->topics_by_id = array_copy(from->topics_by_id, from->n_topics, sizeof(from->topics[0]));
	im->broker_configs = configs_copy(from->broker_configs, from->n_broker_configs);
	im->features = array_copy(from->features, from->n_features, sizeof(from->features[0]));
	im->voters = array_copy(from->voters, from->n_voters, sizeof(from->voters[0]));
	for (int32_t i = 0; i < im->n_brokers; i++)
		broker_get(im->brokers[i]);
	for (int32_t i = 0; i < im->n_topics; i++)
		topic_get(im->topics[i]);
	for (int32_t i = 0; i < im->n_features; i++)
		im->features[i].name = text_dup(im->features[i].name);
	return im;
}

const struct image_broker *image_broker(const struct image *im, int32_t id)
{
	int32_t at;

	return broker_find(im, id, &at) ? im->brokers[at] : NULL;
}

const struct image_topic *image_topic_named(const struct image *im, struct str name)
{
	int32_t at;

	return topic_find(im, name, &at) ? im->topics[at] : NULL;
}

const struct image_topic *image_topic_by_id(const struct image *im, struct uuid id)
{
	int32_t at;

	return topic_find_id(im, id, &at) ? im->topics_by_id[at] : NULL;
}

const struct image_partition *image_partition(const struct image_topic *t, int32_t partition)
{
	return partition >= 0 && partition < t->n_partitions ? &t->partitions[partition] : NULL;
}

/* Level 0 and "never set" are the same thing (KIP-584). */
int32_t image_feature(const struct image *im, struct str name)
{
	int32_t at;

	return feature_find(im->features, im->n_features, name, &at) ? im->features[at].level : 0;
}

struct str image_topic_config(const struct image_topic *t, struct str name)
{
	int32_t at;

	return config_find(t->configs, t->n_configs, name, &at) ? t->configs[at].value
								: (struct str){ NULL, 0 };
}

struct str image_answer(const struct image *im, int32_t broker, int64_t epoch, int64_t number)
{
	const struct image_broker *b = image_broker(im, broker);

	for (int32_t i = 0; b != NULL && b->epoch == epoch && i < b->n_answers; i++)
		if (b->answers[i].number == number)
			return b->answers[i].response;
	return (struct str){ NULL, 0 };
}

bool image_ids_has(const struct image_ids *ids, int32_t id)
{
	for (int32_t i = 0; i < ids->n; i++)
		if (ids->v[i] == id)
			return true;
	return false;
}

void image_ids_drop(struct image_ids *ids, int32_t id)
{
	int32_t n = 0;

	for (int32_t i = 0; i < ids->n; i++)
		if (ids->v[i] != id)
			ids->v[n++] = ids->v[i];
	ids->n = n;
}

struct image_ids image_ids_without(const struct image_ids *ids, const struct image_ids *drop)
{
	struct image_ids left = { .n = 0 };

	for (int32_t i = 0; i < ids->n; i++)
		if (!image_ids_has(drop, ids->v[i]))
			left.v[left.n++] = ids->v[i];
	return left;
}

/* What placement and election ask: may this broker get a leader or a new replica now? */
bool image_broker_active(const struct image *im, int32_t id)
{
	const struct image_broker *b = image_broker(im, id);

	return b != NULL && !b->is_fenced && !b->in_controlled_shutdown;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct image_broker *broker_new(int32_t id)
{
	struct image_broker *b = mem_alloc(sizeof(*b));

	atomic_init(&b->refs, 1);
	b->id = id;
	return b;
}

static struct image_broker *broker_get(struct image_broker *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void broker_put(struct image_broker *b)
{
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (int32_t i = 0; i < b->n_endpoints; i++) {
		text_free(b->endpoints[i].name);
		text_free(b->endpoints[i].host);
		text_free(b->endpoints[i].protocol);
	}
	text_free(b->rack);
	mem_free(b->endpoints);
	mem_free(b->log_dirs);
	configs_free(b->configs, b->n_configs);
	answers_free(b->answers, b->n_answers);
	mem_free(b);
}

static struct image_broker *broker_copy(const struct image_broker *from)
{
	struct image_broker *b = mem_alloc(sizeof(*b));

	memcpy(b, from, sizeof(*b));
	atomic_init(&b->refs, 1);
	b->endpoints = array_copy(from->endpoints, from->n_endpoints, sizeof(from->endpoints[0]));
	for (int32_t i = 0; i < b->n_endpoints; i++) {
		b->endpoints[i].name = text_dup(from->endpoints[i].name);
		b->endpoints[i].host = text_dup(from->endpoints[i].host);
		b->endpoints[i].protocol = text_dup(from->endpoints[i].protocol);
	}
	b->rack = text_dup(from->rack);
	b->log_dirs = array_copy(from->log_dirs, from->n_log_dirs, sizeof(from->log_dirs[0]));
	b->configs = configs_copy(from->configs, from->n_configs);
	b->answers = answers_copy(from->answers, from->n_answers);
	return b;
}

static struct image_topic *topic_get(struct image_topic *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void topic_put(struct image_topic *t)
{
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	text_free(t->name);
	mem_free(t->partitions);
	configs_free(t->configs, t->n_configs);
	mem_free(t);
}

static struct image_topic *topic_copy(const struct image_topic *from)
{
	struct image_topic *t = mem_alloc(sizeof(*t));

	memcpy(t, from, sizeof(*t));
	atomic_init(&t->refs, 1);
	t->name = text_dup(from->name);
	t->partitions =
		array_copy(from->partitions, from->n_partitions, sizeof(from->partitions[0]));
	t->configs = configs_copy(from->configs, from->n_configs);
	return t;
}

/* acquire pairs with the release in *_put: whoever held the row before is done reading it. */
struct image_broker *broker_own(struct image *im, int32_t at)
{
	struct image_broker *b = im->brokers[at];

	if (atomic_load_explicit(&b->refs, memory_order_acquire) == 1)
		return b;
	im->brokers[at] = broker_copy(b);
	broker_put(b);
	return im->brokers[at];
}

/* Both arrays, by name and by id, must point at the copy. */
struct image_topic *topic_own(struct image *im, int32_t at)
{
	struct image_topic *t = im->topics[at];
	int32_t by_id;

	if (atomic_load_explicit(&t->refs, memory_order_acquire) == 1)
		return t;
	ASSERT(topic_find_id(im, t->id, &by_id));
	im->topics[at] = im->topics_by_id[by_id] = topic_copy(t);
	topic_put(t);
	return im->topics[at];
}

static struct image_config *configs_copy(const struct image_config *from, int32_t n)
{
	struct image_config *to = array_copy(from, n, sizeof(*from));

	for (int32_t i = 0; i < n; i++)
		to[i] = (struct image_config){ text_dup(from[i].name), text_dup(from[i].value) };
	return to;
}

static void configs_free(struct image_config *v, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		text_free(v[i].name);
		text_free(v[i].value);
	}
	mem_free(v);
}

static struct image_answer *answers_copy(const struct image_answer *from, int32_t n)
{
	struct image_answer *to = array_copy(from, n, sizeof(*from));

	for (int32_t i = 0; i < n; i++)
		to[i].response = text_dup(from[i].response);
	return to;
}

static void answers_free(struct image_answer *v, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		text_free(v[i].response);
	mem_free(v);
}

/* ---- sorted arrays --------------------------------------------------------------------------- */

bool broker_find(const struct image *im, int32_t id, int32_t *at)
{
	int32_t lo = 0, hi = im->n_brokers;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (im->brokers[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return lo < im->n_brokers && im->brokers[lo]->id == id;
}

bool topic_find(const struct image *im, struct str name, int32_t *at)
{
	int32_t lo = 0, hi = im->n_topics;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (str_cmp(im->topics[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return lo < im->n_topics && str_eq(im->topics[lo]->name, name);
}

bool topic_find_id(const struct image *im, struct uuid id, int32_t *at)
{
	int32_t lo = 0, hi = im->n_topics;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (memcmp(im->topics_by_id[mid]->id.b, id.b, sizeof(id.b)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return lo < im->n_topics && uuid_eq(im->topics_by_id[lo]->id, id);
}

/* A handful of rows each: a scan beats cleverness. */
bool config_find(const struct image_config *v, int32_t n, struct str name, int32_t *at)
{
	int32_t i = 0;

	while (i < n && str_cmp(v[i].name, name) < 0)
		i++;
	*at = i;
	return i < n && str_eq(v[i].name, name);
}

bool feature_find(const struct image_feature *v, int32_t n, struct str name, int32_t *at)
{
	int32_t i = 0;

	while (i < n && str_cmp(v[i].name, name) < 0)
		i++;
	*at = i;
	return i < n && str_eq(v[i].name, name);
}

/* See image_priv.h: capacity is the next power of two, so it need not be stored. */
void *array_room(void *old, int32_t n, size_t each)
{
	if ((n & (n - 1)) != 0)
		return old;
	return mem_grow(old, (n == 0 ? 1 : (size_t)n * 2) * each);
}

/* Keeps the rule of array_room: the copy has room up to the next power of two. */
static void *array_copy(const void *from, int32_t n, size_t each)
{
	size_t room = 1;
	void *to;

	if (n == 0)
		return NULL;
	while (room < (size_t)n)
		room *= 2;
	to = mem_alloc(room * each);
	memcpy(to, from, (size_t)n * each);
	return to;
}

void array_open(void *at, int32_t n, int32_t i, size_t each)
{
	char *hole = (char *)at + (size_t)i * each;

	ASSERT(i >= 0 && i <= n);
	memmove(hole + each, hole, (size_t)(n - i) * each);
}

void array_close(void *at, int32_t n, int32_t i, size_t each)
{
	char *hole = (char *)at + (size_t)i * each;

	ASSERT(i >= 0 && i < n);
	memmove(hole, hole + each, (size_t)(n - i - 1) * each);
}

/* One byte more than n, zero: the generated protobuf structs want NUL-terminated text. */
struct str text_dup(struct str s)
{
	char *to;

	if (str_null(s))
		return s;
	to = mem_alloc(s.n + 1);
	if (s.n > 0)
		memcpy(to, s.at, s.n);
	return (struct str){ to, s.n };
}

void text_free(struct str s)
{
	mem_free((void *)(uintptr_t)s.at);
}
