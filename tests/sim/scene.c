#include "tests/sim/scene.h"

#include <stdio.h>

#include "broker/shard/partition.h"
#include "common/wire/batch.h"
#include "common/wire/schema.h"
#include "kafka/produce.h"
#include "tests/sim/disk.h"

#define SECOND 1000000
#define BOUND_US (30 * SECOND)
#define STEP_US 1000
#define BATCH_BYTES 256
#define TEXT_BYTES 512
#define LOG_BYTES (64 << 10)
#define PRODUCE_VERSION 9

struct sending {
	bool is_answered;
	enum err err;
	int16_t code;
	int64_t offset;
};
struct stage {
	const char *name;
	struct cluster *cluster;
	struct client client;
	struct sim_topic *topic;
	/* for the turn in which it is sent */
	struct sending *sending;
	const char *record;
	int acks, broker;
};

static const struct scene *const tables[] = { recovery_scenes, min_isr_scenes, election_scenes };

const struct scene *scene_at(int i)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct scene *s = tables[t]; s->name; s++)
			if (i-- == 0)
				return s;
	return NULL;
}

static void after_event(void *arg)
{
	struct cluster *c = arg;

	if (c->world->last)
		check_machine(c, c->world->last);
}

bool scene_play(const char *name, bool is_loud)
{
	const struct scene *scene;
	struct stage stage = { .name = name };
	char command[128];

	for (int i = 0; (scene = scene_at(i)) && strcmp(scene->name, name) != 0;)
		i++;
	if (!scene)
		return false;
	snprintf(command, sizeof(command), "weir-sim --scene %s --loud", name);
	story_command(command);
	stage.cluster = cluster_new(1);
	story_begin(stage.cluster->world, is_loud);
	scene->play(&stage);
	cluster_free(stage.cluster);
	return true;
}

/* ---- the stage ------------------------------------------------------------------------------ */

static bool is_idle(const void *arg, char *why, size_t cap)
{
	(void)arg;
	(void)why;
	(void)cap;
	return true;
}

static void start_client(void *x, void *unused)
{
	(void)unused;
	client_start(x);
}

static struct sim_node *add_broker(struct stage *s, int i, const struct staging *how)
{
	struct cluster *c = s->cluster;
	struct sim_node *n = sim_node_add(c->world, i + 1, false, 2);
	int64_t lag_ms = how->lag_ms ? how->lag_ms : 60000;

	sim_node_option(n, "controller.quorum.bootstrap.servers=%s:%d",
			c->controller->machine->name, CONTROLLER_PORT);
	sim_node_option(n, "broker.heartbeat.interval.ms=100");
	sim_node_option(n, "replica.lag.time.max.ms=%lld", (long long)lag_ms);
	sim_node_option(n, "replica.high.watermark.checkpoint.interval.ms=500");
	return n;
}

void open_stage(struct stage *s, const struct staging *how)
{
	struct cluster *c = s->cluster;
	int rf = how->rf ? how->rf : 3;

	c->controller = sim_node_add(c->world, 100, true, 1);
	sim_node_option(c->controller, "broker.session.timeout.ms=%lld",
			(long long)(how->session_ms ? how->session_ms : 1000));
	sim_node_option(c->controller, "unclean.leader.election.interval.ms=1000");
	sim_node_option(c->controller, "auto.leader.rebalance.enable=false");
	c->n_brokers = how->brokers ? how->brokers : 3;
	for (int i = 0; i < c->n_brokers; i++)
		c->broker[i] = add_broker(s, i, how);
	s->topic = cluster_topic(c, 1, rf, how->min_isr ? how->min_isr : 1, how->is_unclean);
	s->topic->is_placed = true;
	c->world->after = after_event;
	c->world->arg = c;
	cluster_start_all(c);
	(void)admin_new(c, "admin");
	s->client.is_idle = is_idle;
	client_init(&s->client, c, "client");
	actor_do(&s->client.machine->actor[0], start_client, &s->client, NULL);
	wait_leader(s, X);
	wait_whole(s);
}

void expect(struct stage *s, bool is_so, const char *what)
{
	if (!is_so)
		story_fail(EXIT_SAFETY, "%s: expected %s", s->name, what);
}

void pass_ms(struct stage *s, int64_t ms)
{
	world_run(s->cluster->world, ms * 1000);
}

/* ---- records -------------------------------------------------------------------------------- */

static uint64_t value_of(const char *record)
{
	uint64_t value = 0;

	memcpy(&value, record, size_min(strlen(record), sizeof(value)));
	return value;
}

static void on_reply(void *arg, enum err e, const void *reply)
{
	struct sending *sending = arg;
	const struct produce_response *r = reply;

	sending->is_answered = true;
	sending->err = e;
	if (e)
		return;
	sending->code = r->responses[0].partition_responses[0].error_code;
	sending->offset = r->responses[0].partition_responses[0].base_offset;
}

static void send_now(void *x, void *unused)
{
	struct stage *s = x;
	uint64_t value = value_of(s->record);
	uint8_t bytes[BATCH_BYTES];
	struct batch_builder b;
	struct record r = { .timestamp_ms = env_wall_ms(s->client.env),
			    .value = { (const char *)&value, sizeof(value) } };
	struct produce_request q;
	struct produce_request_topic topic;
	struct produce_request_partition part;
	bool is_in;

	(void)unused;
	batch_builder_init(&b, bytes, sizeof(bytes));
	b.head.producer_id = b.head.base_sequence = b.head.producer_epoch = -1;
	is_in = batch_builder_add(&b, &r);
	ASSERT(is_in);
	schema_init(&produce_request_schema, &q);
	schema_init(&produce_request_topic_schema, &topic);
	schema_init(&produce_request_partition_schema, &part);
	part.records.at = bytes;
	part.records.n = (int32_t)batch_builder_finish(&b);
	topic.name = str_of(s->topic->name);
	topic.partition_data = &part;
	topic.n_partition_data = 1;
	q.acks = (int16_t)s->acks;
	q.timeout_ms = 60000;
	q.topic_data = &topic;
	q.n_topic_data = 1;
	client_ask(&s->client, s->broker, API_PRODUCE, PRODUCE_VERSION, &q, on_reply, s->sending);
}

/* Once, to that broker.  The memory stays: the answer may come after the scene has gone on. */
static struct sending *send_to(struct stage *s, const char *record, int acks, int broker)
{
	struct sending *sending = mem_alloc(sizeof(*sending));

	s->sending = sending;
	s->record = record;
	s->acks = acks;
	s->broker = broker;
	story_tell(s->cluster->world, "---- %s to %c, acks=%d ----", record, 'X' + broker, acks);
	actor_do(&s->client.machine->actor[0], send_now, s, NULL);
	world_run(s->cluster->world, STEP_US);
	return sending;
}

static int leader(const struct stage *s)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);

	return d ? d->leader - 1 : -2;
}

static struct sending *send_and_wait(struct stage *s, const char *record, int acks, int broker)
{
	struct sending *sending = send_to(s, record, acks, broker);
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (!sending->is_answered && s->cluster->world->now_us < until)
		world_run(s->cluster->world, STEP_US);
	if (!sending->is_answered || sending->err)
		story_fail(EXIT_LIVENESS, "%s: %s was not answered", s->name, record);
	return sending;
}

void acked_by(struct stage *s, const char *record, int acks, int broker)
{
	struct sending *sending = send_and_wait(s, record, acks, broker);

	if (sending->code != KERR_NONE)
		story_fail(EXIT_SAFETY, "%s: %s was refused: %s", s->name, record,
			   kerr_text(sending->code));
	if (acks == ALL)
		check_acked(s->cluster, s->topic, 0, sending->offset, value_of(record));
}

void acked(struct stage *s, const char *record, int acks)
{
	acked_by(s, record, acks, leader(s));
}

void refused(struct stage *s, const char *record, int acks, enum kerr code)
{
	struct sending *sending = send_and_wait(s, record, acks, leader(s));

	if (sending->code != (int16_t)code)
		story_fail(EXIT_SAFETY, "%s: %s should be refused with %s, was: %s", s->name,
			   record, kerr_text(code), kerr_text(sending->code));
}

void unanswered(struct stage *s, const char *record, int acks, int broker)
{
	const struct sending *sending = send_to(s, record, acks, broker);

	pass_ms(s, 1000);
	if (sending->is_answered && !sending->err && sending->code == KERR_NONE)
		story_fail(EXIT_SAFETY, "%s: %s was acknowledged", s->name, record);
}

/* ---- faults --------------------------------------------------------------------------------- */

static void tell(struct stage *s, const char *what, int broker)
{
	story_tell(s->cluster->world, "---- %c %s ----", 'X' + broker, what);
}

void kill_node(struct stage *s, int broker)
{
	tell(s, "is killed", broker);
	sim_node_kill(s->cluster->broker[broker]);
}

void power_off_node(struct stage *s, int broker)
{
	tell(s, "loses its power", broker);
	sim_node_power_off(s->cluster->broker[broker]);
}

void start_node(struct stage *s, int broker)
{
	tell(s, "starts", broker);
	sim_node_start(s->cluster->broker[broker]);
}

static void cut_machines(struct stage *s, const struct machine *a, const struct machine *b)
{
	s->cluster->world->route[a->id][b->id].is_cut = true;
	s->cluster->world->route[b->id][a->id].is_cut = true;
}

void cut_off(struct stage *s, int a, int b)
{
	tell(s, b == Y ? "and Y lose each other" : "and Z lose each other", a);
	cut_machines(s, s->cluster->broker[a]->machine, s->cluster->broker[b]->machine);
}

void isolate(struct stage *s, int broker)
{
	struct cluster *c = s->cluster;

	tell(s, "is alone with the clients", broker);
	cut_machines(s, c->broker[broker]->machine, c->controller->machine);
	for (int i = 0; i < c->n_brokers; i++)
		if (i != broker)
			cut_machines(s, c->broker[broker]->machine, c->broker[i]->machine);
}

void mend_all(struct stage *s)
{
	struct world *w = s->cluster->world;

	story_tell(w, "---- the network is whole again ----");
	for (int a = 0; a < w->n_machines; a++)
		for (int b = 0; b < w->n_machines; b++) {
			if (!w->route[a][b].is_cut)
				continue;
			w->route[a][b].is_cut = false;
			net_heal(w, a, b);
		}
}

/* ---- waiting -------------------------------------------------------------------------------- */

static bool has_isr(const struct stage *s, const char *names)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);

	if (!d || d->isr.n != (int32_t)strlen(names))
		return false;
	for (const char *n = names; *n; n++)
		if (!image_ids_has(&d->isr, *n - 'X' + 1))
			return false;
	return true;
}

static void wait_until(struct stage *s, bool (*is_so)(const struct stage *, const char *),
		       const char *arg, const char *what)
{
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (!is_so(s, arg)) {
		if (s->cluster->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "%s: waited in vain for %s %s", s->name, what,
				   arg);
		world_run(s->cluster->world, STEP_US);
	}
}

void wait_isr(struct stage *s, const char *names)
{
	wait_until(s, has_isr, names, "the isr");
}

static bool leads(const struct stage *s, const char *name)
{
	return leader(s) == *name - 'X' && cluster_leads(s->cluster, *name - 'X', s->topic, 0);
}

void wait_leader(struct stage *s, int broker)
{
	const char name[2] = { (char)('X' + broker), 0 };

	wait_until(s, leads, name, "the leader");
}

static bool leads_other(const struct stage *s, const char *old)
{
	int now = leader(s);

	return now >= 0 && now != *old - 'X' && cluster_leads(s->cluster, now, s->topic, 0);
}

int wait_new_leader(struct stage *s, int old)
{
	const char name[2] = { (char)('X' + old), 0 };

	wait_until(s, leads_other, name, "a leader other than");
	return leader(s);
}

static bool leads_nobody(const struct stage *s, const char *unused)
{
	(void)unused;
	return leader(s) == -2;
}

void wait_no_leader(struct stage *s)
{
	wait_until(s, leads_nobody, "", "no leader");
}

static bool is_whole(const struct stage *s, const char *unused)
{
	char why[TEXT_BYTES];

	(void)unused;
	return cluster_is_whole(s->cluster, why, sizeof(why));
}

void wait_whole(struct stage *s)
{
	wait_until(s, is_whole, "", "everything to come together");
}

int32_t leader_epoch(struct stage *s)
{
	return cluster_decided(s->cluster, s->topic, 0)->leader_epoch;
}

/* ---- logs ----------------------------------------------------------------------------------- */

static void read_log(const struct partition *p, struct text *out)
{
	uint8_t bytes[LOG_BYTES];

	for (int64_t at = log_start(p->log); at < log_end(p->log);) {
		struct log_read part;
		enum err e = log_read(p->log, at, log_end(p->log), sizeof(bytes), true, &part);
		struct batch b;

		ASSERT(!e && part.n > 0);
		ASSERT(disk_copy_out(part.file, part.at, (size_t)part.n, bytes));
		file_put(part.file);
		for (int64_t k = 0; k < part.n; k += b.size) {
			enum batch_state state = batch_view(&b, bytes + k, part.n - k);
			struct record_walk walk;
			struct record r;

			ASSERT(state == BATCH_OK);
			record_walk_init(&walk, &b, b.at + BATCH_HEADER_BYTES,
					 (size_t)(b.size - BATCH_HEADER_BYTES));
			while (record_walk_next(&walk, &r))
				text_printf(out, "%s%.*s", out->n ? " " : "",
					    (int)strnlen(r.value.at, r.value.n), r.value.at);
		}
		at = part.next_offset;
	}
}

void expect_log(struct stage *s, int broker, const char *records)
{
	const struct partition *p = cluster_replica(s->cluster, broker, s->topic, 0);
	char have[TEXT_BYTES] = "";
	struct text text;

	text_init(&text, have, sizeof(have));
	if (p)
		read_log(p, &text);
	if (strcmp(have, records) != 0)
		story_fail(EXIT_SAFETY, "%s: %c should have \"%s\", has \"%s\"", s->name,
			   'X' + broker, records, have);
}

void expect_everywhere(struct stage *s, const char *records)
{
	wait_whole(s);
	for (int i = 0; i < s->topic->rf; i++)
		expect_log(s, i, records);
}
