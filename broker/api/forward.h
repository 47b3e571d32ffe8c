/* forward.h - requests of clients that the controller decides: asked over the broker's link, and
 * answered when the controller says that every broker in service knows of the change.
 *
 *   f = forward_new(q, ..., timeout)  ->  fill f->request  ->  return forward_go(f, answer)
 *
 * `answer` runs with the controller's response, or without one and with a code and a message; it
 * fills the reply, which then leaves.  By then q->image is the newest one.  All memory is the
 * request's arena. */
#pragma once
#include "broker/api/api.h"
#include "broker/shard/ctllink.h"

struct forward {
	struct ctl_call call;
	Weir__Request *request;
	int32_t wait_ms;                 /* how long the controller may wait for the brokers */
	struct req *q;
	void (*answer)(struct forward *);
};
/* timeout_ms: the client's; brought into sensible bounds. */
struct forward *forward_new(struct req *, Weir__Request__BodyCase, int32_t timeout_ms);
enum api_ret forward_go(struct forward *, void (*answer)(struct forward *));

/* The response if it carries this body; otherwise NULL, and code and message say why. */
const Weir__Response *forward_body(struct forward *, Weir__Response__BodyCase);

/* A copy that ends in a NUL; NULL for null. */
char *forward_z(struct req *, struct str);
Weir__BrokerIds *forward_ids(struct req *, const int32_t *ids, int32_t n);
/* An error_message: what the controller said, else the error's own text, else null. */
struct str forward_message(struct req *, int32_t code, const char *message);
