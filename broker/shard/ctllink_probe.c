/* ctllink_probe.c - a controller that answers no heartbeats: is another one active by now?
 *
 * It may have been stopped, cut off or replaced, or only be slow: as long as nobody else is active
 * its connection is kept, because a broker that leaves is a broker that is fenced.  So the others
 * are asked, one at each heartbeat, and only an answer with a later epoch makes us leave. */
#include "broker/shard/ctllink_priv.h"
#include "common/base/log.h"
#include "common/wire/kerr.h"

#define BEATS_UNHEARD 3

static void ask(struct ctllink *);
static void answered(void *arg, enum err, const ProtobufCMessage *);
static void on_down(void *arg, struct rpc *, enum err why);
static void go_there(struct ctllink *, const Weir__Response *);

static const struct rpc_events events = { .down = on_down };

void ctl_watch(struct ctllink *l)
{
	int64_t patience_us = (int64_t)BEATS_UNHEARD * l->broker->conf->heartbeat_ms * 1000;
	int64_t now_us = env_mono_us(l->env);

	if (l->state != CTL_REGISTERED || l->broker->conf->n_controllers < 2 ||
	    now_us - l->heard_us <= patience_us || l->probe != NULL)
		return;
	ask(l);
}

void ctl_probe_end(struct ctllink *l)
{
	rpc_close(l->probe);
	l->probe = NULL;
}

static void ask(struct ctllink *l)
{
	Weir__DescribeQuorum in = WEIR__DESCRIBE_QUORUM__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;

	l->probed = (l->probed + 1) % l->broker->conf->n_controllers;
	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_QUORUM;
	request.describe_quorum = &in;
	l->probe = rpc_dial(l->env, &l->broker->conf->controller[l->probed],
			    &weir__response__descriptor, &events, l);
	rpc_call(l->probe, &request.base, l->broker->conf->heartbeat_ms, answered, l);
}

static void answered(void *arg, enum err e, const ProtobufCMessage *m)
{
	struct ctllink *l = arg;
	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	if (e == ERR_CLOSED)
		return; /* down follows */
	ctl_probe_end(l);
	if (!e && r->status->code == KERR_NONE && r->body_case == WEIR__RESPONSE__BODY_QUORUM)
		go_there(l, r);
}

static void on_down(void *arg, struct rpc *rpc, enum err why)
{
	struct ctllink *l = arg;

	(void)rpc;
	(void)why;
	l->probe = NULL;
}

static void go_there(struct ctllink *l, const Weir__Response *r)
{
	const Weir__Status *s = r->status;
	struct peer_addr there = { .port = 0 };

	if (r->quorum->leader < 0 || !s->active_host || !s->has_active_port ||
	    strlen(s->active_host) >= sizeof(there.host) ||
	    (l->image && r->quorum->epoch <= l->image->controller_epoch))
		return;
	memcpy(there.host, s->active_host, strlen(s->active_host));
	there.port = s->active_port;
	log_warn("controller", "it does not answer, and another one is active",
		 F_Z("controller", l->addr.host), F_I64("port", l->addr.port),
		 F_I64("active", r->quorum->leader), F_I64("epoch", r->quorum->epoch));
	ctl_restart(l);
	l->hint = there;
	timer_after_ms(l->env, &l->retry, 0);
}
