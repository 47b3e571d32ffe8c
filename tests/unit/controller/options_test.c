#include "controller/server/options.h"

#include "common/base/log.h"
#include "tests/lib/test.h"

#include <stdio.h>

static int warnings;

static void count(void *arg, const char *line, size_t n)
{
	(void)arg;
	(void)line;
	(void)n;
	warnings++;
}

/* Loads text as a file; the error that it gives or the resolved result. */
static enum err load(struct options *o, const char *text, struct resolved *r, char *why, size_t cap)
{
	char path[512];
	FILE *f;
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/c.properties", test_tmpdir());
	f = fopen(path, "w");
	if (!EXPECT(f != NULL))
		return ERR_IO;
	(void)fputs(text, f);
	(void)fclose(f);
	warnings = 0;
	log_set_sink(count, NULL);
	options_init(o);
	e = options_load(o, path, why, cap);
	if (e == ERR_OK)
		e = options_resolve(o, r, why, cap);
	log_set_sink(NULL, NULL);
	return e;
}

/* What the file that comes with Kafka says, as people run it. */
static const char kafkas[] =
	"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:"
	"9093\n"
	"listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n"
	"advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n"
	"controller.listener.names=CONTROLLER\n"
	"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
	"num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n"
	"socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n"
	"log.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\nnum.recovery.threads.per.data.dir=2\n"
	"offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n"
	"share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\n"
	"transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n"
	"log.retention.check.interval.ms=300000\n";

TEST(kafkas_own_file_starts_without_a_warning)
{
	struct options o;
	struct resolved r;
	char why[512] = "";

	EXPECT_OK(load(&o, kafkas, &r, why, sizeof(why)));
	EXPECT_EQ(warnings, 0);
	EXPECT_EQ(r.listen.port, 9093);
	EXPECT_Z(r.listen.host, "");
	EXPECT_Z(r.dir, "/tmp/kraft-combined-logs/weir-controller");
	EXPECT_EQ(r.node.id, 1);
	EXPECT_EQ(r.node.ctl.default_replication_factor, -1);
	EXPECT_EQ(r.node.ctl.default_min_insync, -1);
	EXPECT_EQ(r.node.session_timeout_ms, 9000);
	EXPECT_EQ(r.node.disconnect_grace_ms, 30);
	options_fini(&o);
}

TEST(what_is_set_arrives)
{
	struct options o;
	struct resolved r;
	char why[512] = "";

	EXPECT_OK(load(&o,
		       "node.id=7\nlisteners=CONTROLLER://[::1]:5000\nmetadata.log.dir=/m\n"
		       "default.replication.factor=2\nmin.insync.replicas=1\n"
		       "unclean.leader.election.enable=true\nauto.leader.rebalance.enable=false\n",
		       &r, why, sizeof(why)));
	EXPECT_OK(options_override(&o, "num.partitions=6", why, sizeof(why)));
	EXPECT_OK(options_resolve(&o, &r, why, sizeof(why)));
	EXPECT_Z(r.listen.host, "::1");
	EXPECT_EQ(r.listen.port, 5000);
	EXPECT_Z(r.dir, "/m");
	EXPECT_EQ(r.node.ctl.default_replication_factor, 2);
	EXPECT_EQ(r.node.ctl.default_min_insync, 1);
	EXPECT_EQ(r.node.ctl.default_partitions, 6);
	EXPECT(r.node.ctl.topic.unclean_election);
	EXPECT(!r.node.rebalance_enable);
	EXPECT_EQ(options_override(&o, "num.partitions", why, sizeof(why)), ERR_INVALID);
	options_fini(&o);
}

TEST(without_listeners_the_quorum_says_where)
{
	struct options o;
	struct resolved r;
	char why[512] = "";

	EXPECT_OK(load(&o,
		       "node.id=2\nmetadata.log.dir=/m\n"
		       "controller.quorum.voters=1@a:9001, 2@b:9002\n",
		       &r, why, sizeof(why)));
	EXPECT_Z(r.listen.host, "b");
	EXPECT_EQ(r.listen.port, 9002);
	options_fini(&o);
}

TEST(each_mistake_has_a_sentence)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "listeners=C://:1\nmetadata.log.dir=/m\n",
		  "node.id is not set: give every controller and broker a number of its own" },
		{ "node.id=1\nlisteners=C://:1\n",
		  "metadata.log.dir is not set: name a directory for the metadata log" },
		{ "node.id=1\nmetadata.log.dir=/m\n",
		  "no listener for the controller: set listeners=CONTROLLER://host:port" },
		{ "node.id=1\nmetadata.log.dir=/m\nlisteners=C://:x\n",
		  "listeners=C://:x: must be NAME://host:port" },
		{ "node.id=1\nmetadata.log.dir=/m\nlisteners=PLAINTEXT://:1,X://:2\n",
		  "no listener for the controller: set listeners=CONTROLLER://host:port" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct options o;
		struct resolved r;
		char why[512] = "";

		EXPECT_EQ(load(&o, cases[i].text, &r, why, sizeof(why)), ERR_INVALID);
		EXPECT_Z(why, cases[i].why);
		options_fini(&o);
	}
}

static const char three[] =
	"node.id=102\nlisteners=CONTROLLER://0.0.0.0:9093\nmetadata.log.dir=/m\n"
	"controller.quorum.voters=101@a:9093, 102@b:9094,103@c:9095\n";

TEST(the_voters_are_those_of_a_new_cluster)
{
	struct options o;
	struct resolved r;
	char why[512] = "";

	EXPECT_OK(load(&o, three, &r, why, sizeof(why)));
	EXPECT_EQ(warnings, 0);
	EXPECT_EQ(r.node.quorum.n_servers, 3);
	EXPECT(!r.node.quorum.is_sole);
	EXPECT_EQ(r.node.quorum.servers[2].id, 103);
	EXPECT(strcmp(r.node.quorum.servers[2].addr.host, "c") == 0);
	/* The others reach it under the name that the list has. */
	EXPECT(strcmp(r.node.quorum.self.host, "b") == 0);
	EXPECT_EQ(r.node.quorum.self.port, 9094);
	EXPECT_EQ(r.listen.port, 9093);
	EXPECT_EQ(r.node.quorum.election_ms, 500);
	options_fini(&o);
}

TEST(voters_that_make_no_sense_are_refused)
{
	static const char *const lists[] = {
		"101", "101@a", "x@a:1", "101@a:9093,-2@b:9093",
		"1@a:1,2@a:2,3@a:3,4@a:4,5@a:5,6@a:6,7@a:7,8@a:8,9@a:9"
	};
	char text[512], why[512];
	struct options o;
	struct resolved r;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		(void)snprintf(text, sizeof(text),
			       "node.id=1\nlisteners=CONTROLLER://a:9093\nmetadata.log.dir=/m\n"
			       "controller.quorum.voters=%s\n",
			       lists[i]);
		EXPECT_EQ(load(&o, text, &r, why, sizeof(why)), ERR_INVALID);
		EXPECT(strstr(why, "controller.quorum.voters") != NULL);
		options_fini(&o);
	}
}

/* Whether a controller begins a cluster of its own, or asks somebody. */
TEST(one_server_that_is_itself_is_alone)
{
	static const struct {
		const char *server, *listener;
		bool is_sole;
	} rows[] = { { "10.0.0.1:9093", "10.0.0.1:9093", true },
		     { "10.0.0.1:9093", "0.0.0.0:9093", true },
		     { "localhost:9093", "10.0.0.1:9093", true },
		     { "10.0.0.2:9093", "10.0.0.1:9093", false },
		     { "10.0.0.1:9094", "10.0.0.1:9093", false },
		     { "10.0.0.1:9093,10.0.0.2:9093", "10.0.0.1:9093", false } };
	char text[512], why[512];
	struct options o;
	struct resolved r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(text, sizeof(text),
			       "node.id=1\nmetadata.log.dir=/m\nlisteners=CONTROLLER://%s\n"
			       "controller.quorum.bootstrap.servers=%s\n",
			       rows[i].listener, rows[i].server);
		EXPECT_OK(load(&o, text, &r, why, sizeof(why)));
		EXPECT_EQ(r.node.quorum.is_sole, rows[i].is_sole);
		options_fini(&o);
	}
}
