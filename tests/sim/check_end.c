/* check_end.c - what must be true when all faults are over and all work is done. */
#include <malloc.h>
#include <stdio.h>

#include "broker/shard/shard.h"
#include "tests/sim/check.h"
#include "tests/sim/disk.h"

#define BYTES_GROWTH_MAX (128 << 10)
#define FILES_GROWTH_MAX 2

static void check_replica_at_end(struct spot *);
static void check_places(struct spot *);

void check_end(struct cluster *c)
{
	image_check(c->decided);
	for (int b = 0; b < c->n_brokers; b++)
		check_machine(c, c->broker[b]->machine);
	for (int t = 0; t < c->n_topics; t++)
		for (int i = 0; i < c->topic[t].n_partitions; i++) {
			check_open_promises(&c->topic[t], i);
			check_candidates(c, &c->topic[t], i);
			for (int b = 0; b < c->n_brokers; b++) {
				struct spot s;

				if (spot_at(&s, c, b, &c->topic[t], i))
					check_replica_at_end(&s);
			}
		}
}

static void check_replica_at_end(struct spot *s)
{
	const struct replica *r = &s->p->replica;

	if (r->high_watermark != s->truth->n || r->log_end != s->truth->n)
		spot_broken(s, 3, "the high watermark is %lld, the end %lld, committed is %lld",
			    (long long)r->high_watermark, (long long)r->log_end,
			    (long long)s->truth->n);
	check_bytes(s);
	check_index(s, true);
	check_places(s);
}

/* 56 */
static void check_places(struct spot *s)
{
	const struct sim_node *node = s->c->broker[s->broker];
	char path[64];

	for (int i = 0; i < SIM_LOG_DIRS_MAX; i++) {
		bool is_there;

		snprintf(path, sizeof(path), "%s/%s-%d", sim_log_dir(i), s->topic->name, s->number);
		is_there = disk_has_below(node->machine->disk, path);
		if (is_there != (i == s->p->dir))
			spot_broken(s, 56, "it is served from %s, and %s is %s",
				    sim_log_dir(s->p->dir), path, is_there ? "there" : "not there");
	}
}

bool cluster_waits(struct cluster *c, char *why, size_t cap)
{
	for (int b = 0; b < c->n_brokers; b++)
		for (int t = 0; t < c->n_topics; t++)
			for (int i = 0; i < c->topic[t].n_partitions; i++) {
				const struct partition *p = cluster_replica(c, b, &c->topic[t], i);

				if (!p || (list_empty(&p->waits) && list_empty(&p->deletes) &&
					   !p->replica.is_pending && !p->move))
					continue;
				snprintf(why, cap, "%s-%d on broker %d: %s has no end",
					 c->topic[t].name, i, b + 1,
					 p->move                 ? "a move"
					 : p->replica.is_pending ? "an AlterPartition"
								 : "a request");
				return true;
			}
	return false;
}

/* ---- rest ----------------------------------------------------------------------------------- */

struct rest rest_measure(const struct cluster *c)
{
	struct rest rest = { .bytes = (int64_t)mallinfo2().uordblks };

	for (int i = 0; i < c->world->n_machines; i++)
		rest.files += disk_files_open(c->world->machine[i]->disk);
	return rest;
}

void rest_compare(const struct cluster *c, struct rest before)
{
	struct rest now = rest_measure(c);

	if (now.files > before.files + FILES_GROWTH_MAX)
		rule_broken(55, "%lld files were open, now %lld", (long long)before.files,
			    (long long)now.files);
	if (now.bytes > before.bytes + BYTES_GROWTH_MAX)
		rule_broken(55, "%lld bytes were in use, now %lld", (long long)before.bytes,
			    (long long)now.bytes);
}
