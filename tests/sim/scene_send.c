/* scene_send.c - records, sent once, and what a client asks of a partition besides. */
#include "tests/sim/stage.h"

#include "common/wire/batch.h"
#include "common/wire/schema.h"
#include "kafka/alter_partition_reassignments.h"
#include "kafka/delete_records.h"
#include "kafka/delete_topics.h"
#include "kafka/elect_leaders.h"
#include "kafka/produce.h"

#define BATCH_BYTES 256
#define ASK_MS 60000
#define PRODUCER_ID 7 /* of the only idempotent producer on stage */

static struct sending *send_by(struct stage *, struct client *, const char *record, int acks,
			       int broker);
static void send_now(void *stage, void *client);
static void on_reply(void *sending, enum err, const void *reply);

uint64_t stage_value(const char *record)
{
	uint64_t value = 0;

	memcpy(&value, record, size_min(strlen(record), sizeof(value)));
	return value;
}

/* ---- on its way ------------------------------------------------------------------------------ */

static struct sending *send_by(struct stage *s, struct client *client, const char *record, int acks,
			       int broker)
{
	struct sending *sending = mem_alloc(sizeof(*sending));

	*sending = (struct sending){ .next = s->sent,
				     .record = record,
				     .acks = acks,
				     .broker = broker,
				     .sequence = s->next_sequence };
	s->sent = sending;
	story_tell(s->cluster->world, "---- %s to %c, acks=%d ----", record, stage_letter(broker),
		   acks);
	actor_do(&client->machine->actor[0], send_now, s, client);
	world_run(s->cluster->world, STEP_US);
	return sending;
}

static void send_now(void *x, void *y)
{
	struct stage *s = x;
	struct client *client = y;
	uint64_t value = stage_value(s->sent->record);
	uint8_t bytes[BATCH_BYTES];
	struct batch_builder b;
	struct record r = { .timestamp_ms = env_wall_ms(client->env),
			    .value = { (const char *)&value, sizeof(value) } };
	struct produce_request q;
	struct produce_request_topic topic;
	struct produce_request_partition part;
	bool is_in;

	batch_builder_init(&b, bytes, sizeof(bytes));
	b.head.producer_id = b.head.base_sequence = b.head.producer_epoch = -1;
	if (s->sent->sequence >= 0) {
		b.head.producer_id = PRODUCER_ID;
		b.head.producer_epoch = 0;
		b.head.base_sequence = s->sent->sequence;
	}
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
	q.acks = (int16_t)s->sent->acks;
	q.timeout_ms = ASK_MS;
	q.topic_data = &topic;
	q.n_topic_data = 1;
	client_ask(client, s->sent->broker, API_PRODUCE, client->produce_version, &q, on_reply,
		   s->sent);
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

/* ---- its answer ------------------------------------------------------------------------------ */

static void wait_answer(struct stage *s, const struct sending *sending)
{
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (!sending->is_answered && s->cluster->world->now_us < until)
		world_run(s->cluster->world, STEP_US);
	if (!sending->is_answered || sending->err)
		story_fail(EXIT_LIVENESS, "%s: %s was not answered", s->name, sending->record);
}

static void expect_acked(struct stage *s, const struct sending *sending)
{
	wait_answer(s, sending);
	if (sending->code != KERR_NONE)
		story_fail(EXIT_SAFETY, "%s: %s was refused: %s", s->name, sending->record,
			   kerr_text(sending->code));
	if (sending->acks == ALL)
		check_acked(s->cluster, s->topic, 0, sending->offset, stage_value(sending->record));
}

static void expect_refused(struct stage *s, const struct sending *sending, enum kerr code)
{
	wait_answer(s, sending);
	if (sending->code != (int16_t)code)
		story_fail(EXIT_SAFETY, "%s: %s should be refused with %s, was: %s", s->name,
			   sending->record, kerr_text(code), kerr_text(sending->code));
}

static void expect_unacked(const struct stage *s, const struct sending *sending)
{
	if (sending->is_answered && !sending->err && sending->code == KERR_NONE)
		story_fail(EXIT_SAFETY, "%s: %s was acknowledged", s->name, sending->record);
}

void acked_by(struct stage *s, const char *record, int acks, int broker)
{
	expect_acked(s, send_by(s, &s->prompt, record, acks, broker));
}

void acked_as(struct stage *s, const char *record, int32_t sequence)
{
	acked_as_by(s, record, sequence, stage_leader(s));
}

void acked_as_by(struct stage *s, const char *record, int32_t sequence, int broker)
{
	s->next_sequence = sequence;
	acked_by(s, record, ALL, broker);
	s->next_sequence = -1;
}

void refused_as(struct stage *s, const char *record, int32_t sequence, enum kerr code)
{
	refused_as_by(s, record, sequence, code, stage_leader(s));
}

void refused_as_by(struct stage *s, const char *record, int32_t sequence, enum kerr code,
		   int broker)
{
	s->next_sequence = sequence;
	refused_by(s, record, ALL, code, broker);
	s->next_sequence = -1;
}

void acked(struct stage *s, const char *record, int acks)
{
	acked_by(s, record, acks, stage_leader(s));
}

void refused_by(struct stage *s, const char *record, int acks, enum kerr code, int broker)
{
	expect_refused(s, send_by(s, &s->prompt, record, acks, broker), code);
}

void refused(struct stage *s, const char *record, int acks, enum kerr code)
{
	refused_by(s, record, acks, code, stage_leader(s));
}

void unanswered(struct stage *s, const char *record, int acks, int broker)
{
	const struct sending *sending = send_by(s, &s->patient, record, acks, broker);

	pass_ms(s, 1000);
	expect_unacked(s, sending);
}

static const struct sending *sent(const struct stage *s, const char *record)
{
	for (const struct sending *i = s->sent; i; i = i->next)
		if (strcmp(i->record, record) == 0)
			return i;
	story_fail(EXIT_CRASH, "%s: nobody sent %s", s->name, record);
}

void send_on(struct stage *s, const char *record, int acks)
{
	send_on_to(s, record, acks, stage_leader(s));
}

void send_on_to(struct stage *s, const char *record, int acks, int broker)
{
	(void)send_by(s, &s->patient, record, acks, broker);
}

void send_on_as(struct stage *s, const char *record, int32_t sequence)
{
	s->next_sequence = sequence;
	send_on(s, record, ALL);
	s->next_sequence = -1;
}

void not_yet_acked(struct stage *s, const char *record)
{
	pass_ms(s, 300);
	expect_unacked(s, sent(s, record));
}

void then_acked(struct stage *s, const char *record)
{
	expect_acked(s, sent(s, record));
}

void then_refused(struct stage *s, const char *record, enum kerr code)
{
	expect_refused(s, sent(s, record), code);
}

/* ---- other questions ------------------------------------------------------------------------- */

static bool is_done(const struct stage *s, const char *unused)
{
	(void)unused;
	return s->is_done;
}

static void on_elected(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct elect_leaders_response *r = reply;

	s->is_done = !e && r->error_code == KERR_NONE;
}

static void elect_now(void *x, void *unused)
{
	struct stage *s = x;
	struct elect_leaders_request q;
	struct elect_leaders_request_topic_partition topic;
	int32_t zero = 0;

	(void)unused;
	schema_init(&elect_leaders_request_schema, &q);
	schema_init(&elect_leaders_request_topic_partition_schema, &topic);
	topic.topic = str_of(s->topic->name);
	topic.partitions = &zero;
	topic.n_partitions = 1;
	q.topic_partitions = &topic;
	q.n_topic_partitions = 1;
	client_ask(&s->prompt, X, API_ELECT_LEADERS, 2, &q, on_elected, s);
}

void begin_preferred(struct stage *s)
{
	story_tell(s->cluster->world, "---- the preferred leader is elected ----");
	s->is_done = false;
	actor_do(&s->prompt.machine->actor[0], elect_now, s, NULL);
}

void elect_preferred(struct stage *s)
{
	begin_preferred(s);
	stage_wait(s, is_done, "", "the preferred election");
	wait_leader(s, X);
}

static void on_deleted(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct delete_records_response *r = reply;

	s->is_done = !e && r->topics[0].partitions[0].error_code == KERR_NONE;
}

static void delete_now(void *x, void *unused)
{
	struct stage *s = x;
	struct delete_records_request q;
	struct delete_records_request_topic topic;
	struct delete_records_request_partition part;

	(void)unused;
	schema_init(&delete_records_request_schema, &q);
	schema_init(&delete_records_request_topic_schema, &topic);
	schema_init(&delete_records_request_partition_schema, &part);
	part.offset = s->asked;
	topic.name = str_of(s->topic->name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = ASK_MS;
	client_ask(&s->prompt, stage_leader(s), API_DELETE_RECORDS, 2, &q, on_deleted, s);
}

void delete_below(struct stage *s, int64_t offset)
{
	story_tell(s->cluster->world, "---- records below %lld are deleted ----",
		   (long long)offset);
	s->is_done = false;
	s->asked = offset;
	actor_do(&s->prompt.machine->actor[0], delete_now, s, NULL);
	stage_wait(s, is_done, "", "the deletion of records");
}

static void on_reassigned(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct alter_partition_reassignments_response *r = reply;

	s->is_done = !e && r->error_code == KERR_NONE && r->n_responses == 1 &&
		     r->responses[0].partitions[0].error_code == KERR_NONE;
}

static void reassign_now(void *x, void *unused)
{
	struct stage *s = x;
	struct alter_partition_reassignments_request q;
	struct alter_partition_reassignments_request_topic topic;
	struct alter_partition_reassignments_request_partition part;
	int32_t ids[SIM_BROKERS_MAX];

	(void)unused;
	schema_init(&alter_partition_reassignments_request_schema, &q);
	schema_init(&alter_partition_reassignments_request_topic_schema, &topic);
	schema_init(&alter_partition_reassignments_request_partition_schema, &part);
	part.n_replicas = s->names ? (int32_t)strlen(s->names) : -1;
	part.replicas = s->names ? ids : NULL;
	for (int32_t i = 0; i < part.n_replicas; i++)
		ids[i] = stage_who(s->names[i]) + 1;
	topic.name = str_of(s->topic->name);
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	client_ask(&s->prompt, Y, API_ALTER_PARTITION_REASSIGNMENTS, 0, &q, on_reassigned, s);
}

void reassign(struct stage *s, const char *names)
{
	story_tell(s->cluster->world, "---- the replicas shall be %s ----",
		   names ? names : "as they were");
	s->is_done = false;
	s->names = names;
	actor_do(&s->prompt.machine->actor[0], reassign_now, s, NULL);
	stage_wait(s, is_done, "", "the reassignment to begin");
}

static void create_again(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;

	s->is_done = admin_is_created(e, reply);
}

static void create_now(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;

	(void)reply;
	if (e)
		story_fail(EXIT_LIVENESS, "%s: the topic is not deleted", s->name);
	admin_create(&s->prompt, s->topic, -1, create_again, s);
}

static void replace_now(void *x, void *unused)
{
	struct stage *s = x;
	struct delete_topics_request q;
	struct str name = str_of(s->topic->name);

	(void)unused;
	schema_init(&delete_topics_request_schema, &q);
	q.topic_names = &name;
	q.n_topic_names = 1;
	q.timeout_ms = ASK_MS;
	client_ask(&s->prompt, X, API_DELETE_TOPICS, 5, &q, create_now, s);
}

void replace_topic(struct stage *s)
{
	story_tell(s->cluster->world, "---- the topic is deleted, and created again ----");
	s->is_done = false;
	s->topic->may_go = true;
	actor_do(&s->prompt.machine->actor[0], replace_now, s, NULL);
	stage_wait(s, is_done, "", "the new topic");
	wait_whole(s);
}
