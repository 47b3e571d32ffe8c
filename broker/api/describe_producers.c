/* DescribeProducers(61): whom a partition's leader remembers, with their last sequences and open
 * transactions.  The rows cross from the partition's shard on the heap: only it can count them.
 * One reply carries a bounded number of rows, shared by the partitions asked for. */
#include "broker/api/describe_producers.h"

#include "broker/api/fanout.h"
#include "kafka/describe_producers.h"

#define PARTITIONS_MAX 10000
#define ROWS_MAX 1000000
#define ROWS_MIN 100 /* of a partition, however many are asked for */

enum { IN_ROWS_MAX = 0 }; /* in[] */
enum { OUT_N = 0 };       /* out[]: rows in data */

static void answer(struct ask_op *, struct partition *);
static struct describe_producers_response_active_producer row_of(const struct producer_entry *);
static void done(struct req *, struct ask_op *);
static void refuse(struct describe_producers_response_partition *, enum kerr);

enum api_ret handle_describe_producers(struct req *q)
{
	const struct describe_producers_request *in = q->in;
	struct describe_producers_response *out = q->out;
	struct fanout *f;
	int64_t n = 0;

	for (int32_t i = 0; i < in->n_topics; i++)
		n += i32_max(in->topics[i].n_partition_indexes, 0);
	f = fanout_new(q);
	out->n_topics = in->n_topics;
	out->topics =
		schema_new(&describe_producers_response_topic_schema, &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct describe_producers_request_topic *t = &in->topics[i];
		const struct image_topic *topic = api_topic(q, t->name, (struct uuid){ { 0 } });
		out->topics[i].name = t->name;
		out->topics[i].n_partitions = t->n_partition_indexes;
		out->topics[i].partitions =
			schema_new(&describe_producers_response_partition_schema, &q->arena,
				   t->n_partition_indexes);
		for (int32_t j = 0; j < t->n_partition_indexes; j++) {
			struct describe_producers_response_partition *slot =
				&out->topics[i].partitions[j];
			enum kerr e = api_partition_known(topic, t->partition_indexes[j], false);
			slot->partition_index = t->partition_indexes[j];
			if (n > PARTITIONS_MAX)
				e = KERR_INVALID_REQUEST;
			if (e == KERR_NONE)
				fanout_add(f, topic->id, slot->partition_index, slot)
					->in[IN_ROWS_MAX] = i64_max(ROWS_MAX / n, ROWS_MIN);
			else
				refuse(slot, e);
		}
	}
	return fanout_go(f, answer, done);
}

static void answer(struct ask_op *op, struct partition *p)
{
	struct describe_producers_response_active_producer *rows;
	const struct producer_entry **v;
	int32_t n;

	op->error = ask_leader(op, p);
	if (op->error != KERR_NONE)
		return;
	n = producers_count(&p->producers);
	if (n > op->in[IN_ROWS_MAX]) {
		op->error = KERR_INVALID_REQUEST;
		return;
	}
	v = mem_alloc(sizeof(const void *) * (size_t)(n + 1));
	rows = mem_alloc(sizeof(*rows) * (size_t)(n + 1));
	n = producers_rows(&p->producers, v, n);
	for (int32_t i = 0; i < n; i++)
		rows[i] = row_of(v[i]);
	mem_free(v);
	op->data = rows;
	op->out[OUT_N] = n;
}

static struct describe_producers_response_active_producer row_of(const struct producer_entry *e)
{
	return (struct describe_producers_response_active_producer){
		.producer_id = e->id,
		.producer_epoch = e->epoch,
		.last_sequence = e->n > 0 ? e->batches[e->n - 1].last_seq : -1,
		.last_timestamp = e->last_timestamp_ms,
		.coordinator_epoch = e->coordinator_epoch,
		.current_txn_start_offset = e->txn_first_offset,
	};
}

static void done(struct req *q, struct ask_op *op)
{
	struct describe_producers_response_partition *slot = op->slot;
	int32_t n = (int32_t)op->out[OUT_N];

	if (op->error != KERR_NONE) {
		refuse(slot, op->error);
		return;
	}
	slot->active_producers =
		ARENA_NEW(q, struct describe_producers_response_active_producer, n);
	memcpy(slot->active_producers, op->data, sizeof(*slot->active_producers) * (size_t)n);
	slot->n_active_producers = n;
	mem_free(op->data);
}

static void refuse(struct describe_producers_response_partition *slot, enum kerr e)
{
	slot->error_code = (int16_t)e;
	slot->error_message =
		e == KERR_INVALID_REQUEST
			? STR("This would be too large a reply: ask for fewer partitions at once.")
			: str_of(kerr_text(e));
}
