/* link.c - finding the controller and asking it.
 *
 * Straight to a controller: int32 size, u8 kind (1 call, 2 reply, 3 push), u64 id, protobuf.
 * Through a broker: Kafka's framing, api WeirControl, the protobuf as its payload.
 *
 * A broker is the usual way: it is what people have an address of, and it passes the question
 * on. */
#include "controller/cli/link.h"
#include "common/base/arena_pb.h"
#include "common/base/endian.h"
#include "common/base/text.h"
#include "common/wire/kerr.h"
#include "controller/cli/brokers_say.h"
#include "controller/cli/kafka_client.h"
#include "controller/cli/out.h"
#include "controller/cli/profile.h"
#include "controller/cli/saved.h"
#include "kafka/apis.h"
#include "kafka/metadata.h"
#include "kafka/weir_control.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Addresses tried; how long each may take to answer; what the way adds to a
 * request's own timeout. */
#define TARGETS_MAX 32
#define PROBE_MS 2000
#define ASK_AGAIN_MS 50
#define AGAIN_MS 300
#define ALIVE_MS 1000
#define METADATA_VERSION 12
#define ANSWER_SPARE_MS 2000 /* beyond the request's own timeout */
#define PAUSE_SHARE 10       /* of the time waited so far: what the next try waits for */
#define CONTROLLER_PORT 9093
#define BROKER_PORT 9092
#define HEAD_BYTES 13
enum { KIND_CALL = 1, KIND_REPLY };

struct target {
	struct addr addr;
	bool is_controller;
};
struct link {
	struct kafka conn; /* a controller's connection uses its fd only */
	struct target target;
	uint64_t next_id;
	bool has_heard;         /* it answers, whatever it says */
	bool is_read;           /* the snapshot has been asked for; its answer is on the way */
	Weir__Response *probed; /* what it said when it was found; until the first question */
	bool is_orphan;         /* a broker that reaches no controller: it says what it knows */
	const char *why_orphan; /* the sentence for what it cannot do */
	const char *refusal;    /* of the last controller it reached, in its words; or NULL */
	Weir__Snapshot *snapshot;
	Weir__ControllerState *controller;
};

static int connect_any(struct cli *, const char *what);
static void wait_for_active(struct cli *, const Weir__Status *, const char *what, bool *was_told);
static void drop_link(struct cli *);
static int64_t patience_ms_of(const struct cli *);
static int fail_silent(struct cli *, const Weir__Request *, const char *what, enum err);
static struct target active_of(struct cli *, const Weir__Status *);
static bool is_look(const Weir__Request *);
static enum err ask_link(struct cli *, const Weir__Request *, int64_t deadline_ms,
			 Weir__Response **);
static int ask_orphan(struct cli *, const Weir__Request *, const char *what, Weir__Response **);
static enum err exchange(struct cli *, struct link *, const Weir__Request *, int64_t deadline_ms,
			 Weir__Response **);
static enum err send_request(struct cli *, struct link *, const Weir__Request *,
			     int64_t deadline_ms);
static enum err receive(struct cli *, struct link *, int64_t deadline_ms, Weir__Response **);
static enum err ask_controller(struct cli *, struct link *, struct str packed, int64_t deadline_ms,
			       struct str *reply);
static enum err broker_answers(struct cli *, struct link *, int64_t deadline_ms, struct str *reply);
static struct kafka_call call_of(struct weir_control_request *, struct weir_control_response *);
static enum err ask_broker(struct cli *, struct link *, struct str packed, int64_t deadline_ms,
			   struct str *reply);

/* A try reads all that a broker knows: the longer none helped, the rarer they become. */
static int64_t pause_ms(int64_t began_ms)
{
	return i64_max(ASK_AGAIN_MS, (cli_now_ms() - began_ms) / PAUSE_SHARE);
}

int link_call(struct cli *cli, const Weir__Request *request, const char *what, Weir__Response **out)
{
	int64_t began_ms = cli_now_ms();
	int64_t wait_ms = is_look(request) ? 0 : cli_wait_ms(cli);
	int64_t deadline_ms = began_ms + i64_max(cli->timeout_ms, wait_ms) + ANSWER_SPARE_MS;
	const Weir__Status *status;
	enum err e;
	int code;

	if (cli_flag(cli, "saved"))
		return saved_call(cli, request, what, out);
	for (bool was_told = false;; cli_sleep_ms(pause_ms(began_ms))) {
		if (!cli->link && (code = connect_any(cli, what)))
			return code;
		if (cli->link->is_orphan) {
			if (is_look(request) || cli_now_ms() >= began_ms + patience_ms_of(cli))
				return ask_orphan(cli, request, what, out);
			cli->link = NULL; /* a controller may be on its way */
			continue;
		}
		e = ask_link(cli, request, deadline_ms, out);
		if (e == ERR_CLOSED && is_look(request) &&
		    cli_now_ms() < began_ms + cli->timeout_ms) {
			drop_link(cli); /* killed: another one may know as much */
			continue;
		}
		if (e)
			return fail_silent(cli, request, what, e);
		status = (*out)->status;
		if (status->code != KERR_NOT_CONTROLLER ||
		    cli_now_ms() + ASK_AGAIN_MS >= began_ms + cli->timeout_ms)
			break;
		wait_for_active(cli, status, what, &was_told);
	}
	if (status->code == KERR_NONE)
		return CLI_OK;
	return cli_fail_code(cli, status->code,
			     str_of(status->message ? status->message : kerr_text(status->code)),
			     "%s", what);
}

/* Whoever says how long means it; others hear soon that no controller is there. */
static int64_t patience_ms_of(const struct cli *cli)
{
	return cli_flag(cli, "timeout") ? cli->timeout_ms : PROBE_MS;
}

static int fail_silent(struct cli *cli, const Weir__Request *request, const char *what, enum err e)
{
	const struct addr *to = &cli->link->target.addr;

	return cli_fail(cli, CLI_UNREACHABLE, "%s: %s:%d gave no answer: %s%s", what, to->host,
			to->port, err_text(e),
			is_look(request) ? "" : "; it may have taken effect, or still do so");
}

/* What the search for it has asked already is not asked again. */
static enum err ask_link(struct cli *cli, const Weir__Request *request, int64_t deadline_ms,
			 Weir__Response **out)
{
	Weir__Response *probed = cli->link->probed;

	cli->link->probed = NULL;
	if (probed && request->body_case == WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER) {
		*out = probed;
		return ERR_OK;
	}
	if (cli->link->is_read) { /* view_load asks for nothing else in between */
		ASSERT(request->body_case == WEIR__REQUEST__BODY_READ_SNAPSHOT);
		cli->link->is_read = false;
		return receive(cli, cli->link, deadline_ms, out);
	}
	return exchange(cli, cli->link, request, deadline_ms, out);
}

/* Another controller is asked the next time, the one that was named if any. */
static void wait_for_active(struct cli *cli, const Weir__Status *status, const char *what,
			    bool *was_told)
{
	if (!status->has_active_controller && !*was_told) {
		fprintf(stderr, "%s: waiting (--timeout, now %s): %s\n", what,
			text_of_duration(cli, cli->timeout_ms),
			status->message ? status->message : kerr_text(status->code));
		*was_told = true;
	}
	drop_link(cli);
}

static void drop_link(struct cli *cli)
{
	kafka_close(&cli->link->conn);
	cli->link = NULL;
}

enum err link_ask(struct cli *cli, struct addr controller, const Weir__Request *request,
		  int64_t deadline_ms, Weir__Response **out)
{
	struct link link = { .target = { controller, true } };
	enum err e = kafka_open(&link.conn, cli, controller, deadline_ms);

	if (!e)
		e = exchange(cli, &link, request, deadline_ms, out);
	kafka_close(&link.conn);
	if (!e && (*out)->status->code != KERR_NONE)
		e = ERR_REFUSED;
	return e;
}

const char *link_refusal(const struct cli *cli)
{
	return cli->link ? cli->link->refusal : NULL;
}

void link_close(struct link *link)
{
	if (link)
		kafka_close(&link->conn);
}

/* ---- choosing whom to ask ------------------------------------------------------------------ */

static bool add_targets(struct cli *cli, struct str list, bool is_controller, struct target *to,
			int *n)
{
	struct str one;

	while (*n < TARGETS_MAX && str_cut(&list, ',', &one)) {
		if (!addr_parse(cli, one, is_controller ? CONTROLLER_PORT : BROKER_PORT,
				&to[*n].addr)) {
			cli_fail(cli, CLI_USAGE, "%.*s is no address: write host:port", (int)one.n,
				 one.at);
			return false;
		}
		to[(*n)++].is_controller = is_controller;
	}
	return true;
}

/* A local cluster's controllers come after its brokers, for the day when no broker is up. */
static bool find_targets(struct cli *cli, struct target *to, int *n)
{
	const char *controller = cli_flag(cli, "controller"), *brokers = cli_flag(cli, "bootstrap");
	struct profile local;

	*n = 0;
	if (controller)
		return add_targets(cli, str_of(controller), true, to, n);
	if (!brokers && (controller = getenv("WEIR_CONTROLLER")) && *controller)
		return add_targets(cli, str_of(controller), true, to, n);
	if (!brokers)
		brokers = getenv("WEIR_BOOTSTRAP");
	if (brokers && *brokers)
		return add_targets(cli, str_of(brokers), false, to, n);
	if (profile_load(cli, &local))
		return add_targets(cli, str_of(local.bootstrap), false, to, n) &&
		       (!*local.controller ||
			add_targets(cli, str_of(local.controller), true, to, n));
	return add_targets(cli, STR("localhost:9092"), false, to, n);
}

/* The snapshot behind the small question: both are on the way before the first answer is read. */
static enum err ask_both(struct cli *cli, struct link *link, const Weir__Request *probe,
			 int64_t deadline_ms, Weir__Response **out)
{
	Weir__ReadSnapshot read = WEIR__READ_SNAPSHOT__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	enum err e;

	request.body_case = WEIR__REQUEST__BODY_READ_SNAPSHOT;
	request.read_snapshot = &read;
	if ((e = send_request(cli, link, probe, deadline_ms)) ||
	    (e = send_request(cli, link, &request, deadline_ms)))
		return e;
	return receive(cli, link, deadline_ms, out);
}

/* A standby's sentence without a majority (quorum_why), which its broker passes on; whatever else
 * stands there says no more than that no controller was reached. */
static const char *refusal_in(const Weir__Status *s)
{
	static const char begin[] = "no controller is active";

	return s->message && strncmp(s->message, begin, sizeof(begin) - 1) == 0 ? s->message : NULL;
}

/* A node may take the connection and never answer (paused), or not know the api: a small question
 * first, so that the next one is tried in time. */
static enum err try_target(struct cli *cli, struct link *link, struct target to,
			   int64_t patience_ms, struct target *active)
{
	Weir__DescribeController describe = WEIR__DESCRIBE_CONTROLLER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	int64_t deadline_ms = cli_now_ms() + patience_ms;
	Weir__Response *response;
	enum err e;

	request.body_case = WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER;
	request.describe_controller = &describe;
	link->target = to;
	link->probed = NULL;
	link->is_read = cli->reads_state && !to.is_controller;
	e = kafka_open(&link->conn, cli, to.addr, deadline_ms);
	if (!e)
		e = link->is_read ? ask_both(cli, link, &request, deadline_ms, &response)
				  : exchange(cli, link, &request, deadline_ms, &response);
	link->has_heard = !e;
	if (!e && response->status->code != KERR_NONE) {
		e = ERR_REFUSED;
		link->refusal = refusal_in(response->status);
	}
	if (!e) {
		link->probed = response;
		*active = active_of(cli, response->status);
	}
	if (e)
		kafka_close(&link->conn);
	return e;
}

/* Port 0: the one that answered, or nobody. */
static struct target active_of(struct cli *cli, const Weir__Status *s)
{
	struct target t = { .is_controller = true };

	if (s->has_active_controller && s->active_controller != s->answered_by && s->active_host)
		t.addr = (struct addr){ cli_z(cli, str_of(s->active_host)), s->active_port };
	return t;
}

/* A standby is left for the active controller, if that can be reached from here. */
static void go_to_active(struct cli *cli, struct link *link, struct target standby,
			 struct target active, int64_t patience_ms)
{
	struct target next;

	if (!standby.is_controller || active.addr.port == 0)
		return;
	kafka_close(&link->conn);
	if (try_target(cli, link, active, patience_ms, &next) &&
	    try_target(cli, link, standby, patience_ms, &next))
		link->target = standby; /* gone meanwhile: the question will say so */
}

/* Something small that a broker answers on its own. */
static bool broker_lives(struct cli *cli, struct addr broker)
{
	struct metadata_request in;
	struct metadata_response out;
	struct kafka k;
	int64_t deadline_ms = cli_now_ms() + ALIVE_MS;
	enum err e = kafka_open(&k, cli, broker, deadline_ms);

	schema_init(&metadata_request_schema, &in);
	if (!e)
		e = kafka_exchange(&k,
				   &(struct kafka_call){ API_METADATA, METADATA_VERSION,
							 &metadata_request_schema,
							 &metadata_response_schema, &in, &out },
				   deadline_ms);
	kafka_close(&k);
	return !e;
}

/* No controller answers, but this broker does: it becomes the link, for looking only. */
static bool adopt_orphan(struct cli *cli, struct link *link, struct target broker,
			 const char *tried)
{
	struct addr at = broker.addr;

	if (brokers_say_snapshot(cli, at, &link->snapshot, &link->controller))
		return false;
	link->target = broker;
	link->is_orphan = true;
	cli->link = link;
	if (link->refusal) {
		link->why_orphan =
			arena_printf(&cli->mem,
				     "broker %s:%d answers, and the controllers that it reaches do "
				     "not decide: %s. Start those that are down; of a local "
				     "cluster: weir local up",
				     at.host, at.port, link->refusal)
				.at;
		return true;
	}
	link->why_orphan =
		arena_printf(&cli->mem,
			     "broker %s:%d answers, the controller does not: it is down, paused or "
			     "cut off (tried %s). Start it again; a local one: weir local status, "
			     "then weir local resume 101 or weir local restart 101",
			     at.host, at.port, tried)
			.at;
	return true;
}

static bool is_state(const Weir__Request *request)
{
	return request->body_case == WEIR__REQUEST__BODY_DESCRIBE_CONTROLLER ||
	       request->body_case == WEIR__REQUEST__BODY_READ_SNAPSHOT;
}

/* Changes nothing: not worth waiting for a controller that may come. */
static bool is_look(const Weir__Request *request)
{
	return is_state(request) || request->body_case == WEIR__REQUEST__BODY_READ_LOG ||
	       request->body_case == WEIR__REQUEST__BODY_DESCRIBE_QUORUM;
}

static int ask_orphan(struct cli *cli, const Weir__Request *request, const char *what,
		      Weir__Response **out)
{
	static Weir__Status fine = WEIR__STATUS__INIT;
	Weir__Response *r = arena_must(&cli->mem, sizeof(*r));
	struct link *link = cli->link;

	if (!is_state(request))
		return cli_fail(cli, CLI_UNREACHABLE, "%s: %s", what, link->why_orphan);
	weir__response__init(r);
	r->status = &fine;
	*out = r;
	if (request->body_case == WEIR__REQUEST__BODY_READ_SNAPSHOT) {
		r->body_case = WEIR__RESPONSE__BODY_SNAPSHOT;
		r->snapshot = link->snapshot;
		return CLI_OK;
	}
	fprintf(stderr, "note: no controller %s; this is what broker %s:%d knows\n",
		link->refusal ? "decides" : "answers", link->target.addr.host,
		link->target.addr.port);
	r->body_case = WEIR__RESPONSE__BODY_CONTROLLER;
	r->controller = link->controller;
	return CLI_OK;
}

/* The first one that does not answer has cost its time; those after it get less. */
static int connect_any(struct cli *cli, const char *what)
{
	int64_t patience_ms = i64_min(cli->timeout_ms, PROBE_MS);
	const struct target *alive = NULL;
	struct target active;
	struct link *link = arena_must(&cli->mem, sizeof(*link));
	struct target to[TARGETS_MAX];
	char tried[512];
	struct text t;
	int n;

	if (!find_targets(cli, to, &n))
		return CLI_USAGE;
	text_init(&t, tried, sizeof(tried));
	for (int i = 0; i < n; i++) {
		enum err e = try_target(cli, link, to[i], patience_ms, &active);

		if (!e) {
			go_to_active(cli, link, to[i], active, patience_ms);
			cli->link = link;
			return CLI_OK;
		}
		text_printf(&t, "%s%s:%d (%s)", i ? ", " : "", to[i].addr.host, to[i].addr.port,
			    link->has_heard ? "reaches no controller" : err_text(e));
		if (!alive && !to[i].is_controller &&
		    (link->has_heard || broker_lives(cli, to[i].addr)))
			alive = &to[i];
		if (alive)
			patience_ms = i64_min(patience_ms, AGAIN_MS);
	}
	if (alive && adopt_orphan(cli, link, *alive, tried))
		return CLI_OK;
	return cli_fail(cli, CLI_UNREACHABLE,
			"%s: no way to the controller through %s. Say where the cluster is with %s "
			"host:port, or start one: weir local up",
			what, tried, cli->tool ? "--bootstrap-server" : "-b");
}

/* ---- one request and its answer ------------------------------------------------------------ */

static struct str pack(struct cli *cli, const Weir__Request *request)
{
	size_t n = weir__request__get_packed_size(request);
	struct str packed = { arena_must(&cli->mem, n + 1), n };

	weir__request__pack(request, (uint8_t *)(uintptr_t)packed.at);
	return packed;
}

static enum err unpack(struct cli *cli, struct str reply, Weir__Response **out)
{
	ProtobufCAllocator memory = arena_pb(&cli->mem);

	*out = weir__response__unpack(&memory, reply.n, (const uint8_t *)reply.at);
	return *out ? ERR_OK : ERR_CORRUPT;
}

static enum err exchange(struct cli *cli, struct link *link, const Weir__Request *request,
			 int64_t deadline_ms, Weir__Response **out)
{
	struct str packed = pack(cli, request), reply;
	enum err e = link->target.is_controller
			     ? ask_controller(cli, link, packed, deadline_ms, &reply)
			     : ask_broker(cli, link, packed, deadline_ms, &reply);

	return e ? e : unpack(cli, reply, out);
}

/* The two halves of an exchange with a broker. */
static enum err send_request(struct cli *cli, struct link *link, const Weir__Request *request,
			     int64_t deadline_ms)
{
	struct weir_control_request in = { .payload = pack(cli, request) };
	struct kafka_call call = call_of(&in, NULL);

	return kafka_send(&link->conn, &call, deadline_ms);
}

static enum err receive(struct cli *cli, struct link *link, int64_t deadline_ms,
			Weir__Response **out)
{
	struct str reply;
	enum err e = broker_answers(cli, link, deadline_ms, &reply);

	return e ? e : unpack(cli, reply, out);
}

/* Pushes to us (none today) are passed over until the reply with our id comes. */
static enum err ask_controller(struct cli *cli, struct link *link, struct str packed,
			       int64_t deadline_ms, struct str *reply)
{
	uint64_t id = ++link->next_id;
	uint8_t head[HEAD_BYTES];
	struct str frame;
	enum err e;

	store_be32(head, (uint32_t)(HEAD_BYTES - 4 + packed.n));
	head[4] = KIND_CALL;
	store_be64(head + 5, id);
	if ((e = sock_send(link->conn.fd, head, sizeof(head), deadline_ms)) ||
	    (e = sock_send(link->conn.fd, packed.at, packed.n, deadline_ms)))
		return e;
	for (;;) {
		if ((e = sock_recv_frame(link->conn.fd, &cli->mem, deadline_ms, &frame)))
			return e;
		if (frame.n < HEAD_BYTES - 4)
			return ERR_CORRUPT;
		if (frame.at[0] == KIND_REPLY && load_be64(frame.at + 1) == id)
			break;
	}
	*reply = (struct str){ frame.at + HEAD_BYTES - 4, frame.n - (HEAD_BYTES - 4) };
	return ERR_OK;
}

static struct kafka_call call_of(struct weir_control_request *in, struct weir_control_response *out)
{
	return (struct kafka_call){ API_WEIR_CONTROL,
				    0,
				    &weir_control_request_schema,
				    &weir_control_response_schema,
				    in,
				    out };
}

static enum err ask_broker(struct cli *cli, struct link *link, struct str packed,
			   int64_t deadline_ms, struct str *reply)
{
	struct weir_control_request in = { .payload = packed };
	struct kafka_call call = call_of(&in, NULL);
	enum err e = kafka_send(&link->conn, &call, deadline_ms);

	return e ? e : broker_answers(cli, link, deadline_ms, reply);
}

/* A broker that cannot reach the controller says so in the envelope; we pass it on as the answer.
 */
static enum err broker_answers(struct cli *cli, struct link *link, int64_t deadline_ms,
			       struct str *reply)
{
	struct weir_control_request in = { 0 };
	struct weir_control_response out;
	struct kafka_call call = call_of(&in, &out);
	enum err e = kafka_receive(&link->conn, &call, deadline_ms);
	Weir__Response refusal = WEIR__RESPONSE__INIT;
	Weir__Status status = WEIR__STATUS__INIT;
	uint8_t *at;

	if (e || out.error_code == KERR_NONE) {
		*reply = e ? (struct str){ 0 } : out.payload;
		return e;
	}
	status.code = out.error_code;
	status.message = (char *)(uintptr_t)cli_z(cli, str_null(out.error_message)
							       ? str_of(kerr_text(out.error_code))
							       : out.error_message);
	refusal.status = &status;
	at = arena_must(&cli->mem, weir__response__get_packed_size(&refusal));
	*reply = (struct str){ (char *)at, weir__response__pack(&refusal, at) };
	return ERR_OK;
}
