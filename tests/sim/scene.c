/* scene.c - which scenes there are, how one is played, and the stage it finds. */
#include "tests/sim/stage.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLDS 10 /* each scene is played in so many */
#define NAME_BYTES 128

static const struct scene *const tables[] = {
	recovery_scenes,   min_isr_scenes,    election_scenes, eligible_scenes,  reassign_scenes,
	truncation_scenes, epoch_scenes,      isr_scenes,      watermark_scenes, storage_scenes,
	moves_scenes,      regression_scenes, shutdown_scenes, quorum_scenes,
};

static void play_in(uint64_t seed, const struct scene *, bool is_loud);
static void after_event(void *cluster);
static struct sim_node *add_broker(struct stage *, int i, const struct staging *);
static void add_client(struct stage *, struct client *, const char *name);

const struct scene *scene_at(int i)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct scene *s = tables[t]; s->name; s++)
			if (i-- == 0)
				return s;
	return NULL;
}

static const struct scene *find(const char *name)
{
	const struct scene *scene;
	size_t n = strcspn(name, "@");

	for (int i = 0; (scene = scene_at(i)); i++)
		if (strncmp(scene->name, name, n) == 0 && scene->name[n] == 0)
			break;
	return scene;
}

bool scene_is(const char *name)
{
	return find(name) != NULL;
}

void scene_play(const char *name, bool is_loud)
{
	const struct scene *scene = find(name);
	const char *world = strchr(name, '@');

	ASSERT(scene);
	if (world)
		play_in(strtoull(world + 1, NULL, 10), scene, is_loud);
	for (uint64_t seed = 1; !world && seed <= WORLDS; seed++)
		play_in(seed, scene, is_loud);
}

static void play_in(uint64_t seed, const struct scene *scene, bool is_loud)
{
	struct stage stage = { 0 };
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), "%s@%llu", scene->name, (unsigned long long)seed);
	stage.name = name;
	stage.cluster = cluster_new(seed);
	story_begin(stage.cluster->world, is_loud);
	story_tell(stage.cluster->world, "---- %s ----", name);
	scene->play(&stage);
	cluster_free(stage.cluster);
}

static void after_event(void *arg)
{
	struct cluster *c = arg;

	if (c->world->last)
		check_machine(c, c->world->last);
}

void open_stage(struct stage *s, const struct staging *how)
{
	struct cluster *c = s->cluster;

	cluster_add_controllers(c, how->controllers ? how->controllers : 1);
	for (int i = 0; i < c->n_controllers; i++) {
		struct sim_node *n = c->controllers[i];

		sim_node_option(n, "broker.session.timeout.ms=%lld",
				(long long)(how->session_ms ? how->session_ms : 1000));
		if (how->grace_ms)
			sim_node_option(n, "broker.disconnect.grace.ms=%lld",
					(long long)how->grace_ms);
		sim_node_option(n, "unclean.leader.election.interval.ms=1000");
		sim_node_option(n, "auto.leader.rebalance.enable=false");
	}
	c->n_brokers = how->brokers ? how->brokers : 3;
	for (int i = 0; i < c->n_brokers; i++)
		c->broker[i] = add_broker(s, i, how);
	c->world->after = after_event;
	c->world->arg = c;
	cluster_start_all(c);
	wait_whole(s); /* or X might not be there to lead */
	s->topic = cluster_topic(c, how->partitions ? how->partitions : 1, how->rf ? how->rf : 3,
				 how->min_isr ? how->min_isr : 1, how->is_unclean);
	s->topic->is_placed = true;
	if (how->retention_ms)
		s->topic->retention_ms = how->retention_ms;
	(void)admin_new(c, "admin", 0);
	s->next_sequence = -1;
	add_client(s, &s->prompt, "prompt");
	add_client(s, &s->patient, "patient");
	add_client(s, &s->reader, "reader");
	stage_read_init(s);
	wait_leader(s, X);
	wait_whole(s);
}

static struct sim_node *add_broker(struct stage *s, int i, const struct staging *how)
{
	struct cluster *c = s->cluster;
	struct sim_node *n = sim_node_add(c->world, i + 1, false, 2);

	cluster_tell_controllers(c, n);
	sim_node_log_dirs(n, how->log_dirs ? how->log_dirs : 1);
	sim_node_option(n, "broker.heartbeat.interval.ms=100");
	sim_node_option(n, "replica.lag.time.max.ms=%lld",
			(long long)(how->lag_ms ? how->lag_ms : 60000));
	sim_node_option(n, "replica.high.watermark.checkpoint.interval.ms=60000");
	sim_node_option(n, "log.retention.check.interval.ms=200");
	sim_node_option(n, "log.roll.ms=%lld", (long long)(how->roll_ms ? how->roll_ms : 3600000));
	return n;
}

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

static void add_client(struct stage *s, struct client *client, const char *name)
{
	client->is_idle = is_idle;
	client_init(client, s->cluster, name);
	actor_do(&client->machine->actor[0], start_client, client, NULL);
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

static const char letters[] = "XYZWVU";

char stage_letter(int who)
{
	return who >= CONTROLLER ? (char)('C' + who - CONTROLLER) : letters[who];
}

int stage_who(char letter)
{
	const char *at = strchr(letters, letter);

	ASSERT(at);
	return (int)(at - letters);
}
