/* check_quorum.c - what must be true of the controllers together.
 *
 * The first controller that knows a record to be committed writes it down; it stays, whatever
 * happens to the controllers, and all the others commit the same.  The state that follows from it,
 * at the end of each batch, is what check_meta.c looks at. */
#include "common/base/crc32c.h"
#include "controller/server/quorum_priv.h"
#include "tests/sim/check.h"
#include "tests/sim/voters.h"

static void check_leader(struct cluster *, int controller, const struct node *);
static void check_promise(struct cluster *, int controller, const struct quorum *);
static void check_record(struct cluster *, const struct sim_node *, int64_t offset,
			 const struct mlog_entry *);
static void fold(struct cluster *, const struct mlog_entry *);

void check_controller(struct cluster *c, int controller)
{
	struct sim_node *node = c->controllers[controller];
	struct node *n = node->controller->node;
	struct witness *w = &c->witness[controller];

	if (w->life != node->machine->life) {
		w->seen = 0;
		w->life = node->machine->life;
	}
	voters_note(c, controller);
	check_leader(c, controller, n);
	if (n->quorum->has_raft)
		check_promise(c, controller, n->quorum);
	if (n->stable->offset == w->seen)
		return;
	if (n->stable->offset < w->seen)
		rule_broken(32, "controller %d: %lld records, had %lld", node->id,
			    (long long)n->stable->offset, (long long)w->seen);
	for (int64_t at = i64_max(w->seen, mlog_start(n->log)); at < n->stable->offset; at++)
		check_record(c, node, at, mlog_entry(n->log, at));
	w->seen = n->stable->offset;
	if (c->folded && c->folded->offset == w->seen && !image_equal(c->folded, n->stable))
		rule_broken(39, "controller %d, offset %lld", node->id, (long long)w->seen);
}

static void check_leader(struct cluster *c, int controller, const struct node *n)
{
	struct witness *w = &c->witness[controller];
	int64_t term = quorum_term(n->quorum);

	if (!n->is_active)
		return;
	if (w->term == term && w->term_life != c->controllers[controller]->machine->life)
		rule_broken(29, "controller %d leads term %lld in a second life",
			    c->controllers[controller]->id, (long long)term);
	if (w->term == term)
		return;
	for (int i = 0; i < c->n_controllers; i++)
		if (c->witness[i].term == term)
			rule_broken(29, "controllers %d and %d, term %lld", c->controllers[i]->id,
				    c->controllers[controller]->id, (long long)term);
	w->term = term;
	w->term_life = c->controllers[controller]->machine->life;
}

/* A promise holds from the moment that it is on disk, in every later life on that disk. */
static void check_promise(struct cluster *c, int controller, const struct quorum *q)
{
	struct witness *w = &c->witness[controller];
	const struct raft *r = &q->raft;

	if (!raft_voter_eq(w->disk, r->o.self)) {
		w->disk = r->o.self;
		w->promised_term = 0;
		w->voted.id = -1;
	}
	if (r->term < w->promised_term)
		rule_broken(30, "controller %d: term %lld, had %lld", w->disk.id,
			    (long long)r->term, (long long)w->promised_term);
	if (r->term == w->promised_term && w->voted.id >= 0 && !raft_voter_eq(r->voted, w->voted))
		rule_broken(31, "controller %d in term %lld: %d, had voted for %d", w->disk.id,
			    (long long)r->term, r->voted.id, w->voted.id);
	if (r->hard_seq <= r->persisted) {
		w->promised_term = r->term;
		w->voted = r->voted;
	}
}

static void check_record(struct cluster *c, const struct sim_node *node, int64_t offset,
			 const struct mlog_entry *e)
{
	struct decree d = { crc32c(crc32c(0, &e->epoch, sizeof(e->epoch)), e->at, e->n), e->epoch };

	ASSERT(offset >= c->first_decree);
	if (offset < c->n_decrees) {
		if (c->decrees[offset - c->first_decree].crc != d.crc)
			rule_broken(35,
				    "controller %d: record %lld, of term %lld; it was one of %lld",
				    node->id, (long long)offset, (long long)d.term,
				    (long long)c->decrees[offset - c->first_decree].term);
		return;
	}
	if (offset > c->n_decrees)
		rule_broken(32, "controller %d: nobody has seen record %lld", node->id,
			    (long long)c->n_decrees);
	c->decrees = mem_grow(c->decrees, (size_t)(c->n_decrees - c->first_decree + 1) * sizeof(d));
	c->decrees[c->n_decrees++ - c->first_decree] = d;
	fold(c, e);
}

void check_from(struct cluster *c, struct image *image)
{
	c->first_decree = c->n_decrees = image->offset;
	c->folded = image;
	check_decisions(c, image);
}

/* Within a batch a state may be half of one. */
static void fold(struct cluster *c, const struct mlog_entry *e)
{
	Weir__MetadataRecord *m = weir__metadata_record__unpack(NULL, e->n, e->at);
	enum err err;

	ASSERT(m);
	if (!c->folded)
		c->folded = image_new();
	err = image_apply(c->folded, m);
	ASSERT(!err);
	weir__metadata_record__free_unpacked(m, NULL);
	c->folded->offset++;
	if (e->left == 0)
		check_decisions(c, c->folded);
}
