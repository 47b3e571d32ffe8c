/* DescribeTopicPartitions(75): topics by name, page by page.  A page ends at the client's limit or
 * at max.request.partition.size.limit; next_cursor names the first partition of the next one.
 * Topics asked for by name come sorted and once, like all of them. */
#include "broker/api/describe_topic_partitions.h"

#include <stdlib.h>

#include "broker/api/operations.h"
#include "broker/api/topic_names.h"
#include "kafka/describe_topic_partitions.h"

struct page {
	struct req *q;
	struct str *names; /* sorted, each once */
	int32_t n_names;
	int32_t left; /* partitions that still fit */
};

static void list_names(struct page *, const struct describe_topic_partitions_request *);
static int by_name(const void *, const void *);
static bool fill_topic(struct page *, struct str name, int32_t from);
static void end_page(struct req *, struct str topic, int32_t partition);
static void fill_partition(struct req *, const struct image_partition *,
			   struct describe_topic_partitions_response_partition *);
static int32_t *ids(const struct image_ids *, int32_t *n);

enum api_ret handle_describe_topic_partitions(struct req *q)
{
	const struct describe_topic_partitions_request *in = q->in;
	struct describe_topic_partitions_response *out = q->out;
	int32_t limit = q->shard->broker->conf->partitions_per_reply_max;
	struct page p = { .q = q, .left = in->response_partition_limit };

	if (p.left <= 0 || p.left > limit)
		p.left = limit;
	list_names(&p, in);
	out->topics =
		schema_new(&describe_topic_partitions_response_topic_schema, &q->arena, p.n_names);
	for (int32_t i = 0; i < p.n_names; i++) {
		int32_t from = 0;
		if (in->cursor && str_cmp(p.names[i], in->cursor->topic_name) < 0)
			continue;
		if (in->cursor && str_eq(p.names[i], in->cursor->topic_name))
			from = i32_max(in->cursor->partition_index, 0);
		if (p.left == 0) {
			end_page(q, p.names[i], from);
			break;
		}
		if (!fill_topic(&p, p.names[i], from))
			break;
	}
	return API_DONE;
}

static void list_names(struct page *p, const struct describe_topic_partitions_request *in)
{
	struct req *q = p->q;
	int32_t n = in->n_topics > 0 ? in->n_topics : q->image ? q->image->n_topics : 0;

	p->names = ARENA_NEW(q, struct str, n);
	for (int32_t i = 0; i < n; i++)
		p->names[i] = in->n_topics > 0 ? in->topics[i].name : q->image->topics[i]->name;
	qsort(p->names, (size_t)n, sizeof(*p->names), by_name);
	for (int32_t i = 0; i < n; i++)
		if (i == 0 || !str_eq(p->names[i], p->names[p->n_names - 1]))
			p->names[p->n_names++] = p->names[i];
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* False: the page is full, and the cursor set. */
static bool fill_topic(struct page *p, struct str name, int32_t from)
{
	struct req *q = p->q;
	struct describe_topic_partitions_response *out = q->out;
	struct describe_topic_partitions_response_topic *t = &out->topics[out->n_topics++];
	const struct image_topic *topic = api_topic(q, name, (struct uuid){ { 0 } });

	t->name = name;
	if (!topic) {
		t->error_code = topic_name_ok(name) ? KERR_UNKNOWN_TOPIC_OR_PARTITION
						    : KERR_INVALID_TOPIC_EXCEPTION;
		return true;
	}
	t->topic_id = topic->id;
	t->is_internal = topic_name_internal(name);
	t->topic_authorized_operations = OPERATIONS_OF_TOPIC;
	t->n_partitions = i32_min(i32_max(topic->n_partitions - from, 0), p->left);
	t->partitions = schema_new(&describe_topic_partitions_response_partition_schema, &q->arena,
				   t->n_partitions);
	for (int32_t i = 0; i < t->n_partitions; i++) {
		t->partitions[i].partition_index = from + i;
		fill_partition(q, &topic->partitions[from + i], &t->partitions[i]);
	}
	p->left -= t->n_partitions;
	if (from + t->n_partitions >= topic->n_partitions)
		return true;
	end_page(q, name, from + t->n_partitions);
	return false;
}

static void end_page(struct req *q, struct str topic, int32_t partition)
{
	struct describe_topic_partitions_response *out = q->out;

	out->next_cursor =
		schema_new(&describe_topic_partitions_response_next_cursor_schema, &q->arena, 1);
	out->next_cursor->topic_name = topic;
	out->next_cursor->partition_index = partition;
}

static void fill_partition(struct req *q, const struct image_partition *ip,
			   struct describe_topic_partitions_response_partition *p)
{
	const struct image_broker *leader =
		ip->leader >= 0 ? image_broker(q->image, ip->leader) : NULL;

	p->leader_id = ip->leader;
	p->leader_epoch = ip->leader_epoch;
	if (!leader || !api_endpoint(q, leader)) {
		p->error_code = KERR_LEADER_NOT_AVAILABLE;
		p->leader_id = -1;
	}
	p->replica_nodes = ids(&ip->replicas, &p->n_replica_nodes);
	p->isr_nodes = ids(&ip->isr, &p->n_isr_nodes);
	p->eligible_leader_replicas = ids(&ip->elr, &p->n_eligible_leader_replicas);
	p->last_known_elr = ids(&ip->last_known_elr, &p->n_last_known_elr);
	p->offline_replicas = ARENA_NEW(q, int32_t, ip->replicas.n);
	for (int32_t i = 0; i < ip->replicas.n; i++) {
		const struct image_broker *b = image_broker(q->image, ip->replicas.v[i]);
		if (!b || b->is_fenced || image_ids_has(&ip->offline, ip->replicas.v[i]))
			p->offline_replicas[p->n_offline_replicas++] = ip->replicas.v[i];
	}
}

/* The image keeps still while the request holds it, so its lists serve as they are. */
static int32_t *ids(const struct image_ids *from, int32_t *n)
{
	*n = from->n;
	return (int32_t *)(uintptr_t)from->v;
}
