/* ListOffsets(2) and OffsetForLeaderEpoch(23): questions that each partition's shard answers at
 * once (shard/ask.c). */
#include "broker/api/list_offsets.h"

#include "broker/api/fanout.h"
#include "kafka/list_offsets.h"
#include "kafka/offset_for_leader_epoch.h"

static const uint8_t *count_asked(struct req *, const struct list_offsets_request_topic *,
				  const struct image_topic *);
static enum kerr check_offset(const struct req *, const struct list_offsets_request_partition *,
			      const struct image_topic *, const uint8_t *asked);
static void offset_done(struct req *, struct ask_op *);
static void epoch_end_done(struct req *, struct ask_op *);

enum api_ret handle_list_offsets(struct req *q)
{
	const struct list_offsets_request *in = q->in;
	struct list_offsets_response *out = q->out;
	struct fanout *f = fanout_new(q);

	out->n_topics = in->n_topics;
	out->topics = schema_new(&list_offsets_response_topic_schema, &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct list_offsets_request_topic *t = &in->topics[i];
		const struct image_topic *topic = api_topic(q, t->name, (struct uuid){ { 0 } });
		const uint8_t *asked = count_asked(q, t, topic);
		struct list_offsets_response_topic *ot = &out->topics[i];
		ot->name = t->name;
		ot->n_partitions = t->n_partitions;
		ot->partitions = schema_new(&list_offsets_response_partition_schema, &q->arena,
					    t->n_partitions);
		for (int32_t j = 0; j < t->n_partitions; j++) {
			struct list_offsets_response_partition *slot = &ot->partitions[j];
			enum kerr e = check_offset(q, &t->partitions[j], topic, asked);
			slot->partition_index = t->partitions[j].partition_index;
			slot->error_code = (int16_t)e;
			if (e != KERR_NONE)
				continue;
			struct ask_op *op =
				fanout_add(f, topic->id, t->partitions[j].partition_index, slot);
			op->leader_epoch = t->partitions[j].current_leader_epoch;
			op->in[ASK_REPLICA] = in->replica_id;
			op->in[ASK_TIMESTAMP] = t->partitions[j].timestamp;
		}
	}
	return fanout_go(f, ask_offset, offset_done);
}

/* How often each partition of the topic is asked about: twice in one request is refused. */
static const uint8_t *count_asked(struct req *q, const struct list_offsets_request_topic *t,
				  const struct image_topic *topic)
{
	uint8_t *times = topic ? ARENA_NEW(q, uint8_t, topic->n_partitions) : NULL;

	for (int32_t i = 0; topic && i < t->n_partitions; i++) {
		int32_t n = t->partitions[i].partition_index;
		if (n >= 0 && n < topic->n_partitions && times[n] < 2)
			times[n]++;
	}
	return times;
}

/* Timestamps below -1 came one by one with newer versions; an older one must not use them. */
static enum kerr check_offset(const struct req *q, const struct list_offsets_request_partition *p,
			      const struct image_topic *topic, const uint8_t *asked)
{
	/* The version that brought timestamp -1, -2, ... */
	static const int16_t since[] = { 0, 0, 0, 7, 8, 9, 11 };
	enum kerr e = api_partition_known(topic, p->partition_index, false);

	if (p->timestamp < -6 || (p->timestamp < 0 && q->head.api_version < since[-p->timestamp]))
		return KERR_UNSUPPORTED_VERSION;
	if (e == KERR_NONE && asked[p->partition_index] > 1)
		return KERR_INVALID_REQUEST;
	return e;
}

/* Clients of versions below 5 do not know OFFSET_NOT_AVAILABLE: they are told to look again. */
static void offset_done(struct req *q, struct ask_op *op)
{
	struct list_offsets_response_partition *slot = op->slot;
	enum kerr e = op->error;

	if (e == KERR_OFFSET_NOT_AVAILABLE && q->head.api_version < 5)
		e = KERR_LEADER_NOT_AVAILABLE;
	slot->error_code = (int16_t)e;
	slot->offset = op->out[ASK_OFFSET];
	slot->timestamp = op->out[ASK_FOUND_MS];
	slot->leader_epoch = (int32_t)op->out[ASK_EPOCH];
	if (q->head.api_version == 0 && e == KERR_NONE && slot->offset >= 0) {
		slot->old_style_offsets = ARENA_NEW(q, int64_t, 1);
		slot->old_style_offsets[0] = slot->offset;
		slot->n_old_style_offsets = 1;
	}
}

enum api_ret handle_offset_for_leader_epoch(struct req *q)
{
	const struct offset_for_leader_epoch_request *in = q->in;
	struct offset_for_leader_epoch_response *out = q->out;
	struct fanout *f = fanout_new(q);

	out->n_topics = in->n_topics;
	out->topics =
		schema_new(&offset_for_leader_epoch_response_topic_schema, &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct offset_for_leader_epoch_request_topic *t = &in->topics[i];
		const struct image_topic *topic = api_topic(q, t->topic, (struct uuid){ { 0 } });
		struct offset_for_leader_epoch_response_topic *ot = &out->topics[i];
		ot->topic = t->topic;
		ot->n_partitions = t->n_partitions;
		ot->partitions = schema_new(&offset_for_leader_epoch_response_partition_schema,
					    &q->arena, t->n_partitions);
		for (int32_t j = 0; j < t->n_partitions; j++) {
			struct offset_for_leader_epoch_response_partition *slot =
				&ot->partitions[j];
			enum kerr e = api_partition_known(topic, t->partitions[j].partition, false);
			slot->partition = t->partitions[j].partition;
			slot->error_code = (int16_t)e;
			if (e != KERR_NONE)
				continue;
			struct ask_op *op = fanout_add(f, topic->id, slot->partition, slot);
			op->leader_epoch = t->partitions[j].current_leader_epoch;
			op->in[0] = t->partitions[j].leader_epoch;
		}
	}
	return fanout_go(f, ask_epoch_end, epoch_end_done);
}

static void epoch_end_done(struct req *q, struct ask_op *op)
{
	struct offset_for_leader_epoch_response_partition *slot = op->slot;

	(void)q;
	slot->error_code = (int16_t)op->error;
	slot->leader_epoch = (int32_t)op->out[ASK_EPOCH];
	slot->end_offset = op->out[ASK_OFFSET];
}
