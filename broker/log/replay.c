/* replay.c - feeding the batches of a log to those who keep state made of them: producers after a
 * restart or a truncation, and the epoch cache.  Headers only, but for control batches, whose
 * marker is in their one record. */
#include "broker/log/state.h"

static enum err read_whole(const struct hop *, uint8_t **body, int64_t *cap, struct batch *);

/* Hops over headers from the first batch that reaches `from`. */
enum err log_replay(struct log *l, int64_t from, void (*fn)(void *, const struct batch *),
		    void *arg)
{
	uint8_t *body = NULL;
	int64_t cap = 0;
	enum err e = ERR_OK;

	for (int32_t i = log_segment_of(l, from); i < l->n && !e; i++) {
		enum hop_state state = HOP_BATCH;
		struct hop hop;

		e = log_use(l, i);
		if (e == ERR_OK)
			e = segment_seek(&l->home, &l->v[i], from, &hop);
		for (; e == ERR_OK && state == HOP_BATCH; state = hop_next(&hop)) {
			struct batch b = hop.batch;

			if (b.attributes & BATCH_CONTROL)
				e = read_whole(&hop, &body, &cap, &b);
			if (e == ERR_OK)
				fn(arg, &b);
		}
		if (e == ERR_NOT_FOUND)
			e = ERR_OK;
		if (state == HOP_FAILED)
			e = hop.err;
	}
	mem_free(body);
	return e;
}

/* Only control batches are looked into, so only they are read whole. */
static enum err read_whole(const struct hop *hop, uint8_t **body, int64_t *cap, struct batch *b)
{
	size_t got;

	if (b->size > *cap) {
		*body = mem_grow(*body, (size_t)b->size);
		*cap = b->size;
	}
	b->at = *body;
	return hop->file->ops->read(hop->file, *body, (size_t)b->size, hop->at, &got);
}
