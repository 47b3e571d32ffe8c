#include "tests/story/folworld.h"

#include <stdio.h>

#include "broker/shard/partition.h"
#include "common/base/log.h"
#include "common/wire/header.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/apis.h"
#include "kafka/fetch.h"
#include "kafka/list_offsets.h"
#include "tests/lib/test.h"
#include "tests/sim/disk.h"

#define SESSION 5
#define BATCH_BYTES 4096
#define ANSWER_BYTES (1 << 20)
#define WALL_MS 1700000000000

static void take_line(void *world, const char *line, size_t n);
static void begin_leader(void *leader, void *unused);
static void on_accept(void *leader, struct env *, struct conn *);
static void on_frame(void *leader, struct conn *, struct buf *);
static void on_down(void *leader, struct conn *, enum err);
static void hear_fetch(struct fol_leader *, struct fol_question *, struct reader *);
static void hear_offsets(struct fol_leader *, struct fol_question *, struct reader *);
static struct fol_question take_question(struct fol_leader *);
static void send_answer(struct fol_leader *, const struct fol_question *, const void *);

static const struct conn_events conn_events = { .frame = on_frame, .down = on_down };

/* ---- the stage ------------------------------------------------------------------------------- */

void fol_init(struct folworld *w, struct text *tale)
{
	*w = (struct folworld){ .sim = world_new(1), .tale = tale };
	w->sim->job_us_max = 10;
	log_set_sink(take_line, w);
	w->controller = machine_new(w->sim, "c100", 1);
	w->node = sim_node_add(w->sim, 1, false, 1);
	sim_node_option(w->node, "controller.quorum.bootstrap.servers=c100:%d", CONTROLLER_PORT);
	sim_node_option(w->node, "replica.fetch.backoff.ms=100");
	for (int i = 0; i < FOL_PARTITIONS; i++)
		w->partitions[i] = (struct fol_partition){ 2, 1, 1 };
	for (int32_t id = 2; id < FOL_LEADERS; id++) {
		char name[16];

		snprintf(name, sizeof(name), "b%d", id);
		w->leaders[id].world = w;
		w->leaders[id].machine = machine_new(w->sim, name, 1);
		machine_start(w->leaders[id].machine);
		actor_do(&w->leaders[id].machine->actor[0], begin_leader, &w->leaders[id], NULL);
	}
	fol_controller_begin(w);
	sim_node_start(w->node);
	fol_settle(w, 50);
}

void fol_fini(struct folworld *w)
{
	log_set_sink(NULL, NULL);
	world_free(w->sim);
	mem_free(w->node);
}

void fol_settle(struct folworld *w, int64_t ms)
{
	world_run(w->sim, ms * 1000);
}

/* What the broker says of following and of its roles, less the time and the level. */
static void take_line(void *x, const char *line, size_t n)
{
	struct folworld *w = x;
	struct str s = { line, n }, level;

	(void)str_cut(&s, ' ', &level);
	s = str_trim(s);
	if ((s.n > 7 && memcmp(s.at, "follow ", 7) == 0) ||
	    (s.n > 10 && memcmp(s.at, "partition ", 10) == 0) ||
	    (s.n > 5 && memcmp(s.at, "dirs ", 5) == 0))
		text_printf(w->tale, "       %.*s\n", (int)s.n, s.at);
}

void fol_lead(struct folworld *w, int partition, int32_t leader)
{
	struct fol_partition *p = &w->partitions[partition];

	p->leader = leader;
	p->leader_epoch++;
	p->partition_epoch++;
	fol_push_leader(w, partition);
}

/* ---- leaders: what they are asked ------------------------------------------------------------ */

static void begin_leader(void *x, void *unused)
{
	struct fol_leader *l = x;
	struct env *env = &l->machine->actor[0].env;
	struct peer_addr at = { .port = KAFKA_PORT };
	struct listener *listener;
	int32_t port;
	enum err e = env->peers->listen(env, &at, on_accept, l, &listener, &port);

	(void)unused;
	ASSERT(!e);
}

static int32_t id_of(const struct fol_leader *l)
{
	return (int32_t)(l - l->world->leaders);
}

static void on_accept(void *x, struct env *env, struct conn *conn)
{
	struct fol_leader *l = x;

	text_printf(l->world->tale, "1 > connects to %d\n", id_of(l));
	l->conn = conn;
	l->n_asked = 0;
	env->peers->bind(conn, &conn_events, l, CONN_FRAME_MAX);
}

static void on_down(void *x, struct conn *conn, enum err why)
{
	struct fol_leader *l = x;

	(void)why;
	if (l->conn != conn)
		return;
	text_printf(l->world->tale, "1 > leaves %d\n", id_of(l));
	l->conn = NULL;
	l->n_asked = 0;
}

static void on_frame(void *x, struct conn *conn, struct buf *frame)
{
	struct fol_leader *l = x;
	struct fol_question *q = &l->asked[l->n_asked];
	struct request_header h;
	struct reader r;
	enum err e;

	(void)conn;
	ASSERT(l->n_asked < FOL_QUESTIONS);
	reader_init(&r, frame->at, frame->len);
	e = request_header_decode(&r, &h);
	ASSERT(!e);
	*q = (struct fol_question){ h.api_key, h.api_version, h.correlation_id, 0, 0 };
	l->n_asked++;
	text_printf(l->world->tale, "1 > asks %d:", id_of(l));
	if (h.api_key == API_FETCH)
		hear_fetch(l, q, &r);
	else
		hear_offsets(l, q, &r);
	text_printf(l->world->tale, "\n");
	buf_put(frame);
}

static void hear_fetch(struct fol_leader *l, struct fol_question *q, struct reader *r)
{
	struct text *t = l->world->tale;
	struct fetch_request in;
	struct arena arena;
	enum err e;

	arena_init(&arena, ANSWER_BYTES);
	e = schema_decode(&fetch_request_schema, q->version, r, &arena, &in);
	ASSERT(!e);
	q->session = in.session_id;
	text_printf(t, in.session_id == 0 ? " anew" : "");
	for (int32_t i = 0; i < in.n_topics; i++)
		for (int32_t k = 0; k < in.topics[i].n_partitions; k++) {
			const struct fetch_request_partition *p = &in.topics[i].partitions[k];

			l->offset[p->partition] = p->fetch_offset;
			text_printf(t, " t-%d at %lld in epoch %d, last of epoch %d;", p->partition,
				    (long long)p->fetch_offset, p->current_leader_epoch,
				    p->last_fetched_epoch);
		}
	for (int32_t i = 0; i < in.n_forgotten_topics_data; i++)
		text_printf(t, " no more of t-%d;", in.forgotten_topics_data[i].partitions[0]);
	if (in.n_topics == 0 && in.n_forgotten_topics_data == 0)
		text_printf(t, " as before");
	arena_fini(&arena);
}

static void hear_offsets(struct fol_leader *l, struct fol_question *q, struct reader *r)
{
	struct list_offsets_request in;
	struct arena arena;
	enum err e;

	ASSERT(q->key == API_LIST_OFFSETS);
	arena_init(&arena, ANSWER_BYTES);
	e = schema_decode(&list_offsets_request_schema, q->version, r, &arena, &in);
	ASSERT(!e);
	q->timestamp = in.topics[0].partitions[0].timestamp;
	text_printf(l->world->tale, " where t-%d %s, in epoch %d",
		    in.topics[0].partitions[0].partition_index,
		    q->timestamp == -1 ? "ends" : "begins",
		    in.topics[0].partitions[0].current_leader_epoch);
	arena_fini(&arena);
}

/* ---- leaders: what they answer --------------------------------------------------------------- */

static struct fol_question take_question(struct fol_leader *l)
{
	struct fol_question q = l->asked[0];

	memmove(l->asked, l->asked + 1, sizeof(q) * (size_t)--l->n_asked);
	return q;
}

struct frame_out {
	struct fol_leader *leader;
	struct span span;
};

static void send_now(void *x, void *unused)
{
	struct frame_out *out = x;

	(void)unused;
	if (out->leader->conn)
		out->leader->machine->actor[0].env.peers->send(out->leader->conn, &out->span, 1);
	else
		buf_put(out->span.buf);
	mem_free(out);
}

static void send_answer(struct fol_leader *l, const struct fol_question *q, const void *answer)
{
	struct frame_out *out = mem_alloc(sizeof(*out));
	struct writer w;

	writer_init(&w, l->machine->actor[0].env.bufs, 0);
	response_begin(&w, q->key, q->version, q->correlation);
	schema_encode(api_find(q->key)->response, q->version, answer, &w);
	frame_end(&w);
	out->leader = l;
	out->span.buf = writer_take(&w);
	writer_fini(&w);
	ASSERT(out->span.buf);
	out->span.at = 4; /* the seam writes the size */
	out->span.n = out->span.buf->len - 4;
	actor_do(&l->machine->actor[0], send_now, out, NULL);
}

/* A batch for each record, so that a log can be cut anywhere. */
static size_t put_record(int32_t epoch, int64_t at, uint8_t *to, size_t cap)
{
	struct record r = { .timestamp_ms = WALL_MS, .value = { "r", 1 } };
	struct batch_builder b;
	bool is_in;

	batch_builder_init(&b, to, cap);
	b.head.producer_id = b.head.base_sequence = b.head.producer_epoch = -1;
	b.head.base_offset = at;
	b.head.leader_epoch = epoch;
	is_in = batch_builder_add(&b, &r);
	ASSERT(is_in);
	return batch_builder_finish(&b);
}

static int32_t fill_records(const struct fol_answer *a, int64_t at, uint8_t *to)
{
	size_t n = 0;

	for (int i = 0; i < a->n_runs; i++)
		for (int k = 0; k < a->n_of[i]; k++)
			n += put_record(a->epoch[i], at++, to + n, BATCH_BYTES - n);
	if (a->is_damaged && n > 0)
		to[n - 1] ^= 1;
	return (int32_t)n;
}

bool fol_answer(struct folworld *w, int32_t leader, const struct fol_answer *a)
{
	struct fol_leader *l = &w->leaders[leader];
	struct fetch_response r;
	struct fetch_response_topic topic;
	struct fetch_response_partition part;
	struct fol_question q;
	uint8_t bytes[BATCH_BYTES];

	if (l->n_asked == 0 || l->asked[0].key != API_FETCH)
		return false;
	q = take_question(l);
	schema_init(&fetch_response_schema, &r);
	schema_init(&fetch_response_topic_schema, &topic);
	schema_init(&fetch_response_partition_schema, &part);
	r.session_id = SESSION;
	r.error_code = a->refused;
	if (a->partition >= 0) {
		part.partition_index = a->partition;
		part.error_code = a->error;
		part.high_watermark = part.last_stable_offset = a->high_watermark;
		part.log_start_offset = a->log_start;
		part.diverging_epoch.epoch = a->diverging_epoch;
		part.diverging_epoch.end_offset = a->diverging_end;
		part.records.at = bytes;
		part.records.n =
			fill_records(a, a->at >= 0 ? a->at : l->offset[a->partition], bytes);
		topic.topic_id = fol_topic;
		topic.partitions = &part;
		topic.n_partitions = 1;
		r.responses = &topic;
		r.n_responses = 1;
	}
	send_answer(l, &q, &r);
	return true;
}

bool fol_range(struct folworld *w, int32_t leader, int64_t start, int64_t end)
{
	struct fol_leader *l = &w->leaders[leader];

	for (int i = 0; i < 2; i++) {
		struct list_offsets_response r;
		struct list_offsets_response_topic topic;
		struct list_offsets_response_partition part;
		struct fol_question q;

		if (l->n_asked == 0 || l->asked[0].key != API_LIST_OFFSETS)
			return false;
		q = take_question(l);
		schema_init(&list_offsets_response_schema, &r);
		schema_init(&list_offsets_response_topic_schema, &topic);
		schema_init(&list_offsets_response_partition_schema, &part);
		part.offset = q.timestamp == -1 ? end : start;
		topic.name = STR("t");
		topic.partitions = &part;
		topic.n_partitions = 1;
		r.topics = &topic;
		r.n_topics = 1;
		send_answer(l, &q, &r);
	}
	return true;
}

static void close_now(void *x, void *unused)
{
	struct fol_leader *l = x;

	(void)unused;
	if (l->conn)
		l->machine->actor[0].env.peers->close(l->conn);
	l->conn = NULL;
	l->n_asked = 0;
}

void fol_drop(struct folworld *w, int32_t leader)
{
	actor_do(&w->leaders[leader].machine->actor[0], close_now, &w->leaders[leader], NULL);
}

/* ---- what the follower has ------------------------------------------------------------------- */

static void show_log(const struct partition *p, struct text *t)
{
	int32_t epoch = -1;
	int64_t n = 0;

	for (int64_t at = log_start(p->log); at < log_end(p->log);) {
		uint8_t bytes[BATCH_BYTES];
		struct log_read part;
		struct batch b;
		enum err e = log_read(p->log, at, log_end(p->log), 1, true, &part);
		bool is_whole;

		ASSERT(!e && part.n > 0 && part.n <= (int64_t)sizeof(bytes));
		is_whole = disk_copy_out(part.file, part.at, (size_t)part.n, bytes);
		file_put(part.file);
		ASSERT(is_whole && batch_view(&b, bytes, part.n) == BATCH_OK);
		if (b.leader_epoch != epoch && n > 0) {
			text_printf(t, " %lldx%d", (long long)n, epoch);
			n = 0;
		}
		epoch = b.leader_epoch;
		n += part.next_offset - at;
		at = part.next_offset;
	}
	if (n > 0)
		text_printf(t, " %lldx%d", (long long)n, epoch);
}

void fol_show(struct folworld *w)
{
	for (int32_t i = 0; i < FOL_PARTITIONS; i++) {
		struct boot *b = w->node->broker;
		const struct partition *p =
			b ? partition_find(broker_shard(&b->broker, fol_topic, i), fol_topic, i)
			  : NULL;

		text_printf(w->tale, "1 = t-%d: ", i);
		if (!p || p->state != PARTITION_OPEN) {
			text_printf(w->tale, "%s\n", p ? "offline" : "none");
			continue;
		}
		text_printf(w->tale, "start %lld, high watermark %lld, end %lld, log",
			    (long long)p->replica.log_start, (long long)p->replica.high_watermark,
			    (long long)p->replica.log_end);
		show_log(p, w->tale);
		text_printf(w->tale, ", epochs");
		for (int32_t k = 0; k < p->epochs.n; k++)
			text_printf(w->tale, " %d@%lld", p->epochs.v[k].epoch,
				    (long long)p->epochs.v[k].start_offset);
		text_printf(w->tale, "\n");
	}
}
