/* rdkafka_bench.c - one unmodified librdkafka client for measuring any Kafka-compatible cluster.
 *
 *   rdkafka_bench produce -b BROKERS -t TOPIC [-n RECORDS] [-s BYTES] [-p PARTITIONS] [-X k=v]...
 *   rdkafka_bench latency -b BROKERS -t TOPIC [-n RECORDS] [-s BYTES]       one record in flight
 *   rdkafka_bench consume -b BROKERS -t TOPIC [-n RECORDS] [-p PARTITIONS]  assigned, from the
 *                                                                           beginning
 *   rdkafka_bench gap     -b BROKERS -t TOPIC [-n SECONDS] [-p PARTITIONS] [-o FILE] [-f FIRST]
 *   rdkafka_bench check   -b BROKERS -t TOPIC [-p PARTITIONS]
 *   rdkafka_bench create  -b BROKERS -t TOPIC -o FILE [-n TOPICS]
 *
 * gap: one 100-byte record a millisecond to the partitions in turn (default: only 0), idempotent;
 * prints "go" once acknowledgements flow.  The longest time between two delivery reports of one
 * partition is what a kill of its leader costs a user.  With one partition librdkafka holds no
 * connection but the leader's and looks for a new one only at its next round of up to a second.
 * With -o it goes on until SIGTERM and writes a line "PARTITION FROM TO" (monotonic microseconds)
 * for each time between two reports of GAP_US or more; -f: the number it begins to count with.
 *
 * check: reads everything, and counts what is missing, there twice or out of order among what `gap`
 * and tests/perf/gap.c have written: a letter for the writer, a number that counts.
 *
 * Prints one line of key=value.  Exit status 1 when a record failed or went missing. */
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/base.h"

#define LATENCY_WARMUP 500
#define CONSUME_IDLE_MS 15000
#define CREATE_WARMUP 20
#define GAP_US 2000
#define PARTITIONS_MAX 64 /* whose gaps are told apart */

struct options {
	const char *mode, *brokers, *topic;
	int64_t n, first;
	size_t bytes;
	int partitions;
	const char *out;
	rd_kafka_conf_t *conf; /* taken by rd_kafka_new */
};

struct run {
	int64_t acked, failed;
	FILE *out;                                   /* NULL: nobody wants to know */
	int64_t last_ack_us[PARTITIONS_MAX], gap_us; /* the longest pause that a partition had */
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static no_return void die(const char *what, const char *why)
{
	fprintf(stderr, "rdkafka_bench: %s: %s\n", what, why);
	exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[512];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die(key, why);
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void note_gap(struct run *, int32_t partition, int64_t from, int64_t to);

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct run *r = opaque;
	int64_t t = now_us();

	(void)rk;
	if (m->err) {
		if (r->failed++ == 0)
			fprintf(stderr, "rdkafka_bench: delivery failed: %s\n",
				rd_kafka_err2str(m->err));
		return;
	}
	r->acked++;
	if (m->partition < 0 || m->partition >= PARTITIONS_MAX)
		return;
	if (r->last_ack_us[m->partition])
		note_gap(r, m->partition, r->last_ack_us[m->partition], t);
	r->last_ack_us[m->partition] = t;
}

static void note_gap(struct run *r, int32_t partition, int64_t from, int64_t to)
{
	r->gap_us = i64_max(r->gap_us, to - from);
	if (r->out && to - from >= GAP_US)
		fprintf(r->out, "%d %lld %lld\n", partition, (long long)from, (long long)to);
}

static rd_kafka_t *open_client(struct options *o, rd_kafka_type_t type, struct run *r)
{
	char why[512];
	rd_kafka_t *rk;

	set(o->conf, "bootstrap.servers", o->brokers);
	rd_kafka_conf_set_opaque(o->conf, r);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(o->conf, on_delivery);
	rk = rd_kafka_new(type, o->conf, why, sizeof(why));
	if (!rk)
		die("client", why);
	return rk;
}

static void send_one(rd_kafka_t *rk, const struct options *o, int32_t partition, const char *value)
{
	rd_kafka_resp_err_t e;

	for (;;) {
		e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(o->topic),
				      RD_KAFKA_V_PARTITION(partition),
				      RD_KAFKA_V_VALUE((void *)(uintptr_t)value, o->bytes),
				      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(rk, 10);
	}
	if (e)
		die("produce", rd_kafka_err2str(e));
}

static char *payload(size_t n)
{
	char *p = mem_alloc(n + 1);
	uint32_t x = 12345;

	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245u + 12345u;
		p[i] = (char)('a' + (x >> 16) % 26);
	}
	return p;
}

static int produce(struct options *o)
{
	struct run r = { 0 };
	char *value = payload(o->bytes);
	rd_kafka_t *rk;
	int64_t t0, t1;
	double cpu;

	set(o->conf, "queue.buffering.max.messages", "1000000");
	set(o->conf, "queue.buffering.max.kbytes", "1048576");
	rk = open_client(o, RD_KAFKA_PRODUCER, &r);
	cpu = cpu_s();
	t0 = now_us();
	for (int64_t i = 0; i < o->n; i++) {
		/* Runs of 64 records fill a batch for one partition, then for the next. */
		send_one(rk, o, (int32_t)(i / 64 % o->partitions), value);
		if (i % 256 == 0)
			rd_kafka_poll(rk, 0);
	}
	while (r.acked + r.failed < o->n && rd_kafka_outq_len(rk) > 0)
		rd_kafka_poll(rk, 100);
	t1 = now_us();
	cpu = cpu_s() - cpu;
	double bytes = (double)r.acked * (double)o->bytes;
	printf("records=%lld failed=%lld seconds=%.3f mb_s=%.2f records_s=%.0f "
	       "client_ns_per_byte=%.3f\n",
	       (long long)r.acked, (long long)r.failed, (double)(t1 - t0) / 1e6,
	       bytes / (double)(t1 - t0), (double)r.acked * 1e6 / (double)(t1 - t0),
	       cpu * 1e9 / bytes);
	rd_kafka_destroy(rk);
	mem_free(value);
	return r.failed > 0 || r.acked != o->n;
}

static int compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int latency(struct options *o)
{
	struct run r = { 0 };
	char *value = payload(o->bytes);
	int64_t *us = mem_alloc(sizeof(int64_t) * (size_t)o->n);
	rd_kafka_t *rk;

	set(o->conf, "linger.ms", "0");
	rk = open_client(o, RD_KAFKA_PRODUCER, &r);
	for (int64_t i = -LATENCY_WARMUP; i < o->n && !r.failed; i++) {
		int64_t t0 = now_us(), want = r.acked + 1;

		send_one(rk, o, 0, value);
		while (r.acked < want && !r.failed)
			rd_kafka_poll(rk, 1000);
		if (i >= 0)
			us[i] = now_us() - t0;
	}
	qsort(us, (size_t)o->n, sizeof(*us), compare_i64);
	printf("records=%lld failed=%lld p50_us=%lld p99_us=%lld p999_us=%lld max_us=%lld\n",
	       (long long)o->n, (long long)r.failed, (long long)us[o->n / 2],
	       (long long)us[o->n * 99 / 100], (long long)us[o->n * 999 / 1000],
	       (long long)us[o->n - 1]);
	rd_kafka_destroy(rk);
	mem_free(value);
	mem_free(us);
	return r.failed > 0;
}

static int consume(struct options *o)
{
	rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(o->partitions);
	struct run r = { 0 };
	rd_kafka_t *rk;
	rd_kafka_queue_t *q;
	int64_t t0, idle_since, bytes = 0, n = 0;
	rd_kafka_message_t *batch[1000];

	set(o->conf, "group.id", "rdkafka_bench");
	set(o->conf, "enable.auto.commit", "false");
	set(o->conf, "queued.min.messages", "1000000");
	rk = open_client(o, RD_KAFKA_CONSUMER, &r);
	for (int32_t p = 0; p < o->partitions; p++)
		rd_kafka_topic_partition_list_add(parts, o->topic, p)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	double cpu = cpu_s();
	t0 = idle_since = now_us();
	if (rd_kafka_assign(rk, parts))
		die("assign", o->topic);
	q = rd_kafka_queue_get_consumer(rk);
	while (n < o->n && now_us() - idle_since < CONSUME_IDLE_MS * 1000) {
		ssize_t got = rd_kafka_consume_batch_queue(q, 100, batch, ARRAY_LEN(batch));

		for (ssize_t i = 0; i < got; i++) {
			if (!batch[i]->err) {
				n++;
				bytes += (int64_t)batch[i]->len;
				idle_since = now_us();
			}
			rd_kafka_message_destroy(batch[i]);
		}
	}
	double us = (double)(now_us() - t0);
	cpu = cpu_s() - cpu;
	printf("records=%lld seconds=%.3f mb_s=%.2f client_ns_per_byte=%.3f\n", (long long)n,
	       us / 1e6, (double)bytes / us, bytes ? cpu * 1e9 / (double)bytes : 0);
	rd_kafka_queue_destroy(q);
	rd_kafka_topic_partition_list_destroy(parts);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return n < o->n;
}

static volatile sig_atomic_t is_over;

static void on_term(int signo)
{
	(void)signo;
	is_over = 1;
}

static int gap(struct options *o)
{
	struct run r = { .out = o->out ? fopen(o->out, "w") : NULL };
	char *value = payload(o->bytes);
	int64_t t0, next, sent = 0;
	bool said_go = false;
	rd_kafka_t *rk;

	if (o->out && !r.out)
		die(o->out, strerror(errno));
	signal(SIGTERM, on_term);
	set(o->conf, "enable.idempotence", "true");
	rk = open_client(o, RD_KAFKA_PRODUCER, &r);
	t0 = next = now_us();
	while ((!is_over && (r.out || now_us() - t0 < o->n * 1000000)) || sent % o->partitions) {
		for (; next <= now_us(); next += 1000, sent++) {
			snprintf(value, o->bytes, "r %-*lld", (int)o->bytes - 3,
				 (long long)(o->first + sent / o->partitions));
			send_one(rk, o, (int32_t)(sent % o->partitions), value);
		}
		rd_kafka_poll(rk, 1);
		if (!said_go && r.acked > 200) {
			/* The first connection's set-up is not what we measure. */
			r.gap_us = 0;
			puts("go");
			fflush(stdout);
			said_go = true;
		}
	}
	rd_kafka_flush(rk, 30000);
	printf("sent=%lld acked=%lld failed=%lld gap_ms=%.1f\n", (long long)sent,
	       (long long)r.acked, (long long)r.failed, (double)r.gap_us / 1000.0);
	if (r.out)
		fclose(r.out);
	rd_kafka_destroy(rk);
	mem_free(value);
	return r.failed > 0 || r.acked != sent;
}

struct checked {
	int64_t next[2][PARTITIONS_MAX]; /* by writer: what comes next in a partition */
	int64_t records[2], missing, repeated, foreign;
};

static void check_one(struct checked *c, const rd_kafka_message_t *m)
{
	char text[32] = "";
	int64_t *next;
	int64_t n;
	int who;

	memcpy(text, m->payload, m->len < sizeof(text) - 1 ? m->len : sizeof(text) - 1);
	if ((text[0] != 'r' && text[0] != 'g') || m->partition >= PARTITIONS_MAX) {
		c->foreign++;
		return;
	}
	who = text[0] == 'g';
	next = &c->next[who][m->partition];
	n = strtoll(text + 1, NULL, 10);
	c->records[who]++;
	if (n < *next) {
		c->repeated++;
		return;
	}
	c->missing += n - *next;
	*next = n + 1;
}

/* Reads until every partition has said that it ends. */
static int check(struct options *o)
{
	rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(o->partitions);
	struct checked *c = mem_alloc(sizeof(*c));
	struct run r = { 0 };
	rd_kafka_message_t *m;
	rd_kafka_t *rk;
	int n_ended = 0, status;

	set(o->conf, "group.id", "rdkafka_bench");
	set(o->conf, "enable.auto.commit", "false");
	set(o->conf, "enable.partition.eof", "true");
	rk = open_client(o, RD_KAFKA_CONSUMER, &r);
	for (int32_t p = 0; p < o->partitions; p++)
		rd_kafka_topic_partition_list_add(parts, o->topic, p)->offset =
			RD_KAFKA_OFFSET_BEGINNING;
	if (rd_kafka_assign(rk, parts))
		die("assign", o->topic);
	while (n_ended < o->partitions && (m = rd_kafka_consumer_poll(rk, CONSUME_IDLE_MS))) {
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			n_ended++;
		else if (!m->err)
			check_one(c, m);
		rd_kafka_message_destroy(m);
	}
	printf("librdkafka=%lld generator=%lld missing=%lld repeated=%lld foreign=%lld\n",
	       (long long)c->records[0], (long long)c->records[1], (long long)c->missing,
	       (long long)c->repeated, (long long)c->foreign);
	status = n_ended < o->partitions || c->missing || c->repeated || c->foreign;
	rd_kafka_topic_partition_list_destroy(parts);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	mem_free(c);
	return status;
}

/* ---- metadata -------------------------------------------------------------------------------- */

/* One request to any broker, and its answer. */
static int64_t admin_us(rd_kafka_t *rk, rd_kafka_queue_t *q, const char *topic, int64_t n)
{
	rd_kafka_AdminOptions_t *how = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_ANY);
	int64_t t0 = now_us();
	rd_kafka_event_t *event;
	char value[32], why[512];

	rd_kafka_AdminOptions_set_request_timeout(how, 30000, why, sizeof(why));
	snprintf(value, sizeof(value), "%lld", 1000000000 + (long long)n);
	if (topic) {
		rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, 1, 3, why, sizeof(why));

		rd_kafka_CreateTopics(rk, &t, 1, how, q);
		rd_kafka_NewTopic_destroy(t);
	} else {
		rd_kafka_ConfigResource_t *c =
			rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, "warm");

		rd_kafka_ConfigResource_set_config(c, "retention.ms", value);
		rd_kafka_AlterConfigs(rk, &c, 1, how, q);
		rd_kafka_ConfigResource_destroy(c);
	}
	event = rd_kafka_queue_poll(q, 30000);
	t0 = now_us() - t0;
	rd_kafka_AdminOptions_destroy(how);
	if (!event || rd_kafka_event_error(event))
		die("metadata", event ? rd_kafka_event_error_string(event) : "no answer");
	if (topic) {
		size_t count;
		const rd_kafka_topic_result_t **v = rd_kafka_CreateTopics_result_topics(
			rd_kafka_event_CreateTopics_result(event), &count);

		if (count != 1 || rd_kafka_topic_result_error(v[0]))
			die(topic, rd_kafka_err2name(rd_kafka_topic_result_error(v[0])));
	}
	rd_kafka_event_destroy(event);
	return t0;
}

static int64_t sync_us(FILE *f)
{
	char bytes[100] = "";
	int64_t t0 = now_us();

	if (write(fileno(f), bytes, sizeof(bytes)) < 0 || fdatasync(fileno(f)))
		die("floor", strerror(errno));
	return now_us() - t0;
}

static void tell(const char *what, int64_t *us, int64_t n)
{
	qsort(us, (size_t)n, sizeof(*us), compare_i64);
	printf("  %-20s n=%lld p50=%.2f p90=%.2f p99=%.2f max=%.2f ms\n", what, (long long)n,
	       (double)us[n / 2] / 1e3, (double)us[n * 9 / 10] / 1e3,
	       (double)us[n * 99 / 100] / 1e3, (double)us[n - 1] / 1e3);
}

/* Topics TOPIC-0, TOPIC-1 ..., in between changes of the config of a topic named warm, and what the
 * disk takes to sync a few bytes of the file -o. */
static int create(struct options *o)
{
	static const char *const names[] = { "CreateTopics", "AlterConfigs", "fdatasync alone" };
	struct run r = { 0 };
	FILE *f = o->out ? fopen(o->out, "w") : NULL;
	rd_kafka_queue_t *q;
	int64_t *us[3];
	rd_kafka_t *rk;

	if (!f)
		die("-o", "a file on the disk that is measured");
	for (int i = 0; i < 3; i++)
		us[i] = mem_alloc(sizeof(int64_t) * (size_t)o->n);
	set(o->conf, "log_level", "3");
	rk = open_client(o, RD_KAFKA_PRODUCER, &r);
	q = rd_kafka_queue_new(rk);
	for (int64_t i = -CREATE_WARMUP; i < 0; i++)
		(void)admin_us(rk, q, NULL, i);
	for (int64_t i = 0; i < o->n; i++) {
		char name[256];

		snprintf(name, sizeof(name), "%s-%lld", o->topic, (long long)i);
		us[0][i] = admin_us(rk, q, name, i);
		us[1][i] = admin_us(rk, q, NULL, i);
		us[2][i] = sync_us(f);
	}
	for (int i = 0; i < 3; i++) {
		tell(names[i], us[i], o->n);
		mem_free(us[i]);
	}
	rd_kafka_queue_destroy(q);
	rd_kafka_destroy(rk);
	fclose(f);
	return 0;
}

static void usage(void)
{
	fputs("usage: rdkafka_bench produce|latency|consume|gap|check|create -b BROKERS -t TOPIC "
	      "[-n N] [-s "
	      "BYTES] "
	      "[-p PARTITIONS] [-o FILE] [-X key=value]...\n",
	      stderr);
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	char *eq;
	int c;

	if (argc < 2)
		usage();
	o->mode = argv[1];
	optind = 2;
	while ((c = getopt(argc, argv, "b:t:n:f:s:p:o:X:")) != -1) {
		switch (c) {
		case 'b': o->brokers = optarg; break;
		case 'f': o->first = strtoll(optarg, NULL, 10); break;
		case 'o': o->out = optarg; break;
		case 't': o->topic = optarg; break;
		case 'n': o->n = strtoll(optarg, NULL, 10); break;
		case 's': o->bytes = strtoul(optarg, NULL, 10); break;
		case 'p': o->partitions = (int)strtol(optarg, NULL, 10); break;
		case 'X':
			eq = strchr(optarg, '=');
			if (!eq)
				usage();
			*eq = 0;
			set(o->conf, optarg, eq + 1);
			break;
		default: usage();
		}
	}
	if (!o->brokers || !o->topic || o->partitions < 0)
		usage();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct options *);
		int64_t n;
		size_t bytes;
		int partitions;
	} modes[] = {
		{ "produce", produce, 1000000, 1024, 6 },
		{ "latency", latency, 5000, 1024, 6 },
		{ "consume", consume, 1000000, 0, 6 },
		{ "gap", gap, 25, 100, 1 },
		{ "check", check, 0, 0, 3 },
		{ "create", create, 300, 0, 0 },
	};
	struct options o = { .conf = rd_kafka_conf_new() };

	parse(&o, argc, argv);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(o.mode, modes[i].name))
			continue;
		o.n = o.n ? o.n : modes[i].n;
		o.bytes = o.bytes ? o.bytes : modes[i].bytes;
		o.partitions = o.partitions ? o.partitions : modes[i].partitions;
		return modes[i].run(&o);
	}
	usage();
}
