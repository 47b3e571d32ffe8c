/* arena.h - memory with the lifetime of one request: bump allocation, one reset.
 *
 * Owned by whoever owns the request; used by one thread at a time.  Reset keeps one chunk that is
 * large enough for what was used (up to 256 KiB), so a connection in a steady state never reaches
 * the heap.  Past max_bytes arena_alloc returns
 * NULL, which decoders turn into a refusal; arena_must asserts instead, for sizes we chose. */
#pragma once
#include "common/base/base.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *first, *last;
	size_t used_bytes;  /* handed out since the last reset */
	size_t max_bytes;
	size_t first_bytes; /* size of the next first chunk */
};

void arena_init(struct arena *, size_t max_bytes);
void arena_fini(struct arena *);
void arena_reset(struct arena *);
void *arena_alloc(struct arena *, size_t n); /* zeroed, 16-aligned; NULL past the maximum */
void *arena_must(struct arena *, size_t n);              /* the same, asserted */
struct str arena_str(struct arena *, struct str); /* a copy that lives as long as the arena */
struct str arena_printf(struct arena *, const char *fmt, ...) printf_like(2, 3);
