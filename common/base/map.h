/* map.h - open addressing hash maps: u64 -> pointer, and text -> pointer.
 *
 * Seeded, so that clients cannot choose collisions; linear probing with backward-shift deletion.
 * Iteration order depends on the seed only, never on addresses.  Keys of a strmap are views: the
 * caller keeps the text alive as long as the entry (usually it lies inside the value). */
#pragma once
#include "common/base/base.h"

struct map_slot {
	uint64_t key;
	void *value;             /* NULL: empty */
};
struct map {
	struct map_slot *v;
	uint32_t n, cap;
	uint64_t seed;
};
void map_init(struct map *, uint64_t seed);
void map_fini(struct map *);
void *map_find(const struct map *, uint64_t key);
void map_put(struct map *, uint64_t key, void *value);   /* replaces; value != NULL */
void *map_remove(struct map *, uint64_t key);            /* the old value or NULL */

struct strmap_slot {
	struct str key;
	uint64_t hash;
	void *value;
};
struct strmap {
	struct strmap_slot *v;
	uint32_t n, cap;
	uint64_t seed;
};
void strmap_init(struct strmap *, uint64_t seed);
void strmap_fini(struct strmap *);
void *strmap_find(const struct strmap *, struct str key);
void strmap_put(struct strmap *, struct str key, void *value);
void *strmap_remove(struct strmap *, struct str key);

#define MAP_FOR(slot, m)                                                                           \
	for (struct map_slot *slot = (m)->v; slot != (m)->v + (m)->cap; slot++)                    \
		if (slot->value)
#define STRMAP_FOR(slot, m)                                                                        \
	for (struct strmap_slot *slot = (m)->v; slot != (m)->v + (m)->cap; slot++)                 \
		if (slot->value)
