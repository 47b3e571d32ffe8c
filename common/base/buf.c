/* buf.c - see buf.h.
 *
 * Size classes: four per doubling from 512 B to 128 MiB, so at most a quarter is wasted.  The
 * pool's thread keeps one free list per class.  Another thread pushes onto `returned`, an atomic
 * stack that the pool's thread takes as a whole, which has no ABA problem.  A thread is told by
 * the address of a thread-local byte. */
#include "common/base/buf.h"

#include <stdatomic.h>

/* Classes 0 to 72 are 512 B * 2^(c/4) * (1 + c%4/4): 18 doublings reach 128 MiB. */
#define CAP_MIN 512u
#define CAP_MAX BUF_BYTES_MAX
#define N_CLASSES (4 * 18 + 1)

struct bufpool {
	struct buf *free[N_CLASSES];
	size_t free_bytes, keep_bytes_max;
	uint32_t victim; /* class from which the next surplus buf is freed */
	_Atomic(struct buf *) returned;
	_Atomic(const char *) thread; /* set by buf_new */
	_Atomic size_t live_bytes;
};

static _Thread_local const char me;

static uint32_t class_of(size_t cap);
static uint32_t class_cap(uint32_t size_class);
static void take_returned(struct bufpool *);
static void keep(struct bufpool *, struct buf *);
static bool make_room(struct bufpool *, uint32_t size_class);

struct bufpool *bufpool_new(size_t keep_bytes_max)
{
	struct bufpool *p = mem_alloc(sizeof(*p));

	p->keep_bytes_max = keep_bytes_max;
	return p;
}

void bufpool_free(struct bufpool *p)
{
	if (!p)
		return;
	ASSERT(bufpool_live_bytes(p) == 0);
	take_returned(p);
	for (uint32_t c = 0; c < N_CLASSES; c++)
		for (struct buf *b = p->free[c], *next; b; b = next) {
			next = b->next;
			mem_free(b);
		}
	mem_free(p);
}

size_t bufpool_live_bytes(const struct bufpool *p)
{
	return atomic_load_explicit(&p->live_bytes, memory_order_relaxed);
}

/* The first call on a new thread makes it the pool's: a pool is made by one thread and used by
 * another (common/net), so the owner cannot be known in bufpool_new. */
struct buf *buf_new(struct bufpool *p, size_t cap)
{
	uint32_t c = class_of(cap);
	struct buf *b;

	atomic_store_explicit(&p->thread, &me, memory_order_relaxed);
	take_returned(p);
	b = p->free[c];
	if (b) {
		p->free[c] = b->next;
		p->free_bytes -= b->cap;
	} else {
		b = mem_alloc(sizeof(*b) + class_cap(c));
		b->home = p;
		b->size_class = c;
		b->cap = class_cap(c);
	}
	b->next = NULL;
	b->len = 0;
	atomic_store_explicit(&b->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->live_bytes, b->cap, memory_order_relaxed);
	return b;
}

struct buf *buf_get(struct buf *b)
{
	uint32_t before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);

	ASSERT(before > 0);
	return b;
}

/* acq_rel: whoever drops the last reference must see what the other holders wrote or read before
 * they dropped theirs. live_bytes shrinks here and not when the pool's thread takes the buf back,
 * so that admission sees memory as free as soon as nobody needs it. */
void buf_put(struct buf *b)
{
	struct bufpool *p;
	uint32_t before;

	if (!b)
		return;
	before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	if (before > 1)
		return;
	p = b->home;
	atomic_fetch_sub_explicit(&p->live_bytes, b->cap, memory_order_relaxed);
	if (atomic_load_explicit(&p->thread, memory_order_relaxed) == &me) {
		keep(p, b);
		return;
	}
	b->next = atomic_load_explicit(&p->returned, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&p->returned, &b->next, b,
						      memory_order_release, memory_order_relaxed))
		;
}

/* Class 4d + q holds 512 * 2^d * (1 + q/4) bytes. */
static uint32_t class_cap(uint32_t c)
{
	uint32_t base = CAP_MIN << (c / 4);

	return base + base / 4 * (c % 4);
}

/* The smallest class that holds cap: which doubling, then which quarter of it, rounded up. */
static uint32_t class_of(size_t cap)
{
	uint32_t doublings, base;

	ASSERT(cap <= CAP_MAX);
	if (cap <= CAP_MIN)
		return 0;
	doublings = 31 - (uint32_t)__builtin_clz((uint32_t)(cap - 1)) - 9;
	base = CAP_MIN << doublings;
	return 4 * doublings + ((uint32_t)(cap - base) + base / 4 - 1) / (base / 4);
}

/* Taking the whole stack with one exchange is what avoids ABA: no pointer that was read is
 * compared. */
static void take_returned(struct bufpool *p)
{
	struct buf *b, *next;

	if (!atomic_load_explicit(&p->returned, memory_order_relaxed))
		return;
	b = atomic_exchange_explicit(&p->returned, NULL, memory_order_acquire);
	for (; b; b = next) {
		next = b->next;
		keep(p, b);
	}
}

/* Onto its free list, or back to the heap when the pool keeps enough already. */
static void keep(struct bufpool *p, struct buf *b)
{
	while (p->free_bytes + b->cap > p->keep_bytes_max) {
		if (make_room(p, b->size_class))
			continue;
		mem_free(b);
		return;
	}
	b->next = p->free[b->size_class];
	p->free[b->size_class] = b;
	p->free_bytes += b->cap;
}

/* Frees one buf of another class, so that sizes no longer asked for give way to those in use. */
static bool make_room(struct bufpool *p, uint32_t size_class)
{
	for (uint32_t i = 0; i < N_CLASSES; i++) {
		uint32_t c = p->victim = (p->victim + 1) % N_CLASSES;
		struct buf *b = p->free[c];

		if (!b || c == size_class)
			continue;
		p->free[c] = b->next;
		p->free_bytes -= b->cap;
		mem_free(b);
		return true;
	}
	return false;
}
