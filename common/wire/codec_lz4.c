/* LZ4 frames.  Written with independent blocks of 64 KiB, which every reader of the format takes;
 * dependent ones are read too. */
#include "common/wire/codec_impl.h"

#include <lz4frame.h>

#define STEP 65536 /* least room offered for output */

static size_t bound(const struct codec_buf *out);

/* Begin, one update, end: the bound covers all three, so no loop is needed. */
enum err lz4_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	LZ4F_preferences_t prefs = { .frameInfo = { .blockMode = LZ4F_blockIndependent,
						    .blockSizeID = LZ4F_max64KB } };
	size_t n[3] = { 0 };

	if (*ctx == NULL &&
	    LZ4F_isError(LZ4F_createCompressionContext((LZ4F_cctx **)ctx, LZ4F_VERSION)))
		return ERR_LIMIT;
	prefs.compressionLevel = level == CODEC_LEVEL_DEFAULT ? 0 : level;
	if (!codec_buf_room(out, LZ4F_compressBound(in.n, &prefs) + LZ4F_HEADER_SIZE_MAX))
		return ERR_LIMIT;
	n[0] = LZ4F_compressBegin(*ctx, out->at, out->cap, &prefs);
	if (LZ4F_isError(n[0]))
		return ERR_INVALID;
	out->n = n[0];
	n[1] = LZ4F_compressUpdate(*ctx, out->at + out->n, bound(out), in.at, in.n, NULL);
	if (LZ4F_isError(n[1]))
		return ERR_INVALID;
	out->n += n[1];
	n[2] = LZ4F_compressEnd(*ctx, out->at + out->n, bound(out), NULL);
	if (LZ4F_isError(n[2]))
		return ERR_INVALID;
	out->n += n[2];
	return ERR_OK;
}

/* The decoder says 0 when a frame has ended; frames may follow one another. */
enum err lz4_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	const char *at = in.at, *end = in.at + in.n;
	size_t hint = 1;

	(void)level;
	if (*ctx == NULL &&
	    LZ4F_isError(LZ4F_createDecompressionContext((LZ4F_dctx **)ctx, LZ4F_VERSION)))
		return ERR_LIMIT;
	LZ4F_resetDecompressionContext(*ctx);
	for (;;) {
		uint8_t past[1];
		bool full = out->n == out->max;
		size_t got, took = (size_t)(end - at);

		if (!full && !codec_buf_room(out, size_min(STEP, out->max - out->n)))
			return ERR_LIMIT;
		got = full ? sizeof(past) : bound(out);
		hint = LZ4F_decompress(*ctx, full ? past : out->at + out->n, &got, at, &took, NULL);
		if (LZ4F_isError(hint))
			return ERR_CORRUPT;
		if (full && got > 0)
			return ERR_LIMIT;
		out->n += got;
		at += took;
		if (hint == 0 && at == end)
			return ERR_OK;
		if (took == 0 && got == 0)
			return ERR_CORRUPT; /* the input ended inside a frame */
	}
}

void lz4_pack_free(void *ctx)
{
	LZ4F_freeCompressionContext(ctx);
}

void lz4_unpack_free(void *ctx)
{
	LZ4F_freeDecompressionContext(ctx);
}

static size_t bound(const struct codec_buf *out)
{
	return out->cap - out->n;
}
