/* partition_rebuild.c - after a truncation producers must forget what was cut: their state is built
 * again from the newest snapshot below the new end and the batch headers behind it. */
#include "broker/log/producer_file.h"
#include "broker/shard/partition_open.h"
#include "broker/shard/persist.h"
#include "broker/shard/shard.h"

#define STEP_BYTES ((int64_t)1 << 20)

static enum err note_range(struct partition *, const struct log_read *, int64_t *offset);

/* Snapshots above the new end speak of records that are gone: dropped before anything is loaded. */
enum err partition_rebuild_producers(struct partition *p)
{
	char dir[PARTITION_PATH_MAX];
	int64_t offset, end = log_end(p->log);
	enum err e;

	partition_path(p, dir);
	if ((e = producer_file_drop_above(p->shard->env, dir, end)) ||
	    (e = persist_load_producers(p->shard->env, p, dir, end, &offset)))
		return e;
	offset = i64_max(offset, log_start(p->log));
	while (offset < end) {
		struct log_read r;
		if ((e = log_read(p->log, offset, end, STEP_BYTES, true, &r)))
			return e;
		if (r.n == 0)
			break;
		e = note_range(p, &r, &offset);
		file_put(r.file);
		if (e)
			return e;
	}
	return ERR_OK;
}

static enum err note_range(struct partition *p, const struct log_read *r, int64_t *offset)
{
	uint8_t header[BATCH_HEADER_BYTES];
	int64_t at = r->at;

	while (at < r->at + r->n) {
		struct batch b;
		size_t got;
		enum err e = r->file->ops->read(r->file, header, sizeof(header), at, &got);
		if (e)
			return e;
		if (batch_view(&b, header, (int64_t)got) != BATCH_OK)
			return ERR_CORRUPT;
		if (b.base_offset >= *offset)
			persist_note(&p->producers, &b);
		*offset = i64_max(*offset, batch_last_offset(&b) + 1);
		at += b.size;
	}
	return ERR_OK;
}
