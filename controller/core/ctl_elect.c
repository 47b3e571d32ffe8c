/* ctl_elect.c - elections that nobody's death caused: asked for (ElectLeaders, KIP-460), on a timer
 * (preferred leaders, leaderless partitions), or allowed by a config.
 *
 * All of them fill in a struct election and call elect(); what differs is the kind and who is
 * told. */
#include "controller/core/decide.h"

struct verdict {
	enum kerr code;
	const char *message;
};
static struct verdict elect_one(struct ctl_result *, const struct image_topic *, int32_t partition,
				int32_t type);
static void answer(struct ctl_result *, Weir__ElectResults *, struct str topic, int32_t partition,
		   struct verdict);

/* A broker that the partition could have without loss is connected or was here within a session
 * timeout: it may come back with records that nobody else has, so an unclean election would be
 * premature. */
static bool is_awaited(const struct ctl_cmd *cmd, const struct image_partition *p)
{
	for (int32_t i = 0; i < cmd->n_awaited; i++)
		if (image_ids_has(&p->isr, cmd->awaited[i]) ||
		    image_ids_has(&p->elr, cmd->awaited[i]) ||
		    (image_ids_has(&p->last_known_elr, cmd->awaited[i]) &&
		     !image_ids_has(&p->offline, cmd->awaited[i])))
			return true;
	return false;
}

/* The topic's configs decide how far the election may go; the caller may only lower that. */
struct election election_of(const struct ctl_result *r, const struct image *im,
			    const struct image_topic *t, int32_t partition)
{
	const struct image_partition *p = image_partition(t, partition);
	struct topic_conf conf;

	topic_conf_of(&r->ctl->options->topic, im, -1, t, &conf);
	return (struct election){
		.image = im,
		.topic = t,
		.partition = partition,
		.kind = conf.unclean_election && !is_awaited(r->cmd, p) ? ELECT_UNCLEAN
									: ELECT_ONLINE,
		.leaving = -1,
		.lossy = -1,
		.offline = -1,
		.online = -1,
		.isr = p->isr,
		.min_isr = conf.min_insync_replicas,
	};
}

/* Reads im and emits from the same im: callers pass view() or the image, and each partition is
 * touched once. */
void elect_leaderless(struct ctl_result *r, const struct image *im, const struct image_topic *only,
		      const char *reason)
{
	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			struct election e;
			struct elected x;

			if ((only != NULL && only != im->topics[i]) ||
			    im->topics[i]->partitions[p].leader >= 0)
				continue;
			e = election_of(r, im, im->topics[i], p);
			x = elect(&e);
			emit_elected(r, &e, &x, reason);
		}
}

/* After min.insync.replicas changed, before any leader hears of it: an ISR that is large enough now
 * will commit without the eligible ones. */
void refresh_elr(struct ctl_result *r, const struct image *im, const struct image_topic *only,
		 const char *reason)
{
	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			struct election e;
			struct elected x;

			if ((only != NULL && only != im->topics[i]) ||
			    im->topics[i]->partitions[p].elr.n == 0)
				continue;
			e = election_of(r, im, im->topics[i], p);
			e.kind = ELECT_ONLINE;
			x = elect(&e);
			emit_elected(r, &e, &x, reason);
		}
}

void decide_elect_leaderless(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	(void)cmd;
	elect_leaderless(r, r->ctl->image, NULL, "leaderless");
}

/* At most CTL_PREFERRED_PER_PASS moves, so that a pass over a large cluster stays one small batch;
 * the node comes back soon for the rest. */
void decide_rebalance(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const struct image *im = r->ctl->image;

	(void)cmd;
	for (int32_t i = 0; i < im->n_topics; i++)
		for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
			const struct image_partition *at = &im->topics[i]->partitions[p];
			struct election e;
			struct elected x;

			if (at->leader < 0 || at->leader == at->replicas.v[0])
				continue;
			if (r->n_records == CTL_PREFERRED_PER_PASS)
				return;
			e = election_of(r, im, im->topics[i], p);
			e.kind = ELECT_PREFERRED;
			x = elect(&e);
			emit_elected(r, &e, &x, "preferred election: rebalance");
		}
}

/* ElectLeaders.  Asked for every partition, those that need none are left out of the answer. */
void decide_elect_leaders(struct ctl_result *r, const struct ctl_cmd *cmd)
{
	const Weir__ElectLeaders *m = cmd->elect_leaders;
	Weir__ElectResults *out = arena_must(r->arena, sizeof(*out));
	const struct image *im = r->ctl->image;
	size_t room = m->n_partitions;

	if (is_too_much(r, m->n_partitions, REQUEST_CHANGES_MAX, "partitions"))
		return;
	if (m->type != 0 && m->type != 1) {
		refuse(r, KERR_INVALID_REQUEST, "election type %d: 0 is preferred, 1 unclean",
		       m->type);
		return;
	}
	*out = (Weir__ElectResults)WEIR__ELECT_RESULTS__INIT;
	r->reply.body_case = WEIR__RESPONSE__BODY_ELECTIONS;
	r->reply.elections = out;
	for (int32_t i = 0; m->has_all && m->all && i < im->n_topics; i++)
		room += (size_t)im->topics[i]->n_partitions;
	out->partitions = arena_must(r->arena, room * sizeof(*out->partitions) + 1);
	/* The protocol's null list.  "Not needed" for ten thousand healthy partitions would say
	 * nothing. */
	if (m->has_all && m->all) {
		for (int32_t i = 0; i < im->n_topics; i++)
			for (int32_t p = 0; p < im->topics[i]->n_partitions; p++) {
				struct verdict v = elect_one(r, im->topics[i], p, m->type);

				if (v.code != KERR_ELECTION_NOT_NEEDED)
					answer(r, out, im->topics[i]->name, p, v);
			}
		return;
	}
	for (size_t i = 0; i < m->n_partitions; i++) {
		struct str name = str_of(m->partitions[i]->topic);

		answer(r, out, name, m->partitions[i]->partition,
		       elect_one(r, image_topic_named(view(r), name), m->partitions[i]->partition,
				 m->type));
	}
}

/* 0 preferred, 1 unclean: the protocol's numbers. */
static struct verdict elect_one(struct ctl_result *r, const struct image_topic *t,
				int32_t partition, int32_t type)
{
	const struct image *im = r->scratch != NULL ? r->scratch : r->ctl->image;
	const struct image_partition *p = t != NULL ? image_partition(t, partition) : NULL;
	struct election e;
	struct elected x;

	if (p == NULL)
		return (struct verdict){ KERR_UNKNOWN_TOPIC_OR_PARTITION,
					 "No such topic or partition." };
	if (type == 0 && p->leader == p->replicas.v[0])
		return (struct verdict){ KERR_ELECTION_NOT_NEEDED,
					 "The preferred replica leads already." };
	if (type == 1 && p->leader >= 0)
		return (struct verdict){ KERR_ELECTION_NOT_NEEDED, "The partition has a leader." };
	e = election_of(r, im, t, partition);
	e.kind = type == 0 ? ELECT_PREFERRED : ELECT_UNCLEAN;
	x = elect(&e);
	if (type == 0 && x.to.leader != p->replicas.v[0])
		return (struct verdict){
			KERR_PREFERRED_LEADER_NOT_AVAILABLE,
			zprintf(r, "Broker %d, the preferred replica, is %s.", p->replicas.v[0],
				image_broker_active(im, p->replicas.v[0]) ? "not in sync"
									  : "not available")
		};
	if (type == 1 && x.to.leader < 0)
		return (struct verdict){ KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE,
					 "No replica of the partition is alive." };
	emit_elected(r, &e, &x, type == 0 ? "preferred election: asked for" : "asked for");
	return (struct verdict){ KERR_NONE, NULL };
}

static void answer(struct ctl_result *r, Weir__ElectResults *out, struct str topic,
		   int32_t partition, struct verdict v)
{
	Weir__ElectResult *one = arena_must(r->arena, sizeof(*one));

	*one = (Weir__ElectResult)WEIR__ELECT_RESULT__INIT;
	one->topic = zdup(r, topic);
	one->partition = partition;
	one->code = (int32_t)v.code;
	one->message = v.message != NULL ? zdup(r, str_of(v.message)) : NULL;
	out->partitions[out->n_partitions++] = one;
}
