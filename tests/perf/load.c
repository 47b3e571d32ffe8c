/* load.c - a load generator on the raw protocol: as cheap a client as can be written, so that what
 * is measured is the cluster.
 *
 *   load produce -b HOST:PORT -t TOPIC [-c CONNECTIONS] [-w WINDOW] [-s RECORD_BYTES]
 *                [-B BATCH_BYTES] [-a ACKS] [-r RECORDS_PER_SECOND] [-d SECONDS] [-W
 * WARMUP_SECONDS] load fetch   -b HOST:PORT -t TOPIC [-c CONNECTIONS] [-B MAX_BYTES] [-d SECONDS]
 *
 * Connection i speaks to the leader of partition i modulo the topic's partitions.  Every produce
 * request carries the same batch, built once: a request costs one small buffer and no copy.  With
 * -r the sends are scheduled, and latency counts from the scheduled time, not from the moment a
 * stalled client got round to it (no coordinated omission); flat out it counts from the send.
 * Fetch reads round and round: at the end of a partition it begins again at its start.
 *
 * Prints one line of key=value.  Exit status 1 when a request was refused or a connection lost. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/arena.h"
#include "common/base/endian.h"
#include "common/base/text.h"
#include "common/net/loop.h"
#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "kafka/apis.h"
#include "kafka/fetch.h"
#include "kafka/metadata.h"
#include "kafka/produce.h"
#include "tests/perf/lib/args.h"
#include "tests/perf/lib/raw.h"

#define PRODUCE_VERSION 9
#define FETCH_VERSION 12
#define METADATA_VERSION 9
#define SAMPLES_MAX 4000000
#define WINDOW_MAX 4096
#define FRAME_MAX (256u << 20)
#define CORRELATION_END 12 /* size, api key, version, correlation id */

struct load;

struct stream { /* one connection */
	struct load *load;
	struct conn *conn;
	int32_t partition;
	struct peer_addr leader;
	struct buf *rest;           /* produce: the request behind the correlation id, shared */
	int64_t due_us[WINDOW_MAX]; /* ring by correlation id: when the request was due */
	int32_t sent, answered;
	int64_t next_due_us;
	int64_t offset, log_start; /* fetch */
};

struct load {
	struct env *env;
	struct conn *bootstrap;
	struct peer_addr addr;
	const char *topic;
	bool is_fetch, measuring, draining;
	int32_t n_streams, window, batch_bytes, record_bytes, n_records;
	int16_t acks;
	double rate, seconds, warmup;
	struct stream *streams;
	struct arena arena;
	struct timer tick, phase;
	int64_t start_us, requests, bytes, records, wall_us;
	int64_t total_bytes;       /* with warm-up and drain */
	int64_t born_us, first_us; /* the process's start and its first answer */
	int32_t *samples_us;
	int64_t n_samples;
	double cpu_at_start_s, cpu_s;
	int status;
};

static void stop(struct load *l, int status)
{
	l->status = l->status ? l->status : status;
	l->env->ops->stop(l->env);
}

static void fail(struct load *l, const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	stop(l, 1);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- the batch ------------------------------------------------------------------------------- */

/* Fills `to` (batch_bytes + one record) and returns the batch's size. */
static size_t build_batch(struct load *l, uint8_t *to)
{
	uint8_t *value = mem_alloc((size_t)l->record_bytes);
	size_t at = BATCH_HEADER_BYTES;
	int64_t now = env_wall_ms(l->env);

	for (int32_t i = 0; i < l->record_bytes; i++)
		value[i] = (uint8_t)('a' + prng_below(&l->env->prng, 26));
	for (l->n_records = 0;
	     l->n_records == 0 || at + (size_t)l->record_bytes <= (size_t)l->batch_bytes;
	     l->n_records++)
		at += raw_record(to + at, l->n_records, value, l->record_bytes);
	mem_free(value);
	raw_batch(to, at, l->n_records, now);
	raw_batch_crc(to, at);
	return at;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void build_produce(struct stream *s)
{
	struct load *l = s->load;
	uint8_t *bytes = mem_alloc((size_t)l->batch_bytes + (size_t)l->record_bytes + 128);
	struct produce_request_partition p = { .index = s->partition };
	struct produce_request_topic t = { .name = str_of(l->topic),
					   .partition_data = &p,
					   .n_partition_data = 1 };
	struct produce_request r;

	schema_init(&produce_request_schema, &r);
	p.records = (struct records){ .at = bytes, .n = (int32_t)build_batch(l, bytes) };
	r.acks = l->acks;
	r.timeout_ms = 30000;
	r.topic_data = &t;
	r.n_topic_data = 1;
	s->rest = raw_encode(l->env, API_PRODUCE, PRODUCE_VERSION, &produce_request_schema, &r);
	mem_free(bytes);
}

static void send_produce(struct stream *s, int64_t due_us)
{
	struct buf *head = buf_new(s->load->env->bufs, CORRELATION_END);
	struct span v[2] = {
		{ .buf = head, .at = RAW_SIZE_BYTES, .n = CORRELATION_END - RAW_SIZE_BYTES },
		{ .buf = buf_get(s->rest),
		  .at = CORRELATION_END,
		  .n = s->rest->len - CORRELATION_END }
	};

	memcpy(head->at, s->rest->at, CORRELATION_END);
	head->len = CORRELATION_END;
	store_be32(head->at + 8, (uint32_t)s->sent);
	s->due_us[s->sent++ % WINDOW_MAX] = due_us;
	s->load->env->peers->send(s->conn, v, 2);
}

static void send_fetch(struct stream *s)
{
	struct load *l = s->load;
	struct fetch_request_partition p;
	struct fetch_request_topic t;
	struct fetch_request r;
	struct span v = { 0 };

	schema_init(&fetch_request_partition_schema, &p);
	schema_init(&fetch_request_topic_schema, &t);
	schema_init(&fetch_request_schema, &r);
	p.partition = s->partition;
	p.fetch_offset = s->offset;
	p.partition_max_bytes = l->batch_bytes;
	t.topic = str_of(l->topic);
	t.partitions = &p;
	t.n_partitions = 1;
	r.max_wait_ms = 100;
	r.min_bytes = 1;
	r.max_bytes = l->batch_bytes;
	r.topics = &t;
	r.n_topics = 1;
	v.buf = raw_encode(l->env, API_FETCH, FETCH_VERSION, &fetch_request_schema, &r);
	v.at = RAW_SIZE_BYTES;
	v.n = v.buf->len - RAW_SIZE_BYTES;
	s->due_us[s->sent++ % WINDOW_MAX] = env_mono_us(l->env);
	l->env->peers->send(s->conn, &v, 1);
}

/* Sends whatever the window, and with a rate the clock, allow. */
static void pump(struct stream *s)
{
	struct load *l = s->load;
	int64_t now = env_mono_us(l->env);
	double period_us = l->rate > 0 ? 1e6 * l->n_records * l->n_streams / l->rate : 0;

	if (l->is_fetch) {
		if (s->sent == s->answered && !l->draining)
			send_fetch(s);
		return;
	}
	while (s->sent - s->answered < l->window && !l->draining) {
		if (l->rate <= 0) {
			send_produce(s, now);
			continue;
		}
		if (s->next_due_us > now)
			return;
		send_produce(s, s->next_due_us);
		s->next_due_us += (int64_t)period_us;
	}
}

/* ---- answers --------------------------------------------------------------------------------- */

static void sample(struct stream *s, int64_t records, int64_t bytes)
{
	struct load *l = s->load;
	int64_t us = env_mono_us(l->env) - s->due_us[s->answered % WINDOW_MAX];

	s->answered++;
	l->total_bytes += bytes;
	if (!l->first_us)
		l->first_us = env_mono_us(l->env);
	if (!l->measuring)
		return;
	l->requests++;
	l->records += records;
	l->bytes += bytes;
	if (l->n_samples < SAMPLES_MAX)
		l->samples_us[l->n_samples++] = (int32_t)us;
}

static void on_produced(struct stream *s, const struct buf *frame)
{
	struct load *l = s->load;
	struct produce_response r;
	const struct produce_response_partition *p;

	if (!raw_decode(&l->arena, API_PRODUCE, PRODUCE_VERSION, frame, &produce_response_schema,
			&r) ||
	    r.n_responses != 1 || r.responses->n_partition_responses != 1) {
		fail(l, "produce", "an answer that is none");
		return;
	}
	p = r.responses->partition_responses;
	if (p->error_code) {
		fail(l, "produce", kerr_name(p->error_code));
		return;
	}
	sample(s, l->n_records, s->rest->len);
}

static int64_t whole_batches(struct stream *s, const struct records *set, int64_t *records)
{
	struct batch b;
	int64_t at = 0;

	while (at < set->n && batch_view(&b, set->at + at, set->n - at) == BATCH_OK &&
	       b.size <= set->n - at) {
		s->offset = batch_last_offset(&b) + 1;
		*records += b.n_records;
		at += b.size;
	}
	return at;
}

static void on_fetched(struct stream *s, const struct buf *frame)
{
	struct load *l = s->load;
	struct fetch_response r;
	const struct fetch_response_partition *p;
	int64_t records = 0, bytes;

	if (!raw_decode(&l->arena, API_FETCH, FETCH_VERSION, frame, &fetch_response_schema, &r) ||
	    r.n_responses != 1 || r.responses->n_partitions != 1) {
		fail(l, "fetch", "an answer that is none");
		return;
	}
	p = r.responses->partitions;
	if (p->error_code) {
		fail(l, "fetch", kerr_name(p->error_code));
		return;
	}
	bytes = whole_batches(s, &p->records, &records);
	if (s->offset >= p->high_watermark)
		s->offset = p->log_start_offset;
	sample(s, records, bytes);
}

static void on_stream_up(void *arg, struct conn *c)
{
	struct stream *s = arg;

	(void)c;
	s->next_due_us = env_mono_us(s->load->env);
	pump(s);
}

static void on_stream_frame(void *arg, struct conn *c, struct buf *frame)
{
	struct stream *s = arg;

	(void)c;
	if (s->load->is_fetch)
		on_fetched(s, frame);
	else
		on_produced(s, frame);
	buf_put(frame);
	pump(s);
}

static void on_down(void *arg, struct conn *c, enum err why)
{
	struct stream *s = arg;

	(void)c;
	s->conn = NULL;
	fail(s->load, "connection lost", err_text(why));
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void on_tick(void *arg)
{
	struct load *l = arg;

	for (int32_t i = 0; i < l->n_streams; i++)
		if (l->streams[i].conn)
			pump(&l->streams[i]);
	l->env->ops->timer_set(l->env, &l->tick, env_mono_us(l->env) + 200);
}

static void on_drained(void *arg)
{
	stop(arg, 0);
}

static void on_measured(void *arg)
{
	struct load *l = arg;

	l->measuring = false;
	l->draining = true;
	l->wall_us = env_mono_us(l->env) - l->start_us;
	l->cpu_s = cpu_s() - l->cpu_at_start_s;
	timer_init(&l->phase, on_drained, l);
	timer_after_ms(l->env, &l->phase, 200);
}

static void on_warm(void *arg)
{
	struct load *l = arg;

	l->measuring = true;
	l->start_us = env_mono_us(l->env);
	l->cpu_at_start_s = cpu_s();
	timer_init(&l->phase, on_measured, l);
	timer_after_ms(l->env, &l->phase, (int64_t)(l->seconds * 1000));
}

static void start_streams(struct load *l)
{
	static const struct conn_events events = { on_stream_up, on_stream_frame, on_down, NULL };

	for (int32_t i = 0; i < l->n_streams; i++) {
		struct stream *s = &l->streams[i];

		if (!l->is_fetch)
			build_produce(s);
		s->conn = l->env->peers->dial(l->env, &s->leader, &events, s);
	}
	timer_init(&l->tick, on_tick, l);
	if (l->rate > 0)
		timer_after_ms(l->env, &l->tick, 1);
	timer_init(&l->phase, on_warm, l);
	timer_after_ms(l->env, &l->phase, (int64_t)(l->warmup * 1000));
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void on_metadata(void *arg, struct conn *c, struct buf *frame)
{
	struct load *l = arg;
	struct metadata_response r;
	const struct metadata_response_topic *t;

	if (!raw_decode(&l->arena, API_METADATA, METADATA_VERSION, frame, &metadata_response_schema,
			&r) ||
	    r.n_topics != 1 || r.topics->error_code || r.topics->n_partitions < 1) {
		fail(l, l->topic, "the topic is not there");
		goto out;
	}
	t = r.topics;
	for (int32_t i = 0; i < l->n_streams; i++) {
		const struct metadata_response_partition *p = &t->partitions[i % t->n_partitions];

		l->streams[i] = (struct stream){ .load = l, .partition = p->partition_index };
		if (!raw_leader_addr(&r, p->leader_id, &l->streams[i].leader)) {
			fail(l, l->topic, "a partition has no leader");
			goto out;
		}
	}
	l->env->peers->close(c);
	l->bootstrap = NULL;
	start_streams(l);
out:
	buf_put(frame);
}

static void on_bootstrap_up(void *arg, struct conn *c)
{
	struct load *l = arg;
	struct metadata_request_topic t;
	struct metadata_request r;
	struct span v = { 0 };

	schema_init(&metadata_request_topic_schema, &t);
	schema_init(&metadata_request_schema, &r);
	t.name = str_of(l->topic);
	r.topics = &t;
	r.n_topics = 1;
	r.allow_auto_topic_creation = false;
	v.buf = raw_encode(l->env, API_METADATA, METADATA_VERSION, &metadata_request_schema, &r);
	v.at = RAW_SIZE_BYTES;
	v.n = v.buf->len - RAW_SIZE_BYTES;
	l->env->peers->send(c, &v, 1);
}

static void on_bootstrap_down(void *arg, struct conn *c, enum err why)
{
	(void)c;
	fail(arg, "bootstrap", err_text(why));
}

/* ---- main ------------------------------------------------------------------------------------ */

static int compare_i32(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(struct load *l)
{
	int64_t n = l->n_samples;
	double us = (double)i64_max(l->wall_us, 1);

	if (n == 0 || l->status) {
		l->status = 1;
		return;
	}
	qsort(l->samples_us, (size_t)n, sizeof(int32_t), compare_i32);
	printf("requests=%lld records=%lld mb_s=%.1f records_s=%.0f p50_us=%d p99_us=%d p999_us=%d "
	       "max_us=%d client_ns_per_byte=%.3f total_bytes=%lld first_us=%lld\n",
	       (long long)l->requests, (long long)l->records, (double)l->bytes / us,
	       (double)l->records * 1e6 / us, l->samples_us[n / 2], l->samples_us[n * 99 / 100],
	       l->samples_us[n * 999 / 1000], l->samples_us[n - 1],
	       l->cpu_s * 1e9 / (double)i64_max(l->bytes, 1), (long long)l->total_bytes,
	       (long long)(l->first_us - l->born_us));
}

static const char usage[] =
	"usage: load produce|fetch -b HOST:PORT -t TOPIC [-c CONNECTIONS] [-w WINDOW] [-s "
	"RECORD_BYTES]\n"
	"            [-B BATCH_BYTES] [-a -1|0|1] [-r RECORDS_PER_SECOND] [-d SECONDS] [-W "
	"WARMUP_SECONDS]\n";

static void parse(struct load *l, int argc, char **argv)
{
	int c;

	if (argc < 2 || (strcmp(argv[1], "produce") && strcmp(argv[1], "fetch")))
		args_usage(usage);
	l->is_fetch = !strcmp(argv[1], "fetch");
	optind = 2;
	while ((c = getopt(argc, argv, "b:t:c:w:s:B:a:r:d:W:")) != -1) {
		switch (c) {
		case 'b': args_address(usage, str_of(optarg), &l->addr); break;
		case 't': l->topic = optarg; break;
		case 'c': l->n_streams = args_number(usage, optarg, 1, 10000); break;
		case 'w': l->window = args_number(usage, optarg, 1, WINDOW_MAX); break;
		case 's': l->record_bytes = args_number(usage, optarg, 1, 64 << 20); break;
		case 'B': l->batch_bytes = args_number(usage, optarg, 128, 64 << 20); break;
		case 'a': l->acks = (int16_t)args_number(usage, optarg, -1, 1); break;
		case 'r': l->rate = args_number(usage, optarg, 0, INT32_MAX); break;
		case 'd': l->seconds = strtod(optarg, NULL); break;
		case 'W': l->warmup = strtod(optarg, NULL); break;
		default: args_usage(usage);
		}
	}
	if (!l->topic || !l->addr.port || l->acks == 0)
		args_usage(usage);
}

int main(int argc, char **argv)
{
	static const struct conn_events events = { on_bootstrap_up, on_metadata, on_bootstrap_down,
						   NULL };
	struct load l = { .n_streams = 6,
			  .window = 5,
			  .record_bytes = 1024,
			  .batch_bytes = 65536,
			  .acks = -1,
			  .seconds = 5,
			  .warmup = 1 };
	struct loops_options lo = { .n_actors = 1, .n_io_threads = 1 };
	struct loops *loops;

	parse(&l, argc, argv);
	if (loops_new(&lo, &loops)) {
		fputs("load: no event loop\n", stderr);
		return 1;
	}
	l.env = loops_env(loops, 0);
	l.born_us = env_mono_us(l.env);
	l.streams = mem_alloc(sizeof(struct stream) * (size_t)l.n_streams);
	l.samples_us = mem_alloc(sizeof(int32_t) * SAMPLES_MAX);
	arena_init(&l.arena, 64 << 20);
	l.bootstrap = l.env->peers->dial(l.env, &l.addr, &events, &l);
	loops_run(loops);
	report(&l);
	for (int32_t i = 0; i < l.n_streams; i++)
		buf_put(l.streams[i].rest);
	loops_free(loops);
	arena_fini(&l.arena);
	mem_free(l.samples_us);
	mem_free(l.streams);
	return l.status;
}
