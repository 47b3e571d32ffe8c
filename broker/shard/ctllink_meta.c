/* ctllink_meta.c - the metadata stream: each push is folded into a new version of the image, which
 * is handed to every shard.
 *
 * A snapshot comes in pieces and replaces the image when its last piece is there; a batch continues
 * the image at exactly its offset.  Anything else ends the connection: a fresh stream mends it. */
#include <stdatomic.h>

#include "broker/shard/ctllink_priv.h"
#include "common/base/log.h"

static void fold(struct image *, const Weir__MetadataBatch *);
static void adopt(struct ctllink *, struct image *);
static bool is_ours(const struct ctllink *);

/* The image is cloned per push, not per record: shards keep the old one as long as they need it. */
void ctl_meta_push(struct ctllink *l, const Weir__MetadataBatch *b)
{
	struct image *im;

	if (b->is_snapshot) {
		if (!l->snapshot)
			l->snapshot = image_new();
		fold(l->snapshot, b);
		if (b->more)
			return;
		l->snapshot->offset = b->has_end_offset ? b->end_offset : b->base_offset;
		im = l->snapshot;
		l->snapshot = NULL;
		adopt(l, im);
		return;
	}
	if (!l->image || b->base_offset != l->image->offset) {
		/* A gap or a repetition: only a fresh stream can mend it. */
		log_warn("controller", "the metadata stream does not continue, asking for it again",
			 F_I64("expected", l->image ? l->image->offset : 0),
			 F_I64("got", b->base_offset));
		ctl_restart(l);
		return;
	}
	im = image_clone(l->image);
	fold(im, b);
	im->offset = b->has_end_offset ? b->end_offset : b->base_offset + (int64_t)b->n_records;
	adopt(l, im);
}

static void fold(struct image *im, const Weir__MetadataBatch *b)
{
	for (size_t i = 0; i < b->n_records; i++)
		if (image_apply(im, b->records[i]))
			log_warn("controller",
				 "a metadata record that makes no sense here was skipped",
				 F_I64("offset", b->base_offset + (int64_t)i),
				 F_I64("kind", b->records[i]->body_case));
}

static void adopt(struct ctllink *l, struct image *im)
{
	image_put(l->image);
	l->image = im;
	/* Until the image holds this very process, what it says of us is about an earlier life. */
	if (!l->is_published && !is_ours(l))
		return;
	l->is_published = true;
	for (int i = 0; i < l->broker->n_shards; i++)
		shard_publish(l->broker->shards[i], image_get(im));
}

static bool is_ours(const struct ctllink *l)
{
	const struct image_broker *self = image_broker(l->image, l->broker->conf->node_id);

	return self && uuid_eq(self->incarnation, l->broker->incarnation);
}

/* The slowest shard counts: what a heartbeat reports as applied is so on all of them. */
int64_t ctl_applied(const struct ctllink *l)
{
	int64_t low = INT64_MAX;

	for (int i = 0; i < l->broker->n_shards; i++)
		low = i64_min(low, atomic_load(&l->broker->shards[i]->applied));
	return low;
}

void ctl_meta_free(struct ctllink *l)
{
	image_put(l->image);
	image_put(l->snapshot);
}
