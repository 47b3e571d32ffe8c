/* map.c - open addressing with linear probing, one slot array, never more than three quarters full.
 *
 * A key lies at its home slot (hash & mask) or in the run of used slots behind it.  Removing closes
 * the gap: entries behind it that may move back do so (may_fill), so there are no tombstones and a
 * map that lives for months probes as little as a new one.  Maps grow and never shrink.
 *
 * Numbers are mixed with murmur3's finaliser: they are ids that we or the controller chose.  Texts
 * are hashed with SipHash, because topic and client names come from outside. */
#include "common/base/map.h"

#define CAP_MIN 8

static uint64_t mix(uint64_t key, uint64_t seed);
static uint64_t siphash13(struct str, uint64_t seed);
static struct map_slot *slot_of(const struct map *, uint64_t key);
static struct strmap_slot *strslot_of(const struct strmap *, struct str key, uint64_t hash);
static bool may_fill(uint32_t gap, uint32_t at, uint32_t home, uint32_t mask);

void map_init(struct map *m, uint64_t seed)
{
	*m = (struct map){ .seed = seed };
}

void map_fini(struct map *m)
{
	mem_free(m->v);
	map_init(m, m->seed);
}

void *map_find(const struct map *m, uint64_t key)
{
	return m->n ? slot_of(m, key)->value : NULL;
}

/* Twice the slots; the seed stays, so two maps filled in the same order iterate alike. */
static void map_rehash(struct map *m)
{
	struct map_slot *old = m->v, *end = old + m->cap;

	m->cap = m->cap ? m->cap * 2 : CAP_MIN;
	m->v = mem_alloc(m->cap * sizeof(*m->v));
	for (struct map_slot *s = old; s != end; s++)
		if (s->value)
			*slot_of(m, s->key) = *s;
	mem_free(old);
}

void map_put(struct map *m, uint64_t key, void *value)
{
	struct map_slot *s;

	ASSERT(value != NULL);
	if ((m->n + 1) * 4 > m->cap * 3)
		map_rehash(m);
	s = slot_of(m, key);
	m->n += s->value == NULL;
	*s = (struct map_slot){ .key = key, .value = value };
}

/* Knuth's Algorithm R (TAOCP 3, 6.4): walk the run behind the gap and move back whatever may. */
void *map_remove(struct map *m, uint64_t key)
{
	uint32_t mask = m->cap - 1, gap;
	struct map_slot *s;
	void *value;

	if (!m->n || !(s = slot_of(m, key))->value)
		return NULL;
	value = s->value;
	gap = (uint32_t)(s - m->v);
	for (uint32_t at = (gap + 1) & mask; m->v[at].value; at = (at + 1) & mask) {
		uint32_t home = (uint32_t)mix(m->v[at].key, m->seed) & mask;

		if (may_fill(gap, at, home, mask)) {
			m->v[gap] = m->v[at];
			gap = at;
		}
	}
	m->v[gap] = (struct map_slot){ 0 };
	m->n--;
	return value;
}

void strmap_init(struct strmap *m, uint64_t seed)
{
	*m = (struct strmap){ .seed = seed };
}

void strmap_fini(struct strmap *m)
{
	mem_free(m->v);
	strmap_init(m, m->seed);
}

void *strmap_find(const struct strmap *m, struct str key)
{
	return m->n ? strslot_of(m, key, siphash13(key, m->seed))->value : NULL;
}

static void strmap_rehash(struct strmap *m)
{
	struct strmap_slot *old = m->v, *end = old + m->cap;

	m->cap = m->cap ? m->cap * 2 : CAP_MIN;
	m->v = mem_alloc(m->cap * sizeof(*m->v));
	for (struct strmap_slot *s = old; s != end; s++)
		if (s->value)
			*strslot_of(m, s->key, s->hash) = *s;
	mem_free(old);
}

void strmap_put(struct strmap *m, struct str key, void *value)
{
	uint64_t hash = siphash13(key, m->seed);
	struct strmap_slot *s;

	ASSERT(value != NULL && !str_null(key));
	if ((m->n + 1) * 4 > m->cap * 3)
		strmap_rehash(m);
	s = strslot_of(m, key, hash);
	m->n += s->value == NULL;
	*s = (struct strmap_slot){ .key = key, .hash = hash, .value = value };
}

void *strmap_remove(struct strmap *m, struct str key)
{
	uint32_t mask = m->cap - 1, gap;
	struct strmap_slot *s;
	void *value;

	if (!m->n || !(s = strslot_of(m, key, siphash13(key, m->seed)))->value)
		return NULL;
	value = s->value;
	gap = (uint32_t)(s - m->v);
	for (uint32_t at = (gap + 1) & mask; m->v[at].value; at = (at + 1) & mask) {
		if (may_fill(gap, at, (uint32_t)m->v[at].hash & mask, mask)) {
			m->v[gap] = m->v[at];
			gap = at;
		}
	}
	m->v[gap] = (struct strmap_slot){ 0 };
	m->n--;
	return value;
}

/* May the entry at `at`, whose probing starts at home, move back into the gap before it? */
static bool may_fill(uint32_t gap, uint32_t at, uint32_t home, uint32_t mask)
{
	return ((at - home) & mask) >= ((at - gap) & mask);
}

/* The key's slot, or the empty one where it would go; there always is one, see map_put. */
static struct map_slot *slot_of(const struct map *m, uint64_t key)
{
	uint32_t mask = m->cap - 1, at = (uint32_t)mix(key, m->seed) & mask;

	while (m->v[at].value && m->v[at].key != key)
		at = (at + 1) & mask;
	return &m->v[at];
}

static struct strmap_slot *strslot_of(const struct strmap *m, struct str key, uint64_t hash)
{
	uint32_t mask = m->cap - 1, at = (uint32_t)hash & mask;

	while (m->v[at].value && !(m->v[at].hash == hash && str_eq(m->v[at].key, key)))
		at = (at + 1) & mask;
	return &m->v[at];
}

/* fmix64 of MurmurHash3 (Appleby, public domain). */
static uint64_t mix(uint64_t key, uint64_t seed)
{
	key ^= seed;
	key = (key ^ key >> 33) * 0xff51afd7ed558ccdu;
	key = (key ^ key >> 33) * 0xc4ceb9fe1a85ec53u;
	return key ^ key >> 33;
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein): topic and group names are chosen by clients. */
static uint64_t siphash13(struct str s, uint64_t seed)
{
	uint64_t v[4] = { seed ^ 0x736f6d6570736575u, ~seed ^ 0x646f72616e646f6du,
			  seed ^ 0x6c7967656e657261u, ~seed ^ 0x7465646279746573u };
	uint64_t word;
	size_t at = 0;

	for (; s.n - at >= 8; at += 8) {
		memcpy(&word, s.at + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)s.n << 56;
	for (size_t i = 0; at + i < s.n; i++)
		word |= (uint64_t)(uint8_t)s.at[at + i] << (8 * i);
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
