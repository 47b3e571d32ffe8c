/* link.c - brokers as connections: liveness, heartbeats, and the stream of committed records.
 *
 *   link_bind     registered: the session's timer runs       rpc_broker.c
 *   link_closed   -> grace -> fence                          gone; 0 ms when shutting down
 *   on_silence    -> cut off, fence                          nothing heard for a session timeout
 *   on_gone       -> CTL_ELECT_LEADERLESS                    away for a session: unclean at last
 *   link_pump     -> push_log | push_snapshot                after a commit, or when output drained
 *
 * A broker's place in the stream is `sent`; `applied` is what it says in heartbeats, and what admin
 * requests and shutdowns wait for (links_applied).  A broker that is behind the log's first record
 * in memory gets the state as a snapshot, in pieces, and goes on from there. */
#include "controller/server/link.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/wire/kerr.h"
#include "controller/server/raw.h"

/* Beyond the first a slow broker is pushed nothing more until its connection drains; the others are
 * the size of one push, which keeps a large snapshot from being one frame. */
#define PENDING_MAX (8 << 20) /* output a slow broker may have waiting */
#define PUSH_BYTES (1 << 20)
#define PUSH_RECORDS 1000

struct snapshot_push {
	struct link *link;
	struct raw raw;
	int64_t offset;
};

static struct link *link_new(struct node *, int32_t broker);
static void on_grace(void *arg);
static void on_silence(void *arg);
static void on_gone(void *arg);
static void fence(struct link *, const char *reason);
static void change(struct link *, enum ctl_kind, const char *reason);
static void changed(struct parked *);
static void pump(struct link *, int64_t pending_max);
static void push_log(struct link *);
static void push_snapshot(struct link *);
static void push_snapshot_record(void *arg, const Weir__MetadataRecord *);
static void push_batch(struct link *, const struct raw *, Weir__MetadataBatch *);
static const struct image_broker *row_of(const struct link *, const struct image *);
static void push_answer(struct link *);
static void send_answer(struct session *, const Weir__HeartbeatAnswer *);

struct link *link_of(struct node *n, int32_t broker)
{
	return map_find(&n->links, (uint64_t)(uint32_t)broker);
}

static struct link *link_new(struct node *n, int32_t broker)
{
	struct link *l = mem_alloc(sizeof(*l));

	l->node = n;
	l->id = broker;
	l->epoch = l->shutdown_end = -1;
	l->contact_us = env_mono_us(n->env);
	timer_init(&l->grace, on_grace, l);
	timer_init(&l->silence, on_silence, l);
	timer_init(&l->gone, on_gone, l);
	map_put(&n->links, (uint64_t)(uint32_t)broker, l);
	return l;
}

void links_expect_all(struct node *n)
{
	const struct image *im = n->ctl.image;

	for (int32_t i = 0; i < im->n_brokers; i++)
		if (!im->brokers[i]->is_fenced) {
			struct link *l = link_new(n, im->brokers[i]->id);

			l->epoch = im->brokers[i]->epoch;
			timer_after_ms(n->env, &l->silence, n->options->session_timeout_ms);
		}
}

void links_free(struct node *n)
{
	MAP_FOR (slot, &n->links) {
		struct link *l = slot->value;

		timer_clear(n->env, &l->grace);
		timer_clear(n->env, &l->silence);
		timer_clear(n->env, &l->gone);
		mem_free(l);
	}
	map_fini(&n->links);
	map_init(&n->links, 0);
}

/* Asked when another process registers under this id. */
bool link_is_alive(const struct link *l)
{
	int64_t silent_us = env_mono_us(l->node->env) - l->contact_us;

	return l->session != NULL && silent_us < l->node->options->session_timeout_ms * 1000;
}

/* Another process comes with this id.  If the old one's machine lost its power and is back, nobody
 * has told us: bytes for a connection that its kernel does not know are refused at once, and the
 * next try finds the way free.  Otherwise they are one more answer. */
void link_probe(struct link *l)
{
	if (l->session != NULL)
		push_answer(l);
}

/* ---- connection ------------------------------------------------------------------------------ */

/* Runs when the registration is decided, before it is committed: a connection that is lost in
 * between must be noticed.  An older connection of the same broker is dead and closed here. */
void link_bind(struct node *n, struct session *s, int32_t broker, int64_t epoch)
{
	struct link *l = link_of(n, broker);

	if (l == NULL)
		l = link_new(n, broker);
	if (s->link != NULL && s->link != l && s->link->session == s)
		link_closed(s->link);
	if (l->session != NULL && l->session != s) {
		struct session *old = l->session;

		old->link = NULL; /* the same process on a new connection: the old one is dead */
		rpc_close(old->rpc);
		list_remove(&old->in_node);
		mem_free(old);
	}
	timer_clear(n->env, &l->grace);
	timer_clear(n->env, &l->gone);
	if (epoch != l->epoch) {
		l->shutdown_end = -1;
		l->want_shutdown = false;
	}
	l->epoch = epoch;
	l->session = s;
	l->is_streaming = false;
	l->applied = 0;
	s->link = l;
	link_contact(l);
	timer_after_ms(n->env, &l->silence, n->options->session_timeout_ms);
}

/* Tools that ask a controller directly have no link and ask once. */
void link_asks(const struct session *s, const Weir__Request *q, struct ctl_cmd *cmd)
{
	if (s->link == NULL || !q->has_number)
		return;
	cmd->asker.broker = s->link->id;
	cmd->asker.epoch = s->link->epoch;
	cmd->asker.number = q->number;
	cmd->asker.answered_below = q->answered_below;
}

/* This starts a failover: grace for an active broker, none for one that is shutting down. */
void link_closed(struct link *l)
{
	const struct image_broker *b = row_of(l, l->node->ctl.image);

	l->session = NULL;
	l->is_streaming = false;
	timer_clear(l->node->env, &l->silence);
	timer_after_ms(l->node->env, &l->gone, l->node->options->session_timeout_ms + 1);
	if (b == NULL || b->is_fenced)
		return;
	log_info("controller", "a broker's connection closed", F_I64("broker", l->id),
		 F_I64("grace_ms",
		       b->in_controlled_shutdown ? 0 : l->node->options->disconnect_grace_ms));
	timer_after_ms(l->node->env, &l->grace,
		       b->in_controlled_shutdown ? 0 : l->node->options->disconnect_grace_ms);
}

/* The broker did not come back in time: its partitions get new leaders now. */
static void on_grace(void *arg)
{
	struct link *l = arg;

	if (l->session == NULL)
		fence(l, "connection closed");
}

/* Where topics allow it, waiting for the last in-sync replica ends here. */
static void on_gone(void *arg)
{
	struct link *l = arg;
	struct ctl_cmd cmd = { .kind = CTL_ELECT_LEADERLESS };
	struct asked nobody = { 0 };

	(void)node_submit(l->node, &cmd, &nobody);
}

/* "Awaited" is whoever has a session or had one within the session timeout; see link.h on why an
 * unclean election must not pass it over. */
void links_await(struct node *n, struct arena *a, const struct ctl_cmd *cmd, struct ctl_cmd *out)
{
	int32_t *v = arena_must(a, n->links.n * sizeof(*v) + 1);
	int64_t session_us = n->options->session_timeout_ms * 1000, now_us = env_mono_us(n->env);

	*out = *cmd;
	if (cmd->kind == CTL_ALTER_CONFIGS) /* allowing it is asking for it */
		return;
	out->awaited = v;
	MAP_FOR (slot, &n->links) {
		const struct link *l = slot->value;
		bool is_recent = now_us - l->contact_us < session_us;

		if (l->session != NULL || is_recent)
			v[out->n_awaited++] = l->id;
	}
}

void link_contact(struct link *l)
{
	l->contact_us = env_mono_us(l->node->env);
}

/* A timer that fires much too late means that this process was stopped, not the brokers: punishing
 * all of them at once would take the whole cluster down. */
static void on_silence(void *arg)
{
	struct link *l = arg;
	struct node *n = l->node;
	int64_t session_us = n->options->session_timeout_ms * 1000, now_us = env_mono_us(n->env);
	int64_t silent_us = now_us - l->contact_us;
	char reason[64];

	if (now_us - l->silence.at_us > session_us / 4) {
		log_warn("controller", "this process was asleep: every broker gets a fresh session",
			 F_I64("late_ms", (now_us - l->silence.at_us) / 1000));
		MAP_FOR (slot, &n->links)
			link_contact(slot->value);
		silent_us = 0;
	}
	if (silent_us < session_us) {
		timer_after_ms(n->env, &l->silence, (session_us - silent_us) / 1000 + 1);
		return;
	}
	if (l->session != NULL) {
		struct session *s = l->session;

		l->session = NULL;
		l->is_streaming = false;
		rpc_close(s->rpc);
		list_remove(&s->in_node);
		mem_free(s);
	}
	(void)snprintf(reason, sizeof(reason), "silent for %lld ms", (long long)(silent_us / 1000));
	fence(l, reason);
}

/* ---- what it asks for ------------------------------------------------------------------------ */

/* The core says what the beat asks for; the shell carries it out as a command of its own. */
void link_heartbeat(struct session *s, const Weir__Heartbeat *m)
{
	struct link *l = s->link;
	Weir__HeartbeatAnswer out = WEIR__HEARTBEAT_ANSWER__INIT;
	enum ctl_beat beat;

	beat = ctl_heartbeat(&s->node->ctl, m, &out.code);
	if (out.code == KERR_NONE && (l == NULL || l->id != m->id))
		out.code = KERR_BROKER_ID_NOT_REGISTERED;
	if (out.code != KERR_NONE) {
		out.has_code = true;
		out.is_fenced = true;
		send_answer(s, &out);
		return;
	}
	link_contact(l);
	l->applied = i64_max(l->applied, m->metadata_offset);
	l->want_shutdown = m->has_want_shutdown && m->want_shutdown;
	switch (beat) {
	case CTL_BEAT_NOTHING: break;
	case CTL_BEAT_FENCE: fence(l, "asked to be fenced"); break;
	case CTL_BEAT_UNFENCE: change(l, CTL_UNFENCE, "caught up"); break;
	case CTL_BEAT_BEGIN_SHUTDOWN:
		change(l, CTL_BEGIN_SHUTDOWN, "controlled shutdown");
		l->shutdown_end = mlog_end(s->node->log);
		break;
	}
	push_answer(l);
	node_progress(s->node);
}

/* A broker that is fenced already, or has a newer registration, is left alone. */
static void fence(struct link *l, const char *reason)
{
	const struct image_broker *b = row_of(l, l->node->ctl.image);

	if (b != NULL && !b->is_fenced)
		change(l, CTL_FENCE, reason);
}

/* Our own command: nobody is answered, but the broker hears of it when it is committed. */
static void change(struct link *l, enum ctl_kind kind, const char *reason)
{
	struct ctl_cmd cmd = { .kind = kind, .broker = { l->id, l->epoch, reason } };
	struct asked by = { .committed = changed, .broker = l->id };

	(void)node_submit(l->node, &cmd, &by);
}

static void changed(struct parked *p)
{
	struct link *l = link_of(p->node, p->broker);

	if (l != NULL)
		push_answer(l);
}

/* What is committed, never what is only decided. */
static void push_answer(struct link *l)
{
	const struct image_broker *b = row_of(l, l->node->stable);
	Weir__HeartbeatAnswer out = WEIR__HEARTBEAT_ANSWER__INIT;

	if (!l->is_streaming)
		return;
	out.is_fenced = b == NULL || b->is_fenced;
	if (l->want_shutdown && b != NULL)
		out.should_shut_down =
			b->is_fenced || (b->in_controlled_shutdown && l->shutdown_end >= 0 &&
					 links_applied(l->node, l->shutdown_end, l->id));
	send_answer(l->session, &out);
}

static void send_answer(struct session *s, const Weir__HeartbeatAnswer *a)
{
	Weir__Response out = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;

	out.status = &status;
	out.body_case = WEIR__RESPONSE__BODY_HEARTBEAT;
	out.heartbeat = (Weir__HeartbeatAnswer *)(uintptr_t)a;
	(void)rpc_push(s->rpc, &out.base);
}

/* Fenced brokers do not count: clients are not sent to them. */
bool links_applied(struct node *n, int64_t end, int32_t but)
{
	const struct image *im = n->stable;

	for (int32_t i = 0; i < im->n_brokers; i++) {
		const struct image_broker *b = im->brokers[i];
		const struct link *l = link_of(n, b->id);

		if (!b->is_fenced && b->id != but && (l == NULL || l->applied < end))
			return false;
	}
	return true;
}

/* Somebody applied more: perhaps the last thing a leaving broker waited for. */
void links_check_shutdowns(struct node *n)
{
	MAP_FOR (slot, &n->links) {
		struct link *l = slot->value;

		if (l->want_shutdown && l->shutdown_end >= 0 &&
		    links_applied(n, l->shutdown_end, l->id))
			push_answer(l);
	}
}

/* NULL when the id has been registered again since: a timer of an earlier life must
 * not fence it. */
static const struct image_broker *row_of(const struct link *l, const struct image *im)
{
	const struct image_broker *b = image_broker(im, l->id);

	return b != NULL && b->epoch == l->epoch ? b : NULL;
}

/* ---- the stream ------------------------------------------------------------------------------ */

void link_stream(struct link *l, int64_t from)
{
	l->is_streaming = true;
	l->sent = from;
	link_pump(l);
}

void link_pump(struct link *l)
{
	pump(l, PENDING_MAX);
}

void link_pump_all(struct link *l)
{
	pump(l, INT64_MAX);
}

static void pump(struct link *l, int64_t pending_max)
{
	struct node *n = l->node;
	int64_t committed = n->stable->offset;

	while (l->is_streaming && l->sent != committed &&
	       rpc_pending(l->session->rpc) < pending_max) {
		if (l->sent <= 0 || l->sent < mlog_start(n->log) || l->sent > committed)
			push_snapshot(l);
		else
			push_log(l);
	}
}

/* Packed records go into the message as they lie in memory, see raw.h. */
static void push_log(struct link *l)
{
	struct node *n = l->node;
	Weir__MetadataBatch batch = WEIR__METADATA_BATCH__INIT;
	struct raw raw;

	raw_init(&raw, &n->scratch, 2);
	batch.base_offset = l->sent;
	while (l->sent < n->stable->offset && raw.n < PUSH_RECORDS && raw.bytes < PUSH_BYTES) {
		const struct mlog_entry *e = mlog_entry(n->log, l->sent++);

		raw_add(&raw, e->at, e->n);
	}
	batch.has_end_offset = true;
	batch.end_offset = l->sent;
	push_batch(l, &raw, &batch);
}

static void push_snapshot(struct link *l)
{
	struct snapshot_push p = { .link = l, .offset = l->node->stable->offset };
	Weir__MetadataBatch batch = WEIR__METADATA_BATCH__INIT;

	raw_init(&p.raw, &l->node->scratch, 2);
	image_dump(l->node->stable, push_snapshot_record, &p);
	batch.base_offset = batch.end_offset = p.offset;
	batch.has_is_snapshot = batch.is_snapshot = batch.has_end_offset = true;
	push_batch(l, &p.raw, &batch);
	l->sent = p.offset;
}

static void push_snapshot_record(void *arg, const Weir__MetadataRecord *m)
{
	struct snapshot_push *p = arg;
	Weir__MetadataBatch batch = WEIR__METADATA_BATCH__INIT;

	raw_add_record(&p->raw, m);
	if (p->raw.n < PUSH_RECORDS && p->raw.bytes < PUSH_BYTES)
		return;
	batch.base_offset = p->offset;
	batch.has_is_snapshot = batch.is_snapshot = batch.has_more = batch.more = true;
	push_batch(p->link, &p->raw, &batch);
	raw_init(&p->raw, &p->link->node->scratch, 2);
}

/* PUSH_BYTES plus one record always fits a frame, so only a closed connection can fail here. */
static void push_batch(struct link *l, const struct raw *raw, Weir__MetadataBatch *batch)
{
	Weir__Response out = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	enum err e;

	raw_attach(raw, &batch->base);
	out.status = &status;
	out.body_case = WEIR__RESPONSE__BODY_METADATA;
	out.metadata = batch;
	e = rpc_push(l->session->rpc, &out.base);
	ASSERT(e == ERR_OK || e == ERR_CLOSED);
	arena_reset(&l->node->scratch);
}
