/* ctllink.c - the connection to the active controller: dial, register, heartbeat, again.
 *
 *   RESTING --retry--> DIALLING --on_up--> REGISTERING --registered--> REGISTERED
 *   any --on_down, refusal, a gap in the metadata, another one is active--> rest: RESTING
 *
 * The next one is whom a standby named, else the next configured.  Each is tried once without a
 * pause: after an election every millisecond counts, and a standby knows.
 *
 * While it is down the broker goes on with the image it has: leaders serve, followers fetch; only
 * what needs a decision waits.  Questions and ISR changes are ctllink_ask.c, metadata is
 * ctllink_meta.c. */
#include "broker/shard/ctllink.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "broker/shard/ctllink_priv.h"
#include "broker/shard/dirs.h"
#include "common/base/log.h"
#include "common/base/mark.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"

/* The controller answers a registration when it is on its disk.  Backoff between attempts; and how
 * long a stopping broker waits for a controller that is not there. */
#define REGISTER_TIMEOUT_MS 5000
#define REGISTER_TIMEOUT_OF_MANY_MS 1500 /* one that stands still takes connections, too */
#define REST_MIN_MS 20
#define REST_MAX_MS 1000
#define REST_MAX_OF_MANY_MS 250
#define SHUTDOWN_ALONE_MS 1000
#define COMPLAIN_EVERY_US 10000000

static void dial(void *arg);
static void rest(struct ctllink *);
static void complain(struct ctllink *);
static int next_controller(const struct ctllink *);
static int64_t pause_ms(struct ctllink *);
static void on_up(void *arg, struct rpc *);
static void on_down(void *arg, struct rpc *, enum err why);
static void on_push(void *arg, struct rpc *, const ProtobufCMessage *);
static void send_register(struct ctllink *);
static void fill_endpoints(struct ctllink *, Weir__RegisterBroker *);
static void registered(void *arg, enum err, const ProtobufCMessage *);
static void go_elsewhere(struct ctllink *, const Weir__Status *);
static bool accept_cluster(struct ctllink *, const char *cluster_id);
static void on_heartbeat_timer(void *arg);
static void beat(struct ctllink *);
static void heartbeat_answer(struct ctllink *, const Weir__HeartbeatAnswer *);
static void on_shutdown_timer(void *arg);

static const struct rpc_events events = { .up = on_up, .down = on_down, .push = on_push };

struct ctllink *ctllink_new(struct shard *zero)
{
	struct ctllink *l = mem_alloc(sizeof(*l));

	l->zero = zero;
	l->env = zero->env;
	l->broker = zero->broker;
	l->broker_epoch = -1;
	l->is_fenced = true;
	l->down_us = env_mono_us(l->env);
	timer_init(&l->retry, dial, l);
	timer_init(&l->heartbeat, on_heartbeat_timer, l);
	timer_init(&l->shutdown, on_shutdown_timer, l);
	ctl_ask_init(l);
	return l;
}

void ctllink_free(struct ctllink *l)
{
	rpc_close(l->rpc);
	ctl_probe_end(l);
	ctl_meta_free(l);
	arena_fini(&l->arena);
	mem_free(l);
}

void ctllink_stop(struct ctllink *l)
{
	l->is_stopped = true;
	rpc_close(l->rpc);
	ctl_probe_end(l);
	l->rpc = NULL;
	l->state = CTL_RESTING;
	timer_clear(l->env, &l->retry);
	timer_clear(l->env, &l->heartbeat);
	timer_clear(l->env, &l->shutdown);
	ctl_ask_stop(l);
}

void ctllink_start(struct ctllink *l)
{
	dial(l);
}

int64_t ctllink_broker_epoch(const struct ctllink *l)
{
	return l->broker_epoch;
}

/* ---- the connection -------------------------------------------------------------------------- */

static void dial(void *arg)
{
	struct ctllink *l = arg;

	l->state = CTL_DIALLING;
	l->addr = l->hint.port > 0 ? l->hint : l->broker->conf->controller[l->controller];
	l->rpc = rpc_dial(l->env, &l->addr, &weir__response__descriptor, &events, l);
}

static void rest(struct ctllink *l)
{
	complain(l);
	if (l->state == CTL_REGISTERED)
		l->down_us = env_mono_us(l->env);
	l->state = CTL_RESTING;
	l->rpc = NULL;
	ctl_probe_end(l);
	l->hint.port = 0;
	l->controller = next_controller(l);
	timer_clear(l->env, &l->heartbeat);
	/* Nobody is there to move our leaders: do not sit out the whole shutdown.  Every failed try
	 * comes by here and must not put it off again. */
	if (l->shutdown_done && l->shutdown.at_us > env_mono_us(l->env) + SHUTDOWN_ALONE_MS * 1000)
		timer_after_ms(l->env, &l->shutdown, SHUTDOWN_ALONE_MS);
	timer_after_ms(l->env, &l->retry, pause_ms(l));
}

/* When all have been asked, then every COMPLAIN_EVERY_US: a controller may be away for long. */
static void complain(struct ctllink *l)
{
	int64_t now_us = env_mono_us(l->env);
	int n = l->broker->conf->n_controllers;

	if (l->tries < n || (l->tries > n && now_us < l->complained_us + COMPLAIN_EVERY_US))
		return;
	l->complained_us = now_us;
	log_warn("controller", "no active controller, trying again",
		 F_Z("controller", l->addr.host), F_I64("port", l->addr.port),
		 F_Z("why", l->ended ? err_text(l->ended) : l->refusal));
}

/* Behind the one that was tried last, hint or not: it comes last in this round. */
static int next_controller(const struct ctllink *l)
{
	const struct broker_conf *c = l->broker->conf;
	int last = l->controller;

	for (int i = 0; i < c->n_controllers; i++)
		if (c->controller[i].port == l->addr.port &&
		    strcmp(c->controller[i].host, l->addr.host) == 0)
			last = i;
	return (last + 1) % c->n_controllers;
}

static int64_t pause_ms(struct ctllink *l)
{
	int n = l->broker->conf->n_controllers, tries = l->tries++;

	if (n == 1)
		return rpc_backoff_ms(&l->env->prng, tries, REST_MIN_MS, REST_MAX_MS);
	if (tries < n)
		return 0;
	return rpc_backoff_ms(&l->env->prng, (tries - n) / n, REST_MIN_MS, REST_MAX_OF_MANY_MS);
}

void ctl_restart(struct ctllink *l)
{
	rpc_close(l->rpc);
	ctl_link_lost(l);
	rest(l);
}

static void on_up(void *arg, struct rpc *rpc)
{
	(void)rpc;
	send_register(arg);
}

static void on_down(void *arg, struct rpc *rpc, enum err why)
{
	struct ctllink *l = arg;

	(void)rpc;
	l->ended = why;
	if (l->state == CTL_REGISTERED)
		log_warn("controller", "the connection closed", F_Z("why", err_text(why)));
	rest(l);
}

static void on_push(void *arg, struct rpc *rpc, const ProtobufCMessage *m)
{
	struct ctllink *l = arg;
	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	(void)rpc;
	l->heard_us = env_mono_us(l->env);
	if (r->body_case == WEIR__RESPONSE__BODY_METADATA)
		ctl_meta_push(l, r->metadata);
	else if (r->body_case == WEIR__RESPONSE__BODY_HEARTBEAT)
		heartbeat_answer(l, r->heartbeat);
}

/* ---- registration ---------------------------------------------------------------------------- */

/* The incarnation tells this process from an earlier one with the same id; the previous epoch tells
 * the controller whether all that one had is here; the metadata offset says where to begin the
 * stream. */
static void send_register(struct ctllink *l)
{
	const struct broker_conf *c = l->broker->conf;
	const struct dirs *dirs = l->broker->dirs;
	Weir__RegisterBroker in = WEIR__REGISTER_BROKER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	ProtobufCBinaryData ids[BROKER_DIRS_MAX];

	l->state = CTL_REGISTERING;
	in.id = c->node_id;
	in.cluster_id = (char *)(uintptr_t)dirs->cluster_id;
	in.incarnation = (ProtobufCBinaryData){ 16, l->broker->incarnation.b };
	in.rack = c->rack.n ? (char *)(uintptr_t)arena_str_z(&l->arena, c->rack) : NULL;
	for (int i = 0; i < dirs->n; i++)
		ids[i] = (ProtobufCBinaryData){ 16, (uint8_t *)(uintptr_t)dirs->v[i].id.b };
	in.n_log_dirs = (size_t)dirs->n;
	in.log_dirs = ids;
	in.has_previous_epoch = true;
	in.previous_epoch = l->broker_epoch >= 0 ? l->broker_epoch : dirs_previous_epoch(dirs);
	in.has_metadata_offset = true;
	in.metadata_offset = l->image ? l->image->offset : 0;
	in.has_metadata_epoch = l->image != NULL;
	in.metadata_epoch = l->image ? l->image->controller_epoch : 0;
	fill_endpoints(l, &in);
	request.body_case = WEIR__REQUEST__BODY_REGISTER_BROKER;
	request.register_broker = &in;
	rpc_call(l->rpc, &request.base,
		 c->n_controllers > 1 ? REGISTER_TIMEOUT_OF_MANY_MS : REGISTER_TIMEOUT_MS,
		 registered, l);
	arena_reset(&l->arena);
}

/* Every listener is told; which of them a client gets depends on the one it came in by. */
static void fill_endpoints(struct ctllink *l, Weir__RegisterBroker *in)
{
	const struct broker_conf *c = l->broker->conf;

	in->endpoints = arena_must(&l->arena, sizeof(*in->endpoints) * (size_t)c->n_listeners);
	for (int32_t i = 0; i < c->n_listeners; i++) {
		/* The one that brokers use among themselves comes first. */
		const struct broker_listener *from =
			&c->listener[(c->inter_broker + i) % c->n_listeners];
		Weir__Endpoint *to = in->endpoints[in->n_endpoints++] =
			arena_must(&l->arena, sizeof(*to));
		weir__endpoint__init(to);
		to->name = arena_str_z(&l->arena, from->name);
		to->host = arena_str_z(&l->arena, str_of(from->advertised.host));
		to->port = from->advertised.port;
		to->protocol = arena_str_z(&l->arena, from->protocol);
	}
}

/* Refusals are mostly an operator's mistake or another process with this id: said
 * twice, however often the connection failed before; tried on. */
static void registered(void *arg, enum err e, const ProtobufCMessage *m)
{
	struct ctllink *l = arg;
	const Weir__Response *r = (const Weir__Response *)(const void *)m;

	if (e == ERR_CLOSED)
		return; /* down follows */
	if (!e && r->status->code == KERR_NOT_CONTROLLER) {
		go_elsewhere(l, r->status);
		return;
	}
	if (e || r->status->code != KERR_NONE ||
	    r->body_case != WEIR__RESPONSE__BODY_REGISTERED_BROKER ||
	    !accept_cluster(l, r->registered_broker->cluster_id)) {
		if (l->n_refused++ < 2)
			log_warn("controller", "registration refused, trying again",
				 F_Z("why", e                    ? err_text(e)
					    : r->status->message ? r->status->message
								 : kerr_name(r->status->code)));
		l->ended = e ? e : ERR_REFUSED;
		ctl_restart(l);
		return;
	}
	l->tries = l->n_refused = 0;
	l->refusal[0] = '\0';
	l->heard_us = env_mono_us(l->env);
	l->state = CTL_REGISTERED;
	if (l->broker_epoch != r->registered_broker->broker_epoch)
		dirs_registered(l->broker->dirs, r->registered_broker->broker_epoch);
	l->broker_epoch = r->registered_broker->broker_epoch;
	l->sent_applied = -1;
	log_info("controller", "registered", F_I64("broker_epoch", l->broker_epoch),
		 F_Z("cluster_id", l->broker->cluster_id));
	ctl_link_up(l);
	on_heartbeat_timer(l);
}

/* A standby says who is active; it may have become so itself since it was asked. */
static void go_elsewhere(struct ctllink *l, const Weir__Status *s)
{
	struct peer_addr there = { .port = 0 };
	bool was_hint = l->hint.port > 0;
	struct text t;

	text_init(&t, l->refusal, sizeof(l->refusal));
	text_str(&t, str_of(s->message ? s->message : ""));
	l->ended = ERR_OK;
	if (s->active_host && s->has_active_port && strlen(s->active_host) < sizeof(there.host)) {
		memcpy(there.host, s->active_host, strlen(s->active_host));
		there.port = s->active_port;
	}
	if (s->has_active_controller && s->active_controller == s->answered_by &&
	    l->tries++ < l->broker->conf->n_controllers) {
		send_register(l);
		return;
	}
	ctl_restart(l);
	/* A hint that was wrong is not taken again before everybody has been asked. */
	if (there.port > 0 && !was_hint) {
		l->hint = there;
		timer_after_ms(l->env, &l->retry, 0);
	}
}

/* A directory that belongs to one cluster never joins another. */
static bool accept_cluster(struct ctllink *l, const char *cluster_id)
{
	const struct broker_conf *c = l->broker->conf;
	const char *own = l->broker->dirs->cluster_id;

	if ((own[0] && strcmp(own, cluster_id) != 0) ||
	    (c->cluster_id.n && !str_eq(c->cluster_id, str_of(cluster_id)))) {
		log_error("controller",
			  "it belongs to another cluster: check "
			  "controller.quorum.bootstrap.servers and log.dirs",
			  F_Z("theirs", cluster_id), F_Z("ours", own));
		return false;
	}
	if (l->broker->cluster_id[0])
		return true;
	memcpy(l->broker->cluster_id, cluster_id,
	       size_min(strlen(cluster_id), CLUSTER_ID_TEXT - 1));
	return dirs_adopt_cluster(l->env, l->broker->dirs, c, cluster_id) == ERR_OK;
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

static void on_heartbeat_timer(void *arg)
{
	struct ctllink *l = arg;

	ctl_watch(l);
	if (l->state != CTL_REGISTERED)
		return;
	beat(l);
	timer_after_ms(l->env, &l->heartbeat, l->broker->conf->heartbeat_ms);
}

/* A push, not a call: an answer that is late must not hold up the next beat. */
static void beat(struct ctllink *l)
{
	Weir__Request request = WEIR__REQUEST__INIT;
	Weir__Heartbeat in = WEIR__HEARTBEAT__INIT;
	ProtobufCBinaryData offline[BROKER_DIRS_MAX];
	struct dirs *dirs = l->broker->dirs;

	if (l->state != CTL_REGISTERED)
		return;
	in.id = l->broker->conf->node_id;
	in.broker_epoch = l->broker_epoch;
	in.metadata_offset = l->sent_applied = ctl_applied(l);
	in.has_want_shutdown = true;
	in.want_shutdown = l->want_shutdown;
	in.offline_log_dirs = offline;
	for (int i = 0; i < dirs->n; i++)
		if (atomic_load(&dirs->v[i].offline))
			offline[in.n_offline_log_dirs++] =
				(ProtobufCBinaryData){ 16, dirs->v[i].id.b };
	request.body_case = WEIR__REQUEST__BODY_HEARTBEAT;
	request.heartbeat = &in;
	if (rpc_push(l->rpc, &request.base))
		log_warn("controller", "a heartbeat could not be sent",
			 F_I64("broker_epoch", l->broker_epoch));
}

/* At once and not at the next interval: admin requests wait for it (links_applied). */
void ctllink_applied(struct ctllink *l)
{
	if (ctl_applied(l) != l->sent_applied)
		beat(l);
}

/* A controller that does not know our epoch has forgotten or replaced us: register again. */
static void heartbeat_answer(struct ctllink *l, const Weir__HeartbeatAnswer *a)
{
	if (a->has_code &&
	    (a->code == KERR_STALE_BROKER_EPOCH || a->code == KERR_BROKER_ID_NOT_REGISTERED)) {
		MARK(broker_epoch_stale);
		log_warn("controller", "our broker epoch is an old one: registering again",
			 F_I64("broker_epoch", l->broker_epoch));
		if (l->state == CTL_REGISTERED)
			send_register(l);
		return;
	}
	if (a->is_fenced != l->is_fenced)
		log_info("controller", a->is_fenced ? "fenced" : "unfenced",
			 F_I64("broker_epoch", l->broker_epoch));
	l->is_fenced = a->is_fenced;
	if (a->should_shut_down && l->want_shutdown)
		on_shutdown_timer(l);
}

/* ---- controlled shutdown --------------------------------------------------------------------- */

/* done runs when the controller says that nothing is led here any more, or after the timeout. */
void ctllink_shutdown(struct ctllink *l, void (*done)(void *arg), void *arg)
{
	l->shutdown_done = done;
	l->shutdown_arg = arg;
	l->want_shutdown = true;
	timer_after_ms(l->env, &l->shutdown,
		       l->state == CTL_REGISTERED ? l->broker->conf->shutdown_timeout_ms : 0);
	beat(l);
}

static void on_shutdown_timer(void *arg)
{
	struct ctllink *l = arg;
	void (*done)(void *) = l->shutdown_done;

	timer_clear(l->env, &l->shutdown);
	l->shutdown_done = NULL;
	if (done)
		done(l->shutdown_arg);
}
