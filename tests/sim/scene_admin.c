/* scene_admin.c - the topic of a stage, created, deleted, grown; a vote, taken, given. */
#include "tests/sim/scene_admin.h"

#include "common/wire/schema.h"
#include "controller/server/node.h"
#include "kafka/add_raft_voter.h"
#include "kafka/create_partitions.h"
#include "kafka/create_topics.h"
#include "kafka/delete_topics.h"
#include "kafka/remove_raft_voter.h"
#include "tests/sim/stage.h"

#define ASK_MS 60000
#define DELETE_VERSION 5
#define GROW_VERSION 3

static void create_now(void *stage, void *unused);
static void delete_now(void *stage, void *unused);
static void grow_now(void *stage, void *unused);
static void take_vote_now(void *stage, void *node);
static void give_vote_now(void *stage, void *node);
static bool is_answered(const struct stage *, const char *unused);

static void begin_asking(struct stage *, int broker, void (*now)(void *, void *), void *about);

static void begin(struct stage *s, int broker, const char *what, void (*now)(void *, void *))
{
	story_tell(s->cluster->world, "---- the topic %s, asks %c ----", what,
		   stage_letter(broker));
	begin_asking(s, broker, now, NULL);
}

static void begin_asking(struct stage *s, int broker, void (*now)(void *, void *), void *about)
{
	s->is_done = false;
	s->code = KERR_UNKNOWN_SERVER_ERROR;
	s->asked = broker;
	s->topic->may_go = true;
	actor_do(&s->prompt.machine->actor[0], now, s, about);
	world_run(s->cluster->world, STEP_US);
}

void begin_create(struct stage *s, int broker)
{
	begin(s, broker, "shall be there", create_now);
}

void begin_delete(struct stage *s, int broker)
{
	begin(s, broker, "shall be gone", delete_now);
}

void begin_grow(struct stage *s, int broker)
{
	begin(s, broker, "shall grow", grow_now);
}

void begin_take_vote(struct stage *s, int broker, int who)
{
	struct sim_node *n = s->cluster->controllers[who - C];

	story_tell(s->cluster->world, "---- %c shall not vote, asks %c ----", stage_letter(who),
		   stage_letter(broker));
	begin_asking(s, broker, take_vote_now, n);
}

void begin_give_vote(struct stage *s, int broker, int who)
{
	struct sim_node *n = s->cluster->controllers[who - C];

	story_tell(s->cluster->world, "---- %c shall vote, asks %c ----", stage_letter(who),
		   stage_letter(broker));
	begin_asking(s, broker, give_vote_now, n);
}

void then_done(struct stage *s)
{
	stage_wait(s, is_answered, "", "what it asked for");
	if (s->code != KERR_NONE)
		story_fail(EXIT_SAFETY, "%s: refused what was done: %s", s->name,
			   kerr_name(s->code));
}

static bool is_answered(const struct stage *s, const char *unused)
{
	(void)unused;
	return s->is_done;
}

/* ---- in the client's turn -------------------------------------------------------------------- */

static void on_created(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct create_topics_response *r = reply;

	s->is_done = true;
	if (!e && r->n_topics == 1)
		s->code = r->topics[0].error_code;
}

static void create_now(void *x, void *unused)
{
	struct stage *s = x;

	(void)unused;
	admin_create(&s->prompt, s->topic, (int)s->asked, on_created, s);
}

static void on_deleted(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct delete_topics_response *r = reply;

	s->is_done = true;
	if (!e && r->n_responses == 1)
		s->code = r->responses[0].error_code;
}

static void delete_now(void *x, void *unused)
{
	struct stage *s = x;
	struct delete_topics_request q;
	struct str name = str_of(s->topic->name);

	(void)unused;
	schema_init(&delete_topics_request_schema, &q);
	q.topic_names = &name;
	q.n_topic_names = 1;
	q.timeout_ms = ASK_MS;
	client_ask(&s->prompt, (int)s->asked, API_DELETE_TOPICS, DELETE_VERSION, &q, on_deleted, s);
}

static void on_grown(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct create_partitions_response *r = reply;

	s->is_done = true;
	if (!e && r->n_results == 1)
		s->code = r->results[0].error_code;
}

static void grow_now(void *x, void *unused)
{
	struct stage *s = x;
	struct create_partitions_request q;
	struct create_partitions_request_topic topic;

	(void)unused;
	schema_init(&create_partitions_request_schema, &q);
	schema_init(&create_partitions_request_topic_schema, &topic);
	topic.name = str_of(s->topic->name);
	topic.count = s->topic->n_partitions + 1;
	q.topics = &topic;
	q.n_topics = 1;
	q.timeout_ms = ASK_MS;
	client_ask(&s->prompt, (int)s->asked, API_CREATE_PARTITIONS, GROW_VERSION, &q, on_grown, s);
}

static void on_vote_taken(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct remove_raft_voter_response *r = reply;

	s->is_done = true;
	if (!e)
		s->code = r->error_code;
}

static void take_vote_now(void *x, void *node)
{
	struct stage *s = x;
	const struct sim_node *n = node;
	struct remove_raft_voter_request q;

	schema_init(&remove_raft_voter_request_schema, &q);
	q.cluster_id = (struct str){ NULL, 0 };
	q.voter_id = n->id;
	q.voter_directory_id = n->controller->node->options->quorum.directory;
	client_ask(&s->prompt, (int)s->asked, API_REMOVE_RAFT_VOTER, 0, &q, on_vote_taken, s);
}

static void on_vote_given(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct add_raft_voter_response *r = reply;

	s->is_done = true;
	if (!e)
		s->code = r->error_code;
}

static void give_vote_now(void *x, void *node)
{
	struct stage *s = x;
	const struct sim_node *n = node;
	struct add_raft_voter_request q;

	schema_init(&add_raft_voter_request_schema, &q);
	q.cluster_id = (struct str){ NULL, 0 };
	q.timeout_ms = ASK_MS;
	q.voter_id = n->id;
	q.voter_directory_id = n->controller->node->options->quorum.directory;
	client_ask(&s->prompt, (int)s->asked, API_ADD_RAFT_VOTER, 0, &q, on_vote_given, s);
}
