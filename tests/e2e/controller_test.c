/* The real weir-controller with fake brokers: what a connection's end leads to and how fast, what
 * is answered when, and that kill -9 takes nothing that was acknowledged. */
#include "common/wire/kerr.h"
#include "controller/server/mlog_disk.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_FIRST 21200
#define PORTS 1000

struct rig {
	char dir[256];
	int32_t port;
	pid_t pid;
	const char *extra; /* lines of the options file */
	struct fakebroker b[4];
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static pid_t spawn(struct rig *r)
{
	const char *build = getenv("BUILD");
	char program[512], conf[512], log[512];
	FILE *f;
	pid_t pid;
	int fd;

	(void)snprintf(program, sizeof(program), "%s/weir-controller",
		       build ? build : "build/release");
	(void)snprintf(conf, sizeof(conf), "%s/c.properties", r->dir);
	(void)snprintf(log, sizeof(log), "%s/log", r->dir);
	f = fopen(conf, "w");
	if (!EXPECT(f != NULL))
		return -1;
	(void)fprintf(
		f, "node.id=100\nlisteners=CONTROLLER://127.0.0.1:%d\nmetadata.log.dir=%s/meta\n%s",
		r->port, r->dir, r->extra ? r->extra : "");
	(void)fclose(f);
	if ((pid = fork()) != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	(void)dup2(fd, 2);
	(void)execl(program, program, conf, (char *)NULL);
	_exit(127);
}

static bool is_listening(struct rig *r)
{
	struct fakebroker probe;
	bool yes;

	fake_init(&probe, 0, r->port);
	yes = fake_connect(&probe);
	fake_fini(&probe);
	return yes;
}

static bool start(struct rig *r)
{
	int64_t end = now_us() + 10 * 1000000;

	r->pid = spawn(r);
	while (!is_listening(r) && now_us() < end && waitpid(r->pid, NULL, WNOHANG) == 0)
		usleep(1000);
	return EXPECT(is_listening(r));
}

static int stop(struct rig *r, int signo)
{
	int status = -1;

	kill(r->pid, signo);
	waitpid(r->pid, &status, 0);
	return status;
}

static bool rig_init(struct rig *r, const char *extra)
{
	static int32_t next;

	*r = (struct rig){ .extra = extra };
	(void)snprintf(r->dir, sizeof(r->dir), "%s", test_tmpdir());
	do
		r->port = PORT_FIRST + (getpid() % 50 * 20 + next++) % PORTS;
	while (is_listening(r));
	for (int32_t i = 0; i < 4; i++)
		fake_init(&r->b[i], i, r->port);
	return start(r);
}

static void rig_fini(struct rig *r)
{
	for (int i = 0; i < 4; i++)
		fake_fini(&r->b[i]);
	EXPECT_EQ(stop(r, SIGTERM), 0);
}

/* ---- what the brokers wait for --------------------------------------------------------------- */

static bool one_is_fenced(struct fakebroker *f)
{
	const struct image_broker *b = image_broker(f->image, 1);

	return b != NULL && b->is_fenced;
}

static bool one_leads_nothing(struct fakebroker *f)
{
	const struct image_partition *p = fake_partition(f, "t", 0);

	return one_is_fenced(f) && p != NULL && p->leader > 1 && !image_ids_has(&p->isr, 1);
}

static bool never(struct fakebroker *f)
{
	(void)f;
	return false;
}

static bool may_go(struct fakebroker *f)
{
	return f->should_shut_down;
}

static bool has_ten(struct fakebroker *f)
{
	return fake_partition(f, "topic-9", 0) != NULL;
}

static bool is_leaderless(struct fakebroker *f)
{
	const struct image_partition *p = fake_partition(f, "t", 0);

	return p != NULL && p->leader < 0;
}

static bool is_led_by_two(struct fakebroker *f)
{
	const struct image_partition *p = fake_partition(f, "t", 0);

	return p != NULL && p->leader == 2;
}

static bool has_leader(struct fakebroker *f)
{
	return fake_partition(f, "t", 0) != NULL && !is_leaderless(f);
}

/* Heartbeats twenty times a second until done, or for so long. */
static bool beat_until(struct fakebroker *f, int ms, bool (*done)(struct fakebroker *))
{
	for (int i = 0; i < ms / 50 && !done(f); i++) {
		fake_heartbeat(f);
		(void)fake_wait(f, 50, done);
	}
	return done(f);
}

/* Topic t on 1, 2, 3 with the first as its leader. */
static bool three_brokers(struct rig *r)
{
	for (int i = 1; i <= 3; i++)
		if (!EXPECT(fake_join(&r->b[i])))
			return false;
	return true;
}

static int32_t create_led_by_one(struct rig *r, int timeout_ms)
{
	Weir__Request q = WEIR__REQUEST__INIT;
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	Weir__CreateTopic t = WEIR__CREATE_TOPIC__INIT, *topics[] = { &t };
	Weir__BrokerIds ids = WEIR__BROKER_IDS__INIT, *assigned[] = { &ids };
	int32_t replicas[] = { 1, 2, 3 };
	const Weir__Response *got;

	ids.id = replicas;
	ids.n_id = 3;
	t.name = (char[]){ "t" };
	t.assignments = assigned;
	t.n_assignments = 1;
	m.topics = topics;
	m.n_topics = 1;
	m.has_timeout_ms = true;
	m.timeout_ms = timeout_ms;
	q.body_case = WEIR__REQUEST__BODY_CREATE_TOPICS;
	q.create_topics = &m;
	got = fake_call(&r->b[1], &q);
	return got != NULL && got->body_case == WEIR__RESPONSE__BODY_TOPICS
		       ? got->topics->topics[0]->code
		       : -1;
}

/* ---- tests ----------------------------------------------------------------------------------- */

TEST(a_killed_leader_is_replaced_in_milliseconds)
{
	struct rig r;
	int64_t cut_us;

	if (!rig_init(&r, NULL) || !three_brokers(&r))
		return;
	EXPECT_EQ(create_led_by_one(&r, 600), KERR_NONE);
	fake_cut(&r.b[1]);
	cut_us = now_us();
	EXPECT(fake_wait(&r.b[2], 3000, one_leads_nothing));
	printf("     leader replaced %lld ms after its connection closed\n",
	       (long long)(now_us() - cut_us) / 1000);
	/* Back as a new process, at once. */
	r.b[1].incarnation++;
	r.b[1].is_fenced = true;
	EXPECT(fake_join(&r.b[1]));
	EXPECT_EQ(fake_partition(&r.b[1], "t", 0)->leader, 2);
	rig_fini(&r);
}

TEST(a_lost_connection_is_forgiven_within_the_grace)
{
	struct rig r;
	int64_t epoch;

	if (!rig_init(&r, "broker.disconnect.grace.ms=8000\n") || !three_brokers(&r))
		return;
	EXPECT_EQ(create_led_by_one(&r, 600), KERR_NONE);
	epoch = r.b[1].epoch;
	fake_cut(&r.b[1]);
	EXPECT(fake_join(&r.b[1]));
	EXPECT_EQ(r.b[1].epoch, epoch);
	EXPECT_EQ(r.b[1].snapshots, 1);
	EXPECT(!fake_wait(&r.b[2], 100, one_is_fenced));
	/* A stranger with the same id while the first is connected. */
	r.b[0].id = 1;
	r.b[0].incarnation = 9;
	EXPECT(fake_connect(&r.b[0]));
	EXPECT_EQ(fake_register(&r.b[0], 0), KERR_DUPLICATE_BROKER_REGISTRATION);
	/* A new process within the grace: it leads nothing until it has caught up. */
	fake_cut(&r.b[1]);
	usleep(50000);
	r.b[1].incarnation++;
	EXPECT(fake_connect(&r.b[1]));
	EXPECT_EQ(fake_register(&r.b[1], 0), KERR_NONE);
	EXPECT(r.b[1].epoch > epoch);
	EXPECT(fake_wait(&r.b[2], 3000, one_leads_nothing));
	rig_fini(&r);
}

TEST(a_silent_broker_is_fenced_and_cut_off)
{
	struct rig r;

	if (!rig_init(&r, "broker.session.timeout.ms=1000\n") || !three_brokers(&r))
		return;
	for (int i = 0; i < 60 && !one_is_fenced(&r.b[2]); i++) {
		fake_heartbeat(&r.b[2]);
		fake_heartbeat(&r.b[3]);
		(void)fake_wait(&r.b[2], 50, one_is_fenced);
		(void)fake_wait(&r.b[3], 5, never);
	}
	EXPECT(one_is_fenced(&r.b[2]));
	EXPECT(!image_broker(r.b[2].image, 3)->is_fenced);
	EXPECT(!fake_wait(&r.b[1], 100, never));
	r.b[1].is_fenced = true;
	EXPECT(fake_join(&r.b[1])); /* the same process: it keeps its epoch */
	rig_fini(&r);
}

/* Fencing is quick, an unclean election is not: the last in-sync replica may be back in a moment.
 */
TEST(an_unclean_leader_waits_for_a_session)
{
	struct rig r;
	int64_t cut_us;

	if (!rig_init(&r,
		      "broker.session.timeout.ms=2000\nunclean.leader.election.enable=true\n") ||
	    !EXPECT(fake_join(&r.b[1])) || !EXPECT(fake_join(&r.b[2])))
		return;
	EXPECT_EQ(fake_create(&r.b[2], "t", 1, 2), KERR_NONE);
	if (fake_partition(&r.b[2], "t", 0)->leader != 1) { /* placed the other way round */
		struct fakebroker one = r.b[1];

		r.b[1] = r.b[2];
		r.b[2] = one;
	}
	fake_cut(&r.b[2]);
	(void)fake_wait(&r.b[1], 300, never);
	r.b[2].incarnation++;
	EXPECT(fake_join(&r.b[2]));
	fake_cut(&r.b[1]);
	cut_us = now_us();
	EXPECT(beat_until(&r.b[2], 1500, is_leaderless));
	EXPECT(beat_until(&r.b[2], 10000, has_leader));
	EXPECT(now_us() - cut_us > 1500000);
	EXPECT(fake_partition(&r.b[2], "t", 0)->is_recovering);
	rig_fini(&r);
}

/* A controller that was stopped itself takes nobody's silence for death. */
TEST(a_controller_that_slept_fences_nobody)
{
	struct rig r;

	if (!rig_init(&r, "broker.session.timeout.ms=1500\n") || !three_brokers(&r))
		return;
	kill(r.pid, SIGSTOP);
	usleep(2500000);
	kill(r.pid, SIGCONT);
	usleep(100000);
	for (int i = 1; i <= 3; i++)
		fake_heartbeat(&r.b[i]);
	EXPECT(!fake_wait(&r.b[2], 200, one_is_fenced));
	EXPECT(!r.b[2].is_fenced);
	rig_fini(&r);
}

TEST(a_second_controller_says_why_it_cannot_start)
{
	struct rig r, other;
	int status;

	if (!rig_init(&r, NULL))
		return;
	other = r;
	other.pid = spawn(&other); /* the same directory */
	EXPECT_EQ(waitpid(other.pid, &status, 0), other.pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	other.extra = "node.id=7\n";
	(void)snprintf(other.dir, sizeof(other.dir), "%s", test_tmpdir());
	other.pid = spawn(&other); /* the same address */
	EXPECT_EQ(waitpid(other.pid, &status, 0), other.pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	rig_fini(&r);
}

TEST(a_created_topic_is_known_everywhere_when_it_is_answered)
{
	struct rig r;
	int64_t asked_us;

	if (!rig_init(&r, NULL) || !EXPECT(fake_join(&r.b[1])) || !EXPECT(fake_join(&r.b[2])))
		return;
	r.b[2].is_lazy = true;
	asked_us = now_us();
	EXPECT_EQ(create_led_by_one(&r, 60000), KERR_INVALID_REPLICA_ASSIGNMENT); /* 3 is unknown */
	EXPECT(now_us() - asked_us < 30000000);
	EXPECT(fake_join(&r.b[3]));
	asked_us = now_us();
	EXPECT_EQ(create_led_by_one(&r, 600),
		  KERR_NONE); /* 2 and 3 do not say that they applied it */
	EXPECT(now_us() - asked_us >= 590000);
	EXPECT(fake_partition(&r.b[1], "t", 0) != NULL);
	rig_fini(&r);
}

TEST(a_controlled_shutdown_ends_when_everyone_knows)
{
	struct rig r;

	if (!rig_init(&r, NULL) || !three_brokers(&r))
		return;
	EXPECT_EQ(create_led_by_one(&r, 600), KERR_NONE);
	r.b[1].want_shutdown = true;
	fake_heartbeat(&r.b[1]);
	EXPECT(fake_wait(&r.b[1], 5000, is_led_by_two));
	EXPECT(!fake_wait(&r.b[1], 100, may_go));
	EXPECT(fake_wait(&r.b[2], 5000, is_led_by_two));
	EXPECT(fake_wait(&r.b[3], 5000, is_led_by_two));
	EXPECT(fake_wait(&r.b[1], 5000, may_go));
	fake_cut(&r.b[1]);
	EXPECT(fake_wait(&r.b[2], 5000, one_is_fenced));
	rig_fini(&r);
}

TEST(nothing_acknowledged_is_lost_by_kill_9)
{
	struct rig r;
	char name[16];
	int64_t epoch;

	if (!rig_init(&r, "broker.session.timeout.ms=5000\n") || !EXPECT(fake_join(&r.b[1])))
		return;
	epoch = r.b[1].epoch;
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "topic-%d", i);
		EXPECT_EQ(fake_create(&r.b[1], name, 3, 1), KERR_NONE);
		EXPECT_EQ(fake_set(&r.b[1], name, "retention.ms", "12345"), KERR_NONE);
		(void)stop(&r, SIGKILL);
		if (!start(&r) || !EXPECT(fake_join(&r.b[1])))
			return;
		EXPECT_EQ(r.b[1].epoch, epoch);
		for (int k = 0; k <= i; k++) {
			(void)snprintf(name, sizeof(name), "topic-%d", k);
			EXPECT(fake_partition(&r.b[1], name, 2) != NULL);
			EXPECT_STR(image_topic_config(image_topic_named(r.b[1].image, str_of(name)),
						      STR("retention.ms")),
				   "12345");
		}
	}
	EXPECT_EQ(r.b[1].snapshots, 1); /* it went on where it was */
	EXPECT(fake_join(&r.b[2]));
	EXPECT(image_equal(r.b[1].image, r.b[2].image) ||
	       r.b[1].image->offset < r.b[2].image->offset);
	rig_fini(&r);
}

TEST(snapshots_are_written_and_read_back)
{
	struct rig r;
	char name[16], path[512];
	int64_t start_us;

	if (!rig_init(&r, "metadata.log.max.record.bytes.between.snapshots=2000\n") ||
	    !EXPECT(fake_join(&r.b[1])))
		return;
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "topic-%d", i);
		EXPECT_EQ(fake_create(&r.b[1], name, 8, 1), KERR_NONE);
	}
	(void)snprintf(path, sizeof(path), "%s/meta/%020d.log", r.dir, 0);
	for (int i = 0; i < 50 && access(path, F_OK) == 0; i++)
		(void)fake_wait(&r.b[1], 100, never);
	EXPECT(access(path, F_OK) != 0);
	(void)stop(&r, SIGKILL);
	start_us = now_us();
	if (!start(&r))
		return;
	printf("     listening %lld ms after the start\n", (long long)(now_us() - start_us) / 1000);
	EXPECT(fake_join(&r.b[2]));
	EXPECT(fake_wait(&r.b[2], 10000, has_ten));
	EXPECT_EQ(fake_partition(&r.b[2], "topic-9", 7)->leader, 1);
	rig_fini(&r);
}

/* The size of the largest batch in the first file of the log, and how many there are. */
static size_t largest_batch(const struct rig *r, int *n_batches)
{
	uint8_t head[MLOG_ENTRY];
	size_t largest = 0, bytes = 0;
	struct mlog_head h;
	off_t at = MLOG_HEADER;
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/meta/%020d.log", r->dir, 0);
	fd = open(path, O_RDONLY);
	EXPECT(fd >= 0);
	for (*n_batches = 0; pread(fd, head, sizeof(head), at) == sizeof(head);) {
		mlog_peek_entry(head, &h);
		at += MLOG_ENTRY + h.size;
		bytes += MLOG_ENTRY + h.size;
		if (h.left > 0)
			continue;
		largest = size_max(largest, bytes);
		bytes = 0;
		(*n_batches)++;
	}
	close(fd);
	return largest;
}

static bool one_is_nowhere(struct fakebroker *f)
{
	for (int32_t i = 0; i < 10000 && one_is_fenced(f); i++)
		if (fake_partition(f, "t", i)->leader == 1 ||
		    fake_partition(f, "u", i)->leader == 1)
			return false;
	return one_is_fenced(f);
}

/* What is decided about very many partitions at once still fits the frames between controllers. */
TEST(a_large_decision_is_written_in_pieces)
{
	struct rig r;
	int before, after;

	if (!rig_init(&r, "broker.session.timeout.ms=60000\n") || !three_brokers(&r))
		return;
	for (int i = 1; i <= 3; i++)
		fake_heartbeat(&r.b[i]);
	EXPECT_EQ(fake_create(&r.b[2], "t", 10000, 3), KERR_NONE);
	EXPECT_EQ(fake_create(&r.b[2], "u", 10000, 3), KERR_NONE);
	(void)largest_batch(&r, &before);
	fake_cut(&r.b[1]);
	EXPECT(fake_wait(&r.b[2], 10000, one_is_nowhere));
	EXPECT(largest_batch(&r, &after) < 2 << 20);
	EXPECT(after >= before + 2);
	(void)stop(&r, SIGKILL);
	if (!start(&r))
		return;
	EXPECT(fake_join(&r.b[3]));
	EXPECT(fake_wait(&r.b[3], 10000, one_is_nowhere));
	rig_fini(&r);
}

TEST(a_rotten_log_is_refused_in_words)
{
	struct rig r;
	char path[512], log[512], text[4096] = "";
	uint8_t byte = 0xff;
	int fd, status;

	if (!rig_init(&r, NULL) || !EXPECT(fake_join(&r.b[1])))
		return;
	EXPECT_EQ(fake_create(&r.b[1], "t", 1, 1), KERR_NONE);
	EXPECT_EQ(fake_create(&r.b[1], "u", 1, 1), KERR_NONE);
	(void)stop(&r, SIGKILL);
	(void)snprintf(path, sizeof(path), "%s/meta/%020d.log", r.dir, 0);
	fd = open(path, O_WRONLY);
	EXPECT_EQ(pwrite(fd, &byte, 1, 70), 1);
	close(fd);
	r.pid = spawn(&r);
	EXPECT_EQ(waitpid(r.pid, &status, 0), r.pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	(void)snprintf(log, sizeof(log), "%s/log", r.dir);
	fd = open(log, O_RDONLY);
	EXPECT(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	EXPECT(strstr(text, "is damaged at byte") != NULL);
	for (int i = 0; i < 4; i++)
		fake_fini(&r.b[i]);
}

TEST(hostile_frames_close_the_connection_and_nothing_else)
{
	static const char garbage[][24] = { "GET / HTTP/1.1\r\n\r\n", "\x7f\xff\xff\xff",
					    "\0\0\0\x0a\x01\0\0\0\0\0\0\0\1\xff", "\0\0\0\0",
					    "\0\0\0\x09\x03\0\0\0\0\0\0\0\0" };
	struct rig r;

	if (!rig_init(&r, NULL) || !EXPECT(fake_join(&r.b[1])))
		return;
	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		EXPECT(fake_connect(&r.b[0]));
		EXPECT(write(r.b[0].fd, garbage[i], sizeof(garbage[i])) > 0);
		fake_cut(&r.b[0]);
	}
	EXPECT_EQ(fake_create(&r.b[1], "t", 1, 1), KERR_NONE);
	rig_fini(&r);
}
