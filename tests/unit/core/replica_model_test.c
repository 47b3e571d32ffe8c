/* A poor man's model check: random walks of three or four replicas and a controller under lost
 * and late messages, crashes that keep the log, fencing and elections from the isr.  After every
 * event: what was ever committed is on every member of the controller's isr, nobody shows
 * anything else below its high watermark, one leader per epoch, the leader's maximal isr covers
 * the controller's.  At the end all heals and everything must be everywhere. */
#include "common/base/prng.h"
#include "tests/lib/test.h"
#include "tests/story/world.h"

static struct world w;
static int32_t committed[WORLD_LOG];
static int64_t n_committed;
static int32_t leader_of[4096]; /* by epoch */

static inline uint32_t bit(int32_t id)
{
	return 1u << id;
}

static bool has_committed(const struct world_node *b)
{
	return b->r.log_end >= n_committed &&
	       memcmp(b->log, committed, (size_t)n_committed * sizeof(committed[0])) == 0;
}

static bool check_leader(const struct world_node *b)
{
	const struct replica *r = &b->r;
	uint32_t maximal = replica_maximal_isr(r), controllers = 0;
	int32_t *known = &leader_of[r->leader_epoch];

	ASSERT(r->leader_epoch < (int32_t)ARRAY_LEN(leader_of));
	if (*known != 0 && *known != b->id)
		return FAIL("%d and %d lead epoch %d", *known, b->id, r->leader_epoch);
	*known = b->id;
	if (epoch_cache_latest(&b->epochs) != r->leader_epoch)
		return FAIL("%d leads an epoch it has not noted", b->id);
	for (int32_t i = 0; i < r->n_peers; i++)
		if (w.isr & bit(r->peers[i].id))
			controllers |= 1u << i;
	if (r->leader_epoch == w.leader_epoch && (controllers & ~maximal) != 0)
		return FAIL("%d: maximal isr %x lacks members of %x", b->id, maximal, controllers);
	for (; n_committed < r->high_watermark; n_committed++)
		committed[n_committed] = b->log[n_committed];
	return true;
}

static bool check_world(void)
{
	for (int32_t id = 1; id <= w.n; id++)
		if (w.nodes[id].is_up && w.nodes[id].r.role == REPLICA_LEADER &&
		    !check_leader(&w.nodes[id]))
			return false;
	for (int32_t id = 1; id <= w.n; id++) {
		const struct world_node *b = &w.nodes[id];

		if ((w.isr & bit(id)) != 0 && !has_committed(b))
			return FAIL("%d is in the isr without all %lld committed records", id,
				    (long long)n_committed);
		if (b->r.high_watermark > n_committed ||
		    memcmp(b->log, committed, (size_t)b->r.high_watermark * sizeof(int32_t)) != 0)
			return FAIL("%d shows records that were never committed", id);
		epoch_cache_check(&b->epochs);
		replica_check(&b->r);
	}
	return true;
}

static void random_fault(struct prng *p, int32_t id)
{
	switch (prng_below(p, 8)) {
	case 0: world_crash(&w, id); break;
	case 1: world_fence(&w, id); break;
	case 2: world_leave(&w, id); break;
	case 3: world_elect(&w, id); break;
	case 4: world_min_isr(&w, 1 + (int32_t)prng_below(p, 3)); break;
	case 5: w.now_ms += (int64_t)prng_below(p, 40000); break;
	default:
		if (!world_start(&w, id))
			world_unfence(&w, id);
	}
}

static void random_event(struct prng *p)
{
	int32_t id = 1 + (int32_t)prng_below(p, (uint64_t)w.n);

	switch (prng_below(p, 20)) {
	case 0:
	case 1:
	case 2: world_append(&w, id, 1 + (int64_t)prng_below(p, 2)); break;
	case 3:
	case 4:
	case 5:
	case 6: world_send(&w, id); break;
	case 7:
	case 8:
	case 9:
	case 10: world_arrive(&w, id, 1 + (int64_t)prng_below(p, 3)); break;
	case 11:
	case 12:
	case 13:
	case 14: world_reply(&w, id); break;
	case 15: world_lose(&w, id); break;
	case 16: world_news(&w, id); break;
	case 17: world_alter(&w, id, (enum world_loss)prng_below(p, 3)); break;
	case 18: world_tick(&w, id); break;
	default: random_fault(p, id);
	}
}

static bool is_whole(void)
{
	for (int32_t id = 1; id <= w.n; id++)
		if (w.nodes[id].r.log_end != n_committed ||
		    w.nodes[id].r.high_watermark != n_committed || (w.isr & bit(id)) == 0)
			return false;
	return true;
}

static void heal(void)
{
	for (int32_t id = 1; id <= w.n; id++) {
		if (w.leaving & bit(id))
			world_fence(&w, id);
		world_start(&w, id);
		world_unfence(&w, id);
	}
	for (int round = 0; round < 400 && !is_whole(); round++) {
		w.now_ms += 300;
		for (int32_t id = 1; id <= w.n; id++) {
			world_news(&w, id);
			world_alter(&w, id, LOSE_NOTHING);
			world_send(&w, id);
			world_arrive(&w, id, 8);
			world_reply(&w, id);
		}
		if (!check_world())
			return;
	}
	if (!is_whole())
		FAIL("not healed: leader %d, isr %x, %lld committed", w.leader, w.isr,
		     (long long)n_committed);
}

static bool walk(uint64_t seed)
{
	struct prng p;

	prng_seed(&p, seed);
	memset(leader_of, 0, sizeof(leader_of));
	n_committed = 0;
	world_init(&w, 3 + (int32_t)prng_below(&p, 2), 1 + (int32_t)prng_below(&p, 3), 30000);
	for (int i = 0; i < 600 && !test_failed(); i++) {
		random_event(&p);
		(void)check_world();
	}
	if (!test_failed())
		heal();
	world_fini(&w);
	if (test_failed())
		FAIL("seed %llu", (unsigned long long)seed);
	return !test_failed();
}

TEST(random_walks)
{
	int64_t most = 0;

	for (uint64_t seed = 1; seed <= 1500 && walk(seed); seed++)
		most = i64_max(most, n_committed);
	EXPECT(most > 40); /* the walks get somewhere */
}
