/* gap.c - what a failover costs a client that reacts at once, and what the machine itself does.
 *
 *   gap produce -b HOST:PORT,... -t TOPIC -o FILE   until SIGTERM and the last answers
 *   gap tick -c CPU -o FILE                         until SIGTERM
 *   gap sync -o FILE                                until SIGTERM
 *
 * produce: idempotent, acks=all, one record of 100 bytes every other millisecond to each partition,
 * one in flight, sent again unchanged whenever its answer is an error or its connection ends.  It
 * asks for metadata at once and every millisecond, where ordinary clients wait for their back-offs:
 * so its gaps are the servers' and the machine's.  FILE: one line "PARTITION FROM TO" (monotonic
 * microseconds) for each time between two acknowledgements of GAP_US or more.
 *
 * tick: sleeps until each next millisecond, pinned to a CPU; FILE: one line "CPU FROM TO" for each
 * time it woke late by LATE_US or more: how long the machine itself stood still.
 *
 * sync: every SYNC_EVERY_MS appends a few bytes to FILE.data and syncs them, as a controller does
 * with a decision; FILE: one line "0 FROM TO" for each that took LATE_US or more.
 *
 * All say "go" when they are at work; produce ends with records=N.  Exit status 1: something was
 * refused that no failover explains. */
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/endian.h"
#include "common/base/text.h"
#include "common/net/loop.h"
#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "kafka/apis.h"
#include "kafka/init_producer_id.h"
#include "kafka/produce.h"
#include "tests/perf/lib/args.h"
#include "tests/perf/lib/raw.h"

#define PRODUCE_VERSION 9
#define METADATA_VERSION 9
#define INIT_VERSION 4
#define BROKERS_MAX 16
#define PARTITIONS_MAX 64
#define PERIOD_US 2000
#define GAP_US 4000
#define LATE_US 500
#define SYNC_EVERY_MS 10
#define DIAL_AGAIN_US 3000
#define VALUE_BYTES 100

struct gap;

struct part {
	int32_t leader; /* a row of brokers; -1: unknown */
	int32_t sequence;
	bool in_flight, is_owed; /* owed: sent, and not acknowledged yet */
	int64_t due_us, acked_us;
};
struct broker {
	struct gap *gap;
	int32_t id;
	struct peer_addr addr;
	struct conn *conn;
	bool is_up;
	int64_t dialled_us;
	int32_t asked[PARTITIONS_MAX]; /* a ring: answers come in order */
	uint32_t first, last;
};
struct gap {
	struct env *env;
	const char *topic;
	FILE *out;
	struct broker brokers[BROKERS_MAX];
	struct part parts[PARTITIONS_MAX];
	int32_t n_brokers, n_parts;
	int64_t producer_id; /* -1: not asked for yet */
	int16_t producer_epoch;
	/* who is asked for metadata: a connection of its own */
	struct conn *meta;
	int32_t meta_at; /* a row of brokers */
	bool is_meta_up, is_asking, must_ask, is_ending;
	struct arena arena;
	struct timer tick;
	int64_t records;
	int status;
};

static void refresh(struct gap *);
static void dial_meta(struct gap *);
static void dial(struct broker *);

static void fail(struct gap *g, const char *what, const char *why)
{
	fprintf(stderr, "gap: %s: %s\n", what, why);
	g->status = 1;
	g->env->ops->stop(g->env);
}

/* ---- producing ------------------------------------------------------------------------------- */

static int32_t build(struct gap *g, const struct part *p, uint8_t *to)
{
	char value[VALUE_BYTES + 1];
	size_t end;

	snprintf(value, sizeof(value), "g %-*d", VALUE_BYTES - 2, p->sequence);
	end = BATCH_HEADER_BYTES + raw_record(to + BATCH_HEADER_BYTES, 0, value, VALUE_BYTES);
	raw_batch(to, end, 1, env_wall_ms(g->env));
	store_be64(to + 43, (uint64_t)g->producer_id);
	store_be16(to + 51, (uint16_t)g->producer_epoch);
	store_be32(to + 53, (uint32_t)p->sequence);
	raw_batch_crc(to, end);
	return (int32_t)end;
}

static void send(struct gap *g, int32_t n)
{
	struct part *part = &g->parts[n];
	struct broker *b = &g->brokers[part->leader];
	uint8_t bytes[BATCH_HEADER_BYTES + VALUE_BYTES + 64];
	struct produce_request_partition p = { .index = n };
	struct produce_request_topic t = { .name = str_of(g->topic),
					   .partition_data = &p,
					   .n_partition_data = 1 };
	struct produce_request r;
	struct span v = { .at = RAW_SIZE_BYTES };

	schema_init(&produce_request_schema, &r);
	p.records = (struct records){ .at = bytes, .n = build(g, part, bytes) };
	r.acks = -1;
	r.timeout_ms = 30000;
	r.topic_data = &t;
	r.n_topic_data = 1;
	v.buf = raw_encode(g->env, API_PRODUCE, PRODUCE_VERSION, &produce_request_schema, &r);
	v.n = v.buf->len - RAW_SIZE_BYTES;
	b->asked[b->last++ % PARTITIONS_MAX] = n;
	part->in_flight = part->is_owed = true;
	g->env->peers->send(b->conn, &v, 1);
}

static void acknowledged(struct gap *g, int32_t n)
{
	struct part *p = &g->parts[n];
	int64_t now = env_mono_us(g->env);

	if (p->acked_us && now - p->acked_us >= GAP_US)
		fprintf(g->out, "%d %lld %lld\n", n, (long long)p->acked_us, (long long)now);
	p->acked_us = now;
	p->due_us = i64_max(p->due_us + PERIOD_US, now);
	p->sequence++;
	p->is_owed = false;
	if (g->records++ == 0) {
		puts("go");
		fflush(stdout);
	}
}

static bool is_passing(int16_t code)
{
	return code == KERR_NOT_LEADER_OR_FOLLOWER || code == KERR_LEADER_NOT_AVAILABLE ||
	       code == KERR_REQUEST_TIMED_OUT || code == KERR_NOT_ENOUGH_REPLICAS ||
	       code == KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
	       code == KERR_UNKNOWN_TOPIC_OR_PARTITION || code == KERR_KAFKA_STORAGE_ERROR;
}

static void on_produced(void *arg, struct conn *c, struct buf *frame)
{
	struct broker *b = arg;
	struct gap *g = b->gap;
	struct produce_response r;
	int32_t n = b->asked[b->first++ % PARTITIONS_MAX];
	int16_t code;

	(void)c;
	g->parts[n].in_flight = false;
	if (!raw_decode(&g->arena, API_PRODUCE, PRODUCE_VERSION, frame, &produce_response_schema,
			&r) ||
	    r.n_responses != 1 || r.responses->n_partition_responses != 1) {
		fail(g, "produce", "an answer that is none");
	} else if ((code = r.responses->partition_responses->error_code) == KERR_NONE ||
		   code == KERR_DUPLICATE_SEQUENCE_NUMBER) {
		acknowledged(g, n);
	} else if (is_passing(code)) {
		refresh(g);
	} else {
		fail(g, "produce", kerr_name(code));
	}
	buf_put(frame);
}

static void on_up(void *arg, struct conn *c)
{
	struct broker *b = arg;

	(void)c;
	b->is_up = true;
}

static void on_down(void *arg, struct conn *c, enum err why)
{
	struct broker *b = arg;

	(void)c;
	(void)why;
	for (; b->first != b->last; b->first++)
		b->gap->parts[b->asked[b->first % PARTITIONS_MAX]].in_flight = false;
	b->conn = NULL;
	b->is_up = false;
	refresh(b->gap);
}

static void dial(struct broker *b)
{
	static const struct conn_events events = { on_up, on_produced, on_down, NULL };
	int64_t now = env_mono_us(b->gap->env);

	if (b->conn || now - b->dialled_us < DIAL_AGAIN_US)
		return;
	b->dialled_us = now;
	b->conn = b->gap->env->peers->dial(b->gap->env, &b->addr, &events, b);
}

static void on_tick(void *arg)
{
	struct gap *g = arg;
	int64_t now = env_mono_us(g->env);
	int32_t n_busy = 0;

	for (int32_t i = 0; i < g->n_parts; i++) {
		struct part *p = &g->parts[i];
		struct broker *b = p->leader >= 0 ? &g->brokers[p->leader] : NULL;

		n_busy += p->is_owed;
		if (!b || p->in_flight || p->due_us > now)
			continue;
		if (!b->is_up)
			dial(b);
		else if (!g->is_ending || p->is_owed)
			send(g, i);
	}
	if (g->must_ask)
		refresh(g);
	if (g->is_ending && n_busy == 0)
		g->env->ops->stop(g->env);
	g->env->ops->timer_set(g->env, &g->tick, now + 1000);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static int32_t row_of(struct gap *g, int32_t id)
{
	for (int32_t i = 0; i < g->n_brokers; i++)
		if (g->brokers[i].id == id)
			return i;
	if (g->n_brokers == BROKERS_MAX)
		return -1;
	g->brokers[g->n_brokers] = (struct broker){ .gap = g, .id = id };
	return g->n_brokers++;
}

static void take_metadata(struct gap *g, const struct metadata_response *r)
{
	const struct metadata_response_topic *t = r->topics;

	for (int32_t i = 0; i < t->n_partitions; i++) {
		const struct metadata_response_partition *p = &t->partitions[i];
		int32_t row = p->leader_id < 0 ? -1 : row_of(g, p->leader_id);

		if (p->partition_index < 0 || p->partition_index >= PARTITIONS_MAX)
			continue;
		g->n_parts = i32_max(g->n_parts, p->partition_index + 1);
		g->parts[p->partition_index].leader = row;
		if (row < 0 || !raw_leader_addr(r, p->leader_id, &g->brokers[row].addr)) {
			g->parts[p->partition_index].leader = -1;
			g->must_ask = true;
		} else if (!g->brokers[row].is_up) {
			g->must_ask = true; /* perhaps it is the one that has gone */
			dial(&g->brokers[row]);
		}
	}
}

static void on_meta_frame(void *arg, struct conn *c, struct buf *frame)
{
	struct gap *g = arg;
	struct metadata_response r;
	struct init_producer_id_response id;

	(void)c;
	g->is_asking = false;
	if (g->producer_id < 0) {
		if (raw_decode(&g->arena, API_INIT_PRODUCER_ID, INIT_VERSION, frame,
			       &init_producer_id_response_schema, &id) &&
		    id.error_code == KERR_NONE) {
			g->producer_id = id.producer_id;
			g->producer_epoch = id.producer_epoch;
		}
		g->must_ask = true;
	} else if (!raw_decode(&g->arena, API_METADATA, METADATA_VERSION, frame,
			       &metadata_response_schema, &r) ||
		   r.n_topics != 1 || r.topics->error_code) {
		fail(g, g->topic, "the topic is not there");
	} else {
		take_metadata(g, &r);
	}
	buf_put(frame);
}

static void on_meta_up(void *arg, struct conn *c)
{
	struct gap *g = arg;

	(void)c;
	g->is_meta_up = true;
	refresh(g);
}

static void on_meta_down(void *arg, struct conn *c, enum err why)
{
	struct gap *g = arg;

	(void)c;
	(void)why;
	g->meta = NULL;
	g->is_meta_up = g->is_asking = false;
	g->must_ask = true;
	g->meta_at = (g->meta_at + 1) % g->n_brokers;
}

static void dial_meta(struct gap *g)
{
	static const struct conn_events events = { on_meta_up, on_meta_frame, on_meta_down, NULL };

	g->meta = g->env->peers->dial(g->env, &g->brokers[g->meta_at].addr, &events, g);
}

/* One question at a time; what is still open is asked again at the next tick. */
static void refresh(struct gap *g)
{
	struct metadata_request_topic t;
	struct metadata_request r;
	struct init_producer_id_request init;
	struct span v = { .at = RAW_SIZE_BYTES };

	g->must_ask = true;
	if (!g->meta)
		dial_meta(g);
	if (!g->is_meta_up || g->is_asking)
		return;
	g->is_asking = true;
	g->must_ask = false;
	if (g->producer_id < 0) {
		schema_init(&init_producer_id_request_schema, &init);
		init.transaction_timeout_ms = 60000;
		v.buf = raw_encode(g->env, API_INIT_PRODUCER_ID, INIT_VERSION,
				   &init_producer_id_request_schema, &init);
	} else {
		schema_init(&metadata_request_topic_schema, &t);
		schema_init(&metadata_request_schema, &r);
		t.name = str_of(g->topic);
		r.topics = &t;
		r.n_topics = 1;
		r.allow_auto_topic_creation = false;
		v.buf = raw_encode(g->env, API_METADATA, METADATA_VERSION, &metadata_request_schema,
				   &r);
	}
	v.n = v.buf->len - RAW_SIZE_BYTES;
	g->env->peers->send(g->meta, &v, 1);
}

/* ---- the machine's own pauses ---------------------------------------------------------------- */

static volatile sig_atomic_t is_over;

static void on_term(int signo)
{
	(void)signo;
	is_over = 1;
}

static int64_t us_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

static int tick(FILE *out, int32_t cpu)
{
	struct timespec due, now;
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET((size_t)cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only)) {
		perror("gap: sched_setaffinity");
		return 1;
	}
	signal(SIGTERM, on_term);
	puts("go");
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (!is_over) {
		int64_t next = us_of(&due) + 1000;

		due = (struct timespec){ next / 1000000, next % 1000000 * 1000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (us_of(&now) - next < LATE_US)
			continue;
		fprintf(out, "%d %lld %lld\n", cpu, (long long)next, (long long)us_of(&now));
		due = now;
	}
	return 0;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return us_of(&t);
}

static int sync_on(FILE *out, const char *path)
{
	const struct timespec pause = { 0, SYNC_EVERY_MS * 1000000 };
	char name[4096], bytes[100] = "";
	int fd;

	snprintf(name, sizeof(name), "%s.data", path);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (fd < 0) {
		perror(name);
		return 1;
	}
	signal(SIGTERM, on_term);
	puts("go");
	fflush(stdout);
	while (!is_over) {
		int64_t from = now_us(), to;

		if (write(fd, bytes, sizeof(bytes)) < 0 || fdatasync(fd)) {
			perror(name);
			return 1;
		}
		to = now_us();
		if (to - from >= LATE_US)
			fprintf(out, "0 %lld %lld\n", (long long)from, (long long)to);
		nanosleep(&pause, NULL);
	}
	close(fd);
	return 0;
}

/* ---- main ------------------------------------------------------------------------------------ */

static const char usage[] = "usage: gap produce -b HOST:PORT,... -t TOPIC -o FILE\n"
			    "       gap tick -c CPU -o FILE\n"
			    "       gap sync -o FILE\n";

static void on_signal(void *arg, int signo)
{
	struct gap *g = arg;

	(void)signo;
	g->is_ending = true;
}

static int produce(struct gap *g)
{
	struct loops_options o = { .n_actors = 1, .on_signal = on_signal, .arg = g };
	struct loops *loops;

	o.n_io_threads = 1;
	if (loops_new(&o, &loops)) {
		fputs("gap: no event loop\n", stderr);
		return 1;
	}
	g->env = loops_env(loops, 0);
	arena_init(&g->arena, 64 << 20);
	timer_init(&g->tick, on_tick, g);
	timer_after_ms(g->env, &g->tick, 1);
	refresh(g);
	loops_run(loops);
	printf("records=%lld\n", (long long)g->records);
	loops_free(loops);
	arena_fini(&g->arena);
	return g->status;
}

static void set_bootstrap(struct gap *g, struct str list)
{
	struct str one;

	while (str_cut(&list, ',', &one))
		args_address(usage, one, &g->brokers[row_of(g, -1 - g->n_brokers)].addr);
}

int main(int argc, char **argv)
{
	struct gap g = { .producer_id = -1 };
	const char *path = NULL;
	int32_t cpu = 0;
	int c, status;

	for (int32_t i = 0; i < PARTITIONS_MAX; i++)
		g.parts[i].leader = -1;
	optind = 2;
	while (argc > 1 && (c = getopt(argc, argv, "b:t:o:c:")) != -1) {
		switch (c) {
		case 'b': set_bootstrap(&g, str_of(optarg)); break;
		case 't': g.topic = optarg; break;
		case 'c': cpu = args_number(usage, optarg, 0, 1023); break;
		case 'o': g.out = fopen(path = optarg, "w"); break;
		default: args_usage(usage);
		}
	}
	if (!g.out || argc < 2)
		args_usage(usage);
	if (!strcmp(argv[1], "tick"))
		status = tick(g.out, cpu);
	else if (!strcmp(argv[1], "sync"))
		status = sync_on(g.out, path);
	else if (!strcmp(argv[1], "produce") && g.topic && g.n_brokers > 0)
		status = produce(&g);
	else
		args_usage(usage);
	fclose(g.out);
	return status;
}
