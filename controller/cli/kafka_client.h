/* kafka_client.h - one blocking Kafka connection: a request, its response, in versions we name.
 *
 * Versions are chosen by the caller from what every broker since 4.0 speaks, so there is no
 * ApiVersions round.  Responses are views into cli->mem.
 *
 * kafka_exchange is one question and its answer; several may also be sent first and received then,
 * in the same order, which costs one round trip in all. */
#pragma once
#include "common/wire/schema.h"
#include "controller/cli/cli.h"
#include "controller/cli/sock.h"

struct kafka {
	struct cli *cli;
	int fd;
	struct addr to;
	int32_t correlation_id, answered_id; /* of the last one sent, and received */
};

struct kafka_call {
	int key, version;
	const struct schema *in_schema, *out_schema;
	const void *in;
	void *out;
};

must_check enum err kafka_open(struct kafka *, struct cli *, struct addr, int64_t deadline_ms);
must_check enum err kafka_send(struct kafka *, const struct kafka_call *, int64_t deadline_ms);
must_check enum err kafka_receive(struct kafka *, const struct kafka_call *, int64_t deadline_ms);
must_check enum err kafka_exchange(struct kafka *, const struct kafka_call *, int64_t deadline_ms);
void kafka_close(struct kafka *);
