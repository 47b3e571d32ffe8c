/* arena.c - how the memory of one request is laid out.
 *
 *   arena -> first chunk -> ... -> last chunk      each chunk: | used ...... n | free ...... cap |
 *
 * Allocation bumps n of the last chunk and never looks back: what does not fit there starts a new
 * chunk, and the rest of the old one stays unused until the reset.  Chunks double in size up to
 * CHUNK_KEPT_MAX; a single larger request gets a chunk of just its size.
 *
 * The wanted size of the first chunk follows the largest request seen, so that a second request of
 * that kind needs a single chunk: arena_reset then only sets n to 0, and a connection in a steady
 * state never meets the heap. */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdio.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t n, cap;
	_Alignas(16) uint8_t at[];
};

/* Most requests (a Heartbeat, a Metadata for one topic) fit the first figure; the second bounds
 * what an idle connection keeps after one large request. */
#define CHUNK_MIN 2048
#define CHUNK_KEPT_MAX (256 * 1024)

static struct arena_chunk *chunk_new(struct arena *, size_t n);

void arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes, .first_bytes = CHUNK_MIN };
}

void arena_fini(struct arena *a)
{
	for (struct arena_chunk *c = a->first, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	arena_init(a, a->max_bytes);
}

/* Three cases: several chunks become one that is large enough next time; one oversized chunk goes
 * back to the heap; one ordinary chunk is kept and rewound. */
void arena_reset(struct arena *a)
{
	size_t max_bytes = a->max_bytes, want = a->first_bytes;

	if (a->first && a->first != a->last) {
		while (want < a->used_bytes && want < CHUNK_KEPT_MAX)
			want *= 2;
		arena_fini(a);
		arena_init(a, max_bytes);
		a->first_bytes = want;
	} else if (a->first && a->first->cap > CHUNK_KEPT_MAX) {
		arena_fini(a);
	} else if (a->first) {
		a->first->n = 0;
	}
	a->used_bytes = 0;
}

/* The limit is on what callers asked for, rounded to 16, not on what the chunks take: a decoder's
 * bound means the same whatever was allocated before.  The memset is needed because a kept chunk
 * holds the previous request. */
void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->last;
	void *p;

	if (n > a->max_bytes - a->used_bytes)
		return NULL;
	n = (n + 15) & ~(size_t)15;
	if (!c || c->cap - c->n < n)
		c = chunk_new(a, n);
	p = c->at + c->n;
	c->n += n;
	a->used_bytes = size_min(a->used_bytes + n, a->max_bytes);
	return memset(p, 0, n);
}

void *arena_must(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	ASSERT(p != NULL);
	return p;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *at;

	if (str_null(s))
		return s;
	at = arena_must(a, s.n + 1);
	if (s.n)
		memcpy(at, s.at, s.n);
	return (struct str){ at, s.n };
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *at;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	at = arena_must(a, (size_t)n + 1);
	vsnprintf(at, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct str){ at, (size_t)n };
}

/* Memory for at least n; becomes the last chunk. */
static struct arena_chunk *chunk_new(struct arena *a, size_t n)
{
	size_t cap = a->last ? size_min(a->last->cap * 2, CHUNK_KEPT_MAX) : a->first_bytes;
	struct arena_chunk *c;

	cap = size_max(cap, n);
	c = mem_alloc(sizeof(*c) + cap);
	c->cap = cap;
	if (a->last)
		a->last->next = c;
	else
		a->first = c;
	a->last = c;
	return c;
}
