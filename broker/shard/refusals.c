/* refusals.c - nothing is looked at while nothing was refused, which is nearly always. */
#include "broker/shard/refusals.h"

#include "broker/core/refused.h"
#include "broker/shard/shard.h"
#include "common/wire/batch.h"

static bool is_in_sequence(struct str records, struct batch *);
static struct refused_batch entry_of(const struct batch *, uint64_t where, enum kerr);

void refusals_note(struct shard *s, uint64_t where, struct str records, enum kerr e)
{
	struct refused_batch r;
	struct batch b;

	if (!kerr_retriable(e) || !is_in_sequence(records, &b))
		return;
	r = entry_of(&b, where, e);
	refused_note(&s->refused, &r, env_mono_ms(s->env));
}

enum kerr refusals_before(struct shard *s, uint64_t where, struct str records)
{
	struct refused_batch r;
	struct batch b;

	if (!refused_any(&s->refused) || !is_in_sequence(records, &b))
		return KERR_NONE;
	r = entry_of(&b, where, KERR_NONE);
	return (enum kerr)refused_before(&s->refused, &r, env_mono_ms(s->env));
}

void refusals_over(struct shard *s, uint64_t where, struct str records)
{
	struct refused_batch r;
	struct batch b;

	if (!refused_any(&s->refused) || !is_in_sequence(records, &b))
		return;
	r = entry_of(&b, where, KERR_NONE);
	refused_over(&s->refused, &r);
}

/* By the header alone: the rest is checked before anything is written. */
static bool is_in_sequence(struct str records, struct batch *b)
{
	return batch_view(b, (const uint8_t *)records.at, (int64_t)records.n) == BATCH_OK &&
	       b->producer_id >= 0 && b->base_sequence >= 0;
}

static struct refused_batch entry_of(const struct batch *b, uint64_t where, enum kerr e)
{
	return (struct refused_batch){ .where = where,
				       .producer_id = b->producer_id,
				       .epoch = b->producer_epoch,
				       .first_seq = b->base_sequence,
				       .error = e };
}
