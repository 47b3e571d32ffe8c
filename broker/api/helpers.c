/* helpers.c - what many handlers ask: a broker's address for this client, a topic by name or id. */
#include "broker/api/api.h"

#include "broker/api/client.h"

const struct image_endpoint *api_endpoint(const struct req *q, const struct image_broker *b)
{
	const struct broker_conf *c = q->shard->broker->conf;
	struct str name = c->listener[q->client ? q->client->listener : 0].name;

	if (!b || b->is_fenced)
		return NULL;
	for (int32_t i = 0; i < b->n_endpoints; i++)
		if (str_eq(b->endpoints[i].name, name))
			return &b->endpoints[i];
	return NULL;
}

const struct image_topic *api_topic(const struct req *q, struct str name, struct uuid id)
{
	if (!q->image)
		return NULL;
	if (!uuid_is_zero(id))
		return image_topic_by_id(q->image, id);
	return str_null(name) ? NULL : image_topic_named(q->image, name);
}

enum kerr api_partition_known(const struct image_topic *t, int32_t partition, bool by_id)
{
	if (!t && by_id)
		return KERR_UNKNOWN_TOPIC_ID;
	if (!t || partition < 0 || partition >= t->n_partitions)
		return KERR_UNKNOWN_TOPIC_OR_PARTITION;
	return KERR_NONE;
}
