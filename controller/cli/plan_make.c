/* plan_make.c - plans made from an image: onto brokers, off a broker, more or fewer replicas, even.
 *
 * One number per broker is kept in mind, the replicas it will have when the plan is done; whoever
 * has the fewest gets the next one, the lowest id among equals. */
#include "controller/cli/plan.h"

#define BROKERS_MAX 1024
#define ROUNDS_MAX 100000

struct load {
	int32_t id;
	struct str rack;
	int32_t replicas, leads; /* leads: first in the list */
	bool is_active;
};
struct loads {
	struct load v[BROKERS_MAX];
	int n;
};

static struct load *find(struct loads *l, int32_t id)
{
	for (int i = 0; i < l->n; i++)
		if (l->v[i].id == id)
			return &l->v[i];
	return NULL;
}

static void count_partition(struct loads *l, const struct image_ids *replicas, int sign)
{
	for (int32_t i = 0; i < replicas->n; i++) {
		struct load *one = find(l, replicas->v[i]);

		if (!one)
			continue;
		one->replicas += sign;
		one->leads += i == 0 ? sign : 0;
	}
}

static struct loads *loads_of(struct cli *cli, const struct image *im)
{
	struct loads *l = arena_must(&cli->mem, sizeof(*l));

	for (int32_t i = 0; i < im->n_brokers && l->n < BROKERS_MAX; i++)
		l->v[l->n++] =
			(struct load){ .id = im->brokers[i]->id,
				       .rack = im->brokers[i]->rack,
				       .is_active = image_broker_active(im, im->brokers[i]->id) };
	for (int32_t t = 0; t < im->n_topics; t++)
		for (int32_t p = 0; p < im->topics[t]->n_partitions; p++)
			count_partition(l, &im->topics[t]->partitions[p].replicas, 1);
	return l;
}

static bool rack_is_used(struct loads *l, const struct image_ids *replicas, struct str rack)
{
	for (int32_t i = 0; i < replicas->n; i++) {
		const struct load *one = find(l, replicas->v[i]);

		if (one && !str_null(rack) && str_eq(one->rack, rack))
			return true;
	}
	return false;
}

/* The broker for one more replica: of `among` (NULL: any), not `but`, a fresh rack before an even
 * load.  NULL: there is none. */
static struct load *choose(struct loads *l, const struct image_ids *replicas,
			   const struct image_ids *among, int32_t but)
{
	struct load *best = NULL;
	bool best_is_used = false;

	for (int i = 0; i < l->n; i++) {
		struct load *one = &l->v[i];
		bool is_used = rack_is_used(l, replicas, one->rack);

		if (!one->is_active || one->id == but || image_ids_has(replicas, one->id) ||
		    (among && !image_ids_has(among, one->id)))
			continue;
		if (!best || is_used < best_is_used ||
		    (is_used == best_is_used && one->replicas < best->replicas)) {
			best = one;
			best_is_used = is_used;
		}
	}
	return best;
}

static bool same(const struct image_ids *a, const struct image_ids *b)
{
	return a->n == b->n && memcmp(a->v, b->v, (size_t)a->n * sizeof(a->v[0])) == 0;
}

/* Into the plan and into the loads; nothing when nothing changes. */
static void settle(struct cli *cli, struct loads *l, const struct image_topic *t, int32_t p,
		   const struct image_ids *replicas, struct plan *out)
{
	const struct image_partition *now = &t->partitions[p];

	if (same(replicas, &now->replicas))
		return;
	plan_add(cli, out, t->name, p, now, replicas);
	count_partition(l, &now->replicas, -1);
	count_partition(l, replicas, 1);
}

static bool is_named(const struct image_topic *t, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (str_eq(t->name, str_of(names[i])))
			return true;
	return false;
}

static void remove_id(struct image_ids *ids, int32_t at)
{
	ids->n--;
	memmove(&ids->v[at], &ids->v[at + 1], (size_t)(ids->n - at) * sizeof(ids->v[0]));
}

bool plan_onto(struct cli *cli, const struct image *im, const char *const *topics, int n,
	       const struct image_ids *brokers, struct plan *out)
{
	struct loads *l = loads_of(cli, im);

	for (int32_t i = 0; i < im->n_topics; i++) {
		const struct image_topic *t = im->topics[i];

		for (int32_t p = 0; is_named(t, topics, n) && p < t->n_partitions; p++) {
			struct image_ids r = t->partitions[p].replicas;
			int32_t factor = r.n;

			for (int32_t k = r.n - 1; k >= 0; k--)
				if (!image_ids_has(brokers, r.v[k]))
					remove_id(&r, k);
			while (r.n < factor) {
				struct load *one = choose(l, &r, brokers, -1);

				if (!one)
					return false;
				r.v[r.n++] = one->id;
			}
			settle(cli, l, t, p, &r, out);
		}
	}
	return true;
}

bool plan_drain(struct cli *cli, const struct image *im, int32_t broker, struct plan *out)
{
	struct loads *l = loads_of(cli, im);

	for (int32_t i = 0; i < im->n_topics; i++) {
		const struct image_topic *t = im->topics[i];

		for (int32_t p = 0; p < t->n_partitions; p++) {
			struct image_ids r = t->partitions[p].replicas, others = r;
			struct load *one;
			int32_t k = 0;

			while (k < r.n && r.v[k] != broker)
				k++;
			if (k == r.n)
				continue;
			remove_id(&others, k);
			if (!(one = choose(l, &others, NULL, broker)))
				return false;
			r.v[k] = one->id;
			settle(cli, l, t, p, &r, out);
		}
	}
	return true;
}

/* Whose place is given up first: who is out of sync, else the last. */
static int32_t least_wanted(const struct image_partition *now, const struct image_ids *r)
{
	for (int32_t k = r->n - 1; k >= 0; k--)
		if (!image_ids_has(&now->isr, r->v[k]))
			return k;
	return r->n - 1;
}

bool plan_factor(struct cli *cli, const struct image *im, const struct image_topic *t,
		 int32_t factor, struct plan *out)
{
	struct loads *l = loads_of(cli, im);

	for (int32_t p = 0; p < t->n_partitions; p++) {
		struct image_ids r = t->partitions[p].replicas;

		while (r.n > factor)
			remove_id(&r, least_wanted(&t->partitions[p], &r));
		while (r.n < factor) {
			struct load *one = choose(l, &r, NULL, -1);

			if (!one)
				return false;
			r.v[r.n++] = one->id;
		}
		settle(cli, l, t, p, &r, out);
	}
	return true;
}

/* ---- rebalance ----------------------------------------------------------------------------- */

/* The plan as a table of every partition's replicas, changed step by step. */
struct row {
	const struct image_topic *topic;
	int32_t partition;
	struct image_ids replicas;
};
struct table {
	struct cli *cli;
	struct loads *loads;
	struct load *only; /* who is given to; NULL: whoever has least */
	struct row *v;
	int n;
};

static void extremes(struct loads *l, bool by_leads, struct load **most, struct load **least)
{
	*most = *least = NULL;
	for (int i = 0; i < l->n; i++) {
		struct load *one = &l->v[i];
		int32_t has = by_leads ? one->leads : one->replicas;

		if (!one->is_active)
			continue;
		if (!*most || has > (by_leads ? (*most)->leads : (*most)->replicas))
			*most = one;
		if (!*least || has < (by_leads ? (*least)->leads : (*least)->replicas))
			*least = one;
	}
}

static int32_t place_of(const struct image_ids *ids, int32_t id)
{
	for (int32_t k = 0; k < ids->n; k++)
		if (ids->v[k] == id)
			return k;
	return -1;
}

/* One replica from the fullest to the emptiest, one that leads last. */
static bool move_one(struct table *t)
{
	struct load *most, *least;
	struct row *found = NULL;

	extremes(t->loads, false, &most, &least);
	least = t->only ? t->only : least;
	if (!most || most->replicas - least->replicas < 2)
		return false;
	for (int i = 0; i < t->n; i++) {
		int32_t k = place_of(&t->v[i].replicas, most->id);

		if (k < 0 || image_ids_has(&t->v[i].replicas, least->id))
			continue;
		if (!found || k > place_of(&found->replicas, most->id))
			found = &t->v[i];
	}
	if (!found)
		return false;
	count_partition(t->loads, &found->replicas, -1);
	found->replicas.v[place_of(&found->replicas, most->id)] = least->id;
	count_partition(t->loads, &found->replicas, 1);
	return true;
}

/* One partition's first replica changes places with another of its replicas. */
static bool swap_one(struct table *t)
{
	struct load *most, *least;

	extremes(t->loads, true, &most, &least);
	least = t->only ? t->only : least;
	if (!most || most->leads - least->leads < 2)
		return false;
	for (int i = 0; i < t->n; i++) {
		struct image_ids *r = &t->v[i].replicas;
		int32_t k = place_of(r, least->id);

		if (r->n == 0 || r->v[0] != most->id || k < 0)
			continue;
		count_partition(t->loads, r, -1);
		r->v[k] = most->id;
		r->v[0] = least->id;
		count_partition(t->loads, r, 1);
		return true;
	}
	return false;
}

static void even_out(struct table *t, const struct image *im, struct plan *out)
{
	int rounds = 0, cap = 0;

	for (int32_t i = 0; i < im->n_topics; i++)
		cap += im->topics[i]->n_partitions;
	t->v = arena_must(&t->cli->mem, (size_t)(cap + 1) * sizeof(*t->v));
	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++)
			t->v[t->n++] = (struct row){ im->topics[i], p,
						     im->topics[i]->partitions[p].replicas };
	while (rounds < ROUNDS_MAX && move_one(t))
		rounds++;
	while (rounds < ROUNDS_MAX && swap_one(t))
		rounds++;
	for (int i = 0; i < t->n; i++) {
		const struct image_partition *now = &t->v[i].topic->partitions[t->v[i].partition];

		if (!same(&now->replicas, &t->v[i].replicas))
			plan_add(t->cli, out, t->v[i].topic->name, t->v[i].partition, now,
				 &t->v[i].replicas);
	}
}

void plan_rebalance(struct cli *cli, const struct image *im, struct plan *out)
{
	struct table t = { .cli = cli, .loads = loads_of(cli, im) };

	even_out(&t, im, out);
}

void plan_fill(struct cli *cli, const struct image *im, int32_t broker, struct plan *out)
{
	struct table t = { .cli = cli, .loads = loads_of(cli, im) };

	t.only = find(t.loads, broker);
	if (t.only && t.only->is_active)
		even_out(&t, im, out);
}

void plan_demote(struct cli *cli, const struct image *im, int32_t broker, struct plan *out)
{
	struct loads *l = loads_of(cli, im);

	for (int32_t i = 0; i < im->n_topics; i++) {
		const struct image_topic *t = im->topics[i];

		for (int32_t p = 0; p < t->n_partitions; p++) {
			struct image_ids r = t->partitions[p].replicas;
			int32_t best = 0;

			if (r.n == 0 || r.v[0] != broker)
				continue;
			for (int32_t k = 1; k < r.n; k++) {
				bool can = image_ids_has(&t->partitions[p].isr, r.v[k]);

				if (can && (best == 0 ||
					    find(l, r.v[k])->leads < find(l, r.v[best])->leads))
					best = k;
			}
			r.v[0] = r.v[best];
			r.v[best] = broker;
			settle(cli, l, t, p, &r, out);
		}
	}
}
