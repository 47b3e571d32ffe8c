/* codec.h - the four compression codecs of record batches.
 *
 * A codec_state holds one context per codec, made at first use and kept, so that a steady state
 * allocates nothing (libsnappy's own working memory excepted).  One user at a time: one per shard
 * and per job.  Output goes into a codec_buf, which grows up to `max` and never past it: the limit
 * holds while decompressing, so a bomb costs max bytes at most.  Pure.
 *
 *   ERR_CORRUPT      not that codec's format, or cut, or followed by something else
 *   ERR_LIMIT        the output would pass `max`
 *   ERR_UNSUPPORTED  an unknown codec number
 *
 * Framing, as other writers of the format do it: gzip members; snappy in xerial blocks of 32 KiB,
 * raw snappy read too; LZ4 frames with independent blocks; zstd frames. */
#pragma once
#include "common/base/base.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };
#define CODECS 5
#define CODEC_LEVEL_DEFAULT INT32_MIN

struct codec_buf {
	uint8_t *at; /* heap, owned */
	size_t n, cap, max;
};
void codec_buf_init(struct codec_buf *, size_t max);
void codec_buf_fini(struct codec_buf *);
void codec_buf_trim(struct codec_buf *, size_t keep); /* gives memory back when cap is above keep */
/* Room for `more` bytes after n; false past max. */
bool codec_buf_room(struct codec_buf *, size_t more);

struct codec_state;
struct codec_state *codec_state_new(void);
void codec_state_free(struct codec_state *);

/* Both replace the content of `out`. */
must_check enum err codec_decompress(struct codec_state *, int codec, struct str in,
				     struct codec_buf *out);
must_check enum err codec_compress(struct codec_state *, int codec, int32_t level, struct str in,
				   struct codec_buf *out);
const char *codec_name(int codec);             /* "gzip"; "unknown" */
bool codec_parse(struct str name, int *codec); /* "uncompressed" is CODEC_NONE */
