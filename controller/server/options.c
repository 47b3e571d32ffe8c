/* options.c - the rows of the controller's options, and what the node makes of them.
 *
 * Three kinds of row: `own` has an effect here; the topic configs under their broker names are the
 * defaults of new topics; `others` are Kafka's broker options, accepted in silence, because
 * operators keep one server.properties for everything.  Any other key is a warning. */
#include "controller/server/options.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/text.h"

#define AT(f) offsetof(struct options, f)
#define HEARTBEATS 8 /* of the active controller, within the time after which it counts as gone */
/* Versions of clang-format disagree about braces in macros. */
/* clang-format off */
#define STRING(n, alias, f, d, ...)                                                                \
	{                                                                                          \
		n, alias, CONF_STR, AT(f), 0, 0, d, NULL, false, .doc = __VA_ARGS__                \
	}
#define NUMBER(n, alias, kind, f, lo, hi, d, ...)                                                  \
	{                                                                                          \
		n, alias, kind, AT(f), lo, hi, d, NULL, false, .doc = __VA_ARGS__                  \
	}
#define FLAG(n, f, d, ...)                                                                         \
	{                                                                                          \
		n, NULL, CONF_BOOL, AT(f), 0, 0, d, NULL, false, .doc = __VA_ARGS__                \
	}
/* clang-format on */

static const struct conf_row own[] = {
	NUMBER("node.id", "controller.id", CONF_I32, node_id, 0, INT32_MAX, NULL,
	       "This node's number; required."),
	STRING("listeners", NULL, listeners, "",
	       "Where to listen: NAME://host:port, of several the one that "
	       "controller.listener.names says."),
	STRING("controller.listener.names", NULL, controller_names, "CONTROLLER",
	       "Names of the listeners that brokers and the CLI connect to."),
	STRING("controller.quorum.voters", NULL, quorum_voters, "",
	       "id@host:port of each controller: the voters of a new cluster."),
	STRING("controller.quorum.bootstrap.servers", NULL, quorum_servers, "",
	       "host:port of the controllers: whom a further controller asks."),
	NUMBER("controller.quorum.fetch.timeout.ms", NULL, CONF_I64, election_ms, 10, INT32_MAX,
	       "500",
	       "Silence of the active controller after which another one is elected, at most twice "
	       "as long; the end of its connection counts at once."),
	STRING("metadata.log.dir", NULL, metadata_dir, "", "Directory of the metadata log."),
	STRING("log.dirs", "log.dir", log_dirs, "",
	       "Without metadata.log.dir the metadata log lies in a folder weir-controller of the "
	       "first of these."),
	STRING("cluster.id", NULL, cluster_id, "",
	       "Id of the cluster; without it a new one is made at the first start."),
	NUMBER("broker.session.timeout.ms", NULL, CONF_I64, session_timeout_ms, 1, INT32_MAX,
	       "9000", "A broker that is silent for this long is fenced."),
	NUMBER("broker.disconnect.grace.ms", NULL, CONF_I64, disconnect_grace_ms, 0, INT32_MAX,
	       "30",
	       "How long a broker whose connection closed may take to come back before it is "
	       "fenced.",
	       "0|30|1000"),
	FLAG("auto.leader.rebalance.enable", rebalance_enable, "true",
	     "Give leadership back to preferred replicas from time to time.", "true|false"),
	NUMBER("leader.imbalance.check.interval.seconds", NULL, CONF_I64, rebalance_interval_s, 1,
	       INT32_MAX, "300", "How often to give leadership back.", "1|5|300"),
	NUMBER("unclean.leader.election.interval.ms", NULL, CONF_I64, unclean_interval_ms, 1,
	       INT32_MAX, "300000", "How often to try an unclean election where topics allow it.",
	       "100..5000"),
	NUMBER("metadata.log.max.record.bytes.between.snapshots", NULL, CONF_I64, snapshot_bytes, 1,
	       INT64_MAX, "20971520",
	       "A snapshot of the metadata is written after this many bytes of log.",
	       "512..20971520"),
	FLAG("delete.topic.enable", delete_topic_enable, "true", "Whether topics may be deleted."),
	NUMBER("num.partitions", NULL, CONF_I32, num_partitions, 1, 10000, "1",
	       "Partitions of a topic that says nothing."),
	NUMBER("default.replication.factor", NULL, CONF_I32, replication_factor, -1,
	       IMAGE_REPLICAS_MAX, "-1",
	       "Replicas of a topic that says nothing; -1: three, or as many as there are "
	       "brokers."),
	NUMBER("min.insync.replicas", NULL, CONF_I32, min_insync, -1, IMAGE_REPLICAS_MAX, "-1",
	       "Set for a new topic that says nothing; -1: 2 with three replicas or more."),
};

/* Kafka's options that mean nothing to a controller of ours, so that its files bring no warnings.
 */
static const char *const others[] = {
	"process.roles",
	"controller.quorum.election.timeout.ms",
	"controller.quorum.election.backoff.max.ms",
	"controller.quorum.request.timeout.ms",
	"controller.quorum.retry.backoff.ms",
	"controller.quorum.append.linger.ms",
	"advertised.listeners",
	"listener.security.protocol.map",
	"inter.broker.listener.name",
	"num.network.threads",
	"num.io.threads",
	"background.threads",
	"num.recovery.threads.per.data.dir",
	"num.replica.fetchers",
	"socket.send.buffer.bytes",
	"socket.receive.buffer.bytes",
	"socket.request.max.bytes",
	"log.retention.hours",
	"log.retention.minutes",
	"log.roll.hours",
	"log.retention.check.interval.ms",
	"log.flush.scheduler.interval.ms",
	"broker.heartbeat.interval.ms",
	"offsets.topic.replication.factor",
	"offsets.topic.num.partitions",
	"transaction.state.log.replication.factor",
	"transaction.state.log.min.isr",
	"transaction.state.log.num.partitions",
	"share.coordinator.state.topic.replication.factor",
	"share.coordinator.state.topic.min.isr",
	"group.initial.rebalance.delay.ms",
	"auto.create.topics.enable",
	"broker.rack",
	"broker.id",
	"replica.lag.time.max.ms",
	"controlled.shutdown.enable",
	"initial.broker.registration.timeout.ms",
	"log.cleaner.enable",
	"metadata.max.idle.interval.ms",
	"metadata.log.segment.bytes",
	"metadata.max.retention.bytes",
	"metadata.max.retention.ms",
};

static enum err find_listener(struct options *, struct peer_addr *, char *why, size_t cap);
static bool parse_address(struct str, struct peer_addr *);
static bool named(struct str names, struct str name);
static enum err find_servers(const struct options *, struct resolved *, char *why, size_t cap);
static struct str first(struct str list);

/* min.insync.replicas is both: an own row (the default written into new topics, -1 for "2 with
 * three replicas") and a topic config; the own row wins, the other is left out. */
void options_init(struct options *o)
{
	int n = 0;

	*o = (struct options){ .node_id = -1 };
	o->rows = mem_alloc((ARRAY_LEN(own) + ARRAY_LEN(others) + (size_t)topic_conf_n_rows) *
			    sizeof(*o->rows));
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		o->rows[n++] = own[i];
	n += topic_conf_broker_rows(o->rows + n, AT(topic));
	for (int i = (int)ARRAY_LEN(own); i < n; i++)
		if (strcmp(o->rows[i].name, "min.insync.replicas") == 0)
			o->rows[i--] = o->rows[--n];
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		o->rows[n++] = (struct conf_row)STRING(others[i], NULL, ignored, NULL,
						       "Not the controller's.");
	o->n_rows = n;
	topic_conf_defaults(&o->topic);
	o->store = conf_new(o->rows, n, o);
}

void options_fini(struct options *o)
{
	conf_free(o->store);
	mem_free(o->rows);
}

/* Plain stdio: this runs once, before there is an env. */
enum err options_load(struct options *o, const char *path, char *why, size_t cap)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0, got;
	enum err e;

	if (f == NULL) {
		(void)snprintf(why, cap, "%s: cannot be opened: %s", path, strerror(errno));
		return ERR_NOT_FOUND;
	}
	do {
		text = mem_grow(text, n + 4096);
		got = fread(text + n, 1, 4096, f);
		n += got;
	} while (got > 0);
	(void)fclose(f);
	e = conf_parse(o->store, (struct str){ text, n }, path, why, cap);
	mem_free(text);
	return e;
}

enum err options_override(struct options *o, const char *assignment, char *why, size_t cap)
{
	struct str rest = str_of(assignment), key;

	if (strchr(assignment, '=') == NULL || !str_cut(&rest, '=', &key)) {
		(void)snprintf(why, cap, "--override %s: must be name=value", assignment);
		return ERR_INVALID;
	}
	return conf_set(o->store, str_trim(key), str_trim(rest), "--override", why, cap);
}

/* As a file that options_load would take; options that only brokers have are left out. */
void options_print(const struct options *o)
{
	for (int i = 0; i < o->n_rows; i++) {
		char tmp[1024];
		struct str v = conf_value(o->store, &o->rows[i], tmp, sizeof(tmp));

		if (!str_null(v) && o->rows[i].at != AT(ignored))
			printf("# %s\n%s=%.*s\n", o->rows[i].doc, o->rows[i].name, (int)v.n, v.at);
	}
}

/* From text to numbers and addresses; every failure names the option and the way out. */
enum err options_resolve(struct options *o, struct resolved *out, char *why, size_t cap)
{
	struct str dir = o->metadata_dir.n > 0 ? o->metadata_dir : str_trim(first(o->log_dirs));

	*out = (struct resolved){ .dir = "" };
	if (o->node_id < 0) {
		(void)snprintf(
			why, cap,
			"node.id is not set: give every controller and broker a number of its own");
		return ERR_INVALID;
	}
	if (dir.n == 0 || dir.n > sizeof(out->dir) - 32) {
		(void)snprintf(
			why, cap,
			"metadata.log.dir is not set: name a directory for the metadata log");
		return ERR_INVALID;
	}
	(void)snprintf(out->dir, sizeof(out->dir), "%.*s%s", (int)dir.n, dir.at,
		       o->metadata_dir.n > 0 ? "" : "/weir-controller");
	topic_conf_settle(&o->topic);
	out->node = (struct node_options){
		.id = o->node_id,
		.dir = out->dir,
		.ctl = { .default_partitions = o->num_partitions,
			 .default_replication_factor =
				 o->replication_factor == 0 ? -1 : o->replication_factor,
			 .default_min_insync = o->min_insync,
			 .delete_topic_enable = o->delete_topic_enable,
			 .topic = o->topic },
		.session_timeout_ms = o->session_timeout_ms,
		.disconnect_grace_ms = o->disconnect_grace_ms,
		.rebalance_enable = o->rebalance_enable,
		.rebalance_interval_ms = o->rebalance_interval_s * 1000,
		.unclean_interval_ms = o->unclean_interval_ms,
		.quorum = { .id = o->node_id,
			    .dir = out->dir,
			    .snapshot_bytes = o->snapshot_bytes,
			    .election_ms = o->election_ms,
			    .heartbeat_ms = i64_max(1, o->election_ms / HEARTBEATS) },
	};
	if (find_listener(o, &out->listen, why, cap) != ERR_OK)
		return ERR_INVALID;
	return find_servers(o, out, why, cap);
}

static bool is_any_host(const char *host)
{
	return host[0] == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ||
	       strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0;
}

/* One server with our port, that is not plainly another machine, is this very controller. */
static bool is_alone(const struct quorum_options *q)
{
	const struct quorum_server *only = &q->servers[0];

	if (q->n_servers == 0)
		return true;
	if (q->n_servers > 1)
		return false;
	return only->id == q->id || (only->id < 0 && only->addr.port == q->self.port &&
				     (strcmp(only->addr.host, q->self.host) == 0 ||
				      is_any_host(q->self.host) || is_any_host(only->addr.host)));
}

/* The voters, else whom to ask; and under which address the others find this one. */
static enum err find_servers(const struct options *o, struct resolved *out, char *why, size_t cap)
{
	struct quorum_options *q = &out->node.quorum;
	bool has_ids = o->quorum_voters.n > 0;
	struct str rest = has_ids ? o->quorum_voters : o->quorum_servers, one, id;

	q->self = out->listen;
	while (rest.n > 0 && str_cut(&rest, ',', &one)) {
		struct quorum_server *s = &q->servers[q->n_servers];

		one = str_trim(one);
		if (q->n_servers == QUORUM_SERVERS_MAX ||
		    (has_ids &&
		     (!str_cut(&one, '@', &id) || parse_i32(id, &s->id) != ERR_OK || s->id < 0)) ||
		    !parse_address(one, &s->addr)) {
			(void)snprintf(why, cap,
				       "controller.quorum.%s: must be a list of %shost:port, at "
				       "most %d",
				       has_ids ? "voters" : "bootstrap.servers",
				       has_ids ? "id@" : "", QUORUM_SERVERS_MAX);
			return ERR_INVALID;
		}
		if (!has_ids)
			s->id = -1;
		if (s->id == q->id)
			q->self = s->addr;
		q->n_servers++;
	}
	q->is_sole = is_alone(q);
	return ERR_OK;
}

/* Our listener, else our place among the voters, else the first bootstrap server. */
static enum err find_listener(struct options *o, struct peer_addr *out, char *why, size_t cap)
{
	struct str rest = o->listeners, one, id;
	int32_t n;

	while (rest.n > 0 && str_cut(&rest, ',', &one)) {
		struct str name = str_trim(one), after = name;
		bool is_only = o->listeners.n == one.n;

		if (!str_cut(&after, ':', &name) || after.n < 2 || memcmp(after.at, "//", 2) != 0 ||
		    !parse_address((struct str){ after.at + 2, after.n - 2 }, out)) {
			(void)snprintf(why, cap, "listeners=%.*s: must be NAME://host:port",
				       (int)o->listeners.n, o->listeners.at);
			return ERR_INVALID;
		}
		if (is_only || named(o->controller_names, name))
			return ERR_OK;
	}
	rest = o->quorum_voters;
	while (o->listeners.n == 0 && rest.n > 0 && str_cut(&rest, ',', &one)) {
		one = str_trim(one);
		if (str_cut(&one, '@', &id) && parse_i32(id, &n) == ERR_OK && n == o->node_id &&
		    parse_address(one, out))
			return ERR_OK;
	}
	if (o->listeners.n == 0 && o->quorum_servers.n > 0 &&
	    parse_address(str_trim(first(o->quorum_servers)), out))
		return ERR_OK;
	(void)snprintf(why, cap,
		       "no listener for the controller: set listeners=CONTROLLER://host:port");
	return ERR_INVALID;
}

/* host:port, [v6]:port, :port for every address of the host */
static bool parse_address(struct str s, struct peer_addr *out)
{
	size_t colon = s.n;
	int32_t port;

	while (colon > 0 && s.at[colon - 1] != ':')
		colon--;
	if (colon == 0 || parse_i32((struct str){ s.at + colon, s.n - colon }, &port) != ERR_OK ||
	    port < 0 || port > 65535)
		return false;
	s.n = colon - 1;
	if (s.n >= 2 && s.at[0] == '[' && s.at[s.n - 1] == ']')
		s = (struct str){ s.at + 1, s.n - 2 };
	if (s.n >= sizeof(out->host))
		return false;
	memset(out, 0, sizeof(*out));
	if (s.n > 0)
		memcpy(out->host, s.at, s.n);
	out->port = port;
	return true;
}

static bool named(struct str names, struct str name)
{
	struct str one;

	while (names.n > 0 && str_cut(&names, ',', &one))
		if (str_eq(str_trim(one), name))
			return true;
	return false;
}

static struct str first(struct str list)
{
	struct str one = { "", 0 };

	if (list.n > 0)
		(void)str_cut(&list, ',', &one);
	return one;
}
