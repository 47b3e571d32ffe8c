/* scan.h - the state of one recovery scan, shared by scan.c (what is whole?) and salvage.c (what to
 * do with the rest); for nobody else. */
#pragma once
#include "broker/log/state.h"

#define SCAN_WINDOW_BYTES ((int64_t)256 << 10)

struct scan {
	struct log *l;
	struct log_recovery *rec;
	int64_t from;        /* the recovery point */
	bool is_unsure, is_vouched; /* log_options */
	int64_t next_offset; /* least base offset that may come */
	int32_t epoch;       /* of the last good batch */
	uint8_t *window;     /* of the file being read: [window_at, window_at + window_n) */
	int64_t window_at, window_n;
};

/* Is there a whole valid batch at `at`?  *b is its header when *good. */
must_check enum err scan_check_batch(struct scan *, struct segment *, int64_t at, struct batch *b,
				     bool *good);
/* Up to n bytes of the segment at `at`, valid until the next look. */
must_check enum err scan_look(struct scan *, const struct segment *, int64_t at, int64_t n,
			      const uint8_t **bytes, int64_t *got);

/* The log ends at byte `at` of segment i, which stays active. */
must_check enum err salvage_tail(struct scan *, int32_t i, int64_t at);
/* Segment i does not begin where segment i - 1 ends: the log ends with the latter. */
must_check enum err salvage_misplaced(struct scan *, int32_t i);
