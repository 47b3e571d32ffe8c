/* WeirControl(10000): the `weir` command's way to the controller through any broker.  The payload
 * is a packed Request of proto/cluster/rpc.proto, the answer's a packed Response.  What only a
 * broker may say in its own name is not passed on. */
#include "broker/api/weir_control.h"

#include "broker/api/forward.h"
#include "kafka/weir_control.h"

#define WAIT_MS 60000

static bool is_for_tools(const Weir__Request *);
static bool is_look(const Weir__Request *);
static enum api_ret refuse(struct req *, enum kerr, struct str why);
static void answer(struct forward *);

enum api_ret handle_weir_control(struct req *q)
{
	const struct weir_control_request *in = q->in;
	struct forward *f;
	Weir__Request *m = ctl_unpack(&weir__request__descriptor, &q->arena,
				      (const uint8_t *)in->payload.at, in->payload.n);

	if (!m)
		return refuse(q, KERR_INVALID_REQUEST,
			      STR("The payload is not a packed Request of Weir's control plane."));
	if (!is_for_tools(m))
		return refuse(q, KERR_INVALID_REQUEST,
			      STR("This request is unknown here, or only a broker may send it to "
				  "the controller."));
	f = forward_new(q, m->body_case, WAIT_MS);
	f->request = m;
	f->call.is_look = is_look(m);
	return forward_go(f, answer);
}

/* Registration, heartbeats and AlterPartition are for brokers on their own connection. */
static bool is_for_tools(const Weir__Request *m)
{
	switch ((int)m->body_case) {
	case WEIR__REQUEST__BODY_CREATE_TOPICS:
	case WEIR__REQUEST__BODY_DELETE_TOPICS:
	case WEIR__REQUEST__BODY_CREATE_PARTITIONS:
	case WEIR__REQUEST__BODY_ALTER_CONFIGS:
	case WEIR__REQUEST__BODY_ELECT_LEADERS:
	case WEIR__REQUEST__BODY_REASSIGN_PARTITIONS:
	case WEIR__REQUEST__BODY_UPDATE_FEATURES:
	case WEIR__REQUEST__BODY_UNREGISTER_BROKER:
	case WEIR__REQUEST__BODY_HOLD_BROKER:
	case WEIR__REQUEST__BODY_DESCRIBE_QUORUM:
	case WEIR__REQUEST__BODY_ADD_VOTER:
	case WEIR__REQUEST__BODY_REMOVE_VOTER:
	case WEIR__REQUEST__BODY_TRANSFER_LEADER:
	case WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER:
	case WEIR__REQUEST__BODY_READ_LOG:
	case WEIR__REQUEST__BODY_READ_SNAPSHOT: return true;
	default: return false;
	}
}

/* The command answers by itself then, from what this broker knows. */
static bool is_look(const Weir__Request *m)
{
	return m->body_case == WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER ||
	       m->body_case == WEIR__REQUEST__BODY_READ_SNAPSHOT ||
	       m->body_case == WEIR__REQUEST__BODY_READ_LOG ||
	       m->body_case == WEIR__REQUEST__BODY_DESCRIBE_QUORUM;
}

static enum api_ret refuse(struct req *q, enum kerr e, struct str why)
{
	struct weir_control_response *out = q->out;

	out->error_code = (int16_t)e;
	out->error_message = why;
	out->payload = STR("");
	return API_DONE;
}

/* Whatever the controller said goes back as it came, its refusals too. */
static void answer(struct forward *f)
{
	struct weir_control_response *out = f->q->out;

	if (f->call.reply)
		out->payload =
			arena_str(&f->q->arena, (struct str){ (const char *)f->call.reply->at,
							      f->call.reply->len });
	else
		(void)refuse(f->q, (enum kerr)f->call.code, f->call.message);
}
