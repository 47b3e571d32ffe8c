/* refusals.c - nothing is looked at while nothing was refused, which is nearly always. */
#include "broker/shard/refusals.h"

#include "broker/core/producer.h"
#include "broker/core/refused.h"
#include "broker/shard/shard.h"
#include "common/base/mark.h"
#include "common/wire/batch.h"

static bool is_of_stranger(struct str records, const struct producers *known, struct batch *);
static struct refused_batch entry_of(const struct batch *, uint64_t where, enum kerr);

void refusals_note(struct shard *s, uint64_t where, const struct producers *known,
		   struct str records, enum kerr e)
{
	struct refused_batch r;
	struct batch b;

	if (!kerr_retriable(e) || !is_of_stranger(records, known, &b))
		return;
	r = entry_of(&b, where, e);
	refused_note(&s->refused, &r, env_mono_ms(s->env));
}

enum kerr refusals_before(struct shard *s, uint64_t where, const struct producers *known,
			  struct str records)
{
	struct refused_batch r;
	struct batch b;
	enum kerr e;

	if (!refused_any(&s->refused) || !is_of_stranger(records, known, &b))
		return KERR_NONE;
	r = entry_of(&b, where, KERR_NONE);
	e = (enum kerr)refused_before(&s->refused, &r, env_mono_ms(s->env));
	if (e)
		MARK(batch_behind_a_refused_one);
	return e;
}

/* By the header alone: the rest is checked before anything is written. */
static bool is_of_stranger(struct str records, const struct producers *known, struct batch *b)
{
	return batch_view(b, (const uint8_t *)records.at, (int64_t)records.n) == BATCH_OK &&
	       b->producer_id >= 0 && b->base_sequence >= 0 &&
	       !(known && producers_find(known, b->producer_id));
}

static struct refused_batch entry_of(const struct batch *b, uint64_t where, enum kerr e)
{
	return (struct refused_batch){ .where = where,
				       .producer_id = b->producer_id,
				       .epoch = b->producer_epoch,
				       .first_seq = b->base_sequence,
				       .error = e };
}
