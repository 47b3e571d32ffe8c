/* hop.h - walks a .log file from batch header to batch header without reading the bodies.
 *
 * Bodies are skipped by length, so a hop over large batches costs one small read a batch and over
 * small ones one read for many.  Lives on the caller's stack. */
#pragma once
#include "common/env/env.h"
#include "common/wire/batch.h"

#define HOP_CHUNK_BYTES 4096

enum hop_state {
	HOP_BATCH,  /* batch and at are valid */
	HOP_END,    /* the last batch ended exactly at the end */
	HOP_BAD,    /* what lies at `at` is no whole batch that may follow */
	HOP_FAILED, /* err says why */
};

struct hop {
	struct file *file;   /* the caller's reference */
	int64_t at, next;    /* where the batch in view begins and ends */
	int64_t end;         /* bytes of the file that count */
	int64_t last_offset;  /* no batch may reach beyond: what the segment can hold */
	int64_t next_offset; /* least base offset that may come next */
	struct batch batch;  /* its `at` points to the header only */
	enum err err;
	int64_t chunk_at;
	size_t chunk_n;
	uint8_t chunk[HOP_CHUNK_BYTES];
};

/* Offsets lie in [base, base + 2^31). */
void hop_init(struct hop *, struct file *, int64_t at, int64_t end, int64_t base);
enum hop_state hop_next(struct hop *);
