/* refusals.h - a shard's memory of refused batches (core/refused.h), by what a request holds.
 *
 * `where` is the partition's key, or for a topic that is not known yet what the client calls it. */
#pragma once
#include "common/wire/kerr.h"

struct shard;

/* The batch in `records` was refused with `e`, and nothing of it was written. */
void refusals_note(struct shard *, uint64_t where, struct str records, enum kerr e);
/* With what one before it was refused, which has not come again; KERR_NONE: there is none.  It does
 * not count when the batch is the next one that the partition expects: another leader may have
 * taken what was refused here. */
enum kerr refusals_before(struct shard *, uint64_t where, struct str records);
/* The batch is written. */
void refusals_over(struct shard *, uint64_t where, struct str records);
