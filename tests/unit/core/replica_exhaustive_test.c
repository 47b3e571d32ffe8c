/* Everything that can happen to three replicas and their controller within a few events: from a
 * partition in sync, every order of appends, fetches in all their stages, news, ISR proposals with
 * lost answers, fencing, elections and one crash, each as often as its budget allows.  States that
 * were seen with as many events left are not gone through again.
 *
 * What must hold is what the random walks of replica_model_test.c hold against much longer runs;
 * here no order is left out. */
#include "common/base/map.h"
#include "tests/lib/test.h"
#include "tests/story/world.h"

#define DEPTH 8
#define COMMITTED_MAX 16
#define EPOCHS_MAX 16

struct budget {
	int8_t appends, fences, elections, crashes, losses;
};
struct state {
	struct world w;
	int32_t committed[COMMITTED_MAX]; /* what any leader ever committed */
	int64_t n_committed;
	int32_t leader_of[EPOCHS_MAX];
	struct budget left;
};

static struct state now, before[DEPTH + 1];
static struct map seen; /* hash -> events left when it was seen, plus one */
static int64_t n_states;

static inline uint32_t bit(int32_t id)
{
	return 1u << id;
}

/* ---- saving and going back ------------------------------------------------------------------- */

static void copy_epochs(struct world *w)
{
	for (int32_t id = 1; id <= w->n; id++) {
		struct epoch_cache *c = &w->nodes[id].epochs;
		struct epoch_entry *v = mem_alloc(sizeof(*v) * (size_t)i32_max(1, c->cap));

		if (c->n > 0)
			memcpy(v, c->v, sizeof(*v) * (size_t)c->n);
		c->v = v;
	}
}

static void save(struct state *to)
{
	*to = now;
	copy_epochs(&to->w);
}

static void go_back(const struct state *to)
{
	world_fini(&now.w);
	now = *to;
	copy_epochs(&now.w);
}

static uint64_t mix(uint64_t h, const void *at, size_t n)
{
	const uint8_t *b = at;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3;
	return h;
}

static uint64_t hash_node(uint64_t h, const struct world_node *b)
{
	const struct world_fetch *f = &b->fetch;

	h = mix(h, &b->is_up, sizeof(b->is_up));
	h = mix(h, &b->broker_epoch, sizeof(b->broker_epoch));
	h = mix(h, &b->checkpoint, sizeof(b->checkpoint));
	h = mix(h, &b->r, sizeof(b->r));
	h = mix(h, b->epochs.v, sizeof(*b->epochs.v) * (size_t)b->epochs.n);
	h = mix(h, b->log, sizeof(b->log[0]) * (size_t)b->r.log_end);
	h = mix(h, f, offsetof(struct world_fetch, records));
	h = mix(h, f->records, sizeof(f->records[0]) * (size_t)f->n);
	return mix(h, &b->proposal, sizeof(b->proposal));
}

static uint64_t hash_now(void)
{
	const struct world *w = &now.w;
	uint64_t h = 0xcbf29ce484222325;

	for (int32_t id = 1; id <= w->n; id++)
		h = hash_node(h, &w->nodes[id]);
	h = mix(h, &w->leader, offsetof(struct world, tale) - offsetof(struct world, leader));
	h = mix(h, now.committed, sizeof(now.committed[0]) * (size_t)now.n_committed);
	h = mix(h, now.leader_of, sizeof(now.leader_of));
	return mix(h, &now.left, sizeof(now.left)) | 1;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static bool check_leader(const struct world_node *b)
{
	const struct replica *r = &b->r;
	int32_t *known = &now.leader_of[r->leader_epoch];
	uint32_t isr = 0;

	ASSERT(r->leader_epoch < EPOCHS_MAX && r->high_watermark <= COMMITTED_MAX);
	if (*known != 0 && *known != b->id)
		return FAIL("%d and %d lead epoch %d", *known, b->id, r->leader_epoch);
	*known = b->id;
	if (epoch_cache_latest(&b->epochs) != r->leader_epoch)
		return FAIL("%d leads an epoch it has not noted", b->id);
	for (int32_t i = 0; i < r->n_peers; i++)
		if (now.w.isr & bit(r->peers[i].id))
			isr |= 1u << i;
	if (r->leader_epoch == now.w.leader_epoch && (isr & ~replica_maximal_isr(r)) != 0)
		return FAIL("%d: its maximal isr lacks members of the controller's", b->id);
	for (; now.n_committed < r->high_watermark; now.n_committed++)
		now.committed[now.n_committed] = b->log[now.n_committed];
	return true;
}

static bool check_now(void)
{
	const struct world *w = &now.w;

	for (int32_t id = 1; id <= w->n; id++)
		if (w->nodes[id].is_up && w->nodes[id].r.role == REPLICA_LEADER &&
		    !check_leader(&w->nodes[id]))
			return false;
	for (int32_t id = 1; id <= w->n; id++) {
		const struct world_node *b = &w->nodes[id];

		if ((w->isr & bit(id)) != 0 &&
		    (b->r.log_end < now.n_committed ||
		     memcmp(b->log, now.committed, sizeof(int32_t) * (size_t)now.n_committed) != 0))
			return FAIL("%d is in the isr without all %lld committed records", id,
				    (long long)now.n_committed);
		if (b->r.high_watermark > now.n_committed ||
		    memcmp(b->log, now.committed, sizeof(int32_t) * (size_t)b->r.high_watermark) !=
			    0)
			return FAIL("%d shows records that were never committed", id);
		epoch_cache_check(&b->epochs);
		replica_check(&b->r);
	}
	return true;
}

/* ---- what can happen ------------------------------------------------------------------------- */

static bool spend(int8_t *left)
{
	return --*left >= 0;
}

static bool append_one(struct world *w, int32_t id)
{
	return spend(&now.left.appends) && world_append(w, id, 1);
}

static bool arrive_all(struct world *w, int32_t id)
{
	return world_arrive(w, id, COMMITTED_MAX);
}

static bool lose_fetch(struct world *w, int32_t id)
{
	return spend(&now.left.losses) && world_lose(w, id);
}

static bool answer(struct world *w, int32_t id)
{
	return world_alter(w, id, LOSE_NOTHING);
}

static bool lose_answer(struct world *w, int32_t id)
{
	return spend(&now.left.losses) && world_alter(w, id, LOSE_ANSWER);
}

static bool fence(struct world *w, int32_t id)
{
	return spend(&now.left.fences) && world_fence(w, id);
}

static bool elect(struct world *w, int32_t id)
{
	return spend(&now.left.elections) && world_elect(w, id);
}

static bool crash(struct world *w, int32_t id)
{
	return spend(&now.left.crashes) && world_crash(w, id);
}

static bool time_out(struct world *w, int32_t id)
{
	if (!spend(&now.left.losses))
		return false;
	w->now_ms += w->lag_max_ms + 1;
	return world_tick(w, id);
}

static const struct {
	const char *name;
	bool (*happen)(struct world *, int32_t id);
} events[] = {
	{ "append", append_one }, { "send", world_send },
	{ "arrive", arrive_all }, { "reply", world_reply },
	{ "lose", lose_fetch },   { "news", world_news },
	{ "answer", answer },     { "answer lost", lose_answer },
	{ "fence", fence },       { "elect", elect },
	{ "crash", crash },       { "start", world_start },
	{ "time out", time_out }, { "unfence", world_unfence },
};

/* False: something broke; the events are told from the last to the first. */
static bool explore(int left)
{
	uint64_t h = hash_now();

	if ((intptr_t)map_find(&seen, h) > left)
		return true;
	map_put(&seen, h, (void *)(intptr_t)(left + 1));
	n_states++;
	if (left == 0)
		return true;
	save(&before[left]);
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		for (int32_t id = 1; id <= now.w.n; id++) {
			bool is_new = events[i].happen(&now.w, id);

			if (is_new && (!check_now() || !explore(left - 1)))
				return FAIL("after: %s %d", events[i].name, id);
			go_back(&before[left]);
		}
	world_fini(&before[left].w);
	return true;
}

/* One record that all have and that is committed. */
static void begin(int32_t min_isr, struct budget budget)
{
	now = (struct state){ .left = budget };
	world_init(&now.w, 3, min_isr, 30000);
	for (int32_t id = 1; id <= 3; id++)
		(void)world_news(&now.w, id);
	(void)world_append(&now.w, 1, 1);
	for (int round = 0; round < 3; round++)
		for (int32_t id = 2; id <= 3; id++)
			EXPECT(world_send(&now.w, id) && arrive_all(&now.w, id) &&
			       world_reply(&now.w, id));
	EXPECT(check_now());
	EXPECT_EQ(now.n_committed, 1);
}

static void run(int32_t min_isr, struct budget budget)
{
	map_init(&seen, 1);
	n_states = 0;
	begin(min_isr, budget);
	EXPECT(explore(DEPTH));
	EXPECT(n_states > 1000);
	world_fini(&now.w);
	map_fini(&seen);
}

TEST(a_leader_that_is_fenced)
{
	run(2, (struct budget){ .appends = 2, .fences = 1 });
}

TEST(elections_while_records_come_in)
{
	run(1, (struct budget){ .appends = 2, .elections = 2 });
}

TEST(a_crash_and_a_return)
{
	run(1, (struct budget){ .appends = 1, .fences = 1, .crashes = 1 });
}

TEST(a_follower_that_lags_and_lost_answers)
{
	run(1, (struct budget){ .appends = 2, .losses = 2 });
}
