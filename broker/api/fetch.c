/* Fetch(1).  Phase 1 finds out what is asked (fetch_plan.c: the request and its session) and sends
 * each shard the partitions it owns (shard/read.c).  Phase 2 ends when enough came back, at the
 * deadline, or when another request waits behind this one: what is still out is called back, cold
 * files are read ahead by a job, and the reply is spliced out of the segments. */
#include "broker/api/fetch.h"

#include "broker/api/client.h"
#include "broker/api/fetch_plan.h"
#include "broker/api/leader_hints.h"
#include "broker/shard/read.h"
#include "kafka/fetch.h"

struct fetch_work {
	struct req *q;
	struct fetch_plan plan;
	struct read_call *calls; /* by shard */
	int32_t n_out;           /* calls and cancels under way, and one for phase 1 */
	int32_t n_calls;
	bool is_finishing, is_late;
	int64_t min_bytes, max_bytes;
	struct timer deadline;
	struct job warm;
};

static void route(struct req *, struct fetch_work *);
static void send_call(struct req *, struct read_call *);
static void call_done(struct call *);
static void cancelled(struct read_call *);
static void look(struct req *);
static void finish(struct req *);
static void on_deadline(void *arg);
static void on_release(struct req *);
static bool start_warming(struct req *);
static void warm_work(struct job *);
static void warm_done(struct job *);
static void fill(struct req *);
static void fill_partition(struct req *, const struct fetch_slot *,
			   struct fetch_response_partition *, int64_t *left);

/* The deadline is set before the calls go out: one to our own shard may end the request at once. */
enum api_ret handle_fetch(struct req *q)
{
	const struct fetch_request *in = q->in;
	struct fetch_response *out = q->out;
	struct fetch_work *w = q->work = ARENA_NEW(q, struct fetch_work, 1);

	out->error_code = (int16_t)fetch_plan_open(&w->plan, q);
	out->session_id = w->plan.session_id;
	w->q = q;
	if (out->error_code != KERR_NONE)
		return API_DONE;
	q->hurry = finish;
	q->release = on_release;
	timer_init(&w->deadline, on_deadline, q);
	w->n_out = 1;
	w->min_bytes = in->min_bytes;
	w->max_bytes = i64_min(in->max_bytes, q->shard->broker->conf->fetch_bytes_max);
	route(q, w);
	if (in->max_wait_ms > 0 && w->n_calls > 0)
		timer_after_ms(q->shard->env, &w->deadline, in->max_wait_ms);
	for (int i = 0; i < q->shard->broker->n_shards; i++) {
		struct read_call *c = &w->calls[i];
		c->may_wait = c->may_wait && !w->is_finishing;
		if (c->n > 0 && w->n_calls == 1)
			client_note_owner(q, c->call.to);
		if (c->n > 0)
			send_call(q, c);
	}
	w->n_out--;
	look(q);
	return q->state == REQ_DONE ? API_DONE : API_WAIT;
}

/* ---- phase 1 --------------------------------------------------------------------------------- */

static void route(struct req *q, struct fetch_work *w)
{
	const struct fetch_request *in = q->in;
	struct broker *b = q->shard->broker;
	bool is_consumer = w->plan.replica < 0;

	w->calls = ARENA_NEW(q, struct read_call, b->n_shards);
	for (int32_t i = 0; i < w->plan.n; i++) {
		struct fetch_slot *s = &w->plan.slots[i];
		if (s->error != KERR_NONE) {
			w->is_late = true; /* an error is answered at once */
			continue;
		}
		struct read_call *c = &w->calls[broker_shard(b, s->topic_id, s->ask.partition)->id];
		s->op = ARENA_NEW(q, struct read_op, 1);
		*s->op =
			(struct read_op){ .topic_id = s->topic_id,
					  .partition = s->ask.partition,
					  .leader_epoch = s->ask.current_leader_epoch,
					  .last_fetched_epoch = s->ask.last_fetched_epoch,
					  .max_bytes = s->ask.max_bytes,
					  .offset = s->ask.fetch_offset,
					  .log_start_of_follower = s->ask.log_start,
					  .wants_news = s->member && !is_consumer,
					  .told_high_watermark =
						  s->member ? s->member->sent_high_watermark : -1 };
		read_call_add(c, s->op);
	}
	for (int i = 0; i < b->n_shards; i++)
		w->n_calls += w->calls[i].n > 0;
	for (int i = 0; i < b->n_shards; i++) {
		struct read_call *c = &w->calls[i];
		c->call = (struct call){ .from = q->shard,
					 .to = b->shards[i],
					 .work = read_call_work,
					 .done = call_done };
		c->cancelled = cancelled;
		c->arg = q;
		c->replica = w->plan.replica;
		c->replica_epoch = w->plan.replica_epoch;
		c->any_replica = is_consumer && q->head.api_version >= 11;
		c->may_wait = in->max_wait_ms > 0 && !w->is_late;
		c->is_first = true;
		c->bytes_max = w->max_bytes;
		/* With several shards nobody but us sees the sum: each comes back with its first
		 * bytes. */
		c->threshold = w->n_calls > 1 ? i64_min(1, w->min_bytes) : w->min_bytes;
	}
}

static void send_call(struct req *q, struct read_call *c)
{
	struct fetch_work *w = q->work;

	c->is_out = true;
	w->n_out++;
	call_send(&c->call);
}

/* ---- phase 2 --------------------------------------------------------------------------------- */

static void call_done(struct call *call)
{
	struct read_call *c = CONTAINER_OF(call, struct read_call, call);
	struct req *q = c->arg;
	struct fetch_work *w = q->work;

	c->is_out = false;
	w->n_out--;
	look(q);
}

static void cancelled(struct read_call *c)
{
	struct req *q = c->arg;
	struct fetch_work *w = q->work;

	w->n_out--;
	look(q);
}

/* Is it enough?  Otherwise calls that came back with too little go out again and wait for more. */
static void look(struct req *q)
{
	struct fetch_work *w = q->work;
	int64_t bytes = 0;
	bool urgent = w->is_late || w->n_calls == 0;

	for (int i = 0; i < q->shard->broker->n_shards; i++) {
		struct read_call *c = &w->calls[i];
		if (c->n == 0 || c->is_out)
			continue;
		bytes += c->bytes;
		urgent |= c->is_urgent || !c->may_wait;
	}
	if (w->is_finishing || urgent || bytes >= w->min_bytes) {
		finish(q);
		return;
	}
	for (int i = 0; i < q->shard->broker->n_shards; i++) {
		struct read_call *c = &w->calls[i];
		if (c->n == 0 || c->is_out || c->bytes < c->threshold)
			continue;
		c->threshold = c->bytes + 1;
		send_call(q, c);
		return; /* its answer looks again */
	}
}

/* Calls in what is out, the own shard's last: that one may end the request before it returns. */
static void finish(struct req *q)
{
	struct fetch_work *w = q->work;
	struct read_call *own = NULL;

	w->is_finishing = true;
	for (int i = 0; i < q->shard->broker->n_shards; i++) {
		struct read_call *c = &w->calls[i];
		if (c->n == 0 || !c->is_out || c->is_cancelling)
			continue;
		w->n_out++;
		if (c->call.to == q->shard)
			own = c;
		else
			read_call_cancel(c);
	}
	if (own) {
		read_call_cancel(own);
		return;
	}
	if (w->n_out > 0 || start_warming(q))
		return;
	fill(q);
	req_done(q);
}

static void on_deadline(void *arg)
{
	finish(arg);
}

/* Runs when the reply has left, or the client has: drops the files and the pin of the session. */
static void on_release(struct req *q)
{
	struct fetch_work *w = q->work;

	timer_clear(q->shard->env, &w->deadline);
	for (int i = 0; i < q->shard->broker->n_shards; i++)
		for (struct read_op *op = w->calls[i].ops; op; op = op->next)
			read_op_release(op);
	fetch_plan_close(&w->plan);
}

/* ---- cold files ------------------------------------------------------------------------------ */

/* A reply spliced from cold pages would block this thread in sendfile; a job reads them first. */
static bool start_warming(struct req *q)
{
	struct fetch_work *w = q->work;
	bool cold = false;

	for (int32_t i = 0; i < w->plan.n; i++)
		cold |= w->plan.slots[i].op && w->plan.slots[i].op->data.cold;
	if (!cold || !q->client)
		return false;
	w->n_out++;
	w->warm = (struct job){ .work = warm_work, .done = warm_done };
	env_submit(q->shard->env, &w->warm);
	return true;
}

static void warm_work(struct job *job)
{
	struct fetch_work *w = CONTAINER_OF(job, struct fetch_work, warm);

	for (int32_t i = 0; i < w->plan.n; i++) {
		const struct read_op *op = w->plan.slots[i].op;
		if (op && op->data.cold)
			op->data.file->ops->warm(op->data.file, op->data.at, op->data.n);
	}
}

static void warm_done(struct job *job)
{
	struct fetch_work *w = CONTAINER_OF(job, struct fetch_work, warm);
	struct req *q = w->q;

	w->n_out--;
	for (int32_t i = 0; i < w->plan.n; i++)
		if (w->plan.slots[i].op)
			w->plan.slots[i].op->data.cold = false;
	finish(q);
}

/* ---- the reply ------------------------------------------------------------------------------- */

/* In an incremental answer only what changed is told. */
static bool is_due(const struct fetch_plan *plan, const struct fetch_slot *s)
{
	const struct read_op *op = s->op;
	struct fetch_news news = { .is_error = s->error != KERR_NONE };

	if (op)
		/* A follower told to truncate looks at nothing else: its marks come again. */
		news = (struct fetch_news){ .has_records = op->data.n > 0,
					    .is_error = op->error != KERR_NONE ||
							op->diverging.epoch != EPOCH_NONE,
					    .high_watermark = op->high_watermark,
					    .log_start = op->log_start };
	news.must_tell |= news.is_error;
	if (!s->member)
		return true;
	if (plan->is_incremental && !fetch_partition_due(s->member, &news))
		return false;
	fetch_partition_sent(plan->session, s->member, &news);
	return true;
}

/* Neighbours of one topic share an entry, as clients expect from a full fetch. */
static void fill(struct req *q)
{
	struct fetch_work *w = q->work;
	struct fetch_response *out = q->out;
	struct fetch_response_topic *t = NULL;
	const struct fetch_slot *before = NULL;
	int64_t left = w->max_bytes;

	if (!q->client)
		return;
	out->responses = schema_new(&fetch_response_topic_schema, &q->arena, w->plan.n);
	for (int32_t i = 0; i < w->plan.n; i++) {
		const struct fetch_slot *s = &w->plan.slots[i];
		if (!is_due(&w->plan, s))
			continue;
		if (!before || !uuid_eq(before->ask.topic_id, s->ask.topic_id) ||
		    !str_eq(before->ask.topic, s->ask.topic)) {
			t = &out->responses[out->n_responses++];
			t->topic = s->ask.topic;
			t->topic_id = s->ask.topic_id;
			t->partitions = schema_new(&fetch_response_partition_schema, &q->arena,
						   w->plan.n - i);
		}
		before = s;
		fill_partition(q, s, &t->partitions[t->n_partitions++], &left);
	}
}

/* Errors older clients do not know are given as ones they do. */
static void fill_partition(struct req *q, const struct fetch_slot *s,
			   struct fetch_response_partition *out, int64_t *left)
{
	const struct fetch_request *in = q->in;
	const struct fetch_work *w = q->work;
	const struct read_op *op = s->op;
	enum kerr e = op ? op->error : s->error;

	out->partition_index = s->ask.partition;
	out->high_watermark = -1;
	out->n_aborted_transactions = in->isolation_level == 1 ? 0 : -1;
	out->error_code = (int16_t)(e == KERR_KAFKA_STORAGE_ERROR && q->head.api_version <= 5
					    ? KERR_NOT_LEADER_OR_FOLLOWER
					    : e);
	if (!op)
		return;
	out->high_watermark = op->high_watermark;
	out->last_stable_offset = op->last_stable;
	out->log_start_offset = op->log_start;
	out->diverging_epoch.epoch = op->diverging.epoch;
	out->diverging_epoch.end_offset = op->diverging.start_offset;
	if (op->leader >= 0 &&
	    (e == KERR_NOT_LEADER_OR_FOLLOWER || e == KERR_FENCED_LEADER_EPOCH)) {
		out->current_leader.leader_id = op->leader;
		out->current_leader.leader_epoch = op->leader_epoch_now;
		fetch_hint(q, q->out, op->leader);
	}
	/* Shards did not know of each other: what they read past the limit together is cut off, but
	 * never the first of all. */
	int64_t n = *left == w->max_bytes ? op->data.n : i64_min(op->data.n, i64_max(*left, 0));
	*left -= n;
	if (n > 0)
		out->records = (struct records){ .n = (int32_t)n,
						 .file = op->data.file,
						 .file_at = op->data.at };
}
