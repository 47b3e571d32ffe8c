/* leader_hints.c - who leads instead, and where: a client that asked the wrong broker goes straight
 * to the right one (KIP-951). */
#include "broker/api/leader_hints.h"

#include "kafka/fetch.h"
#include "kafka/produce.h"

#define HINTS_MAX 8

/* Both replies have the same fields under their own types. */
#define ADD_HINT(q, out, leader, type)                                                             \
	do {                                                                                       \
		const struct image_broker *b_ =                                                    \
			(q)->image ? image_broker((q)->image, leader) : NULL;                      \
		const struct image_endpoint *at_ = api_endpoint(q, b_);                            \
		for (int32_t i_ = 0; i_ < (out)->n_node_endpoints; i_++)                           \
			if ((out)->node_endpoints[i_].node_id == (leader))                         \
				return;                                                            \
		if (!at_ || (out)->n_node_endpoints == HINTS_MAX)                                  \
			return;                                                                    \
		if (!(out)->node_endpoints)                                                        \
			(out)->node_endpoints =                                                    \
				schema_new(&type##_schema, &(q)->arena, HINTS_MAX);                \
		(out)->node_endpoints[(out)->n_node_endpoints++] =                                 \
			(struct type){ (leader), at_->host, at_->port, b_->rack };                 \
	} while (0)

void produce_hint(struct req *q, struct produce_response *out, int32_t leader)
{
	ADD_HINT(q, out, leader, produce_response_node_endpoint);
}

void fetch_hint(struct req *q, struct fetch_response *out, int32_t leader)
{
	ADD_HINT(q, out, leader, fetch_response_node_endpoint);
}
