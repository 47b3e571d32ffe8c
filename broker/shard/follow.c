/* follow.c - the fetcher: its connection, its session, its requests; states are in follow.h.
 *
 *   follow_start -> note_change -> ask_more -> send_fetch
 *   on_frame -> answer_arrives -> fetch_answer -> follow_apply -> take_verdict:
 *     GO_ON      the next request asks from the new log end
 *     REST       out of the session until its backoff is over
 *     WAIT       the same, until the throttle has room (KIP-73)
 *     ASK_RANGE  send_range: ListOffsets for the leader's end and start -> follow_fit_range
 *     GIVE_UP    fenced: until the metadata gives another epoch
 *
 * How a truncation comes about: fill_fetch tells the epoch of our last record, the leader answers
 * with a diverging epoch, follow_apply cuts.  When the leader's connection closes: on_down, which
 * also tells the other shards (lost.h), then dial again with a backoff until the metadata names
 * another leader. */
#include "broker/shard/follow.h"

#include <stdio.h>

#include "broker/shard/follow_apply.h"
#include "broker/shard/shard.h"
#include "common/base/log.h"
#include "common/wire/header.h"
#include "kafka/apis.h"
#include "kafka/fetch.h"
#include "kafka/list_offsets.h"

/* The versions that followers of this release speak among themselves: topic ids, diverging epochs,
 * replica epochs (KIP-903). */
#define FETCH_VERSION 17
#define OFFSETS_VERSION 7
/* The first for a broken connection, the second for a partition that was refused; both double. */
#define REST_MIN_MS 10
#define PARTITION_REST_MIN_MS 2 /* doubled before the first rest */
#define REST_MAX_MS 1000
#define THROTTLED_MS_MAX 500
#define ANSWER_BYTES_MAX ((size_t)256 << 20)
#define IN_FLIGHT_MAX 4

enum link { LINK_IDLE, LINK_DIALLING, LINK_UP, LINK_RESTING };
enum asked_kind { ASKED_FETCH, ASKED_END, ASKED_START };

struct asked {
	enum asked_kind kind;
	uint64_t number;
};
struct forgotten {
	struct uuid topic_id;
	int32_t partition;
};
struct follow {
	struct shard *shard;
	int32_t broker;
	enum link link;
	struct conn *conn;
	struct timer timer; /* RESTING: dial again; UP: partitions whose backoff is over */
	int64_t rest_ms;
	int32_t session_id, session_epoch;
	uint64_t n_asked;                      /* numbers requests */
	struct asked in_flight[IN_FLIGHT_MAX]; /* oldest first: answers come in order */
	int n_in_flight, n_fetches;
	struct list members, changes;
	struct forgotten *forgotten;
	int32_t n_forgotten, cap_forgotten;
	struct arena arena;
	struct forgotten ranged; /* the partition whose range is being asked */
	bool is_ranging;
	int64_t range_end;
};

static struct follow *follow_of(struct shard *, int32_t broker);
static void follow_free(struct follow *);
static void dial(struct follow *);
static void rest(struct follow *, const char *why);
static void on_up(void *arg, struct conn *);
static void on_frame(void *arg, struct conn *, struct buf *);
static void on_down(void *arg, struct conn *, enum err why);
static void on_timer(void *arg);
static void ask_more(struct follow *);
static void send_fetch(struct follow *);
static void fill_fetch(struct follow *, struct fetch_request *);
static int32_t piece(const struct partition *);
static void fill_forgotten(struct follow *, struct fetch_request *);
static void send_range(struct follow *, struct partition *);
static void send_request(struct follow *, int key, int version, enum asked_kind,
			 const struct schema *, const void *);
static enum err answer_arrives(struct follow *, struct buf *);
static enum err fetch_answer(struct follow *, uint64_t number, struct reader *);
static enum err range_answer(struct follow *, enum asked_kind, struct reader *);
static int64_t throttled_ms(const struct partition *);
static void take_verdict(struct follow *, struct partition *, enum follow_verdict);
static void note_change(struct partition *);
static void leave_session(struct follow *, struct partition *);
static void end_session(struct follow *);
static void set_timer(struct follow *);

static const struct conn_events events = { .up = on_up, .frame = on_frame, .down = on_down };

/* Idempotent for the same leader and epoch. `since` is the first request that can tell the new
 * epoch: answers to earlier ones say nothing about it. */
void follow_start(struct partition *p, int32_t leader)
{
	struct follow *f = follow_of(p->shard, leader);
	struct following *me = &p->follow;

	if (me->at == f && me->epoch == p->replica.leader_epoch)
		return;
	if (me->at)
		follow_stop(p);
	f = follow_of(p->shard, leader); /* the last partition to leave takes it along */
	me->epoch = p->replica.leader_epoch;
	me->at = f;
	list_push_back(&f->members, &me->node);
	me->state = FOLLOW_FETCHING;
	me->needs_range = false;
	me->rest_ms = PARTITION_REST_MIN_MS;
	me->since = f->n_asked + 1;
	me->is_urgent = true;
	note_change(p);
	if (f->link == LINK_IDLE)
		dial(f);
	else
		ask_more(f);
}

void follow_stop(struct partition *p)
{
	struct following *me = &p->follow;
	struct follow *f = me->at;

	if (!f)
		return;
	leave_session(f, p);
	list_remove(&me->node);
	me->at = NULL;
	me->state = FOLLOW_NONE;
	if (list_empty(&f->members))
		follow_free(f);
}

/* A broker that came back at another address; one that is gone is left to its connection. */
void follow_refresh_brokers(struct shard *s)
{
	MAP_FOR (slot, &s->follows) {
		struct follow *f = slot->value;
		if (f->link == LINK_RESTING) {
			f->rest_ms = REST_MIN_MS;
			timer_after_ms(s->env, &f->timer, 0);
		}
	}
}

/* One fetcher per (shard, leading broker): keys are broker ids plus one, as 0 is no key. */
static struct follow *follow_of(struct shard *s, int32_t broker)
{
	struct follow *f = map_find(&s->follows, (uint64_t)broker + 1);

	if (f)
		return f;
	f = mem_alloc(sizeof(*f));
	f->shard = s;
	f->broker = broker;
	f->rest_ms = REST_MIN_MS;
	list_init(&f->members);
	list_init(&f->changes);
	timer_init(&f->timer, on_timer, f);
	arena_init(&f->arena, ANSWER_BYTES_MAX);
	map_put(&s->follows, (uint64_t)broker + 1, f);
	return f;
}

static void follow_free(struct follow *f)
{
	map_remove(&f->shard->follows, (uint64_t)f->broker + 1);
	timer_clear(f->shard->env, &f->timer);
	if (f->conn)
		f->shard->env->peers->close(f->conn);
	arena_fini(&f->arena);
	mem_free(f->forgotten);
	mem_free(f);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void dial(struct follow *f)
{
	struct shard *s = f->shard;
	struct peer_addr at;

	if (!broker_addr(s->broker, s->image, f->broker, &at)) {
		rest(f, "the leader has no address");
		return;
	}
	f->link = LINK_DIALLING;
	f->conn = s->env->peers->dial(s->env, &at, &events, f);
}

static void rest(struct follow *f, const char *why)
{
	log_debug("follow", "resting", F_I64("leader", f->broker), F_Z("why", why),
		  F_I64("ms", f->rest_ms));
	f->link = LINK_RESTING;
	f->conn = NULL;
	f->n_in_flight = f->n_fetches = 0;
	f->is_ranging = false;
	end_session(f);
	timer_after_ms(f->shard->env, &f->timer, f->rest_ms);
	f->rest_ms = i64_min(2 * f->rest_ms, REST_MAX_MS);
}

static void on_up(void *arg, struct conn *conn)
{
	struct follow *f = arg;

	(void)conn;
	f->link = LINK_UP;
	lost_found(f->shard, f->broker);
	ask_more(f);
	set_timer(f);
}

static void on_down(void *arg, struct conn *conn, enum err why)
{
	struct follow *f = arg;

	(void)conn;
	if (f->link == LINK_UP)
		lost_tell(f->shard, f->broker);
	rest(f, err_text(why));
}

/* Working an answer may end this very fetcher (the partition's log failed), so it is looked up
 * again. */
static void on_frame(void *arg, struct conn *conn, struct buf *frame)
{
	struct follow *f = arg;
	struct shard *s = f->shard;
	int32_t broker = f->broker;
	enum err e = answer_arrives(f, frame);

	buf_put(frame);
	if (map_find(&s->follows, (uint64_t)broker + 1) != f)
		return; /* its last partition left while the answer was worked */
	arena_reset(&f->arena);
	if (e) {
		s->env->peers->close(conn);
		rest(f, err_text(e));
		return;
	}
	f->rest_ms = REST_MIN_MS;
	ask_more(f);
	set_timer(f);
}

static void on_timer(void *arg)
{
	struct follow *f = arg;
	int64_t now_ms = env_mono_ms(f->shard->env);

	if (f->link == LINK_RESTING) {
		dial(f);
		return;
	}
	LIST_FOR (p, &f->members, struct partition, follow.node)
		if (p->follow.state == FOLLOW_BACKOFF && p->follow.retry_ms <= now_ms) {
			if ((p->follow.retry_ms = now_ms + throttled_ms(p)) > now_ms)
				continue;
			p->follow.state = FOLLOW_FETCHING;
			p->follow.is_urgent = true;
			note_change(p);
		}
	ask_more(f);
	set_timer(f);
}

/* How long the throttle holds this replica back; looked at again and again, as its rate may change.
 */
static int64_t throttled_ms(const struct partition *p)
{
	const struct shard *s = p->shard;
	int64_t wait_us =
		partition_throttles(p, p->replica.self)
			? throttle_wait_us(&s->broker->follower_throttle,
					   s->dynamic.follower_throttle, env_mono_us(s->env))
			: 0;

	return i64_min((wait_us + 999) / 1000, THROTTLED_MS_MAX);
}

/* Wakes for the earliest backoff; RESTING has the timer for itself. */
static void set_timer(struct follow *f)
{
	int64_t at_ms = INT64_MAX;

	if (f->link != LINK_UP)
		return;
	LIST_FOR (p, &f->members, struct partition, follow.node)
		if (p->follow.state == FOLLOW_BACKOFF)
			at_ms = i64_min(at_ms, p->follow.retry_ms);
	if (at_ms == INT64_MAX)
		timer_clear(f->shard->env, &f->timer);
	else
		timer_after_ms(f->shard->env, &f->timer,
			       i64_max(0, at_ms - env_mono_ms(f->shard->env)));
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool has_urgent(const struct follow *f)
{
	for (const struct list *n = f->changes.next; n != &f->changes; n = n->next)
		if (CONTAINER_OF(n, const struct partition, follow.change)->follow.is_urgent)
			return true;
	return false;
}

/* Normally one fetch in flight.  A second one goes out for a partition that was just added: the
 * leader ends the long poll of the first when it reads it. */
static void ask_more(struct follow *f)
{
	if (f->link != LINK_UP)
		return;
	if (!f->is_ranging)
		LIST_FOR (p, &f->members, struct partition, follow.node)
			if (p->follow.needs_range && !f->is_ranging &&
			    f->n_in_flight + 2 <= IN_FLIGHT_MAX)
				send_range(f, p);
	if (f->n_fetches == 0 || (f->n_fetches == 1 && f->session_id != 0 && has_urgent(f)))
		send_fetch(f);
}

/* The session's epoch is counted here, when the request is made; the leader counts when it reads
 * it. */
static void send_fetch(struct follow *f)
{
	struct fetch_request in;
	const struct broker_conf *c = f->shard->broker->conf;
	const struct image_broker *self = image_broker(f->shard->image, c->node_id);

	schema_init(&fetch_request_schema, &in);
	in.replica_state.replica_id = c->node_id;
	in.replica_state.replica_epoch = self ? self->epoch : -1;
	in.max_wait_ms = c->fetch_wait_ms;
	in.min_bytes = c->fetch_min_bytes;
	in.max_bytes = c->fetch_response_bytes;
	in.session_id = f->session_id;
	in.session_epoch = f->session_epoch;
	in.rack_id = STR("");
	fill_fetch(f, &in);
	fill_forgotten(f, &in);
	if (in.n_topics == 0 && f->session_id == 0)
		return; /* everybody rests */
	if (f->session_id != 0)
		f->session_epoch = f->session_epoch == INT32_MAX ? 1 : f->session_epoch + 1;
	f->n_fetches++;
	send_request(f, API_FETCH, FETCH_VERSION, ASKED_FETCH, &fetch_request_schema, &in);
	arena_reset(&f->arena);
}

/* A full request lists every member that fetches, an incremental one those that changed. */
static void fill_fetch(struct follow *f, struct fetch_request *in)
{
	bool full = f->session_id == 0;
	int32_t n = 0;

	if (full) {
		LIST_FOR (p, &f->members, struct partition, follow.node)
			if (p->follow.state == FOLLOW_FETCHING)
				note_change(p);
	}
	for (struct list *l = f->changes.next; l != &f->changes; l = l->next)
		n++;
	in->topics = schema_new(&fetch_request_topic_schema, &f->arena, n);
	while (!list_empty(&f->changes)) {
		struct partition *p =
			CONTAINER_OF(f->changes.next, struct partition, follow.change);
		list_remove(&p->follow.change);
		if (p->follow.state != FOLLOW_FETCHING)
			continue;
		struct fetch_request_topic *t = &in->topics[in->n_topics++];
		t->topic_id = p->topic_id;
		t->n_partitions = 1;
		t->partitions = schema_new(&fetch_request_partition_schema, &f->arena, 1);
		t->partitions[0].partition = p->number;
		t->partitions[0].current_leader_epoch = p->replica.leader_epoch;
		t->partitions[0].fetch_offset = p->replica.log_end;
		t->partitions[0].last_fetched_epoch = epoch_cache_latest(&p->epochs);
		t->partitions[0].log_start_offset = p->replica.log_start;
		t->partitions[0].partition_max_bytes = piece(p);
		p->follow.in_session = true;
		p->follow.is_urgent = false;
	}
}

static int32_t piece(const struct partition *p)
{
	int32_t max = p->shard->broker->conf->fetch_bytes;

	return partition_throttles(p, p->replica.self)
		       ? throttle_piece(p->shard->dynamic.follower_throttle, max)
		       : max;
}

static void fill_forgotten(struct follow *f, struct fetch_request *in)
{
	if (f->session_id != 0 && f->n_forgotten > 0) {
		in->forgotten_topics_data = schema_new(&fetch_request_forgotten_topic_schema,
						       &f->arena, f->n_forgotten);
		in->n_forgotten_topics_data = f->n_forgotten;
		for (int32_t i = 0; i < f->n_forgotten; i++) {
			struct fetch_request_forgotten_topic *t = &in->forgotten_topics_data[i];
			t->topic_id = f->forgotten[i].topic_id;
			t->partitions = arena_must(&f->arena, sizeof(int32_t));
			t->partitions[0] = f->forgotten[i].partition;
			t->n_partitions = 1;
		}
	}
	f->n_forgotten = 0;
}

/* Kafka's frame, but for the size, which the seam puts in front. */
static void send_request(struct follow *f, int key, int version, enum asked_kind kind,
			 const struct schema *schema, const void *in)
{
	struct writer w;
	struct request_header h = { .api_key = (int16_t)key,
				    .api_version = (int16_t)version,
				    .correlation_id = (int32_t)(++f->n_asked & INT32_MAX),
				    .client_id = STR("follower") };

	ASSERT(f->n_in_flight < IN_FLIGHT_MAX);
	f->in_flight[f->n_in_flight++] = (struct asked){ kind, f->n_asked };
	writer_init(&w, f->shard->env->bufs, 256);
	request_begin(&w, &h);
	schema_encode(schema, version, in, &w);
	uint32_t end = writer_at(&w);
	struct buf *b = writer_take(&w);
	ASSERT(b);
	struct span out = { .buf = b,
			    .at = sizeof(int32_t),
			    .n = (int64_t)end - (int64_t)sizeof(int32_t) };
	f->shard->env->peers->send(f->conn, &out, 1);
	writer_fini(&w);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Answers come in the order of the requests; a correlation id out of line ends the connection. */
static enum err answer_arrives(struct follow *f, struct buf *frame)
{
	struct reader r;
	struct asked a;
	int32_t correlation;
	bool is_fetch;

	if (f->n_in_flight == 0)
		return ERR_CORRUPT;
	a = f->in_flight[0];
	is_fetch = a.kind == ASKED_FETCH;
	memmove(f->in_flight, f->in_flight + 1, sizeof(a) * (size_t)--f->n_in_flight);
	f->n_fetches -= is_fetch;
	reader_init(&r, frame->at, frame->len);
	if (response_header_decode(&r, is_fetch ? API_FETCH : API_LIST_OFFSETS,
				   is_fetch ? FETCH_VERSION : OFFSETS_VERSION, &correlation) ||
	    correlation != (int32_t)(a.number & INT32_MAX))
		return ERR_CORRUPT;
	return is_fetch ? fetch_answer(f, a.number, &r) : range_answer(f, a.kind, &r);
}

/* A session that the leader has forgotten is begun anew; any other top-level error ends the
 * connection. */
static enum err fetch_answer(struct follow *f, uint64_t number, struct reader *r)
{
	struct fetch_response out;
	struct shard *s = f->shard;
	int32_t broker = f->broker;
	enum err e = schema_decode(&fetch_response_schema, FETCH_VERSION, r, &f->arena, &out);

	if (e)
		return e;
	if (out.error_code != KERR_NONE) {
		end_session(f);
		return out.error_code == KERR_FETCH_SESSION_ID_NOT_FOUND ||
				       out.error_code == KERR_INVALID_FETCH_SESSION_EPOCH
			       ? ERR_OK
			       : ERR_INVALID;
	}
	if (f->session_id == 0 && out.session_id != 0) {
		f->session_id = out.session_id;
		f->session_epoch = 1;
	}
	for (int32_t i = 0; i < out.n_responses; i++)
		for (int32_t j = 0; j < out.responses[i].n_partitions; j++) {
			const struct fetch_response_partition *one =
				&out.responses[i].partitions[j];
			struct partition *p =
				partition_find(s, out.responses[i].topic_id, one->partition_index);
			/* Not ours any more, or asked in an earlier epoch: whatever it says is void
			 * (KAFKA-13207, KAFKA-18723). */
			if (!p || p->follow.at != f || p->follow.state != FOLLOW_FETCHING ||
			    number < p->follow.since)
				continue;
			take_verdict(f, p, follow_apply(p, one));
			if (map_find(&s->follows, (uint64_t)broker + 1) != f)
				return ERR_OK;
		}
	return ERR_OK;
}

/* GO_ON keeps the partition in the session; everything else takes it out until it may ask again. */
static void take_verdict(struct follow *f, struct partition *p, enum follow_verdict v)
{
	const struct broker_conf *c = p->shard->broker->conf; /* f may be gone: FOLLOW_DEAD */

	switch (v) {
	case FOLLOW_GO_ON: note_change(p); return;
	case FOLLOW_REST:
		/* Often the leader has only not heard yet that it is the leader. */
		p->follow.rest_ms = i64_min(2 * p->follow.rest_ms, c->fetch_backoff_ms);
		p->follow.retry_ms = env_mono_ms(f->shard->env) + p->follow.rest_ms;
		p->follow.state = FOLLOW_BACKOFF;
		break;
	case FOLLOW_ASK_RANGE:
		p->follow.needs_range = true;
		p->follow.retry_ms = INT64_MAX;
		p->follow.state = FOLLOW_BACKOFF;
		break;
	case FOLLOW_WAIT:
		p->follow.retry_ms = env_mono_ms(f->shard->env) + i64_max(1, throttled_ms(p));
		p->follow.state = FOLLOW_BACKOFF;
		break;
	case FOLLOW_GIVE_UP: p->follow.state = FOLLOW_FAILED; break;
	case FOLLOW_DEAD: return; /* partition_fail has stopped it */
	}
	leave_session(f, p);
}

/* ---- out of range: where does the leader's log end, where does it begin ---------------------- */

static void send_range(struct follow *f, struct partition *p)
{
	static const struct {
		enum asked_kind kind;
		int64_t ts;
	} asks[] = { { ASKED_END, -1 }, { ASKED_START, -2 } };

	f->is_ranging = true;
	f->ranged = (struct forgotten){ p->topic_id, p->number };
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct list_offsets_request in;
		struct list_offsets_request_topic t;
		struct list_offsets_request_partition one;
		schema_init(&list_offsets_request_schema, &in);
		schema_init(&list_offsets_request_topic_schema, &t);
		schema_init(&list_offsets_request_partition_schema, &one);
		in.replica_id = f->shard->broker->conf->node_id;
		in.topics = &t;
		in.n_topics = 1;
		t.name = p->topic;
		t.partitions = &one;
		t.n_partitions = 1;
		one.partition_index = p->number;
		one.current_leader_epoch = p->replica.leader_epoch;
		one.timestamp = asks[i].ts;
		send_request(f, API_LIST_OFFSETS, OFFSETS_VERSION, asks[i].kind,
			     &list_offsets_request_schema, &in);
	}
}

static enum err range_answer(struct follow *f, enum asked_kind kind, struct reader *r)
{
	struct list_offsets_response out;
	struct partition *p = partition_find(f->shard, f->ranged.topic_id, f->ranged.partition);
	enum err e =
		schema_decode(&list_offsets_response_schema, OFFSETS_VERSION, r, &f->arena, &out);
	const struct list_offsets_response_partition *one;

	if (e)
		return e;
	if (out.n_topics != 1 || out.topics[0].n_partitions != 1)
		return ERR_CORRUPT;
	one = out.topics[0].partitions;
	if (kind == ASKED_END) {
		f->range_end = one->error_code == KERR_NONE ? one->offset : -1;
		return ERR_OK;
	}
	f->is_ranging = false;
	if (!p || p->follow.at != f || !p->follow.needs_range)
		return ERR_OK;
	p->follow.needs_range = false;
	if (one->error_code != KERR_NONE || f->range_end < 0) {
		take_verdict(f, p, FOLLOW_REST);
		return ERR_OK;
	}
	p->follow.state = FOLLOW_FETCHING;
	p->follow.is_urgent = true; /* it left the session while it asked */
	take_verdict(f, p, follow_fit_range(p, one->offset, f->range_end));
	return ERR_OK;
}

/* ---- the session ----------------------------------------------------------------------------- */

static void note_change(struct partition *p)
{
	list_remove(&p->follow.change);
	list_push_back(&p->follow.at->changes, &p->follow.change);
}

static void leave_session(struct follow *f, struct partition *p)
{
	list_remove(&p->follow.change);
	if (!p->follow.in_session)
		return;
	p->follow.in_session = false;
	if (f->n_forgotten == f->cap_forgotten) {
		f->cap_forgotten = f->cap_forgotten ? 2 * f->cap_forgotten : 16;
		f->forgotten =
			mem_grow(f->forgotten, sizeof(*f->forgotten) * (size_t)f->cap_forgotten);
	}
	f->forgotten[f->n_forgotten++] = (struct forgotten){ p->topic_id, p->number };
}

static void end_session(struct follow *f)
{
	f->session_id = f->session_epoch = 0;
	f->n_forgotten = 0;
	LIST_FOR (p, &f->members, struct partition, follow.node)
		p->follow.in_session = false;
}
