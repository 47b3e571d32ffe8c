/* ask.h - one question to a broker that the cluster's image names. */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/kafka_client.h"

/* Opens a connection, exchanges, closes.  ERR_NOT_FOUND: it has no address; ERR_REFUSED: nobody
 * listens, or --saved looks at a file. */
must_check enum err ask_broker(struct cli *, const struct image_broker *, const struct kafka_call *,
			       int64_t patience_ms);
/* The first that answers of the brokers in service, or of broker `id` alone when it is not -1. */
must_check enum err ask_any(struct cli *, const struct image *, int32_t id,
			    const struct kafka_call *, int64_t patience_ms);
