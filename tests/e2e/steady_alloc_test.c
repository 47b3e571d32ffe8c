/* A whole cluster in one process, so that one counter sees every allocation: a controller, three
 * brokers of two shards, two partitions on three replicas.  In a steady state produce with acks=all
 * (one in flight and five), the followers' replication, long polls and reads from the page cache
 * take nothing from the heap beyond what the same cluster takes when it is idle. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "broker/boot.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"
#include "common/base/log.h"
#include "common/base/varint.h"
#include "common/net/loop.h"
#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "controller/server/boot.h"
#include "kafka/create_topics.h"
#include "kafka/fetch.h"
#include "kafka/metadata.h"
#include "kafka/produce.h"
#include "tests/lib/kclient.h"
#include "tests/lib/test.h"

enum { BROKERS = 3, SHARDS = 2, PARTITIONS = 2, WINDOW = 5, RECORDS = 8, RECORD_BYTES = 128 };
enum { PRODUCE_VERSION = 12, FETCH_VERSION = 12 };
enum { ROUNDS = 500, STRETCHES_MAX = 5 };

struct broker_process {
	struct loops *loops;
	struct boot boot;
	pthread_t thread;
	struct mail stop;
};
struct rig {
	const char *dir;
	int controller_port;
	struct loops *loops;
	struct options options;
	struct resolved resolved;
	struct controller_boot controller;
	pthread_t thread;
	struct broker_process brokers[BROKERS];
	struct kclient producer[PARTITIONS], consumer[PARTITIONS];
	int64_t end[PARTITIONS]; /* offset after the last acknowledged record */
	uint8_t batch[BATCH_HEADER_BYTES + RECORDS * (RECORD_BYTES + 32)];
	int32_t batch_bytes;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the cluster ----------------------------------------------------------------------------- */

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(bind(fd, (struct sockaddr *)&a, n), 0);
	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void *run_loops(void *arg)
{
	loops_run(arg);
	return NULL;
}

static bool start_controller(struct rig *r)
{
	const struct loops_options o = { .n_actors = 1, .n_io_threads = 1 };
	char why[512] = "", text[3][300];
	enum err e = ERR_OK;

	r->controller_port = free_port();
	snprintf(text[0], sizeof(text[0]), "node.id=100");
	snprintf(text[1], sizeof(text[1]), "listeners=CONTROLLER://127.0.0.1:%d",
		 r->controller_port);
	snprintf(text[2], sizeof(text[2]), "metadata.log.dir=%s/meta", r->dir);
	options_init(&r->options);
	for (int i = 0; i < 3 && !e; i++)
		e = options_override(&r->options, text[i], why, sizeof(why));
	if (!e)
		e = options_resolve(&r->options, &r->resolved, why, sizeof(why));
	if (!e)
		e = loops_new(&o, &r->loops);
	if (!e)
		e = controller_start(&r->controller, loops_env(r->loops, 0), &r->resolved,
				     (struct str){ NULL, 0 }, why, sizeof(why));
	if (e)
		return FAIL("the controller does not start: %s", why);
	return EXPECT_EQ(pthread_create(&r->thread, NULL, run_loops, r->loops), 0);
}

static bool start_broker(struct rig *r, int id)
{
	struct broker_process *b = &r->brokers[id - 1];
	const struct loops_options o = { .n_actors = SHARDS, .n_io_threads = 1 };
	struct env *env[SHARDS];
	char why[512] = "", text[600];
	enum err e;

	snprintf(text, sizeof(text),
		 "node.id=%d\nlisteners=PLAINTEXT://127.0.0.1:%d\nlog.dirs=%s/%d\n"
		 "controller.quorum.bootstrap.servers=127.0.0.1:%d\n"
		 /* Checkpoints are written every few seconds, busy or idle: not in this minute. */
		 "replica.high.watermark.checkpoint.interval.ms=3600000\n",
		 id, free_port(), r->dir, id, r->controller_port);
	boot_init(&b->boot);
	e = boot_conf(&b->boot, str_of(text), "test", why, sizeof(why));
	if (!e)
		e = boot_conf_finish(&b->boot, why, sizeof(why));
	if (!e)
		e = loops_new(&o, &b->loops);
	for (int i = 0; i < SHARDS && !e; i++)
		env[i] = loops_env(b->loops, i);
	if (!e)
		e = boot_start(&b->boot, env, SHARDS, why, sizeof(why));
	if (e)
		return FAIL("broker %d does not start: %s", id, why);
	return EXPECT_EQ(pthread_create(&b->thread, NULL, run_loops, b->loops), 0);
}

static void stop_broker(struct mail *m)
{
	struct broker_process *b = CONTAINER_OF(m, struct broker_process, stop);

	boot_stop_now(&b->boot);
	loops_stop(b->loops);
}

static void stop_all(struct rig *r)
{
	for (int i = 0; i < BROKERS; i++) {
		struct broker_process *b = &r->brokers[i];
		if (b->thread) {
			b->stop.fn = stop_broker;
			env_post(loops_env(b->loops, 0), &b->stop);
			pthread_join(b->thread, NULL);
		}
		boot_free(&b->boot, false);
		if (b->loops)
			loops_free(b->loops);
	}
	if (r->thread) {
		loops_stop(r->loops);
		pthread_join(r->thread, NULL);
	}
	controller_free(&r->controller);
	loops_free(r->loops);
	options_fini(&r->options);
}

/* ---- clients --------------------------------------------------------------------------------- */

static int broker_port(const struct rig *r, int id)
{
	return r->brokers[id - 1].boot.conf.listener[0].advertised.port;
}

/* Partition 0 is led by broker 1, partition 1 by broker 2. */
static int16_t create(struct rig *r)
{
	struct create_topics_request q;
	struct create_topics_request_topic t;
	struct create_topics_request_assignment a[PARTITIONS];
	int32_t replicas[PARTITIONS][BROKERS] = { { 1, 2, 3 }, { 2, 3, 1 } };
	struct create_topics_response out;
	struct kclient k;
	int16_t code = -1;

	schema_init(&create_topics_request_schema, &q);
	schema_init(&create_topics_request_topic_schema, &t);
	q.topics = &t;
	q.n_topics = 1;
	q.timeout_ms = 10000;
	t.name = STR("t");
	t.num_partitions = -1;
	t.replication_factor = -1;
	t.assignments = a;
	t.n_assignments = PARTITIONS;
	for (int i = 0; i < PARTITIONS; i++) {
		schema_init(&create_topics_request_assignment_schema, &a[i]);
		a[i].partition_index = i;
		a[i].broker_ids = replicas[i];
		a[i].n_broker_ids = BROKERS;
	}
	if (kclient_open(&k, "127.0.0.1", broker_port(r, 1), 15000) == ERR_OK &&
	    kclient_call(&k, API_CREATE_TOPICS, 5, &q, &out) == ERR_OK && out.n_topics == 1)
		code = out.topics[0].error_code;
	kclient_close(&k);
	return code;
}

static int32_t brokers_alive(struct rig *r)
{
	struct metadata_request q;
	struct metadata_response out;
	struct kclient k;
	int32_t n = 0;

	schema_init(&metadata_request_schema, &q);
	if (kclient_open(&k, "127.0.0.1", broker_port(r, 1), 15000) == ERR_OK &&
	    kclient_call(&k, API_METADATA, 9, &q, &out) == ERR_OK)
		n = out.n_brokers;
	kclient_close(&k);
	return n;
}

static bool create_topic(struct rig *r)
{
	int64_t until_us = now_us() + 20 * 1000000;

	while (brokers_alive(r) < BROKERS && now_us() < until_us)
		usleep(20000);
	return EXPECT_EQ(create(r), KERR_NONE);
}

static void build_batch(struct rig *r)
{
	uint8_t *at = r->batch + BATCH_HEADER_BYTES;

	for (int i = 0; i < RECORDS; i++) {
		uint8_t head[32];
		size_t n = 0;
		head[n++] = 0; /* attributes */
		head[n++] = 0; /* timestamp delta */
		n += varint_put(head + n, i);
		n += varint_put(head + n, -1); /* no key */
		n += varint_put(head + n, RECORD_BYTES);
		at += varint_put(at, (int32_t)n + RECORD_BYTES + 1);
		memcpy(at, head, n);
		memset(at + n, 'a' + i, RECORD_BYTES);
		at += n + RECORD_BYTES;
		*at++ = 0; /* no headers */
	}
	r->batch_bytes = (int32_t)(at - r->batch);
	store_be32(r->batch + 8, (uint32_t)(r->batch_bytes - BATCH_OVERHEAD));
	r->batch[16] = 2;
	store_be32(r->batch + 23, RECORDS - 1);
	store_be64(r->batch + 27, 1);
	store_be64(r->batch + 35, 1);
	memset(r->batch + 43, 0xff, 14); /* no producer id, epoch, sequence */
	store_be32(r->batch + 57, RECORDS);
	store_be32(r->batch + 17, crc32c(0, r->batch + 21, (size_t)r->batch_bytes - 21));
}

static bool send_produce(struct rig *r, int32_t partition)
{
	struct produce_request q;
	struct produce_request_topic t;
	struct produce_request_partition p;

	schema_init(&produce_request_schema, &q);
	schema_init(&produce_request_topic_schema, &t);
	schema_init(&produce_request_partition_schema, &p);
	q.acks = -1;
	q.timeout_ms = 10000;
	q.topic_data = &t;
	q.n_topic_data = 1;
	t.name = STR("t");
	t.partition_data = &p;
	t.n_partition_data = 1;
	p.index = partition;
	p.records = (struct records){ .at = r->batch, .n = r->batch_bytes };
	return EXPECT_OK(kclient_send(&r->producer[partition], API_PRODUCE, PRODUCE_VERSION, &q));
}

static bool take_produced(struct rig *r, int32_t partition)
{
	struct produce_response out;
	struct kclient *k = &r->producer[partition];

	kclient_fresh(k);
	if (!EXPECT_OK(kclient_recv(k, API_PRODUCE, PRODUCE_VERSION, &out)) ||
	    !EXPECT_EQ(out.responses[0].partition_responses[0].error_code, KERR_NONE))
		return false;
	r->end[partition] = out.responses[0].partition_responses[0].base_offset + RECORDS;
	return true;
}

static bool send_fetch(struct rig *r, int32_t partition, int64_t offset)
{
	struct fetch_request q;
	struct fetch_request_topic t;
	struct fetch_request_partition p;

	schema_init(&fetch_request_schema, &q);
	schema_init(&fetch_request_topic_schema, &t);
	schema_init(&fetch_request_partition_schema, &p);
	q.max_wait_ms = 10000;
	q.min_bytes = 1;
	q.max_bytes = p.partition_max_bytes = 32 << 10;
	q.topics = &t;
	q.n_topics = 1;
	t.topic = STR("t");
	t.partitions = &p;
	t.n_partitions = 1;
	p.partition = partition;
	p.fetch_offset = offset;
	return EXPECT_OK(kclient_send(&r->consumer[partition], API_FETCH, FETCH_VERSION, &q));
}

static bool take_fetched(struct rig *r, int32_t partition)
{
	struct fetch_response out;
	struct kclient *k = &r->consumer[partition];

	kclient_fresh(k);
	return EXPECT_OK(kclient_recv(k, API_FETCH, FETCH_VERSION, &out)) &&
	       EXPECT_EQ(out.responses[0].partitions[0].error_code, KERR_NONE) &&
	       EXPECT(out.responses[0].partitions[0].records.n > 0);
}

/* ---- the work -------------------------------------------------------------------------------- */

/* A long poll at the end of each partition, then the produce that wakes it. */
static bool one_in_flight(struct rig *r)
{
	for (int32_t p = 0; p < PARTITIONS; p++)
		if (!send_fetch(r, p, r->end[p]) || !send_produce(r, p) || !take_produced(r, p) ||
		    !take_fetched(r, p))
			return false;
	return true;
}

/* Five requests on each connection at once, then a read of what lies behind. */
static bool window_in_flight(struct rig *r)
{
	for (int i = 0; i < WINDOW * PARTITIONS; i++)
		if (!send_produce(r, i % PARTITIONS))
			return false;
	for (int i = 0; i < WINDOW * PARTITIONS; i++)
		if (!take_produced(r, i % PARTITIONS))
			return false;
	for (int32_t p = 0; p < PARTITIONS; p++)
		if (!send_fetch(r, p, 0) || !take_fetched(r, p))
			return false;
	return true;
}

static bool work(struct rig *r, int rounds)
{
	for (int i = 0; i < rounds; i++)
		if (!one_in_flight(r) || !window_in_flight(r))
			return false;
	return true;
}

static uint64_t calls_while_idle(int64_t us)
{
	uint64_t before = mem_calls();

	usleep((useconds_t)us);
	return mem_calls() - before;
}

static bool open_clients(struct rig *r)
{
	for (int32_t p = 0; p < PARTITIONS; p++) {
		int port = broker_port(r, p + 1);
		if (!EXPECT_OK(kclient_open(&r->producer[p], "127.0.0.1", port, 20000)) ||
		    !EXPECT_OK(kclient_open(&r->consumer[p], "127.0.0.1", port, 20000)))
			return false;
	}
	return true;
}

/* Pools grow to the largest number of buffers that were ever in use at once, which chance may
 * raise once more after the warm-up: one stretch of work at zero is what proves the rule. */
static void measure(struct rig *r)
{
	bool steady = false;

	build_batch(r);
	if (!open_clients(r) || !work(r, ROUNDS))
		return;
	for (int i = 0; i < STRETCHES_MAX && !steady; i++) {
		int64_t took_us = now_us();
		uint64_t busy = mem_calls(), idle;
		if (!work(r, ROUNDS))
			return;
		busy = mem_calls() - busy;
		took_us = now_us() - took_us;
		idle = calls_while_idle(took_us);
		printf("     %d produces and %d fetches in %lld ms: %llu allocations; idle: %llu\n",
		       ROUNDS * PARTITIONS * (1 + WINDOW), ROUNDS * PARTITIONS * 2,
		       (long long)took_us / 1000, (unsigned long long)busy,
		       (unsigned long long)idle);
		steady = busy <= idle;
	}
	EXPECT(steady);
}

TEST(a_steady_state_takes_nothing_from_the_heap)
{
	struct rig r = { .dir = test_tmpdir() };
	bool up;

	log_set_level(LOG_WARN);
	up = start_controller(&r);
	for (int id = 1; id <= BROKERS && up; id++)
		up = start_broker(&r, id);
	if (up && create_topic(&r))
		measure(&r);
	for (int32_t p = 0; p < PARTITIONS; p++) {
		kclient_close(&r.producer[p]);
		kclient_close(&r.consumer[p]);
	}
	stop_all(&r);
}
