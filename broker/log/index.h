/* index.h - a sparse index file of one segment, of either kind:
 *
 *   .index      8 bytes an entry    0 4 offset - base    4 4 position in the .log file
 *   .timeindex  12 bytes an entry   0 8 timestamp        8 4 offset - base
 *
 * Entries ascend strictly in both fields.  One of .index says: at this position begins the batch
 * whose last offset is this.  One of .timeindex: up to this offset (the last of its batch) no
 * record is younger than this timestamp.  Sparse, so a lost entry costs time, never correctness.
 *
 * Entries of the active segment are gathered in a tail in memory and written 64 or 96 at a time;
 * what a crash takes away, recovery puts back.  No mmap, no preallocation (Kafka: 10 MiB each).
 * Owned by the log; one thread. */
#pragma once
#include "common/env/env.h"

enum index_kind { INDEX_OFFSET, INDEX_TIME };
#define INDEX_KINDS 2

struct index_entry {
	int64_t offset;
	int64_t value; /* position, or timestamp in ms */
};

#define INDEX_TAIL_BYTES 768
struct index_tail {
	uint32_t n;
	uint8_t at[INDEX_TAIL_BYTES];
};

struct index {
	struct file *file;       /* NULL: not open */
	struct index_tail *tail; /* of the active segment only; NULL: read-only */
	int64_t base;
	int32_t n_file; /* entries in the file; known while it is open or has a tail */
	int32_t hint;            /* where the last search ended */
	enum index_kind kind;
	bool broken; /* an entry could not be written: the file must not be trusted later */
};

void index_init(struct index *, enum index_kind, int64_t base);
int32_t index_entry_bytes(enum index_kind);
/* Opens the file when it is not: n_file becomes what it holds, cut to whole entries.
 * ERR_NOT_FOUND when it is missing and not to be created. */
must_check enum err index_open(struct index *, struct env *, const char *path, bool create);
void index_close(struct index *);

int32_t index_count(const struct index *);
bool index_tail_full(const struct index *);
void index_add(struct index *, const struct index_entry *); /* asserts room in the tail */
/* Needs the file open when the tail is not empty. */
must_check enum err index_write_tail(struct index *);
must_check enum err index_get(const struct index *, int32_t i, struct index_entry *);

/* The last entry whose field is <= key; *at is its number, -1 when there is none. */
enum index_field { INDEX_BY_OFFSET, INDEX_BY_VALUE };
must_check enum err index_floor(struct index *, enum index_field, int64_t key,
				struct index_entry *, int32_t *at);

must_check enum err index_keep(struct index *, int32_t n); /* forget all entries but the first n */
/* Do the entries ascend, within the segment?  Reads the whole file. */
must_check enum err index_sane(const struct index *, int64_t value_end, bool *sane);
