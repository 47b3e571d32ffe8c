/* DescribeCluster(60): the brokers as this connection's listener shows them, from version 2 the
 * fenced ones too.  UnregisterBroker(64): the controller forgets a broker that will not return. */
#include "broker/api/describe_cluster.h"

#include "broker/api/forward.h"
#include "broker/api/operations.h"
#include "kafka/describe_cluster.h"
#include "kafka/unregister_broker.h"

#define WAIT_MS 10000 /* UnregisterBroker carries no timeout */

enum { ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

static void fill_brokers(struct req *, const struct describe_cluster_request *,
			 struct describe_cluster_response *);
static void unregistered(struct forward *);

enum api_ret handle_describe_cluster(struct req *q)
{
	const struct describe_cluster_request *in = q->in;
	struct describe_cluster_response *out = q->out;

	out->cluster_id = str_of(q->shard->broker->cluster_id);
	out->endpoint_type = in->endpoint_type;
	if (in->endpoint_type == ENDPOINT_CONTROLLER) {
		out->error_code = KERR_MISMATCHED_ENDPOINT_TYPE;
		out->error_message = STR("This is a broker: it tells about brokers only, and "
					 "passes on what controllers "
					 "have to decide.");
		return API_DONE;
	}
	if (in->endpoint_type != ENDPOINT_BROKER) {
		out->error_code = KERR_UNSUPPORTED_ENDPOINT_TYPE;
		out->error_message = arena_printf(
			&q->arena, "Endpoint type %d is unknown: 1 is broker, 2 controller.",
			in->endpoint_type);
		return API_DONE;
	}
	if (in->include_cluster_authorized_operations)
		out->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
	if (q->image)
		fill_brokers(q, in, out);
	return API_DONE;
}

static void fill_brokers(struct req *q, const struct describe_cluster_request *in,
			 struct describe_cluster_response *out)
{
	const struct image *im = q->image;
	int32_t alive[8], n_alive = 0;

	out->brokers =
		schema_new(&describe_cluster_response_broker_schema, &q->arena, im->n_brokers);
	for (int32_t i = 0; i < im->n_brokers; i++) {
		const struct image_broker *b = im->brokers[i];
		const struct image_endpoint *at = api_endpoint(q, b);
		if (at && n_alive < (int32_t)ARRAY_LEN(alive))
			alive[n_alive++] = b->id;
		if (!at && in->include_fenced_brokers && b->is_fenced && b->n_endpoints > 0)
			at = &b->endpoints[0];
		if (at)
			out->brokers[out->n_brokers++] = (struct describe_cluster_response_broker){
				b->id, at->host, at->port, b->rack, b->is_fenced
			};
	}
	/* As in Metadata: any broker passes on what is for the controller. */
	if (n_alive > 0)
		out->controller_id = alive[prng_below(&q->shard->env->prng, (uint64_t)n_alive)];
}

/* ---- UnregisterBroker ------------------------------------------------------------------------ */

enum api_ret handle_unregister_broker(struct req *q)
{
	const struct unregister_broker_request *in = q->in;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_UNREGISTER_BROKER, WAIT_MS);
	Weir__UnregisterBroker *m = f->request->unregister_broker =
		ARENA_NEW(q, Weir__UnregisterBroker, 1);

	weir__unregister_broker__init(m);
	m->id = in->broker_id;
	return forward_go(f, unregistered);
}

static void unregistered(struct forward *f)
{
	struct unregister_broker_response *out = f->q->out;

	out->error_code = (int16_t)f->call.code;
	out->error_message = f->call.message;
	if (f->call.code != KERR_NONE && str_null(out->error_message))
		out->error_message = str_of(kerr_text(f->call.code));
}
