/* client_move.c - a connection goes to the shard that owns what it asks for.
 *
 *   client_note_owner   each produce or fetch that one shard alone answers
 *   MOVE_AFTER in a row -> move_to is set: pump starts nothing until all is answered
 *   client_move -> peers->move -> moved, on the other shard's thread */
#include "broker/api/client.h"

/* Enough to know a habit; a client of many partitions never has such a row. */
#define MOVE_AFTER 8 /* requests in a row */

static void moved(void *arg, struct conn *);

void client_note_owner(struct req *q, struct shard *owner)
{
	struct client *c = q->client;

	if (!c || c->move_to)
		return;
	if (owner != c->owner) {
		c->owner = owner;
		c->n_owned = 0;
	}
	if (++c->n_owned >= MOVE_AFTER && owner != q->shard)
		c->move_to = owner;
}

/* Requests that wait go along; their bytes count on the new shard from then on. */
void client_move(struct client *c)
{
	struct shard *to = c->move_to;

	list_remove(&c->node);
	list_remove(&c->paused);
	c->api->bytes -= c->bytes;
	c->api = to->api;
	LIST_FOR (q, &c->waiting, struct req, node) {
		ASSERT(q->state == REQ_QUEUED);
		q->shard = to;
	}
	to->broker->shards[0]->env->peers->move(c->conn, to->env, moved);
}

static void moved(void *arg, struct conn *conn)
{
	struct client *c = arg;

	(void)conn;
	c->move_to = NULL;
	c->n_owned = 0;
	c->api->bytes += c->bytes;
	list_push_back(&c->api->clients, &c->node);
	client_arrived(c);
}
