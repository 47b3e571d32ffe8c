/* A steady stream of produces and fetches takes nothing from the heap: a whole broker in this
 * process, its controller in another, and a client that sends the same bytes again and again. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/boot.h"
#include "common/net/loop.h"
#include "common/wire/batch.h"
#include "common/wire/header.h"
#include "kafka/create_topics.h"
#include "kafka/fetch.h"
#include "kafka/metadata.h"
#include "kafka/produce.h"
#include "tests/lib/kclient.h"
#include "tests/lib/test.h"

#define WARM_UP 500
#define COUNTED 3000
/* Room for a heartbeat of the second that it takes; one per request would be thousands. */
#define ALLOWED 10

struct rig {
	pid_t controller;
	struct loops *loops;
	struct boot boot;
	struct mail stop;
	pthread_t thread;
	struct kclient client;
	struct bufpool *pool;
	uint8_t batch[4096];
	size_t batch_bytes;
};

static pid_t spawn_controller(const char *dir, int port)
{
	const char *build = getenv("BUILD");
	char program[512], conf[512], log[512];
	FILE *f;
	pid_t pid;
	int fd;

	(void)snprintf(program, sizeof(program), "%s/weir-controller",
		       build ? build : "build/release");
	(void)snprintf(conf, sizeof(conf), "%s/c.properties", dir);
	(void)snprintf(log, sizeof(log), "%s/c.log", dir);
	f = fopen(conf, "w");
	ASSERT(f);
	(void)fprintf(f,
		      "node.id=100\nlisteners=CONTROLLER://127.0.0.1:%d\nmetadata.log.dir=%s/c\n",
		      port, dir);
	(void)fclose(f);
	if ((pid = fork()) != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	(void)dup2(fd, 2);
	(void)execl(program, program, conf, (char *)NULL);
	_exit(127);
}

static void *run_broker(void *loops)
{
	loops_run(loops);
	return NULL;
}

static void stopped(void *arg)
{
	loops_stop(arg);
}

static void stop_broker(struct mail *m)
{
	struct rig *r = CONTAINER_OF(m, struct rig, stop);

	boot_stop(&r->boot, stopped, r->loops);
}

static bool create_topic(struct rig *r)
{
	struct create_topics_request in;
	struct create_topics_response out;
	struct create_topics_request_topic t;

	schema_init(&create_topics_request_schema, &in);
	schema_init(&create_topics_request_topic_schema, &t);
	t.name = STR("steady");
	t.num_partitions = t.replication_factor = 1;
	in.topics = &t;
	in.n_topics = 1;
	/* Refused as long as the broker is fenced. */
	for (int i = 0; i < 500; i++) {
		if (!EXPECT_OK(kclient_call(&r->client, API_CREATE_TOPICS, 5, &in, &out)))
			return false;
		if (out.topics[0].error_code == 0)
			return true;
		usleep(10000);
	}
	return EXPECT_EQ(out.topics[0].error_code, 0);
}

static bool begin(struct rig *r)
{
	struct loops_options o = { .n_actors = 1 };
	const char *dir = test_tmpdir();
	struct env *env;
	char why[512] = "", text[1024];
	int port = 21330 + (int)(getpid() % 60);

	*r = (struct rig){ 0 };
	r->controller = spawn_controller(dir, port);
	boot_init(&r->boot);
	(void)snprintf(text, sizeof(text),
		       "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=%s/b\n"
		       "controller.quorum.bootstrap.servers=127.0.0.1:%d\n",
		       dir, port);
	if (!EXPECT_OK(boot_conf(&r->boot, str_of(text), "test", why, sizeof(why))) ||
	    !EXPECT_OK(boot_conf_finish(&r->boot, why, sizeof(why))) ||
	    !EXPECT_OK(loops_new(&o, &r->loops)))
		return false;
	env = loops_env(r->loops, 0);
	if (!EXPECT_OK(boot_start(&r->boot, &env, 1, why, sizeof(why))))
		return false;
	if (!EXPECT_EQ(pthread_create(&r->thread, NULL, run_broker, r->loops), 0))
		return false;
	r->pool = bufpool_new(1 << 20);
	return EXPECT_OK(kclient_open(&r->client, "127.0.0.1",
				      r->boot.conf.listener[0].advertised.port, 10000)) &&
	       create_topic(r);
}

static void end(struct rig *r)
{
	kclient_close(&r->client);
	r->stop.fn = stop_broker;
	env_post(loops_env(r->loops, 0), &r->stop);
	(void)pthread_join(r->thread, NULL);
	boot_free(&r->boot, true);
	loops_free(r->loops);
	bufpool_free(r->pool);
	(void)kill(r->controller, SIGKILL);
	(void)waitpid(r->controller, NULL, 0);
}

static void make_batch(struct rig *r)
{
	struct batch_builder b;
	struct record one = { .timestamp_ms = 0, .value = STR("the same value again and again") };

	batch_builder_init(&b, r->batch, sizeof(r->batch));
	b.head = (struct batch){
		.producer_id = -1, .producer_epoch = -1, .base_sequence = -1, .leader_epoch = -1
	};
	for (int i = 0; i < 10; i++)
		(void)batch_builder_add(&b, &one);
	r->batch_bytes = batch_builder_finish(&b);
	EXPECT(r->batch_bytes > 0);
}

static struct buf *encode(struct rig *r, int key, int version, const struct schema *s,
			  const void *in)
{
	struct request_header h = { (int16_t)key, (int16_t)version, 7, STR("test") };
	struct writer w;
	struct buf *b;

	writer_init(&w, r->pool, 4096);
	request_begin(&w, &h);
	schema_encode(s, version, in, &w);
	frame_end(&w);
	b = writer_take(&w);
	writer_fini(&w);
	return b;
}

/* Allocations of COUNTED requests, after WARM_UP. */
static int64_t count(struct rig *r, const struct buf *request)
{
	uint64_t before = 0;
	struct str reply;

	for (int i = 0; i < WARM_UP + COUNTED; i++) {
		if (i == WARM_UP)
			before = mem_calls();
		kclient_fresh(&r->client);
		if (!EXPECT_OK(kclient_send_raw(&r->client, request->at, request->len)) ||
		    !EXPECT_OK(kclient_recv_raw(&r->client, &reply)) || !EXPECT(reply.n > 20))
			return -1;
	}
	return (int64_t)(mem_calls() - before);
}

static void produce(struct rig *r)
{
	struct produce_request in;
	struct produce_request_topic t;
	struct produce_request_partition p;
	struct buf *b;
	int64_t n;

	make_batch(r);
	schema_init(&produce_request_schema, &in);
	schema_init(&produce_request_topic_schema, &t);
	schema_init(&produce_request_partition_schema, &p);
	in.acks = -1;
	in.timeout_ms = 10000;
	in.topic_data = &t;
	in.n_topic_data = t.n_partition_data = 1;
	t.name = STR("steady");
	t.partition_data = &p;
	p.records = (struct records){ .at = r->batch, .n = (int32_t)r->batch_bytes };
	b = encode(r, API_PRODUCE, 9, &produce_request_schema, &in);
	n = count(r, b);
	EXPECT(n >= 0 && n <= ALLOWED);
	printf("%d produces: %lld allocations\n", COUNTED, (long long)n);
	buf_put(b);
}

static void fetch(struct rig *r)
{
	struct fetch_request in;
	struct fetch_request_topic t;
	struct fetch_request_partition p;
	struct buf *b;
	int64_t n;

	schema_init(&fetch_request_schema, &in);
	schema_init(&fetch_request_topic_schema, &t);
	schema_init(&fetch_request_partition_schema, &p);
	in.replica_id = -1;
	in.max_wait_ms = 1000;
	in.min_bytes = 1;
	in.max_bytes = 65536;
	in.topics = &t;
	in.n_topics = t.n_partitions = 1;
	in.rack_id = STR("");
	t.topic = STR("steady");
	t.partitions = &p;
	p.partition_max_bytes = 16384;
	b = encode(r, API_FETCH, 11, &fetch_request_schema, &in);
	n = count(r, b);
	EXPECT(n >= 0 && n <= ALLOWED);
	printf("%d fetches: %lld allocations\n", COUNTED, (long long)n);
	buf_put(b);
}

TEST(steady_produces_and_fetches_take_nothing_from_the_heap)
{
	static struct rig r;

	if (begin(&r)) {
		produce(&r);
		fetch(&r);
	}
	end(&r);
}
