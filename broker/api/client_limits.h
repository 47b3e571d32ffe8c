/* client_limits.h - max.connections and max.connections.per.ip.
 *
 * One per broker, shared by its shards: any thread, under a lock that is held for a look-up.
 * Kafka lets who comes after max.connections wait in the kernel's queue; here it is closed at once,
 * as per address in both, because a client that knows can go elsewhere.  Connections on an
 * inter-broker listener of its own count, but are never refused by max.connections. */
#pragma once
#include "broker/api/client.h"

struct client_limits *client_limits_new(const struct broker_conf *, uint64_t seed);
void client_limits_free(struct client_limits *); /* NULL is fine; no client is left */
/* False: it is one too many, logged at most once a second, and nothing is counted. */
bool client_limits_enter(struct client_limits *, struct client *);
void client_limits_leave(struct client_limits *, struct client *);
