/* epoch_offsets.c - OffsetForLeaderEpoch tells where an epoch ends; the next one begins there. */
#include "controller/cli/epoch_offsets.h"
#include "kafka/apis.h"
#include "kafka/offset_for_leader_epoch.h"

#define ANSWER_MS 2000
enum { VERSION = 4, AS_CONSUMER = -1 };

void epoch_offsets_open(struct epoch_offsets *e, struct cli *cli, const struct view *v,
			const struct image_topic *t, int32_t partition)
{
	const struct image_partition *p = &t->partitions[partition];
	const struct image_broker *b = image_broker(v->image, p->leader);

	*e = (struct epoch_offsets){ .conn.fd = -1,
				     .topic = t->name,
				     .partition = partition,
				     .newest = p->leader_epoch,
				     .deadline_ms = cli_now_ms() + ANSWER_MS };
	if (b && b->n_endpoints && !cli_flag(cli, "saved") &&
	    kafka_open(&e->conn, cli,
		       (struct addr){ cli_z(cli, b->endpoints[0].host), b->endpoints[0].port },
		       e->deadline_ms))
		e->conn.fd = -1;
}

void epoch_offsets_close(struct epoch_offsets *e)
{
	kafka_close(&e->conn);
}

/* The end of the newest epoch up to the asked one; -1: the leader does not know. */
static int64_t end_of(struct epoch_offsets *e, int32_t leader_epoch)
{
	struct offset_for_leader_epoch_request_partition partition;
	struct offset_for_leader_epoch_request_topic topic;
	struct offset_for_leader_epoch_request in;
	struct offset_for_leader_epoch_response out;

	schema_init(&offset_for_leader_epoch_request_schema, &in);
	schema_init(&offset_for_leader_epoch_request_topic_schema, &topic);
	schema_init(&offset_for_leader_epoch_request_partition_schema, &partition);
	partition.partition = e->partition;
	partition.current_leader_epoch = e->newest;
	partition.leader_epoch = leader_epoch;
	topic.topic = e->topic;
	topic.partitions = &partition;
	topic.n_partitions = 1;
	in.replica_id = AS_CONSUMER;
	in.topics = &topic;
	in.n_topics = 1;
	if (kafka_exchange(&e->conn,
			   &(struct kafka_call){ API_OFFSET_FOR_LEADER_EPOCH, VERSION,
						 &offset_for_leader_epoch_request_schema,
						 &offset_for_leader_epoch_response_schema, &in,
						 &out },
			   e->deadline_ms)) {
		kafka_close(&e->conn);
		return -1;
	}
	if (out.n_topics != 1 || out.topics[0].n_partitions != 1 ||
	    out.topics[0].partitions[0].error_code)
		return -1;
	return out.topics[0].partitions[0].end_offset;
}

int64_t epoch_offsets_start(struct epoch_offsets *e, int32_t leader_epoch)
{
	if (e->conn.fd < 0)
		return -1;
	return leader_epoch == 0 ? 0 : end_of(e, leader_epoch - 1);
}
