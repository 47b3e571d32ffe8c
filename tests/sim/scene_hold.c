/* scene_hold.c - what befalls the network: cuts, and packets of one kind that stay on their way. */
#include "tests/sim/net.h"
#include "tests/sim/stage.h"

/* A frame of common/rpc: kind, id, message; of a message the first tag says what it is. */
#define RPC_HEAD_BYTES 9
#define RPC_KIND_REPLY 2
#define RPC_KIND_PUSH 3
#define TAG_ALTER_PARTITION 0x1a /* Request.alter_partition, Response.altered_partitions: 3 */
#define TAG_METADATA 0x5a        /* Response.metadata: 11 */
#define TAG_STATUS 0x0a          /* Response.status: 1, of less than 128 bytes */

static bool is_held(void *stage, const struct conn *, const struct packet *);
static bool is_of_kind(enum held, const struct conn *, const struct packet *);

/* ---- routes ---------------------------------------------------------------------------------- */

static void cut_machines(struct stage *s, const struct machine *a, const struct machine *b)
{
	s->cluster->world->route[a->id][b->id].is_cut = true;
	s->cluster->world->route[b->id][a->id].is_cut = true;
}

void cut_off(struct stage *s, int a, int b)
{
	story_tell(s->cluster->world, "---- %c and %c lose each other ----", stage_letter(a),
		   stage_letter(b));
	cut_machines(s, stage_machine(s, a), stage_machine(s, b));
}

void isolate(struct stage *s, int broker)
{
	story_tell(s->cluster->world, "---- %c is alone with the clients ----",
		   stage_letter(broker));
	for (int i = 0; i < s->cluster->n_controllers; i++)
		cut_machines(s, stage_machine(s, broker), stage_machine(s, CONTROLLER + i));
	for (int i = 0; i < s->cluster->n_brokers; i++)
		if (i != broker)
			cut_machines(s, stage_machine(s, broker), stage_machine(s, i));
}

void mend_all(struct stage *s)
{
	struct world *w = s->cluster->world;

	story_tell(w, "---- the network is whole again ----");
	for (int a = 0; a < w->n_machines; a++)
		for (int b = 0; b < w->n_machines; b++) {
			if (!w->route[a][b].is_cut)
				continue;
			w->route[a][b].is_cut = false;
			net_heal(w, a, b);
		}
}

/* ---- holding --------------------------------------------------------------------------------- */

void hold(struct stage *s, enum held what, int from, int to)
{
	struct world *w = s->cluster->world;
	static const char *const said[] = {
		[QUESTIONS] = "questions",
		[ANSWERS] = "answers",
		[ALTER_PARTITION] = "proposals of an ISR",
		[ALTERED] = "answers to proposals of an ISR",
		[METADATA] = "metadata",
	};

	ASSERT(s->n_holding < HOLDS_MAX);
	w->is_held = is_held;
	w->held_arg = s;
	story_tell(w, "---- %s from %c to %c are held ----", said[what], stage_letter(from),
		   stage_letter(to));
	s->holding[s->n_holding++] = (struct holding){ .what = what,
						       .from = stage_machine(s, from)->id,
						       .to = stage_machine(s, to)->id };
}

static bool is_held(void *arg, const struct conn *c, const struct packet *p)
{
	struct stage *s = arg;

	for (int i = 0; i < s->n_holding; i++) {
		struct holding *h = &s->holding[i];

		if (h->from != c->peer->machine->id || h->to != c->machine->id ||
		    !is_of_kind(h->what, c, p))
			continue;
		h->n++;
		return true;
	}
	return false;
}

static bool is_of_kind(enum held what, const struct conn *c, const struct packet *p)
{
	bool was_accepted = c->local.port == KAFKA_PORT || c->local.port == CONTROLLER_PORT;
	bool is_rpc = p->kind == PACKET_FRAME && p->n > RPC_HEAD_BYTES + 2;
	uint32_t at = RPC_HEAD_BYTES;

	if (what == QUESTIONS || what == ANSWERS)
		return was_accepted == (what == QUESTIONS);
	if (!is_rpc)
		return false;
	if (what == ALTER_PARTITION)
		return was_accepted && p->at[at] == TAG_ALTER_PARTITION;
	if (p->at[0] != (what == ALTERED ? RPC_KIND_REPLY : RPC_KIND_PUSH) ||
	    p->at[at] != TAG_STATUS)
		return false;
	at += 2u + p->at[at + 1];
	return at < p->n && p->at[at] == (what == ALTERED ? TAG_ALTER_PARTITION : TAG_METADATA);
}

static bool holds(const struct stage *s, const char *unused)
{
	(void)unused;
	for (int i = 0; i < s->n_holding; i++)
		if (s->holding[i].what == (enum held)s->asked && s->holding[i].n > 0)
			return true;
	return false;
}

void wait_held(struct stage *s, enum held what)
{
	s->asked = what;
	stage_wait(s, holds, "", "something to hold");
}

void let_go_of(struct stage *s, enum held what)
{
	struct world *w = s->cluster->world;
	struct holding was[HOLDS_MAX];
	int n = s->n_holding;

	story_tell(w, "---- what was held arrives ----");
	memcpy(was, s->holding, sizeof(was));
	s->n_holding = 0;
	for (int i = 0; i < n; i++)
		if (was[i].what != what)
			s->holding[s->n_holding++] = was[i];
	for (int i = 0; i < n; i++)
		if (was[i].what == what)
			net_heal(w, was[i].from, was[i].to);
}

void let_go(struct stage *s)
{
	while (s->n_holding > 0)
		let_go_of(s, s->holding[0].what);
}

static void fail(struct conn *c)
{
	actor_do(c->actor, conn_fail, c, (void *)(uintptr_t)ERR_CLOSED);
}

void lose_held(struct stage *s)
{
	struct world *w = s->cluster->world;
	int n = s->n_holding;

	story_tell(w, "---- the connections with what was held break ----");
	s->n_holding = 0;
	for (int i = 0; i < n; i++)
		LIST_FOR (c, &w->conns, struct conn, in_world) {
			if (list_empty(&c->stalled) || c->machine->id != s->holding[i].to ||
			    c->peer->machine->id != s->holding[i].from)
				continue;
			fail(c);
			if (c->peer->state != CONN_CLOSED)
				fail(c->peer);
		}
}
