/* broker.c - which shard owns which partition: a hash of the topic, then one after the other. */
#include "broker/shard/broker.h"

#include <stdio.h>

#include "common/meta/image.h"

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

bool broker_addr(const struct broker *b, const struct image *im, int32_t id, struct peer_addr *at)
{
	const struct image_broker *row = im ? image_broker(im, id) : NULL;
	struct str name = b->conf->listener[b->conf->inter_broker].name;
	const struct image_endpoint *e = NULL;

	for (int32_t i = 0; row && i < row->n_endpoints; i++)
		if (i == 0 || str_eq(row->endpoints[i].name, name))
			e = &row->endpoints[i];
	if (!e || e->port == 0)
		return false;
	snprintf(at->host, sizeof(at->host), "%.*s", (int)e->host.n, e->host.at);
	at->port = e->port;
	return true;
}
