/* broker.c - which shard owns which partition: a hash of the topic, then one after the other. */
#include "broker/shard/broker.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t partition_key(struct uuid topic_id, int32_t partition)
{
	uint64_t half[2];

	memcpy(half, topic_id.b, sizeof(half));
	return mix(mix(half[0]) + mix(half[1] + (uint64_t)(uint32_t)partition));
}

/* Neighbouring partitions of a topic go to different shards, so that a small topic uses them all.
 */
struct shard *broker_shard(const struct broker *b, struct uuid topic_id, int32_t partition)
{
	ASSERT(b->n_shards > 0);
	uint64_t h = partition_key(topic_id, 0) % (uint64_t)b->n_shards;
	return b->shards[(h + (uint64_t)(uint32_t)partition) % (uint64_t)b->n_shards];
}
