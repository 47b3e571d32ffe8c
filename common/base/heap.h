/* heap.h - intrusive binary min-heap keyed by int64; ties leave in the order they came. */
#pragma once
#include "common/base/base.h"

struct heap_node {
	int64_t key;
	uint64_t seq;            /* set by heap_push: makes ties deterministic */
	uint32_t at;             /* index in the heap; HEAP_OUT when not in one */
};
#define HEAP_OUT UINT32_MAX

struct heap {
	struct heap_node **v;
	uint32_t n, cap;
	uint64_t seq;
};

void heap_init(struct heap *);
void heap_fini(struct heap *);
void heap_push(struct heap *, struct heap_node *, int64_t key);
struct heap_node *heap_top(const struct heap *);         /* NULL when empty */
void heap_remove(struct heap *, struct heap_node *);     /* asserts that it is in */
static inline void heap_node_init(struct heap_node *n) { n->at = HEAP_OUT; }
static inline bool heap_has(const struct heap_node *n) { return n->at != HEAP_OUT; }
