/* offsets.c - one ListOffsets per question and broker; brokers that do not answer leave -1.
 *
 * All questions go out to all brokers before the first answer is read: together they take as long
 * as the slowest broker, not as long as all of them. */
#include "controller/cli/offsets.h"
#include "controller/cli/out.h"
#include "controller/cli/kafka_client.h"
#include "kafka/apis.h"
#include "kafka/list_offsets.h"

#include <stdlib.h>

#define VERSION 7
#define ANSWER_MS 2000 /* a paused broker must not hold up the picture of the others */
#define LATE_MS 100    /* for what has come while another broker was waited for */
#define TIME_LATEST (-1)
#define TIME_EARLIEST (-2)
#define AS_CONSUMER (-1)
#define AS_DEBUGGER (-2)

/* One question to one broker: about which partitions, and where the answers go. */
struct question {
	int32_t broker, replica_id;
	int64_t time;
	int64_t *(*place)(struct partition_offsets *, const struct image_partition *,
			  int32_t broker);
};

static void ask_all(struct cli *, const struct view *, struct offsets *);

static const struct image_partition *partition_of(const struct partition_offsets *p)
{
	return &p->topic->partitions[p->number];
}

void offsets_load(struct cli *cli, const struct view *v, const char *const *names, int n_names,
		  struct offsets *out)
{
	struct view_walk w;
	int cap = 0;

	view_walk_init(&w, v, names, n_names);
	while (view_walk_partition(&w))
		cap++;
	*out = (struct offsets){ .v = arena_must(&cli->mem, (size_t)(cap + 1) * sizeof(*out->v)) };
	view_walk_init(&w, v, names, n_names);
	while (view_walk_partition(&w)) {
		struct partition_offsets *p = &out->v[out->n++];

		*p = (struct partition_offsets){ .topic = w.topic, .number = w.number };
		memset(&p->at, 0xff, sizeof(p->at)); /* every offset -1 */
	}
	if (out->n)
		ask_all(cli, v, out);
}

/* The first partition of the topic, by bisection; NULL: none of it is here. */
static struct partition_offsets *first_of(const struct offsets *o, struct str topic)
{
	int low = 0, high = o->n;

	while (low < high) {
		int middle = low + (high - low) / 2;

		if (str_cmp(o->v[middle].topic->name, topic) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < o->n && str_eq(o->v[low].topic->name, topic) ? &o->v[low] : NULL;
}

const struct replica_offsets *offsets_find(const struct offsets *o, const struct image_topic *topic,
					   int32_t number)
{
	const struct partition_offsets *first = first_of(o, topic->name);

	ASSERT(first && number < topic->n_partitions);
	return &first[number].at;
}

/* ---- places for answers; NULL: this broker is not asked about the partition ------------------ */

static int64_t *place_hw(struct partition_offsets *o, const struct image_partition *p,
			 int32_t broker)
{
	return p->leader == broker ? &o->at.hw : NULL;
}

static int64_t *place_start(struct partition_offsets *o, const struct image_partition *p,
			    int32_t broker)
{
	return p->leader == broker ? &o->at.start : NULL;
}

static int64_t *place_end(struct partition_offsets *o, const struct image_partition *p,
			  int32_t broker)
{
	for (int32_t i = 0; i < p->replicas.n; i++)
		if (p->replicas.v[i] == broker)
			return &o->at.end[i];
	return NULL;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* A broker and what it was asked; sent: how many of the questions went out. */
#define QUESTIONS 3
struct asked {
	struct kafka conn;
	struct question q[QUESTIONS];
	struct list_offsets_request *in[QUESTIONS];
	int sent;
};

static void send_all(struct cli *, const struct image_broker *, struct offsets *, struct asked *);
static void receive_all(struct asked *, struct offsets *, int64_t deadline_ms);
static struct list_offsets_request *build(struct cli *, const struct question *, struct offsets *);

static void ask_all(struct cli *cli, const struct view *v, struct offsets *o)
{
	struct asked *asked = arena_must(&cli->mem, (size_t)v->image->n_brokers * sizeof(*asked));
	int64_t deadline_ms = cli_now_ms() + i64_min(ANSWER_MS, cli->timeout_ms);

	for (int32_t i = 0; i < v->image->n_brokers; i++)
		send_all(cli, v->image->brokers[i], o, &asked[i]);
	for (int32_t i = 0; i < v->image->n_brokers; i++) {
		receive_all(&asked[i], o, i64_max(deadline_ms, cli_now_ms() + LATE_MS));
		kafka_close(&asked[i].conn);
	}
}

static void send_all(struct cli *cli, const struct image_broker *b, struct offsets *o,
		     struct asked *a)
{
	int64_t deadline_ms = cli_now_ms() + i64_min(ANSWER_MS, cli->timeout_ms);

	*a = (struct asked){ .conn = { .fd = -1 },
			     .q = { { b->id, AS_CONSUMER, TIME_LATEST, place_hw },
				    { b->id, AS_CONSUMER, TIME_EARLIEST, place_start },
				    { b->id, AS_DEBUGGER, TIME_LATEST, place_end } } };
	if (b->n_endpoints == 0 || b->is_fenced || cli_flag(cli, "saved") ||
	    kafka_open(&a->conn, cli,
		       (struct addr){ cli_z(cli, b->endpoints[0].host), b->endpoints[0].port },
		       deadline_ms))
		return;
	for (; a->sent < QUESTIONS; a->sent++) {
		struct list_offsets_request *in = a->in[a->sent] = build(cli, &a->q[a->sent], o);

		if (in->n_topics > 0 &&
		    kafka_send(&a->conn,
			       &(struct kafka_call){ API_LIST_OFFSETS, VERSION,
						     &list_offsets_request_schema,
						     &list_offsets_response_schema, in, NULL },
			       deadline_ms))
			return;
	}
}

/* The partitions of one topic that the question is about, from o->v[*at] on; *at moves on. */
static void build_topic(struct cli *cli, const struct question *q, struct offsets *o, int *at,
			struct list_offsets_request_topic *t)
{
	const struct image_topic *topic = o->v[*at].topic;

	t->name = topic->name;
	t->partitions =
		schema_new(&list_offsets_request_partition_schema, &cli->mem, topic->n_partitions);
	for (; *at < o->n && o->v[*at].topic == topic; ++*at) {
		struct list_offsets_request_partition *p = &t->partitions[t->n_partitions];

		if (!q->place(&o->v[*at], partition_of(&o->v[*at]), q->broker))
			continue;
		t->n_partitions++;
		p->partition_index = o->v[*at].number;
		p->timestamp = q->time;
	}
}

static struct list_offsets_request *build(struct cli *cli, const struct question *q,
					  struct offsets *o)
{
	struct list_offsets_request *in = schema_new(&list_offsets_request_schema, &cli->mem, 1);
	int32_t topics = 0;

	for (int i = 0; i < o->n; i++)
		topics += i == 0 || o->v[i].topic != o->v[i - 1].topic;
	in->replica_id = q->replica_id;
	in->topics = schema_new(&list_offsets_request_topic_schema, &cli->mem, topics);
	for (int i = 0; i < o->n;) {
		build_topic(cli, q, o, &i, &in->topics[in->n_topics]);
		in->n_topics += in->topics[in->n_topics].n_partitions > 0;
	}
	return in;
}

static void put_answer(const struct question *q, struct offsets *o, struct str topic,
		       const struct list_offsets_response_partition *p)
{
	struct partition_offsets *first = first_of(o, topic);
	int64_t *place;

	if (!first || p->partition_index < 0 || p->partition_index >= first->topic->n_partitions)
		return;
	first += p->partition_index;
	place = q->place(first, partition_of(first), q->broker);
	if (place && p->error_code == 0)
		*place = p->offset;
}

static void receive_all(struct asked *a, struct offsets *o, int64_t deadline_ms)
{
	struct list_offsets_response out;

	for (int i = 0; i < a->sent; i++) {
		if (a->in[i]->n_topics == 0)
			continue;
		if (kafka_receive(&a->conn,
				  &(struct kafka_call){
					  API_LIST_OFFSETS, VERSION, &list_offsets_request_schema,
					  &list_offsets_response_schema, a->in[i], &out },
				  deadline_ms))
			return;
		for (int32_t t = 0; t < out.n_topics; t++)
			for (int32_t p = 0; p < out.topics[t].n_partitions; p++)
				put_answer(&a->q[i], o, out.topics[t].name,
					   &out.topics[t].partitions[p]);
	}
}

/* ---- shown ----------------------------------------------------------------------------------- */

void offsets_end_and_lag(struct out *o, const struct image_partition *p,
			 const struct replica_offsets *at, int32_t i)
{
	int64_t leader_end = -1;

	for (int32_t k = 0; k < p->replicas.n; k++)
		if (p->replicas.v[k] == p->leader)
			leader_end = at->end[k];
	if (at->end[i] < 0)
		out_none(o);
	else
		out_i64(o, at->end[i]);
	if (at->end[i] < 0 || leader_end < 0)
		out_none(o);
	else
		out_i64(o, i64_max(0, leader_end - at->end[i]));
}
