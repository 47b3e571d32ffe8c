/* fetch_session.c - the cache of incremental fetch sessions (KIP-227).
 *
 * Eviction: a new session may take the place of the one unused longest when that has been unused
 * for FETCH_EVICTION_MS; else of the least valuable one, consumers before followers, small before
 * large, that was created longer ago than that; a follower's need not be old to displace a
 * consumer's.
 *
 * Two orders per session: `order` is the one in which partitions are read, so that with a small
 * max_bytes everybody gets his turn; `gone` holds partitions that were forgotten while a waiting
 * fetch still points at them (pins). */
#include "broker/core/fetch_session.h"

#include "common/base/endian.h"
#include "common/base/prng.h"

/* What the cache may hold in all is slots * this: a slot is an average, not a limit per session. */
#define PARTITIONS_PER_SLOT 200
#define TOPIC_BYTES_MAX 249
#define KEY_BYTES_MAX (4 + TOPIC_BYTES_MAX)

struct fetch_sessions {
	struct map by_id;
	struct list lru; /* least recently used first */
	struct prng prng;
	uint64_t seed;
	int32_t slots_max, n;
	int64_t partitions_max, partitions, evicted;
};

static bool make_room(struct fetch_sessions *, bool is_follower, int32_t n, int64_t now_ms);
static struct fetch_session *least_valuable(struct fetch_sessions *, bool for_follower,
					    int64_t now_ms);
static bool is_worth_less(const struct fetch_session *, bool is_follower, int32_t n);
static int32_t unused_id(struct fetch_sessions *);
static void free_session(struct fetch_session *);
static struct str key_of(const struct fetch_session *, const struct fetch_ask *,
			 uint8_t to[KEY_BYTES_MAX]);
static struct fetch_partition *add_new(struct fetch_session *, struct str key,
				       const struct fetch_ask *);
static void drop(struct fetch_session *, struct fetch_partition *);
static void bury(struct fetch_session *);

struct fetch_sessions *fetch_sessions_new(int32_t slots_max, uint64_t seed)
{
	struct fetch_sessions *c = mem_alloc(sizeof(*c));

	ASSERT(slots_max >= 0);
	map_init(&c->by_id, seed);
	list_init(&c->lru);
	prng_seed(&c->prng, seed);
	c->seed = seed;
	c->slots_max = slots_max;
	c->partitions_max = (int64_t)slots_max * PARTITIONS_PER_SLOT;
	return c;
}

void fetch_sessions_free(struct fetch_sessions *c)
{
	LIST_FOR (s, &c->lru, struct fetch_session, lru) {
		ASSERT(s->pins == 0);
		fetch_session_close(s);
	}
	ASSERT(c->partitions == 0);
	map_fini(&c->by_id);
	mem_free(c);
}

int32_t fetch_sessions_count(const struct fetch_sessions *c)
{
	return c->n;
}

int64_t fetch_sessions_partitions(const struct fetch_sessions *c)
{
	return c->partitions;
}

int64_t fetch_sessions_evicted(const struct fetch_sessions *c)
{
	return c->evicted;
}

/* The epoch moves on here, before the answer is known: a request that was lost and sent again is
 * refused with INVALID_FETCH_SESSION_EPOCH and the client begins anew.  It wraps to 1, because 0
 * and -1 have meanings of their own. */
enum kerr fetch_session_open(struct fetch_sessions *c, struct fetch_opening *o)
{
	struct fetch_session *s = o->id > 0 ? map_find(&c->by_id, (uint64_t)o->id) : NULL;

	o->session = NULL;
	o->may_create = o->epoch == FETCH_EPOCH_FIRST;
	if (o->epoch == FETCH_EPOCH_FIRST || o->epoch == FETCH_EPOCH_LAST) {
		if (s != NULL)
			fetch_session_close(s);
		return KERR_NONE;
	}
	if (s == NULL)
		return KERR_FETCH_SESSION_ID_NOT_FOUND;
	if (s->epoch != o->epoch)
		return KERR_INVALID_FETCH_SESSION_EPOCH;
	if (s->by_id != o->by_id)
		return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
	s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
	s->used_ms = o->now_ms;
	list_remove(&s->lru);
	list_push_back(&c->lru, &s->lru);
	o->session = s;
	return KERR_NONE;
}

/* May fail for want of room: then the fetch is answered in full, as if sessions did not exist. */
struct fetch_session *fetch_session_create(struct fetch_sessions *c, bool by_id, bool is_follower,
					   int32_t n, int64_t now_ms)
{
	struct fetch_session *s;

	if (n <= 0 || !make_room(c, is_follower, n, now_ms))
		return NULL;
	s = mem_alloc(sizeof(*s));
	*s = (struct fetch_session){ .id = unused_id(c),
				     .epoch = 1,
				     .by_id = by_id,
				     .is_follower = is_follower,
				     .created_ms = now_ms,
				     .used_ms = now_ms,
				     .home = c };
	list_init(&s->order);
	list_init(&s->gone);
	strmap_init(&s->by_key, c->seed);
	map_put(&c->by_id, (uint64_t)s->id, s);
	list_push_back(&c->lru, &s->lru);
	c->n++;
	return s;
}

/* What was sent last stays known when only the parameters change, so the next
 * answer stays small. */
struct fetch_partition *fetch_session_add(struct fetch_session *s, const struct fetch_ask *ask)
{
	uint8_t bytes[KEY_BYTES_MAX];
	struct str key = key_of(s, ask, bytes);
	struct fetch_partition *p;
	struct str topic;

	if (s->is_closed || str_null(key))
		return NULL;
	p = strmap_find(&s->by_key, key);
	if (p == NULL)
		return add_new(s, key, ask);
	topic = p->ask.topic;
	p->ask = *ask;
	p->ask.topic = topic;
	return p;
}

void fetch_session_forget(struct fetch_session *s, const struct fetch_ask *ask)
{
	struct fetch_partition *p = fetch_session_find(s, ask);

	if (p != NULL)
		drop(s, p);
}

struct fetch_partition *fetch_session_find(struct fetch_session *s, const struct fetch_ask *ask)
{
	uint8_t bytes[KEY_BYTES_MAX];
	struct str key = key_of(s, ask, bytes);

	return str_null(key) ? NULL : strmap_find(&s->by_key, key);
}

/* Out of the cache at once, freed when the last waiting fetch has left. */
void fetch_session_close(struct fetch_session *s)
{
	if (s->is_closed)
		return;
	s->is_closed = true;
	map_remove(&s->home->by_id, (uint64_t)s->id);
	list_remove(&s->lru);
	s->home->n--;
	if (s->pins == 0)
		free_session(s);
}

void fetch_session_pin(struct fetch_session *s)
{
	s->pins++;
}

void fetch_session_unpin(struct fetch_session *s)
{
	ASSERT(s->pins > 0);
	if (--s->pins > 0)
		return;
	if (s->is_closed)
		free_session(s);
	else
		bury(s);
}

/* Records, errors and moved marks are told; silence means "as before". */
bool fetch_partition_due(const struct fetch_partition *p, const struct fetch_news *news)
{
	return news->has_records || news->must_tell || news->is_error ||
	       news->high_watermark != p->sent_high_watermark ||
	       news->log_start != p->sent_log_start;
}

void fetch_partition_sent(struct fetch_session *s, struct fetch_partition *p,
			  const struct fetch_news *news)
{
	p->sent_high_watermark = news->is_error ? -1 : news->high_watermark;
	p->sent_log_start = news->is_error ? -1 : news->log_start;
	if (news->has_records && !p->is_gone) {
		list_remove(&p->node);
		list_push_back(&s->order, &p->node);
	}
}

/* Closes sessions until there is a slot and room for n partitions, or nobody may be displaced. */
static bool make_room(struct fetch_sessions *c, bool is_follower, int32_t n, int64_t now_ms)
{
	if (n > c->partitions_max)
		return false;
	while (c->n >= c->slots_max || c->partitions + n > c->partitions_max) {
		struct fetch_session *s = LIST_FIRST(&c->lru, struct fetch_session, lru);

		if (s == NULL)
			return false;
		if (now_ms - s->used_ms <= FETCH_EVICTION_MS)
			s = least_valuable(c, is_follower, now_ms);
		if (s == NULL ||
		    (now_ms - s->used_ms <= FETCH_EVICTION_MS && !is_worth_less(s, is_follower, n)))
			return false;
		fetch_session_close(s);
		c->evicted++;
	}
	return true;
}

static struct fetch_session *least_valuable(struct fetch_sessions *c, bool for_follower,
					    int64_t now_ms)
{
	struct fetch_session *least = NULL;

	LIST_FOR (s, &c->lru, struct fetch_session, lru) {
		bool is_old = now_ms - s->created_ms > FETCH_EVICTION_MS;

		if (!is_old && !(for_follower && !s->is_follower))
			continue;
		if (least == NULL || is_worth_less(s, least->is_follower, least->n))
			least = s;
	}
	return least;
}

/* Followers before consumers, many partitions before few: what a full fetch would cost in bytes. */
static bool is_worth_less(const struct fetch_session *s, bool is_follower, int32_t n)
{
	if (s->is_follower != is_follower)
		return is_follower;
	return s->n < n;
}

/* Random, so that a client cannot guess a session of another one. */
static int32_t unused_id(struct fetch_sessions *c)
{
	int32_t id;

	do
		id = 1 + (int32_t)prng_below(&c->prng, INT32_MAX);
	while (map_find(&c->by_id, (uint64_t)id) != NULL);
	return id;
}

static void free_session(struct fetch_session *s)
{
	LIST_FOR (p, &s->order, struct fetch_partition, node)
		drop(s, p);
	bury(s);
	strmap_fini(&s->by_key);
	mem_free(s);
}

/* Null for a name that no topic can have. */
static struct str key_of(const struct fetch_session *s, const struct fetch_ask *ask,
			 uint8_t to[KEY_BYTES_MAX])
{
	const void *topic = s->by_id ? (const void *)ask->topic_id.b : ask->topic.at;
	size_t n = s->by_id ? sizeof(ask->topic_id.b) : ask->topic.n;

	if (n > TOPIC_BYTES_MAX)
		return (struct str){ 0 };
	store_be32(to, (uint32_t)ask->partition);
	if (n > 0)
		memcpy(to + 4, topic, n);
	return (struct str){ (const char *)to, 4 + n };
}

static struct fetch_partition *add_new(struct fetch_session *s, struct str key,
				       const struct fetch_ask *ask)
{
	struct fetch_partition *p;

	if (s->home->partitions >= s->home->partitions_max)
		return NULL;
	p = mem_alloc(sizeof(*p) + key.n);
	p->ask = *ask;
	p->sent_high_watermark = p->sent_log_start = -1;
	memcpy(p->bytes, key.at, key.n);
	p->key = (struct str){ (const char *)p->bytes, key.n };
	p->ask.topic = s->by_id ? (struct str){ 0 } : (struct str){ p->key.at + 4, key.n - 4 };
	list_push_back(&s->order, &p->node);
	strmap_put(&s->by_key, p->key, p);
	s->n++;
	s->home->partitions++;
	return p;
}

static void drop(struct fetch_session *s, struct fetch_partition *p)
{
	strmap_remove(&s->by_key, p->key);
	list_remove(&p->node);
	list_push_back(&s->gone, &p->node);
	p->is_gone = true;
	s->n--;
	if (s->pins == 0)
		bury(s);
}

static void bury(struct fetch_session *s)
{
	LIST_FOR (p, &s->gone, struct fetch_partition, node) {
		list_remove(&p->node);
		mem_free(p);
		s->home->partitions--;
	}
}
