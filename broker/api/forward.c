/* forward.c - from a client's request to the controller's answer, over shard 0's link. */
#include "broker/api/forward.h"

/* However patient a client is, the controller waits no longer for slow brokers. */
#define WAIT_MS_MAX 60000
#define GRACE_MS 5000 /* for the way there and back */

static void answered(struct ctl_call *);

struct forward *forward_new(struct req *q, Weir__Request__BodyCase body, int32_t timeout_ms)
{
	struct forward *f = ARENA_NEW(q, struct forward, 1);

	f->q = q;
	f->wait_ms = i32_min(i32_max(timeout_ms, 0), WAIT_MS_MAX);
	f->request = ARENA_NEW(q, Weir__Request, 1);
	weir__request__init(f->request);
	f->request->body_case = body;
	return f;
}

enum api_ret forward_go(struct forward *f, void (*answer)(struct forward *))
{
	f->answer = answer;
	f->call.request = f->request;
	f->call.timeout_ms = f->wait_ms + GRACE_MS;
	f->call.arena = &f->q->arena;
	f->call.done = answered;
	f->call.arg = f;
	ctllink_ask(f->q->shard, &f->call);
	return API_WAIT;
}

/* The newest image is taken before the reply is filled: it holds what was just decided. */
static void answered(struct ctl_call *c)
{
	struct forward *f = c->arg;

	req_new_image(f->q);
	f->answer(f);
	req_done(f->q);
}

const Weir__Response *forward_body(struct forward *f, Weir__Response__BodyCase body)
{
	if (f->call.code == KERR_NONE && f->call.response && f->call.response->body_case == body)
		return f->call.response;
	if (f->call.code == KERR_NONE) {
		f->call.code = KERR_UNKNOWN_SERVER_ERROR;
		f->call.message =
			STR("the controller gave an answer that this broker does not know; "
			    "do both run the same version?");
	}
	if (str_null(f->call.message))
		f->call.message = str_of(kerr_text(f->call.code));
	return NULL;
}

char *forward_z(struct req *q, struct str s)
{
	char *at;

	if (str_null(s))
		return NULL;
	at = ARENA_NEW(q, char, s.n + 1);
	memcpy(at, s.at, s.n);
	return at;
}

Weir__BrokerIds *forward_ids(struct req *q, const int32_t *ids, int32_t n)
{
	Weir__BrokerIds *out = ARENA_NEW(q, Weir__BrokerIds, 1);

	weir__broker_ids__init(out);
	out->n_id = (size_t)i32_max(n, 0);
	out->id = ARENA_NEW(q, int32_t, n);
	for (int32_t i = 0; i < n; i++)
		out->id[i] = ids[i];
	return out;
}

struct str forward_message(struct req *q, int32_t code, const char *message)
{
	if (message && message[0])
		return arena_str(&q->arena, str_of(message));
	return str_of(code == KERR_NONE ? NULL : kerr_text(code));
}
