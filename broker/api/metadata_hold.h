/* metadata_hold.h - a Metadata answer that waits a moment for news that is on its way.
 *
 * A client whose leader was killed asks at once, on a connection it has had for a while; the close
 * of our own connection to that leader may arrive a moment later.  So questions of a connection
 * that has served for something before wait HOLD_MS, and every question waits as long as a broker
 * is lost (lost.h), which is at most LOST_MS.  What the client sent after it waits along. */
#pragma once
#include "broker/api/api.h"

/* True: go(q) comes later, on the newest image; it fills the reply and ends with req_done. */
bool metadata_hold(struct req *, void (*go)(struct req *));
