/* scene_read.c - a consumer that reads one replica from its start to its end, for ever: what it
 * was given once must be there in every later round. */
#include "common/wire/batch.h"
#include "common/wire/kerr.h"
#include "common/wire/schema.h"
#include "kafka/fetch.h"
#include "tests/sim/stage.h"

#define READ_VERSION 13 /* followers answer consumers, too; topic ids */
#define PAUSE_MS 2
#define FETCH_BYTES 4096

static void on_timer(void *stage);
static void on_answer(void *stage, enum err, const void *reply);
static void take(struct stage *, const struct fetch_response_partition *);
static void note(struct stage *, uint64_t value);

void stage_read_init(struct stage *s)
{
	s->read_from = -1;
	timer_init(&s->read_timer, on_timer, s);
}

static void begin(void *x, void *unused)
{
	(void)unused;
	on_timer(x);
}

void read_on(struct stage *s, int broker)
{
	bool is_new = s->read_from < 0;

	story_tell(s->cluster->world, "---- a consumer reads %c ----", stage_letter(broker));
	s->read_from = broker;
	if (is_new)
		actor_do(&s->reader.machine->actor[0], begin, s, NULL);
}

static void on_timer(void *arg)
{
	struct stage *s = arg;
	struct fetch_request q;
	struct fetch_request_topic topic;
	struct fetch_request_partition part;

	schema_init(&fetch_request_schema, &q);
	schema_init(&fetch_request_topic_schema, &topic);
	schema_init(&fetch_request_partition_schema, &part);
	part.fetch_offset = s->read_offset;
	part.partition_max_bytes = FETCH_BYTES;
	topic.topic_id = s->topic->id;
	topic.partitions = &part;
	topic.n_partitions = 1;
	q.topics = &topic;
	q.n_topics = 1;
	client_ask(&s->reader, s->read_from, API_FETCH, READ_VERSION, &q, on_answer, s);
}

static void on_answer(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct fetch_response *r = reply;

	timer_after_ms(s->reader.env, &s->read_timer, PAUSE_MS);
	if (!e && r->error_code == KERR_NONE && r->n_responses == 1)
		take(s, &r->responses[0].partitions[0]);
}

static void take(struct stage *s, const struct fetch_response_partition *part)
{
	const uint8_t *at = part->records.at;
	int64_t left = part->records.n, from = s->read_offset;
	struct batch b;

	if (part->error_code ==
	    KERR_OFFSET_OUT_OF_RANGE) /* up to where its log begins, then down */
		s->read_offset = s->read_offset < READ_MAX ? s->read_offset + 1 : 0;
	if (part->error_code != KERR_NONE)
		return;
	while (left > 0 && batch_view(&b, at, left) == BATCH_OK && b.size <= left) {
		struct record_walk walk;
		struct record r;

		record_walk_init(&walk, &b, b.at + BATCH_HEADER_BYTES,
				 (size_t)(b.size - BATCH_HEADER_BYTES));
		while (record_walk_next(&walk, &r)) {
			uint64_t value;

			memcpy(&value, r.value.at, sizeof(value));
			check_read(s->cluster, s->topic, 0, r.offset, value);
			note(s, value);
			s->read_offset = r.offset + 1;
		}
		at += b.size;
		left -= b.size;
	}
	if (s->read_offset > from)
		return;
	s->read_offset = 0;
	s->n_rounds++;
}

static bool has_read(const struct stage *s, const char *record)
{
	for (int i = 0; i < s->n_seen; i++)
		if (s->seen[i] == stage_value(record))
			return true;
	return false;
}

static void note(struct stage *s, uint64_t value)
{
	for (int i = 0; i < s->n_seen; i++)
		if (s->seen[i] == value)
			return;
	ASSERT(s->n_seen < READ_MAX);
	s->seen[s->n_seen++] = value;
}

void wait_read(struct stage *s, const char *record)
{
	stage_wait(s, has_read, record, "the consumer to read");
}

/* Twice to the end: what there is to be seen has been seen. */
static bool has_gone_round(const struct stage *s, const char *unused)
{
	(void)unused;
	return s->n_rounds >= s->asked;
}

void expect_unread(struct stage *s, const char *record)
{
	s->asked = s->n_rounds + 2;
	stage_wait(s, has_gone_round, "", "the consumer to read on");
	if (has_read(s, record))
		story_fail(EXIT_SAFETY, "%s: %s was read", s->name, record);
}
