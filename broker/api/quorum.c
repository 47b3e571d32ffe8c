/* DescribeQuorum(55), AddRaftVoter(80), RemoveRaftVoter(81): passed on to the active controller
 * (KIP-595, KIP-853).  The metadata log goes by the name that Kafka's has, __cluster_metadata-0.
 * Observers are controllers that do not vote, and the brokers. */
#include "broker/api/quorum.h"

#include "broker/api/forward.h"
#include "kafka/add_raft_voter.h"
#include "kafka/describe_quorum.h"
#include "kafka/remove_raft_voter.h"

#define WAIT_MS 10000 /* two of the requests carry no timeout */
#define METADATA_TOPIC STR("__cluster_metadata")

static void described(struct forward *);
static void fill_partition(struct req *, const Weir__Quorum *,
			   struct describe_quorum_response_partition *);
static struct describe_quorum_response_replica_state *
fill_states(struct req *, const Weir__Quorum *, bool voters, int32_t *n);
static void fill_broker(struct req *, const Weir__Quorum *, const Weir__BrokerState *,
			struct describe_quorum_response_replica_state *);
static void fill_nodes(struct req *, const Weir__Quorum *);
static bool is_our_cluster(struct req *, struct str cluster_id);
static ProtobufCBinaryData *directory_of(struct req *, struct uuid);
static void added(struct forward *);
static void removed(struct forward *);

/* Topics that are not the metadata log are answered without asking. */
enum api_ret handle_describe_quorum(struct req *q)
{
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_DESCRIBE_QUORUM, WAIT_MS);

	f->request->describe_quorum = ARENA_NEW(q, Weir__DescribeQuorum, 1);
	weir__describe_quorum__init(f->request->describe_quorum);
	return forward_go(f, described);
}

static void described(struct forward *f)
{
	struct req *q = f->q;
	const struct describe_quorum_request *in = q->in;
	struct describe_quorum_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_QUORUM);

	if (!r) {
		out->error_code = (int16_t)f->call.code;
		out->error_message = f->call.message;
		return;
	}
	out->n_topics = in->n_topics;
	out->topics = schema_new(&describe_quorum_response_topic_schema, &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		struct describe_quorum_response_topic *t = &out->topics[i];
		bool is_metadata = str_eq(in->topics[i].topic_name, METADATA_TOPIC);
		t->topic_name = in->topics[i].topic_name;
		t->n_partitions = in->topics[i].n_partitions;
		t->partitions = schema_new(&describe_quorum_response_partition_schema, &q->arena,
					   t->n_partitions);
		for (int32_t k = 0; k < t->n_partitions; k++) {
			struct describe_quorum_response_partition *p = &t->partitions[k];
			p->partition_index = in->topics[i].partitions[k].partition_index;
			if (is_metadata && p->partition_index == 0)
				fill_partition(q, r->quorum, p);
			else
				p->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
		}
	}
	fill_nodes(q, r->quorum);
}

static void fill_partition(struct req *q, const Weir__Quorum *m,
			   struct describe_quorum_response_partition *p)
{
	p->leader_id = m->leader;
	p->leader_epoch = (int32_t)m->epoch;
	p->high_watermark = m->high_watermark;
	p->current_voters = fill_states(q, m, true, &p->n_current_voters);
	p->observers = fill_states(q, m, false, &p->n_observers);
	for (size_t i = 0; i < m->n_brokers; i++)
		if (m->brokers[i]->has_metadata_offset)
			fill_broker(q, m, m->brokers[i], &p->observers[p->n_observers++]);
}

/* Brokers are pushed the log; what they say they have applied is where they are. */
static void fill_broker(struct req *q, const Weir__Quorum *m, const Weir__BrokerState *b,
			struct describe_quorum_response_replica_state *out)
{
	out->replica_id = b->id;
	out->log_end_offset = b->metadata_offset;
	if (!b->has_last_contact_ms)
		return;
	out->last_fetch_timestamp = env_wall_ms(q->shard->env) - b->last_contact_ms;
	if (b->metadata_offset >= m->high_watermark)
		out->last_caught_up_timestamp = out->last_fetch_timestamp;
}

static struct describe_quorum_response_replica_state *
fill_states(struct req *q, const Weir__Quorum *m, bool voters, int32_t *n)
{
	struct describe_quorum_response_replica_state *v =
		schema_new(&describe_quorum_response_replica_state_schema, &q->arena,
			   (int32_t)(m->n_members + m->n_brokers));

	for (size_t i = 0; i < m->n_members; i++) {
		const Weir__QuorumMember *one = m->members[i];
		if ((one->has_is_voter && one->is_voter) != voters)
			continue;
		v[*n].replica_id = one->id;
		if (one->directory_id.len == sizeof(v[*n].replica_directory_id.b))
			memcpy(v[*n].replica_directory_id.b, one->directory_id.data,
			       sizeof(v[*n].replica_directory_id.b));
		v[*n].log_end_offset = one->log_end;
		v[*n].last_fetch_timestamp = one->last_fetch_ms;
		v[*n].last_caught_up_timestamp = one->last_caught_up_ms;
		(*n)++;
	}
	return v;
}

static void fill_nodes(struct req *q, const Weir__Quorum *m)
{
	struct describe_quorum_response *out = q->out;

	out->nodes =
		schema_new(&describe_quorum_response_node_schema, &q->arena, (int32_t)m->n_members);
	for (size_t i = 0; i < m->n_members; i++) {
		const Weir__QuorumMember *one = m->members[i];
		struct describe_quorum_response_node *node;
		if (!one->host)
			continue;
		node = &out->nodes[out->n_nodes++];
		node->node_id = one->id;
		node->n_listeners = 1;
		node->listeners =
			schema_new(&describe_quorum_response_listener_schema, &q->arena, 1);
		node->listeners[0].name = STR("CONTROLLER");
		node->listeners[0].host = arena_str(&q->arena, str_of(one->host));
		node->listeners[0].port = (uint16_t)one->port;
	}
}

/* ---- voters ---------------------------------------------------------------------------------- */

/* Where it listens the controllers know from the new voter itself, which watches already. */
enum api_ret handle_add_raft_voter(struct req *q)
{
	const struct add_raft_voter_request *in = q->in;
	struct add_raft_voter_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_ADD_VOTER, in->timeout_ms);
	Weir__AddVoter *m = f->request->add_voter = ARENA_NEW(q, Weir__AddVoter, 1);
	ProtobufCBinaryData *directory = directory_of(q, in->voter_directory_id);

	if (!is_our_cluster(q, in->cluster_id)) {
		out->error_code = KERR_INCONSISTENT_CLUSTER_ID;
		out->error_message = str_of(kerr_text(KERR_INCONSISTENT_CLUSTER_ID));
		return API_DONE;
	}
	weir__add_voter__init(m);
	m->id = in->voter_id;
	m->has_directory_id = directory != NULL;
	if (directory)
		m->directory_id = *directory;
	m->has_timeout_ms = true;
	m->timeout_ms = f->wait_ms;
	return forward_go(f, added);
}

enum api_ret handle_remove_raft_voter(struct req *q)
{
	const struct remove_raft_voter_request *in = q->in;
	struct remove_raft_voter_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_REMOVE_VOTER, WAIT_MS);
	Weir__RemoveVoter *m = f->request->remove_voter = ARENA_NEW(q, Weir__RemoveVoter, 1);
	ProtobufCBinaryData *directory = directory_of(q, in->voter_directory_id);

	if (!is_our_cluster(q, in->cluster_id)) {
		out->error_code = KERR_INCONSISTENT_CLUSTER_ID;
		out->error_message = str_of(kerr_text(KERR_INCONSISTENT_CLUSTER_ID));
		return API_DONE;
	}
	weir__remove_voter__init(m);
	m->id = in->voter_id;
	m->has_directory_id = directory != NULL;
	if (directory)
		m->directory_id = *directory;
	m->has_timeout_ms = true;
	m->timeout_ms = WAIT_MS;
	return forward_go(f, removed);
}

static bool is_our_cluster(struct req *q, struct str cluster_id)
{
	return str_null(cluster_id) || str_eq(cluster_id, str_of(q->shard->broker->cluster_id));
}

/* NULL for none: the directory that is there now. */
static ProtobufCBinaryData *directory_of(struct req *q, struct uuid id)
{
	ProtobufCBinaryData *b = ARENA_NEW(q, ProtobufCBinaryData, 1);
	struct uuid *copy = ARENA_NEW(q, struct uuid, 1);

	*copy = id;
	*b = (ProtobufCBinaryData){ sizeof(copy->b), copy->b };
	return uuid_is_zero(id) ? NULL : b;
}

static void added(struct forward *f)
{
	struct add_raft_voter_response *out = f->q->out;

	out->error_code = (int16_t)f->call.code;
	out->error_message = f->call.message;
	if (f->call.code != KERR_NONE && str_null(out->error_message))
		out->error_message = str_of(kerr_text(f->call.code));
}

static void removed(struct forward *f)
{
	struct remove_raft_voter_response *out = f->q->out;

	out->error_code = (int16_t)f->call.code;
	out->error_message = f->call.message;
	if (f->call.code != KERR_NONE && str_null(out->error_message))
		out->error_message = str_of(kerr_text(f->call.code));
}
