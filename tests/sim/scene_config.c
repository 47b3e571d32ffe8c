/* scene_config.c - configs that an operator changes on stage. */
#include <stdio.h>

#include "common/base/text.h"
#include "common/wire/schema.h"
#include "kafka/incremental_alter_configs.h"
#include "tests/sim/scene_move.h"
#include "tests/sim/stage.h"

#define VERSION 1
#define TOPIC 2
#define BROKER 4
#define NAME_BYTES 64

enum { SET, DELETE };

static void throttle_now(void *stage, void *side);
static void min_isr_now(void *stage, void *min_isr);
static void moves_now(void *stage, void *unused);
static void fill(struct incremental_alter_configs_request_resource *,
		 struct incremental_alter_configs_request_config *, const char *name,
		 const char *value);
static void on_changed(void *stage, enum err, const void *reply);
static bool is_done(const struct stage *, const char *unused);

void throttle(struct stage *s, const char *side, const char *rate)
{
	story_tell(s->cluster->world, "---- the %s's throttle: %s ----", side,
		   rate ? rate : "none");
	s->is_done = false;
	s->names = rate;
	actor_do(&s->prompt.machine->actor[0], throttle_now, s, (void *)(uintptr_t)side);
	stage_wait(s, is_done, "", "the throttle");
}

static void throttle_now(void *x, void *side)
{
	struct stage *s = x;
	char rate[NAME_BYTES], replicas[NAME_BYTES];
	struct incremental_alter_configs_request q;
	struct incremental_alter_configs_request_resource resource[2];
	struct incremental_alter_configs_request_config config[2];

	snprintf(rate, sizeof(rate), "%s.replication.throttled.rate", (const char *)side);
	snprintf(replicas, sizeof(replicas), "%s.replication.throttled.replicas",
		 (const char *)side);
	schema_init(&incremental_alter_configs_request_schema, &q);
	fill(&resource[0], &config[0], rate, s->names);
	resource[0].resource_type = BROKER; /* without a name: all of them */
	fill(&resource[1], &config[1], replicas, s->names ? "*" : NULL);
	resource[1].resource_type = TOPIC;
	resource[1].resource_name = str_of(s->topic->name);
	q.resources = resource;
	q.n_resources = 2;
	client_ask(&s->prompt, Y, API_INCREMENTAL_ALTER_CONFIGS, VERSION, &q, on_changed, s);
}

void set_min_isr(struct stage *s, const char *min_isr)
{
	story_tell(s->cluster->world, "---- min.insync.replicas is %s ----", min_isr);
	s->is_done = false;
	actor_do(&s->prompt.machine->actor[0], min_isr_now, s, (void *)(uintptr_t)min_isr);
	stage_wait(s, is_done, "", "another min.insync.replicas");
}

static void min_isr_now(void *x, void *min_isr)
{
	struct stage *s = x;
	struct incremental_alter_configs_request q;
	struct incremental_alter_configs_request_resource resource;
	struct incremental_alter_configs_request_config config;

	schema_init(&incremental_alter_configs_request_schema, &q);
	fill(&resource, &config, "min.insync.replicas", min_isr);
	resource.resource_type = TOPIC;
	resource.resource_name = str_of(s->topic->name);
	q.resources = &resource;
	q.n_resources = 1;
	client_ask(&s->prompt, Y, API_INCREMENTAL_ALTER_CONFIGS, VERSION, &q, on_changed, s);
}

void slow_moves(struct stage *s, const char *rate)
{
	story_tell(s->cluster->world, "---- the rate of moves: %s ----", rate ? rate : "any");
	s->is_done = false;
	s->names = rate;
	actor_do(&s->prompt.machine->actor[0], moves_now, s, NULL);
	stage_wait(s, is_done, "", "another rate of moves");
	pass_ms(s, 100); /* until the brokers have heard */
}

static void moves_now(void *x, void *unused)
{
	struct stage *s = x;
	struct incremental_alter_configs_request q;
	struct incremental_alter_configs_request_resource resource;
	struct incremental_alter_configs_request_config config;

	(void)unused;
	schema_init(&incremental_alter_configs_request_schema, &q);
	fill(&resource, &config, "replica.alter.log.dirs.io.max.bytes.per.second", s->names);
	resource.resource_type = BROKER;
	q.resources = &resource;
	q.n_resources = 1;
	client_ask(&s->prompt, Y, API_INCREMENTAL_ALTER_CONFIGS, VERSION, &q, on_changed, s);
}

static void fill(struct incremental_alter_configs_request_resource *r,
		 struct incremental_alter_configs_request_config *c, const char *name,
		 const char *value)
{
	schema_init(&incremental_alter_configs_request_resource_schema, r);
	schema_init(&incremental_alter_configs_request_config_schema, c);
	c->name = str_of(name);
	c->value = value ? str_of(value) : (struct str){ NULL, 0 };
	c->config_operation = value ? SET : DELETE;
	r->configs = c;
	r->n_configs = 1;
}

static void on_changed(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct incremental_alter_configs_response *r = reply;

	s->is_done = !e;
	for (int32_t i = 0; !e && i < r->n_responses; i++)
		s->is_done = s->is_done && r->responses[i].error_code == KERR_NONE;
}

static bool is_done(const struct stage *s, const char *unused)
{
	(void)unused;
	return s->is_done;
}
