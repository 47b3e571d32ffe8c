/* scene_move.c - a replica moves from one log directory of its broker to another. */
#include "tests/sim/scene_move.h"

#include <stdio.h>

#include "broker/shard/move.h"
#include "common/wire/schema.h"
#include "kafka/alter_replica_log_dirs.h"
#include "tests/sim/disk.h"
#include "tests/sim/stage.h"

#define MOVE_VERSION 2
#define PATH_BYTES 96

static void begin_now(void *stage, void *unused);
static void on_begun(void *stage, enum err, const void *reply);

static const struct partition *replica_of(const struct stage *s, int broker)
{
	const struct partition *p = cluster_replica(s->cluster, broker, s->topic, 0);

	return p && p->state == PARTITION_OPEN ? p : NULL;
}

static bool is_done(const struct stage *s, const char *unused)
{
	(void)unused;
	return s->is_done;
}

void begin_dir_move(struct stage *s, int broker, int dir)
{
	story_tell(s->cluster->world, "---- %c's replica shall be in %s ----", stage_letter(broker),
		   sim_log_dir(dir));
	s->is_done = false;
	s->names = sim_log_dir(dir);
	s->asked = broker;
	actor_do(&s->prompt.machine->actor[0], begin_now, s, NULL);
	stage_wait(s, is_done, "", "the move to begin");
}

static void begin_now(void *x, void *unused)
{
	struct stage *s = x;
	struct alter_replica_log_dirs_request q;
	struct alter_replica_log_dirs_request_dir dir;
	struct alter_replica_log_dirs_request_topic topic;
	int32_t zero = 0;

	(void)unused;
	schema_init(&alter_replica_log_dirs_request_schema, &q);
	schema_init(&alter_replica_log_dirs_request_dir_schema, &dir);
	schema_init(&alter_replica_log_dirs_request_topic_schema, &topic);
	topic.name = str_of(s->topic->name);
	topic.partitions = &zero;
	topic.n_partitions = 1;
	dir.path = str_of(s->names);
	dir.topics = &topic;
	dir.n_topics = 1;
	q.dirs = &dir;
	q.n_dirs = 1;
	client_ask(&s->prompt, (int)s->asked, API_ALTER_REPLICA_LOG_DIRS, MOVE_VERSION, &q,
		   on_begun, s);
}

static void on_begun(void *arg, enum err e, const void *reply)
{
	struct stage *s = arg;
	const struct alter_replica_log_dirs_response *r = reply;

	s->is_done = !e && r->n_results == 1 && r->results[0].n_partitions == 1 &&
		     r->results[0].partitions[0].error_code == KERR_NONE;
}

static bool has_copied(const struct stage *s, const char *who)
{
	const struct partition *p = replica_of(s, stage_who(*who));
	struct move_state m;

	if (!p)
		return false;
	m = move_state_of(p);
	return m.dir >= 0 && log_end(p->log) - m.lag == s->asked;
}

void wait_copied(struct stage *s, int broker, int64_t records)
{
	const char name[2] = { stage_letter(broker), 0 };

	s->asked = records;
	stage_wait(s, has_copied, name, "a part of the copy of");
}

static bool is_moved(const struct stage *s, const char *who)
{
	const struct partition *p = replica_of(s, stage_who(*who));

	return p && !p->move && p->dir == (int)s->asked;
}

void wait_moved(struct stage *s, int broker, int dir)
{
	const char name[2] = { stage_letter(broker), 0 };

	s->asked = dir;
	stage_wait(s, is_moved, name, "the end of the move of");
}

int dir_of(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? p->dir : -1;
}

bool has_file(struct stage *s, int broker, int dir, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s-0/%s", sim_log_dir(dir), s->topic->name, name);
	return disk_has(stage_machine(s, broker)->disk, path);
}
