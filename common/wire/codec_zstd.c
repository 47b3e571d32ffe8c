/* zstd frames, each decoded in one call: the output buffer is the window, so a frame that claims a
 * huge one costs nothing.  A frame need not say its size; then the buffer doubles until it fits. */
#include "common/wire/codec_impl.h"

#include <zstd.h>
#include <zstd_errors.h>

static bool first_room(struct str in, struct codec_buf *);

enum err zstd_pack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	size_t n;

	if (*ctx == NULL)
		*ctx = ZSTD_createCCtx();
	ASSERT(*ctx != NULL);
	if (!codec_buf_room(out, ZSTD_compressBound(in.n)))
		return ERR_LIMIT;
	n = ZSTD_compressCCtx(*ctx, out->at, out->cap, in.at, in.n,
			      level == CODEC_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level);
	if (ZSTD_isError(n))
		return ERR_INVALID;
	out->n = n;
	return ERR_OK;
}

enum err zstd_unpack(void **ctx, int32_t level, struct str in, struct codec_buf *out)
{
	size_t n;

	(void)level;
	if (*ctx == NULL)
		*ctx = ZSTD_createDCtx();
	ASSERT(*ctx != NULL);
	if (in.n == 0)
		return ERR_CORRUPT;
	if (!first_room(in, out))
		return ERR_LIMIT;
	for (;;) {
		n = ZSTD_decompressDCtx(*ctx, out->at, out->cap, in.at, in.n);
		if (!ZSTD_isError(n))
			break;
		if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
			return ERR_CORRUPT;
		if (out->cap >= out->max || !codec_buf_room(out, size_min(2 * out->cap, out->max)))
			return ERR_LIMIT;
	}
	out->n = n;
	return ERR_OK;
}

void zstd_pack_free(void *ctx)
{
	ZSTD_freeCCtx(ctx);
}

void zstd_unpack_free(void *ctx)
{
	ZSTD_freeDCtx(ctx);
}

/* What the frame says is a claim: believed up to max. */
static bool first_room(struct str in, struct codec_buf *out)
{
	unsigned long long says = ZSTD_getFrameContentSize(in.at, in.n);

	if (says == ZSTD_CONTENTSIZE_UNKNOWN || says == ZSTD_CONTENTSIZE_ERROR)
		says = 4 * in.n;
	else if (says > out->max)
		return false;
	return codec_buf_room(out, size_min(size_max((size_t)says, 4096), out->max));
}
