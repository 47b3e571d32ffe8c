/* scene_fault.c - what befalls processes, disks and clocks. */
#include <stdio.h>

#include "broker/shard/partition.h"
#include "tests/sim/disk.h"
#include "tests/sim/names.h"
#include "tests/sim/stage.h"

#define PATH_BYTES 64

static void tell(struct stage *s, const char *what, int who)
{
	story_tell(s->cluster->world, "---- %c %s ----", stage_letter(who), what);
}

static struct sim_node *node(const struct stage *s, int who)
{
	return who >= CONTROLLER ? s->cluster->controllers[who - CONTROLLER]
				 : s->cluster->broker[who];
}

struct machine *stage_machine(const struct stage *s, int who)
{
	return node(s, who)->machine;
}

/* ---- processes ------------------------------------------------------------------------------- */

void kill_node(struct stage *s, int who)
{
	tell(s, "is killed", who);
	sim_node_kill(node(s, who));
}

void power_off_node(struct stage *s, int who)
{
	tell(s, "loses its power", who);
	sim_node_power_off(node(s, who));
}

void start_node(struct stage *s, int who)
{
	tell(s, "starts", who);
	sim_node_start(node(s, who));
}

void ask_to_stop(struct stage *s, int who)
{
	tell(s, "is asked to stop", who);
	sim_node_stop(node(s, who));
}

void stop_node(struct stage *s, int who)
{
	ask_to_stop(s, who);
	wait_end(s, who);
}

void wait_end(struct stage *s, int who)
{
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (sim_node_runs(node(s, who))) {
		if (s->cluster->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "%s: %c does not stop", s->name,
				   stage_letter(who));
		world_run(s->cluster->world, STEP_US);
	}
}

void pause_node(struct stage *s, int who)
{
	tell(s, "is paused", who);
	machine_pause(stage_machine(s, who));
}

void resume_node(struct stage *s, int who)
{
	tell(s, "goes on", who);
	machine_resume(stage_machine(s, who));
}

void slow_jobs(struct stage *s, int64_t ms)
{
	s->cluster->world->job_us_max = ms * 1000;
}

void skew_clock(struct stage *s, int who, int64_t ms)
{
	tell(s, "has another time of day", who);
	stage_machine(s, who)->wall_skew_ms += ms;
}

/* ---- disks ----------------------------------------------------------------------------------- */

void fill_disk(struct stage *s, int broker)
{
	struct disk *d = stage_machine(s, broker)->disk;

	tell(s, "has a full disk", broker);
	disk_limit(d, disk_bytes(d));
}

void break_disk(struct stage *s, int broker)
{
	tell(s, "has a failing disk", broker);
	disk_fail(stage_machine(s, broker)->disk, DISK_WRITE | DISK_SYNC, 1);
}

void break_dir_of(struct stage *s, int broker, int partition)
{
	const struct partition *p = cluster_replica(s->cluster, broker, s->topic, partition);

	ASSERT(p);
	tell(s, "has a log directory that fails", broker);
	disk_fail_below(stage_machine(s, broker)->disk, sim_log_dir(p->dir));
}

void starve(struct stage *s, int broker, int64_t opens)
{
	tell(s, "has hardly a descriptor left", broker);
	disk_starve(stage_machine(s, broker)->disk, opens);
}

void mend_disk(struct stage *s, int broker)
{
	disk_fail_below(stage_machine(s, broker)->disk, "");
	tell(s, "has a good disk with room", broker);
	disk_fail(stage_machine(s, broker)->disk, 0, 0);
	disk_limit(stage_machine(s, broker)->disk, INT64_MAX);
	disk_starve(stage_machine(s, broker)->disk, -1);
}

/* Rot: nobody wrote it, and the device has it, too. */
void flip_byte(struct stage *s, int broker, const char *record)
{
	uint64_t value = stage_value(record);
	char path[PATH_BYTES];
	struct name *name;

	tell(s, "has a flipped bit in its log", broker);
	snprintf(path, sizeof(path), "/data/%s-0/%020d.log", s->topic->name, 0);
	name = names_find(&stage_machine(s, broker)->disk->seen, path);
	ASSERT(name && name->inode);
	for (int64_t at = 0; at + (int64_t)sizeof(value) <= name->inode->n; at++) {
		if (memcmp(name->inode->at + at, &value, sizeof(value)) != 0)
			continue;
		name->inode->at[at] ^= 1;
		if (at < name->inode->n_durable)
			name->inode->durable[at] ^= 1;
		check_expect_rot(s->cluster, broker);
		return;
	}
	story_fail(EXIT_CRASH, "%s: %c has no %s", s->name, stage_letter(broker), record);
}
