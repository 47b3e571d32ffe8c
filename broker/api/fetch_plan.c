/* fetch_plan.c - which partitions a fetch reads.
 *
 *   a session          forget, then add what the request names, then read all that it remembers
 *   none, may create   read what the request names and remember it
 *   none               read what the request names
 *
 * A partition that does not exist here keeps its slot with its error: clients look at all they
 * asked. */
#include "broker/api/fetch_plan.h"

#include "broker/api/client.h"
#include "kafka/fetch.h"

static int32_t count(const struct fetch_request *);
static struct fetch_ask ask_of(const struct req *, const struct fetch_request_topic *,
			       const struct fetch_request_partition *);
static void take_named(struct fetch_plan *, struct req *, bool remember);
static void take_session(struct fetch_plan *, struct req *);
static void forget(struct fetch_plan *, const struct fetch_request *);
static void add_slot(struct fetch_plan *, struct req *, const struct fetch_ask *,
		     struct fetch_partition *);

/* The replica id moved into a tagged struct with version 15 (KIP-903), where the
 * broker epoch came. */
enum kerr fetch_plan_open(struct fetch_plan *plan, struct req *q)
{
	const struct fetch_request *in = q->in;
	struct fetch_sessions *cache = q->shard->api->sessions;
	struct fetch_opening open = { .id = in->session_id,
				      .epoch = q->head.api_version >= 7 ? in->session_epoch : -1,
				      .by_id = q->head.api_version >= 13,
				      .now_ms = env_mono_ms(q->shard->env) };
	enum kerr e = fetch_session_open(cache, &open);

	plan->replica = q->head.api_version >= 15 ? in->replica_state.replica_id : in->replica_id;
	plan->replica_epoch = q->head.api_version >= 15 ? in->replica_state.replica_epoch : -1;
	if (e != KERR_NONE)
		return e;
	if (open.session) {
		plan->session = open.session;
		plan->session_id = open.session->id;
		plan->is_incremental = true;
		fetch_session_pin(plan->session);
		take_session(plan, q);
		return KERR_NONE;
	}
	if (open.may_create) {
		plan->session = fetch_session_create(cache, open.by_id, plan->replica >= 0,
						     count(in), open.now_ms);
		if (plan->session) {
			fetch_session_pin(plan->session);
			plan->session_id = plan->session->id;
		}
	}
	take_named(plan, q, plan->session != NULL);
	return KERR_NONE;
}

void fetch_plan_close(struct fetch_plan *plan)
{
	if (plan->session)
		fetch_session_unpin(plan->session);
	plan->session = NULL;
}

static int32_t count(const struct fetch_request *in)
{
	int32_t n = 0;

	for (int32_t i = 0; i < in->n_topics; i++)
		n += in->topics[i].n_partitions;
	return n;
}

static struct fetch_ask ask_of(const struct req *q, const struct fetch_request_topic *t,
			       const struct fetch_request_partition *p)
{
	bool by_id = q->head.api_version >= 13;

	return (struct fetch_ask){
		.topic_id = by_id ? t->topic_id : (struct uuid){ { 0 } },
		.topic = by_id ? (struct str){ NULL, 0 } : t->topic,
		.partition = p->partition,
		.current_leader_epoch = p->current_leader_epoch,
		.last_fetched_epoch = p->last_fetched_epoch,
		.max_bytes = p->partition_max_bytes,
		.fetch_offset = p->fetch_offset,
		.log_start = p->log_start_offset,
	};
}

/* A session that cannot hold them all is given up: the next fetch is a full one again. */
static void take_named(struct fetch_plan *plan, struct req *q, bool remember)
{
	const struct fetch_request *in = q->in;

	plan->slots = ARENA_NEW(q, struct fetch_slot, count(in));
	for (int32_t i = 0; i < in->n_topics; i++)
		for (int32_t j = 0; j < in->topics[i].n_partitions; j++) {
			struct fetch_ask ask =
				ask_of(q, &in->topics[i], &in->topics[i].partitions[j]);
			struct fetch_partition *member = NULL;
			if (remember && !(member = fetch_session_add(plan->session, &ask))) {
				fetch_session_close(plan->session);
				plan->session_id = 0;
				remember = false;
			}
			add_slot(plan, q, &ask, member);
		}
}

/* In the session's order, which moves partitions that got records to the end. */
static void take_session(struct fetch_plan *plan, struct req *q)
{
	const struct fetch_request *in = q->in;

	forget(plan, in);
	for (int32_t i = 0; i < in->n_topics; i++)
		for (int32_t j = 0; j < in->topics[i].n_partitions; j++) {
			struct fetch_ask ask =
				ask_of(q, &in->topics[i], &in->topics[i].partitions[j]);
			if (!fetch_session_add(plan->session, &ask)) {
				fetch_session_close(plan->session);
				plan->session_id = 0;
			}
		}
	plan->slots = ARENA_NEW(q, struct fetch_slot, plan->session->n);
	LIST_FOR (member, &plan->session->order, struct fetch_partition, node)
		add_slot(plan, q, &member->ask, member);
}

static void forget(struct fetch_plan *plan, const struct fetch_request *in)
{
	for (int32_t i = 0; i < in->n_forgotten_topics_data; i++) {
		const struct fetch_request_forgotten_topic *t = &in->forgotten_topics_data[i];
		for (int32_t j = 0; j < t->n_partitions; j++) {
			struct fetch_ask ask = { .topic_id = t->topic_id,
						 .topic = t->topic,
						 .partition = t->partitions[j] };
			fetch_session_forget(plan->session, &ask);
		}
	}
}

static void add_slot(struct fetch_plan *plan, struct req *q, const struct fetch_ask *ask,
		     struct fetch_partition *member)
{
	const struct image_topic *t = api_topic(q, ask->topic, ask->topic_id);
	struct fetch_slot *s = &plan->slots[plan->n++];

	*s = (struct fetch_slot){ .ask = *ask, .member = member };
	s->error = api_partition_known(t, ask->partition, q->head.api_version >= 13);
	if (s->error == KERR_NONE)
		s->topic_id = t->id;
}
