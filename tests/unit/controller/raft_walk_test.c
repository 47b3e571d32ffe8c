/* Random walks: a quorum under crashes, cuts of the network, loss, doubled and late messages, slow
 * and wiped disks, snapshots, changes of its voters.  Every step is checked by raftworld_check.c;
 * at the end all is healed, and all must agree.  RAFT_SEEDS and RAFT_SEED say how many and from. */
#include "tests/lib/test.h"
#include "tests/story/raftworld.h"

#include <stdio.h>
#include <stdlib.h>

static struct raftworld w;

static int64_t below(int64_t n)
{
	return (int64_t)prng_below(&w.prng, (uint64_t)n);
}

static bool one_in(uint32_t n)
{
	return prng_chance(&w.prng, 1, n);
}

static void heal(void)
{
	memset(w.cut, 0, sizeof(w.cut));
}

/* Either a node alone, or two halves, or one direction of one link. */
static void cut_network(void)
{
	uint32_t side = (uint32_t)below(1 << (w.n + 1));

	if (one_in(3)) {
		w.cut[1 + below(w.n)][1 + below(w.n)] = true;
		return;
	}
	if (one_in(2))
		side = 1u << (1 + below(w.n));
	for (int32_t a = 1; a <= w.n; a++)
		for (int32_t b = 1; b <= w.n; b++)
			w.cut[a][b] = ((side >> a) & 1) != ((side >> b) & 1);
	for (int32_t a = 1; a <= w.n; a++)
		for (int32_t b = 1; b < a; b++)
			if (w.cut[a][b] && !one_in(3))
				raftworld_close(&w, a, b);
}

static void crash(int32_t id)
{
	struct rw_node *d = &w.nodes[id];

	if (d->is_up)
		raftworld_crash(&w, id, (int32_t)below(d->n_ops + 1));
	else
		raftworld_start(&w, id);
}

/* How many of the set still have the disk with which they are in it. */
static int32_t healthy(const struct raft_voters *set, int32_t without)
{
	int32_t n = 0;

	for (int32_t i = 0; i < set->n; i++)
		n += set->v[i].id != without &&
		     raft_voters_find(set, raftworld_voter(&w, set->v[i].id)) >= 0 &&
		     (uuid_is_zero(set->v[i].directory) ||
		      uuid_eq(set->v[i].directory, w.nodes[set->v[i].id].directory));
	return n;
}

static bool survives(const struct raft_voters *set, int32_t without)
{
	return healthy(set, without) >= set->n / 2 + 1;
}

/* A disk is lost only as long as every voter set that may count keeps a majority, and not before
 * directories are written down. */
static void wipe(int32_t id)
{
	for (int32_t i = 0; i < w.first.n; i++)
		if (uuid_is_zero(w.first.v[i].directory))
			return;
	if (!survives(&w.first, id))
		return;
	for (int32_t i = 0; i < w.n_batches; i++)
		if (w.batches[i].has_set && !survives(&w.batches[i].set, id))
			return;
	if (w.nodes[id].is_up)
		raftworld_crash(&w, id, 0);
	raftworld_wipe(&w, id);
	if (one_in(2))
		raftworld_start(&w, id);
}

/* Replaces voters whose disk is gone, and moves the vote around. */
static void change_voters(void)
{
	int32_t leader = raftworld_leader(&w);
	const struct raft_voters *set;
	int32_t id = (int32_t)(1 + below(w.n));

	if (leader == 0)
		return;
	set = raft_voters(&w.nodes[leader].r);
	for (int32_t i = 0; i < set->n; i++)
		if (healthy(&(struct raft_voters){ .n = 1, .v = { set->v[i] } }, 0) == 0) {
			(void)raftworld_change(&w, leader, RAFT_REMOVE, set->v[i]);
			return;
		}
	if (raft_voters_find(set, raftworld_voter(&w, id)) < 0)
		(void)raftworld_change(&w, leader, RAFT_ADD, raftworld_voter(&w, id));
	else if (set->n > 2)
		(void)raftworld_change(&w, leader, RAFT_REMOVE, raftworld_voter(&w, id));
}

static void something_happens(bool with_disks, bool with_voters)
{
	int32_t id = (int32_t)(1 + below(w.n)), leader = raftworld_leader(&w);

	switch (below(11)) {
	case 0: cut_network(); break;
	case 1:
	case 2: heal(); break;
	case 3:
	case 4: crash(leader > 0 && one_in(3) ? leader : id); break;
	case 5: w.nodes[id].slow = one_in(4) ? 400 : (int32_t)below(20); break;
	case 6: raftworld_close(&w, id, (int32_t)(1 + below(w.n))); break;
	case 7:
		if (leader > 0)
			(void)raftworld_transfer(&w, leader, one_in(2) ? id : -1);
		break;
	case 8: (void)raftworld_snapshot(&w, id, one_in(2)); break;
	case 9: w.nodes[leader > 0 ? leader : id].paused_until = w.now_ms + below(3000); break;
	default:
		if (with_disks && one_in(4))
			wipe(id);
		else if (with_voters)
			change_voters();
		break;
	}
}

static void recover(void)
{
	heal();
	w.faults = (struct rw_faults){ .delay = 3 };
	for (int32_t id = 1; id <= w.n; id++) {
		w.nodes[id].slow = 3;
		w.nodes[id].paused_until = -1;
		if (!w.nodes[id].is_up)
			raftworld_start(&w, id);
	}
	raftworld_run(&w, 15000);
}

static bool walk(uint64_t seed)
{
	int32_t n = 1 + (int32_t)(seed % 5), more = (int32_t)((seed / 5) % 3);
	bool with_disks = seed % 2 == 0, with_voters = seed % 3 != 0;
	int64_t calm, end = 8000 + (int64_t)(seed % 7) * 1000;

	raftworld_init(&w, n + more, n, seed % 4 != 1, seed);
	w.faults = (struct rw_faults){ .lose = (int32_t)below(100),
				       .twice = (int32_t)below(100),
				       .no_close = (int32_t)below(1000),
				       .delay = one_in(3) ? 100 : 5 };
	calm = 20 + below(500);
	for (int32_t id = 1; id <= w.n; id++)
		raftworld_start(&w, id);
	while (w.now_ms < end && w.wrong[0] == 0) {
		raftworld_run(&w, 1 + below(calm));
		if (one_in(3))
			something_happens(with_disks, with_voters);
		for (int32_t id = 1; id <= w.n; id++)
			if (one_in(2))
				(void)raftworld_append(&w, id, (int32_t)(1 + below(3)));
	}
	if (w.wrong[0] == 0)
		recover();
	if (w.wrong[0] == 0)
		raftworld_check_end(&w);
	raftworld_fini(&w);
	return w.wrong[0] == 0;
}

TEST(random_walks_break_nothing)
{
	const char *n = getenv("RAFT_SEEDS"), *from = getenv("RAFT_SEED");
	uint64_t first = from ? strtoull(from, NULL, 10) : 1;
	uint64_t seeds = n ? strtoull(n, NULL, 10) : 400;
	int64_t committed = 0, terms = 0;

	for (uint64_t seed = first; seed < first + seeds && !test_failed(); seed++) {
		if (!walk(seed))
			FAIL("seed %llu at %lld ms: %s", (unsigned long long)seed,
			     (long long)w.now_ms, w.wrong);
		committed += w.n_committed;
		terms += w.max_term;
	}
	printf("%lld batches committed, %lld terms\n", (long long)committed, (long long)terms);
	EXPECT(test_failed() || committed > (int64_t)seeds * 10);
}
