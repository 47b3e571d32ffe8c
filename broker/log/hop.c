/* hop.c - one chunk of the file at a time; the headers within it are parsed in place. */
#include "broker/log/hop.h"

static enum err load(struct hop *);

void hop_init(struct hop *h, struct file *file, int64_t at, int64_t end, int64_t base)
{
	h->file = file;
	h->at = h->next = at;
	h->end = end;
	h->next_offset = base;
	h->last_offset = base > INT64_MAX - INT32_MAX ? INT64_MAX : base + INT32_MAX;
	h->err = ERR_OK;
	h->chunk_at = 0;
	h->chunk_n = 0;
}

/* A header that lies about its size or offsets is BAD, never followed. */
enum hop_state hop_next(struct hop *h)
{
	h->at = h->next;
	if (h->at >= h->end)
		return HOP_END;
	if (h->end - h->at < BATCH_HEADER_BYTES)
		return HOP_BAD;
	if ((h->err = load(h)) != ERR_OK)
		return HOP_FAILED;
	if (h->chunk_at + (int64_t)h->chunk_n - h->at < BATCH_HEADER_BYTES)
		return HOP_BAD; /* the file is shorter than it should be */
	if (batch_view(&h->batch, h->chunk + (h->at - h->chunk_at), BATCH_HEADER_BYTES) ==
	    BATCH_BAD)
		return HOP_BAD;
	if (h->batch.size > h->end - h->at || h->batch.base_offset < h->next_offset ||
	    batch_last_offset(&h->batch) > h->last_offset)
		return HOP_BAD;
	h->next = h->at + h->batch.size;
	h->next_offset = batch_last_offset(&h->batch) + 1;
	return HOP_BATCH;
}

/* Makes the header at h->at part of the chunk. */
static enum err load(struct hop *h)
{
	int64_t loaded_to = h->chunk_at + (int64_t)h->chunk_n;

	if (h->at >= h->chunk_at && h->at + BATCH_HEADER_BYTES <= loaded_to)
		return ERR_OK;
	h->chunk_at = h->at;
	return h->file->ops->read(h->file, h->chunk,
				  (size_t)i64_min(HOP_CHUNK_BYTES, h->end - h->at), h->at,
				  &h->chunk_n);
}
