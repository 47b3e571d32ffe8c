/* Everything that can happen to three nodes within a few events: every order of messages, syncs,
 * timeouts, a crash that forgets what was not synced, an append.  States that were seen are not
 * entered again; messages that can never matter again are dropped, so that states meet.  Every step
 * is checked by raftworld_check.c, and by the ASSERTs of the core. */
#include "tests/lib/test.h"
#include "tests/story/raftworld.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 200, SEEN_BITS = 24 };

struct budget {
	int32_t timeouts, crashes, appends, twice;
	int32_t first; /* only nodes up to this one campaign: the others are alike */
};
static struct raftworld *at_depth[DEPTH];
static uint64_t *seen;
static int64_t n_states, max_states;
static int32_t deepest;

static uint64_t mix(uint64_t h, int64_t v)
{
	h = (h ^ (uint64_t)v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

/* A batch is known by its term and place. */
static uint64_t hash_log(const struct raftworld *w, const struct rw_log *l, uint64_t h)
{
	h = mix(h, l->end);
	for (int32_t i = 0; i < l->n; i++)
		h = mix(h, w->batches[l->v[i]].term * 64 + w->batches[l->v[i]].end);
	return h;
}

static uint64_t hash_node(const struct raftworld *w, const struct rw_node *d)
{
	const struct raft *r = &d->r;
	uint64_t h = mix(mix(0, d->disk.term), d->disk.voted.id);

	h = hash_log(w, &d->disk.log, mix(h, d->is_up));
	h = hash_log(w, &d->log, h);
	h = mix(mix(mix(h, r->term), r->voted.id), r->leader);
	h = mix(mix(mix(h, r->commit), r->known_commit), r->role);
	h = mix(h, r->leader >= 0 && w->now_ms - r->leader_ms < r->o.election_min_ms);
	h = mix(mix(h, r->hard_seq <= r->persisted), r->is_transfer);
	for (int32_t i = 0; i < d->n_ops; i++)
		h = mix(mix(h, d->ops[i].kind), d->ops[i].at + d->ops[i].term);
	for (int32_t i = 0; i < r->n_pending; i++)
		h = mix(h, r->pending[i].end);
	for (int32_t i = 0; i < r->n_peers; i++) {
		const struct raft_peer *p = &r->peers[i];

		h = mix(mix(h, p->granted), p->state);
		if (r->role == RAFT_LEADER)
			h = mix(mix(mix(h, p->match * 64 + p->next), p->is_waiting), p->n_flight);
	}
	return h;
}

static uint64_t hash_mail(const struct raftworld *w, const struct rw_mail *mail)
{
	const struct raft_msg *m = &mail->m;
	uint64_t h = mix(mix(mix(1, m->kind), m->from.id * 8 + m->to.id), m->term);

	/* Held or not; and then, until which op is on disk. */
	if (mail->at < 0) {
		const struct rw_node *d = &w->nodes[m->from.id];

		for (int32_t i = 0; i < d->n_ops && d->ops[i].seq <= mail->after; i++)
			h = mix(h, 7);
	}
	for (size_t i = offsetof(struct raft_msg, vote); i + 8 <= sizeof(*m); i += 8) {
		int64_t word;

		memcpy(&word, (const uint8_t *)m + i, 8);
		h = mix(h, word);
	}
	return h;
}

static uint64_t hash_world(const struct raftworld *w, const struct budget *b)
{
	uint64_t h = mix(mix(mix(mix(0, b->timeouts), b->crashes), b->appends), b->twice), all = 0;

	for (int32_t id = 1; id <= w->n; id++)
		h = mix(h, (int64_t)hash_node(w, &w->nodes[id]));
	for (int32_t i = 0; i < w->n_mail; i++)
		all += hash_mail(w, &w->mail[i]);
	h = mix(h, (int64_t)all);
	return h == 0 ? 1 : h;
}

static bool is_new(uint64_t h)
{
	uint64_t mask = (1u << SEEN_BITS) - 1, at = h & mask;

	while (seen[at] != 0 && seen[at] != h)
		at = (at + 1) & mask;
	if (seen[at] == h)
		return false;
	seen[at] = h;
	return true;
}

/* Answers in a term that is over: nobody will ever look at them. */
static void forget_the_dead(struct raftworld *w)
{
	int32_t n = 0;

	for (int32_t i = 0; i < w->n_mail; i++) {
		const struct raft_msg *m = &w->mail[i].m;
		int64_t term = w->nodes[m->to.id].r.term;
		bool is_dead = (m->kind == RAFT_VOTE_REPLY && m->voted.for_term < term) ||
			       (m->kind == RAFT_PRE_VOTE_REPLY && m->voted.for_term <= term) ||
			       (m->kind == RAFT_APPEND_REPLY && m->term < term);

		if (is_dead && m->term <= term)
			continue;
		if (n != i)
			w->mail[n] = w->mail[i];
		n++;
	}
	w->n_mail = n;
}

static void explore(int32_t depth, struct budget);

static struct raftworld *branch(int32_t depth)
{
	if (at_depth[depth + 1] == NULL)
		at_depth[depth + 1] = mem_alloc(sizeof(struct raftworld));
	raftworld_copy(at_depth[depth + 1], at_depth[depth]);
	return at_depth[depth + 1];
}

static void explore_mail(int32_t depth, struct budget b)
{
	const struct raftworld *w = at_depth[depth];

	for (int32_t i = 0; i < w->n_mail; i++) {
		if (w->mail[i].at < 0)
			continue;
		raftworld_deliver(branch(depth), i, false);
		explore(depth + 1, b);
		if (b.twice == 0)
			continue;
		b.twice--;
		raftworld_deliver(branch(depth), i, true);
		explore(depth + 1, b);
		b.twice++;
	}
}

static void explore_node(int32_t depth, struct budget b, int32_t id)
{
	const struct rw_node *d = &at_depth[depth]->nodes[id];
	struct budget less = b;
	struct raftworld *w;

	if (d->n_ops > 0) {
		raftworld_sync(branch(depth), id);
		explore(depth + 1, b);
	}
	if (b.timeouts > 0 && id <= b.first && d->r.role != RAFT_LEADER) {
		w = branch(depth);
		w->now_ms += 1000;
		raftworld_tick(w, id);
		less.timeouts--;
		explore(depth + 1, less);
	}
	less = b;
	if (b.crashes > 0) {
		w = branch(depth);
		raftworld_crash(w, id, 0);
		raftworld_start(w, id);
		less.crashes--;
		explore(depth + 1, less);
	}
	less = b;
	if (b.appends > 0 && raft_can_append(&d->r)) {
		EXPECT(raftworld_append(branch(depth), id, 1));
		less.appends--;
		explore(depth + 1, less);
	}
}

static void explore(int32_t depth, struct budget b)
{
	struct raftworld *w = at_depth[depth];

	if (w->wrong[0] != 0 && !test_failed())
		FAIL("after %d events: %s", depth, w->wrong);
	if (test_failed() || n_states >= max_states || depth + 1 >= DEPTH)
		return;
	forget_the_dead(w);
	if (!is_new(hash_world(w, &b)))
		return;
	n_states++;
	deepest = i32_max(deepest, depth);
	explore_mail(depth, b);
	for (int32_t id = 1; id <= w->n; id++)
		explore_node(depth, b, id);
}

/* A leader of term 1 whose first record is everywhere, and nothing on the way. */
static void begin(int32_t n, bool with_leader)
{
	struct raftworld *w = at_depth[0];

	raftworld_init(w, n, n, true, 1);
	for (int32_t id = 1; id <= n; id++)
		raftworld_start(w, id);
	if (with_leader) {
		raftworld_run(w, 500);
		EXPECT(raftworld_leader(w) > 0);
	}
	w->n_mail = 0;
	w->is_manual = true;
	for (int32_t id = 1; id <= n; id++)
		raftworld_sync(w, id);
}

static void explore_all(const char *what, int32_t n, bool with_leader, struct budget b)
{
	const char *more = getenv("RAFT_STATES");

	seen = mem_alloc((size_t)sizeof(*seen) << SEEN_BITS);
	at_depth[0] = mem_alloc(sizeof(struct raftworld));
	n_states = deepest = 0;
	max_states = more ? strtoll(more, NULL, 10) : 1500000;
	begin(n, with_leader);
	explore(0, b);
	printf("%s: %lld states, %d events deep%s\n", what, (long long)n_states, deepest,
	       n_states < max_states ? "" : ", not all");
	for (int32_t i = 0; i < DEPTH && at_depth[i] != NULL; i++) {
		raftworld_fini(at_depth[i]);
		mem_free(at_depth[i]);
		at_depth[i] = NULL;
	}
	mem_free(seen);
}

TEST(two_campaigns_of_new_nodes)
{
	explore_all("two campaigns", 3, false, (struct budget){ .timeouts = 2, .first = 2 });
}

TEST(a_campaign_and_a_crash)
{
	explore_all("a campaign, a crash", 3, false,
		    (struct budget){ .timeouts = 1, .crashes = 1, .first = 1 });
}

TEST(an_append_while_another_campaigns)
{
	explore_all("an append, a campaign", 3, true,
		    (struct budget){ .timeouts = 1, .appends = 1, .first = 3 });
}

TEST(an_append_a_campaign_and_a_crash)
{
	explore_all("an append, a campaign, a crash", 3, true,
		    (struct budget){ .timeouts = 1, .appends = 1, .crashes = 1, .first = 3 });
}

TEST(a_campaign_with_messages_doubled)
{
	explore_all("a campaign, a crash, one message twice", 3, false,
		    (struct budget){ .timeouts = 1, .crashes = 1, .twice = 1, .first = 1 });
}

TEST(two_campaigns_in_a_term_that_is_led)
{
	explore_all("two campaigns under a leader", 3, true,
		    (struct budget){ .timeouts = 2, .first = 3 });
}
