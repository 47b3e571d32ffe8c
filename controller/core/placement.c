/* placement.c - striped placement over racks, after Kafka's StripedReplicaPlacer (KIP-36).
 *
 *   racks a{1,2} b{3,4} c{5}, three replicas:    1 3 5    4 5 2    5 1 3  ...
 *
 * The first replica comes from the next rack that has a living broker, the others from the racks
 * behind it in turn; within a rack living brokers go before fenced ones.  Rings are shuffled once
 * per command, so topics do not all begin on the same broker; equal seeds give equal placements,
 * which the tests and a replay of the decision rely on. */
#include "controller/core/placement.h"

#include "common/base/prng.h"

/* The brokers of one rack with one state; each pass of a partition starts one further. */
struct ring {
	int32_t *ids;
	int32_t n, start, taken;
};
struct rack {
	struct str name;
	struct ring alive, fenced;
};
struct placement {
	struct rack *racks;     /* by name */
	int32_t n_racks, first; /* where the next partition starts */
	int32_t n_usable, n_alive;
};

static struct rack *rack_of(struct placement *, struct str name);
static void ring_add(struct ring *, int32_t id);
static void shuffle(struct ring *, struct prng *);
static int32_t ring_next(struct ring *);
static int32_t rack_next(struct rack *);
static void next_pass(struct placement *);

/* Brokers in controlled shutdown are leaving and get nothing; fenced ones may come back and can be
 * followers. */
struct placement *placement_new(struct arena *a, const struct image *im, uint64_t seed)
{
	struct placement *pl = arena_must(a, sizeof(*pl));
	size_t n = (size_t)im->n_brokers + 1;
	struct prng prng;

	prng_seed(&prng, seed);
	pl->racks = arena_must(a, n * sizeof(*pl->racks));
	for (int32_t i = 0; i < im->n_brokers; i++) {
		const struct image_broker *b = im->brokers[i];
		struct rack *rack;

		if (b->in_controlled_shutdown)
			continue;
		rack = rack_of(pl, str_null(b->rack) ? STR("") : b->rack);
		if (rack->alive.ids == NULL) {
			rack->alive.ids = arena_must(a, n * sizeof(int32_t));
			rack->fenced.ids = arena_must(a, n * sizeof(int32_t));
		}
		ring_add(b->is_fenced ? &rack->fenced : &rack->alive, b->id);
		pl->n_usable++;
		pl->n_alive += !b->is_fenced;
	}
	for (int32_t i = 0; i < pl->n_racks; i++) {
		shuffle(&pl->racks[i].alive, &prng);
		shuffle(&pl->racks[i].fenced, &prng);
	}
	if (pl->n_racks > 0)
		pl->first = (int32_t)prng_below(&prng, (uint64_t)pl->n_racks);
	return pl;
}

int32_t placement_usable(const struct placement *pl)
{
	return pl->n_usable;
}

int32_t placement_alive(const struct placement *pl)
{
	return pl->n_alive;
}

/* Both loops end: there is a living broker, and there are at least `replicas` usable ones. */
struct image_ids placement_next(struct placement *pl, int32_t replicas)
{
	struct image_ids out = { .n = 0 };
	int32_t at = pl->first, id = -1;

	ASSERT(replicas >= 1 && replicas <= pl->n_usable && replicas <= IMAGE_REPLICAS_MAX);
	ASSERT(pl->n_alive > 0);
	while ((id = ring_next(&pl->racks[at].alive)) < 0)
		at = (at + 1) % pl->n_racks;
	out.v[out.n++] = id;
	for (; out.n < replicas;) {
		at = (at + 1) % pl->n_racks;
		id = rack_next(&pl->racks[at]);
		if (id >= 0)
			out.v[out.n++] = id;
	}
	next_pass(pl);
	return out;
}

/* Sorted by name, so that the order of registration does not matter. */
static struct rack *rack_of(struct placement *pl, struct str name)
{
	int32_t at = 0;

	while (at < pl->n_racks && str_cmp(pl->racks[at].name, name) < 0)
		at++;
	if (at < pl->n_racks && str_eq(pl->racks[at].name, name))
		return &pl->racks[at];
	memmove(&pl->racks[at + 1], &pl->racks[at],
		(size_t)(pl->n_racks - at) * sizeof(pl->racks[0]));
	pl->n_racks++;
	pl->racks[at] = (struct rack){ .name = name };
	return &pl->racks[at];
}

static void ring_add(struct ring *ring, int32_t id)
{
	ring->ids[ring->n++] = id;
}

/* Fisher and Yates. */
static void shuffle(struct ring *ring, struct prng *prng)
{
	for (int32_t i = ring->n - 1; i > 0; i--) {
		int32_t j = (int32_t)prng_below(prng, (uint64_t)i + 1), t = ring->ids[i];

		ring->ids[i] = ring->ids[j];
		ring->ids[j] = t;
	}
}

/* Each broker once per partition. */
static int32_t ring_next(struct ring *ring)
{
	if (ring->taken == ring->n)
		return -1;
	return ring->ids[(ring->start + ring->taken++) % ring->n];
}

static int32_t rack_next(struct rack *rack)
{
	int32_t id = ring_next(&rack->alive);

	return id >= 0 ? id : ring_next(&rack->fenced);
}

/* A rack's start moves when the rack gave a broker, so that short stripes do not always meet the
 * same brokers. */
static void next_pass(struct placement *pl)
{
	for (int32_t i = 0; i < pl->n_racks; i++) {
		struct rack *rack = &pl->racks[i];

		if (rack->alive.taken > 0)
			rack->alive.start = (rack->alive.start + 1) % rack->alive.n;
		if (rack->fenced.taken > 0)
			rack->fenced.start = (rack->fenced.start + 1) % rack->fenced.n;
		rack->alive.taken = rack->fenced.taken = 0;
	}
	pl->first = (pl->first + 1) % pl->n_racks;
}
