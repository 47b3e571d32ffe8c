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
	return stage_leader(s) == *name - 'X' &&
	       cluster_leads(s->cluster, *name - 'X', s->topic, 0);
}

void wait_leader(struct stage *s, int broker)
{
	const char name[2] = { (char)('X' + broker), 0 };

	wait_until(s, leads, name, "the leader");
}

static bool leads_other(const struct stage *s, const char *old)
{
	int now = stage_leader(s);

	return now >= 0 && now != *old - 'X' && cluster_leads(s->cluster, now, s->topic, 0);
}

int wait_new_leader(struct stage *s, int old)
{
	const char name[2] = { (char)('X' + old), 0 };

	wait_until(s, leads_other, name, "a leader other than");
	return stage_leader(s);
}

static bool leads_nobody(const struct stage *s, const char *unused)
{
	(void)unused;
	return stage_leader(s) == -2;
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

void expect_no_clean_mark(struct stage *s, int broker)
{
	expect(s,
	       !disk_has(s->cluster->broker[broker]->machine->disk, "/data/.kafka_cleanshutdown"),
	       "no clean-shutdown mark");
}

void expect_everywhere(struct stage *s, const char *records)
{
	wait_whole(s);
	for (int i = 0; i < s->topic->rf; i++)
		expect_log(s, i, records);
}
