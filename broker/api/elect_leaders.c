/* ElectLeaders(43): preferred, or unclean where the operator says so.  Asked for every partition
 * (null), only those appear in the reply that needed an election. */
#include "broker/api/elect_leaders.h"

#include "broker/api/forward.h"
#include "kafka/elect_leaders.h"

#define PARTITIONS_MAX 100000 /* the controller takes no more at once */

static bool ask_partitions(struct req *, const struct elect_leaders_request *,
			   Weir__ElectLeaders *);
static void answer(struct forward *);
static void refuse_all(struct forward *);
static struct elect_leaders_response_replica_election_result *
topic_slot(struct elect_leaders_response *, struct str topic);

enum api_ret handle_elect_leaders(struct req *q)
{
	const struct elect_leaders_request *in = q->in;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_ELECT_LEADERS, in->timeout_ms);
	Weir__ElectLeaders *m = f->request->elect_leaders = ARENA_NEW(q, Weir__ElectLeaders, 1);

	weir__elect_leaders__init(m);
	m->type = in->election_type;
	m->has_all = m->has_timeout_ms = true;
	m->all = in->n_topic_partitions < 0;
	m->timeout_ms = f->wait_ms;
	if (!ask_partitions(q, in, m)) {
		((struct elect_leaders_response *)q->out)->error_code = KERR_INVALID_REQUEST;
		return API_DONE;
	}
	return m->all || m->n_partitions > 0 ? forward_go(f, answer) : API_DONE;
}

/* False: more than the controller would take. */
static bool ask_partitions(struct req *q, const struct elect_leaders_request *in,
			   Weir__ElectLeaders *m)
{
	int32_t n = 0;

	for (int32_t i = 0; i < in->n_topic_partitions; i++)
		n += i32_max(in->topic_partitions[i].n_partitions, 0);
	if (n > PARTITIONS_MAX)
		return false;
	m->partitions = ARENA_NEW(q, Weir__ElectPartition *, n);
	for (int32_t i = 0; i < in->n_topic_partitions; i++) {
		char *topic = forward_z(q, in->topic_partitions[i].topic);
		for (int32_t j = 0; j < in->topic_partitions[i].n_partitions; j++) {
			Weir__ElectPartition *p = m->partitions[m->n_partitions++] =
				ARENA_NEW(q, Weir__ElectPartition, 1);
			weir__elect_partition__init(p);
			p->topic = topic;
			p->partition = in->topic_partitions[i].partitions[j];
		}
	}
	return true;
}

/* The results of one topic may be apart in the controller's list; in the reply they are together.
 */
static void answer(struct forward *f)
{
	struct req *q = f->q;
	struct elect_leaders_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_ELECTIONS);
	size_t n = r ? r->elections->n_partitions : 0;

	if (!r) {
		refuse_all(f);
		return;
	}
	out->replica_election_results = schema_new(
		&elect_leaders_response_replica_election_result_schema, &q->arena, (int32_t)n);
	for (size_t i = 0; i < n; i++)
		topic_slot(out, str_of(r->elections->partitions[i]->topic))->n_partition_result++;
	for (int32_t i = 0; i < out->n_replica_election_results; i++) {
		struct elect_leaders_response_replica_election_result *t =
			&out->replica_election_results[i];
		t->topic = arena_str(&q->arena, t->topic);
		t->partition_result = schema_new(&elect_leaders_response_partition_result_schema,
						 &q->arena, t->n_partition_result);
		t->n_partition_result = 0;
	}
	for (size_t i = 0; i < n; i++) {
		const Weir__ElectResult *one = r->elections->partitions[i];
		struct elect_leaders_response_replica_election_result *t =
			topic_slot(out, str_of(one->topic));
		t->partition_result[t->n_partition_result++] =
			(struct elect_leaders_response_partition_result){
				one->partition, (int16_t)one->code,
				one->code == KERR_NONE ? (struct str){ NULL, 0 }
						       : forward_message(q, one->code, one->message)
			};
	}
}

static struct elect_leaders_response_replica_election_result *
topic_slot(struct elect_leaders_response *out, struct str topic)
{
	int32_t n = out->n_replica_election_results;

	/* Results come topic by topic, so the last slot nearly always is the one. */
	for (int32_t i = n - 1; i >= 0; i--)
		if (str_eq(out->replica_election_results[i].topic, topic))
			return &out->replica_election_results[i];
	out->replica_election_results[n].topic = topic;
	out->n_replica_election_results++;
	return &out->replica_election_results[n];
}

/* Older clients look only at the partitions. */
static void refuse_all(struct forward *f)
{
	const struct elect_leaders_request *in = f->q->in;
	struct elect_leaders_response *out = f->q->out;
	int32_t n = i32_max(in->n_topic_partitions, 0);

	out->error_code = (int16_t)f->call.code;
	out->n_replica_election_results = n;
	out->replica_election_results =
		schema_new(&elect_leaders_response_replica_election_result_schema, &f->q->arena, n);
	for (int32_t i = 0; i < n; i++) {
		struct elect_leaders_response_replica_election_result *t =
			&out->replica_election_results[i];
		t->topic = in->topic_partitions[i].topic;
		t->n_partition_result = in->topic_partitions[i].n_partitions;
		t->partition_result = schema_new(&elect_leaders_response_partition_result_schema,
						 &f->q->arena, t->n_partition_result);
		for (int32_t j = 0; j < t->n_partition_result; j++)
			t->partition_result[j] = (struct elect_leaders_response_partition_result){
				in->topic_partitions[i].partitions[j], (int16_t)f->call.code,
				f->call.message
			};
	}
}
