/* buf.h - refcounted bytes: request frames, reply headers, batches in flight.
 *
 * A buf is written by one thread while it is being filled and immutable afterwards; references
 * may then be dropped on any thread.  Bufs come from a pool with size classes and go home to it
 * when the last reference is dropped (from another thread through an atomic stack), so a steady
 * state allocates nothing.  Passing a buf in a message moves the reference. */
#pragma once
#include "common/base/base.h"

struct bufpool;
struct buf {
	struct bufpool *home;
	struct buf *next;        /* free list */
	_Atomic uint32_t refs;
	uint32_t size_class;
	uint32_t len;            /* valid bytes */
	uint32_t cap;
	uint8_t at[];
};

#define BUF_BYTES_MAX (128u << 20) /* of one buffer; asking for more is a bug */

/* Free bytes are kept up to keep_bytes_max before the heap gets them back. */
struct bufpool *bufpool_new(size_t keep_bytes_max);
void bufpool_free(struct bufpool *);                     /* asserts that no buf is live */
size_t bufpool_live_bytes(const struct bufpool *);       /* for admission and metrics */

/* At least cap bytes (at most 128 MiB), len 0, one reference; pool's own thread only. */
struct buf *buf_new(struct bufpool *, size_t cap);
struct buf *buf_get(struct buf *);
void buf_put(struct buf *);                              /* any thread; NULL is fine */
