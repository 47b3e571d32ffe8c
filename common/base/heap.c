/* heap.c - a binary heap in one array; the children of i are 2i+1 and 2i+2.
 *
 * Nodes are intrusive and every node knows its index, so a timer in the middle is removed in O(log
 * n) without a search. Equal keys are ordered by seq, which heap_push counts up: the order in which
 * timers of one instant fire does not depend on the heap's history. */
#include "common/base/heap.h"

static bool before(const struct heap_node *, const struct heap_node *);
static void place(struct heap *, uint32_t at, struct heap_node *);
static void sift_up(struct heap *, uint32_t at);
static void sift_down(struct heap *, uint32_t at);

void heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

void heap_fini(struct heap *h)
{
	mem_free(h->v);
	heap_init(h);
}

void heap_push(struct heap *h, struct heap_node *n, int64_t key)
{
	ASSERT(!heap_has(n));
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 16;
		h->v = mem_grow(h->v, h->cap * sizeof(*h->v));
	}
	n->key = key;
	n->seq = h->seq++;
	place(h, h->n++, n);
	sift_up(h, n->at);
}

struct heap_node *heap_top(const struct heap *h)
{
	return h->n ? h->v[0] : NULL;
}

/* The last node takes the hole.  It may belong further up as well as further down, because it comes
 * from another branch; one of the two calls does nothing. */
void heap_remove(struct heap *h, struct heap_node *n)
{
	uint32_t at = n->at;

	ASSERT(at < h->n && h->v[at] == n);
	n->at = HEAP_OUT;
	if (at == --h->n)
		return;
	place(h, at, h->v[h->n]);
	sift_up(h, at);
	sift_down(h, at);
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

/* The only writer of the array: index and node never disagree. */
static void place(struct heap *h, uint32_t at, struct heap_node *n)
{
	h->v[at] = n;
	n->at = at;
}

static void sift_up(struct heap *h, uint32_t at)
{
	struct heap_node *n = h->v[at];

	for (; at > 0 && before(n, h->v[(at - 1) / 2]); at = (at - 1) / 2)
		place(h, at, h->v[(at - 1) / 2]);
	place(h, at, n);
}

static void sift_down(struct heap *h, uint32_t at)
{
	struct heap_node *n = h->v[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && before(h->v[child + 1], h->v[child]))
			child++;
		if (!before(h->v[child], n))
			break;
		place(h, at, h->v[child]);
		at = child;
	}
	place(h, at, n);
}
