#include "broker/shard/persist.h"

#include "broker/shard/partition.h"

void persist_epochs(struct partition *p)
{
	(void)p;
}

void persist_producers(struct partition *p, int64_t offset)
{
	(void)p;
	(void)offset;
}

struct producer_append persist_append_of(const struct batch *b, int64_t base_offset)
{
	return (struct producer_append){
		.id = b->producer_id,
		.epoch = b->producer_epoch,
		.first_seq = b->base_sequence,
		.last_seq = batch_last_sequence(b),
		.first_offset = base_offset,
		.last_offset = base_offset + b->last_offset_delta,
		.timestamp_ms = b->max_timestamp_ms,
		.is_transactional = b->attributes & BATCH_TRANSACTIONAL,
		.is_control = b->attributes & BATCH_CONTROL,
	};
}

void persist_note(struct producers *to, const struct batch *b)
{
	struct producer_append by = persist_append_of(b, b->base_offset);

	if (by.id >= 0)
		producers_note(to, &by);
}

int64_t persist_load_producers(struct partition *p)
{
	producers_clear(&p->producers);
	return p->replica.log_start;
}
