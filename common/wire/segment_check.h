/* segment_check.h - does a segment hold what Kafka's tools would accept?  One pass over the .log
 * file, with the two indexes read along.  Pure: the bytes come through a callback, so the CLI
 * checks files, tests check a disk in memory.
 *
 *   .log        whole batches, magic 2, CRC, ascending offsets not below the base
 *   .index      ascending; every entry names the last offset of the batch at its position
 *   .timeindex  ascending; every entry names the last offset of a batch with that max timestamp,
 *               and no earlier batch is younger
 */
#pragma once
#include "common/wire/batch.h"

enum segment_file { SEGMENT_LOG, SEGMENT_INDEX, SEGMENT_TIMEINDEX };
#define SEGMENT_FILES 3

struct segment_source {
	void *arg;
	int64_t base_offset;  /* of the name */
	int64_t size[SEGMENT_FILES];  /* -1: no such file, nothing to say about it */
	/* All n bytes; false when they cannot be had. */
	bool (*read)(void *arg, enum segment_file, int64_t at, void *to, size_t n);
	/* Called for each, in the order found; `at` is a position in that file. */
	void (*problem)(void *arg, enum segment_file, int64_t at, const char *what);
};
struct segment_facts {
	int64_t batches, records, problems;
	int64_t valid_bytes;  /* of the .log file, up to the first bad batch */
	int64_t next_offset, max_timestamp_ms;
	int64_t index_entries, timeindex_entries;
};

void segment_check(const struct segment_source *, struct segment_facts *);
