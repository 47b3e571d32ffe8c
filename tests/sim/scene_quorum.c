/* scene_quorum.c - the controllers of a stage: C, D, E. */
#include <stdio.h>

#include "tests/sim/stage.h"
#include "tests/sim/voters.h"

static int who_is(const struct stage *s, const struct sim_node *n)
{
	for (int i = 0; i < s->cluster->n_controllers; i++)
		if (s->cluster->controllers[i] == n)
			return C + i;
	return -1;
}

/* By its own word; of two the one of the later term. */
int active(struct stage *s)
{
	return who_is(s, cluster_active(s->cluster));
}

static bool other_is_active(const struct stage *s, const char *old)
{
	int now = who_is(s, cluster_active(s->cluster));
	const struct sim_node *n = cluster_active(s->cluster);

	/* And has committed something in its term. */
	return now >= 0 && stage_letter(now) != *old &&
	       n->controller->node->stable->controller_epoch ==
		       quorum_term(n->controller->node->quorum);
}

int wait_active(struct stage *s, int other_than)
{
	const char old[2] = { other_than < 0 ? '-' : stage_letter(other_than), 0 };

	stage_wait(s, other_is_active, old, "an active controller other than");
	return active(s);
}

static bool nobody_is_active(const struct stage *s, const char *unused)
{
	(void)unused;
	return !cluster_active(s->cluster);
}

void wait_inactive(struct stage *s)
{
	stage_wait(s, nobody_is_active, "", "no active controller");
}

static bool has_given_up(const struct stage *s, const char *old)
{
	const struct controller_boot *b = s->cluster->controllers[*old - 'C']->controller;

	return !b || !quorum_leads(b->node->quorum);
}

void wait_led_by_other(struct stage *s, int old)
{
	const char name[2] = { stage_letter(old), 0 };

	stage_wait(s, has_given_up, name, "another leader than");
}

bool is_running(struct stage *s, int who)
{
	return machine_runs(stage_machine(s, who));
}

int standby(struct stage *s, int but)
{
	for (int i = 0; i < s->cluster->n_controllers; i++)
		if (C + i != active(s) && C + i != but)
			return C + i;
	ASSERT(false);
	return -1;
}

void cut_among_controllers(struct stage *s, int who)
{
	for (int i = 0; i < s->cluster->n_controllers; i++)
		if (C + i != who)
			cut_off(s, who, C + i);
}

void lose_metadata(struct stage *s, int who)
{
	struct sim_node *n = s->cluster->controllers[who - C];

	story_tell(s->cluster->world, "---- %c has a new, empty disk ----", stage_letter(who));
	voters_wipe(s->cluster, n);
}

bool has_vote(struct stage *s, int who)
{
	const struct sim_node *n = s->cluster->controllers[who - C];
	struct sim_node *a = cluster_active(s->cluster);
	const struct image *im = a ? a->controller->node->stable : s->cluster->decided;

	for (int32_t i = 0; n->controller && i < im->n_voters; i++)
		if (im->voters[i].id == n->id &&
		    uuid_eq(im->voters[i].directory,
			    n->controller->node->options->quorum.directory))
			return true;
	return false;
}

static bool is_voter(const struct stage *s, int32_t id)
{
	const struct image *im = s->cluster->folded;

	for (int32_t i = 0; i < im->n_voters; i++)
		if (im->voters[i].id == id)
			return true;
	return false;
}

/* Asked again while an earlier change is not committed. */
static void ask_until(struct stage *s, int who, bool has)
{
	const struct sim_node *n = s->cluster->controllers[who - C];
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (is_voter(s, n->id) != has) {
		if (s->cluster->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "%s: waited in vain for the vote of %c", s->name,
				   stage_letter(who));
		(void)(has ? voters_give(s->cluster, n) : voters_take(s->cluster, n));
		world_run(s->cluster->world, STEP_US);
	}
}

void take_vote(struct stage *s, int who)
{
	ask_until(s, who, false);
}

void give_vote(struct stage *s, int who)
{
	ask_until(s, who, true);
}

bool may_take_vote(struct stage *s, int who)
{
	return voters_take(s->cluster, s->cluster->controllers[who - C]);
}
