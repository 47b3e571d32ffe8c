/* AlterPartitionReassignments(45): the controller decides (controller/core/ctl_reassign.c).
 * ListPartitionReassignments(46): what the image says is under way.  KIP-455, KIP-860. */
#include "broker/api/reassignments.h"

#include "broker/api/forward.h"
#include "kafka/alter_partition_reassignments.h"
#include "kafka/list_partition_reassignments.h"

#define PARTITIONS_MAX 10000 /* the controller takes no more at once */

static int32_t count(const struct alter_partition_reassignments_request *);
static void ask(struct req *, const struct alter_partition_reassignments_request *,
		Weir__ReassignPartitions *);
static void answer(struct forward *);
static bool is_asked(const struct list_partition_reassignments_request *, struct str topic,
		     int32_t partition);
static void list_topic(struct req *, const struct image_topic *,
		       struct list_partition_reassignments_response *);

enum api_ret handle_alter_partition_reassignments(struct req *q)
{
	const struct alter_partition_reassignments_request *in = q->in;
	struct alter_partition_reassignments_response *out = q->out;
	struct forward *f = forward_new(q, WEIR__REQUEST__BODY_REASSIGN_PARTITIONS, in->timeout_ms);
	Weir__ReassignPartitions *m = f->request->reassign_partitions =
		ARENA_NEW(q, Weir__ReassignPartitions, 1);
	int32_t n = count(in);

	out->allow_replication_factor_change = in->allow_replication_factor_change;
	if (n > PARTITIONS_MAX) {
		out->error_code = KERR_INVALID_REQUEST;
		out->error_message = arena_printf(
			&q->arena, "%d partitions in one request are too many: the most is %d.", n,
			PARTITIONS_MAX);
		return API_DONE;
	}
	weir__reassign_partitions__init(m);
	m->has_allow_replication_factor_change = m->has_timeout_ms = true;
	m->allow_replication_factor_change = in->allow_replication_factor_change;
	m->timeout_ms = f->wait_ms;
	m->partitions = ARENA_NEW(q, Weir__ReassignPartition *, n);
	ask(q, in, m);
	return n > 0 ? forward_go(f, answer) : API_DONE;
}

static int32_t count(const struct alter_partition_reassignments_request *in)
{
	int32_t n = 0;

	for (int32_t i = 0; i < in->n_topics; i++)
		n += i32_max(in->topics[i].n_partitions, 0);
	return n;
}

/* The reply is laid out here, in the order of the request, as the controller's results are. */
static void ask(struct req *q, const struct alter_partition_reassignments_request *in,
		Weir__ReassignPartitions *m)
{
	struct alter_partition_reassignments_response *out = q->out;

	out->n_responses = in->n_topics;
	out->responses = schema_new(&alter_partition_reassignments_response_response_schema,
				    &q->arena, in->n_topics);
	for (int32_t i = 0; i < in->n_topics; i++) {
		const struct alter_partition_reassignments_request_topic *t = &in->topics[i];
		char *topic = forward_z(q, t->name);
		out->responses[i].name = t->name;
		out->responses[i].n_partitions = t->n_partitions;
		out->responses[i].partitions =
			schema_new(&alter_partition_reassignments_response_partition_schema,
				   &q->arena, t->n_partitions);
		for (int32_t j = 0; j < t->n_partitions; j++) {
			Weir__ReassignPartition *p = m->partitions[m->n_partitions++] =
				ARENA_NEW(q, Weir__ReassignPartition, 1);
			weir__reassign_partition__init(p);
			p->topic = topic;
			p->partition = t->partitions[j].partition_index;
			if (t->partitions[j].n_replicas >= 0)
				p->replicas = forward_ids(q, t->partitions[j].replicas,
							  t->partitions[j].n_replicas);
			out->responses[i].partitions[j].partition_index = p->partition;
		}
	}
}

static void answer(struct forward *f)
{
	struct req *q = f->q;
	struct alter_partition_reassignments_response *out = q->out;
	const Weir__Response *r = forward_body(f, WEIR__RESPONSE__BODY_REASSIGNMENTS);
	size_t at = 0;

	if (!r) {
		out->error_code = (int16_t)f->call.code;
		out->error_message = f->call.message;
	}
	for (int32_t i = 0; i < out->n_responses; i++)
		for (int32_t j = 0; j < out->responses[i].n_partitions; j++) {
			struct alter_partition_reassignments_response_partition *p =
				&out->responses[i].partitions[j];
			const Weir__ReassignResult *one =
				r && at < r->reassignments->n_partitions
					? r->reassignments->partitions[at++]
					: NULL;
			p->error_code = (int16_t)(one ? one->code : f->call.code);
			if (one && one->code != KERR_NONE)
				p->error_message = forward_message(q, one->code, one->message);
			else if (!one)
				p->error_message = f->call.message;
		}
}

/* ---- what is under way ----------------------------------------------------------------------- */

enum api_ret handle_list_partition_reassignments(struct req *q)
{
	struct list_partition_reassignments_response *out = q->out;
	const struct list_partition_reassignments_request *in = q->in;

	if (!q->image)
		return API_DONE;
	out->topics = schema_new(&list_partition_reassignments_response_topic_schema, &q->arena,
				 in->n_topics < 0 ? q->image->n_topics
						  : i32_min(in->n_topics, q->image->n_topics));
	for (int32_t i = 0; i < q->image->n_topics; i++)
		list_topic(q, q->image->topics[i], out);
	return API_DONE;
}

static bool is_moving(const struct image_partition *p)
{
	return p->adding.n > 0 || p->removing.n > 0;
}

static void list_topic(struct req *q, const struct image_topic *t,
		       struct list_partition_reassignments_response *out)
{
	struct list_partition_reassignments_response_topic *slot = NULL;

	for (int32_t n = 0; n < t->n_partitions; n++) {
		const struct image_partition *p = &t->partitions[n];
		if (!is_moving(p) || !is_asked(q->in, t->name, n))
			continue;
		if (!slot) {
			slot = &out->topics[out->n_topics++];
			slot->name = t->name;
			slot->partitions =
				schema_new(&list_partition_reassignments_response_partition_schema,
					   &q->arena, t->n_partitions);
		}
		slot->partitions[slot->n_partitions++] =
			(struct list_partition_reassignments_response_partition){
				.partition_index = n,
				.replicas = (int32_t *)(uintptr_t)p->replicas.v,
				.n_replicas = p->replicas.n,
				.adding_replicas = (int32_t *)(uintptr_t)p->adding.v,
				.n_adding_replicas = p->adding.n,
				.removing_replicas = (int32_t *)(uintptr_t)p->removing.v,
				.n_removing_replicas = p->removing.n,
			};
	}
}

/* Only partitions that move are looked up, so a long list costs little. */
static bool is_asked(const struct list_partition_reassignments_request *in, struct str topic,
		     int32_t partition)
{
	if (in->n_topics < 0)
		return true;
	for (int32_t i = 0; i < in->n_topics; i++)
		for (int32_t j = 0; j < in->topics[i].n_partition_indexes; j++)
			if (in->topics[i].partition_indexes[j] == partition &&
			    str_eq(in->topics[i].name, topic))
				return true;
	return false;
}
