/* InitProducerId(22) for idempotent producers: a new id, with epoch 0, whatever the producer had
 * before.  Transactions have no coordinator here: their producers are told so at once. */
#include "broker/api/init_producer_id.h"

#include "broker/api/client.h"
#include "broker/api/producer_ids.h"
#include "common/base/log.h"
#include "kafka/init_producer_id.h"

struct init_work {
	struct producer_id_wait wait;
	struct req *q;
};

static void id_came(struct producer_id_wait *, int64_t id);
static void fill(struct req *, int64_t id);

enum api_ret handle_init_producer_id(struct req *q)
{
	const struct init_producer_id_request *in = q->in;
	struct init_producer_id_response *out = q->out;
	struct init_work *w = ARENA_NEW(q, struct init_work, 1);
	int64_t id;

	if (!str_null(in->transactional_id)) {
		log_info("producer", "transactions are not available, a producer was refused",
			 F_STR("transactional_id", in->transactional_id));
		out->error_code = KERR_UNSUPPORTED_VERSION;
		out->producer_epoch = -1;
		return API_DONE;
	}
	w->wait.done = id_came;
	w->q = q;
	if (!producer_ids_next(q->shard->api->producer_ids, &w->wait, &id))
		return API_WAIT;
	fill(q, id);
	return API_DONE;
}

static void id_came(struct producer_id_wait *wait, int64_t id)
{
	struct init_work *w = CONTAINER_OF(wait, struct init_work, wait);

	fill(w->q, id);
	req_done(w->q);
}

/* Retriable: the client comes again after its backoff. */
static void fill(struct req *q, int64_t id)
{
	struct init_producer_id_response *out = q->out;

	out->error_code = id < 0 ? KERR_COORDINATOR_LOAD_IN_PROGRESS : KERR_NONE;
	out->producer_id = id;
	out->producer_epoch = id < 0 ? -1 : 0;
}
