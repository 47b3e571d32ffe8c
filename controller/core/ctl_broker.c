/* Brokers come, go and come back: registration, fencing, controlled shutdown (KIP-631).
 *
 *   unknown --register--> FENCED --unfence: caught up with its registration--> active
 *   active --fence: closed, silent, asked--> FENCED      out of ISRs, leads nothing
 *   active --begin shutdown--> SHUTTING DOWN             the same, then closed and fenced
 *   any --hold--> FENCED and held: stays so, whatever process comes, until an operator lets it in
 *
 * A new process either vouches for what the old one had, by the broker epoch that its directories
 * were last used under, or it does not (KIP-966's unclean shutdown: the power failed).  Then it
 * leaves the ELR as well as the ISR: it may lack what was acknowledged.  Either way it leads
 * nothing and is in no ISR until it has fetched, and where it led the leader epoch grows
 * (KAFKA-18106).
 *
 * Invariant on the way: partitions are changed before a broker's row is fenced and after it is
 * unfenced, so that no state between two records has a fenced leader. */
#include <stdio.h>

#include "controller/core/decide.h"

struct leaving {
	const struct image_broker *broker;
	enum election_kind at_most;
	bool is_lossy; /* what it had may be gone */
	bool is_over;  /* the process: what was offline to it is not to the next one */
	const char *why;
};
static void leave_everything(struct ctl_result *, const struct leaving *);
static bool vouches(const Weir__RegisterBroker *, const struct image_broker *old);
static bool is_acceptable(struct ctl_result *, const struct ctl_cmd *);
static bool listeners_acceptable(struct ctl_result *, const Weir__RegisterBroker *);
static bool dirs_acceptable(struct ctl_result *, const Weir__RegisterBroker *);
static void write_registration(struct ctl_result *, const Weir__RegisterBroker *,
			       const struct image_broker *same);
static bool is_unchanged(const Weir__RegisterBroker *, const struct image_broker *);

/* Three cases: the same process on a new connection (its epoch stays), a process with new listeners
 * or directories (amended), and a new process.  The broker epoch of the last is the offset of its
 * own record, which no other registration can have. */
void decide_register(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__RegisterBroker *m = cmd->reg.m;
	const struct image_broker *old = image_broker(r->ctl->image, m->id);
	Weir__RegisteredBroker *out = arena_must(r->arena, sizeof(*out));
	struct uuid incarnation;
	bool is_same;

	if (!is_acceptable(r, cmd))
		return;
	ASSERT(uuid_from(&m->incarnation, &incarnation));
	is_same = old != NULL && uuid_eq(old->incarnation, incarnation);
	*out = (Weir__RegisteredBroker)WEIR__REGISTERED_BROKER__INIT;
	if (is_same) {
		out->broker_epoch = old->epoch;
		if (!is_unchanged(m, old))
			write_registration(r, m, old);
	} else {
		if (old != NULL && vouches(m, old))
			leave_everything(r, &(struct leaving){ old, ELECT_ONLINE, false, true,
							       "came back as a new process" });
		else if (old != NULL)
			leave_everything(r, &(struct leaving){ old, ELECT_ONLINE, true, true,
							       "came back, records may be gone" });
		out->broker_epoch = r->ctl->image->offset + r->n_records;
		write_registration(r, m, NULL);
	}
	out->cluster_id = zdup(r, r->ctl->options->cluster_id);
	out->metadata_end = r->ctl->image->offset + r->n_records;
	r->reply.body_case = WEIR__RESPONSE__BODY_REGISTERED_BROKER;
	r->reply.registered_broker = out;
}

/* The epoch that the directories were last used under is the registered one; or the one before, if
 * the registered process never came so far as to write its own down: then it was never unfenced,
 * and nobody counted on it. */
static bool vouches(const Weir__RegisterBroker *m, const struct image_broker *old)
{
	return m->previous_epoch >= 0 &&
	       (m->previous_epoch == old->epoch ||
		(old->is_fenced && m->previous_epoch == old->vouched_epoch));
}

/* In the order of what an operator must fix first: wrong cluster, wrong id, a second process.
 * Kafka refuses a new incarnation until the old session has timed out; here a closed connection is
 * proof enough (is_old_alive), so a restarted broker need not wait. */
static bool is_acceptable(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__RegisterBroker *m = cmd->reg.m;
	const struct image_broker *old = image_broker(r->ctl->image, m->id);
	struct str cluster = r->ctl->options->cluster_id;
	struct uuid incarnation;

	if (m->cluster_id[0] != 0 && !str_eq(str_of(m->cluster_id), cluster)) {
		refuse(r, KERR_INCONSISTENT_CLUSTER_ID,
		       "broker %d belongs to cluster %s, this is cluster %.*s; give it empty log "
		       "directories or the right controller",
		       m->id, m->cluster_id, (int)cluster.n, cluster.at);
		return false;
	}
	if (m->id < 0) {
		refuse(r, KERR_INVALID_REGISTRATION, "broker id %d is negative", m->id);
		return false;
	}
	if (!uuid_from(&m->incarnation, &incarnation) || uuid_is_zero(incarnation)) {
		refuse(r, KERR_INVALID_REGISTRATION, "broker %d came without an incarnation id",
		       m->id);
		return false;
	}
	if (old != NULL && !uuid_eq(old->incarnation, incarnation) && cmd->reg.is_old_alive) {
		refuse(r, KERR_DUPLICATE_BROKER_REGISTRATION,
		       "another process with broker id %d is connected; stop it, or give this one "
		       "a different node.id",
		       m->id);
		return false;
	}
	return listeners_acceptable(r, m) && dirs_acceptable(r, m);
}

/* Bounds keep one broker from filling the log and every image. */
static bool listeners_acceptable(struct ctl_result *r, const Weir__RegisterBroker *m)
{
	bool ok = m->n_endpoints > 0 && m->n_endpoints <= ENDPOINTS_MAX;

	for (size_t i = 0; ok && i < m->n_endpoints; i++)
		ok = strlen(m->endpoints[i]->name) <= NAME_MAX &&
		     strlen(m->endpoints[i]->host) <= NAME_MAX &&
		     strlen(m->endpoints[i]->protocol) <= NAME_MAX;
	ok = ok && (m->rack == NULL || strlen(m->rack) <= NAME_MAX);
	if (!ok)
		refuse(r, KERR_INVALID_REGISTRATION,
		       "broker %d needs between 1 and %d listeners, and no name of them or of its "
		       "rack may have more than %d bytes",
		       m->id, ENDPOINTS_MAX, NAME_MAX);
	return ok;
}

/* A directory copied with its meta.properties would be two places with one identity: KIP-858 tells
 * brokers' directories apart by these ids. */
static bool dirs_acceptable(struct ctl_result *r, const Weir__RegisterBroker *m)
{
	const struct image *im = r->ctl->image;
	struct uuid dir, other;

	if (m->n_log_dirs == 0) {
		refuse(r, KERR_INVALID_REGISTRATION, "broker %d has no log directory that works",
		       m->id);
		return false;
	}
	if (is_too_much(r, m->n_log_dirs, LOG_DIRS_MAX, "log directories"))
		return false;
	for (size_t i = 0; i < m->n_log_dirs; i++) {
		if (!uuid_from(&m->log_dirs[i], &dir) || uuid_is_zero(dir)) {
			refuse(r, KERR_INVALID_REGISTRATION,
			       "broker %d has a log directory without an id", m->id);
			return false;
		}
		for (size_t j = 0; j < i; j++)
			if (uuid_from(&m->log_dirs[j], &other) && uuid_eq(dir, other)) {
				refuse(r, KERR_INVALID_REGISTRATION,
				       "two log directories of broker %d have the same id; was one "
				       "copied?",
				       m->id);
				return false;
			}
		for (int32_t b = 0; b < im->n_brokers; b++)
			for (int32_t d = 0; d < im->brokers[b]->n_log_dirs; d++)
				if (im->brokers[b]->id != m->id &&
				    uuid_eq(im->brokers[b]->log_dirs[d], dir)) {
					refuse(r, KERR_INVALID_REGISTRATION,
					       "a log directory of broker %d is broker %d's; was "
					       "it copied?",
					       m->id, im->brokers[b]->id);
					return false;
				}
	}
	return true;
}

/* same: an amended registration keeps epoch and state of this row. */
static void write_registration(struct ctl_result *r, const Weir__RegisterBroker *m,
			       const struct image_broker *same)
{
	const struct image_broker *old = image_broker(r->ctl->image, m->id);
	int64_t epoch = same != NULL ? same->epoch : r->ctl->image->offset + r->n_records;
	Weir__BrokerRecord *rec = emit_broker(r);

	rec->id = m->id;
	rec->epoch = epoch;
	rec->incarnation = m->incarnation;
	rec->endpoints = m->endpoints;
	rec->n_endpoints = m->n_endpoints;
	rec->rack = m->rack;
	rec->log_dirs = m->log_dirs;
	rec->n_log_dirs = m->n_log_dirs;
	rec->has_fenced = rec->has_in_controlled_shutdown = true;
	rec->fenced = same == NULL || same->is_fenced;
	rec->in_controlled_shutdown = same != NULL && same->in_controlled_shutdown;
	rec->has_held = rec->held = old != NULL && old->is_held;
	rec->has_vouched_epoch = true;
	rec->vouched_epoch = same != NULL                     ? same->vouched_epoch
			     : old != NULL && vouches(m, old) ? m->previous_epoch
							      : -1;
}

/* The same process registering again on a new connection, which writes nothing. */
static bool is_unchanged(const Weir__RegisterBroker *m, const struct image_broker *b)
{
	struct uuid dir;

	if (m->n_endpoints != (size_t)b->n_endpoints || m->n_log_dirs != (size_t)b->n_log_dirs ||
	    !str_eq(str_of(m->rack), b->rack))
		return false;
	for (int32_t i = 0; i < b->n_endpoints; i++) {
		const Weir__Endpoint *x = m->endpoints[i];
		const struct image_endpoint *y = &b->endpoints[i];

		if (!str_eq(str_of(x->name), y->name) || !str_eq(str_of(x->host), y->host) ||
		    !str_eq(str_of(x->protocol), y->protocol) || x->port != y->port)
			return false;
	}
	for (int32_t i = 0; i < b->n_log_dirs; i++)
		if (!uuid_from(&m->log_dirs[i], &dir) || !uuid_eq(dir, b->log_dirs[i]))
			return false;
	return true;
}

/* The operator says that it is gone for good, and its records with it: no place is kept for it. */
void decide_unregister(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = image_broker(r->ctl->image, cmd->unregister->id);
	Weir__BrokerRemoveRecord *m;

	if (b == NULL) {
		refuse(r, KERR_BROKER_ID_NOT_REGISTERED, "broker %d is not registered",
		       cmd->unregister->id);
		return;
	}
	leave_everything(r, &(struct leaving){ b, ELECT_UNCLEAN, true, true, "unregistered" });
	m = arena_must(r->arena, sizeof(*m));
	*m = (Weir__BrokerRemoveRecord)WEIR__BROKER_REMOVE_RECORD__INIT;
	m->id = b->id;
	m->epoch = b->epoch;
	emit(r, WEIR__METADATA_RECORD__BODY_BROKER_REMOVE)->broker_remove = m;
}

/* Fenced like one that is gone, but no heartbeat and no new process of it ends that.  Let in again,
 * it is unfenced by its next heartbeat.  Nothing is lost by it, so nobody is elected uncleanly. */
void decide_hold(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = image_broker(r->ctl->image, cmd->hold->id);
	bool held = cmd->hold->held;
	const char *why = held ? "fenced by an operator" : "let in by an operator";
	Weir__BrokerChangeRecord *m;

	if (b == NULL) {
		refuse(r, KERR_BROKER_ID_NOT_REGISTERED, "broker %d is not registered",
		       cmd->hold->id);
		return;
	}
	if (b->is_held == held)
		return;
	if (held && !b->is_fenced)
		leave_everything(r, &(struct leaving){ b, ELECT_ONLINE, false, false, why });
	m = emit_broker_change(r, b, why);
	m->has_held = true;
	m->held = held;
	m->has_fenced = m->fenced = held;
}

/* First every partition loses it, then its row is fenced: see the invariant above. */
void decide_fence(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = sender(r, cmd->broker.id, cmd->broker.epoch);
	Weir__BrokerChangeRecord *m;

	if (b == NULL || b->is_fenced)
		return;
	leave_everything(r,
			 &(struct leaving){ b, ELECT_UNCLEAN, false, false, cmd->broker.reason });
	m = emit_broker_change(r, b, cmd->broker.reason);
	m->has_fenced = m->fenced = true;
}

/* Back in service: it may be the one that leaderless partitions were waiting for. */
void decide_unfence(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = sender(r, cmd->broker.id, cmd->broker.epoch);
	Weir__BrokerChangeRecord *m;
	char reason[64];

	if (b == NULL || !b->is_fenced || b->is_held)
		return;
	m = emit_broker_change(r, b, cmd->broker.reason);
	m->has_fenced = true;
	m->fenced = false;
	(void)snprintf(reason, sizeof(reason), "broker %d is back", b->id);
	elect_leaderless(r, view(r), NULL, reason);
}

/* The broker stays unfenced until everyone has applied that it leads nothing (link.c), so its last
 * replies still go out as a leader's or as NOT_LEADER_OR_FOLLOWER, never as a closed connection. */
void decide_begin_shutdown(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image_broker *b = sender(r, cmd->broker.id, cmd->broker.epoch);
	Weir__BrokerChangeRecord *m;

	if (b == NULL || b->is_fenced || b->in_controlled_shutdown)
		return;
	leave_everything(r,
			 &(struct leaving){ b, ELECT_ONLINE, false, false, "controlled shutdown" });
	m = emit_broker_change(r, b, "controlled shutdown");
	m->has_in_controlled_shutdown = m->in_controlled_shutdown = true;
}

/* One batch however many partitions there are: one append, one sync, one push to the brokers.
 * at_most ELECT_ONLINE: it is coming back, or still here, with what nobody else may have, so not
 * even a topic that allows it gets an unclean leader yet. */
static void leave_everything(struct ctl_result *r, const struct leaving *l)
{
	const struct image *im = r->ctl->image;
	char *reason = zprintf(r, "broker %d: %s", l->broker->id, l->why);

	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			const struct image_partition *at = &im->topics[i]->partitions[p];
			struct election e;
			struct elected x;

			if (!image_ids_has(&at->isr, l->broker->id) &&
			    !(l->is_lossy && image_ids_has(&at->elr, l->broker->id)) &&
			    !(l->is_over && image_ids_has(&at->offline, l->broker->id)))
				continue;
			e = election_of(r, im, im->topics[i], p);
			e.leaving = l->broker->id;
			e.lossy = l->is_lossy ? l->broker->id : -1;
			e.online = l->is_over ? l->broker->id : -1;
			e.kind = l->at_most == ELECT_ONLINE ? ELECT_ONLINE : e.kind;
			image_ids_drop(&e.isr, l->broker->id);
			x = elect(&e);
			emit_elected(r, &e, &x, reason);
		}
}

/* A fenced broker is let in once it has applied the log past its own registration: from then on it
 * knows every decision that was made about it. */
enum ctl_beat ctl_heartbeat(const struct ctl *c, const Weir__Heartbeat *m, int32_t *code)
{
	const struct image_broker *b = image_broker(c->image, m->id);
	/* A broker without a directory that works can neither lead nor follow. */
	bool is_dead =
		b != NULL && b->n_log_dirs > 0 && m->n_offline_log_dirs >= (size_t)b->n_log_dirs;
	bool want_fence = (m->has_want_fence && m->want_fence) || is_dead;
	bool want_shutdown = m->has_want_shutdown && m->want_shutdown;

	*code = KERR_NONE;
	if (b == NULL)
		*code = KERR_BROKER_ID_NOT_REGISTERED;
	else if (b->epoch != m->broker_epoch)
		*code = KERR_STALE_BROKER_EPOCH;
	if (*code != KERR_NONE)
		return CTL_BEAT_NOTHING;
	if (b->is_fenced)
		return !b->is_held && !want_fence && !want_shutdown && m->metadata_offset > b->epoch
			       ? CTL_BEAT_UNFENCE
			       : CTL_BEAT_NOTHING;
	if (want_shutdown)
		return b->in_controlled_shutdown ? CTL_BEAT_NOTHING : CTL_BEAT_BEGIN_SHUTDOWN;
	return want_fence ? CTL_BEAT_FENCE : CTL_BEAT_NOTHING;
}
