/* scene_wait.c - what a scene waits for and expects. */
#include <stdio.h>

#include "broker/shard/partition.h"
#include "common/wire/batch.h"
#include "tests/sim/disk.h"
#include "tests/sim/stage.h"

#define TEXT_BYTES 512
#define LOG_BYTES (64 << 10)

int stage_leader(const struct stage *s)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);

	return d ? d->leader - 1 : -2;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static bool are(const struct image_ids *ids, const char *names)
{
	if (ids->n != (int32_t)strlen(names))
		return false;
	for (const char *n = names; *n; n++)
		if (!image_ids_has(ids, stage_who(*n) + 1))
			return false;
	return true;
}

static bool has_isr(const struct stage *s, const char *names)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);

	return d && are(&d->isr, names);
}

/* The leader has heard of it, too. */
static bool works_with_isr(const struct stage *s, const char *names)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);
	const struct partition *p;

	if (!has_isr(s, names))
		return false;
	if (d->leader < 1)
		return true;
	p = cluster_replica(s->cluster, d->leader - 1, s->topic, 0);
	return p && p->replica.partition_epoch >= d->partition_epoch;
}

/* Looks after every event, so that a scene can act between two of them. */
void stage_wait(struct stage *s, bool (*is_so)(const struct stage *, const char *), const char *arg,
		const char *what)
{
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (!is_so(s, arg))
		if (!world_step(s->cluster->world, until))
			story_fail(EXIT_LIVENESS, "%s: waited in vain for %s %s", s->name, what,
				   arg);
}

void wait_isr(struct stage *s, const char *names)
{
	stage_wait(s, works_with_isr, names, "the isr");
}

static bool leads(const struct stage *s, const char *name)
{
	return stage_leader(s) == stage_who(*name) &&
	       cluster_leads(s->cluster, stage_who(*name), s->topic, 0);
}

void wait_leader(struct stage *s, int broker)
{
	const char name[2] = { stage_letter(broker), 0 };

	stage_wait(s, leads, name, "the leader");
}

static bool leads_other(const struct stage *s, const char *old)
{
	int now = stage_leader(s);

	return now >= 0 && now != stage_who(*old) && cluster_leads(s->cluster, now, s->topic, 0);
}

int wait_new_leader(struct stage *s, int old)
{
	const char name[2] = { stage_letter(old), 0 };

	stage_wait(s, leads_other, name, "a leader other than");
	return stage_leader(s);
}

static bool follows(const struct stage *s, const char *name)
{
	const struct partition *p = cluster_replica(s->cluster, stage_who(*name), s->topic, 0);

	return p && p->replica.role != REPLICA_LEADER;
}

void wait_follower(struct stage *s, int broker)
{
	const char name[2] = { stage_letter(broker), 0 };

	stage_wait(s, follows, name, "a follower in");
}

static bool leads_nobody(const struct stage *s, const char *unused)
{
	(void)unused;
	return stage_leader(s) == -2;
}

void wait_no_leader(struct stage *s)
{
	stage_wait(s, leads_nobody, "", "no leader");
}

void wait_ended(struct stage *s, int who)
{
	int64_t until = s->cluster->world->now_us + BOUND_US;

	while (sim_node_runs(s->cluster->broker[who])) {
		if (s->cluster->world->now_us >= until)
			story_fail(EXIT_LIVENESS, "%s: %c runs on", s->name, 'X' + who);
		world_run(s->cluster->world, STEP_US);
	}
}

static bool is_whole(const struct stage *s, const char *unused)
{
	char why[TEXT_BYTES];

	(void)unused;
	return cluster_is_whole(s->cluster, why, sizeof(why));
}

void wait_whole(struct stage *s)
{
	stage_wait(s, is_whole, "", "everything to come together");
}

int leader(struct stage *s)
{
	return stage_leader(s);
}

int32_t leader_epoch(struct stage *s)
{
	return cluster_decided(s->cluster, s->topic, 0)->leader_epoch;
}

int32_t partition_epoch(struct stage *s)
{
	return cluster_decided(s->cluster, s->topic, 0)->partition_epoch;
}

static const struct partition *replica_of(const struct stage *s, int broker)
{
	return cluster_replica(s->cluster, broker, s->topic, 0);
}

int64_t watermark(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? p->replica.high_watermark : -1;
}

int64_t first_offset(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? p->replica.log_start : -1;
}

/* The log's own, which the replica hears of. */
int64_t kept_offset(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? log_start(p->log) : -1;
}

int64_t end_offset(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? p->replica.log_end : -1;
}

int32_t known_epoch(struct stage *s, int broker)
{
	const struct partition *p = replica_of(s, broker);

	return p ? epoch_cache_latest(&p->epochs) : EPOCH_NONE;
}

void expect_isr(struct stage *s, const char *names)
{
	if (!has_isr(s, names))
		story_fail(EXIT_SAFETY, "%s: the isr should be %s", s->name, names);
}

void expect_elr(struct stage *s, const char *names)
{
	if (!are(&cluster_decided(s->cluster, s->topic, 0)->elr, names))
		story_fail(EXIT_SAFETY, "%s: the elr should be \"%s\"", s->name, names);
}

/* Nor of a directory that is on its way out: that one has another name. */
static bool is_gone(const struct stage *s, const char *name)
{
	const struct sim_node *n = s->cluster->broker[stage_who(*name)];
	char path[TEXT_BYTES];

	snprintf(path, sizeof(path), "/data/%s-0/partition.metadata", s->topic->name);
	return !disk_has(n->machine->disk, path);
}

void wait_gone(struct stage *s, int broker)
{
	const char name[2] = { stage_letter(broker), 0 };

	stage_wait(s, is_gone, name, "no partition on the disk of");
}

/* No reassignment is under way. */
static bool has_replicas(const struct stage *s, const char *names)
{
	const struct image_partition *d = cluster_decided(s->cluster, s->topic, 0);

	return d && are(&d->replicas, names) && d->adding.n == 0 && d->removing.n == 0;
}

void wait_replicas(struct stage *s, const char *names)
{
	stage_wait(s, has_replicas, names, "the replicas");
}

static bool is_at(const struct stage *s, const char *who)
{
	const struct partition *p = replica_of(s, stage_who(*who));

	return p && p->replica.high_watermark >= s->asked;
}

void wait_watermark(struct stage *s, int broker, int64_t offset)
{
	const char name[2] = { stage_letter(broker), 0 };

	s->asked = offset;
	stage_wait(s, is_at, name, "the high watermark of");
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

static void tell_log(const struct stage *s, int broker, char out[TEXT_BYTES])
{
	const struct partition *p = replica_of(s, broker);
	struct text text;

	out[0] = 0;
	text_init(&text, out, TEXT_BYTES);
	if (p)
		read_log(p, &text);
}

void expect_log(struct stage *s, int broker, const char *records)
{
	char have[TEXT_BYTES];

	tell_log(s, broker, have);
	if (strcmp(have, records) != 0)
		story_fail(EXIT_SAFETY, "%s: %c should have \"%s\", has \"%s\"", s->name,
			   stage_letter(broker), records, have);
}

static bool has_log(const struct stage *s, const char *records)
{
	char have[TEXT_BYTES];

	tell_log(s, (int)s->asked, have);
	return strcmp(have, records) == 0;
}

void wait_log(struct stage *s, int broker, const char *records)
{
	s->asked = broker;
	stage_wait(s, has_log, records, "the log");
}

void expect_no_clean_mark(struct stage *s, int broker)
{
	expect(s,
	       !disk_has(s->cluster->broker[broker]->machine->disk, "/data/.kafka_cleanshutdown"),
	       "no clean-shutdown mark");
}

void expect_everywhere(struct stage *s, const char *records)
{
	const struct image_partition *d;

	wait_whole(s);
	d = cluster_decided(s->cluster, s->topic, 0);
	for (int32_t i = 0; i < d->replicas.n; i++)
		expect_log(s, d->replicas.v[i] - 1, records);
}

bool is_led_by(struct stage *s, int broker, int partition)
{
	return cluster_leads(s->cluster, broker, s->topic, partition);
}

void expect_one_place(struct stage *s, int broker)
{
	char path[TEXT_BYTES];
	int n = 0;

	for (int i = 0; i < SIM_LOG_DIRS_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%s-0", sim_log_dir(i), s->topic->name);
		n += disk_has_below(stage_machine(s, broker)->disk, path);
	}
	expect(s, n == 1, "the replica to be in one log directory");
}
