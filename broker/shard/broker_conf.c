/* broker_conf.c - the rows of a broker's options, then the lists among them taken apart.
 *
 * Names and defaults are Kafka's unless the text says otherwise.  Keys that no row has are a
 * warning at start (conf_parse), so that a file written for Kafka starts.  Without effect, and said
 * so: broker.session.timeout.ms (the controller's own value counts) and cluster-role options of a
 * shared file.  Defaults of topics (log.*, message.*) are the rows of common/meta/topic_conf.c
 * under their broker names. */
#include "broker/shard/broker_conf.h"

#include <stdio.h>

#include "common/base/log.h"
#include "common/base/text.h"

#define AT(field) offsetof(struct broker_conf, field)
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define I32(name, field, lo, hi, def, ...)                                                         \
	{                                                                                          \
		name, NULL, CONF_I32, AT(field), lo, hi, def, NULL, false, .doc = __VA_ARGS__      \
	}
#define I64(name, field, lo, hi, def, ...)                                                         \
	{                                                                                          \
		name, NULL, CONF_I64, AT(field), lo, hi, def, NULL, false, .doc = __VA_ARGS__      \
	}
#define TEXT(name, alias, field, def, ...)                                                         \
	{                                                                                          \
		name, alias, CONF_STR, AT(field), 0, 0, def, NULL, false, .doc = __VA_ARGS__       \
	}
#define BOOL(name, field, def, ...)                                                                \
	{                                                                                          \
		name, NULL, CONF_BOOL, AT(field), 0, 0, def, NULL, false, .doc = __VA_ARGS__       \
	}
/* clang-format on */

static const struct conf_row rows[] = {
	{ "node.id", "broker.id", CONF_I32, AT(node_id), 0, INT32_MAX, NULL, NULL, false,
	  .doc = "this broker's number, unique in the cluster" },
	TEXT("process.roles", NULL, process_roles, "broker",
	     "a file shared with a controller may say broker,controller"),
	TEXT("cluster.id", NULL, cluster_id, "",
	     "refuse any other cluster; empty takes the controller's"),
	TEXT("listeners", NULL, listeners, "PLAINTEXT://:9092",
	     "NAME://host:port to listen on, separated by commas"),
	TEXT("advertised.listeners", NULL, advertised_listeners, "",
	     "what clients are told to connect to; empty follows listeners"),
	TEXT("listener.security.protocol.map", NULL, security_map, "",
	     "NAME:PROTOCOL pairs for listeners not named after their protocol"),
	TEXT("inter.broker.listener.name", NULL, inter_broker_listener, "",
	     "the listener followers use; empty takes the first"),
	TEXT("controller.listener.names", NULL, controller_listeners, "CONTROLLER",
	     "listeners of a shared file that belong to the controller"),
	TEXT("controller.quorum.bootstrap.servers", NULL, controller_servers, "",
	     "host:port of controllers"),
	TEXT("controller.quorum.voters", NULL, controller_voters, "",
	     "id@host:port of controllers"),
	TEXT("log.dirs", "log.dir", log_dirs, NULL,
	     "directories for partitions, separated by commas"),
	TEXT("broker.rack", NULL, rack, NULL, "the failure zone this broker stands in"),
	I32("num.network.threads", shards, 0, BROKER_SHARDS_MAX, "0",
	    "shards, each one thread; 0 is one per online core"),
	I32("num.io.threads", io_threads, 1, 256, "8",
	    "threads for work that blocks: flushes, recovery, deletes"),
	/* topics and records */
	I32("num.partitions", num_partitions, -1, 100000, "-1",
	    "partitions of a topic created without a count"),
	I32("default.replication.factor", default_replication_factor, -1, 16, "-1",
	    "replicas of a topic created without a count"),
	BOOL("auto.create.topics.enable", auto_create_topics, "false",
	     "create a topic when a client asks for it"),
	I64("log.roll.hours", roll_hours, 1, INT32_MAX, "168",
	    "as log.roll.ms, which counts first"),
	I64("log.retention.hours", retention_hours, -1, INT32_MAX, "168",
	    "as log.retention.ms, which counts first"),
	I64("log.retention.minutes", retention_minutes, -1, INT32_MAX, "10080",
	    "counts before log.retention.hours"),
	I64("log.retention.check.interval.ms", retention_check_ms, 1, INT64_MAX, "300000",
	    "how often retention looks", "50..5000"),
	/* replication */
	I64("replica.lag.time.max.ms", lag_max_ms, 1, INT64_MAX / 4, "10000",
	    "a follower that lags longer leaves the ISR"),
	I32("replica.fetch.max.bytes", fetch_bytes, 1, INT32_MAX, "1048576",
	    "bytes a follower asks for per partition", "128..1048576"),
	I32("replica.fetch.response.max.bytes", fetch_response_bytes, 1, INT32_MAX, "10485760",
	    "bytes a follower asks for per fetch", "256..10485760"),
	I32("replica.fetch.wait.max.ms", fetch_wait_ms, 1, 60000, "500",
	    "how long a leader may hold a follower's fetch", "1..500"),
	I32("replica.fetch.min.bytes", fetch_min_bytes, 0, INT32_MAX, "1",
	    "bytes a leader waits for", "0|1|64"),
	I32("replica.fetch.backoff.ms", fetch_backoff_ms, 1, 60000, "1000",
	    "pause of a partition whose fetch was refused", "1..5000"),
	I64("replica.high.watermark.checkpoint.interval.ms", hw_checkpoint_ms, 1, INT64_MAX / 4,
	    "5000", "how often offsets are checkpointed", "50..30000"),
	/* requests */
	I32("socket.request.max.bytes", request_bytes_max, 1024, INT32_MAX, "104857600",
	    "largest request; a bigger one closes its connection"),
	I32("fetch.max.bytes", fetch_bytes_max, 1024, INT32_MAX, "57671680", "largest fetch answer",
	    "1024..57671680"),
	I64("connections.max.idle.ms", idle_ms_max, -1, INT64_MAX / 4, "600000",
	    "a connection that asks nothing for this long is closed; -1 is never",
	    "-1|1000|600000"),
	I32("max.connections", connections_max, 0, INT32_MAX, "2147483647",
	    "connections of the broker; one more is closed, unless on an inter-broker listener of "
	    "its own"),
	I32("max.connections.per.ip", connections_per_ip_max, 0, INT32_MAX, "2147483647",
	    "connections from one address; one more is closed"),
	I64("queued.max.request.bytes", queued_bytes_max, -1, INT64_MAX, "-1",
	    "request bytes in flight per shard before it stops reading; -1 is 256 MiB", "-1|65536"),
	I64("connection.max.request.bytes", conn_bytes_max, 1024, INT64_MAX, "67108864",
	    "request bytes in flight per connection before it stops reading", "16384..67108864"),
	I32("max.incremental.fetch.session.cache.slots", session_slots, 0, 1000000, "1000",
	    "fetch sessions remembered", "0|1|2|1000"),
	I32("max.request.partition.size.limit", partitions_per_reply_max, 1, 100000, "2000",
	    "partitions in one answer of DescribeTopicPartitions"),
	/* controller link */
	I32("broker.heartbeat.interval.ms", heartbeat_ms, 10, 60000, "200",
	    "how often the controller hears from us"),
	I32("broker.session.timeout.ms", session_timeout_ms, 100, 3600000, "9000",
	    "kept for Kafka's files; the controller's own value counts"),
	I32("controlled.shutdown.timeout.ms", shutdown_timeout_ms, 0, 3600000, "20000",
	    "longest wait for leaders to move away before stopping", "0|100|20000"),
};

/* Own rows first, then those that may change, then the topics'. */
int broker_conf_rows(struct conf_row out[BROKER_ROWS_MAX])
{
	int n = (int)ARRAY_LEN(rows);

	memcpy(out, rows, sizeof(rows));
	n += dynamic_conf_broker_rows(out + n, AT(dynamic));
	n += topic_conf_broker_rows(out + n, AT(topic));
	ASSERT(n <= BROKER_ROWS_MAX);
	return n;
}

/* ---- lists ------------------------------------------------------------------------------- */

/* The last colon separates, so that bare IPv6 hosts in brackets work; an empty host is every
 * address. */
static bool parse_host_port(struct str s, struct peer_addr *out)
{
	size_t colon = s.n;

	while (colon > 0 && s.at[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return false;
	struct str host = { s.at, colon - 1 }, port = { s.at + colon, s.n - colon };
	if (host.n >= 2 && host.at[0] == '[' && host.at[host.n - 1] == ']')
		host = (struct str){ host.at + 1, host.n - 2 };
	if (host.n >= sizeof(out->host) || parse_i32(port, &out->port) || out->port < 0 ||
	    out->port > 65535)
		return false;
	memcpy(out->host, host.at, host.n);
	out->host[host.n] = '\0';
	return true;
}

static bool in_list(struct str list, struct str word)
{
	struct str one;

	while (str_cut(&list, ',', &one))
		if (str_eq(str_trim(one), word))
			return true;
	return false;
}

/* "NAME://host:port" */
static bool parse_listener(struct str s, struct str *name, struct peer_addr *addr)
{
	for (size_t i = 0; i + 3 <= s.n; i++)
		if (memcmp(s.at + i, "://", 3) == 0) {
			*name = (struct str){ s.at, i };
			return i > 0 &&
			       parse_host_port((struct str){ s.at + i + 3, s.n - i - 3 }, addr);
		}
	return false;
}

/* A listener that the map does not name has its own name as its protocol, as in Kafka. */
static struct str protocol_of(const struct broker_conf *c, struct str name)
{
	struct str rest = c->security_map, pair, left;

	while (str_cut(&rest, ',', &pair)) {
		pair = str_trim(pair);
		if (str_cut(&pair, ':', &left) && str_eq(left, name))
			return pair;
	}
	return name;
}

/* Listeners of the controller in a shared file are passed over. */
static enum err finish_listeners(struct broker_conf *c, char *why, size_t cap)
{
	struct str rest = c->listeners, one;

	while (str_cut(&rest, ',', &one)) {
		struct broker_listener *l = &c->listener[c->n_listeners];
		one = str_trim(one);
		if (c->n_listeners == BROKER_LISTENERS_MAX ||
		    !parse_listener(one, &l->name, &l->bind)) {
			snprintf(why, cap,
				 "listeners: '%.*s' is not NAME://host:port, or there are more "
				 "than %d",
				 (int)one.n, one.at, BROKER_LISTENERS_MAX);
			return ERR_INVALID;
		}
		if (in_list(c->controller_listeners, l->name))
			continue;
		l->protocol = protocol_of(c, l->name);
		if (!str_eq(l->protocol, STR("PLAINTEXT"))) {
			snprintf(why, cap,
				 "listener %.*s: protocol %.*s is not supported yet; use PLAINTEXT",
				 (int)l->name.n, l->name.at, (int)l->protocol.n, l->protocol.at);
			return ERR_UNSUPPORTED;
		}
		l->advertised = l->bind;
		c->n_listeners++;
	}
	if (c->n_listeners == 0) {
		snprintf(why, cap,
			 "listeners: a broker needs one, for example PLAINTEXT://127.0.0.1:9092");
		return ERR_INVALID;
	}
	return ERR_OK;
}

static enum err finish_advertised(struct broker_conf *c, char *why, size_t cap)
{
	struct str rest = c->advertised_listeners, one, name;

	while (str_cut(&rest, ',', &one)) {
		struct peer_addr a;
		int i = 0;

		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (!parse_listener(one, &name, &a)) {
			snprintf(why, cap, "advertised.listeners: '%.*s' is not NAME://host:port",
				 (int)one.n, one.at);
			return ERR_INVALID;
		}
		while (i < c->n_listeners && !str_eq(c->listener[i].name, name))
			i++;
		if (i < c->n_listeners)
			c->listener[i].advertised = a;
		else if (!in_list(c->controller_listeners, name)) {
			snprintf(why, cap, "advertised.listeners: %.*s is not among listeners",
				 (int)name.n, name.at);
			return ERR_INVALID;
		}
	}
	for (int i = 0; i < c->n_listeners; i++)
		if (c->listener[i].advertised.host[0] == '\0' ||
		    strcmp(c->listener[i].advertised.host, "0.0.0.0") == 0) {
			/* A wildcard is no address to give a client. */
			snprintf(c->listener[i].advertised.host,
				 sizeof(c->listener[i].advertised.host), "%s",
				 c->host_name[0] != '\0' ? c->host_name : "localhost");
		}
	if (c->inter_broker_listener.n > 0) {
		while (c->inter_broker < c->n_listeners &&
		       !str_eq(c->listener[c->inter_broker].name, c->inter_broker_listener))
			c->inter_broker++;
		if (c->inter_broker == c->n_listeners) {
			snprintf(why, cap,
				 "inter.broker.listener.name: %.*s is not among listeners",
				 (int)c->inter_broker_listener.n, c->inter_broker_listener.at);
			return ERR_INVALID;
		}
	}
	return ERR_OK;
}

/* bootstrap.servers, or the voters of older files. */
static enum err finish_controllers(struct broker_conf *c, char *why, size_t cap)
{
	bool voters = c->controller_servers.n == 0;
	struct str rest = voters ? c->controller_voters : c->controller_servers, one, id;

	while (str_cut(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		struct str text = one;
		if (voters && (!str_cut(&one, '@', &id) || one.n == 0)) {
			snprintf(why, cap, "controller.quorum.voters: '%.*s' is not id@host:port",
				 (int)text.n, text.at);
			return ERR_INVALID;
		}
		if (c->n_controllers == (int32_t)ARRAY_LEN(c->controller) ||
		    !parse_host_port(one, &c->controller[c->n_controllers])) {
			snprintf(why, cap, "controller address '%.*s' is not host:port",
				 (int)text.n, text.at);
			return ERR_INVALID;
		}
		c->n_controllers++;
	}
	if (c->n_controllers == 0) {
		snprintf(why, cap,
			 "controller.quorum.bootstrap.servers is not set: say host:port of the "
			 "weir-controller");
		return ERR_INVALID;
	}
	return ERR_OK;
}

/* A slash at the end is dropped: the same directory must have one name. */
static enum err finish_dirs(struct broker_conf *c, char *why, size_t cap)
{
	struct str rest = c->log_dirs, one;

	while (!str_null(rest) && str_cut(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (c->n_dirs == BROKER_DIRS_MAX) {
			snprintf(why, cap, "log.dirs: more than %d directories", BROKER_DIRS_MAX);
			return ERR_LIMIT;
		}
		while (one.n > 1 && one.at[one.n - 1] == '/')
			one.n--;
		c->dir[c->n_dirs++] = one;
	}
	if (c->n_dirs == 0) {
		snprintf(why, cap,
			 "log.dirs is not set: name the directory for partitions, for example "
			 "log.dirs=/var/lib/weir");
		return ERR_INVALID;
	}
	return ERR_OK;
}

static bool is_set(const struct conf_store *store, const struct conf_row *v, int n,
		   const char *name)
{
	const struct conf_row *r = conf_find(v, n, str_of(name));

	ASSERT(r);
	return conf_is_set(store, r);
}

/* Kafka's precedence: ms over minutes over hours. */
static void finish_times(struct broker_conf *c, const struct conf_store *store,
			 const struct conf_row *v, int n)
{
	if (!is_set(store, v, n, "log.roll.ms") && is_set(store, v, n, "log.roll.hours"))
		c->topic.segment_ms = c->roll_hours * 3600000;
	bool by_ms = is_set(store, v, n, "log.retention.ms");
	if (!by_ms && is_set(store, v, n, "log.retention.minutes"))
		c->topic.retention_ms =
			c->retention_minutes < 0 ? -1 : c->retention_minutes * 60000;
	else if (!by_ms && is_set(store, v, n, "log.retention.hours"))
		c->topic.retention_ms = c->retention_hours < 0 ? -1 : c->retention_hours * 3600000;
	topic_conf_settle(&c->topic);
	if (c->queued_bytes_max < 0)
		c->queued_bytes_max = (int64_t)256 << 20;
}

/* The first thing wrong ends it with one sentence; order is that in which an operator writes a
 * file. */
enum err broker_conf_finish(struct broker_conf *c, const struct conf_store *store,
			    const struct conf_row *v, int n, char *why, size_t cap)
{
	enum err e;

	if (!is_set(store, v, n, "node.id")) {
		snprintf(why, cap, "node.id is not set: give every broker a number of its own");
		return ERR_INVALID;
	}
	if (!in_list(c->process_roles, STR("broker"))) {
		snprintf(why, cap, "process.roles is '%.*s': this file is not for a broker",
			 (int)c->process_roles.n, c->process_roles.at);
		return ERR_INVALID;
	}
	c->n_listeners = c->n_dirs = c->n_controllers = c->inter_broker = 0;
	if ((e = finish_listeners(c, why, cap)) || (e = finish_advertised(c, why, cap)) ||
	    (e = finish_controllers(c, why, cap)) || (e = finish_dirs(c, why, cap)))
		return e;
	finish_times(c, store, v, n);
	if (is_set(store, v, n, "min.insync.replicas"))
		log_warn("config",
			 "min.insync.replicas in a broker's file has no effect: set it for topics, "
			 "for the cluster, or in the controller's file for new topics");
	return ERR_OK;
}
