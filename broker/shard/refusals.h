/* refusals.h - a shard's memory of refused batches (core/refused.h), by what a request holds.
 *
 * `where` is the partition's key, or for a topic that is not known yet what the client calls it.
 * `known` are the partition's producers, NULL without partition: only of a producer that is not
 * among them any sequence would be taken. */
#pragma once
#include "common/wire/kerr.h"

struct shard;
struct producers;

/* The batch in `records` was refused with `e`, and nothing of it was written. */
void refusals_note(struct shard *, uint64_t where, const struct producers *known,
		   struct str records, enum kerr e);
/* With what it must be refused because one before it was; KERR_NONE: it may be written. */
enum kerr refusals_before(struct shard *, uint64_t where, const struct producers *known,
			  struct str records);
