/* kclient.h - a small blocking Kafka client for tests and tools: one connection, any api.
 *
 *   struct kclient k;
 *   struct metadata_request req;   schema_init(&metadata_request_schema, &req);
 *   struct metadata_response resp;
 *   if (kclient_open(&k, "127.0.0.1", 9092, 5000) ||
 *       kclient_call(&k, API_METADATA, 12, &req, &resp))
 *           FAIL("%s", k.error);
 *   kclient_close(&k);
 *
 * What a reply points to lives in k.arena until the next kclient_call or kclient_close; requests
 * may be built there too after a call has returned (kclient_fresh empties it by hand).
 * Every wait is bounded by timeout_ms, which may be changed at any time.  Errors: ERR_REFUSED,
 * ERR_TIMEOUT, ERR_CLOSED (by the peer), ERR_CORRUPT (a reply that does not decode or answers
 * something else), ERR_IO; k.error says it in words.  One thread at a time. */
#pragma once
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/wire/schema.h"
#include "kafka/apis.h"

struct kclient {
	int fd;
	int timeout_ms;
	int32_t correlation_id; /* of the last request */
	int32_t answered_id;    /* of the last reply */
	const char *client_id;
	struct bufpool *pool;
	struct arena arena;
	char error[200];
};

must_check enum err kclient_open(struct kclient *, const char *host, int port, int timeout_ms);
void kclient_close(struct kclient *); /* fine after a failed open, and twice */
void kclient_fresh(struct kclient *);

/* Call = fresh memory, send, receive.  Send and receive apart allow several in flight. */
must_check enum err kclient_call(struct kclient *, enum api_key, int version, const void *request,
				 void *response);
must_check enum err kclient_send(struct kclient *, enum api_key, int version, const void *request);
must_check enum err kclient_recv(struct kclient *, enum api_key, int version, void *response);

/* Hostile input: any bytes out; one frame in without its size, as a view into the arena. */
must_check enum err kclient_send_raw(struct kclient *, const void *, size_t n);
must_check enum err kclient_recv_raw(struct kclient *, struct str *frame);
bool kclient_is_closed(struct kclient *); /* waits up to timeout_ms for the peer to close */
