/* producer_file.h - producer snapshots: <20-digit offset>.snapshot holds the idempotent producers
 * of a partition as they were just before that offset.
 *
 *   0 2 version = 1    2 4 crc32c of 6..end    6 4 rows    then per row, 46 bytes:
 *   0 8 producer id    8 2 epoch    10 4 last sequence    14 8 last offset    22 4 offset delta
 *   26 8 timestamp    34 4 coordinator epoch    38 8 first offset of the open transaction or -1
 *
 * A row has room for one batch.  Weir writes a row for each batch that it remembers of a producer,
 * oldest first, so that after a restart a retry of any of them is still a duplicate: from Kafka's
 * one row it would be out of order, which an idempotent producer takes as fatal.  A reader that
 * knows one row for each producer keeps the last, which is the one that Kafka writes.
 *
 * A snapshot is written at every roll (offset = base of the new segment) and at a clean close; it
 * goes when its segment goes.  At the start log_open removes those that belong to no segment but
 * the newest. */
#pragma once
#include "common/env/env.h"

struct producer_row {
	int64_t id;
	int16_t epoch;
	int32_t last_sequence;
	int64_t last_offset;
	int32_t offset_delta;
	int64_t timestamp_ms;
	int32_t coordinator_epoch;
	int64_t txn_first_offset;
};

must_check enum err producer_file_write(struct env *, const char *dir, int64_t offset,
					const struct producer_row *, int32_t n);
/* *v: heap, the caller's.  ERR_NOT_FOUND, ERR_CORRUPT. */
must_check enum err producer_file_read(struct env *, const char *dir, int64_t offset,
				       struct producer_row **v, int32_t *n);
/* The newest snapshot at or below `offset` that can be read; corrupt ones are removed on the way.
 * *at: its offset, -1 and no rows when there is none. */
must_check enum err producer_file_newest(struct env *, const char *dir, int64_t offset,
					 struct producer_row **v, int32_t *n, int64_t *at);
must_check enum err producer_file_drop_above(struct env *, const char *dir, int64_t offset);
