#include "tests/sim/stage.h"

#include <stdio.h>

#include "common/wire/batch.h"
#include "common/wire/schema.h"
#include "kafka/produce.h"

#define BATCH_BYTES 256

struct sending {
	bool is_answered;
	enum err err;
	int16_t code;
	int64_t offset;
};

static const struct scene *const tables[] = { recovery_scenes, min_isr_scenes, election_scenes,
					      regression_scenes };

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

	for (int i = 0; (scene = scene_at(i)) && strcmp(scene->name, name) != 0;)
		i++;
	if (!scene)
		return false;
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
	sim_node_option(n, "replica.high.watermark.checkpoint.interval.ms=60000");
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
	topic.topic_id = s->topic->id;
	topic.partition_data = &part;
	topic.n_partition_data = 1;
	q.acks = (int16_t)s->acks;
	q.timeout_ms = 60000;
	q.topic_data = &topic;
	q.n_topic_data = 1;
	client_ask(&s->client, s->broker, API_PRODUCE, s->client.produce_version, &q, on_reply,
		   s->sending);
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
	acked_by(s, record, acks, stage_leader(s));
}

void refused(struct stage *s, const char *record, int acks, enum kerr code)
{
	struct sending *sending = send_and_wait(s, record, acks, stage_leader(s));

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

void stop_node(struct stage *s, int broker)
{
	struct sim_node *n = s->cluster->broker[broker];
	int64_t until = s->cluster->world->now_us + BOUND_US;

	tell(s, "is asked to stop", broker);
	sim_node_stop(n);
	while (sim_node_runs(n)) {
		if (s->cluster->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "%s: %c does not stop", s->name, 'X' + broker);
		world_run(s->cluster->world, STEP_US);
	}
}

void slow_jobs(struct stage *s, int64_t ms)
{
	s->cluster->world->job_us_max = ms * 1000;
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
