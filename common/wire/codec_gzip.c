/* gzip by zlib.  A reader takes any number of members one after the other (RFC 1952, 2.2). */
#include "common/wire/codec_impl.h"

#define ZLIB_CONST
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* +16: a gzip header and trailer instead of zlib's */
#define STEP 16384            /* least room offered for output */

struct packer {
	z_stream z;
	int level;
};

static enum err unpack_member(z_stream *, struct codec_buf *);

/* The context is kept for the next batch unless the level changed; deflateReset is much cheaper. */
enum err gzip_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	int want = level == CODEC_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level;
	struct packer *p = *ctx;

	ASSERT(in.n <= INT32_MAX);
	if (p != NULL && p->level != want) {
		gzip_pack_free(p);
		*ctx = p = NULL;
	}
	if (p == NULL) {
		*ctx = p = mem_alloc(sizeof(*p));
		p->level = want;
		if (deflateInit2(&p->z, want, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) !=
		    Z_OK) {
			mem_free(p);
			*ctx = NULL;
			return ERR_INVALID;
		}
	}
	if (deflateReset(&p->z) != Z_OK || !codec_buf_room(out, deflateBound(&p->z, in.n)))
		return ERR_LIMIT;
	p->z.next_in = (const Bytef *)in.at;
	p->z.avail_in = (uInt)in.n;
	p->z.next_out = out->at;
	p->z.avail_out = (uInt)size_min(out->cap, INT32_MAX);
	if (deflate(&p->z, Z_FINISH) != Z_STREAM_END)
		return ERR_LIMIT;
	out->n = p->z.total_out;
	return ERR_OK;
}

enum err gzip_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	z_stream *z = *ctx;
	enum err e = ERR_OK;

	(void)level;
	ASSERT(in.n <= INT32_MAX);
	if (z == NULL) {
		*ctx = z = mem_alloc(sizeof(*z));
		if (inflateInit2(z, GZIP_WINDOW) != Z_OK) {
			mem_free(z);
			*ctx = NULL;
			return ERR_LIMIT;
		}
	}
	z->next_in = (const Bytef *)in.at;
	z->avail_in = (uInt)in.n;
	do {
		if (inflateReset(z) != Z_OK)
			return ERR_CORRUPT;
		e = unpack_member(z, out);
	} while (e == ERR_OK && z->avail_in > 0);
	return e;
}

void gzip_pack_free(void *ctx)
{
	struct packer *p = ctx;

	deflateEnd(&p->z);
	mem_free(p);
}

void gzip_unpack_free(void *ctx)
{
	inflateEnd(ctx);
	mem_free(ctx);
}

/* One byte past max is asked for nowhere: a stream that fills max exactly still has to end. */
static enum err unpack_member(z_stream *z, struct codec_buf *out)
{
	Bytef end[1];
	int rc = Z_OK;

	while (rc != Z_STREAM_END) {
		bool full = out->n == out->max;

		if (!full && !codec_buf_room(out, 1))
			return ERR_LIMIT;
		if (!full)
			(void)codec_buf_room(out, STEP);
		z->next_out = full ? end : out->at + out->n;
		z->avail_out = full ? 1 : (uInt)size_min(out->cap - out->n, INT32_MAX);
		rc = inflate(z, Z_NO_FLUSH);
		if (full && z->avail_out == 0)
			return ERR_LIMIT;
		if (!full)
			out->n = (size_t)(z->next_out - out->at);
		if (rc != Z_OK && rc != Z_STREAM_END)
			return ERR_CORRUPT; /* Z_BUF_ERROR too: the input ended inside */
	}
	return ERR_OK;
}
