/* voters.c - who votes among the controllers, takes the votes of some and gives them back.
 *
 * Losing disks never costs what was committed, because a new disk does not vote; but it may cost
 * the majority that decides.  So what is dead must be a minority of the voters that are committed,
 * and no controller may have another set in its log: it could yet come to count. */
#include <stdio.h>

#include "controller/server/quorum_priv.h"
#include "tests/sim/voters.h"

struct step {
	struct raft_event ev;
	enum raft_verdict verdict;
};

void voters_note(struct cluster *c, int controller)
{
	const struct quorum *q = c->controllers[controller]->controller->node->quorum;
	struct witness *w = &c->witness[controller];

	w->self = (struct raft_voter){ q->o->id, q->o->directory };
	if (q->has_raft)
		w->voters = q->raft.voters.set;
}

void voters_wipe(struct cluster *c, struct sim_node *n)
{
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i] == n) {
			c->witness[i].self = (struct raft_voter){ .id = -1 };
			c->witness[i].voters.n = 0;
		}
	sim_node_wipe(n);
}

static bool is_known(struct raft_voter v)
{
	return v.id >= 0 && !uuid_is_zero(v.directory);
}

static struct raft_voters committed(const struct cluster *c)
{
	struct raft_voters set = { .n = 0 };

	for (int32_t i = 0; c->folded && i < c->folded->n_voters; i++)
		set.v[set.n++] = (struct raft_voter){ c->folded->voters[i].id,
						      c->folded->voters[i].directory };
	return set;
}

static bool are_equal(const struct raft_voters *a, const struct raft_voters *b)
{
	for (int32_t i = 0; i < a->n; i++)
		if (raft_voters_find(b, a->v[i]) < 0)
			return false;
	return a->n == b->n;
}

static bool is_dead(const struct cluster *c, struct raft_voter v)
{
	for (int i = 0; i < c->n_controllers; i++)
		if (raft_voter_eq(c->witness[i].self, v))
			return false;
	return true;
}

/* One that is dead; NULL: none. */
static const struct raft_voter *any_dead(const struct cluster *c, const struct raft_voters *set)
{
	for (int32_t i = 0; i < set->n; i++)
		if (is_dead(c, set->v[i]))
			return &set->v[i];
	return NULL;
}

bool voters_may_wipe(const struct cluster *c, const struct sim_node *n)
{
	struct raft_voters set = committed(c);
	int32_t n_dead = 0;

	for (int i = 0; i < c->n_controllers; i++) {
		const struct witness *w = &c->witness[i];

		if (c->controllers[i] == n)
			n_dead += raft_voters_find(&set, w->self) >= 0;
		else if (w->voters.n > 0 && !are_equal(&w->voters, &set))
			return false;
	}
	for (int32_t i = 0; i < set.n; i++)
		n_dead += is_dead(c, set.v[i]);
	return set.n > 0 && n_dead <= (set.n - 1) / 2;
}

/* ---- the operator --------------------------------------------------------------------------- */

static void take_step(void *quorum, void *step)
{
	struct step *s = step;

	s->verdict = quorum_step(quorum, &s->ev);
}

/* Decided at once: a request that is late would come when other voters are dead. */
static bool decide(struct cluster *c, enum raft_voters_op op, struct raft_voter who)
{
	struct sim_node *by = cluster_active(c);
	struct step s = { .ev = { .kind = RAFT_EV_VOTERS, .change = { op, who } } };

	if (!by || by->machine->state != MACHINE_UP)
		return false;
	actor_run(&by->machine->actor[0], take_step, by->controller->node->quorum, &s);
	if (s.verdict != RAFT_OK)
		return false;
	story_tell(c->world, "---- controller %d %s ----", who.id,
		   op == RAFT_ADD ? "is given a vote" : "has no vote any more");
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i] == by)
			voters_note(c, i);
	return true;
}

bool voters_take(struct cluster *c, const struct sim_node *n)
{
	struct raft_voters set = committed(c);

	for (int32_t i = 0; i < set.n; i++)
		if (set.v[i].id == n->id)
			return decide(c, RAFT_REMOVE, set.v[i]);
	return false;
}

bool voters_give(struct cluster *c, const struct sim_node *n)
{
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i] == n && is_known(c->witness[i].self))
			return decide(c, RAFT_ADD, c->witness[i].self);
	return false;
}

bool voters_change(struct cluster *c, const struct sim_node *n)
{
	struct raft_voters set = committed(c);
	const struct raft_voter *dead = any_dead(c, &set);

	if (c->n_controllers == 1 || set.n == 0)
		return false;
	if (dead)
		return decide(c, RAFT_REMOVE, *dead);
	for (int i = 0; i < c->n_controllers; i++)
		if (c->controllers[i] == n && raft_voters_find(&set, c->witness[i].self) < 0)
			return voters_give(c, n);
	return voters_take(c, n);
}

static struct sim_node *any_without(const struct cluster *c, const struct raft_voters *set)
{
	for (int i = 0; i < c->n_controllers && set->n > 0; i++)
		if (raft_voters_find(set, c->witness[i].self) < 0)
			return c->controllers[i];
	return NULL;
}

void voters_mend(struct cluster *c)
{
	struct raft_voters set = committed(c);
	struct sim_node *n = any_without(c, &set);

	if (n)
		(void)voters_change(c, n);
}

bool voters_are_whole(const struct cluster *c, char *why, size_t cap)
{
	struct raft_voters set = committed(c);

	if (c->n_controllers == 1 || !any_without(c, &set))
		return true;
	snprintf(why, cap, "%d of %d controllers vote", set.n, c->n_controllers);
	return false;
}
