/* relay.h - a produce that reached a leader a moment too late is taken to the next one.
 *
 * A broker in controlled shutdown has given its leaderships away while clients still send to it.
 * NOT_LEADER_OR_FOLLOWER would cost a client its retry.backoff.ms (100 ms by default), a closed
 * connection as much for what was in flight.  So the request's frame goes, as it came, to the new
 * leader, and the answer comes back under the client's own correlation id.
 *
 * One request at a time to each leader, in the order they came: batches of a producer must not
 * overtake each other, also while the new leader does not know yet that it leads.
 * A request that finds no way within RELAY_MS gets the answer that it had before. */
#pragma once
#include "broker/api/api.h"

struct relays;
struct relays *relays_new(struct shard *);
void relays_free(struct relays *); /* what waits is answered as if there were no relay */

/* q has its answer in q->out, and nothing of it was appended here or it may safely be appended
 * twice.  True: q->out may become the new leader's, then req_done; false: that leader has no
 * address. */
bool relay_produce(struct relays *, struct req *q, int32_t leader);
