/* partition_rebuild.c - after a truncation producers must forget what was cut: their state is built
 * again from the newest snapshot below the new end and the batch headers behind it. */
#include "broker/log/producer_file.h"
#include "broker/shard/partition_open.h"
#include "broker/shard/persist.h"
#include "broker/shard/shard.h"

struct rebuild {
	struct partition *p;
	int64_t next; /* everything below is in the state; -1: nothing was loaded */
};

static void note(void *arg, const struct batch *);

/* Snapshots above the new end speak of records that are gone: dropped before anything is loaded.
 * Records that were deleted from the front are replayed as long as they lie there.  Where some are
 * missing behind the snapshot nothing is known of any producer: what is known of before would be
 * old, and a producer that goes on would be refused for ever. */
enum err partition_rebuild_producers(struct partition *p)
{
	struct rebuild r = { p, -1 };
	char dir[PARTITION_PATH_MAX];
	enum err e;

	partition_path(p, dir);
	if ((e = producer_file_drop_above(p->shard->env, dir, log_end(p->log))) ||
	    (e = persist_load_producers(p->shard->env, p, dir, log_end(p->log), &r.next)) ||
	    (e = log_replay(p->log, i64_max(r.next, 0), note, &r)))
		return e;
	if (r.next >= 0 && r.next < log_end(p->log))
		producers_clear(&p->producers);
	return ERR_OK;
}

static void note(void *arg, const struct batch *b)
{
	struct rebuild *r = arg;

	if (b->base_offset < r->next)
		return;
	if (r->next >= 0 && b->base_offset > r->next)
		producers_clear(&r->p->producers);
	persist_note(&r->p->producers, b, env_wall_ms(r->p->shard->env));
	r->next = batch_last_offset(b) + 1;
}
