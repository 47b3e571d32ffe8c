/* role.c - active or standby: what the quorum says, carried out.
 *
 *   on_lead       the state with all that is appended, committed or not, is ctl.image; the first
 *                 record of the term; every broker in service has a session's time to report
 *   on_role       not leading any more -> resign: parked commands are answered, the connections of
 *                 brokers closed so that they look for the new one at once, ctl.image given up
 *   node_leave    before the end of a leader: the lead goes to another, and only then the process
 *   on_committed  `stable` follows; on the active one replies leave and brokers are pumped
 *
 * Who asks a standby is told the active controller.  While nobody is, the answer waits a moment:
 * elections take milliseconds, and whoever asked would only ask again. */
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/server/link.h"
#include "controller/server/mlog_disk.h"
#include "controller/server/node.h"

#define VOTERS_ARENA_MAX (64 << 10)
#define WAIT_MS 500
#define LEAVE_MS 2000 /* so long a leader tries to hand over before it ends */
#define LEAVE_AGAIN_MS 10

struct waiting {
	struct list in_node;
	struct node *node;
	struct rpc *rpc; /* reference */
	uint64_t id;
	struct timer deadline;
};

static void resign(struct node *);
static void follow(struct node *, int64_t end);
static void on_waited(void *arg);
static void send_elsewhere(struct waiting *);

/* ---- elected, and not any more --------------------------------------------------------------- */

/* What is in the log and not committed counts, too: a leader's first commit commits all of it
 * (3.6.2), and what is decided now must follow on it. */
static struct image *everything(struct node *n)
{
	struct image *im = image_clone(n->stable);

	im->offset = n->stable->offset;
	for (; im->offset < mlog_end(n->log); im->offset++) {
		const struct mlog_entry *e = mlog_entry(n->log, im->offset);
		Weir__MetadataRecord *m = mlog_unpack(&n->scratch, e->at, e->n);

		if (m == NULL || image_apply(im, m) != ERR_OK)
			log_warn("controller", "a record that makes no sense here was skipped",
				 F_I64("offset", im->offset));
		arena_reset(&n->scratch);
	}
	return im;
}

static void on_lead(void *arg, int64_t term)
{
	struct node *n = arg;
	struct ctl_cmd cmd = { .kind = CTL_ACTIVATE, .activate = { n->options->id, term } };
	struct asked nobody = { 0 };

	if (n->is_stopped)
		return;
	ASSERT(!n->is_active);
	image_put(n->ctl.image);
	n->ctl.image = everything(n);
	n->is_active = true;
	log_info("controller", "active", F_I64("term", term), F_I64("records", mlog_end(n->log)),
		 F_I64("brokers", n->ctl.image->n_brokers),
		 F_I64("topics", n->ctl.image->n_topics));
	/* The term's first record goes first: nothing older is committed before one of this term is
	 * (3.6.2). */
	(void)node_submit(n, &cmd, &nobody);
	links_expect_all(n);
	if (n->options->rebalance_enable)
		timer_after_ms(n->env, &n->rebalance, n->options->rebalance_interval_ms);
	/* Brokers that were gone before are not known here: one look after a session. */
	timer_after_ms(n->env, &n->leaderless, n->options->session_timeout_ms);
}

static void on_append_voters(void *arg, Weir__VotersRecord *m, const struct ctl_asker *by)
{
	struct node *n = arg;
	struct ctl_cmd cmd = { .kind = CTL_SET_VOTERS, .voters = m };
	struct ctl_result r;
	struct arena a;

	/* Raft asks in the middle of a step; who has stopped to lead in it writes nothing more. */
	if (!n->is_active)
		return;
	if (by != NULL)
		cmd.asker = *by;
	arena_init(&a, VOTERS_ARENA_MAX);
	ctl_result_init(&r, &a);
	ctl_decide(&n->ctl, &cmd, &r);
	node_append(n, r.records, r.n_records, true);
	ctl_result_fini(&r);
	arena_fini(&a);
}

static bool on_has_done(void *arg, const struct ctl_asker *by)
{
	struct node *n = arg;

	return n->is_active && ctl_has_done(&n->ctl, by);
}

static void on_role(void *arg)
{
	struct node *n = arg;
	int32_t leader = quorum_leader(n->quorum);

	if (n->is_stopped)
		return;
	if (n->is_active && !quorum_leads(n->quorum))
		resign(n);
	else if (!n->is_active && leader >= 0 && leader != n->options->id)
		log_info("controller", "standby", F_I64("active", leader),
			 F_I64("term", quorum_term(n->quorum)));
	if (leader >= 0)
		node_answer_waiting(n, false);
	/* Soon, not now: what was just answered must leave first. */
	if (n->left != NULL)
		timer_after_ms(n->env, &n->leaving, 1);
}

static void resign(struct node *n)
{
	log_warn("controller", "not active any more", F_I64("term", quorum_term(n->quorum)),
		 F_I64("active", quorum_leader(n->quorum)));
	n->is_active = false;
	timer_clear(n->env, &n->rebalance);
	timer_clear(n->env, &n->leaderless);
	node_resign_parked(n);
	LIST_FOR (s, &n->sessions, struct session, in_node) {
		/* Tools and other controllers may stay: a standby shows itself, and votes. */
		if (s->link == NULL)
			continue;
		rpc_finish(s->rpc); /* what was just committed is still answered */
		list_remove(&s->in_node);
		mem_free(s);
	}
	links_free(n);
	image_put(n->ctl.image);
	n->ctl.image = image_new();
}

/* ---- before the end ------------------------------------------------------------------------- */

void node_leave(struct node *n, void (*left)(void *arg), void *arg)
{
	bool leads = quorum_leads(n->quorum);

	n->left = left;
	n->left_arg = arg;
	n->leave_until_us = env_mono_us(n->env) + (leads ? LEAVE_MS * 1000 : 0);
	if (leads)
		log_info("controller", "stopping: another controller is to be active first",
			 F_I64("term", quorum_term(n->quorum)));
	timer_after_ms(n->env, &n->leaving, 0);
}

/* Until another leads: its vote may be needed, and who waits here is told where to go. */
void node_on_leaving(void *arg)
{
	struct node *n = arg;
	void (*left)(void *);
	bool is_over = env_mono_us(n->env) >= n->leave_until_us;

	if (!is_over && quorum_leads(n->quorum))
		is_over = !quorum_hand_over(n->quorum);
	else if (!is_over)
		is_over = quorum_leader(n->quorum) >= 0;
	if (!is_over) {
		timer_after_ms(n->env, &n->leaving, LEAVE_AGAIN_MS);
		return;
	}
	left = n->left;
	n->left = NULL;
	left(n->left_arg);
}

/* ---- commit ---------------------------------------------------------------------------------- */

static void on_committed(void *arg, int64_t end)
{
	struct node *n = arg;

	if (n->is_stopped)
		return;
	follow(n, end);
	node_release(n, end);
	MAP_FOR (slot, &n->links)
		link_pump(slot->value);
	if (n->is_active)
		node_progress(n);
	node_maybe_snapshot(n);
}

/* Unpacks what was packed: `stable` is folded from the bytes that are on disk, so a record that
 * does not survive packing is found at once and not at the next start.  A kind from a newer log is
 * skipped, not fatal: see image.h. */
static void follow(struct node *n, int64_t end)
{
	for (; n->stable->offset < end; n->stable->offset++) {
		const struct mlog_entry *e = mlog_entry(n->log, n->stable->offset);
		Weir__MetadataRecord *m = mlog_unpack(&n->scratch, e->at, e->n);

		if (m == NULL || image_apply(n->stable, m) != ERR_OK)
			log_warn("controller",
				 "a metadata record that makes no sense here was skipped",
				 F_I64("offset", n->stable->offset));
		arena_reset(&n->scratch);
	}
}

static void on_replay(void *arg, int64_t offset, const Weir__MetadataRecord *m)
{
	struct node *n = arg;

	if (image_apply(n->stable, m) != ERR_OK)
		log_warn("controller", "a record of the snapshot that makes no sense was skipped",
			 F_I64("offset", offset), F_I64("kind", m->body_case));
}

/* ---- a snapshot from the leader -------------------------------------------------------------- */

static void *on_snapshot_begin(void *arg)
{
	(void)arg;
	return image_new();
}

/* On a thread of the io pool; nobody else has the image. */
static void on_snapshot_record(void *state, const Weir__MetadataRecord *m)
{
	/* A kind of record from a newer leader is skipped here, too: image.h. */
	enum err e = image_apply(state, m);

	(void)e;
}

static void on_snapshot_end(void *arg, void *state, int64_t offset)
{
	struct node *n = arg;

	image_put(n->stable);
	n->stable = state;
	n->stable->offset = offset;
	image_check(n->stable);
}

/* ---- the rest of what the quorum asks -------------------------------------------------------- */

static struct str on_cluster_id(void *arg)
{
	const struct node *n = arg;

	return n->options->ctl.cluster_id;
}

static enum err on_adopt_cluster(void *arg, struct str cluster_id)
{
	struct node *n = arg;

	return n->adopt_cluster(n->boot, cluster_id);
}

static void on_failed(void *arg, enum err e)
{
	struct node *n = arg;

	log_error("controller",
		  "the metadata log cannot be written; stopping, because nothing more can be "
		  "promised",
		  F_Z("dir", n->options->dir), F_Z("error", err_text(e)));
	if (n->is_stopped)
		return;
	n->is_stopped = true;
	n->failed(n->arg);
}

const struct quorum_events node_quorum_events = {
	.adopt_cluster = on_adopt_cluster,
	.cluster_id = on_cluster_id,
	.replay = on_replay,
	.lead = on_lead,
	.append_voters = on_append_voters,
	.has_done = on_has_done,
	.role = on_role,
	.committed = on_committed,
	.snapshot_begin = on_snapshot_begin,
	.snapshot_record = on_snapshot_record,
	.snapshot_end = on_snapshot_end,
	.failed = on_failed,
};

/* ---- who asks the wrong one ------------------------------------------------------------------ */

void node_refuse(struct node *n, struct rpc *rpc, uint64_t id)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	w->node = n;
	w->rpc = rpc_get(rpc);
	w->id = id;
	timer_init(&w->deadline, on_waited, w);
	list_push_back(&n->waiting, &w->in_node);
	if (quorum_leader(n->quorum) >= 0)
		send_elsewhere(w);
	else
		timer_after_ms(n->env, &w->deadline, WAIT_MS);
}

void node_answer_waiting(struct node *n, bool is_over)
{
	LIST_FOR (w, &n->waiting, struct waiting, in_node)
		if (!is_over) {
			send_elsewhere(w);
		} else {
			timer_clear(n->env, &w->deadline);
			rpc_put(w->rpc);
			list_remove(&w->in_node);
			mem_free(w);
		}
}

static void on_waited(void *arg)
{
	send_elsewhere(arg);
}

static void send_elsewhere(struct waiting *w)
{
	struct node *n = w->node;
	Weir__Response out = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	int32_t leader = quorum_leader(n->quorum);
	struct peer_addr addr;
	char why[512];
	struct text t;

	text_init(&t, why, sizeof(why));
	/* It waited here while we were elected; its connection is the right one already. */
	if (leader == n->options->id)
		text_printf(&t, "controller %d was just elected: ask again", leader);
	else if (leader >= 0)
		text_printf(&t, "controller %d is not active, %d is", n->options->id, leader);
	else
		quorum_why(n->quorum, &t);
	status.code = KERR_NOT_CONTROLLER;
	status.message = why;
	status.has_active_controller = leader >= 0;
	status.active_controller = leader;
	status.has_answered_by = true;
	status.answered_by = n->options->id;
	if (leader >= 0 && quorum_address(n->quorum, leader, &addr)) {
		status.active_host = addr.host;
		status.has_active_port = true;
		status.active_port = addr.port;
	}
	out.status = &status;
	(void)rpc_reply(w->rpc, w->id, &out.base);
	timer_clear(n->env, &w->deadline);
	rpc_put(w->rpc);
	list_remove(&w->in_node);
	mem_free(w);
}
