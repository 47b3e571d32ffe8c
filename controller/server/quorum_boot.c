/* quorum_boot.c - how a controller with an empty disk comes to be one of a cluster.
 *
 *   alone configured          it is the only voter
 *   somebody is a member      there is a cluster: follow it.  Whoever is among its voters with this
 *                             very disk votes, everybody else watches until an operator adds it
 *   all voters are there,     they propose the same set to each other, each with its disk, and who
 *   with empty disks          sees that all propose the same takes it
 *
 * So a disk that was wiped can never vote in the place of the one it was: its directory id is new.
 * What was agreed is on disk before anybody is told of it. */
#include "controller/server/quorum_priv.h"

#include "common/base/log.h"

static bool join(struct quorum *);
static bool propose(struct quorum *);
static bool all_agree(const struct quorum *);
static void adopt(struct quorum *, struct str cluster_id, const struct quorum_voters *);
static void tell_whom_we_wait_for(struct quorum *);

void quorum_consider(struct quorum *q)
{
	struct quorum_voters alone = { .n = 1 };

	if (q->phase != QUORUM_OUTSIDE)
		return;
	/* A log that is not empty is of a controller that was alone before there was a quorum. */
	if (q->o->is_sole || mlog_end(q->log) > 0) {
		alone.v[0].who = (struct raft_voter){ q->o->id, q->o->directory };
		alone.v[0].addr = q->o->self;
		adopt(q, q->on->cluster_id(q->arg), &alone);
		return;
	}
	if (join(q))
		return;
	if (propose(q))
		quorum_say_hello(q);
	if (q->proposed.n > 0 && all_agree(q)) {
		const struct quorum_voter *first = &q->proposed.v[0];
		const struct hello *h = quorum_heard(q, first->who.id);

		adopt(q, h != NULL ? str_of(h->cluster_id) : q->on->cluster_id(q->arg),
		      &q->proposed);
	} else {
		tell_whom_we_wait_for(q);
	}
}

/* Any member will do.  If what it says is old, raft finds the newer voters in the log that
 * follows. */
static bool join(struct quorum *q)
{
	const struct hello *member = NULL;

	LIST_FOR (p, &q->peers, struct peer, in_quorum)
		if (p->has_hello && p->hello.is_member && p->hello.voters.n > 0)
			member = &p->hello;
	if (member == NULL)
		return false;
	adopt(q, str_of(member->cluster_id), &member->voters);
	return true;
}

static bool same_voters(const struct quorum_voters *a, const struct quorum_voters *b)
{
	for (int32_t i = 0; a->n == b->n && i < a->n; i++)
		if (!raft_voter_eq(a->v[i].who, b->v[i].who))
			return false;
	return a->n == b->n;
}

/* By id, so that all propose the same; true when it has changed. */
static bool propose(struct quorum *q)
{
	struct quorum_voters set = { .n = 0 }, old = q->proposed;
	bool is_complete = q->o->n_servers > 0;

	for (int32_t i = 0; i < q->o->n_servers && is_complete; i++) {
		int32_t id = q->o->servers[i].id, at = set.n;
		const struct hello *h = id == q->o->id ? NULL : quorum_heard(q, id);
		struct quorum_voter v = { .who = { q->o->id, q->o->directory },
					  .addr = q->o->self };

		is_complete = id >= 0 && (id == q->o->id || h != NULL) && set.n < RAFT_VOTERS_MAX;
		if (!is_complete)
			break;
		if (h != NULL)
			v = h->self;
		for (; at > 0 && set.v[at - 1].who.id > id; at--)
			set.v[at] = set.v[at - 1];
		set.v[at] = v;
		set.n++;
	}
	/* Half a set would be a quorum of those who happened to start first, and two such could
	 * both decide. */
	if (!is_complete)
		set.n = 0;
	q->proposed = set;
	return !same_voters(&set, &old);
}

static bool all_agree(const struct quorum *q)
{
	bool has_us = false;

	for (int32_t i = 0; i < q->proposed.n; i++) {
		int32_t id = q->proposed.v[i].who.id;
		const struct hello *h = id == q->o->id ? NULL : quorum_heard(q, id);

		has_us |= id == q->o->id;
		if (id != q->o->id &&
		    (h == NULL || h->is_member || !same_voters(&h->voters, &q->proposed)))
			return false;
	}
	return has_us;
}

static void adopt(struct quorum *q, struct str cluster_id, const struct quorum_voters *voters)
{
	if (q->on->adopt_cluster(q->arg, cluster_id) != ERR_OK)
		return; /* said there */
	/* On disk first: whoever counts on this vote must find it again after a crash. */
	q->base = *voters;
	q->phase = QUORUM_ADOPTING;
	quorum_put_state(q);
	mlog_write(q->log, 0);
}

/* On disk. */
void quorum_adopted(struct quorum *q)
{
	bool votes = false;

	for (int32_t i = 0; i < q->base.n; i++)
		votes |= raft_voter_eq(q->base.v[i].who,
				       (struct raft_voter){ q->o->id, q->o->directory });
	log_info("quorum",
		 votes ? "this controller votes" : "this controller watches; it has no vote",
		 F_I64("voters", q->base.n), F_STR("cluster_id", q->on->cluster_id(q->arg)));
	quorum_run(q);
	for (int32_t i = 0; i < q->base.n; i++)
		quorum_meet(q, q->base.v[i].who.id, q->base.v[i].who.directory,
			    q->base.v[i].addr.host, q->base.v[i].addr.port);
	quorum_say_hello(q);
}

static void tell_whom_we_wait_for(struct quorum *q)
{
	if (q->was_told)
		return;
	q->was_told = true;
	log_info("quorum",
		 "a new controller: waiting until every configured one is there, or one that "
		 "knows the cluster",
		 F_I64("configured", q->o->n_servers));
}
